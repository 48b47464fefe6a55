package handover

import (
	"errors"
	"time"
)

// firstBackoff is the wait after the first failure; each further one in a row doubles it.
const firstBackoff = 2 * time.Second

// backoffAt is when a delivery is tried again after failures in a row: doubled up to limit, less up to half of it by jitter in [0,1), so that what failed
// at one moment does not come again at one moment.
func backoffAt(now time.Time, failures int, limit time.Duration, jitter float64) time.Time {
	wait := limit
	if shift := max(failures-1, 0); shift < 32 && firstBackoff<<shift < limit {
		wait = firstBackoff << shift
	}
	return now.Add(wait - time.Duration(float64(wait)/2*jitter))
}

// againAt is when a delivery is tried again after err: not before the customs system said, and not so much later than limit that
// nobody would see it as a delay.
func (d *Desk) againAt(now time.Time, failures int, err error) time.Time {
	at := backoffAt(now, failures, d.Times.BackoffMax, d.Jitter())
	var later *LaterError
	if errors.As(err, &later) {
		asked := now.Add(min(later.After, max(d.Times.BackoffMax, time.Hour)))
		if asked.After(at) {
			return asked
		}
	}
	return at
}
