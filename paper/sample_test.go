package paper_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
)

// digest stands for that of a signed document.
const digest = "06dfff1d3bbd9cb2f7c12e5d33a1d2c1be5f1c8b7a0c4e4f9a6f4f0e7b120c8f"

// samples are a certificate of testdata for each form, where there is none of its own with the data of another.
func samples(t testing.TB) map[string]eco.Certificate {
	t.Helper()
	own := map[eco.FormCode]string{
		eco.FormATIGA: "atiga-form-d", eco.FormLaoGSP: "lao-gsp-a", "GSP-A": "lao-gsp-a",
		eco.FormNonPreferential: "nonpreferential-kcci", "NON-PREFERENTIAL-ICC": "nonpreferential-kcci",
	}
	list := map[string]eco.Certificate{}
	for _, form := range eco.DefaultForms().All() {
		name := own[form.Code]
		if name == "" {
			name = "atiga-form-d"
		}
		c := ecotest.Load(t, name)
		c.Form = form.Code
		answers := c.Flags
		c.Flags = map[eco.Flag]bool{}
		for _, flag := range form.Flags {
			c.Flags[flag] = answers[flag]
		}
		list[strings.ToLower(string(form.Code))] = c
	}
	return list
}

// frames are the forms of which each has another frame.
var frames = []string{"atiga-d", "vkfta-vk", "rcep", "gsp-a", "non-preferential", "ecfa"}

// framed are the samples of those.
func framed(t testing.TB) map[string]eco.Certificate {
	t.Helper()
	all, some := samples(t), map[string]eco.Certificate{}
	for _, name := range frames {
		some[name] = all[name]
	}
	return some
}

// long is c with n items, some of which have much to say.
func long(c eco.Certificate, n int) eco.Certificate {
	items := c.Items
	c.Items = nil
	for i := range n {
		item := items[i%len(items)]
		item.Number = i + 1
		if i%7 == 3 {
			item.Description += " " + strings.Repeat(fmt.Sprintf("GRADE-%d WITH FITTINGS AND SPARE PARTS, ", i), 12)
		}
		c.Items = append(c.Items, item)
	}
	return c
}
