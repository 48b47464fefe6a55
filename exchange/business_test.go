package exchange_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
	"github.com/ecogate/ecogate/ubl"
)

// reference is that of sample.
var byReference = exchange.CertificateQuery{Reference: "001-26-0912345"}

// arrived submits the sample and waits until TW has it.
func (w *world) arrived() eco.Certificate {
	w.Helper()
	c := sample(w)
	if m := w.settled(w.submit(c).Message.MessageID); m.State != exchange.StateDelivered {
		w.Fatalf("%s %+v", m.State, m.Reason)
	}
	return c
}

// arrivedAs is the state of an exported certificate that has arrived: accepted where the response carries the answer that says so.
func arrivedAs(syncReply string) exchange.CertificateState {
	if syncReply == partners.SyncReplyResponse || syncReply == partners.SyncReplyBoth {
		return exchange.CertificateAccepted
	}
	return exchange.CertificateReceipted
}

// ends waits until a message of a side has reached a terminal state, and returns it.
func (s *side) ends(w *world, m exchange.Message) exchange.Message {
	w.Helper()
	w.until(48*time.Hour, string(m.Kind)+" settled", func() bool {
		m = s.message(w, exchange.MessageQuery{MessageID: m.MessageID, Direction: exchange.Outbound})
		return m.State.Terminal()
	})
	return m
}

func used(status eco.CustomsStatus) exchange.Decision {
	d := exchange.Decision{Declaration: "CX/26/1"}
	for item := range 2 { // as many as sample has
		outcome := eco.ItemOutcome{Item: item + 1, Status: status}
		if status == eco.CustomsDenied || status == eco.CustomsSuspended {
			outcome.Reasons = []eco.Reason{{Code: eco.ReasonOrigin, Text: "doubtful"}}
		}
		d.Items = append(d.Items, outcome)
	}
	return d
}

func TestCustomsResponseMovesTheCertificateOnBothSides(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{partners.SyncReplyNone, partners.SyncReplySignals, partners.SyncReplyBoth} {
		t.Run(mode, func(t *testing.T) {
			bubble(t, setup{pair: pair.Options{SyncReply: mode}}, func(w *world) {
				w.arrived()
				for i, step := range []struct {
					status eco.CustomsStatus
					kr, tw exchange.CertificateState
				}{
					{eco.CustomsSuspended, arrivedAs(mode), exchange.CertificateSuspended},
					{eco.CustomsAccepted, arrivedAs(mode), exchange.CertificateAvailable},
					{eco.CustomsUsedInPart, exchange.CertificateUsedInPart, exchange.CertificateUsedInPart},
					{eco.CustomsUsedUp, exchange.CertificateUsedUp, exchange.CertificateUsedUp},
					{eco.CustomsUsedUp, exchange.CertificateUsedUp, exchange.CertificateUsedUp},
				} {
					time.Sleep(time.Minute)
					said, err := w.TW.Respond(context.Background(), "officer", byReference, used(step.status))
					w.must(err)
					if m := w.TW.ends(w, said.Message); m.State != exchange.StateDelivered || !m.AckRequired {
						t.Fatalf("response %d: %s %+v", i, m.State, m.Reason)
					}
					kr, tw := w.KR.certificate(w), w.TW.certificate(w)
					if kr.State != step.kr || tw.State != step.tw || said.State != step.tw {
						t.Errorf("after %q: KR has it %s, TW %s; want %s and %s", step.status, kr.State, tw.State, step.kr, step.tw)
					}
					if items := kr.Dealings.Items; len(items) != 2 || items[0].Status != step.status || items[0].Message != said.Message.MessageID {
						t.Errorf("KR keeps %+v", items)
					}
				}
				in := w.KR.messages(w, exchange.MessageQuery{Direction: exchange.Inbound, Kind: exchange.KindResponse})
				if len(in) != 5 || in[0].Business.Response.Declaration != "CX/26/1" || in[0].Signer == "" {
					t.Errorf("%d responses recorded, the last %+v", len(in), in[0].Business)
				}
			})
		})
	}
}

func TestDenialAndItsWithdrawal(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		w.arrived()
		respond := func(d exchange.Decision) {
			time.Sleep(time.Minute)
			said, err := w.TW.Respond(context.Background(), "officer", byReference, d)
			w.must(err)
			w.TW.ends(w, said.Message)
		}
		respond(used(eco.CustomsDenied))
		if kr, tw := w.KR.certificate(w).State, w.TW.certificate(w).State; kr != exchange.CertificateDenied || tw != exchange.CertificateDenied {
			t.Errorf("denied: KR %s, TW %s", kr, tw)
		}
		respond(used(eco.CustomsUsedUp))
		if kr, tw := w.KR.certificate(w).State, w.TW.certificate(w).State; kr != exchange.CertificateUsedUp || tw != exchange.CertificateUsedUp {
			t.Errorf("admitted after all: KR %s, TW %s", kr, tw)
		}
	})
}

func TestResponseIsRefusedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	request, _ := w.composed(sample(t))
	w.TW.receive(w, request)
	var invalid *exchange.InvalidError
	for _, test := range []struct {
		name  string
		query exchange.CertificateQuery
		d     exchange.Decision
		is    func(error) bool
	}{
		{"unknown certificate", exchange.CertificateQuery{Reference: "other"}, used(eco.CustomsUsedUp), func(err error) bool { return errors.Is(err, exchange.ErrNotFound) }},
		{"no reference", exchange.CertificateQuery{Reference: " - "}, used(eco.CustomsUsedUp), func(err error) bool { return errors.Is(err, exchange.ErrNotFound) }},
		{"an item that is not there", byReference, exchange.Decision{Items: []eco.ItemOutcome{{Item: 9, Status: eco.CustomsUsedUp}}}, func(err error) bool { return errors.As(err, &invalid) }},
		{"denied without reasons", byReference, exchange.Decision{Items: []eco.ItemOutcome{{Item: 1, Status: eco.CustomsDenied}}}, func(err error) bool { return errors.As(err, &invalid) }},
	} {
		if _, err := w.TW.Respond(context.Background(), "officer", test.query, test.d); !test.is(err) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	if n := len(w.TW.messages(w, exchange.MessageQuery{Kind: exchange.KindResponse})); n != 0 {
		t.Errorf("%d responses were queued", n)
	}
	if _, err := w.KR.Respond(context.Background(), "officer", byReference, used(eco.CustomsUsedUp)); !errors.Is(err, exchange.ErrNotFound) {
		t.Errorf("KR responds to what it issued itself: %v", err)
	}
}

func TestCancellationOfAnUnusedCertificate(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		c := w.arrived()
		all, err := w.KR.Cancel(context.Background(), "issuer", byReference, "ISSUED IN ERROR")
		w.must(err)
		if m := w.KR.ends(w, all[0].Message); len(all) != 1 || m.State != exchange.StateDelivered || m.Kind != exchange.KindCancellation {
			t.Fatalf("%d, %s %s %+v", len(all), m.Kind, m.State, m.Reason)
		}
		kr, tw := w.KR.certificate(w), w.TW.certificate(w)
		if kr.State != exchange.CertificateCancelled || tw.State != exchange.CertificateCancelled || tw.Dealings.Withdrawn != all[0].Message.MessageID {
			t.Errorf("KR %s, TW %s by %q", kr.State, tw.State, tw.Dealings.Withdrawn)
		}
		if tw.Data.Status != c.Status {
			t.Errorf("the certificate itself became %q", tw.Data.Status)
		}
		in := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Inbound, Kind: exchange.KindCancellation})
		parts, err := w.TW.Parts(context.Background(), in)
		w.must(err)
		defer parts.Close()
		if text := string(octets(parts.List[0].Content)); !strings.Contains(text, ">CANCELLATION<") || !strings.Contains(text, "ISSUED IN ERROR") {
			t.Error("the document does not say that it cancels, or why")
		}
		if _, err := w.TW.Respond(context.Background(), "officer", byReference, used(eco.CustomsUsedUp)); !illegal(err, eco.ReasonWithdrawn) {
			t.Errorf("used after its cancellation: %v", err)
		}
		if _, err := w.KR.Resend(context.Background(), "issuer", byReference); !illegal(err, "") {
			t.Errorf("sent again after its cancellation: %v", err)
		}
	})
}

// illegal reports whether err refuses a move, for that reason if one is given.
func illegal(err error, code string) bool {
	var move *eco.IllegalMove
	return errors.As(err, &move) && (code == "" || move.Code == code)
}

func TestWhatWasUsedIsNeitherCancelledNorReplaced(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		w.arrived()
		said, err := w.TW.Respond(context.Background(), "officer", byReference, used(eco.CustomsUsedInPart))
		w.must(err)
		w.TW.ends(w, said.Message)
		if _, err := w.KR.Cancel(context.Background(), "issuer", byReference, ""); !illegal(err, eco.ReasonExhausted) {
			t.Errorf("cancelled: %v", err)
		}
		if _, err := w.KR.Submit(context.Background(), "issuer", "TW", replacement(t, "001-26-0912399")); !illegal(err, eco.ReasonExhausted) {
			t.Errorf("replaced: %v", err)
		}
		if n := len(w.KR.messages(w, exchange.MessageQuery{Direction: exchange.Outbound})); n != 2 { // the certificate, an acknowledgment
			t.Errorf("%d messages", n)
		}
	})
}

// replacement replaces the sample under a number.
func replacement(tb testing.TB, number string) eco.Certificate {
	c := sample(tb)
	old := c.Reference
	c.Reference, c.Status, c.Remarks, c.Version = number, eco.StatusReplacement, "REPLACES "+old, 2
	c.Related = append(c.Related, eco.RelatedCertificate{Relation: eco.RelationReplaces, Reference: old, Date: c.IssuedAt, Country: c.IssuingCountry})
	return c
}

func TestReplacementOfAnUnusedCertificate(t *testing.T) {
	t.Parallel()
	for _, number := range []string{"001-26-0912399", "001-26-0912345"} { // another number, and the same
		t.Run(number, func(t *testing.T) {
			bubble(t, setup{}, func(w *world) {
				w.arrived()
				next := replacement(t, number)
				m := w.settled(w.submit(next).Message.MessageID)
				if m.State != exchange.StateDelivered {
					t.Fatalf("%s %+v", m.State, m.Reason)
				}
				for _, s := range []*side{w.KR, w.TW} {
					all := s.certificates(w) // newest first
					want := exchange.CertificateReceipted
					if s == w.TW {
						want = exchange.CertificateAvailable
					}
					if len(all) != 2 || all[0].State != want || all[1].State != exchange.CertificateReplaced {
						t.Fatalf("%s: %d certificates, %s and %s", s.id, len(all), all[0].State, all[len(all)-1].State)
					}
					if by := all[1].Dealings.Successor; by == nil || *by != all[0].Key {
						t.Errorf("%s: replaced by %v", s.id, by)
					}
				}
				if again := w.submit(next); again.Fresh || again.Message.MessageID != m.MessageID {
					t.Errorf("submitted again: %+v", again)
				}
				if number != sample(t).Reference {
					if _, err := w.KR.Submit(context.Background(), "issuer", "TW", replacement(t, "001-26-0912400")); !illegal(err, eco.ReasonWithdrawn) {
						t.Errorf("replaced twice: %v", err)
					}
				}
				said, err := w.TW.Respond(context.Background(), "officer", exchange.CertificateQuery{Reference: number}, used(eco.CustomsUsedUp))
				w.must(err)
				if m := w.TW.ends(w, said.Message); m.State != exchange.StateDelivered || w.KR.certificates(w)[0].State != exchange.CertificateUsedUp {
					t.Errorf("use of the new one: %s, KR has it %s", m.State, w.KR.certificates(w)[0].State)
				}
			})
		})
	}
}

func TestRetransmissionIsTheSameDocumentInANewMessage(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		c := sample(t)
		first, err := w.KR.Submit(context.Background(), "issuer", "TW", c, exchange.Attachment{Name: "invoice.txt", ContentType: "text/plain", Content: ebms.Bytes([]byte("INVOICE"))})
		w.must(err)
		w.settled(first.Message.MessageID)
		said, err := w.KR.Resend(context.Background(), "issuer", byReference)
		w.must(err)
		if m := w.KR.ends(w, said.Message); m.State != exchange.StateDelivered || m.MessageID == first.Message.MessageID || m.Action != partners.DefaultResendAction {
			t.Fatalf("%s %s %+v", m.State, m.Action, m.Reason)
		}
		in := w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Inbound, Kind: exchange.KindCertificate})
		if len(in) != 2 || len(w.TW.certificates(w)) != 1 || w.TW.certificate(w).State != exchange.CertificateAvailable {
			t.Fatalf("%d messages, %d certificates", len(in), len(w.TW.certificates(w)))
		}
		for i := range 2 {
			a, err := w.TW.Parts(context.Background(), in[0])
			w.must(err)
			b, err := w.TW.Parts(context.Background(), in[1])
			w.must(err)
			if string(octets(a.List[i].Content)) != string(octets(b.List[i].Content)) || a.List[i].Name != b.List[i].Name {
				t.Errorf("part %d differs", i)
			}
			a.Close()
			b.Close()
		}
		if w.KR.certificate(w).State != exchange.CertificateReceipted {
			t.Errorf("exported certificate is %s", w.KR.certificate(w).State)
		}
	})
}

func TestStatusIsAnsweredOfOnesOwnCertificatesOnly(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{partners.SyncReplyNone, partners.SyncReplySignals, partners.SyncReplyResponse} {
		t.Run(mode, func(t *testing.T) {
			bubble(t, setup{pair: pair.Options{SyncReply: mode}}, func(w *world) {
				c := w.arrived()
				about := eco.CertificateID{IssuingCountry: c.IssuingCountry, Form: c.Form, Reference: "001 26 0912345"}
				for _, test := range []struct {
					from, to *side
					change   func(*eco.CertificateID)
					want     eco.Standing
				}{
					{w.KR, w.TW, func(*eco.CertificateID) {}, eco.StandingAvailable},
					{w.TW, w.KR, func(*eco.CertificateID) {}, eco.StandingIssued},
					{w.KR, w.TW, func(id *eco.CertificateID) { id.Reference = "001-26-0000000" }, eco.StandingUnknown},
					{w.KR, w.TW, func(id *eco.CertificateID) { id.IssuingCountry = "VN" }, eco.StandingUnknown},
					{w.KR, w.TW, func(id *eco.CertificateID) { id.IssuingBody = "OTHER" }, eco.StandingUnknown},
				} {
					id := about
					test.change(&id)
					ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
					got, err := test.from.AskCertificate(ctx, "broker", test.to.id, id)
					cancel()
					w.must(err)
					if got.Report.Standing != test.want || (got.Report.Since.IsZero()) != (test.want == eco.StandingUnknown) {
						t.Errorf("%s asks %s of %+v: %s since %s, want %s", test.from.id, test.to.id, id, got.Report.Standing, got.Report.Since, test.want)
					}
					q := test.from.message(w, exchange.MessageQuery{MessageID: got.MessageID})
					if q = test.from.ends(w, q); q.State != exchange.StateDelivered {
						t.Errorf("the question is %s", q.State)
					}
				}
			})
		})
	}
}

func TestOthersCertificatesLookLikeUnknownOnes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	request, _ := w.composed(sample(t))
	w.TW.receive(w, request)
	var told []string
	for _, reference := range []string{sample(t).Reference, "001-26-7777777"} { // KR's, and nobody's
		d := w.questionOfVN(reference)
		if reply := w.TW.receive(w, d.request(w)); reply.Status != 204 {
			t.Fatalf("answered %d", reply.Status)
		}
		m := w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Outbound, Kind: exchange.KindCertificateReport})[0]
		report := *m.Business.StatusReport
		told = append(told, strings.ReplaceAll(string(report.Standing)+report.Since.String()+report.Certificate.Reference+report.Certificate.IssuingBody, reference, "R"))
	}
	if told[0] != told[1] || !strings.HasPrefix(told[0], "unknown") {
		t.Errorf("VN can tell %q from %q", told[0], told[1])
	}
}

func TestVerificationIsOpenUntilItsReply(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		result eco.VerificationResult
		after  exchange.CertificateState
	}{{eco.VerifiedConfirmed, exchange.CertificateAvailable}, {eco.VerifiedRefuted, exchange.CertificateSuspended}} {
		t.Run(string(test.result), func(t *testing.T) {
			bubble(t, setup{}, func(w *world) {
				w.arrived()
				asked, err := w.TW.RequestVerification(context.Background(), "officer", byReference, exchange.Doubt{
					Ground: eco.VerifyForDoubt, Reasons: []eco.Reason{{Code: eco.ReasonSignature, Text: "differs"}}, Questions: []eco.Question{{Text: "Who signed?"}},
				})
				w.must(err)
				if m := w.TW.ends(w, asked.Message); m.State != exchange.StateDelivered || asked.State != exchange.CertificateSuspended {
					t.Fatalf("%s %+v, certificate %s", m.State, m.Reason, asked.State)
				}
				open := func(s *side) int {
					found, err := s.store.Certificates(context.Background(), exchange.CertificateQuery{Verifying: true})
					w.must(err)
					return len(found)
				}
				if open(w.KR) != 1 || open(w.TW) != 1 {
					t.Fatalf("open at KR: %d, at TW: %d", open(w.KR), open(w.TW))
				}
				if _, err := w.TW.Respond(context.Background(), "officer", byReference, used(eco.CustomsUsedUp)); !illegal(err, eco.ReasonOrigin) {
					t.Errorf("used while a verification is open: %v", err)
				}
				d := exchange.Clarification{Result: test.result, Replies: []eco.QuestionReply{{Question: 1, Text: "Mr Kim"}}}
				if test.result != eco.VerifiedConfirmed {
					d.Reasons = []eco.Reason{{Code: eco.ReasonSignature, Text: "forged"}}
				}
				reply, err := w.KR.ReplyVerification(context.Background(), "issuer", byReference, d)
				w.must(err)
				if m := w.KR.ends(w, reply.Message); m.State != exchange.StateDelivered || m.RefToMessageID != asked.Message.MessageID {
					t.Fatalf("%s %+v", m.State, m.Reason)
				}
				if open(w.KR) != 0 || open(w.TW) != 0 || w.TW.certificate(w).State != test.after {
					t.Errorf("open at KR: %d, at TW: %d; certificate at TW %s", open(w.KR), open(w.TW), w.TW.certificate(w).State)
				}
				if v := w.TW.certificate(w).Dealings.Verifications; len(v) != 1 || v[0].Result != test.result || v[0].Reply != reply.Message.MessageID {
					t.Errorf("TW keeps %+v", v)
				}
				if _, err := w.KR.ReplyVerification(context.Background(), "issuer", byReference, d); !errors.Is(err, exchange.ErrNotOpen) {
					t.Errorf("replied twice: %v", err)
				}
				time.Sleep(time.Minute)
				said, err := w.TW.Respond(context.Background(), "officer", byReference, used(eco.CustomsDenied))
				w.must(err)
				if m := w.TW.ends(w, said.Message); m.State != exchange.StateDelivered || w.KR.certificate(w).State != exchange.CertificateDenied {
					t.Errorf("denied in the end: %s %+v, KR has it %s", m.State, m.Reason, w.KR.certificate(w).State)
				}
			})
		})
	}
}

func TestBusinessMessageThatIsNotAgreed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{kr: without, tw: without})
	request, _ := w.composed(sample(t))
	w.TW.receive(w, request)
	if _, err := w.TW.Respond(context.Background(), "officer", byReference, used(eco.CustomsUsedUp)); !errors.Is(err, exchange.ErrNotAgreed) {
		t.Errorf("response: %v", err)
	}
}

// without leaves the customs response out of the agreements.
func without(c *config.Config) {
	for i := range c.Agreements {
		c.Agreements[i].Actions.Response = partners.ActionNone
	}
}

// businessDraft is a message of one party to another that says what document says.
func (w *world) businessDraft(from, to, cpa, action, about string, document []byte, key signing.Key) *draft {
	w.Helper()
	id := uuid.NewString() + "@" + from
	return &draft{
		header: &ebms.Message{
			From:  ebms.Party{IDs: []ebms.PartyID{{Type: "urn:ecogate:party", Value: from}}},
			To:    ebms.Party{IDs: []ebms.PartyID{{Type: "urn:ecogate:party", Value: to}}},
			CPAID: cpa, ConversationID: "c1", RefToMessageID: about, Service: ebms.Service{Type: "urn:ecogate:services", Value: "CertificateOfOrigin"}, Action: action,
			MessageID: id, Timestamp: w.now(), TimeToLive: w.now().Add(time.Hour), DuplicateElimination: true, AckRequested: &ebms.AckRequested{Signed: true},
			Manifest: []ebms.ManifestReference{{Href: ebms.CIDToHref("bm-" + id)}},
		},
		parts: []ebms.Part{{ContentID: "bm-" + id, ContentType: ubl.MediaType, Content: ebms.Bytes(document)}},
		key:   key,
	}
}

// signedAs puts a document's signature into it.
func (w *world) signedAs(document ubl.Document, unsigned []byte, err error, key signing.Key) []byte {
	w.Helper()
	w.must(err)
	signed, err := signing.SignDocument(unsigned, document.SignaturePath(), key)
	w.must(err)
	return signed
}

// statementOf is one about the sample.
func (w *world) statementOf(reference string) eco.Statement {
	c := sample(w)
	return eco.Statement{
		ID: "S-1", IssueTime: w.now().UTC(), Authority: eco.Authority{Name: "CUSTOMS", Country: "TW"},
		Certificate: eco.CertificateID{IssuingCountry: c.IssuingCountry, Form: c.Form, Reference: reference, IssuingBody: c.IssuingBody.ID},
	}
}

// questionOfVN asks TW where a certificate stands.
func (w *world) questionOfVN(reference string) *draft {
	w.Helper()
	unsigned, err := ubl.MarshalStatusRequest(eco.StatusRequest{Statement: w.statementOf(reference)}, eco.DefaultForms())
	return w.businessDraft(vnParty, "TW-HUB", vnCPA, partners.DefaultStatusRequestAction, "", w.signedAs(ubl.DocumentStatusRequest, unsigned, err, w.VN.message), w.VN.message)
}

func TestBusinessMessagesAreHeldToWhatTheyAreAbout(t *testing.T) {
	t.Parallel()
	type given struct {
		r      eco.CustomsResponse
		sign   func([]byte) []byte
		header func(*ebms.Message)
	}
	for _, test := range []struct {
		name string
		make func(w *world, g *given)
		code ebms.Code // empty: accepted
	}{
		{"right", func(*world, *given) {}, ""},
		{"about an unknown certificate", func(_ *world, g *given) { g.r.Certificate.Reference = "001-26-0000000" }, ebms.CodeValueNotRecognized},
		{"about a certificate of another country", func(_ *world, g *given) { g.r.Certificate.IssuingCountry = "VN" }, ebms.CodeValueNotRecognized},
		{"of another issuing body", func(_ *world, g *given) { g.r.Certificate.IssuingBody = "OTHER" }, ebms.CodeInconsistent},
		{"of a form that is not agreed", func(_ *world, g *given) { g.r.Certificate.Form = eco.FormATIGA }, ebms.CodeValueNotRecognized},
		{"about an item that is not there", func(_ *world, g *given) { g.r.Items[0].Item = 9 }, ebms.CodeInconsistent},
		{"that breaks its rules", func(_ *world, g *given) { g.r.Items[0].Status = eco.CustomsDenied }, ebms.CodeInconsistent},
		{"unsigned document", func(_ *world, g *given) { g.sign = func(b []byte) []byte { return b } }, ebms.CodeSecurityFailure},
		{"document of another partner", func(w *world, g *given) {
			g.sign = func(b []byte) []byte { return w.signedAs(ubl.DocumentResponse, b, nil, w.VN.message) }
		}, ebms.CodeSecurityFailure},
		{"document changed", func(w *world, g *given) {
			sign := g.sign
			g.sign = func(b []byte) []byte { return replace(">12<", ">8<")(sign(b)) }
		}, ebms.CodeSecurityFailure},
		{"another document", func(w *world, g *given) {
			g.sign = func([]byte) []byte {
				unsigned, err := ubl.MarshalStatusRequest(eco.StatusRequest{Statement: w.statementOf("001-26-0912345")}, eco.DefaultForms())
				return w.signedAs(ubl.DocumentStatusRequest, unsigned, err, w.TW.key(w, partners.UseMessageSignature, ""))
			}
		}, ebms.CodeSecurityFailure},
		{"no acknowledgment asked for", func(_ *world, g *given) { g.header = func(m *ebms.Message) { m.AckRequested = nil } }, ebms.CodeInconsistent},
		{"a number in an order", func(_ *world, g *given) { g.header = func(m *ebms.Message) { m.Order = &ebms.MessageOrder{} } }, ebms.CodeInconsistent},
		{"a status report that nobody asked for", func(w *world, g *given) {
			g.header = func(m *ebms.Message) { m.Action, m.RefToMessageID = partners.DefaultStatusReportAction, "x@kr" }
			g.sign = func([]byte) []byte {
				unsigned, err := ubl.MarshalStatusReport(eco.StatusReport{Statement: w.statementOf("001-26-0912345"), Request: "Q-1", Standing: eco.StandingUnknown}, eco.DefaultForms())
				return w.signedAs(ubl.DocumentStatusReport, unsigned, err, w.TW.key(w, partners.UseMessageSignature, ""))
			}
		}, ebms.CodeValueNotRecognized},
		{"a verification of an unknown certificate", func(w *world, g *given) {
			g.header = func(m *ebms.Message) { m.Action = partners.DefaultVerificationRequestAction }
			g.sign = func([]byte) []byte {
				unsigned, err := ubl.MarshalVerificationRequest(eco.VerificationRequest{Statement: w.statementOf("X1"), Ground: eco.VerifyAtRandom}, eco.DefaultForms())
				return w.signedAs(ubl.DocumentVerificationRequest, unsigned, err, w.TW.key(w, partners.UseMessageSignature, ""))
			}
		}, ebms.CodeValueNotRecognized},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, setup{})
			w.composed(sample(t))
			key := w.TW.key(w, partners.UseMessageSignature, "")
			g := given{
				r:      eco.CustomsResponse{Statement: w.statementOf("001-26-0912345"), Items: used(eco.CustomsUsedUp).Items},
				sign:   func(b []byte) []byte { return w.signedAs(ubl.DocumentResponse, b, nil, key) },
				header: func(*ebms.Message) {},
			}
			test.make(w, &g)
			unsigned, err := ubl.MarshalCustomsResponse(g.r, eco.DefaultForms())
			w.must(err)
			d := w.businessDraft("TW-HUB", "KR-HUB", krtwCPA, partners.DefaultResponseAction, "", g.sign(unsigned), key)
			g.header(d.header)
			request := d.request(w)
			w.KR.receive(w, request)
			in := w.KR.message(w, exchange.MessageQuery{Direction: exchange.Inbound})
			state := exchange.CertificateReleased
			if test.code == "" {
				state = exchange.CertificateUsedUp
				w.KR.receive(w, request) // a copy
				if in = w.KR.message(w, exchange.MessageQuery{Direction: exchange.Inbound}); in.Copies != 1 || in.Reply == 0 {
					t.Errorf("copies %d, reply %d", in.Copies, in.Reply)
				}
			}
			if got := w.KR.certificate(w); got.State != state || got.Revision > 1 {
				t.Errorf("certificate %s, changed %d times; want %s", got.State, got.Revision, state)
			}
			if (in.State == exchange.StateAccepted) != (test.code == "") || test.code != "" && in.Reason.Code != string(test.code) {
				t.Errorf("%s %+v, want %q", in.State, in.Reason, test.code)
			}
		})
	}
}

func TestReplyBeforeItsRequestIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	request, _ := w.composed(sample(t))
	w.TW.receive(w, request)
	reply := eco.VerificationReply{Statement: w.statementOf("001-26-0912345"), Request: "V-1", Requestor: eco.Authority{Name: "CUSTOMS", Country: "TW"}, Result: eco.VerifiedConfirmed}
	unsigned, err := ubl.MarshalVerificationReply(reply, eco.DefaultForms())
	document := w.signedAs(ubl.DocumentVerificationReply, unsigned, err, w.KR.key(w, partners.UseDocumentSignature, "KCCI"))
	d := w.businessDraft("KR-HUB", "TW-HUB", krtwCPA, partners.DefaultVerificationReplyAction, "never@tw", document, w.KR.key(w, partners.UseMessageSignature, ""))
	w.TW.receive(w, d.request(w))
	in := w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Inbound})[0]
	if in.State != exchange.StateQuarantined || in.Reason.Code != string(ebms.CodeValueNotRecognized) {
		t.Errorf("%s %+v", in.State, in.Reason)
	}
}

func TestCancellationsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		used   bool
		change func(*eco.Certificate)
		action string
		code   ebms.Code // empty: accepted
	}{
		{"right", false, func(*eco.Certificate) {}, partners.DefaultCancelAction, ""},
		{"by the action of certificates", false, func(*eco.Certificate) {}, "Submit", ""},
		{"of what was used", true, func(*eco.Certificate) {}, partners.DefaultCancelAction, ebms.CodeInconsistent},
		{"of what was never received", false, func(c *eco.Certificate) { c.Reference = "001-26-0000000" }, partners.DefaultCancelAction, ebms.CodeValueNotRecognized},
		{"by a document that cancels nothing", false, func(c *eco.Certificate) { c.Status, c.Related = "", nil }, partners.DefaultCancelAction, ebms.CodeInconsistent},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, setup{})
			request, _ := w.composed(sample(t))
			w.TW.receive(w, request)
			if test.used {
				_, err := w.TW.Respond(context.Background(), "officer", byReference, used(eco.CustomsUsedUp))
				w.must(err)
			}
			was := w.TW.certificate(w).State
			c := eco.Cancellation(sample(t), "")
			test.change(&c)
			d := w.certificateDraft(c)
			d.header.Action = test.action
			w.TW.receive(w, d.request(w))
			in := w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Inbound})[0]
			want := exchange.CertificateCancelled
			if test.code != "" {
				want = was
			}
			if got := w.TW.certificate(w).State; got != want || (in.State == exchange.StateAccepted) != (test.code == "") || test.code != "" && in.Reason.Code != string(test.code) {
				t.Errorf("certificate %s, message %s %+v; want %s and %q", got, in.State, in.Reason, want, test.code)
			}
		})
	}
}

// A cancellation that the partner refuses, because goods were cleared while it travelled, leaves the certificate as it was: used.
func TestCancellationThatCrossesAUseIsUndone(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		w.arrived()
		w.KR.out.will(swallow)
		all, err := w.KR.Cancel(context.Background(), "issuer", byReference, "")
		w.must(err)
		if w.KR.certificate(w).State != exchange.CertificateCancelled {
			t.Errorf("KR has it %s", w.KR.certificate(w).State)
		}
		said, err := w.TW.Respond(context.Background(), "officer", byReference, used(eco.CustomsUsedInPart))
		w.must(err)
		if m := w.TW.ends(w, said.Message); m.State != exchange.StateDelivered {
			t.Errorf("response %s %+v", m.State, m.Reason)
		}
		if m := w.KR.ends(w, all[0].Message); m.State != exchange.StateFailed || !strings.Contains(m.Reason.Cause, "Inconsistent") {
			t.Errorf("cancellation %s %+v", m.State, m.Reason)
		}
		if kr, tw := w.KR.certificate(w).State, w.TW.certificate(w).State; kr != exchange.CertificateUsedInPart || tw != exchange.CertificateUsedInPart {
			t.Errorf("KR %s, TW %s", kr, tw)
		}
	})
}
