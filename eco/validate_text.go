package eco

import (
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxText bounds the characters of one value; nothing that fits a printed box comes near it.
const maxText = 4000

// multiline are the JSON names of values that may hold several lines.
var multiline = map[string]bool{
	"text": true, "remarks": true, "marks": true, "description": true, "criterion_text": true, "package_text": true, "address": true,
	"note": true, "goods_text": true, "quantity_text": true,
}

// printed are the JSON names of values that forms print in English capitals.
var printed = map[string]bool{"name": true, "lines": true, "marks": true, "description": true, "city": true, "place": true}

// prose are the JSON names of values that are words; all others are numbers and codes, which white space may not surround.
var prose = map[string]bool{
	"name": true, "lines": true, "city": true, "contact": true, "remarks": true, "text": true, "marks": true, "description": true,
	"criterion_text": true, "package_text": true, "place": true, "officer": true, "address": true, "vessel": true, "note": true,
	"goods_text": true, "quantity_text": true, "brand": true, "model": true, "title": true, "for": true,
}

// listed are the JSON names of lists, whose entries may not be empty.
var listed = map[string]bool{"lines": true, "invoices": true, "transit_countries": true}

// checkTexts looks at the characters of every value. Names in other than English capitals are only a warning, one for
// the whole certificate: Lao Instruction 0118 asks for capitals, partners send names as they are.
func (v *validation) checkTexts() {
	var small []printedText
	walkTexts(reflect.ValueOf(v.c).Elem(), "", "", func(path, name, text string) {
		if v.checkText(path, name, text) && printed[name] && notCapitals(text) {
			small = append(small, printedText{path, text})
		}
	})
	switch {
	case len(small) == 0:
	case v.quirks.Capitals:
		v.refused(CodeText, small[0].path, fmt.Sprintf("this partner takes English capitals only, found %.40q here%s", small[0].text, others(len(small)-1)),
			fmt.Sprintf("write %.40q", Capitals(small[0].text)))
	default:
		v.warn(CodeText, small[0].path, fmt.Sprintf("want English capitals, found others here and in %d more fields", len(small)-1), "write capitals if the partner insists")
	}
	for i, item := range v.c.Items {
		if withoutFiller(item.Description) != item.Description {
			v.warn(CodeText, fmt.Sprintf("items[%d].description", i), "the description ends in asterisks that close a box on paper", "leave them out of the data")
		}
	}
	limit := v.form.Limits.Remarks
	if n := limit.LinesOf(v.c.Remarks); limit.Lines > 0 && n > limit.Lines {
		v.warn(CodeText, "remarks", fmt.Sprintf("some administrations take at most %d lines of %d characters, found %d lines", limit.Lines, limit.Width, n), "shorten the remarks if the partner refuses")
	}
}

// printedText is a text that forms print.
type printedText struct{ path, text string }

// checkText looks at the characters of one value and reports whether all can be used.
func (v *validation) checkText(path, name, text string) bool {
	if fault := faultIn(name, text); fault != "" {
		v.fail(CodeText, path, fault, "mend it at its source")
		return false
	}
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Cf, r) }) {
		v.warn(CodeText, path, "invisible or direction-changing characters", "remove them: people read something else than machines")
	}
	return true
}

// faultIn says what is wrong with the characters of the value of the field with that JSON name, or "".
func faultIn(name, text string) string {
	switch trimmed := strings.TrimSpace(text); {
	case trimmed == "" && (text != "" || listed[name]):
		return fmt.Sprintf("want a value, found %q", text)
	case text != trimmed && !prose[name]:
		return fmt.Sprintf("want no white space around the value, found %q", text)
	}
	if n := utf8.RuneCountInString(text); n > maxText {
		return fmt.Sprintf("want at most %d characters, found %d", maxText, n)
	}
	for _, r := range text {
		switch {
		case r == utf8.RuneError:
			// Half of a surrogate pair becomes this when JSON is read.
			return "want whole characters, found a damaged one (U+FFFD)"
		case r == '\n' || r == '\r' || r == '\t':
			if !multiline[name] {
				return fmt.Sprintf("want one line, found %q", r)
			}
		case unicode.IsControl(r), r&0xFFFE == 0xFFFE:
			return fmt.Sprintf("want characters to print, found %U", r)
		}
	}
	return ""
}

// walkTexts calls visit for each string below value, with its path and the JSON name of the field that holds it.
func walkTexts(value reflect.Value, path, name string, visit func(path, name, text string)) {
	if value.Type() == reflect.TypeFor[time.Time]() {
		return // Its fields are its own.
	}
	switch value.Kind() {
	case reflect.String:
		visit(path, name, value.String())
	case reflect.Pointer:
		if !value.IsNil() {
			walkTexts(value.Elem(), path, name, visit)
		}
	case reflect.Slice:
		for i := range value.Len() {
			walkTexts(value.Index(i), fmt.Sprintf("%s[%d]", path, i), name, visit)
		}
	case reflect.Struct:
		for i := range value.NumField() {
			inner := jsonName(value.Type().Field(i))
			walkTexts(value.Field(i), strings.TrimPrefix(path+"."+inner, "."), inner, visit)
		}
	}
}
