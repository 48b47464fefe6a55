package ubl

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

const nsInstance = "http://www.w3.org/2001/XMLSchema-instance"

// textKind is a type of text.
type textKind struct {
	name  string
	want  string // what to tell people who gave something else
	valid func(string) bool
}

// The lexical forms of XML Schema Part 2.
var (
	decimalText  = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)$`)
	languageText = regexp.MustCompile(`^[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*$`)
	zoneText     = `(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)?`
	dateText     = regexp.MustCompile(`^(-?)([1-9][0-9]{4,}|[0-9]{4})-([0-9]{2}-[0-9]{2})` + zoneText + `$`)
	timeText     = regexp.MustCompile(`^(([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?|24:00:00(\.0+)?)` + zoneText + `$`)
)

// textKindOf finds the check of a type by its name in XML Schema, or by that of a code list.
func textKindOf(name string, lists map[string][]string) (textKind, error) {
	any := func(string) bool { return true }
	switch name {
	case "string", "normalizedString", "anyURI":
		return textKind{name, "text", any}, nil
	case "language":
		return textKind{name, "a language such as en or en-GB", func(s string) bool { return languageText.MatchString(collapse(s)) }}, nil
	case "decimal":
		return textKind{name, "a decimal number such as 1201.50", func(s string) bool { return decimalText.MatchString(collapse(s)) }}, nil
	case "boolean":
		return textKind{name, "true or false", func(s string) bool {
			return slices.Contains([]string{"true", "false", "1", "0"}, collapse(s))
		}}, nil
	case "date":
		return textKind{name, "a date such as 2026-01-15", isDate}, nil
	case "time":
		return textKind{name, "a time such as 10:30:00Z", func(s string) bool { return timeText.MatchString(collapse(s)) }}, nil
	case "base64Binary":
		return textKind{name, "base64", isBase64}, nil
	}
	codes, ok := lists[name]
	if !ok {
		return textKind{}, fmt.Errorf("type %q is unknown", name)
	}
	known := make(map[string]bool, len(codes))
	for _, code := range codes {
		known[code] = true
	}
	return textKind{name, "a code of the list " + name, func(s string) bool { return known[s] || known[collapse(s)] }}, nil
}

// collapse is the white space rule of types that are no strings (XML Schema Part 2 §4.3.6).
func collapse(s string) string { return strings.Trim(s, " \t\r\n") }

func isDate(s string) bool {
	parts := dateText.FindStringSubmatch(collapse(s))
	if parts == nil || parts[2] == "0000" {
		return false
	}
	// The calendar repeats after 400 years, so that the last four digits tell whether the day exists.
	year := parts[2][len(parts[2])-4:]
	if parts[1] == "-" {
		year = "2000" // Years before our era: only the 29th of February could differ, and nobody trades in one.
	}
	_, err := time.Parse(time.DateOnly, year+"-"+parts[3])
	return err == nil
}

func isBase64(s string) bool {
	_, err := base64.StdEncoding.Strict().DecodeString(strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n", r) {
			return -1
		}
		return r
	}, s))
	return err == nil
}

// value checks an element that holds text.
func (c *comparison) value(n *node, v valueType) {
	for _, a := range n.attributes {
		c.attribute(n, a, v.attributes)
	}
	for _, name := range v.required {
		if !slices.ContainsFunc(n.attributes, func(a xml.Attr) bool { return a.Name == xml.Name{Local: name} }) {
			c.fault(n, "want the attribute %s, found none", name)
		}
	}
	if len(n.children) > 0 {
		c.fault(n.children[0], "want no element here: %s holds text", n.name)
		return
	}
	if !v.kind.valid(n.text) {
		c.fault(n, "want %s, found %.80q", v.kind.want, n.text)
	}
}

// attribute checks one attribute against those that the element may have.
func (c *comparison) attribute(n *node, a xml.Attr, known map[string]textKind) {
	if a.Name.Space == nsInstance && (a.Name.Local == "schemaLocation" || a.Name.Local == "noNamespaceSchemaLocation") {
		return
	}
	allowed, ok := known[a.Name.Local]
	if !ok || a.Name.Space != "" {
		c.fault(n, "want no attribute %.80s here", a.Name.Local)
		return
	}
	if !allowed.valid(a.Value) {
		c.fault(n, "attribute %s: want %s, found %.80q", a.Name.Local, allowed.want, a.Value)
	}
}
