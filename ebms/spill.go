package ebms

import (
	"fmt"
	"io"
	"os"
)

// storageError says that octets could not be kept or read again: a disk is full, a directory is missing, a file is gone.
// The message is not to blame, so that its sender is asked to come again.
type storageError struct{ cause error }

func (e *storageError) Error() string { return e.cause.Error() }
func (e *storageError) Unwrap() error { return e.cause }

// spill keeps contents of which nobody knows beforehand how large they are: up to a number of octets in memory, and what
// is beyond in one temporary file. The file has no name by the time that it has octets, so that nothing stays behind after
// a crash, and nobody else can open it.
type spill struct {
	dir  string
	room int64    // what may still be taken into memory, in bytes
	file *os.File // nil until something does not fit
	end  int64    // of the file
}

func newSpill(l Limits) *spill { return &spill{dir: l.SpillDir, room: l.SpillBytes} }

// Close gives the file back. Contents that lie in it cannot be read any more. It may be called again.
func (s *spill) Close() error {
	if s == nil || s.file == nil {
		return nil
	}
	file := s.file
	s.file = nil
	return file.Close()
}

// write appends to the file, which it makes if there is none.
func (s *spill) write(p []byte) error {
	if s.file == nil {
		file, err := os.CreateTemp(s.dir, "ecogate-*") // mode 0600
		if err != nil {
			return &storageError{fmt.Errorf("opening a temporary file (Limits.SpillDir): %w", err)}
		}
		s.file = file
		if err := os.Remove(file.Name()); err != nil {
			return &storageError{fmt.Errorf("unlinking a temporary file: %w", err)}
		}
	}
	n, err := s.file.WriteAt(p, s.end)
	s.end += int64(n)
	if err != nil {
		return &storageError{fmt.Errorf("writing %d bytes to a temporary file: %w", len(p), err)}
	}
	return nil
}

// kept is one content on its way into a spill. Contents are written one after the other and not at once. Errors of its
// methods are *storageError, but for those of the reader that ReadFrom reads.
type kept struct {
	spill *spill
	begin int64  // in the file, if it lies there
	mem   []byte // if it does not
	disk  bool
}

func (s *spill) keep() *kept { return &kept{spill: s, begin: s.end} }

// Write appends p. It moves everything to the file once it does not fit into memory.
func (k *kept) Write(p []byte) (int, error) {
	if !k.disk && int64(len(k.mem)+len(p)) <= k.spill.room {
		k.mem = append(k.mem, p...)
		return len(p), nil
	}
	if err := k.toDisk(); err != nil {
		return 0, err
	}
	if err := k.spill.write(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (k *kept) toDisk() error {
	if k.disk {
		return nil
	}
	k.disk = true
	mem := k.mem
	k.mem = nil
	return k.spill.write(mem)
}

// ReadFrom appends all of r. What fits into memory is read there without a buffer between.
func (k *kept) ReadFrom(r io.Reader) (int64, error) {
	var total int64
	for !k.disk && int64(len(k.mem)) < k.spill.room {
		if len(k.mem) == cap(k.mem) {
			k.mem = append(k.mem, make([]byte, max(512, len(k.mem)))...)[:len(k.mem)]
		}
		n, err := r.Read(k.mem[len(k.mem):int(min(int64(cap(k.mem)), k.spill.room))])
		k.mem = k.mem[:len(k.mem)+n]
		total += int64(n)
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
	// The memory is full, or the content ends just here: nothing goes to the file before there is an octet more.
	n, err := io.CopyBuffer(struct{ io.Writer }{k}, struct{ io.Reader }{r}, make([]byte, 32<<10))
	return total + n, err
}

// content is what was written. It cannot grow any more.
func (k *kept) content() Content {
	if k.disk {
		return io.NewSectionReader(k.spill.file, k.begin, k.spill.end-k.begin)
	}
	k.spill.room -= int64(len(k.mem))
	return &memory{k.mem}
}
