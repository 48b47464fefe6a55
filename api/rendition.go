package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/paper"
	"github.com/ecogate/ecogate/partners"
)

// suffixPDF after a certificate's path asks for its rendition on paper. The last slash is a plain one: a reference that ends in
// "/pdf" itself is written with %2F.
const suffixPDF = "/pdf"

// HeaderFindings carries the findings of a rendition, a JSON array in ASCII: each field with characters that could not be printed.
const HeaderFindings = "X-Findings"

// maxFindings bounds the findings in a header; the last one then says how many more there are.
const maxFindings = 20

// rendition answers GET /certificates/{reference}/pdf with the one certificate that the query leaves, as PDF.
func (s *server) rendition(c echo.Context) error {
	record, err := s.onlyOne(c, suffixPDF, "certificate.printed")
	if err != nil {
		return err
	}
	role := callOf(c).key.Role
	var options paper.Options
	if s.Paper != nil {
		options = s.Paper()
	}
	options.Overlays = s.overlays(record, role)
	options.Digest = record.Document.Digest
	var pdf bytes.Buffer
	findings, err := paper.Render(&pdf, record.Data, options)
	if err != nil {
		return fmt.Errorf("printing %s: %w", record.Data.Reference, err)
	}
	if err := c.Request().Context().Err(); err != nil {
		return err
	}
	if len(findings) > 0 {
		c.Response().Header().Set(HeaderFindings, findingsHeader(findings))
	}
	s.extend(c, s.timeFor(int64(pdf.Len())))
	sum := sha256.Sum256(pdf.Bytes())
	s.serveContent(c, download{
		content: bytes.NewReader(pdf.Bytes()), mediaType: paper.MediaType,
		name: fmt.Sprintf("certificate-%d.pdf", record.Seq), tag: hex.EncodeToString(sum[:]),
	})
	return nil
}

// only is the certificate with a record's number, 0 for any, when there is just one, or one beside those of tests.
func only(found []exchange.Certificate, seq uint64) (exchange.Certificate, error) {
	var chosen []exchange.Certificate
	for _, f := range found {
		if seq == 0 || f.Seq == seq {
			chosen = append(chosen, f)
		}
	}
	if counts := slices.DeleteFunc(slices.Clone(chosen), func(c exchange.Certificate) bool { return c.Key.Test }); len(counts) > 0 {
		chosen = counts
	}
	switch len(chosen) {
	case 0:
		return exchange.Certificate{}, problem(CodeNotFound, "no certificate with this reference")
	case 1:
		return chosen[0], nil
	}
	return exchange.Certificate{}, problem(CodeAmbiguous, fmt.Sprintf("%d certificates bear this reference; name one with direction, country, form or seq", len(chosen)))
}

// overlays are what a rendition bears because of its record and its reader. What a broker or an importer takes home is never an original.
func (s *server) overlays(c exchange.Certificate, role Role) []paper.Overlay {
	var overlays []paper.Overlay
	switch eco.State(c.State) {
	case eco.StateCancelled:
		overlays = append(overlays, paper.OverlayCancelled)
	case eco.StateReplaced:
		overlays = append(overlays, paper.OverlayReplaced)
	case eco.StateInConflict:
		overlays = append(overlays, paper.OverlayInConflict)
	case eco.StateRefused:
		overlays = append(overlays, paper.OverlayRefused)
	}
	if role.restricted() {
		overlays = append(overlays, paper.OverlayCopy)
	}
	switch {
	case c.Mode == partners.ModeTest || s.TestPartner != nil && s.TestPartner(c.Partner):
		overlays = append(overlays, paper.OverlayTest)
	case c.Mode == partners.ModeParallel:
		overlays = append(overlays, paper.OverlayParallel)
	}
	return overlays
}

// findingsHeader is findings as a header's value. RFC 9110 §5.5 wants ASCII there.
func findingsHeader(findings []eco.Finding) string {
	if more := len(findings) - maxFindings; more > 0 {
		findings = append(findings[:maxFindings:maxFindings], eco.Finding{
			Code: eco.CodeText, Severity: eco.SeverityWarning, Text: fmt.Sprintf("%d more fields have such characters", more),
		})
	}
	text, err := json.Marshal(findings)
	if err != nil {
		return "[]" // strings alone cannot fail
	}
	return escaped(string(text))
}

// escaped writes the characters of JSON beyond ASCII as escapes (RFC 8259 §7).
func escaped(s string) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(s)) {
		if unit > '~' {
			fmt.Fprintf(&b, `\u%04x`, unit)
		} else {
			b.WriteByte(byte(unit))
		}
	}
	return b.String()
}
