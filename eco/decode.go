package eco

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"
)

// Decode reads a certificate from its JSON form and is stricter than encoding/json: names are spelled exactly, known and
// given once, the text is UTF-8, values have their field's type, and nothing follows the certificate. Whether the
// certificate makes sense is for Validate.
//
// The error names the place, such as `items[2].fob.value: decimal "1,201.50": want digits …`. null counts as absent.
func Decode(data []byte) (Certificate, error) {
	var c Certificate
	if err := DecodeInto(data, "certificate", &c); err != nil {
		return Certificate{}, err
	}
	return c, nil
}

// DecodeInto reads the JSON form of a struct, into points at it, with the same rules. what names the whole in errors. After an error
// into may hold a part.
func DecodeInto(data []byte, what string, into any) error {
	if !utf8.Valid(data) {
		return fmt.Errorf("%s: want UTF-8 text", what)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	var raw json.RawMessage
	if err := decoder.Decode(&raw); err != nil {
		return fmt.Errorf("%s: JSON after octet %d: %w", what, decoder.InputOffset(), err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: more data after the JSON object ends at octet %d", what, decoder.InputOffset())
	}
	r := strictReader{what}
	if err := r.check("", reflect.TypeOf(into), raw); err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// strictReader compares JSON with types; what names the whole.
type strictReader struct{ what string }

// check compares raw with the type it is for. Its depth is that of the type, not that of the input.
func (r strictReader) check(path string, t reflect.Type, raw json.RawMessage) error {
	if string(raw) == "null" {
		return nil
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case readsItself(t):
	case t.Kind() == reflect.Struct:
		return r.object(path, raw, func(name string) (reflect.Type, bool) { return fieldType(t, name) })
	case t.Kind() == reflect.Map:
		return r.object(path, raw, func(string) (reflect.Type, bool) { return t.Elem(), true })
	case t.Kind() == reflect.Slice:
		return r.array(path, t.Elem(), raw)
	}
	if err := json.Unmarshal(raw, reflect.New(t).Interface()); err != nil {
		var mismatch *json.UnmarshalTypeError
		if errors.As(err, &mismatch) {
			return fmt.Errorf("%s: want a JSON %s, found %s", r.at(path), wanted(t), mismatch.Value)
		}
		return fmt.Errorf("%s: %w", r.at(path), err)
	}
	return nil
}

func (r strictReader) object(path string, raw json.RawMessage, member func(name string) (reflect.Type, bool)) error {
	if raw[0] != '{' {
		return fmt.Errorf("%s: want a JSON object, found %.20s", r.at(path), raw)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if _, err := decoder.Token(); err != nil {
		return fmt.Errorf("%s: %w", r.at(path), err)
	}
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return fmt.Errorf("%s: %w", r.at(path), err)
		}
		name := fmt.Sprint(token)
		inner := strings.TrimPrefix(path+"."+name, ".")
		t, known := member(name)
		if !known {
			return fmt.Errorf("%.200s: a %s has no such field", inner, r.what)
		}
		if seen[name] {
			return fmt.Errorf("%.200s: given twice", inner)
		}
		seen[name] = true
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return fmt.Errorf("%s: %w", inner, err)
		}
		if err := r.check(inner, t, value); err != nil {
			return err
		}
	}
	return nil
}

func (r strictReader) array(path string, t reflect.Type, raw json.RawMessage) error {
	var values []json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil {
		return fmt.Errorf("%s: want a JSON array, found %.20s", r.at(path), raw)
	}
	for i, value := range values {
		if err := r.check(fmt.Sprintf("%s[%d]", path, i), t, value); err != nil {
			return err
		}
	}
	return nil
}

// readsItself reports whether t has a JSON or text form of its own.
func readsItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// fieldType finds the field of struct type t with exactly that JSON name.
func fieldType(t reflect.Type, name string) (reflect.Type, bool) {
	for i := range t.NumField() {
		if f := t.Field(i); jsonName(f) == name {
			return f.Type, true
		}
	}
	return nil, false
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int, reflect.Int64:
		return "whole number"
	case reflect.Bool:
		return "true or false"
	default:
		return "string"
	}
}

// at is path, or a name for the whole.
func (r strictReader) at(path string) string {
	if path == "" {
		return r.what
	}
	return path
}
