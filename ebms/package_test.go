package ebms_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/ebms"
)

func TestPackageComesBackFromItsBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &ebms.Package{Envelope: []byte("<a>" + anyText(t, "envelope") + "</a>")}
		ids := rapid.SliceOfNDistinct(rapid.StringMatching(`[!#-;=?-~]{1,20}`), 0, 4, rapid.ID).Draw(t, "ids")
		for _, id := range ids {
			p.Parts = append(p.Parts, ebms.Part{
				ContentID:   id,
				ContentType: rapid.SampledFrom([]string{"application/xml", "application/pdf", "text/plain; charset=utf-8"}).Draw(t, "type"),
				Content:     anyContent(t),
			})
		}
		contentType, body, err := p.Pack("b")
		if err != nil {
			t.Fatal(err)
		}
		got, err := ebms.ReadPackage(contentType, body, ebms.Limits{})
		if err != nil {
			t.Fatalf("%v\n%s", err, contentType)
		}
		if diff := cmp.Diff(p, got, equalPackages); diff != "" {
			t.Fatalf("package differs (-sent +read)\n%s", diff)
		}
		for i, id := range ids {
			if part, ok := got.Resolve(ebms.CIDToHref(id)); !ok || part != &got.Parts[i] {
				t.Errorf("%s leads to %v", ebms.CIDToHref(id), part)
			}
		}
	})
}

// anyContent is made of what could be taken for the end of a part.
func anyContent(t *rapid.T) ebms.Content {
	pieces := rapid.SliceOf(rapid.SampledFrom([]string{"\r\n", "\n", "-", "b", "\x00", "\xff", "\r\n\r\n", "Content-Type: x"})).Draw(t, "content")
	return ebms.Bytes(bytes.ReplaceAll([]byte(strings.Join(pieces, "")), []byte("--b"), nil))
}

func TestPackageWithoutPartsIsABareEnvelope(t *testing.T) {
	contentType, body, err := (&ebms.Package{Envelope: []byte("<a/>")}).Pack("")
	if err != nil || contentType != "text/xml; charset=UTF-8" || string(octets(t, body)) != "<a/>" {
		t.Errorf("%s, %v", contentType, err)
	}
}

func TestPackageIsNotWrittenIfItCouldNotBeRead(t *testing.T) {
	part := ebms.Part{ContentID: "co@vn.example", ContentType: "application/xml", Content: ebms.Bytes([]byte("<co/>"))}
	for _, test := range []struct {
		name, boundary, want string
		change               func(*ebms.Part)
	}{
		{"no boundary", "", "boundary", nil},
		{"boundary that needs quotes", "a b", "boundary", nil},
		{"boundary in the content", "b", "contains the boundary", func(p *ebms.Part) { p.Content = ebms.Bytes([]byte("x\r\n--b\r\n")) }},
		{"no Content-ID", "b", "not usable as Content-ID", func(p *ebms.Part) { p.ContentID = "" }},
		{"Content-ID with a line break", "b", "not usable as Content-ID", func(p *ebms.Part) { p.ContentID = "a\r\nX: y" }},
		{"Content-ID of the envelope", "b", "occurs twice", func(p *ebms.Part) { p.ContentID = "envelope@b" }},
		{"no type", "b", "no media type", func(p *ebms.Part) { p.ContentType = "" }},
		{"type with a line break", "b", "byte 0xd", func(p *ebms.Part) { p.ContentType = "text/xml\r\nX: y" }},
		{"multipart", "b", "not a single document", func(p *ebms.Part) { p.ContentType = "multipart/mixed" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := &ebms.Package{Envelope: []byte("<a/>"), Parts: []ebms.Part{part}}
			if test.change != nil {
				test.change(&p.Parts[0])
			}
			if _, body, err := p.Pack(test.boundary); body != nil || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestResolveFindsEncodedAndPlainIdentifiers(t *testing.T) {
	p := &ebms.Package{Parts: []ebms.Part{{ContentID: "a@b"}, {ContentID: "100%25"}, {ContentID: "a/b+c"}}}
	for href, want := range map[string]string{
		"cid:a@b":     "a@b",
		"cid:a%40b":   "a@b",
		"CID:a@b":     "a@b",
		"cid:100%25":  "100%25", // not encoded by its sender
		"cid:a%2Fb+c": "a/b+c",
		"cid:a":       "",
		"cid:":        "",
		"a@b":         "",
		"mid:a@b":     "",
		"cid:<a@b>":   "",
		"cid:%zz":     "",
	} {
		part, ok := p.Resolve(href)
		if ok != (want != "") || ok && part.ContentID != want {
			t.Errorf("%s leads to %+v, want %q", href, part, want)
		}
	}
}

func TestReadPackageTakesTextXMLInItsForms(t *testing.T) {
	for contentType, body := range map[string]string{
		"text/xml":                               "<a/>",
		"TEXT/XML;":                              "<a/>",
		`text/xml; charset="utf-8"`:              `<?xml version="1.0" encoding='UTF-8'?><a/>`,
		"text/xml;charset=us-ascii; x=\"a\\\"\"": `<?xml version="1.0" encoding="US-ASCII" standalone="yes"?><a/>`,
		"text/xml; charset = UTF-8 ;; ":          "\ufeff<?xml version=\"1.0\"?><a/>",
	} {
		p, err := ebms.ReadPackage(contentType, ebms.Bytes([]byte(body)), ebms.Limits{})
		if err != nil || string(p.Envelope) != body || len(p.Parts) != 0 {
			t.Errorf("%s: %+v, %v", contentType, p, err)
		}
	}
}

func TestReadPackageCountsPartsAndHeadersToTheLimit(t *testing.T) {
	p := &ebms.Package{Envelope: []byte("<a/>")}
	for i := range 3 {
		p.Parts = append(p.Parts, ebms.Part{ContentID: fmt.Sprint(i), ContentType: "text/plain", Content: ebms.Bytes(nil)})
	}
	contentType, body, err := p.Pack("boundary")
	if err != nil {
		t.Fatal(err)
	}
	header := len("Content-Type: text/xml; charset=UTF-8\r\nContent-ID: <envelope@boundary>")
	for _, test := range []struct {
		limits ebms.Limits
		fits   bool
	}{
		{ebms.Limits{Parts: 4}, true},
		{ebms.Limits{Parts: 3}, false},
		{ebms.Limits{HeaderBytes: header}, true},
		{ebms.Limits{HeaderBytes: header - 1}, false},
		{ebms.Limits{Envelope: 4}, true},
		{ebms.Limits{Envelope: 3}, false},
		{ebms.Limits{Body: body.Size()}, true},
		{ebms.Limits{Body: body.Size() - 1}, false},
	} {
		if _, err := ebms.ReadPackage(contentType, body, test.limits); (err == nil) != test.fits {
			t.Errorf("%+v: %v, want it to fit: %v", test.limits, err, test.fits)
		}
	}
}
