package c14n_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ name, doc, place, expected string }{
		{"nothing", "", "1:1", "root element"},
		{"only white space", "\n ", "2:2", "root element"},
		{"same attribute twice", `<a x="1" y="2" x="3"/>`, "1:16", "each attribute once"},
		{"same attribute under two prefixes", `<a xmlns:p="urn:1" xmlns:q="urn:1" p:x="" q:x=""/>`, "1:43", "each attribute once"},
		{"same declaration twice", `<a xmlns:p="urn:1" xmlns:p="urn:1"/>`, "1:2", "each prefix declared once"},
		{"undeclared element prefix", "<a>\n<p:b/></a>", "2:2", "declared prefix"},
		{"undeclared attribute prefix", `<a p:x="1"/>`, "1:4", "declared prefix"},
		{"declared on a sibling", `<a><b xmlns:p="urn:1"/><p:c/></a>`, "1:25", "declared prefix"},
		{"declared on a sibling of the same name", `<a><p:longname xmlns:p="urn:1"/><p:longname/></a>`, "1:34", "declared prefix"},
		{"name that goes on after one that was read", "<a><longname/><longname:/></a>", "1:16", "one colon"},
		{"name that goes on outside ASCII", "<a><longname></longname><longname×/></a>", "1:34", "white space"},
		{"two root elements", "<a/><b/>", "1:5", "nothing after the root"},
		{"text before the root element", "x<a/>", "1:1", "no text outside"},
		{"text after the root element", "<a/>\nx", "2:1", "no text outside"},
		{"reference after the root element", "<a/>&#32;", "1:5", "no text outside"},
		{"CDATA outside the root element", "<a/><![CDATA[ ]]>", "1:5", "no CDATA section"},
		{"byte order mark twice", "\uFEFF\uFEFF<a/>", "1:1", "no text outside"},
		{"declaration late", " <?xml version='1.0'?><a/>", "1:2", "XML declaration only at"},
		{"declaration in the body", "<a><?xml version='1.0'?></a>", "1:4", "XML declaration only at"},
		{"declaration in capitals", "<?XML version='1.0'?><a/>", "1:1", "XML declaration only at"},
		{"declaration without version", "<?xml encoding='UTF-8'?><a/>", "1:7", "version"},
		{"declaration in wrong order", "<?xml version='1.0' standalone='no' encoding='UTF-8'?><a/>", "1:37", `"?>"`},
		{"declaration without white space", "<?xml version='1.0'encoding='UTF-8'?><a/>", "1:20", "white space"},
		{"version 1.1", "<?xml version='1.1'?><a/>", "1:15", "version 1.0"},
		{"standalone maybe", "<?xml version='1.0' standalone='maybe'?><a/>", "1:32", "standalone yes or no"},
		{"reference in the declaration", "<?xml version='1.&#48;'?><a/>", "1:15", "no references"},
		{"declared ISO-8859-1", "<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "1:30", "encoding UTF-8"},
		{"declared UTF-16", "<?xml version='1.0' encoding='UTF-16'?><a/>", "1:30", "encoding UTF-8"},
		{"UTF-16", "\xFF\xFE<\x00a\x00/\x00>\x00", "1:1", "UTF-8"},
		{"ISO-8859-1", "<a>\xE9</a>", "1:4", "UTF-8"},
		{"overlong UTF-8", "<a>\xC0\x80</a>", "1:4", "UTF-8"},
		{"surrogate in UTF-8", "<a>\xED\xA0\x80</a>", "1:4", "UTF-8"},
		{"control character", "<a>é\n \x01</a>", "2:2", "character that XML allows"},
		{"not a character", "<a>\uFFFE</a>", "1:4", "character that XML allows"},
		{"two document type declarations", "<!DOCTYPE a><!DOCTYPE a><a/>", "1:1", "no document type declaration"},
		{"entities", `<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`, "1:1", "no document type declaration"},
		{"document type in the body", "<a><!DOCTYPE a></a>", "1:4", "no document type declaration"},
		{"directive in the body", "<a><!FOO></a>", "1:5", "element name"},
		{"unknown entity", "<a>&nbsp;</a>", "1:4", "character reference"},
		{"reference without end", "<a>&#65</a>", "1:4", "character reference"},
		{"reference without digits", "<a>&#x;</a>", "1:4", "character reference"},
		{"reference to a surrogate", "<a>&#xD800;</a>", "1:4", "reference to a character"},
		{"reference to NUL", "<a b='&#0;'/>", "1:7", "reference to a character"},
		{"reference that overflows", "<a>&#4294967361;</a>", "1:4", "reference to a character"},
		{"ampersand alone", "<a>&</a>", "1:4", "character reference"},
		{"no white space between attributes", `<a x="1"y="2"/>`, "1:9", "white space"},
		{"attribute without value", "<a x>", "1:5", `"="`},
		{"attribute without quotes", "<a x=1>", "1:6", "in quotes"},
		{"attribute without end", "<a x='1>", "1:6", "quote at its end"},
		{"less-than in an attribute value", "<a x='<'/>", "1:7", `"&lt;"`},
		{"CDATA end in text", "<a>]]></a>", "1:4", `no "]]>"`},
		{"prefix undone", `<a xmlns:p=""/>`, "1:4", "not empty"},
		{"xmlns declared", `<a xmlns:xmlns="urn:1"/>`, "1:4", "no declaration of the prefix xmlns"},
		{"namespace of xmlns", `<a xmlns="http://www.w3.org/2000/xmlns/"/>`, "1:4", "namespace of xmlns"},
		{"xml bound to something else", `<a xmlns:xml="urn:1"/>`, "1:4", "prefix xml"},
		{"other prefix for xml", `<a xmlns:p="http://www.w3.org/XML/1998/namespace"/>`, "1:4", "prefix xml"},
		{"element with prefix xmlns", `<xmlns:a/>`, "1:2", "declared prefix"},
		{"relative namespace name", `<a xmlns:p="../p"/>`, "1:4", "absolute namespace name"},
		{"relative namespace name with a colon", `<a xmlns="./a:b"/>`, "1:4", "absolute namespace name"},
		{"namespace name without scheme", `<a xmlns=":x"/>`, "1:4", "absolute namespace name"},
		{"colon first", "<:a/>", "1:2", "element name"},
		{"colon last", "<x:>", "1:2", "one colon"},
		{"two colons", "<x:y:z/>", "1:5", "white space"},
		{"colon in attribute", `<a :x=""/>`, "1:4", "attribute name"},
		{"name begins with a digit", "<1/>", "1:2", "element name"},
		{"colon in a target", "<?a:b?><a/>", "1:4", "white space"},
		{"no target", "<? a?><a/>", "1:1", "target"},
		{"instruction without end", "<a><?pi ></a>", "1:4", `"?>"`},
		{"two hyphens in a comment", "<a><!-- x -- y --></a>", "1:11", "comment"},
		{"three hyphens at its end", "<a><!-- x ---></a>", "1:11", "comment"},
		{"comment without end", "<a><!-- ></a>", "1:4", `"--"`},
		{"CDATA without end", "<a><![CDATA[ ]></a>", "1:4", `"]]>"`},
		{"end tag of another element", "<a>\n<b></a>", "2:4", "</b>"},
		{"end tag with a longer name", "<a></ab>", "1:4", "</a>"},
		{"end tag with another prefix", `<p:a xmlns:p="urn:1" xmlns:q="urn:1"></q:a>`, "1:38", "</p:a>"},
		{"end tag with an attribute", "<a></a b=''>", "1:4", "</a>"},
		{"end tag without element", "</a>", "1:1", "no end tag"},
		{"element without end", "<a><b></b>", "1:11", "end tag of a"},
		{"tag without end", "<a", "1:3", "white space"},
		{"white space before the name", "< a/>", "1:2", "element name"},
		{"white space in an empty-element tag", "<a/ >", "1:3", `">"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := c14n.Parse(test.doc)
			var wrong *c14n.Error
			if !errors.As(err, &wrong) {
				t.Fatalf("%q: %v", test.doc, err)
			}
			if place := fmt.Sprintf("%d:%d", wrong.Line, wrong.Column); place != test.place || !strings.Contains(wrong.Expected, test.expected) {
				t.Errorf("got %v\nwant %s ... %s", err, test.place, test.expected)
			}
		})
	}
}

// TestParseRefusesCharactersAnywhere puts octets that no document has at every place of a text.
func TestParseRefusesCharactersAnywhere(t *testing.T) {
	const text = "<a>long enough for several steps, 0123456789</a>"
	for _, octet := range []string{"\x00", "\x01", "\x08", "\x0B", "\x1F", "\x80", "\xBF", "\xC0", "\xFF", "\xEF\xBF\xBE"} {
		for i := range text {
			if _, err := c14n.Parse(text[:i] + octet + text[i:]); err == nil {
				t.Errorf("%q at %d is accepted", octet, i)
			}
		}
	}
}

// repeated makes a document from numbered pieces.
func repeated(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// TestParseStopsAtLimits feeds what would multiply the work of a reader, one step below and one above each limit.
func TestParseStopsAtLimits(t *testing.T) {
	for _, test := range []struct {
		name, within, beyond, expected string
	}{
		{"depth", strings.Repeat("<a>", 64) + strings.Repeat("</a>", 64), strings.Repeat("<a>", 65) + strings.Repeat("</a>", 65), "64 elements inside"},
		{"depth of an empty element", strings.Repeat("<a>", 63) + "<a/>" + strings.Repeat("</a>", 63), strings.Repeat("<a>", 64) + "<a/>", "64 elements inside"},
		{"attributes", "<a" + repeated(64, " a%d=''") + "/>", "<a" + repeated(65, " a%d=''") + "/>", "64 attributes"},
		{"declarations", "<a" + repeated(64, " xmlns:a%d='urn:a'") + "/>", "<a" + repeated(4000, " xmlns:a%d='urn:a'") + "/>", "64 attributes"},
		{"declarations in scope",
			"<a" + repeated(64, " xmlns:a%d='urn:a'") + "><b" + repeated(64, " xmlns:a%d='urn:a'") + "/><c xmlns='urn:c'/></a>",
			"<a" + repeated(64, " xmlns:a%d='urn:a'") + "><b" + repeated(64, " xmlns:a%d='urn:a'") + "><c xmlns='urn:c'/></b></a>", "128 namespace declarations"},
		{"namespace name", "<a xmlns='urn:" + strings.Repeat("x", 1020) + "'/>", "<a xmlns='urn:" + strings.Repeat("x", 1021) + "'/>", "1024 octets in a namespace name"},
		{"namespace name of a prefix", "<a xmlns:p='urn:" + strings.Repeat("x", 1020) + "'/>", "<a xmlns:p='urn:" + strings.Repeat("x", 1021) + "'/>", "1024 octets in a namespace name"},
		{"element name", "<" + strings.Repeat("x", 256) + "/>", "<" + strings.Repeat("x", 257) + "/>", "256 octets in a name"},
		{"attribute name", "<a " + strings.Repeat("x", 256) + "=''/>", "<a " + strings.Repeat("x", 257) + "=''/>", "256 octets in a name"},
		{"prefix", "<a xmlns:" + strings.Repeat("x", 256) + "='urn:a'/>", "<a xmlns:" + strings.Repeat("x", 257) + "='urn:a'/>", "256 octets in a name"},
		{"text", "<a>" + strings.Repeat("x", 16<<20) + "</a>", "<a>" + strings.Repeat("x", 16<<20+1) + "</a>", "octets in a run of text"},
		{"value", "<a x='" + strings.Repeat("x", 16<<20) + "'/>", "<a x='" + strings.Repeat("x", 16<<20+1) + "'/>", "octets in an attribute value"},
		{"instruction", "<?a " + strings.Repeat("x", 16<<20-2) + "?><a/>", "<?a " + strings.Repeat("x", 16<<20) + "?><a/>", "octets in one piece"},
		{"nodes", "<a>" + strings.Repeat("<b/>", 499_999) + "</a>", "<a>" + strings.Repeat("<b/>", 500_000) + "</a>", "500000 elements"},
		{"comments", "<a>" + strings.Repeat("<!---->", 200_000) + "</a>", "", ""},
		{"size", "", strings.Repeat(" ", 32<<20+1), "octets in a document"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.within != "" {
				parse(t, test.within)
			}
			if test.beyond == "" {
				return
			}
			_, err := c14n.Parse(test.beyond)
			var wrong *c14n.Error
			if !errors.As(err, &wrong) || !strings.Contains(wrong.Expected, test.expected) {
				t.Errorf("got %v, want %s", err, test.expected)
			}
		})
	}
}

func TestErrorQuotesLittleOfTheDocument(t *testing.T) {
	_, err := c14n.Parse("<a>&" + strings.Repeat("é", 1000))
	want := `line 1:4: expected a character reference, "&amp;", "&lt;", "&gt;", "&quot;" or "&apos;", found "&` + strings.Repeat("é", 19) + `..."`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestElementTellsWhatItHas(t *testing.T) {
	doc := parse(t, `<?p?><p:r xmlns:p="urn:p" xmlns:q="urn:p" xmlns="urn:d" a="1" p:a="2">x<b/><!-- -->y<![CDATA[z]]>`+"\n"+` <c><d/></c></p:r>`)
	root := doc.Root()
	children := root.Children()
	names := ""
	for e := range root.Descendants() {
		names += e.Name() + " "
	}
	plain, _ := root.Attribute("", "a")
	prefixed, _ := root.Attribute("urn:p", "a")
	_, absent := root.Attribute("urn:d", "a")
	line, column := children[1].Position()
	got := fmt.Sprint(names, root.Text(), plain, prefixed, absent, len(children), children[0].Is("urn:d", "b"), root.Interrupted(),
		children[1].Interrupted(), children[1].Namespace("q"), children[1].Namespace("z"), line, column, children[1].Size())
	want := fmt.Sprint("p:r b c d ", "xyz\n ", "1", "2", false, 2, true, true, false, "urn:p", "", 2, 2, len("<c><d/></c>"))
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	parent, below := children[0].Parent()
	if _, above := root.Parent(); above || !below || parent != root {
		t.Error("parents are wrong")
	}
	if outside, inside := doc.HasInstructions(); !outside || inside {
		t.Error("instruction is outside")
	}
}
