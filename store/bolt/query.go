package bolt

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// defaultLimit bounds a query that sets no Limit.
const defaultLimit = 100

// Messages implements exchange.Store. Seq, MessageID, RefToMessageID, Signer (with Since), and State but for StateDelivered and StateAccepted are found by
// index, the first that is set in this order. What is left filters while walking records newest first: a query by Direction,
// Kind or Partner alone reads records until Limit match.
func (s *Store) Messages(ctx context.Context, query exchange.MessageQuery) ([]exchange.Message, error) {
	var found []exchange.Message
	limit := limitOf(query.Limit)
	err := s.view(func(tx *bbolt.Tx) error {
		return walkMessages(tx, query, func(seq uint64) (bool, error) {
			if err := ctx.Err(); err != nil {
				return false, err
			}
			m, err := loadMessage(tx, seq)
			if err == nil && matchesMessage(query, &m) {
				found = append(found, m)
			}
			return len(found) < limit, err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("finding messages: %w", err)
	}
	return found, nil
}

func limitOf(n int) int {
	if n <= 0 {
		return defaultLimit
	}
	return n
}

// walkMessages visits the numbers among which the query's answer lies, highest first.
func walkMessages(tx *bbolt.Tx, q exchange.MessageQuery, visit func(seq uint64) (bool, error)) error {
	switch {
	case q.Seq != 0:
		if tx.Bucket([]byte(bucketMessages)).Get(number(q.Seq)) == nil {
			return nil
		}
		_, err := visit(q.Seq)
		return err
	case q.MessageID != "":
		return descend(tx, bucketIDs, idUse(q.MessageID, useMessage), q.Before, visit)
	case q.RefToMessageID != "":
		return descend(tx, bucketIDs, idUse(q.RefToMessageID, useReply), q.Before, visit)
	case q.Signer != "":
		return descendSigned(tx, signedBy(q.Signer, useMessage), q.Since, q.Before, visit)
	case q.State != "" && q.State != exchange.StateDelivered && q.State != exchange.StateAccepted:
		return descend(tx, bucketStates, part(string(q.State)), q.Before, visit)
	}
	return descend(tx, bucketMessages, nil, q.Before, visit)
}

func matchesMessage(q exchange.MessageQuery, m *exchange.Message) bool {
	return (q.Seq == 0 || q.Seq == m.Seq) &&
		(q.MessageID == "" || q.MessageID == m.MessageID) &&
		(q.RefToMessageID == "" || q.RefToMessageID == m.RefToMessageID) &&
		(q.Direction == "" || q.Direction == m.Direction) &&
		(q.Kind == "" || q.Kind == m.Kind) &&
		(q.State == "" || q.State == m.State) &&
		(q.Partner == "" || q.Partner == m.Partner) &&
		(q.Signer == "" || q.Signer == m.Signer || q.Signer == m.DocumentSigner) &&
		!m.Created.Before(q.Since) &&
		(q.Before == 0 || m.Seq < q.Before)
}

// Certificates implements exchange.Store. Seq, Reference, Message, Verifying, OnHold and Signer (with Since) are found by index, the first
// that is set in this order; what is left filters while walking records newest first.
func (s *Store) Certificates(ctx context.Context, query exchange.CertificateQuery) ([]exchange.Certificate, error) {
	reference := eco.NormaliseReference(query.Reference)
	var found []exchange.Certificate
	limit := limitOf(query.Limit)
	visit := func(tx *bbolt.Tx) func(seq uint64) (bool, error) {
		return func(seq uint64) (bool, error) {
			if err := ctx.Err(); err != nil {
				return false, err
			}
			var c exchange.Certificate
			err := load(tx, bucketCertificates, seq, &c)
			if err == nil && (query.Reference == "" || c.Key.Reference == reference) && matchesCertificate(query, &c) {
				found = append(found, c)
			}
			return len(found) < limit, err
		}
	}
	err := s.view(func(tx *bbolt.Tx) error {
		switch {
		case query.Seq != 0:
			if tx.Bucket([]byte(bucketCertificates)).Get(number(query.Seq)) == nil {
				return nil
			}
			_, err := visit(tx)(query.Seq)
			return err
		case query.Reference != "":
			return descend(tx, bucketReferences, idUse(reference, useCertificate), query.Before, visit(tx))
		case query.Message != "":
			return descend(tx, bucketIDs, idUse(query.Message, useCertificate), query.Before, visit(tx))
		case query.Verifying:
			return descend(tx, bucketReferences, verifying(), query.Before, visit(tx))
		case query.OnHold:
			return descend(tx, bucketReferences, onHold(), query.Before, visit(tx))
		case query.Signer != "":
			return descendSigned(tx, signedBy(query.Signer, useCertificate), query.Since, query.Before, visit(tx))
		}
		return descend(tx, bucketCertificates, nil, query.Before, visit(tx))
	})
	if err != nil {
		return nil, fmt.Errorf("finding certificates: %w", err)
	}
	return found, nil
}

func matchesCertificate(q exchange.CertificateQuery, c *exchange.Certificate) bool {
	return (q.Direction == "" || q.Direction == c.Direction) &&
		(q.Partner == "" || q.Partner == c.Partner) &&
		(q.Country == "" || q.Country == c.Key.Country) &&
		(q.Form == "" || q.Form == c.Key.Form) &&
		(q.Message == "" || q.Message == c.Message) &&
		(!q.Verifying || c.Dealings.Verifying()) &&
		(!q.OnHold || c.Dealings.OnHold()) &&
		(q.Signer == "" || q.Signer == c.DocumentSigner) &&
		!c.Recorded.Before(q.Since) &&
		(q.Before == 0 || c.Seq < q.Before)
}

// Counts gives the number of messages in each state but StateDelivered and StateAccepted, from the index alone: a million take a
// fraction of a second.
func (s *Store) Counts(ctx context.Context) (map[exchange.State]int, error) {
	counts := map[exchange.State]int{}
	for _, state := range []exchange.State{
		exchange.StateQueued, exchange.StateSending, exchange.StateAwaiting, exchange.StateFailed, exchange.StateExpired, exchange.StateCancelled,
		exchange.StateReceived, exchange.StateQuarantined,
	} {
		counts[state] = 0
		err := s.view(func(tx *bbolt.Tx) error {
			return descend(tx, bucketStates, part(string(state)), 0, func(uint64) (bool, error) {
				counts[state]++
				return true, ctx.Err()
			})
		})
		if err != nil {
			return nil, fmt.Errorf("counting messages: %w", err)
		}
	}
	return counts, nil
}

// Raw implements exchange.Store. Bytes of a past month whose file or folder was removed are gone by retention. Content above
// Options.LargeBytes is read once to compare it, in constant memory, and after that from its file.
func (s *Store) Raw(ctx context.Context, ref exchange.RawRef) (exchange.Content, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("reading raw bytes: %w", err)
	}
	content, err := s.raw.read(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("reading raw bytes: %w", err)
	}
	return content, nil
}
