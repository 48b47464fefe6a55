package ebms

import (
	"errors"
	"fmt"
	"strings"
)

// Validate checks the rules that hold within one message whatever the parties agreed. Parse and Envelope call it, so that
// nothing is written that would be refused when read. Texts are bounded to 1 KiB, those for people to 4 KiB. A
// Manifest has up to 1,024 References, an Acknowledgment 1,025, an ErrorList 100 entries, a party 16 PartyIds. The error is an *Error.
func (m *Message) Validate() error {
	for _, rule := range []func(*Message) *Error{
		withinLimits, requiredValues, parties, serviceURI, timeToLive, oneHop, answersRefer, statusBodies, errorList, blocksTogether, signalBlocks, ordered,
	} {
		if err := rule(m); err != nil {
			return err
		}
	}
	return nil
}

// requiredValues are those that the schema wants non-empty. ebMS 2.0 §3.1.
func requiredValues(m *Message) *Error {
	for _, v := range []struct{ name, value string }{
		{"CPAId", m.CPAID},
		{"ConversationId", m.ConversationID},
		{"Service", m.Service.Value},
		{"Action", m.Action},
		{"MessageData/MessageId", m.MessageID},
	} {
		if strings.Trim(v.value, xmlSpace) == "" {
			return NewOtherXML(atMessageHeader+"/"+v.name, errors.New("empty"))
		}
	}
	if m.Timestamp.IsZero() {
		return NewOtherXML(atMessageData+"/Timestamp", errors.New("no Timestamp"))
	}
	for _, ref := range m.Manifest {
		if ref.Href == "" {
			return NewOtherXML(atReference, errors.New("no xlink:href"))
		}
	}
	return nil
}

// parties must be identified. ebMS 2.0 §3.1.1.1: a PartyId without a type is a URI; several identify one organisation, each
// in another way (not confirmed).
func parties(m *Message) *Error {
	ends := []struct {
		location string
		ids      []PartyID
	}{{atFrom, m.From.IDs}, {atTo, m.To.IDs}}
	if m.Acknowledgment != nil && len(m.Acknowledgment.From) > 0 {
		ends = append(ends, struct {
			location string
			ids      []PartyID
		}{atAcknowledgment + "/From", m.Acknowledgment.From})
	}
	for _, end := range ends {
		if len(end.ids) == 0 {
			return NewInconsistent(end.location, errors.New("no PartyId"))
		}
		types := map[string]bool{}
		for _, id := range end.ids {
			if strings.Trim(id.Value, xmlSpace) == "" {
				return NewOtherXML(end.location+"/PartyId", errors.New("empty"))
			}
			if id.Type == "" && !isURI(id.Value) {
				return NewInconsistent(end.location+"/PartyId", fmt.Errorf("%.200q has no type and is no URI", id.Value))
			}
			if id.Type != "" && types[id.Type] {
				return NewInconsistent(end.location+"/PartyId", fmt.Errorf("type %.200q occurs twice", id.Type))
			}
			types[id.Type] = true
		}
	}
	return nil
}

// serviceURI: a Service without a type is a URI. ebMS 2.0 §3.1.4.1.
func serviceURI(m *Message) *Error {
	if m.Service.Type == "" && !isURI(m.Service.Value) {
		return NewInconsistent(atService, fmt.Errorf("%.200q has no type and is no URI", m.Service.Value))
	}
	return nil
}

// timeToLive: a message that was never valid is a mistake. ebMS 2.0 §3.1.6.4 (the comparison is not confirmed).
func timeToLive(m *Message) *Error {
	if !m.TimeToLive.IsZero() && !m.TimeToLive.After(m.Timestamp) {
		return NewInconsistent(atTimeToLive, errors.New("TimeToLive is not after Timestamp"))
	}
	return nil
}

// answersRefer: the signals that answer say what they answer, by the block that their Action promises. ebMS 2.0 §3.1.6.3,
// §4.2.4.3, §6.3.2.7.
func answersRefer(m *Message) *Error {
	if !m.IsSignal() {
		return nil
	}
	switch m.Action {
	case ActionAcknowledgment:
		if m.Acknowledgment == nil {
			return NewInconsistent(atAction, errors.New("action Acknowledgment without an Acknowledgment"))
		}
		if m.RefToMessageID != m.Acknowledgment.RefToMessageID {
			return NewInconsistent(atRefToMessageID, errors.New("RefToMessageId differs from that of the Acknowledgment"))
		}
	case ActionMessageError:
		if m.Errors == nil {
			return NewInconsistent(atAction, errors.New("action MessageError without an ErrorList"))
		}
	case ActionStatusResponse, ActionPong:
	case ActionStatusRequest, ActionPing:
		return nil
	default:
		return NewValueNotRecognized(atAction, fmt.Errorf("%.200q is no Action of the message service", m.Action))
	}
	if m.RefToMessageID == "" {
		return NewInconsistent(atRefToMessageID, fmt.Errorf("%s without RefToMessageId", m.Action))
	}
	return nil
}

// errorList: it is not empty and no worse than it says, since what is done about it goes by HighestSeverity. One that says
// worse than it holds is let pass. ebMS 2.0 §4.2.3.1.
func errorList(m *Message) *Error {
	if m.Errors == nil {
		return nil
	}
	if len(m.Errors.Errors) == 0 {
		return NewOtherXML(atErrorList, errors.New("no Error"))
	}
	for i := range m.Errors.Errors {
		if m.Errors.Errors[i].Severity == SeverityError && m.Errors.HighestSeverity != SeverityError {
			return NewInconsistent(atErrorList, fmt.Errorf("highestSeverity %s with an Error of severity Error", m.Errors.HighestSeverity))
		}
	}
	return nil
}

// blocksTogether: which header blocks exclude each other. An Acknowledgment and an ErrorList of warnings may ride on a
// business message. ebMS 2.0 §5, §6.3.2.7.
func blocksTogether(m *Message) *Error {
	if m.Acknowledgment != nil && m.Acknowledgment.RefToMessageID == "" {
		return NewOtherXML(atAcknowledgment+"/RefToMessageId", errors.New("empty"))
	}
	failed := m.Errors != nil && m.Errors.HighestSeverity == SeverityError
	if failed && len(m.Manifest) > 0 {
		return NewInconsistent(atManifest, errors.New("payload together with an ErrorList of severity Error"))
	}
	// §4.2.4.3: what says that a message was wrong says nothing else. An Acknowledgment with such a list would be taken for a
	// receipt by one reader and for a refusal by another.
	if failed && !(m.IsSignal() && m.Action == ActionMessageError) {
		return NewInconsistent(atErrorList, fmt.Errorf("ErrorList of severity Error on a message of action %.200q", m.Action))
	}
	// §6.3.1: no signal is acknowledged; two message services would go on forever.
	if m.AckRequested != nil && m.IsSignal() {
		return NewInconsistent(atAckRequested, fmt.Errorf("AckRequested on a %.200s", m.Action))
	}
	return nil
}

// signalBlocks: what a signal carries besides what its Action promises. No service takes a payload from it. An Acknowledgment
// may come with a MessageError, about the same message. Ping, Pong and StatusRequest are nothing but themselves, and a
// StatusResponse may come with warnings. ebMS 2.0 §5, §7.1, §8 (not confirmed for the Acknowledgment).
func signalBlocks(m *Message) *Error {
	if !m.IsSignal() {
		return nil
	}
	if len(m.Manifest) > 0 {
		return NewInconsistent(atManifest, fmt.Errorf("payload on a %s", m.Action))
	}
	switch m.Action {
	case ActionAcknowledgment:
	case ActionMessageError:
		if m.Acknowledgment != nil && m.Acknowledgment.RefToMessageID != m.RefToMessageID {
			return NewInconsistent(atAcknowledgment, errors.New("Acknowledgment of another message than the ErrorList is about"))
		}
	default:
		if m.Acknowledgment != nil {
			return NewInconsistent(atAcknowledgment, fmt.Errorf("Acknowledgment on a %s", m.Action))
		}
		if m.Errors != nil && m.Action != ActionStatusResponse {
			return NewInconsistent(atErrorList, fmt.Errorf("ErrorList on a %s", m.Action))
		}
	}
	return nil
}

// isURI reports whether s is an absolute URI by its form: a scheme, a colon and characters that URIs have. RFC 2396 §3.1.
func isURI(s string) bool {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || scheme == "" || rest == "" || !isAlphanumeric(scheme[0]) || scheme[0] <= '9' {
		return false
	}
	for _, c := range []byte(scheme) {
		if !isAlphanumeric(c) && strings.IndexByte("+-.", c) < 0 {
			return false
		}
	}
	return strings.IndexFunc(rest, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("<>\"{}|\\^`", r) }) < 0
}
