package ubl_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/ubl"
)

// tokensByOthers are the tokens that package encoding/xml finds.
func tokensByOthers(doc []byte) ([]string, error) {
	decoder := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(doc, []byte("\uFEFF"))))
	decoder.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, io.ErrUnexpectedEOF }
	var tokens []string
	for {
		token, err := decoder.RawToken()
		if err == io.EOF {
			return tokens, nil
		}
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			for i, a := range token.Attr {
				// XML 1.0 §3.3.3, which that package leaves to its callers.
				token.Attr[i].Value = strings.NewReplacer("\n", " ", "\t", " ").Replace(a.Value)
			}
			if len(token.Attr) == 0 {
				token.Attr = nil
			}
			tokens = append(tokens, fmt.Sprintf("start %q %q", token.Name, token.Attr))
		case xml.EndElement:
			tokens = append(tokens, fmt.Sprintf("end %q", token.Name))
		case xml.CharData:
			tokens = append(tokens, fmt.Sprintf("text %q", string(token)))
		case xml.Directive:
			return nil, io.ErrUnexpectedEOF
		}
	}
}

// withoutSpaces leaves out empty text, which one of the two gives for an empty section, and what attributes hold that may
// have been a reference to white space.
func withoutSpaces(tokens []string) []string {
	tokens = slices.DeleteFunc(tokens, func(token string) bool { return token == `text ""` })
	for i, token := range tokens {
		if strings.HasPrefix(token, "start") {
			tokens[i] = strings.NewReplacer(`\n`, " ", `\t`, " ", `\r`, " ").Replace(token)
		}
	}
	return tokens
}

// checkTokens asks that what is taken is taken as others take it. More may be refused.
func checkTokens(t rapid.TB, doc []byte) {
	t.Helper()
	ours, err := ubl.Tokens(doc)
	if err != nil {
		return
	}
	theirs, err := tokensByOthers(doc)
	if err != nil {
		t.Fatalf("%.2000q is taken, but %v", doc, err)
	}
	if diff := cmp.Diff(withoutSpaces(theirs), withoutSpaces(ours)); diff != "" {
		t.Fatal(diff)
	}
}

func TestScannerAgreesWithOthers(t *testing.T) {
	for _, name := range ecotest.Names(t) {
		doc := marshal(t, ecotest.Load(t, name))
		if _, err := ubl.Tokens(doc); err != nil {
			t.Fatal(err)
		}
		checkTokens(t, doc)
	}
	pieces := []string{
		"<a>", "</a>", "<a/>", "<b:a xmlns:b='u' c=\"d\te\">", "</b:a>", "<!-- x -->", "<!-- -- -->", "<![CDATA[ <&\r\n ]]>", "]]>", "<?p q?>", "<?xml?>",
		"&lt;", "&#65;", "&#x41;", "&#0;", "&#xD800;", "&x;", "&", "\r\n", "\r", "x", "é", "中", "<é/>", "<a b='&lt;'/>", "<a b='<'/>", "<a b=c/>",
		"<a b='1'c='2'/>", "<a:b:c/>", "<:a/>", "<a:/>", "<1/>", "< a/>", "<a", "/>", "'", ">", "<!DOCTYPE a>", "\uFEFF", "\x01", "\xff",
	}
	rapid.Check(t, func(t *rapid.T) {
		doc := rapid.SampledFrom([]string{"", `<?xml version="1.0"?>`, `<?xml version="1.0" encoding="utf-8" standalone='yes'?>`, "\uFEFF"}).Draw(t, "head")
		doc += strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(t, "pieces"), "")
		checkTokens(t, []byte(doc))
	})
}

// Well-formed XML of every kind is taken.
func TestScannerTakesWellFormedXML(t *testing.T) {
	for doc, want := range map[string][]string{
		"\uFEFF<a>\r\nb\r</a>": {`start {"" "a"} []`, `text "\nb\n"`, `end {"" "a"}`},
		`<a b = '&#x9;"' c="d` + "\n" + `e"/>`: {
			`start {"" "a"} [{{"" "b"} "\t\""} {{"" "c"} "d e"}]`, `end {"" "a"}`},
		`<?xml version='1.0' encoding='utf-8'?><!--c--><p:é xmlns:p="u">&amp;<![CDATA[<]]>&#20013;</p:é ><?e?>`: {
			`start {"p" "é"} [{{"xmlns" "p"} "u"}]`, `text "&"`, `text "<"`, `text "中"`, `end {"p" "é"}`},
	} {
		got, err := ubl.Tokens([]byte(doc))
		if err != nil {
			t.Errorf("%q: %v", doc, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", doc, diff)
		}
	}
}

func FuzzScanner(f *testing.F) {
	for _, name := range ecotest.Names(f) {
		f.Add(marshal(f, ecotest.Load(f, name)))
	}
	for _, file := range ecotest.Files(f, "hostile/ubl/*.txt") {
		f.Add(readHostile(f, file).document)
	}
	f.Fuzz(func(t *testing.T, doc []byte) { checkTokens(t, doc) })
}
