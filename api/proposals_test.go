package api_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/partners"
)

// daySecret is that of a second operator.
const daySecret = "operator-secret-5"

// guarded is registered with a second operator, whom each change needs.
func guarded(t *testing.T) *fixture {
	t.Helper()
	return registeredWith(t, func(file *partners.Config) { file.SecondOperator = true }, func(o *api.Options) {
		o.Keys = keySet(t, append(keys(), api.Key{Name: "day-shift", Role: api.RoleOperator, SHA256: digest([]byte(daySecret))}))
	})
}

func TestChangeIsAnsweredAsAProposal(t *testing.T) {
	f := guarded(t)
	text := f.textOf("TW", "name: Taiwan", "name: Formosa")
	got := f.request(operatorSecret, "PUT", twPath+"?why=letter", text, "Content-Type", api.MediaTypeYAML, "If-Match", `"0"`)
	var change api.RegistryChange
	if err := json.Unmarshal(got.body, &change); err != nil || got.status != 202 || change.Proposal == nil || change.Proposal.Number != 1 ||
		change.Entry.Version != 1 || !strings.Contains(change.Diff, "+name: Formosa") {
		t.Fatalf("status %d, %s, %v", got.status, got.body, err)
	}
	if e, err := f.client(officerSecret).Entry(t.Context(), partners.KindPartner, "TW"); err != nil || e.Version != 0 {
		t.Errorf("%+v, %v", e, err)
	}
	list, err := f.client(officerSecret).Proposals(t.Context(), partners.ProposalOpen)
	if err != nil || len(list) != 1 || list[0].Entry.Why != "letter" || list[0].Entry.Text != "" || !strings.Contains(list[0].Diff, "+name: Formosa") {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := f.client(operatorSecret).Confirm(t.Context(), 1, ""); !errors.Is(err, partners.ErrSameOperator) {
		t.Errorf("by the same operator: %v", err)
	}
	if got := f.request(officerSecret, "POST", "/api/v1/proposals/1/confirm", ""); got.status != 403 {
		t.Errorf("by an officer: status %d", got.status)
	}
	made, err := f.client(daySecret).Confirm(t.Context(), 1, "compared")
	if err != nil || made.Entry.Version != 1 || made.Entry.ConfirmedBy != "day-shift" {
		t.Errorf("%+v, %v", made, err)
	}
	want := []string{"night-shift partner.read TW", "night-shift proposal.made 1", "post-12 partner.read TW", "post-12 proposals.listed",
		"night-shift proposal.decision_refused 1", "post-12 access.refused POST /api/v1/proposals/:n/confirm", "day-shift proposal.confirmed 1", "night-shift partner.changed TW"}
	if got := f.audited(); !slices.Equal(got, want) {
		t.Errorf("audited\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestDecisionsThatAreRefused(t *testing.T) {
	f := guarded(t)
	client := f.client(operatorSecret)
	if r, err := client.RemoveEntry(t.Context(), partners.KindAgreement, "urn:cpa:1/a", api.Change{}); err != nil || r.Proposal == nil || !r.Entry.Removed {
		t.Fatalf("%+v, %v", r, err)
	}
	if p, err := f.client(daySecret).Reject(t.Context(), 1, "no"); err != nil || p.State != partners.ProposalRejected {
		t.Errorf("%+v, %v", p, err)
	}
	for path, want := range map[string]api.Code{
		"/1/confirm": api.CodeDecided, "/1/reject": api.CodeDecided, "/2/confirm": api.CodeUnknownProposal, "/x/reject": api.CodeUnknownProposal, "/0/reject": api.CodeUnknownProposal,
	} {
		if p := f.request(daySecret, "POST", "/api/v1/proposals"+path, "").problem(t); p.Code != want {
			t.Errorf("%s: %s, want %s", path, p.Code, want)
		}
	}
	if got := f.request(daySecret, "GET", "/api/v1/proposals?state=waiting", ""); got.status != 400 {
		t.Errorf("status %d", got.status)
	}
}
