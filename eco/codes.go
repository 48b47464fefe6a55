package eco

import (
	"regexp"
	"strings"
)

// countries are the 249 officially assigned alpha-2 codes of ISO 3166-1.
const countries = " AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT" +
	" BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI" +
	" FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ" +
	" IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK" +
	" ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN" +
	" PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH" +
	" TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW "

// currencies are the ISO 4217 alphabetic codes that trade may use, with the later VED, SLE, ZWG and XCG. The list
// changes with the years, so an unknown code is only a warning.
const currencies = " AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD" +
	" CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ" +
	" GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD" +
	" LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP" +
	" PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND" +
	" TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XDR XOF XPF YER ZAR ZMW ZWG "

var (
	// currencyPattern is the shape of an ISO 4217 alphabetic code.
	currencyPattern = regexp.MustCompile(`^[A-Z]{3}$`)
	// unitPattern is the shape of a UN/ECE Recommendation 20 common code.
	unitPattern = regexp.MustCompile(`^[A-Z0-9]{2,3}$`)
	// packagePattern is the shape of a UN/ECE Recommendation 21 code.
	packagePattern = regexp.MustCompile(`^[A-Z0-9]{2}$`)
	// locodePattern is the shape of a UN/LOCODE: a country and three characters without 0 and 1.
	locodePattern = regexp.MustCompile(`^[A-Z]{2}[A-Z2-9]{3}$`)
	// modePattern is a UN/ECE Recommendation 19 transport mode.
	modePattern = regexp.MustCompile(`^[0-9]$`)
	// documentTypePattern is the shape of a UNCL 1001 document name code.
	documentTypePattern = regexp.MustCompile(`^[0-9]{1,3}$`)
	editionPattern      = regexp.MustCompile(`^(19|20)[0-9]{2}$`)
	digitsPattern       = regexp.MustCompile(`^[0-9]+$`)
)

// IsCountry reports whether code is an officially assigned ISO 3166-1 alpha-2 code, in capitals.
func IsCountry(code string) bool { return len(code) == 2 && strings.Contains(countries, " "+code+" ") }

// userAssigned reports whether ISO 3166-1 leaves code to its users, as in XK for Kosovo: AA, QM to QZ, XA to XZ, ZZ.
func userAssigned(code string) bool {
	if len(code) != 2 {
		return false
	}
	switch first, second := code[0], code[1]; first {
	case 'Q':
		return second >= 'M' && second <= 'Z'
	case 'X':
		return second >= 'A' && second <= 'Z'
	default:
		return code == "AA" || code == "ZZ"
	}
}

func isCurrency(code string) bool {
	return len(code) == 3 && strings.Contains(currencies, " "+code+" ")
}
