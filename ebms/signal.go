package ebms

import (
	"errors"
	"fmt"
)

// ackRequested reads AckRequested. ebMS 2.0 §6.3.1.
func (p *parser) ackRequested(e *element) {
	ask := &AckRequested{Actor: p.actor(e, atAckRequested)}
	switch signed, _ := e.attribute(nsEB, "signed"); signed {
	case "true", "1":
		ask.Signed = true
	case "false", "0":
	default:
		p.fail(NewOtherXML(atAckRequested, fmt.Errorf("eb:signed is %.40q and not a boolean", signed)))
	}
	p.sequence(e, atAckRequested).end()
	if ask.Actor == ActorNextMSH {
		p.hop().AckRequested = ask
		return
	}
	p.m.AckRequested = ask
}

// acknowledgment reads an Acknowledgment. ebMS 2.0 §6.3.2.
func (p *parser) acknowledgment(e *element) {
	s := p.sequence(e, atAcknowledgment)
	ack := &Acknowledgment{Actor: p.actor(e, atAcknowledgment)}
	ack.Timestamp = s.instant(s.required("Timestamp"))
	ack.RefToMessageID = s.value("RefToMessageId")
	if e := s.optional(nsEB, "From"); e != nil {
		ack.From = p.party(e, atAcknowledgment+"/From").IDs
	}
	for e := s.optional(nsDS, "Reference"); e != nil; e = s.optional(nsDS, "Reference") {
		if len(ack.References) == maxDigests {
			p.fail(tooMany(atAcknowledgment, maxDigests, "References"))
			break
		}
		ack.References = append(ack.References, p.digestReference(e))
	}
	s.end()
	if ack.Actor == ActorNextMSH {
		p.hop().Acknowledgment = ack
		return
	}
	p.m.Acknowledgment = ack
}

// digestReference reads a ds:Reference as far as a comparison of digests needs. XML Signature §4.3.3.
func (p *parser) digestReference(e *element) DigestReference {
	const location = atDigest
	s := p.sequence(e, location)
	s.optional(nsDS, "Transforms")
	method, value := s.optional(nsDS, "DigestMethod"), s.optional(nsDS, "DigestValue")
	s.empty()
	if method == nil || value == nil {
		p.fail(NewOtherXML(location, errors.New("ds:Reference without DigestMethod or DigestValue")))
		return DigestReference{}
	}
	var ref DigestReference
	// URI is optional in XML Signature, but the references of an ebMS signature have it, if only empty (§4.1.3).
	uri, ok := e.attribute("", "URI")
	if !ok {
		p.fail(NewOtherXML(location, errors.New("ds:Reference without URI")))
	}
	ref.URI = p.bounded(uri, location, maxText)
	algorithm, ok := method.attribute("", "Algorithm")
	if !ok {
		p.fail(NewOtherXML(location, errors.New("ds:DigestMethod without Algorithm")))
	}
	ref.DigestMethod = p.bounded(algorithm, location, maxText)
	ref.DigestValue = p.text(value, location+"/DigestValue")
	return ref
}

// errorList reads an ErrorList. ebMS 2.0 §4.2.3.
func (p *parser) errorList(e *element) {
	list := &ErrorList{HighestSeverity: p.severity(e, "highestSeverity", atErrorList)}
	s := p.sequence(e, atErrorList)
	for e := s.required("Error"); e != nil; e = s.optional(nsEB, "Error") {
		if len(list.Errors) == maxErrors {
			p.fail(tooMany(atErrorList, maxErrors, "Errors"))
			break
		}
		list.Errors = append(list.Errors, p.errorEntry(e))
	}
	s.end()
	p.m.Errors = list
}

// errorEntry reads one Error. Codes of a context other than ebMS's own are kept as they are. ebMS 2.0 §4.2.3.2.
func (p *parser) errorEntry(e *element) Error {
	const location = atError
	code := p.attribute(e, nsEB, "errorCode", location)
	if code == "" {
		p.fail(NewOtherXML(location, errors.New("no eb:errorCode")))
	}
	entry := Error{Code: Code(code), Severity: p.severity(e, "severity", location)}
	entry.Location = p.attribute(e, nsEB, "location", location)
	s := p.sequence(e, location)
	if e := s.optional(nsEB, "Description"); e != nil {
		text, err := e.ownText() // often empty, and of no consequence
		if err != nil {
			p.fail(NewOtherXML(location, err))
		}
		entry.Description = p.bounded(text, location+"/Description", maxDescription)
	}
	s.end()
	return entry
}

func (p *parser) severity(e *element, name, location string) Severity {
	value, _ := e.attribute(nsEB, name)
	severity := Severity(value)
	if severity != SeverityError && severity != SeverityWarning {
		severity = ""
		p.fail(NewOtherXML(location, fmt.Errorf("eb:%s is %.40q and neither Warning nor Error", name, value)))
	}
	return severity
}
