package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/handover"
	"github.com/ecogate/ecogate/clearance/lookup"
	"github.com/ecogate/ecogate/clearance/notice"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/paper"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/announcement"
	"github.com/ecogate/ecogate/partners/issuerlist"
)

// ProblemMediaType is the media type of every error that the API answers.
const ProblemMediaType = "application/problem+json"

// Problem is an error as it travels. RFC 9457 §3.1 gives the first five members; the others are this API's.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail explains this occurrence; it may be absent.
	Detail string `json:"detail,omitempty"`
	// Instance is the path that was asked for.
	Instance string `json:"instance,omitempty"`
	// Code names the kind of problem for programs. It is stable.
	Code Code `json:"code"`
	// CorrelationID finds the request in the node's log.
	CorrelationID string `json:"correlation_id,omitempty"`
	// Errors are the findings of a refused certificate, or what is wrong with an entry of the registry.
	Errors []eco.Finding `json:"errors,omitempty"`
	// Asked are the partners that were asked for an unknown reference, and what they said until now.
	Asked []lookup.Asked `json:"asked,omitempty"`
}

// Code names a kind of problem.
type Code string

// The codes; the table kinds gives each its status and its meaning.
const (
	CodeMalformed         Code = "malformed_request"
	CodeParameter         Code = "bad_parameter"
	CodeUnauthenticated   Code = "unauthenticated"
	CodeForbidden         Code = "forbidden"
	CodeNotAuthorised     Code = "issuer_not_authorised"
	CodeNotFound          Code = "not_found"
	CodeNoPath            Code = "no_such_path"
	CodeUnknownPartner    Code = "unknown_partner"
	CodeUnknownCPA        Code = "unknown_agreement"
	CodeUnknownEntry      Code = "unknown_entry"
	CodeUnknownCredential Code = "unknown_credential"
	CodeNotNow            Code = "not_now"
	CodeMethod            Code = "method_not_allowed"
	CodeTooSlow           Code = "too_slow"
	CodeConflict          Code = "conflict"
	CodeInConflict        Code = "certificate_in_conflict"
	CodeIllegalMove       Code = "illegal_move"
	CodeAmbiguous         Code = "ambiguous_reference"
	CodeUnderway          Code = "underway"
	CodeNotOpen           Code = "verification_not_open"
	CodeNotAgreed         Code = "not_agreed"
	CodeNothing           Code = "nothing_to_announce"
	CodeAnnouncement      Code = "announcement_refused"
	CodeDropped           Code = "bytes_dropped"
	CodeUnknownProposal   Code = "unknown_proposal"
	CodeDecided           Code = "already_decided"
	CodeManyProposals     Code = "many_proposals"
	CodeSameOperator      Code = "second_operator_required"
	CodeSameOfficer       Code = "second_officer_required"
	CodeNoDecision        Code = "unknown_decision"
	CodeDecisionWaits     Code = "decision_waits"
	CodeNumberTaken       Code = "number_taken"
	CodeStale             Code = "stale"
	CodeUnconditional     Code = "precondition_required"
	CodeInvalidEntry      Code = "invalid_entry"
	CodeInvalidCredential Code = "invalid_credential"
	CodeListRefused       Code = "issuer_list_refused"
	CodeNotOnHold         Code = "not_on_hold"
	CodeChanged           Code = "changed_meanwhile"
	CodeArrived           Code = "already_received"
	CodeNotYours          Code = "not_your_party"
	CodeInvalidMandate    Code = "invalid_mandate"
	CodeInvalidRequest    Code = "invalid_request"
	CodeMany              Code = "too_many_kept"
	CodeTooMany           Code = "too_many_requests"
	CodeNoKey             Code = "no_statements"
	CodeSettled           Code = "handover_settled"
	CodeOtherParcel       Code = "other_parcel"
	CodeNotMade           Code = "parcel_not_made"
	CodeTooLarge          Code = "too_large"
	CodeMediaType         Code = "unsupported_media_type"
	CodeInvalid           Code = "invalid_certificate"

	CodeRefusedDeclaration Code = "declaration_refused"
	CodeDecidedDeclaration Code = "declaration_decided"

	CodeInvalidSubscription Code = "invalid_subscription"
	CodeManySubscriptions   Code = "many_subscriptions"
	CodeNotConfirmed        Code = "not_confirmed"
	CodeMailNotSent         Code = "mail_not_sent"

	CodeFaultyFile    Code = "faulty_file"
	CodeNoAgreement   Code = "no_agreement"
	CodeNotInForce    Code = "agreement_not_in_force"
	CodeNoTimeStamp   Code = "no_timestamp"
	CodeOverAgreement Code = "over_agreement"
	CodeUnreadable    Code = "unreadable_message"
	CodeTooLong       Code = "too_long_for_paper"
	CodeInternal      Code = "internal"
	CodeDamaged       Code = "stored_bytes_damaged"
	CodeNoAnswer      Code = "no_answer"
	CodeFull          Code = "store_full"
	CodeUnavailable   Code = "unavailable"
	CodeBusy          Code = "busy"
	CodeNotReady      Code = "not_ready"
	CodeTimedOut      Code = "timed_out"
)

// kind is one row of the table that server and client share.
type kind struct {
	code   Code
	status int
	title  string
	// cause is the error that the server turns into this kind and that the client's Problem unwraps to.
	cause error
	// tell says that the cause's text is about the request, and may be the detail.
	tell bool
}

// kinds is the status table, read from left to right by the client and from cause to status by the server.
var kinds = []kind{
	{code: CodeMalformed, status: http.StatusBadRequest, title: "The request body is not what this path takes"},
	{code: CodeParameter, status: http.StatusBadRequest, title: "A parameter has no usable value"},
	{code: CodeUnauthenticated, status: http.StatusUnauthorized, title: "A valid API key is required"},
	{code: CodeForbidden, status: http.StatusForbidden, title: "The API key's role does not allow this"},
	{code: CodeNotAuthorised, status: http.StatusForbidden, title: "The issuing body may not issue this form on this node", cause: exchange.ErrNotAuthorised, tell: true},
	{code: CodeSameOperator, status: http.StatusForbidden, title: "Another operator has to decide about this proposal", cause: partners.ErrSameOperator, tell: true},
	{code: CodeNotYours, status: http.StatusForbidden, title: "The party is none for whom the key stands", cause: lookup.ErrNotYours, tell: true},
	{code: CodeSameOfficer, status: http.StatusForbidden, title: "Another officer has to decide", cause: clearance.ErrSameOfficer, tell: true},
	{code: CodeNotFound, status: http.StatusNotFound, title: "Nothing was found here", cause: exchange.ErrNotFound},
	{code: CodeNoPath, status: http.StatusNotFound, title: "This API has no such path"},
	{code: CodeUnknownPartner, status: http.StatusNotFound, title: "The partner is not known to this node", cause: partners.ErrUnknownPartner, tell: true},
	{code: CodeUnknownCPA, status: http.StatusNotFound, title: "No agreement with this partner has this CPAId", cause: partners.ErrUnknownCPA, tell: true},
	{code: CodeUnknownEntry, status: http.StatusNotFound, title: "The registry has no such partner, agreement or version", cause: partners.ErrUnknownEntry, tell: true},
	{code: CodeUnknownCredential, status: http.StatusNotFound, title: "There is no such credential here", cause: partners.ErrUnknownCredential, tell: true},
	{code: CodeUnknownProposal, status: http.StatusNotFound, title: "There is no such proposal", cause: partners.ErrUnknownProposal, tell: true},
	{code: CodeNoDecision, status: http.StatusNotFound, title: "No such decision waits for another officer", cause: clearance.ErrNoProposal, tell: true},
	{code: CodeMethod, status: http.StatusMethodNotAllowed, title: "The method is not allowed on this path"},
	{code: CodeTooSlow, status: http.StatusRequestTimeout, title: "The request body came too slowly"},
	{code: CodeConflict, status: http.StatusConflict, title: "A certificate with this reference and other content exists", cause: exchange.ErrConflict, tell: true},
	{code: CodeNumberTaken, status: http.StatusConflict, title: "Another declaration has this number", cause: clearance.ErrNumberTaken, tell: true},
	{code: CodeDecidedDeclaration, status: http.StatusConflict, title: "The declaration cannot be changed any more", cause: clearance.ErrDecided, tell: true},
	{code: CodeDecisionWaits, status: http.StatusConflict, title: "A decision about the declaration waits for another officer", cause: clearance.ErrWaits, tell: true},
	{code: CodeInConflict, status: http.StatusConflict, title: "Two different certificates bear this reference; neither may be used"},
	{code: CodeIllegalMove, status: http.StatusConflict, title: "The certificate does not allow this where it stands"},
	{code: CodeAmbiguous, status: http.StatusConflict, title: "Several certificates bear this reference; country, form, partner or seq tell them apart", cause: exchange.ErrAmbiguous},
	{code: CodeUnderway, status: http.StatusConflict, title: "The certificate is on its way to the partner", cause: exchange.ErrUnderway, tell: true},
	{code: CodeNotOnHold, status: http.StatusConflict, title: "Nothing about the certificate's issuer is in doubt", cause: exchange.ErrNotOnHold, tell: true},
	{code: CodeChanged, status: http.StatusConflict, title: "The certificate was changed meanwhile; look again", cause: exchange.ErrChanged},
	{code: CodeArrived, status: http.StatusConflict, title: "The certificate has been received", cause: lookup.ErrArrived},
	{code: CodeMany, status: http.StatusConflict, title: "No more of these are kept", cause: lookup.ErrMany, tell: true},
	{code: CodeNotOpen, status: http.StatusConflict, title: "No such verification is open", cause: exchange.ErrNotOpen, tell: true},
	{code: CodeNotNow, status: http.StatusConflict, title: "The credential's state does not allow this; nothing was changed", cause: partners.ErrNotNow, tell: true},
	{code: CodeNothing, status: http.StatusConflict, title: "No own credential waits for its time", cause: announcement.ErrNothing},
	{code: CodeManyProposals, status: http.StatusConflict, title: "Too many proposals wait", cause: partners.ErrManyProposals, tell: true},
	{code: CodeDecided, status: http.StatusConflict, title: "The proposal was decided about before", cause: partners.ErrDecided, tell: true},
	{code: CodeSettled, status: http.StatusConflict, title: "The customs system has confirmed the handover already", cause: handover.ErrSettled, tell: true},
	{code: CodeOtherParcel, status: http.StatusConflict, title: "The digest is not that of the parcel; nothing was confirmed", cause: handover.ErrOtherContent, tell: true},
	{code: CodeManySubscriptions, status: http.StatusConflict, title: "The key has too many subscriptions", cause: notice.ErrManySubscriptions, tell: true},
	{code: CodeDropped, status: http.StatusGone, title: "The record remains; its bytes were dropped by retention"},
	{code: CodeStale, status: http.StatusPreconditionFailed, title: "The entry was changed meanwhile; nothing was written", cause: partners.ErrStale, tell: true},
	{code: CodeTooLarge, status: http.StatusRequestEntityTooLarge, title: "The request body is too large"},
	{code: CodeMediaType, status: http.StatusUnsupportedMediaType, title: "The request body has a media type that this path does not take"},
	{code: CodeInvalid, status: http.StatusUnprocessableEntity, title: "The certificate breaks the form's rules"},
	{code: CodeRefusedDeclaration, status: http.StatusUnprocessableEntity, title: "The declaration, or what is decided about it, cannot be taken"},
	{code: CodeFaultyFile, status: http.StatusUnprocessableEntity, title: "The file has faults; nothing of it was submitted"},
	{code: CodeNoAgreement, status: http.StatusUnprocessableEntity, title: "No agreement covers this form with this partner", cause: partners.ErrNoAgreement, tell: true},
	{code: CodeNotInForce, status: http.StatusUnprocessableEntity, title: "The agreement with this partner for this form is not in force", cause: partners.ErrOutsideValidity, tell: true},
	{code: CodeNotAgreed, status: http.StatusUnprocessableEntity, title: "The agreement with the partner does not have this message", cause: exchange.ErrNotAgreed, tell: true},
	{code: CodeAnnouncement, status: http.StatusUnprocessableEntity, title: "The file is no announcement of this partner that can be taken", cause: announcement.ErrRefused, tell: true},
	{code: CodeOverAgreement, status: http.StatusUnprocessableEntity, title: "The message would be larger than the agreement allows", cause: exchange.ErrTooLarge, tell: true},
	{code: CodeUnreadable, status: http.StatusUnprocessableEntity, title: "The stored bytes are no message that could be taken apart", cause: exchange.ErrUnreadable},
	{code: CodeTooLong, status: http.StatusUnprocessableEntity, title: "The certificate takes more pages than a rendition may have", cause: paper.ErrTooLong, tell: true},
	{code: CodeNotMade, status: http.StatusUnprocessableEntity, title: "The parcel cannot be made"},
	{code: CodeInvalidSubscription, status: http.StatusUnprocessableEntity, title: "The subscription or the notice cannot be as it is asked for", cause: notice.ErrInvalid, tell: true},
	{code: CodeNotConfirmed, status: http.StatusUnprocessableEntity, title: "The subscription was not confirmed", cause: notice.ErrNotConfirmed, tell: true},
	{code: CodeInvalidEntry, status: http.StatusUnprocessableEntity, title: "The configuration would be wrong; nothing was written"},
	{code: CodeInvalidCredential, status: http.StatusUnprocessableEntity, title: "The credential cannot be taken; nothing was changed"},
	{code: CodeListRefused, status: http.StatusUnprocessableEntity, title: "The list of issuers is refused; nothing was changed", cause: issuerlist.ErrRefused},
	{code: CodeInvalidMandate, status: http.StatusUnprocessableEntity, title: "The mandate cannot be given"},
	{code: CodeInvalidRequest, status: http.StatusUnprocessableEntity, title: "What is asked for makes no sense", cause: lookup.ErrInvalid, tell: true},
	{code: CodeNoKey, status: http.StatusUnprocessableEntity, title: "This node signs no statements", cause: lookup.ErrNoKey},
	{code: CodeUnconditional, status: http.StatusPreconditionRequired, title: "The request does not say for which version it is meant"},
	{code: CodeTooMany, status: http.StatusTooManyRequests, title: "The key asks too much; wait as long as Retry-After says"},
	{code: CodeInternal, status: http.StatusInternalServerError, title: "The node met an internal error"},
	{code: CodeDamaged, status: http.StatusInternalServerError, title: "Stored bytes do not match their digest", cause: exchange.ErrDamaged},
	// Before CodeTimedOut: a partner that takes too long is this kind, and what was met is for the operator.
	{code: CodeNoAnswer, status: http.StatusBadGateway, title: "The partner gave no answer that could be used", cause: exchange.ErrNoAnswer, tell: true},
	{code: CodeMailNotSent, status: http.StatusBadGateway, title: "The mail server did not take the mail", cause: notice.ErrNotSent, tell: true},
	{code: CodeNoTimeStamp, status: http.StatusServiceUnavailable, title: "The time-stamp authority gave no time-stamp; nothing was queued", cause: exchange.ErrNoTimeStamp},
	{code: CodeFull, status: http.StatusServiceUnavailable, title: "The store is full; nothing was written", cause: exchange.ErrFull},
	{code: CodeUnavailable, status: http.StatusServiceUnavailable, title: "The node records every read before it answers, and recording failed"},
	{code: CodeBusy, status: http.StatusServiceUnavailable, title: "Others change the certificates faster than they can be looked at; nothing was written", cause: clearance.ErrBusy},
	{code: CodeNotReady, status: http.StatusServiceUnavailable, title: "The node is not ready"},
	{code: CodeTimedOut, status: http.StatusServiceUnavailable, title: "The request took too long and was abandoned", cause: context.DeadlineExceeded},
}

// retryAfter is what a client is told to wait, in seconds, when the node cannot answer now.
const retryAfter = "30"

func kindOf(code Code) (kind, bool) {
	for _, k := range kinds {
		if k.code == code {
			return k, true
		}
	}
	return kind{}, false
}

// problem makes a Problem of a kind in the table.
func problem(code Code, detail string) *Problem {
	k, _ := kindOf(code)
	return &Problem{Type: "urn:ecogate:problem:" + string(code), Title: k.title, Status: k.status, Code: code, Detail: detail}
}

// Error says what is wrong in one line, then each finding on a line of its own.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Title)
	if p.Detail != "" {
		b.WriteString(": " + p.Detail)
	}
	for _, f := range p.Errors {
		fmt.Fprintf(&b, "\n  %s %s: %s", f.Code, f.Path, f.Text)
		if f.Fix != "" {
			b.WriteString(" (" + f.Fix + ")")
		}
	}
	return b.String()
}

// Unwrap returns the error that the code stands for, such as exchange.ErrConflict, so that errors.Is answers the same on
// both sides of the wire; nil when the code stands for none.
func (p *Problem) Unwrap() error {
	k, _ := kindOf(p.Code)
	return k.cause
}

// problemOf finds the problem that an error is. Errors that are nobody's business become CodeInternal without detail.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var invalid *exchange.InvalidError
	if errors.As(err, &invalid) {
		p = problem(CodeInvalid, "")
		p.Errors = invalid.Findings
		return p
	}
	var refused *clearance.RefusedError
	if errors.As(err, &refused) {
		p = problem(CodeRefusedDeclaration, "")
		p.Errors = refused.Findings
		return p
	}
	if errors.Is(err, issuerlist.ErrRefused) {
		return problem(CodeListRefused, err.Error())
	}
	if errors.Is(err, lookup.ErrNotThere) {
		return problem(CodeNotFound, "")
	}
	var wrong *partners.ConfigError
	if errors.As(err, &wrong) {
		return invalidEntry(wrong)
	}
	var illegal *eco.IllegalMove
	if errors.As(err, &illegal) {
		return problem(CodeIllegalMove, illegal.Error())
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return problem(CodeTooLarge, fmt.Sprintf("the limit is %d bytes", tooLarge.Limit))
	}
	if errors.Is(err, clearance.ErrNotFound) {
		return problem(CodeNotFound, "")
	}
	for _, k := range kinds {
		if k.cause == nil || !errors.Is(err, k.cause) {
			continue
		}
		if k.tell {
			return problem(k.code, besides(err, k.cause))
		}
		return problem(k.code, "")
	}
	switch {
	case errors.Is(err, echo.ErrNotFound):
		return problem(CodeNoPath, "")
	case errors.Is(err, echo.ErrMethodNotAllowed):
		return problem(CodeMethod, "")
	}
	return problem(CodeInternal, "")
}

// besides gives what the innermost error around cause says apart from cause, which the title says already: what follows it, or else
// what stands before. What is wrapped around that tells the node's log where it happened, and the user nothing.
func besides(err, cause error) string {
	for inner := errors.Unwrap(err); inner != nil && inner != cause && errors.Is(inner, cause); inner = errors.Unwrap(inner) {
		err = inner
	}
	before, after, found := strings.Cut(err.Error(), cause.Error())
	if !found {
		return err.Error()
	}
	if after = strings.Trim(after, ": "); after != "" {
		return after
	}
	return strings.Trim(before, ": ")
}

// writeProblem is the router's error handler: every error leaves through here, and what waits for another operator.
func (s *server) writeProblem(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	if waits := (*partners.Proposed)(nil); errors.As(err, &waits) {
		if err := s.writeProposed(c, waits); err != nil {
			s.Log.DebugContext(c.Request().Context(), "client went away", "correlation_id", callOf(c).correlation, "error", err)
		}
		return
	}
	p := *problemOf(err) // a copy: the error may be shared
	call := callOf(c)
	p.Instance = c.Request().URL.EscapedPath()
	p.CorrelationID = call.correlation
	if p.Status >= http.StatusInternalServerError && p.Code != CodeNoAnswer && p.Code != CodeMailNotSent { // that others are silent is no fault of this node
		s.Log.ErrorContext(c.Request().Context(), "request failed", "correlation_id", call.correlation, "actor", call.key.Name,
			"path", p.Instance, "error", err)
	}
	body, err := json.Marshal(p)
	if err != nil {
		s.Log.ErrorContext(c.Request().Context(), "problem not written", "correlation_id", call.correlation, "error", err)
		return
	}
	if p.Status == http.StatusServiceUnavailable {
		c.Response().Header().Set(echo.HeaderRetryAfter, retryAfter)
	}
	if err := c.Blob(p.Status, ProblemMediaType, body); err != nil {
		s.Log.DebugContext(c.Request().Context(), "client went away", "correlation_id", call.correlation, "error", err)
	}
}
