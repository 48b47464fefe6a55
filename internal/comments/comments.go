// Package comments reads what the comments and constants in the source of a package tell, for descriptions of its types elsewhere.
package comments

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
)

// Source is that of a package, without its tests. Comments are on one line.
type Source struct {
	Types  map[string]string            // type -> its comment
	Fields map[string]map[string]string // type -> field -> its comment
	Values map[string][]string          // type -> its constants of text, in the order of the source
}

// Read reads the Go files in a folder.
func Read(folder string) (Source, error) {
	s := Source{Types: map[string]string{}, Fields: map[string]map[string]string{}, Values: map[string][]string{}}
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return s, err
	}
	if len(files) == 0 {
		return s, fmt.Errorf("%s holds no Go source", folder)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return s, err
		}
		for _, d := range parsed.Decls {
			if general, ok := d.(*ast.GenDecl); ok {
				s.declared(general)
			}
		}
	}
	return s, nil
}

func (s Source) declared(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			s.Types[spec.Name.Name] = sentence(cmp.Or(spec.Doc, d.Doc))
			if t, ok := spec.Type.(*ast.StructType); ok {
				s.Fields[spec.Name.Name] = fieldComments(t)
			}
		case *ast.ValueSpec:
			typ, ok := spec.Type.(*ast.Ident)
			if !ok || d.Tok != token.CONST || len(spec.Values) != 1 {
				continue
			}
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if value, err := strconv.Unquote(literal.Value); err == nil {
					s.Values[typ.Name] = append(s.Values[typ.Name], value)
				}
			}
		}
	}
}

// fieldComments gives each field its comment. One comment may be about the fields that follow it too: "Vessel is …; Journey …".
func fieldComments(t *ast.StructType) map[string]string {
	out := map[string]string{}
	about := "" // the comment above the run of fields that stand without one of their own
	for _, f := range t.Fields.List {
		own := sentence(f.Comment)
		if f.Doc != nil {
			about = sentence(f.Doc)
		}
		for _, name := range f.Names {
			switch {
			case f.Doc != nil:
				out[name.Name] = strings.TrimSpace(about + " " + own)
			case own != "":
				out[name.Name] = own
			case mentions(about, name.Name):
				out[name.Name] = about
			}
		}
	}
	return out
}

func mentions(text, name string) bool {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z') }) {
		if word == name {
			return true
		}
	}
	return false
}

// sentence is a comment on one line.
func sentence(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }
