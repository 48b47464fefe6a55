package eco

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The limits of a folder of code lists: octets of one file, and characters of one of its lines.
const (
	maxCodeFile = 1 << 20
	maxCodeLine = 500
)

// CodesError is everything that is wrong with a folder of code lists; it is never empty.
type CodesError struct{ Problems []CodesProblem }

// CodesProblem is one of them.
type CodesProblem struct {
	// Place is "FILE:LINE", or FILE.
	Place string
	// Text says what is wrong.
	Text string
}

// Error gives one problem a line, each as FILE:LINE: TEXT.
func (e *CodesError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.Place + ": " + p.Text
	}
	return strings.Join(lines, "\n")
}

// codeShapes are the shapes that codes of a list have.
var codeShapes = map[CodeList]*regexp.Regexp{
	ListCountries:  regexp.MustCompile(`^[A-Z]{2}$`),
	ListCurrencies: currencyPattern,
	ListUnits:      unitPattern,
	ListPackages:   packagePattern,
	ListModes:      modePattern,
	ListDocuments:  documentTypePattern,
	ListFunctions:  documentTypePattern,
	ListStatuses:   documentTypePattern,
}

var (
	alpha3Pattern = regexp.MustCompile(`^[A-Z]{3}$`)
	minorPattern  = regexp.MustCompile(`^([0-9]|-)$`)
)

// CodesFrom are the published lists with what the files of a folder add or say otherwise: countries.txt, currencies.txt and
// so on, one code a line, fields separated by tabs:
//
//	countries.txt     XK	XKX	Kosovo	agreed with partner BA
//	currencies.txt    XAD	2	Arab Accounting Dinar
//	all others        PCE	piece	used by partner TW
//
// The last field is a note and may be missing; "withdrawn" there marks the code as one that should not be used any more. Empty
// lines and lines that begin with # do not count. The folder's name goes in front of file names in errors.
//
// What is wrong comes as one *CodesError with every problem, unless the folder itself cannot be read.
func CodesFrom(folder fs.FS, name string) (Codes, error) {
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return Codes{}, fmt.Errorf("code lists of %s: %w", name, err)
	}
	codes := Codes{added: map[CodeList]map[string]Code{}}
	var problems []CodesProblem
	for _, entry := range entries {
		base, isTable := strings.CutSuffix(entry.Name(), ".txt")
		if !isTable {
			continue
		}
		list, shown := CodeList(base), path.Join(name, entry.Name())
		if !slices.Contains(CodeLists(), list) {
			problems = append(problems, CodesProblem{shown, fmt.Sprintf("no list has this name; there are %v", CodeLists())})
			continue
		}
		text, err := readTable(folder, entry.Name())
		if err != nil {
			problems = append(problems, CodesProblem{shown, err.Error()})
			continue
		}
		added, wrong := parseTable(list, text)
		for _, w := range wrong {
			problems = append(problems, CodesProblem{shown + ":" + w.Place, w.Text})
		}
		codes.added[list] = added
	}
	if len(problems) > 0 {
		return Codes{}, &CodesError{problems}
	}
	return codes, nil
}

func readTable(folder fs.FS, name string) (string, error) {
	file, err := folder.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxCodeFile+1))
	switch {
	case err != nil:
		return "", err
	case len(data) > maxCodeFile:
		return "", fmt.Errorf("larger than %d bytes", maxCodeFile)
	case !utf8.Valid(data):
		return "", errors.New("want UTF-8 text")
	}
	return strings.TrimPrefix(string(data), "\ufeff"), nil
}

// parseTable reads the codes of a table, and what is wrong with its lines; places are the lines' numbers.
func parseTable(list CodeList, text string) (map[string]Code, []CodesProblem) {
	codes, lines := map[string]Code{}, map[string]int{}
	var problems []CodesProblem
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fault := faultInRow(list, line)
		code, _, _ := strings.Cut(line, "\t")
		if first, twice := lines[code]; fault == "" && twice {
			fault = fmt.Sprintf("%q stands in line %d already", code, first)
		}
		if fault != "" {
			problems = append(problems, CodesProblem{strconv.Itoa(number), fault})
			continue
		}
		codes[code], lines[code] = readRow(list, line), number
	}
	return codes, problems
}

// faultInRow says what is wrong with a row, or "".
func faultInRow(list CodeList, row string) string {
	if n := utf8.RuneCountInString(row); n > maxCodeLine {
		return fmt.Sprintf("want at most %d characters, found %d", maxCodeLine, n)
	}
	fields := strings.Split(row, "\t")
	want := []string{"code", "name"}
	switch list {
	case ListCountries:
		want = []string{"code", "three-letter code", "name"}
	case ListCurrencies:
		want = []string{"code", "minor units", "name"}
	}
	if len(fields) < len(want) || len(fields) > len(want)+1 {
		return fmt.Sprintf("want %s and perhaps a note, separated by tabs; found %d fields", strings.Join(want, ", "), len(fields))
	}
	for i, field := range fields {
		if field == "" || field != strings.TrimSpace(field) || strings.ContainsFunc(field, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return fmt.Sprintf("field %d: want text without white space around it, found %.60q", i+1, field)
		}
	}
	switch {
	case !codeShapes[list].MatchString(fields[0]):
		return fmt.Sprintf("%.60q has not the shape of a code of %s", fields[0], list)
	case list == ListCountries && !alpha3Pattern.MatchString(fields[1]):
		return fmt.Sprintf("%.60q is no three-letter code", fields[1])
	case list == ListCurrencies && !minorPattern.MatchString(fields[1]):
		return fmt.Sprintf("want the number of decimals of amounts, or -, found %.60q", fields[1])
	}
	return ""
}

// withdrawnNote is the note that marks a code as withdrawn.
const withdrawnNote = "withdrawn"

// readRow reads a row that has no fault: code, what the list has besides, name, note.
func readRow(list CodeList, row string) Code {
	fields := strings.Split(row, "\t")
	code := Code{Code: fields[0]}
	fields = fields[1:]
	switch list {
	case ListCountries:
		code.Alpha3, fields = fields[0], fields[1:]
	case ListCurrencies:
		code.Digits = -1
		if digits, err := strconv.Atoi(fields[0]); err == nil {
			code.Digits = digits
		}
		fields = fields[1:]
	}
	code.Name = fields[0]
	if len(fields) > 1 {
		code.Withdrawn, code.Note = fields[1] == withdrawnNote, fields[1]
	}
	return code
}
