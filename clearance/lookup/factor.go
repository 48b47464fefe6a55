package lookup

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

// Proof is that somebody knew a certificate's invoice number beside its reference.
type Proof struct {
	Broker string    `json:"broker"` // name of the API key
	Seq    uint64    `json:"seq"`
	At     time.Time `json:"at"`
	Until  time.Time `json:"until"`
}

// factor is a second factor, compared by digests in a time that depends on neither side but for how many invoices there are.
type factor struct {
	given bool
	sum   [sha256.Size]byte
}

func newFactor(invoice string) factor {
	normalised := eco.NormaliseReference(invoice)
	return factor{given: normalised != "", sum: sha256.Sum256([]byte(normalised))}
}

// of reports whether a certificate names this invoice. One without invoices is compared once all the same.
func (f factor) of(c *eco.Certificate) bool {
	match := 0
	compare := func(number string) {
		normalised := eco.NormaliseReference(number)
		sum := sha256.Sum256([]byte(normalised))
		equal := subtle.ConstantTimeCompare(sum[:], f.sum[:])
		if normalised != "" {
			match |= equal
		}
	}
	if len(c.Invoices) == 0 {
		compare("")
	}
	for _, invoice := range c.Invoices {
		compare(invoice.Number)
	}
	return f.given && match == 1
}

// proven are the numbers of the certificates that a question may be about and of which the holder of a key has proven to know enough.
func (d *Desk) proven(ctx context.Context, key string, q Question) ([]uint64, error) {
	term := provenSeq(key, q.Seq)
	if q.Seq == 0 {
		term = provenBy(key, q.Reference)
	}
	var seqs []uint64
	err := d.all(ctx, clearance.DocketQuery{Kind: KindProof, Term: term}, func(docket clearance.Docket) error {
		var p Proof
		if err := docket.Into(&p); err != nil {
			return err
		}
		if p.Broker == key && d.Now().Before(p.Until) {
			seqs = append(seqs, p.Seq)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("proofs of %s: %w", key, err)
	}
	return seqs, nil
}

// Keep files the proofs of what was seen, so that it can be seen again, and cited, without the second factor until Rules.ProofKept is over.
func (d *Desk) Keep(ctx context.Context, r Reader, reference string, s Seen) error {
	for _, seq := range s.Proven {
		now := d.Now().UTC()
		proof := Proof{Broker: r.Name, Seq: seq, At: now, Until: now.Add(d.rules().ProofKept)}
		err := again(func() error {
			docket, err := fresh(KindProof, provenSeq(r.Name, seq), proof, provenSeq(r.Name, seq), provenBy(r.Name, reference))
			if err != nil {
				return err
			}
			before, err := d.Store.Dockets(ctx, clearance.DocketQuery{Kind: KindProof, ID: docket.ID})
			if err != nil {
				return err
			}
			if len(before) > 0 {
				docket.Revision = before[0].Revision
			}
			docket.Due = proof.Until
			return d.Store.File(ctx, clearance.Batch{Dockets: []clearance.Docket{docket}})
		})
		if err != nil {
			return fmt.Errorf("proof of %s for certificate %d: %w", r.Name, seq, err)
		}
	}
	return nil
}
