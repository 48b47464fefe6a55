package paper_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/paper"
)

var update = flag.Bool("update", false, "write the renditions of testdata anew")

const verifyURL = "https://verify.customs.example/co?ref={reference}&sha256={sha256}"

// The renditions of testdata are one for each form; they change only when a form is meant to look otherwise.
func TestRenditionsAreThoseOfTestdata(t *testing.T) {
	for name, c := range samples(t) {
		t.Run(name, func(t *testing.T) {
			got, findings := render(t, c, paper.Options{Digest: digest, VerifyURL: verifyURL})
			if len(findings) > 0 {
				t.Errorf("findings %v", findings)
			}
			file := filepath.Join("testdata", name+".pdf")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s is another rendition (%d octets, now %d): look at both, and run with -update if that is meant", file, len(want), len(got))
			}
		})
	}
}

func TestSameInputGivesSameOctets(t *testing.T) {
	c := long(ecotest.Load(t, "atiga-form-d"), 40)
	c.Exporter.Name = names["Vietnamese"] + names["Cyrillic"]
	o := paper.Options{Digest: digest, VerifyURL: verifyURL, Overlays: []paper.Overlay{paper.OverlayTest}, Fonts: []*paper.Font{font(t, dejavu), font(t, nanum)}}
	first, _ := render(t, c, o)
	for range 5 {
		if again, _ := render(t, c, o); !bytes.Equal(first, again) {
			t.Fatal("two renditions of one certificate differ")
		}
	}
	if !bytes.Contains(first, []byte("/CreationDate (D:20261116000000)")) {
		t.Error("the date of creation is not that of issue")
	}
}

func TestRenditionsAreSound(t *testing.T) {
	need(t, "qpdf")
	for name, c := range framed(t) {
		pdf, _ := render(t, long(c, 60), paper.Options{Digest: digest, Overlays: []paper.Overlay{paper.OverlayCancelled, paper.OverlayCopy}})
		if out := run(t, "qpdf", pdf, "--check", "FILE"); !strings.Contains(out, "No syntax or stream encoding errors found") {
			t.Errorf("%s: %s", name, out)
		}
	}
}

func TestLongCertificatesGoOnWithReferenceAndPageNumber(t *testing.T) {
	need(t, "pdftotext")
	for name, c := range framed(t) {
		t.Run(name, func(t *testing.T) {
			c := long(c, 60)
			pdf, _ := render(t, c, paper.Options{Digest: digest, Overlays: []paper.Overlay{paper.OverlayCopy}})
			text := read(t, pdf)
			pages := strings.Split(strings.TrimSuffix(text, "\f"), "\f")
			if len(pages) < 4 {
				t.Fatalf("%d pages for 60 items", len(pages))
			}
			for i, page := range pages {
				last := i == len(pages)-1
				for words, want := range map[string]bool{
					fmt.Sprintf("PAGE %d OF %d", i+1, len(pages)): true, c.Reference: true, string(paper.OverlayCopy): true,
					fmt.Sprintf("CONTINUED ON PAGE %d\n", i+2): !last,
				} {
					if strings.Contains(page, words) != want {
						t.Errorf("page %d: %q is there: %v, want %v", i+1, words, !want, want)
					}
				}
			}
			words := strings.Join(strings.Fields(text), " ")
			for i := range c.Items {
				if !regexp.MustCompile(fmt.Sprintf(`(?m)^%d( |$)`, i+1)).MatchString(text) {
					t.Errorf("no item number %d", i+1)
				}
				// A description may lie on two pages.
				if want := strings.Count(c.Items[i].Description, "GRADE"); strings.Count(words, fmt.Sprintf("GRADE-%d ", i)) != want {
					t.Errorf("item %d: not all of %d pieces of the description are there", i+1, want)
				}
				c.Items[i].Description = ""
			}
			if lost := missing(c, text); len(lost) > 0 {
				t.Errorf("not on paper: %v", lost)
			}
			// One closing for each item, one for the notes if there are any, and one for the whole.
			if n := strings.Count(text, "****"); n < 61 || n > 62 {
				t.Errorf("closed with four asterisks %d times", n)
			}
		})
	}
}

func TestTextThatOverflowsItsBoxGoesOnAfterTheItems(t *testing.T) {
	need(t, "pdftotext")
	c := ecotest.Load(t, "atiga-form-d")
	for i := range 40 {
		c.Exporter.Address.Lines = append(c.Exporter.Address.Lines, fmt.Sprintf("BUILDING %d OF THE COMPOUND", i))
	}
	c.Transport.Text = strings.TrimSpace(strings.Repeat("FIRST BY TRUCK, THEN BY SHIP ", 60))
	pdf, _ := render(t, c, paper.Options{})
	text := read(t, pdf)
	if lost := missing(without(c), text); len(lost) > 0 {
		t.Errorf("not on paper: %v", lost)
	}
	if n := strings.Count(strings.Join(strings.Fields(text), " "), "THEN BY SHIP"); n != 60 {
		t.Errorf("the long text is there %d times of 60", n)
	}
	for _, want := range []string{"BOX 1, CONTINUED:", "BOX 3, CONTINUED:", "CONTINUED IN BOX 7"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
}

// without is c without the text that a break in its box takes apart.
func without(c eco.Certificate) eco.Certificate {
	c.Transport.Text = ""
	return c
}

func TestWordsAreBrokenOnlyWhenALineCannotHoldThem(t *testing.T) {
	need(t, "pdftotext")
	c := ecotest.Load(t, "atiga-form-d")
	word := strings.Repeat("X1", 400)
	c.Items[0].Description = strings.Repeat("PHARMACEUTICAL INTERMEDIATES ", 30) + word
	pdf, _ := render(t, c, paper.Options{})
	text := read(t, pdf)
	if n := strings.Count(strings.ReplaceAll(text, "\n", " "), "PHARMACEUTICAL INTERMEDIATES"); n != 30 {
		t.Errorf("%d of 30 pairs of words are whole", n)
	}
	if !strings.Contains(squeezed(text), word) {
		t.Error("the long word is not whole")
	}
}

func TestCapitalsAreAsTheFormWants(t *testing.T) {
	need(t, "pdftotext")
	c := ecotest.Load(t, "atiga-form-d")
	c.Exporter.Name, c.Items[0].Description, c.Reference = "Société µ-Lao ÿ", "Coffee beans", "la26010137"
	pdf, _ := render(t, c, paper.Options{})
	for _, want := range []string{"SOCIÉTÉ µ-LAO Ÿ", "COFFEE BEANS", "la26010137"} {
		if text := read(t, pdf); !strings.Contains(text, want) {
			t.Errorf("Lao certificate: no %q in\n%s", want, text)
		}
	}
	c.IssuingCountry = "VN"
	pdf, _ = render(t, c, paper.Options{})
	if text := read(t, pdf); !strings.Contains(text, "Coffee beans") {
		t.Error("a certificate of another country is not printed as it was issued")
	}
}

func TestWhatTheCertificateSaysOfItselfIsStamped(t *testing.T) {
	need(t, "pdftotext")
	day := eco.Date{Year: 2026, Month: time.October, Day: 1}
	tests := []struct {
		name, certificate string
		change            func(*eco.Certificate)
		want              []string
	}{
		{"issued retroactively", "atiga-form-d", func(c *eco.Certificate) { c.Flags[eco.FlagIssuedRetroactively] = true }, []string{"ISSUED RETROACTIVELY\n", "X ISSUED RETROACTIVELY"}},
		{"issued retrospectively", "lao-gsp-a", func(c *eco.Certificate) { c.Flags[eco.FlagIssuedRetroactively] = true }, []string{"ISSUED RETROSPECTIVELY"}},
		{"certified true copy", "atiga-form-d", func(c *eco.Certificate) {
			c.Status = eco.StatusTrueCopy
			c.Related = []eco.RelatedCertificate{{Relation: eco.RelationTrueCopyOf, Reference: "LA26010001", Date: day}}
		}, []string{"CERTIFIED TRUE COPY\nORIGINAL ISSUED 2026-10-01"}},
		{"replacement", "nonpreferential-kcci", func(c *eco.Certificate) {
			c.Status = eco.StatusReplacement
			c.Related = []eco.RelatedCertificate{{Relation: eco.RelationReplaces, Reference: "001-26-0000001", Date: day}}
		}, []string{"REPLACES 001-26-0000001 2026-10-01"}},
		{"cancellation", "nonpreferential-kcci", func(c *eco.Certificate) { c.Status = eco.StatusCancellation }, []string{"CANCELLED"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := ecotest.Load(t, test.certificate)
			pdf, _ := render(t, c, paper.Options{})
			before := read(t, pdf)
			test.change(&c)
			pdf, _ = render(t, c, paper.Options{})
			after := read(t, pdf)
			for _, want := range test.want {
				if strings.Count(after, want) <= strings.Count(before, want) {
					t.Errorf("%q is not stamped:\n%s", want, after)
				}
			}
		})
	}
}

// A CPE is the issuing country's own; a rendition goes to people abroad as well.
func TestConfirmationsOfProductEligibilityAreNotPrinted(t *testing.T) {
	need(t, "pdftotext")
	c := ecotest.Load(t, "atiga-form-d")
	c.Items[0].CPE = &eco.CPE{Number: "CPE-77031", Issued: c.IssuedAt, Body: "FACTORY INSPECTORATE"}
	pdf, _ := render(t, c, paper.Options{})
	text := squeezed(read(t, pdf))
	for _, national := range []string{c.Items[0].CPE.Number, c.Items[0].CPE.Body} {
		if strings.Contains(text, squeezed(national)) {
			t.Errorf("%q is on paper", national)
		}
	}
}

func TestOverlaysAreOnEveryPage(t *testing.T) {
	need(t, "pdftotext")
	overlays := []paper.Overlay{
		paper.OverlayCancelled, paper.OverlayReplaced, paper.OverlayInConflict, paper.OverlayRefused, paper.OverlayCopy, paper.OverlayTest,
	}
	pdf, _ := render(t, long(ecotest.Load(t, "lao-gsp-a"), 30), paper.Options{Overlays: overlays})
	for i, page := range strings.Split(strings.TrimSuffix(read(t, pdf), "\f"), "\f") {
		for _, o := range overlays {
			if !strings.Contains(page, string(o)) {
				t.Errorf("page %d lacks %s", i+1, o)
			}
		}
	}
}

func TestTheCodeNamesTheSignedDocument(t *testing.T) {
	need(t, "pdftoppm")
	need(t, "zbarimg")
	for name, c := range framed(t) {
		t.Run(name, func(t *testing.T) {
			pdf, _ := render(t, c, paper.Options{Digest: digest, VerifyURL: verifyURL, Overlays: []paper.Overlay{paper.OverlayCopy}})
			picture := filepath.Join(t.TempDir(), "page")
			run(t, "pdftoppm", pdf, "-r", "200", "-png", "-singlefile", "FILE", picture)
			out, err := exec.Command("zbarimg", "--quiet", "--raw", picture+".png").Output()
			if err != nil {
				t.Fatal(err)
			}
			seal, err := paper.ParseSeal(string(out))
			if err != nil {
				t.Fatal(err)
			}
			want := paper.Seal{Country: c.IssuingCountry, Form: c.Form, Reference: c.Reference, Issued: c.IssuedAt, Digest: digest}
			want.Verify = want.Address(verifyURL)
			if seal != want || !strings.HasSuffix(seal.Verify, "?ref="+c.Reference+"&sha256="+digest) {
				t.Errorf("code says %+v, want %+v", seal, want)
			}
		})
	}
}

// hostile are certificates that nobody issues.
func hostile(t testing.TB) map[string]eco.Certificate {
	t.Helper()
	base := ecotest.Load(t, "atiga-form-d")
	list := map[string]eco.Certificate{"nothing": {}}
	add := func(name string, change func(*eco.Certificate)) {
		c := base
		c.Items = append([]eco.Item(nil), base.Items...)
		change(&c)
		list[name] = c
	}
	add("long word", func(c *eco.Certificate) { c.Items[0].Description = strings.Repeat("W", 200_000) })
	add("long reference", func(c *eco.Certificate) { c.Reference = strings.Repeat("R", 4000) })
	add("long item number", func(c *eco.Certificate) { c.Items[0].Number = 1 << 62 })
	add("long numbers", func(c *eco.Certificate) {
		huge := eco.Decimal(strings.Repeat("9", 4000))
		c.Items[0].GrossWeight = &eco.Measure{Value: huge, Unit: strings.Repeat("U", 500)}
		c.Items[0].FOB = &eco.Amount{Value: huge, Currency: strings.Repeat("C", 500)}
		c.Items[0].Packages = -1 << 63
	})
	add("control characters", func(c *eco.Certificate) {
		c.Items[0].Description, c.Reference = "A\x00B\x1b[31mC\x7f\u0085D", "A\x00\r\nB"
	})
	add("broken UTF-8", func(c *eco.Certificate) {
		c.Exporter.Name, c.IssuingBody.Name, c.Reference = "\xff\xe4", "\xe4\xb8", "\xf0"
	})
	add("right to left", func(c *eco.Certificate) { c.Exporter.Name = "\u202eמי\u202c \u200f\u2066x\u2069 ALLIED \u200b\ufeff" })
	add("combining marks", func(c *eco.Certificate) { c.Exporter.Name = "E" + strings.Repeat("\u0301", 3000) })
	add("PDF syntax", func(c *eco.Certificate) {
		c.Exporter.Name = `\) Tj ET Q endstream endobj (((`
		c.Reference = `)>> /JS (x`
	})
	add("unknown form", func(c *eco.Certificate) { c.Form = "NO-SUCH-FORM" })
	add("line ends", func(c *eco.Certificate) {
		c.Items[0].Description, c.Remarks = strings.Repeat("A\n", 2000), strings.Repeat("\n", 4000)
	})
	add("year 9999", func(c *eco.Certificate) { c.IssuedAt = eco.Date{Year: 9999, Month: 12, Day: 31} })
	add("no such day", func(c *eco.Certificate) { c.IssuedAt = eco.Date{Year: -5, Month: 77, Day: 99} })
	add("many flags", func(c *eco.Certificate) {
		c.Flags = map[eco.Flag]bool{}
		for i := range 500 {
			c.Flags[eco.Flag(fmt.Sprintf("FLAG_%d", i))] = i%2 == 0
		}
	})
	add("many of everything", func(c *eco.Certificate) {
		for range 500 {
			c.Invoices, c.Documents = append(c.Invoices, c.Invoices...)[:min(500, 2*len(c.Invoices))], append(c.Documents, c.Documents[0])
			c.Related = append(c.Related, eco.RelatedCertificate{Relation: eco.RelationReplaces, Reference: "R"})
			c.Exporter.Identifiers = append(c.Exporter.Identifiers, eco.Identifier{Scheme: "S", Value: "V"})
		}
	})
	return list
}

func TestHostileCertificatesArePrintedOrRefused(t *testing.T) {
	_, err := exec.LookPath("qpdf")
	for name, c := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			pdf, _ := render(t, c, paper.Options{Digest: digest, VerifyURL: verifyURL})
			if err == nil {
				run(t, "qpdf", pdf, "--check", "FILE")
			}
		})
	}
}

func TestARenditionHasAnEnd(t *testing.T) {
	c := ecotest.Load(t, "atiga-form-d")
	item := c.Items[0]
	item.Description = strings.Repeat("A\n", 2000)
	c.Items = nil
	for i := range 100 {
		item.Number = i + 1
		c.Items = append(c.Items, item)
	}
	if _, err := paper.Render(new(bytes.Buffer), c, paper.Options{}); !errors.Is(err, paper.ErrTooLong) {
		t.Errorf("error %v, want %v", err, paper.ErrTooLong)
	}
}

func BenchmarkRender(b *testing.B) {
	c := ecotest.Load(b, "atiga-form-d")
	for _, n := range []int{1, 50, eco.MaxItems} {
		c := long(c, n)
		b.Run(fmt.Sprintf("items=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				pdf, _ := render(b, c, paper.Options{Digest: digest, VerifyURL: verifyURL})
				size = len(pdf)
			}
			b.ReportMetric(float64(size), "octets")
		})
	}
	b.Run("items=50/fonts", func(b *testing.B) {
		o := paper.Options{Digest: digest, Fonts: []*paper.Font{font(b, dejavu), font(b, nanum)}}
		c := long(c, 50)
		c.Exporter.Name, c.Consignee.Name = names["Vietnamese"], names["Korean"]
		b.ReportAllocs()
		for b.Loop() {
			render(b, c, o)
		}
	})
}
