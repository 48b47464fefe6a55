package api_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/store/bolt"
)

func TestRefusalsAreToldPageAfterPage(t *testing.T) {
	f := serve(t, func(o *api.Options) { o.Happenings = o.Store.(*bolt.Store) })
	entries := make([]exchange.AuditEntry, 0, 12_000)
	for i := range 12_000 {
		entries = append(entries, exchange.AuditEntry{At: now, Actor: "TW", Event: "message.acknowledgment", Subject: fmt.Sprint("m", i), Detail: "body=KCCI code=C05 text=not one of them"})
	}
	refusal := func(event, body, code string) exchange.AuditEntry {
		return exchange.AuditEntry{At: now, Actor: "TW", Event: event, Subject: "KR/ATIGA-D/R1", Detail: eco.Refusal{Body: body, Code: code, Text: "why"}.String()}
	}
	entries[10], entries[7000], entries[11999] = refusal(exchange.EventRejected, "KCCI", "D02"), refusal(exchange.EventDenied, "MOIC", "C05"), refusal(exchange.EventAsked, "KCCI", "C04")
	if err := f.store.Record(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{"": "D02 C05 C04", "KCCI": "D02 C04", "other": ""} {
		var codes []string
		page := api.RefusalPage{More: true}
		for requests := 1; page.More; requests++ {
			next, err := f.client(issuerSecret).Refusals(t.Context(), page.Next, body)
			if err != nil || next.Next <= page.Next || requests > 4 {
				t.Fatalf("request %d of %q after %d: next %d, %v", requests, body, page.Next, next.Next, err)
			}
			page = next
			for _, r := range page.Refusals {
				codes = append(codes, r.Code)
				if r.Actor != "TW" || r.Key != "KR/ATIGA-D/R1" || r.Text != "why" || !r.At.Equal(now) {
					t.Errorf("refusal %+v", r)
				}
			}
		}
		if got := strings.Join(codes, " "); got != want {
			t.Errorf("of %q: %q, want %q", body, got, want)
		}
	}
	if p := f.request(brokerSecret, "GET", "/api/v1/refusals", "").problem(t); p.Code != api.CodeForbidden {
		t.Errorf("a broker: %s", p.Code)
	}
	if p := f.request(issuerSecret, "GET", "/api/v1/refusals?after=-1", "").problem(t); p.Code != api.CodeParameter {
		t.Errorf("after -1: %s", p.Code)
	}
}

// settler settles every conflict, unless it has an error.
type settler struct {
	err   error
	asked string
}

func (s *settler) Settle(_ context.Context, actor string, seq uint64, why string) ([]exchange.Said, error) {
	s.asked = fmt.Sprintf("%s: %d holds, %s", actor, seq, why)
	m := exchange.Message{Seq: 9, Kind: exchange.KindAnswer, State: exchange.StateQueued}
	return []exchange.Said{{Message: m, State: exchange.CertificateRefused}, {Message: m, State: exchange.CertificateAvailable}}, s.err
}

func TestConflictIsSettledByAnOfficer(t *testing.T) {
	node := new(settler)
	f := serve(t, func(o *api.Options) { o.Settler = node })
	said, err := f.client(officerSecret).Settle(t.Context(), api.Settlement{Holds: 12, Why: "letter"})
	if err != nil || len(said) != 2 || said[0].CertificateState != exchange.CertificateRefused || node.asked != "post-12: 12 holds, letter" {
		t.Errorf("%+v, %v, %q", said, err, node.asked)
	}
	node.asked = ""
	for _, body := range []string{`{"holds": 12}`, `{"why": "letter"}`, `{"holds": -1, "why": "x"}`, `{"holds": 12, "why": "x", "refuses": 13}`, `[]`} {
		if p := f.request(officerSecret, "POST", "/api/v1/conflicts/settle", body).problem(t); p.Status/100 != 4 || node.asked != "" {
			t.Errorf("%s: %s, asked %q", body, p.Code, node.asked)
		}
	}
	node.err = &eco.IllegalMove{Event: eco.EventRefuse, Code: eco.ReasonExhausted, Why: "goods were written off against it"}
	if p := f.request(officerSecret, "POST", "/api/v1/conflicts/settle", `{"holds": 12, "why": "letter"}`).problem(t); p.Code != api.CodeIllegalMove {
		t.Errorf("%s", p.Code)
	}
	if p := f.request(operatorSecret, "POST", "/api/v1/conflicts/settle", `{"holds": 12, "why": "letter"}`).problem(t); p.Code != api.CodeForbidden {
		t.Errorf("an operator: %s", p.Code)
	}
}
