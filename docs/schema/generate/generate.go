package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/internal/comments"
)

// id names the schema. It is a name and no address: each node serves the schema under its own.
const id = "urn:ecogate:schema:certificate"

// object is a JSON object that keeps the order of its members.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON implements json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := encoder.Encode(m.name); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := encoder.Encode(m.value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// generate makes the schema. The folder holds the source of package eco.
func generate(folder string) ([]byte, error) {
	told, err := comments.Read(folder)
	if err != nil {
		return nil, err
	}
	g := &generator{source: told, done: map[string]bool{}}
	root := g.object(reflect.TypeFor[eco.Certificate]())
	schema := append(object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", id},
		{"title", "Certificate of origin"},
	}, root...)
	schema = append(schema, member{"$defs", g.defs})
	compact, err := schema.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, compact, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// generator walks the types of a certificate; each struct but the first becomes a definition.
type generator struct {
	source comments.Source
	defs   object
	done   map[string]bool
}

// object is the schema of a struct.
func (g *generator) object(t reflect.Type) object {
	var properties object
	required := []string{}
	for i := range t.NumField() {
		field := t.Field(i)
		name, optional := jsonName(field)
		if name == "" {
			continue
		}
		schema := g.of(field.Type, field.Name)
		if text := g.source.Fields[t.Name()][field.Name]; text != "" {
			schema = append(object{{"description", inJSON(t, text)}}, schema...)
		}
		properties = append(properties, member{name, schema})
		if !optional && asks(field.Type) {
			required = append(required, name)
		}
	}
	out := object{{"type", "object"}}
	if text := g.source.Types[t.Name()]; text != "" {
		out = append(object{{"description", text}}, out...)
	}
	out = append(out, member{"properties", properties})
	if len(required) > 0 {
		out = append(out, member{"required", required})
	}
	return append(out, member{"additionalProperties", false})
}

// inJSON puts the JSON names of a struct's fields into a comment, which speaks of them by their Go names.
func inJSON(t reflect.Type, text string) string {
	for i := range t.NumField() {
		if name, _ := jsonName(t.Field(i)); name != "" {
			text = regexp.MustCompile(`\b`+t.Field(i).Name+`\b`).ReplaceAllLiteralString(text, name)
		}
	}
	return text
}

// jsonName gives a field's JSON name, empty if it has none, and whether it is left out when nothing was given.
func jsonName(f reflect.StructField) (name string, optional bool) {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "-" || !f.IsExported() {
		name = ""
	}
	return name, strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
}

// asks reports whether a field of type t must be given: a struct of which every field may be absent may be absent too.
func asks(t reflect.Type) bool {
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[eco.Date]() {
		return true
	}
	for i := range t.NumField() {
		if name, optional := jsonName(t.Field(i)); name != "" && !optional && asks(t.Field(i).Type) {
			return true
		}
	}
	return false
}

// of is the schema of a field's value. Validate has the rules beyond shape; here stand only those that no form changes.
func (g *generator) of(t reflect.Type, field string) object {
	switch t {
	case reflect.TypeFor[eco.Date]():
		return object{{"type", "string"}, {"format", "date"}}
	case reflect.TypeFor[eco.Decimal]():
		// A JSON number is taken too, if it is written without exponent, which a schema cannot tell.
		return object{{"type", []string{"string", "number"}}, {"pattern", `^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)$`}, {"maxLength", 40}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.of(t.Elem(), field)
	case reflect.Struct:
		return object{{"$ref", g.ref(t)}}
	case reflect.Slice:
		out := object{{"type", "array"}, {"items", g.of(t.Elem(), "")}}
		if t.Elem() == reflect.TypeFor[eco.Item]() {
			out = append(out, member{"minItems", 1}, member{"maxItems", eco.MaxItems})
		}
		return out
	case reflect.Map:
		return object{{"type", "object"}, {"propertyNames", g.of(t.Key(), "")}, {"additionalProperties", g.of(t.Elem(), "")}}
	case reflect.Bool:
		return object{{"type", "boolean"}}
	case reflect.Int, reflect.Int64:
		out := object{{"type", "integer"}, {"minimum", 0}}
		if field == "Number" {
			out[1].value = 1
		}
		return out
	case reflect.String:
		return g.text(t, field)
	}
	panic(fmt.Sprintf("no schema for type %s", t))
}

// closed are the types whose constants are all the values there are. Forms and flags are data, so their constants are examples.
var closed = map[string]bool{"DocumentStatus": true, "Relation": true}

func (g *generator) text(t reflect.Type, field string) object {
	out := object{{"type", "string"}}
	values := g.source.Values[t.Name()]
	switch {
	case closed[t.Name()] && len(values) > 0:
		return append(out, member{"enum", values})
	case len(values) > 0:
		return append(out, member{"examples", values})
	case strings.HasSuffix(field, "Country"):
		return append(out, member{"pattern", "^[A-Z]{2}$"})
	case field == "IssueTime":
		return append(out, member{"format", "time"})
	}
	return out
}

func (g *generator) ref(t reflect.Type) string {
	if !g.done[t.Name()] {
		g.done[t.Name()] = true
		at := len(g.defs)
		g.defs = append(g.defs, member{name: t.Name()})
		g.defs[at].value = g.object(t)
	}
	return "#/$defs/" + t.Name()
}
