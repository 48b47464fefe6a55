package ubl_test

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/ubl"
)

const schemaFolder = "../../shared/ubl/xsd"

// openSchemas opens the OASIS schemas beside the checkout.
func openSchemas(t testing.TB) *ubl.Schemas {
	t.Helper()
	if _, err := os.Stat(schemaFolder); err != nil {
		t.Skip("the OASIS schemas are absent: ", err)
	}
	schemas, err := ubl.OpenSchemas(os.DirFS(schemaFolder))
	if err != nil {
		t.Fatal(err)
	}
	return schemas
}

// Our own check and the schemas say the same of every sample, under every version.
func TestStructureAgreesWithTheSchemasOnSamples(t *testing.T) {
	schemas := openSchemas(t)
	samples, err := filepath.Glob("../../shared/ubl/samples/*.xml")
	if err != nil || len(samples) == 0 {
		t.Fatal("no samples: ", err)
	}
	ours, err := filepath.Glob("../testdata/*/*.xml")
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range slices.Concat(samples, ours) {
		for _, version := range ubl.StructureVersions {
			t.Run(filepath.Base(sample)+"/"+version, func(t *testing.T) {
				doc, err := os.ReadFile(sample)
				if err != nil {
					t.Fatal(err)
				}
				if !declares(doc) {
					t.Skip("not a UBL document that UBL 2.0 and 2.1 have a schema for here")
				}
				compare(t, schemas, doc, version)
			})
		}
	}
}

// declares reports whether every version has a schema of the document.
func declares(doc []byte) bool { return bytes.Contains(doc, []byte("<CertificateOfOrigin")) }

// compare fails the test if our check and the schema differ.
func compare(t *testing.T, schemas *ubl.Schemas, doc []byte, version string) (valid bool) {
	t.Helper()
	want, err := schemas.Check(t.Context(), doc, version)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ubl.CheckStructure(doc, version)
	if err != nil {
		got = append(got, ubl.Fault{Text: err.Error()})
	}
	if (len(got) == 0) != (len(want) == 0) {
		t.Errorf("we find %v, the schema of %s %v", got, version, want)
	}
	return len(want) == 0
}

// Mutants of valid documents are judged alike.
func TestStructureAgreesWithTheSchemasOnMutants(t *testing.T) {
	schemas := openSchemas(t)
	const mutants = 400 // of each document
	seed := rand.Uint64()
	t.Log("seed ", seed)
	originals := []struct{ version, file string }{
		{"2.0", "../../shared/ubl/samples/mapped-form-d-ubl20.xml"},
		{"2.1", "../../shared/ubl/samples/mapped-form-d.xml"},
		{"2.4", "../../shared/ubl/samples/valid.xml"},
		{"2.1", "../testdata/responses/part.xml"},
		{"2.1", "../testdata/status-requests/whole.xml"},
		{"2.1", "../testdata/status-reports/used-in-part.xml"},
		{"2.4", "../testdata/verification-requests/doubt.xml"},
		{"2.4", "../testdata/verification-replies/refuted.xml"},
	}
	for i, original := range originals {
		t.Run(original.version+"/"+filepath.Base(original.file), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, uint64(i))) // its own, so that a seed finds the same mutants when run alone
			doc, err := os.ReadFile(original.file)
			if err != nil {
				t.Fatal(err)
			}
			tree := readTree(t, doc)
			valid := 0
			for range mutants {
				mutant := tree.clone()
				for range 1 + random.IntN(2) {
					mutant.mutate(random)
				}
				written := mutant.write()
				if compare(t, schemas, written, original.version) {
					valid++
				}
				if t.Failed() {
					t.Fatalf("seed %d\n%s", seed, written)
				}
			}
			t.Logf("%d mutants of %s, %d of them valid", mutants, filepath.Base(original.file), valid)
			if valid == 0 || valid == mutants {
				t.Error("want mutants of both kinds")
			}
		})
	}
}

// tree is a document that can be changed at random.
type tree struct {
	name     string
	attrs    []xml.Attr
	text     string
	children []*tree
}

func readTree(t *testing.T, doc []byte) *tree {
	t.Helper()
	decoder := xml.NewDecoder(bytes.NewReader(doc))
	open := []*tree{{}}
	for {
		token, err := decoder.RawToken()
		if err == io.EOF {
			return open[0].children[0]
		}
		if err != nil {
			t.Fatal(err)
		}
		top := open[len(open)-1]
		switch token := token.(type) {
		case xml.StartElement:
			n := &tree{name: qualified(token.Name), attrs: slices.Clone(token.Attr)}
			top.children = append(top.children, n)
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			top.text += strings.TrimSpace(string(token))
		}
	}
}

func qualified(name xml.Name) string { return strings.TrimPrefix(name.Space+":"+name.Local, ":") }

func (n *tree) clone() *tree {
	copied := &tree{name: n.name, attrs: slices.Clone(n.attrs), text: n.text}
	for _, child := range n.children {
		copied.children = append(copied.children, child.clone())
	}
	return copied
}

func (n *tree) all() []*tree {
	found := []*tree{n}
	for _, child := range n.children {
		found = append(found, child.all()...)
	}
	return found
}

// texts are values of which some are of some types.
var texts = []string{
	"", " ", "x", "1", " 12.50 ", "1,201.50", "-.5", "+5.", ".", "1e3", "true", "TRUE", "2026-02-28", "2026-02-29", "2024-02-29Z", "2026-1-5", "2026-01-15+14:00",
	"2026-01-15+14:01", "12026-01-15", "10:30:00", "24:00:00", "25:00:00", "10:30:00.5-03:00", "10:30", "YWJj", "YWJ", "USD", "KGM", "application/pdf", "de-AT", "ö",
}

// mutate makes one change at a random place.
func (n *tree) mutate(random *rand.Rand) {
	all := n.all()
	at := all[random.IntN(len(all))]
	pick := func() (int, bool) {
		if len(at.children) == 0 {
			return 0, false
		}
		return random.IntN(len(at.children)), true
	}
	switch i, parent := pick(); random.IntN(9) {
	case 0:
		if parent {
			at.children = slices.Delete(at.children, i, i+1)
		}
	case 1:
		if parent {
			at.children = slices.Insert(at.children, i, at.children[i].clone())
		}
	case 2:
		if parent {
			j := random.IntN(len(at.children))
			at.children[i], at.children[j] = at.children[j], at.children[i]
		}
	case 3:
		from := all[random.IntN(len(all))].clone()
		at.children = slices.Insert(at.children, i, from)
	case 4:
		if at != n {
			at.name = all[1+random.IntN(len(all)-1)].name
		}
	case 5:
		at.text = texts[random.IntN(len(texts))]
	case 6:
		if len(at.attrs) > 0 && at != n {
			at.attrs = slices.Delete(at.attrs, 0, 1)
		}
	case 7:
		names := []string{"languageID", "unitCode", "currencyID", "listID", "schemeID", "mimeCode", "unknown"}
		name := names[random.IntN(len(names))]
		if !slices.ContainsFunc(at.attrs, func(a xml.Attr) bool { return a.Name.Local == name }) {
			at.attrs = append(at.attrs, xml.Attr{Name: xml.Name{Local: name}, Value: texts[random.IntN(len(texts))]})
		}
	case 8:
		if len(at.attrs) > 0 && at != n {
			at.attrs[0].Value = texts[random.IntN(len(texts))]
		}
	}
}

func (n *tree) write() []byte {
	var out bytes.Buffer
	var write func(*tree)
	write = func(n *tree) {
		fmt.Fprintf(&out, "<%s", n.name)
		for _, a := range n.attrs {
			fmt.Fprintf(&out, " %s=\"", qualified(a.Name))
			_ = xml.EscapeText(&out, []byte(a.Value))
			out.WriteString("\"")
		}
		out.WriteString(">")
		_ = xml.EscapeText(&out, []byte(n.text))
		for _, child := range n.children {
			write(child)
			out.WriteString("\n")
		}
		fmt.Fprintf(&out, "</%s>", n.name)
	}
	write(n)
	return out.Bytes()
}

// TestHostileStructures reads the files of testdata/hostile/structure, which have the shape of those for Unmarshal: the fault must be among
// those found, at a line and column of the document.
func TestHostileStructures(t *testing.T) {
	for _, file := range ecotest.Files(t, "hostile/structure/*.txt") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			h := readHostile(t, file)
			faults, err := ubl.CheckStructure(h.document, cmp.Or(h.version, "2.1"))
			if err != nil {
				t.Fatal(err)
			}
			if len(h.expects) != 1 || !slices.ContainsFunc(faults, func(f ubl.Fault) bool {
				return strings.Contains(f.Path+": "+f.Text, h.expects[0])
			}) {
				t.Errorf("got %v, want %q", faults, h.expects)
			}
			lines := bytes.Split(h.document, []byte("\n"))
			for _, f := range faults {
				if f.Line < 1 || f.Line > len(lines) || !bytes.HasPrefix(lines[f.Line-1][f.Column-1:], []byte("<")) {
					t.Errorf("%v: no tag begins there", f)
				}
			}
		})
	}
}

func TestStructureRefusesWhatItCannotRead(t *testing.T) {
	for name, test := range map[string]struct{ doc, version, want string }{
		"no XML":          {"certificate", "2.1", "want nothing around the document element"},
		"unknown version": {"<a/>", "3.0", "want UBL version 2.0, 2.1, 2.4"},
		"empty namespace": {`<a xmlns:b=""/>`, "2.1", "want a namespace for prefix"},
		"no namespace":    {`<a b:c="1"/>`, "2.1", "is not declared"},
	} {
		t.Run(name, func(t *testing.T) {
			if faults, err := ubl.CheckStructure([]byte(test.doc), test.version); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, %v, want an error with %q", faults, err, test.want)
			}
		})
	}
}

// The faults of a document with many are bounded.
func TestStructureTellsOfManyFaultsOnce(t *testing.T) {
	doc := []byte(`<CertificateOfOrigin xmlns="urn:oasis:names:specification:ubl:schema:xsd:CertificateOfOrigin-2">` + strings.Repeat("<x/>", 5000) + `</CertificateOfOrigin>`)
	faults, err := ubl.CheckStructure(doc, "2.1")
	if err != nil || len(faults) != ubl.MaxFaults {
		t.Errorf("%d faults, %v; want %d", len(faults), err, ubl.MaxFaults)
	}
}

// The tables are those that the schemas give.
func TestStructureTablesAreThoseOfTheSchemas(t *testing.T) {
	if _, err := os.Stat(schemaFolder); err != nil {
		t.Skip("the OASIS schemas are absent: ", err)
	}
	for _, version := range ubl.StructureVersions {
		made := filepath.Join(t.TempDir(), version+".txt")
		run := exec.Command("go", "run", "./internal/structuregen", version, filepath.Join(schemaFolder, version), made)
		if out, err := run.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		want, err := os.ReadFile(made)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile("structure/" + version + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("structure/%s.txt is not what go generate ./ubl makes", version)
		}
	}
}

func TestSchemasTellWhereAFaultIs(t *testing.T) {
	schemas := openSchemas(t)
	doc, err := os.ReadFile("../../shared/ubl/samples/bad-date.xml")
	if err != nil {
		t.Fatal(err)
	}
	faults, err := schemas.Check(t.Context(), doc, "2.1")
	if err != nil || len(faults) == 0 || faults[0].Line != 24 || faults[0].Column != 28 || !strings.Contains(faults[0].Path, "IssueDate") {
		t.Errorf("got %v, %v", faults, err)
	}
	if _, err := schemas.Check(t.Context(), doc, "2.9"); err == nil || !strings.Contains(err.Error(), "want schemas of UBL 2.9, found those of 2.0, 2.1, 2.3, 2.4") {
		t.Errorf("another version: %v", err)
	}
	if err := schemas.Compile(); err != nil {
		t.Error(err)
	}
}

func TestFolderWithoutSchemasIsRefused(t *testing.T) {
	if _, err := ubl.OpenSchemas(fstest.MapFS{"2.1/readme.txt": {}}); err == nil || !strings.Contains(err.Error(), "found none") {
		t.Error(err)
	}
	broken, err := ubl.OpenSchemas(fstest.MapFS{"2.1/maindoc/UBL-CertificateOfOrigin-2.1.xsd": {Data: []byte("<xsd")}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := broken.Check(t.Context(), []byte("<a/>"), "2.1"); err == nil || !strings.Contains(err.Error(), "schemas of UBL 2.1") {
		t.Error(err)
	}
	if err := broken.Compile(); err == nil {
		t.Error("broken schemas compile")
	}
}

func FuzzCheckStructure(f *testing.F) {
	for _, file := range slices.Concat(ecotest.Files(f, "hostile/structure/*.txt"), ecotest.Files(f, "hostile/ubl/*.txt")) {
		f.Add(readHostile(f, file).document)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		for _, version := range ubl.StructureVersions {
			faults, err := ubl.CheckStructure(doc, version)
			if err != nil {
				return
			}
			for _, fault := range faults {
				if fault.Line < 1 || fault.Column < 1 || fault.Path == "" || fault.Text == "" {
					t.Errorf("%+v", fault)
				}
			}
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	_, doc := sized(b, 20<<10)
	b.Run("structure", func(b *testing.B) {
		b.SetBytes(int64(len(doc)))
		for b.Loop() {
			if faults, err := ubl.CheckStructure(doc, "2.1"); err != nil || faults != nil {
				b.Fatal(faults, err)
			}
		}
	})
	b.Run("schemas", func(b *testing.B) {
		schemas := openSchemas(b)
		if err := schemas.Compile(); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(doc)))
		for b.Loop() {
			if faults, err := schemas.Check(b.Context(), doc, "2.1"); err != nil || faults != nil {
				b.Fatal(faults, err)
			}
		}
	})
}
