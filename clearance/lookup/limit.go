package lookup

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limits are the rates of each key. There are no more than there are API keys.
type limits struct {
	mu   sync.Mutex
	keys map[string]*keyLimits
}

type keyLimits struct {
	rules             Rules // that the two were made of
	lookups, failures *rate.Limiter
	// toldAt is when a refusal was last told.
	toldAt time.Time
}

// of gives the rates of a key. When the rules have changed they begin anew.
func (l *limits) of(key string, r Rules) *keyLimits {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.keys[key]
	if k == nil || k.rules.PerMinute != r.PerMinute || k.rules.FailuresPerHour != r.FailuresPerHour {
		k = &keyLimits{
			rules:    r,
			lookups:  rate.NewLimiter(rate.Limit(float64(r.PerMinute)/60), r.PerMinute),
			failures: rate.NewLimiter(rate.Limit(float64(r.FailuresPerHour)/3600), r.FailuresPerHour),
		}
		l.keys[key] = k
	}
	return k
}

// Admission is the leave to make one look-up. Failed says how it ended.
type Admission struct {
	failure *rate.Reservation
	at      time.Time
}

// Failed tells whether a look-up with a second factor came to nothing. The leave to fail is taken before it is known, so that many at a time cannot try
// more than one after the other.
func (a Admission) Failed(failed bool) {
	if a.failure != nil && !failed {
		a.failure.CancelAt(a.at)
	}
}

// Admit lets a key make a look-up, with a second factor or without, or says how long it has to wait.
func (d *Desk) Admit(key string, factor bool) (a Admission, wait time.Duration) {
	k, now := d.limits.of(key, d.rules()), d.Now()
	a.at = now
	if wait = take(k.lookups, now).wait; wait > 0 {
		return a, wait
	}
	if factor {
		taken := take(k.failures, now)
		a.failure, wait = taken.reservation, taken.wait
	}
	return a, wait
}

type taken struct {
	reservation *rate.Reservation
	wait        time.Duration
}

// take takes a token, or none and says when there will be one.
func take(l *rate.Limiter, now time.Time) taken {
	r := l.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return taken{wait: wait}
	}
	return taken{reservation: r}
}

// refusalTold is how often at most the audit log is told that a key asks too much: whoever is refused must not fill the disk.
const refusalTold = time.Minute

// Tell reports whether the audit log should have an entry about a refusal by Admit: one for each key and minute.
func (d *Desk) Tell(key string) bool {
	k, now := d.limits.of(key, d.rules()), d.Now()
	d.limits.mu.Lock()
	defer d.limits.mu.Unlock()
	if !k.toldAt.IsZero() && now.Sub(k.toldAt) < refusalTold {
		return false
	}
	k.toldAt = now
	return true
}
