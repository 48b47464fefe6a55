package exchange_test

import (
	"context"
	"os"
	"runtime/debug"
	"testing"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/partners"
)

// Whatever signal a partner sends, no node answers a signal with one that the other answers again: after two days each has sent one
// message at most for each that came, and nothing is under way.
func TestTwoNodesFallSilent(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{partners.SyncReplyNone, partners.SyncReplyBoth} {
		t.Run(mode, func(t *testing.T) {
			bubble(t, setup{pair: pair.Options{SyncReply: mode}}, func(w *world) {
				sent := w.settled(w.submit(sample(t)).Message.MessageID)
				about := w.certificateDraft(numbered(sample(t), 1)).header
				about.From, about.To = about.To, about.From
				reply := w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Outbound})[0]
				options := func(id string) ebms.SignalOptions { return ebms.SignalOptions{MessageID: id + "@kr", Now: w.now()} }
				failure := ebms.NewErrorList(ebms.NewNotSupported("//Header", nil))
				about.MessageID = reply.MessageID
				drafts := []*ebms.Message{
					ebms.NewMessageError(about, failure, options("error-about-the-answer")),
					ebms.NewAcknowledgment(about, options("acknowledgment-of-the-answer")),
					ebms.NewPong(about, options("pong-about-the-answer")),
					ebms.NewStatusResponse(about, ebms.StatusResponse{RefToMessageID: "x@y", Status: ebms.StatusReceived}, options("status-of-nothing-asked")),
				}
				about.MessageID = sent.MessageID
				drafts = append(drafts, ebms.NewMessageError(about, failure, options("error-about-its-own")), ebms.NewPong(about, options("pong-about-its-own")))
				ping := w.certificateDraft(numbered(sample(t), 2))
				ping.asPing()
				drafts = append(drafts, ping.header)
				again := *ping.header
				again.ConversationID = "other"
				drafts = append(drafts, &again) // a MessageId that was used for other content
				before := len(w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Outbound}))
				for _, m := range drafts {
					d := &draft{header: m, key: w.KR.key(w, partners.UseMessageSignature, "")}
					w.TW.receive(w, d.request(w))
				}
				time.Sleep(72 * time.Hour)
				for _, side := range []*side{w.KR, w.TW} {
					for _, m := range side.messages(w, exchange.MessageQuery{Direction: exchange.Outbound}) {
						if !m.State.Terminal() {
							t.Errorf("%s still sends %s %q", side.id, m.Kind, m.MessageID)
						}
					}
				}
				if got := len(w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Outbound})) - before; got > len(drafts) {
					t.Errorf("TW sent %d messages for %d", got, len(drafts))
				}
				if got := w.KR.messages(w, exchange.MessageQuery{Direction: exchange.Outbound}); len(got) != 1 {
					t.Errorf("KR sent %d messages, it submitted one%s", len(got), w.KR.summary(w))
				}
			})
		})
	}
}

// Parts that had to be decoded lie in a file; whatever becomes of the message, it is given back.
func TestRefusedMessagesLeaveNoFileOpen(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skipf("open files cannot be counted: %v", err)
	}
	w := newWorld(t, setup{options: func(o *exchange.Options) { o.Limits.SpillBytes = 1 }})
	open := func() int {
		files, err := os.ReadDir("/proc/self/fd")
		w.must(err)
		return len(files)
	}
	w.TW.receive(w, w.certificateDraft(sample(t)).request(w)) // opens what the store keeps open
	before := open()
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which would close what was forgotten
	for _, name := range []string{"part-in-base64-of-other-octets", "part-added", "signed-document-is-none"} {
		header, body := readHostile(t, "../testdata/hostile/exchange/"+name+".http")
		request := w.hostileRequest(header, body)
		for range 20 {
			w.TW.receive(w, request)
		}
	}
	if after := open(); after > before {
		t.Errorf("%d files are open, %d were before", after, before)
	}
}

func TestRefusedMessageIsKeptThoughItsSenderHungUp(t *testing.T) {
	t.Parallel()
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	w := newWorld(t, setup{})
	d := w.certificateDraft(sample(t))
	d.key = w.VN.message
	w.TW.Receive(gone, d.request(w))
	w.TW.KeepRefused(gone, w.request("text/xml", []byte("<a>")), &ebms.RefusedError{Status: 408, Text: "The message took too long to arrive."})
	got := w.TW.messages(w, exchange.MessageQuery{State: exchange.StateQuarantined})
	if len(got) != 2 {
		t.Fatalf("%d messages are kept, want 2", len(got))
	}
	if told := got[0].Reason.Told; told != "The message took too long to arrive." {
		t.Errorf("the record says that the partner was told %q", told)
	}
}
