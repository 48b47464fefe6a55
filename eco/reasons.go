package eco

import "slices"

// ReasonKind groups reason codes by who finds them.
type ReasonKind string

// The kinds of reasons.
const (
	ReasonTechnical ReasonKind = "technical" // the message or its document cannot be used
	ReasonData      ReasonKind = "data"      // what the certificate says breaks a rule; findings have these codes
	ReasonCustoms   ReasonKind = "customs"   // the importing customs decided so
)

// ReasonText is one reason code with what it means.
type ReasonText struct {
	Code string     `json:"code"`
	Kind ReasonKind `json:"kind"`
	Text string     `json:"text"`
}

// The technical reason codes.
const (
	ReasonEnvelope   = "T01" // envelope or party unknown
	ReasonDuplicate  = "T02" // duplicate message id
	ReasonSchema     = "T03" // the document does not follow its schema
	ReasonVersion    = "T04" // wrong version
	ReasonDigest     = "T05" // digest or signature is not valid
	ReasonCredential = "T06" // the signer's credential has expired, was revoked, is not yet valid or not trusted
	ReasonSigner     = "T07" // the signer may not sign for this office or form
	ReasonAttachment = "T08" // an attachment is missing
	ReasonTooLarge   = "T09" // too large, or too many items
)

// The reason codes of the importing customs.
const (
	ReasonNotReceived    = "C01" // no such certificate was received
	ReasonGoods          = "C02" // the goods do not correspond
	ReasonConsignment    = "C03" // not directly consigned
	ReasonOrigin         = "C04" // doubt about the origin: verification
	ReasonExpired        = "C05" // expired at presentation
	ReasonExhausted      = "C06" // used up already
	ReasonWithdrawn      = "C07" // cancelled or replaced
	ReasonClassification = "C08" // classified otherwise
	ReasonSignature      = "C09" // signature or authority disputed
	ReasonImporter       = "C10" // another importer
	ReasonLate           = "C11" // preference claimed too late
	ReasonOther          = "C12" // other; the text says what
)

// reasons is ordered by kind, then by code. The codes are our own synthesis of why administrations reject and deny
// certificates; what a partner is told on the wire is agreed with that partner.
var reasons = []ReasonText{
	{ReasonEnvelope, ReasonTechnical, "the envelope or a party is unknown"},
	{ReasonDuplicate, ReasonTechnical, "the message id was used before"},
	{ReasonSchema, ReasonTechnical, "the document does not follow its schema"},
	{ReasonVersion, ReasonTechnical, "the document is of another version than was agreed"},
	{ReasonDigest, ReasonTechnical, "a digest or signature is not valid"},
	{ReasonCredential, ReasonTechnical, "the signer's credential has expired, was revoked, is not yet valid or not trusted"},
	{ReasonSigner, ReasonTechnical, "the signer may not sign for this office or form"},
	{ReasonAttachment, ReasonTechnical, "an attachment is missing"},
	{ReasonTooLarge, ReasonTechnical, "the message is too large, or the certificate has too many items"},
	{CodeReferenceFormat, ReasonData, "the reference does not look like its issuer's"},
	{CodeReferenceReused, ReasonData, "the reference was used before, for other content"},
	{CodeIssuingBody, ReasonData, "the issuing body or its office is unknown"},
	{CodeDates, ReasonData, "a date is in the future, after expiry, or in the wrong order"},
	{CodeForm, ReasonData, "the form or agreement is unknown"},
	{CodeCountries, ReasonData, "a country is not party to the agreement"},
	{CodeHS, ReasonData, "the Harmonized System code is unknown, or at another level"},
	{CodeCriterion, ReasonData, "the origin criterion is not one of the form's"},
	{CodePercentage, ReasonData, "a percentage is missing or below its threshold"},
	{CodeFOB, ReasonData, "the FOB value is missing, or given where it may not be"},
	{CodeQuantity, ReasonData, "units, quantities, weights or packages are wrong"},
	{CodeRetroactive, ReasonData, "the retroactive indicator and the dates disagree"},
	{CodeThirdParty, ReasonData, "data of third-country invoicing is missing"},
	{CodeBackToBack, ReasonData, "back-to-back without the original certificate"},
	{CodeText, ReasonData, "characters or lengths cannot be used, or data is missing"},
	{CodeRelated, ReasonData, "the related certificate is not found or does not fit"},
	{ReasonNotReceived, ReasonCustoms, "no such certificate was received"},
	{ReasonGoods, ReasonCustoms, "the goods do not correspond to the certificate"},
	{ReasonConsignment, ReasonCustoms, "the goods were not consigned directly"},
	{ReasonOrigin, ReasonCustoms, "the origin is in doubt and is being verified"},
	{ReasonExpired, ReasonCustoms, "the certificate had expired when it was presented"},
	{ReasonExhausted, ReasonCustoms, "the certificate is used up"},
	{ReasonWithdrawn, ReasonCustoms, "the certificate was cancelled or replaced"},
	{ReasonClassification, ReasonCustoms, "the goods are classified otherwise"},
	{ReasonSignature, ReasonCustoms, "the signature or the authority to issue is disputed"},
	{ReasonImporter, ReasonCustoms, "the importer is another than the certificate names"},
	{ReasonLate, ReasonCustoms, "the preference was claimed too late"},
	{ReasonOther, ReasonCustoms, "another reason, which the text says"},
}

// Reasons lists the reason codes, ordered by kind and code.
func Reasons() []ReasonText { return slices.Clone(reasons) }

// ReasonByCode finds a reason code; it reports false for one that is not ours, such as a partner's own.
func ReasonByCode(code string) (ReasonText, bool) {
	for _, r := range reasons {
		if r.Code == code {
			return r, true
		}
	}
	return ReasonText{}, false
}
