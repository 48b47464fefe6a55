package partners

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/partners/revocation"
)

// Difference is what a step changes of the credentials of a document.
type Difference struct {
	// Before and After are those that change, as they are and as they will be. Their states follow from the document alone: what is known of
	// revocations, and whether a chain holds, plays no part.
	Before, After []Held
	// Warnings are what an operator should know.
	Warnings []string
}

// Compare tells what another document of the partner says otherwise of its credentials, at the instant now.
func (p PartnerConfig) Compare(after PartnerConfig, now time.Time) (Difference, error) {
	return compare(p.rotated(), after.rotated(), p.ID, now)
}

// Compare is PartnerConfig.Compare for the keys of the node.
func (k NodeKeys) Compare(after NodeKeys, now time.Time) (Difference, error) {
	return compare(k.rotated(), after.rotated(), "", now)
}

// OwnKeys lists the keys of the node with their states, as Difference has them, the one that ends first first.
func (c Config) OwnKeys(now time.Time) ([]Held, error) {
	keys := c.Node.keys()
	list, err := keys.rotated().trusted("")
	return heldAt(list, now), err
}

func compare[T configured[T]](before, after lists[T], partner string, now time.Time) (Difference, error) {
	was, err := before.trusted(partner)
	if err != nil {
		return Difference{}, err
	}
	is, err := after.trusted(partner)
	if err != nil {
		return Difference{}, err
	}
	d := Difference{Before: heldAt(was, now), After: heldAt(is, now)}
	d.Before, d.After = without(d.Before, d.After), without(d.After, d.Before)
	d.Warnings = gaps(was, is, now)
	return d, nil
}

// trusted are the credentials of the lists as a loader would have them, under chains that always hold.
func (d lists[T]) trusted(partner string) ([]*trusted, error) {
	var out []*trusted
	err := d.edit(func(list []entry) ([]entry, error) {
		for _, e := range list {
			w, err := bound(e.x509Cert, e.life)
			if err != nil {
				return nil, fmt.Errorf("%s %w", e, err)
			}
			for _, use := range e.uses() {
				t := &trusted{
					Credential: Credential{
						X509Cert: e.x509Cert, Use: use, Partner: partner, Issuer: e.body, From: w.from, Until: w.until,
						Activate: e.activate, ReplacedBy: e.replacedBy, Distrusted: e.distrusted,
					},
					retiring: !e.retireAt.IsZero() && e.replacedBy == "", entry: e.list,
				}
				t.chains = []span{{window: w, chains: [][]revocation.Link{nil}}}
				out = append(out, t)
			}
		}
		return list, nil
	})
	spreadDistrust(out)
	return out, err
}

func heldAt(list []*trusted, at time.Time) []Held {
	d := data{book: new(revocation.Book)}
	var out []Held
	for _, t := range list {
		out = append(out, d.held(t, list, at))
	}
	slices.SortStableFunc(out, func(a, b Held) int {
		return cmp.Or(a.Until.Compare(b.Until), strings.Compare(string(a.Use), string(b.Use)), strings.Compare(a.Issuer, b.Issuer))
	})
	return out
}

// without are those of list that other does not have as they are.
func without(list, other []Held) []Held {
	left := slices.Clone(other)
	var out []Held
	for _, h := range list {
		i := slices.IndexFunc(left, h.same)
		if i < 0 {
			out = append(out, h)
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
	return out
}

func (h Held) same(o Held) bool {
	return h.X509Cert.Equal(o.X509Cert) && h.Use == o.Use && h.Issuer == o.Issuer && h.State == o.State && h.From.Equal(o.From) && h.Until.Equal(o.Until) &&
		h.Activate == o.Activate && h.ReplacedBy == o.ReplacedBy && h.Distrusted.Equal(o.Distrusted)
}

// gaps tells of instants from now on at which nothing counts for a use that something counted for before.
func gaps(before, after []*trusted, now time.Time) []string {
	counts := func(list []*trusted, of *trusted, at time.Time) bool {
		return slices.ContainsFunc(list, func(t *trusted) bool { return t.Use == of.Use && t.Issuer == of.Issuer && t.counts(at) })
	}
	instants := []time.Time{now}
	for _, t := range after {
		if t.Until.After(now) {
			instants = append(instants, t.Until)
		}
	}
	slices.SortFunc(instants, time.Time.Compare)
	var out []string
	told := map[string]bool{}
	for _, at := range instants {
		for _, t := range before {
			object := string(t.Use)
			if t.Issuer != "" {
				object += " of issuing body " + t.Issuer
			}
			if !told[object] && counts(before, t, at) && !counts(after, t, at) {
				told[object] = true
				out = append(out, fmt.Sprintf("nothing counts for %s from %s on", object, instant(at)))
			}
		}
	}
	return out
}
