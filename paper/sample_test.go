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

// samples are a certificate of testdata for each frame.
func samples(t testing.TB) map[string]eco.Certificate {
	t.Helper()
	atiga := ecotest.Load(t, "atiga-form-d")
	list := map[string]eco.Certificate{
		"atiga-d": atiga, "lao-gsp-a": ecotest.Load(t, "lao-gsp-a"), "non-preferential": ecotest.Load(t, "nonpreferential-kcci"),
	}
	for _, code := range []eco.FormCode{"ACFTA-E", "AKFTA-AK", "VKFTA-VK", "RCEP", "AANZFTA"} {
		c := atiga
		c.Form = code
		list[strings.ToLower(string(code))] = c
	}
	return list
}

// long is c with n items, some of which have much to say.
func long(c eco.Certificate, n int) eco.Certificate {
	items := c.Items
	c.Items = nil
	for i := range n {
		item := items[i%len(items)]
		item.Number = i + 1
		if i%7 == 3 {
			item.Description += " " + strings.Repeat(fmt.Sprintf("GRADE %d WITH FITTINGS AND SPARE PARTS, ", i), 12)
		}
		c.Items = append(c.Items, item)
	}
	return c
}
