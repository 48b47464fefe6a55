package ebms

import "fmt"

// Bounds on what one message says, in bytes of UTF-8 and in numbers. What Parse returns is stored and repeated in answers
// before anyone knows who sent it, so each of its texts and lists is bounded. The specification bounds none; identifiers
// in use stay below a tenth.
const (
	maxText        = 1 << 10 // an identifier, type, role, URI, code or digest
	maxDescription = 4 << 10 // a text for people

	maxPartyIDs     = 16                // of one party
	maxReferences   = 1024              // of a Manifest
	maxDigests      = maxReferences + 1 // of an Acknowledgment: each payload, and the envelope (§4.1.3)
	maxErrors       = 100               // of an ErrorList
	maxDescriptions = 16                // of one element, each in a language of its own
)

func tooLong(location string, limit int) *Error {
	return NewInconsistent(location, fmt.Errorf("more than %d bytes", limit))
}

func tooMany(location string, limit int, what string) *Error {
	return NewInconsistent(location, fmt.Errorf("more than %d %s", limit, what))
}

// withinLimits holds a message to the bounds above, so that Envelope writes nothing that Parse refuses.
func withinLimits(m *Message) *Error {
	var c limitCheck
	c.text(atMessageHeader+"/CPAId", m.CPAID)
	c.text(atMessageHeader+"/ConversationId", m.ConversationID)
	c.text(atService, m.Service.Type, m.Service.Value)
	c.text(atAction, m.Action)
	c.text(atMessageID, m.MessageID)
	c.text(atRefToMessageID, m.RefToMessageID)
	c.description(atMessageHeader, m.Description)
	c.partyIDs(atFrom, m.From.IDs)
	c.text(atFrom+"/Role", m.From.Role)
	c.partyIDs(atTo, m.To.IDs)
	c.text(atTo+"/Role", m.To.Role)

	c.count(atManifest, len(m.Manifest), maxReferences, "References")
	for _, ref := range m.Manifest {
		c.text(atReference, ref.ID, ref.Href, ref.Role)
		c.description(atReference, ref.Description)
	}
	if ack := m.Acknowledgment; ack != nil {
		c.text(atAcknowledgment+"/RefToMessageId", ack.RefToMessageID)
		c.partyIDs(atAcknowledgment+"/From", ack.From)
		c.count(atAcknowledgment, len(ack.References), maxDigests, "References")
		for _, ref := range ack.References {
			c.text(atDigest, ref.URI, ref.DigestMethod, ref.DigestValue)
		}
	}
	if m.StatusRequest != nil {
		c.text(atStatusRequest+"/RefToMessageId", m.StatusRequest.RefToMessageID)
	}
	if m.StatusResponse != nil {
		c.text(atStatusResponse+"/RefToMessageId", m.StatusResponse.RefToMessageID)
	}
	if m.Errors != nil {
		c.count(atErrorList, len(m.Errors.Errors), maxErrors, "Errors")
		for i := range m.Errors.Errors {
			e := &m.Errors.Errors[i]
			c.text(atError, string(e.Code), e.Location)
			c.description(atError, e.Description)
		}
	}
	return c.err
}

// limitCheck keeps the first bound that is exceeded.
type limitCheck struct{ err *Error }

func (c *limitCheck) text(location string, texts ...string) {
	for _, text := range texts {
		if len(text) > maxText && c.err == nil {
			c.err = tooLong(location, maxText)
		}
	}
}

func (c *limitCheck) description(location, text string) {
	if len(text) > maxDescription && c.err == nil {
		c.err = tooLong(location+"/Description", maxDescription)
	}
}

func (c *limitCheck) count(location string, n, limit int, what string) {
	if n > limit && c.err == nil {
		c.err = tooMany(location, limit, what)
	}
}

func (c *limitCheck) partyIDs(location string, ids []PartyID) {
	c.count(location, len(ids), maxPartyIDs, "PartyIds")
	for _, id := range ids {
		c.text(location+"/PartyId", id.Type, id.Value)
	}
}
