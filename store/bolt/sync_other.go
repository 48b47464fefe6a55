//go:build !linux

package bolt

import "os"

// syncData makes a file durable.
func syncData(f *os.File) error { return f.Sync() }

// release closes a file that bbolt did not close.
func release(f *os.File) { _ = f.Close() }
