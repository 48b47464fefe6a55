package intake_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/intake"
)

// edi3 reads a file of the UN/CEFACT project.
func edi3(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("../../shared/ubl/edi3/" + name)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("../shared/ubl/edi3 is absent: the samples of the UN/CEFACT project are not read")
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// leaves are the values of a JSON document by their paths.
func leaves(at any, path string, out map[string]string) {
	switch at := at.(type) {
	case map[string]any:
		for name, value := range at {
			leaves(value, strings.TrimPrefix(path+"."+name, "."), out)
		}
	case []any:
		for i, value := range at {
			leaves(value, fmt.Sprintf("%s[%d]", path, i), out)
		}
	default:
		out[path] = fmt.Sprint(at)
	}
}

// TestUNCEFACTLosesNothing: each value of a sample stands in the certificate, or is listed; of a value that was parted, both parts are.
func TestUNCEFACTLosesNothing(t *testing.T) {
	for _, name := range []string{"CertificateOfOrigin.sampleFull.json", "CertificateOfOrigin.sampleMinimal.json"} {
		t.Run(name, func(t *testing.T) {
			data := edi3(t, name)
			i, err := intake.UNCEFACT(data, eco.DefaultForms())
			if err != nil {
				t.Fatal(err)
			}
			listed := map[string]string{}
			for _, f := range i.Unplaced {
				listed[f.Path] = f.Value
			}
			var document any
			if err := json.Unmarshal(data, &document); err != nil {
				t.Fatal(err)
			}
			all := map[string]string{}
			leaves(document, "", all)
			placed, repeated := valuesByPlace(t, i), map[string]bool{}
			for _, path := range slices.Sorted(maps.Keys(all)) {
				value := all[path]
				_, last, _ := cutLast(path)
				same := last + " " + value + " " + listed[path] // the date of an invoice stands beside each line of it
				switch {
				case listed[path] == value, knownMeanings[path]:
				case kept(value, placed[path], listed[path]):
					repeated[same] = true
				case !repeated[same]:
					t.Errorf("%s = %q: in the certificate is %q, listed is %q", path, value, placed[path], listed[path])
				}
				delete(listed, path)
			}
			if len(listed) > 0 {
				t.Errorf("listed, and not in the file: %v", listed)
			}
		})
	}
}

// knownMeanings are the values that become something else than text: a status, a form.
var knownMeanings = map[string]bool{"status": true, "isPreferential": true}

// kept reports whether what stands in the certificate and what is listed are together all of value.
func kept(value string, placed []string, listed string) bool {
	bare := strings.NewReplacer(".", "", ":", "", "T", "", "Z", "").Replace
	whole := bare(strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(value, "id:"), "unece.un.org:locode:"), "iata.org:"))
	for _, p := range placed {
		if strings.Contains(p, value) || slices.Contains([]string{bare(p), bare(p) + bare(listed), bare(listed) + bare(p)}, whole) {
			return true
		}
	}
	return bare(strings.Join(placed, "")) == whole
}

// valuesByPlace are the certificate's values by the places that they came from.
func valuesByPlace(t *testing.T, i intake.Import) map[string][]string {
	t.Helper()
	data, err := json.Marshal(i.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	leaves(tree, "", values)
	out := map[string][]string{}
	paths := make([]string, 0, len(values))
	for path := range values {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		out[i.Place(path)] = append(out[i.Place(path)], values[path])
	}
	// A line of an address may come from two values; the other one is found by the line, too.
	for _, path := range paths {
		if strings.Contains(path, ".lines[") {
			for _, sibling := range []string{"countrySubDivisionName", "postcode"} {
				if at, last, found := cutLast(i.Place(path)); found && (last == "postcode" || last == "countrySubDivisionName") {
					out[at+"."+sibling] = append(out[at+"."+sibling], values[path])
				}
			}
		}
	}
	return out
}

func cutLast(path string) (before, last string, found bool) {
	at := strings.LastIndexByte(path, '.')
	if at < 0 {
		return "", path, false
	}
	return path[:at], path[at+1:], true
}

func TestUNCEFACTSample(t *testing.T) {
	i, err := intake.UNCEFACT(edi3(t, "CertificateOfOrigin.sampleFull.json"), eco.DefaultForms())
	if err != nil {
		t.Fatal(err)
	}
	c := i.Certificate
	want := eco.Certificate{
		Form: "CHAFTA", Reference: "WBC208897", Status: eco.StatusOriginal, IssuingCountry: "AU",
		IssuedAt: eco.Date{Year: 2020, Month: 6, Day: 3}, IssueTime: "00:46:34Z",
		ExportingCountry: "AU", ImportingCountry: "CN", Remarks: "6 pallets of fine wine, please store below 20 DegC",
		Documents: []eco.Document{{Type: "703", Number: "DBS626578"}},
		Invoices: []eco.Invoice{
			{Number: "1122345", Date: eco.Date{Year: 2020, Month: 6, Day: 2}}, {Number: "8877654", Date: eco.Date{Year: 2020, Month: 6, Day: 5}},
		},
		Declaration:   eco.Declaration{Name: "TREASURY WINE ESTATES VINTNERS LIMITED", Date: eco.Date{Year: 2020, Month: 5, Day: 29}},
		Certification: eco.Certification{Officer: "Australian Grape and Wine Incorporated", Place: "Adelaide"},
	}
	want.IssuingBody, want.Exporter, want.Consignee, want.Transport, want.Items = c.IssuingBody, c.Exporter, c.Consignee, c.Transport, c.Items
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("certificate (-want +got):\n%s", diff)
	}
	if got, want := c.Exporter.Identifiers, []eco.Identifier{{Scheme: "abr.gov.au:abn", Value: "55004094599"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("exporter's numbers are %v, want %v", got, want)
	}
	if got := c.Consignee.Address; !reflect.DeepEqual(got.Lines, []string{"Room 202, Man Po International Business Center", "No. 664 Xin Hua Rd, Changning District", "200052"}) || got.City != "Shanghai" || got.Country != "CN" {
		t.Errorf("consignee's address is %+v", got)
	}
	if tr := c.Transport; tr.Mode != "4" || tr.Journey != "CX104" || tr.Vessel != "" || tr.LoadingPort != (eco.Location{Code: "AUMEL", Name: "Melbourne"}) || tr.DepartureDate.String() != "2020-06-20" {
		t.Errorf("transport is %+v", tr)
	}
	if len(c.Items) != 3 {
		t.Fatalf("%d items, want 3", len(c.Items))
	}
	item := c.Items[2]
	if item.Number != 3 || item.HS != "220421" || item.CriterionText != "PSR" || item.OriginCountry != "AU" || item.Producer.Name != "Lindemans wine" || !reflect.DeepEqual(item.Invoices, []string{"8877654"}) {
		t.Errorf("item 3 is %+v", item)
	}
	if c.Items[1].PackageText != "" || c.Items[0].PackageText == "" {
		t.Error("the packages of two lines stand not with the first of them")
	}
	// An agreement that this program does not know is for Validate to complain about.
	if findings := eco.Validate(c, eco.DefaultForms(), eco.Quirks{}, ecotest.Now()); !slices.ContainsFunc(findings, func(f eco.Finding) bool { return f.Code == eco.CodeForm }) {
		t.Errorf("no finding about the form in %v", findings)
	}
}

func TestUNCEFACTListsUnknownMembers(t *testing.T) {
	data := bytes.Replace(edi3(t, "CertificateOfOrigin.sampleMinimal.json"), []byte(`"isPreferential"`), []byte(`"newest": {"a": [1, {"b": null}], "c": {}}, "isPreferential"`), 1)
	i, err := intake.UNCEFACT(data, eco.DefaultForms())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []intake.Field{{Path: "newest.a[0]", Value: "1"}, {Path: "newest.a[1].b", Value: "null"}, {Path: "newest.c", Value: "{}"}} {
		if !slices.Contains(i.Unplaced, want) {
			t.Errorf("%v is not listed in %v", want, i.Unplaced)
		}
	}
}

func FuzzUNCEFACT(f *testing.F) {
	f.Add(edi3(f, "CertificateOfOrigin.sampleFull.json"))
	f.Add(edi3(f, "CertificateOfOrigin.sampleMinimal.json"))
	for _, h := range hostileFiles(f, intake.FormatUNCEFACT) {
		f.Add(h.data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		i, err := intake.UNCEFACT(data, eco.DefaultForms())
		if err != nil {
			refusedWithPlace(t, err)
			return
		}
		eco.Validate(i.Certificate, eco.DefaultForms(), eco.Quirks{}, ecotest.Now())
		if !json.Valid(data) {
			t.Errorf("took %q, which is not JSON", data)
		}
	})
}
