package paper

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/skip2/go-qrcode"

	"github.com/ecogate/ecogate/eco"
)

// Seal is what the QR code of a rendition says: which certificate it shows, and the digest of the signed document by which that is
// known. It proves nothing by itself; whoever reads it compares it with the document.
type Seal struct {
	Country   string // of issue, ISO 3166-1 alpha-2
	Form      eco.FormCode
	Reference string // as printed
	Issued    eco.Date
	// Digest is the SHA-256 of the signed document, 64 hexadecimal digits in lower case; empty when there is none.
	Digest string
	// Verify is where people can check the certificate; empty for none.
	Verify string
}

// The first line of a seal's text, and the names of the lines that may follow.
const (
	sealVersion   = "ecogate:1"
	sealCountry   = "country"
	sealForm      = "form"
	sealReference = "reference"
	sealIssued    = "issued"
	sealDigest    = "sha256"
	sealVerify    = "verify"
)

// maxSeal bounds the text of a seal in octets: a code of more modules is not read off paper.
const maxSeal = 600

// String is the seal's text: the line "ecogate:1", and a line for each value that is there, a name, a space and the value, with LF
// between lines. Octets that are no printable ASCII characters, and "%", are percent-encoded (RFC 3986 §2.1), since readers of QR
// codes disagree about character sets.
//
//	ecogate:1
//	country LA
//	form ATIGA-D
//	reference LA26010137
//	issued 2026-11-16
//	sha256 06dfff1d…
//	verify https://customs.example/co?ref=LA26010137
func (s Seal) String() string {
	lines := []string{sealVersion}
	for _, l := range s.lines() {
		if l.value != "" {
			lines = append(lines, l.name+" "+sealEscape(l.value))
		}
	}
	return strings.Join(lines, "\n")
}

type sealLine struct{ name, value string }

func (s Seal) lines() []sealLine {
	return []sealLine{
		{sealCountry, s.Country}, {sealForm, string(s.Form)}, {sealReference, s.Reference},
		{sealIssued, s.Issued.String()}, {sealDigest, s.Digest}, {sealVerify, s.Verify},
	}
}

func sealEscape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// ParseSeal reads the text of a seal. A line end after the last line is allowed; lines with other names are skipped, so that later
// versions of the first kind can say more.
func ParseSeal(text string) (Seal, error) {
	first, rest, _ := strings.Cut(strings.TrimSuffix(text, "\n"), "\n")
	if first != sealVersion {
		return Seal{}, fmt.Errorf("seal: want the first line %q, found %.40q", sealVersion, first)
	}
	values := map[string]string{}
	for line := range strings.SplitSeq(rest, "\n") {
		name, escaped, _ := strings.Cut(line, " ")
		if _, twice := values[name]; twice {
			return Seal{}, fmt.Errorf("seal: line %.40q is given twice", name)
		}
		value, err := url.PathUnescape(escaped)
		if err != nil {
			return Seal{}, fmt.Errorf("seal: line %.40q: %w", name, err)
		}
		values[name] = value
	}
	s := Seal{
		Country: values[sealCountry], Form: eco.FormCode(values[sealForm]), Reference: values[sealReference],
		Digest: values[sealDigest], Verify: values[sealVerify],
	}
	if s.Reference == "" {
		return Seal{}, errors.New("seal: want a line \"reference\", found none")
	}
	if day := values[sealIssued]; day != "" {
		var err error
		if s.Issued, err = eco.ParseDate(day); err != nil {
			return Seal{}, fmt.Errorf("seal: %w", err)
		}
	}
	return s, nil
}

// Address fills a template for Verify: {country}, {form}, {reference} and {sha256} stand for the seal's values, escaped for a
// query.
func (s Seal) Address(template string) string {
	return strings.NewReplacer(
		"{country}", url.QueryEscape(s.Country), "{form}", url.QueryEscape(string(s.Form)),
		"{reference}", url.QueryEscape(s.Reference), "{sha256}", url.QueryEscape(s.Digest),
	).Replace(template)
}

func sealOf(c eco.Certificate, o Options) Seal {
	s := Seal{Country: c.IssuingCountry, Form: c.Form, Reference: c.Reference, Issued: c.IssuedAt, Digest: o.Digest}
	s.Verify = s.Address(o.VerifyURL)
	return s
}

// png is the QR code (ISO/IEC 18004) of the seal with error correction level M, 4 pixels a module.
func (s Seal) png() ([]byte, error) {
	text := s.String()
	if len(text) > maxSeal {
		return nil, fmt.Errorf("its text has %d octets, at most %d are readable on paper", len(text), maxSeal)
	}
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return nil, err
	}
	return code.PNG(-4)
}
