package api

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
)

// The values of an enum are the constants of its type in the source of its package.
func TestEnumsHaveTheConstantsOfTheirTypes(t *testing.T) {
	sources := make(map[string]map[string][]any) // package -> type -> values
	for typ, e := range enums {
		dir, ours := strings.CutPrefix(typ.PkgPath(), "github.com/ecogate/ecogate/")
		if !ours {
			t.Fatalf("%s is of another module", typ)
		}
		if sources[dir] == nil {
			sources[dir] = constantsOf(t, filepath.Join("..", dir))
		}
		want := sources[dir][typ.Name()]
		if typ == reflect.TypeFor[registryKind]() { // the keys of a map
			for name := range registryKinds {
				want = append(want, name)
			}
		}
		sorted := func(values []any) (texts []string) {
			for _, v := range values {
				texts = append(texts, v.(string))
			}
			return slices.Sorted(slices.Values(texts))
		}
		if diff := cmp.Diff(sorted(want), sorted(e.values)); diff != "" {
			t.Errorf("constants of %s (-) and the enum %s (+):\n%s", typ, e.name, diff)
		}
	}
}

// constantsOf are the texts that a package's constants have, by the name of their type.
func constantsOf(t *testing.T, dir string) map[string][]any {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	found := make(map[string][]any)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			typ, named := spec.Type.(*ast.Ident)
			literal, isLiteral := spec.Values[0].(*ast.BasicLit)
			if named && isLiteral && literal.Kind == token.STRING {
				value, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				found[typ.Name] = append(found[typ.Name], value)
			}
			return true
		})
	}
	return found
}

func TestSchemaOfAType(t *testing.T) {
	type inner struct {
		N uint64 `json:"n"`
	}
	type embedded struct {
		A string `json:"a"`
	}
	type outer struct {
		embedded
		When  time.Time         `json:"when,omitzero"`
		Octet []byte            `json:"octet"`
		Many  []*inner          `json:"many,omitempty"`
		By    map[string]inner  `json:"by,omitempty"`
		Role  Role              `json:"role"`
		Self  *outer            `json:"self,omitempty"`
		Left  func()            `json:"-"`
		Any   any               `json:"any,omitempty"`
		Flags map[string]string `json:"flags,omitempty"`
	}
	g, err := newSchemas()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := g.of(reflect.TypeFor[outer]())
	if err != nil || ref.Ref != "#/components/schemas/outer" {
		t.Fatal(ref, err)
	}
	s := g.components["outer"].Value
	if want := []string{"a", "octet", "role"}; !slices.Equal(s.Required, want) {
		t.Errorf("required %q, want %q", s.Required, want)
	}
	shown := func(r *openapi3.SchemaRef) string {
		text, err := r.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	want := map[string]string{
		"a": `{"type":"string"}`, "when": `{"format":"date-time","type":"string"}`, "octet": `{"format":"byte","type":"string"}`,
		"many": `{"items":{"$ref":"#/components/schemas/inner"},"type":"array"}`,
		"by":   `{"additionalProperties":{"$ref":"#/components/schemas/inner"},"type":"object"}`,
		"role": `{"$ref":"#/components/schemas/Role"}`, "self": `{"$ref":"#/components/schemas/outer"}`, "any": `{}`,
		"flags": `{"additionalProperties":{"type":"string"},"type":"object"}`,
	}
	got := make(map[string]string)
	for name, property := range s.Properties {
		got[name] = shown(property)
	}
	if !maps.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

// A type of which no truthful schema follows keeps the document from being made, and the node from starting.
func TestTypesWithoutASchema(t *testing.T) {
	type Certificate struct {
		A string `json:"a"`
	}
	type nameless struct{ A string }
	type deep struct {
		A []chan int `json:"a"`
	}
	for _, test := range []struct {
		typ  reflect.Type
		want string
	}{
		{reflect.TypeFor[Certificate](), "names has to tell them apart"},
		{reflect.TypeFor[nameless](), "has no name in JSON"},
		{reflect.TypeFor[deep](), "chan int has no schema"},
		{reflect.TypeFor[ownJSON](), "writes its JSON itself"},
	} {
		g, err := newSchemas()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.of(test.typ); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.typ, err, test.want)
		}
	}
}

type ownJSON struct{}

func (ownJSON) MarshalJSON() ([]byte, error) { return []byte("1"), nil }

func TestTablesThatMakeNoDocument(t *testing.T) {
	row := func(change func(*route)) route {
		r := route{method: "GET", path: "/a", operation: operation{id: "a", answers: []answer{answersJSON[health](200, "")}}}
		change(&r)
		return r
	}
	for name, test := range map[string]struct {
		table []route
		want  string
	}{
		"twice":   {[]route{row(func(*route) {}), row(func(*route) {})}, "GET /a is in the table twice"},
		"problem": {[]route{row(func(r *route) { r.problems = []Code{"nobody_knows"} })}, `no problem has the code "nobody_knows"`},
		"status": {[]route{row(func(r *route) {
			r.problems = []Code{CodeNotFound}
			r.answers = append(r.answers, answer{status: 404})
		})}, "status 404 is both"},
		"body":   {[]route{row(func(r *route) { r.takes = takesJSON[ownJSON]() })}, "GET /a: api.ownJSON writes"},
		"answer": {[]route{row(func(r *route) { r.answers = []answer{answersJSON[ownJSON](200, "")} })}, "GET /a: api.ownJSON writes"},
	} {
		d := new(drawing)
		var err error
		if d.schemas, err = newSchemas(); err != nil {
			t.Fatal(err)
		}
		if err := d.draw(test.table); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}
