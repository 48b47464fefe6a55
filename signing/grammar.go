package signing

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

// sequence is the children of a ds: element that have not been read.
type sequence struct {
	parent c14n.Element
	rest   []c14n.Element
}

// open begins to read an element that has child elements only and these attributes only.
func open(e c14n.Element, attributes ...string) (*sequence, error) {
	if !c14n.IsSpace(e.Text()) {
		return nil, failAt(e, ErrMalformed, "%s has text between its elements", e.Name())
	}
	return &sequence{parent: e, rest: e.Children()}, checkAttributes(e, attributes)
}

// take gives the next child, which must have this name.
func (s *sequence) take(local string) (c14n.Element, error) {
	if e, found := s.optional(local); found {
		return e, nil
	}
	if len(s.rest) == 0 {
		return s.parent, failAt(s.parent, ErrMalformed, "%s ends where ds:%s is expected", s.parent.Name(), local)
	}
	return s.rest[0], failAt(s.rest[0], ErrMalformed, "%s stands where ds:%s is expected", s.rest[0].Name(), local)
}

// optional gives the next child if it has this name.
func (s *sequence) optional(local string) (c14n.Element, bool) { return s.next(dsigSpace, local) }

// next gives the next child if it has this name of this namespace.
func (s *sequence) next(space, local string) (c14n.Element, bool) {
	if len(s.rest) == 0 || !s.rest[0].Is(space, local) {
		return c14n.Element{}, false
	}
	e := s.rest[0]
	s.rest = s.rest[1:]
	return e, true
}

// end says that no child may follow.
func (s *sequence) end() error {
	if len(s.rest) > 0 {
		return failAt(s.rest[0], ErrMalformed, "%s is not expected in %s", s.rest[0].Name(), s.parent.Name())
	}
	return nil
}

// leaf gives the text of an element without child elements and with these attributes only.
func leaf(e c14n.Element, attributes ...string) (string, error) {
	if len(e.Children()) > 0 {
		return "", failAt(e, ErrMalformed, "%s has child elements", e.Name())
	}
	return e.Text(), checkAttributes(e, attributes)
}

// octets gives the base64 content of an element. White space may stand anywhere, carriage returns written as &#13;
// included (products wrap lines with them); anything else must be exact, so that one value has one spelling.
func octets(e c14n.Element, attributes ...string) ([]byte, error) {
	text, err := leaf(e, attributes...)
	if err != nil {
		return nil, err
	}
	out, err := base64.StdEncoding.Strict().DecodeString(withoutSpace(text))
	if err != nil {
		return nil, failAt(e, ErrMalformed, "%s is not base64: %v", e.Name(), err)
	}
	if len(out) == 0 {
		return nil, failAt(e, ErrMalformed, "%s is empty", e.Name())
	}
	return out, nil
}

// withoutSpace takes out the white space of XML (XML 1.0 §2.3, S).
func withoutSpace(text string) string {
	if !strings.ContainsAny(text, " \t\r\n") {
		return text
	}
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '\r' || r == '\n' {
			return -1
		}
		return r
	}, text)
}

// bareAlgorithm gives the Algorithm of an element that has nothing else.
func bareAlgorithm(e c14n.Element) (string, error) {
	c, err := open(e, "Algorithm")
	if err != nil {
		return "", err
	}
	uri, _ := e.Attribute("", "Algorithm")
	return uri, c.end()
}

func checkAttributes(e c14n.Element, allowed []string) error {
	for a := range e.Attributes() {
		if a.Space() != "" || !slices.Contains(allowed, a.Local()) {
			return failAt(e, ErrMalformed, "%s has an attribute %s", e.Name(), a.Local())
		}
	}
	return nil
}

// placed gives an error of ours the place of an element.
func placed(err error, e c14n.Element) error {
	var ours *Error
	if errors.As(err, &ours) {
		ours.Line, ours.Column = e.Position()
	}
	return err
}
