package exchange

import (
	"sync"
	"time"
)

// breaker suspends deliveries to a partner at which one attempt after the other fails, so that a partner that hangs does not
// hold workers that others need. After a pause one attempt at a time probes whether it answers again; each that fails doubles
// the pause. It knows attempts of this process only, and forgets them when it ends.
type breaker struct {
	// failures in a row open a circuit; 0 never. The first probe follows after pause, the wait is never longer than longest.
	failures       int
	pause, longest time.Duration

	mu       sync.Mutex
	circuits map[string]*circuit // of partners whose last attempt failed
}

// circuit is what is known of one partner.
type circuit struct {
	failures int
	last     time.Time // when the last failure that counted ended
	until    time.Time // when the next probe may begin; zero while the circuit is closed
	wait     time.Duration
}

// clockSlack is by how much two instants of one clock may be out of order without its having been set back.
const clockSlack = time.Minute

// settle sees to it that a clock which was set back neither suspends a partner for longer than its pause, nor takes what fails from now on
// for what failed side by side before.
func (c *circuit) settle(now time.Time) {
	if c.last.After(now.Add(clockSlack)) {
		c.last = time.Time{}
	}
	if !c.until.IsZero() && c.until.Sub(now) > c.wait+clockSlack {
		c.until = now.Add(c.wait)
	}
}

// brief is how long an attempt may take that fails and holds nobody up.
const brief = 5 * time.Second

// ended records how an attempt at a partner, begun at began, ended. Of brief ones that failed side by side one counts: a partner that
// restarts refuses many at once, and is there again a second later. changed reports whether deliveries are suspended now that were not, or the
// other way round.
func (b *breaker) ended(partner string, answered bool, began, now time.Time) (suspended, changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.circuits[partner]
	if answered {
		delete(b.circuits, partner)
		return false, c != nil && !c.until.IsZero()
	}
	if b.failures <= 0 {
		return false, false
	}
	if c == nil {
		c = &circuit{wait: b.pause}
		b.circuits[partner] = c
	}
	c.settle(now)
	if !began.After(c.last) && now.Sub(began) < brief {
		return !c.until.IsZero(), false
	}
	c.failures++
	c.last = now
	switch {
	case c.failures < b.failures:
		return false, false
	case c.until.IsZero():
		c.until = now.Add(c.wait)
		return true, true
	case now.Before(c.until): // one of several that were under way when the circuit opened
		return true, false
	}
	c.wait = min(2*c.wait, b.longest)
	c.until = now.Add(c.wait)
	return true, false
}

// allowed is how many deliveries to a partner may be under way at now, of at most limit.
func (b *breaker) allowed(partner string, limit int, now time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.circuits[partner]
	if c != nil {
		c.settle(now)
	}
	switch {
	case c == nil || c.until.IsZero():
		return limit
	case now.Before(c.until):
		return 0
	}
	return 1
}

// suspended is until when nothing is sent to a partner, zero if its circuit is closed, and how many attempts failed in a row.
func (b *breaker) suspended(partner string) (until time.Time, failures int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.circuits[partner]; c != nil {
		return c.until, c.failures
	}
	return time.Time{}, 0
}
