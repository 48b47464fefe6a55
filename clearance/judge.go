package clearance

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ecogate/ecogate/eco"
)

// ruled is one ruling and the claim that it is about, by its place.
type ruled struct {
	Ruling
	at int
}

// rule finds the claim of each ruling, and everything that is wrong with a judgement.
func rule(l Lodgement, j Judgement) ([]ruled, []eco.Finding) {
	var f findings
	if len(j.Rulings) == 0 {
		f.fail(eco.CodeText, "rulings", "want at least one ruling, found none", "say what is decided of each claim")
	}
	if n := len(j.Rulings); n > MaxCitations {
		f.fail(eco.CodeText, "rulings", fmt.Sprintf("want at most %d rulings, found %d", MaxCitations, n), "claim 0 is all of them")
		return nil, f
	}
	f.text("note", j.Note)
	f.text("override", j.Override)
	seen := map[int]bool{}
	var all []ruled
	for i, r := range j.Rulings {
		path := fmt.Sprintf("rulings[%d]", i)
		if !slices.Contains(Verdicts(), r.Verdict) {
			f.fail(eco.CodeText, path+".verdict", fmt.Sprintf("want one of %v, found %q", Verdicts(), shortened(string(r.Verdict))), "say one of these")
			continue
		}
		f.ruling(path, l, r)
		places := placesOf(l, r)
		if len(places) == 0 {
			f.noClaim(path, l, r)
		}
		for _, at := range places {
			if seen[at] {
				f.fail(eco.CodeText, path+".claim", fmt.Sprintf("claim %d is decided twice", at+1), "say one thing of each claim")
				continue
			}
			seen[at] = true
			f.quantity(path, l.Claims[at], r)
			all = append(all, ruled{r, at})
		}
	}
	return all, f
}

// placesOf are the claims that a ruling is about.
func placesOf(l Lodgement, r Ruling) []int {
	var places []int
	for i, c := range l.Claims {
		if (r.Claim == 0 || r.Claim == c.Number) && r.Verdict.fits(c) {
			places = append(places, i)
		}
	}
	return places
}

// fits reports whether a verdict can be given on a claim where it stands. What has not come can be denied and nothing else.
func (v Verdict) fits(c Claim) bool {
	switch v {
	case VerdictReopen:
		return c.Standing == StandingDenied
	case VerdictReverse:
		return c.Standing == StandingAccepted || c.Standing == StandingPart
	case VerdictDeny:
		return c.Standing.Open()
	}
	return c.Standing.Open() && c.Standing != StandingAwaited
}

func (f *findings) noClaim(path string, l Lodgement, r Ruling) {
	text := fmt.Sprintf("want a claim that %q can be said of, found none", r.Verdict)
	if at := slices.IndexFunc(l.Claims, func(c Claim) bool { return c.Number == r.Claim }); at >= 0 {
		text = fmt.Sprintf("want a claim that %q can be said of, found claim %d, which is %s", r.Verdict, r.Claim, l.Claims[at].Standing)
	} else if r.Claim != 0 {
		text = fmt.Sprintf("want a claim of declaration %s, found %d; it has %d", l.Number, r.Claim, len(l.Claims))
	}
	f.fail(eco.CodeText, path+".claim", text, "look at the declaration")
}

// ruling checks what a ruling says by itself.
func (f *findings) ruling(path string, l Lodgement, r Ruling) {
	asks := r.Verdict == VerdictVerify
	doubts := asks || r.Verdict == VerdictSuspend || r.Verdict == VerdictDeny
	switch n := len(r.Reasons); {
	case doubts && n == 0:
		f.fail(eco.CodeText, path+".reasons", fmt.Sprintf("want at least one reason for %q, found none", r.Verdict), "say why, with a code of "+strings.Join(customsCodes(), ", "))
	case !doubts && r.Verdict != VerdictPart && n > 0:
		f.fail(eco.CodeText, path+".reasons", fmt.Sprintf("want no reasons for %q, found %d", r.Verdict, n), "say it in the note")
	}
	f.reasons(path+".reasons", r.Reasons)
	if r.Verdict == VerdictSuspend && r.Guarantee == nil && l.Guarantee == nil {
		f.fail(eco.CodeText, path+".guarantee", "want the guarantee on which the goods are released, found none", "state its number")
	}
	if r.Guarantee != nil {
		f.guarantee(path+".guarantee", *r.Guarantee)
	}
	if !asks && (len(r.Questions) > 0 || !r.ReplyBy.IsZero()) {
		f.fail(eco.CodeText, path+".questions", fmt.Sprintf("want questions with %q only, found them with %q", VerdictVerify, r.Verdict), "leave them out")
	}
	if n := len(r.Questions); n > eco.MaxQuestions {
		f.fail(eco.CodeText, path+".questions", fmt.Sprintf("want at most %d questions, found %d", eco.MaxQuestions, n), "ask what matters most")
		return
	}
	for i, q := range r.Questions {
		at := fmt.Sprintf("%s.questions[%d]", path, i)
		if strings.TrimSpace(q) == "" {
			f.fail(eco.CodeText, at, "want a question, found nothing", "put it in words")
		}
		f.text(at, q)
	}
}

// quantity checks the part that is granted of a claim.
func (f *findings) quantity(path string, c Claim, r Ruling) {
	at := path + ".quantity"
	if r.Verdict != VerdictPart {
		if r.Quantity != nil {
			f.fail(eco.CodeQuantity, at, fmt.Sprintf("want a quantity with %q only, found one with %q", VerdictPart, r.Verdict), "leave it out")
		}
		return
	}
	switch {
	case c.Taken == nil:
		f.fail(eco.CodeQuantity, at, fmt.Sprintf("want a claim whose item declares a quantity, found claim %d", c.Number), "accept or deny it as a whole")
		return
	case r.Quantity == nil:
		f.fail(eco.CodeQuantity, at, "want the quantity that is granted, found none", "state it")
		return
	}
	before := len(*f)
	f.measure(at, r.Quantity)
	if len(*f) > before {
		return
	}
	order, comparable := eco.CompareMeasures(*r.Quantity, *c.Taken)
	if !comparable || order >= 0 {
		f.fail(eco.CodeQuantity, at, fmt.Sprintf("want less than the %s %s of claim %d, found %s %s", c.Taken.Value, c.Taken.Unit, c.Number, r.Quantity.Value, r.Quantity.Unit), "accept it if all is granted")
	}
}

// judged are the claims of a lodgement after rulings, which rule has found to fit.
func judged(l Lodgement, rulings []ruled) []Claim {
	claims := slices.Clone(l.Claims)
	for _, r := range rulings {
		c := &claims[r.at]
		c.Reasons = r.Reasons
		switch r.Verdict {
		case VerdictAccept:
			c.Standing, c.Granted = StandingAccepted, c.Taken
		case VerdictPart:
			granted, _ := eco.Convert(*r.Quantity, c.Taken.Unit)
			c.Standing, c.Granted = StandingPart, &granted
		case VerdictDeny:
			c.Standing, c.FullDuty = StandingDenied, true
		case VerdictSuspend:
			c.Standing = StandingSuspended
		case VerdictVerify:
			c.Standing = StandingVerifying
		case VerdictReopen, VerdictReverse:
			c.Standing, c.Granted, c.Refund = StandingReserved, nil, false
			if c.Certificate == 0 {
				c.Standing = StandingAwaited
			}
		}
		if r.Verdict == VerdictAccept || r.Verdict == VerdictPart {
			c.Refund = c.FullDuty || r.Refund
		}
	}
	return claims
}

// doubtOfCustoms is the request that stands for what customs doubt by themselves; it asks nobody for a reply.
const doubtOfCustoms = "customs"

// consequences are the events that rulings make happen to one certificate. before and after are the declaration, doubted says that another
// declaration keeps the certificate suspended.
//
// All of what the declaration holds is given up and what is still open reserved anew, so that the ledger sees what is used apart
// from what stays reserved.
func consequences(record Imported, before, after Lodgement, rulings []ruled, doubted bool) []eco.Event {
	t := tallyOf(record, rulings, before, after)
	var events []eco.Event
	add := func(e eco.Event) { events = append(events, e) }
	void := slices.Contains([]eco.State{eco.StateCancelled, eco.StateReplaced, eco.StateInConflict, eco.StateRefused}, record.State)
	if !t.doubts && !doubted {
		for _, request := range record.Life.Requests {
			if request.ID == doubtOfCustoms || !request.Replied.IsZero() {
				add(eco.Event{Kind: eco.EventClose, Reference: request.ID})
			}
		}
	}
	if len(t.reopened) > 0 {
		add(eco.Event{Kind: eco.EventReopen, Items: t.reopened})
	}
	if t.reverses {
		add(eco.Event{Kind: eco.EventReverse, Reference: before.Number, Items: t.reversed})
	}
	if slices.Contains(record.Life.Declarations, before.Number) && !(void && t.uses) {
		add(eco.Event{Kind: eco.EventWithdraw, Reference: before.Number})
	}
	if t.uses {
		if !void {
			add(eco.Event{Kind: eco.EventCite, Reference: before.Number, Override: presented(before)})
		}
		add(eco.Event{Kind: eco.EventUse, Reference: before.Number, Items: t.used})
	}
	if len(t.denied) > 0 && !void {
		add(eco.Event{Kind: eco.EventDeny, Items: t.denied, Reasons: t.reasons})
	}
	if rest := cited(after, record.Seq); len(rest) > 0 {
		add(citing(after, rest, before.Lodged))
	}
	if t.doubts {
		add(eco.Event{Kind: eco.EventVerify, Reference: doubtOfCustoms, Reasons: t.doubtful})
	}
	return events
}

// presented is why a declaration that is decided after the validity counts.
func presented(l Lodgement) string {
	if l.Override != "" {
		return l.Override
	}
	return "presented on " + l.Lodged.String()
}

// tally is what rulings come to for one certificate.
type tally struct {
	uses, reverses, doubts           bool
	used, reversed, denied, reopened []eco.ItemQuantity
	reasons, doubtful                []eco.Reason
}

func tallyOf(record Imported, rulings []ruled, before, after Lodgement) (t tally) {
	quantity := func(c Claim, m *eco.Measure) []eco.ItemQuantity {
		if m == nil {
			return nil
		}
		return []eco.ItemQuantity{{Item: c.Item, Quantity: *m}}
	}
	once := func(all []eco.ItemQuantity, item int) []eco.ItemQuantity {
		if slices.ContainsFunc(all, func(q eco.ItemQuantity) bool { return q.Item == item }) {
			return all
		}
		return append(all, eco.ItemQuantity{Item: item})
	}
	for _, r := range rulings {
		was, is := before.Claims[r.at], after.Claims[r.at]
		if is.Certificate != record.Seq {
			continue
		}
		switch r.Verdict {
		case VerdictAccept, VerdictPart:
			t.uses = true
			t.used = append(t.used, quantity(is, is.Granted)...)
		case VerdictReverse:
			t.reverses = true
			t.reversed = append(t.reversed, quantity(was, was.Granted)...)
		case VerdictDeny:
			t.denied, t.reasons = once(t.denied, is.Item), append(t.reasons, r.Reasons...)
		case VerdictReopen:
			t.reopened = once(t.reopened, is.Item)
		case VerdictSuspend, VerdictVerify:
			t.doubtful = append(t.doubtful, r.Reasons...)
		}
	}
	for _, c := range after.Claims {
		if c.Certificate == record.Seq && (c.Standing == StandingSuspended || c.Standing == StandingVerifying) {
			t.doubts = true
			if len(t.doubtful) == 0 {
				t.doubtful = c.Reasons
			}
		}
	}
	return t
}
