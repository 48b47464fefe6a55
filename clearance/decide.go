package clearance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/ecogate/ecogate/eco"
)

// Decide takes an officer's judgement: what it says of the claims happens to the certificates, and what the partner is to be told is filed,
// in one transaction. The decision does not wait for a partner. Where a second officer is asked for it is proposed, and nothing happens yet.
//
// Errors: ErrNotFound, *RefusedError with what is wrong, ErrWaits if another decision waits, *eco.IllegalMove if a certificate does not
// allow it where it stands, ErrBusy.
func (k *Desk) Decide(ctx context.Context, v Visitor, number string, j Judgement) (l Lodgement, err error) {
	err = k.persist(ctx, func() error {
		docket, before, err := k.visible(ctx, v, number)
		switch {
		case err != nil:
			return err
		case before.proposed():
			return fmt.Errorf("%w: %s", ErrWaits, before.Number)
		}
		d := Decision{Number: len(before.Decisions) + 1, State: DecisionMade, By: v.Name, At: k.o.Now().UTC(), Judgement: j}
		if k.o.SecondOfficer() {
			d.State = DecisionProposed
		}
		l, err = k.carryOut(ctx, v.Name, docket, before, d)
		return err
	})
	return l, err
}

// Confirm carries out a decision that another officer has proposed. Errors are those of Decide, ErrNoProposal and ErrSameOfficer.
func (k *Desk) Confirm(ctx context.Context, v Visitor, number string, decision int, why string) (l Lodgement, err error) {
	err = k.persist(ctx, func() error {
		docket, before, d, err := k.proposal(ctx, v, number, decision)
		switch {
		case err != nil:
			return err
		case d.By == v.Name:
			return fmt.Errorf("%w: %s proposed it", ErrSameOfficer, d.By)
		}
		d.State, d.Second = DecisionMade, &SecondOfficer{By: v.Name, At: k.o.Now().UTC(), Why: why}
		l, err = k.carryOut(ctx, v.Name, docket, before, d)
		return err
	})
	return l, err
}

// Reject ends a decision that waits; who proposed it may do so too. Errors: ErrNotFound, ErrNoProposal, ErrBusy.
func (k *Desk) Reject(ctx context.Context, v Visitor, number string, decision int, why string) (l Lodgement, err error) {
	err = k.persist(ctx, func() error {
		docket, before, d, err := k.proposal(ctx, v, number, decision)
		if err != nil {
			return err
		}
		now := k.o.Now().UTC()
		d.State, d.Second = DecisionRejected, &SecondOfficer{By: v.Name, At: now, Why: why}
		l = before.with(d)
		l, err = k.finish(ctx, &changes{k: k, by: v.Name, at: now}, docket, l, "declaration.decision-rejected", joined("decision "+strconv.Itoa(d.Number), why), nil)
		return err
	})
	return l, err
}

// proposal finds a decision that waits.
func (k *Desk) proposal(ctx context.Context, v Visitor, number string, decision int) (Docket, Lodgement, Decision, error) {
	docket, l, err := k.visible(ctx, v, number)
	if err != nil {
		return docket, l, Decision{}, err
	}
	at := slices.IndexFunc(l.Decisions, func(d Decision) bool { return d.Number == decision && d.State == DecisionProposed })
	if at < 0 {
		return docket, l, Decision{}, fmt.Errorf("%w: declaration %s, decision %d", ErrNoProposal, l.Number, decision)
	}
	return docket, l, l.Decisions[at], nil
}

// with is a lodgement with a decision in its place.
func (l Lodgement) with(d Decision) Lodgement {
	l.Decisions = slices.Clone(l.Decisions)
	at := slices.IndexFunc(l.Decisions, func(other Decision) bool { return other.Number == d.Number })
	if at < 0 {
		l.Decisions = append(l.Decisions, d)
		return l
	}
	l.Decisions[at] = d
	return l
}

// carryOut does what a decision says, or finds out whether that could be done and keeps it as a proposal.
func (k *Desk) carryOut(ctx context.Context, by string, docket Docket, before Lodgement, d Decision) (Lodgement, error) {
	rulings, found := rule(before, d.Judgement)
	if eco.HasErrors(found) {
		return Lodgement{}, &RefusedError{Findings: found}
	}
	c := changes{k: k, by: by, at: k.o.Now().UTC()}
	after := before.with(d)
	after.Claims = judged(before, rulings)
	after.restate(c.at, k.o.Reservation())
	for _, seq := range affected(after, rulings) {
		if err := k.judge(ctx, &c, seq, before, after, d, rulings); err != nil {
			return Lodgement{}, err
		}
	}
	if d.State == DecisionProposed {
		proposed := before.with(d)
		if !proposed.HeldUntil.IsZero() {
			proposed.HeldUntil = c.at.Add(k.o.Reservation()) // it does not lapse while another officer is awaited
		}
		return k.finish(ctx, &changes{k: k, by: by, at: c.at}, docket, proposed, "declaration.decision-proposed", "decision "+strconv.Itoa(d.Number), nil)
	}
	return k.finish(ctx, &c, docket, after, "declaration.decided", "decision "+strconv.Itoa(d.Number), nil)
}

// affected are the certificates that rulings are about.
func affected(l Lodgement, rulings []ruled) []uint64 {
	var seqs []uint64
	for _, r := range rulings {
		if seq := l.Claims[r.at].Certificate; seq != 0 && !slices.Contains(seqs, seq) {
			seqs = append(seqs, seq)
		}
	}
	return seqs
}

// judge lets rulings happen to one certificate, and files what its partner is to be told.
func (k *Desk) judge(ctx context.Context, c *changes, seq uint64, before, after Lodgement, d Decision, rulings []ruled) error {
	found, err := k.o.Store.Imported(ctx, ImportedQuery{Seq: seq, Limit: 1})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("certificate %d: %w", seq, ErrNotFound)
	}
	record := found[0]
	if rest := cited(after, seq); record.Life.SingleUse && len(rest) > 0 && slices.ContainsFunc(after.Claims, func(c Claim) bool { return c.Certificate == seq && c.Granted != nil }) {
		return &RefusedError{Findings: []eco.Finding{{Code: eco.ReasonExhausted, Severity: eco.SeverityError, Path: "rulings",
			Text: fmt.Sprintf("want a ruling for each claim on %s, which one use uses up; claim %d has none", record.Data.Reference, rest[0].Number), Fix: "decide about all of them at once"}}}
	}
	doubted, err := k.doubtedByOthers(ctx, record, before.Number)
	if err != nil {
		return err
	}
	events := consequences(record, before, after, rulings, doubted)
	for i := range events {
		if events[i].Kind == eco.EventUse {
			events[i].Override = d.Override
		}
	}
	if err := c.move(record, events); err != nil {
		return err
	}
	about := slices.DeleteFunc(slices.Clone(rulings), func(r ruled) bool { return after.Claims[r.at].Certificate != seq })
	for _, event := range auditOf(about) {
		c.tell(record, event, "declaration "+before.Number+", decision "+strconv.Itoa(d.Number))
	}
	for _, r := range responses(c.moved[seq], after, d, about, c.at) {
		docket, err := r.docket()
		if err != nil {
			return err
		}
		c.batch.Dockets = append(c.batch.Dockets, docket)
	}
	return nil
}

// auditOf are the entries that rulings about one certificate leave, each once.
func auditOf(rulings []ruled) []string {
	names := map[Verdict]string{
		VerdictAccept: "certificate.used", VerdictPart: "certificate.used", VerdictDeny: "certificate.denied", VerdictSuspend: "certificate.suspended",
		VerdictVerify: "certificate.suspended", VerdictReopen: "certificate.reopened", VerdictReverse: "certificate.given-back",
	}
	var events []string
	for _, r := range rulings {
		if event := names[r.Verdict]; !slices.Contains(events, event) {
			events = append(events, event)
		}
	}
	return events
}

// doubtedByOthers reports whether another declaration keeps a certificate suspended.
func (k *Desk) doubtedByOthers(ctx context.Context, record Imported, number string) (bool, error) {
	q := DocketQuery{Kind: KindDeclaration, Term: "certificate:" + record.Key.String(), Limit: 100}
	for {
		found, err := k.o.Store.Dockets(ctx, q)
		if err != nil {
			return false, err
		}
		for _, d := range found {
			l, err := read(d)
			if err != nil {
				return false, err
			}
			if l.Number != number && slices.ContainsFunc(l.Claims, func(c Claim) bool {
				return c.Certificate == record.Seq && (c.Standing == StandingSuspended || c.Standing == StandingVerifying)
			}) {
				return true, nil
			}
			q.After = d.Filed
		}
		if len(found) < q.Limit {
			return false, nil
		}
	}
}

// responses are what the partner is told of rulings about one certificate, as it stands after them.
func responses(record Imported, l Lodgement, d Decision, rulings []ruled, now time.Time) []Response {
	base := Response{
		Certificate: record.Seq, Key: record.Key, Partner: record.Partner, Declaration: l.Number, Decision: d.Number, By: d.By, At: now, Note: d.Note,
	}
	var all []Response
	answer := base
	answer.ID = responseID(l.ID(), d.Number, record.Seq)
	doubt := Doubt{}
	for _, r := range rulings {
		claim := l.Claims[r.at]
		if r.Verdict == VerdictVerify {
			doubt.Items, doubt.Reasons, doubt.Questions = append(doubt.Items, claim.Item), append(doubt.Reasons, r.Reasons...), append(doubt.Questions, r.Questions...)
			if !r.ReplyBy.IsZero() {
				doubt.ReplyBy = r.ReplyBy
			}
			continue
		}
		if outcome, ok := outcomeOf(record.Life, claim, r); ok && !slices.ContainsFunc(answer.Items, func(o eco.ItemOutcome) bool { return o.Item == outcome.Item }) {
			answer.Items = append(answer.Items, outcome)
		}
	}
	if len(answer.Items) > 0 {
		all = append(all, answer)
	}
	if len(doubt.Items) > 0 {
		slices.Sort(doubt.Items)
		doubt.Items = slices.Compact(doubt.Items)
		asked := base
		asked.ID, asked.Doubt = answer.ID+"-verify", &doubt
		all = append(all, asked)
	}
	return all
}

// plainID is a declaration's id that can stand in the id of a message.
var plainID = regexp.MustCompile(`^[A-Za-z0-9.]{1,80}$`)

// responseID names what a partner is told of one certificate by one decision. It becomes the id of a message.
func responseID(declaration string, decision int, seq uint64) string {
	if !plainID.MatchString(declaration) {
		sum := sha256.Sum256([]byte(declaration))
		declaration = hex.EncodeToString(sum[:16])
	}
	return fmt.Sprintf("declaration-%s-%d-%d", declaration, decision, seq)
}

// outcomeOf is how an item stands after a ruling, as UNCL 1373 has words for it. A re-opened denial is told when it is decided anew.
func outcomeOf(life eco.Life, claim Claim, r ruled) (eco.ItemOutcome, bool) {
	o := eco.ItemOutcome{Item: claim.Item}
	at := slices.IndexFunc(life.Items, func(b eco.Balance) bool { return b.Item == claim.Item })
	known := at >= 0 && life.Items[at].Declared.Value != ""
	if known {
		if used := inDeclared(life.Items[at]); used.Value.Sign() > 0 { // by all declarations: a doubt about this one does not undo the others
			o.Quantity = &used
		}
	}
	void := life.State == eco.StateCancelled || life.State == eco.StateReplaced || life.State == eco.StateInConflict
	switch r.Verdict {
	case VerdictReopen:
		return o, false
	case VerdictDeny:
		o.Status, o.Reasons = eco.CustomsDenied, r.Reasons
		return o, !void
	case VerdictSuspend:
		o.Status, o.Reasons = eco.CustomsSuspended, r.Reasons
		return o, true
	}
	o.Status = eco.CustomsUsedInPart
	if known {
		if o.Quantity == nil {
			o.Status = eco.CustomsAccepted // all of it was given back
		}
		if life.Items[at].Left().Value.Sign() == 0 {
			o.Status = eco.CustomsUsedUp
		}
	}
	if life.State == eco.StateUsedUp {
		o.Status = eco.CustomsUsedUp
	}
	if o.Status == eco.CustomsUsedInPart && r.Verdict == VerdictPart {
		o.Reasons = r.Reasons
	}
	o.Refund = claim.Refund
	return o, true
}

// inDeclared is what was used of an item, in the certificate's unit where that is exact.
func inDeclared(b eco.Balance) eco.Measure {
	if used, err := eco.Convert(b.Used, b.Declared.Unit); err == nil {
		return used
	}
	return b.Used
}

// docket is the response to be handed over at once.
func (r Response) docket() (Docket, error) {
	d := Docket{Kind: KindResponse, ID: r.ID, Terms: []string{"certificate:" + r.Key.String(), "declaration:" + eco.NormaliseReference(r.Declaration)}, Due: r.At}
	return d.With(r)
}
