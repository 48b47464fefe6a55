package ubl_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/beevik/etree"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/ubl"
)

// The schema of UBL lets extensions be; docs/schema has the one that partners check ours with.
func TestExtensionFollowsItsSchema(t *testing.T) {
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed")
	}
	dir := t.TempDir()
	files := []string{"--nonet", "--noout", "--schema", filepath.Join(ecotest.Root(t), "docs", "schema", "origin-1.xsd")}
	attachment := ubl.Attachment{URI: "cid:at-1@example.org", Name: "invoice.pdf", ContentType: "application/pdf"}
	for version := range endings {
		for _, form := range eco.DefaultForms().All() {
			for seed := range 4 {
				tree := etree.NewDocument()
				if err := tree.ReadFromBytes(marshalFor(t, version, ecotest.Certificate(form.Code).Example(seed), attachment)); err != nil {
					t.Fatal(err)
				}
				extension := tree.FindElement("//OriginCertificateDetails")
				extension.CreateAttr("xmlns:cac", "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2")
				extension.CreateAttr("xmlns:cbc", "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2")
				alone := etree.NewDocument()
				alone.SetRoot(extension)
				file := filepath.Join(dir, fmt.Sprintf("%s-%s-%d.xml", version, form.Code, seed))
				if err := alone.WriteToFile(file); err != nil {
					t.Fatal(err)
				}
				files = append(files, file)
			}
		}
	}
	if output, err := exec.Command(xmllint, files...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

// The codes that UBL 2.0 lists are compared with its schemas, which may be passed on but are not part of the project.
func TestCodesOfUBL20(t *testing.T) {
	folder := filepath.Join(ecotest.Root(t), "..", "shared", "ubl", "xsd", "2.0", "common")
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("the UBL schemas are not there: %v", err)
	}
	for name, carried := range map[string]func(c *eco.Certificate, code string){
		"CodeList_UnitCode_UNECE_7_04.xsd":   func(c *eco.Certificate, code string) { c.Items[0].GrossWeight.Unit = code },
		"CodeList_CurrencyCode_ISO_7_04.xsd": func(c *eco.Certificate, code string) { c.Items[0].FOB = &eco.Amount{Value: "1", Currency: code} },
	} {
		schema := etree.NewDocument()
		if err := schema.ReadFromFile(filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
		codes := schema.FindElements("//enumeration")
		if len(codes) < 100 {
			t.Fatalf("%s has %d codes", name, len(codes))
		}
		for i, code := range codes {
			if i%20 > 0 {
				continue // The list is one string: a sample finds a missing line.
			}
			c := ecotest.Load(t, "atiga-form-d")
			carried(&c, code.SelectAttrValue("value", ""))
			if doc := marshalFor(t, ubl.Version20, c); bytes.Contains(doc, []byte("eco:Item")) {
				t.Errorf("%s: code %s is not known", name, code.SelectAttrValue("value", ""))
			}
		}
	}
}
