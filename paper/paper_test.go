package paper_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/paper"
)

// render prints a certificate.
func render(t rapid.TB, c eco.Certificate, o paper.Options) ([]byte, []eco.Finding) {
	t.Helper()
	var b bytes.Buffer
	findings, err := paper.Render(&b, c, o)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), findings
}

// need skips a test whose program of another maker is absent.
func need(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed", name)
	}
}

// run runs a program on a rendition; FILE in its arguments stands for that.
func run(t rapid.TB, name string, pdf []byte, arguments ...string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "paper")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "rendition.pdf")
	if err := os.WriteFile(file, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	for i, a := range arguments {
		arguments[i] = strings.ReplaceAll(a, "FILE", file)
	}
	out, err := exec.Command(name, arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// read is the text of a rendition in the order in which it was printed.
func read(t rapid.TB, pdf []byte) string {
	t.Helper()
	return run(t, "pdftotext", pdf, "-raw", "-enc", "UTF-8", "FILE", "-")
}

// squeezed is text in capitals without white space, so that lines may break anywhere.
func squeezed(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToUpper(r)
	}, s)
}

// asPrinted is how a text looks in the built-in font: characters that it lacks are code points.
func asPrinted(s string) string {
	var b strings.Builder
	for _, r := range norm.NFC.String(s) {
		if _, ok := charmap.Windows1252.EncodeRune(r); ok || unicode.IsSpace(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "[%U]", r)
		}
	}
	return b.String()
}

// data are the values of a certificate by their path, as they are to be found on paper.
func data(v reflect.Value, path string, all map[string]string) {
	switch v.Kind() {
	case reflect.String:
		all[path] = v.String()
	case reflect.Int, reflect.Int64:
		if v.Int() > 1 { // version 1 goes without saying, and so do 0 packages
			all[path] = fmt.Sprint(v.Int())
		}
	case reflect.Pointer:
		if !v.IsNil() {
			data(v.Elem(), path, all)
		}
	case reflect.Slice:
		for i := range v.Len() {
			data(v.Index(i), fmt.Sprintf("%s[%d]", path, i), all)
		}
	case reflect.Struct:
		if date, ok := v.Interface().(eco.Date); ok {
			all[path] = date.String()
			return
		}
		for i := range v.NumField() {
			data(v.Field(i), path+"."+v.Type().Field(i).Name, all)
		}
	}
}

// missing are the data of a certificate that a text lacks. The item's CPE is none of them: it is national, and stays off the paper.
func missing(c eco.Certificate, text string) (paths []string) {
	pages := strings.Split(text, "\f")
	for i := range pages {
		pages[i] = squeezed(pages[i])
	}
	all := map[string]string{}
	data(reflect.ValueOf(c.ForPartner()), "", all)
	if c.Status == eco.StatusOriginal {
		delete(all, ".Status") // what goes without saying; a copy would say too much
	}
	for path, value := range all {
		if strings.HasSuffix(path, ".Relation") {
			value = strings.ReplaceAll(value, "_", " ")
		}
		// What does not fit its box goes on elsewhere, at the end of a line.
		for line := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == '\n' || r == '\r' }) {
			if !printedOn(pages, asPrinted(line)) {
				paths = append(paths, fmt.Sprintf("%s %q", path, value))
				break
			}
		}
	}
	return paths
}

// printedOn reports whether a line of a value stands on a page, or begins on one and ends on the next with the break between two of its words.
func printedOn(pages []string, value string) bool {
	whole := squeezed(value)
	if slices.ContainsFunc(pages, func(page string) bool { return strings.Contains(page, whole) }) {
		return true
	}
	words := strings.Fields(value)
	for n := 1; n < len(words); n++ {
		begin, end := squeezed(strings.Join(words[:n], "")), squeezed(strings.Join(words[n:], ""))
		for i := 1; i < len(pages); i++ {
			if strings.Contains(pages[i-1], begin) && strings.Contains(pages[i], end) {
				return true
			}
		}
	}
	return false
}

func TestEveryDatumOfACertificateIsOnItsPaper(t *testing.T) {
	need(t, "pdftotext")
	rapid.Check(t, func(t *rapid.T) {
		form := rapid.SampledFrom(frames).Draw(t, "form")
		c := ecotest.Certificate(eco.FormCode(strings.ToUpper(form))).Draw(t, "certificate")
		pdf, _ := render(t, c, paper.Options{Digest: digest})
		text := read(t, pdf)
		if lost := missing(c, text); len(lost) > 0 {
			t.Fatalf("not on paper: %v\n%s", lost, text)
		}
	})
}
