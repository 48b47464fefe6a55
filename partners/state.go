package partners

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"
)

// State is where a credential stands in its life at an instant.
type State string

// The states, in the order in which a credential goes through them.
const (
	// StateStaged: its window has not begun, or it is to be activated first. It verifies nothing and signs nothing; with
	// ActivateAtFirstUse its first message activates it.
	StateStaged State = "staged"
	// StateActive: it counts.
	StateActive State = "active"
	// StateRetiring: it counts still, for what is under way, and a newer one has taken its place: our own is not used for anything
	// new, and a partner's was replaced, or has an end that is not that of its validity. Or it was told to retire.
	StateRetiring State = "retiring"
	// StateRetired: its window has ended.
	StateRetired State = "retired"
	// StateRevoked: its issuer, or one above, has withdrawn it, or it is distrusted.
	StateRevoked State = "revoked"
	// StateWithheld: it would count, but does not: no chain to an anchor holds, or too little is known of its revocation.
	StateWithheld State = "withheld"
)

// Held is a credential with its state.
type Held struct {
	Credential
	State State
	// Why says what keeps it from counting, for StateRevoked and StateWithheld.
	Why string
}

// Inventory lists every credential of the node and of its partners with its state at the instant at, the one that ends first
// first. It depends on the configuration, on what is known of revocations, and on at, and on nothing else.
func (r *Registry) Inventory(at time.Time) []Held {
	d := r.data.Load()
	var out []Held
	for _, list := range d.credentials {
		for _, t := range list {
			out = append(out, d.held(t, list, at))
		}
	}
	slices.SortFunc(out, func(a, b Held) int {
		return cmp.Or(a.Until.Compare(b.Until), strings.Compare(a.Partner, b.Partner), strings.Compare(string(a.Use), string(b.Use)), strings.Compare(a.Issuer, b.Issuer),
			bytes.Compare(a.X509Cert.Raw, b.X509Cert.Raw))
	})
	return out
}

// held judges t, one of list, which are all credentials of its owner.
func (d *data) held(t *trusted, list []*trusted, at time.Time) Held {
	h := Held{Credential: t.Credential}
	switch {
	case t.isDistrusted(at):
		h.State, h.Why = StateRevoked, "distrusted since "+instant(t.Distrusted)
		return h
	case !at.Before(t.Until):
		h.State = StateRetired
		return h
	case at.Before(t.From), t.Activate != "":
		h.State = StateStaged
		return h
	case !t.counts(at):
		h.State, h.Why = StateWithheld, "no chain to an anchor holds at this time"
		return h
	}
	switch verdict := t.judge(d.book.Known(), at); {
	case verdict.Revoked != nil:
		h.State, h.Why, h.Revoked = StateRevoked, verdict.Refused, verdict.Revoked
	case verdict.Refused != "":
		h.State, h.Why = StateWithheld, verdict.Refused
	case t.retiring, t.isSuperseded(list, at):
		h.State = StateRetiring
	default:
		h.State = StateActive
	}
	return h
}

// isSuperseded reports whether another credential of the same owner and use has begun to count after t did.
func (t *trusted) isSuperseded(list []*trusted, at time.Time) bool {
	if t.Partner != "" && t.ReplacedBy == "" && !t.Until.Before(t.X509Cert.NotAfter) {
		return false
	}
	return slices.ContainsFunc(list, func(other *trusted) bool {
		return other != t && other.Use == t.Use && other.Issuer == t.Issuer && other.From.After(t.From) && other.counts(at)
	})
}

// Reminder says that a credential ends soon, or has ended, and nothing has taken its place.
type Reminder struct {
	Held
	// Left is the time from the instant that was asked about to the end; negative when it is over.
	Left time.Duration
	// Due is when it fell due; of several the last.
	Due time.Time
}

// remindBefore are the times before a credential's end at which an operator is told.
var remindBefore = []time.Duration{60 * day, 30 * day, 14 * day, 7 * day, day, 0}

const day = 24 * time.Hour

// Reminders gives those that fall due in (since, now]: 60, 30, 14, 7 and 1 days before a credential ends, at its end, and every
// week after it for a year. There is one for a credential, however many fell due. Nothing is due for a credential whose owner has another
// for the same use that ends later and does not wait for an operator, for one that was revoked, or for one that has yet to begin.
func (r *Registry) Reminders(since, now time.Time) []Reminder {
	all := r.Inventory(now)
	var out []Reminder
	for _, h := range all {
		if h.State == StateStaged || h.State == StateRevoked || h.isFollowed(all) {
			continue
		}
		if due, ok := remindedIn(h.Until, since, now); ok {
			out = append(out, Reminder{Held: h, Left: h.Until.Sub(now), Due: due})
		}
	}
	return out
}

func (h Held) isFollowed(all []Held) bool {
	return slices.ContainsFunc(all, func(other Held) bool {
		return other.Partner == h.Partner && other.Use == h.Use && other.Issuer == h.Issuer &&
			other.State != StateRevoked && other.Activate != ActivateByHand && other.Until.After(h.Until)
	})
}

// remindedIn is the last instant in (since, now] at which to tell of end, if there is one.
func remindedIn(end, since, now time.Time) (due time.Time, ok bool) {
	consider := func(at time.Time) {
		if at.After(since) && !at.After(now) && at.After(due) {
			due, ok = at, true
		}
	}
	for _, before := range remindBefore {
		consider(end.Add(-before))
	}
	for week := range 52 {
		consider(end.Add(time.Duration(week+1) * 7 * day))
	}
	return due, ok
}
