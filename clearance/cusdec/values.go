package cusdec

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ecogate/ecogate/eco"
)

// The longest values that are taken, in characters. The directories have grown: 1004 and 1154 had 35 in D.96B and have 70 since D.02A.
const (
	maxReference = 70
	maxCode      = 35
	maxText      = 512
)

// text is a value of at most so many characters. A longer one is a fault, and "".
func (b *builder) text(e, c, most int) string {
	value := strings.TrimSpace(b.seg.value(e, c))
	if n := utf8.RuneCountInString(value); n > most {
		b.fault(CodeTooLong, e, c, fmt.Sprintf("at most %d characters", most), fmt.Sprintf("%d", n))
		return ""
	}
	return value
}

// required is a text that must be there.
func (b *builder) required(e, c, most int, what string) (string, bool) {
	if strings.TrimSpace(b.seg.value(e, c)) == "" {
		b.fault(CodeMissing, e, c, what, "nothing")
		return "", false
	}
	value := b.text(e, c, most)
	return value, value != ""
}

// shaped is a text of a shape; another one is a fault.
func (b *builder) shaped(e, c int, shape *regexp.Regexp, want string) (string, bool) {
	value := b.text(e, c, maxText)
	if !shape.MatchString(value) {
		b.fault(CodeInvalidValue, e, c, want, quoted(value))
		return "", false
	}
	return value, true
}

var (
	countryShape  = regexp.MustCompile(`^[A-Z]{2}$`)
	currencyShape = regexp.MustCompile(`^[A-Z]{3}$`)
	unitShape     = regexp.MustCompile(`^[A-Z0-9]{1,3}$`)
	numberShape   = regexp.MustCompile(`^-?[0-9]*([.,][0-9]*)?$`)
)

// maxFigure is how many characters a number may have.
const maxFigure = 35

// decimal is a number (syntax 3 §10, syntax 4 clause 10): digits, at most one decimal mark with a digit before it, no separators of
// thousands.
func (b *builder) decimal(e, c int) (eco.Decimal, bool) {
	value, ok := b.required(e, c, maxFigure, "a number")
	if !ok {
		return "", false
	}
	body := strings.TrimPrefix(value, "-")
	switch {
	case !numberShape.MatchString(value):
		b.fault(CodeCharacterType, e, c, "digits with at most one decimal mark", quoted(value))
		return "", false
	case body == "" || body[0] == '.' || body[0] == ',':
		b.fault(CodeNoDigit, e, c, "a digit before the decimal mark", quoted(value))
		return "", false
	case body[len(body)-1] == '.' || body[len(body)-1] == ',':
		b.fault(CodeDecimalNotation, e, c, "a digit after the decimal mark", quoted(value))
		return "", false
	}
	if service := b.reader.scan.service; service.advised && b.reader.interchange.SyntaxVersion < 4 {
		if other := map[byte]string{'.': ",", ',': "."}[service.decimal]; strings.Contains(value, other) {
			b.fault(CodeDecimalNotation, e, c, fmt.Sprintf("%q as decimal mark, as UNA says", string(rune(service.decimal))), quoted(value))
			return "", false
		}
	}
	return eco.Decimal(strings.Replace(value, ",", ".", 1)), true
}

// positive is a number above 0.
func (b *builder) positive(e, c int) (eco.Decimal, bool) {
	value, ok := b.decimal(e, c)
	if ok && value.Sign() <= 0 {
		b.fault(CodeInvalidValue, e, c, "a number above 0", quoted(string(value)))
		return "", false
	}
	return value, ok
}

// count is a whole number from least on.
func (b *builder) count(e, c, least int) (int, bool) {
	value := b.text(e, c, maxFigure)
	n, err := strconv.ParseUint(value, 10, 31)
	switch {
	case err != nil:
		b.fault(CodeCharacterType, e, c, "a whole number", quoted(value))
		return 0, false
	case int(n) < least:
		b.fault(CodeInvalidValue, e, c, fmt.Sprintf("a whole number from %d on", least), quoted(value))
		return 0, false
	}
	return int(n), true
}

// dateLayouts are the formats of 2379 that say a day, with the layouts of their values. What is finer than a day is left out.
var dateLayouts = map[string]string{
	"101": "060102", "102": "20060102", "201": "0601021504", "203": "200601021504", "204": "20060102150405",
}

// date is the day of C507 in element e.
func (b *builder) date(e int) (eco.Date, bool) {
	format := b.text(e, 3, maxCode)
	layout, ok := dateLayouts[format]
	if !ok {
		b.fault(CodeValueNotSupported, e, 3, "a format of a day: 101, 102, 201, 203 or 204", quoted(format))
		return eco.Date{}, false
	}
	value := b.text(e, 2, maxCode)
	day, err := time.Parse(layout, value)
	if err != nil || len(value) != len(layout) {
		b.fault(CodeInvalidValue, e, 2, "a day in format "+format, quoted(value))
		return eco.Date{}, false
	}
	return eco.DateOf(day), true
}

// joined are the components of an element from c on, those that say something, with a space between them.
func (b *builder) joined(e, c int) string {
	var parts []string
	if e <= len(b.seg.elements) {
		for i := c; i <= len(b.seg.elements[e-1][0]); i++ {
			if part := b.text(e, i, maxText); part != "" {
				parts = append(parts, part)
			}
		}
	}
	return strings.Join(parts, " ")
}
