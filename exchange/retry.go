package exchange

import (
	"time"

	"github.com/ecogate/ecogate/partners"
)

const (
	// firstBackoff is the wait after the first attempt that found the partner unreachable; each further one doubles it.
	firstBackoff = time.Second
	// signalAttempts bounds the attempts for one sending of a signal. It need not be more: the partner's own retry makes
	// the signal due again.
	signalAttempts = 8
	// signalBackoffMax bounds the wait between the attempts for a signal.
	signalBackoffMax = time.Minute
)

// expiry is the TimeToLive of a message sent at sent: after the last of the agreed retries has had its interval
// (ebMS 2.0 §6.4.5: TimeToLive exceeds Timestamp by more than (Retries+1) intervals; not confirmed from the text).
func expiry(a partners.Agreement, sent time.Time) time.Time {
	if !a.AckRequested {
		return sent.Add(max(a.RetryInterval*time.Duration(a.Retries+1), time.Hour))
	}
	return sent.Add(a.RetryInterval * time.Duration(a.Retries+1))
}

// resendAt is when a message that the partner took without an acknowledgment is sent again: RetryInterval is the least wait
// (ebMS 2.0 §6.4.4), and up to a twentieth more keeps many messages from coming due at one instant. jitter is in [0,1).
// With the time to live of expiry this makes at most Retries repetitions.
func resendAt(now time.Time, interval time.Duration, jitter float64) time.Time {
	return now.Add(interval + time.Duration(float64(interval)/20*jitter))
}

// backoffAt is when a message that did not reach the partner is tried again: 1 s after the first failure in a row, then twice as
// long each time up to limit, less up to half of it by jitter. Nothing was delivered, so RetryInterval does not bind
// (ebMS 2.0 appendix B.4 leaves recovery from transport errors to the sender).
func backoffAt(now time.Time, failures int, limit time.Duration, jitter float64) time.Time {
	wait := limit
	if shift := failures - 1; shift < 32 && firstBackoff<<max(shift, 0) < limit {
		wait = firstBackoff << max(shift, 0)
	}
	return now.Add(wait - time.Duration(float64(wait)/2*jitter))
}

// problemGivenUp marks the entry of a log with which delivery ended before the time. What follows it is a new sending: a
// signal that is due again because the partner repeated its message.
const problemGivenUp = "not sent: no attempts left"

// failuresInRow counts the attempts at the end of the log that did not reach the partner, back to where this sending began.
func failuresInRow(log []Attempt) int {
	n := 0
	for i := len(log) - 1; i >= 0 && log[i].Status/100 != 2 && log[i].Problem != problemGivenUp; i-- {
		n++
	}
	return n
}

// everTaken reports whether the partner ever answered 2xx.
func everTaken(log []Attempt) bool {
	for _, a := range log {
		if a.Status/100 == 2 {
			return true
		}
	}
	return false
}

func earlier(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}
