package cpa_test

import (
	"testing"

	"github.com/ecogate/ecogate/partners/cpa"
)

// What can be read means something to either party, differs from itself in nothing, and ends neither of them.
func FuzzRead(f *testing.F) {
	for _, doc := range shapes(f) {
		f.Add(doc)
	}
	for _, file := range hostileFiles(f) {
		f.Add(readHostile(f, file).doc)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		c, err := cpa.Read(doc)
		if err != nil {
			return
		}
		for _, p := range c.Parties {
			got, err := c.Agreement(cpa.Options{Own: p.IDs, Partner: "x", At: noon})
			if err != nil {
				continue // the ids of one party stand twice
			}
			for _, a := range got.Agreements {
				a.SetDefaults()
			}
			for _, found := range got.Findings {
				if found.Path == "" || found.Text == "" {
					t.Errorf("a finding without place or text: %+v", found)
				}
			}
		}
		if d := cpa.Diff(c, c); len(d) > 0 {
			t.Errorf("differs from itself: %v", d)
		}
	})
}
