package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
)

// Rotator is where credentials are replaced; *partners.Directory is one. What it changes, its store audits.
type Rotator interface {
	EditPartner(ctx context.Context, e partners.Edit, id string, change func(*partners.PartnerConfig) error) (partners.Entry, error)
	EditNode(ctx context.Context, e partners.Edit, change func(*partners.NodeKeys) error) (partners.Entry, error)
	// Config is the one in force.
	Config() partners.Config
}

// Step is a step of a rotation.
type Step string

// The steps. Each takes the members of CredentialStep that are named here, beside sha256, which each but StepStage needs.
const (
	// StepStage takes file, passphrase, uses, issuing_body and first_use; for a key of the node uses, issuing_body and key.
	StepStage Step = "stage"
	// StepActivate takes at, first_use, overlap and keep.
	StepActivate Step = "activate"
	// StepRetire takes at, and uses if it is to end for those alone.
	StepRetire   Step = "retire"
	StepRollBack Step = "roll-back"
	// StepDistrust takes since.
	StepDistrust Step = "distrust"
)

// CredentialStep is what a step needs to know.
type CredentialStep struct {
	// SHA256 is the fingerprint of the credential, or its first 16 digits or more.
	SHA256 string `json:"sha256,omitempty"`
	// File is the content of what the partner sent, and Passphrase that of PKCS #12.
	File       []byte `json:"file,omitempty"`
	Passphrase string `json:"passphrase,omitempty"`
	// Uses are what it does; to stage one for document-signature they are left out, and IssuingBody is given.
	Uses        []partners.Use `json:"uses,omitempty"`
	IssuingBody string         `json:"issuing_body,omitempty"`
	// Key is where a key of the node lies.
	Key *KeyPlace `json:"key,omitempty"`
	// At is when it is activated or retires; zero is at once. FirstUse leaves it staged until a message comes that it verifies.
	At       time.Time `json:"at,omitzero"`
	FirstUse bool      `json:"first_use,omitempty"`
	// Overlap is how long those that it replaces count on, in seconds; 0 for what is configured. Keep leaves them as they are.
	Overlap int64 `json:"overlap,omitempty"`
	Keep    bool  `json:"keep,omitempty"`
	// Since is from when nothing is believed that its key signed; zero is now.
	Since time.Time `json:"since,omitzero"`
}

// KeyPlace is where a private key of the node lies with its credential, as partners.KeyConfig; paths are absolute, and those of the node's
// machine.
type KeyPlace struct {
	KeyFile        string `json:"key_file,omitempty"`
	ChainFile      string `json:"chain_file,omitempty"`
	PKCS12File     string `json:"pkcs12_file,omitempty"`
	PassphraseFile string `json:"passphrase_file,omitempty"`
	Module         string `json:"module,omitempty"`
	TokenLabel     string `json:"token_label,omitempty"`
	PINFile        string `json:"pin_file,omitempty"`
	KeyLabel       string `json:"key_label,omitempty"`
	KeyID          string `json:"key_id,omitempty"`
}

func (k KeyPlace) config(uses []partners.Use) (partners.KeyConfig, error) {
	for _, path := range []string{k.KeyFile, k.ChainFile, k.PKCS12File, k.PassphraseFile, k.Module, k.PINFile} {
		if path != "" && !filepath.IsAbs(path) {
			return partners.KeyConfig{}, problem(CodeMalformed, fmt.Sprintf("member \"key\": %q is not an absolute path of the node's machine", path))
		}
	}
	return partners.KeyConfig{
		Uses: uses, KeyFile: k.KeyFile, ChainFile: k.ChainFile, PKCS12File: k.PKCS12File, PassphraseFile: k.PassphraseFile,
		PKCS11: partners.TokenKeyConfig{Module: k.Module, TokenLabel: k.TokenLabel, PINFile: k.PINFile, KeyLabel: k.KeyLabel, KeyID: k.KeyID},
	}, nil
}

// CredentialChange is what a step changes, or with DryRun or a Proposal would change.
type CredentialChange struct {
	// SHA256 is the credential that the step was about.
	SHA256 string `json:"sha256"`
	// Version is that of the partner's entry in the registry, or of the node's keys.
	Version uint64 `json:"version"`
	// Before and After are those that change, as they were and as they are.
	Before   []CredentialState `json:"before"`
	After    []CredentialState `json:"after"`
	Warnings []string          `json:"warnings"`
	DryRun   bool              `json:"dry_run,omitempty"`
	// Proposal is the number under which the step waits for another operator; nothing was changed then. 0 for one that waits for nobody.
	Proposal uint64 `json:"proposal,omitempty"`
	// Affected is, after StepDistrust, what each credential of the key signed since then: what has to be looked at again. "cert affected" lists it.
	Affected []AffectedCount `json:"affected,omitempty"`
}

// AffectedCount is how much a credential signed since an instant; AffectedPage lists it.
type AffectedCount struct {
	SHA256 string    `json:"sha256"`
	Since  time.Time `json:"since"`
	// Messages are those that it signed, or of which it signed the document. Certificates are those that came or went with them, and those
	// whose document it signed, each once.
	Messages     int `json:"messages"`
	Certificates int `json:"certificates"`
	// More says that there are more than were counted, maxCounted of them.
	More bool `json:"more,omitempty"`
}

// maxCounted is how much of what a credential signed is counted.
const maxCounted = 10_000

// CredentialState is a credential with its state as its document has it: what is known of revocations plays no part.
type CredentialState struct {
	Use         partners.Use   `json:"use"`
	IssuingBody string         `json:"issuing_body,omitempty"`
	State       partners.State `json:"state"`
	From        time.Time      `json:"from"`
	Until       time.Time      `json:"until"`
	// Activate is by-hand or first-use for one that waits for that.
	Activate   string    `json:"activate,omitempty"`
	ReplacedBy string    `json:"replaced_by,omitempty"`
	Distrusted time.Time `json:"distrusted,omitzero"`
	Subject    string    `json:"subject"`
	SHA256     string    `json:"sha256"`
}

func states(list []partners.Held) []CredentialState {
	out := []CredentialState{}
	for _, h := range list {
		out = append(out, CredentialState{
			Use: h.Use, IssuingBody: h.Issuer, State: h.State, From: h.From, Until: h.Until, Activate: h.Activate, ReplacedBy: h.ReplacedBy,
			Distrusted: h.Distrusted, Subject: h.X509Cert.Subject.String(), SHA256: h.Fingerprint(),
		})
	}
	return out
}

// rotationRoutes are the paths of rotations; without a Rotator there are none.
func (s *server) rotationRoutes() []route {
	operate, step := []Role{RoleOperator}, pathOf[Step]("step", "What is done; each takes its own members of the body.")
	answers := []answer{
		answersJSON[CredentialChange](http.StatusOK, "What changed, or with dry_run would change."),
		answersJSON[CredentialChange](http.StatusAccepted, "It waits for a second operator."),
	}
	refused := []Code{CodeNoPath, CodeUnknownCredential, CodeNotNow, CodeInvalidCredential, CodeInvalidEntry, CodeUnknownEntry, CodeManyProposals, CodeStale, CodeFull}
	return []route{
		{
			method: http.MethodPost, path: base + "/partners/{id}/credentials/{step}", roles: operate, handle: s.partnerStep, absent: s.Rotator == nil,
			operation: operation{
				id: "rotateCredential", tag: tagCredentials, summary: "A step of the replacement of a partner's credential",
				parameters: append([]parameter{pathText("id", "Id of the partner."), step}, changeParameters()...),
				takes:      takesJSON[CredentialStep](), answers: answers, problems: append([]Code{CodeUnknownPartner}, refused...),
			},
		},
		{
			method: http.MethodPost, path: base + "/node/keys/{step}", roles: operate, handle: s.nodeStep, absent: s.Rotator == nil,
			operation: operation{
				id: "rotateKey", tag: tagCredentials, summary: "A step of the replacement of a key of the node",
				parameters: append([]parameter{step}, changeParameters()...), takes: takesJSON[CredentialStep](), answers: answers, problems: refused,
			},
		},
		{
			method: http.MethodGet, path: base + "/node/keys", roles: []Role{RoleOfficer, RoleOperator}, handle: s.nodeKeys, absent: s.Rotator == nil,
			operation: operation{
				id: "listKeys", tag: tagCredentials, summary: "The node's own keys", answers: []answer{answersJSON[[]CredentialState](http.StatusOK, "They, the one that ends first first.")},
			},
		},
	}
}

func stepOf(c echo.Context) (Step, error) {
	step := Step(c.Param("step"))
	if !slices.Contains([]Step{StepStage, StepActivate, StepRetire, StepRollBack, StepDistrust}, step) {
		return "", problem(CodeNoPath, "")
	}
	return step, nil
}

// nodeKeys answers GET /node/keys.
func (s *server) nodeKeys(c echo.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	if err := s.audit(c, "node.keys_listed", "", ""); err != nil {
		return err
	}
	list, err := s.Rotator.Config().OwnKeys(s.Now())
	if err != nil {
		return fmt.Errorf("listing the node's keys: %w", err)
	}
	return c.JSON(http.StatusOK, states(list))
}

// partnerStep answers POST /partners/{id}/credentials/{step}.
func (s *server) partnerStep(c echo.Context) error {
	step, err := stepOf(c)
	if err != nil {
		return err
	}
	id, err := partnerOf(c, "dry_run", "why")
	if err != nil {
		return err
	}
	in, edit, err := s.readStep(c, step, "file")
	if err != nil {
		return err
	}
	now := s.Now()
	edit.Withdraws = in.withdraws(step)
	answer := CredentialChange{SHA256: in.SHA256}
	do := func(p *partners.PartnerConfig) error { return take(p, step, in, now) }
	if step == StepStage {
		staging, err := s.staging(id, in, now, &answer)
		if err != nil {
			return s.refusedChange(c, "partner.change_refused", id, err)
		}
		edit.Why = in.what(step, answer.SHA256, c.QueryParam("why"))
		do = func(p *partners.PartnerConfig) error { return p.Stage(staging, now) }
	}
	return s.rotate(c, partners.KindPartner, id, step, edit, &answer, func(ctx context.Context) (entry partners.Entry, d partners.Difference, err error) {
		entry, err = s.Rotator.EditPartner(ctx, edit, id, func(p *partners.PartnerConfig) error {
			before := *p
			if err := do(p); err != nil {
				return err
			}
			d, err = before.Compare(*p, now)
			return err
		})
		return entry, d, err
	})
}

// nodeStep answers POST /node/keys/{step}.
func (s *server) nodeStep(c echo.Context) error {
	step, err := stepOf(c)
	if err != nil {
		return err
	}
	if err := onlyParameters(c, "dry_run", "why"); err != nil {
		return err
	}
	in, edit, err := s.readStep(c, step, "key")
	if err != nil {
		return err
	}
	now := s.Now()
	edit.Withdraws = in.withdraws(step)
	answer := CredentialChange{SHA256: in.SHA256}
	do := func(k *partners.NodeKeys) error { return take(k, step, in, now) }
	if step == StepStage {
		key, err := in.Key.config(in.Uses)
		if err != nil {
			return err
		}
		edit.Why = in.what(step, "a key", c.QueryParam("why"))
		do = func(k *partners.NodeKeys) error {
			err := k.Stage(in.IssuingBody, key, now)
			if err != nil && !errors.Is(err, partners.ErrNotNow) { // reading it
				err = refusedCredential("key", err.Error())
			}
			return err
		}
	}
	return s.rotate(c, partners.KindNode, partners.NodeID, step, edit, &answer, func(ctx context.Context) (entry partners.Entry, d partners.Difference, err error) {
		entry, err = s.Rotator.EditNode(ctx, edit, func(k *partners.NodeKeys) error {
			before := *k
			if err := do(k); err != nil {
				return err
			}
			d, err = before.Compare(*k, now)
			return err
		})
		return entry, d, err
	})
}

// rotated is what a partner's document and the node's have in common.
type rotated interface {
	Activate(a partners.Activation, now time.Time) error
	Retire(fingerprint string, at, now time.Time, uses ...partners.Use) error
	RollBack(fingerprint string, now time.Time) error
	Distrust(fingerprint string, since, now time.Time) error
}

// withdraws tells whether a step does nothing but take trust away, at once.
func (in *CredentialStep) withdraws(step Step) bool {
	return step == StepDistrust || step == StepRetire && in.At.IsZero()
}

func take(document rotated, step Step, in CredentialStep, now time.Time) error {
	switch step {
	case StepActivate:
		return document.Activate(partners.Activation{
			Fingerprint: in.SHA256, At: in.At, AtFirstUse: in.FirstUse, Overlap: time.Duration(in.Overlap) * time.Second, Keep: in.Keep,
		}, now)
	case StepRetire:
		return document.Retire(in.SHA256, in.At, now, in.Uses...)
	case StepRollBack:
		return document.RollBack(in.SHA256, now)
	case StepDistrust:
		return document.Distrust(in.SHA256, in.Since, now)
	}
	return fmt.Errorf("step %q is none", step)
}

// maxOverlap is ten years, in seconds.
const maxOverlap = 10 * 366 * 24 * 3600

// readStep reads the body and the parameters of a step; source is the member that says where a staged credential comes from.
func (s *server) readStep(c echo.Context, step Step, source string) (in CredentialStep, e partners.Edit, err error) {
	mediaType, _, err := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType))
	if err != nil || mediaType != echo.MIMEApplicationJSON {
		return in, e, problem(CodeMediaType, "want "+echo.MIMEApplicationJSON)
	}
	body := json.NewDecoder(c.Request().Body)
	body.DisallowUnknownFields() // within a member; decodeObject sees to the members
	if err := decodeObject(body, in.members(step, source)...); err != nil {
		return in, e, bodyProblem("", err)
	}
	if err := in.check(step, source); err != nil {
		return in, e, err
	}
	e = partners.Edit{By: callOf(c).key.Name, Why: c.QueryParam("why")}
	if len(e.Why) > maxGiven || !printable(e.Why) {
		return in, e, problem(CodeParameter, fmt.Sprintf("why is one line of at most %d octets that can be printed", maxGiven))
	}
	e.Why = in.what(step, in.SHA256, e.Why)
	e.DryRun, err = flag(c, "dry_run")
	return in, e, err
}

// what says what a step does, and then why: whoever confirms it, or reads the list of versions, is told of which credential it is.
func (in *CredentialStep) what(step Step, credential, why string) string {
	text := string(step) + " " + credential
	var uses []string
	for _, use := range in.Uses {
		uses = append(uses, string(use))
	}
	if in.IssuingBody != "" {
		uses = append(uses, string(partners.UseDocumentSignature)+" by "+in.IssuingBody)
	}
	if len(uses) > 0 {
		text += " for " + strings.Join(uses, ", ")
	}
	if why != "" {
		text += ": " + why
	}
	return text
}

// members are those of the body of a step.
func (in *CredentialStep) members(step Step, source string) []member {
	fingerprint, at := member{"sha256", &in.SHA256}, member{"at", &in.At}
	switch step {
	case StepStage:
		list := []member{{"uses", &in.Uses}, {"issuing_body", &in.IssuingBody}}
		if source == "key" {
			return append(list, member{"key", &in.Key})
		}
		return append(list, member{"file", &in.File}, member{"passphrase", &in.Passphrase}, member{"first_use", &in.FirstUse})
	case StepActivate:
		return []member{fingerprint, at, {"first_use", &in.FirstUse}, {"overlap", &in.Overlap}, {"keep", &in.Keep}}
	case StepRetire:
		return []member{fingerprint, at, {"uses", &in.Uses}}
	case StepDistrust:
		return []member{fingerprint, {"since", &in.Since}}
	}
	return []member{fingerprint}
}

func (in *CredentialStep) check(step Step, source string) error {
	switch {
	case step != StepStage && in.SHA256 == "":
		return problem(CodeMalformed, `member "sha256" is required`)
	case step == StepStage && (source == "key" && in.Key == nil || source != "key" && len(in.File) == 0):
		return problem(CodeMalformed, fmt.Sprintf("member %q is required", source))
	case step == StepStage && (len(in.Uses) == 0) == (in.IssuingBody == ""):
		return problem(CodeMalformed, `want the member "uses", or "issuing_body" for a credential that signs documents`)
	case in.Overlap < 0 || in.Overlap > maxOverlap:
		return problem(CodeMalformed, fmt.Sprintf(`member "overlap": %d is not between 0 and %d seconds`, in.Overlap, maxOverlap))
	}
	return nil
}

// staging reads and examines what a partner has sent.
func (s *server) staging(partner string, in CredentialStep, now time.Time, answer *CredentialChange) (partners.Staging, error) {
	text, warning, err := partners.ReadUpload(in.File, []byte(in.Passphrase))
	if err != nil {
		return partners.Staging{}, refusedCredential("file", err.Error())
	}
	staging := partners.Staging{Credential: partners.CredentialConfig{Uses: in.Uses, PEM: text, Activate: partners.ActivateByHand}, Body: in.IssuingBody}
	if in.FirstUse {
		staging.Credential.Activate = partners.ActivateAtFirstUse
	}
	found, err := s.Rotator.Config().ExamineStaging(partner, staging, now)
	switch {
	case errors.Is(err, partners.ErrUnknownBody):
		return staging, refusedCredential("file", err.Error())
	case err != nil:
		return staging, err
	case len(found.Refused) > 0:
		return staging, refusedCredential("file", found.Refused...)
	}
	answer.SHA256 = found.Credential.Fingerprint()
	if warning != "" {
		answer.Warnings = append(answer.Warnings, warning)
	}
	answer.Warnings = append(answer.Warnings, found.Warnings...)
	return staging, nil
}

// codeCredential is the code of what keeps a credential from being taken.
const codeCredential = "credential"

// refusedCredential says what keeps the node from taking what a member of the body holds or names.
func refusedCredential(member string, reasons ...string) *Problem {
	p := problem(CodeInvalidCredential, "")
	for _, text := range reasons {
		p.Errors = append(p.Errors, eco.Finding{Code: codeCredential, Severity: eco.SeverityError, Path: member, Text: text})
	}
	return p
}

// rotate makes a step and answers with what came of it. What is refused, and what was only tried, is audited here; what is changed, by
// the store with the change.
func (s *server) rotate(c echo.Context, kind partners.Kind, id string, step Step, e partners.Edit, answer *CredentialChange,
	do func(context.Context) (partners.Entry, partners.Difference, error),
) error {
	if e.DryRun {
		if err := s.audit(c, string(kind)+".change_tried", id, e.Why); err != nil {
			return err
		}
	}
	entry, d, err := do(c.Request().Context())
	var waits *partners.Proposed
	status := http.StatusOK
	switch {
	case errors.As(err, &waits):
		p := waits.Proposal
		s.tell(c, p.Event(), p.Subject(), p.Detail()) // recorded by the store, with the proposal
		entry, status, answer.Proposal = p.Entry, http.StatusAccepted, p.Number
	case err != nil:
		return s.refusedChange(c, string(kind)+".change_refused", id, err)
	case !e.DryRun:
		s.tell(c, entry.Event(), id, entry.Detail()) // recorded by the store, with the change
	}
	answer.Version, answer.DryRun = entry.Version, e.DryRun
	answer.Before, answer.After = states(d.Before), states(d.After)
	answer.Warnings = append(append([]string{}, answer.Warnings...), d.Warnings...)
	if entry.Unconfirmed {
		answer.Warnings = append(answer.Warnings, "this takes trust away and waits for no second operator, who is to look at it afterwards; proposals for the version before cannot be confirmed any more")
	}
	answer.whole()
	if step == StepDistrust {
		if answer.Affected, err = s.countAffected(c.Request().Context(), answer.After); err != nil {
			return err
		}
	}
	return c.JSON(status, answer)
}

// countAffected counts what each credential signed that is distrusted, since then.
func (s *server) countAffected(ctx context.Context, after []CredentialState) (list []AffectedCount, err error) {
	if s.Examiner == nil {
		return nil, nil
	}
	for _, one := range after {
		done := slices.ContainsFunc(list, func(a AffectedCount) bool { return a.SHA256 == one.SHA256 })
		if one.Distrusted.IsZero() || done { // one credential may stand there for several uses
			continue
		}
		count := AffectedCount{SHA256: one.SHA256, Since: one.Distrusted}
		q := exchange.SignedQuery{SHA256: one.SHA256, Since: one.Distrusted, Limit: maxPage}
		certificates := make(map[uint64]bool) // by their number
		counted := 0
		for {
			items, next, err := s.Examiner.Signed(ctx, q)
			if err != nil {
				return nil, fmt.Errorf("counting what %s signed: %w", one.SHA256, err)
			}
			for _, item := range items {
				certificate := item.Certificate
				if item.Message != nil {
					count.Messages++
					certificate = item.Message.Certificate
				}
				if certificate != nil {
					certificates[certificate.Seq] = true
				}
			}
			counted += len(items)
			if count.More = next != nil && counted >= maxCounted; next == nil || count.More {
				break
			}
			q.From = *next
		}
		count.Certificates = len(certificates)
		list = append(list, count)
	}
	return list, nil
}

// whole writes the fingerprint out that the request may have shortened.
func (a *CredentialChange) whole() {
	for _, one := range slices.Concat(a.After, a.Before) {
		if len(a.SHA256) < len(one.SHA256) && a.SHA256 != "" && one.SHA256[:len(a.SHA256)] == a.SHA256 {
			a.SHA256 = one.SHA256
		}
	}
	if a.SHA256 == "" && len(a.After) > 0 { // a key of the node that was staged
		a.SHA256 = a.After[0].SHA256
	}
}

// Rotate makes a step with a credential of a partner or, for partner "", with a key of the node.
func (c *Client) Rotate(ctx context.Context, partner string, step Step, in CredentialStep, change Change) (answer CredentialChange, err error) {
	path := base + "/node/keys/"
	if partner != "" {
		path = base + "/partners/" + url.PathEscape(partner) + "/credentials/"
	}
	err = c.post(ctx, withQuery(path+string(step), change.query()), in, &answer)
	return answer, err
}

// NodeKeys lists the node's own keys, the one that ends first first.
func (c *Client) NodeKeys(ctx context.Context) (list []CredentialState, err error) {
	err = c.call(ctx, http.MethodGet, base+"/node/keys", nil, &list)
	return list, err
}
