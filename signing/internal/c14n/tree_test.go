package c14n_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

// tree is an element as the specifications see it, without regard to how it is written. It is canonicalized here by the
// letter of Canonical XML 1.0 and Exclusive C14N 1.0, with a set of namespaces for each element, and knows nothing of how
// package c14n does it.
type tree struct {
	prefix, local string
	declared      map[string]string // prefix to namespace name
	attributes    []treeAttribute
	children      []any // *tree, treeText or treeInstruction
	parent        *tree
}

type treeAttribute struct{ prefix, local, value string }

type (
	treeText        string
	treeInstruction struct{ target, data string }
)

// scope gives the namespaces in scope. An undone default namespace is not among them.
func (t *tree) scope() map[string]string {
	all := map[string]string{}
	if t.parent != nil {
		all = t.parent.scope()
	}
	maps.Copy(all, t.declared)
	if all[""] == "" {
		delete(all, "")
	}
	return all
}

// canonical writes the element. above are the namespaces that its output ancestors have rendered.
func (t *tree) canonical(out *strings.Builder, m c14n.Method, above map[string]string, apex bool) {
	name := qualified(t.prefix, t.local)
	scope := t.scope()
	fresh := map[string]string{}
	for _, prefix := range t.considered(m) {
		if uri := scope[prefix]; prefix != "xml" && uri != above[prefix] {
			fresh[prefix] = uri
		}
	}
	out.WriteString("<" + name)
	for _, prefix := range slices.Sorted(maps.Keys(fresh)) {
		out.WriteString(" " + strings.TrimSuffix("xmlns:"+prefix, ":") + `="` + escapedValue(fresh[prefix]) + `"`)
	}
	for _, a := range t.sorted(scope, apex && !m.Exclusive) {
		out.WriteString(" " + qualified(a.prefix, a.local) + `="` + escapedValue(a.value) + `"`)
	}
	out.WriteString(">")
	below := maps.Clone(above)
	maps.Copy(below, fresh)
	for _, child := range t.children {
		switch child := child.(type) {
		case *tree:
			if m.Drop == nil || child.local != dropped {
				child.canonical(out, m, below, false)
			}
		case treeText:
			out.WriteString(escapedText(string(child)))
		case treeInstruction:
			out.WriteString(child.canonical())
		}
	}
	out.WriteString("</" + name + ">")
}

// considered gives the prefixes that the method may render at the element.
func (t *tree) considered(m c14n.Method) []string {
	prefixes := map[string]bool{"": true}
	if !m.Exclusive {
		for p := range t.scope() {
			prefixes[p] = true
		}
		return slices.Collect(maps.Keys(prefixes))
	}
	prefixes = map[string]bool{t.prefix: true}
	for _, a := range t.attributes {
		if a.prefix != "" {
			prefixes[a.prefix] = true
		}
	}
	for _, p := range m.Prefixes {
		// A listed prefix is treated as in the inclusive form: rendered where it is in scope, or undone.
		if p == "#default" {
			prefixes[""] = true
		} else if _, bound := t.scope()[p]; bound {
			prefixes[p] = true
		}
	}
	return slices.Collect(maps.Keys(prefixes))
}

// sorted gives the attributes in canonical order, with the xml: ones of the ancestors if they are inherited.
func (t *tree) sorted(scope map[string]string, inherit bool) []treeAttribute {
	all := slices.Clone(t.attributes)
	for up := t.parent; inherit && up != nil; up = up.parent {
		for _, a := range up.attributes {
			same := func(b treeAttribute) bool { return b.prefix == "xml" && b.local == a.local }
			if a.prefix == "xml" && !slices.ContainsFunc(all, same) {
				all = append(all, a)
			}
		}
	}
	space := func(a treeAttribute) string {
		switch a.prefix {
		case "":
			return ""
		case "xml":
			return c14n.XMLSpace
		}
		return scope[a.prefix]
	}
	slices.SortFunc(all, func(a, b treeAttribute) int {
		return cmp.Or(cmp.Compare(space(a), space(b)), cmp.Compare(a.local, b.local))
	})
	return all
}

func (i treeInstruction) canonical() string {
	if i.data == "" {
		return "<?" + i.target + "?>"
	}
	return "<?" + i.target + " " + i.data + "?>"
}

func qualified(prefix, local string) string { return strings.TrimPrefix(prefix+":"+local, ":") }

func escapedText(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;").Replace(s)
}

func escapedValue(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;", "\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;").Replace(s)
}

// dropped is the local name of the elements that the generated documents are canonicalized without.
const dropped = "drop"

// generator makes random trees of few names, so that namespaces meet in every way, and writes them in random spelling.
type generator struct {
	*rand.Rand
	comments bool // which xmllint would keep
	tidy     bool // most is written as the canonical form has it, so that it is copied in large pieces
}

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

// tree makes an element that is depth deep.
func (g *generator) tree(parent *tree, depth int) *tree {
	t := &tree{parent: parent, declared: map[string]string{}, local: pick(g, "a", "b", "é", "c-1.x", dropped, "CertificateOfOrigin", "CertificateOfOrig", "Certificateé")}
	for _, prefix := range []string{"", "p", "q", "z", "p2"} {
		if g.IntN(3) == 0 && !g.kept() {
			uri := pick(g, "urn:1", "urn:2", "http://a.example/x", "urn:A")
			if prefix == "" {
				uri = pick(g, uri, "")
			}
			t.declared[prefix] = uri
		}
	}
	if g.IntN(20) == 0 && !g.kept() {
		t.declared["xml"] = c14n.XMLSpace
	}
	scope := t.scope()
	delete(scope, "")
	bound := append(slices.Sorted(maps.Keys(scope)), "")
	bound = slices.DeleteFunc(bound, func(p string) bool { return p == "xml" })
	t.prefix = pick(g, bound...)
	used := map[string]bool{}
	for range g.IntN(5) {
		a := treeAttribute{pick(g, bound...), pick(g, "k", "l", "p", "É"), g.text()}
		if g.IntN(5) == 0 {
			// Not xml:id, which libxml2 normalises, nor xml:base.
			a.prefix, a.local = "xml", pick(g, "lang", "space")
		}
		expanded := scope[a.prefix] + " " + a.local
		if a.prefix == "xml" {
			expanded = "xml " + a.local
		}
		if !used[expanded] {
			used[expanded] = true
			t.attributes = append(t.attributes, a)
		}
	}
	for n := g.IntN(5); n > 0 && depth < 4; n-- {
		switch g.IntN(4) {
		case 0:
			t.children = append(t.children, treeText(g.text()))
		case 1:
			if g.kept() {
				continue
			}
			t.children = append(t.children, treeInstruction{pick(g, "pi", "x-y"), pick(g, "", "data", "a\nb ", "<&>")})
		default:
			t.children = append(t.children, g.tree(t, depth+1))
		}
	}
	return t
}

func (g *generator) text() string {
	var text strings.Builder
	for range g.IntN(6) {
		text.WriteString(pick(g, "v", "word", " ", "\n", "\t", "\r", "<", ">", "&", "'", `"`, "é", "\U0001F30D", "]]", "some more words"))
	}
	return text.String()
}

// document writes a document around an element and gives its canonical form outside the element, too.
func (g *generator) document(t *tree) (source, before, after string) {
	source = pick(g, "", "\uFEFF", `<?xml version="1.0"?>`, "<?xml version='1.0' encoding='utf-8' standalone='no' ?>\r\n")
	if g.IntN(3) == 0 {
		source += "<?pi  a b?>" + pick(g, "", "\n", " \r\n")
		before = "<?pi a b?>\n"
	}
	source += g.comment() + g.element(t) + g.comment()
	if g.IntN(3) == 0 {
		source += "\n<?end?>\n"
		after = "\n<?end?>"
	}
	return source, before, after
}

// kept decides whether something is written as the canonical form has it.
func (g *generator) kept() bool { return g.tidy && g.IntN(24) > 0 }

func (g *generator) comment() string {
	if !g.comments || g.kept() {
		return ""
	}
	return pick(g, "", "", "<!-- <a> & - -->", "<!---->")
}

// element writes an element in one of many spellings.
func (g *generator) element(t *tree) string {
	if len(t.declared) == 0 && g.kept() {
		return g.tidyElement(t)
	}
	var parts []string
	for prefix, uri := range t.declared {
		parts = append(parts, strings.TrimSuffix("xmlns:"+prefix, ":")+g.value(uri))
	}
	for _, a := range t.attributes {
		parts = append(parts, qualified(a.prefix, a.local)+g.value(a.value))
	}
	slices.Sort(parts)
	g.Shuffle(len(parts), func(i, k int) { parts[i], parts[k] = parts[k], parts[i] })
	name := qualified(t.prefix, t.local)
	out := "<" + name
	for _, part := range parts {
		out += pick(g, " ", " ", "\n\t", "\r\n") + part
	}
	out += pick(g, "", "", " ", "\n")
	if len(t.children) == 0 && g.IntN(2) == 0 {
		return out + "/>"
	}
	return out + ">" + g.content(t) + "</" + name + pick(g, "", "", "\n") + ">"
}

// tidyElement writes an element that declares nothing with tags as the canonical form has them.
func (g *generator) tidyElement(t *tree) string {
	name := qualified(t.prefix, t.local)
	out := "<" + name
	for _, a := range t.sorted(t.scope(), false) {
		out += " " + qualified(a.prefix, a.local) + `="` + escapedValue(a.value) + `"`
	}
	return out + ">" + g.content(t) + "</" + name + ">"
}

// content writes what is between an element's tags.
func (g *generator) content(t *tree) string {
	out := g.comment()
	for _, child := range t.children {
		switch child := child.(type) {
		case *tree:
			out += g.element(child)
		case treeText:
			if g.kept() {
				out += escapedText(string(child))
			} else {
				out += g.characters(string(child))
			}
		case treeInstruction:
			out += "<?" + child.target
			if child.data != "" {
				out += pick(g, " ", "  ", "\r\n") + strings.ReplaceAll(child.data, "\n", pick(g, "\n", "\r\n", "\r"))
			}
			out += "?>"
		}
		out += g.comment()
	}
	return out
}

// value writes "=" and an attribute value in quotes.
func (g *generator) value(value string) string {
	quote := pick(g, `"`, "'")
	out := pick(g, "=", "=", " = ", "=\n") + quote
	for _, r := range value {
		switch r {
		case ' ':
			out += pick(g, " ", "\t", "\n", "\r\n", "&#32;")
		case '\n', '\t', '\r', '<', '&':
			out += g.reference(r)
		case '"', '\'':
			if string(r) == quote || g.IntN(2) == 0 {
				out += g.reference(r)
				continue
			}
			out += string(r)
		default:
			out += g.sometimes(r)
		}
	}
	return out + quote
}

// characters writes text, partly as CDATA sections.
func (g *generator) characters(text string) string {
	if text != "" && !strings.ContainsAny(text, "\r") && !strings.Contains(text, "]") && g.IntN(4) == 0 {
		return "<![CDATA[" + strings.ReplaceAll(text, "\n", pick(g, "\n", "\r\n")) + "]]>"
	}
	out := ""
	for _, r := range text {
		switch r {
		case '\r', '<', '&':
			out += g.reference(r)
		case '\n':
			out += pick(g, "\n", "\r\n", "&#10;")
		case '>':
			// Not after "]]", which may not be followed by it and may stand at the end of the text before.
			if out == "" || strings.HasSuffix(out, "]") {
				out += "&gt;"
				continue
			}
			out += g.sometimes(r)
		default:
			out += g.sometimes(r)
		}
	}
	return out
}

// sometimes writes a character as itself or, now and then, as a reference.
func (g *generator) sometimes(r rune) string {
	if g.IntN(8) == 0 {
		return g.reference(r)
	}
	return string(r)
}

func (g *generator) reference(r rune) string {
	named := map[rune]string{'<': "&lt;", '>': "&gt;", '&': "&amp;", '\'': "&apos;", '"': "&quot;"}[r]
	return pick(g, cmp.Or(named, fmt.Sprintf("&#%d;", r)), fmt.Sprintf("&#%d;", r), fmt.Sprintf("&#x%X;", r), fmt.Sprintf("&#x0%x;", r))
}
