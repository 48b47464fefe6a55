package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/ecogate/ecogate/ebms"
)

// wire carries what one node posts to the other, which is what its script says, and keeps a copy.
type wire struct {
	world *world
	to    *side

	mu     sync.Mutex
	script []fate // for the next posts, in turn
	usual  fate   // for those after; nil delivers
	posts  []posted
}

type posted struct {
	at time.Time
	ebms.Outgoing
	answer ebms.Response
}

// fate is what becomes of one post. deliver hands bytes to the other node and returns its answer.
type fate func(out ebms.Outgoing, deliver func(body []byte) ebms.Response) (ebms.Response, error)

// Post implements exchange.Poster.
func (l *wire) Post(_ context.Context, partner string, out ebms.Outgoing) (ebms.Response, error) {
	out.Body = ebms.Bytes(octets(out.Body))
	n, fate := l.next(out)
	response, err := fate(out, func(body []byte) ebms.Response {
		if partner == "VN" {
			return ebms.Response{Status: 204}
		}
		reply := l.to.receive(l.world, l.world.request(out.ContentType, body))
		return ebms.Response(reply)
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.posts[n].answer = response
	return response, err
}

// next records a post, numbers it and says what becomes of it.
func (l *wire) next(out ebms.Outgoing) (int, fate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.posts = append(l.posts, posted{at: l.world.now(), Outgoing: out})
	next := fate(deliver)
	if len(l.script) > 0 {
		next, l.script = l.script[0], l.script[1:]
	} else if l.usual != nil {
		next = l.usual
	}
	return len(l.posts) - 1, next
}

// will sets the script.
func (l *wire) will(script ...fate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.script = script
}

// usually sets the fate of posts after the script.
func (l *wire) usually(f fate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.usual = f
}

func (l *wire) posted() []posted {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.posts)
}

func times(n int, f fate) []fate { return slices.Repeat([]fate{f}, n) }

var errDown = errors.New("connection refused")

func deliver(out ebms.Outgoing, deliver func([]byte) ebms.Response) (ebms.Response, error) {
	return deliver(octets(out.Body)), nil
}

func down(ebms.Outgoing, func([]byte) ebms.Response) (ebms.Response, error) {
	return ebms.Response{}, errDown
}

// swallow takes the message and delivers it to nobody.
func swallow(ebms.Outgoing, func([]byte) ebms.Response) (ebms.Response, error) {
	return ebms.Response{Status: 204}, nil
}

// loseReply delivers, and the answer does not come back.
func loseReply(out ebms.Outgoing, deliver func([]byte) ebms.Response) (ebms.Response, error) {
	deliver(octets(out.Body))
	return ebms.Response{}, errDown
}

func deliverTwice(out ebms.Outgoing, deliver func([]byte) ebms.Response) (ebms.Response, error) {
	deliver(octets(out.Body))
	return deliver(octets(out.Body)), nil
}

// corrupt flips a bit of the first digest in the body.
func corrupt(out ebms.Outgoing, deliver func([]byte) ebms.Response) (ebms.Response, error) {
	body := octets(out.Body)
	body[bytes.Index(body, []byte("DigestValue>"))+20] ^= 1
	return deliver(body), nil
}

// answer delivers to nobody and gives this response.
func answer(r ebms.Response) fate {
	return func(ebms.Outgoing, func([]byte) ebms.Response) (ebms.Response, error) { return r, nil }
}

func status(code int) fate { return answer(ebms.Response{Status: code}) }

// late delivers after d has passed.
func late(d time.Duration) fate {
	return func(out ebms.Outgoing, deliver func([]byte) ebms.Response) (ebms.Response, error) {
		time.Sleep(d)
		return deliver(octets(out.Body)), nil
	}
}
