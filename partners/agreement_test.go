package partners_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

func TestInboundFindsTheAgreementOrSaysWhatDoesNotFit(t *testing.T) {
	w := newWorld(t)
	w.config.Agreements[0].Start, w.config.Agreements[0].End = spring, autumn
	w.config.Agreements[0].Actions.Cancel = partners.ActionNone
	other := agreement("tw")
	other.Action, other.AnswerAction, other.Actions = "Cancel", "AnswerCancel", ownActions()
	other.Forms, other.Start, other.End = []eco.FormCode{otherForm}, summer, autumn
	w.config.Agreements = append(w.config.Agreements, other)
	r := w.open(t)
	good := partners.InboundQuery{
		CPAID: "cpa-tw", From: partyIDs("tw"), To: partyIDs("kr"), Service: partners.Service{Value: "urn:services:eco"}, Action: "Submit",
	}
	change := func(f func(*partners.InboundQuery)) partners.InboundQuery {
		q := good
		f(&q)
		return q
	}
	signal := change(func(q *partners.InboundQuery) { q.Service, q.Action = partners.Service{}, "" })
	tests := []struct {
		name   string
		query  partners.InboundQuery
		at     time.Time
		want   error
		action string // of the agreement found
	}{
		{"all as agreed", good, summer, nil, "Submit"},
		{"one of several ids", change(func(q *partners.InboundQuery) { q.From = q.From[1:] }), summer, nil, "Submit"},
		{"the other action", change(func(q *partners.InboundQuery) { q.Action = "Cancel" }), summer, nil, "Cancel"},
		{"answer", change(func(q *partners.InboundQuery) { q.Action = partners.DefaultAnswerAction }), summer, nil, "Submit"},
		{"answer to the other action", change(func(q *partners.InboundQuery) { q.Action = "AnswerCancel" }), summer, nil, "Cancel"},
		{"another business message", change(func(q *partners.InboundQuery) { q.Action = partners.DefaultResponseAction }), summer, nil, "Submit"},
		{"another business message of the other action", change(func(q *partners.InboundQuery) { q.Action = "3" }), summer, nil, "Cancel"},
		{"business message that is not agreed", change(func(q *partners.InboundQuery) { q.Action = partners.DefaultCancelAction }), summer, partners.ErrUnknownService, ""},
		{"the word for what is not agreed", change(func(q *partners.InboundQuery) { q.Action = partners.ActionNone }), summer, partners.ErrUnknownService, ""},
		{"no action", change(func(q *partners.InboundQuery) { q.Action = "" }), summer, partners.ErrUnknownService, ""},
		{"answer of another service", change(func(q *partners.InboundQuery) { q.Action, q.Service.Value = "AnswerCancel", "urn:x" }), summer, partners.ErrUnknownService, ""},
		{"signal, the agreement that started last", signal, summer, nil, "Cancel"},
		{"signal, the only one in force", signal, spring, nil, "Submit"},
		{"unknown CPAId", change(func(q *partners.InboundQuery) { q.CPAID = "cpa" }), summer, partners.ErrUnknownCPA, ""},
		{"CPAId of another partner", change(func(q *partners.InboundQuery) { q.CPAID = "cpa-my" }), summer, partners.ErrPartyMismatch, ""},
		{"from another partner", change(func(q *partners.InboundQuery) { q.From = partyIDs("my") }), summer, partners.ErrPartyMismatch, ""},
		{"from two partners at once", change(func(q *partners.InboundQuery) { q.From = append(partyIDs("tw"), partyIDs("my")...) }), summer, partners.ErrPartyMismatch, ""},
		{"from nobody", change(func(q *partners.InboundQuery) { q.From = nil }), summer, partners.ErrPartyMismatch, ""},
		{"same value under another type", change(func(q *partners.InboundQuery) { q.From = []partners.PartyID{{Type: "duns", Value: "TW"}} }), summer, partners.ErrPartyMismatch, ""},
		{"to another partner", change(func(q *partners.InboundQuery) { q.To = partyIDs("my") }), summer, partners.ErrPartyMismatch, ""},
		{"reflected to its sender", change(func(q *partners.InboundQuery) { q.From, q.To = q.To, q.From }), summer, partners.ErrPartyMismatch, ""},
		{"signal from another partner", change(func(q *partners.InboundQuery) { q.From, q.Service, q.Action = partyIDs("my"), partners.Service{}, "" }), summer, partners.ErrPartyMismatch, ""},
		{"unknown service", change(func(q *partners.InboundQuery) { q.Service.Value = "urn:services:other" }), summer, partners.ErrUnknownService, ""},
		{"service with another type", change(func(q *partners.InboundQuery) { q.Service.Type = "x" }), summer, partners.ErrUnknownService, ""},
		{"unknown action", change(func(q *partners.InboundQuery) { q.Action = "submit" }), summer, partners.ErrUnknownService, ""},
		{"a second before the start", good, spring.Add(-time.Second), partners.ErrOutsideValidity, "Submit"},
		{"at the start", good, spring, nil, "Submit"},
		{"a second before the end", good, autumn.Add(-time.Second), nil, "Submit"},
		{"at the end", good, autumn, partners.ErrOutsideValidity, "Submit"},
		{"signal after the end", signal, autumn, partners.ErrOutsideValidity, "Submit"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := r.Inbound(test.query, test.at)
			if !errors.Is(err, test.want) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
			if got.Action != test.action || got.Action != "" && got.Partner != "tw" {
				t.Errorf("agreement with %q, action %q; want action %q", got.Partner, got.Action, test.action)
			}
		})
	}
}

func TestOutboundTakesTheAgreementThatStartedLast(t *testing.T) {
	w := newWorld(t)
	first, second, later := agreement("tw"), agreement("tw"), agreement("tw")
	first.CPAID, first.End = "first", autumn
	second.CPAID, second.Start = "second", summer
	later.CPAID, later.Forms, later.Start = "later", []eco.FormCode{otherForm}, autumn
	w.config.Agreements = []partners.AgreementConfig{first, second, later}
	r := w.open(t)
	tests := []struct {
		name    string
		partner string
		form    eco.FormCode
		at      time.Time
		want    error
		cpaID   string
	}{
		{"the first alone", "tw", form, summer.Add(-time.Second), nil, "first"},
		{"the successor from its start", "tw", form, summer, nil, "second"},
		{"the successor after the first", "tw", form, autumn, nil, "second"},
		{"a form not agreed", "tw", "LA-GSP-A", summer, partners.ErrNoAgreement, ""},
		{"a form agreed for later", "tw", otherForm, summer, partners.ErrOutsideValidity, "later"},
		{"a partner without agreements", "my", form, summer, partners.ErrNoAgreement, ""},
		{"an unknown partner", "xx", form, summer, partners.ErrUnknownPartner, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := r.Outbound(test.partner, test.form, test.at)
			if !errors.Is(err, test.want) || got.CPAID != test.cpaID {
				t.Errorf("got %q, %v; want %q, %v", got.CPAID, err, test.cpaID, test.want)
			}
		})
	}
}

func TestAgreementIsFoundAsItStandsAtTheInstant(t *testing.T) {
	w := newWorld(t)
	first, next, other := agreement("tw"), agreement("tw"), agreement("tw")
	first.End = summer
	next.Start, next.Endpoint = summer, "https://moved.example/ebms"
	other.Action, other.AnswerAction, other.Actions = "Other", "AnswerOther", ownActions()
	other.Endpoint, other.Forms = "https://other.example/ebms", []eco.FormCode{otherForm}
	w.config.Agreements = []partners.AgreementConfig{first, next, other}
	r := w.open(t)
	own := partners.AgreementQuery{Partner: "tw", CPAID: "cpa-tw", Service: "urn:services:eco", Action: "Submit"}
	second, answer, secondAnswer := own, own, own
	second.Action, answer.Action, secondAnswer.Action = "Other", partners.DefaultAnswerAction, "AnswerOther"
	tests := []struct {
		name  string
		query partners.AgreementQuery
		at    time.Time
		want  string
	}{
		{"before a successor starts its predecessor serves", own, summer.Add(-time.Second), first.Endpoint},
		{"the successor from its start", own, summer, next.Endpoint},
		{"another action of the same CPAId has its own", second, summer, other.Endpoint},
		{"its answer, before a successor starts", answer, summer.Add(-time.Second), first.Endpoint},
		{"its answer, from the start of the successor", answer, summer, next.Endpoint},
		{"the other action's answer", secondAnswer, summer, other.Endpoint},
		{"another CPAId", partners.AgreementQuery{Partner: "tw", CPAID: "cpa-my"}, summer, ""},
		{"another partner", partners.AgreementQuery{Partner: "my", CPAID: "cpa-tw"}, summer, ""},
		{"another service", partners.AgreementQuery{Partner: "tw", CPAID: "cpa-tw", Service: "urn:x", Action: "Submit"}, summer, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, ok := r.Agreement(test.query, test.at)
			if ok != (test.want != "") || got.Endpoint != test.want {
				t.Errorf("got endpoint %q, %t; want %q", got.Endpoint, ok, test.want)
			}
		})
	}
}

func TestAgreementThatEndedStillAnswers(t *testing.T) {
	w := newWorld(t)
	ended := agreement("tw")
	ended.End = spring
	w.config.Agreements = []partners.AgreementConfig{ended}
	if got, ok := w.open(t).Agreement(partners.AgreementQuery{Partner: "tw", CPAID: "cpa-tw"}, autumn); !ok || got.Endpoint != ended.Endpoint {
		t.Errorf("got endpoint %q, %t; want that of the ended agreement", got.Endpoint, ok)
	}
}

func TestAgreementHasItsPartiesAndDefaults(t *testing.T) {
	w := newWorld(t)
	w.config.Node.Role, w.config.Partners[0].Role, w.config.Partners[1].Role = "own", "theirs", "theirs"
	want := partners.Agreement{
		CPAID: "cpa-tw", Partner: "tw", Mode: partners.ModeLive, PartnerParty: partyIDs("tw"), OwnParty: partyIDs("kr"), PartnerRole: "theirs", OwnRole: "own",
		Service: partners.Service{Value: "urn:services:eco"}, Action: "Submit", AnswerAction: "AnswerCertificateOfOrigin", Actions: defaultActions(), Forms: []eco.FormCode{form},
		Endpoint: "https://tw.example/ebms", AckEndpoint: "https://tw.example/ebms", ErrorEndpoint: "https://tw.example/ebms", SOAPAction: `"ebXML"`,
		SignatureRequired: true, AckRequested: true, AckSigned: true, DuplicateElimination: true, SyncReply: "none",
		MessageOrder: "NotGuaranteed", OrderGap: 24 * time.Hour,
		Retries: 12, RetryInterval: 10 * time.Minute, PersistDuration: 7 * 24 * time.Hour,
		UBLVersion: "2.1", Structure: partners.StructureRecord, Tolerate: partners.Deviations(), Ping: true, MessageStatus: true,
	}
	got, err := w.open(t).Outbound("tw", form, summer)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("with defaults (-want +got):\n%s", diff)
	}

	w.config.Agreements[0] = partners.AgreementConfig{
		CPAID: "c", Partner: "tw", Start: spring, End: autumn, Forms: []eco.FormCode{form, otherForm},
		Service: partners.Service{Type: "t", Value: "s"}, Action: "a", AnswerAction: "b", OwnRole: "o", PartnerRole: "p",
		Actions:  partners.Actions{Resend: "1", Cancel: "2", Response: "3", StatusRequest: "4", StatusReport: "5", VerificationRequest: "6", VerificationReply: "none"},
		Endpoint: "http://tw.example", AckEndpoint: "http://ack.example", ErrorEndpoint: "http://error.example", AllowHTTP: true, SOAPAction: "s/a",
		SignatureRequired: new(false), AckRequested: new(false), DuplicateElimination: new(false), SyncReply: "mshSignalsOnly",
		Retries: new(0), RetryInterval: time.Second, PersistDuration: time.Second,
		AllowSHA1: true, AllowSHA1Until: autumn, AllowECDSADER: true,
		Algorithms: []string{"rsa-sha256"}, MaxBytes: 5, MaxParts: 2, OrderGap: time.Hour, UBLVersion: "2.0", Structure: "refuse",
		Tolerate: []string{"no-start"}, Ping: new(false), MessageStatus: new(false),
	}
	want = partners.Agreement{
		CPAID: "c", Partner: "tw", Mode: partners.ModeLive, PartnerParty: partyIDs("tw"), OwnParty: partyIDs("kr"), PartnerRole: "p", OwnRole: "o",
		Service: partners.Service{Type: "t", Value: "s"}, Action: "a", AnswerAction: "b", Actions: partners.Actions{Resend: "1", Cancel: "2", Response: "3", StatusRequest: "4", StatusReport: "5", VerificationRequest: "6"}, Forms: []eco.FormCode{form, otherForm},
		Endpoint: "http://tw.example", AckEndpoint: "http://ack.example", ErrorEndpoint: "http://error.example", SOAPAction: "s/a",
		SyncReply: "mshSignalsOnly", MessageOrder: "NotGuaranteed", OrderGap: time.Hour,
		RetryInterval: time.Second, PersistDuration: time.Second,
		Exceptions: []signing.Exception{{Name: signing.ExceptionSHA1, Until: autumn}, {Name: signing.ExceptionECDSADER}},
		Algorithms: []string{"rsa-sha256"}, MaxBytes: 5, MaxParts: 2, UBLVersion: "2.0", Structure: partners.StructureRefuse, Start: spring, End: autumn,
		Tolerate: []string{"no-start"},
	}
	if got, err = w.open(t).Outbound("tw", otherForm, summer); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("all given (-want +got):\n%s", diff)
	}
}

func defaultActions() partners.Actions {
	return partners.Actions{
		Resend: partners.DefaultResendAction, Cancel: partners.DefaultCancelAction, Response: partners.DefaultResponseAction,
		StatusRequest: partners.DefaultStatusRequestAction, StatusReport: partners.DefaultStatusReportAction,
		VerificationRequest: partners.DefaultVerificationRequestAction, VerificationReply: partners.DefaultVerificationReplyAction,
	}
}

func TestAgreementToleratesWhatItListsAndEverythingByDefault(t *testing.T) {
	tests := []struct {
		name     string
		tolerate []string
		want     []string
	}{
		{"nothing said", nil, partners.Deviations()},
		{"none", []string{}, nil},
		{"two", []string{"no-role", "no-start"}, []string{"no-start", "no-role"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Agreements[0].Tolerate = test.tolerate
			a, err := w.open(t).Outbound("tw", form, summer)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, name := range partners.Deviations() {
				if a.Tolerates(name) {
					got = append(got, name)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" || a.Tolerates("no-such") {
				t.Errorf("tolerated (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPartnerHasItsConcurrency(t *testing.T) {
	w := newWorld(t)
	w.config.Partners[0].Concurrency = 3
	r := w.open(t)
	for id, want := range map[string]int{"tw": 3, "my": 0} {
		if p, _ := r.Partner(id); p.Concurrency != want {
			t.Errorf("%s has %d, want %d", id, p.Concurrency, want)
		}
	}
}

func TestSignaturePolicyEndsExceptions(t *testing.T) {
	w := newWorld(t)
	w.config.Agreements[0].AllowSHA1, w.config.Agreements[0].AllowSHA1Until = true, autumn
	w.config.Agreements[0].Algorithms = []string{"rsa-sha256"}
	a, err := w.open(t).Outbound("tw", form, summer)
	if err != nil {
		t.Fatal(err)
	}
	want := signing.Policy{
		Algorithms: []string{"rsa-sha256"}, At: summer,
		Exceptions: []signing.Exception{{Name: signing.ExceptionSHA1, Until: autumn}},
	}
	if diff := cmp.Diff(want, a.SignaturePolicy(summer)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
