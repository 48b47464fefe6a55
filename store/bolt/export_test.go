package bolt

import (
	"os"
	"runtime"
)

// SetSync replaces the function that makes raw files durable.
func SetSync(s *Store, sync func(*os.File) error) { s.raw.sync = sync }

// AwaitWaiting returns when n calls wait for the committer.
func AwaitWaiting(s *Store, n int) {
	for len(s.requests) < n {
		runtime.Gosched()
	}
}
