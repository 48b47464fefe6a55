package exchange_test

import (
	"context"
	"testing"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// TestPartsSignedInCanonicalForm has a partner whose References to parts name Canonical XML 1.0, and somebody on the way who
// writes comments.
func TestPartsSignedInCanonicalForm(t *testing.T) {
	const annex = "<?xml version='1.0'?>\n<annex b='2' a='1'>9 &lt; 10</annex>\n"
	unchanged := replace("", "")
	for _, test := range []struct {
		name            string
		document, annex func([]byte) []byte // on the way
		code            ebms.Code
	}{
		{"as signed", unchanged, unchanged, ""},
		{"comment in the document", replace("</", "<!-- x --></"), unchanged, ""},
		{"text in the document", replace("</", "x</"), unchanged, ebms.CodeSecurityFailure},
		{"other quotes in the attachment", unchanged, replace("'1'", `"1"`), ""},
		{"comment in the attachment", unchanged, replace("9 ", "9 <!-- x -->"), ebms.CodeSecurityFailure},
		{"text in the attachment", unchanged, replace("9 ", "8 "), ebms.CodeSecurityFailure},
		{"attachment that is no XML", unchanged, replace("</annex>", ""), ebms.CodeSecurityFailure},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, setup{})
			d := w.certificateDraft(sample(t))
			document := octets(d.parts[0].Content)
			d.header.Manifest = append(d.header.Manifest, ebms.ManifestReference{Href: "cid:annex"})
			d.parts = append(d.parts, ebms.Part{ContentID: "annex", ContentType: "text/xml"})
			var edits []string
			for i, content := range [][]byte{document, []byte(annex)} {
				canonical, err := signing.Canonicalize(content)
				w.must(err)
				d.parts[i].Content = ebms.Bytes(canonical)
				start := `<ds:Reference URI="` + d.header.Manifest[i].Href + `">`
				edits = append(edits, start+" => "+start+
					`<ds:Transforms><ds:Transform Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/></ds:Transforms>`)
			}
			d.tamper = func(p *ebms.Package) {
				p.Envelope = w.resigned(p.Envelope, edits, "", w.KR.key(w, partners.UseMessageSignature, ""))
				p.Parts[0].Content, p.Parts[1].Content = ebms.Bytes(test.document(document)), ebms.Bytes(test.annex([]byte(annex)))
			}
			w.TW.Receive(context.Background(), d.request(w))
			m := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Inbound})
			if test.code == "" && m.State != exchange.StateAccepted || test.code != "" && (m.State != exchange.StateQuarantined || m.Reason.Code != string(test.code)) {
				t.Errorf("%s %+v, want %q", m.State, m.Reason, test.code)
			}
		})
	}
}

// TestPartInCanonicalFormWithoutManifest: the partner signs a part that its Manifest does not name, or has none.
func TestPartInCanonicalFormWithoutManifest(t *testing.T) {
	const canonical = `<ds:Transforms><ds:Transform Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/></ds:Transforms>`
	w := newWorld(t, setup{})
	d := w.certificateDraft(sample(t))
	content, err := signing.Canonicalize(octets(d.parts[0].Content))
	w.must(err)
	d.parts[0].Content = ebms.Bytes(content)
	d.header.Manifest = nil
	d.tamper = func(p *ebms.Package) {
		start := `<ds:Reference URI="` + ebms.CIDToHref(d.parts[0].ContentID) + `">`
		p.Envelope = w.resigned(p.Envelope, []string{start + " => " + start + canonical}, "", w.KR.key(w, partners.UseMessageSignature, ""))
	}
	w.TW.Receive(context.Background(), d.request(w))
	m := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Inbound})
	if m.State != exchange.StateQuarantined || m.Reason.Code != string(ebms.CodeMimeProblem) {
		t.Errorf("%s %+v, want %q", m.State, m.Reason, ebms.CodeMimeProblem)
	}
}
