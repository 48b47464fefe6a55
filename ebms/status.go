package ebms

import (
	"errors"
	"fmt"
	"time"
)

// MessageStatus is what a message service knows of a message. ebMS 2.0 §7.3.3.
type MessageStatus string

// The statuses. ebMS 2.0 §7.3.3.
const (
	// StatusUnAuthorized: who asks may not know.
	StatusUnAuthorized MessageStatus = "UnAuthorized"
	// StatusNotRecognized: no such message is known.
	StatusNotRecognized MessageStatus = "NotRecognized"
	// StatusReceived: the message was received and is not processed yet.
	StatusReceived MessageStatus = "Received"
	// StatusProcessed: the message was processed.
	StatusProcessed MessageStatus = "Processed"
	// StatusForwarded: the message was passed on to another message service.
	StatusForwarded MessageStatus = "Forwarded"
)

// valid reports whether s is one of the schema's.
func (s MessageStatus) valid() bool {
	switch s {
	case StatusUnAuthorized, StatusNotRecognized, StatusReceived, StatusProcessed, StatusForwarded:
		return true
	}
	return false
}

// timed reports whether a response of this status says when the message was received. The other two statuses say that
// nothing is told of it (§7.1.2; not confirmed).
func (s MessageStatus) timed() bool { return s != StatusUnAuthorized && s != StatusNotRecognized }

// StatusRequest asks what became of a message. ebMS 2.0 §7.1.1.
type StatusRequest struct {
	// RefToMessageID is the MessageID of the message in question.
	RefToMessageID string
}

// StatusResponse answers a StatusRequest. ebMS 2.0 §7.1.2.
type StatusResponse struct {
	// RefToMessageID is the MessageID of the message in question, not of the request.
	RefToMessageID string
	Status         MessageStatus
	// Timestamp is when the message in question was received; zero if not said. It is neither written nor read with
	// StatusNotRecognized and StatusUnAuthorized, which tell nothing of the message.
	Timestamp time.Time
}

// statusRequest reads a StatusRequest. ebMS 2.0 §7.1.1.
func (p *parser) statusRequest(e *element) {
	s := p.sequence(e, atStatusRequest)
	p.m.StatusRequest = &StatusRequest{RefToMessageID: s.value("RefToMessageId")}
	s.end()
}

// statusResponse reads a StatusResponse. ebMS 2.0 §7.1.2.
func (p *parser) statusResponse(e *element) {
	s := p.sequence(e, atStatusResponse)
	answer := &StatusResponse{
		RefToMessageID: s.value("RefToMessageId"),
		Status:         MessageStatus(p.attribute(e, nsEB, "messageStatus", atStatusResponse)),
	}
	if at := s.instant(s.optional(nsEB, "Timestamp")); answer.Status.timed() {
		answer.Timestamp = at
	}
	s.end()
	p.m.StatusResponse = answer
}

// statusBodies: StatusRequest and StatusResponse stand in the messages of those Actions and in no others. ebMS 2.0 §7.1.
func statusBodies(m *Message) *Error {
	for _, body := range []struct {
		action, location string
		present          bool
	}{
		{ActionStatusRequest, atStatusRequest, m.StatusRequest != nil},
		{ActionStatusResponse, atStatusResponse, m.StatusResponse != nil},
	} {
		switch promised := m.IsSignal() && m.Action == body.action; {
		case promised && !body.present:
			return NewInconsistent(atAction, fmt.Errorf("action %s without a %[1]s", body.action))
		case body.present && !promised:
			return NewInconsistent(body.location, fmt.Errorf("%s on a message of action %.200q", body.action, m.Action))
		}
	}
	if m.StatusRequest != nil && m.StatusRequest.RefToMessageID == "" {
		return NewOtherXML(atStatusRequest+"/RefToMessageId", errors.New("empty"))
	}
	if r := m.StatusResponse; r != nil {
		if r.RefToMessageID == "" {
			return NewOtherXML(atStatusResponse+"/RefToMessageId", errors.New("empty"))
		}
		if !r.Status.valid() {
			return NewOtherXML(atStatusResponse, fmt.Errorf("eb:messageStatus %.40q is not one of the schema", r.Status))
		}
	}
	return nil
}

// body writes what stands in the Body: a Manifest, a StatusRequest, a StatusResponse or nothing. ebMS 2.0 §2.3.3.
func (w *writer) body(m *Message) {
	if len(m.Manifest) == 0 && m.StatusRequest == nil && m.StatusResponse == nil {
		w.empty("soap:Body")
		return
	}
	w.open("soap:Body")
	if len(m.Manifest) > 0 {
		w.manifest(m.Manifest)
	}
	if r := m.StatusRequest; r != nil {
		w.open("eb:StatusRequest", "eb:version", version)
		w.element("eb:RefToMessageId", r.RefToMessageID)
		w.close("eb:StatusRequest")
	}
	if r := m.StatusResponse; r != nil {
		w.open("eb:StatusResponse", "eb:version", version, "eb:messageStatus", string(r.Status))
		w.element("eb:RefToMessageId", r.RefToMessageID)
		if r.Status.timed() && !r.Timestamp.IsZero() {
			w.element("eb:Timestamp", formatTime(r.Timestamp))
		}
		w.close("eb:StatusResponse")
	}
	w.close("soap:Body")
}
