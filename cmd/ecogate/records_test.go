package main

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/store/bolt"
)

// everything is a limit that no test reaches.
const everything = 1 << 20

// records is all that a store holds.
type records struct {
	messages     []exchange.Message
	certificates []exchange.Certificate
	audit        []bolt.AuditRecord
	raw          map[string][]byte // by digest: messages and documents
}

// readRecords reads the store of a node that does not run, after checking it from end to end.
func readRecords(t *testing.T, side pair.Side) records {
	t.Helper()
	store, err := bolt.Open(filepath.Join(side.Dir, "store"), bolt.Options{Now: time.Now, LockTimeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	ctx := t.Context()
	if err := store.Check(ctx); err != nil {
		t.Errorf("store of %s: %v", side.ID, err)
	}
	r := records{raw: make(map[string][]byte)}
	if r.messages, err = store.Messages(ctx, exchange.MessageQuery{Limit: everything}); err != nil {
		t.Fatal(err)
	}
	if r.certificates, err = store.Certificates(ctx, exchange.CertificateQuery{Limit: everything}); err != nil {
		t.Fatal(err)
	}
	if r.audit, err = store.Audit(ctx, 0, everything); err != nil { // verifies the chain
		t.Fatal(err)
	}
	var refs []exchange.RawRef
	for _, m := range r.messages {
		refs = append(refs, m.Raw)
	}
	for _, c := range r.certificates {
		refs = append(refs, c.Document)
	}
	for _, ref := range refs {
		if ref == (exchange.RawRef{}) {
			continue // its sender was killed before a byte of the body had come
		}
		content, err := store.Raw(ctx, ref)
		if err == nil {
			r.raw[ref.Digest], err = ebms.ReadAll(content, 0)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// one is the only message of a direction and kind with a MessageID.
func (r records) one(t *testing.T, d exchange.Direction, k exchange.Kind, id string) exchange.Message {
	t.Helper()
	return r.only(t, d, k, func(m exchange.Message) bool { return m.MessageID == id })
}

// about is the only message of a direction and kind that refers to a MessageID.
func (r records) about(t *testing.T, d exchange.Direction, k exchange.Kind, id string) exchange.Message {
	t.Helper()
	return r.only(t, d, k, func(m exchange.Message) bool { return m.RefToMessageID == id })
}

func (r records) only(t *testing.T, d exchange.Direction, k exchange.Kind, is func(exchange.Message) bool) exchange.Message {
	t.Helper()
	found := slices.DeleteFunc(slices.Clone(r.messages), func(m exchange.Message) bool { return m.Direction != d || m.Kind != k || !is(m) })
	if len(found) != 1 {
		t.Fatalf("%d %s messages of kind %q, want one: %+v", len(found), d, k, found)
	}
	return found[0]
}

// told counts by subject how often the audit log tells of an event.
func (r records) told(event string) map[string]int {
	count := make(map[string]int)
	for _, a := range r.audit {
		if a.Event == event {
			count[a.Subject]++
		}
	}
	return count
}
