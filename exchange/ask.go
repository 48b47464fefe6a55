package exchange

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/partners"
)

// Ping is how a Ping went. ebMS 2.0 §8.
type Ping struct {
	Partner   string `json:"partner"`
	CPAID     string `json:"cpa_id"`
	Endpoint  string `json:"endpoint"`
	MessageID string `json:"message_id"`
	// Sent is when the Ping was posted, Status the HTTP status, Took the time until the HTTP answer had come.
	Sent   time.Time     `json:"sent"`
	Status int           `json:"status"`
	Took   time.Duration `json:"took_ns"`
	// Answered is when the Pong came, verified; RoundTrip is from Sent to then.
	Answered  time.Time     `json:"answered"`
	RoundTrip time.Duration `json:"round_trip_ns"`
	// Signer is the SHA-256 fingerprint of the credential that signed the Pong; empty if it is not signed.
	Signer string `json:"signer,omitempty"`
}

// MessageStatus is what a partner says of a message that was sent to it. ebMS 2.0 §7.
type MessageStatus struct {
	Partner   string `json:"partner"`
	MessageID string `json:"message_id"`
	// Status is UnAuthorized, NotRecognized, Received, Processed or Forwarded.
	Status string `json:"status"`
	// Received is when the partner received it, by the partner's clock; zero if it did not say.
	Received time.Time `json:"received,omitzero"`
	Answered time.Time `json:"answered"`
}

// ErrNoAnswer: a partner was asked and did not answer in time, or not in a way that can be used.
var ErrNoAnswer = errors.New("no answer from the partner")

// answerPoll is how often the store is asked whether an answer has come that travels in a message of its own.
const answerPoll = 100 * time.Millisecond

// Ping asks a partner's message service whether it is there, and waits for its Pong until ctx ends. It posts at once, whatever
// is queued, paused or suspended: it is how one finds out. cpaID chooses the agreement; empty takes the one that began last.
//
// Errors: partners.ErrUnknownPartner, partners.ErrUnknownCPA, partners.ErrNoAgreement; ErrNoAnswer with what was met, when the partner
// could not be reached, refused the Ping or did not answer it.
func (n *Node) Ping(ctx context.Context, actor, partner, cpaID string) (Ping, error) {
	agreement, err := n.registry.With(partner, cpaID, n.now())
	if err != nil {
		return Ping{}, err
	}
	asked, err := n.ask(ctx, actor, agreement, KindPing, ebms.NewPing)
	if err != nil {
		return Ping{}, err
	}
	return Ping{
		Partner: partner, CPAID: agreement.CPAID, Endpoint: agreement.Endpoint, MessageID: asked.request.MessageID,
		Sent: asked.sent, Status: asked.status, Took: asked.took,
		Answered: asked.reply.Created, RoundTrip: asked.reply.Created.Sub(asked.sent), Signer: asked.reply.Signer,
	}, nil
}

// AskStatus asks a partner what became of a message that was sent to it, and waits for the answer until ctx ends. The message
// need not be known here any more. Errors are those of Ping.
func (n *Node) AskStatus(ctx context.Context, actor, partner, messageID string) (MessageStatus, error) {
	sent, _, err := n.sent(ctx, partner, messageID)
	if err != nil {
		return MessageStatus{}, fmt.Errorf("finding message %q: %w", messageID, err)
	}
	agreement, err := n.registry.With(partner, sent.CPAID, n.now())
	if err != nil {
		return MessageStatus{}, err
	}
	asked, err := n.ask(ctx, actor, agreement, KindStatusRequest, func(q ebms.Inquiry) *ebms.Message { return ebms.NewStatusRequest(messageID, q) })
	if err != nil {
		return MessageStatus{}, err
	}
	said := asked.header.StatusResponse
	if said == nil || said.RefToMessageID != messageID {
		return MessageStatus{}, fmt.Errorf("%w: its StatusResponse is not about message %q", ErrNoAnswer, messageID)
	}
	return MessageStatus{
		Partner: partner, MessageID: messageID, Status: string(said.Status), Received: said.Timestamp, Answered: asked.reply.Created,
	}, nil
}

// asked is a request to a partner's message service with its answer.
type asked struct {
	request Message
	sent    time.Time
	status  int
	took    time.Duration
	reply   Message
	header  *ebms.Message
}

// ask sends one request and waits for its answer, in the HTTP response or in a message of its own.
func (n *Node) ask(ctx context.Context, actor string, a partners.Agreement, kind Kind, compose func(ebms.Inquiry) *ebms.Message) (asked, error) {
	now := n.now().UTC()
	own, their := parties(a)
	m := compose(ebms.Inquiry{
		From: own, To: their, CPAID: a.CPAID, ConversationID: uuid.NewString(), MessageID: n.newID(), Now: now,
		SyncReply: a.SyncReply != partners.SyncReplyNone,
	})
	d, err := n.seal(a, m, nil, a.SignatureRequired, now)
	if err != nil {
		return asked{}, fmt.Errorf("%s for %s: %w", kind, a.Partner, err)
	}
	// Nobody else sends it: when the lease ends, because this process did, its time is over too.
	d.Message.Kind, d.Message.Owner, d.Message.Expires, d.Lease = kind, n.owner, now, now.Add(n.lease)
	n.address(&d.Message, a)
	d.Audit = []AuditEntry{{At: now, Actor: actor, Event: "message." + string(kind), Subject: m.MessageID, Detail: "to " + a.Partner}}
	results, err := n.store.Enqueue(ctx, []Departure{d})
	if err == nil {
		err = results[0].Err
	}
	if err != nil {
		return asked{}, fmt.Errorf("recording %s for %s: %w", kind, a.Partner, err)
	}
	return n.postOnce(ctx, asked{request: results[0].Message}, d)
}

// settleQuestion records how the one attempt at a question ended.
func (n *Node) settleQuestion(ctx context.Context, m Message, attempt Attempt) {
	o := Outcome{Seq: m.Seq, Fence: m.Fence, Attempt: attempt, State: StateDelivered}
	if attempt.Status/100 != 2 {
		o.State = StateFailed
		o.Reason = &Reason{Code: string(ebms.CodeDeliveryFailure), Cause: shortened("the partner was not reached: " + attempt.Problem)}
	}
	n.settleAttempt(ctx, m, o)
}

// postOnce posts a request once and reads its answer.
func (n *Node) postOnce(ctx context.Context, q asked, d Departure) (asked, error) {
	q.sent = n.now().UTC()
	response, err := n.post.Post(ctx, q.request.Partner, ebms.Outgoing{
		URL: q.request.Endpoint, ContentType: q.request.ContentType, SOAPAction: q.request.SOAPAction, Body: d.Raw,
	})
	ended := n.now().UTC()
	q.status, q.took = response.Status, ended.Sub(q.sent)
	attempt := Attempt{Began: q.sent, Ended: ended, Status: response.Status}
	if err != nil {
		attempt.Problem = err.Error()
	} else if response.Status/100 != 2 {
		attempt.Problem = http.StatusText(response.Status)
	}
	n.settleQuestion(ctx, q.request, attempt)
	if err != nil && ctx.Err() != nil { // whoever asked waits no longer, which says nothing of the partner
		return q, fmt.Errorf("%w %s at %s: no HTTP response within %s", ErrNoAnswer, q.request.Partner, q.request.Endpoint, q.took.Round(time.Millisecond))
	}
	n.noteAnswer(q.request.Partner, response, err, q.sent, n.now().UTC())
	switch {
	case err != nil:
		return q, fmt.Errorf("%w %s at %s: %w", ErrNoAnswer, q.request.Partner, q.request.Endpoint, err)
	case response.Status/100 != 2:
		return q, fmt.Errorf("%w %s at %s: HTTP status %d", ErrNoAnswer, q.request.Partner, q.request.Endpoint, response.Status)
	}
	if len(response.Body) > 0 {
		if problem := n.readResponse(ctx, q.request, response, n.now().UTC()); problem != "" {
			return q, fmt.Errorf("%w %s: %s", ErrNoAnswer, q.request.Partner, problem)
		}
	}
	return n.awaitReply(ctx, q)
}

// awaitReply waits until the answer is in the store: another process may have received it.
func (n *Node) awaitReply(ctx context.Context, q asked) (asked, error) {
	tick := time.NewTicker(answerPoll)
	defer tick.Stop()
	for {
		found, err := n.store.Messages(ctx, MessageQuery{RefToMessageID: q.request.MessageID, Direction: Inbound, State: StateAccepted, Partner: q.request.Partner})
		if err != nil && ctx.Err() == nil {
			return q, fmt.Errorf("finding the answer to %q: %w", q.request.MessageID, err)
		}
		for _, reply := range found {
			switch q.reply = reply; reply.Kind {
			case KindError:
				return n.refusedRequest(ctx, q)
			case KindPong, KindStatusResponse:
				q.header, err = n.reread(ctx, reply)
				return q, err
			}
			// Whatever else refers to a request does not answer it.
		}
		select {
		case <-ctx.Done():
			return q, fmt.Errorf("%w %s: HTTP %d came at once, and no %s until now", ErrNoAnswer, q.request.Partner, q.status, answerName(q.request.Kind))
		case <-tick.C:
		}
	}
}

func answerName(request Kind) string {
	if request == KindPing {
		return ebms.ActionPong
	}
	return ebms.ActionStatusResponse
}

// refusedRequest says with which error the partner refused a request.
func (n *Node) refusedRequest(ctx context.Context, q asked) (asked, error) {
	header, err := n.reread(ctx, q.reply)
	if err != nil {
		return q, err
	}
	said := header.Errors.Errors[0]
	return q, fmt.Errorf("%w %s: it refused the %s: %s %s %s", ErrNoAnswer, q.request.Partner, q.request.Kind, said.Code, said.Location, said.Description)
}

// reread reads the header of a stored signal, which was verified when it came.
func (n *Node) reread(ctx context.Context, m Message) (*ebms.Message, error) {
	raw, err := n.store.Raw(ctx, m.Raw)
	if err != nil {
		return nil, fmt.Errorf("stored message %q: %w", m.MessageID, err)
	}
	pkg, err := ebms.ReadPackage(m.ContentType, raw, n.limits)
	if err != nil {
		return nil, fmt.Errorf("stored message %q: %w", m.MessageID, err)
	}
	defer pkg.Close()
	header, err := ebms.Parse(pkg.Envelope)
	if err != nil {
		return nil, fmt.Errorf("stored message %q: %w", m.MessageID, err)
	}
	return header, nil
}
