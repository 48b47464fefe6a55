package signing

import (
	"errors"
	"fmt"

	"go.mozilla.org/pkcs7"
)

// Limits of CMS and PKCS #7 before the library reads them: it writes everything anew at every level, reads octets again that an
// element has beyond the end of the one around it, and looks for the end of an indefinite length in all the rest after each
// element. Signed announcements, tokens and bundles have about 20 levels.
const (
	maxLevels     = 64
	maxIndefinite = 4096 // elements in others of indefinite length
)

// parseCMS has the library read CMS or PKCS #7 whose shape keeps that cheap.
func parseCMS(ber []byte) (*pkcs7.PKCS7, error) {
	shape := berShape{ber: ber, left: maxIndefinite}
	if _, err := shape.element(0, len(ber), 1); err != nil {
		return nil, err
	}
	return pkcs7.Parse(ber)
}

// berShape walks through BER (X.690 §8.1) and looks at identifiers and lengths only. left is how many elements of indefinite
// ones may follow.
type berShape struct {
	ber  []byte
	left int
}

var errCutShort = errors.New("BER ends within an element")

// element walks through the element at an offset, which must end at end at the latest, and gives the offset after it.
func (b *berShape) element(at, end, level int) (int, error) {
	if level > maxLevels {
		return 0, fmt.Errorf("BER of more than %d levels", maxLevels)
	}
	constructed, at, err := b.identifier(at, end)
	if err != nil {
		return 0, err
	}
	length, at, err := b.length(at, end)
	switch {
	case err != nil:
		return 0, err
	case length < 0 && !constructed:
		return 0, errors.New("BER with a primitive element of indefinite length")
	case length < 0:
		return b.indefinite(at, end, level)
	case length > end-at:
		return 0, errors.New("BER with an element that ends after the one around it")
	}
	end = at + length
	for constructed && at < end {
		if at, err = b.element(at, end, level+1); err != nil {
			return 0, err
		}
	}
	return end, nil
}

// indefinite walks through the content of an element of indefinite length and its end-of-contents octets.
func (b *berShape) indefinite(at, end, level int) (int, error) {
	for {
		if b.left--; b.left < 0 {
			return 0, fmt.Errorf("BER with more than %d elements in others of indefinite length", maxIndefinite)
		}
		var err error
		if at, err = b.element(at, end, level+1); err != nil {
			return 0, err
		}
		if end-at < 2 {
			return 0, errCutShort
		}
		if b.ber[at] == 0 && b.ber[at+1] == 0 {
			return at + 2, nil
		}
	}
}

// identifier reads identifier octets.
func (b *berShape) identifier(at, end int) (constructed bool, next int, err error) {
	if at >= end {
		return false, 0, errCutShort
	}
	first := b.ber[at]
	at++
	if first&0x1F == 0x1F {
		for at < end && b.ber[at] >= 0x80 {
			at++
		}
		at++
	}
	if at >= end {
		return false, 0, errCutShort
	}
	return first&0x20 != 0, at, nil
}

// length reads length octets; -1 is the indefinite length.
func (b *berShape) length(at, end int) (length, next int, err error) {
	first := int(b.ber[at])
	at++
	switch octets := first & 0x7F; {
	case first < 0x80:
		return first, at, nil
	case octets == 0:
		return -1, at, nil
	case octets > 4 || octets > end-at:
		return 0, 0, errCutShort
	default:
		for _, octet := range b.ber[at : at+octets] {
			length = length<<8 | int(octet)
		}
		return length, at + octets, nil
	}
}
