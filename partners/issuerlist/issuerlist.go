// Package issuerlist is the signed, dated list with which an administration tells its partners who may issue certificates of origin: bodies,
// their forms, offices, signatories, and the credentials that sign their documents. It is one XML document (docs/schema/issuers-1.xsd), signed
// in it (XML-DSig) or around it (CMS).
//
// A list is complete: what is not on it may not issue. The package reads, writes and compares lists, and says whether one may follow the
// one before it. What becomes of what it says is for package partners to know.
//
// Read this file, read.go and write.go, compare.go (what one list changes), take.go (may it be taken) and desk.go (what stands in the registry).
package issuerlist

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/partners"
)

// List is what an administration says. Instants are to the second, in UTC.
type List struct {
	// Party are ids of the administration as in its messages, at least one; Name is for people.
	Party []partners.PartyID
	Name  string
	// Number rises with every list of the administration, from 1.
	Number int
	// Issued is when it was made, ValidFrom from when it holds; NextUpdate is when the next one is due, zero if that is not said.
	Issued, ValidFrom, NextUpdate time.Time
	// Bodies may be none: then nobody may issue. The same body may stand in several of them.
	Bodies []partners.Body
}

// The bounds of a list. MaxOctets is that of signed announcements, too.
const (
	MaxOctets = 4 << 20
	MaxChain  = 8
)

// ErrRefused is every error about a list that is not taken; each of those below is one.
var ErrRefused = errors.New("the list of issuers is refused")

// Errors that callers branch on.
var (
	// ErrDocument: the document is no list of issuers, or breaks a rule of it.
	ErrDocument error = refusal("not a list of issuers")
	// ErrSignature: the list is not signed by a credential that may sign lists for this administration.
	ErrSignature error = refusal("the list's signature does not hold")
	// ErrParty: another administration speaks.
	ErrParty error = refusal("the list is of another administration")
	// ErrOld: the list, or a later one, was taken before.
	ErrOld error = refusal("a later list was taken already")
	// ErrNotYet: the list does not hold yet.
	ErrNotYet error = refusal("the list does not hold yet")
)

type refusal string

func (r refusal) Error() string { return string(r) }

func (r refusal) Is(target error) bool { return target == ErrRefused }

var countryPattern = regexp.MustCompile(`^[A-Z]{2}$`)

// check holds the list to what its schema says, and to what the schema cannot say.
func (l List) check() error {
	switch {
	case len(l.Party) == 0:
		return fail("no administration")
	case l.Number < 1:
		return fail("number %d, expected 1 or more", l.Number)
	case l.Issued.IsZero() || l.ValidFrom.IsZero():
		return fail("the instants of its issue and from which it holds are required")
	case !l.NextUpdate.IsZero() && !l.NextUpdate.After(l.ValidFrom):
		return fail("the next update is due %s, not after %s, when this one begins to hold", instant(l.NextUpdate), instant(l.ValidFrom))
	}
	for _, id := range l.Party {
		if id.Value == "" {
			return fail("a PartyId without value")
		}
	}
	for i, body := range l.Bodies {
		if err := checkBody(body); err != nil {
			return fail("issuing body %d (%q): %w", i+1, body.ID, err)
		}
	}
	return nil
}

func fail(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDocument, fmt.Errorf(format, args...))
}

func checkBody(b partners.Body) error {
	switch {
	case b.ID == "":
		return errors.New("it has no ID")
	case !countryPattern.MatchString(b.Country):
		return fmt.Errorf("country %q, expected two capitals of ISO 3166-1", b.Country)
	case len(b.Forms) == 0:
		return errors.New("it may issue no form")
	}
	if err := checkWindow(b.From, b.Until); err != nil {
		return err
	}
	offices := map[string]bool{}
	for _, o := range b.Offices {
		if o.ID == "" || offices[o.ID] {
			return fmt.Errorf("office %q has no ID or stands there twice", o.ID)
		}
		offices[o.ID] = true
		if err := checkWindow(o.From, o.Until); err != nil {
			return fmt.Errorf("office %q: %w", o.ID, err)
		}
	}
	for _, s := range b.Signatories {
		if strings.TrimSpace(s.Name) == "" {
			return errors.New("a signatory without name")
		}
		if err := checkLimits(offices, s.Offices, s.From, s.Until); err != nil {
			return fmt.Errorf("signatory %q: %w", s.Name, err)
		}
	}
	for i, c := range b.Credentials {
		if len(c.Chain) == 0 || len(c.Chain) > MaxChain {
			return fmt.Errorf("credential %d: %d X.509 certificates, expected 1 to %d", i+1, len(c.Chain), MaxChain)
		}
		if err := checkLimits(offices, c.Offices, c.From, c.Until); err != nil {
			return fmt.Errorf("credential %d: %w", i+1, err)
		}
		for _, form := range c.Forms {
			if !slices.Contains(b.Forms, form) {
				return fmt.Errorf("credential %d: form %q is not one of the body's", i+1, form)
			}
		}
	}
	return nil
}

func checkLimits(known map[string]bool, offices []string, from, until time.Time) error {
	for _, id := range offices {
		if !known[id] {
			return fmt.Errorf("office %q is not one of the body's", id)
		}
	}
	return checkWindow(from, until)
}

func checkWindow(from, until time.Time) error {
	if !from.IsZero() && !until.IsZero() && !from.Before(until) {
		return fmt.Errorf("until %s is not after from %s", instant(until), instant(from))
	}
	return nil
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }
