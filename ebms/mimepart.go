package ebms

import (
	"bytes"
	"fmt"
	"strings"
)

// maxFolds is the number of continuation lines in the header of one part. Three Content fields need none or few.
const maxFolds = 16

// readPart is a Part with what was read beside it.
type readPart struct {
	Part
	media mediaType
	// encoded says that the content came in base64 or quoted-printable, and bareID that the Content-ID had no angle brackets.
	encoded, bareID bool
}

// partReader reads the parts of one body.
type partReader struct {
	window *window
	spill  *spill // takes what had to be decoded
	limits Limits
}

// read reads header and content of one part. ebMS 2.0 §2.1.3, §2.1.4; RFC 2045.
func (r partReader) read(raw span) (readPart, error) {
	header, content, err := cutHeader(r.window, raw, r.limits.HeaderBytes)
	if err != nil {
		return readPart{}, err
	}
	fields, err := readFields(header)
	if err != nil {
		return readPart{}, err
	}
	part := readPart{Part: Part{ContentType: fields["content-type"]}}
	if part.ContentType == "" {
		return readPart{}, fmt.Errorf("no Content-Type")
	}
	if part.media, err = parseMediaType(part.ContentType); err != nil {
		return readPart{}, fmt.Errorf("Content-Type: %w", err)
	}
	if part.media.composite() {
		return readPart{}, fmt.Errorf("media type %.80q: parts within parts are not supported", part.media.name)
	}
	if id, ok := fields["content-id"]; ok {
		if part.ContentID, err = readContentID(id); err != nil {
			return readPart{}, err
		}
		part.bareID = part.ContentID == id
	}
	part.Content, part.encoded, err = r.decodeTransfer(fields["content-transfer-encoding"], content)
	return part, err
}

// cutHeader cuts a part at its first empty line. The header is valid until the window moves.
func cutHeader(w *window, raw span, limit int) (header []byte, content span, err error) {
	// The cut is looked for within the limit only: content may be large and have no empty line.
	octets, err := w.slice(raw.from, raw.to, limit+4)
	if err != nil || len(octets) == 0 {
		return nil, raw, err
	}
	if bytes.HasPrefix(octets, []byte("\r\n")) {
		return nil, span{raw.from + 2, raw.to}, nil
	}
	end := bytes.Index(octets, []byte("\r\n\r\n"))
	switch {
	case end >= 0:
		return octets[:end], span{raw.from + int64(end) + 4, raw.to}, nil
	case int64(len(octets)) < raw.to-raw.from:
		return nil, span{}, fmt.Errorf("header is over the limit of %d bytes (Limits.HeaderBytes)", limit)
	case bytes.HasSuffix(octets, []byte("\r\n")): // nothing but a header
		return octets[:len(octets)-2], span{raw.to, raw.to}, nil
	}
	return nil, span{}, fmt.Errorf("no empty line between header and content")
}

// readFields reads header fields by lower-case name, with folded lines joined. RFC 822 §3.1. A field that occurs twice is
// refused: which of the two counts differs between readers.
func readFields(header []byte) (map[string]string, error) {
	fields := map[string]string{}
	if len(header) == 0 {
		return fields, nil
	}
	folds := 0
	name := ""
	for line := range strings.SplitSeq(string(header), "\r\n") {
		if i := strings.IndexFunc(line, isControl); i >= 0 {
			return nil, fmt.Errorf("control character %#x in the header", line[i])
		}
		if line != "" && (line[0] == ' ' || line[0] == '\t') {
			if folds++; name == "" || folds > maxFolds {
				return nil, fmt.Errorf("more than %d folded header lines, or one without a field", maxFolds)
			}
			fields[name] += " " + strings.Trim(line, " \t")
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		if !ok || !isToken(key) {
			return nil, fmt.Errorf("%.80q is not a header field", line)
		}
		name = strings.ToLower(key)
		if _, twice := fields[name]; twice {
			return nil, fmt.Errorf("header field %.80q occurs twice", key)
		}
		fields[name] = strings.Trim(value, " \t")
	}
	return fields, nil
}

func isControl(r rune) bool { return r < 0x20 && r != '\t' || r == 0x7f }

// readContentID takes a Content-ID out of its angle brackets, which some products leave out.
func readContentID(s string) (string, error) {
	id := s
	if strings.HasPrefix(s, "<") && strings.HasSuffix(s, ">") {
		id = s[1 : len(s)-1]
	}
	if !validContentID(id) {
		return "", fmt.Errorf("Content-ID %.200q is empty, over %d bytes or has characters that an identifier has not", s, maxText)
	}
	return id, nil
}

// validContentID admits more than the msg-id of RFC 2045 §7, which few products keep to: printable ASCII without spaces,
// quotes and angle brackets, 1 KiB at most.
func validContentID(id string) bool {
	for _, c := range []byte(id) {
		if c <= 0x20 || c >= 0x7f || c == '<' || c == '>' || c == '"' {
			return false
		}
	}
	return id != "" && len(id) <= maxText
}
