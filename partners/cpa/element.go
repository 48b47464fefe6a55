package cpa

import (
	"bytes"
	"fmt"
	"strings"
)

// element is an element that is written.
type element struct {
	name       string
	attributes []string // names and values in turn
	children   []*element
	text       string
}

func el(name string, attributes ...string) *element {
	return &element{name: name, attributes: attributes}
}

func leaf(name, text string, attributes ...string) *element {
	return &element{name: name, text: text, attributes: attributes}
}

// with adds children; nil ones are left out.
func (e *element) with(children ...*element) *element {
	for _, c := range children {
		if c != nil {
			e.children = append(e.children, c)
		}
	}
	return e
}

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\r", "&#xD;", "\n", "&#xA;", "\t", "&#x9;")

// qualify puts the prefix of CPPA before a name that has none.
func qualify(name string) string {
	if strings.Contains(name, ":") {
		return name
	}
	return "tp:" + name
}

func (e *element) write(out *bytes.Buffer, indent string) {
	name := qualify(e.name)
	out.WriteString(indent + "<" + name)
	if indent == "" {
		fmt.Fprintf(out, ` xmlns:tp=%q xmlns:ds=%q xmlns:xlink=%q`, space, spaceDS, spaceXLink)
	}
	for i := 0; i+1 < len(e.attributes); i += 2 {
		if e.attributes[i+1] != "" {
			out.WriteString(" " + qualify(e.attributes[i]) + `="` + escape.Replace(e.attributes[i+1]) + `"`)
		}
	}
	switch {
	case e.text != "":
		out.WriteString(">" + escape.Replace(e.text) + "</" + name + ">\n")
	case len(e.children) == 0:
		out.WriteString("/>\n")
	default:
		out.WriteString(">\n")
		for _, c := range e.children {
			c.write(out, indent+"  ")
		}
		out.WriteString(indent + "</" + name + ">\n")
	}
}
