package api_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/issuerlist"
	"github.com/ecogate/ecogate/partners/revocation"
)

// rotating is an API over a node with the partner TW, whose credential "old" for messages counts, and its own key "own".
type rotating struct {
	*fixture
	pki       *pkitest.Test
	old       string // fingerprint
	file      []byte // with the credential "next" of TW
	next      string // its fingerprint
	directory *partners.Directory
	examiner  *examiner
}

// newRotating makes one; change may change the configuration before it is used.
func newRotating(t *testing.T, change ...func(*partners.Config)) *rotating {
	t.Helper()
	r := &rotating{examiner: new(examiner), pki: pkitest.NewTest(t, pkitest.Options{Country: "TW", Organisation: "Customs"})}
	issue := func(name string) (partners.Credential, string) {
		c, _, file := r.pki.IssueFiles(name, pkitest.Request{Name: name, Use: pkitest.MessageSignature})
		return partners.Credential{X509Cert: c.X509Cert}, file
	}
	old, oldFile := issue("old")
	next, nextFile := issue("next")
	r.old, r.next = old.Fingerprint(), next.Fingerprint()
	_, ownKey, ownChain := r.pki.IssueFiles("own", pkitest.Request{Name: "own", Use: pkitest.MessageSignature})
	var err error
	if r.file, err = os.ReadFile(nextFile); err != nil {
		t.Fatal(err)
	}
	file := partners.Config{
		Node: partners.NodeConfig{
			ID: "la", Country: "LA", PartyIDs: []partners.PartyID{{Value: "urn:customs:la"}},
			Keys: []partners.KeyConfig{{Uses: []partners.Use{partners.UseMessageSignature}, KeyFile: ownKey, ChainFile: ownChain}},
		},
		Partners: []partners.PartnerConfig{{
			ID: "TW", Country: "TW", PartyIDs: []partners.PartyID{{Value: "urn:customs:tw"}}, AnchorFiles: []string{r.pki.Dir + "/root.pem"},
			Credentials: []partners.CredentialConfig{{Uses: []partners.Use{partners.UseMessageSignature}, File: oldFile}},
			Issuers:     []partners.IssuerConfig{{ID: "BODY", Forms: []eco.FormCode{"ATIGA-D"}}},
		}},
	}
	for _, f := range change {
		f(&file)
	}
	r.fixture = serve(t, func(o *api.Options) {
		registry, err := partners.New(file)
		if err != nil {
			t.Fatal(err)
		}
		store, ok := o.Store.(partners.Store)
		if !ok {
			t.Fatalf("%T is no partners.Store", o.Store)
		}
		r.directory, err = partners.NewDirectory(t.Context(), file, partners.DirectoryOptions{Store: store, Registry: registry, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		o.Registry, o.Rotator, o.Examiner = r.directory, r.directory, r.examiner
		o.Proposals, o.Issuers = r.directory, issuerlist.Desk{Directory: r.directory, Now: o.Now}
		partsThatAreThere(o)
		o.Notices = tellingOver(t, o.Store.(clearance.Store), 1, nil)
		o.Announcer, o.Revocation = new(announcer), func() []revocation.SourceStatus {
			return []revocation.SourceStatus{{Partners: []string{"TW"}, Kind: "ocsp", Source: "http://ocsp.tw.example", ThisUpdate: now, Status: revocation.Good}}
		}
	})
	return r
}

// counting are the common names of what counts for messages of a partner, "" for the node.
func (r *rotating) counting(partner string, at time.Time) string {
	var names []string
	for _, c := range r.directory.Registry.Credentials(partner, partners.UseMessageSignature, at) {
		names = append(names, c.X509Cert.Subject.CommonName)
	}
	return strings.Join(names, ",")
}

func (r *rotating) take(step api.Step, in api.CredentialStep, change api.Change) api.CredentialChange {
	r.t.Helper()
	answer, err := r.client(operatorSecret).Rotate(r.t.Context(), "TW", step, in, change)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer
}

func (r *rotating) stage() api.CredentialChange {
	r.t.Helper()
	return r.take(api.StepStage, api.CredentialStep{File: r.file, Uses: []partners.Use{partners.UseMessageSignature}}, api.Change{Why: "letter 7"})
}

// told are lists of states in short.
func told(list []api.CredentialState) string {
	var out []string
	for _, c := range list {
		out = append(out, strings.TrimPrefix(c.Subject, "CN=")[:3]+" "+string(c.State))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func TestStepsOfARotation(t *testing.T) {
	r := newRotating(t)
	staged := r.stage()
	if staged.SHA256 != r.next || staged.Version != 1 || told(staged.Before) != "" || told(staged.After) != "nex staged" || staged.DryRun || len(staged.Warnings) != 0 {
		t.Errorf("staged %+v", staged)
	}
	at := now.Add(24 * time.Hour)
	for _, dry := range []bool{true, false} {
		got := r.take(api.StepActivate, api.CredentialStep{SHA256: r.next[:16], At: at, Overlap: 3600}, api.Change{DryRun: dry})
		if got.SHA256 != r.next || got.Version != 2 || got.DryRun != dry || told(got.Before) != "nex staged, old active" || told(got.After) != "nex staged, old active" {
			t.Errorf("activated %+v", got)
		}
		if want := map[bool]string{true: "old", false: "next,old"}[dry]; r.counting("TW", at) != want {
			t.Errorf("dry run %t: %s count", dry, r.counting("TW", at))
		}
	}
	if got := r.counting("TW", at.Add(time.Hour)); got != "next" {
		t.Errorf("after the overlap %s count", got)
	}
	r.take(api.StepRollBack, api.CredentialStep{SHA256: r.next}, api.Change{})
	if got := r.counting("TW", at.Add(time.Hour)); got != "old" {
		t.Errorf("rolled back, %s count", got)
	}
	if got := r.take(api.StepActivate, api.CredentialStep{SHA256: r.next, FirstUse: true}, api.Change{}); got.After[0].Activate != partners.ActivateAtFirstUse {
		t.Errorf("at first use %+v", got.After)
	}
	if got := r.take(api.StepRetire, api.CredentialStep{SHA256: r.old, At: at}, api.Change{}); len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "nothing counts for message-signature from") {
		t.Errorf("retired %+v", got)
	}
	if got := r.take(api.StepDistrust, api.CredentialStep{SHA256: r.old, Since: now.Add(-time.Hour)}, api.Change{}); told(got.After) != "old revoked" || !got.After[0].Distrusted.Equal(now.Add(-time.Hour)) {
		t.Errorf("distrusted %+v", got)
	}
	events := r.audited()
	for _, want := range []string{"night-shift partner.changed TW", "night-shift partner.change_tried TW"} {
		if !slices.Contains(events, want) {
			t.Errorf("%q is not in %q", want, events)
		}
	}
	versions, err := r.client(operatorSecret).EntryVersions(t.Context(), partners.KindPartner, "TW")
	if err != nil || len(versions) != 7 || versions[1].Why != "stage "+r.next+" for message-signature: letter 7" || versions[2].Why != "activate "+r.next[:16] {
		t.Errorf("versions %+v, %v", versions, err)
	}
}

// A step is a change of trust: where two operators are asked for, it waits for the second.
func TestStepWaitsForASecondOperator(t *testing.T) {
	r := newRotating(t, func(c *partners.Config) { c.SecondOperator = true })
	if dry := r.take(api.StepRetire, api.CredentialStep{SHA256: r.old}, api.Change{DryRun: true}); dry.Proposal != 0 || told(dry.After) != "old retired" {
		t.Errorf("dry run %+v", dry)
	}
	staged := r.stage()
	if staged.Proposal != 1 || told(staged.After) != "nex staged" || staged.SHA256 != r.next {
		t.Errorf("proposed %+v", staged)
	}
	var p *api.Problem
	if _, err := r.client(operatorSecret).Rotate(t.Context(), "TW", api.StepActivate, api.CredentialStep{SHA256: r.next}, api.Change{}); !errors.As(err, &p) || p.Code != api.CodeUnknownCredential {
		t.Errorf("before it is confirmed: %v", err)
	}
	if _, err := r.directory.Confirm(t.Context(), staged.Proposal, "day-shift", ""); err != nil {
		t.Fatal(err)
	}
	if got := r.take(api.StepActivate, api.CredentialStep{SHA256: r.next}, api.Change{}); got.Proposal != 2 || r.counting("TW", now) != "old" {
		t.Errorf("%+v, and %s count", got, r.counting("TW", now))
	}
	// The program asks nobody.
	_, err := r.directory.EditPartner(t.Context(), partners.Edit{By: partners.ByNode}, "TW", func(c *partners.PartnerConfig) error {
		return c.Activate(partners.Activation{Fingerprint: r.next, AtFirstUse: true}, now)
	})
	if err != nil || len(r.directory.Registry.Awaiting("TW", partners.UseMessageSignature, now)) != 1 {
		t.Error(err)
	}
}

// What takes trust away only is in force at once, whoever is asked for otherwise, and what was proposed before cannot be confirmed after it.
func TestWithdrawalWaitsForNoSecondOperator(t *testing.T) {
	for _, test := range []struct {
		name  string
		step  api.Step
		in    api.CredentialStep
		waits bool
	}{
		{"distrust", api.StepDistrust, api.CredentialStep{}, false},
		{"distrust since", api.StepDistrust, api.CredentialStep{Since: now.Add(-time.Hour)}, false},
		{"retire at once", api.StepRetire, api.CredentialStep{}, false},
		{"retire at a time", api.StepRetire, api.CredentialStep{At: now.Add(time.Hour)}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRotating(t, func(c *partners.Config) { c.SecondOperator = true })
			staged := r.stage()
			test.in.SHA256 = r.old
			if dry := r.take(test.step, test.in, api.Change{DryRun: true}); dry.Proposal != 0 || r.counting("TW", now) != "old" {
				t.Errorf("dry run %+v", dry)
			}
			got := r.take(test.step, test.in, api.Change{Why: "stolen"})
			e, err := r.directory.Current(partners.KindPartner, "TW")
			if err != nil {
				t.Fatal(err)
			}
			if test.waits {
				if got.Proposal != 2 || e.Version != 0 || r.counting("TW", now) != "old" {
					t.Errorf("%+v, version %d, and %s count", got, e.Version, r.counting("TW", now))
				}
				return
			}
			if got.Proposal != 0 || got.Version != 1 || r.counting("TW", now) != "" || !strings.Contains(strings.Join(got.Warnings, "\n"), "waits for no second operator") {
				t.Errorf("%+v, and %q count", got, r.counting("TW", now))
			}
			if !e.Unconfirmed || e.Detail() != fmt.Sprintf("version 1, in force without a second operator: %s %s: stolen", test.step, r.old) || !slices.Contains(r.audited(), "night-shift partner.changed TW") {
				t.Errorf("entry %+v, audit log %q", e, r.audited())
			}
			if _, err := r.directory.Confirm(t.Context(), staged.Proposal, "day-shift", ""); !errors.Is(err, partners.ErrStale) {
				t.Errorf("what was proposed before: %v", err)
			}
			// It comes back by two operators only.
			if _, err := r.client(operatorSecret).RestoreEntry(t.Context(), partners.KindPartner, "TW", api.Change{Version: 1}, 0); err != nil || r.counting("TW", now) != "" {
				t.Errorf("restored: %v, and %q count", err, r.counting("TW", now))
			}
			if e, err := r.directory.Confirm(t.Context(), 2, "day-shift", ""); err != nil || e.Unconfirmed || r.counting("TW", now) != "old" {
				t.Errorf("confirmed: %+v, %v", e, err)
			}
		})
	}
}

func TestPrivateKeyThatWasSentIsToldOfAndNotKept(t *testing.T) {
	r := newRotating(t)
	key, err := os.ReadFile(r.pki.Dir + "/next.key")
	if err != nil {
		t.Fatal(err)
	}
	r.file = append(key, r.file...)
	if got := r.stage(); len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "a private key is for its owner alone") {
		t.Errorf("warnings %q", got.Warnings)
	}
	if e, err := r.directory.Current(partners.KindPartner, "TW"); err != nil || strings.Contains(e.Text, "PRIVATE") {
		t.Errorf("kept: %v, %s", err, e.Text)
	}
}

func TestStepsOfTheNodesOwnKeys(t *testing.T) {
	r := newRotating(t)
	client := r.client(operatorSecret)
	_, keyFile, chainFile := r.pki.IssueFiles("fresh", pkitest.Request{Name: "fresh", Use: pkitest.MessageSignature})
	staged, err := client.Rotate(t.Context(), "", api.StepStage, api.CredentialStep{
		Uses: []partners.Use{partners.UseMessageSignature}, Key: &api.KeyPlace{KeyFile: keyFile, ChainFile: chainFile},
	}, api.Change{})
	if err != nil || told(staged.After) != "fre staged" {
		t.Fatalf("%+v, %v", staged, err)
	}
	if got := r.counting("", now); got != "own" {
		t.Errorf("staged, and %s count", got)
	}
	if _, err := client.Rotate(t.Context(), "", api.StepActivate, api.CredentialStep{SHA256: staged.SHA256}, api.Change{}); err != nil {
		t.Fatal(err)
	}
	if got := r.counting("", now); got != "fresh,own" {
		t.Errorf("activated, and %s count", got)
	}
	list, err := r.client(officerSecret).NodeKeys(t.Context())
	if err != nil || told(list) != "fre active, own retiring" {
		t.Errorf("%+v, %v", list, err)
	}
	for name, in := range map[string]api.CredentialStep{
		"relative":   {Uses: []partners.Use{partners.UseMessageSignature}, Key: &api.KeyPlace{KeyFile: "a.key", ChainFile: "a.pem"}},
		"first use":  {SHA256: staged.SHA256, FirstUse: true},
		"not there":  {Uses: []partners.Use{partners.UseMessageSignature}, Key: &api.KeyPlace{KeyFile: "/none.key", ChainFile: "/none.pem"}},
		"other body": {IssuingBody: "NONE", Key: &api.KeyPlace{KeyFile: keyFile, ChainFile: chainFile}},
	} {
		step := api.StepStage
		if in.Key == nil {
			step = api.StepActivate
		}
		var p *api.Problem
		if _, err := client.Rotate(t.Context(), "", step, in, api.Change{}); !errors.As(err, &p) || p.Status >= 500 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDistrustCountsWhatIsAffected: in as many pages as there are, each certificate once, and after no other step.
func TestDistrustCountsWhatIsAffected(t *testing.T) {
	certificate := func(number uint64) *exchange.SignedCertificate { return &exchange.SignedCertificate{Seq: number} }
	pages := signedPages{
		{{Message: &exchange.SignedMessage{Seq: 9, Certificate: certificate(4)}}, {Message: &exchange.SignedMessage{Seq: 8}}},
		{{Message: &exchange.SignedMessage{Seq: 7, Certificate: certificate(3)}}, {Certificate: certificate(4)}, {Certificate: certificate(2)}},
	}
	r := newRotating(t)
	r.examiner.pages = pages
	operator := r.client(operatorSecret)
	since := now.Add(-time.Hour)
	for _, dryRun := range []bool{true, false} {
		answer, err := operator.Rotate(t.Context(), "TW", api.StepDistrust, api.CredentialStep{SHA256: r.old, Since: since}, api.Change{DryRun: dryRun})
		want := api.AffectedCount{SHA256: r.old, Since: since, Messages: 3, Certificates: 3}
		if err != nil || len(answer.Affected) != 1 || !answer.Affected[0].Since.Equal(since) {
			t.Fatalf("%+v, %v", answer, err)
		}
		if got := answer.Affected[0]; got.SHA256 != want.SHA256 || got.Messages != want.Messages || got.Certificates != want.Certificates || got.More {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	answer, err := operator.Rotate(t.Context(), "TW", api.StepRetire, api.CredentialStep{SHA256: r.old}, api.Change{DryRun: true})
	if err != nil || len(answer.Affected) != 0 {
		t.Errorf("%+v, %v", answer, err)
	}
}

// signedPages are pages of what a credential signed; Before of a place is the number of the page.
type signedPages [][]exchange.SignedItem

func (p signedPages) signed(q exchange.SignedQuery) ([]exchange.SignedItem, *exchange.SignedFrom) {
	at := int(q.From.Before)
	if at+1 == len(p) {
		return p[at], nil
	}
	return p[at], &exchange.SignedFrom{Before: uint64(at) + 1}
}

func TestStepsThatAreRefused(t *testing.T) {
	r := newRotating(t)
	file := base64.StdEncoding.EncodeToString(r.file)
	other := pkitest.NewTest(t, pkitest.Options{Country: "TW", Organisation: "Other"})
	foreign := base64.StdEncoding.EncodeToString(other.Must(other.Issue(pkitest.Request{Name: "foreign", Use: pkitest.MessageSignature})).X509Cert.Raw)
	tw := "/api/v1/partners/TW/credentials/"
	for _, test := range []struct {
		name, secret, path, body string
		status                   int
		says                     string
	}{
		{"officer", officerSecret, tw + "retire", `{"sha256":"` + r.old + `"}`, http.StatusForbidden, ""},
		{"no such step", operatorSecret, tw + "revoke", `{"sha256":"` + r.old + `"}`, http.StatusNotFound, "no_such_path"},
		{"unknown partner", operatorSecret, "/api/v1/partners/XX/credentials/retire", `{"sha256":"` + r.old + `"}`, http.StatusNotFound, "unknown_entry"},
		{"unknown partner stages", operatorSecret, "/api/v1/partners/XX/credentials/stage", `{"uses":["message-signature"],"file":"` + file + `"}`, http.StatusNotFound, "unknown_partner"},
		{"unknown credential", operatorSecret, tw + "retire", `{"sha256":"0123456789abcdef"}`, http.StatusNotFound, "unknown_credential"},
		{"short fingerprint", operatorSecret, tw + "retire", `{"sha256":"` + r.old[:15] + `"}`, http.StatusNotFound, "16 to 64 hexadecimal digits"},
		{"no fingerprint", operatorSecret, tw + "retire", `{}`, http.StatusBadRequest, `\"sha256\" is required`},
		{"member of another step", operatorSecret, tw + "retire", `{"sha256":"` + r.old + `","since":"2026-11-01T00:00:00Z"}`, http.StatusBadRequest, "there is no member"},
		{"twice", operatorSecret, tw + "retire", `{"sha256":"` + r.old + `","sha256":"` + r.next + `"}`, http.StatusBadRequest, "given twice"},
		{"no time", operatorSecret, tw + "retire", `{"sha256":"` + r.old + `","at":"soon"}`, http.StatusBadRequest, `\"at\"`},
		{"in the past", operatorSecret, tw + "retire", `{"sha256":"` + r.old + `","at":"2020-01-01T00:00:00Z"}`, http.StatusConflict, "lies before now"},
		{"negative overlap", operatorSecret, tw + "activate", `{"sha256":"` + r.old + `","overlap":-1}`, http.StatusBadRequest, "is not between 0 and"},
		{"active already", operatorSecret, tw + "activate", `{"sha256":"` + r.old + `"}`, http.StatusConflict, "is active"},
		{"nothing staged", operatorSecret, tw + "stage", `{"uses":["message-signature"]}`, http.StatusBadRequest, `\"file\" is required`},
		{"no use", operatorSecret, tw + "stage", `{"file":"` + file + `"}`, http.StatusBadRequest, `\"uses\"`},
		{"uses and body", operatorSecret, tw + "stage", `{"file":"` + file + `","uses":["message-signature"],"issuing_body":"BODY"}`, http.StatusBadRequest, `\"issuing_body\"`},
		{"unknown use", operatorSecret, tw + "stage", `{"file":"` + file + `","uses":["signing"]}`, http.StatusUnprocessableEntity, "is not a use here"},
		{"unknown body", operatorSecret, tw + "stage", `{"file":"` + file + `","issuing_body":"NONE"}`, http.StatusUnprocessableEntity, "NONE"},
		{"first use of TLS", operatorSecret, tw + "stage", `{"file":"` + file + `","uses":["tls-client"],"first_use":true}`, http.StatusUnprocessableEntity, "first-use"},
		{"of another PKI", operatorSecret, tw + "stage", `{"file":"` + foreign + `","uses":["message-signature"]}`, http.StatusUnprocessableEntity, "does not chain"},
		{"no credential", operatorSecret, tw + "stage", `{"file":"aGVsbG8=","uses":["message-signature"]}`, http.StatusUnprocessableEntity, "file"},
		{"key of a partner", operatorSecret, tw + "stage", `{"key":{},"uses":["message-signature"]}`, http.StatusBadRequest, "there is no member"},
		{"file for the node", operatorSecret, "/api/v1/node/keys/stage", `{"file":"` + file + `","uses":["message-signature"]}`, http.StatusBadRequest, "there is no member"},
		{"unknown member of key", operatorSecret, "/api/v1/node/keys/stage", `{"key":{"pem":""},"uses":["message-signature"]}`, http.StatusBadRequest, "pem"},
		{"dry run", operatorSecret, tw + "retire?dry_run=1", `{"sha256":"` + r.old + `"}`, http.StatusBadRequest, "neither true nor false"},
		{"other parameter", operatorSecret, tw + "retire?at=now", `{"sha256":"` + r.old + `"}`, http.StatusBadRequest, "at"},
	} {
		got := r.request(test.secret, "POST", test.path, test.body, "Content-Type", "application/json")
		if got.status != test.status || !strings.Contains(string(got.body), test.says) {
			t.Errorf("%s: status %d, want %d with %q: %s", test.name, got.status, test.status, test.says, got.body)
		}
	}
	if got := r.request(operatorSecret, "POST", tw+"retire", `{}`); got.status != http.StatusUnsupportedMediaType && got.status != http.StatusBadRequest {
		t.Errorf("without media type: status %d", got.status)
	}
	if list, err := r.directory.Versions(t.Context(), partners.KindPartner, "TW"); err != nil || len(list) != 1 {
		t.Errorf("versions %+v, %v", list, err)
	}
	if !slices.Contains(r.audited(), "night-shift partner.change_refused TW") {
		t.Error("refusals are not audited")
	}
}

// FuzzCredentialStep: whatever the body, no step gives a fault of the node.
func FuzzCredentialStep(f *testing.F) {
	for _, body := range []string{`{"sha256":"0123456789abcdef"}`, `{"file":"MAA=","uses":["message-signature"]}`, `{"key":{"key_file":"/a"},"uses":[]}`, `{"at":"2026-12-01T00:00:00Z"}`, `[`} {
		for _, step := range []api.Step{api.StepStage, api.StepActivate, api.StepRetire, api.StepRollBack, api.StepDistrust} {
			f.Add(string(step), body)
		}
	}
	f.Fuzz(func(t *testing.T, step, body string) {
		if !slices.Contains([]api.Step{api.StepStage, api.StepActivate, api.StepRetire, api.StepRollBack, api.StepDistrust}, api.Step(step)) {
			t.Skip("no step")
		}
		r := newRotating(t)
		for _, path := range []string{"/api/v1/partners/TW/credentials/", "/api/v1/node/keys/"} {
			got := r.request(operatorSecret, "POST", path+step, body, "Content-Type", "application/json")
			if got.status >= http.StatusInternalServerError || got.status == http.StatusOK && api.Step(step) != api.StepStage {
				t.Errorf("%s: status %d: %s", path, got.status, got.body)
			}
		}
	})
}
