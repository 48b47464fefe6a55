package eco

import (
	"errors"
	"fmt"
	"math/big"
)

// ErrInexact is the error for a result that no Decimal holds exactly: a fraction without end, or more than 40 characters.
var ErrInexact = errors.New("no decimal of at most 40 characters is exact")

// Add is d + other, exactly. "" counts as 0; what is otherwise not a valid decimal is an error.
func (d Decimal) Add(other Decimal) (Decimal, error) { return d.combine(other, (*big.Rat).Add) }

// Sub is d - other, exactly, as Add; the result may be below zero.
func (d Decimal) Sub(other Decimal) (Decimal, error) { return d.combine(other, (*big.Rat).Sub) }

// Mul is d × other, exactly, as Add.
func (d Decimal) Mul(other Decimal) (Decimal, error) { return d.combine(other, (*big.Rat).Mul) }

func (d Decimal) combine(other Decimal, operate func(z, x, y *big.Rat) *big.Rat) (Decimal, error) {
	for _, operand := range []Decimal{d, other} {
		if operand == "" {
			continue
		}
		if err := operand.Valid(); err != nil {
			return "", err
		}
	}
	return exactly(operate(new(big.Rat), d.rat(), other.rat()))
}

// exactly writes r without exponent, sign + and trailing zeros.
func exactly(r *big.Rat) (Decimal, error) {
	digits, finite := r.FloatPrec()
	if !finite {
		return "", ErrInexact
	}
	d := Decimal(r.FloatString(digits))
	if len(d) > maxDecimal {
		return "", fmt.Errorf("%.12s…: %w", d, ErrInexact)
	}
	return d, nil
}
