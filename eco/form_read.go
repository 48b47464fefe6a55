package eco

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFormBytes bounds one file of a form; the largest of ours has a tenth of it.
const maxFormBytes = 128 << 10

// readForm reads one file and checks it. It finds all that is wrong, unless the file is no YAML.
func readForm(folder fs.FS, name, shown string) (Form, []FormProblem) {
	r := &formReader{file: shown, lines: map[string]int{}}
	var form Form
	text, err := readFormFile(folder, name)
	if err != nil {
		return form, []FormProblem{{Place: shown, Text: err.Error()}}
	}
	document, err := parseForm(text)
	if err != nil {
		return form, []FormProblem{{Place: shown, Text: err.Error()}}
	}
	r.decode(document, reflect.ValueOf(&form).Elem(), "")
	if len(r.problems) == 0 { // A value that could not be read would be complained about twice.
		r.check(&form)
	}
	form.source = string(text)
	return form, r.problems
}

// readFormFile reads a file that is no larger than one of a form may be.
func readFormFile(folder fs.FS, name string) ([]byte, error) {
	file, err := folder.Open(name)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFormBytes+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	if len(text) > maxFormBytes {
		return nil, fmt.Errorf("is larger than %d bytes", maxFormBytes)
	}
	return text, nil
}

// parseForm gives the one YAML document in text.
func parseForm(text []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, errors.New("holds no form")
	} else if err != nil {
		return nil, err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("holds more than one YAML document")
	}
	return document.Content[0], nil
}

// formReader fills a Form from YAML and collects what is wrong, each thing with its line.
type formReader struct {
	file     string
	lines    map[string]int // of each key, by its path
	problems []FormProblem
}

// add reports a problem of key, at the line of the nearest part of it that was given.
func (r *formReader) add(key, format string, args ...any) {
	at := key
	for at != "" && r.lines[at] == 0 {
		at = at[:max(strings.LastIndexAny(at, ".["), 0)]
	}
	r.problems = append(r.problems, FormProblem{Place: fmt.Sprintf("%s:%d", r.file, max(r.lines[at], 1)), Key: key, Text: fmt.Sprintf(format, args...)})
}

// decode fills v, the value of key, from n. It goes no deeper than the types do.
func (r *formReader) decode(n *yaml.Node, v reflect.Value, key string) {
	r.lines[key] = n.Line
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		r.add(key, "anchors and aliases are not read; write the value out")
	case n.Tag == "!!null":
		r.add(key, "has no value; give one or remove the key")
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		r.decode(n, v.Elem(), key)
	case v.Kind() == reflect.Slice:
		r.list(n, v, key)
	case v.Kind() == reflect.Struct && !readsText(v):
		r.section(n, v, key)
	case n.Kind != yaml.ScalarNode:
		r.add(key, "want a single value")
	default:
		if err := setScalar(v, n); err != nil {
			r.add(key, "%v", err)
		}
	}
}

func (r *formReader) section(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind != yaml.MappingNode {
		r.add(key, "want keys (%s)", strings.Join(formKeys(v.Type()), ", "))
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		at := strings.TrimPrefix(key+"."+name.Value, ".")
		twice := r.lines[at] != 0
		r.lines[at] = name.Line
		field, known := formField(v, name.Value)
		switch {
		case twice:
			r.add(at, "is given twice")
		case !known:
			r.add(at, "unknown key; want one of %s", strings.Join(formKeys(v.Type()), ", "))
		default:
			r.decode(value, field, at)
		}
	}
}

func (r *formReader) list(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind != yaml.SequenceNode {
		r.add(key, "want a list")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, entry := range n.Content {
		r.decode(entry, v.Index(i), fmt.Sprintf("%s[%d]", key, i))
	}
}

// readsText reports whether v, which can be addressed, has a text form of its own.
func readsText(v reflect.Value) bool {
	_, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	return ok
}

func setScalar(v reflect.Value, n *yaml.Node) error {
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return text.UnmarshalText([]byte(n.Value))
	}
	switch v.Kind() {
	case reflect.Int:
		i, err := strconv.ParseInt(n.Value, 10, 32)
		if err != nil || i < 0 {
			return fmt.Errorf("want a whole number from 0, found %.40q", n.Value)
		}
		v.SetInt(i)
	case reflect.Bool:
		if n.Tag != "!!bool" {
			return fmt.Errorf("want true or false, found %.40q", n.Value)
		}
		v.SetBool(n.Value == "true")
	default:
		v.SetString(n.Value)
	}
	return nil
}

func formKeys(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

func formField(v reflect.Value, key string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if name := v.Type().Field(i).Tag.Get("yaml"); name != "" && name == key {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}
