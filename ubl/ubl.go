// Package ubl writes certificates of origin as UBL CertificateOfOrigin documents and answers about them as UBL
// ApplicationResponse documents, and reads both back. It knows the mapping between eco.Certificate, eco.Answer and the
// documents, and nothing else: the signature that it leaves room for in certificates is made and checked by package
// signing over the octets, rules are checked by eco.Validate and eco.ValidateAnswer, and transport is package ebms's.
// Which of the two a document is, the caller knows from the message's action.
//
// What is written is the subset of UBL 2.1 that every later 2.x contains, so one document is valid under 2.1 to 2.5; or, for
// partners whose software knows no later one, UBL 2.0. What UBL has no element for goes into an extension of our own (namespace
// urn:ecogate:origin:1, docs/schema/origin-1.xsd), and into Remarks as words for readers that drop extensions. How the boxes of
// forms map to elements is our own proposal, since UBL says what its elements mean and not which form fills them: docs/ubl.md
// has it row by row. Of partners' documents more is read than is written: see the comments that begin with "Partners".
//
// The rules of UBL 2.1 ch. 4 that no schema checks are kept: UTF-8 that is declared (IND2, IND3), nothing empty (IND5,
// IND9), flags written out since absence has no meaning (IND6), and one text element for each language (IND7, IND8).
//
// Each part of a document has a file that writes it and one that reads it. Read in this order: ubl.go, marshal.go, read.go,
// document.go with document_parse.go, then extension, party, shipment, goods, reference and attachment; answer.go with
// answer_parse.go; tree.go holds the tools of writing, unmarshal.go, rules.go, parse.go and scanner.go those of reading.
package ubl

import "encoding/xml"

// MediaType is the media type of the documents (RFC 7303).
const MediaType = "application/xml"

// CodeStructure is the code of findings about how a document is built: elements that were not expected or not where they
// were expected. Findings of UnmarshalAnswer are warnings; those of Read are errors too where a document says one
// thing twice and differently. What cannot be read is an error of the call.
const CodeStructure = "T03"

// The namespaces of UBL 2.x documents. They are the same in every 2.x, so a document does not tell its version by them.
const (
	nsCertificate = "urn:oasis:names:specification:ubl:schema:xsd:CertificateOfOrigin-2"
	nsAnswer      = "urn:oasis:names:specification:ubl:schema:xsd:ApplicationResponse-2"
	nsCAC         = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
	nsCBC         = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
	nsExt         = "urn:oasis:names:specification:ubl:schema:xsd:CommonExtensionComponents-2"
	nsSig         = "urn:oasis:names:specification:ubl:schema:xsd:CommonSignatureComponents-2"
	nsSac         = "urn:oasis:names:specification:ubl:schema:xsd:SignatureAggregateComponents-2"
	nsSbc         = "urn:oasis:names:specification:ubl:schema:xsd:SignatureBasicComponents-2"
	nsDS          = "http://www.w3.org/2000/09/xmldsig#"
	// nsOrigin is our own extension's namespace and, as its ExtensionURI, its name.
	nsOrigin = "urn:ecogate:origin:1"
)

// prefixes are the prefixes that this package writes, and that errors and findings use whatever a partner wrote. The
// namespace of the document element has none.
var prefixes = map[string]string{
	nsCAC: "cac:", nsCBC: "cbc:", nsExt: "ext:", nsSig: "sig:", nsSac: "sac:", nsSbc: "sbc:", nsDS: "ds:", nsOrigin: "eco:",
}

// Identifiers that documents carry.
const (
	customization       = "urn:ecogate:ubl-co:1"
	answerCustomization = "urn:ecogate:ubl-answer:1"
	profilePrefix       = "urn:ecogate:profile:"
	// extensionID numbers the extensions (UBL 2.1 ch. 5 reserves the form).
	extensionID = "urn:oasis:names:specification:ubl:extension:"
	// signatureURI is both the ExtensionURI of enveloped signatures and the SignatureMethod that says so (UBL 2.1 ch. 5).
	signatureURI = "urn:oasis:names:specification:ubl:dsig:enveloped"
	// signatureInformationID and endorsementID tie the signature extension to the business signature (UBL 2.1 ch. 5).
	signatureInformationID = "urn:oasis:names:specification:ubl:signature:1"
	endorsementID          = "urn:oasis:names:specification:ubl:signature:IssuerEndorsement"
)

// Code lists and identifier schemes, as the listID and schemeID attributes name them.
const (
	listDocumentType = "UNCL1001"
	listResponse     = "UNCL4343"
	listMode         = "UNECE Rec 19"
	listPackage      = "UNECE Rec 21"
	listHS           = "HS"
	schemeLocode     = "UNLOCODE"
	listRole         = "urn:ecogate:role:1"
	listStatus       = "urn:ecogate:status:1"
	listRelation     = "urn:ecogate:relation:1"
	schemeBody       = "urn:ecogate:issuing-body"
	schemeOffice     = "urn:ecogate:issuing-office"
	unitPercent      = "P1" // UN/ECE Recommendation 20: percent
	typeInvoice      = "380"
	typeBillOfLading = "705"
	typeAirWaybill   = "740"
	// titleVerification and titleAttachment are the DocumentType of references that name no document of the certificate's.
	titleVerification = "VERIFICATION"
	titleAttachment   = "ATTACHMENT"
)

// Names of the item properties that hold what UBL items have no element for.
const (
	propertyCriterion     = "OriginCriterion"
	propertyCriterionText = "OriginCriterionText"
	propertyRVC           = "RegionalValueContent"
	propertyPC            = "PartialCumulationPercent"
	propertyInvoice       = "InvoiceReference"
	propertyPackageText   = "PackageText"
	propertyQuantityText  = "QuantityText"
	propertyHSBasis       = "HSBasis"
	propertyOriginBasis   = "RCEPOriginBasis"
	propertyAccumulation  = "Accumulation"
	propertyDeMinimis     = "DeMinimis"
	// propertyCriterionPercent is the percentage of the criterion in the property before it, in UBL 2.0.
	propertyCriterionPercent = "OriginCriterionPercent"
)

// SignaturePath is the path of element names, the document element first, to the element that takes ds:Signature. The
// signature's extension is the document's first one.
func SignaturePath() []xml.Name {
	return []xml.Name{
		{Space: nsCertificate, Local: "CertificateOfOrigin"},
		{Space: nsExt, Local: "UBLExtensions"},
		{Space: nsExt, Local: "UBLExtension"},
		{Space: nsExt, Local: "ExtensionContent"},
		{Space: nsSig, Local: "UBLDocumentSignatures"},
		{Space: nsSac, Local: "SignatureInformation"},
	}
}
