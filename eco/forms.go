package eco

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
)

//go:embed forms/*.yaml
var formFiles embed.FS

// Forms is a set of forms, with the code lists that their certificates are checked against. It is immutable and small: pass it
// by value. The zero value is DefaultForms.
type Forms struct {
	list  []Form // ordered by code
	codes Codes
}

// DefaultForms are the forms that come with the program.
func DefaultForms() Forms { return Forms{list: builtin()} }

// builtin reads the embedded files once. They are part of the program, so that a fault in them is one of the program.
var builtin = sync.OnceValue(func() []Form {
	files, err := fs.Sub(formFiles, "forms")
	if err != nil {
		panic(err)
	}
	list, err := readForms(files, "eco/forms/")
	if err != nil {
		panic(err)
	}
	return list
})

// With is the set with the forms of the *.yaml files of a folder: one whose code is known replaces that form as a whole,
// another is added. The folder's name goes in front of file names in errors. What is wrong comes as one *FormError, with
// every problem.
func (s Forms) With(folder fs.FS, name string) (Forms, error) {
	read, err := readForms(folder, strings.TrimSuffix(name, "/")+"/")
	if err != nil {
		return s, err
	}
	list := slices.Clone(read)
	for _, form := range s.forms() {
		if !slices.ContainsFunc(read, func(f Form) bool { return f.Code == form.Code }) {
			list = append(list, form)
		}
	}
	sortForms(list)
	return Forms{list, s.codes}, nil
}

// WithCodes is the set with other code lists than the published ones.
func (s Forms) WithCodes(codes Codes) Forms { return Forms{s.list, codes} }

func sortForms(list []Form) {
	slices.SortFunc(list, func(a, b Form) int { return strings.Compare(string(a.Code), string(b.Code)) })
}

func (s Forms) forms() []Form {
	if s.list == nil {
		return builtin()
	}
	return s.list
}

// All lists the forms, ordered by code.
func (s Forms) All() []Form { return slices.Clone(s.forms()) }

// ByCode finds a form; it reports false for a code that is not in the set.
func (s Forms) ByCode(code FormCode) (Form, bool) {
	list := s.forms()
	i, found := slices.BinarySearchFunc(list, code, func(f Form, code FormCode) int { return strings.Compare(string(f.Code), string(code)) })
	if !found {
		return Form{}, false
	}
	return list[i], true
}

// Named finds a form by its code or title, in any case. Several forms share the title of one piece of paper: then it is the
// one that names the issuing country among its issuers.
func (s Forms) Named(words, country string) (Form, bool) {
	var found []Form
	for _, form := range s.forms() {
		if strings.EqualFold(words, string(form.Code)) {
			return form, true
		}
		if strings.EqualFold(words, form.Title) {
			found = append(found, form)
		}
	}
	for _, form := range found {
		if slices.Contains(form.Issuers, country) {
			return form, true
		}
	}
	for _, form := range found {
		if len(form.Issuers) == 0 {
			return form, true
		}
	}
	if len(found) > 0 {
		return found[0], true
	}
	return Form{}, false
}

// Codes are the codes of the set in one line, for messages.
func (s Forms) Codes() string {
	codes := make([]string, 0, len(s.forms()))
	for _, f := range s.forms() {
		codes = append(codes, string(f.Code))
	}
	return strings.Join(codes, ", ")
}

// FormProblem is one thing that is wrong with a file of a form.
type FormProblem struct {
	// Place is "FILE:LINE", or FILE.
	Place string
	// Key is the key's path, such as "criteria[2].min"; "" for the file as a whole.
	Key string
	// Text says what is wrong and, where it is not plain, what to do.
	Text string
}

// Error gives place, key and text on one line.
func (p FormProblem) Error() string {
	if p.Key == "" {
		return p.Place + ": " + p.Text
	}
	return p.Place + ": " + p.Key + ": " + p.Text
}

// FormError lists everything that is wrong with the files of a folder; it is never empty.
type FormError struct{ Problems []FormProblem }

// Error gives one problem per line.
func (e *FormError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// readForms reads every *.yaml file of a folder, ordered by code.
func readForms(folder fs.FS, prefix string) ([]Form, error) {
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, &FormError{[]FormProblem{{Place: strings.TrimSuffix(prefix, "/"), Text: err.Error()}}}
	}
	var list []Form
	var problems []FormProblem
	files := map[FormCode]string{}
	for _, entry := range entries {
		file := prefix + entry.Name()
		switch {
		case entry.IsDir():
			continue
		case strings.HasSuffix(entry.Name(), ".yml"):
			problems = append(problems, FormProblem{Place: file, Text: "is not read; name it .yaml"})
			continue
		case !strings.HasSuffix(entry.Name(), ".yaml"):
			continue
		}
		form, faults := readForm(folder, entry.Name(), file)
		if first, twice := files[form.Code]; twice && form.Code != "" {
			faults = append(faults, FormProblem{Place: file, Key: "code", Text: fmt.Sprintf("%s is the form of %s already", form.Code, first)})
		}
		files[form.Code] = file
		problems = append(problems, faults...)
		list = append(list, form)
	}
	if len(problems) > 0 {
		return nil, &FormError{problems}
	}
	sortForms(list)
	return list, nil
}
