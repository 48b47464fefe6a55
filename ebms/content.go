package ebms

import (
	"fmt"
	"io"
	"sort"
)

// Content is octets of known length, which lie in memory or in a file: payloads may be too many for memory. It can be read
// any number of times, at any place and by several readers at once, and never changes. Where a field is a Content, nil is
// no octets.
type Content interface {
	io.ReaderAt
	// Size is the number of octets.
	Size() int64
}

// Bytes returns b as Content. b must not change any more.
func Bytes(b []byte) Content { return &memory{b} }

// NewReader returns a reader over the whole of c. Each has a position of its own.
func NewReader(c Content) *io.SectionReader {
	c = orEmpty(c)
	return io.NewSectionReader(c, 0, c.Size())
}

// ReadAll returns the octets of c in memory of the caller's own. More than limit octets are an error; limit 0 means no limit.
func ReadAll(c Content, limit int64) ([]byte, error) {
	c = orEmpty(c)
	if limit > 0 && c.Size() > limit {
		return nil, fmt.Errorf("content of %d bytes is over the limit of %d", c.Size(), limit)
	}
	data := make([]byte, c.Size())
	if err := readFull(c, data, 0); err != nil {
		return nil, err
	}
	return data, nil
}

// readFull fills p from offset. A Content that ends before its Size has changed, which none may.
func readFull(c Content, p []byte, offset int64) error {
	n, err := c.ReadAt(p, offset)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("reading %d bytes of content at %d: %w", len(p), offset, err)
}

// orEmpty makes nil readable.
func orEmpty(c Content) Content {
	if c == nil {
		return &memory{}
	}
	return c
}

// memory is Content in memory. Its pointer can be compared, which an io.ReaderAt is expected to bear.
type memory struct{ octets []byte }

func (m *memory) Size() int64 { return int64(len(m.octets)) }

func (m *memory) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 {
		return 0, fmt.Errorf("reading content at offset %d", offset)
	}
	if offset >= m.Size() {
		return 0, io.EOF
	}
	n := copy(p, m.octets[offset:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// section is a part of c, without a copy.
func section(c Content, from, to int64) Content {
	if m, ok := c.(*memory); ok {
		return &memory{m.octets[from:to:to]}
	}
	return io.NewSectionReader(c, from, to-from)
}

// joined is several contents one after the other, without a copy.
type joined struct {
	contents []Content
	ends     []int64 // where each content ends
}

func (j *joined) add(c Content) {
	c = orEmpty(c)
	if c.Size() > 0 {
		j.contents, j.ends = append(j.contents, c), append(j.ends, j.Size()+c.Size())
	}
}

func (j *joined) Size() int64 {
	if len(j.ends) == 0 {
		return 0
	}
	return j.ends[len(j.ends)-1]
}

func (j *joined) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 {
		return 0, fmt.Errorf("reading content at offset %d", offset)
	}
	done := 0
	for i := sort.Search(len(j.ends), func(i int) bool { return j.ends[i] > offset }); i < len(j.ends) && done < len(p); i++ {
		from := offset + int64(done) - (j.ends[i] - j.contents[i].Size())
		piece := p[done:min(len(p), done+int(min(j.contents[i].Size()-from, int64(len(p)))))]
		if err := readFull(j.contents[i], piece, from); err != nil {
			return done, err
		}
		done += len(piece)
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}
