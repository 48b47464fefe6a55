package ebms

import (
	"bytes"
	"fmt"
	"io"
)

// Content is octets of known length, which lie in memory (*bytes.Reader) or in a file (*io.SectionReader): payloads may be
// too many for memory. It can be read any number of times, at any place and by several readers at once, and never changes.
type Content interface {
	io.ReaderAt
	// Size is the number of octets.
	Size() int64
}

// Bytes returns b as Content. b must not change any more.
func Bytes(b []byte) Content { return bytes.NewReader(b) }

// NewReader returns a reader over the whole of c. Each has a position of its own.
func NewReader(c Content) *io.SectionReader { return io.NewSectionReader(c, 0, c.Size()) }

// ReadAll returns the octets of c in memory of the caller's own. More than limit octets are an error; limit 0 means no limit.
func ReadAll(c Content, limit int64) ([]byte, error) {
	if limit > 0 && c.Size() > limit {
		return nil, fmt.Errorf("content of %d bytes is over the limit of %d", c.Size(), limit)
	}
	data := make([]byte, c.Size())
	if n, err := c.ReadAt(data, 0); n < len(data) {
		return nil, fmt.Errorf("reading content of %d bytes: %w", len(data), err)
	}
	return data, nil
}
