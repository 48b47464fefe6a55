package ubl

import "strings"

// countryNames are the English short names of ISO 3166-1 (edition of 17 April 2020, as UBL 2.4 lists them) and other usual
// ones, each behind its code. Korea alone is none of them.
const countryNames = "ADAndorra|AEUnited Arab Emirates|AFAfghanistan|AGAntigua and " +
	"Barbuda|AIAnguilla|ALAlbania|AMArmenia|AOAngola|AQAntarctica|ARArgentina|ASAmerican " +
	"Samoa|ATAustria|AUAustralia|AWAruba|AXÅland Islands|AZAzerbaijan|BABosnia and " +
	"Herzegovina|BBBarbados|BDBangladesh|BEBelgium|BFBurkina Faso|BGBulgaria|BHBahrain|BIBurundi|BJBenin|BLSaint " +
	"Barthélemy|BMBermuda|BNBrunei|BNBrunei Darussalam|BOBolivia|BOBolivia (Plurinational State of)|BQBonaire, Sint " +
	"Eustatius and Saba|BRBrazil|BSBahamas|BTBhutan|BVBouvet Island|BWBotswana|BYBelarus|BZBelize|CACanada|CCCocos " +
	"(Keeling) Islands|CDCongo (the Democratic Republic of the)|CDDemocratic Republic of the Congo|CFCentral African " +
	"Republic|CGCongo|CHSwitzerland|CICôte d'Ivoire|CKCook Islands|CLChile|CMCameroon|CNChina|CNP.R. China|CNPeople's" +
	" Republic of China|COColombia|CRCosta Rica|CUCuba|CVCabo Verde|CWCuraçao|CXChristmas Island|CYCyprus|CZCzech " +
	"Republic|CZCzechia|DEGermany|DJDjibouti|DKDenmark|DMDominica|DODominican " +
	"Republic|DZAlgeria|ECEcuador|EEEstonia|EGEgypt|EHWestern " +
	"Sahara*|EREritrea|ESSpain|ETEthiopia|FIFinland|FJFiji|FKFalkland Islands [Malvinas]|FMMicronesia|FMMicronesia " +
	"(Federated States of)|FOFaroe Islands|FRFrance|GAGabon|GBGreat Britain|GBUK|GBUnited Kingdom|GBUnited Kingdom of" +
	" Great Britain and Northern Ireland|GDGrenada|GEGeorgia|GFFrench " +
	"Guiana|GGGuernsey|GHGhana|GIGibraltar|GLGreenland|GMGambia|GNGuinea|GPGuadeloupe|GQEquatorial " +
	"Guinea|GRGreece|GSSouth Georgia and the South Sandwich " +
	"Islands|GTGuatemala|GUGuam|GWGuinea-Bissau|GYGuyana|HKHong Kong|HKHong Kong SAR|HKHong Kong, China|HMHeard " +
	"Island and McDonald Islands|HNHonduras|HRCroatia|HTHaiti|HUHungary|IDIndonesia|IEIreland|ILIsrael|IMIsle of " +
	"Man|INIndia|IOBritish Indian Ocean Territory|IQIraq|IRIran|IRIran (Islamic Republic " +
	"of)|ISIceland|ITItaly|JEJersey|JMJamaica|JOJordan|JPJapan|KEKenya|KGKyrgyzstan|KHCambodia|KIKiribati|KMComoros|KNSaint" +
	" Kitts and Nevis|KPDemocratic People's Republic of Korea|KPKorea (the Democratic People's Republic of)|KRKorea " +
	"(the Republic of)|KRKorea, Republic of|KRRepublic of Korea|KRSouth Korea|KWKuwait|KYCayman " +
	"Islands|KZKazakhstan|LALao P.D.R.|LALao PDR|LALao People's Democratic Republic|LALaos|LBLebanon|LCSaint " +
	"Lucia|LILiechtenstein|LKSri " +
	"Lanka|LRLiberia|LSLesotho|LTLithuania|LULuxembourg|LVLatvia|LYLibya|MAMorocco|MCMonaco|MDMoldova|MDMoldova (the " +
	"Republic of)|MEMontenegro|MFSaint Martin (French part)|MGMadagascar|MHMarshall Islands|MKMacedonia|MKNorth " +
	"Macedonia|MLMali|MMBurma|MMMyanmar|MNMongolia|MOMacao|MOMacau|MPNorthern Mariana " +
	"Islands|MQMartinique|MRMauritania|MSMontserrat|MTMalta|MUMauritius|MVMaldives|MWMalawi|MXMexico|MYMalaysia|MZMozambique|NANamibia|NCNew" +
	" Caledonia|NENiger|NFNorfolk Island|NGNigeria|NINicaragua|NLNetherlands|NONorway|NPNepal|NRNauru|NUNiue|NZNew " +
	"Zealand|OMOman|PAPanama|PEPeru|PFFrench Polynesia|PGPapua New Guinea|PHPhilippines|PKPakistan|PLPoland|PMSaint " +
	"Pierre and Miquelon|PNPitcairn|PRPuerto Rico|PSPalestine|PSPalestine, State " +
	"of|PTPortugal|PWPalau|PYParaguay|QAQatar|RERéunion|RORomania|RSSerbia|RURussia|RURussian " +
	"Federation|RWRwanda|SASaudi Arabia|SBSolomon Islands|SCSeychelles|SDSudan|SESweden|SGSingapore|SHSaint Helena, " +
	"Ascension and Tristan da Cunha|SISlovenia|SJSvalbard and Jan Mayen|SKSlovakia|SLSierra Leone|SMSan " +
	"Marino|SNSenegal|SOSomalia|SRSuriname|SSSouth Sudan|STSao Tome and Principe|SVEl Salvador|SXSint Maarten (Dutch " +
	"part)|SYSyria|SYSyrian Arab Republic|SZEswatini|SZSwaziland|TCTurks and Caicos Islands|TDChad|TFFrench Southern " +
	"Territories|TGTogo|THThailand|TJTajikistan|TKTokelau|TLEast " +
	"Timor|TLTimor-Leste|TMTurkmenistan|TNTunisia|TOTonga|TRTurkey|TRTurkiye|TRTürkiye|TTTrinidad and " +
	"Tobago|TVTuvalu|TWChinese Taipei|TWSeparate Customs Territory of Taiwan, Penghu, Kinmen and " +
	"Matsu|TWTaiwan|TWTaiwan (Province of China)|TZTanzania|TZTanzania, the United Republic " +
	"of|UAUkraine|UGUganda|UMUnited States Minor Outlying Islands|USU.S.A.|USUSA|USUnited States|USUnited States of " +
	"America|UYUruguay|UZUzbekistan|VAHoly See|VCSaint Vincent and the Grenadines|VEVenezuela|VEVenezuela (Bolivarian" +
	" Republic of)|VGVirgin Islands (British)|VIVirgin Islands (U.S.)|VNSocialist Republic of Viet Nam|VNViet " +
	"Nam|VNVietnam|VUVanuatu|WFWallis and Futuna|WSSamoa|YEYemen|YTMayotte|ZASouth Africa|ZMZambia|ZWZimbabwe"

// countryNamed is the ISO 3166-1 alpha-2 code of a country's name in any case, or "". A code in the name's place is taken too.
func countryNamed(name string) string {
	name = strings.Join(strings.Fields(name), " ")
	bare := strings.TrimSuffix(strings.TrimSuffix(name, " (the)"), " (THE)")
	for entry := range strings.SplitSeq(countryNames, "|") {
		if code := entry[:2]; strings.EqualFold(entry[2:], bare) || name == code {
			return code
		}
	}
	return ""
}
