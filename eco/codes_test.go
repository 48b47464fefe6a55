package eco_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
)

// Every row of every table is found, says what its columns say, and stands where the search looks for it.
func TestEveryCodeIsFound(t *testing.T) {
	counts := map[eco.CodeList]int{
		eco.ListCountries: 249, eco.ListCurrencies: 183, eco.ListUnits: 2116, eco.ListPackages: 378, eco.ListModes: 10,
	}
	for _, list := range eco.CodeLists() {
		text, err := os.ReadFile(filepath.Join("codelists", string(list)+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		var codes []string
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "#") {
				continue
			}
			fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
			codes = append(codes, fields[0])
			found, ok := eco.Codes{}.Find(list, fields[0])
			if !ok || found.Code != fields[0] || found.Name == "" || !strings.Contains(line, "\t"+found.Name) || found.Withdrawn != strings.HasSuffix(line, "\twithdrawn\n") {
				t.Errorf("%s, %q: %+v, %t", list, line, found, ok)
			}
		}
		if want, counted := counts[list]; counted && len(codes) != want {
			t.Errorf("%s: %d codes, want %d", list, len(codes), want)
		}
		if !slices.IsSorted(codes) || len(slices.Compact(codes)) != len(codes) {
			t.Errorf("%s is not sorted, or has a code twice", list)
		}
		if e := eco.EditionOf(list); e.Name == "" || e.Version == "" || !regexp.MustCompile(`^20\d\d(-\d\d-\d\d)?$`).MatchString(e.Date) {
			t.Errorf("%s: %+v", list, e)
		}
	}
	for _, code := range []string{"", "#", "# list: ISO 3166-1", "A", "KR ", "kr", "KR\tKOR", "ZZZZ", "\xff", "Ä"} {
		for _, list := range append(eco.CodeLists(), "none") {
			if found, ok := (eco.Codes{}).Find(list, code); ok {
				t.Errorf("%s has %q: %+v", list, code, found)
			}
		}
	}
}

func TestCodesSayWhatIsNeeded(t *testing.T) {
	digits := map[string]int{"KRW": 0, "VND": 0, "JPY": 0, "USD": 2, "TWD": 2, "LAK": 2, "KWD": 3, "CLF": 4, "XAU": -1, "VED": 2, "SLE": 2, "ZWG": 2, "XCG": 2}
	for code, want := range digits {
		if found, ok := (eco.Codes{}).Find(eco.ListCurrencies, code); !ok || found.Digits != want || found.Withdrawn {
			t.Errorf("%s: %+v, want %d minor units", code, found, want)
		}
	}
	tests := []struct {
		list       eco.CodeList
		code, name string
		withdrawn  bool
	}{
		{eco.ListCountries, "LA", "Lao People's Democratic Republic (the)", false},
		{eco.ListUnits, "KGM", "kilogram", false},
		{eco.ListUnits, "CT", "carton", true},
		{eco.ListUnits, "XCT", "Carton", false},
		{eco.ListPackages, "CT", "Carton", false},
		{eco.ListModes, "1", "Maritime transport", false},
		{eco.ListCurrencies, "HRK", "Kuna", true},
		{eco.ListDocuments, "861", "certificate of origin", false},
		{eco.ListFunctions, "9", "original", false},
		{eco.ListStatuses, "12", "exhausted by declaration and attached", false},
	}
	for _, tt := range tests {
		if found, ok := (eco.Codes{}).Find(tt.list, tt.code); !ok || found.Name != tt.name || found.Withdrawn != tt.withdrawn {
			t.Errorf("%s: %+v, %t", tt.code, found, ok)
		}
	}
	if found, _ := (eco.Codes{}).Find(eco.ListCountries, "KR"); found.Alpha3 != "KOR" {
		t.Errorf("%+v", found)
	}
	for _, code := range []string{"PCE", "XZ9", "X", "XX"} {
		if found, ok := (eco.Codes{}).Find(eco.ListUnits, code); ok {
			t.Errorf("unit %q: %+v", code, found)
		}
	}
}

func TestUnitsThatConvertAreListed(t *testing.T) {
	for _, unit := range eco.ConvertibleUnits() {
		if _, ok := (eco.Codes{}).Find(eco.ListUnits, unit); !ok {
			t.Errorf("%s is not in Recommendation 20", unit)
		}
	}
}

func TestConfigurationAddsCodes(t *testing.T) {
	codes, err := eco.CodesFrom(fstest.MapFS{
		"units.txt":      {Data: []byte("# ours\r\n\r\nPCE\tpiece\tused by partner TW\r\n")},
		"countries.txt":  {Data: []byte("\ufeffEU\tEUE\tEuropean Union\n")},
		"currencies.txt": {Data: []byte("KRW\t2\tWon\twithdrawn")},
		"README.md":      {Data: []byte("no list")},
	}, "lists")
	if err != nil {
		t.Fatal(err)
	}
	if unit, ok := codes.Find(eco.ListUnits, "PCE"); !ok || unit.Name != "piece" || unit.Note != "used by partner TW" {
		t.Errorf("%+v", unit)
	}
	if country, ok := codes.Find(eco.ListCountries, "EU"); !ok || country.Alpha3 != "EUE" || country.Note != "" {
		t.Errorf("%+v", country)
	}
	if won, _ := codes.Find(eco.ListCurrencies, "KRW"); won.Digits != 2 || !won.Withdrawn {
		t.Errorf("%+v", won)
	}
	if _, ok := codes.Find(eco.ListUnits, "KGM"); !ok || len(codes.Added(eco.ListUnits)) != 1 || codes.Added(eco.ListPackages) != nil {
		t.Errorf("%t, %+v", ok, codes.Added(eco.ListUnits))
	}
	if _, ok := (eco.Codes{}).Find(eco.ListUnits, "PCE"); ok {
		t.Error("a configuration changes the published list")
	}
	if _, err := eco.CodesFrom(os.DirFS(filepath.Join(t.TempDir(), "nowhere")), "lists"); err == nil {
		t.Error("a folder that is not there was read")
	}
}

// A file of testdata/hostile/codelists is a folder of code lists; each "error:" of its head is a problem that must come, and
// no other may.
func TestHostileCodeListsAreRefused(t *testing.T) {
	for _, file := range ecotest.Files(t, "hostile/codelists/*.txt") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			archive := txtar.Parse(data)
			folder := fstest.MapFS{}
			for _, f := range archive.Files {
				folder[f.Name] = &fstest.MapFile{Data: unquoted(f.Data)}
			}
			var want []string
			for line := range strings.Lines(string(archive.Comment)) {
				if text, ok := strings.CutPrefix(strings.TrimSpace(line), "error: "); ok {
					want = append(want, text)
				}
			}
			_, err = eco.CodesFrom(folder, "lists")
			var wrong *eco.CodesError
			if !errors.As(err, &wrong) || len(wrong.Problems) != len(want) {
				t.Fatalf("got %v, want %q", err, want)
			}
			for i, problem := range wrong.Problems {
				if told := problem.Place + ": " + problem.Text; !strings.Contains(told, want[i]) {
					t.Errorf("got %q, want %q", told, want[i])
				}
			}
		})
	}
}

// unquoted lets a file of text hold octets that are none, as \xff, and long runs, as \x20*600.
func unquoted(data []byte) []byte {
	return regexp.MustCompile(`\\x[0-9a-f]{2}(\*[0-9]+)?`).ReplaceAllFunc(data, func(escape []byte) []byte {
		var octet byte
		for _, digit := range escape[2:4] {
			octet = octet<<4 | byte(strings.IndexByte("0123456789abcdef", digit))
		}
		times := 0
		for _, digit := range escape[4:] {
			if digit != '*' {
				times = times*10 + int(digit-'0')
			}
		}
		return []byte(strings.Repeat(string([]byte{octet}), max(times, 1)))
	})
}

func FuzzCodesFrom(f *testing.F) {
	for _, file := range ecotest.Files(f, "hostile/codelists/*.txt") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, list := range txtar.Parse(data).Files {
			f.Add(list.Name, unquoted(list.Data))
		}
	}
	f.Add("units.txt", []byte("PCE\tpiece\tused by partner TW\n"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		if name == "" || strings.ContainsAny(name, "/\\") || name == "." || name == ".." {
			return
		}
		codes, err := eco.CodesFrom(fstest.MapFS{name: {Data: data}}, "lists")
		if err != nil {
			return
		}
		for _, list := range eco.CodeLists() {
			for _, added := range codes.Added(list) {
				if found, ok := codes.Find(list, added.Code); !ok || found != added || added.Name == "" {
					t.Errorf("%s %q: %+v, %t", list, added.Code, found, ok)
				}
			}
		}
	})
}
