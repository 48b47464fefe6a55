package exchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/ubl"
)

// Doubt is what a verification request says.
type Doubt struct {
	Ground    eco.VerificationGround `json:"ground"`
	ReplyBy   eco.Date               `json:"reply_by,omitzero"`
	Items     []int                  `json:"items,omitempty"`
	Reasons   []eco.Reason           `json:"reasons,omitempty"`
	Questions []eco.Question         `json:"questions,omitempty"`
	Note      string                 `json:"note,omitempty"`
	// ID is the caller's number of it, as Decision.ID is for Report: asking again with the same one sends nothing. "" asks anew each time.
	ID string `json:"-"`
}

// Clarification is what a verification reply says.
type Clarification struct {
	// Request is the number of the request; "" is the only one that is open.
	Request string                 `json:"request,omitempty"`
	Result  eco.VerificationResult `json:"result"`
	Reasons []eco.Reason           `json:"reasons,omitempty"`
	Replies []eco.QuestionReply    `json:"replies,omitempty"`
	Note    string                 `json:"note,omitempty"`
}

// ErrNotOpen: no verification of this certificate is open, or several are and none was named.
var ErrNotOpen = errors.New("no such verification is open")

// RequestVerification asks the partner who sent a certificate to verify it; until the reply is here, and customs have decided where it
// does not confirm the certificate, the certificate is suspended. Errors are those of Respond.
func (n *Node) RequestVerification(ctx context.Context, actor string, q CertificateQuery, d Doubt) (Said, error) {
	q.Direction = Inbound
	find := func() (Certificate, error) { return n.one(ctx, q) }
	if d.ID != "" {
		d.ID = n.ownID(d.ID)
		if said, err := n.reported(ctx, KindVerificationRequest, find, d.ID); err != nil || said.Message.Seq != 0 {
			return said, err
		}
	}
	var done Said
	m, err := n.say(ctx, func() (Departure, error) {
		c, err := find()
		if err != nil {
			return Departure{}, err
		}
		u, err := n.utter(ctx, KindVerificationRequest, actor, c)
		if err != nil {
			return Departure{}, err
		}
		u.id = cmp.Or(d.ID, u.id)
		r := eco.VerificationRequest{
			Statement: n.statement(u.id, u.at, idOf(c.Data), d.Note), Ground: d.Ground, ReplyBy: d.ReplyBy, Items: d.Items, Reasons: d.Reasons, Questions: d.Questions,
		}
		u.said = said{statement: r.Statement, business: Business{VerificationRequest: &r}}
		findings := append(eco.ValidateVerificationRequest(r, n.registry.Forms()), eco.CompareVerificationRequest(r, c.Data)...)
		if err := n.written(ctx, &u, findings, func() ([]byte, error) { return ubl.MarshalVerificationRequest(r, n.registry.Forms()) }); err != nil {
			return Departure{}, err
		}
		change, err := asking(c, r, u.id, actor)
		if err != nil {
			return Departure{}, err
		}
		u.changes = []Change{change}
		done = Said{Key: c.Key, State: change.State}
		return n.composeSaid(u)
	})
	done.Message = m
	return done, err
}

// ReplyVerification replies, in the issuing body's name, to a verification request that a partner sent, and closes it. Errors are those of
// Respond, and ErrNotOpen and ErrNotAuthorised.
func (n *Node) ReplyVerification(ctx context.Context, actor string, q CertificateQuery, d Clarification) (Said, error) {
	q.Direction = Outbound
	var done Said
	m, err := n.say(ctx, func() (Departure, error) {
		c, open, request, err := n.openRequest(ctx, q, d.Request)
		if err != nil {
			return Departure{}, err
		}
		u, err := n.utter(ctx, KindVerificationReply, actor, c)
		if err != nil {
			return Departure{}, err
		}
		u.about, u.conversation = open.Request, request.ConversationID
		asked := *request.Business.VerificationRequest
		r := eco.VerificationReply{
			Statement: n.statement(u.id, u.at, idOf(c.Data), d.Note), Request: asked.ID, Requestor: asked.Authority, Result: d.Result, Reasons: d.Reasons, Replies: d.Replies,
		}
		r.Authority = eco.Authority{Name: c.Data.IssuingBody.Name, Country: c.Data.IssuingCountry}
		u.said = said{statement: r.Statement, business: Business{VerificationReply: &r}}
		findings := append(eco.ValidateVerificationReply(r, n.registry.Forms()), eco.CompareVerificationReply(r, asked)...)
		if err := n.written(ctx, &u, findings, func() ([]byte, error) { return ubl.MarshalVerificationReply(r, n.registry.Forms()) }); err != nil {
			return Departure{}, err
		}
		change, err := replied(c, r, u.id, actor, u.at)
		if err != nil {
			return Departure{}, err
		}
		u.changes = []Change{change}
		done = Said{Key: c.Key, State: change.State}
		return n.composeSaid(u)
	})
	done.Message = m
	return done, err
}

// openRequest finds the certificate with the open verification of that number, and the message that asked for it.
func (n *Node) openRequest(ctx context.Context, q CertificateQuery, id string) (Certificate, Verification, Message, error) {
	found, err := n.named(ctx, q)
	if err != nil {
		return Certificate{}, Verification{}, Message{}, err
	}
	var holder Certificate
	var open []Verification
	for _, c := range found {
		for _, v := range c.Dealings.Verifications {
			if v.Reply == "" && (id == "" || v.ID == id) {
				holder, open = c, append(open, v)
			}
		}
	}
	if len(open) != 1 {
		return Certificate{}, Verification{}, Message{}, fmt.Errorf("%w: certificate %s, request %q: %d are open", ErrNotOpen, q.Reference, id, len(open))
	}
	requests, err := n.store.Messages(ctx, MessageQuery{MessageID: open[0].Request, Direction: Inbound, State: StateAccepted, Partner: holder.Partner, Limit: 1})
	if err != nil {
		return Certificate{}, Verification{}, Message{}, err
	}
	if len(requests) == 0 || requests[0].Business == nil || requests[0].Business.VerificationRequest == nil {
		return Certificate{}, Verification{}, Message{}, fmt.Errorf("message %q that asks for a verification: %w", open[0].Request, ErrNotFound)
	}
	return holder, open[0], requests[0], nil
}

// judgeVerificationRequest opens a verification of a certificate that we exported; an officer will reply to it.
func (n *Node) judgeVerificationRequest(ctx context.Context, r *reception, s said) (verdict, error) {
	c, err := n.subject(ctx, r, s, Outbound)
	if err != nil {
		return verdict{}, err
	}
	request := *s.business.VerificationRequest
	if findings := eco.CompareVerificationRequest(request, c.Data); eco.HasErrors(findings) {
		return verdict{}, ebms.NewInconsistent(s.location, &InvalidError{Findings: findings})
	}
	if _, known := c.Dealings.verification(request.ID); known {
		return verdict{}, ebms.NewInconsistent(s.location, fmt.Errorf("verification %q of certificate %s was requested before", request.ID, c.Key))
	}
	change, err := asking(c, request, r.record.MessageID, r.agreement.Partner)
	if err != nil {
		return verdict{}, err
	}
	return verdict{changes: []Change{change}, audit: []AuditEntry{refusal(c, EventAsked, r.agreement.Partner, r.record, doubts(request))}}, nil
}

// judgeVerificationReply closes a verification that we asked for.
func (n *Node) judgeVerificationReply(ctx context.Context, r *reception, s said) (verdict, error) {
	question, err := n.askedIn(ctx, r, KindVerificationRequest)
	if err != nil {
		return verdict{}, err
	}
	c, err := n.subject(ctx, r, s, Inbound)
	if err != nil {
		return verdict{}, err
	}
	reply := *s.business.VerificationReply
	if findings := eco.CompareVerificationReply(reply, *question.Business.VerificationRequest); eco.HasErrors(findings) {
		return verdict{}, ebms.NewInconsistent(s.location, &InvalidError{Findings: findings})
	}
	at, known := c.Dealings.verification(reply.Request)
	if !known || c.Dealings.Verifications[at].Reply != "" || c.Dealings.Verifications[at].Request != question.MessageID {
		return verdict{}, ebms.NewInconsistent(s.location, fmt.Errorf("verification %q of certificate %s is not open", reply.Request, c.Key))
	}
	change, err := replied(c, reply, r.record.MessageID, r.agreement.Partner, r.record.Created)
	if err != nil {
		return verdict{}, err
	}
	return verdict{changes: []Change{change}}, nil
}
