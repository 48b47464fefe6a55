package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/lookup"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// otherOfficer is the secret of a second officer.
const otherOfficer = "officer-secret-8"

// cleared is an API over a store with a received certificate, D1, and a desk.
func cleared(t *testing.T, adjust ...func(*clearance.Options)) (*fixture, *clearance.Desk) {
	t.Helper()
	var desk *clearance.Desk
	f := serve(t, func(o *api.Options) {
		store, _ := o.Store.(clearance.Store)
		options := clearance.Options{Store: store, Forms: eco.DefaultForms, Now: clock}
		for _, a := range adjust {
			a(&options)
		}
		var err error
		if desk, err = clearance.NewDesk(options); err != nil {
			t.Fatal(err)
		}
		o.Declarations, o.Decisions, o.Duties = desk, desk, desk
		o.Keys = keySet(t, append(keys(), api.Key{Name: "post-13", Role: api.RoleOfficer, SHA256: digest([]byte(otherOfficer))}))
	})
	f.imported("D1", "m1@kr", "c1")
	return f, desk
}

func clock() time.Time { return now }

// declarationOf is a declaration of item 2 of certificate D1 in JSON.
func declarationOf(number string, change ...string) string {
	text := fmt.Sprintf(`{"number": %q, "lodged": "2026-11-20", "importer": {"name": "RED RIVER INDUSTRIAL SUPPLY JSC"},
		"lines": [{"number": 1, "hs": "85443000", "quantity": {"value": "100", "unit": "DZN"}, "citations": [{"reference": "D1", "item": 2}]}]}`, number)
	return strings.NewReplacer(change...).Replace(text)
}

const declarations = "/api/v1/declarations"

func TestDeclarationsLife(t *testing.T) {
	f, _ := cleared(t)
	broker := f.client(brokerSecret)
	l, err := broker.Lodge(t.Context(), []byte(declarationOf("CX/26/1")))
	if err != nil || l.State != clearance.LodgementLodged || l.Declarant != "forwarder" || !l.Broker || l.Claims[0].Taken.Value != "1200" {
		t.Fatalf("%+v, %v", l, err)
	}
	if got := f.request(brokerSecret, "POST", declarations, declarationOf("CX 26 1")); got.status != 200 {
		t.Errorf("again: status %d, %s", got.status, got.body)
	}
	if _, err := f.client(customsSecret).Lodge(t.Context(), []byte(declarationOf("CX/26/1"))); !errors.Is(err, clearance.ErrNumberTaken) {
		t.Errorf("another key: %v", err)
	}
	if l, err = broker.Declaration(t.Context(), "CX/26/1"); err != nil || l.Number != "CX/26/1" {
		t.Errorf("%+v, %v", l, err)
	}
	for secret, want := range map[string]int{operatorSecret: 200, officerSecret: 200, customsSecret: 200, issuerSecret: 403, importerSecret: 403} {
		if got := f.request(secret, "GET", declarations+"/CX%2F26%2F1", ""); got.status != want {
			t.Errorf("%s: status %d, want %d", secret, got.status, want)
		}
	}
	if got := f.request(brokerSecret, "GET", declarations+"/CX%2F26%2F9", ""); got.problem(t).Code != api.CodeNotFound {
		t.Errorf("%s", got.body)
	}
	half := declarationOf("CX/26/1", `"100"`, `"50"`)
	if l, err = broker.Amend(t.Context(), "CX/26/1", []byte(half)); err != nil || l.Version != 2 {
		t.Errorf("version %d, %v", l.Version, err)
	}
	if got := f.request(brokerSecret, "PUT", declarations+"/CX%2F26%2F1", declarationOf("CX/26/2")); got.problem(t).Code != api.CodeMalformed {
		t.Errorf("%s", got.body)
	}
	page, err := broker.Declarations(t.Context(), clearance.DeclarationQuery{State: clearance.LodgementLodged, Certificate: "LA/ATIGA-D/D1", Limit: 1})
	if err != nil || len(page.Declarations) != 1 || page.Next == 0 {
		t.Errorf("%+v, %v", page, err)
	}
	if page, err = broker.Declarations(t.Context(), clearance.DeclarationQuery{After: page.Next}); err != nil || len(page.Declarations) != 0 {
		t.Errorf("%+v, %v", page, err)
	}
	if got := f.request(brokerSecret, "GET", declarations+"?state=lost", ""); got.problem(t).Code != api.CodeParameter {
		t.Errorf("%s", got.body)
	}
	if l, err = broker.Withdraw(t.Context(), "CX/26/1", "entered in error"); err != nil || l.State != clearance.LodgementWithdrawn {
		t.Errorf("%s, %v", l.State, err)
	}
	if _, err = broker.Amend(t.Context(), "CX/26/1", []byte(half)); !errors.Is(err, clearance.ErrDecided) {
		t.Errorf("amended after it was withdrawn: %v", err)
	}
	if _, err = broker.Withdraw(t.Context(), "CX/26/9", ""); err == nil {
		t.Error("withdrew what is not there")
	}
}

func TestDeclarationIsRefusedWithEverythingThatIsWrong(t *testing.T) {
	f, _ := cleared(t)
	bad := declarationOf("CX/26/1", `"D1"`, `"D9"`, "RED RIVER", "BLUE RIVER")
	got := f.request(brokerSecret, "POST", declarations, bad)
	p := got.problem(t)
	if got.status != 422 || p.Code != api.CodeRefusedDeclaration || len(p.Errors) != 1 || p.Errors[0].Code != eco.ReasonNotReceived || p.Errors[0].Path != "lines[0].citations[0].reference" || p.Errors[0].Fix == "" {
		t.Errorf("%d %s", got.status, got.body)
	}
	bad = declarationOf("CX/26/1", `"100"`, `"1000"`, "RED RIVER", "BLUE RIVER", "85443000", "01012100")
	if p := f.request(brokerSecret, "POST", declarations, bad).problem(t); len(p.Errors) != 3 {
		t.Errorf("%+v", p.Errors)
	}
	for body, want := range map[string]string{
		`{"number": "A", "state": "decided"}`: "state: a declaration has no such field",
		`{"number": "A", "number": "B"}`:      "number: given twice",
		`[]`:                                  "declaration: want a JSON object",
	} {
		if p := f.request(brokerSecret, "POST", declarations, body).problem(t); p.Code != api.CodeMalformed || !strings.Contains(p.Detail, want) {
			t.Errorf("%s: %+v", body, p)
		}
	}
	if p := f.request(brokerSecret, "POST", declarations, "x", "Content-Type", "text/plain").problem(t); p.Code != api.CodeMediaType {
		t.Errorf("%+v", p)
	}
	audited := strings.Join(f.audited(), "\n")
	if !strings.Contains(audited, "forwarder declaration.refused CX/26/1") {
		t.Error(audited)
	}
}

func TestOfficersDecide(t *testing.T) {
	f, desk := cleared(t)
	if _, err := f.client(brokerSecret).Lodge(t.Context(), []byte(declarationOf("CX/26/1"))); err != nil {
		t.Fatal(err)
	}
	if err := desk.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	officer := f.client(officerSecret)
	list, err := officer.Duties(t.Context(), clearance.DutyQuery{Owner: clearance.OwnerOfficer, DueBy: eco.Date{Year: 2027, Month: 6, Day: 1}})
	if err != nil || len(list) != 2 {
		t.Errorf("%+v, %v", list, err)
	}
	accept := clearance.Judgement{Rulings: []clearance.Ruling{{Verdict: clearance.VerdictAccept}}}
	if _, err := f.client(brokerSecret).Decide(t.Context(), "CX/26/1", accept); err == nil {
		t.Error("a broker decides")
	}
	if _, err := officer.Decide(t.Context(), "CX/26/9", accept); err == nil {
		t.Error("decided about what is not there")
	}
	got := f.request(officerSecret, "POST", declarations+"/CX%2F26%2F1/decisions", `{"rulings": [{"verdict": "deny"}]}`)
	if p := got.problem(t); p.Code != api.CodeRefusedDeclaration || p.Errors[0].Path != "rulings[0].reasons" {
		t.Errorf("%s", got.body)
	}
	if got := f.request(officerSecret, "POST", declarations+"/CX%2F26%2F1/decisions", `{"rulings": [{"verdict": "accept", "why": "x"}]}`); got.problem(t).Code != api.CodeMalformed {
		t.Errorf("%s", got.body)
	}
	body, err := json.Marshal(accept)
	if err != nil {
		t.Fatal(err)
	}
	if got := f.request(officerSecret, "POST", declarations+"/CX%2F26%2F1/decisions", string(body)); got.status != 201 {
		t.Errorf("status %d, %s", got.status, got.body)
	}
	l, err := officer.Declaration(t.Context(), "CX/26/1")
	if err != nil || l.State != clearance.LodgementDecided || l.Claims[0].Standing != clearance.StandingAccepted || l.Decisions[0].By != "post-12" {
		t.Errorf("%+v, %v", l, err)
	}
	if err := desk.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list, err = officer.Duties(t.Context(), clearance.DutyQuery{Done: true}); err != nil || len(list) != 3 {
		t.Errorf("%+v, %v", list, err)
	}
	if got := f.request(officerSecret, "GET", "/api/v1/duties?due_by=tomorrow", ""); got.problem(t).Code != api.CodeParameter {
		t.Errorf("%s", got.body)
	}
	if _, err := f.client(brokerSecret).Amend(t.Context(), "CX/26/1", []byte(declarationOf("CX/26/1", `"100"`, `"10"`))); !errors.Is(err, clearance.ErrDecided) {
		t.Errorf("amended: %v", err)
	}
}

func TestSecondOfficerConfirms(t *testing.T) {
	f, _ := cleared(t, func(o *clearance.Options) { o.SecondOfficer = func() bool { return true } })
	if _, err := f.client(brokerSecret).Lodge(t.Context(), []byte(declarationOf("CX/26/1"))); err != nil {
		t.Fatal(err)
	}
	officer, other := f.client(officerSecret), f.client(otherOfficer)
	accept := clearance.Judgement{Rulings: []clearance.Ruling{{Verdict: clearance.VerdictAccept}}}
	if got := f.request(officerSecret, "POST", declarations+"/CX%2F26%2F1/decisions", `{"rulings": [{"verdict": "accept"}]}`); got.status != 202 {
		t.Fatalf("status %d, %s", got.status, got.body)
	}
	if _, err := other.Decide(t.Context(), "CX/26/1", accept); !errors.Is(err, clearance.ErrWaits) {
		t.Errorf("another decision: %v", err)
	}
	if _, err := officer.ConfirmDecision(t.Context(), "CX/26/1", 1, "", false); !errors.Is(err, clearance.ErrSameOfficer) {
		t.Errorf("by the same officer: %v", err)
	}
	if _, err := other.ConfirmDecision(t.Context(), "CX/26/1", 7, "", false); !errors.Is(err, clearance.ErrNoProposal) {
		t.Errorf("another number: %v", err)
	}
	if got := f.request(otherOfficer, "POST", declarations+"/CX%2F26%2F1/decisions/x/confirm", ""); got.problem(t).Code != api.CodeNoDecision {
		t.Errorf("%s", got.body)
	}
	if l, err := other.ConfirmDecision(t.Context(), "CX/26/1", 1, "look again", true); err != nil || l.Decisions[0].State != clearance.DecisionRejected {
		t.Errorf("%+v, %v", l.Decisions, err)
	}
	if _, err := other.ConfirmDecision(t.Context(), "CX/26/1", 1, "", true); !errors.Is(err, clearance.ErrNoProposal) {
		t.Errorf("rejected twice: %v", err)
	}
	if _, err := officer.Decide(t.Context(), "CX/26/1", accept); err != nil {
		t.Fatal(err)
	}
	if l, err := other.ConfirmDecision(t.Context(), "CX/26/1", 2, "seen", false); err != nil || l.State != clearance.LodgementDecided || l.Decisions[1].Second.By != "post-13" {
		t.Errorf("%+v, %v", l.Decisions, err)
	}
}

// mute is a Responder without a message to tell anything.
type mute struct{}

func (mute) Respond(context.Context, clearance.Response) error { return clearance.ErrCannotTell }
func (mute) Verify(context.Context, clearance.Response) error  { return clearance.ErrCannotTell }

func TestReleaseNoteAndDutiesOfOfficers(t *testing.T) {
	f, desk := cleared(t)
	late := declarationOf("CX/26/1", `"D1"`, `"D1"`)
	late = strings.Replace(late, `"lines"`, `"guarantee": {"number": "G-7", "until": "2027-01-31"}, "lines"`, 1)
	late = strings.Replace(late, `{"reference": "D1", "item": 2}`, `{"reference": "D1", "item": 2, "quantity": {"value": "1", "unit": "C62"}}, {"reference": "D2", "item": 2, "quantity": {"value": "1", "unit": "C62"}}`, 1)
	l, err := f.client(brokerSecret).Lodge(t.Context(), []byte(late))
	if err != nil || l.State != clearance.LodgementOnGuarantee {
		t.Fatalf("%+v, %v", l, err)
	}
	if got := f.request(brokerSecret, "GET", declarations+"/CX261/release-note", ""); got.problem(t).Code != api.CodeNotFound {
		t.Errorf("%s", got.body)
	}
	arrival := f.arrival("D2", "m2@kr", "c2")
	arrival.Audit = []exchange.AuditEntry{{At: now, Actor: "KR", Event: "certificate.received", Subject: arrival.Certificate.Key.String()}}
	f.accept(arrival)
	if err := desk.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	n, err := f.client(brokerSecret).ReleaseNote(t.Context(), "CX/26/1")
	if err != nil || n.Guarantee != "G-7" || n.Outcome != clearance.OutcomeNone || n.Certificates[0].Reference != "D2" {
		t.Errorf("%+v, %v", n, err)
	}
	got := f.request(brokerSecret, "GET", declarations+"/CX261/release-note?format=text", "")
	if got.status != 200 || !strings.HasPrefix(string(got.body), "RELEASE NOTE\n") || !strings.HasPrefix(got.header.Get("Content-Type"), "text/plain") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := f.request(brokerSecret, "GET", declarations+"/CX261/release-note?format="+url.QueryEscape("word"), ""); got.problem(t).Code != api.CodeParameter {
		t.Errorf("%s", got.body)
	}
	if _, err := f.client(officerSecret).CloseDuty(t.Context(), api.FulfilledDuty{ID: "reservation of CX261"}); err == nil {
		t.Error("closed a duty that an event closes")
	}
	if got := f.request(officerSecret, "POST", "/api/v1/duties/done", `{}`); got.problem(t).Code != api.CodeMalformed {
		t.Errorf("%s", got.body)
	}
}

func TestOfficerTellsThePartnerByOtherMeans(t *testing.T) {
	f, desk := cleared(t, func(o *clearance.Options) { o.Responder = mute{} })
	if _, err := f.client(customsSecret).Lodge(t.Context(), []byte(declarationOf("CX/26/1"))); err != nil {
		t.Fatal(err)
	}
	officer := f.client(officerSecret)
	if _, err := officer.Decide(t.Context(), "CX/26/1", clearance.Judgement{Rulings: []clearance.Ruling{{Verdict: clearance.VerdictAccept}}}); err != nil {
		t.Fatal(err)
	}
	if err := desk.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := officer.Duties(t.Context(), clearance.DutyQuery{})
	if err != nil || len(list) != 1 || list[0].Kind != clearance.DutyTell {
		t.Fatalf("%+v, %v", list, err)
	}
	if d, err := officer.CloseDuty(t.Context(), api.FulfilledDuty{ID: list[0].ID, Why: "by letter"}); err != nil || d.State != clearance.DutyDone {
		t.Errorf("%+v, %v", d, err)
	}
}

// A declaration that cites what is not the broker's is refused like one that cites nothing, after the same work and not before the same time.
func TestDeclarationsDoNotTellWhatIsNotTheBrokers(t *testing.T) {
	var l *lookups
	l = serveLookups(t, func(o *api.Options, d *lookup.Options) {
		desk, err := clearance.NewDesk(clearance.Options{Store: d.Store, Forms: eco.DefaultForms, Now: o.Now,
			Sees: func(ctx context.Context, key string, c clearance.Imported) (bool, error) {
				return l.desk.Sees(ctx, key, c)
			}})
		if err != nil {
			t.Fatal(err)
		}
		o.Declarations, o.Decisions, o.Duties = desk, desk, desk
	})
	l.imported("D1", "m1@kr", "c1")
	ask := func(reference string) string {
		l.calls.calls, l.waits = map[string]int{}, 0
		got := l.request(forwarderSecret, "POST", declarations, declarationOf("CX/26/1", `"D1"`, `"`+reference+`"`), "X-Correlation-Id", "same")
		calls, _ := json.Marshal(l.calls.calls)
		if l.waits != 1 {
			t.Errorf("%s: held back %d times", reference, l.waits)
		}
		return fmt.Sprint(got.status, strings.ReplaceAll(string(got.body), reference, "REFERENCE"), string(calls))
	}
	if there, absent := ask("D1"), ask("D2"); there != absent || !strings.HasPrefix(there, "422") {
		t.Errorf("told apart\n%s\n%s", there, absent)
	}
}
