// Package strictyaml reads and writes YAML strictly, for texts that people write and that must mean one thing only.
//
// The type that is filled is the schema: a key is a field with its yaml tag, a section a struct, a list a slice, and everything else
// a single value. Of YAML it takes the plain part:
//   - A key that no section has is an error with its line, and so is a key that is given twice or without a value.
//   - Every problem is reported, not only the first.
//   - Durations are Go durations with "d" for 24 hours ("30s", "1h30m", "7d"). Sizes, which are fields of type int64, are bytes, or
//     have a unit ("25MiB"). Instants are RFC 3339, or a day, which means its beginning in UTC.
//   - Anchors, aliases, merge keys and a second document are refused: what an entry says stands in the entry.
//
// What the values mean is left to those who declare the types.
package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Problem is one thing that is wrong with a text.
type Problem struct {
	// Line counts from 1; 0 for the text as a whole.
	Line int
	// Key is the key's path, such as "listeners.api.address"; empty if the text could not be read as YAML.
	Key string
	// Text says what is wrong and, where it is not plain, what to do.
	Text string
}

// Error gives line, key and text.
func (p Problem) Error() string {
	text := p.Text
	if p.Key != "" {
		text = p.Key + ": " + text
	}
	if p.Line != 0 {
		text = fmt.Sprintf("line %d: %s", p.Line, text)
	}
	return text
}

// Decode fills into, a pointer to a struct, from text, as far as text can be read; what text does not have stays. It tells the line of
// every key that is there, and everything that is wrong. An empty text is an empty section.
//
// The tree that the YAML library gives is walked here, so that every problem has its line, all of them are found in one go, and a value
// means the same in a text and in SetText. It goes no deeper than the types do.
func Decode(text []byte, into any) (lines map[string]int, problems []Problem) {
	d := &decoder{lines: map[string]int{}}
	document, fault := readYAML(text)
	switch {
	case fault == secondDocument:
		d.add(0, "", "%s", fault)
	case fault != "":
		d.add(faultLine(text, fault), "", "%s", fault)
	case len(document.Content) == 1 && document.Content[0].Tag != "!!null":
		d.decode(document.Content[0], reflect.ValueOf(into).Elem(), "")
	}
	return d.lines, d.problems
}

type decoder struct {
	lines    map[string]int // of the keys that were given
	problems []Problem
}

func (d *decoder) add(line int, key, format string, args ...any) {
	d.problems = append(d.problems, Problem{Line: line, Key: key, Text: fmt.Sprintf(format, args...)})
}

// at reports a problem of the value n of key; that of the whole text has no line.
func (d *decoder) at(n *yaml.Node, key, format string, args ...any) {
	line := n.Line
	if key == "" {
		line = 0
	}
	d.add(line, key, format, args...)
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)

const secondDocument = "holds more than one YAML document"

// readYAML gives the one document in text, or what is wrong with it.
func readYAML(text []byte) (document yaml.Node, fault string) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	err := decoder.Decode(&document)
	if err == nil {
		if err = decoder.Decode(new(yaml.Node)); err == nil {
			return document, secondDocument
		}
	}
	if errors.Is(err, io.EOF) {
		return document, ""
	}
	message := err.Error()
	return document, strings.TrimPrefix(message[len(yamlLine.FindString(message)):], "yaml: ")
}

// faultLine is the line, from 1, at which text has its fault: the last one of the shortest beginning of text that has it too.
// The library's own number is one too small for some faults, and that of the line before for others.
func faultLine(text []byte, fault string) int {
	lines := bytes.SplitAfter(text, []byte("\n"))
	end := 0
	ends := make([]int, len(lines))
	for i, line := range lines {
		end += len(line)
		ends[i] = end
	}
	return 1 + sort.Search(len(lines)-1, func(i int) bool {
		_, same := readYAML(text[:ends[i]])
		return same == fault
	})
}

// decode fills v, the value of key, from n. It goes no deeper than the types do.
func (d *decoder) decode(n *yaml.Node, v reflect.Value, key string) {
	if key != "" {
		d.lines[key] = n.Line
	}
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		d.at(n, key, "anchors and aliases are not supported; write the value out")
	case n.Tag == "!!null":
		d.at(n, key, "has no value; give one or remove the key")
	case isSection(v.Type()):
		d.section(n, v, key)
	case isList(v.Type()):
		d.list(n, v, key)
	case n.Kind != yaml.ScalarNode:
		d.at(n, key, "takes a single value, here is %s", kindName(n))
	default:
		if err := setScalar(v, n.Value); err != nil {
			d.at(n, key, "%v", err)
		}
	}
}

func (d *decoder) section(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind != yaml.MappingNode {
		d.at(n, key, "takes keys (%s), here is %s", strings.Join(keysOf(v.Type()), ", "), kindName(n))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		at := join(key, name.Value)
		field, ok := fieldOf(v, name.Value)
		switch {
		case name.Kind != yaml.ScalarNode || name.Tag == "!!merge" || name.Anchor != "":
			d.add(name.Line, key, "a key here is not plain text; merge keys and anchors are not supported")
		case !ok:
			d.add(name.Line, at, "unknown key; %s", instead(v, name.Value))
		case seen[name.Value]:
			d.add(name.Line, at, "stands here twice")
		default:
			seen[name.Value] = true
			d.decode(value, field, at)
		}
	}
}

// former is a section that tells what takes the place of keys that there were.
type former interface{ FormerKeys() map[string]string }

// instead says what to write in the place of a key that a section does not have.
func instead(section reflect.Value, name string) string {
	if f, ok := section.Interface().(former); ok && f.FormerKeys()[name] != "" {
		return "write " + f.FormerKeys()[name]
	}
	return Suggest(name, keysOf(section.Type()))
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind != yaml.SequenceNode {
		d.at(n, key, "takes a list, here is %s", kindName(n))
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, entry := range n.Content {
		d.decode(entry, list.Index(i), fmt.Sprintf("%s[%d]", key, i))
	}
	v.Set(list)
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a section"
	case yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}
