package ubl

import (
	"fmt"

	"github.com/beevik/etree"

	"github.com/ecogate/ecogate/eco"
)

// standingCodes say where a certificate stands: in a word of our own, and in the code of UNCL 1373 (document status) that comes nearest
// for partners who do not know the words. read marks the word that the code alone is read as.
var standingCodes = []struct {
	standing eco.Standing
	code     string
	read     bool
}{
	{eco.StandingUnknown, "11", true},
	{eco.StandingIssued, "10", false},
	{eco.StandingReceived, "4", true},
	{eco.StandingAvailable, "10", true},
	{eco.StandingUsedInPart, "13", true},
	{eco.StandingUsedInPart, "15", true},
	{eco.StandingUsedUp, "12", true},
	{eco.StandingUsedUp, "14", true},
	{eco.StandingDenied, "8", true},
	{eco.StandingSuspended, "3", true},
	{eco.StandingCancelled, "11", false},
	{eco.StandingReplaced, "11", false},
	{eco.StandingExpired, "11", false},
	{eco.StandingInConflict, "11", false},
}

// listStanding has the words.
const listStanding = "urn:ecogate:standing:1"

// MarshalStatusRequest writes r, about a certificate of one of forms, as UBL DocumentStatusRequest, unsigned. What MarshalCustomsResponse guarantees holds here.
func MarshalStatusRequest(r eco.StatusRequest, forms eco.Forms) ([]byte, error) {
	return marshalMessage(statusRequestLayout, r.ID, r, forms, (*writer).statusRequest, UnmarshalStatusRequest)
}

// statusRequest writes the children of the document element in the order of UBL 2.1 DocumentStatusRequestType.
func (w *writer) statusRequest(root *etree.Element, r *eco.StatusRequest) {
	w.head(root, statusRequestLayout, &r.Statement, nil)
	w.leaf(root, "cbc:Note", r.Note)
	w.certificateOfSomebody(root, "cac:RequestedDocumentReference", &r.Certificate)
	w.signature(root, statusRequestLayout, &r.Statement)
	w.authority(root, "cac:SenderParty", &r.Authority, "authority")
}

// MarshalStatusReport writes r, about a certificate of one of forms, as UBL DocumentStatus, unsigned. What MarshalCustomsResponse guarantees holds here.
func MarshalStatusReport(r eco.StatusReport, forms eco.Forms) ([]byte, error) {
	return marshalMessage(statusReportLayout, r.ID, r, forms, (*writer).statusReport, UnmarshalStatusReport)
}

// statusReport writes the children of the document element in the order of UBL 2.1 DocumentStatusType.
func (w *writer) statusReport(root *etree.Element, r *eco.StatusReport) {
	w.head(root, statusReportLayout, &r.Statement, nil)
	w.leaf(root, "cbc:Note", r.Note)
	w.signature(root, statusReportLayout, &r.Statement)
	w.authority(root, "cac:SenderParty", &r.Authority, "authority")
	w.group(root, "cac:DocumentResponse", func(e *etree.Element) {
		w.group(e, "cac:Response", func(e *etree.Element) {
			w.must(e, "cbc:ReferenceID", r.Request, "request")
			w.group(e, "cac:Status", func(e *etree.Element) { w.standing(e, r) })
		})
		w.certificateOfSomebody(e, "cac:DocumentReference", &r.Certificate)
		w.outcomes(e, r.Items)
	})
}

func (w *writer) standing(e *etree.Element, r *eco.StatusReport) {
	code := ""
	for _, entry := range standingCodes {
		if entry.standing == r.Standing {
			code = entry.code
			break
		}
	}
	if code == "" {
		w.fail(fmt.Errorf("standing: want a known standing, found %q", r.Standing))
	}
	w.leaf(e, "cbc:ConditionCode", code, "listID", listCondition)
	if !r.Since.IsZero() {
		w.dateAndTime(e, "Reference", r.Since)
	}
	w.leaf(e, "cbc:StatusReasonCode", string(r.Standing), "listID", listStanding)
}
