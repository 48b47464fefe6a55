package eco

import (
	"fmt"
	"strconv"
	"strings"
)

// checkItems looks at each item by itself and at their numbers.
func (v *validation) checkItems() {
	if n := len(v.c.Items); n > MaxItems {
		v.fail(CodeText, "items", fmt.Sprintf("want at most %d items, found %d", MaxItems, n), "issue several certificates")
	} else if limit := v.form.Limits.Items; limit > 0 && n > limit {
		v.warn(CodeText, "items", fmt.Sprintf("some administrations take at most %d items, found %d", limit, n), "issue several certificates if the partner refuses")
	}
	numbers := make(map[int]int, len(v.c.Items))
	for i := range v.c.Items {
		item, path := &v.c.Items[i], fmt.Sprintf("items[%d]", i)
		if item.Number < 1 {
			v.fail(CodeText, path+".number", fmt.Sprintf("want 1 or more, found %d", item.Number), "number the items from 1")
		} else if first, twice := numbers[item.Number]; twice {
			v.fail(CodeText, path+".number", fmt.Sprintf("want a number of its own, found %d, which items[%d] has", item.Number, first), "number the items from 1")
		} else {
			numbers[item.Number] = i
		}
		v.checkGoods(path, item)
		v.checkQuantities(path, item)
		v.checkCriteria(path, item)
		v.checkFOB(path, item)
	}
	v.checkCPEs()
}

// checkGoods looks at classification and origin.
func (v *validation) checkGoods(path string, item *Item) {
	if item.HS != "" {
		v.checkHS(path, item)
	} else if item.HSEdition != "" {
		v.fail(CodeHS, path+".hs_edition", fmt.Sprintf("edition %q without a code", item.HSEdition), "give the code, or leave the edition out")
	}
	switch {
	case item.NationalCode == "" && item.NationalList != "":
		v.fail(CodeHS, path+".national_list", fmt.Sprintf("list %q without a code", item.NationalList), "give the code, or leave the list out")
	case item.NationalCode != "" && !digitsPattern.MatchString(item.NationalCode):
		v.fail(CodeHS, path+".national_code", fmt.Sprintf("want digits only, found %q", item.NationalCode), "write the code without dots and spaces")
	case item.NationalCode != "" && item.HS != "" && !strings.HasPrefix(item.NationalCode, item.HS):
		v.warn(CodeHS, path+".national_code", fmt.Sprintf("want a code below %s, found %s", item.HS, item.NationalCode), "check both codes")
	}
	v.checkCountry(path+".origin_country", item.OriginCountry)
	if item.Producer != nil {
		v.checkParty(path+".producer", item.Producer)
	}
}

func (v *validation) checkHS(path string, item *Item) {
	path += ".hs"
	if !digitsPattern.MatchString(item.HS) {
		v.fail(CodeHS, path, fmt.Sprintf("want digits only, found %q", item.HS), "write the code without dots and spaces")
		return
	}
	if want := v.form.HS.Digits; want > 0 && len(item.HS) != want {
		v.add(v.ruled("hs"), CodeHS, path, fmt.Sprintf("want %d digits, found %d in %q", want, len(item.HS), item.HS), "put a longer national code into national_code")
		return
	}
	v.checkHSBasis(path, item.HSBasis)
	// Chapter 77 is kept free by the Harmonized System; 98 and 99 are for national use.
	if chapter, err := strconv.Atoi(item.HS[:min(2, len(item.HS))]); err != nil || chapter < 1 || chapter > 97 || chapter == 77 {
		v.fail(CodeHS, path, fmt.Sprintf("want a chapter from 01 to 97 but 77, found %q", item.HS), "check the code")
	}
	if !editionPattern.MatchString(item.HSEdition) {
		v.warn(CodeHS, path+"_edition", fmt.Sprintf("want the year of the Harmonized System edition, such as 2022, found %q", item.HSEdition), "state the edition: codes moved between editions")
	}
}

// checkHSBasis compares whose tariff the code is of with what the form asks for. A code that does not say is taken to be right.
func (v *validation) checkHSBasis(path string, basis string) {
	switch want := v.form.HS.Basis; {
	case basis == "":
	case basis != HSBasisExporting && basis != HSBasisImporting:
		v.fail(CodeHS, path+"_basis", fmt.Sprintf("want %s or %s, found %q", HSBasisExporting, HSBasisImporting, basis), "say whose tariff the code is of, or leave it out")
	case want != "" && basis != want:
		v.add(v.ruled("hs"), CodeHS, path+"_basis", fmt.Sprintf("%s asks for the code of the %s country, this is the %s country's", v.form.Code, strings.ToLower(want), strings.ToLower(basis)), "classify the goods by the other country's tariff")
	}
}

// checkQuantities looks at packages, weights and the other quantity.
func (v *validation) checkQuantities(path string, item *Item) {
	measures := []struct {
		name    string
		measure *Measure
	}{
		{"gross_weight", item.GrossWeight}, {"net_weight", item.NetWeight}, {"quantity", item.Quantity},
	}
	for _, m := range measures {
		if m.measure != nil {
			v.checkMeasure(path+"."+m.name, *m.measure)
		}
	}
	gross, net := item.GrossWeight, item.NetWeight
	if gross != nil && net != nil && gross.Unit == net.Unit && net.Value.Cmp(gross.Value) > 0 {
		v.warn(CodeQuantity, path+".net_weight", fmt.Sprintf("want at most the gross weight %s, found %s", gross.Value, net.Value), "check both weights")
	}
	if item.Packages < 0 {
		v.fail(CodeQuantity, path+".packages", fmt.Sprintf("want 0 or more, found %d", item.Packages), "leave the number out for goods in bulk")
	}
	if item.Packages == 0 && item.PackageCode == "" && item.PackageText == "" {
		v.warn(CodeQuantity, path+".packages", "no number and kind of packages", "state them, or the kind of bulk: administrations have refused certificates for this")
	}
	if item.PackageCode != "" && !packagePattern.MatchString(item.PackageCode) {
		v.fail(CodeQuantity, path+".package_code", fmt.Sprintf("want a code of UN/ECE Recommendation 21, such as CT, found %q", item.PackageCode), "use the code, and package_text for words")
	} else {
		v.checkListed(ListPackages, CodeQuantity, path+".package_code", item.PackageCode)
	}
}

func (v *validation) checkMeasure(path string, m Measure) {
	if err := m.Value.Valid(); err != nil {
		v.fail(CodeQuantity, path+".value", err.Error(), "write digits with at most one point")
	} else if m.Value.Sign() <= 0 {
		v.fail(CodeQuantity, path+".value", fmt.Sprintf("want more than 0, found %s", m.Value), "check the figure")
	}
	if !unitPattern.MatchString(m.Unit) {
		v.fail(CodeQuantity, path+".unit", fmt.Sprintf("want a code of UN/ECE Recommendation 20, such as KGM, found %q", m.Unit), "use the code of the unit")
	} else {
		v.checkListed(ListUnits, CodeQuantity, path+".unit", m.Unit)
	}
}

// checkCriteria compares the origin criteria with the form's list.
func (v *validation) checkCriteria(path string, item *Item) {
	if !v.known {
		return
	}
	before := len(v.findings)
	seen := map[string]bool{}
	for i, criterion := range item.Criteria {
		at := fmt.Sprintf("%s.criteria[%d]", path, i)
		if seen[criterion.Code] {
			v.fail(CodeCriterion, at+".code", fmt.Sprintf("%q is stated twice", criterion.Code), "state each criterion once")
		}
		seen[criterion.Code] = true
		rule, ok := v.form.Criterion(criterion.Code)
		if !ok {
			v.add(v.ruled("criteria"), CodeCriterion, at+".code", fmt.Sprintf("%s: want %s, found %q", v.form.Code, v.form.criterionCodes(), criterion.Code), "use a code of the form's list")
			continue
		}
		v.checkPercent(at+".percent", rule, criterion.Percent)
	}
	if !v.form.fitLines(item.Criteria) {
		v.warn(CodeCriterion, path+".criteria", fmt.Sprintf("%s states no such criteria together: %s", v.form.Code, CriteriaText(item.Criteria)), "state those that the goods qualify by")
	}
	if len(item.Criteria) > 0 && len(v.findings) == before { // Whoever mends the criteria looks at the text too.
		v.checkCriterionText(path, item)
	}
}

// checkCriterionText compares the criterion box as printed with the criteria. What is printed in other words is left alone
// where the form's list is not confirmed.
func (v *validation) checkCriterionText(path string, item *Item) {
	if !filled(item.CriterionText) || len(v.form.Criteria) == 0 {
		return
	}
	path += ".criterion_text"
	printed, err := v.form.ParseCriteria(item.CriterionText)
	switch {
	case err != nil && v.form.Confirmed("criteria"):
		v.warn(CodeCriterion, path, err.Error(), "print the criteria as the form has them")
	case err == nil && !v.form.sameCriteria(printed, item.Criteria):
		v.warn(CodeCriterion, path, fmt.Sprintf("the box says %s, the data %s", CriteriaText(printed), CriteriaText(item.Criteria)), "let box and data agree")
	}
}

func (v *validation) checkPercent(path string, rule CriterionRule, percent Decimal) {
	severity := v.ruled("criteria")
	switch {
	case percent == "" && rule.Percent != PercentRequired:
	case !rule.TakesPercent():
		v.add(severity, CodePercentage, path, fmt.Sprintf("%s takes no percentage, found %s", rule.Code, percent), "leave the percentage out, or name the criterion that it belongs to")
	case percent == "":
		v.add(severity, CodePercentage, path, fmt.Sprintf("%s is stated with a percentage, found none", rule.Code), "state the percentage that was reached")
	case percent.Valid() != nil:
		v.fail(CodePercentage, path, percent.Valid().Error(), "write digits with at most one point, without %")
	case percent.Cmp(rule.Min) < 0 || percent.Cmp(rule.Max) > 0:
		v.add(severity, CodePercentage, path, fmt.Sprintf("%s: want %s to %s, found %s", rule.Code, rule.Min, rule.Max, percent), "check the figure")
	case rule.Usual != "" && percent.Cmp(rule.Usual) < 0:
		v.warn(CodePercentage, path, fmt.Sprintf("%s: below %s only under a product-specific rule, found %s", rule.Code, rule.Usual, percent), "check the rule for this code")
	}
}

// checkFOB asks for the FOB value where a criterion is measured by it. Giving it elsewhere discloses a price without
// need; some administrations still ask for it, so that is a warning.
func (v *validation) checkFOB(path string, item *Item) {
	path += ".fob"
	if item.FOB != nil {
		v.checkAmount(path, *item.FOB)
	}
	if len(v.form.FOBWith) == 0 {
		return
	}
	called := ""
	for _, code := range v.form.FOBWith {
		if item.hasCriterion(code) {
			called = code
			break
		}
	}
	switch {
	case called != "" && item.FOB == nil:
		v.add(v.ruled("fob_with"), CodeFOB, path, fmt.Sprintf("%s is measured by the FOB value, found none", called), "state the item's FOB value")
	case called == "" && item.FOB != nil:
		v.warn(CodeFOB, path, fmt.Sprintf("%s states FOB values only with %s", v.form.Code, strings.Join(v.form.FOBWith, " or ")), "leave the value out")
	}
}

func (v *validation) checkAmount(path string, a Amount) {
	if err := a.Value.Valid(); err != nil {
		v.fail(CodeFOB, path+".value", err.Error(), "write digits with at most one point")
	} else if a.Value.Sign() <= 0 {
		v.fail(CodeFOB, path+".value", fmt.Sprintf("want more than 0, found %s", a.Value), "check the figure")
	}
	if !currencyPattern.MatchString(a.Currency) {
		v.fail(CodeFOB, path+".currency", fmt.Sprintf("want an ISO 4217 code, such as USD, found %q", a.Currency), "use the three-letter code")
	} else {
		v.checkListed(ListCurrencies, CodeFOB, path+".currency", a.Currency)
		v.checkMinorUnits(path+".value", a)
	}
}

func (i *Item) hasCriterion(code string) bool {
	for _, criterion := range i.Criteria {
		if criterion.Code == code {
			return true
		}
	}
	return false
}

func (f Form) criterionCodes() string {
	if len(f.Criteria) == 0 {
		return "no criterion"
	}
	codes := make([]string, 0, len(f.Criteria))
	for _, rule := range f.Criteria {
		codes = append(codes, rule.Code)
	}
	return "one of " + strings.Join(codes, ", ")
}
