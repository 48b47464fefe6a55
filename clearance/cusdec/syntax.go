package cusdec

import "fmt"

// service are the service characters of an interchange. A zero release or repetition means that there is none.
type service struct {
	component, element, decimal, release, repetition, terminator byte
	// advised: UNA gave them.
	advised bool
}

// The service characters without UNA (syntax 3 §5, syntax 4 clause 5). Level B of syntax 1 to 3 may use information separators of
// ISO 646 instead, which are told by the octet after "UNB".
var (
	printed     = service{component: ':', element: '+', decimal: '.', release: '?', terminator: '\''}
	unprintable = service{component: 0x1F, element: 0x1D, decimal: '.', terminator: 0x1C}
)

// repetitionOf4 is the repetition separator of syntax 4 without UNA.
const repetitionOf4 = '*'

// adviceLength is that of UNA with its six service characters (syntax 3 annex B).
const adviceLength = 9

// advice reads the six characters after "UNA".
func advice(six []byte) (service, *Fault) {
	s := service{component: six[0], element: six[1], decimal: six[2], release: six[3], repetition: six[4], terminator: six[5], advised: true}
	for i, b := range six {
		mayBeNone := i == 3 || i == 4
		switch {
		case mayBeNone && b == ' ':
			continue
		case i == 2 && b != '.' && b != ',':
			return s, unfit(". or , as decimal mark", fmt.Sprintf("%q", string(rune(b))))
		case i == 2:
			continue
		case !mayServe(b):
			return s, unfit("a printable character that is no letter, digit or space as "+serviceNames[i], fmt.Sprintf("%q", string(rune(b))))
		}
		for j := range i {
			if six[j] == b && j != 2 { // a decimal mark separates nothing
				return s, unfit("different characters as "+serviceNames[j]+" and "+serviceNames[i], fmt.Sprintf("%q as both", string(rune(b))))
			}
		}
	}
	if s.release == ' ' {
		s.release = 0
	}
	if s.repetition == ' ' {
		s.repetition = 0
	}
	return s, nil
}

// unfit is the fault of a service character.
func unfit(expected, found string) *Fault {
	return &Fault{Code: CodeServiceCharacter, Tag: "UNA", Expected: expected, Found: found}
}

// mayServe: a printable character of ISO 646, or one of its four information separators, that is not common in data.
func mayServe(b byte) bool {
	switch {
	case b >= '0' && b <= '9', b >= 'A' && b <= 'Z', b >= 'a' && b <= 'z':
		return false
	}
	return b > ' ' && b <= '~' || b >= 0x1C && b <= 0x1F
}

var serviceNames = [6]string{"component separator", "element separator", "decimal mark", "release character", "repetition separator", "segment terminator"}

// forVersion gives the service characters that hold after UNB has told the syntax version: only version 4 repeats elements, and takes
// no notice of UNA's decimal mark (syntax 4 annex B).
func (s service) forVersion(version int) service {
	switch {
	case version < 4:
		s.repetition = 0
	case !s.advised:
		s.repetition = repetitionOf4
	}
	return s
}
