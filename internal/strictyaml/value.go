package strictyaml

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The types of the sections are the schema: a key is a field with its yaml tag, a section a struct, a list a slice, and
// everything else a single value.

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
)

func isSection(t reflect.Type) bool { return t.Kind() == reflect.Struct && t != timeType }
func isList(t reflect.Type) bool    { return t.Kind() == reflect.Slice }

// keysOf lists the keys of a section in the order of its fields.
func keysOf(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" {
			out = append(out, key)
		}
	}
	return out
}

func fieldOf(v reflect.Value, key string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if name := v.Type().Field(i).Tag.Get("yaml"); name != "" && name == key {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func join(section, key string) string {
	if section == "" {
		return key
	}
	return section + "." + key
}

// Leaf is a key that takes a single value or a list of them.
type Leaf struct {
	// Key is its path, such as "agreements[0].endpoint".
	Key   string
	Value reflect.Value
	Field reflect.StructField
}

// Walk visits every leaf of a section, which is a struct or a pointer to one, entries of lists included, in the order of the fields.
// Values can be set if section is a pointer.
func Walk(section any, visit func(Leaf)) {
	walkSection(reflect.Indirect(reflect.ValueOf(section)), "", visit)
}

func walkSection(section reflect.Value, key string, visit func(Leaf)) {
	for i := range section.NumField() {
		field := section.Type().Field(i)
		name := field.Tag.Get("yaml")
		if name == "" {
			continue
		}
		at, value := join(key, name), section.Field(i)
		switch {
		case isSection(field.Type):
			walkSection(value, at, visit)
		case isList(field.Type) && isSection(field.Type.Elem()):
			for j := range value.Len() {
				walkSection(value.Index(j), fmt.Sprintf("%s[%d]", at, j), visit)
			}
		default:
			visit(Leaf{Key: at, Value: value, Field: field})
		}
	}
}

// emptyList stands for a list without members where a list is written as one text.
const emptyList = "[]"

// SetText sets a leaf from one text, such as a variable's: the members of a list are separated by commas.
func SetText(v reflect.Value, text string) error {
	if !isList(v.Type()) {
		return setScalar(v, text)
	}
	var members []string
	if text != emptyList {
		members = strings.Split(text, ",")
	}
	list := reflect.MakeSlice(v.Type(), len(members), len(members))
	for i, member := range members {
		if err := setScalar(list.Index(i), strings.TrimSpace(member)); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}

// setScalar sets a single value from its text. A number of type int is a count; one of type int64 is a size in bytes.
func setScalar(v reflect.Value, text string) error {
	if v.Kind() == reflect.Pointer {
		target := reflect.New(v.Type().Elem())
		if err := setScalar(target.Elem(), text); err != nil {
			return err
		}
		v.Set(target)
		return nil
	}
	switch v.Type() {
	case timeType:
		at, err := parseInstant(text)
		v.Set(reflect.ValueOf(at))
		return err
	case durationType:
		d, err := ParseDuration(text)
		v.SetInt(int64(d))
		return err
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		v.SetBool(text == "true")
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		v.SetInt(int64(n))
	case reflect.Int64:
		n, err := parseSize(text)
		v.SetInt(n)
		return err
	default:
		return fmt.Errorf("values of type %s are not supported", v.Type())
	}
	return nil
}

func parseInstant(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not an instant; write 2026-11-30T09:00:00Z, or 2026-11-30 for the beginning of that day in UTC", text)
}

var daysPattern = regexp.MustCompile(`^([0-9]{1,5})d`)

// ParseDuration reads a Go duration that may begin with days of 24 hours, as the configuration writes them: "30s", "1h30m", "7d", "1d12h".
func ParseDuration(text string) (time.Duration, error) {
	var days time.Duration
	rest := text
	if m := daysPattern.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1]) // at most five digits
		days, rest = time.Duration(n)*24*time.Hour, text[len(m[0]):]
		if rest == "" {
			return days, nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || rest != text && strings.HasPrefix(rest, "-") || d > math.MaxInt64-days {
		return 0, fmt.Errorf("%q is not a duration; write for example 30s, 10m, 1h30m or 7d", text)
	}
	return days + d, nil
}

var sizePattern = regexp.MustCompile(`^([0-9]{1,18})(|KiB|MiB|GiB|TiB)$`)

func parseSize(text string) (int64, error) {
	wrong := fmt.Errorf("%q is not a number of bytes; write for example 1048576 or 1MiB", text)
	m := sizePattern.FindStringSubmatch(text)
	if m == nil {
		return 0, wrong
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	shift := map[string]int{"": 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}[m[2]]
	if err != nil || n > math.MaxInt64>>shift {
		return 0, wrong
	}
	return n << shift, nil
}

// Format writes a leaf's value as SetText takes it; what is not set is "".
func Format(v reflect.Value) string {
	switch {
	case v.Kind() == reflect.Pointer && v.IsNil():
		return ""
	case v.Kind() == reflect.Pointer:
		return Format(v.Elem())
	case v.Type() == timeType:
		if at := v.Interface().(time.Time); !at.IsZero() {
			return at.Format(time.RFC3339)
		}
		return ""
	case isList(v.Type()) && v.Len() == 0 && !v.IsNil():
		return emptyList
	case isList(v.Type()):
		members := make([]string, v.Len())
		for i := range members {
			members[i] = Format(v.Index(i))
		}
		return strings.Join(members, ",")
	}
	return fmt.Sprint(v.Interface())
}

// Suggest names the known key nearest to name, or all of them if none is near.
func Suggest(name string, known []string) string {
	best, least := "", min(len(name)/2, 3)+1
	for _, key := range known {
		if d := distance(name, key); d < least {
			best, least = key, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(known) > 20:
		return "no known name is near to it"
	}
	return "known here: " + strings.Join(known, ", ")
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
