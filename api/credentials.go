package api

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
)

// Examiner tells what credentials did and would do; *exchange.Node does it but for Examine. It changes nothing.
type Examiner interface {
	// Examine says what stands against a partner's new credential. File is its content, of which c.File is the name.
	Examine(c partners.Candidate, file []byte) (partners.Examination, error)
	Rehearse(ctx context.Context, t exchange.Rehearsal) ([]exchange.Rehearsed, error)
	Signed(ctx context.Context, q exchange.SignedQuery) ([]exchange.SignedItem, *exchange.SignedFrom, error)
	Credentials(ctx context.Context) ([]exchange.HeldCredential, error)
	WithRevocations(m exchange.Message) exchange.Message
	WithRevocation(c exchange.Certificate) exchange.Certificate
}

// credentialRoutes are the paths of what credentials did and would do.
func (s *server) credentialRoutes() []route {
	watch := []Role{RoleOfficer, RoleOperator}
	return []route{
		{
			method: http.MethodGet, path: base + "/credentials", roles: watch, handle: s.credentials, absent: s.Examiner == nil,
			operation: operation{
				id: "listCredentials", tag: tagCredentials, summary: "Every credential of the node and its partners",
				answers: []answer{answersJSON[[]exchange.HeldCredential](http.StatusOK, "They, the one that ends first first.")},
			},
		},
		{
			method: http.MethodGet, path: base + "/credentials/{sha256}/affected", roles: watch, handle: s.affected, absent: s.Examiner == nil,
			operation: operation{
				id: "listAffected", tag: tagCredentials, summary: "What a credential signed",
				parameters: []parameter{
					pathText("sha256", "SHA-256 fingerprint of the credential, 64 hexadecimal digits."),
					query[time.Time]("since", "The first instant that counts."),
					queryNumber("limit", "Items on a page; 100 without it.", 1, maxPage),
					query[string]("before", "The member next of the page before."),
				},
				answers: []answer{answersJSON[AffectedPage](http.StatusOK, "A page: messages, then certificates, each newest first.")},
			},
		},
		{
			method: http.MethodPost, path: base + "/partners/{id}/credentials/check", roles: []Role{RoleOperator}, handle: s.checkCredential, absent: s.Examiner == nil,
			operation: operation{
				id: "checkCredential", tag: tagCredentials, summary: "What would come of a credential that a partner sent",
				parameters: []parameter{
					pathText("id", "Id of the partner."),
					query[partners.Use]("use", "What it does.").needed(),
					query[string]("body", "Id of the issuing body, with use document-signature."),
					queryNumber("last", "How many of the partner's messages are verified again; 20 without it.", 1, exchange.MaxRehearsal),
				},
				takes:    []body{{media: "*/*"}},
				answers:  []answer{answersJSON[CredentialCheck](http.StatusOK, "The verdict.")},
				problems: []Code{CodeUnknownPartner},
			},
		},
	}
}

// withRevocations is m as it is shown.
func (s *server) withRevocations(m exchange.Message) exchange.Message {
	if s.Examiner == nil {
		return m
	}
	return s.Examiner.WithRevocations(m)
}

// credentials answers GET /credentials.
func (s *server) credentials(c echo.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	if err := s.audit(c, "credentials.listed", "", ""); err != nil {
		return err
	}
	list, err := s.Examiner.Credentials(c.Request().Context())
	if err != nil {
		return fmt.Errorf("listing credentials: %w", err)
	}
	return c.JSON(http.StatusOK, list)
}

// Verdict is what a check of a credential comes to.
type Verdict string

// The verdicts.
const (
	// VerdictWorks: nothing stands against it, and it verified a message.
	VerdictWorks Verdict = "works"
	// VerdictUntried: nothing stands against it, and it verified none: none came while it is valid, or the partner signs with others yet.
	VerdictUntried Verdict = "untried"
	// VerdictFails: it cannot be taken, or of the messages that came while it is valid some are verified by nothing, and none by it.
	VerdictFails Verdict = "fails"
)

// CredentialCheck is what would come of a partner's new credential.
type CredentialCheck struct {
	Subject string `json:"subject,omitempty"`
	SHA256  string `json:"sha256,omitempty"`
	// From and Until bound when it would count.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Refused are the reasons for which it cannot be taken, Warnings what to know before.
	Refused  []string `json:"refused"`
	Warnings []string `json:"warnings"`
	// Tried are the partner's newest messages with a signature of its use, newest first. Candidate of them it verified, Other another
	// credential that counts as of receipt, None nobody.
	Tried     []exchange.Rehearsed `json:"tried"`
	Candidate int                  `json:"verified_by_candidate"`
	Other     int                  `json:"verified_by_other"`
	None      int                  `json:"verified_by_none"`
	Verdict   Verdict              `json:"verdict"`
}

// judge counts what was tried and gives the verdict.
func (k *CredentialCheck) judge() {
	unverified := false // and it should have been verified
	for _, t := range k.Tried {
		unverified = unverified || t.InWindow && t.By == exchange.ByNone
		switch t.By {
		case exchange.ByCandidate:
			k.Candidate++
		case exchange.ByOther:
			k.Other++
		default:
			k.None++
		}
	}
	switch {
	case len(k.Refused) > 0, k.Candidate == 0 && unverified:
		k.Verdict = VerdictFails
	case k.Candidate == 0:
		k.Verdict = VerdictUntried
	default:
		k.Verdict = VerdictWorks
	}
}

// Limits of a check: how many messages are tried, and the octets of the file.
const (
	defaultTried      = 20
	maxCredentialFile = 1 << 20
	checkTime         = 2 * time.Minute
)

// checkCredential answers POST /partners/{id}/credentials/check. The body is the credential's file, in any form that
// partners.Config.Examine takes.
func (s *server) checkCredential(c echo.Context) error {
	id, err := partnerOf(c, "use", "body", "last")
	if err != nil {
		return err
	}
	use, err := oneOf(c, "use", partners.Uses()...)
	if err != nil {
		return err
	}
	candidate := partners.Candidate{Partner: id, Use: use, Body: c.QueryParam("body")}
	candidate.File = "the file"
	switch {
	case use == "":
		return problem(CodeParameter, fmt.Sprintf("use is required: one of %q", partners.Uses()))
	case (use == partners.UseDocumentSignature) != (candidate.Body != ""):
		return problem(CodeParameter, "body, the id of an issuing body, goes with use document-signature, and only with it")
	}
	last, err := number(c, "last", defaultTried, exchange.MaxRehearsal)
	if err != nil {
		return err
	}
	file, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, maxCredentialFile))
	if err != nil {
		return bodyProblem("", err)
	}
	if len(file) == 0 {
		return problem(CodeMalformed, "want the credential's file as the body")
	}
	s.extend(c, checkTime)
	if err := s.audit(c, "credential.checked", id, fmt.Sprintf("use %s, last %d", use, last)); err != nil {
		return err
	}
	found, err := s.Examiner.Examine(candidate, file)
	switch {
	case errors.Is(err, partners.ErrUnknownBody):
		return problem(CodeParameter, err.Error())
	case err != nil:
		return fmt.Errorf("examining a credential of %s: %w", id, err)
	}
	answer, err := s.tried(c.Request().Context(), candidate, found, int(last))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, answer)
}

// tried joins what was found of a candidate with what it does to stored messages. There is no signature of TLS to try.
func (s *server) tried(ctx context.Context, candidate partners.Candidate, found partners.Examination, last int) (CredentialCheck, error) {
	answer := CredentialCheck{Refused: append([]string{}, found.Refused...), Warnings: append([]string{}, found.Warnings...), Tried: []exchange.Rehearsed{}}
	if x509Cert := found.Credential.X509Cert; x509Cert != nil {
		answer.Subject, answer.SHA256 = x509Cert.Subject.String(), found.Credential.Fingerprint()
		answer.From, answer.Until = found.Credential.From, found.Credential.Until
		if candidate.Use == partners.UseMessageSignature || candidate.Use == partners.UseDocumentSignature {
			list, err := s.Examiner.Rehearse(ctx, exchange.Rehearsal{Partner: candidate.Partner, Use: candidate.Use, X509Cert: x509Cert, Last: last})
			if err != nil {
				return answer, fmt.Errorf("trying a credential of %s: %w", candidate.Partner, err)
			}
			answer.Tried = append(answer.Tried, list...)
		}
	}
	answer.judge()
	return answer, nil
}

// AffectedPage is one page of what a credential signed: messages, then certificates, each newest first.
type AffectedPage struct {
	Items []exchange.SignedItem `json:"items"`
	// Next is the value of "before" that gives the next page; absent when there is none.
	Next string `json:"next,omitempty"`
}

// affected answers GET /credentials/{sha256}/affected. Parameters: since, limit, before.
func (s *server) affected(c echo.Context) error {
	if err := onlyParameters(c, "since", "limit", "before"); err != nil {
		return err
	}
	q, err := signedQuery(c)
	if err != nil {
		return err
	}
	if err := s.audit(c, "credential.affected_listed", q.SHA256, c.QueryString()); err != nil {
		return err
	}
	items, next, err := s.Examiner.Signed(c.Request().Context(), q)
	if err != nil {
		return fmt.Errorf("listing what a credential signed: %w", err)
	}
	page := AffectedPage{Items: items}
	if items == nil {
		page.Items = []exchange.SignedItem{}
	}
	if next != nil {
		page.Next = placeText(*next)
	}
	return c.JSON(http.StatusOK, page)
}

func signedQuery(c echo.Context) (q exchange.SignedQuery, err error) {
	given, err := param(c, "sha256")
	if err != nil {
		return q, err
	}
	q.SHA256 = strings.ToLower(given)
	if octets, err := hex.DecodeString(q.SHA256); err != nil || len(octets) != 32 {
		return q, problem(CodeParameter, fmt.Sprintf("%.80q is not a SHA-256 fingerprint of 64 hexadecimal digits", given))
	}
	if text := c.QueryParam("since"); text != "" {
		if q.Since, err = time.Parse(time.RFC3339, text); err != nil {
			return q, problem(CodeParameter, fmt.Sprintf("since %.80q is not an instant such as 2026-11-20T08:30:00Z", text))
		}
	}
	limit, err := number(c, "limit", defaultPage, maxPage)
	if err != nil {
		return q, err
	}
	q.Limit = int(limit)
	q.From, err = placeOf(c.QueryParam("before"))
	return q, err
}

const (
	placeMessage     = "message"
	placeCertificate = "certificate"
)

// placeText writes a place in the list of what a credential signed: "message:12", "certificate:7" or "certificate".
func placeText(f exchange.SignedFrom) string {
	text := placeMessage
	if f.Certificates {
		text = placeCertificate
	}
	if f.Before != 0 {
		text += ":" + strconv.FormatUint(f.Before, 10)
	}
	return text
}

func placeOf(text string) (f exchange.SignedFrom, err error) {
	if text == "" {
		return f, nil
	}
	what, before, counted := strings.Cut(text, ":")
	f.Certificates = what == placeCertificate
	if counted {
		f.Before, err = strconv.ParseUint(before, 10, 64)
	}
	if err != nil || !f.Certificates && what != placeMessage || counted && f.Before == 0 {
		return f, problem(CodeParameter, fmt.Sprintf("before %.80q is not the value of next on the page before", text))
	}
	return f, nil
}

// Credentials lists every credential of the node and its partners, as the node knows them now.
func (c *Client) Credentials(ctx context.Context) ([]exchange.HeldCredential, error) {
	var list []exchange.HeldCredential
	err := c.call(ctx, http.MethodGet, base+"/credentials", nil, &list)
	return list, err
}

// CheckCredential asks what would come of a partner's new credential; file is its content, last how many messages are tried.
func (c *Client) CheckCredential(ctx context.Context, candidate partners.Candidate, file []byte, last int) (CredentialCheck, error) {
	query := url.Values{"use": {string(candidate.Use)}, "last": {strconv.Itoa(last)}}
	set(query, "body", candidate.Body)
	body := &requestBody{contentType: echo.MIMEOctetStream, pieces: []exchange.Content{strings.NewReader(string(file))}}
	var answer CredentialCheck
	err := c.call(ctx, http.MethodPost, withQuery(partnerPath(candidate.Partner)+"/credentials/check", query), body, &answer)
	return answer, err
}

// Affected lists a page of what the credential with this fingerprint signed since an instant; before is the Next of the page before.
func (c *Client) Affected(ctx context.Context, fingerprint string, since time.Time, limit int, before string) (AffectedPage, error) {
	query := url.Values{}
	if !since.IsZero() {
		query.Set("since", since.UTC().Format(time.RFC3339Nano))
	}
	if limit > 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	set(query, "before", before)
	var page AffectedPage
	err := c.call(ctx, http.MethodGet, withQuery(base+"/credentials/"+url.PathEscape(fingerprint)+"/affected", query), nil, &page)
	return page, err
}
