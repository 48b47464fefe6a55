package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
)

// member is where a member of a JSON object goes.
type member struct {
	name string
	into any
}

// decodeObject reads members, each once at most and no others, and the end of the input. encoding/json by itself takes the last of
// several and any spelling of a name.
func decodeObject(d *json.Decoder, members ...member) error {
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = fmt.Sprintf("%q", m.name)
	}
	known := strings.Join(names, " and ")
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return errors.Join(fmt.Errorf("want a JSON object with the members %s", known), err)
	}
	seen := make(map[string]bool)
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return fmt.Errorf("after octet %d: %w", d.InputOffset(), err)
		}
		name, _ := token.(string) // the decoder takes nothing else for a name
		i := slices.IndexFunc(members, func(m member) bool { return m.name == name })
		switch {
		case seen[name]:
			return fmt.Errorf("member %q is given twice", name)
		case i < 0:
			return fmt.Errorf("there is no member %q; want %s", name, known)
		}
		if err := d.Decode(members[i].into); err != nil {
			return fmt.Errorf("member %q: %w", name, err)
		}
		seen[name] = true
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("after octet %d: %w", d.InputOffset(), err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("more data after the JSON object, which ends at octet %d", d.InputOffset())
	}
	return nil
}

// maxGiven bounds a text in a small request, in octets: it goes to the audit log, and some to partners.
const maxGiven = 1024

// readText reads a body of one member that is a line of text. Without a body it is empty.
func readText(r *http.Request, name string) (text string, err error) {
	if r.ContentLength == 0 {
		return "", nil
	}
	if err := wantJSON(r); err != nil {
		return "", err
	}
	if err := decodeObject(json.NewDecoder(r.Body), member{name, &text}); err != nil {
		return "", bodyProblem("", err)
	}
	switch {
	case len(text) > maxGiven:
		return "", problem(CodeMalformed, fmt.Sprintf("member %q has %d octets; it takes %d at most", name, len(text), maxGiven))
	case !printable(text):
		return "", problem(CodeMalformed, fmt.Sprintf("member %q holds what cannot be printed", name))
	}
	return text, nil
}

// wantJSON refuses a body of another media type.
func wantJSON(r *http.Request) error {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType))
	if err != nil || mediaType != echo.MIMEApplicationJSON {
		return problem(CodeMediaType, "want "+echo.MIMEApplicationJSON)
	}
	return nil
}

// printable reports whether s is one line of text that shows all it holds.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError })
}
