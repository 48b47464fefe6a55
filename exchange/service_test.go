package exchange_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/partners"
)

// syncModes are where answers travel.
var syncModes = []string{partners.SyncReplyNone, partners.SyncReplySignals, partners.SyncReplyBusinessSignals, partners.SyncReplyResponse, partners.SyncReplyBoth}

func TestSyncReplyModesSayWhatTravelsInTheResponse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		mode    string
		kind    exchange.Kind // of what answers
		answers []eco.AnswerKind
	}{
		{partners.SyncReplyNone, exchange.KindAcknowledgment, nil},
		{partners.SyncReplySignals, exchange.KindAcknowledgment, nil},
		{partners.SyncReplyBusinessSignals, exchange.KindAnswer, []eco.AnswerKind{eco.AnswerReceived}},
		{partners.SyncReplyResponse, exchange.KindAnswer, []eco.AnswerKind{eco.AnswerAccepted}},
		{partners.SyncReplyBoth, exchange.KindAnswer, []eco.AnswerKind{eco.AnswerReceived, eco.AnswerAccepted}},
	} {
		t.Run(test.mode, func(t *testing.T) {
			bubble(t, setup{pair: pair.Options{SyncReply: test.mode}}, func(w *world) {
				w.KR.out.will(loseReply) // a copy gets the stored answer, byte for byte
				sent := w.settled(w.submit(sample(t)).Message.MessageID)
				if sent.State != exchange.StateDelivered {
					t.Fatalf("%s %+v", sent.State, sent.Reason)
				}
				posts := w.KR.out.posted()
				last := posts[len(posts)-1].answer
				if synchronous := test.mode != partners.SyncReplyNone; (last.Status == 200) != synchronous || (len(w.TW.out.posted()) == 0) != synchronous {
					t.Errorf("answered %d, %d messages of its own", last.Status, len(w.TW.out.posted()))
				}
				reply := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Outbound})
				in := w.KR.message(w, exchange.MessageQuery{Direction: exchange.Inbound})
				if reply.Kind != test.kind || in.Kind != test.kind || in.MessageID != reply.MessageID || sent.SettledBy != reply.MessageID {
					t.Errorf("%s answered, %s received, settled by %q", reply.Kind, in.Kind, sent.SettledBy)
				}
				var said []eco.AnswerKind
				for _, a := range in.Answers {
					said = append(said, a.Kind)
				}
				if !slices.Equal(said, test.answers) {
					t.Errorf("answers %q, want %q", said, test.answers)
				}
				if c := w.KR.certificate(w); c.State != arrivedAs(test.mode) {
					t.Errorf("exported certificate is %s", c.State)
				}
			})
		})
	}
}

func TestAnswerToACertificateInConflictIsARejection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{pair: pair.Options{SyncReply: partners.SyncReplyBoth}})
	for i, want := range []eco.AnswerKind{eco.AnswerAccepted, eco.AnswerRejected} {
		c := sample(t)
		c.Remarks = strings.Repeat("x", i+1)
		d := w.certificateDraft(c)
		d.header.SyncReply = true
		w.TW.receive(w, d.request(w))
		replies := w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Outbound})
		if got := replies[0].Answers[1].Kind; got != want {
			t.Errorf("certificate %d is %s, want %s", i+1, got, want)
		}
	}
}

// answerFrom has TW answer a certificate of KR in a message of its own.
func (w *world) answerFrom(request ebms.Request) *draft {
	w.Helper()
	reply := w.TW.receive(w, request)
	pkg, err := ebms.ReadPackage(reply.ContentType, ebms.Bytes(reply.Body), ebms.Limits{})
	w.must(err)
	m, err := ebms.Parse(pkg.Envelope)
	w.must(err)
	return &draft{header: m, parts: pkg.Parts, key: w.TW.key(w, partners.UseMessageSignature, "")}
}

func TestAnswersThatComeByThemselvesAreHeldToTheCertificate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		make func(w *world, d *draft)
		code ebms.Code // empty: accepted
	}{
		{"right", func(*world, *draft) {}, ""},
		{"asks for an acknowledgment", func(_ *world, d *draft) { d.header.AckRequested = &ebms.AckRequested{Signed: true} }, ""},
		{"without acknowledgment", func(_ *world, d *draft) { d.header.Acknowledgment = nil }, ""},
		{"acknowledges other digests", func(_ *world, d *draft) { d.header.Acknowledgment.References[0].DigestValue = "AAAA" }, ""},
		{"about a message that was not sent", func(_ *world, d *draft) { d.header.RefToMessageID = "other@kr" }, ebms.CodeValueNotRecognized},
		{"about no message", func(_ *world, d *draft) { d.header.RefToMessageID = "" }, ebms.CodeValueNotRecognized},
		{"no answer in it", func(_ *world, d *draft) { d.parts, d.header.Manifest = nil, nil }, ebms.CodeMimeProblem},
		{"something else in it", func(_ *world, d *draft) { d.parts[0].Content = ebms.Bytes([]byte("<a/>")) }, ebms.CodeOtherXML},
		{"about another certificate", func(_ *world, d *draft) {
			d.parts[0].Content = ebms.Bytes(replace("001-26-0912345", "001-26-0912346")(octets(d.parts[0].Content)))
		}, ebms.CodeInconsistent},
		{"unsigned", func(_ *world, d *draft) { d.key.Signer = nil }, ebms.CodeSecurityFailure},
		{"signed by another partner", func(w *world, d *draft) { d.key = w.VN.message }, ebms.CodeSecurityFailure},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, setup{pair: pair.Options{SyncReply: partners.SyncReplyResponse}})
			request, sent := w.composed(sample(t))
			d := w.answerFrom(request)
			acknowledges := d.header.Acknowledgment != nil
			test.make(w, d)
			w.KR.receive(w, d.request(w))
			in := w.KR.message(w, exchange.MessageQuery{Direction: exchange.Inbound})
			if test.code != "" {
				if in.State != exchange.StateQuarantined || in.Reason.Code != string(test.code) {
					t.Errorf("%s %+v, want quarantined %s", in.State, in.Reason, test.code)
				}
				// The acknowledgment beside an answer that is not usable was verified all the same.
				proves := test.code != ebms.CodeSecurityFailure
				if got := w.KR.message(w, exchange.MessageQuery{MessageID: sent.MessageID}); (got.State == exchange.StateDelivered) != proves {
					t.Errorf("the message is %s, its acknowledgment was verified: %t", got.State, proves)
				}
				return
			}
			if in.State != exchange.StateAccepted || in.Kind != exchange.KindAnswer || len(in.Answers) != 1 || in.Answers[0].Kind != eco.AnswerAccepted {
				t.Errorf("%s %s %+v %+v", in.Kind, in.State, in.Answers, in.Reason)
			}
			valid := acknowledges && d.header.Acknowledgment != nil && d.header.Acknowledgment.References[0].DigestValue != "AAAA"
			if got := w.KR.message(w, exchange.MessageQuery{MessageID: sent.MessageID}); (got.State == exchange.StateDelivered) != valid {
				t.Errorf("the message is %s, its bundled acknowledgment proves receipt: %t", got.State, valid)
			}
			if (in.Reply != 0) != (d.header.AckRequested != nil) {
				t.Errorf("acknowledged: %t", in.Reply != 0)
			}
		})
	}
}

func TestAcknowledgmentBundledWithACertificateSettles(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		spoil  func(*ebms.Acknowledgment)
		state  exchange.State // of the message that it is about
		stored bool
	}{
		{"right", func(*ebms.Acknowledgment) {}, exchange.StateDelivered, true},
		{"of other digests", func(a *ebms.Acknowledgment) { a.References[0].DigestValue = "AAAA" }, exchange.StateQueued, true},
		{"of an unknown message", func(a *ebms.Acknowledgment) { a.RefToMessageID = "unknown@kr" }, exchange.StateQueued, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, setup{})
			request, sent := w.composed(sample(t))
			ack := w.acknowledgmentDraft(request).header.Acknowledgment
			test.spoil(ack)
			d := w.certificateDraft(foreign(t))
			d.header.From, d.header.To = d.header.To, d.header.From
			d.header.Acknowledgment = ack
			d.key = w.TW.key(w, partners.UseMessageSignature, "")
			d.content(w.document(foreign(t), w.TW.key(w, partners.UseDocumentSignature, "BOFT")))
			w.KR.receive(w, d.request(w))
			in := w.KR.message(w, exchange.MessageQuery{Direction: exchange.Inbound})
			if in.State != exchange.StateAccepted {
				t.Fatalf("certificate message is %s: %+v", in.State, in.Reason)
			}
			if got := w.KR.message(w, exchange.MessageQuery{MessageID: sent.MessageID}); got.State != test.state {
				t.Errorf("the message is %s, want %s", got.State, test.state)
			}
		})
	}
}

func TestPingIsAnswered(t *testing.T) {
	t.Parallel()
	for _, mode := range syncModes {
		t.Run(mode, func(t *testing.T) {
			bubble(t, setup{pair: pair.Options{SyncReply: mode}}, func(w *world) {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				got, err := w.KR.Ping(ctx, "operator", "TW", "")
				if err != nil {
					t.Fatal(err)
				}
				pong := w.KR.message(w, exchange.MessageQuery{Direction: exchange.Inbound})
				if pong.Kind != exchange.KindPong || pong.RefToMessageID != got.MessageID || got.Signer == "" || got.Signer != pong.Signer {
					t.Errorf("%+v, answered by %+v", got, pong)
				}
				time.Sleep(time.Minute) // whatever is due is sent by then
				if n := len(w.KR.out.posted()); n != 1 {
					t.Errorf("posted %d times, a Ping is sent once", n)
				}
				if answer := w.KR.out.posted()[0].answer; (answer.Status == 200) != (mode != partners.SyncReplyNone) {
					t.Errorf("answered %d", answer.Status)
				}
			})
		})
	}
}

func TestPingSaysWhyThereIsNoAnswer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, partner, cpa string
		fate               fate
		tw                 func(*config.Config)
		is                 error
		says               string
	}{
		{"down", "TW", "", down, nil, exchange.ErrNoAnswer, "connection refused"},
		{"404", "TW", "", status(404), nil, exchange.ErrNoAnswer, "HTTP status 404"},
		{"page", "TW", "", answer(html), nil, exchange.ErrNoAnswer, "answer not usable"},
		{"taken and not answered", "TW", "", swallow, nil, exchange.ErrNoAnswer, "HTTP 204 came at once, and no Pong"},
		{"refused", "TW", "", deliver, func(c *config.Config) { c.Agreements[0].Ping = new(false) }, exchange.ErrNoAnswer, "it refused the ping: NotSupported"},
		{"unknown partner", "XX", "", deliver, nil, partners.ErrUnknownPartner, `"XX"`},
		{"unknown agreement", "TW", "urn:other", deliver, nil, partners.ErrUnknownCPA, "urn:other"},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, setup{tw: test.tw}, func(w *world) {
				w.KR.out.usually(test.fate)
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				_, err := w.KR.Ping(ctx, "operator", test.partner, test.cpa)
				if !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.says) {
					t.Errorf("%v, want %v with %q", err, test.is, test.says)
				}
				time.Sleep(10 * time.Minute) // whatever is due is sent by then
				for _, m := range w.KR.messages(w, exchange.MessageQuery{Direction: exchange.Outbound}) {
					want := exchange.StateDelivered
					if test.name == "refused" || len(m.Log) == 1 && m.Log[0].Status/100 != 2 {
						want = exchange.StateFailed
					}
					if m.State != want || len(m.Log) != 1 || m.Attempts != 1 {
						t.Errorf("the ping is %s after %d attempts: %+v", m.State, m.Attempts, m.Log)
					}
				}
			})
		})
	}
}

func TestPingThatIsGivenUpSuspendsNothing(t *testing.T) {
	t.Parallel()
	bubble(t, setup{options: breaking}, func(w *world) {
		w.KR.out.usually(func(ebms.Outgoing, func([]byte) ebms.Response) (ebms.Response, error) {
			time.Sleep(time.Minute)
			return ebms.Response{}, context.DeadlineExceeded
		})
		for range 5 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			_, err := w.KR.Ping(ctx, "operator", "TW", "")
			cancel()
			if !errors.Is(err, exchange.ErrNoAnswer) || !strings.Contains(err.Error(), "no HTTP response within 1m0s") {
				t.Errorf("%v", err)
			}
		}
		if list, err := w.KR.Partners(context.Background()); err != nil || list[0].Failures != 0 {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

func TestOnlyTheSenderLearnsTheStatusOfAMessage(t *testing.T) {
	t.Parallel()
	bubble(t, both(ordered), func(w *world) {
		ask := func(id string) exchange.MessageStatus {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			got, err := w.KR.AskStatus(ctx, "officer", "TW", id)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		foreignID := w.takeFromVN()
		if got := ask(foreignID); got.Status != "UnAuthorized" || !got.Received.IsZero() {
			t.Errorf("message of another partner: %+v, want UnAuthorized", got)
		}
		if got := ask("nothing@kr"); got.Status != "NotRecognized" || !got.Received.IsZero() {
			t.Errorf("unknown message: %+v, want NotRecognized", got)
		}
		waiting := w.certificateDraft(sample(t))
		waiting.header.Order = &ebms.MessageOrder{Sequence: 1}
		w.TW.receive(w, waiting.request(w))
		if got := ask(waiting.header.MessageID); got.Status != "Received" || got.Received.IsZero() {
			t.Errorf("message that waits: %+v, want Received", got)
		}
		sent := w.settled(w.submit(numbered(sample(t), 1)).Message.MessageID)
		if got := ask(sent.MessageID); got.Status != "Processed" || got.Received.IsZero() {
			t.Errorf("accepted message: %+v, want Processed", got)
		}
	})
}

func TestErrorsAndAcknowledgmentsGoToEndpointsOfTheirOwn(t *testing.T) {
	t.Parallel()
	apart := func(c *config.Config) {
		c.Agreements[0].AckEndpoint, c.Agreements[0].ErrorEndpoint = "https://127.0.0.1:1/acks", "https://127.0.0.1:1/errors"
	}
	bubble(t, setup{tw: apart}, func(w *world) {
		w.settled(w.submit(sample(t)).Message.MessageID)
		refused := w.certificateDraft(numbered(sample(t), 1))
		refused.header.TimeToLive = w.now().Add(-time.Minute)
		refused.header.Timestamp = w.now().Add(-time.Hour)
		w.TW.receive(w, refused.request(w))
		w.until(time.Minute, "posted", func() bool { return len(w.TW.out.posted()) == 2 })
		var urls []string
		for _, p := range w.TW.out.posted() {
			urls = append(urls, p.URL)
		}
		if want := []string{"https://127.0.0.1:1/acks", "https://127.0.0.1:1/errors"}; !slices.Equal(urls, want) {
			t.Errorf("posted to %q, want %q", urls, want)
		}
	})
}

// foreign is a certificate that TW issues.
func foreign(tb testing.TB) eco.Certificate {
	c := sample(tb)
	c.IssuingCountry, c.ExportingCountry, c.OriginCountry, c.ImportingCountry = "TW", "TW", "TW", "KR"
	c.IssuingBody.ID = "BOFT"
	return c
}

// takeFromVN has TW accept a message of VN, and returns its MessageId.
func (w *world) takeFromVN() string {
	w.Helper()
	c := sample(w)
	c.IssuingCountry, c.ExportingCountry, c.OriginCountry = "VN", "VN", "VN"
	c.IssuingBody.ID = "VCCI"
	d := w.certificateDraft(c)
	d.header.From.IDs[0].Value, d.header.CPAID = vnParty, vnCPA
	d.key = w.VN.message
	d.content(w.document(c, w.VN.document))
	w.TW.receive(w, d.request(w))
	return d.header.MessageID
}
