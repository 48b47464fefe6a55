package bolt

import (
	"os"
	"runtime"
)

// SetSync replaces the function that makes raw files durable.
func SetSync(s *Store, sync func(*os.File) error) { s.raw.sync = sync }

// PagesWritten counts the pages of state.db that were written since it was opened.
func PagesWritten(s *Store) int64 {
	stats := s.db.Stats()
	return stats.TxStats.GetPageAlloc() / int64(s.db.Info().PageSize)
}

// AwaitWaiting returns when n calls wait for the committer.
func AwaitWaiting(s *Store, n int) {
	for len(s.requests) < n {
		runtime.Gosched()
	}
}

// SetManyDays has fewer numbers of a range of days put in order.
func SetManyDays(s *Store, n int) { s.manyDays = n }
