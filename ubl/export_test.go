package ubl

import "fmt"

// Tokens lists what the scanner finds in a document, for comparison with package encoding/xml.
func Tokens(doc []byte) ([]string, error) {
	s, err := newScanner(doc)
	if err != nil {
		return nil, err
	}
	var tokens []string
	for {
		kind, err := s.next()
		if err != nil {
			return nil, err
		}
		switch kind {
		case tokenNone:
			return tokens, nil
		case tokenStart:
			tokens = append(tokens, fmt.Sprintf("start %q %q", s.start.Name, s.start.Attr))
		case tokenEnd:
			tokens = append(tokens, fmt.Sprintf("end %q", s.end.Name))
		case tokenText:
			tokens = append(tokens, fmt.Sprintf("text %q", s.text))
		}
	}
}
