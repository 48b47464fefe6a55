package bolt

import (
	"os"
	"syscall"
)

// syncData makes a file's content and length durable. Its times may be lost.
func syncData(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if err == nil {
			return nil
		}
		if err != syscall.EINTR {
			return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
		}
	}
}

// release gives up bbolt's lock on a file that it did not close. Closing alone would not: the mapping keeps the file open.
func release(f *os.File) {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	_ = f.Close()
}
