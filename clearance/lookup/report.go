package lookup

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners"
)

// Report says what was verified of a received certificate, when and with which credentials: for the file of a declaration.
type Report struct {
	// Certificate is its key, Reference the number as printed, Record its number here.
	Certificate string `json:"certificate"`
	Reference   string `json:"reference"`
	Record      uint64 `json:"record"`
	// Made is the instant of the report, State where the certificate stood then.
	Made  time.Time     `json:"made"`
	State eco.State     `json:"state"`
	Mode  partners.Mode `json:"mode"`
	// Partner sent it in the message MessageID under the agreement CPAID; Received is when.
	Partner   string    `json:"partner"`
	MessageID string    `json:"message_id"`
	CPAID     string    `json:"cpa_id,omitempty"`
	Received  time.Time `json:"received"`
	// IssuingBody certified it on IssueDate.
	IssuingBody string   `json:"issuing_body"`
	IssueDate   eco.Date `json:"issue_date"`
	// SHA256 and Size are those of the signed document, Content is the SHA-256 of the octets that its signature covers.
	SHA256  string  `json:"sha256"`
	Size    int64   `json:"size"`
	Content string  `json:"content_sha256"`
	Checks  []Check `json:"checks"`
	// Findings are the remarks of the form's rules that did not stop it.
	Findings []eco.Finding `json:"findings,omitempty"`
}

// Check is one thing that was verified.
type Check struct {
	// What is message signature, document signature, rules or stored octets.
	What string `json:"what"`
	// Result is passed, or not recorded where it was not asked for. What fails is not received.
	Result string `json:"result"`
	// At is when; zero where it is not recorded.
	At         time.Time   `json:"at,omitzero"`
	Credential *Credential `json:"credential,omitempty"`
	Detail     string      `json:"detail,omitempty"`
}

// The results of a Check.
const (
	Passed      = "passed"
	NotRecorded = "not recorded"
)

// Credential is an X.509 certificate that verified something. Only SHA256 is known of one that the registry does not have any more.
type Credential struct {
	SHA256    string    `json:"sha256"`
	Subject   string    `json:"subject,omitempty"`
	Issuer    string    `json:"issuer,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	// Revoked says when and why it was revoked, as far as that is known now.
	Revoked string `json:"revoked,omitempty"`
}

// Evidence is what a report is made of beside the certificate.
type Evidence struct {
	// MessageSigner is the SHA-256 fingerprint of the credential that verified the message; "" for a message without signature.
	MessageSigner, CPAID string
	// Credential tells of the one with a fingerprint as of now; nil knows none.
	Credential func(sha256 string) Credential
	// OctetsRead is when the stored octets were compared with their digest; zero for not now.
	OctetsRead time.Time
}

// ReportOf makes the report of a certificate at an instant.
func ReportOf(c clearance.Imported, e Evidence, now time.Time) Report {
	r := Report{
		Certificate: c.Key.String(), Reference: c.Data.Reference, Record: c.Seq, Made: now.UTC(), State: c.State, Mode: cmp.Or(c.Mode, partners.ModeLive),
		Partner: c.Partner, MessageID: c.Message, CPAID: e.CPAID, Received: c.Recorded.UTC(),
		IssuingBody: strings.TrimSpace(c.Data.IssuingBody.ID + " " + c.Data.IssuingBody.Name), IssueDate: c.Data.IssuedAt,
		SHA256: c.Document.SHA256, Size: c.Document.Size, Content: c.Content, Findings: c.Findings,
	}
	message := Check{What: "message signature", Result: NotRecorded, Detail: "the agreement asked for no signature of the message"}
	if e.MessageSigner != "" {
		message = Check{What: "message signature", Result: Passed, At: r.Received, Credential: e.credential(e.MessageSigner),
			Detail: "envelope and every part, under a credential of the partner that counted at receipt; header under the agreement"}
	}
	document := Check{What: "document signature", Result: NotRecorded}
	if c.Signer != "" {
		document = Check{What: "document signature", Result: Passed, At: r.Received, Credential: e.credential(c.Signer),
			Detail: "under a credential of the issuing body that counted at receipt, which may sign this form"}
	}
	rules := Check{What: "rules", Result: Passed, At: r.Received, Detail: fmt.Sprintf("form %s, %d remarks", c.Data.Form, len(c.Findings))}
	r.Checks = []Check{message, document, rules}
	if !e.OctetsRead.IsZero() {
		r.Checks = append(r.Checks, Check{What: "stored octets", Result: Passed, At: e.OctetsRead.UTC(), Detail: "the signed document is what was received: SHA-256 compared"})
	}
	return r
}

func (e Evidence) credential(sha256 string) *Credential {
	c := Credential{SHA256: sha256}
	if e.Credential != nil {
		c = e.Credential(sha256)
		c.SHA256 = sha256
	}
	return &c
}

// Text is the report for people.
func (r Report) Text() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, printable(value))
		}
	}
	instant := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	row("VERIFICATION REPORT", r.Certificate)
	row("reference", r.Reference)
	row("made", instant(r.Made))
	row("state", string(r.State))
	row("mode", string(r.Mode))
	row("issued", r.IssueDate.String()+" by "+r.IssuingBody)
	row("received", instant(r.Received)+" from "+r.Partner)
	row("message", r.MessageID)
	row("agreement", r.CPAID)
	row("document", fmt.Sprintf("%d octets, SHA-256 %s", r.Size, r.SHA256))
	row("signed content", "SHA-256 "+r.Content)
	for _, c := range r.Checks {
		row(c.What, strings.TrimSpace(c.Result+" "+instant(c.At)))
		row("  what", c.Detail)
		if k := c.Credential; k != nil {
			row("  credential", "SHA-256 "+k.SHA256)
			row("  subject", k.Subject)
			row("  issuer", k.Issuer)
			if !k.NotAfter.IsZero() {
				row("  valid", instant(k.NotBefore)+" to "+instant(k.NotAfter))
			}
			row("  revoked", k.Revoked)
		}
	}
	for _, f := range r.Findings {
		row(string(f.Severity), f.Code+" "+f.Path+": "+f.Text)
	}
	w.Flush() // a strings.Builder takes everything
	return b.String()
}

// printable keeps what partners wrote from breaking lines or columns.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, s)
}
