package exchange_test

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
	"github.com/ecogate/ecogate/ubl"
)

// draft is a message made to measure: right in everything until a test changes a part of it.
type draft struct {
	header *ebms.Message
	parts  []ebms.Part
	// key signs; without a Signer the message stays unsigned.
	key signing.Key
	// beside are the parts that the signature leaves out.
	beside []ebms.Part
	// edit changes the envelope before it is signed, tamper the whole package afterwards.
	edit   func(envelope []byte) []byte
	tamper func(*ebms.Package)
}

// request signs and packs the draft.
func (d *draft) request(w *world) ebms.Request {
	w.Helper()
	envelope, err := d.header.Envelope()
	w.must(err)
	if d.edit != nil {
		envelope = d.edit(envelope)
	}
	var covered []signing.Part
	for _, p := range d.parts {
		covered = append(covered, signing.Part{URI: ebms.CIDToHref(p.ContentID), Content: p.Content})
	}
	if d.key.Signer != nil {
		envelope, _, err = signing.SignMessage(envelope, covered, d.key)
		w.must(err)
	}
	pkg := &ebms.Package{Envelope: envelope, Parts: slices.Concat(d.parts, d.beside)}
	if d.tamper != nil {
		d.tamper(pkg)
	}
	contentType, body, err := pkg.Pack("drafted-" + uuid.NewString())
	w.must(err)
	return w.request(contentType, octets(body))
}

// key is the one that a side signs with now.
func (s *side) key(w *world, use partners.Use, body string) signing.Key {
	w.Helper()
	k, err := s.registry.Key(use, body, w.now())
	w.must(err)
	return k
}

// document is c under the signature of key.
func (w *world) document(c eco.Certificate, key signing.Key) []byte {
	w.Helper()
	unsigned, err := ubl.Marshal(c, eco.DefaultForms())
	w.must(err)
	signed, err := signing.SignDocument(unsigned, ubl.SignaturePath(), key)
	w.must(err)
	return signed
}

// certificateDraft is what KR would send for c, as a new message.
func (w *world) certificateDraft(c eco.Certificate) *draft {
	w.Helper()
	body := "KCCI"
	if c.IssuingCountry != "KR" {
		body = "MOIC"
	}
	id := uuid.NewString() + "@kr"
	return &draft{
		header: &ebms.Message{
			From:  ebms.Party{IDs: []ebms.PartyID{{Type: "urn:ecogate:party", Value: "KR-HUB"}}, Role: "urn:ecogate:role:exporting-administration"},
			To:    ebms.Party{IDs: []ebms.PartyID{{Type: "urn:ecogate:party", Value: "TW-HUB"}}, Role: "urn:ecogate:role:importing-administration"},
			CPAID: krtwCPA, ConversationID: "c1", Service: ebms.Service{Type: "urn:ecogate:services", Value: "CertificateOfOrigin"}, Action: "Submit",
			MessageID: id, Timestamp: w.now(), TimeToLive: w.now().Add(time.Hour), DuplicateElimination: true,
			AckRequested: &ebms.AckRequested{Signed: true},
			Manifest:     []ebms.ManifestReference{{Href: ebms.CIDToHref("co-" + id)}},
		},
		parts: []ebms.Part{{ContentID: "co-" + id, ContentType: ubl.MediaType, Content: ebms.Bytes(w.document(c, w.KR.key(w, partners.UseDocumentSignature, body)))}},
		key:   w.KR.key(w, partners.UseMessageSignature, ""),
	}
}

// content replaces the document.
func (d *draft) content(document []byte) { d.parts[0].Content = ebms.Bytes(document) }

// replace is an edit.
func replace(old, with string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(with), 1) }
}

// acknowledgmentDraft is the acknowledgment that TW gives for a message of KR: it is received for that.
func (w *world) acknowledgmentDraft(request ebms.Request) *draft {
	w.Helper()
	w.TW.Receive(context.Background(), request)
	stored := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Outbound, Kind: exchange.KindAcknowledgment})
	m, err := ebms.Parse(w.TW.raw(w, stored.Raw))
	w.must(err)
	return &draft{header: m, key: w.TW.key(w, partners.UseMessageSignature, "")}
}

// errorDraft is a MessageError of TW about a message of KR.
func (w *world) errorDraft(about string, severity ebms.Severity) *draft {
	w.Helper()
	d := w.certificateDraft(sample(w))
	d.header.MessageID = about
	problem := ebms.NewNotSupported("//Header", nil)
	problem.Severity = severity
	m := ebms.NewMessageError(d.header, ebms.NewErrorList(problem), ebms.SignalOptions{MessageID: uuid.NewString() + "@tw", Now: w.now()})
	return &draft{header: m, key: w.TW.key(w, partners.UseMessageSignature, "")}
}

// askNothing makes the agreement one without acknowledgments.
func askNothing(c *config.Config) {
	c.Agreements[0].AckRequested, c.Agreements[0].AckSigned = new(false), new(false)
}

// refuseForm takes the sample's form out of the agreement.
func refuseForm(c *config.Config) {
	c.Agreements[0].Forms = slices.DeleteFunc(c.Agreements[0].Forms, func(f eco.FormCode) bool { return f == eco.FormNonPreferential })
}

// hopRequest asks the next message service for an acknowledgment. It stands outside the signature.
const hopRequest = `<eb:AckRequested eb:version="2.0" soap:mustUnderstand="1" soap:actor="` + ebms.ActorNextMSH + `" eb:signed="false"/>`

// asPing makes a Ping of the draft.
func (d *draft) asPing() {
	d.header.Service, d.header.Action = ebms.Service{Value: ebms.MSHService}, ebms.ActionPing
	d.header.AckRequested, d.header.DuplicateElimination = nil, false
	d.parts, d.header.Manifest = nil, nil
}

// ordered has the agreement guarantee the order of messages.
func ordered(c *config.Config) {
	c.Agreements[0].MessageOrder = partners.OrderGuaranteed
	c.Agreements[0].OrderGap = time.Hour
}

// both does the same to each side's configuration.
func both(change func(*config.Config)) setup { return setup{kr: change, tw: change} }
