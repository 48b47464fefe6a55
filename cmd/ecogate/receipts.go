package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/ecogate/ecogate/exchange"
)

// receipts let a submitter wait for the end of its message. The demonstration and the benchmark watch a node through them.
type receipts struct {
	mu    sync.Mutex
	ended map[string]chan string // MessageID -> gets the step that ended it
}

func newReceipts() *receipts { return &receipts{ended: make(map[string]chan string)} }

// of returns the channel of a message. Its receipt may come before its submitter asks.
func (r *receipts) of(messageID string) chan string {
	r.mu.Lock()
	defer r.mu.Unlock()
	ch, ok := r.ended[messageID]
	if !ok {
		ch = make(chan string, 1)
		r.ended[messageID] = ch
	}
	return ch
}

// observe takes the steps of the submitting node.
func (r *receipts) observe(e exchange.Event) {
	if e.Step == "receipted" || e.Step == "failed" {
		select {
		case r.of(e.MessageID) <- e.Step:
		default:
		}
	}
}

// await returns when the message's receipt is recorded, and an error when its delivery fails or ctx ends.
func (r *receipts) await(ctx context.Context, messageID string) error {
	select {
	case step := <-r.of(messageID):
		r.mu.Lock()
		delete(r.ended, messageID)
		r.mu.Unlock()
		if step != "receipted" {
			return fmt.Errorf("message %s: %s", messageID, step)
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
