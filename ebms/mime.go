package ebms

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// mediaType is a Content-Type: its type in lower case, and its parameters by lower-case name.
type mediaType struct {
	name   string
	params map[string]string
}

// composite reports whether the type packs further entities, which a part must not.
func (m mediaType) composite() bool {
	return strings.HasPrefix(m.name, "multipart/") || strings.HasPrefix(m.name, "message/")
}

// parseMediaType reads a Content-Type more leniently than mime.ParseMediaType where products need it: values without quotes
// may hold the slash of type=text/xml and the at sign of start=root@host. It is stricter elsewhere: a parameter given twice,
// split over several (RFC 2231), or with bytes outside ASCII is an error. RFC 2045 §5.1.
func parseMediaType(s string) (mediaType, error) {
	for _, c := range []byte(s) {
		if c < 0x20 && c != '\t' || c > 0x7e {
			return mediaType{}, fmt.Errorf("byte %#x in %.200q", c, s)
		}
	}
	name, rest, more := strings.Cut(s, ";")
	m := mediaType{name: strings.ToLower(strings.TrimSpace(name)), params: map[string]string{}}
	if m.name == "" {
		return mediaType{}, fmt.Errorf("no media type")
	}
	if kind, subtype, ok := strings.Cut(m.name, "/"); !ok || !isToken(kind) || !isToken(subtype) {
		return mediaType{}, fmt.Errorf("%.200q is not a media type", m.name)
	}
	for more {
		var key, value string
		var err error
		if key, value, rest, more, err = nextParam(rest); err != nil {
			return mediaType{}, err
		}
		if key == "" { // "text/xml;" and ";;" are seen in the wild and say nothing
			continue
		}
		if _, twice := m.params[key]; twice {
			return mediaType{}, fmt.Errorf("parameter %s occurs twice", key)
		}
		m.params[key] = value
	}
	return m, nil
}

// nextParam reads one parameter from the text after a semicolon; more says that another semicolon followed.
func nextParam(s string) (key, value, rest string, more bool, err error) {
	s = strings.TrimLeft(s, " \t")
	end := strings.IndexAny(s, "=;")
	if end < 0 || s[end] == ';' {
		before, rest, more := strings.Cut(s, ";")
		if strings.TrimSpace(before) != "" {
			return "", "", "", false, fmt.Errorf("parameter %.80q has no value", before)
		}
		return "", "", rest, more, nil
	}
	key = strings.ToLower(strings.TrimRight(s[:end], " \t"))
	if !isToken(key) || strings.Contains(key, "*") {
		return "", "", "", false, fmt.Errorf("parameter name %.80q is not supported", key)
	}
	s = strings.TrimLeft(s[end+1:], " \t")
	if !strings.HasPrefix(s, `"`) {
		value, rest, more = strings.Cut(s, ";")
		value = strings.TrimRight(value, " \t")
		if strings.Contains(value, `"`) {
			return "", "", "", false, fmt.Errorf("parameter %s has a quote within its value", key)
		}
		return key, value, rest, more, nil
	}
	value, s, err = quotedString(s[1:])
	if err != nil {
		return "", "", "", false, fmt.Errorf("parameter %s: %w", key, err)
	}
	after, rest, more := strings.Cut(s, ";")
	if strings.TrimSpace(after) != "" {
		return "", "", "", false, fmt.Errorf("parameter %s is followed by %.80q", key, after)
	}
	return key, value, rest, more, nil
}

// quotedString reads up to the closing quote and returns what follows it. RFC 822 §3.3.
func quotedString(s string) (value, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], nil
		case '\\':
			if i++; i == len(s) {
				return "", "", fmt.Errorf("the closing quote is missing")
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", fmt.Errorf("the closing quote is missing")
}

// isToken reports whether s is a token of RFC 2045 §5.1.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		if !isAlphanumeric(c) && strings.IndexByte("!#$%&'*+-.^_`{|}~", c) < 0 {
			return false
		}
	}
	return s != ""
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// readRelated reads a multipart/related body. RFC 2387; ebMS 2.0 §2.1.2.
func readRelated(media mediaType, w *window, l Limits) (*Package, error) {
	if t, ok := media.params["type"]; ok && !strings.EqualFold(t, "text/xml") {
		return nil, mimeProblem("parameter type is %.80q and not text/xml", t)
	}
	boundary := media.params["boundary"]
	// RFC 2046 §5.1.1 gives boundaries 1 to 70 characters of which the last is not a space.
	if boundary == "" || len(boundary) > 70 || strings.HasSuffix(boundary, " ") {
		return nil, mimeProblem("boundary %.80q is not 1 to 70 characters without a space at its end", boundary)
	}
	raw, err := splitParts(w, boundary, l.Parts)
	if err != nil {
		return nil, err
	}
	decoded := newSpill(l)
	p, err := readParts(media, raw, partReader{window: w, spill: decoded, limits: l})
	if err != nil {
		_ = decoded.Close()
		return nil, err
	}
	p.decoded = decoded
	return p, nil
}

// readParts reads each part and makes a Package of them.
func readParts(media mediaType, raw []span, r partReader) (*Package, error) {
	parts := make([]readPart, len(raw))
	ids := make(map[string]int, len(raw))
	for i := range raw {
		var err error
		if parts[i], err = r.read(raw[i]); err != nil {
			return nil, inPart(i+1, err)
		}
		id := parts[i].ContentID
		if _, twice := ids[id]; id != "" && twice {
			return nil, mimeProblem("part %d: Content-ID %.200q occurs twice", i+1, id)
		}
		ids[id] = i
	}
	return assemble(media, parts, ids, r.limits)
}

// inPart says which part is wrong, unless it is the storage that is.
func inPart(number int, err error) error {
	var storage *storageError
	if errors.As(err, &storage) {
		return fmt.Errorf("part %d: %w", number, err)
	}
	return mimeProblem("part %d: %w", number, err)
}

// assemble finds the root part, by the start parameter or as the first (RFC 2387 §3.2), and makes a Package. The map ids
// of Content-IDs becomes the Package's.
func assemble(media mediaType, parts []readPart, ids map[string]int, l Limits) (*Package, error) {
	root := 0
	if start, ok := media.params["start"]; ok {
		start = strings.TrimSuffix(strings.TrimPrefix(start, "<"), ">")
		if root, ok = ids[start]; !ok || start == "" {
			return nil, mimeProblem("start %.200q is the Content-ID of no part", start)
		}
	}
	if name := parts[root].media.name; name != "text/xml" {
		return nil, mimeProblem("the envelope's part has media type %.80q and not text/xml", name)
	}
	envelope, err := readEnvelopePart(parts[root].media, parts[root].Content, l)
	if err != nil {
		return nil, err
	}
	p := &Package{Envelope: envelope, Oddities: packageOddities(media, parts), index: ids}
	delete(ids, parts[root].ContentID)
	for i := range parts {
		if i == root {
			continue
		}
		if parts[i].ContentID == "" {
			return nil, mimeProblem("part %d has no Content-ID", i+1)
		}
		ids[parts[i].ContentID] = len(p.Parts)
		p.Parts = append(p.Parts, parts[i].Part)
	}
	return p, nil
}

// span is where octets lie in a body: from the first to the one after the last.
type span struct{ from, to int64 }

// splitParts cuts a multipart body at its delimiter lines (RFC 2046 §5.1.1). Only empty lines may stand before the first
// and after the last. A line that begins like a delimiter and goes on differently is refused, and so is one that a bare
// line feed precedes: readers disagree on whether it is one.
func splitParts(w *window, boundary string, limit int) ([]span, error) {
	delimiter := []byte("--" + boundary)
	at, err := firstDelimiter(w, delimiter)
	if err != nil {
		return nil, err
	}
	var parts []span
	for {
		from, last, err := delimiterEnd(w, at)
		if err != nil {
			return nil, err
		}
		if last {
			junk, err := w.junk(from, w.content.Size())
			if err != nil {
				return nil, err
			}
			if len(junk) > 0 {
				return nil, mimeProblem("%.40q after the last boundary", junk)
			}
			if len(parts) == 0 {
				return nil, mimeProblem("no part between the boundaries")
			}
			return parts, nil
		}
		if len(parts) == limit {
			return nil, mimeProblem("more than %d parts (Limits.Parts)", limit)
		}
		to, err := nextDelimiter(w, from, delimiter)
		if err != nil {
			return nil, err
		}
		if to < 0 {
			return nil, mimeProblem("closing boundary is missing after part %d", len(parts)+1)
		}
		parts = append(parts, span{from, to})
		at = to + int64(len("\r\n")+len(delimiter))
	}
}

// firstDelimiter returns where the text after the first boundary begins.
func firstDelimiter(w *window, delimiter []byte) (int64, error) {
	beginning, err := w.slice(0, w.content.Size(), len(delimiter))
	if err != nil {
		return 0, err
	}
	if bytes.Equal(beginning, delimiter) {
		return int64(len(beginning)), nil
	}
	before, err := nextDelimiter(w, 0, delimiter)
	if err != nil {
		return 0, err
	}
	if before < 0 {
		return 0, mimeProblem("boundary %q does not occur at the beginning of a line", delimiter[len("--"):])
	}
	junk, err := w.junk(0, before)
	if err != nil {
		return 0, err
	}
	if len(junk) > 0 {
		return 0, mimeProblem("%.40q before the first boundary", junk)
	}
	return before + int64(len("\r\n")+len(delimiter)), nil
}

// nextDelimiter returns where the line break before the next delimiter begins, which belongs to the delimiter and not to
// the content; -1 if there is none.
func nextDelimiter(w *window, from int64, delimiter []byte) (int64, error) {
	for next := from; ; {
		at, err := w.index(next, delimiter)
		if at < 0 || err != nil {
			return -1, err
		}
		before, err := w.slice(max(from, at-2), at, 2)
		if err != nil {
			return -1, err
		}
		if string(before) == "\r\n" {
			return at - 2, nil
		}
		if bytes.HasSuffix(before, []byte("\n")) {
			return -1, mimeProblem("boundary %q follows a line feed without a carriage return", delimiter[len("--"):])
		}
		next = at + 1
	}
}

// delimiterEnd reads what follows a boundary on its line. It returns what follows the line, and whether the boundary is
// the closing one.
func delimiterEnd(w *window, at int64) (after int64, last bool, err error) {
	size := w.content.Size()
	dashes, err := w.slice(at, size, 2)
	if err != nil {
		return 0, false, err
	}
	if last = string(dashes) == "--"; last {
		at += 2
	}
	end, err := w.skipBlanks(at, size)
	if err != nil {
		return 0, false, err
	}
	lineEnd, err := w.slice(end, size, 2)
	if err != nil {
		return 0, false, err
	}
	switch {
	case string(lineEnd) == "\r\n":
		return end + 2, last, nil
	case end == size && last:
		return end, true, nil
	}
	line, err := w.slice(at, size, quotable)
	if err != nil {
		return 0, false, err
	}
	line, _, _ = bytes.Cut(line, []byte("\r\n"))
	return 0, false, mimeProblem("boundary is followed by %.40q", line)
}

// encodingDecl finds the encoding of an XML declaration. XML 1.0 §2.8, §4.3.3.
var encodingDecl = regexp.MustCompile(`^<\?xml[ \t\r\n][^>]*?[ \t\r\n]encoding[ \t\r\n]*=[ \t\r\n]*["']([^"'<>]*)["']`)

// readEnvelopePart takes the envelope into memory, within its limit.
func readEnvelopePart(media mediaType, c Content, l Limits) ([]byte, error) {
	if c.Size() > l.Envelope {
		return nil, mimeProblem("envelope of %d bytes is over the limit of %d (Limits.Envelope)", c.Size(), l.Envelope)
	}
	var envelope []byte
	if m, ok := c.(*memory); ok {
		envelope = m.octets
	} else {
		var err error
		if envelope, err = ReadAll(c, 0); err != nil {
			return nil, &storageError{err}
		}
	}
	return envelope, checkCharset(media, envelope)
}

// checkCharset checks that the charset parameter and the XML declaration name the same encoding, UTF-8 or its subset
// US-ASCII. ebMS 2.0 §2.1.3.1, §2.2.2.
func checkCharset(media mediaType, envelope []byte) error {
	charset, given := media.params["charset"]
	declared := charset
	if m := encodingDecl.FindSubmatch(bytes.TrimPrefix(envelope, []byte(byteOrderMark))); m != nil {
		declared = string(m[1])
	}
	if given && !strings.EqualFold(charset, declared) {
		return mimeProblem("charset %.40q of the envelope's part differs from %.40q in its XML declaration", charset, declared)
	}
	switch strings.ToLower(declared) {
	case "", "utf-8":
	case "us-ascii":
		if i := bytes.IndexFunc(envelope, func(r rune) bool { return r > 0x7f }); i >= 0 {
			return mimeProblem("envelope in us-ascii has byte %#x", envelope[i])
		}
	default:
		return mimeProblem("encoding %.40q of the envelope is neither UTF-8 nor US-ASCII", declared)
	}
	return nil
}
