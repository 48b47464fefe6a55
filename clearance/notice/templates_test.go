package notice_test

import (
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ecogate/ecogate/clearance/notice"
)

func folder(files map[string]string) fs.FS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

// Every language says everything by itself: falling back to English is for operators' own languages.
func TestEachLanguageHasEveryBlock(t *testing.T) {
	source, err := notice.Source()
	if err != nil {
		t.Fatal(err)
	}
	defined := regexp.MustCompile(`\{\{define "([^"]+)"\}\}`)
	blocks := func(name string) (out []string) {
		for _, found := range defined.FindAllStringSubmatch(source[name], -1) {
			out = append(out, found[1])
		}
		slices.Sort(out)
		return out
	}
	want := blocks("en.tmpl")
	for _, name := range slices.Sorted(maps.Keys(source)) {
		if strings.HasPrefix(name, "layout.") {
			continue
		}
		if got := blocks(name); !slices.Equal(got, want) {
			t.Errorf("%s has the blocks\n%q\nwant\n%q", name, got, want)
		}
	}
	for _, language := range []string{"en", "ko", "vi", "lo", "zh-TW"} {
		if source[language+".tmpl"] == "" {
			t.Errorf("no %s", language)
		}
	}
}

func TestOperatorsChangeTheWords(t *testing.T) {
	templates, err := notice.NewTemplates("Customs <of> Taiwan", folder(map[string]string{
		"en.tmpl":          `{{define "certificate.arrived.subject"}}e-CO {{.Reference}} & more{{end}}`,
		"th.tmpl":          `{{define "certificate.arrived.text"}}มาถึงแล้ว <b>{{.Importer}}</b>{{end}}`,
		"layout.html.tmpl": `<p title="{{.Title}}">{{.Text}}</p>{{range .Rows}}<i>{{.Value}}</i>{{end}}`,
	}))
	if err != nil {
		t.Fatal(err)
	}
	subject, _, html, err := templates.Sample(notice.CertificateArrived, "th-TH")
	if err != nil {
		t.Fatal(err)
	}
	if subject != "e-CO K001-26-00001 & more" || !strings.Contains(html, `<p title="e-CO K001-26-00001 &amp; more">มาถึงแล้ว &lt;b&gt;Formosa Tools &amp; Dies&lt;/b&gt;</p>`) {
		t.Errorf("subject %q, html %s", subject, html)
	}
	if !slices.Contains(templates.Languages(), "th") {
		t.Errorf("languages %q", templates.Languages())
	}
	if subject, _, _, err := templates.Sample(notice.CertificateArrived, "ko"); err != nil || !strings.Contains(subject, "도착") {
		t.Errorf("another language: %q, %v", subject, err)
	}
}

func TestTemplatesThatDoNotWorkAreToldAtTheStart(t *testing.T) {
	for _, c := range []struct{ name, file, text, want string }{
		{"syntax", "en.tmpl", `{{define "test.text"}}{{.Reference`, "en.tmpl: template"},
		{"unknown block", "en.tmpl", `{{define "tset.text"}}x{{end}}`, `en.tmpl: there is no block "tset.text"`},
		{"unknown field", "ko.tmpl", `{{define "test.text"}}{{.FOB}}{{end}}`, "can't evaluate field FOB"},
		{"empty subject", "vi.tmpl", `{{define "test.subject"}}{{if .Code}}{{end}}{{end}}`, `block "test.subject" gives no text`},
		{"no language", "english words.tmpl", `{{define "test.text"}}x{{end}}`, "is no language tag"},
		{"frame", "layout.html.tmpl", `<p>{{.Titel}}</p>`, "can't evaluate field Titel"},
		{"frame that cannot be escaped", "layout.html.tmpl", `<script>var x = "{{.Title}}`, "ends in a non-text context"},
		{"recursion", "en.tmpl", `{{define "test.text"}}{{template "test.text" .}}{{end}}`, "exceeded maximum template depth"},
	} {
		if _, err := notice.NewTemplates("Customs", folder(map[string]string{c.file: c.text})); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
