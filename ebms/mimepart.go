package ebms

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// maxFolds is the number of continuation lines in the header of one part. Three Content fields need none or few.
const maxFolds = 16

// readPart is a Part with its media type read.
type readPart struct {
	Part
	media  mediaType
	octets []byte
}

// readMIMEPart reads header and content of one part. ebMS 2.0 §2.1.3, §2.1.4; RFC 2045.
func readMIMEPart(raw []byte, l Limits) (readPart, error) {
	header, content, err := cutHeader(raw, l.HeaderBytes)
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
	}
	if part.octets, err = decodeTransfer(fields["content-transfer-encoding"], content); err != nil {
		return readPart{}, err
	}
	part.Content = Bytes(part.octets)
	return part, nil
}

// cutHeader cuts a part at its first empty line.
func cutHeader(raw []byte, limit int) (header, content []byte, err error) {
	if len(raw) == 0 {
		return nil, nil, nil
	}
	if bytes.HasPrefix(raw, []byte("\r\n")) {
		return nil, raw[2:], nil
	}
	// The cut is looked for within the limit only: content may be large and have no empty line.
	window := raw[:min(len(raw), limit+4)]
	end := bytes.Index(window, []byte("\r\n\r\n"))
	switch {
	case end >= 0:
		return raw[:end], raw[end+4:], nil
	case len(window) < len(raw):
		return nil, nil, fmt.Errorf("header is over the limit of %d bytes (Limits.HeaderBytes)", limit)
	case bytes.HasSuffix(raw, []byte("\r\n")): // nothing but a header
		return raw[:len(raw)-2], nil, nil
	}
	return nil, nil, fmt.Errorf("no empty line between header and content")
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

// decodeTransfer undoes a Content-Transfer-Encoding. The octets matter to the last: signatures are computed over them
// (§4.1.3), so that anything that two decoders could read differently is an error. RFC 2045 §6.
func decodeTransfer(encoding string, content []byte) ([]byte, error) {
	switch strings.ToLower(encoding) {
	case "", "7bit", "8bit", "binary":
		return content, nil
	case "base64":
		return decodeBase64(content)
	case "quoted-printable":
		return decodeQuotedPrintable(content)
	}
	return nil, fmt.Errorf("Content-Transfer-Encoding %.80q is not known", encoding)
}

// decodeBase64 accepts line breaks anywhere and nothing else outside the alphabet. RFC 2045 §6.8 would have other
// characters ignored, which hides content.
func decodeBase64(content []byte) ([]byte, error) {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(content)))
	n, err := base64.StdEncoding.Strict().Decode(out, bytes.TrimRight(content, " \t\r\n"))
	if err != nil {
		return nil, fmt.Errorf("base64 content: %w", err)
	}
	return out[:n], nil
}

// decodeQuotedPrintable undoes quoted-printable. RFC 2045 §6.7.
func decodeQuotedPrintable(content []byte) ([]byte, error) {
	out := make([]byte, 0, len(content))
	for len(content) > 0 {
		line, rest, more := bytes.Cut(content, []byte("\r\n"))
		content = rest
		line = bytes.TrimRight(line, " \t") // rule 3: white space at the end of a line was added in transport
		soft := bytes.HasSuffix(line, []byte("="))
		if soft {
			line = line[:len(line)-1]
		}
		var err error
		if out, err = appendQuoted(out, line); err != nil {
			return nil, err
		}
		if more && !soft {
			out = append(out, '\r', '\n')
		}
	}
	return out, nil
}

// appendQuoted appends one line without its end.
func appendQuoted(out, line []byte) ([]byte, error) {
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '=':
			var octet [1]byte
			if i+3 > len(line) {
				return nil, fmt.Errorf("quoted-printable content: %q at the end of a line", line[i:])
			}
			if _, err := hex.Decode(octet[:], line[i+1:i+3]); err != nil {
				return nil, fmt.Errorf("quoted-printable content: %q is not two hexadecimal digits", line[i+1:i+3])
			}
			out = append(out, octet[0])
			i += 2
		case c < 0x20 && c != '\t' || c > 0x7e:
			return nil, fmt.Errorf("quoted-printable content: octet %#x is not encoded", c)
		default:
			out = append(out, c)
		}
	}
	return out, nil
}
