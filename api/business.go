package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// Dealer sends the business messages about certificates, and releases those that wait for an officer; *exchange.Node is one. What it does,
// it audits itself.
type Dealer interface {
	Cancel(ctx context.Context, actor string, q exchange.CertificateQuery, reason string) ([]exchange.Said, error)
	Resend(ctx context.Context, actor string, q exchange.CertificateQuery) (exchange.Said, error)
	Respond(ctx context.Context, actor string, q exchange.CertificateQuery, d exchange.Decision) (exchange.Said, error)
	AskCertificate(ctx context.Context, actor, partner string, about eco.CertificateID) (exchange.CertificateStatus, error)
	RequestVerification(ctx context.Context, actor string, q exchange.CertificateQuery, d exchange.Doubt) (exchange.Said, error)
	ReplyVerification(ctx context.Context, actor string, q exchange.CertificateQuery, d exchange.Clarification) (exchange.Said, error)
	Release(ctx context.Context, actor string, q exchange.CertificateQuery, why string) (exchange.Certificate, error)
}

// Named says which certificate a business message is about. Reference is required, in any spelling; the others narrow.
type Named struct {
	Reference string       `json:"reference"`
	Country   string       `json:"country,omitempty"`
	Form      eco.FormCode `json:"form,omitempty"`
	Partner   string       `json:"partner,omitempty"`
}

func (n Named) query() exchange.CertificateQuery {
	return exchange.CertificateQuery{Reference: n.Reference, Country: strings.ToUpper(n.Country), Form: n.Form, Partner: n.Partner}
}

// CancellationRequest is the body of POST /cancellations.
type CancellationRequest struct {
	Named
	// Reason stands on the document that cancels; optional.
	Reason string `json:"reason,omitempty"`
}

// ResponseRequest is the body of POST /customs-responses.
type ResponseRequest struct {
	Named
	exchange.Decision
}

// VerificationRequest is the body of POST /verification-requests.
type VerificationRequest struct {
	Named
	exchange.Doubt
}

// VerificationReply is the body of POST /verification-replies.
type VerificationReply struct {
	Named
	exchange.Clarification
}

// StatusQuestion is the body of POST /certificate-status: the certificate by its number, country and form.
type StatusQuestion struct {
	Named
	// IssuingBody narrows; optional.
	IssuingBody string `json:"issuing_body,omitempty"`
}

// Sent is a business message that was queued.
type Sent struct {
	MessageID string         `json:"message_id"`
	Seq       uint64         `json:"seq"`
	State     exchange.State `json:"state"`
	Kind      exchange.Kind  `json:"kind"`
	Partner   string         `json:"partner"`
	// Key is the certificate that it is about, CertificateState where that stands since.
	Key              exchange.CertificateKey   `json:"key"`
	CertificateState exchange.CertificateState `json:"certificate_state"`
}

func sent(s exchange.Said) Sent {
	return Sent{
		MessageID: s.Message.MessageID, Seq: s.Message.Seq, State: s.Message.State, Kind: s.Message.Kind, Partner: s.Message.Partner,
		Key: s.Key, CertificateState: s.State,
	}
}

// OpenVerification is a verification that was asked for and not replied to.
type OpenVerification struct {
	Key       exchange.CertificateKey `json:"key"`
	Reference string                  `json:"reference"`
	// Direction is inbound for a certificate that we received and asked about.
	Direction    exchange.Direction    `json:"direction"`
	Partner      string                `json:"partner"`
	Verification exchange.Verification `json:"verification"`
	// Request is what was asked; absent if its message is not there any more.
	Request *eco.VerificationRequest `json:"request,omitempty"`
	// Due is until when a reply is due, by the request or else by the form; absent if neither says.
	Due *Deadline `json:"due,omitempty"`
}

// businessRoutes are the paths of what is said of certificates that are there.
func (s *server) businessRoutes() []route {
	row := func(path, id, summary string, handle echo.HandlerFunc, takes []body, said answer, problems []Code, roles ...Role) route {
		common := []Code{
			CodeNotFound, CodeAmbiguous, CodeUnderway, CodeNotAgreed, CodeInvalid, CodeNoAgreement, CodeNotInForce, CodeIllegalMove, CodeUnknownPartner, CodeChanged, CodeFull,
		}
		return route{method: http.MethodPost, path: base + path, roles: roles, handle: handle, operation: operation{
			id: id, tag: tagBusiness, summary: summary, takes: takes, answers: []answer{said}, problems: append(common, problems...),
		}}
	}
	one, each := answersJSON[Sent](http.StatusCreated, "The message that was queued."), answersJSON[[]Sent](http.StatusCreated, "The messages that were queued, one for each partner.")
	signed := []Code{CodeNotAuthorised, CodeNoTimeStamp}
	return []route{
		row("/cancellations", "cancelCertificate", "Cancels a certificate that nobody has used", s.cancel, takesJSON[CancellationRequest](), each, signed, RoleIssuer),
		row("/retransmissions", "resendCertificate", "Sends a certificate once more", s.resend, takesJSON[Named](), one, []Code{CodeDropped, CodeDamaged}, RoleIssuer),
		row("/customs-responses", "respond", "Tells the partner what customs made of a certificate", s.respond, takesJSON[ResponseRequest](), one, nil, RoleOfficer),
		row("/verification-requests", "requestVerification", "Asks the partner to verify a certificate", s.requestVerification, takesJSON[VerificationRequest](), one, nil, RoleOfficer),
		row("/verification-replies", "replyVerification", "Replies to a verification request, and closes it", s.replyVerification, takesJSON[VerificationReply](), one,
			append(signed, CodeNotOpen), RoleIssuer, RoleOfficer),
		{
			method: http.MethodGet, path: base + "/verifications", roles: []Role{RoleIssuer, RoleOfficer, RoleOperator}, handle: s.verifications,
			operation: operation{
				id: "listVerifications", tag: tagBusiness, summary: "The verifications that are open",
				parameters: []parameter{query[exchange.Direction]("direction", "Outbound ones wait for our reply, inbound ones for a partner's; both without it.")},
				answers:    []answer{answersJSON[[]OpenVerification](http.StatusOK, "They, of 500 certificates at most.")},
			},
		},
		{
			method: http.MethodPost, path: base + "/certificate-status", roles: []Role{RoleIssuer, RoleOfficer, RoleOperator}, handle: s.askCertificate,
			operation: operation{
				id: "askCertificateStatus", tag: tagBusiness, summary: "Asks a partner where a certificate stands, and waits for the answer",
				parameters: []parameter{timeoutParameter()}, takes: takesJSON[StatusQuestion](),
				answers:  []answer{answersJSON[exchange.CertificateStatus](http.StatusOK, "The partner's report.")},
				problems: []Code{CodeUnknownPartner, CodeNoAnswer, CodeNotAgreed, CodeNoAgreement, CodeNotInForce, CodeInvalid, CodeFull},
			},
		},
	}
}

// readStrict reads a JSON object of known members and nothing behind it.
func readStrict(r *http.Request, into any) error {
	if mediaType := r.Header.Get(echo.HeaderContentType); !strings.HasPrefix(mediaType, echo.MIMEApplicationJSON) {
		return problem(CodeMediaType, fmt.Sprintf("want %s, found %q", echo.MIMEApplicationJSON, mediaType))
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return bodyProblem("", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return problem(CodeMalformed, "more follows the JSON object")
	}
	return nil
}

// dealt answers with what was queued, or audits why nothing was.
func (s *server) dealt(c echo.Context, n Named, answer any, err error) error {
	if err != nil {
		return s.auditRefusal(c, n.Reference, fmt.Errorf("certificate %s: %w", n.Reference, err))
	}
	return c.JSON(http.StatusCreated, answer)
}

// named reads a request's body and the certificate that it is about.
func named[T any](c echo.Context, body *T, of func(*T) Named) (actor string, n Named, err error) {
	if err := onlyParameters(c); err != nil {
		return "", n, err
	}
	if err := readStrict(c.Request(), body); err != nil {
		return "", n, err
	}
	n = of(body)
	if eco.NormaliseReference(n.Reference) == "" {
		return "", n, problem(CodeMalformed, `member "reference" is required`)
	}
	return callOf(c).key.Name, n, nil
}

// cancel answers POST /cancellations.
func (s *server) cancel(c echo.Context) error {
	var in CancellationRequest
	actor, n, err := named(c, &in, func(in *CancellationRequest) Named { return in.Named })
	if err != nil {
		return err
	}
	all, err := s.Dealer.Cancel(c.Request().Context(), actor, n.query(), in.Reason)
	answers := make([]Sent, 0, len(all))
	for _, one := range all {
		answers = append(answers, sent(one))
	}
	return s.dealt(c, n, answers, err)
}

// resend answers POST /retransmissions.
func (s *server) resend(c echo.Context) error {
	var in Named
	actor, n, err := named(c, &in, func(in *Named) Named { return *in })
	if err != nil {
		return err
	}
	said, err := s.Dealer.Resend(c.Request().Context(), actor, n.query())
	return s.dealt(c, n, sent(said), err)
}

// respond answers POST /customs-responses.
func (s *server) respond(c echo.Context) error {
	var in ResponseRequest
	actor, n, err := named(c, &in, func(in *ResponseRequest) Named { return in.Named })
	if err != nil {
		return err
	}
	said, err := s.Dealer.Respond(c.Request().Context(), actor, n.query(), in.Decision)
	return s.dealt(c, n, sent(said), err)
}

// requestVerification answers POST /verification-requests.
func (s *server) requestVerification(c echo.Context) error {
	var in VerificationRequest
	actor, n, err := named(c, &in, func(in *VerificationRequest) Named { return in.Named })
	if err != nil {
		return err
	}
	said, err := s.Dealer.RequestVerification(c.Request().Context(), actor, n.query(), in.Doubt)
	return s.dealt(c, n, sent(said), err)
}

// replyVerification answers POST /verification-replies.
func (s *server) replyVerification(c echo.Context) error {
	var in VerificationReply
	actor, n, err := named(c, &in, func(in *VerificationReply) Named { return in.Named })
	if err != nil {
		return err
	}
	said, err := s.Dealer.ReplyVerification(c.Request().Context(), actor, n.query(), in.Clarification)
	return s.dealt(c, n, sent(said), err)
}

// verifications answers GET /verifications: those that are open, which an officer of ours replies to or waits for.
func (s *server) verifications(c echo.Context) error {
	if err := onlyParameters(c, "direction"); err != nil {
		return err
	}
	direction, err := oneOf(c, "direction", exchange.Inbound, exchange.Outbound)
	if err != nil {
		return err
	}
	if err := s.audit(c, "verifications.listed", c.QueryString(), ""); err != nil {
		return err
	}
	ctx := c.Request().Context()
	list := []OpenVerification{}
	if callOf(c).key.Role == RoleIssuer { // who does not see imported certificates otherwise
		if direction == exchange.Inbound {
			return c.JSON(http.StatusOK, list)
		}
		direction = exchange.Outbound
	}
	found, err := s.Store.Certificates(ctx, exchange.CertificateQuery{Verifying: true, Direction: direction, Limit: maxPage})
	if err != nil {
		return fmt.Errorf("finding open verifications: %w", err)
	}
	for _, certificate := range found {
		for _, v := range certificate.Dealings.Verifications {
			if v.Reply != "" {
				continue
			}
			o := OpenVerification{Key: certificate.Key, Reference: certificate.Data.Reference, Direction: certificate.Direction, Partner: certificate.Partner, Verification: v}
			messages, err := s.Store.Messages(ctx, exchange.MessageQuery{MessageID: v.Request, Kind: exchange.KindVerificationRequest, Limit: 1})
			if err != nil {
				return fmt.Errorf("finding open verifications: %w", err)
			}
			if len(messages) > 0 && messages[0].Business != nil {
				o.Request = messages[0].Business.VerificationRequest
			}
			for _, d := range deadlines(certificate, s.Forms(), s.Now().UTC()) {
				if d.Verification == v.ID && d.Kind == eco.DeadlineVerificationReply {
					o.Due = &d
				}
			}
			list = append(list, o)
		}
	}
	return c.JSON(http.StatusOK, list)
}

// askCertificate answers POST /certificate-status. The node records who asked.
func (s *server) askCertificate(c echo.Context) error {
	var in StatusQuestion
	if err := readStrict(c.Request(), &in); err != nil {
		return err
	}
	if err := onlyParameters(c, "timeout"); err != nil {
		return err
	}
	seconds, err := number(c, "timeout", defaultWait, maxWait)
	if err != nil {
		return err
	}
	if in.Partner == "" || in.Reference == "" || in.Country == "" || in.Form == "" {
		return problem(CodeMalformed, `members "partner", "reference", "country" and "form" are required`)
	}
	s.extend(c, time.Duration(seconds)*time.Second)
	if err := s.audit(c, "certificate.status_asked", in.Reference, "of "+in.Partner); err != nil {
		return err
	}
	status, err := s.Dealer.AskCertificate(c.Request().Context(), callOf(c).key.Name, in.Partner, eco.CertificateID{
		IssuingCountry: strings.ToUpper(in.Country), Form: in.Form, Reference: in.Reference, IssuingBody: in.IssuingBody,
	})
	if err != nil {
		return fmt.Errorf("asking %s about certificate %s: %w", in.Partner, in.Reference, err)
	}
	return c.JSON(http.StatusOK, status)
}

// Cancel cancels a certificate with every partner that it went to. Errors are those of exchange.Node.Cancel as problems.
func (c *Client) Cancel(ctx context.Context, in CancellationRequest) (sent []Sent, err error) {
	err = c.post(ctx, base+"/cancellations", in, &sent)
	return sent, err
}

// Resend sends a certificate once more.
func (c *Client) Resend(ctx context.Context, in Named) (s Sent, err error) {
	err = c.post(ctx, base+"/retransmissions", in, &s)
	return s, err
}

// Respond tells the partner what customs made of a certificate.
func (c *Client) Respond(ctx context.Context, in ResponseRequest) (s Sent, err error) {
	err = c.post(ctx, base+"/customs-responses", in, &s)
	return s, err
}

// AskCertificate asks a partner where a certificate stands; wait and errors are those of Ping.
func (c *Client) AskCertificate(ctx context.Context, in StatusQuestion, wait time.Duration) (s exchange.CertificateStatus, err error) {
	err = c.post(ctx, waiting(base+"/certificate-status", wait), in, &s)
	return s, err
}

// RequestVerification asks the partner who sent a certificate to verify it.
func (c *Client) RequestVerification(ctx context.Context, in VerificationRequest) (s Sent, err error) {
	err = c.post(ctx, base+"/verification-requests", in, &s)
	return s, err
}

// ReplyVerification replies to a verification request, and closes it.
func (c *Client) ReplyVerification(ctx context.Context, in VerificationReply) (s Sent, err error) {
	err = c.post(ctx, base+"/verification-replies", in, &s)
	return s, err
}

// Verifications lists those that are open, in one direction or in both.
func (c *Client) Verifications(ctx context.Context, direction exchange.Direction) (list []OpenVerification, err error) {
	target := base + "/verifications"
	if direction != "" {
		target += "?direction=" + string(direction)
	}
	err = c.call(ctx, http.MethodGet, target, nil, &list)
	return list, err
}
