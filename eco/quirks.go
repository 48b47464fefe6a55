package eco

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// Quirks are what one receiver is known to refuse although the form's rules allow it. The zero value has none. Each breach is
// a finding in plain words with a remedy; it warns, unless Strict makes it an error.
type Quirks struct {
	// Strict keeps a certificate back that the receiver would refuse.
	Strict bool `yaml:"strict"`
	// RetroactiveUnit, when set, calls for ISSUED_RETROACTIVELY after RetroactiveDays of that unit, counted from
	// RetroactiveBase ("" is the departure), whatever the form says. Indonesia refuses an unticked box after 3 working days.
	RetroactiveDays int     `yaml:"retroactive_days"`
	RetroactiveUnit DayUnit `yaml:"retroactive_unit"`
	RetroactiveBase DayBase `yaml:"retroactive_base"`
	// KeepNumber: a replacement under another number than the certificate that it replaces is refused.
	KeepNumber bool `yaml:"keep_number"`
	// WholePercent: percentages are read as whole numbers only.
	WholePercent bool `yaml:"whole_percent"`
	// ImportingHS: goods are to be classified by the receiver's own tariff.
	ImportingHS bool `yaml:"importing_hs"`
	// MaxItems is how many items the receiver's system takes; 0 is no limit.
	MaxItems int `yaml:"max_items"`
	// LineWidth is how many characters of a line of names, addresses, marks and remarks are kept, RemarksLines how many lines
	// of remarks, DescriptionWidth at how many characters descriptions are broken, in words too. 0 is no limit.
	LineWidth        int `yaml:"line_width"`
	RemarksLines     int `yaml:"remarks_lines"`
	DescriptionWidth int `yaml:"description_width"`
	// Capitals: texts are taken in English capitals only.
	Capitals bool `yaml:"capitals"`
}

// Problems says what is wrong with q itself, by the names of its yaml keys; nil when it makes sense.
func (q Quirks) Problems() map[string]string {
	problems := map[string]string{}
	for key, n := range map[string]int{
		"retroactive_days": q.RetroactiveDays, "max_items": q.MaxItems, "line_width": q.LineWidth, "remarks_lines": q.RemarksLines,
		"description_width": q.DescriptionWidth,
	} {
		if n < 0 {
			problems[key] = fmt.Sprintf("%d is less than 0", n)
		}
	}
	if q.RetroactiveDays > maxFormDays {
		problems["retroactive_days"] = fmt.Sprintf("%d is more than %d", q.RetroactiveDays, maxFormDays)
	}
	switch {
	case q.RetroactiveUnit == "" && q.RetroactiveDays != 0:
		problems["retroactive_unit"] = fmt.Sprintf("is required with retroactive_days: %s or %s", CalendarDays, WorkingDays)
	case q.RetroactiveUnit == "" && q.RetroactiveBase != "":
		problems["retroactive_base"] = "plays no part without retroactive_unit"
	case !slices.Contains([]DayUnit{"", CalendarDays, WorkingDays}, q.RetroactiveUnit):
		problems["retroactive_unit"] = fmt.Sprintf("%q is not %s or %s", q.RetroactiveUnit, CalendarDays, WorkingDays)
	case q.RetroactiveBase != "" && !slices.Contains(dayBases, q.RetroactiveBase):
		problems["retroactive_base"] = fmt.Sprintf("%q is not one of %s", q.RetroactiveBase, joined(dayBases))
	}
	if len(problems) == 0 {
		return nil
	}
	return problems
}

// retroactive is the receiver's own rule, and whether it has one.
func (q Quirks) retroactive() (RetroactiveRule, bool) {
	return RetroactiveRule{Days: q.RetroactiveDays, Unit: q.RetroactiveUnit, Base: q.RetroactiveBase}, q.RetroactiveUnit != ""
}

// late reports whether the receiver's own rule calls for the retroactive indicator.
func (q Quirks) late(c *Certificate) bool {
	rule, ok := q.retroactive()
	if !ok || c.IssuedAt.IsZero() {
		return false
	}
	day, _ := rule.Base.Day(c.Transport)
	return !day.IsZero() && c.IssuedAt.After(rule.LastDay(day))
}

// checkQuirks finds what the receiver is known to refuse; checkTexts sees to Quirks.Capitals.
func (v *validation) checkQuirks() {
	if v.quirks == (Quirks{}) {
		return
	}
	v.quirkRetroactive()
	v.quirkNumber()
	v.quirkItems()
	v.quirkLines()
}

// refused adds a finding about what the receiver refuses.
func (v *validation) refused(code, path, text, fix string) {
	severity := SeverityWarning
	if v.quirks.Strict {
		severity = SeverityError
	}
	v.add(severity, code, path, text, fix)
}

func (v *validation) quirkRetroactive() {
	if !v.quirks.late(v.c) || v.c.Flags[FlagIssuedRetroactively] {
		return
	}
	rule, _ := v.quirks.retroactive()
	day, field := rule.Base.Day(v.c.Transport)
	fix := "tick ISSUED_RETROACTIVELY, or correct the date"
	if !v.form.Offers(FlagIssuedRetroactively) {
		fix = "say ISSUED RETROACTIVELY in certification.remarks: this form has no such box"
	}
	v.refused(CodeRetroactive, "flags.ISSUED_RETROACTIVELY",
		fmt.Sprintf("this partner refuses a certificate without the retroactive mark when it is issued more than %d %s days after %s (%s): the last day was %s, it was issued on %s",
			rule.Days, rule.Unit, strings.ReplaceAll(field, "_", " "), day, rule.LastDay(day), v.c.IssuedAt), fix)
}

func (v *validation) quirkNumber() {
	if !v.quirks.KeepNumber {
		return
	}
	for i, related := range v.c.Related {
		if related.Relation == RelationReplaces && NormaliseReference(related.Reference) != NormaliseReference(v.c.Reference) {
			v.refused(CodeRelated, fmt.Sprintf("related[%d].reference", i),
				fmt.Sprintf("this partner refuses a replacement under another number: %s replaces %s", v.c.Reference, related.Reference),
				fmt.Sprintf("issue the replacement as %s with the next version", related.Reference))
		}
	}
}

func (v *validation) quirkItems() {
	if limit := v.quirks.MaxItems; limit > 0 && len(v.c.Items) > limit {
		v.refused(CodeText, "items", fmt.Sprintf("this partner's system takes at most %d items, found %d", limit, len(v.c.Items)),
			fmt.Sprintf("issue %d certificates of at most %d items each", (len(v.c.Items)+limit-1)/limit, limit))
	}
	for i := range v.c.Items {
		item, path := &v.c.Items[i], fmt.Sprintf("items[%d]", i)
		if v.quirks.ImportingHS && item.HS != "" && cmp.Or(item.HSBasis, v.form.HS.Basis) != HSBasisImporting {
			v.refused(CodeHS, path+".hs_basis", fmt.Sprintf("this partner wants the code of its own tariff; %s does not say that it is", item.HS),
				"look the goods up in the importing country's tariff, and say "+HSBasisImporting)
		}
		for n, criterion := range item.Criteria {
			if v.quirks.WholePercent && strings.Contains(string(criterion.Percent), ".") {
				v.refused(CodePercentage, fmt.Sprintf("%s.criteria[%d].percent", path, n),
					fmt.Sprintf("this partner reads whole percentages only, found %s", criterion.Percent), fmt.Sprintf("state %s: round down", criterion.Percent.Floor()))
			}
		}
	}
}

// cut are the JSON names of texts whose lines are cut off at the width; remarks are wrapped.
var cut = map[string]bool{"name": true, "lines": true, "marks": true}

func (v *validation) quirkLines() {
	q := v.quirks
	var long []string
	walkTexts(reflect.ValueOf(v.c).Elem(), "", "", func(path, name, text string) {
		if q.LineWidth > 0 && cut[name] && !strings.HasPrefix(path, "issuing_body") && longest(text, "\n") > q.LineWidth {
			long = append(long, path)
		}
	})
	if len(long) > 0 {
		v.refused(CodeText, long[0], fmt.Sprintf("this partner's system keeps %d characters of a line, found more here%s", q.LineWidth, others(len(long)-1)),
			"shorten the line, or part it in two")
	}
	room := TextLimit{Lines: q.RemarksLines, Width: q.LineWidth}
	if n := room.LinesOf(v.c.Remarks); room.Lines > 0 && n > room.Lines {
		v.refused(CodeText, "remarks", fmt.Sprintf("this partner's system keeps %d lines of remarks, found %d", room.Lines, n), "shorten the remarks")
	}
	for i, item := range v.c.Items {
		if n := longest(item.Description, " \n\t"); q.DescriptionWidth > 0 && n > q.DescriptionWidth {
			v.refused(CodeText, fmt.Sprintf("items[%d].description", i), fmt.Sprintf("this partner breaks descriptions after %d characters, found a word of %d", q.DescriptionWidth, n),
				"put a space into the word where it may be broken")
		}
	}
}

// others says in how many more places something was found.
func others(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" and in %d more fields", n)
}

// longest is the number of characters of the longest part of text between separators.
func longest(text, separators string) int {
	longest := 0
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(separators, r) }) {
		longest = max(longest, len([]rune(part)))
	}
	return longest
}

// Capitals gives text as forms that are filled in capitals print it. Letters that have no capital stay.
func Capitals(text string) string { return strings.ToUpper(text) }

// InCapitals reports whether forms that a country issues are filled in English capitals: Lao Instruction 0118 asks for it.
func (f Form) InCapitals(country string) bool { return slices.Contains(f.Capitals, country) }

// notCapitals reports whether text holds other letters than English capitals.
func notCapitals(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII || unicode.IsLower(r) })
}
