package issuerlist

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// Difference is one thing that is not as it was.
type Difference struct {
	// Change is ChangeAdded, ChangeRemoved or ChangeAltered.
	Change string `json:"change"`
	// What names a body, form, office, signatory or credential.
	What string `json:"what"`
	// Before and After say what is known of it; "" where it is not there.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// The values of Difference.Change.
const (
	ChangeAdded   = "added"
	ChangeRemoved = "removed"
	ChangeAltered = "changed"
)

// Compare says what is different in after, by what it is about. A body that stands in several entries is compared as one.
func Compare(before, after []partners.Body) []Difference {
	old, now := factsOf(before), factsOf(after)
	var out []Difference
	for _, what := range slices.Sorted(maps.Keys(joined(old, now))) {
		was, there := old[what]
		is, stays := now[what]
		switch {
		case !there:
			out = append(out, Difference{ChangeAdded, what, "", is})
		case !stays:
			out = append(out, Difference{ChangeRemoved, what, was, ""})
		case was != is:
			out = append(out, Difference{ChangeAltered, what, was, is})
		}
	}
	return out
}

func joined(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// factsOf is what a list says, by what it is about.
func factsOf(bodies []partners.Body) map[string]string {
	lines := map[string][]string{}
	for _, b := range bodies {
		of := fmt.Sprintf("issuing body %q of %s", b.ID, b.Country)
		lines[of] = append(lines[of], cmp.Or(b.Name, "no name"))
		note := func(what, text string) { lines[of+": "+what] = append(lines[of+": "+what], text) }
		for _, form := range b.Forms {
			note(fmt.Sprintf("form %s", form), window(b.From, b.Until))
		}
		for _, o := range b.Offices {
			note(fmt.Sprintf("office %q", o.ID), strings.TrimSpace(o.Name+" "+window(o.From, o.Until)))
		}
		for _, s := range b.Signatories {
			note(fmt.Sprintf("signatory %q", s.Name), limited(s.Offices, nil, s.From, s.Until))
		}
		for _, c := range b.Credentials {
			var forms []string
			for _, form := range c.Forms {
				forms = append(forms, string(form))
			}
			note("credential "+signing.Fingerprint(c.Chain[0]), fmt.Sprintf("%s, valid until %s, %s", c.Chain[0].Subject, instant(c.Chain[0].NotAfter), limited(c.Offices, forms, c.From, c.Until)))
		}
	}
	facts := map[string]string{}
	for what, texts := range lines {
		slices.Sort(texts)
		facts[what] = strings.Join(slices.Compact(texts), "; ")
	}
	return facts
}

func limited(offices, forms []string, from, until time.Time) string {
	words := []string{"every office"}
	if len(offices) > 0 {
		words[0] = "offices " + strings.Join(slices.Sorted(slices.Values(offices)), " ")
	}
	if len(forms) > 0 {
		words = append(words, "forms "+strings.Join(slices.Sorted(slices.Values(forms)), " "))
	}
	return strings.Join(append(words, window(from, until)), ", ")
}

func window(from, until time.Time) string {
	switch {
	case from.IsZero() && until.IsZero():
		return "always"
	case until.IsZero():
		return "from " + instant(from)
	case from.IsZero():
		return "until " + instant(until)
	}
	return "from " + instant(from) + " until " + instant(until)
}
