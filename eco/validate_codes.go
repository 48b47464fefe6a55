package eco

import (
	"fmt"
	"strings"
)

// isCountry reports whether code is a country of ISO 3166-1, or one that the configuration adds.
func (v *validation) isCountry(code string) bool {
	_, ok := v.codes.Find(ListCountries, code)
	return ok
}

// checkListed looks a code of the right shape up. Lists change with the years and partners have other editions, so that one
// which is not there, or not any more, only warns. "" is nothing to look up.
func (v *validation) checkListed(list CodeList, finding, path, code string) {
	if code == "" {
		return
	}
	switch found, ok := v.codes.Find(list, code); {
	case !ok:
		edition := EditionOf(list)
		v.warn(finding, path, fmt.Sprintf("%q is not in %s, version %s", code, edition.Name, edition.Version), "check the code")
	case found.Withdrawn:
		fix := "use a code that replaces it, if the partner knows that"
		if _, isPackage := v.codes.Find(ListPackages, code); list == ListUnits && isPackage {
			fix = fmt.Sprintf("use X%s, the package as a unit", code)
		}
		v.warn(finding, path, fmt.Sprintf("%s withdrew %q (%s)", EditionOf(list).Name, code, found.Name), fix)
	}
}

// checkMinorUnits finds amounts that are finer than their currency's smallest coin; zeros at the end do not count. Programs
// that round to minor units would change them.
func (v *validation) checkMinorUnits(path string, a Amount) {
	currency, ok := v.codes.Find(ListCurrencies, a.Currency)
	if !ok || a.Value.Valid() != nil {
		return
	}
	_, fraction, _ := strings.Cut(string(a.Value), ".")
	found, want := len(strings.TrimRight(fraction, "0")), max(currency.Digits, 0)
	if currency.Digits >= 0 && found > want {
		v.warn(CodeFOB, path, fmt.Sprintf("%s has %d decimals, found %d in %s", a.Currency, want, found, a.Value), "round it as the invoice does")
	}
}
