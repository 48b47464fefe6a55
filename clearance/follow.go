package clearance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ecogate/ecogate/eco"
)

// cursorID names the desk's place in the audit log.
const cursorID = "declarations"

// sweepEvery is how often declarations on guarantee are compared with what is there, whatever the audit log says: their declarants may see
// more by now.
const sweepEvery = 10 * time.Minute

// Run does what follows from declarations, decisions, arrivals and the passing of time, until ctx ends: reservations lapse, partners are
// told, certificates that come late are matched, duties arise, warn, escalate and end. What fails is tried again.
func (k *Desk) Run(ctx context.Context) {
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(k.o.Poll)
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			k.report(ctx, k.matchAll(ctx))
		case <-k.wake:
		case <-timer.C:
		}
		k.report(ctx, k.Once(ctx))
	}
}

// Once does what is due now. One thing that fails does not keep back the others.
func (k *Desk) Once(ctx context.Context) error {
	var failures []error
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{{"following the audit log", k.follow}, {"entries that were put aside", k.catchUp}, {"reservations that are over", k.lapse}, {"responses", k.respond}, {"duties", k.remind}} {
		if err := step.do(ctx); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", step.what, err))
		}
	}
	return errors.Join(failures...)
}

func (k *Desk) report(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		k.o.Log.Error("clearance: not done, and tried again", "error", err)
	}
}

// follow reacts to what the audit log tells since the last time.
func (k *Desk) follow(ctx context.Context) error {
	found, err := k.o.Store.Dockets(ctx, DocketQuery{Kind: KindCursor, ID: cursorID})
	if err != nil {
		return err
	}
	cursor := Docket{Kind: KindCursor, ID: cursorID, Value: json.RawMessage("0")}
	if len(found) > 0 {
		cursor = found[0]
	}
	var after uint64
	if err := cursor.Into(&after); err != nil {
		return err
	}
	var failures []error
	for {
		list, err := k.o.Store.Happenings(ctx, after, 500)
		if err != nil || len(list) == 0 {
			return errors.Join(append(failures, err)...)
		}
		var batch Batch
		for _, h := range list {
			if err := k.react(ctx, h); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				failures = append(failures, h.failed(err))
				aside, err := missed{Entry: h, Problem: err.Error()}.docket(Docket{Kind: KindMissed, ID: strconv.FormatUint(h.Seq, 10)}, k.o.Now().Add(k.o.Retry))
				if err != nil {
					return err
				}
				batch.Dockets = append(batch.Dockets, aside)
			}
			after = h.Seq
		}
		if cursor, err = cursor.With(after); err != nil {
			return err
		}
		batch.Dockets = append(batch.Dockets, cursor)
		switch err := k.o.Store.File(ctx, batch); {
		case errors.Is(err, ErrChanged):
			return nil // another process follows too, and has come further
		case err != nil:
			return errors.Join(append(failures, err)...)
		}
		cursor.Revision++
	}
}

// missed is the value of a docket of KindMissed: an entry that does not keep back those after it.
type missed struct {
	Entry    Happening `json:"entry"`
	Attempts int       `json:"attempts"`
	Problem  string    `json:"problem"`
}

func (m missed) docket(d Docket, due time.Time) (Docket, error) {
	m.Attempts++
	d.Due = due
	return d.With(m)
}

func (h Happening) failed(err error) error {
	return fmt.Errorf("entry %d, %s of %s: %w", h.Seq, h.Event, h.Subject, err)
}

// maxPause is the longest time between two attempts at an entry that was put aside.
const maxPause = time.Hour

// catchUp reacts to entries that were put aside, until what follows from them has been done.
func (k *Desk) catchUp(ctx context.Context) error {
	due, err := k.o.Store.Dockets(ctx, DocketQuery{Kind: KindMissed, DueBy: k.o.Now(), Limit: 100})
	if err != nil {
		return err
	}
	var failures []error
	for _, d := range due {
		var m missed
		if err := d.Into(&m); err != nil {
			return err
		}
		batch := Batch{Drop: []DocketName{d.Name()}}
		if err := k.react(ctx, m.Entry); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			failures = append(failures, m.Entry.failed(err))
			m.Problem = err.Error()
			next, err := m.docket(d, k.o.Now().Add(min(maxPause, time.Duration(m.Attempts+1)*k.o.Retry)))
			if err != nil {
				return err
			}
			batch = Batch{Dockets: []Docket{next}}
		}
		if err := k.o.Store.File(ctx, batch); err != nil && !errors.Is(err, ErrChanged) { // another process has it
			return errors.Join(append(failures, err)...)
		}
	}
	return errors.Join(failures...)
}

// arrivals are the events after which a certificate may be there that was not, or may be used that could not.
var arrivals = []string{"certificate.received", "certificate.available", "certificate.released", "certificate.freed", "certificate.given-back", "certificate.reopened"}

// idle are the events that move no certificate which a declaration cites: most of a log is of these.
var idle = []string{
	"certificate.received", "certificate.available", "certificate.submitted", "certificate.resent", "certificate.answered", "certificate.asked", "certificate.reported",
	"certificate.looked_up", "certificate.refused",
}

// react does what follows from one entry of the audit log. Doing it twice changes nothing.
func (k *Desk) react(ctx context.Context, h Happening) error {
	by := h.Event + ", entry " + fmt.Sprint(h.Seq)
	if strings.HasPrefix(h.Event, "declaration.") && h.Event != "declaration.read" && h.Event != "declaration.refused" {
		return k.syncDeclaration(ctx, h.Subject, by)
	}
	key, err := ParseKey(h.Subject)
	if err != nil || !strings.HasPrefix(h.Event, "certificate.") && !strings.HasPrefix(h.Event, "verification.") {
		return nil // not about a certificate
	}
	if slices.Contains(arrivals, h.Event) {
		if err := k.arrived(ctx, key); err != nil {
			return err
		}
	}
	if slices.Contains(idle, h.Event) {
		return nil
	}
	return k.syncCertificate(ctx, key, by)
}

// arrived matches the declarations that await a certificate with that number, or with the number of the paper on which it was issued during
// an outage.
func (k *Desk) arrived(ctx context.Context, key Key) error {
	numbers := []string{key.Reference}
	found, err := k.o.Store.Imported(ctx, key.Query())
	if err != nil {
		return err
	}
	for _, c := range found {
		if p := c.Data.IssuedOnPaper(); p != nil && !slices.Contains(numbers, eco.NormaliseReference(p.Number)) {
			numbers = append(numbers, eco.NormaliseReference(p.Number))
		}
	}
	for _, number := range numbers {
		if err := k.eachDeclaration(ctx, awaitsTerm(number), func(d Docket) error { return k.match(ctx, d.ID) }); err != nil {
			return err
		}
	}
	return nil
}

// matchAll matches every declaration on guarantee.
func (k *Desk) matchAll(ctx context.Context) error {
	return k.eachDeclaration(ctx, "state:"+string(LodgementOnGuarantee), func(d Docket) error { return k.match(ctx, d.ID) })
}

// eachDeclaration visits all that have a term. One that fails does not keep back the others.
func (k *Desk) eachDeclaration(ctx context.Context, term string, visit func(Docket) error) error {
	var failures []error
	q := DocketQuery{Kind: KindDeclaration, Term: term, Limit: 100}
	for {
		found, err := k.o.Store.Dockets(ctx, q)
		if err != nil {
			return err
		}
		for _, d := range found {
			if err := visit(d); err != nil {
				failures = append(failures, fmt.Errorf("declaration %s: %w", d.ID, err))
			}
			q.After = d.Filed
		}
		if len(found) < q.Limit || ctx.Err() != nil {
			return errors.Join(failures...)
		}
	}
}

// match compares what a declaration awaits with what is here by now, and reserves what fits. When nothing is awaited any more its release
// note is made. What does not fit stays awaited, and the declaration says why.
func (k *Desk) match(ctx context.Context, id string) error {
	return k.persist(ctx, func() error {
		docket, l, err := k.lodgement(ctx, id)
		if err != nil || !l.awaits() {
			return err
		}
		now := k.o.Now().UTC()
		e, err := k.evidence(ctx, l.Broker, l.Declarant, l.Declaration, nil)
		if err != nil {
			return err
		}
		e.Now, e.Officer = now, l.Override != ""
		e.Day = l.Lodged
		if l.Broker {
			e.Day = eco.DateOf(l.Received)
		}
		for reference, found := range e.Cited { // one that is in doubt may be refuted yet, and stands for nothing
			e.Cited[reference] = slices.DeleteFunc(found, func(c Imported) bool { return c.State == eco.StateSuspended || c.State == eco.StateReceived })
		}
		return k.take(ctx, docket, l, e)
	})
}

// take reserves for each awaited certificate by itself, so that one which does not fit does not keep the others.
func (k *Desk) take(ctx context.Context, docket Docket, l Lodgement, e Evidence) error {
	c := changes{k: k, by: "node", at: e.Now}
	after := l
	after.Findings = slices.DeleteFunc(slices.Clone(l.Findings), func(f eco.Finding) bool { return f.Code == eco.ReasonNotReceived })
	after.Differences = slices.Clone(l.Differences)
	var came []uint64
	var unfit []eco.Finding
	for _, references := range apart(awaited(l), e) {
		e.Settled = settled(after, references)
		a := Check(l.Declaration, e)
		after.Findings = add(after.Findings, a.Findings)
		if a.Refused() {
			unfit = append(unfit, a.Findings...)
			continue
		}
		after.Claims, after.Differences = late(after, a.Claims), append(after.Differences, a.Differences...)
		for _, seq := range a.order {
			if !slices.Contains(came, seq) { // by its own number and by that of its paper it is one
				came = append(came, seq)
			}
			c.keep(a.cited[seq], a.cited[seq].Life)
		}
	}
	if len(came) == 0 {
		if len(add(l.Findings, unfit)) == len(l.Findings) {
			return nil // nothing that was not said before
		}
		_, err := k.finish(ctx, &c, docket, after, "declaration.unmatched", unfit[firstError(unfit)].Text, nil)
		return err
	}
	after.restate(e.Now, k.o.Reservation())
	for _, seq := range came {
		err := c.cite(c.moved[seq], after, cited(after, seq), e.Day)
		if illegal := (*eco.IllegalMove)(nil); errors.As(err, &illegal) { // the ledger knows more than the check
			return k.unmatched(ctx, docket, l, e.Now, illegal)
		}
		if err != nil {
			return err
		}
	}
	event := "declaration.matched"
	if !after.awaits() {
		note, err := k.release(ctx, after, c.moved, e.Now)
		if err != nil {
			return err
		}
		event, after.Release = "declaration.released", note
	}
	_, err := k.finish(ctx, &c, docket, after, event, "", &handing{certificates: came})
	return err
}

// unmatched says at a declaration why the ledger does not take what came late, once.
func (k *Desk) unmatched(ctx context.Context, docket Docket, l Lodgement, now time.Time, illegal *eco.IllegalMove) error {
	said := eco.Finding{Code: illegal.Code, Severity: eco.SeverityError, Path: "lines", Text: illegal.Error(), Fix: "look at the certificate"}
	if slices.Contains(l.Findings, said) {
		return nil
	}
	l.Findings = append(slices.Clone(l.Findings), said)
	_, err := k.finish(ctx, &changes{k: k, by: "node", at: now}, docket, l, "declaration.unmatched", said.Text, nil)
	return err
}

// late marks the claims whose certificates came after the declaration.
func late(before Lodgement, claims []Claim) []Claim {
	for i := range claims {
		claims[i].Late = claims[i].Late || before.Claims[i].Standing == StandingAwaited && claims[i].Standing != StandingAwaited
	}
	return claims
}

// add joins findings, each once.
func add(all, more []eco.Finding) []eco.Finding {
	all = slices.Clone(all)
	for _, f := range more {
		if !slices.Contains(all, f) {
			all = append(all, f)
		}
	}
	return all
}

func firstError(all []eco.Finding) int {
	return max(0, slices.IndexFunc(all, func(f eco.Finding) bool { return f.Severity == eco.SeverityError }))
}

// awaited are the numbers of the certificates that a declaration awaits, each once.
func awaited(l Lodgement) []string {
	var all []string
	for _, c := range l.Claims {
		if reference := eco.NormaliseReference(c.Reference); c.Standing == StandingAwaited && !slices.Contains(all, reference) {
			all = append(all, reference)
		}
	}
	return all
}

// apart are the numbers to look at one by one, those under which something is here, after all the others at once: a check goes through the
// whole declaration.
func apart(references []string, e Evidence) [][]string {
	all := [][]string{nil}
	for _, reference := range references {
		if len(e.Cited[reference]) == 0 {
			all[0] = append(all[0], reference)
		} else {
			all = append(all, []string{reference})
		}
	}
	if all[0] == nil {
		return all[1:]
	}
	return all
}

// settled are the claims that do not await a certificate with one of these numbers.
func settled(l Lodgement, references []string) map[int]Claim {
	awaits := map[string]bool{}
	for _, reference := range references {
		awaits[reference] = true
	}
	all := map[int]Claim{}
	for _, c := range l.Claims {
		if c.Standing != StandingAwaited || !awaits[eco.NormaliseReference(c.Reference)] {
			all[c.Number] = c
		}
	}
	return all
}

// release is the note that everything has come which a declaration had awaited. moved are certificates as they are since.
func (k *Desk) release(ctx context.Context, l Lodgement, moved map[uint64]Imported, now time.Time) (*ReleaseNote, error) {
	n := &ReleaseNote{Declaration: l.Number, Made: now, Outcome: OutcomeNone}
	if l.Guarantee != nil {
		n.Guarantee = l.Guarantee.Number
	}
	for _, claim := range l.Claims {
		if !claim.Late {
			continue
		}
		record, known := moved[claim.Certificate]
		if !known {
			found, err := k.o.Store.Imported(ctx, ImportedQuery{Seq: claim.Certificate, Limit: 1})
			if err != nil {
				return nil, err
			}
			if len(found) == 0 {
				continue
			}
			record = found[0]
		}
		n.add(claim, record)
	}
	for _, d := range l.Differences {
		n.Differences = append(n.Differences, d)
		if d.Class == eco.DifferenceMaterial {
			n.Outcome = OutcomeMaterial
		}
	}
	return n, nil
}

func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}
