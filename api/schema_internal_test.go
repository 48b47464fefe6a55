package api

import (
	"bytes"
	"encoding/json"
	commandline "flag" // package api has a flag of its own
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/internal/comments"
)

// elsewhere are the types whose values are no constants of text of their own.
var elsewhere = map[reflect.Type]bool{
	reflect.TypeFor[registryKind]():       true, // the keys of registryKinds
	reflect.TypeFor[dutyOwner]():          true, // clearance has them as plain text
	reflect.TypeFor[clearance.DutyKind](): true, // some are those of eco.DeadlineKind
}

// The values of an enum are the constants of its type in the source of its package. An empty one is a member that is left out.
func TestEnumsHaveTheConstantsOfTheirTypes(t *testing.T) {
	told := describing{t: t, sources: make(map[string]comments.Source)}
	for typ, e := range enums {
		if elsewhere[typ] {
			continue
		}
		want := slices.DeleteFunc(slices.Clone(told.source(typ).Values[typ.Name()]), func(v string) bool { return v == "" })
		got := make([]string, 0, len(e.values))
		for _, v := range e.values {
			got = append(got, v.(string))
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("constants of %s (-) and the enum %s (+):\n%s", typ, e.name, diff)
		}
	}
}

var update = commandline.Bool("update", false, "write descriptions.json anew")

// What the document says of types and members is what their comments say.
func TestDescriptionsAreThoseOfTheSource(t *testing.T) {
	d, err := drawn()
	if err != nil {
		t.Fatal(err)
	}
	told := describing{t: t, sources: make(map[string]comments.Source)}
	list := make(map[string]description)
	for name, typ := range d.schemas.named {
		if d.schemas.components[name].Value.AdditionalProperties.Has != nil { // part of a certificate, which is described in docs/schema
			continue
		}
		one := description{About: told.source(typ).Types[typ.Name()], Members: make(map[string]string)}
		told.members(typ, one.Members)
		list[name] = one
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(list); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("descriptions.json", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(b.String(), "\n"), strings.Split(string(descriptions), "\n")); diff != "" {
		t.Errorf("descriptions.json is not what the comments say; make it anew with \"go generate ./api\":\n%s", diff)
	}
}

// describing reads the source of packages as it needs them.
type describing struct {
	t       *testing.T
	sources map[string]comments.Source
}

func (d describing) source(typ reflect.Type) comments.Source {
	d.t.Helper()
	dir, ours := strings.CutPrefix(typ.PkgPath(), "github.com/ecogate/ecogate/")
	if !ours {
		d.t.Fatalf("%s is of another module", typ)
	}
	if _, read := d.sources[dir]; !read {
		var err error
		if d.sources[dir], err = comments.Read(filepath.Join("..", dir)); err != nil {
			d.t.Fatal(err)
		}
	}
	return d.sources[dir]
}

// members puts what is said of the members of a struct under their names in JSON. Comments speak of them by their names in Go.
func (d describing) members(typ reflect.Type, into map[string]string) {
	fields := d.source(typ).Fields[typ.Name()]
	inJSON := make(map[string]string)
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			d.members(f.Type, into)
		} else if name != "" && name != "-" {
			inJSON[f.Name] = name
		}
	}
	for field, name := range inJSON {
		text := fields[field]
		for _, other := range slices.Sorted(maps.Keys(inJSON)) {
			text = regexp.MustCompile(`\b`+other+`\b`).ReplaceAllLiteralString(text, inJSON[other])
		}
		if text != "" {
			into[name] = text
		}
	}
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

// How long a node takes at its start to make the document, and how large that is.
func BenchmarkDocument(b *testing.B) {
	for b.Loop() {
		d, err := drawn()
		if err != nil {
			b.Fatal(err)
		}
		text, err := json.Marshal(d.document)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(text)), "octets")
	}
}
