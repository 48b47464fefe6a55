package api_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

func dealt(t *testing.T, err error) (*fixture, *dealer) {
	t.Helper()
	d := &dealer{err: err}
	return serve(t, func(o *api.Options) { o.Dealer = d }), d
}

func TestBusinessMessagesAreSentForThoseWhoMay(t *testing.T) {
	const named = `"reference": "R 1", "country": "kr", "form": "ATIGA-D", "partner": "KR"`
	for _, test := range []struct {
		path, body string
		may        []string
		asked      string
	}{
		{"cancellations", `{` + named + `, "reason": "error"}`, []string{issuerSecret}, "cancels R 1 KR ATIGA-D KR: error"},
		{"retransmissions", `{` + named + `}`, []string{issuerSecret}, "resends R 1 KR ATIGA-D KR: "},
		{"customs-responses", `{` + named + `, "declaration": "D1", "items": [{"item": 1, "status": "used-up"}]}`, []string{officerSecret},
			"responds to R 1 KR ATIGA-D KR: {Declaration:D1 Items:[{Item:1 Status:used-up Quantity:<nil> Reasons:[] Refund:false}] Note: ID:}"},
		{"verification-requests", `{` + named + `, "ground": "random"}`, []string{officerSecret}, "doubts R 1 KR ATIGA-D KR: random"},
		{"verification-replies", `{` + named + `, "result": "confirmed"}`, []string{issuerSecret, officerSecret}, "clarifies R 1 KR ATIGA-D KR: confirmed"},
	} {
		t.Run(test.path, func(t *testing.T) {
			f, d := dealt(t, nil)
			names := map[string]string{issuerSecret: "chamber", officerSecret: "post-12"}
			for _, secret := range []string{issuerSecret, brokerSecret, officerSecret, operatorSecret} {
				got := f.request(secret, "POST", "/api/v1/"+test.path, test.body)
				if !slices.Contains(test.may, secret) {
					if p := got.problem(t); p.Code != api.CodeForbidden {
						t.Errorf("%s: %s", secret, p.Code)
					}
					continue
				}
				if got.status != 201 || !strings.Contains(string(got.body), `"message_id":"m9@la"`) || !strings.Contains(string(got.body), `"certificate_state":"used up"`) {
					t.Errorf("status %d, body %s", got.status, got.body)
				}
				if last := d.asked[len(d.asked)-1]; last != names[secret]+" "+test.asked {
					t.Errorf("asked %q, want %q", last, test.asked)
				}
			}
			if len(d.asked) != len(test.may) {
				t.Errorf("asked %q", d.asked)
			}
			for _, body := range []string{"", "[]", `{"reference": "R1", "extra": 1}`, `{"reference": " - "}`, `{}`, `{"reference": "R1"} {}`, `{"reference": 1}`} {
				if got := f.request(test.may[0], "POST", "/api/v1/"+test.path, body); got.status != 400 && got.status != 415 {
					t.Errorf("body %s: status %d", body, got.status)
				}
			}
			if got := f.request(test.may[0], "POST", "/api/v1/"+test.path+"?x=1", test.body); got.problem(t).Code != api.CodeParameter {
				t.Errorf("an unknown parameter: %s", got.body)
			}
		})
	}
}

func TestRefusedBusinessMessagesTellWhy(t *testing.T) {
	for _, test := range []struct {
		path   string
		err    error
		code   api.Code
		status int
		detail string
	}{
		{"cancellations", fmt.Errorf("partner KR: %w", &eco.IllegalMove{Side: eco.SideExporting, State: eco.StateUsedUp, Event: eco.EventCancel, Code: "C06", Why: "goods were written off against it"}), api.CodeIllegalMove, 409, "goods were written off"},
		{"cancellations", fmt.Errorf("%w: 2", exchange.ErrAmbiguous), api.CodeAmbiguous, 409, ""},
		{"cancellations", fmt.Errorf("%w KR: wait", exchange.ErrUnderway), api.CodeUnderway, 409, "wait"},
		{"verification-replies", fmt.Errorf("%w: none", exchange.ErrNotOpen), api.CodeNotOpen, 409, "none"},
		{"cancellations", fmt.Errorf("%w: cancellation, KR", exchange.ErrNotAgreed), api.CodeNotAgreed, 422, "cancellation, KR"},
		{"cancellations", exchange.ErrNotFound, api.CodeNotFound, 404, ""},
		{"cancellations", &exchange.InvalidError{Findings: []eco.Finding{{Code: "D15", Severity: eco.SeverityError, Path: "items", Text: "none"}}}, api.CodeInvalid, 422, ""},
	} {
		f, _ := dealt(t, test.err)
		got := f.request(issuerSecret, "POST", "/api/v1/"+test.path, `{"reference": "R1"}`)
		if p := got.problem(t); p.Code != test.code || got.status != test.status || !strings.Contains(p.Detail, test.detail) {
			t.Errorf("%v: %d %s %q", test.err, got.status, p.Code, p.Detail)
		}
		records, err := f.store.Audit(t.Context(), 0, 10)
		if err != nil || len(records) != 1 || records[0].Event != "certificate.refused" || records[0].Subject != "R1" {
			t.Errorf("%s: audited %+v, %v", test.code, records, err)
		}
	}
}

func TestPartnerIsAskedAboutACertificate(t *testing.T) {
	f, d := dealt(t, nil)
	s, err := f.client(officerSecret).AskCertificate(t.Context(), api.StatusQuestion{Named: api.Named{Reference: "R1", Country: "kr", Form: "ATIGA-D", Partner: "KR"}}, time.Second)
	if err != nil || s.Report.Standing != eco.StandingAvailable || s.MessageID != "q@la" {
		t.Errorf("%+v, %v", s, err)
	}
	if want := "post-12 asks KR about    : {IssuingCountry:KR Form:ATIGA-D Reference:R1 IssuingBody:}"; !slices.Equal(d.asked, []string{want}) {
		t.Errorf("asked %q", d.asked)
	}
	if got := f.request(brokerSecret, "POST", "/api/v1/certificate-status", `{}`); got.problem(t).Code != api.CodeForbidden {
		t.Errorf("a broker: %s", got.body)
	}
	if got := f.request(officerSecret, "POST", "/api/v1/certificate-status", `{"reference": "R1"}`); got.problem(t).Code != api.CodeMalformed {
		t.Errorf("without partner: %s", got.body)
	}
}

func TestOpenVerificationsAreListed(t *testing.T) {
	f, _ := dealt(t, nil)
	f.imported("R1", "m1@kr", "a")
	found, err := f.store.Certificates(t.Context(), exchange.CertificateQuery{Reference: "R1"})
	if err != nil {
		t.Fatal(err)
	}
	c := found[0]
	request := eco.VerificationRequest{Statement: eco.Statement{ID: "V1"}, Ground: eco.VerifyAtRandom}
	results, err := f.store.Enqueue(t.Context(), []exchange.Departure{{
		Message: exchange.Message{Kind: exchange.KindVerificationRequest, MessageID: "v1@la", Partner: "KR", Created: now, Due: now, Business: &exchange.Business{VerificationRequest: &request}},
		Changes: []exchange.Change{{Seq: c.Seq, Was: c.State, State: exchange.CertificateSuspended, Dealings: exchange.Dealings{
			Life:          &eco.Life{Side: eco.SideImporting, State: eco.StateSuspended, Requests: []eco.Verification{{ID: "V1", Asked: now.AddDate(0, 0, -9), ReplyBy: eco.DateOf(now.AddDate(0, 0, -1))}}},
			Verifications: []exchange.Verification{{Request: "v1@la", ID: "V1", Asked: now}, {Request: "v0@la", ID: "V0", Asked: now, Reply: "r@kr"}}}}},
	}})
	if err != nil || results[0].Err != nil {
		t.Fatal(err, results)
	}
	list, err := f.client(officerSecret).Verifications(t.Context(), "")
	if err != nil || len(list) != 1 || list[0].Verification.ID != "V1" || list[0].Request.Ground != eco.VerifyAtRandom || list[0].Reference != "R1" {
		t.Errorf("%+v, %v", list, err)
	}
	if due := list[0].Due; due == nil || !due.Overdue || due.Due.String() != "2026-11-19" {
		t.Errorf("a reply that is late: %+v", due)
	}
	if list, err = f.client(officerSecret).Verifications(t.Context(), exchange.Outbound); err != nil || len(list) != 0 {
		t.Errorf("exported ones: %+v, %v", list, err)
	}
	found2, err := f.client(officerSecret).Lookup(t.Context(), api.LookupQuery{Reference: "R1"})
	if err != nil || found2.Matches[0].Usable || len(found2.Matches[0].Dealings.Verifications) != 2 {
		t.Errorf("%+v, %v", found2, err)
	}
	for _, direction := range []exchange.Direction{"", exchange.Inbound} {
		if list, err = f.client(issuerSecret).Verifications(t.Context(), direction); err != nil || len(list) != 0 {
			t.Errorf("an issuer sees an imported one: %+v, %v", list, err)
		}
	}
	if p := f.request(brokerSecret, "GET", "/api/v1/verifications", "").problem(t); p.Code != api.CodeForbidden {
		t.Errorf("a broker: %s", p.Code)
	}
}

func FuzzBusinessMessage(f *testing.F) {
	paths := []string{"cancellations", "retransmissions", "customs-responses", "verification-requests", "verification-replies", "certificate-status"}
	for i, body := range []string{
		`{"reference": "R1", "reason": "error"}`, `{"reference": "R1"}`, `{"reference": "R1", "items": [{"item": 1, "status": "used-up", "quantity": {"value": "1", "unit": "KGM"}}]}`,
		`{"reference": "R1", "ground": "doubt", "reply_by": "2026-12-01", "reasons": [{"code": "C04"}], "questions": [{"text": "?"}]}`,
		`{"reference": "R1", "result": "confirmed", "replies": [{"question": 1, "text": "x"}]}`, `{"reference": "R1", "country": "KR", "form": "ATIGA-D", "partner": "KR"}`,
	} {
		f.Add(i, body)
	}
	asked := new(dealer)
	handler, err := api.New(api.Options{
		Operator: new(operator), Dealer: asked, Node: submitter(accepting), Store: emptyStore{}, Audit: auditor(forgetting), Keys: keySet(f, []api.Key{
			{Name: "chamber", Role: api.RoleIssuer, SHA256: digest([]byte(issuerSecret))}, {Name: "post-12", Role: api.RoleOfficer, SHA256: digest([]byte(officerSecret))},
		}), Now: func() time.Time { return now },
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path int, body string) {
		for _, secret := range []string{issuerSecret, officerSecret} {
			asked.asked = nil
			req := httptest.NewRequest("POST", "/api/v1/"+paths[uint(path)%uint(len(paths))], strings.NewReader(body))
			req.Header.Set("Authorization", "Bearer "+secret)
			req.Header.Set("Content-Type", "application/json")
			res := httptest.NewRecorder()
			handler.ServeHTTP(res, req)
			if taken := res.Code/100 == 2; taken != (len(asked.asked) == 1) || !taken && res.Code/100 != 4 {
				t.Errorf("status %d, asked %q: %s", res.Code, asked.asked, res.Body)
			}
		}
	})
}

func TestDeadlinesOfACertificateAreShown(t *testing.T) {
	f, _ := dealt(t, nil)
	c := record(certificate(t, "R1"), "m1@kr", "a")
	c.Data.Form, c.Data.IssuedAt = eco.FormATIGA, eco.Date{Year: 2025, Month: time.November, Day: 19}
	c.Direction, c.State = exchange.Inbound, exchange.CertificateAvailable
	f.accept(exchange.Arrival{
		Message:     exchange.Message{Direction: exchange.Inbound, Kind: exchange.KindCertificate, State: exchange.StateAccepted, MessageID: "m1@kr", Partner: "KR", Created: now, Certificate: c.Key, Content: "a"},
		Raw:         ebms.Bytes([]byte("raw")),
		Certificate: c, Document: []byte("<document/>"),
	})
	found, err := f.client(officerSecret).Lookup(t.Context(), api.LookupQuery{Reference: "R1"})
	if err != nil || len(found.Matches) != 1 {
		t.Fatalf("%+v, %v", found, err)
	}
	// Now is 2026-11-20: the day after the last, and the day of receipt.
	got, err := json.Marshal(found.Matches[0].Deadlines)
	if want := `[{"kind":"validity","owner":"importing","due":"2026-11-19","overdue":true},{"kind":"reject notice","owner":"importing","due":"2027-01-19","overdue":false}]`; err != nil || string(got) != want {
		t.Errorf("got %s, want %s, %v", got, want, err)
	}
}
