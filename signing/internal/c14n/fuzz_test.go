package c14n_test

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"slices"
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
		read, err := c14n.Parse(string(doc))
		if err != nil {
			return
		}
		for _, m := range []c14n.Method{{}, {Exclusive: true}, {Exclusive: true, Prefixes: []string{"#default", "p"}}} {
			first := read.Canonical(m)
			if len(first) > 1<<20 {
				return // references may make it longer than what is read
			}
			again, err := c14n.Parse(string(first))
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
				read, err := c14n.Parse(string(doc))
				if err != nil {
					b.Fatal(err)
				}
				read.Canonical(c14n.Method{})
			}
		})
	}
}

// FuzzParse compares what is accepted with encoding/xml, which reads more: the same elements with the same texts, where it
// reads the document too. (Its names are those of the fourth edition, and it leaves white space in attribute values alone.)
func FuzzParse(f *testing.F) {
	for _, test := range whole {
		f.Add([]byte(test.doc))
	}
	f.Add(certificate(1000))
	f.Fuzz(func(t *testing.T, doc []byte) {
		read, err := c14n.Parse(string(doc))
		if err != nil {
			return
		}
		var elements, ours []string
		var texts strings.Builder
		for decoder := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(doc, []byte("\uFEFF")))); ; {
			token, err := decoder.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				return
			}
			switch token := token.(type) {
			case xml.StartElement:
				elements = append(elements, "{"+token.Name.Space+"}"+token.Name.Local)
			case xml.CharData:
				texts.Write(token)
			}
		}
		text := ""
		for e := range read.Root().Descendants() {
			prefix, local, found := strings.Cut(e.Name(), ":")
			if !found {
				prefix, local = "", prefix
			}
			space := e.Namespace(prefix)
			if prefix == "xml" {
				space = c14n.XMLSpace
			}
			if !e.Is(space, local) {
				t.Fatalf("%s is not in the namespace of its prefix, %q", e.Name(), space)
			}
			ours = append(ours, "{"+space+"}"+local)
			text += e.Text()
		}
		if !slices.Equal(ours, elements) {
			t.Fatalf("%q\n   ours %q\ntheirs %q", doc, ours, elements)
		}
		if ours, theirs := letters(text), letters(texts.String()); ours != theirs {
			t.Fatalf("%q has the letters %q, by encoding/xml %q", doc, ours, theirs)
		}
	})
}

// letters are the octets of a text but white space, which may stand outside the root element, in their order as numbers:
// an element's own text is not in the order of the document.
func letters(text string) string {
	octets := []byte(strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n", r) {
			return -1
		}
		return r
	}, text))
	slices.Sort(octets)
	return string(octets)
}
