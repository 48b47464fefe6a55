package eco

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// alwaysConfirmed are the keys of a form's file that cannot be doubtful: names, and marks that entries have of their own.
var alwaysConfirmed = []string{"code", "title", "agreement", "unconfirmed", "references"}

var (
	formCodePattern = regexp.MustCompile(`^[A-Z0-9]+(-[A-Z0-9]+)*$`)
	// criterionCodePattern: a code begins and ends with a letter or digit.
	criterionCodePattern = regexp.MustCompile(`^[A-Z0-9]([A-Z0-9. -]*[A-Z0-9])?$`)
)

// check judges a form by itself, and compiles its patterns.
func (r *formReader) check(f *Form) {
	for _, text := range []struct{ key, value string }{{"code", string(f.Code)}, {"title", f.Title}, {"agreement", f.Agreement}, {"document_type", f.DocumentType}} {
		if !filled(text.value) {
			r.add(text.key, "is required")
		}
	}
	if f.Code != "" && !formCodePattern.MatchString(string(f.Code)) {
		r.add("code", "want capitals and digits with dashes between, found %q", f.Code)
	}
	if f.DocumentType != "" && !documentTypePattern.MatchString(f.DocumentType) {
		r.add("document_type", "want a UNCL 1001 code, found %q", f.DocumentType)
	}
	r.among("unconfirmed", f.Unconfirmed, slices.DeleteFunc(formKeys(reflect.TypeFor[Form]()), func(key string) bool { return slices.Contains(alwaysConfirmed, key) }))
	for _, list := range []struct {
		key       string
		countries []string
	}{{"issuers", f.Issuers}, {"importers", f.Importers}, {"capitals", f.Capitals}} {
		for i, country := range list.countries {
			r.country(fmt.Sprintf("%s[%d]", list.key, i), country)
		}
	}
	r.references(f)
	r.boxes(f.Boxes)
	r.required(f.Required)
	r.criteria(f)
	r.flags(f)
	r.periods(f)
}

// among reports values that are not in the list of what is known.
func (r *formReader) among(key string, values, known []string) {
	for i, value := range values {
		if !slices.Contains(known, value) {
			r.add(fmt.Sprintf("%s[%d]", key, i), "want one of %s, found %q", strings.Join(known, ", "), value)
		}
	}
}

func (r *formReader) country(key, code string) {
	if !IsCountry(code) && !userAssigned(code) {
		r.add(key, "want an ISO 3166-1 alpha-2 code, found %q", code)
	}
}

func (r *formReader) references(f *Form) {
	for i := range f.References {
		rule, at := &f.References[i], fmt.Sprintf("references[%d]", i)
		r.country(at+".country", rule.Country)
		if !filled(rule.Layout) {
			r.add(at+".layout", "is required")
		}
		_, err := regexp.Compile(rule.Pattern) // By itself: ")|(" would be one between brackets only, and match everything.
		if err != nil || rule.Pattern == "" {
			r.add(at+".pattern", "want a regular expression, found %q", rule.Pattern)
			continue
		}
		pattern := regexp.MustCompile("^(?:" + rule.Pattern + ")$")
		rule.pattern = pattern
		for _, name := range pattern.SubexpNames() {
			if name != "" && !slices.Contains(referenceGroups, name) {
				r.add(at+".pattern", "want groups named %s, found %q", strings.Join(referenceGroups, ", "), name)
			}
		}
		if !rule.Until.IsZero() && rule.Until.Before(rule.From) {
			r.add(at+".until", "%s is before %s, where the window begins", rule.Until, rule.From)
		}
		if rule.MaxSerial > 0 && pattern.SubexpIndex("serial") < 0 {
			r.add(at+".max_serial", "needs a group named serial in the pattern")
		}
	}
}

// boxes holds what boxes name to the members of a certificate.
func (r *formReader) boxes(boxes []Box) {
	seen := map[string]bool{}
	for i, box := range boxes {
		at := fmt.Sprintf("boxes[%d]", i)
		if !filled(box.Number) || seen[box.Number] {
			r.add(at+".number", "want a number that no other box has, found %q", box.Number)
		}
		seen[box.Number] = true
		if !filled(box.Title) {
			r.add(at+".title", "is required")
		}
		for j, path := range box.Holds {
			if !hasMember(reflect.TypeFor[Certificate](), strings.Split(path, ".")) {
				r.add(fmt.Sprintf("%s.holds[%d]", at, j), "a certificate has no member %q", path)
			}
		}
	}
}

// hasMember reports whether type t, in its JSON form, has the member that names lead to. Lists are passed through; the keys
// of a map are indicators.
func hasMember(t reflect.Type, names []string) bool {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	switch {
	case len(names) == 0:
		return true
	case t.Kind() == reflect.Map:
		return len(names) == 1 && slices.Contains(flags, Flag(names[0]))
	case t.Kind() != reflect.Struct:
		return false
	}
	field, ok := fieldType(t, names[0])
	return ok && hasMember(field, names[1:])
}

func (r *formReader) required(required []string) {
	for i, requirement := range required {
		for _, name := range strings.Split(requirement, "|") {
			_, header := headerFields[name]
			_, item := itemFields[strings.TrimPrefix(name, "items.")]
			if !header && !(item && strings.HasPrefix(name, "items.")) {
				r.add(fmt.Sprintf("required[%d]", i), "no rule can ask for %q", name)
			}
		}
	}
}

func (r *formReader) criteria(f *Form) {
	spelled := map[string]string{}
	for i, rule := range f.Criteria {
		at := fmt.Sprintf("criteria[%d]", i)
		if !criterionCodePattern.MatchString(rule.Code) {
			r.add(at+".code", "want capitals, digits, points, dashes and spaces, found %q", rule.Code)
		}
		if !filled(rule.Meaning) {
			r.add(at+".meaning", "is required")
		}
		for _, spelling := range append([]string{rule.Code}, rule.Spellings...) {
			folded := strings.Join(strings.Fields(foldCriterion(spelling)), " ") // As ParseCriteria compares them.
			if first, twice := spelled[folded]; twice {
				r.add(at, "%q is a spelling of %s already", spelling, first)
			}
			spelled[folded] = rule.Code
			if folded == "" && rule.Code != "" {
				r.add(at+".spellings", "want words, found %q", spelling)
			}
		}
		for j, line := range rule.Lines {
			if line < 1 || line > maxCriterionLines {
				r.add(fmt.Sprintf("%s.lines[%d]", at, j), "want a line from 1 to %d, found %d", maxCriterionLines, line)
			}
		}
		r.percent(at, rule)
	}
	for i, code := range f.FOBWith {
		if _, ok := f.Criterion(code); !ok {
			r.add(fmt.Sprintf("fob_with[%d]", i), "want a code of criteria, found %q", code)
		}
	}
	if rule, ok := f.Criterion(f.BarePercent); f.BarePercent != "" && (!ok || !rule.TakesPercent()) {
		r.add("bare_percent", "want a code of criteria with a percentage, found %q", f.BarePercent)
	}
}

func (r *formReader) percent(at string, rule CriterionRule) {
	if !slices.Contains([]PercentRule{PercentNone, PercentOptional, PercentRequired}, rule.Percent) {
		r.add(at+".percent", "want %s or %s, found %q", PercentOptional, PercentRequired, rule.Percent)
		return
	}
	if !rule.TakesPercent() {
		if rule.Min+rule.Max+rule.Usual != "" {
			r.add(at, "min, max and usual are for a code with a percentage")
		}
		return
	}
	if rule.Min.Valid() != nil || rule.Max.Valid() != nil || rule.Min.Cmp(rule.Max) > 0 {
		r.add(at, "want min and max, two decimals in order, found %q and %q", rule.Min, rule.Max)
	}
	if rule.Min.Sign() < 0 || rule.Max.Cmp("100") > 0 {
		r.add(at, "want percentages from 0 to 100, found %s to %s", rule.Min, rule.Max)
	}
	if rule.Usual != "" && rule.Usual.Valid() != nil {
		r.add(at+".usual", "want a decimal, found %q", rule.Usual)
	}
}

func (r *formReader) flags(f *Form) {
	for i, flag := range f.Flags {
		if !slices.Contains(flags, flag) || slices.Contains(f.Flags[:i], flag) {
			r.add(fmt.Sprintf("flags[%d]", i), "want each of %s once, found %q", joined(flags), flag)
		}
	}
}

func (r *formReader) periods(f *Form) {
	if !slices.Contains([]Use{"", UseSingle, UseDrawdown}, f.Use) {
		r.add("use", "want %s or %s, found %q", UseSingle, UseDrawdown, f.Use)
	}
	if !slices.Contains([]string{"", HSBasisExporting, HSBasisImporting}, f.HS.Basis) {
		r.add("hs.basis", "want %s or %s, found %q", HSBasisExporting, HSBasisImporting, f.HS.Basis)
	}
	r.atMost("validity_months", f.ValidityMonths, maxFormMonths)
	r.atMost("retention_years", f.RetentionYears, maxFormMonths/12)
	for _, clock := range []struct {
		key string
		n   int
	}{
		{"reject_notice_days", f.Clocks.RejectNoticeDays}, {"verification_reply_days", f.Clocks.VerificationReplyDays},
		{"verification_total_days", f.Clocks.VerificationTotalDays}, {"visit_consent_days", f.Clocks.VisitConsentDays}, {"visit_days", f.Clocks.VisitDays},
	} {
		r.atMost("clocks."+clock.key, clock.n, maxFormDays)
	}
	r.atMost("clocks.reissue_months", f.Clocks.ReissueMonths, maxFormMonths)
	rule := f.Retroactive
	if rule == nil {
		return
	}
	r.atMost("retroactive.days", rule.Days, maxFormDays)
	r.atMost("retroactive.max_months", rule.MaxMonths, maxFormMonths)
	if rule.Unit != CalendarDays && rule.Unit != WorkingDays {
		r.add("retroactive.unit", "want %s or %s, found %q", CalendarDays, WorkingDays, rule.Unit)
	}
	if !slices.Contains(dayBases, rule.Base) {
		r.add("retroactive.base", "want one of %s, found %q", joined(dayBases), rule.Base)
	}
}

// maxFormDays and maxFormMonths bound the periods of a form, ten and a hundred years: days are counted one by one, and dates end
// with the year 9999.
const (
	maxFormDays   = 3660
	maxFormMonths = 1200
)

func (r *formReader) atMost(key string, n, limit int) {
	if n > limit {
		r.add(key, "want at most %d, found %d", limit, n)
	}
}

// joined lists names for a message.
func joined[T ~string](names []T) string {
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = string(name)
	}
	return strings.Join(words, ", ")
}
