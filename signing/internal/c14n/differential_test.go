package c14n_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/quick"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

var (
	seed      = flag.Uint64("seed", 0, "seed of the generated documents; 0 takes a random one")
	documents = flag.Int("documents", 120, "number of generated documents")
)

// generator writes random well-formed documents that use few names, so that namespaces meet in every way.
type generator struct {
	*rand.Rand
	out strings.Builder
}

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

func (g *generator) document() string {
	g.out.Reset()
	g.out.WriteString(pick(g, "", `<?xml version="1.0"?>`, "<?pi  a b?>\r\n"))
	g.element(0, map[string]string{})
	g.out.WriteString(pick(g, "", "\n", "<?end?>\n"))
	return g.out.String()
}

// element writes an element; scope says what is bound, "" being the default namespace.
func (g *generator) element(depth int, scope map[string]string) {
	inner := map[string]string{}
	for prefix, uri := range scope {
		inner[prefix] = uri
	}
	declarations := ""
	for _, prefix := range []string{"", "p", "q", "z"} {
		if g.IntN(3) > 0 {
			continue
		}
		uri := pick(g, "urn:1", "urn:2", "http://a.example/x", "urn:A")
		if prefix == "" {
			uri = pick(g, uri, "")
			declarations += fmt.Sprintf(" xmlns='%s'", uri)
		} else {
			declarations += fmt.Sprintf("%sxmlns:%s=\"%s\"", pick(g, " ", "\n"), prefix, uri)
		}
		inner[prefix] = uri
	}
	name := g.prefix(inner) + pick(g, "a", "b", "é")
	g.out.WriteString("<" + name + declarations + g.attributes(inner))
	if depth > 4 || g.IntN(5) == 0 {
		g.out.WriteString(pick(g, "/>", " />"))
		return
	}
	g.out.WriteString(">")
	for range g.IntN(5) {
		g.out.WriteString(pick(g, "", "", " x ", "&#13;&amp;", "\r\n", ">", "<![CDATA[<&>\r]]>", "<?pi x\r\ny ?>", "é\U0001F30D", "&#xA;\""))
		g.element(depth+1, inner)
	}
	g.out.WriteString("</" + name + pick(g, ">", "\n>"))
}

// prefix picks a bound prefix with its colon, or none.
func (g *generator) prefix(scope map[string]string) string {
	prefix := pick(g, "", "p", "q", "z")
	if prefix == "" || scope[prefix] == "" {
		return ""
	}
	return prefix + ":"
}

func (g *generator) attributes(scope map[string]string) string {
	out, used := "", map[string]bool{}
	for range g.IntN(5) {
		prefix := pick(g, g.prefix(scope), "xml:")
		local := pick(g, "k", "l", "p", "É")
		if prefix == "xml:" {
			// Not xml:id, which libxml2 normalises, nor xml:base.
			local = pick(g, "lang", "space")
		}
		expanded := scope[strings.TrimSuffix(prefix, ":")] + " " + local
		if prefix == "" || prefix == "xml:" {
			expanded = prefix + local
		}
		if used[expanded] {
			continue
		}
		used[expanded] = true
		value := pick(g, "", "v", " a\tb\r\nc ", "&#9;&#10;&#13;", "&lt;&amp;&gt;'", "é>")
		out += fmt.Sprintf("%s%s%s=%q", pick(g, " ", "\n\t"), prefix, local, "@")
		out = strings.Replace(out, "@", value, 1)
	}
	return out
}

func newGenerator(t *testing.T) *generator {
	t.Helper()
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("run again with -seed %d", s)
	return &generator{Rand: rand.New(rand.NewPCG(s, 0))}
}

func TestGeneratedDocumentsComeOutLikeLibxml2(t *testing.T) {
	g := newGenerator(t)
	for range *documents {
		doc := g.document()
		read := parse(t, doc)
		for option, method := range map[string]c14n.Method{"--c14n": {}, "--exc-c14n": {Exclusive: true}} {
			want, ok := xmllint(t, option, doc)
			if got := string(read.Canonical(method)); !ok || got != want {
				t.Fatalf("%s of %q\n got %q\nwant %q", option, doc, got, want)
			}
		}
	}
}

// TestGeneratedElementsStandAlone checks elements in their place against each other, where no tool can be asked: the
// inclusive form of an element, read as a document, must be its own canonical form, and its exclusive form must be the
// exclusive form of the element in its place (no PrefixList: nothing invisible counts), but for inherited xml: attributes.
func TestGeneratedElementsStandAlone(t *testing.T) {
	g := newGenerator(t)
	property := func() bool {
		for e := range parse(t, g.document()).Root().Descendants() {
			inclusive := e.Canonical(c14n.Method{})
			alone := parse(t, string(inclusive))
			if again := alone.Canonical(c14n.Method{}); string(again) != string(inclusive) {
				t.Logf("%q becomes %q", inclusive, again)
				return false
			}
			exclusive := string(e.Canonical(c14n.Method{Exclusive: true}))
			if again := string(parse(t, exclusive).Canonical(c14n.Method{Exclusive: true})); again != exclusive {
				t.Logf("%q becomes %q", exclusive, again)
				return false
			}
			all := c14n.Method{Exclusive: true, Prefixes: []string{"#default", "p", "q", "z"}}
			if len(alone.Root().Attributes()) == len(e.Attributes()) && string(e.Canonical(all)) != string(inclusive) {
				t.Logf("with every prefix listed %q, inclusive %q", e.Canonical(all), inclusive)
				return false
			}
		}
		return true
	}
	if err := quick.Check(property, &quick.Config{MaxCount: 300}); err != nil {
		t.Error(err)
	}
}
