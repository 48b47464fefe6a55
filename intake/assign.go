package intake

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/ecogate/ecogate/eco"
)

// assign puts value at a path of JSON names, such as "exporter.identifiers[0].value", into v, and makes what is missing on the way.
// The value has the field's type; a text goes into any type of text. A path that does not fit is a fault of the
// table of columns, which a test finds.
func assign(v reflect.Value, path string, value any) {
	for path != "" {
		for v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		var name string
		name, path = step(path)
		switch v.Kind() {
		case reflect.Map:
			if v.IsNil() {
				v.Set(reflect.MakeMap(v.Type()))
			}
			v.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), reflect.ValueOf(value))
			return
		case reflect.Slice:
			index, err := strconv.Atoi(name)
			if err != nil {
				panic(fmt.Sprintf("intake: %q is no index of %s", name, v.Type()))
			}
			for v.Len() <= index {
				v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
			}
			v = v.Index(index)
		default:
			v = fieldOf(v, name)
		}
	}
	given := reflect.ValueOf(value)
	if !given.Type().ConvertibleTo(v.Type()) {
		panic(fmt.Sprintf("intake: a %s is no %s", given.Type(), v.Type()))
	}
	v.Set(given.Convert(v.Type()))
}

// step cuts the first name or index off a path.
func step(path string) (name, rest string) {
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		return path, ""
	}
	name, rest = path[:end], path[end+1:]
	if path[end] == '[' {
		rest = strings.Replace(rest, "]", "", 1)
	}
	if name == "" {
		return step(rest)
	}
	return name, rest
}

func fieldOf(v reflect.Value, name string) reflect.Value {
	for i := range v.NumField() {
		if tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ","); tag == name {
			return v.Field(i)
		}
	}
	panic(fmt.Sprintf("intake: %s has no %q", v.Type(), name))
}

// parse reads a cell's text for a column. The error says what was expected and what was found. serial tells that numbers may stand for days,
// as in a workbook, and gives the day.
func (c column) parse(text string, serial func(string) (eco.Date, bool)) (any, error) {
	switch c.kind {
	case lines:
		if c.path == "transport.text" || !strings.HasSuffix(c.path, ".lines") {
			return text, nil
		}
		return splitLines(text), nil
	case day:
		return parseDay(text, serial)
	case count:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("want a whole number such as 400, without separators, found %q", limited(text))
		}
		return n, nil
	case decimal:
		return parseDecimal(text)
	case yesNo:
		return parseYesNo(text)
	case tariff:
		return strings.NewReplacer(".", "", " ", "").Replace(text), nil
	}
	if strings.Contains(text, "\n") {
		return nil, fmt.Errorf("want one line, found %q", limited(text))
	}
	return text, nil
}

func splitLines(text string) []string {
	var out []string
	for part := range strings.SplitSeq(text, "\n") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

func parseDay(text string, serial func(string) (eco.Date, bool)) (eco.Date, error) {
	if day, err := eco.ParseDate(text); err == nil {
		return day, nil
	}
	if day, ok := serial(text); ok {
		return day, nil
	}
	return eco.Date{}, fmt.Errorf("want a date such as 2026-11-28, found %q", limited(text))
}

// maxDigits is how many digits spreadsheet programs keep of a number; what has more is the noise of a calculation, or was cut.
const maxDigits = 15

func parseDecimal(text string) (eco.Decimal, error) {
	number := eco.Decimal(text)
	if number.Valid() != nil {
		return "", fmt.Errorf("want a number such as 1201.50, with a point and without thousands separators, found %q", limited(text))
	}
	digits := strings.TrimLeft(strings.NewReplacer(".", "", "-", "", "+", "").Replace(text), "0")
	if len(digits) > maxDigits {
		return "", fmt.Errorf("want a number of %d digits at most, found %q: round it, or format the cell as text and write it anew", maxDigits, limited(text))
	}
	return number, nil
}

func parseYesNo(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "yes", "y", "true", "1", "x":
		return true, nil
	case "no", "n", "false", "0":
		return false, nil
	}
	return false, fmt.Errorf("want YES or NO, found %q", limited(text))
}
