package c14n_test

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

var (
	seed      = flag.Uint64("seed", 0, "seed of the generated documents; 0 takes a random one")
	documents = flag.Int("documents", 2000, "number of generated documents")
)

func newGenerator(t *testing.T) *generator {
	t.Helper()
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("run again with -seed %d", s)
	return &generator{Rand: rand.New(rand.NewPCG(s, 0))}
}

// methods are the forms that generated documents and their elements are written in.
func methods() []c14n.Method {
	drop := func(e c14n.Element) bool { return e.Is("", dropped) || strings.HasSuffix(":"+e.Name(), ":"+dropped) }
	return []c14n.Method{
		{}, {Exclusive: true}, {Drop: drop}, {Exclusive: true, Drop: drop},
		{Exclusive: true, Prefixes: []string{"p", "none"}},
		{Exclusive: true, Prefixes: []string{"#default"}},
		{Exclusive: true, Prefixes: []string{"#default", "q", "z", "p2", "p"}},
	}
}

// TestGeneratedDocumentsComeOutLikeTheirTrees compares with the canonicalizer of tree_test.go: whole documents, and each of
// their elements in its place.
func TestGeneratedDocumentsComeOutLikeTheirTrees(t *testing.T) {
	g := newGenerator(t)
	g.comments = true
	compared := 0
	for i := range *documents {
		g.tidy = i%2 == 0
		root := g.tree(nil, 0)
		source, before, after := g.document(root)
		doc := parse(t, source)
		elements := map[int]c14n.Element{}
		for e := range doc.Root().Descendants() {
			elements[len(elements)] = e
		}
		for _, m := range methods() {
			var want strings.Builder
			root.canonical(&want, m, map[string]string{}, true)
			if got := string(doc.Canonical(m)); got != before+want.String()+after {
				t.Fatalf("%+v of %q\n got %q\nwant %q", m, source, got, before+want.String()+after)
			}
			digest := sha256.New()
			if doc.Digest(digest, m); [sha256.Size]byte(digest.Sum(nil)) != sha256.Sum256([]byte(before+want.String()+after)) {
				t.Fatalf("%+v of %q has another digest than its canonical form", m, source)
			}
		}
		for i, apex := range root.all() {
			m := pick(g, methods()...)
			var want strings.Builder
			apex.canonical(&want, m, map[string]string{}, true)
			if got := string(elements[i].Canonical(m)); got != want.String() {
				t.Fatalf("%+v of element %d of %q\n got %q\nwant %q", m, i, source, got, want.String())
			}
			compared++
		}
	}
	t.Logf("%d canonical forms of elements in %d documents agree", compared, *documents)
}

// all gives the element and those in it, in document order.
func (t *tree) all() []*tree {
	out := []*tree{t}
	for _, child := range t.children {
		if below, ok := child.(*tree); ok {
			out = append(out, below.all()...)
		}
	}
	return out
}

// TestGeneratedDocumentsComeOutLikeLibxml2 asks another implementation about whole documents, many at a time.
func TestGeneratedDocumentsComeOutLikeLibxml2(t *testing.T) {
	program, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed")
	}
	g := newGenerator(t)
	const end = "<?end-of-document?>"
	folder := t.TempDir()
	const batch = 250
	for done := 0; done < *documents; done += batch {
		var sources, files []string
		for i := range batch {
			g.tidy = i%2 == 0
			source, _, _ := g.document(g.tree(nil, 0))
			sources = append(sources, source+end)
			files = append(files, filepath.Join(folder, fmt.Sprintf("%d.xml", i)))
			if err := os.WriteFile(files[i], []byte(source+end), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for option, method := range map[string]c14n.Method{"--c14n": {}, "--exc-c14n": {Exclusive: true}} {
			out, err := exec.Command(program, append([]string{"--nonet", option}, files...)...).Output()
			written := strings.SplitAfter(string(out), end)
			if err != nil || len(written) != batch+1 {
				t.Fatalf("xmllint %s: %v, %d documents\n%.2000q", option, err, len(written)-1, out)
			}
			for i, source := range sources {
				if got := string(parse(t, source).Canonical(method)); got != written[i] {
					t.Fatalf("%s of %q\n got %q\nwant %q", option, source, got, written[i])
				}
			}
		}
	}
}

// TestPlaceIsLikeAppend compares what markup is in its place with what it is in the whole document.
func TestPlaceIsLikeAppend(t *testing.T) {
	g := newGenerator(t)
	const markup = `<n:Signature xmlns:n="urn:n"><n:SignedInfo><n:XPath xmlns:p="urn:1">x</n:XPath></n:SignedInfo></n:Signature>`
	find := func(doc *c14n.Document) string {
		for e := range doc.Root().Descendants() {
			if e.Is("urn:n", "SignedInfo") {
				return string(e.Canonical(c14n.Method{})) + string(e.Canonical(c14n.Method{Exclusive: true, Prefixes: []string{"p", "#default"}}))
			}
		}
		return ""
	}
	for range *documents / 4 {
		source, _, _ := g.document(g.tree(nil, 0))
		for e := range parse(t, source).Root().Descendants() {
			place, err := e.Place(markup)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := find(place), find(parse(t, string(e.Append(markup)))); got != want || got == "" {
				t.Fatalf("in %s of %q\n got %q\nwant %q", e.Name(), source, got, want)
			}
		}
	}
}
