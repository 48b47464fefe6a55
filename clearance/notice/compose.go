package notice

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/ecogate/ecogate/eco"
)

//go:embed templates
var embedded embed.FS

// Fallback is the language of what another one does not have.
const Fallback = "en"

// Names of the templates. A language's file holds blocks: EVENT.subject and EVENT.text for each event, and words. The layouts put what comes of them, which is text, around it.
const (
	suffixLanguage = ".tmpl"
	layoutText     = "layout.txt.tmpl"
	layoutHTML     = "layout.html.tmpl"
)

// Templates are the words of mails in each language. They are safe for concurrent use, and are not changed.
type Templates struct {
	node      string
	languages map[string]*template.Template
	text      *template.Template
	html      *htmltemplate.Template
}

// maxSubject bounds a subject, in characters; maxBlock what a block may give, in octets.
const (
	maxSubject = 120
	maxBlock   = 4 << 10
)

var languageName = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)

// NewTemplates reads the program's templates, and over them those of a folder, nil for none: LANGUAGE.tmpl, whose blocks take the place of those with
// their names or add a language, layout.txt.tmpl and layout.html.tmpl. Every block is tried. node is how the mails name the sender.
func NewTemplates(node string, folder fs.FS) (*Templates, error) {
	own, err := fs.Sub(embedded, "templates")
	if err != nil {
		return nil, err
	}
	t := &Templates{node: line(node, maxName), languages: map[string]*template.Template{}}
	if err := t.read(own); err != nil {
		return nil, fmt.Errorf("templates of the program: %w", err)
	}
	if folder != nil {
		if err := t.read(folder); err != nil {
			return nil, fmt.Errorf("templates: %w", err)
		}
	}
	return t, t.try()
}

// read takes what a folder has.
func (t *Templates) read(folder fs.FS) error {
	names, err := fs.Glob(folder, "*"+suffixLanguage)
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return err
		}
		switch name {
		case layoutText:
			t.text, err = template.New(name).Parse(string(text))
		case layoutHTML:
			t.html, err = htmltemplate.New(name).Parse(string(text))
		default:
			err = t.language(strings.TrimSuffix(name, suffixLanguage), string(text))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// language puts the blocks of a file over those that its language has.
func (t *Templates) language(name, text string) error {
	if !languageName.MatchString(name) {
		return errors.New("the name before .tmpl is no language tag such as ko or zh-TW")
	}
	over := t.languages[name]
	if over == nil {
		over = template.New(name)
	}
	over = template.Must(over.Clone())
	if _, err := over.Parse(text); err != nil {
		return err
	}
	for _, block := range over.Templates() {
		if !slices.Contains(blocks(), block.Name()) && block.Name() != name {
			return fmt.Errorf("there is no block %q", block.Name())
		}
	}
	t.languages[name] = over
	return nil
}

// words are the blocks that are no event's.
var words = []string{
	"word.reference", "word.form", "word.country", "word.issued", "word.body", "word.exporter", "word.importer", "word.partner", "word.declaration",
	"word.reason", "word.subject", "word.detail", "word.time", "word.code", "word.repeats", "word.test", "digest.subject", "digest.text", "footer", "footer.unsubscribe",
}

// blocks are all that a language may have.
func blocks() []string {
	out := slices.Clone(words)
	for _, e := range append(allEvents(), AddressConfirm, TestNotice) {
		out = append(out, string(e)+".subject", string(e)+".text")
	}
	return out
}

func allEvents() []Event {
	var out []Event
	for _, r := range rows {
		out = append(out, r.Event)
	}
	return out
}

// Languages lists those that there are.
func (t *Templates) Languages() []string {
	var out []string
	for name := range t.languages {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// matching is the language that there is for a tag: the tag itself, its first part, or Fallback.
func (t *Templates) matching(tag string) string {
	first, _, _ := strings.Cut(tag, "-")
	for _, name := range []string{tag, first} {
		if _, ok := t.languages[name]; ok {
			return name
		}
	}
	return Fallback
}

// said is what a block sees.
type said struct {
	Facts
	Node  string
	Count int // of notices in a digest
}

// block gives the text of a block in a language, in one line.
func (t *Templates) block(language, name string, data said) (string, error) {
	block := t.languages[language].Lookup(name)
	if block == nil {
		block = t.languages[Fallback].Lookup(name)
	}
	if block == nil {
		return "", fmt.Errorf("language %s has no block %q", language, name)
	}
	var out bytes.Buffer
	if err := block.Execute(&out, data); err != nil {
		return "", fmt.Errorf("language %s: %w", language, err)
	}
	return line(out.String(), maxBlock), nil
}

// page is what a layout sees. All of it is text.
type page struct {
	Language, Title, Text string
	// Rows are the facts of a single notice; Entries the notices of a digest.
	Rows        []row
	Entries     []entry
	Footer      string
	Unsubscribe string
}

type row struct{ Label, Value string }

type entry struct {
	Time, Title, Text string
	Rows              []row
}

// single composes the mail of one notice.
func (t *Templates) single(n Notice, language string) (letter, error) {
	w := t.writer(language, said{Facts: n.Facts, Node: t.node})
	e := w.entry(n)
	p := page{Title: e.Title, Text: e.Text, Rows: e.Rows}
	return w.letter(p, e.Title)
}

// digest composes one mail of several notices.
func (t *Templates) digest(notices []Notice, language string) (letter, error) {
	w := t.writer(language, said{Node: t.node, Count: len(notices)})
	p := page{Title: w.block("digest.subject"), Text: w.block("digest.text")}
	for _, n := range notices {
		p.Entries = append(p.Entries, w.of(said{Facts: n.Facts, Node: t.node, Count: len(notices)}).entry(n))
	}
	return w.letter(p, p.Title)
}

// writer writes one mail in one language, and keeps the first error.
type writer struct {
	t        *Templates
	language string
	data     said
	err      *error
}

func (t *Templates) writer(language string, data said) *writer {
	return &writer{t, t.matching(language), data, new(error)}
}

func (w *writer) of(data said) *writer { return &writer{w.t, w.language, data, w.err} }

func (w *writer) block(name string) string {
	text, err := w.t.block(w.language, name, w.data)
	if err != nil && *w.err == nil {
		*w.err = err
	}
	return text
}

func (w *writer) entry(n Notice) entry {
	e := entry{Time: n.At.UTC().Format("2006-01-02 15:04 UTC"), Title: line(w.block(string(n.Event)+".subject"), maxSubject), Text: w.block(string(n.Event) + ".text")}
	if n.Facts.Test {
		e.Title = "[" + w.block("word.test") + "] " + e.Title
	}
	add := func(word, value string) {
		if value != "" {
			e.Rows = append(e.Rows, row{w.block("word." + word), value})
		}
	}
	f := n.Facts
	add("reference", f.Reference)
	add("form", string(f.Form))
	add("country", f.Country)
	add("body", f.Body)
	add("issued", f.Issued)
	add("exporter", f.Exporter)
	add("importer", f.Importer)
	add("declaration", f.Declaration)
	add("partner", f.Partner)
	for _, r := range f.Reasons {
		add("reason", strings.TrimSpace(r.Code+" "+r.Text))
	}
	if f.Reference == "" && f.Declaration == "" {
		add("subject", f.Subject)
	}
	add("detail", f.Detail)
	add("code", f.Code)
	if n.Repeats > 0 {
		add("repeats", strconv.Itoa(n.Repeats))
	}
	if n.Entry != 0 && w.data.Count == 0 {
		add("time", e.Time)
	}
	return e
}

// letter puts the layouts around a page.
func (w *writer) letter(p page, subject string) (letter, error) {
	p.Language, p.Footer, p.Unsubscribe = w.language, w.block("footer"), w.block("footer.unsubscribe")
	if *w.err != nil {
		return letter{}, *w.err
	}
	l := letter{language: w.language, subject: subject}
	var text, html bytes.Buffer
	if err := w.t.text.Execute(&text, p); err != nil {
		return l, err
	}
	if err := w.t.html.Execute(&html, p); err != nil {
		return l, err
	}
	l.text, l.html = text.String(), html.String()
	return l, nil
}

// sample is a notice about nothing that is, to try templates with and to show them.
func sample(e Event) Notice {
	return Notice{Entry: 1, At: time.Date(2026, 11, 29, 8, 30, 0, 0, time.UTC), Event: e, Facts: Facts{
		Subject: "KR/ATIGA-D/K0012600001", Reference: "K001-26-00001", Form: eco.FormCode("ATIGA-D"), Country: "KR", Issued: "2026-11-20", Body: "KCCI",
		Exporter: "Hanbit Precision Co., Ltd", Importer: "Formosa Tools & Dies", State: "available", Partner: "kr", Declaration: "AW/26/001/00017",
		Reasons: []Reason{{"C03", "not directly consigned"}}, Detail: "what the audit log says", Code: "A1B2C3D4",
	}}
}

// Sample shows the mail of an event in a language, with values that are made up: subject, text and HTML.
func (t *Templates) Sample(e Event, language string) (subject, text, html string, err error) {
	if !slices.Contains(append(allEvents(), AddressConfirm, TestNotice), e) {
		return "", "", "", fmt.Errorf("%w: event %q", ErrUnknown, e)
	}
	l, err := t.single(sample(e), language)
	return l.subject, l.text, l.html, err
}

// try composes everything once, so that a template that does not work is told at the start and not when somebody should be told something.
func (t *Templates) try() error {
	for _, language := range t.Languages() {
		var list []Notice
		for _, e := range append(allEvents(), AddressConfirm, TestNotice) {
			n := sample(e)
			l, err := t.single(n, language)
			if err != nil {
				return fmt.Errorf("event %s: %w", e, err)
			}
			if l.subject == "" {
				return fmt.Errorf("language %s: block %q gives no text", language, string(e)+".subject")
			}
			list = append(list, n)
		}
		if _, err := t.digest(list, language); err != nil {
			return err
		}
	}
	return nil
}

// Source are the program's own templates, by the names of their files, for those who want to change them.
func Source() (map[string]string, error) {
	out := map[string]string{}
	entries, err := embedded.ReadDir("templates")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		text, err := embedded.ReadFile("templates/" + e.Name())
		if err != nil {
			return nil, err
		}
		out[e.Name()] = string(text)
	}
	return out, nil
}
