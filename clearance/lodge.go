package clearance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ecogate/ecogate/eco"
)

// Lodge takes a declaration: it is compared with the certificates that it cites, and what it claims of them is reserved, in one
// transaction with its docket. original are the octets of one that did not come in JSON. The same declaration again, under the same number and by the same
// key, answers the first with fresh false.
//
// Errors: *RefusedError with everything that is wrong, ErrNumberTaken, ErrBusy.
func (k *Desk) Lodge(ctx context.Context, v Visitor, d Declaration, original []byte) (l Lodgement, fresh bool, err error) {
	if f := d.Validate(); eco.HasErrors(f) {
		return Lodgement{}, false, &RefusedError{Findings: f}
	}
	err = k.persist(ctx, func() error {
		docket, before, err := k.lodgement(ctx, d.ID())
		switch {
		case errors.Is(err, ErrNotFound):
			fresh = true
			l, err = k.file(ctx, v, docket, nil, d, original)
			return err
		case err != nil:
			return err
		case before.Declarant != v.Name || !sameContent(before.Declaration, d):
			return fmt.Errorf("%w: %s", ErrNumberTaken, d.Number)
		}
		l, fresh = before, false
		return nil
	})
	return l, fresh && err == nil, err
}

// Amend puts another declaration in the place of the one with its number, as long as nobody has decided about it; what was reserved is free,
// and what the new one claims reserved, in one transaction. One that has lapsed begins anew. The same content changes nothing.
//
// Errors: those of Lodge, ErrNotFound, ErrDecided.
func (k *Desk) Amend(ctx context.Context, v Visitor, d Declaration, original []byte) (l Lodgement, err error) {
	if f := d.Validate(); eco.HasErrors(f) {
		return Lodgement{}, &RefusedError{Findings: f}
	}
	err = k.persist(ctx, func() error {
		docket, before, err := k.visible(ctx, v, d.Number)
		switch {
		case err != nil:
			return err
		case before.State != LodgementLapsed && before.State != LodgementWithdrawn && sameContent(before.Declaration, d):
			l = before
			return nil
		case before.ruled() || before.State == LodgementWithdrawn || before.proposed():
			return fmt.Errorf("%w: %s is %s", ErrDecided, before.Number, before.State)
		}
		d.Number = before.Number // as it is spelled in the ledgers
		l, err = k.file(ctx, v, docket, &before, d, original)
		return err
	})
	return l, err
}

// Withdraw takes a declaration back: what it has reserved is free. One that was withdrawn before stays so.
//
// Errors: ErrNotFound, ErrDecided if something was written off, denied or suspended, or waits for another officer; ErrBusy.
func (k *Desk) Withdraw(ctx context.Context, v Visitor, number, why string) (l Lodgement, err error) {
	err = k.persist(ctx, func() error {
		docket, before, err := k.visible(ctx, v, number)
		switch {
		case err != nil:
			return err
		case before.State == LodgementWithdrawn:
			l = before
			return nil
		case before.ruled() || before.proposed():
			return fmt.Errorf("%w: %s is %s", ErrDecided, before.Number, before.State)
		}
		l, err = k.end(ctx, v.Name, docket, before, eco.EventWithdraw, why)
		return err
	})
	return l, err
}

// Declaration is one declaration, by its number in any spelling. The error is ErrNotFound.
func (k *Desk) Declaration(ctx context.Context, v Visitor, number string) (Lodgement, error) {
	_, l, err := k.visible(ctx, v, number)
	return l, err
}

// DeclarationQuery selects declarations; zero fields do not restrict.
type DeclarationQuery struct {
	State LodgementState
	// Certificate is the key of one that is cited, as Key.String writes it.
	Certificate string
	// After returns those that came after the one with this number of filing, for paging. Limit defaults to 100.
	After uint64
	Limit int
}

// DeclarationPage is a part of a list. Next is the After of the rest, 0 for none.
type DeclarationPage struct {
	Declarations []Lodgement `json:"declarations"`
	Next         uint64      `json:"next,omitempty"`
}

// Declarations lists declarations in the order in which they came; a broker's own alone.
func (k *Desk) Declarations(ctx context.Context, v Visitor, q DeclarationQuery) (DeclarationPage, error) {
	if q.Limit == 0 {
		q.Limit = 100
	}
	term := termOf(v, q)
	page := DeclarationPage{Declarations: []Lodgement{}}
	for {
		found, err := k.o.Store.Dockets(ctx, DocketQuery{Kind: KindDeclaration, Term: term, After: q.After, Limit: q.Limit})
		if err != nil {
			return DeclarationPage{}, err
		}
		for _, docket := range found {
			q.After = docket.Filed
			l, err := read(docket)
			if err != nil {
				return DeclarationPage{}, err
			}
			if v.Broker && l.Declarant != v.Name || q.State != "" && l.State != q.State || q.Certificate != "" && !l.cites(q.Certificate) {
				continue
			}
			page.Declarations = append(page.Declarations, l)
			if len(page.Declarations) == q.Limit {
				page.Next = q.After
				return page, nil
			}
		}
		if len(found) < q.Limit {
			return page, nil
		}
	}
}

// Terms by which a declaration is found.
func termOf(v Visitor, q DeclarationQuery) string {
	switch {
	case q.Certificate != "" && !v.Broker: // how many others cite it must not tell a broker by the time that it takes
		return "certificate:" + q.Certificate
	case v.Broker && q.State != "":
		return "declarant:" + v.Name + " state:" + string(q.State)
	case v.Broker:
		return "declarant:" + v.Name
	case q.State != "":
		return "state:" + string(q.State)
	}
	return ""
}

// cites reports whether a declaration cites a certificate that is here.
func (l Lodgement) cites(key string) bool {
	return slices.ContainsFunc(l.Claims, func(c Claim) bool { return c.Standing != StandingAwaited && c.Key != nil && c.Key.String() == key })
}

func awaitsTerm(reference string) string { return "awaits:" + eco.NormaliseReference(reference) }

// lodgement finds a declaration by the id of its docket. Without one the error is ErrNotFound, and the docket a new one.
func (k *Desk) lodgement(ctx context.Context, id string) (Docket, Lodgement, error) {
	fresh := Docket{Kind: KindDeclaration, ID: id}
	if id == "" {
		return fresh, Lodgement{}, fmt.Errorf("declaration: %w", ErrNotFound)
	}
	found, err := k.o.Store.Dockets(ctx, DocketQuery{Kind: KindDeclaration, ID: id})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("declaration %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return fresh, Lodgement{}, err
	}
	l, err := read(found[0])
	return found[0], l, err
}

// read is the lodgement of a docket.
func read(d Docket) (l Lodgement, err error) {
	if err := d.Into(&l); err != nil {
		return Lodgement{}, err
	}
	l.Revision = d.Revision
	return l, nil
}

// visible finds a declaration as far as the visitor may see it.
func (k *Desk) visible(ctx context.Context, v Visitor, number string) (Docket, Lodgement, error) {
	docket, l, err := k.lodgement(ctx, eco.NormaliseReference(number))
	if err == nil && v.Broker && l.Declarant != v.Name {
		return Docket{}, Lodgement{}, fmt.Errorf("declaration %s: %w", docket.ID, ErrNotFound)
	}
	return docket, l, err
}

// sameContent reports whether two declarations say the same; of their numbers the spelling does not count.
func sameContent(a, b Declaration) bool {
	b.Number = a.Number
	one, err := json.Marshal(a)
	other, err2 := json.Marshal(b)
	return err == nil && err2 == nil && bytes.Equal(one, other)
}

// file checks a declaration and files it, in the place of before if there is one.
func (k *Desk) file(ctx context.Context, v Visitor, docket Docket, before *Lodgement, d Declaration, original []byte) (Lodgement, error) {
	now := k.o.Now().UTC()
	held, err := k.held(ctx, before)
	if err != nil {
		return Lodgement{}, err
	}
	broker, name := v.Broker, v.Name
	if before != nil && before.Broker { // who corrects it for a broker does not show him more than he may see
		broker, name = true, before.Declarant
	}
	e, err := k.evidence(ctx, broker, name, d, held)
	if err != nil {
		return Lodgement{}, err
	}
	e.Now, e.Day, e.Strict, e.Officer = now, d.Lodged, v.Broker, v.Officer
	if v.Broker { // whatever day he states: nobody makes up for lost time
		e.Day = eco.DateOf(now)
	}
	a := Check(d, e)
	if a.Refused() {
		return Lodgement{}, &RefusedError{a.Findings, a.Differences}
	}
	l := Lodgement{Declaration: d, Declarant: v.Name, Broker: v.Broker, Version: 1, Received: now, Claims: a.Claims, Findings: a.Findings, Differences: a.Differences}
	event := "declaration.lodged"
	if before != nil {
		event, l.Version, l.History, l.Decisions = "declaration.amended", before.Version+1, before.History, before.Decisions
		if !v.Broker { // who corrects it for the declarant does not take it over
			l.Declarant, l.Broker = before.Declarant, before.Broker
		}
	}
	l.restate(now, k.o.Reservation())
	c := changes{k: k, by: v.Name, at: now}
	for _, seq := range union(seqsOf(held), a.order) {
		record, known := held[seq]
		if !known {
			record = a.cited[seq]
		}
		if err := c.cite(record, l, cited(l, seq), e.Day); err != nil {
			return Lodgement{}, refusedMove(err, a.paths[seq])
		}
	}
	return k.finish(ctx, &c, docket, l, event, "", &handing{original, a.order})
}

// held are the certificates that a declaration has cited, as they are.
func (k *Desk) held(ctx context.Context, l *Lodgement) (map[uint64]Imported, error) {
	all := map[uint64]Imported{}
	if l == nil {
		return all, nil
	}
	for _, seq := range l.certificates() {
		found, err := k.o.Store.Imported(ctx, ImportedQuery{Seq: seq, Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(found) > 0 && slices.Contains(found[0].Life.Declarations, l.Number) {
			all[seq] = found[0]
		}
	}
	return all, nil
}

func seqsOf(all map[uint64]Imported) []uint64 {
	var seqs []uint64
	for seq := range all {
		seqs = append(seqs, seq)
	}
	slices.Sort(seqs)
	return seqs
}

// union are the numbers of both, each once.
func union(a, b []uint64) []uint64 {
	all := slices.Clone(a)
	for _, n := range b {
		if !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	return all
}

// cited are the claims of a lodgement that rest on a certificate and hold something of it.
func cited(l Lodgement, seq uint64) []Claim {
	return slices.DeleteFunc(slices.Clone(l.Claims), func(c Claim) bool {
		return c.Certificate != seq || !c.Standing.Open() || c.Standing == StandingAwaited
	})
}

// refusedMove tells what the ledger refused as a finding, where the citation stands that it is about.
func refusedMove(err error, path string) error {
	var illegal *eco.IllegalMove
	if !errors.As(err, &illegal) {
		return err
	}
	return &RefusedError{Findings: []eco.Finding{{Code: illegal.Code, Severity: eco.SeverityError, Path: path, Text: illegal.Error(), Fix: "look at the certificate"}}}
}

// evidence collects what a declaration is compared with. held are certificates that it cites already: their lives go in without that.
func (k *Desk) evidence(ctx context.Context, broker bool, name string, d Declaration, held map[uint64]Imported) (Evidence, error) {
	e := Evidence{Cited: map[string][]Imported{}, Originals: map[string][]Imported{}, Forms: k.o.Forms()}
	for _, line := range d.Lines {
		for _, citation := range line.Citations {
			reference := eco.NormaliseReference(citation.Reference)
			if _, known := e.Cited[reference]; known {
				continue
			}
			found, err := k.seen(ctx, broker, name, reference)
			if err != nil {
				return Evidence{}, err
			}
			for i, c := range found {
				if _, own := held[c.Seq]; own {
					held[c.Seq] = c
					if freed, err := eco.Next(c.Life, eco.Event{Kind: eco.EventWithdraw, At: k.o.Now().UTC(), By: name, Reference: d.Number}); err == nil {
						found[i].Life, found[i].State = freed, freed.State
					}
				}
				if err := k.originals(ctx, c.Data, e.Originals); err != nil {
					return Evidence{}, err
				}
			}
			e.Cited[reference] = found
		}
	}
	return e, nil
}

// seen are the certificates with a number that a broker, or anybody else, may see. A number that no certificate has may be that of the paper on
// which one was issued during an outage.
func (k *Desk) seen(ctx context.Context, broker bool, name, reference string) ([]Imported, error) {
	found, err := k.o.Store.Imported(ctx, ImportedQuery{Reference: reference})
	if err != nil {
		return nil, err
	}
	onPaper, err := k.o.Store.Imported(ctx, ImportedQuery{Paper: reference}) // in any case: what is not there takes the same reads
	if len(found) == 0 {
		found = onPaper
	}
	if err != nil || !broker || k.o.Sees == nil {
		return found, err
	}
	if len(found) == 0 { // as much is read as for one that he may not see
		_, err := k.o.Sees(ctx, name, Imported{})
		return nil, err
	}
	var visible []Imported
	for _, c := range found {
		sees, err := k.o.Sees(ctx, name, c)
		if err != nil {
			return nil, err
		}
		if sees {
			visible = append(visible, c)
		}
	}
	return visible, nil
}

// maxOriginals bounds how many originals of one certificate are looked for.
const maxOriginals = 20

// originals adds the certificates that a back-to-back one builds on.
func (k *Desk) originals(ctx context.Context, c eco.Certificate, all map[string][]Imported) error {
	for _, related := range c.Related[:min(len(c.Related), maxOriginals)] {
		reference := eco.NormaliseReference(related.Reference)
		if _, known := all[reference]; known || related.Relation != eco.RelationBackToBack {
			continue
		}
		found, err := k.o.Store.Imported(ctx, ImportedQuery{Reference: reference})
		if err != nil {
			return err
		}
		all[reference] = found
	}
	return nil
}

// proposed reports whether a decision about it waits for another officer.
func (l Lodgement) proposed() bool {
	return slices.ContainsFunc(l.Decisions, func(d Decision) bool { return d.State == DecisionProposed })
}

// ruled reports whether an officer's decision about any claim stands. The state alone does not tell: one that also awaits a certificate is on
// guarantee, and one with suspended claims is lodged.
func (l Lodgement) ruled() bool {
	return l.State == LodgementDecided || slices.ContainsFunc(l.Claims, func(c Claim) bool {
		switch c.Standing {
		case StandingAccepted, StandingPart, StandingDenied, StandingSuspended, StandingVerifying:
			return true
		}
		return false
	})
}

// restate lets the state follow the claims. Reservations lapse only where nothing but they is open: a claim that stands on a guarantee
// keeps all of them.
func (l *Lodgement) restate(now time.Time, reservation time.Duration) {
	standing := func(all ...Standing) bool {
		return slices.ContainsFunc(l.Claims, func(c Claim) bool { return slices.Contains(all, c.Standing) })
	}
	decided := standing(StandingAccepted, StandingPart, StandingDenied)
	switch {
	case l.awaits():
		l.State = LodgementOnGuarantee
	case !l.open() && decided:
		l.State = LodgementDecided
	case decided:
		l.State = LodgementPart
	case l.open():
		l.State = LodgementLodged
	}
	l.HeldUntil = time.Time{}
	if l.open() && !standing(StandingAwaited, StandingSuspended, StandingVerifying) {
		l.HeldUntil = now.Add(reservation)
	}
}
