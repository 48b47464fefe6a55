package ebms

import (
	"bytes"
	"io"
	"unicode"
	"unicode/utf8"
)

// windowSize is how much of a Content that lies elsewhere is in memory at a time, in bytes.
const windowSize = 64 << 10

// window reads a Content through a piece of it. Content in memory is one piece, so that nothing of it is copied.
type window struct {
	content Content
	size    int    // of a piece, if no more is asked for
	start   int64  // where the piece begins
	octets  []byte // the piece
	buffer  []byte // what octets lie in; nil for memory
}

func newWindow(c Content, size int) *window {
	w := &window{content: c, size: size}
	if m, ok := c.(*memory); ok {
		w.octets = m.octets
	}
	return w
}

// at returns octets from offset on: n at least, or up to the end of the Content. They are valid until the next call.
// Errors are *storageError.
func (w *window) at(offset int64, n int) ([]byte, error) {
	end := min(offset+int64(n), w.content.Size())
	if offset < w.start || end > w.start+int64(len(w.octets)) {
		length := int(min(int64(max(n, w.size)), w.content.Size()-offset))
		if cap(w.buffer) < length {
			w.buffer = make([]byte, length)
		}
		w.start, w.octets = offset, nil
		if err := readFull(w.content, w.buffer[:length], offset); err != nil {
			return nil, &storageError{err}
		}
		w.octets = w.buffer[:length]
	}
	return w.octets[offset-w.start:], nil
}

// slice returns the octets from offset up to end, but n at most. They are valid until the next call.
func (w *window) slice(offset, end int64, n int) ([]byte, error) {
	n = int(min(int64(n), end-offset))
	octets, err := w.at(offset, n)
	if err != nil {
		return nil, err
	}
	return octets[:n], nil
}

// piece returns octets from offset up to end, as many as are at hand and one at least unless offset is end.
func (w *window) piece(offset, end int64) ([]byte, error) {
	octets, err := w.at(offset, int(min(1, end-offset)))
	if err != nil {
		return nil, err
	}
	return octets[:min(int64(len(octets)), end-offset)], nil
}

// index returns where sep begins first at offset or after it; -1 if it does not occur.
func (w *window) index(offset int64, sep []byte) (int64, error) {
	for {
		octets, err := w.at(offset, len(sep))
		if err != nil {
			return 0, err
		}
		if i := bytes.Index(octets, sep); i >= 0 {
			return offset + int64(i), nil
		}
		if offset+int64(len(octets)) >= w.content.Size() {
			return -1, nil
		}
		offset += int64(len(octets) - len(sep) + 1) // sep may begin at the end of this piece
	}
}

// skipBlanks returns where the first octet at offset or after it is that is neither space nor tab; end if there is none.
func (w *window) skipBlanks(offset, end int64) (int64, error) {
	for offset < end {
		octets, err := w.piece(offset, end)
		if err != nil {
			return 0, err
		}
		rest := bytes.TrimLeft(octets, " \t")
		offset += int64(len(octets) - len(rest))
		if len(rest) > 0 {
			break
		}
	}
	return offset, nil
}

// quotable is more than any error quotes of what was found, in bytes.
const quotable = 160

// junk returns the beginning of what is not white space between offset and end; nothing if all of it is.
func (w *window) junk(offset, end int64) ([]byte, error) {
	for offset < end {
		octets, err := w.slice(offset, end, max(w.size, utf8.UTFMax))
		if err != nil {
			return nil, err
		}
		rest := bytes.TrimLeftFunc(octets, unicode.IsSpace)
		offset += int64(len(octets) - len(rest))
		// A white space of several octets may be cut at the end of a piece: it is looked at again as a whole.
		if len(rest) >= utf8.UTFMax || len(rest) > 0 && offset+int64(len(rest)) == end {
			found, err := w.slice(offset, end, quotable)
			return bytes.TrimSpace(found), err
		}
	}
	return nil, nil
}

// copyTo writes the octets from offset up to end.
func (w *window) copyTo(out io.Writer, offset, end int64) error {
	for offset < end {
		octets, err := w.piece(offset, end)
		if err != nil {
			return err
		}
		if _, err := out.Write(octets); err != nil {
			return err
		}
		offset += int64(len(octets))
	}
	return nil
}
