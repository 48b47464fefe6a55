package eco

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strings"
)

// maxDecimal bounds the characters of a Decimal, so that arithmetic on partners' figures stays cheap.
const maxDecimal = 40

// XML Schema Part 2 §3.2.3: a decimal has an optional sign, digits and at most one point; no exponent, no separators.
var decimalPattern = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)$`)

// Decimal is a decimal number kept as it was written, such as "1201.50": trailing zeros say how exactly something was
// measured, and the octets must survive. The zero value means that no number was given.
type Decimal string

// Valid reports why d is not a decimal number of at most 40 characters; "" is not one.
func (d Decimal) Valid() error {
	if len(d) > maxDecimal {
		return fmt.Errorf("decimal of %d characters: at most %d are allowed", len(d), maxDecimal)
	}
	if !decimalPattern.MatchString(string(d)) {
		return fmt.Errorf("decimal %q: want digits with at most one point, such as 1201.50", string(d))
	}
	return nil
}

// Cmp compares the numbers: -1 when d is less than other, 0 when equal ("1.50" equals "1.5"), 1 when greater. What is
// not a valid decimal counts as 0.
func (d Decimal) Cmp(other Decimal) int { return d.rat().Cmp(other.rat()) }

// Sign is -1, 0 or 1 like the number's; 0 for what is not a valid decimal.
func (d Decimal) Sign() int { return d.rat().Sign() }

// Floor is the number without its decimals, as schemes round percentages: 40.6 is 40. What is negative or no valid decimal
// stays as it is.
func (d Decimal) Floor() Decimal {
	if d.Valid() != nil || d.Sign() < 0 {
		return d
	}
	whole, _, _ := strings.Cut(string(d), ".")
	whole = strings.TrimLeft(strings.TrimPrefix(whole, "+"), "0")
	return Decimal(cmp.Or(whole, "0"))
}

func (d Decimal) rat() *big.Rat {
	if d.Valid() != nil {
		return new(big.Rat)
	}
	r, ok := new(big.Rat).SetString(string(d))
	if !ok {
		return new(big.Rat)
	}
	return r
}

// UnmarshalJSON accepts a JSON string or a JSON number without exponent and keeps its spelling. "" means absent.
func (d *Decimal) UnmarshalJSON(data []byte) error {
	text := string(data)
	switch {
	case text == "null":
		return nil
	case len(data) > 0 && data[0] == '"':
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
	}
	if text != "" {
		if err := Decimal(text).Valid(); err != nil {
			return err
		}
	}
	*d = Decimal(text)
	return nil
}
