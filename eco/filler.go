package eco

import (
	"fmt"
	"reflect"
	"strings"
)

// Clean takes out of c what belongs on paper only: the runs of four or more asterisks, with the line behind them, that close a
// row so that nobody can add to it (Lao MOIC Instruction 0118). It returns the certificate without them, and a finding for
// each value that had them, since that they were there says something about the paper. c itself is not changed.
//
// A text of nothing but asterisks becomes empty: the box was closed, and held nothing.
func Clean(c Certificate) (Certificate, []Finding) {
	if !holdsFiller(reflect.ValueOf(c)) {
		return c, nil
	}
	var findings []Finding
	cleaned := cleanTexts(reflect.ValueOf(c), "", "", func(path, name, text string) string {
		rest := text
		if prose[name] {
			rest = withoutFiller(text)
		}
		if rest != text {
			findings = append(findings, Finding{
				Code: CodeText, Severity: SeverityWarning, Path: path,
				Text: "asterisks closed this box on paper; they were taken out of the data",
				Fix:  "nothing: they are printed on the form again",
			})
		}
		return rest
	})
	return cleaned.Interface().(Certificate), findings
}

// holdsFiller reports whether some string below v has asterisks in a row.
func holdsFiller(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String:
		return strings.Contains(v.String(), "****")
	case reflect.Pointer:
		return !v.IsNil() && holdsFiller(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			if holdsFiller(v.Index(i)) {
				return true
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if holdsFiller(v.Field(i)) {
				return true
			}
		}
	}
	return false
}

// withoutFiller takes the filler off the end of each row, and rows that held nothing else.
func withoutFiller(text string) string {
	if !strings.Contains(text, "****") {
		return text
	}
	var rows []string
	for row := range strings.SplitSeq(text, "\n") {
		rest := withoutRowFiller(row)
		if rest == "" && row != "" {
			continue
		}
		rows = append(rows, rest)
	}
	return strings.Join(rows, "\n")
}

// withoutRowFiller cuts a row at the asterisks that end it. The line that is typed behind them is of dashes or underscores.
func withoutRowFiller(row string) string {
	for { // "GOODS **** ****" has several runs.
		rest := strings.TrimRight(row, " \t\r-_=")
		bare := strings.TrimRight(rest, "*")
		if len(rest)-len(bare) < 4 {
			return row
		}
		row = strings.TrimRight(bare, " \t\r")
	}
}

// cleanTexts is a copy of v in which each string below it is what change makes of it; what holds no string is shared.
func cleanTexts(v reflect.Value, path, name string, change func(path, name, text string) string) reflect.Value {
	switch v.Kind() {
	case reflect.String:
		out := reflect.New(v.Type()).Elem()
		out.SetString(change(path, name, v.String()))
		return out
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(cleanTexts(v.Elem(), path, name, change))
		return out
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeSlice(v.Type(), 0, v.Len())
		for i := range v.Len() {
			entry := cleanTexts(v.Index(i), fmt.Sprintf("%s[%d]", path, i), name, change)
			if entry.Kind() == reflect.String && entry.Len() == 0 && v.Index(i).Len() > 0 {
				continue // A line of an address that held nothing else.
			}
			out = reflect.Append(out, entry)
		}
		return out
	case reflect.Struct:
		out := reflect.New(v.Type()).Elem()
		for i := range v.NumField() {
			inner := jsonName(v.Type().Field(i))
			out.Field(i).Set(cleanTexts(v.Field(i), strings.TrimPrefix(path+"."+inner, "."), inner, change))
		}
		return out
	}
	return v
}
