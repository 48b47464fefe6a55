package eco

import _ "embed" // the tables

// The first five are made of the genericode files of UBL 2.4, the others by hand; their heads say which issue they are.
//
//go:generate go run ./internal/gencodes ../../shared/ubl/codelists codelists
var (
	//go:embed codelists/countries.txt
	countryTable string
	//go:embed codelists/currencies.txt
	currencyTable string
	//go:embed codelists/units.txt
	unitTable string
	//go:embed codelists/packages.txt
	packageTable string
	//go:embed codelists/modes.txt
	modeTable string
	//go:embed codelists/documents.txt
	documentTable string
	//go:embed codelists/functions.txt
	functionTable string
	//go:embed codelists/statuses.txt
	statusTable string
)

// published is the table of a list; "" for what is no list.
func published(list CodeList) string {
	switch list {
	case ListCountries:
		return countryTable
	case ListCurrencies:
		return currencyTable
	case ListUnits:
		return unitTable
	case ListPackages:
		return packageTable
	case ListModes:
		return modeTable
	case ListDocuments:
		return documentTable
	case ListFunctions:
		return functionTable
	case ListStatuses:
		return statusTable
	}
	return ""
}
