package strictyaml

import (
	"bytes"
	"fmt"
	"reflect"
	"time"

	"go.yaml.in/yaml/v3"
)

// Encode writes the struct v, or a pointer to one, as Decode reads it, in the order of the fields and without those that are unset. Equal
// values give equal texts.
func Encode(v any) ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	node := sectionNode(reflect.Indirect(reflect.ValueOf(v)))
	if err := encoder.Encode(node); err != nil {
		return nil, fmt.Errorf("writing YAML: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return nil, fmt.Errorf("writing YAML: %w", err)
	}
	return out.Bytes(), nil
}

func sectionNode(section reflect.Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for i := range section.NumField() {
		name, value := section.Type().Field(i).Tag.Get("yaml"), section.Field(i)
		if name == "" || isUnset(value) {
			continue
		}
		n.Content = append(n.Content, textNode(name), node(value))
	}
	return n
}

// isUnset: a list that is there and empty is set, and a section is unset if all within it is.
func isUnset(v reflect.Value) bool {
	if !isSection(v.Type()) {
		return v.IsZero()
	}
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("yaml") != "" && !isUnset(v.Field(i)) {
			return false
		}
	}
	return true
}

func node(v reflect.Value) *yaml.Node {
	switch {
	case v.Kind() == reflect.Pointer:
		return node(v.Elem())
	case isSection(v.Type()):
		return sectionNode(v)
	case isList(v.Type()):
		list := &yaml.Node{Kind: yaml.SequenceNode}
		if v.Len() == 0 || !isSection(v.Type().Elem()) && v.Type().Elem().Kind() != reflect.String {
			list.Style = yaml.FlowStyle
		}
		for i := range v.Len() {
			list.Content = append(list.Content, node(v.Index(i)))
		}
		return list
	case v.Kind() == reflect.String:
		return textNode(v.String())
	case v.Type() == timeType:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: v.Interface().(time.Time).UTC().Format(time.RFC3339Nano)}
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: Format(v)}
}

// textNode leaves the quotes to the library, which knows which texts need them.
func textNode(text string) *yaml.Node {
	n := new(yaml.Node)
	n.SetString(text)
	n.Tag = "!!str"
	return n
}
