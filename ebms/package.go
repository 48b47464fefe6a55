package ebms

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Package is a message as MIME packs it: the envelope and the payloads beside it. ebMS 2.0 §2.1.2.
//
// One that was read must be closed. It may be used by several readers at once, until then.
type Package struct {
	// Envelope is the SOAP envelope, exactly as on the wire after decoding its Content-Transfer-Encoding.
	Envelope []byte
	// Parts are the payload containers in the order of the body, without the envelope's part.
	Parts []Part
	// Oddities are the deviations from the specifications that ReadPackage met and took: values of the constants Oddity...,
	// sorted and each once.
	Oddities []Oddity

	index   map[string]int // of Parts by Content-ID, if the package was read
	decoded *spill         // where decoded parts lie, if they do not lie in memory
}

// Close gives back the temporary file that parts may lie in; their contents cannot be read any more. A package that was
// made by hand needs none, and a second call does nothing.
func (p *Package) Close() error { return p.decoded.Close() }

// Part is a payload container. ebMS 2.0 §2.1.4.
type Part struct {
	// ContentID is the Content-ID without its angle brackets; unique within the package.
	ContentID string
	// ContentType is the Content-Type as written, parameters included.
	ContentType string
	// Content is the payload after decoding its Content-Transfer-Encoding: the octets that signatures cover (§4.1.3).
	Content Content
}

// Limits bound what is read from a partner. A zero field means its default.
type Limits struct {
	// Body is the size of an HTTP entity in bytes; default 20 MiB.
	Body int64
	// Parts is the number of parts, the envelope's included; default 16.
	Parts int
	// HeaderBytes is the size of the header of one part in bytes; default 8 KiB.
	HeaderBytes int
	// Envelope is the size of the envelope in bytes; default 1 MiB, and never more than 4 MiB.
	Envelope int64
	// SpillBytes is how much of an HTTP entity is kept in memory, in bytes, and how much of parts that had to be decoded;
	// what is larger lies in a temporary file. Default 1 MiB.
	SpillBytes int64
	// SpillDir is the directory of temporary files; default os.TempDir.
	SpillDir string
}

// envelopeType is the Content-Type of an envelope. ebMS 2.0 §2.1.3.1.
const envelopeType = "text/xml; charset=UTF-8"

// maxEnvelope bounds what Parse reads, whatever the Limits say. A thousand acknowledged payloads need half of it.
const maxEnvelope = 4 << 20

func (l Limits) withDefaults() Limits {
	if l.Body <= 0 {
		l.Body = 20 << 20
	}
	if l.Parts <= 0 {
		l.Parts = 16
	}
	if l.HeaderBytes <= 0 {
		l.HeaderBytes = 8 << 10
	}
	if l.Envelope <= 0 {
		l.Envelope = 1 << 20
	}
	l.Envelope = min(l.Envelope, maxEnvelope)
	if l.SpillBytes <= 0 {
		l.SpillBytes = 1 << 20
	}
	return l
}

// ReadPackage reads an HTTP entity with its Content-Type: multipart/related, or a bare envelope as text/xml (§2.1.2,
// §2.1.3). The Package's parts read from body, which must stay readable as long as they are used. The caller closes the
// Package.
//
// It takes the same memory for a body of any size: 64 KiB of it at a time, the envelope, and decoded parts up to
// Limits.SpillBytes. It reads what products really write (a start parameter with or without angle brackets, or none;
// unquoted parameters; names in any case; any of the five transfer encodings) and refuses whatever two readers could
// understand in two ways.
//
// Errors are *Error with CodeMimeProblem, of which the cause names the limit that was met or what was found. Any other
// error says that the body could not be read or a part not be kept: nothing is known about the message then.
func ReadPackage(contentType string, body Content, l Limits) (*Package, error) {
	return readPackage(contentType, newWindow(orEmpty(body), windowSize), l.withDefaults())
}

func readPackage(contentType string, body *window, l Limits) (*Package, error) {
	if size := body.content.Size(); size > l.Body {
		return nil, mimeProblem("body of %d bytes is over the limit of %d (Limits.Body)", size, l.Body)
	}
	media, err := parseMediaType(contentType)
	if err != nil {
		return nil, mimeProblem("Content-Type of the message: %w", err)
	}
	switch media.name {
	case "text/xml":
		envelope, err := readEnvelopePart(media, body.content, l)
		if err != nil {
			return nil, err
		}
		return &Package{Envelope: envelope}, nil
	case "multipart/related":
		return readRelated(media, body, l)
	}
	return nil, mimeProblem("media type %.80q is neither multipart/related nor text/xml", media.name)
}

// Pack gives the package as an HTTP entity: text/xml if there are no parts, else multipart/related with the envelope
// first. The boundary, 1 to 60 letters, digits, dots, hyphens and underscores, decides every byte that is not content, so
// that equal packages and boundaries give equal bytes. It must not occur in the content: take a new random one for each
// message. ebMS 2.0 §2.1.2; RFC 2387 §3.
//
// The body reads from the contents of the parts, which must stay readable as long as it is used; nothing is copied.
func (p *Package) Pack(boundary string) (contentType string, body Content, err error) {
	if len(p.Parts) == 0 {
		return envelopeType, Bytes(p.Envelope), nil
	}
	if !plainBoundary(boundary) {
		return "", nil, fmt.Errorf("writing package: boundary %q is not 1 to 60 letters, digits, dots, hyphens and underscores", boundary)
	}
	root := "envelope@" + boundary
	parts := append([]Part{{ContentID: root, ContentType: envelopeType, Content: Bytes(p.Envelope)}}, p.Parts...)
	seen := make(map[string]bool, len(parts))
	var text bytes.Buffer // all that is not content
	breaks := make([]int, 0, len(parts))
	for _, part := range parts {
		if err := writable(part, boundary); err != nil {
			return "", nil, fmt.Errorf("writing part %q: %w", part.ContentID, err)
		}
		if seen[part.ContentID] {
			return "", nil, fmt.Errorf("writing part %q: its Content-ID occurs twice", part.ContentID)
		}
		seen[part.ContentID] = true
		// No Content-Transfer-Encoding: HTTP carries octets as they are (Appendix B.2.2).
		fmt.Fprintf(&text, "--%s\r\nContent-Type: %s\r\nContent-ID: <%s>\r\n\r\n", boundary, part.ContentType, part.ContentID)
		breaks = append(breaks, text.Len())
		text.WriteString("\r\n")
	}
	fmt.Fprintf(&text, "--%s--\r\n", boundary)
	whole := &joined{contents: make([]Content, 0, 2*len(parts)+1), ends: make([]int64, 0, 2*len(parts)+1)}
	from := 0
	for i, part := range parts {
		whole.add(Bytes(text.Bytes()[from:breaks[i]]))
		whole.add(part.Content)
		from = breaks[i]
	}
	whole.add(Bytes(text.Bytes()[from:]))
	contentType = fmt.Sprintf(`multipart/related; type="text/xml"; start="<%s>"; boundary="%s"`, root, boundary)
	return contentType, whole, nil
}

func plainBoundary(s string) bool {
	const others = ".-_"
	if s == "" || len(s) > 60 {
		return false
	}
	for _, c := range []byte(s) {
		if !isAlphanumeric(c) && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return true
}

// writable says why part cannot be written with this boundary so that ReadPackage would read it back.
func writable(part Part, boundary string) error {
	if !validContentID(part.ContentID) {
		return fmt.Errorf("not usable as Content-ID")
	}
	media, err := parseMediaType(part.ContentType)
	if err != nil {
		return fmt.Errorf("content type: %w", err)
	}
	if media.composite() {
		return fmt.Errorf("content type %q is not a single document", media.name)
	}
	at, err := newWindow(orEmpty(part.Content), windowSize).index(0, []byte("--"+boundary))
	if err != nil {
		return err
	}
	if at >= 0 {
		return fmt.Errorf("content contains the boundary %q", boundary)
	}
	return nil
}

// CIDToHref returns the cid: URI of the part with this Content-ID. RFC 2392 §2.
func CIDToHref(contentID string) string {
	return "cid:" + url.PathEscape(contentID)
}

// Resolve returns the part that a cid: URI points to. The URI is decoded as RFC 2392 §2 says; since products exist that do
// not encode, a Content-ID that equals the URI's text as it stands is found as well. In a package that was read, parts
// are looked up and not searched for: their Content-IDs must not be changed.
func (p *Package) Resolve(href string) (*Part, bool) {
	id, ok := cutScheme(href, "cid")
	if !ok {
		return nil, false
	}
	if decoded, err := url.PathUnescape(id); err == nil {
		if part, ok := p.part(decoded); ok {
			return part, true
		}
	}
	return p.part(id)
}

func (p *Package) part(contentID string) (*Part, bool) {
	// The index counts only while it is that of Parts: a caller may have replaced them.
	if len(p.index) == len(p.Parts) {
		i, ok := p.index[contentID]
		if !ok {
			return nil, false
		}
		if p.Parts[i].ContentID == contentID {
			return &p.Parts[i], true
		}
	}
	for i := range p.Parts {
		if p.Parts[i].ContentID == contentID {
			return &p.Parts[i], true
		}
	}
	return nil, false
}

// indexed is the package with an index of its parts, which are the same.
func (p *Package) indexed() *Package {
	if p.index != nil {
		return p
	}
	q := &Package{Parts: p.Parts, index: make(map[string]int, len(p.Parts))}
	for i := range slices.Backward(p.Parts) { // of several with one Content-ID the first is found
		q.index[p.Parts[i].ContentID] = i
	}
	return q
}

// cutScheme returns what follows scheme and colon; schemes have no case (RFC 3986 §3.1).
func cutScheme(uri, scheme string) (string, bool) {
	got, rest, ok := strings.Cut(uri, ":")
	return rest, ok && strings.EqualFold(got, scheme)
}

// CheckManifest compares the payloads with m's Manifest: each reference must lead to a part of its own, and each part must
// be referred to. The specification lets a receiver drop a payload that is not listed and leaves references to other
// places to it; both are refused here, so that nothing travels beside what the parties agreed. Errors are *Error with
// CodeMimeProblem. ebMS 2.0 §3.2.2.
func (p *Package) CheckManifest(m *Message) error {
	p = p.indexed()
	listed := make(map[*Part]bool, len(p.Parts))
	for _, ref := range m.Manifest {
		part, ok := p.Resolve(ref.Href)
		if !ok {
			return NewMimeProblem(atReference, fmt.Errorf("%.200q leads to no part of the message", ref.Href))
		}
		if listed[part] {
			return NewMimeProblem(atReference, fmt.Errorf("%.200q leads to a part that is listed already", ref.Href))
		}
		listed[part] = true
	}
	for i := range p.Parts {
		if part := &p.Parts[i]; !listed[part] {
			return NewMimeProblem(atManifest, fmt.Errorf("part %.200q is not in the Manifest", part.ContentID))
		}
	}
	return nil
}
