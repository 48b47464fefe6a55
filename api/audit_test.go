package api_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// users gives each user's name and role by the secret.
var users = map[string]struct{ name, role string }{
	issuerSecret: {"chamber", "issuer"}, brokerSecret: {"forwarder", "broker"},
	officerSecret: {"post-12", "officer"}, operatorSecret: {"night-shift", "operator"},
}

// recorded returns the store's audit records above the number after, whose chain it verifies from the beginning.
func (f *fixture) recorded(after int) []exchange.AuditEntry {
	f.t.Helper()
	records, err := f.store.Audit(f.t.Context(), 0, 1000)
	if err != nil {
		f.t.Fatal(err)
	}
	var entries []exchange.AuditEntry
	for _, r := range records[after:] {
		entries = append(entries, r.AuditEntry)
	}
	return entries
}

// refusing is a node that takes no certificate.
func refusing(err error) submitter {
	return func(string, string, eco.Certificate) (exchange.Submission, error) { return exchange.Submission{}, err }
}

func submissionBody(t testing.TB) string {
	return `{"partner":"KR","certificate":` + string(certificateJSON(t)) + `}`
}

func TestReadsAndRefusalsAreRecordedAndLogged(t *testing.T) {
	rules := &exchange.InvalidError{Findings: []eco.Finding{
		{Code: "D04", Severity: eco.SeverityError}, {Code: "D09", Severity: eco.SeverityWarning}, {Code: "D04", Severity: eco.SeverityError},
		{Code: "D11", Severity: eco.SeverityError},
	}}
	long := strings.Repeat("x", 1023) + "é"
	tests := []struct {
		name, secret, method, target, event, subject, detail, body string
		answered                                                   string // of a broker's look-up
		node                                                       submitter
	}{
		{name: "look-up", secret: brokerSecret, target: "certificates/VN-KR%2025%2F02%2F01234", event: "certificate.looked_up", subject: "VN-KR 25/02/01234",
			answered: "party or mandate"},
		{name: "look-up of what is not there", secret: brokerSecret, target: "certificates/NONE%2F1", event: "certificate.looked_up", subject: "NONE/1",
			answered: "refused: not there"},
		{name: "look-up of a long reference", secret: brokerSecret, target: "certificates/" + long, event: "certificate.looked_up", subject: long[:1023] + "...",
			answered: "refused: not there"},
		{name: "look-up by an officer", secret: officerSecret, target: "certificates/NONE%2F1", event: "certificate.looked_up", subject: "NONE/1"},
		{name: "rendition", secret: brokerSecret, target: "certificates/VN-KR%2025%2F02%2F01234/pdf", event: "certificate.printed", subject: "VN-KR 25/02/01234",
			answered: "party or mandate"},
		{name: "document", secret: officerSecret, target: "documents/1", event: "document.read", subject: "1"},
		{name: "list", secret: operatorSecret, target: "messages?partner=KR", event: "messages.listed", subject: "partner=KR"},
		{name: "message", secret: operatorSecret, target: "messages/in@kr", event: "message.read", subject: "in@kr"},
		{name: "bytes", secret: operatorSecret, target: "messages/1/raw", event: "message.raw_read", subject: "1"},
		{name: "parts", secret: officerSecret, target: "messages/1/parts", event: "message.parts_listed", subject: "1"},
		{name: "part", secret: officerSecret, target: "messages/in@kr/parts/2", event: "message.part_read", subject: "in@kr", detail: " part 2"},
		{name: "partners", secret: officerSecret, target: "partners", event: "partners.listed"},
		{name: "message at the partner", secret: officerSecret, method: "POST", target: "partners/KR/message-status", body: `{"message_id":"m1@la"}`,
			event: "message.status_asked", subject: "m1@la", detail: " of KR"},
		{name: "role that may not operate", secret: officerSecret, method: "POST", target: "partners/KR/pause", event: "access.refused",
			subject: "POST /api/v1/partners/:id/pause", detail: " forbidden"},
		{name: "role that may not", secret: brokerSecret, target: "messages/1", event: "access.refused", subject: "GET /api/v1/messages/:id", detail: " forbidden"},
		{name: "certificate that breaks rules", secret: issuerSecret, method: "POST", target: "certificates", node: refusing(rules),
			event: "certificate.refused", subject: "LA26010137 to KR", detail: " invalid_certificate D04 D11"},
		{name: "certificate in conflict", secret: issuerSecret, method: "POST", target: "certificates", node: refusing(exchange.ErrConflict),
			event: "certificate.refused", subject: "LA26010137 to KR", detail: " conflict"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := serve(t, func(o *api.Options) {
				o.Node = test.node
				o.Operator = &operator{parts: func(exchange.Message) (*exchange.Parts, error) { return nil, exchange.ErrUnreadable }}
			})
			f.imported("VN-KR 25/02/01234", "in@kr", "said")
			before := len(f.recorded(0))
			body := test.body
			if test.target == "certificates" {
				body = submissionBody(t)
			}
			f.request(test.secret, test.method, "/api/v1/"+test.target, body, "X-Correlation-Id", "case-7")
			user := users[test.secret]
			want := []exchange.AuditEntry{{At: now, Actor: user.name, Event: test.event, Subject: test.subject,
				Detail: "role " + user.role + ", correlation_id case-7" + test.detail}}
			if test.answered != "" {
				want = append(want, exchange.AuditEntry{At: now, Actor: user.name, Event: "lookup.answered", Subject: test.subject,
					Detail: want[0].Detail + " " + test.answered})
			}
			if got := f.recorded(before); !slices.Equal(got, want) {
				t.Errorf("recorded %+v\nwant %+v", got, want)
			}
			log := f.log.take()
			for _, part := range []string{`"audit":{"actor":"` + user.name + `"`, `"role":"` + user.role + `"`, `"event":"` + test.event + `"`, `"correlation_id":"case-7"`} {
				if !strings.Contains(log, part) {
					t.Errorf("log %s lacks %s", log, part)
				}
			}
			if strings.Contains(log, test.secret) {
				t.Errorf("log holds the secret: %s", log)
			}
		})
	}
}

func TestWhatIsNotToBeRecordedIsNot(t *testing.T) {
	submission := submissionBody(t)
	tests := []struct {
		name, secret, method, target, body string
		node                               submitter
		logged                             string
	}{
		// The node records it together with the certificate.
		{"submission", issuerSecret, "POST", "/api/v1/certificates", submission, accepting, `"subject":"LA/ATIGA-D/LA26010137"`},
		{"submission whose outcome is unknown", issuerSecret, "POST", "/api/v1/certificates", submission, refusing(exchange.ErrFull), ""},
		{"body that is no certificate", issuerSecret, "POST", "/api/v1/certificates", "{}", accepting, ""},
		{"unknown key", "not-a-key", "GET", "/api/v1/messages", "", accepting, ""},
		{"no key", "", "GET", "/api/v1/certificates/A1", "", accepting, ""},
		{"health", "", "GET", "/readyz", "", accepting, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := serve(t, func(o *api.Options) { o.Node = test.node })
			f.request(test.secret, test.method, test.target, test.body)
			if got := f.recorded(0); len(got) != 0 {
				t.Errorf("recorded %+v", got)
			}
			if log := f.log.take(); !strings.Contains(log, test.logged) {
				t.Errorf("log %s lacks %s", log, test.logged)
			}
		})
	}
}

// unreadable is a store that must not be read.
type unreadable struct{ t *testing.T }

func (u unreadable) Messages(context.Context, exchange.MessageQuery) ([]exchange.Message, error) {
	u.t.Error("messages were read")
	return nil, nil
}

func (u unreadable) Certificates(context.Context, exchange.CertificateQuery) ([]exchange.Certificate, error) {
	u.t.Error("certificates were read")
	return nil, nil
}

func (u unreadable) Raw(context.Context, exchange.RawRef) (exchange.Content, error) {
	u.t.Error("bytes were read")
	return nil, nil
}

// nobody is a node that must not be asked.
type nobody struct{ t *testing.T }

func (n nobody) Partners(context.Context) ([]exchange.PartnerStatus, error) {
	n.t.Error("partners were read")
	return nil, nil
}

func (n nobody) AskStatus(context.Context, string, string, string) (exchange.MessageStatus, error) {
	n.t.Error("a partner was asked")
	return exchange.MessageStatus{}, nil
}

func (n nobody) Parts(context.Context, exchange.Message) (*exchange.Parts, error) {
	n.t.Error("parts were read")
	return nil, exchange.ErrUnreadable
}

func (n nobody) Ping(context.Context, string, string, string) (exchange.Ping, error) {
	n.t.Error("a partner was pinged")
	return exchange.Ping{}, nil
}

func (n nobody) Pause(context.Context, string, string, string) error { return nil }
func (n nobody) Resume(context.Context, string, string) error        { return nil }

func TestNothingIsReadThatCannotBeRecorded(t *testing.T) {
	submission := submissionBody(t)
	for _, cause := range []error{fmt.Errorf("recording: %w", exchange.ErrFull), errors.New("disk sda1"), context.DeadlineExceeded} {
		f := serve(t, func(o *api.Options) {
			o.Store, o.Node, o.Operator = unreadable{t}, refusing(exchange.ErrConflict), nobody{t}
			o.Audit = auditor(func([]exchange.AuditEntry) error { return cause })
		})
		for _, test := range []struct{ secret, method, target, body string }{
			{brokerSecret, "GET", "certificates/A1", ""},
			{operatorSecret, "GET", "documents/1", ""},
			{operatorSecret, "GET", "messages", ""},
			{operatorSecret, "GET", "messages/1", ""},
			{operatorSecret, "GET", "messages/1/raw", ""},
			{operatorSecret, "GET", "messages/1/parts", ""},
			{operatorSecret, "GET", "messages/1/parts/1", ""},
			{operatorSecret, "GET", "partners", ""},
			{operatorSecret, "POST", "partners/KR/message-status", `{"message_id":"m1@la"}`},
			{brokerSecret, "GET", "messages", ""},
			{issuerSecret, "POST", "certificates", submission},
		} {
			got := f.request(test.secret, test.method, "/api/v1/"+test.target, test.body)
			if p := got.problem(t); got.status != 503 || p.Code != api.CodeUnavailable || got.header.Get("Retry-After") == "" || strings.Contains(string(got.body), "sda1") {
				t.Errorf("%v: %s %s: status %d, body %s", cause, test.method, test.target, got.status, got.body)
			}
			if log := f.log.take(); !strings.Contains(log, cause.Error()) {
				t.Errorf("the log lacks the cause: %s", log)
			}
		}
	}
}

func TestAnAuditorIsRequired(t *testing.T) {
	f := serve(t, nil)
	_, err := api.New(api.Options{Node: submitter(accepting), Operator: new(operator), Dealer: new(dealer), Store: f.store, Now: func() time.Time { return now }})
	if err == nil || !strings.Contains(err.Error(), "Audit") {
		t.Errorf("New without an auditor: %v", err)
	}
}
