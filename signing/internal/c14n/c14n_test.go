package c14n_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

func parse(tb testing.TB, doc string) *c14n.Document {
	tb.Helper()
	read, err := c14n.Parse(doc)
	if err != nil {
		tb.Fatalf("%s: %v", doc, err)
	}
	return read
}

// xmllint gives the canonical form of a document by libxml2; option is --c14n or --exc-c14n.
func xmllint(t *testing.T, option, doc string) (string, bool) {
	t.Helper()
	program, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed")
	}
	file := filepath.Join(t.TempDir(), "doc.xml")
	if err := os.WriteFile(file, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, "--nonet", option, file).Output()
	return string(out), err == nil
}

// whole are documents and their inclusive form as a whole. Where exclusive is "", the exclusive form is the same.
var whole = []struct {
	name, doc, inclusive, exclusive string
	// libxml2 says why xmllint is known to write something else.
	libxml2 string
}{
	{name: "attributes of one element by namespace name, not by prefix or local name",
		doc:       `<eb:H xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:eb="http://www.oasis-open.org/x" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" s:mustUnderstand="1" xsi:schemaLocation="l" eb:version="2.0" eb:id="i" plain="p"/>`,
		inclusive: `<eb:H xmlns:eb="http://www.oasis-open.org/x" xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" plain="p" s:mustUnderstand="1" eb:id="i" eb:version="2.0" xsi:schemaLocation="l"></eb:H>`},
	{name: "namespace names against the order of prefixes",
		doc:       `<a xmlns:b="urn:z" xmlns:c="urn:a" b:aaa="1" c:zzz="2"/>`,
		inclusive: `<a xmlns:b="urn:z" xmlns:c="urn:a" c:zzz="2" b:aaa="1"></a>`,
		exclusive: `<a xmlns:b="urn:z" xmlns:c="urn:a" c:zzz="2" b:aaa="1"></a>`},
	{name: "same local name, declared on an ancestor",
		doc:       `<a xmlns:b="urn:1" xmlns:c="urn:2"><e c:k="c" b:k="b"/></a>`,
		inclusive: `<a xmlns:b="urn:1" xmlns:c="urn:2"><e b:k="b" c:k="c"></e></a>`,
		exclusive: `<a><e xmlns:b="urn:1" xmlns:c="urn:2" b:k="b" c:k="c"></e></a>`},
	{name: "plain attributes named like prefixes",
		doc:       `<a xmlns:b="urn:9" xmlns:c="urn:0"><e b="urn:0" c="urn:9" b:k="b" c:k="c"/></a>`,
		inclusive: `<a xmlns:b="urn:9" xmlns:c="urn:0"><e b="urn:0" c="urn:9" c:k="c" b:k="b"></e></a>`,
		exclusive: `<a><e xmlns:b="urn:9" xmlns:c="urn:0" b="urn:0" c="urn:9" c:k="c" b:k="b"></e></a>`},
	{name: "default namespace undone and set again",
		doc:       `<a xmlns="urn:a"><b xmlns=""><c xmlns="urn:a"/><d xmlns=""/></b></a>`,
		inclusive: `<a xmlns="urn:a"><b xmlns=""><c xmlns="urn:a"></c><d></d></b></a>`},
	{name: "empty default namespace at the root",
		doc: `<a xmlns=""><b xmlns=""/></a>`, inclusive: `<a><b></b></a>`},
	{name: "declarations that say what is said",
		doc:       `<p:a xmlns:p="urn:1" xmlns:q="urn:2"><p:b xmlns:p="urn:1" xmlns:q="urn:3" q:x=""/></p:a>`,
		inclusive: `<p:a xmlns:p="urn:1" xmlns:q="urn:2"><p:b xmlns:q="urn:3" q:x=""></p:b></p:a>`,
		exclusive: `<p:a xmlns:p="urn:1"><p:b xmlns:q="urn:3" q:x=""></p:b></p:a>`},
	{name: "prefix bound anew",
		doc:       `<p:r xmlns:p="urn:1"><p:x xmlns:p="urn:2"><p:y xmlns:p="urn:1"/></p:x></p:r>`,
		inclusive: `<p:r xmlns:p="urn:1"><p:x xmlns:p="urn:2"><p:y xmlns:p="urn:1"></p:y></p:x></p:r>`},
	{name: "siblings declare for themselves",
		doc:       `<r xmlns:p="urn:1"><p:a/><p:b/></r>`,
		inclusive: `<r xmlns:p="urn:1"><p:a></p:a><p:b></p:b></r>`,
		exclusive: `<r><p:a xmlns:p="urn:1"></p:a><p:b xmlns:p="urn:1"></p:b></r>`},
	{name: "xml declared",
		doc:       `<a xmlns:xml="http://www.w3.org/XML/1998/namespace" xml:lang="en"/>`,
		inclusive: `<a xml:lang="en"></a>`},
	{name: "references in a namespace name",
		doc:       `<p:a xmlns:p="urn:a?b&amp;c"/>`,
		inclusive: `<p:a xmlns:p="urn:a?b&amp;c"></p:a>`,
		libxml2:   "libxml2 2.9.14 does not escape & in a namespace name"},
	{name: "literal white space in an attribute value",
		doc: "<a x=\"\t1\r\n2\n3\r4 \"/>", inclusive: `<a x=" 1 2 3 4 "></a>`},
	{name: "tab and line feed in a tag that is canonical otherwise",
		doc: "<a><b x=\"1\t2\"></b><b x=\"1\n2\"></b></a>", inclusive: `<a><b x="1 2"></b><b x="1 2"></b></a>`},
	{name: "reference in a tag that is canonical otherwise",
		doc:       `<a><b x="&#49;">&#50;</b><b x='1'>2</b><b x= "1">2</b><b  x="1">2</b><b x="1" >2</b></a>`,
		inclusive: `<a><b x="1">2</b><b x="1">2</b><b x="1">2</b><b x="1">2</b><b x="1">2</b></a>`},
	{name: "referenced white space in an attribute value",
		doc: `<a x="&#9;&#10;&#13;&#32;"/>`, inclusive: `<a x="&#x9;&#xA;&#xD; "></a>`},
	{name: "escapes in an attribute value",
		doc: `<a x='&lt;">&amp;&apos;&quot;'/>`, inclusive: `<a x="&lt;&quot;>&amp;'&quot;"></a>`},
	{name: "escapes in text",
		doc: `<a>&lt;>&amp;"&apos;&#13;&#xD;&#x1F30D;</a>`, inclusive: "<a>&lt;&gt;&amp;\"'&#xD;&#xD;\U0001F30D</a>"},
	{name: "line ends in text",
		doc: "<a>1\r\n2\r3\n4\r</a>", inclusive: "<a>1\n2\n3\n4\n</a>"},
	{name: "CDATA sections",
		doc: "<a>1<![CDATA[<&>\r\n]]]]><![CDATA[>]]><![CDATA[]]></a>", inclusive: "<a>1&lt;&amp;&gt;\n]]&gt;</a>"},
	{name: "comments",
		doc: "<!-- 1 --><a>x<!-- 2 -->y</a><!---->", inclusive: "<a>xy</a>", libxml2: "xmllint keeps comments"},
	{name: "processing instructions outside the root element",
		doc:       "<?xml version=\"1.0\"?>\n<?one?>\n<?two  some data ?><!-- --><a/><?three?>\n\n<?four?>",
		inclusive: "<?one?>\n<?two some data ?>\n<a></a>\n<?three?>\n<?four?>", libxml2: "xmllint keeps comments"},
	{name: "line ends in a processing instruction",
		doc: "<a><?pi 1\r\n2\r3?></a>", inclusive: "<a><?pi 1\n2\n3?></a>"},
	{name: "byte order mark and declaration",
		doc: "\uFEFF<?xml version='1.0' encoding='utf-8' standalone='yes' ?><a/>", inclusive: "<a></a>"},
	{name: "names and text outside ASCII",
		doc:       "<élan ß=\"ü\" 名=\"\U00010000\">\u00A0\u2028</élan>",
		inclusive: "<élan ß=\"ü\" 名=\"\U00010000\">\u00A0\u2028</élan>"},
	{name: "white space in tags",
		doc: "<a\n  x = '1'\ty=\"2\"\n><b\n/></a\n>", inclusive: `<a x="1" y="2"><b></b></a>`},
	{name: "references that the canonical form writes too",
		doc:       `<a x="&amp;&lt;&quot;&#x9;&#xA;&#xD;">&amp;&lt;&gt;&#xD;</a>`,
		inclusive: `<a x="&amp;&lt;&quot;&#x9;&#xA;&#xD;">&amp;&lt;&gt;&#xD;</a>`},
	{name: "references that it writes in another place only",
		doc:       `<a x="&gt;&#xd;">&quot;&#x9;&#xA;&#13;</a>`,
		inclusive: "<a x=\">&#xD;\">\"\t\n&#xD;</a>"},
	{name: "comments and sections in a row",
		doc: "<a><b>1<!----><!-- -->2<!----></b><!----><![CDATA[]]><!----></a>", inclusive: "<a><b>12</b></a>", libxml2: "xmllint keeps comments"},
	{name: "a long run of text",
		doc:       "<a>" + strings.Repeat("x\n", 100) + "></a>",
		inclusive: "<a>" + strings.Repeat("x\n", 100) + "&gt;</a>"},
	{name: "a long run of text with a line end and a reference",
		doc:       "<a><b>" + strings.Repeat("x\n", 100) + "\r</b>" + strings.Repeat("x\n", 100) + "&#x3c;</a>",
		inclusive: "<a><b>" + strings.Repeat("x\n", 100) + "\n</b>" + strings.Repeat("x\n", 100) + "&lt;</a>"},
	{name: "one name under two declarations",
		doc:       `<r><p:longname xmlns:p="urn:1"></p:longname><p:longname xmlns:p="urn:2"></p:longname></r>`,
		inclusive: `<r><p:longname xmlns:p="urn:1"></p:longname><p:longname xmlns:p="urn:2"></p:longname></r>`},
}

func TestCanonicalWritesWholeDocuments(t *testing.T) {
	for _, test := range whole {
		t.Run(test.name, func(t *testing.T) {
			doc := parse(t, test.doc)
			if got := string(doc.Canonical(c14n.Method{})); got != test.inclusive {
				t.Errorf("inclusive\n got %s\nwant %s", got, test.inclusive)
			}
			want := cmp.Or(test.exclusive, test.inclusive)
			if got := string(doc.Canonical(c14n.Method{Exclusive: true})); got != want {
				t.Errorf("exclusive\n got %s\nwant %s", got, want)
			}
		})
	}
}

// TestLibxml2Agrees checks the expectations above against another implementation.
func TestLibxml2Agrees(t *testing.T) {
	for _, test := range whole {
		t.Run(test.name, func(t *testing.T) {
			if test.libxml2 != "" {
				t.Skip(test.libxml2)
			}
			if got, ok := xmllint(t, "--c14n", test.doc); !ok || got != test.inclusive {
				t.Errorf("inclusive\n got %s\nwant %s", got, test.inclusive)
			}
			want := cmp.Or(test.exclusive, test.inclusive)
			if got, ok := xmllint(t, "--exc-c14n", test.doc); !ok || got != want {
				t.Errorf("exclusive\n got %s\nwant %s", got, want)
			}
		})
	}
}

// apexes are elements in their place: the one named "s".
var apexes = []struct {
	name, doc string
	method    c14n.Method
	want      string
}{
	{name: "inherits namespaces",
		doc: `<r xmlns="urn:d" xmlns:q="urn:q"><m xmlns:p="urn:p"><s/></m></r>`, want: `<s xmlns="urn:d" xmlns:p="urn:p" xmlns:q="urn:q"></s>`},
	{name: "own empty default namespace stays",
		doc: `<a xmlns="urn:a"><s xmlns="" Id="s"/></a>`, want: `<s Id="s"></s>`},
	{name: "default namespace after an empty one",
		doc: `<a xmlns="urn:a"><b xmlns=""><s xmlns="urn:a"/></b></a>`, want: `<s xmlns="urn:a"></s>`},
	{name: "inherited empty default namespace",
		doc: `<a xmlns="urn:a"><b xmlns=""><s><c xmlns=""/></s></b></a>`, want: `<s><c></c></s>`},
	{name: "nearest binding of a prefix",
		doc: `<p:r xmlns:p="urn:1"><p:s xmlns:p="urn:2"/></p:r>`, want: `<p:s xmlns:p="urn:2"></p:s>`},
	{name: "inherits xml attributes, nearest first, its own before all",
		doc:  `<r xml:lang="fr" xml:space="default" xml:id="r" xml:base="http://b/"><m xml:lang="en" xml:space="preserve"><s xml:lang="de" b="1" xml:a="2"/></m></r>`,
		want: `<s b="1" xml:a="2" xml:base="http://b/" xml:id="r" xml:lang="de" xml:space="preserve"></s>`},
	{name: "inherits an xml attribute and nothing else",
		doc: `<r xml:lang="fr"><s></s></r>`, want: `<s xml:lang="fr"></s>`},
	{name: "children do not repeat what the apex inherits",
		doc: `<r xmlns:p="urn:p" xml:lang="fr"><s><p:c xmlns:p="urn:p"/></s></r>`, want: `<s xmlns:p="urn:p" xml:lang="fr"><p:c></p:c></s>`},
	{name: "exclusive: prefix declared on an ancestor", method: c14n.Method{Exclusive: true},
		doc: `<r xmlns:p="urn:p" xmlns:q="urn:q" xml:lang="fr"><p:s q:a="1"/></r>`, want: `<p:s xmlns:p="urn:p" xmlns:q="urn:q" q:a="1"></p:s>`},
	{name: "exclusive: inherited default namespace", method: c14n.Method{Exclusive: true},
		doc: `<r xmlns="urn:a"><s><d/></s></r>`, want: `<s xmlns="urn:a"><d></d></s>`},
	{name: "exclusive: no empty default namespace at the apex", method: c14n.Method{Exclusive: true},
		doc: `<r xmlns="urn:a"><s xmlns=""/></r>`, want: `<s></s>`},
	{name: "exclusive: unused declarations are left out", method: c14n.Method{Exclusive: true},
		doc: `<r xmlns:p="urn:p"><s xmlns:q="urn:q" xmlns="urn:d"><q:x xmlns=""/><y xmlns=""/></s></r>`, want: `<s xmlns="urn:d"><q:x xmlns:q="urn:q"></q:x><y xmlns=""></y></s>`},
	{name: "PrefixList keeps prefixes that are not used", method: c14n.Method{Exclusive: true, Prefixes: []string{"p", "none"}},
		doc: `<r xmlns:p="urn:p" xmlns:q="urn:q"><s><c xmlns:p="urn:p2"/></s></r>`, want: `<s xmlns:p="urn:p"><c xmlns:p="urn:p2"></c></s>`},
	{name: "PrefixList with #default", method: c14n.Method{Exclusive: true, Prefixes: []string{"#default"}},
		doc: `<r xmlns="urn:d" xmlns:p="urn:p"><p:s><p:c/><p:d xmlns=""/></p:s></r>`, want: `<p:s xmlns="urn:d" xmlns:p="urn:p"><p:c></p:c><p:d xmlns=""></p:d></p:s>`},
	{name: "without #default", method: c14n.Method{Exclusive: true, Prefixes: []string{"p"}},
		doc: `<r xmlns="urn:d" xmlns:p="urn:p"><p:s><p:c/></p:s></r>`, want: `<p:s xmlns:p="urn:p"><p:c></p:c></p:s>`},
}

func TestCanonicalWritesElementsInTheirPlace(t *testing.T) {
	for _, test := range apexes {
		t.Run(test.name, func(t *testing.T) {
			for e := range parse(t, test.doc).Root().Descendants() {
				if e.Is("", "s") || e.Is("urn:a", "s") || e.Is("urn:d", "s") || e.Is("urn:p", "s") || e.Is("urn:2", "s") {
					if got := string(e.Canonical(test.method)); got != test.want {
						t.Errorf("\n got %s\nwant %s", got, test.want)
					}
					return
				}
			}
			t.Fatal("no element s")
		})
	}
}

func TestCanonicalLeavesOutDroppedElements(t *testing.T) {
	doc := parse(t, `<r xmlns:p="urn:p"> <p:drop><p:keep/></p:drop> <p:keep>1<p:drop>x<!-- --></p:drop>2</p:keep><b><c><p:drop></p:drop></c>&#51;</b></r>`)
	drop := func(e c14n.Element) bool { return e.Is("urn:p", "drop") }
	for _, test := range []struct {
		method c14n.Method
		want   string
	}{
		{c14n.Method{Exclusive: true, Drop: drop}, `<r>  <p:keep xmlns:p="urn:p">12</p:keep><b><c></c>3</b></r>`},
		{c14n.Method{Drop: drop}, `<r xmlns:p="urn:p">  <p:keep>12</p:keep><b><c></c>3</b></r>`},
	} {
		if got := string(doc.Canonical(test.method)); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

// TestDigestIsThatOfTheCanonicalForm has a document longer than what is digested at once, with and without octets that differ.
func TestDigestIsThatOfTheCanonicalForm(t *testing.T) {
	for name, source := range map[string]string{
		"short": "<a>&amp;</a>", "canonical": string(certificate(100_000)), "one run": "<a>" + strings.Repeat("x", 100_000) + "</a>",
		"other line ends": strings.ReplaceAll(string(certificate(100_000)), "\n", "\r\n"),
		"sections":        "<a>" + strings.Repeat("<![CDATA[<&>]]>", 10_000) + strings.Repeat("<b/>", 10_000) + "</a>",
	} {
		t.Run(name, func(t *testing.T) {
			doc := parse(t, source)
			for _, m := range methods() {
				h := sha256.New()
				doc.Digest(h, m)
				if got, want := h.Sum(nil), sha256.Sum256(doc.Canonical(m)); !bytes.Equal(got, want[:]) {
					t.Errorf("%+v: got %x, want %x", m, got, want)
				}
			}
		})
	}
}

func TestAppendKeepsEverythingElse(t *testing.T) {
	for _, test := range []struct{ name, doc, want string }{
		{"start and end tag", "\uFEFF<a  x='1'><b> </b\n></a >\r\n", "\uFEFF<a  x='1'><b> <n/></b\n></a >\r\n"},
		{"empty-element tag", "<a><b x='/>' /> </a>", "<a><b x='/>' ><n/></b> </a>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := parse(t, test.doc).Root().Children()[0]
			if got := string(b.Append("<n/>")); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
