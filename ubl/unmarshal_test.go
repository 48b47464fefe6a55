package ubl_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/beevik/etree"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/ubl"
)

// hostile is a file of testdata/hostile/ubl. It says why it is hostile and what must come of it:
//
//	# why
//	base: a document of testdata/certificates, in which each section "old" is replaced by the "new" after it everywhere;
//	error: parts of the error's text, separated by ": ", or
//	expect: code and path of a finding, all of them, "error" in front of those that are not warnings, and
//	want: path = JSON value, of the certificate that is read
//
// A file without base holds the document itself. Files whose names begin with answer- are about answers, and their base is
// of testdata/answers.
type hostile struct {
	answer         bool
	document       []byte
	errorText      string
	version        string // of UBL, for files of testdata/hostile/structure
	expects, wants []string
}

func readHostile(t testing.TB, file string) hostile {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	archive := txtar.Parse(data)
	h := hostile{answer: strings.HasPrefix(filepath.Base(file), "answer-")}
	for line := range strings.Lines(string(archive.Comment)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "base":
			if h.answer {
				h.document = marshalAnswer(t, ecotest.LoadAnswer(t, value))
			} else {
				h.document = marshal(t, ecotest.Load(t, value))
			}
		case "error":
			h.errorText = value
		case "expect":
			h.expects = append(h.expects, value)
		case "version":
			h.version = value
		case "want":
			h.wants = append(h.wants, value)
		default:
			if !strings.HasPrefix(line, "#") {
				t.Fatalf("%s: line %q", file, line)
			}
		}
	}
	var old []byte
	for _, section := range archive.Files {
		content := bytes.TrimSuffix(section.Data, []byte("\n"))
		switch section.Name {
		case "document.xml":
			h.document = content
		case "old":
			old = content
		case "new":
			if !bytes.Contains(h.document, old) {
				t.Fatalf("%s: %q is not in the document", file, old)
			}
			h.document = bytes.ReplaceAll(h.document, old, content)
		}
	}
	return h
}

// unmarshal reads the document as what the file is about.
func (h hostile) unmarshal() (any, []eco.Finding, error) {
	if h.answer {
		return ubl.UnmarshalAnswer(h.document, eco.DefaultForms())
	}
	return ubl.Unmarshal(h.document, eco.DefaultForms())
}

func TestHostileDocuments(t *testing.T) {
	for _, file := range ecotest.Files(t, "hostile/ubl/*.txt") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			h := readHostile(t, file)
			read, findings, err := h.unmarshal()
			if h.errorText != "" {
				if err == nil || !strings.Contains(err.Error(), h.errorText) {
					t.Errorf("got %v, want an error with %q", err, h.errorText)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, f := range findings {
				what := f.Code + " " + f.Path
				if f.Severity != eco.SeverityWarning {
					what = string(f.Severity) + " " + what
				}
				found = append(found, what)
				if f.Text == "" {
					t.Errorf("%+v", f)
				}
			}
			slices.Sort(found)
			slices.Sort(h.expects)
			if diff := cmp.Diff(h.expects, found); diff != "" {
				t.Error(diff)
			}
			for _, want := range h.wants {
				path, value, _ := strings.Cut(want, " = ")
				if got := valueAt(t, read, path); got != value {
					t.Errorf("%s is %s, want %s", path, got, value)
				}
			}
		})
	}
}

// valueAt is the JSON value at a path such as items.0.hs in the JSON form of read; `""` when there is none.
func valueAt(t *testing.T, read any, path string) string {
	t.Helper()
	at, err := json.Marshal(read)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Split(path, ".") {
		if n, err := strconv.Atoi(name); err == nil {
			var list []json.RawMessage
			if err := json.Unmarshal(at, &list); err != nil || n >= len(list) {
				t.Fatalf("%s: %s has no entry %d", path, at, n)
			}
			at = list[n]
			continue
		}
		var object map[string]json.RawMessage
		if err := json.Unmarshal(at, &object); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if at = object[name]; at == nil {
			return `""`
		}
	}
	return string(at)
}

// TestForeignDocuments reads documents that were written by others, with the mapping in mind but without our extension.
func TestForeignDocuments(t *testing.T) {
	samples := filepath.Join(ecotest.Root(t), "..", "shared", "ubl", "samples")
	if _, err := os.Stat(samples); err != nil {
		t.Skipf("the samples are not there: %v", err)
	}
	readSample := func(t *testing.T, name string) eco.Certificate {
		t.Helper()
		doc, err := os.ReadFile(filepath.Join(samples, name))
		if err != nil {
			t.Fatal(err)
		}
		c, findings, err := ubl.Unmarshal(doc, eco.DefaultForms())
		if err != nil {
			t.Fatal(err)
		}
		if eco.HasErrors(findings) {
			t.Error(findings)
		}
		return c
	}
	for _, name := range []string{"mapped-form-d.xml", "mapped-form-d-ubl20.xml", "mapped-form-d-with-pdf.xml"} {
		t.Run(name, func(t *testing.T) {
			c := readSample(t, name)
			if c.Form != eco.FormATIGA || !c.Flags[eco.FlagThirdCountryInvoicing] || !c.Flags[eco.FlagIssuedRetroactively] || c.Flags[eco.FlagBackToBack] {
				t.Errorf("form %s, flags %v", c.Form, c.Flags)
			}
			item := c.Items[0]
			if item.HS != "732410" || item.Marks != "LION/SIN/1-21" || item.Packages != 21 || item.FOB == nil || item.FOB.Value != "1201.50" {
				t.Errorf("item %+v", item)
			}
			if !slices.Equal(item.Criteria, []eco.Criterion{{Code: "RVC", Percent: "45.20"}}) {
				t.Errorf("criteria %v", item.Criteria)
			}
			if want := (eco.Date{Year: 2026, Month: 1, Day: 12}); c.Transport.DepartureDate != want || c.Transport.LoadingPort.Name != "PORT KLANG" {
				t.Errorf("transport %+v", c.Transport)
			}
			if c.Importer != nil || c.Consignee.Address.Country != "SG" || c.Invoices[0].Number != "TAIPEI-INV-7" {
				t.Errorf("consignee %+v, importer %+v, invoices %+v", c.Consignee, c.Importer, c.Invoices)
			}
			for _, f := range eco.Validate(c, eco.DefaultForms(), eco.Quirks{}, ecotest.Now()) {
				if f.Severity == eco.SeverityError && f.Path != "issuing_body.id" && f.Code != eco.CodeThirdParty {
					t.Errorf("%+v", f)
				}
			}
		})
	}
	for _, name := range []string{"valid.xml", "valid-20k.xml", "valid-big.xml", "ok-foreign-ext.xml"} {
		t.Run(name, func(t *testing.T) {
			if c := readSample(t, name); c.Reference == "" || len(c.Items) == 0 {
				t.Errorf("read %+v", c)
			}
		})
	}
	for _, name := range []string{"bad-date.xml", "bad-date2.xml", "bad-decimal.xml", "bad-ns.xml", "bad-wellformed.xml", "bad-missing.xml"} {
		t.Run(name, func(t *testing.T) {
			doc, err := os.ReadFile(filepath.Join(samples, name))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := ubl.Unmarshal(doc, eco.DefaultForms()); err == nil {
				t.Error("it is read without an error")
			}
		})
	}
}

func TestFindingsAreBounded(t *testing.T) {
	doc := string(marshal(t, ecotest.Load(t, "lao-gsp-a")))
	var strange strings.Builder
	for n := range 500 {
		fmt.Fprintf(&strange, "<cbc:Strange%d>1</cbc:Strange%d>", n, n)
	}
	doc = strings.Replace(doc, "</CertificateOfOrigin>", strange.String()+"</CertificateOfOrigin>", 1)
	_, findings, err := ubl.Unmarshal([]byte(doc), eco.DefaultForms())
	if err != nil || len(findings) != 50 {
		t.Errorf("%d findings, %v; want 50", len(findings), err)
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, name := range ecotest.Names(f) {
		f.Add(marshal(f, ecotest.Load(f, name)))
	}
	for _, file := range ecotest.Files(f, "hostile/ubl/*.txt") {
		f.Add(readHostile(f, file).document)
	}
	f.Fuzz(func(t *testing.T, doc []byte) { checkRewritable(t, doc) })
}

// checkRewritable reads a document. What can be read and follows its form can be written too, whoever wrote it first, and
// is the same certificate then.
func checkRewritable(t rapid.TB, doc []byte) {
	c, _, err := ubl.Unmarshal(doc, eco.DefaultForms())
	if err != nil || eco.HasErrors(eco.Validate(c, eco.DefaultForms(), eco.Quirks{}, ecotest.Now())) {
		return
	}
	again, err := ubl.Marshal(c, eco.DefaultForms())
	if err != nil {
		t.Fatal(err)
	}
	back, findings, err := ubl.Unmarshal(again, eco.DefaultForms())
	if err != nil || len(findings) > 0 {
		t.Fatal(err, findings)
	}
	if diff := cmp.Diff(c, back, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

// TestDamagedDocumentsAreReadOrRefused changes documents at random places, which a fuzzer of octets hardly does without
// breaking the XML.
func TestDamagedDocumentsAreReadOrRefused(t *testing.T) {
	var documents []string
	for _, name := range ecotest.Names(t) {
		documents = append(documents, string(marshal(t, ecotest.Load(t, name))))
	}
	texts := []string{"", " ", "0", "-1", "2026-02-30", "99999999999999999999", "true", "\n", "LA", "380", "é", "OriginCriterion"}
	rapid.Check(t, func(t *rapid.T) {
		tree := etree.NewDocument()
		if err := tree.ReadFromString(rapid.SampledFrom(documents).Draw(t, "document")); err != nil {
			t.Fatal(err)
		}
		damage(t, tree, texts)
		doc, err := tree.WriteToBytes()
		if err != nil {
			t.Fatal(err)
		}
		checkRewritable(t, doc)
	})
}

// damage changes one to six elements below the document element, some of them to hold one of texts.
func damage(t *rapid.T, tree *etree.Document, texts []string) {
	for range rapid.IntRange(1, 6).Draw(t, "damages") {
		elements := tree.FindElements("/*//*")
		if len(elements) == 0 {
			break
		}
		e := rapid.SampledFrom(elements).Draw(t, "element")
		switch rapid.SampledFrom([]string{"remove", "repeat", "text", "move", "rename", "attribute"}).Draw(t, "damage") {
		case "remove":
			e.Parent().RemoveChild(e)
		case "repeat":
			e.Parent().AddChild(e.Copy())
		case "text":
			e.SetText(rapid.SampledFrom(texts).Draw(t, "text"))
		case "move":
			tree.Root().AddChild(e)
		case "rename":
			e.Tag = rapid.SampledFrom(elements).Draw(t, "name").Tag
		case "attribute":
			e.Attr = nil
		}
	}
}

// Names are kept once, whatever they are long, and so are the remarks about elements of one name.
func TestManyElementsOfALongName(t *testing.T) {
	root := `<CertificateOfOrigin xmlns:x="urn:` + strings.Repeat("x", 1000) + `" `
	doc := bytes.Replace(marshal(t, ecotest.Load(t, "atiga-form-d")), []byte("<CertificateOfOrigin "), []byte(root), 1)
	with := func(n int) []byte {
		return bytes.Replace(doc, []byte("<cbc:UUID>"), []byte(strings.Repeat("<x:a/>", n)+"<cbc:UUID>"), 1)
	}
	_, findings, err := ubl.Unmarshal(with(10_000), eco.DefaultForms())
	if err != nil || len(findings) != 1 || !strings.HasSuffix(findings[0].Path, "xxx}a[1]") {
		t.Errorf("%d findings, %v; want one about the first foreign element", len(findings), err)
	}
	if _, _, err := ubl.Unmarshal(with(250_000), eco.DefaultForms()); err == nil || !strings.Contains(err.Error(), "at most 250000 elements") {
		t.Errorf("error %v", err)
	}
}
