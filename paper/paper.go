// Package paper prints a certificate of origin as a PDF in the frame of its form, so that people who hold paper, or a screen, see the
// boxes that they know. It knows how forms look, how text is set into boxes, and how a rendition points at the signed document. It
// does not know who may see a certificate or what became of it: overlays come with Options.
//
// Guarantees of a rendition:
//   - Nothing of the certificate that may leave the country is left out, and nothing is cut; an item's CPE is national, and is not
//     printed. What does not fit into its box goes on in the column of the goods and on continuation pages, and the box says where.
//     Each page bears the reference and its number of all pages.
//   - A character that no font has is printed as its code point, [U+4E2D], and is in the findings. It never becomes another character.
//   - The same input gives the same octets, so that a rendition can be compared and its digest kept.
//   - Work and pages are bounded: by MaxPages, whatever the input.
//
// Texts run from left to right without shaping. Scripts that need either (Arabic, Hebrew, Devanagari, Khmer and others) count as not
// printable; so do characters beyond U+FFFF.
//
// Read in this order: paper.go, layout.go and layouts.go (the forms), content.go (what stands in which box), text.go and font.go
// (characters and lines), compose.go and table.go (boxes and pages), draw.go (PDF), seal.go (the QR code).
package paper

import (
	"fmt"
	"io"

	"github.com/ecogate/ecogate/eco"
)

// MaxPages bounds a rendition. 2,000 items of ordinary length take about 130 pages.
const MaxPages = 1000

// MediaType is that of a rendition.
const MediaType = "application/pdf"

// Overlay is words across or upon a rendition that say what it is not, or not any more.
type Overlay string

// The overlays that a caller chooses. What the certificate itself says (issued retroactively, certified true copy, what it replaces,
// that it is a cancellation) is printed without being asked for.
const (
	OverlayCancelled  Overlay = "CANCELLED"
	OverlayReplaced   Overlay = "REPLACED"
	OverlayInConflict Overlay = "IN CONFLICT - NOT TO BE USED"
	OverlayRefused    Overlay = "REFUSED - NOT TO BE USED"
	OverlayCopy       Overlay = "COPY - NOT AN ORIGINAL"
	OverlayTest       Overlay = "TEST"
	OverlayParallel   Overlay = "THE PAPER DECIDES"
)

// Options say what a rendition bears beside the certificate. The zero value prints the certificate alone, in the built-in fonts.
type Options struct {
	// Forms are where the certificate's form is found; the zero value holds those that come with the program.
	Forms eco.Forms
	// Fonts are tried in their order for values that the built-in font (Windows-1252) cannot print.
	Fonts []*Font
	// Overlays are printed on every page, in their order.
	Overlays []Overlay
	// Digest is the SHA-256 of the signed document in hex; empty when there is none. It is printed and is in the QR code.
	Digest string
	// VerifyURL is a template for the address in the QR code where people can check the certificate; see Seal.Address. Empty for none.
	VerifyURL string
}

// ErrTooLong is why a certificate was not printed: it takes more than MaxPages.
var ErrTooLong = fmt.Errorf("want at most %d pages, found more", MaxPages)

// Render writes the certificate as PDF. The findings name each field with characters that could not be printed as themselves.
// Whether the certificate fits its form is not asked: whatever can be held in an eco.Certificate can be printed. The error is
// ErrTooLong, or w's own.
func Render(w io.Writer, c eco.Certificate, o Options) ([]eco.Finding, error) {
	p := newPress(o.Fonts)
	c = printed(c)
	findings := check(c, p.faces)
	s := source{c: &c, options: o}
	s.form, _ = o.Forms.ByCode(c.Form)
	s.frame = frameOf(s.form)
	seal := sealOf(c, o)
	code, err := seal.png()
	if err != nil {
		findings = append(findings, eco.Finding{
			Code: eco.CodeText, Severity: eco.SeverityWarning, Path: "reference",
			Text: "the QR code was left out: " + err.Error(), Fix: "shorten the reference or paper.verify_url",
		})
	}
	sheets, err := compose(p, s, len(findings))
	if err != nil {
		return findings, err
	}
	return findings, p.write(w, sheets, code, metadata{
		title:   s.title() + " " + c.Reference,
		author:  c.IssuingBody.Name,
		subject: fmt.Sprintf("Certificate of origin %s, form %s, issued in %s", c.Reference, c.Form, c.IssuingCountry),
		day:     c.IssuedAt,
	})
}

// Check tells what Render would find, without printing.
func Check(c eco.Certificate, fonts []*Font) []eco.Finding {
	return check(printed(c), newPress(fonts).faces)
}

// printed is what of a certificate stands on its form: without what is the issuing country's own, and without the asterisks that
// closed its texts on other paper, since this paper has its own.
func printed(c eco.Certificate) eco.Certificate {
	cleaned, _ := eco.Clean(c.ForPartner())
	return cleaned
}
