package ebms

import (
	"errors"
	"fmt"
)

// Code is an ebXML error code.
type Code string

// The error codes. ebMS 2.0 §4.2.3.4.1 has those about the XML document, §4.2.3.4.2 the others.
const (
	// CodeValueNotRecognized: an element or attribute value is not known here, such as a CPAId, Service or Action.
	CodeValueNotRecognized Code = "ValueNotRecognized"
	// CodeNotSupported: legal, but this message service does not do it.
	CodeNotSupported Code = "NotSupported"
	// CodeInconsistent: contradicts another part of the message or the agreement.
	CodeInconsistent Code = "Inconsistent"
	// CodeOtherXML: any other fault in the envelope's XML.
	CodeOtherXML Code = "OtherXml"
	// CodeDeliveryFailure: the message was not delivered, or (Warning) was sent and never acknowledged.
	CodeDeliveryFailure Code = "DeliveryFailure"
	// CodeTimeToLiveExpired: arrived after its TimeToLive.
	CodeTimeToLiveExpired Code = "TimeToLiveExpired"
	// CodeSecurityFailure: signature, authorisation or decryption failed.
	CodeSecurityFailure Code = "SecurityFailure"
	// CodeMimeProblem: the packaging is wrong, or a payload is missing.
	CodeMimeProblem Code = "MimeProblem"
	// CodeUnknown: anything else.
	CodeUnknown Code = "Unknown"
)

// Severity of an Error.
type Severity string

// The severities. ebMS 2.0 §4.2.3.2.4: an Error means that the conversation cannot go on as agreed.
const (
	SeverityWarning Severity = "Warning"
	SeverityError   Severity = "Error"
)

// ErrorList is the header block of the same name. ebMS 2.0 §4.2.3.
type ErrorList struct {
	// HighestSeverity of Errors; computed by NewErrorList.
	HighestSeverity Severity
	// Errors is not empty.
	Errors []Error
}

// Error is one entry of an ErrorList, and the error type of this package. Code, Severity, Location and Description are for
// the partner and never repeat what the partner sent; Cause is for our own log.
type Error struct {
	Code     Code
	Severity Severity
	// Location says where the fault is: a path like //Header/MessageHeader/To, or a cid: URI. Products write it in
	// different ways, so it is text for people (§4.2.3.2.5 would have an XPointer; not confirmed). May be empty.
	Location string
	// Description is a sentence for people; may be empty in a list that was read.
	Description string
	// Cause is what went wrong in detail. It never goes on the wire and is nil in a list that was read.
	Cause error
}

// Error returns code, location and cause for a log.
func (e *Error) Error() string {
	text := string(e.Code)
	if e.Location != "" {
		text += " at " + e.Location
	}
	if e.Cause != nil {
		return text + ": " + e.Cause.Error()
	}
	if e.Description != "" {
		return text + ": " + e.Description
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// descriptions holds the one sentence per code that a partner is told. Details stay here, in Cause: they would help an
// attacker to probe and may repeat the attacker's own bytes.
var descriptions = map[Code]string{
	CodeValueNotRecognized: "A value in the message is not recognised by the receiver.",
	CodeNotSupported:       "The message asks for something that the receiver does not support.",
	CodeInconsistent:       "The message contradicts itself or the agreement between the parties.",
	CodeOtherXML:           "The envelope does not follow the ebXML Message Service 2.0 schema.",
	CodeDeliveryFailure:    "The message was not delivered, or its delivery was not confirmed.",
	CodeTimeToLiveExpired:  "The message arrived after its TimeToLive.",
	CodeSecurityFailure:    "The security checks of the message failed.",
	CodeMimeProblem:        "The MIME packaging of the message is not valid, or a payload is missing.",
	CodeUnknown:            "The message was not processed because of an error at the receiver.",
}

func newError(code Code, location string, cause error) *Error {
	return &Error{Code: code, Severity: SeverityError, Location: location, Description: descriptions[code], Cause: cause}
}

// NewValueNotRecognized: a value such as CPAId, Service or Action is unknown here. ebMS 2.0 §4.2.3.4.1.
func NewValueNotRecognized(location string, cause error) *Error {
	return newError(CodeValueNotRecognized, location, cause)
}

// NewNotSupported: the message asks for something legal that is not done here. ebMS 2.0 §4.2.3.4.1.
func NewNotSupported(location string, cause error) *Error {
	return newError(CodeNotSupported, location, cause)
}

// NewInconsistent: the message contradicts itself or the agreement. ebMS 2.0 §4.2.3.4.1.
func NewInconsistent(location string, cause error) *Error {
	return newError(CodeInconsistent, location, cause)
}

// NewOtherXML: the envelope breaks the schema. ebMS 2.0 §4.2.3.4.1.
func NewOtherXML(location string, cause error) *Error { return newError(CodeOtherXML, location, cause) }

// NewDeliveryFailure with SeverityError means surely not delivered; with SeverityWarning: sent as often as agreed and
// never acknowledged. ebMS 2.0 §4.2.3.4.2, §6.5.7.
func NewDeliveryFailure(severity Severity, location string, cause error) *Error {
	e := newError(CodeDeliveryFailure, location, cause)
	e.Severity = severity
	return e
}

// NewTimeToLiveExpired: the message arrived too late. ebMS 2.0 §3.1.6.4.
func NewTimeToLiveExpired(cause error) *Error {
	return newError(CodeTimeToLiveExpired, atTimeToLive, cause)
}

// NewSecurityFailure: signature or authorisation failed. The partner is not told which. ebMS 2.0 §4.2.3.4.2.
func NewSecurityFailure(location string, cause error) *Error {
	return newError(CodeSecurityFailure, location, cause)
}

// NewMimeProblem: the packaging is wrong. Location is the cid: URI of the payload if one is to blame. ebMS 2.0 §2.1.6.
func NewMimeProblem(location string, cause error) *Error {
	return newError(CodeMimeProblem, location, cause)
}

// NewUnknown: an error that no other code describes. ebMS 2.0 §4.2.3.4.2.
func NewUnknown(cause error) *Error { return newError(CodeUnknown, "", cause) }

// AsWarning returns e with SeverityWarning if its code may be a warning: NotSupported, Inconsistent, OtherXml, DeliveryFailure
// and Unknown. The other codes are errors always, and e is returned as it is. ebMS 2.0 §4.2.3.4.1, §4.2.3.4.2 (that
// Inconsistent may warn is not confirmed there; §6.3.1.2 has such a case).
func (e *Error) AsWarning() *Error {
	switch e.Code {
	case CodeNotSupported, CodeInconsistent, CodeOtherXML, CodeDeliveryFailure, CodeUnknown:
		warning := *e
		warning.Severity = SeverityWarning
		return &warning
	}
	return e
}

// AsError returns the *Error in err's chain, or an Error with CodeUnknown and err as its Cause. It returns nil for nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return NewUnknown(err)
}

// NewErrorList returns a list of errs with its highest severity. ebMS 2.0 §4.2.3.1.
func NewErrorList(errs ...*Error) ErrorList {
	list := ErrorList{HighestSeverity: SeverityWarning}
	for _, e := range errs {
		list.Errors = append(list.Errors, *e)
		if e.Severity == SeverityError {
			list.HighestSeverity = SeverityError
		}
	}
	return list
}

// mimeProblem is NewMimeProblem with a formatted cause and no location.
func mimeProblem(format string, args ...any) *Error {
	return NewMimeProblem("", fmt.Errorf(format, args...))
}
