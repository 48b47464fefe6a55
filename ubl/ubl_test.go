package ubl_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beevik/etree"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/ubl"
)

var update = flag.Bool("update", false, "write the documents of testdata/certificates and testdata/answers anew")

func Example() {
	c := eco.Certificate{
		Form: eco.FormNonPreferential, Reference: "001-26-0912345", IssuedAt: eco.Date{Year: 2026, Month: 11, Day: 12},
		IssuingCountry: "KR", IssuingBody: eco.IssuingBody{ID: "KCCI", Name: "KOREA CHAMBER OF COMMERCE AND INDUSTRY"},
		Exporter: eco.Party{Name: "HANBIT PRECISION"}, Consignee: eco.Party{Name: "TAISHAN MACHINERY"},
		ExportingCountry: "KR", ImportingCountry: "TW",
		Items:       []eco.Item{{Number: 1, Description: "BALL SCREWS"}},
		Declaration: eco.Declaration{Name: "KIM HANBIT"}, Certification: eco.Certification{Officer: "PARK JIWON"},
	}
	doc, err := ubl.Marshal(c, eco.DefaultForms())
	if err != nil {
		fmt.Println(err)
		return
	}
	// Package signing would now sign doc at ubl.SignaturePath(), and verify it on the other side.
	back, findings, err := ubl.Unmarshal(doc, eco.DefaultForms())
	fmt.Println(back.Reference, back.Items[0].Description, len(findings), err)
	// Output: 001-26-0912345 BALL SCREWS 0 <nil>
}

func TestDocumentsOfTestdata(t *testing.T) {
	for _, name := range ecotest.Names(t) {
		for version, ending := range endings {
			t.Run(name+" "+string(version), func(t *testing.T) {
				c := ecotest.Load(t, name)
				reading := read(t, golden(t, "certificates/"+name+ending, marshalFor(t, version, c)))
				if len(reading.Findings) > 0 || reading.Version != version {
					t.Fatal(reading.Version, reading.Findings)
				}
				if diff := cmp.Diff(c, reading.Certificate); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// endings are those of the documents in testdata/certificates.
var endings = map[ubl.Version]string{ubl.Version21: ".xml", ubl.Version20: ".ubl20.xml"}

// golden compares doc with a file of testdata, and gives what the file holds.
func golden(t *testing.T, name string, doc []byte) []byte {
	t.Helper()
	file := filepath.Join(ecotest.Root(t), "testdata", filepath.FromSlash(name))
	if *update {
		if err := os.WriteFile(file, doc, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(doc), "\n")); diff != "" {
		t.Errorf("%s differs; run with -update if it should:\n%s", file, diff)
	}
	return want
}

func marshal(t testing.TB, c eco.Certificate) []byte {
	t.Helper()
	return marshalFor(t, ubl.Version21, c)
}

func marshalFor(t testing.TB, version ubl.Version, c eco.Certificate, attachments ...ubl.Attachment) []byte {
	t.Helper()
	doc, err := ubl.Options{Version: version, Attachments: attachments}.Marshal(c, eco.DefaultForms())
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func read(t rapid.TB, doc []byte) ubl.Reading {
	t.Helper()
	reading, err := ubl.Read(doc, eco.DefaultForms())
	if err != nil {
		t.Fatal(err)
	}
	return reading
}

func drawCertificate(t *rapid.T) eco.Certificate {
	form := rapid.SampledFrom(eco.DefaultForms().All()).Draw(t, "form")
	return ecotest.Certificate(form.Code).Draw(t, "certificate")
}

func TestCertificateSurvivesItsDocument(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, options := drawCertificate(t), drawOptions(t)
		doc, err := options.Marshal(c, eco.DefaultForms())
		if err != nil {
			t.Fatal(err)
		}
		reading, err := ubl.Read(doc, eco.DefaultForms())
		if err != nil || len(reading.Findings) > 0 {
			t.Fatal(err, reading.Findings)
		}
		if diff := cmp.Diff(c, reading.Certificate, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(options.Attachments, reading.Attachments, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
		again, err := options.Marshal(reading.Certificate, eco.DefaultForms())
		if err != nil || !bytes.Equal(doc, again) {
			t.Fatalf("the same certificate gives other octets: %v", err)
		}
	})
}

func TestPaperIssueSurvivesTheDocument(t *testing.T) {
	for _, name := range ecotest.Names(t) {
		for _, version := range []ubl.Version{ubl.Version20, ubl.Version21} {
			marked, err := ecotest.Load(t, name).MarkIssuedOnPaper(eco.PaperIssue{Number: "M 26/7", Reason: "power cut: 2 days"})
			if err != nil {
				t.Fatal(err)
			}
			doc, err := ubl.Options{Version: version}.Marshal(marked, eco.DefaultForms())
			if err != nil {
				t.Fatal(err)
			}
			reading, err := ubl.Read(doc, eco.DefaultForms())
			if err != nil || len(reading.Findings) > 0 {
				t.Fatal(name, version, err, reading.Findings)
			}
			if diff := cmp.Diff(marked.IssuedOnPaper(), reading.Certificate.IssuedOnPaper()); diff != "" {
				t.Errorf("%s, UBL %s: -marked +read:\n%s", name, version, diff)
			}
		}
	}
}

func drawOptions(t *rapid.T) ubl.Options {
	options := ubl.Options{Version: rapid.SampledFrom([]ubl.Version{ubl.Version20, ubl.Version21}).Draw(t, "version")}
	for n := range rapid.IntRange(0, 2).Draw(t, "attachments") {
		options.Attachments = append(options.Attachments, ubl.Attachment{
			URI:         fmt.Sprintf("cid:at-%d@example.org", n),
			Name:        rapid.SampledFrom([]string{"", "invoice 1.pdf", " a<b>&.png"}).Draw(t, "name"),
			ContentType: rapid.SampledFrom([]string{"", "application/pdf", `text/plain; charset="utf-8"`}).Draw(t, "type"),
			SHA256:      sha256.Sum256(fmt.Append(nil, n)),
		})
	}
	return options
}

func TestDocumentsKeepTheRulesBesideTheSchema(t *testing.T) {
	for _, name := range ecotest.Names(t) {
		checkRules(t, marshal(t, ecotest.Load(t, name)))
	}
	for _, name := range ecotest.AnswerNames(t) {
		checkRules(t, marshalAnswer(t, ecotest.LoadAnswer(t, name)))
	}
	rapid.Check(t, func(t *rapid.T) {
		doc, err := drawOptions(t).Marshal(drawCertificate(t), eco.DefaultForms())
		if err != nil {
			t.Fatal(err)
		}
		checkRules(t, doc)
		if doc, err = ubl.MarshalAnswer(ecotest.Answer().Draw(t, "answer"), eco.DefaultForms()); err != nil {
			t.Fatal(err)
		}
		checkRules(t, doc)
	})
}

// checkRules looks for breaches of the rules of UBL 2.1 ch. 4.
func checkRules(t rapid.TB, doc []byte) {
	t.Helper()
	tree := etree.NewDocument()
	if err := tree.ReadFromBytes(doc); err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(doc, []byte(`<?xml version="1.0" encoding="UTF-8"?>`)) {
		t.Errorf("IND2, IND3: begins with %.60q", doc)
	}
	for _, e := range tree.FindElements("//*") {
		if len(e.ChildElements()) == 0 && strings.TrimSpace(e.Text()) == "" {
			t.Errorf("IND5: %s is empty", e.GetPath())
		}
		for _, a := range e.Attr {
			if a.Value == "" {
				t.Errorf("IND9: %s/@%s is empty", e.GetPath(), a.Key)
			}
		}
		languages := map[string]bool{}
		for _, child := range e.ChildElements() {
			switch child.Tag {
			case "Remarks", "Description", "Information", "ShippingMarks", "DocumentType", "Note", "StatusReason":
				key := child.Tag + child.SelectAttrValue("languageID", "")
				if languages[key] {
					t.Errorf("IND7, IND8: two %s of one language", child.GetPath())
				}
				languages[key] = true
			}
		}
	}
}

func TestDocumentsAreValidUBL(t *testing.T) {
	attachment := ubl.Attachment{URI: "cid:at-1@example.org", Name: "invoice.pdf", ContentType: "application/pdf"}
	for version := range endings {
		documents := map[string][]byte{}
		for _, name := range ecotest.Names(t) {
			documents[name] = marshalFor(t, version, ecotest.Load(t, name))
		}
		for _, form := range eco.DefaultForms().All() {
			for seed := range 4 {
				documents[fmt.Sprint(form.Code, seed)] = marshalFor(t, version, ecotest.Certificate(form.Code).Example(seed), attachment)
			}
		}
		t.Run("for "+string(version), func(t *testing.T) { checkSchema(t, "CertificateOfOrigin", version, documents) })
	}
}

// checkSchema validates documents of one type under every version of UBL from the oldest that they are written for. It needs xmllint and
// the OASIS schemas, which may be passed on but are not part of the project.
func checkSchema(t *testing.T, documentType string, oldest ubl.Version, documents map[string][]byte) {
	t.Helper()
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed")
	}
	schemas := filepath.Join(ecotest.Root(t), "..", "shared", "ubl", "xsd")
	if _, err := os.Stat(schemas); err != nil {
		t.Skipf("the UBL schemas are not there: %v", err)
	}
	dir := t.TempDir()
	var files []string
	for name, doc := range documents {
		file := filepath.Join(dir, name+".xml")
		if err := os.WriteFile(file, doc, 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	for _, version := range []string{"2.0", "2.1", "2.3", "2.4"} {
		if version < string(oldest) {
			continue
		}
		t.Run(version, func(t *testing.T) {
			schema := filepath.Join(schemas, version, "maindoc", "UBL-"+documentType+"-"+version+".xsd")
			arguments := append([]string{"--nonet", "--noout", "--schema", schema}, files...)
			if output, err := exec.Command(xmllint, arguments...).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, output)
			}
		})
	}
}

func TestSignaturePathLeadsToThePlaceForTheSignature(t *testing.T) {
	for _, name := range ecotest.Names(t) {
		decoder := xml.NewDecoder(bytes.NewReader(marshal(t, ecotest.Load(t, name))))
		path := ubl.SignaturePath()
		depth := 0 // elements of path that are open
		for level := 0; depth < len(path); {
			token, err := decoder.Token()
			if err == io.EOF {
				t.Fatalf("%s: nothing at %v", name, path[:depth+1])
			} else if err != nil {
				t.Fatal(err)
			}
			switch token := token.(type) {
			case xml.StartElement:
				if level == depth && token.Name == path[depth] {
					depth++
				}
				level++
			case xml.EndElement:
				level--
				if level < depth {
					t.Fatalf("%s: %v ends, and %v was not in the first one", name, token.Name, path[depth])
				}
			}
		}
	}
}

func TestMarshalNamesWhatADocumentCannotCarry(t *testing.T) {
	tests := []struct {
		name   string
		change func(c *eco.Certificate)
		want   string
	}{
		{"unknown form", func(c *eco.Certificate) { c.Form = "FORM-X" }, `form: want a known form, found "FORM-X"`},
		{"no number", func(c *eco.Certificate) { c.Reference = "" }, "reference: a document needs it"},
		{"no issuing country", func(c *eco.Certificate) { c.IssuingCountry = "" }, "issuing_country: a document needs it"},
		{"no body", func(c *eco.Certificate) { c.IssuingBody.ID = " " }, "issuing_body.id: a document needs it"},
		{"no exporter", func(c *eco.Certificate) { c.Exporter.Name = "" }, "exporter.name: a document needs it"},
		{"no declarant", func(c *eco.Certificate) { c.Declaration.Name = "" }, "declaration.name: a document needs it"},
		{"no items", func(c *eco.Certificate) { c.Items = nil }, "cac:GoodsItem: want one element or more"},
		{"too many items", func(c *eco.Certificate) { c.Items = make([]eco.Item, eco.MaxItems+1) }, "want at most 2000 goods items, found 2001"},
		{"no XML character", func(c *eco.Certificate) { c.Exporter.Name = "A\x01" }, "cbc:Name: want characters that XML can hold, found U+0001"},
		{"no character at all", func(c *eco.Certificate) { c.Remarks = "A\xff" }, "cbc:Remarks: want UTF-8 text, found octet 0xff"},
		{"in an attribute", func(c *eco.Certificate) { c.Exporter.Identifiers[0].Scheme = "\uffff" }, "cbc:ID/@schemeID: want characters that XML can hold"},
		{"no number of grams", func(c *eco.Certificate) { c.Items[0].GrossWeight.Value = "1,5" }, `cbc:GrossWeightMeasure: decimal "1,5"`},
		{"no unit", func(c *eco.Certificate) { c.Items[0].GrossWeight.Unit = "" }, "cbc:GrossWeightMeasure: a number needs its unitCode"},
		{"edition without code", func(c *eco.Certificate) { c.Items[0].HS = "" }, "items[0].hs_edition: a document cannot carry this value"},
		{"one number for two items", func(c *eco.Certificate) { c.Items[1].Number = 1 }, "a document cannot carry this value"},
		{"an invoice among documents", func(c *eco.Certificate) { c.Documents[0].Type = "380" }, "invoices: a document cannot carry this value"},
		{"an empty line", func(c *eco.Certificate) { c.Exporter.Address.Lines = []string{"A", "", "B"} }, "exporter.address.lines[1]: a document cannot carry"},
		{"white space around a number", func(c *eco.Certificate) { c.Reference += " " }, "reference: a document cannot carry this value"},
		{"an exhibition of nothing", func(c *eco.Certificate) { c.Exhibition = &eco.Exhibition{} }, "exhibition: a document cannot carry this value"},
		{"a flag without a name", func(c *eco.Certificate) { c.Flags[""] = true }, "want an indicator's code, found none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := ecotest.Load(t, "atiga-form-d")
			tt.change(&c)
			doc, err := ubl.Marshal(c, eco.DefaultForms())
			if err == nil || doc != nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %d octets and %v, want an error with %q", len(doc), err, tt.want)
			}
		})
	}
}

func TestRemarksRepeatWhatTheExtensionSays(t *testing.T) {
	c := ecotest.Load(t, "atiga-form-d")
	c.Remarks = "L/C 4711"
	c.Flags[eco.FlagExhibition] = true
	c.Exhibition = &eco.Exhibition{Name: "THAT LUANG FAIR", Country: "LA"}
	c.Related = []eco.RelatedCertificate{{Relation: eco.RelationReplaces, Reference: "LA26010099", Date: c.IssuedAt, Country: "LA"}}
	doc := string(marshal(t, c))
	for _, want := range []string{
		"<cbc:Remarks>L/C 4711</cbc:Remarks>",
		"<cbc:DocumentType>REPLACED CERTIFICATE OF ORIGIN</cbc:DocumentType>",
		`<cbc:Remarks languageID="en">THIRD COUNTRY INVOICING; EXHIBITION; EXHIBITED AT THAT LUANG FAIR LA; REPLACED CERTIFICATE OF ORIGIN LA26010099 2026-11-16 LA</cbc:Remarks>`,
	} {
		if !strings.Contains(doc, want) {
			t.Errorf("no %s in the document", want)
		}
	}
}

// Totals are added exactly, however the items' figures are written.
func TestTotalsOfItems(t *testing.T) {
	for _, test := range []struct {
		weights []eco.Decimal
		want    string
	}{
		{[]eco.Decimal{"1", "2", "30"}, "33"},
		{[]eco.Decimal{"0.05", "0.05"}, "0.10"},
		{[]eco.Decimal{"1.5", "2.25", ".25"}, "4.00"},
		{[]eco.Decimal{"99999999999999999999.1", "0.9"}, "100000000000000000000.0"},
		{[]eco.Decimal{"+1.", "2"}, "3"},
		{[]eco.Decimal{"0999999.999", "0.001"}, "1000000.000"},
	} {
		c := ecotest.Load(t, "nonpreferential-kcci")
		c.Items = c.Items[:1]
		for i, weight := range test.weights {
			item := c.Items[0]
			item.Number, item.GrossWeight, item.NetWeight = i+1, &eco.Measure{Value: weight, Unit: "KGM"}, nil
			c.Items = append(c.Items[:i], item)
		}
		doc := string(marshal(t, c))
		_, rest, _ := strings.Cut(doc, `<cbc:GrossWeightMeasure unitCode="KGM">`)
		if got, _, _ := strings.Cut(rest, "<"); got != test.want {
			t.Errorf("%v add up to %s, want %s", test.weights, got, test.want)
		}
	}
}
