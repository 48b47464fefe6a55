package bolt

import (
	"bytes"
	"container/heap"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// What bucketFound finds imported certificates by; the first byte of a key. Each key ends with the certificate's number, and only that of
// foundFacts has a value.
const (
	foundInvoice   = 'i' // + normalised number
	foundTransport = 't' // + normalised number
	foundPaper     = 'p' // + normalised number of the paper on which it was issued
	foundExporter  = 'e' // + eco.PartyName
	foundImporter  = 'm' // + eco.PartyName
	foundState     = 's' // + state
	foundIssued    = 'd' // + day of issue, "2006-01-02"
	foundReceived  = 'r' // + day of receipt in UTC
	foundFacts     = 'a' // -> Recorded, country, form, partner: what can be told of a certificate without its record
)

// maxFoundTerms bounds the entries of one kind that a certificate may cause: a partner chooses how many invoices it names.
const maxFoundTerms = eco.MaxItems

func foundBy(use byte, term string) []byte { return append([]byte{use}, part(term)...) }

func foundOn(use byte, day string) []byte { return append([]byte{use}, day...) }

func dayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// standingEntries are those of an imported certificate in bucketFound that follow from its record without its data.
func standingEntries(c *exchange.Certificate) []entry {
	if c.Direction != exchange.Inbound {
		return nil
	}
	seq := number(c.Seq)
	facts := bytes.Join([][]byte{instant(c.Recorded), part(c.Key.Country), part(string(c.Key.Form)), part(c.Partner)}, nil)
	return []entry{
		{bucketFound, append(foundBy(foundState, string(c.State)), seq...), nil},
		{bucketFound, append(foundOn(foundReceived, dayOf(c.Recorded)), seq...), nil},
		{bucketFound, append([]byte{foundFacts}, seq...), facts},
	}
}

// dataEntries are those in bucketFound that follow from what an imported certificate says, which never changes.
func dataEntries(c *exchange.Certificate) []entry {
	if c.Direction != exchange.Inbound {
		return nil
	}
	seq := number(c.Seq)
	var entries []entry
	add := func(use byte, terms []string) {
		slices.Sort(terms)
		terms = slices.Compact(terms)
		for _, term := range terms[:min(len(terms), maxFoundTerms)] {
			if term != "" {
				entries = append(entries, entry{bucketFound, append(foundBy(use, term), seq...), nil})
			}
		}
	}
	var invoices, transport []string
	for _, invoice := range c.Data.Invoices {
		invoices = append(invoices, eco.NormaliseReference(invoice.Number))
	}
	for _, document := range clearance.TransportDocuments(c.Data) {
		transport = append(transport, eco.NormaliseReference(document))
	}
	if p := c.Data.IssuedOnPaper(); p != nil {
		add(foundPaper, []string{eco.NormaliseReference(p.Number)})
	}
	add(foundInvoice, invoices)
	add(foundTransport, transport)
	add(foundExporter, textOf(c.Data.Exporter.Names()))
	add(foundImporter, textOf(c.Data.ImporterNames()))
	if !c.Data.IssuedAt.IsZero() {
		entries = append(entries, entry{bucketFound, append(foundOn(foundIssued, c.Data.IssuedAt.String()), seq...), nil})
	}
	return entries
}

func textOf(names []eco.PartyName) []string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = string(name)
	}
	return list
}

// data reads what a stored certificate says into its Certificate.
func (c *certificateRecord) data() error {
	if err := json.Unmarshal(c.Data, &c.Certificate.Data); err != nil {
		return fmt.Errorf("certificate %s: %w: %w", keyText(c.Key), exchange.ErrDamaged, err)
	}
	return nil
}

// Imported implements clearance.Store. All fields but Country, Form and Partner are found by index: of those that are set the first in the
// order Seq, Reference, Invoice, Transport, Paper, Exporter, Importers, the days of issue, the days of receipt, State leads. What the others say is
// looked up in the index for each certificate that this one gives, and Country, Form, Partner and the receipt in its facts, so that few records are read that do not
// match.
func (s *Store) Imported(ctx context.Context, q clearance.ImportedQuery) ([]clearance.Imported, error) {
	if unanswerable(q) {
		return nil, nil
	}
	var list []clearance.Imported
	limit := limitOf(q.Limit)
	err := s.view(func(tx *bbolt.Tx) error {
		f := newFinder(tx, q, s.manyDays)
		return f.walk(func(seq uint64) (bool, error) {
			if err := ctx.Err(); err != nil {
				return false, err
			}
			if !f.fits(seq) {
				return true, nil
			}
			var c exchange.Certificate
			err := load(tx, bucketCertificates, seq, &c)
			if err == nil && f.matches(&c) {
				list = append(list, imported(c))
			}
			return len(list) < limit, err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("finding imported certificates: %w", err)
	}
	return list, nil
}

// unanswerable reports whether a query asks for a number that no certificate has: its entry would be that of all.
func unanswerable(q clearance.ImportedQuery) bool {
	for _, given := range []string{q.Reference, q.Invoice, q.Transport, q.Paper} {
		if given != "" && eco.NormaliseReference(given) == "" {
			return true
		}
	}
	return false
}

// finder answers one query in one transaction.
type finder struct {
	q         clearance.ImportedQuery
	reference string
	tx        *bbolt.Tx
	index     *bbolt.Bucket
	// must are prefixes under all of which a certificate stands, any are those under one of which it stands, if there are any.
	must, any [][]byte
	manyDays  int
}

func newFinder(tx *bbolt.Tx, q clearance.ImportedQuery, many int) *finder {
	f := &finder{q: q, tx: tx, manyDays: many, index: tx.Bucket([]byte(bucketFound)), reference: eco.NormaliseReference(q.Reference)}
	for _, term := range []struct {
		use   byte
		value string
	}{
		{foundInvoice, eco.NormaliseReference(q.Invoice)}, {foundTransport, eco.NormaliseReference(q.Transport)}, {foundPaper, eco.NormaliseReference(q.Paper)},
		{foundExporter, string(q.Exporter)},
	} {
		if term.value != "" {
			f.must = append(f.must, foundBy(term.use, term.value))
		}
	}
	for _, name := range q.Importers {
		f.any = append(f.any, foundBy(foundImporter, string(name)))
	}
	slices.SortFunc(f.any, bytes.Compare)
	f.any = slices.CompactFunc(f.any, bytes.Equal)
	return f
}

// walk visits the numbers among which the answer lies, highest first.
func (f *finder) walk(visit func(seq uint64) (bool, error)) error {
	q := f.q
	switch {
	case q.Seq != 0:
		_, err := visit(q.Seq)
		return err
	case f.reference != "":
		return descend(f.tx, bucketReferences, idUse(f.reference, useCertificate), q.Before, visit)
	case len(f.must) > 0:
		return descend(f.tx, bucketFound, f.must[0], q.Before, visit)
	case len(f.any) > 0:
		return descendAny(f.index, f.any, q.Before, visit)
	case !q.IssuedFrom.IsZero() || !q.IssuedUntil.IsZero():
		return f.days(foundIssued, q.IssuedFrom.String(), until(q.IssuedUntil), visit)
	case !q.ReceivedFrom.IsZero() || !q.ReceivedUntil.IsZero():
		last := lastDay
		if !q.ReceivedUntil.IsZero() {
			last = dayOf(q.ReceivedUntil)
		}
		return f.days(foundReceived, dayOf(q.ReceivedFrom), last, visit)
	case q.State != "":
		return descend(f.tx, bucketFound, foundBy(foundState, string(q.State)), q.Before, visit)
	}
	return descend(f.tx, bucketFound, []byte{foundFacts}, q.Before, visit)
}

// lastDay is the last one that there is; see eco.ParseDate.
const lastDay = "9999-12-31"

func until(day eco.Date) string {
	if day.IsZero() {
		return lastDay
	}
	return day.String()
}

// manyDays is how many numbers of a range of days are put in order. Where there are more, it is all certificates that are walked, newest
// first: many of them match.
const manyDays = 100_000

// days visits the certificates of some days, highest number first.
func (f *finder) days(use byte, first, last string, visit func(seq uint64) (bool, error)) error {
	var seqs []uint64
	end := append(foundOn(use, last), number(^uint64(0))...)
	c := f.index.Cursor()
	for key, _ := c.Seek(foundOn(use, first)); key != nil && key[0] == use && bytes.Compare(key, end) <= 0; key, _ = c.Next() {
		if seq := lastNumber(key); f.q.Before == 0 || seq < f.q.Before {
			seqs = append(seqs, seq)
		}
		if len(seqs) > f.manyDays {
			return descend(f.tx, bucketFound, []byte{foundFacts}, f.q.Before, visit)
		}
	}
	slices.Sort(seqs)
	for _, seq := range slices.Backward(seqs) {
		if more, err := visit(seq); err != nil || !more {
			return err
		}
	}
	return nil
}

// fits reports whether the index says that a certificate may match. It is none for an exported one.
func (f *finder) fits(seq uint64) bool {
	n := number(seq)
	under := func(prefix []byte) bool { return f.index.Get(slices.Concat(prefix, n)) != nil }
	facts := f.index.Get(append([]byte{foundFacts}, n...))
	if facts == nil || !f.fitsFacts(facts) {
		return false
	}
	if f.q.State != "" && !under(foundBy(foundState, string(f.q.State))) {
		return false
	}
	for _, prefix := range f.must {
		if !under(prefix) {
			return false
		}
	}
	return len(f.any) == 0 || slices.ContainsFunc(f.any, under)
}

func (f *finder) fitsFacts(facts []byte) bool {
	q := f.q
	if len(facts) < instantSize {
		return false
	}
	recorded, rest := facts[:instantSize], facts[instantSize:]
	if !q.ReceivedFrom.IsZero() && bytes.Compare(recorded, instant(q.ReceivedFrom)) < 0 ||
		!q.ReceivedUntil.IsZero() && bytes.Compare(recorded, instant(q.ReceivedUntil)) >= 0 {
		return false
	}
	for _, wanted := range []string{q.Country, string(q.Form), q.Partner} {
		value, after, err := cutPart(rest)
		if err != nil || wanted != "" && !bytes.Equal(value, part(wanted)) {
			return false
		}
		rest = after
	}
	return true
}

// matches holds a record to what the index cannot say of it, or says by a digest.
func (f *finder) matches(c *exchange.Certificate) bool {
	q := f.q
	return (f.reference == "" || c.Key.Reference == f.reference) &&
		(q.Before == 0 || c.Seq < q.Before) &&
		(q.IssuedFrom.IsZero() || !c.Data.IssuedAt.IsZero() && !c.Data.IssuedAt.Before(q.IssuedFrom)) &&
		(q.IssuedUntil.IsZero() || !c.Data.IssuedAt.IsZero() && !c.Data.IssuedAt.After(q.IssuedUntil))
}

// descent is the walk through the entries under one prefix, highest number first; key is where it stands.
type descent struct {
	cursor *bbolt.Cursor
	prefix []byte
	key    []byte
}

func (d *descent) seq() uint64 { return lastNumber(d.key) }

func (d *descent) there() bool { return d.key != nil && bytes.HasPrefix(d.key, d.prefix) }

// descents is a heap with the highest number at its top.
type descents []*descent

func (h descents) Len() int           { return len(h) }
func (h descents) Less(i, j int) bool { return h[i].seq() > h[j].seq() }
func (h descents) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *descents) Push(x any)        { *h = append(*h, x.(*descent)) }
func (h *descents) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// descendAny visits the numbers under any of several prefixes, highest first, each once.
func descendAny(index *bbolt.Bucket, prefixes [][]byte, before uint64, visit func(seq uint64) (bool, error)) error {
	var h descents
	for _, prefix := range prefixes {
		d := &descent{cursor: index.Cursor(), prefix: prefix}
		end := append(bytes.Clone(prefix), number(before-1)...) // for 0 the highest number
		switch d.key, _ = d.cursor.Seek(end); {
		case d.key == nil:
			d.key, _ = d.cursor.Last()
		case !bytes.Equal(d.key, end):
			d.key, _ = d.cursor.Prev()
		}
		if d.there() {
			h = append(h, d)
		}
	}
	heap.Init(&h)
	for last := uint64(0); len(h) > 0; {
		top := h[0]
		if seq := top.seq(); seq != last {
			last = seq
			if more, err := visit(seq); err != nil || !more {
				return err
			}
		}
		if top.key, _ = top.cursor.Prev(); top.there() {
			heap.Fix(&h, 0)
		} else {
			heap.Pop(&h)
		}
	}
	return nil
}

// The entry of meta that tells how far bucketFound was made of a store that had none: the number of the last certificate, or foundWhole.
const (
	metaFound  = "found"
	foundWhole = "whole"
)

// foundStep is how many certificates one transaction of indexFound takes: some ten entries each.
const foundStep = 5_000

// forgetFound empties bucketFound: what is in it of a store that an older program has written since is not all.
func (t *transaction) forgetFound() error {
	err := t.tx.DeleteBucket([]byte(bucketFound))
	if err == nil {
		_, err = t.tx.CreateBucket([]byte(bucketFound))
	}
	if err == nil {
		err = t.tx.Bucket([]byte(bucketMeta)).Delete([]byte(metaFound))
	}
	if err != nil {
		return fmt.Errorf("bucket %s: %w", bucketFound, err)
	}
	return nil
}

// indexFound makes bucketFound of a store that has none, or only a part because that was interrupted. Nothing else may write meanwhile. Each transaction takes
// some certificates, in the order of keys, since bbolt inserts elsewhere in time that grows with what a transaction has inserted; so memory is
// bounded, and what was done stays done.
func (s *Store) indexFound() (err error) {
	defer guard(s.path, &err)()
	for {
		whole, err := s.indexFoundStep()
		if err != nil || whole {
			return err
		}
	}
}

func (s *Store) indexFoundStep() (whole bool, err error) {
	t, err := s.begin()
	if err != nil {
		return false, err
	}
	defer t.rollback()
	meta := t.tx.Bucket([]byte(bucketMeta))
	done := meta.Get([]byte(metaFound))
	if string(done) == foundWhole {
		return true, nil
	}
	var entries []entry
	mark, n := []byte(foundWhole), 0
	c := t.tx.Bucket([]byte(bucketCertificates)).Cursor()
	for key, sealed := c.Seek(number(lastNumber(done) + 1)); key != nil; key, sealed = c.Next() {
		if n++; n > foundStep {
			mark = number(lastNumber(key) - 1)
			break
		}
		var r exchange.Certificate
		if err := decode(t.tx, bucketCertificates, lastNumber(key), sealed, &r); err != nil {
			return false, err
		}
		entries = append(append(entries, standingEntries(&r)...), dataEntries(&r)...)
	}
	slices.SortFunc(entries, func(a, b entry) int { return bytes.Compare(a.key, b.key) })
	if err := t.reindex(nil, entries); err != nil {
		return false, err
	}
	if err := meta.Put([]byte(metaFound), mark); err != nil {
		return false, err
	}
	if err := t.tx.Commit(); err != nil {
		return false, fmt.Errorf("%s: index %s: %w", s.path, bucketFound, full(err))
	}
	return string(mark) == foundWhole, nil
}
