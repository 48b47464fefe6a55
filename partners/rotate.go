package partners

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/signing"
)

// Each step of a rotation is an edit of a document, a PartnerConfig or NodeKeys: it is given the instant now, reads no clock, and
// changes nothing but that document; if it gives an error it has changed nothing. A credential is named by its fingerprint, the
// SHA-256 of its DER in hexadecimal, or the first digits of it, at least MinFingerprint, wherever in the document it stands.
//
// No step but Distrust changes what counted before now, so that a stored message is verified as of its receipt as it was then.

// MinFingerprint is how many digits of a fingerprint name a credential.
const MinFingerprint = 16

// Errors of steps that callers branch on.
var (
	// ErrUnknownCredential: the document has no credential with this fingerprint.
	ErrUnknownCredential = errors.New("unknown credential")
	// ErrNotNow: the credential's state does not allow the step.
	ErrNotNow = errors.New("the credential's state does not allow it")
)

func notNow(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrNotNow, fmt.Errorf(format, args...))
}

// Activation says how a credential goes into force.
type Activation struct {
	// Fingerprint names the credential.
	Fingerprint string
	// At is when; zero is at once. It is not before now.
	At time.Time
	// AtFirstUse leaves it staged until a message comes that it verifies; At is then zero. Not for keys of the node.
	AtFirstUse bool
	// Overlap is how long those count on that it replaces, from its activation; 0 for PartnerConfig.Overlap, or DefaultOverlap.
	Overlap time.Duration
	// Keep leaves the others as they are: it is to count beside them.
	Keep bool
	// Uses narrow the step to these, and Body to those for this issuing body; none and "" for all that the credential stands there for. What
	// else it is for stays as it is.
	Uses []Use
	Body string

	// waiting narrows it to what waits for its first use.
	waiting bool
}

// narrowed divides the entries of the credential into those that the step is about, own, and what is left: entries for other uses too
// become two.
func (a Activation) narrowed(list []entry) (out, own []entry, err error) {
	named, err := named(list, a.Fingerprint)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range list {
		if !e.has(a.Fingerprint) || e.list >= 0 || len(a.Uses) == 0 {
			out = append(out, e)
			continue
		}
		part, rest := e, e
		part.written, rest.written = nil, nil
		for _, use := range e.written {
			if slices.Contains(a.Uses, use) {
				part.written = append(part.written, use)
			} else {
				rest.written = append(rest.written, use)
			}
		}
		if len(part.written) == 0 || len(rest.written) == 0 {
			out = append(out, e)
			continue
		}
		out = append(out, part, rest)
	}
	for _, e := range out {
		if a.isAbout(e) {
			own = append(own, e)
		}
	}
	if own == nil {
		return nil, nil, fmt.Errorf("%w: %s is not there for %s", ErrUnknownCredential, named[0], listed(a.Uses))
	}
	return out, own, nil
}

func (a Activation) isAbout(e entry) bool {
	if !e.has(a.Fingerprint) || a.waiting && e.activate != ActivateAtFirstUse {
		return false
	}
	return len(a.Uses) == 0 || (a.Body == "" || a.Body == e.body) && slices.ContainsFunc(e.uses(), func(use Use) bool { return slices.Contains(a.Uses, use) })
}

// Activate puts a staged credential, or one that has retired, into force, and has those retire that count for the same uses. The
// error wraps ErrUnknownCredential or ErrNotNow.
func (p *PartnerConfig) Activate(a Activation, now time.Time) error {
	if a.Overlap == 0 {
		a.Overlap = p.overlap()
	}
	return p.rotated().edit(func(list []entry) ([]entry, error) { return a.step(list, now) })
}

// Activate is PartnerConfig.Activate for a key of the node: from its instant on it signs in the place of the one before, which is
// kept for what is in flight.
func (k *NodeKeys) Activate(a Activation, now time.Time) error {
	if a.AtFirstUse {
		return notNow("a key of the node is activated by its operators alone")
	}
	if a.Overlap == 0 {
		a.Overlap = DefaultOverlap
	}
	return k.rotated().edit(func(list []entry) ([]entry, error) { return a.step(list, now) })
}

// UseFirst activates a credential that waits for its first use, at the instant at which a message came that it verifies, at or before now, and for
// what it did there alone: what else it is staged for, or has retired from, stays as it is. Of several such messages the earliest
// counts, whichever is told first. The error wraps ErrUnknownCredential, or ErrNotNow if the credential neither waits nor counts any more.
func (p *PartnerConfig) UseFirst(fingerprint string, use Use, at, now time.Time) error {
	a := Activation{Fingerprint: fingerprint, Overlap: p.overlap(), Uses: []Use{use}}
	return p.rotated().edit(func(list []entry) ([]entry, error) {
		list, own, err := a.narrowed(list)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(own, func(e entry) bool { return e.activate == ActivateAtFirstUse }) {
			a.waiting = true
			return a.step(list, at)
		}
		counts := false
		for i, e := range list {
			if a.isAbout(e) && e.hasBegun(now) && !e.isOver(now) {
				counts = true
				list[i].from = earliest(e.from, at)
			}
		}
		if !counts || isDistrusted(list, own[0]) {
			return nil, notNow("%s does not wait for its first use any more", own[0])
		}
		return list, nil
	})
}

func (p *PartnerConfig) overlap() time.Duration {
	if p.Overlap > 0 {
		return p.Overlap
	}
	return DefaultOverlap
}

func (a Activation) step(list []entry, now time.Time) ([]entry, error) {
	list, own, err := a.narrowed(list)
	if err != nil {
		return nil, err
	}
	at := a.At
	if at.IsZero() {
		at = now
	}
	x509Cert := own[0].x509Cert
	switch {
	case at.Before(now):
		return nil, notNow("%s lies before now, %s; what counted then stays as it was", instant(at), instant(now))
	case a.AtFirstUse && !a.At.IsZero():
		return nil, notNow("it is activated at first use or at a time, not both")
	case !at.Before(x509Cert.NotAfter):
		return nil, notNow("%s has ended then: it is valid until %s", own[0], instant(x509Cert.NotAfter))
	case at.Before(x509Cert.NotBefore) && !a.AtFirstUse:
		return nil, notNow("%s is not valid yet then: it is valid from %s", own[0], instant(x509Cert.NotBefore))
	case isDistrusted(list, own[0]):
		return nil, notNow("%s, or another with its key, is distrusted", own[0])
	}
	changed := false
	var out []entry
	for _, e := range list {
		switch {
		case !a.isAbout(e):
			if taken, _ := e.shared(own); len(taken) > 0 && e.replacedBy != "" && own[0].has(e.replacedBy) && now.Before(e.retireAt) { // it was to be activated at another time
				e.retireAt, e.replacedBy = time.Time{}, ""
			}
			out = append(out, e)
		case e.isHistory(own, now), e.hasBegun(now) && !e.isOver(now) && e.retireAt.IsZero():
			out = append(out, e)
		default:
			again, err := a.activated(e, at, now)
			if err != nil {
				return nil, err
			}
			out, changed = append(out, again...), true
		}
	}
	switch {
	case !changed:
		return nil, notNow("%s is active", own[0])
	case a.AtFirstUse, a.Keep:
		return out, nil
	}
	return replaced(out, own, at, at.Add(a.Overlap)), nil
}

// isHistory reports whether e, one of the entries own of a credential, is over and another of them stands for what is to come.
func (e entry) isHistory(own []entry, now time.Time) bool {
	return e.isOver(now) && slices.ContainsFunc(own, func(o entry) bool {
		taken, _ := e.shared([]entry{o})
		return o.list == e.list && len(taken) > 0 && (!o.isOver(now) || o.begins().After(e.begins()))
	})
}

// activated is what becomes of an entry of the credential that is activated.
func (a Activation) activated(e entry, at, now time.Time) ([]entry, error) {
	switch {
	case !at.Before(e.lasts()):
		return nil, notNow("%s has ended then, by its key until: %s", e, instant(e.until))
	case a.AtFirstUse && e.hasBegun(now):
		return nil, notNow("%s has been used", e)
	case a.AtFirstUse:
		e.activate, e.from = ActivateAtFirstUse, time.Time{}
		return []entry{e}, nil
	case e.isOver(now): // it counted once, and does again; between the two it did not
		next := e
		next.from, next.retireAt, next.replacedBy = at, time.Time{}, ""
		return []entry{e, next}, nil
	case !e.hasBegun(now):
		e.activate, e.from = "", at
	}
	e.retireAt, e.replacedBy = time.Time{}, ""
	return []entry{e}, nil
}

// replaced has the entries end that count at the instant at for a use that own, one credential, is for.
func replaced(list, own []entry, at, end time.Time) []entry {
	fingerprint := signing.Fingerprint(own[0].x509Cert)
	var out []entry
	for _, e := range list {
		taken, left := e.shared(own)
		counts := e.activate == "" && e.begins().Before(at) && e.ends().After(at)
		if e.has(fingerprint) || !counts || len(taken) == 0 || !e.retireAt.IsZero() && !end.Before(e.retireAt) {
			out = append(out, e)
			continue
		}
		if len(left) > 0 { // the other uses go on
			rest := e
			rest.written = left
			out = append(out, rest)
			e.written = taken
		}
		e.retireAt, e.replacedBy = end, fingerprint
		out = append(out, e)
	}
	return out
}

// shared divides what e is for into what one of own is for, too, and the rest.
func (e entry) shared(own []entry) (taken, left []Use) {
	for _, use := range e.uses() {
		same := func(o entry) bool { return o.body == e.body && slices.Contains(o.uses(), use) }
		if slices.ContainsFunc(own, same) {
			taken = append(taken, use)
		} else {
			left = append(left, use)
		}
	}
	return taken, left
}

// Retire has a credential stop to count at the instant at, zero being at once; one that has not counted yet leaves the document, unless
// it is distrusted. With uses it does so for those alone. Without, one that counts for one use and waits for another is left alone,
// since either may be meant. The error wraps ErrUnknownCredential or ErrNotNow.
func (p *PartnerConfig) Retire(fingerprint string, at, now time.Time, uses ...Use) error {
	return p.rotated().edit(func(list []entry) ([]entry, error) { return retire(list, fingerprint, at, now, uses) })
}

// Retire is PartnerConfig.Retire for a key of the node.
func (k *NodeKeys) Retire(fingerprint string, at, now time.Time, uses ...Use) error {
	return k.rotated().edit(func(list []entry) ([]entry, error) { return retire(list, fingerprint, at, now, uses) })
}

func retire(list []entry, fingerprint string, at, now time.Time, uses []Use) ([]entry, error) {
	own, err := named(list, fingerprint)
	if err != nil {
		return nil, err
	}
	if len(uses) == 0 {
		if err := oneMeaning(own, now); err != nil {
			return nil, err
		}
	}
	if at.IsZero() {
		at = now
	}
	if at.Before(now) {
		return nil, notNow("%s lies before now, %s; what was signed since is distrusted, not retired", instant(at), instant(now))
	}
	var out []entry
	changed := false
	for _, e := range list {
		switch {
		case !e.has(fingerprint), e.isOver(now):
			out = append(out, e)
			continue
		case !e.distrusted.IsZero() && (e.activate != "" || !e.begins().Before(at)): // so that its key is not believed in another one either
			out = append(out, e)
			continue
		}
		if len(uses) > 0 {
			taken, left := e.divide(uses)
			if len(left) > 0 {
				rest := e
				rest.written = left
				out = append(out, rest)
			}
			if len(taken) == 0 {
				continue
			}
			if len(left) > 0 {
				e.written = taken
			}
		}
		if e.activate == "" && e.begins().Before(at) {
			e.retireAt, e.replacedBy = at, ""
			out = append(out, e)
		}
		changed = true
	}
	if !changed {
		return nil, notNow("%s has retired already, is distrusted and has not counted yet, or has none of the uses that are named", own[0])
	}
	return out, nil
}

// oneMeaning refuses to guess whether what a credential does now is meant or what it waits for.
func oneMeaning(own []entry, now time.Time) error {
	var counts, waits []Use
	for _, e := range own {
		switch {
		case e.isOver(now):
		case e.hasBegun(now):
			counts = append(counts, e.uses()...)
		default:
			waits = append(waits, e.uses()...)
		}
	}
	if len(counts) > 0 && len(waits) > 0 {
		return notNow("%s counts for %s and waits for %s; say for which of them it is to end", own[0], listed(counts), listed(waits))
	}
	return nil
}

// divide parts what e is for into what is among uses and the rest.
func (e entry) divide(uses []Use) (among, left []Use) {
	for _, use := range e.uses() {
		if slices.Contains(uses, use) {
			among = append(among, use)
		} else {
			left = append(left, use)
		}
	}
	return among, left
}

// RollBack takes back the activation of a credential: it stops to count now, or is staged again if it has not begun, and those that it
// replaced count on. The error wraps ErrUnknownCredential or ErrNotNow.
func (p *PartnerConfig) RollBack(fingerprint string, now time.Time) error {
	return p.rotated().edit(func(list []entry) ([]entry, error) { return rollBack(list, fingerprint, now) })
}

// RollBack is PartnerConfig.RollBack for a key of the node.
func (k *NodeKeys) RollBack(fingerprint string, now time.Time) error {
	return k.rotated().edit(func(list []entry) ([]entry, error) { return rollBack(list, fingerprint, now) })
}

func rollBack(list []entry, fingerprint string, now time.Time) ([]entry, error) {
	own, err := named(list, fingerprint)
	if err != nil {
		return nil, err
	}
	var out []entry
	back := false
	for _, e := range list {
		switch {
		case e.has(fingerprint) && e.activate == "" && !e.begins().Before(now):
			e.activate, e.from = ActivateByHand, time.Time{}
			out = append(out, e)
		case e.has(fingerprint) && e.hasBegun(now) && !e.isOver(now):
			e.retireAt, e.replacedBy = now, ""
			out = append(out, e)
		case e.replacedBy != "" && own[0].has(e.replacedBy) && now.Before(e.lasts()) && !isDistrusted(list, e):
			back = true
			out = append(out, e.restored(now)...)
		default:
			out = append(out, e)
		}
	}
	if !back {
		return nil, notNow("there is nothing to go back to: nothing that could still count was replaced by %s", own[0])
	}
	return out, nil
}

// restored is an entry that was replaced and goes on: without a gap if it has not retired, else from now on.
func (e entry) restored(now time.Time) []entry {
	next := e
	next.retireAt, next.replacedBy = time.Time{}, ""
	if now.Before(e.retireAt) {
		return []entry{next}
	}
	next.from = now
	return []entry{e, next}
}

// Distrust has nothing believed that was signed with the credential's key at the instant since or later, zero being now: for a key that was
// lost or stolen. It holds for every credential of that key. What was believed since then has to be looked at again; it is the only
// step that changes what counted before now. The error wraps ErrUnknownCredential or ErrNotNow.
func (p *PartnerConfig) Distrust(fingerprint string, since, now time.Time) error {
	return p.rotated().edit(func(list []entry) ([]entry, error) { return distrust(list, fingerprint, since, now) })
}

// Distrust is PartnerConfig.Distrust for a key of the node, which it is not used for anything any more.
func (k *NodeKeys) Distrust(fingerprint string, since, now time.Time) error {
	return k.rotated().edit(func(list []entry) ([]entry, error) { return distrust(list, fingerprint, since, now) })
}

func distrust(list []entry, fingerprint string, since, now time.Time) ([]entry, error) {
	own, err := named(list, fingerprint)
	if err != nil {
		return nil, err
	}
	if since.IsZero() {
		since = now
	}
	if since.After(now) {
		return nil, notNow("%s lies after now, %s; retire it for then", instant(since), instant(now))
	}
	out := slices.Clone(list)
	for i, e := range out {
		if !sameKey(e.x509Cert, own[0].x509Cert) {
			continue
		}
		if !e.distrusted.IsZero() && !since.Before(e.distrusted) {
			return nil, notNow("%s is distrusted since %s already; only an earlier time can be set", e, instant(e.distrusted))
		}
		out[i].distrusted = since
	}
	return out, nil
}

// isDistrusted reports whether e, or another credential of its key, is distrusted.
func isDistrusted(list []entry, e entry) bool {
	return slices.ContainsFunc(list, func(other entry) bool { return !other.distrusted.IsZero() && sameKey(other.x509Cert, e.x509Cert) })
}

// named are the entries of the one credential that has the fingerprint.
func named(list []entry, fingerprint string) ([]entry, error) {
	if len(fingerprint) < MinFingerprint || strings.Trim(strings.ToLower(fingerprint), "0123456789abcdef") != "" {
		return nil, fmt.Errorf("%w: %q is not a fingerprint; want the SHA-256 of the credential, %d to 64 hexadecimal digits of it", ErrUnknownCredential, fingerprint, MinFingerprint)
	}
	var own []entry
	for _, e := range list {
		if e.has(fingerprint) {
			own = append(own, e)
		}
	}
	switch {
	case len(own) == 0:
		return nil, fmt.Errorf("%w: none with the SHA-256 %s", ErrUnknownCredential, fingerprint)
	case slices.ContainsFunc(own, func(e entry) bool { return !e.x509Cert.Equal(own[0].x509Cert) }):
		return nil, fmt.Errorf("%w: %s names more than one; write more of its digits", ErrUnknownCredential, fingerprint)
	}
	return own, nil
}
