package eco

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// maxCriterionLines is how many lines a criterion box has, and so how many criteria stand together.
const maxCriterionLines = 3

// maxCriterionText bounds the characters of a criterion box that is parsed.
const maxCriterionText = 200

// ParseCriteria reads the criterion box of the form as people print it: "CTH + RVC 40%", "RVC45%", "40%", "CTSH+35%", "PC 25%",
// "Specific Processes". Codes come in any order, in capitals or not, with "+", "&", ",", ";", "and" or nothing but space
// between them, and in quotes or not. The result is a set: it is in the order of the form's list, and each code is there once.
// Where the form states whole percentages they are rounded down.
//
// The error says what was expected, and where.
func (f Form) ParseCriteria(text string) ([]Criterion, error) {
	if len(f.Criteria) == 0 {
		return nil, fmt.Errorf("criterion %.40q: %s has no criterion box", text, f.Code)
	}
	if len(text) > maxCriterionText {
		return nil, fmt.Errorf("criterion of %d characters: want at most %d", len(text), maxCriterionText)
	}
	p := &criterionParser{form: f, text: foldCriterion(text), spelled: f.spellings(), open: -1}
	for p.skip(); p.at < len(p.text); p.skip() {
		if err := p.next(); err != nil {
			return nil, fmt.Errorf("criterion %q: %w", text, err)
		}
	}
	if err := p.finish(); err != nil {
		return nil, fmt.Errorf("criterion %q: %w", text, err)
	}
	return p.found, nil
}

// foldCriterion gives capitals, half width, plain dashes and plain spaces.
func foldCriterion(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case isDash(r):
			return '-'
		}
		return unicode.ToUpper(r)
	}, norm.NFC.String(width.Fold.String(text)))
}

// CriteriaText prints criteria as ParseCriteria reads them: "CTH + RVC 40%".
func CriteriaText(criteria []Criterion) string {
	words := make([]string, 0, len(criteria))
	for _, c := range criteria {
		if c.Percent != "" {
			c.Code += " " + string(c.Percent) + "%"
		}
		words = append(words, c.Code)
	}
	return strings.Join(words, " + ")
}

// spelling is one way to write a code.
type spelling struct{ text, code string }

// spellings are those of every code of the form, the longest first, so that WO-AK is not read as WO.
func (f Form) spellings() []spelling {
	var all []spelling
	for _, rule := range f.Criteria {
		all = append(all, spelling{rule.Code, rule.Code})
		for _, text := range rule.Spellings {
			all = append(all, spelling{strings.ToUpper(text), rule.Code})
		}
	}
	slices.SortStableFunc(all, func(a, b spelling) int { return cmp.Compare(len(b.text), len(a.text)) })
	return all
}

// criterionParser reads a criterion box from left to right.
type criterionParser struct {
	form    Form
	text    string
	spelled []spelling
	at      int
	found   []Criterion
	// open is the index in found of a code that still lacks its percentage, pending a percentage that no code preceded.
	open    int
	pending Decimal
}

// skip passes what stands between codes.
func (p *criterionParser) skip() {
	for p.at < len(p.text) {
		rest := p.text[p.at:]
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case strings.ContainsRune(" +&,;:()[]\"'“”‘’", r):
			p.at += size
		case strings.HasPrefix(rest, "AND") && !continues(rest[3:], true):
			p.at += len("AND")
		default:
			return
		}
	}
}

// next reads one code or percentage.
func (p *criterionParser) next() error {
	rest := p.text[p.at:]
	for _, s := range p.spelled {
		if n := spelledAt(rest, s.text); n > 0 && !continues(rest[n:], endsInDigit(s.text)) {
			p.at += n
			return p.code(s.code)
		}
	}
	if n := numberAt(rest); n > 0 {
		p.at += n
		return p.percent(rest[:n])
	}
	return fmt.Errorf("want %s, found %.20q", p.form.criterionCodes(), rest)
}

// spelledAt is how much of rest is the spelling, whose spaces stand for any run of white space; 0 is none.
func spelledAt(rest, text string) int {
	n := 0
	for i, word := range strings.Fields(text) {
		start := n
		for n < len(rest) && rest[n] == ' ' {
			n++
		}
		if (i > 0) != (n > start) || !strings.HasPrefix(rest[n:], word) {
			return 0
		}
		n += len(word)
	}
	return n
}

// continues reports whether a word goes on: with a letter, or with a digit where digits are part of it.
func continues(rest string, digits bool) bool {
	for _, r := range rest {
		return unicode.IsLetter(r) || digits && unicode.IsDigit(r)
	}
	return false
}

func endsInDigit(s string) bool { return s[len(s)-1] >= '0' && s[len(s)-1] <= '9' }

// numberAt is the length of the number that rest begins with.
func numberAt(rest string) int {
	n, points := 0, 0
	for n < len(rest) && (rest[n] >= '0' && rest[n] <= '9' || rest[n] == '.' && points == 0 && n > 0) {
		if rest[n] == '.' {
			points++
		}
		n++
	}
	return n
}

// code takes a code, and the percentage before it if that is waiting for one.
func (p *criterionParser) code(code string) error {
	if slices.ContainsFunc(p.found, func(c Criterion) bool { return c.Code == code }) {
		return fmt.Errorf("want each criterion once, found %s again", code)
	}
	rule, _ := p.form.Criterion(code)
	criterion := Criterion{Code: code}
	p.open = -1
	switch {
	case rule.TakesPercent() && p.pending != "":
		criterion.Percent, p.pending = p.pending, ""
	case rule.TakesPercent():
		p.open = len(p.found)
	}
	p.found = append(p.found, criterion)
	return nil
}

// percent takes a number: it belongs to the code before it, if that takes one and has none.
func (p *criterionParser) percent(number string) error {
	signed := strings.HasPrefix(strings.TrimLeft(p.text[p.at:], " "), "%")
	if signed {
		p.at += strings.Index(p.text[p.at:], "%") + 1
	}
	value := Decimal(strings.TrimSuffix(number, "."))
	if err := value.Valid(); err != nil {
		return err
	}
	switch {
	case p.open >= 0:
		p.found[p.open].Percent, p.open = p.rounded(value), -1
	case !signed:
		return fmt.Errorf("want %s before a number, or %% behind it, found %.20q", p.form.criterionCodes(), number)
	case p.pending != "":
		return fmt.Errorf("want one percentage for each criterion, found %s%% and %s%%", p.pending, value)
	default:
		p.pending = p.rounded(value)
	}
	return nil
}

// rounded is the percentage as the form states it.
func (p *criterionParser) rounded(d Decimal) Decimal {
	if p.form.WholePercent {
		return d.Floor()
	}
	return d
}

// finish gives a percentage without a code to the form's criterion for that, and puts the set in order.
func (p *criterionParser) finish() error {
	if p.pending != "" {
		bare := p.form.BarePercent
		i := slices.IndexFunc(p.found, func(c Criterion) bool { return c.Code == bare })
		switch {
		case bare == "":
			return fmt.Errorf("want the criterion that %s%% belongs to, one of %s", p.pending, p.form.criterionCodes())
		case i >= 0:
			return fmt.Errorf("want one percentage for %s, found %s%% beside it", bare, p.pending)
		}
		p.found = append(p.found, Criterion{Code: bare, Percent: p.pending})
	}
	if len(p.found) == 0 {
		return fmt.Errorf("want %s, found nothing", p.form.criterionCodes())
	}
	for _, c := range p.found {
		if rule, _ := p.form.Criterion(c.Code); rule.Percent == PercentRequired && c.Percent == "" {
			return fmt.Errorf("want %s with its percentage, such as %s %s%%", c.Code, c.Code, cmp.Or(rule.Usual, rule.Max))
		}
	}
	p.form.sortCriteria(p.found)
	return nil
}

// sortCriteria puts criteria in the order of the form's list; codes that it has not come last.
func (f Form) sortCriteria(criteria []Criterion) {
	place := func(c Criterion) int {
		i := slices.IndexFunc(f.Criteria, func(rule CriterionRule) bool { return rule.Code == c.Code })
		if i < 0 {
			return len(f.Criteria)
		}
		return i
	}
	slices.SortStableFunc(criteria, func(a, b Criterion) int { return cmp.Compare(place(a), place(b)) })
}

// fitLines reports whether each criterion finds a line of the box of its own, the lines being filled from the first.
// Criteria that are not of the form are left to others.
func (f Form) fitLines(criteria []Criterion) bool {
	var rules []CriterionRule
	for _, c := range criteria {
		if rule, ok := f.Criterion(c.Code); ok {
			rules = append(rules, rule)
		}
	}
	return len(rules) <= maxCriterionLines && place(rules, 0, len(rules))
}

// place tries every order of rules on the lines that are left; there are at most three.
func place(rules []CriterionRule, used, n int) bool {
	if len(rules) == 0 {
		return true
	}
	for line := 1; line <= n; line++ {
		if used&(1<<line) != 0 || len(rules[0].Lines) > 0 && !slices.Contains(rules[0].Lines, line) {
			continue
		}
		if place(rules[1:], used|1<<line, n) {
			return true
		}
	}
	return false
}

// sameCriteria reports whether two sets agree, percentages being compared as the form states them.
func (f Form) sameCriteria(a, b []Criterion) bool {
	if len(a) != len(b) {
		return false
	}
	for _, c := range a {
		i := slices.IndexFunc(b, func(other Criterion) bool { return other.Code == c.Code })
		if i < 0 {
			return false
		}
		x, y := c.Percent, b[i].Percent
		if f.WholePercent {
			x, y = x.Floor(), y.Floor()
		}
		if (x == "") != (y == "") || x.Cmp(y) != 0 {
			return false
		}
	}
	return true
}
