package lookup

import (
	"context"
	"slices"
	"strconv"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

// Reader is who looks up: a broker or an importer.
type Reader struct {
	// Name is that of the API key, Parties are who its holder is or works for.
	Name    string
	Parties []eco.PartyName
}

// Candidate is a received certificate that a reader may or may not see.
type Candidate struct {
	Seq  uint64
	Data *eco.Certificate
}

// Question is what a reader asks: a reference or the number of a record, and what he knows of the certificate.
type Question struct {
	Reference string // in any spelling
	Seq       uint64 // where there is no Reference
	// Invoice is the second factor, in any spelling; "" for none.
	Invoice string
}

// Seen is what a reader may see.
type Seen struct {
	// Shown are the numbers of the certificates that he may see.
	Shown []uint64
	// Why says for the audit log by what right, or why none is shown. The reader is never told.
	Why string
	// Proven are those that he sees because of the second factor.
	Proven []uint64
}

// May reports whether a certificate is among those that are shown.
func (s Seen) May(seq uint64) bool { return slices.Contains(s.Shown, seq) }

// See says which of the certificates that a question has found a reader may see. Whether there are none, none of them is his or the second
// factor is wrong, it makes the same two reads and writes nothing. A proof is kept: the caller files it with Keep.
func (d *Desk) See(ctx context.Context, r Reader, q Question, found []Candidate) (Seen, error) {
	mandated, err := d.mandated(ctx, r.Name)
	if err != nil {
		return Seen{}, err
	}
	proven, err := d.proven(ctx, r.Name, q)
	if err != nil {
		return Seen{}, err
	}
	var s Seen
	own := append(slices.Clone(r.Parties), mandated...)
	knows := newFactor(q.Invoice)
	for _, c := range found {
		known := knows.of(c.Data) // always, so that the work does not depend on what comes first
		switch {
		case concerns(own, c.Data):
			s.Shown, s.Why = append(s.Shown, c.Seq), "party or mandate"
		case slices.Contains(proven, c.Seq):
			s.Shown, s.Why = append(s.Shown, c.Seq), "proof of before"
		case known:
			s.Shown, s.Why = append(s.Shown, c.Seq), "second factor"
			s.Proven = append(s.Proven, c.Seq)
		}
	}
	if len(found) == 0 {
		knows.of(&eco.Certificate{})
	}
	if len(s.Shown) == 0 {
		s.Why = whyNone(len(found), q)
	}
	return s, nil
}

func whyNone(found int, q Question) string {
	switch {
	case found == 0:
		return "refused: not there"
	case q.Invoice != "":
		return "refused: not his, wrong second factor"
	}
	return "refused: not his"
}

// concerns reports whether a certificate is for one of these parties.
func concerns(own []eco.PartyName, c *eco.Certificate) bool {
	return slices.ContainsFunc(c.ImporterNames(), func(name eco.PartyName) bool { return slices.Contains(own, name) })
}

// Own are the parties whose certificates a reader may search: his own and those that have mandated him.
func (d *Desk) Own(ctx context.Context, r Reader) ([]eco.PartyName, error) {
	mandated, err := d.mandated(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	own := append(slices.Clone(r.Parties), mandated...)
	slices.Sort(own)
	return slices.Compact(own), nil
}

// Sees reports whether the holder of an API key, a broker or an importer, may see a certificate now: by his parties, a mandate or a proof.
func (d *Desk) Sees(ctx context.Context, key string, c clearance.Imported) (bool, error) {
	seen, err := d.See(ctx, Reader{Name: key, Parties: d.Parties(key)}, Question{Seq: c.Seq}, []Candidate{{c.Seq, &c.Data}})
	return seen.May(c.Seq), err
}

// Terms of dockets.

func ofBroker(key string) string            { return "broker " + key }
func ofOwner(key string) string             { return "owner " + key }
func ofImporter(party eco.PartyName) string { return "importer " + string(party) }
func ofReference(reference string) string   { return "reference " + eco.NormaliseReference(reference) }
func provenBy(key, reference string) string { return ofBroker(key) + " " + ofReference(reference) }
func provenSeq(key string, seq uint64) string {
	return ofBroker(key) + " " + strconv.FormatUint(seq, 10)
}
