package c14n_test

import (
	"strings"
	"testing"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

// TestWhatStandsAtAnyOffsetIsSeen moves pieces of text through the source, which is read 8 and 32 octets at a time: each is
// refused or comes out in the same way wherever it stands and however long the text around it is.
func TestWhatStandsAtAnyOffsetIsSeen(t *testing.T) {
	const refused = "refused"
	pieces := []struct{ piece, text, value, section string }{
		{"&#13;", "&#xD;", "&#xD;", "&amp;#13;"},
		{"\r\n", "\n", " ", "\n"},
		{"\r", "\n", " ", "\n"},
		{"\r\r\n\r", "\n\n\n", "   ", "\n\n\n"},
		{"\n", "\n", " ", "\n"},
		{"\t", "\t", " ", "\t"},
		{"&#x9;", "\t", "&#x9;", "&amp;#x9;"},
		{">", "&gt;", ">", "&gt;"},
		{"]]", "]]", "]]", "]]"},
		{"]]>", refused, "]]>", refused},
		{"]]&gt;", "]]&gt;", "]]>", "]]&amp;gt;"},
		{"&quot;", `"`, "&quot;", "&amp;quot;"},
		{`"`, `"`, refused, `"`},
		{"'", "'", "'", "'"},
		{"&amp;", "&amp;", "&amp;", "&amp;amp;"},
		{"&", refused, refused, "&amp;"},
		{"&lt;", "&lt;", "&lt;", "&amp;lt;"},
		{"<", refused, refused, "&lt;"},
		{"&#x26;#60;", "&amp;#60;", "&amp;#60;", "&amp;#x26;#60;"},
		{"é", "é", "é", "é"}, {"€", "€", "€", "€"}, {"\U0001F30D", "\U0001F30D", "\U0001F30D", "\U0001F30D"},
		{"\x7F", "\x7F", "\x7F", "\x7F"}, {"\uFFFD", "\uFFFD", "\uFFFD", "\uFFFD"}, {"\u2028", "\u2028", "\u2028", "\u2028"},
		{"\x00", refused, refused, refused}, {"\x0B", refused, refused, refused}, {"\x1F", refused, refused, refused},
		{"\uFFFE", refused, refused, refused}, {"\xED\xA0\x80", refused, refused, refused}, // U+FFFE, a surrogate
		{"\xC0\xBC", refused, refused, refused}, {"\xF4\x90\x80\x80", refused, refused, refused}, // an overlong "<", beyond Unicode
		{"\xC3", refused, refused, refused}, {"\xE2\x82", refused, refused, refused}, {"\xF0\x9F\x8C", refused, refused, refused},
		{"\x80", refused, refused, refused},
		{"é<!-- é -->é", "éé", refused, "é&lt;!-- é --&gt;é"},
		{"]]<!---->>", "]]&gt;", refused, "]]&lt;!----&gt;&gt;"},
		{"<![CDATA[]]]]><![CDATA[>]]>", "]]&gt;", refused, refused},
	}
	for _, p := range pieces {
		for before := range 72 {
			for _, after := range []int{0, 1, 6, 7, 8, 9, 31, 32, 33, 140} {
				head, tail := strings.Repeat("x", before), strings.Repeat("y", after)
				for _, place := range []struct{ open, want, close string }{
					{"<a>", p.text, "</a>"},
					{`<a k="`, p.value, `"></a>`},
					{"<a><b><![CDATA[", p.section, "]]></b></a>"},
				} {
					doc := place.open + head + p.piece + tail + place.close
					want := strings.Replace(place.open, "<![CDATA[", "", 1) + head + place.want + tail + strings.Replace(place.close, "]]>", "", 1)
					read, err := c14n.Parse(doc)
					switch {
					case err != nil && place.want != refused:
						t.Fatalf("%q: %v", doc, err)
					case err == nil && place.want == refused:
						t.Fatalf("%q is accepted as %q", doc, read.Canonical(c14n.Method{}))
					case err == nil && string(read.Canonical(c14n.Method{})) != want:
						t.Fatalf("%q\n got %q\nwant %q", doc, read.Canonical(c14n.Method{}), want)
					}
				}
			}
		}
	}
}
