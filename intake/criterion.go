package intake

import (
	"regexp"
	"strings"

	"github.com/ecogate/ecogate/eco"
)

// criterionPattern is a code of a form's list, and a percentage if there is one.
var criterionPattern = regexp.MustCompile(`^([A-Z][A-Z0-9-]*)(?: ?([0-9]+(?:\.[0-9]+)?) ?%?)?$`)

// criteriaOf reads a criterion box as printed: codes of the form's list, with their percentages, joined by "+"; quotes do not matter. It reports false for what
// it does not understand; the box as printed is kept in any case.
func criteriaOf(code eco.FormCode, printed string) ([]eco.Criterion, bool) {
	form, ok := eco.FormByCode(code)
	if !ok {
		return nil, false
	}
	var out []eco.Criterion
	for part := range strings.SplitSeq(strings.ReplaceAll(printed, `"`, ""), "+") {
		m := criterionPattern.FindStringSubmatch(strings.ToUpper(strings.TrimSpace(part)))
		if m == nil {
			return nil, false
		}
		if _, known := form.Criterion(m[1]); !known {
			return nil, false
		}
		out = append(out, eco.Criterion{Code: m[1], Percent: eco.Decimal(m[2])})
	}
	return out, true
}
