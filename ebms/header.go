package ebms

import (
	"errors"
	"fmt"
	"time"
)

// sequence walks the children of one element in the order of the schema.
type sequence struct {
	p        *parser
	rest     []*element
	location string
}

// sequence begins to read e, which has no text of its own.
func (p *parser) sequence(e *element, location string) *sequence {
	if cause := e.onlySpace(); cause != nil {
		p.fail(NewOtherXML(location, cause))
	}
	return &sequence{p: p, rest: e.children, location: location}
}

// optional returns the next child if it has this name, else nil.
func (s *sequence) optional(space, tag string) *element {
	if len(s.rest) == 0 || !s.rest[0].is(space, tag) {
		return nil
	}
	e := s.rest[0]
	s.rest = s.rest[1:]
	return e
}

// required is optional for a child that must be there. Its place is skipped if it is not, so that what follows is read.
func (s *sequence) required(tag string) *element {
	e := s.optional(nsEB, tag)
	if e == nil {
		found := "the end"
		if len(s.rest) > 0 {
			found = s.rest[0].name()
		}
		s.p.fail(NewOtherXML(s.location, fmt.Errorf("%s expected, %s found", tag, found)))
	}
	return e
}

// value returns the text of a required child, which must not be empty.
func (s *sequence) value(tag string) string {
	e := s.required(tag)
	if e == nil {
		return ""
	}
	return s.p.text(e, s.location+"/"+tag)
}

// instant returns the dateTime in e, or zero if e is nil.
func (s *sequence) instant(e *element) time.Time {
	if e == nil {
		return time.Time{}
	}
	location := s.location + "/" + e.local
	text := s.p.text(e, location)
	if text == "" {
		return time.Time{}
	}
	t, zoned, err := parseTime(text)
	if err != nil {
		s.p.fail(NewOtherXML(location, err))
	} else if !zoned {
		s.p.odd(OddityTimeWithoutZone)
	}
	return t
}

// end requires that nothing is left but elements of other vocabularies, which the schema admits at the end (§2.3.6).
func (s *sequence) end() {
	for _, e := range s.rest {
		if space := e.space; space == nsEB || space == "" {
			s.p.fail(NewOtherXML(s.location, fmt.Errorf("%s is out of place", e.name())))
		}
	}
}

// empty requires that nothing at all is left.
func (s *sequence) empty() {
	if len(s.rest) > 0 {
		s.p.fail(NewOtherXML(s.location, fmt.Errorf("%s is out of place", s.rest[0].name())))
	}
}

// text returns the text of an element that has nothing else and is not empty.
func (p *parser) text(e *element, location string) string { return p.textUpTo(e, location, maxText) }

func (p *parser) textUpTo(e *element, location string, limit int) string {
	text, err := e.ownText()
	if err == nil && text == "" {
		err = errors.New("empty")
	}
	if err != nil {
		p.fail(NewOtherXML(location, err))
	}
	return p.bounded(text, location, limit)
}

// messageHeader reads the MessageHeader. ebMS 2.0 §3.1.
func (p *parser) messageHeader(e *element) {
	m := p.m
	s := p.sequence(e, atMessageHeader)
	m.From = p.party(s.required("From"), atFrom)
	m.To = p.party(s.required("To"), atTo)
	m.CPAID = s.value("CPAId")
	m.ConversationID = s.value("ConversationId")
	if e := s.required("Service"); e != nil {
		m.Service.Type = p.attribute(e, nsEB, "type", atService)
		m.Service.Value = p.text(e, atService)
	}
	m.Action = s.value("Action")
	p.messageData(s.required("MessageData"))
	if e := s.optional(nsEB, "DuplicateElimination"); e != nil {
		m.DuplicateElimination = true
		if text, err := e.ownText(); err != nil || text != "" {
			p.fail(NewOtherXML(atMessageHeader+"/DuplicateElimination", errors.New("not empty")))
		}
	}
	m.Description = p.descriptions(s)
	s.end()
}

// party reads From or To. ebMS 2.0 §3.1.1.
func (p *parser) party(e *element, location string) Party {
	var party Party
	if e == nil {
		return party
	}
	s := p.sequence(e, location)
	party.IDs = p.partyIDs(s)
	if e := s.optional(nsEB, "Role"); e != nil {
		party.Role = p.text(e, location+"/Role")
	}
	s.empty()
	return party
}

// partyIDs reads one PartyId or more. Products answer Inconsistent if there is none, which is kept. ebMS 2.0 §3.1.1.1.
func (p *parser) partyIDs(s *sequence) []PartyID {
	var ids []PartyID
	for e := s.optional(nsEB, "PartyId"); e != nil; e = s.optional(nsEB, "PartyId") {
		if len(ids) == maxPartyIDs {
			p.fail(tooMany(s.location, maxPartyIDs, "PartyIds"))
			break
		}
		location := s.location + "/PartyId"
		if value := p.text(e, location); value != "" { // what does not identify is no address for an answer
			ids = append(ids, PartyID{Type: p.attribute(e, nsEB, "type", location), Value: value})
		}
	}
	if len(ids) == 0 {
		p.fail(NewInconsistent(s.location, errors.New("no PartyId")))
	}
	return ids
}

// messageData reads MessageData. ebMS 2.0 §3.1.6.
func (p *parser) messageData(e *element) {
	if e == nil {
		return
	}
	m := p.m
	s := p.sequence(e, atMessageData)
	m.MessageID = s.value("MessageId")
	m.Timestamp = s.instant(s.required("Timestamp"))
	if e := s.optional(nsEB, "RefToMessageId"); e != nil {
		m.RefToMessageID = p.text(e, atRefToMessageID)
	}
	m.TimeToLive = s.instant(s.optional(nsEB, "TimeToLive"))
	s.empty()
}

// descriptions reads any number of Descriptions, each in a language of its own, and returns the first. ebMS 2.0 §3.1.8.
func (p *parser) descriptions(s *sequence) string {
	first, count := "", 0
	for e := s.optional(nsEB, "Description"); e != nil; e = s.optional(nsEB, "Description") {
		if count++; count > maxDescriptions {
			p.fail(tooMany(s.location, maxDescriptions, "Descriptions"))
			break
		}
		location := s.location + "/Description"
		text := p.textUpTo(e, location, maxDescription)
		if _, ok := e.attribute(nsXML, "lang"); !ok {
			p.fail(NewOtherXML(location, errors.New("no xml:lang")))
		}
		if first == "" {
			first = text
		}
	}
	return first
}

// manifest reads the Manifest. What its references lead to is for Package.CheckManifest. ebMS 2.0 §3.2.
func (p *parser) manifest(e *element) {
	s := p.sequence(e, atManifest)
	for e := s.required("Reference"); e != nil; e = s.optional(nsEB, "Reference") {
		if len(p.m.Manifest) == maxReferences {
			p.fail(tooMany(atManifest, maxReferences, "References"))
			break
		}
		p.m.Manifest = append(p.m.Manifest, p.manifestReference(e))
	}
	s.end()
}

// manifestReference reads one Reference. Its schema and whatever other vocabularies add are for the application, and not
// read. ebMS 2.0 §3.2.1.
func (p *parser) manifestReference(e *element) ManifestReference {
	var ref ManifestReference
	ref.ID = p.attribute(e, nsEB, "id", atReference)
	ref.Role = p.attribute(e, nsXLink, "role", atReference)
	ref.Href = p.attribute(e, nsXLink, "href", atReference)
	if ref.Href == "" {
		p.fail(NewOtherXML(atReference, errors.New("no xlink:href")))
	}
	if kind, ok := e.attribute(nsXLink, "type"); ok && kind != "simple" {
		p.fail(NewOtherXML(atReference, fmt.Errorf("xlink:type %.40q and not simple", kind)))
	}
	s := p.sequence(e, atReference)
	for s.optional(nsEB, "Schema") != nil {
	}
	ref.Description = p.descriptions(s)
	s.end()
	return ref
}
