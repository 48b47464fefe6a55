package eco_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
)

func measure(value eco.Decimal, unit string) *eco.Measure {
	return &eco.Measure{Value: value, Unit: unit}
}

// shirts is a certificate of one item with all that lines are compared with.
func shirts() eco.Certificate {
	return eco.Certificate{
		Form: eco.FormATIGA, ExportingCountry: "VN", OriginCountry: "VN",
		Items: []eco.Item{{
			Number: 1, HS: "620520", Description: "100 CARTONS OF MEN'S SHIRTS, COTTON", GoodsText: "MEN'S SHIRTS, COTTON", Packages: 100, PackageCode: "CT",
			Quantity: measure("50", "DZN"), NetWeight: measure("120.5", "KGM"), GrossWeight: measure("0.14", "TNE"), FOB: &eco.Amount{Value: "4000", Currency: "USD"},
		}},
	}
}

// written is a difference as "field class: text; reason".
func writtenDifference(d eco.Difference) string {
	text := fmt.Sprintf("%s %s", d.Field, d.Class)
	if d.Text != "" {
		text += ": " + d.Text
	}
	if d.Reason != "" {
		text += "; " + d.Reason
	}
	return text
}

func TestLinesAreComparedFieldByField(t *testing.T) {
	tests := []struct {
		name  string
		lines []eco.DeclaredLine
		want  []string
	}{
		{"nothing stated", []eco.DeclaredLine{{Line: 1, Item: 1}}, nil},
		{"another item", []eco.DeclaredLine{{Line: 1, Item: 2, HS: "620520"}}, []string{"item material: the certificate has no such item; C02"}},
		{"all the same", []eco.DeclaredLine{{Line: 1, Item: 1, HS: "620520", Description: "MEN'S SHIRTS, COTTON", Origin: "VN", Quantity: measure("50", "DZN"),
			NetWeight: measure("120.5", "KGM"), GrossWeight: measure("0.14", "TNE"), Value: &eco.Amount{Value: "4000.00", Currency: "USD"}, Packages: 100}},
			[]string{"hs identical", "description identical", "origin identical", "quantity identical", "net_weight identical", "gross_weight identical", "value identical", "packages identical"}},
		{"national code below, with dots", []eco.DeclaredLine{{Line: 1, Item: 1, HS: "6205.20.10 00"}}, []string{"hs identical"}},
		{"other subheading", []eco.DeclaredLine{{Line: 1, Item: 1, HS: "620530"}}, []string{"hs material: classified otherwise: the first 6 digits of 620530 are not 620520; C08"}},
		{"heading only", []eco.DeclaredLine{{Line: 1, Item: 1, HS: "6205"}}, []string{"hs material: want at least 6 digits to compare with; C08"}},
		{"no code", []eco.DeclaredLine{{Line: 1, Item: 1, HS: "6205AB"}}, []string{"hs material: want digits only; C08"}},
		{"description in other writing", []eco.DeclaredLine{{Line: 1, Item: 1, Description: "Mens shirts (cotton)"}},
			[]string{"description typographic: case, spaces, punctuation or abbreviations alone differ"}},
		{"other goods", []eco.DeclaredLine{{Line: 1, Item: 1, Description: "MEN'S SHIRTS, SILK"}}, []string{"description material: other words; C02"}},
		{"origin in three letters", []eco.DeclaredLine{{Line: 1, Item: 1, Origin: "vnm"}}, []string{"origin identical"}},
		{"other origin", []eco.DeclaredLine{{Line: 1, Item: 1, Origin: "CN"}}, []string{"origin material: another country of origin; C04"}},
		{"a part of it", []eco.DeclaredLine{{Line: 1, Item: 1, Quantity: measure("7", "DZN"), Packages: 14}}, []string{"quantity identical", "packages identical"}},
		{"another unit", []eco.DeclaredLine{{Line: 1, Item: 1, Quantity: measure("600", "C62"), GrossWeight: measure("140", "KGM")}},
			[]string{"quantity convertible: that is 600 C62, of 600 C62", "gross_weight convertible: that is 140 KGM, of 140 KGM"}},
		{"quantity as a weight", []eco.DeclaredLine{{Line: 1, Item: 1, Quantity: measure("120500", "GRM")}}, []string{"quantity convertible: that is 120.5 KGM, of 120.5 KGM"}},
		{"quantity that cannot be compared", []eco.DeclaredLine{{Line: 1, Item: 1, Quantity: measure("50", "PR")}}, []string{"quantity material: no measure of the item can be compared with it; C02"}},
		{"more", []eco.DeclaredLine{{Line: 1, Item: 1, Quantity: measure("601", "C62"), NetWeight: measure("120.51", "KGM"), Value: &eco.Amount{Value: "4001", Currency: "USD"}, Packages: 101}},
			[]string{"quantity material: more than was certified; C02", "net_weight material: more than was certified; C02", "value material: more than was certified; C02", "packages material: more than was certified; C02"}},
		{"more in two lines", []eco.DeclaredLine{{Line: 1, Item: 1, Quantity: measure("30", "DZN")}, {Line: 2, Item: 1, Quantity: measure("252", "C62")}},
			[]string{"quantity identical", "quantity material: more than was certified, together with lines before it 612 C62; C02"}},
		{"other currency", []eco.DeclaredLine{{Line: 1, Item: 1, Value: &eco.Amount{Value: "1", Currency: "EUR"}}}, []string{"value material: the two cannot be compared: other units; C02"}},
		{"nothing, and less", []eco.DeclaredLine{{Line: 1, Item: 1, Quantity: measure("0", "DZN"), NetWeight: measure("-1", "KGM"), GrossWeight: measure("x", "KGM"), Packages: -1}},
			[]string{"quantity material: want a number above 0; C02", "net_weight material: want a number above 0; C02", "gross_weight material: want a number above 0; C02", "packages material: want a number above 0; C02"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, d := range eco.CompareLines(shirts(), tt.lines) {
				got = append(got, writtenDifference(d))
				if d.Minor != (d.Class == eco.DifferenceTypographic) || (d.Reason != "") != (d.Class == eco.DifferenceMaterial) {
					t.Errorf("%+v", d)
				}
				if _, known := eco.ReasonByCode(d.Reason); d.Reason != "" && !known {
					t.Errorf("no reason code %q", d.Reason)
				}
			}
			if strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestQuantitiesAreComparedWithWhatIsFree(t *testing.T) {
	c := shirts()
	l := live(t, eco.SideImporting, happening(eco.EventReceive, func(e *eco.Event) { e.Declared = eco.DeclaredQuantities(c) }), happening(eco.EventAdmit),
		citing("D1", q(1, "20", "DZN")), using("D1"), citing("D2", q(1, "12", "C62")))
	for value, want := range map[eco.Decimal]string{
		"29":   "quantity identical",
		"29.5": "quantity material: more than the 29 DZN that are free; C06",
		"51":   "quantity material: more than was certified; C02",
	} {
		got := eco.Comparison{Certificate: c, Life: l}.Lines([]eco.DeclaredLine{{Line: 1, Item: 1, Quantity: measure(value, "DZN")}})
		if len(got) != 1 || writtenDifference(got[0]) != want {
			t.Errorf("%s: %+v, want %s", value, got, want)
		}
	}
}

func TestCodesAreComparedAtTheDigitsOfTheForm(t *testing.T) {
	c := shirts()
	c.Items[0].HS = "62052010"
	for digits, want := range map[int]eco.DifferenceClass{0: eco.DifferenceIdentical, 6: eco.DifferenceIdentical, 8: eco.DifferenceMaterial} {
		if got := (eco.Comparison{Certificate: c, Digits: digits}).Lines([]eco.DeclaredLine{{Line: 1, Item: 1, HS: "62052020"}}); got[0].Class != want {
			t.Errorf("%d digits: %+v", digits, got)
		}
	}
}

// classOf is the class of two descriptions.
func classOf(declared, certified string) eco.DifferenceClass {
	c := eco.Certificate{Items: []eco.Item{{Number: 1, Description: certified}}}
	found := eco.CompareLines(c, []eco.DeclaredLine{{Line: 1, Item: 1, Description: declared}})
	if len(found) == 0 {
		return ""
	}
	return found[0].Class
}

func TestDescriptionsInOtherWriting(t *testing.T) {
	for declared, certified := range map[string]string{
		"frozen shrimps":                        "FROZEN SHRIMP",
		"Frozen  shrimps , headless":            "FROZEN SHRIMPS, HEADLESS",
		"ＬＣＤ ＭＯＮＩＴＯＲ　Ａ１０":                       "LCD MONITOR A10",
		"STEEL PIPES W/ FLANGES":                "STEEL PIPES WITH FLANGES",
		"NUTS & BOLTS, 5 KGS":                   "NUTS AND BOLTS 5KG",
		"ALUMINUM COLOR SHEET":                  "ALUMINIUM COLOUR SHEETS",
		"MACHINRY FOR PACKING":                  "MACHINERY FOR PACKING",
		"REFRIGERATER PARTS, ACCESORIES, MOTOR": "REFRIGERATER PARTS ACCESSORIES MOTOR",
		"EQUIPEMNT":                             "EQUIPMENT",
		"CAFÉ (ROASTED)":                        "CAFE\u0301 ROASTED",
		"ENGINE ASSY; 12 PCS":                   "ENGINE ASSEMBLY, 12 PIECES",
	} {
		if got := classOf(declared, certified); got != eco.DifferenceTypographic {
			t.Errorf("%q, %q: %s", declared, certified, got)
		}
	}
}

// materialPairs calls visit with the descriptions of testdata/hostile/differences, which look alike and are not.
func materialPairs(t testing.TB, visit func(name, declared, certified string)) {
	files, err := filepath.Glob("../testdata/hostile/differences/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
		if len(lines) != 3 || lines[0] != "# expect: material" {
			t.Fatalf("%s: want # expect: material, the declared description and the certified one", file)
		}
		visit(strings.TrimSuffix(filepath.Base(file), ".txt"), lines[1], lines[2])
	}
}

func TestDescriptionsThatLookAlikeAreMaterial(t *testing.T) {
	materialPairs(t, func(name, declared, certified string) {
		for _, pair := range [][2]string{{declared, certified}, {certified, declared}} {
			if got := classOf(pair[0], pair[1]); got != eco.DifferenceMaterial {
				t.Errorf("%s: %q, %q: %s", name, pair[0], pair[1], got)
			}
		}
	})
}

// A changed digit is never a typing error, wherever it stands.
func TestNumbersAreNeverTypographic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := []rune(rapid.StringMatching(`[A-Z]{3,9}( [A-Z]{2,9}| [A-Z]?[0-9]{1,5}(\.[0-9])?[A-Z]{0,2}){1,5} [0-9]`).Draw(t, "text"))
		var at []int
		for i, r := range text {
			if r >= '0' && r <= '9' {
				at = append(at, i)
			}
		}
		changed := append([]rune(nil), text...)
		i := rapid.SampledFrom(at).Draw(t, "at")
		changed[i] = '0' + (changed[i]-'0'+rune(rapid.IntRange(1, 9).Draw(t, "by")))%10
		if got := classOf(string(changed), string(text)); got != eco.DifferenceMaterial {
			t.Fatalf("%q, %q: %s", string(changed), string(text), got)
		}
	})
}

func FuzzCompareLines(f *testing.F) {
	materialPairs(f, func(_, declared, certified string) { f.Add(declared, certified, "620520", "10", "KGM") })
	f.Add("Mens shirts", "MEN'S SHIRTS", "6205.20", "12", "C62")
	f.Add("W/O", "W/ w/o/", ".", "1e9", "")
	f.Fuzz(func(t *testing.T, declared, certified, hs, value, unit string) {
		c := shirts()
		c.Items[0].Description, c.Items[0].GoodsText = certified, ""
		m := &eco.Measure{Value: eco.Decimal(value), Unit: unit}
		line := eco.DeclaredLine{Line: 1, Item: 1, HS: hs, Description: declared, Origin: unit, Quantity: m, NetWeight: m, Value: &eco.Amount{Value: m.Value, Currency: unit}, Packages: int64(len(value))}
		for _, d := range eco.CompareLines(c, []eco.DeclaredLine{line, line}) {
			if d.Minor != (d.Class == eco.DifferenceTypographic) || (d.Reason != "") != (d.Class == eco.DifferenceMaterial) || d.Text == "" && d.Class != eco.DifferenceIdentical {
				t.Errorf("%+v", d)
			}
		}
		there, back := classOf(declared, certified), classOf(certified, declared)
		if declared != "" && certified != "" && there != back {
			t.Errorf("%q, %q: %s, and the other way %s", declared, certified, there, back)
		}
		if there == eco.DifferenceTypographic && digitsOf(declared) != digitsOf(certified) {
			t.Errorf("%q, %q: typographic, with other digits", declared, certified)
		}
		if declared == certified && there != eco.DifferenceIdentical && declared != "" {
			t.Errorf("%q: %s with itself", declared, there)
		}
	})
}

// digitsOf are the digits of a text, in order.
func digitsOf(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, norm.NFKC.String(text))
}
