package exchange_test

import (
	"slices"
	"testing"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// forgery is a signal that must settle nothing, and the code under which it is kept.
type forgery struct {
	name string
	make func(w *world, d *draft)
	code ebms.Code
}

// forgedAcknowledgments start from the right acknowledgment.
func forgedAcknowledgments() []forgery {
	references := func(change func([]ebms.DigestReference) []ebms.DigestReference) func(*world, *draft) {
		return func(_ *world, d *draft) {
			d.header.Acknowledgment.References = change(d.header.Acknowledgment.References)
		}
	}
	return []forgery{
		{"unsigned", func(_ *world, d *draft) { d.key = signing.Key{} }, ebms.CodeSecurityFailure},
		{"signed by another partner", func(w *world, d *draft) { d.key = w.VN.message }, ebms.CodeSecurityFailure},
		{"signed by an issuing body", func(w *world, d *draft) {
			d.key = w.TW.key(w, partners.UseDocumentSignature, "BOFT")
		}, ebms.CodeSecurityFailure},
		{"from another partner", func(w *world, d *draft) {
			d.key, d.header.CPAID = w.VN.message, vnCPA
			d.header.From.IDs = []ebms.PartyID{{Type: "urn:ecogate:party", Value: vnParty}}
		}, ebms.CodeValueNotRecognized},
		{"in the name of another partner", func(_ *world, d *draft) {
			d.header.From.IDs = []ebms.PartyID{{Type: "urn:ecogate:party", Value: vnParty}}
		}, ebms.CodeInconsistent},
		{"of a message that was never sent", func(_ *world, d *draft) {
			d.header.RefToMessageID, d.header.Acknowledgment.RefToMessageID = "nothing@kr", "nothing@kr"
		}, ebms.CodeValueNotRecognized},
		{"other digest of the envelope", references(func(r []ebms.DigestReference) []ebms.DigestReference {
			r[0].DigestValue = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
			return r
		}), ebms.CodeSecurityFailure},
		{"other digest of the certificate", references(func(r []ebms.DigestReference) []ebms.DigestReference {
			r[1].DigestValue = r[0].DigestValue
			return r
		}), ebms.CodeSecurityFailure},
		{"other digest method", references(func(r []ebms.DigestReference) []ebms.DigestReference {
			r[1].DigestMethod = "http://www.w3.org/2001/04/xmlenc#sha512"
			return r
		}), ebms.CodeSecurityFailure},
		{"other part", references(func(r []ebms.DigestReference) []ebms.DigestReference {
			r[1].URI = "cid:other"
			return r
		}), ebms.CodeSecurityFailure},
		{"envelope only", references(func(r []ebms.DigestReference) []ebms.DigestReference { return r[:1] }), ebms.CodeSecurityFailure},
		{"certificate only", references(func(r []ebms.DigestReference) []ebms.DigestReference { return r[1:] }), ebms.CodeSecurityFailure},
		{"one reference more", references(func(r []ebms.DigestReference) []ebms.DigestReference {
			more := r[1]
			more.URI = "cid:more"
			return append(r, more)
		}), ebms.CodeSecurityFailure},
		{"no references", references(func([]ebms.DigestReference) []ebms.DigestReference { return nil }), ebms.CodeSecurityFailure},
		{"changed after it was signed", func(_ *world, d *draft) {
			d.tamper = func(p *ebms.Package) { p.Envelope = replace(">c1<", ">c2<")(p.Envelope) }
			d.header.ConversationID = "c1"
		}, ebms.CodeSecurityFailure},
	}
}

func TestForgedAcknowledgmentSettlesNothing(t *testing.T) {
	t.Parallel()
	for _, test := range forgedAcknowledgments() {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, setup{})
			request, sent := w.composed(sample(t))
			d := w.acknowledgmentDraft(request)
			d.header.MessageID = "forged@tw"
			test.make(w, d)
			if r := w.KR.receive(w, d.request(w)); r.Status != 204 || len(r.Body) > 0 {
				t.Errorf("answered %d %q, want 204 and nothing", r.Status, r.Body)
			}
			w.checkUnsettled(sent, exchange.StateQueued, test.code)
		})
	}
}

func TestForgedAcknowledgmentInTheResponseSettlesNothing(t *testing.T) {
	t.Parallel()
	for _, test := range forgedAcknowledgments() {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, setup{pair: pair.Options{SyncReply: partners.SyncReplySignals}}, func(w *world) {
				w.KR.out.will(func(out ebms.Outgoing, _ func([]byte) ebms.Response) (ebms.Response, error) {
					d := w.acknowledgmentDraft(w.request(out.ContentType, octets(out.Body)))
					d.header.MessageID = "forged@tw"
					for i := range d.header.Acknowledgment.References {
						d.header.Acknowledgment.References[i].XML = nil
					}
					test.make(w, d)
					r := d.request(w)
					return ebms.Response{Status: 200, ContentType: r.ContentType, Body: octets(r.Body)}, nil
				})
				sent := w.submit(sample(t)).Message
				w.until(30*time.Second, "taken", func() bool {
					return w.KR.message(w, exchange.MessageQuery{MessageID: sent.MessageID}).State == exchange.StateAwaiting
				})
				code := test.code
				if test.name == "of a message that was never sent" {
					code = ebms.CodeUnknown // an answer about something else is not looked at further
				}
				w.checkUnsettled(sent, exchange.StateAwaiting, code)
				if m := w.settled(sent.MessageID); m.State != exchange.StateDelivered || m.SettledBy == "forged@tw" {
					t.Errorf("%s by %s, want delivered by the right acknowledgment", m.State, m.SettledBy)
				}
			})
		})
	}
}

// checkUnsettled sees that a forged signal is kept for what it is and has changed nothing.
func (w *world) checkUnsettled(sent exchange.Message, state exchange.State, code ebms.Code) {
	w.Helper()
	kept := w.KR.message(w, exchange.MessageQuery{Direction: exchange.Inbound})
	if kept.State != exchange.StateQuarantined || kept.Reason == nil || kept.Reason.Code != string(code) || kept.Reason.Cause == "" {
		w.Errorf("signal kept as %s %+v, want quarantined %s with its cause", kept.State, kept.Reason, code)
	}
	// That it is the only outbound message says that nobody was answered.
	if m := w.KR.message(w, exchange.MessageQuery{Direction: exchange.Outbound}); m.State != state || m.MessageID != sent.MessageID {
		w.Errorf("message is %s, want %s", m.State, state)
	}
	if c := w.KR.certificate(w); c.State != exchange.CertificateReleased {
		w.Errorf("certificate is %s, want released", c.State)
	}
}

func TestErrorListOfThePartner(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		severity ebms.Severity
		change   func(w *world, d *draft)
		kept     exchange.State
		message  exchange.State
	}{
		{"error", ebms.SeverityError, nil, exchange.StateAccepted, exchange.StateFailed},
		{"warning", ebms.SeverityWarning, nil, exchange.StateAccepted, exchange.StateQueued},
		{"unsigned", ebms.SeverityError, func(_ *world, d *draft) { d.key = signing.Key{} }, exchange.StateQuarantined, exchange.StateQueued},
		{"signed by another partner", ebms.SeverityError, func(w *world, d *draft) { d.key = w.VN.message }, exchange.StateQuarantined, exchange.StateQueued},
		{"from another partner", ebms.SeverityError, func(w *world, d *draft) {
			d.key, d.header.CPAID = w.VN.message, vnCPA
			d.header.From.IDs = []ebms.PartyID{{Type: "urn:ecogate:party", Value: vnParty}}
		}, exchange.StateQuarantined, exchange.StateQueued},
		{"about a message that was never sent", ebms.SeverityError, func(_ *world, d *draft) { d.header.RefToMessageID = "nothing@kr" },
			exchange.StateQuarantined, exchange.StateQueued},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, setup{})
			_, sent := w.composed(sample(t))
			d := w.errorDraft(sent.MessageID, test.severity)
			if test.change != nil {
				test.change(w, d)
			}
			if r := w.KR.receive(w, d.request(w)); r.Status != 204 || len(r.Body) > 0 {
				t.Errorf("answered %d %q, want 204 and nothing: no error about an error", r.Status, r.Body)
			}
			if got := w.KR.message(w, exchange.MessageQuery{Direction: exchange.Inbound}); got.State != test.kept {
				t.Errorf("kept as %s %+v, want %s", got.State, got.Reason, test.kept)
			}
			m := w.KR.message(w, exchange.MessageQuery{Direction: exchange.Outbound})
			if m.State != test.message {
				t.Errorf("message is %s, want %s", m.State, test.message)
			}
			if refused := m.Reason != nil && m.Reason.Code == string(ebms.CodeNotSupported); refused != (test.message == exchange.StateFailed) {
				t.Errorf("reason %+v", m.Reason)
			}
		})
	}
}

func TestErrorListInTheResponseEndsDelivery(t *testing.T) {
	t.Parallel()
	withoutForm := func(s setup) setup { s.tw = refuseForm; return s }
	for _, test := range []struct {
		name  string
		setup setup
	}{
		{"in the response", setup{pair: pair.Options{SyncReply: partners.SyncReplySignals}}},
		{"as a message of its own", setup{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, withoutForm(test.setup), func(w *world) {
				m := w.settled(w.submit(sample(t)).Message.MessageID)
				if m.State != exchange.StateFailed || m.Reason.Code != string(ebms.CodeValueNotRecognized) || m.Attempts != 1 {
					t.Errorf("%s %+v after %d attempts, want failed after one", m.State, m.Reason, m.Attempts)
				}
				if c := w.KR.certificate(w); c.State != exchange.CertificateFailed {
					t.Errorf("certificate is %s, want failed", c.State)
				}
				if got := w.TW.certificates(w); len(got) != 0 {
					t.Errorf("TW stored %d certificates", len(got))
				}
			})
		})
	}
}

func TestErrorListAfterTheAcknowledgmentChangesNothing(t *testing.T) {
	w := newWorld(t, setup{})
	request, sent := w.composed(sample(t))
	w.KR.receive(w, w.acknowledgmentDraft(request).request(w))
	w.KR.receive(w, w.errorDraft(sent.MessageID, ebms.SeverityError).request(w))
	if m := w.KR.message(w, exchange.MessageQuery{Direction: exchange.Outbound}); m.State != exchange.StateDelivered || m.Reason != nil {
		t.Errorf("%s %+v, want delivered as before", m.State, m.Reason)
	}
}

func TestResponseThatIsNoSignalIsNoted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		answer func(w *world) ebms.Response
		noted  bool
	}{
		{"page", func(*world) ebms.Response { return html }, true},
		{"SOAP Fault", func(*world) ebms.Response { return fault }, true},
		{"nothing", func(*world) ebms.Response { return ebms.Response{Status: 200, ContentType: "text/html"} }, false},
		{"certificate", func(w *world) ebms.Response {
			r := w.certificateDraft(sample(t)).request(w)
			return ebms.Response{Status: 200, ContentType: r.ContentType, Body: octets(r.Body)}
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, setup{}, func(w *world) {
				w.KR.out.will(answer(test.answer(w)))
				id := w.submit(sample(t)).Message.MessageID
				var m exchange.Message
				w.until(10*time.Second, "taken", func() bool {
					m = w.KR.message(w, exchange.MessageQuery{MessageID: id})
					return m.State == exchange.StateAwaiting
				})
				if noted := m.Log[0].Problem != ""; noted != test.noted || m.Log[0].Status != 200 {
					t.Errorf("attempt %+v, want a problem noted: %v", m.Log[0], test.noted)
				}
				kept := w.KR.messages(w, exchange.MessageQuery{Direction: exchange.Inbound})
				if bad := slices.ContainsFunc(kept, func(m exchange.Message) bool { return m.State != exchange.StateQuarantined || m.Partner != "TW" }); bad || (len(kept) == 1) != test.noted {
					t.Errorf("kept %+v", kept)
				}
				if got := len(w.KR.certificates(w)); got != 1 {
					t.Errorf("%d certificates, want the exported one only", got)
				}
			})
		})
	}
}
