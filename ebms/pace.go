package ebms

import (
	"io"
	"sync"
	"time"
)

// pace bounds the time of a transfer that may be of any size: a fixed time, and what the bytes that passed take at a rate.
// A timer that is armed again for what was earned meanwhile needs no clock to compute from.
type pace struct {
	rate int64 // bytes per second; 0: nothing is earned
	cut  func()

	mu     sync.Mutex
	timer  *time.Timer
	earned int64 // bytes since the timer was armed
	over   bool
	done   bool
}

// startPace calls cut, once, when the time is over; and not after stop.
func startPace(fixed time.Duration, rate int64, cut func()) *pace {
	p := &pace{rate: rate, cut: cut}
	p.mu.Lock() // the timer may fire before it is assigned
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(fixed, p.expire)
	return p
}

func (p *pace) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done {
		return
	}
	if more := transferTime(p.earned, p.rate); more > 0 {
		p.earned = 0
		p.timer.Reset(more)
		return
	}
	p.over = true
	p.cut()
}

// stop ends the watch and reports whether the time was over before.
func (p *pace) stop() (over bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = true
	p.timer.Stop()
	return p.over
}

// reader counts what is read from r.
func (p *pace) reader(r io.Reader) io.Reader { return &pacedReader{r, p} }

type pacedReader struct {
	r    io.Reader
	pace *pace
}

func (r *pacedReader) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	r.pace.mu.Lock()
	r.pace.earned += int64(n)
	r.pace.mu.Unlock()
	return n, err
}

// transferTime is how long bytes may take at a rate in bytes per second; none if the rate is 0.
func transferTime(bytes, rate int64) time.Duration {
	if rate <= 0 {
		return 0
	}
	return time.Duration(float64(bytes) / float64(rate) * float64(time.Second))
}
