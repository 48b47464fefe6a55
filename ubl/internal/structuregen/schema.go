package main

import (
	"encoding/xml"
	"fmt"
	"os"
	"strings"
)

// Elements of XML Schema, as far as UBL uses them.
type (
	schemaFile struct {
		Namespace string        `xml:"targetNamespace,attr"`
		Attrs     []xml.Attr    `xml:",any,attr"`
		Elements  []element     `xml:"element"`
		Complex   []complexType `xml:"complexType"`
		Simple    []simpleType  `xml:"simpleType"`
	}
	element struct {
		Name string `xml:"name,attr"`
		Type string `xml:"type,attr"`
		Ref  string `xml:"ref,attr"`
		Min  string `xml:"minOccurs,attr"`
		Max  string `xml:"maxOccurs,attr"`
	}
	complexType struct {
		Name     string    `xml:"name,attr"`
		Sequence *sequence `xml:"sequence"`
		Content  *content  `xml:"simpleContent"`
	}
	sequence struct {
		Elements []element `xml:"element"`
		Any      *struct {
			Process string `xml:"processContents,attr"`
		} `xml:"any"`
	}
	content struct {
		Extension   *derivation `xml:"extension"`
		Restriction *derivation `xml:"restriction"`
	}
	derivation struct {
		Base       string `xml:"base,attr"`
		Attributes []struct {
			Name string `xml:"name,attr"`
			Type string `xml:"type,attr"`
			Use  string `xml:"use,attr"`
		} `xml:"attribute"`
	}
	simpleType struct {
		Name        string `xml:"name,attr"`
		Restriction struct {
			Base  string `xml:"base,attr"`
			Enums []struct {
				Value string `xml:"value,attr"`
			} `xml:"enumeration"`
		} `xml:"restriction"`
	}
)

const nsSchema = "http://www.w3.org/2001/XMLSchema"

// name is a qualified name of the schemas.
type name struct{ space, local string }

// set is what the schema files of one version declare.
type set struct {
	elements map[name]name // of each global element: its type
	complex  map[name]complexType
	simple   map[name]simpleType
	files    map[name]*file // where a type is declared
	roots    []name
}

// file resolves the prefixes of one schema file.
type file struct {
	namespace string
	prefixes  map[string]string
}

func (f *file) resolve(qualified string) name {
	prefix, local, found := strings.Cut(qualified, ":")
	if !found {
		prefix, local = "", qualified
	}
	if space, ok := f.prefixes[prefix]; ok {
		return name{space, local}
	}
	return name{f.namespace, local}
}

func newSet() *set {
	return &set{elements: map[name]name{}, complex: map[name]complexType{}, simple: map[name]simpleType{}, files: map[name]*file{}}
}

// read adds the declarations of one schema file. The elements of a main document are roots.
func (s *set) read(path string, main bool) error {
	octets, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var schema schemaFile
	if err := xml.Unmarshal(octets, &schema); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	f := &file{namespace: schema.Namespace, prefixes: map[string]string{}}
	for _, a := range schema.Attrs {
		switch {
		case a.Name.Space == "xmlns":
			f.prefixes[a.Name.Local] = a.Value
		case a.Name.Space == "" && a.Name.Local == "xmlns":
			f.prefixes[""] = a.Value
		}
	}
	for _, e := range schema.Elements {
		declared := name{f.namespace, e.Name}
		s.elements[declared] = f.resolve(e.Type)
		if main {
			s.roots = append(s.roots, declared)
		}
	}
	for _, t := range schema.Complex {
		s.complex[name{f.namespace, t.Name}], s.files[name{f.namespace, t.Name}] = t, f
	}
	for _, t := range schema.Simple {
		s.simple[name{f.namespace, t.Name}], s.files[name{f.namespace, t.Name}] = t, f
	}
	return nil
}
