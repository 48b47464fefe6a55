package exchange_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/partners"
)

// The eight combinations of ebMS 2.0 §6.6. Those in which the next message service acknowledges are not supported: the
// receiver says so, whoever on the way asked for it, and the message ends in a state that an operator sees.
func TestCombinationsOfReliableMessaging(t *testing.T) {
	t.Parallel()
	for i, test := range []struct {
		duplicateElimination, ackRequested, hop bool
		state                                   exchange.State
		certificate                             exchange.CertificateState
	}{
		{true, true, true, exchange.StateFailed, exchange.CertificateFailed},
		{true, true, false, exchange.StateDelivered, exchange.CertificateReceipted},
		{true, false, true, exchange.StateFailed, exchange.CertificateFailed},
		{true, false, false, exchange.StateDelivered, exchange.CertificateSent},
		{false, true, true, exchange.StateFailed, exchange.CertificateFailed},
		{false, true, false, exchange.StateDelivered, exchange.CertificateReceipted},
		{false, false, true, exchange.StateFailed, exchange.CertificateFailed},
		{false, false, false, exchange.StateDelivered, exchange.CertificateSent},
	} {
		t.Run(fmt.Sprint("combination ", i+1), func(t *testing.T) {
			agree := func(c *config.Config) {
				a := &c.Agreements[0]
				a.DuplicateElimination, a.AckRequested, a.AckSigned = &test.duplicateElimination, &test.ackRequested, &test.ackRequested
			}
			bubble(t, both(agree), func(w *world) {
				w.KR.out.usually(func(out ebms.Outgoing, deliver func([]byte) ebms.Response) (ebms.Response, error) {
					body := octets(out.Body)
					if test.hop {
						body = bytes.Replace(body, []byte("<ds:Signature "), []byte(hopRequest+"<ds:Signature "), 1)
					}
					deliver(body)
					return deliver(body), nil // whatever the agreement, what the network doubles is stored once
				})
				id := w.submit(sample(t)).Message.MessageID
				var m exchange.Message
				w.until(48*60*60*1e9, "ended", func() bool {
					m = w.KR.message(w, exchange.MessageQuery{MessageID: id, Direction: exchange.Outbound})
					return m.State == test.state
				})
				if c := w.KR.certificate(w); c.State != test.certificate {
					t.Errorf("exported certificate is %s, want %s", c.State, test.certificate)
				}
				if test.hop {
					if m.Reason.Code != string(ebms.CodeNotSupported) || len(w.TW.certificates(w)) != 0 {
						t.Errorf("%+v, %d certificates taken", m.Reason, len(w.TW.certificates(w)))
					}
					return
				}
				in := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Inbound, State: exchange.StateAccepted})
				if in.Copies < 1 || (in.Reply != 0) != test.ackRequested || w.TW.certificate(w).State != exchange.CertificateAvailable {
					t.Errorf("%d copies, reply %d, certificate %s", in.Copies, in.Reply, w.TW.certificate(w).State)
				}
				body := string(octets(w.KR.out.posted()[0].Body))
				if strings.Contains(body, "<eb:DuplicateElimination") != test.duplicateElimination || strings.Contains(body, "<eb:AckRequested") != test.ackRequested {
					t.Error("the message asks for something else than was agreed")
				}
			})
		})
	}
}

func TestAcknowledgmentsAreSignedWhereEveryMessageIs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ signature, ack, signed bool }{{true, false, true}, {false, true, true}, {false, false, false}} {
		t.Run(fmt.Sprintf("messages %t, acknowledgments %t", test.signature, test.ack), func(t *testing.T) {
			agree := func(c *config.Config) {
				c.Agreements[0].SignatureRequired, c.Agreements[0].AckSigned = &test.signature, &test.ack
			}
			bubble(t, both(agree), func(w *world) {
				if m := w.settled(w.submit(sample(t)).Message.MessageID); m.State != exchange.StateDelivered {
					t.Fatalf("%s %+v", m.State, m.Reason)
				}
				ack := w.KR.message(w, exchange.MessageQuery{Direction: exchange.Inbound})
				if (ack.Signer != "") != test.signed {
					t.Errorf("signed by %q", ack.Signer)
				}
			})
		})
	}
}

func TestStormOfCopiesStoresOneAndAnswersAllAlike(t *testing.T) {
	t.Parallel()
	const copies = 1000
	for _, mode := range []string{partners.SyncReplyNone, partners.SyncReplySignals, partners.SyncReplyBoth} {
		t.Run(mode, func(t *testing.T) {
			w := newWorld(t, setup{pair: pair.Options{SyncReply: mode}})
			request, _ := w.composed(sample(t))
			replies := make([]ebms.Reply, copies)
			var running sync.WaitGroup
			for i := range copies {
				running.Go(func() { replies[i] = w.TW.Receive(t.Context(), request) })
			}
			running.Wait()
			for i, r := range replies {
				if r.Status != replies[0].Status || r.Status/100 != 2 || !bytes.Equal(r.Body, replies[0].Body) {
					t.Fatalf("copy %d answered %d, %d bytes; the first %d, %d bytes", i, r.Status, len(r.Body), replies[0].Status, len(replies[0].Body))
				}
			}
			in := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Inbound})
			if in.Copies != copies-1 || len(w.TW.certificates(w)) != 1 {
				t.Errorf("%d copies counted, %d certificates", in.Copies, len(w.TW.certificates(w)))
			}
			out := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Outbound})
			if mode != partners.SyncReplyNone && !bytes.Equal(replies[0].Body, w.TW.raw(w, out.Raw)) {
				t.Error("the answer is not the stored one")
			}
			if slices.Contains(w.TW.events(w), "message.inconsistent") {
				t.Error("a copy was taken for other content")
			}
		})
	}
}
