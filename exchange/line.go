package exchange

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/partners"
)

// lines are where ordered conversations stand, as this process believes: the store decides, and says so when the belief was
// wrong. One message of a line at a time is composed, so that belief and store seldom part.
type lines struct {
	mu   sync.Mutex
	open map[string]*line
}

type line struct {
	mu           sync.Mutex // held while a message of the line is composed and enqueued
	conversation string     // empty: a new one
	next         uint32
}

// of returns the line of a partner by its name.
func (l *lines) of(partner, name string) *line {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := partner + "\x00" + name
	if l.open == nil {
		l.open = map[string]*line{}
	}
	if l.open[key] == nil {
		l.open[key] = new(line)
	}
	return l.open[key]
}

// lineOf names the messages that are to arrive in order under an agreement; empty if order does not matter.
func lineOf(a partners.Agreement) string {
	if a.MessageOrder != partners.OrderGuaranteed {
		return ""
	}
	return a.CPAID + "\x00" + a.Service.Value + "\x00" + a.Action
}

// place is where a message goes in its conversation.
type place struct {
	conversation string
	order        *Order // nil: order does not matter
}

// maxTurns bounds how often a message is composed again because another process took its place.
const maxTurns = 100

// enqueueOrdered composes and enqueues a message of a line in the place that the store has for it. ebMS 2.0 §9.
func (n *Node) enqueueOrdered(ctx context.Context, partner, name string, compose func(place) (Departure, error)) (Enqueued, error) {
	l := n.lines.of(partner, name)
	l.mu.Lock()
	defer l.mu.Unlock()
	for range maxTurns {
		if l.conversation == "" {
			l.conversation, l.next = uuid.NewString(), 0
		}
		d, err := compose(place{l.conversation, &Order{Sequence: l.next}})
		if err != nil {
			return Enqueued{}, err
		}
		d.Line = name
		results, err := n.store.Enqueue(ctx, []Departure{d})
		if err != nil {
			l.conversation = "" // unknown whether it was taken; the store will say
			return Enqueued{}, err
		}
		var wrong *OutOfLineError
		if errors.As(results[0].Err, &wrong) {
			l.conversation, l.next = wrong.ConversationID, wrong.Next
			continue
		}
		if results[0].Fresh {
			l.next++
		}
		return results[0], nil
	}
	return Enqueued{}, fmt.Errorf("no place in the order of messages after %d tries: others submit faster", maxTurns)
}

// order is a message's place for the wire.
func (o *Order) toEBMS() *ebms.MessageOrder {
	if o == nil {
		return nil
	}
	return &ebms.MessageOrder{Sequence: o.Sequence, Reset: o.Reset}
}
