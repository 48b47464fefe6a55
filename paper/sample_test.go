package paper_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/paper"
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

// TestDump leaves renditions in the folder PAPER_DUMP, to be looked at.
func TestDump(t *testing.T) {
	dir := os.Getenv("PAPER_DUMP")
	if dir == "" {
		t.Skip()
	}
	save := func(name string, c eco.Certificate, o paper.Options) {
		f, err := os.Create(filepath.Join(dir, name+".pdf"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		o.Digest, o.VerifyURL = digest, "https://verify.customs.example/co?ref={reference}"
		findings, err := paper.Render(f, c, o)
		t.Log(name, err, findings)
	}
	all := []paper.Overlay{paper.OverlayCancelled, paper.OverlayCopy, paper.OverlayTest}
	for _, name := range []string{"atiga-d", "lao-gsp-a", "rcep"} {
		c := samples(t)[name]
		c.Flags = map[eco.Flag]bool{eco.FlagIssuedRetroactively: true, eco.FlagCertifiedTrueCopy: true}
		c.Status = eco.StatusReplacement
		c.Related = []eco.RelatedCertificate{{Relation: eco.RelationReplaces, Reference: "LA26010099", Date: eco.Date{Year: 2026, Month: 10, Day: 1}, Country: "LA"}}
		save(name+"-overlays", c, paper.Options{Overlays: all})
		save(name+"-copy", c, paper.Options{Overlays: all[1:2]})
	}
	for name, c := range samples(t) {
		save(name, c, paper.Options{})
		save(name+"-long", long(c, 60), paper.Options{})
	}
}
