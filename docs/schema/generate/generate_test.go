package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ecogate/ecogate/docs/schema"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/testdata/certificates"
)

const renew = `make it anew with "go generate ./docs/schema"`

func TestSchemaIsThatOfTheTypes(t *testing.T) {
	want, err := generate("../../../eco")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(schema.Certificate), "\n")); diff != "" {
		t.Errorf("certificate.schema.json is not that of package eco; %s:\n%s", renew, diff)
	}
}

// The same said without the generator: the members of a certificate by walking its types, and by walking the schema.
func TestSchemaHasEveryFieldAndNothingElse(t *testing.T) {
	var root map[string]any
	if err := json.Unmarshal(schema.Certificate, &root); err != nil {
		t.Fatal(err)
	}
	var inTypes, inSchema []string
	walkType(reflect.TypeFor[eco.Certificate](), "", &inTypes)
	walkSchema(t, root, root, "", &inSchema)
	slices.Sort(inTypes)
	slices.Sort(inSchema)
	if diff := cmp.Diff(inTypes, inSchema); diff != "" {
		t.Errorf("members of eco.Certificate (-) and of the schema (+); %s:\n%s", renew, diff)
	}
	if len(inTypes) < 100 {
		t.Errorf("only %d members were compared", len(inTypes))
	}
}

func walkType(t reflect.Type, path string, out *[]string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[eco.Date]() {
		return
	}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		*out = append(*out, path+"/"+name)
		walkType(t.Field(i).Type, path+"/"+name, out)
	}
}

func walkSchema(t *testing.T, root, at map[string]any, path string, out *[]string) {
	t.Helper()
	if ref, ok := at["$ref"].(string); ok {
		at = root["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	if items, ok := at["items"].(map[string]any); ok {
		walkSchema(t, root, items, path, out)
	}
	properties, ok := at["properties"].(map[string]any)
	if !ok {
		return
	}
	if at["additionalProperties"] != false {
		t.Errorf("%s takes members that it does not name", path)
	}
	for name, inner := range properties {
		*out = append(*out, path+"/"+name)
		walkSchema(t, root, inner.(map[string]any), path+"/"+name, out)
	}
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema.Certificate))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(id, document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(id) // against the draft's own schema too
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSamplesAreValid(t *testing.T) {
	s := compiled(t)
	files, err := certificates.JSON.ReadDir(".")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := certificates.JSON.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		validate := func(what string, data []byte) {
			document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
			if err == nil {
				err = s.Validate(document)
			}
			if err != nil {
				t.Errorf("%s %s: %v", file.Name(), what, err)
			}
		}
		validate("as it stands", data)
		c, err := eco.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		written, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		validate("as we write it", written)
	}
}

// beyondSchemas are hostile files that a schema cannot find wrong: validators see neither repeated members nor the spelling of a
// number, and a whole number has no greatest value.
var beyondSchemas = map[string]bool{
	"json-field-twice": true, "json-field-twice-escaped": true, "json-flag-twice": true,
	"json-decimal-with-exponent": true, "json-number-too-large": true, "json-latin-1": true,
}

// over puts what a hostile file says over a certificate that is whole, so that nothing else is wrong with it.
func over(whole, said any) any {
	switch said := said.(type) {
	case map[string]any:
		if whole, ok := whole.(map[string]any); ok {
			for name, value := range said {
				whole[name] = over(whole[name], value)
			}
			return whole
		}
	case []any:
		if whole, ok := whole.([]any); ok && len(whole) >= len(said) {
			for i, value := range said {
				whole[i] = over(whole[i], value)
			}
			return whole
		}
	}
	return said
}

func sample(t *testing.T) map[string]any {
	t.Helper()
	data, err := certificates.JSON.ReadFile("atiga-form-d.json")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return tree.(map[string]any)
}

func TestHostileStructuresAreInvalid(t *testing.T) {
	s := compiled(t)
	files, err := filepath.Glob("../../../testdata/hostile/certificates/json-*.txt")
	if err != nil || len(files) < 15 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			document, err := jsonschema.UnmarshalJSON(bytes.NewReader(txtar.Parse(data).Files[0].Data))
			if err == nil {
				err = s.Validate(over(sample(t), document))
			}
			if (err == nil) != beyondSchemas[name] {
				t.Errorf("a schema finds %v", err)
			}
		})
	}
}

func TestWhatNoCertificateLacksIsRequired(t *testing.T) {
	s := compiled(t)
	for _, path := range []string{"form", "reference", "issuing_country", "issuing_body", "issue_date", "exporter", "consignee", "exporting_country", "importing_country", "items", "declaration", "certification"} {
		tree := sample(t)
		delete(tree, path)
		if err := s.Validate(tree); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("without %s: %v", path, err)
		}
	}
}
