package ebms

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// decodeTransfer undoes a Content-Transfer-Encoding; encoded says whether there was anything to undo. The octets matter to
// the last: signatures are computed over them (§4.1.3), so that anything that two decoders could read differently is an
// error. RFC 2045 §6.
func (r partReader) decodeTransfer(encoding string, at span) (content Content, encoded bool, err error) {
	var decode func(io.Writer, *window, span) error
	switch strings.ToLower(encoding) {
	case "", "7bit", "8bit", "binary":
		return section(r.window.content, at.from, at.to), false, nil
	case "base64":
		decode = decodeBase64
	case "quoted-printable":
		decode = decodeQuotedPrintable
	default:
		return nil, false, fmt.Errorf("Content-Transfer-Encoding %.80q is not known", encoding)
	}
	out := r.spill.keep()
	if err := decode(out, r.window, at); err != nil {
		return nil, true, err
	}
	return out.content(), true, nil
}

// base64Group is how many characters of base64 are decoded at once; a multiple of four.
const base64Group = 4 << 10

// decodeBase64 accepts line breaks anywhere and nothing else outside the alphabet. RFC 2045 §6.8 would have other
// characters ignored, which hides content. White space at the end is dropped.
func decodeBase64(out io.Writer, w *window, at span) error {
	length := int(min(base64Group, (at.to-at.from+3)/4*4))
	group, octets := make([]byte, 0, length), make([]byte, base64.StdEncoding.DecodedLen(length))
	decoded := int64(0) // characters
	flush := func() error {
		n, err := base64.StdEncoding.Strict().Decode(octets, group)
		if corrupt, ok := err.(base64.CorruptInputError); ok {
			return fmt.Errorf("base64 content: %w, line breaks not counted", base64.CorruptInputError(decoded+int64(corrupt)))
		}
		decoded += int64(len(group))
		group = group[:0]
		_, err = out.Write(octets[:n])
		return err
	}
	closed := false // by padding, or by white space, which may stand at the end only
	for offset := at.from; offset < at.to; {
		piece, err := w.piece(offset, at.to)
		if err != nil {
			return err
		}
		offset += int64(len(piece))
		for _, c := range piece {
			switch {
			case c == '\r' || c == '\n':
				continue
			case c == ' ' || c == '\t':
				closed = true
				continue
			case closed:
				return fmt.Errorf("base64 content: %w, line breaks not counted", base64.CorruptInputError(decoded+int64(len(group))))
			}
			if group = append(group, c); len(group) == length {
				closed = c == '='
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	return flush()
}

// decodeQuotedPrintable undoes quoted-printable. RFC 2045 §6.7.
func decodeQuotedPrintable(out io.Writer, w *window, at span) error {
	buffered := bufio.NewWriter(out)
	q := quotedReader{Writer: buffered, window: w, end: at.to}
	for offset := at.from; offset < at.to; {
		var err error
		if offset, err = q.next(offset); err != nil {
			return err
		}
	}
	return buffered.Flush()
}

// quotedReader decodes quoted-printable that ends at end. Errors of writing are left to the writer's Flush.
type quotedReader struct {
	*bufio.Writer
	window *window
	end    int64
}

// next decodes what begins at offset: characters that stand for themselves, white space, a line break, or an octet after
// an equals sign. It returns where the next begins.
func (q quotedReader) next(offset int64) (int64, error) {
	piece, err := q.window.piece(offset, q.end)
	if err != nil {
		return 0, err
	}
	plain := 0
	for plain < len(piece) && piece[plain] > 0x20 && piece[plain] <= 0x7e && piece[plain] != '=' {
		plain++
	}
	if plain > 0 {
		_, err := q.Write(piece[:plain])
		return offset + int64(plain), err
	}
	switch c := piece[0]; c {
	case ' ', '\t':
		return q.blanks(offset)
	case '=':
		return q.equals(offset)
	default:
		ends, err := q.lineEnds(offset)
		if err != nil {
			return 0, err
		}
		if !ends {
			return 0, fmt.Errorf("quoted-printable content: octet %#x is not encoded", c)
		}
		_, err = q.WriteString("\r\n")
		return offset + 2, err
	}
}

// lineEnds reports whether a line break or the end of the content is at offset.
func (q quotedReader) lineEnds(offset int64) (bool, error) {
	octets, err := q.window.slice(offset, q.end, 2)
	return len(octets) == 0 || string(octets) == "\r\n", err
}

// blanks keeps white space within a line. White space at the end of one was added in transport (rule 3).
func (q quotedReader) blanks(offset int64) (int64, error) {
	after, err := q.window.skipBlanks(offset, q.end)
	if err != nil {
		return 0, err
	}
	if ends, err := q.lineEnds(after); ends || err != nil {
		return after, err
	}
	return after, q.window.copyTo(q, offset, after)
}

// equals decodes an octet (rule 1) or drops a line break (rule 5).
func (q quotedReader) equals(offset int64) (int64, error) {
	after, err := q.window.skipBlanks(offset+1, q.end)
	if err != nil {
		return 0, err
	}
	if ends, err := q.lineEnds(after); ends || err != nil {
		return min(after+2, q.end), err
	}
	digits, err := q.window.slice(offset+1, q.end, 2)
	if err != nil {
		return 0, err
	}
	var octet [1]byte
	if len(digits) < 2 || bytes.HasSuffix(digits, []byte("\r")) {
		return 0, fmt.Errorf("quoted-printable content: %q at the end of a line", "="+string(bytes.TrimSuffix(digits, []byte("\r"))))
	}
	if _, err := hex.Decode(octet[:], digits); err != nil {
		return 0, fmt.Errorf("quoted-printable content: %q is not two hexadecimal digits", digits)
	}
	return offset + 3, q.WriteByte(octet[0])
}
