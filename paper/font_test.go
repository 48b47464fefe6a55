package paper_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/paper"
)

// Fonts of Debian's fonts-dejavu-core and fonts-nanum.
const (
	dejavu = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"
	nanum  = "/usr/share/fonts/truetype/nanum/NanumGothic.ttf"
)

// font loads a font of the system, or skips.
func font(t testing.TB, file string) *paper.Font {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Skipf("%s is not installed", file)
	}
	f, err := paper.LoadFont(file, data)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// names are in scripts that the built-in font lacks; each is in one of the two fonts.
var names = map[string]string{
	"Vietnamese": "CÔNG TY CỔ PHẦN THƯƠNG MẠI NGUYỄN THỊ HOÀ",
	"Cyrillic":   "ООО «ВОСТОЧНЫЙ ЧАЙ», ВЛАДИВОСТОК",
	"Greek":      "ΕΛΛΗΝΙΚΑ ΠΡΟΪΟΝΤΑ Α.Ε.",
	"Korean":     "주식회사 한빛정밀 서울특별시",
}

func TestNamesInOtherScriptsPrintWithConfiguredFonts(t *testing.T) {
	need(t, "pdftotext")
	fonts := []*paper.Font{font(t, dejavu), font(t, nanum)}
	for script, name := range names {
		t.Run(script, func(t *testing.T) {
			c := ecotest.Load(t, "nonpreferential-kcci")
			c.Exporter.Name, c.Items[0].Description = name, "HANDMADE GOODS OF "+name
			pdf, findings := render(t, c, paper.Options{Fonts: fonts})
			if len(findings) > 0 {
				t.Errorf("findings %v", findings)
			}
			if text := squeezed(read(t, pdf)); strings.Count(text, squeezed(name)) != 2 {
				t.Errorf("want %q twice in\n%s", name, text)
			}
			need(t, "qpdf")
			run(t, "qpdf", pdf, "--check", "FILE")
		})
	}
}

func TestWhatNoFontHasIsFoundAndPrintedAsCodePoint(t *testing.T) {
	need(t, "pdftotext")
	c := ecotest.Load(t, "nonpreferential-kcci")
	c.Exporter.Name = "주식 CO"
	c.Items[1].Description = "RIGHT\u202eLEFT שלום \U0001F600"
	tests := []struct {
		name  string
		fonts []*paper.Font
		want  map[string]string // path: what the finding names
		text  []string
	}{
		{"no font", nil, map[string]string{
			"exporter.name": "[U+C8FC] [U+C2DD]", "items[1].description": "[U+202E] [U+05E9] [U+05DC] [U+05D5] [U+05DD] and 1 more",
		}, []string{"[U+C8FC][U+C2DD] CO", "RIGHT[U+202E]LEFT", "[U+1F600]"}},
		{"a font without direction", []*paper.Font{font(t, nanum), font(t, dejavu)}, map[string]string{
			"items[1].description": "[U+202E] [U+05E9] [U+05DC] [U+05D5] [U+05DD] and 1 more",
		}, []string{"주식 CO", "RIGHT[U+202E]LEFT", "[U+05E9][U+05DC]"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			pdf, findings := render(t, c, paper.Options{Fonts: test.fonts})
			if len(findings) != len(test.want) {
				t.Errorf("findings %v, want %v", findings, test.want)
			}
			for _, f := range findings {
				if want, ok := test.want[f.Path]; !ok || !strings.HasSuffix(f.Text, ": "+want) || f.Severity != eco.SeverityWarning || f.Fix == "" {
					t.Errorf("finding %+v, want it to name %s", f, want)
				}
			}
			text := squeezed(read(t, pdf))
			for _, want := range test.text {
				if !strings.Contains(text, squeezed(want)) {
					t.Errorf("no %q in\n%s", want, text)
				}
			}
			if want := squeezed(fmt.Sprintf("could not be printed, in %d fields", len(test.want))); !strings.Contains(text, want) {
				t.Errorf("the page does not say that %d fields were not printed", len(test.want))
			}
		})
	}
}

func TestLoadFontRefusesWhatCannotBeEmbedded(t *testing.T) {
	whole, err := os.ReadFile(dejavu)
	if err != nil {
		t.Skipf("%s is not installed", dejavu)
	}
	restricted := string(whole)
	tests := []struct{ name, data, want string }{
		{"empty", "", "too short"},
		{"text", "this is no font at all", "begins with"},
		{"PostScript outlines", "OTTO" + string(whole[4:]), "PostScript outlines"},
		{"collection", "ttcf" + string(whole[4:]), "collection"},
		{"cut in the directory", string(whole[:40]), "want a table"},
		{"cut in half", string(whole[:len(whole)/2]), "want a table"},
		{"embedding forbidden", withEmbedding(t, restricted, 0x0002), "forbids embedding"},
		{"no subsets", withEmbedding(t, restricted, 0x0100), "forbids embedding"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := paper.LoadFont("x.ttf", []byte(test.data))
			if err == nil || !strings.Contains(err.Error(), "font x.ttf: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// withEmbedding is a font with another OS/2 fsType.
func withEmbedding(t *testing.T, font string, fsType uint16) string {
	t.Helper()
	at := strings.Index(font[:600], "OS/2")
	if at < 0 {
		t.Fatal("no OS/2 table")
	}
	offset := 0
	for _, b := range []byte(font[at+8 : at+12]) {
		offset = offset<<8 | int(b)
	}
	changed := []byte(font)
	changed[offset+8], changed[offset+9] = byte(fsType>>8), byte(fsType)
	return string(changed)
}

// FuzzLoadFont reads arbitrary files. Whatever is loaded can be printed with. It begins with the heads of fonts: a whole one takes the
// library so long that nothing would be tried.
func FuzzLoadFont(f *testing.F) {
	f.Add([]byte("OTTO"))
	if data, err := os.ReadFile(dejavu); err == nil {
		f.Add(data[:4096])
	}
	c := eco.Certificate{Reference: "A", Remarks: "ЧАЙ"}
	f.Fuzz(func(t *testing.T, data []byte) {
		loaded, err := paper.LoadFont("x.ttf", data)
		if err != nil {
			return
		}
		render(t, c, paper.Options{Fonts: []*paper.Font{loaded}})
	})
}
