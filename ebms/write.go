package ebms

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
	"unicode/utf8"
)

const xmlDeclaration = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// Envelope writes the message as a SOAP envelope without a signature, which goes in as the last child of the Header. Equal
// messages give equal bytes. It returns the error of Validate, or says which text XML cannot hold. ebMS 2.0 §2.3.
func (m *Message) Envelope() ([]byte, error) {
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("writing envelope: %w", err)
	}
	var w writer
	w.raw(xmlDeclaration)
	w.open("soap:Envelope", "xmlns:soap", nsSOAP, "xmlns:eb", nsEB, "xmlns:xlink", nsXLink)
	w.open("soap:Header")
	w.messageHeader(m)
	if m.SyncReply {
		w.empty("eb:SyncReply", headerBlock("soap:actor", ActorNext)...)
	}
	if m.Order != nil {
		w.messageOrder(m.Order)
	}
	if ask := m.AckRequested; ask != nil {
		w.empty("eb:AckRequested", headerBlock("soap:actor", actorOf(ask.Actor), "eb:signed", strconv.FormatBool(ask.Signed))...)
	}
	if m.Acknowledgment != nil {
		w.acknowledgment(m.Acknowledgment)
	}
	if m.Errors != nil {
		w.errorList(m.Errors)
	}
	w.close("soap:Header")
	w.body(m)
	w.close("soap:Envelope")
	if w.err != nil {
		return nil, fmt.Errorf("writing envelope: %w", w.err)
	}
	return w.buf.Bytes(), nil
}

// headerBlock is the attributes that every header block has (§2.3.8, §2.3.9) and others.
func headerBlock(others ...string) []string {
	return append([]string{"eb:version", version, "soap:mustUnderstand", "1"}, others...)
}

func actorOf(actor string) string {
	if actor == "" {
		return ActorToPartyMSH
	}
	return actor
}

// messageHeader writes the MessageHeader. ebMS 2.0 §3.1.
func (w *writer) messageHeader(m *Message) {
	w.open("eb:MessageHeader", headerBlock()...)
	w.party("eb:From", m.From)
	w.party("eb:To", m.To)
	w.element("eb:CPAId", m.CPAID)
	w.element("eb:ConversationId", m.ConversationID)
	w.element("eb:Service", m.Service.Value, typed(m.Service.Type)...)
	w.element("eb:Action", m.Action)
	w.open("eb:MessageData")
	w.element("eb:MessageId", m.MessageID)
	w.element("eb:Timestamp", formatTime(m.Timestamp))
	if m.RefToMessageID != "" {
		w.element("eb:RefToMessageId", m.RefToMessageID)
	}
	if !m.TimeToLive.IsZero() {
		w.element("eb:TimeToLive", formatTime(m.TimeToLive))
	}
	w.close("eb:MessageData")
	if m.DuplicateElimination {
		w.empty("eb:DuplicateElimination")
	}
	w.description(m.Description)
	w.close("eb:MessageHeader")
}

func (w *writer) party(name string, p Party) {
	w.open(name)
	for _, id := range p.IDs {
		w.element("eb:PartyId", id.Value, typed(id.Type)...)
	}
	if p.Role != "" {
		w.element("eb:Role", p.Role)
	}
	w.close(name)
}

func typed(kind string) []string {
	if kind == "" {
		return nil
	}
	return []string{"eb:type", kind}
}

// description writes a Description in English, the language of our texts. ebMS 2.0 §3.1.8.
func (w *writer) description(text string) {
	if text != "" {
		w.element("eb:Description", text, "xml:lang", "en")
	}
}

// acknowledgment writes an Acknowledgment. ebMS 2.0 §6.3.2.
func (w *writer) acknowledgment(a *Acknowledgment) {
	w.open("eb:Acknowledgment", headerBlock("soap:actor", actorOf(a.Actor))...)
	w.element("eb:Timestamp", formatTime(a.Timestamp))
	w.element("eb:RefToMessageId", a.RefToMessageID)
	if len(a.From) > 0 {
		w.party("eb:From", Party{IDs: a.From})
	}
	for _, ref := range a.References {
		w.digestReference(ref)
	}
	w.close("eb:Acknowledgment")
}

func (w *writer) digestReference(ref DigestReference) {
	if ref.XML != nil {
		// The copy is put in unchanged, so that it must be complete in itself.
		if err := checkCopy(ref.XML); err != nil {
			w.fail(fmt.Errorf("copy of ds:Reference %q: %w", ref.URI, err))
		}
		w.buf.Write(ref.XML)
		return
	}
	w.open("ds:Reference", "xmlns:ds", nsDS, "URI", ref.URI)
	w.empty("ds:DigestMethod", "Algorithm", ref.DigestMethod)
	w.element("ds:DigestValue", ref.DigestValue)
	w.close("ds:Reference")
}

// checkCopy checks that a copy of a ds:Reference is that element and nothing else.
func checkCopy(copied []byte) error {
	root, err := readXML(copied)
	if err != nil {
		return err
	}
	if !root.is(nsDS, "Reference") {
		return fmt.Errorf("%s found", root.name())
	}
	if !bytes.HasPrefix(copied, []byte("<")) || bytes.HasPrefix(copied, []byte("<?")) || bytes.HasPrefix(copied, []byte("<!")) {
		return errors.New("something stands before the element")
	}
	return nil
}

// errorList writes an ErrorList. Causes stay here. ebMS 2.0 §4.2.3.
func (w *writer) errorList(list *ErrorList) {
	w.open("eb:ErrorList", headerBlock("eb:highestSeverity", string(list.HighestSeverity))...)
	for i := range list.Errors {
		e := &list.Errors[i]
		attributes := []string{"eb:errorCode", string(e.Code), "eb:severity", string(e.Severity)}
		if e.Location != "" {
			attributes = append(attributes, "eb:location", e.Location)
		}
		if e.Description == "" {
			w.empty("eb:Error", attributes...)
			continue
		}
		w.open("eb:Error", attributes...)
		w.description(e.Description)
		w.close("eb:Error")
	}
	w.close("eb:ErrorList")
}

// ncName is the form of eb:id, in ASCII. Namespaces in XML 1.0 §3.
var ncName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9._-]*$`)

// manifest writes the Manifest. ebMS 2.0 §3.2.
func (w *writer) manifest(refs []ManifestReference) {
	w.open("eb:Manifest", "eb:version", version)
	for _, ref := range refs {
		var attributes []string
		if ref.ID != "" {
			if !ncName.MatchString(ref.ID) {
				w.fail(fmt.Errorf("eb:id %q is no NCName", ref.ID))
			}
			attributes = append(attributes, "eb:id", ref.ID)
		}
		attributes = append(attributes, "xlink:type", "simple", "xlink:href", ref.Href)
		if ref.Role != "" {
			attributes = append(attributes, "xlink:role", ref.Role)
		}
		if ref.Description == "" {
			w.empty("eb:Reference", attributes...)
			continue
		}
		w.open("eb:Reference", attributes...)
		w.description(ref.Description)
		w.close("eb:Reference")
	}
	w.close("eb:Manifest")
}

// formatTime writes an instant in UTC with Z, and milliseconds if it has any. ebMS 2.0 §3.1.6.2.
func formatTime(t time.Time) string {
	return t.UTC().Truncate(time.Millisecond).Format("2006-01-02T15:04:05.999Z07:00")
}

// writer writes XML. Names and attribute names are ours and written as they are; values are escaped. The first error is
// kept and the bytes are worthless then.
type writer struct {
	buf bytes.Buffer
	err error
}

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *writer) raw(s string) { w.buf.WriteString(s) }

// open writes a start tag; attributes are names and values in turn.
func (w *writer) open(name string, attributes ...string) {
	w.start(name, attributes)
	w.raw(">")
}

// empty writes an element without content.
func (w *writer) empty(name string, attributes ...string) {
	w.start(name, attributes)
	w.raw("/>")
}

// element writes an element with text.
func (w *writer) element(name, text string, attributes ...string) {
	w.open(name, attributes...)
	w.escaped(name, text)
	w.close(name)
}

func (w *writer) close(name string) { w.raw("</" + name + ">") }

func (w *writer) start(name string, attributes []string) {
	w.raw("<" + name)
	for i := 0; i+1 < len(attributes); i += 2 {
		w.raw(" " + attributes[i] + `="`)
		w.escaped(attributes[i], attributes[i+1])
		w.raw(`"`)
	}
}

// escaped writes character data or an attribute value. Characters that XML 1.0 §2.2 has not are an error: xml.EscapeText
// would replace them, and the message would not say what its sender meant.
func (w *writer) escaped(name, text string) {
	for i, r := range text {
		if r == utf8.RuneError { // U+FFFD itself is a character like others
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				w.fail(fmt.Errorf("%s: no UTF-8 at byte %d", name, i))
				return
			}
		}
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			w.fail(fmt.Errorf("%s: character %#x at byte %d", name, r, i))
			return
		}
	}
	if err := xml.EscapeText(&w.buf, []byte(text)); err != nil {
		w.fail(err)
	}
}
