package c14n_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

// FuzzCanonical checks that whatever is accepted has a canonical form that is accepted, and is its own canonical form.
func FuzzCanonical(f *testing.F) {
	for _, test := range whole {
		f.Add([]byte(test.doc))
	}
	for _, test := range apexes {
		f.Add([]byte(test.doc))
	}
	hostile, _ := filepath.Glob(filepath.Join("..", "..", "..", "testdata", "hostile", "signing", "*"))
	for _, file := range hostile {
		if content, err := os.ReadFile(file); err == nil {
			f.Add(content)
		}
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		read, err := c14n.Parse(doc)
		if err != nil {
			return
		}
		for _, m := range []c14n.Method{{}, {Exclusive: true}, {Exclusive: true, Prefixes: []string{"#default", "p"}}} {
			first := read.Canonical(m)
			if len(first) > 1<<20 {
				return // references may make it longer than what is read
			}
			again, err := c14n.Parse(first)
			if err != nil {
				t.Fatalf("%+v of %q is %q: %v", m, doc, first, err)
			}
			if second := again.Canonical(m); !bytes.Equal(first, second) {
				t.Fatalf("%+v of %q is %q and then %q", m, doc, first, second)
			}
		}
	})
}

// certificate is a document like a certificate of origin, about n octets long.
func certificate(n int) []byte {
	const line = `
  <cac:Line xmlns:cac="urn:cac"><cbc:ID schemeID="a &amp; b">12</cbc:ID>
    <cac:Item><cbc:Description>Green coffee beans, not roasted, 60 kg bags</cbc:Description><cbc:Name>Coffee</cbc:Name>
      <cac:OriginCountry><cbc:IdentificationCode>KE</cbc:IdentificationCode></cac:OriginCountry></cac:Item></cac:Line>`
	return []byte(`<CertificateOfOrigin xmlns="urn:co" xmlns:cbc="urn:cbc">` + strings.Repeat(line, max(1, n/len(line))) + "</CertificateOfOrigin>")
}

func BenchmarkCanonical(b *testing.B) {
	for _, size := range []struct {
		name string
		n    int
	}{{"5KB", 5_000}, {"20KB", 20_000}, {"100KB", 100_000}} {
		doc := certificate(size.n)
		b.Run(size.name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				read, err := c14n.Parse(doc)
				if err != nil {
					b.Fatal(err)
				}
				read.Canonical(c14n.Method{})
			}
		})
	}
}
