package bolt

import (
	"context"
	"errors"
	"fmt"
	"io"

	"go.etcd.io/bbolt"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

var _ clearance.Store = (*Store)(nil)

// imported is a record as clearance sees it.
func imported(c exchange.Certificate) clearance.Imported {
	key := func(k *exchange.CertificateKey) *clearance.Key {
		if k == nil {
			return nil
		}
		return &clearance.Key{Country: k.Country, Form: k.Form, Reference: k.Reference, Test: k.Test}
	}
	return clearance.Imported{
		Seq: c.Seq, Revision: c.Revision, Key: *key(&c.Key), State: eco.State(c.State), Life: c.Life(),
		Partner: c.Partner, Message: c.Message, Mode: c.Mode, Recorded: c.Recorded, Content: c.Content,
		Document: clearance.Document{SHA256: c.Document.Digest, Size: c.Document.Size}, Signer: c.DocumentSigner, Data: c.Data, Findings: c.Findings,
		Successor: key(c.Dealings.Successor), Predecessor: key(c.Dealings.Predecessor),
	}
}

// Document implements clearance.Store.
func (s *Store) Document(ctx context.Context, seq uint64) ([]byte, error) {
	found, err := s.Certificates(ctx, exchange.CertificateQuery{Seq: seq, Direction: exchange.Inbound})
	if err == nil && (seq == 0 || len(found) == 0) {
		err = clearance.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("document of certificate %d: %w", seq, err)
	}
	content, err := s.Raw(ctx, found[0].Document)
	if errors.Is(err, exchange.ErrNotFound) {
		err = fmt.Errorf("%w: %w", clearance.ErrNotFound, err)
	}
	if err != nil {
		return nil, fmt.Errorf("document of certificate %d: %w", seq, err)
	}
	octets := make([]byte, content.Size())
	if _, err := io.ReadFull(io.NewSectionReader(content, 0, content.Size()), octets); err != nil {
		return nil, fmt.Errorf("document of certificate %d: %w", seq, err)
	}
	return octets, nil
}

// Happenings implements clearance.Store.
func (s *Store) Happenings(ctx context.Context, after uint64, limit int) ([]clearance.Happening, error) {
	limit = limitOf(limit)
	var list []clearance.Happening
	err := s.view(func(tx *bbolt.Tx) error {
		last := tx.Bucket([]byte(bucketAudit)).Sequence()
		for seq := after + 1; seq > after && seq <= last && len(list) < limit; seq++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			var r AuditRecord
			if err := load(tx, bucketAudit, seq, &r); err != nil {
				return err
			}
			list = append(list, clearance.Happening{Seq: seq, At: r.At, Actor: r.Actor, Event: r.Event, Subject: r.Subject, Detail: r.Detail})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	return list, nil
}

func entriesOf(happenings []clearance.Happening) []exchange.AuditEntry {
	entries := make([]exchange.AuditEntry, len(happenings))
	for i, h := range happenings {
		entries[i] = exchange.AuditEntry{At: h.At.UTC(), Actor: h.Actor, Event: h.Event, Subject: h.Subject, Detail: h.Detail}
	}
	return entries
}

// move makes a move that fits.
func (t *transaction) move(m clearance.Move) error {
	var r certificateRecord
	if err := load(t.tx, bucketCertificates, m.Seq, &r); err != nil {
		return err
	}
	before := certificateEntries(&r.Certificate)
	r.State, r.Dealings.Life = exchange.CertificateState(m.Life.State), &m.Life
	r.Revision++
	if err := t.writeCertificate(&r); err != nil {
		return err
	}
	return t.reindex(before, certificateEntries(&r.Certificate))
}
