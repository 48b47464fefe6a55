package ubl

import (
	"fmt"
	"strings"

	"github.com/ecogate/ecogate/eco"
)

// UnmarshalStatusRequest reads a status request from the octets of a DocumentStatusRequest, as UnmarshalCustomsResponse reads a response.
func UnmarshalStatusRequest(doc []byte, forms eco.Forms) (eco.StatusRequest, []eco.Finding, error) {
	return unmarshalMessage(statusRequestLayout, doc, forms, (*reader).statusRequest)
}

func (r *reader) statusRequest(root *node, q *eco.StatusRequest) {
	r.head(root, statusRequestLayout, &q.Statement, "")
	r.skip(root, "cac:ReceiverParty")
	q.Authority = r.authority(r.must(root, "cac:SenderParty"))
	if certificate := r.must(root, "cac:RequestedDocumentReference"); r.err == nil {
		q.Certificate = r.answered(certificate)
	}
}

// UnmarshalStatusReport reads a status report from the octets of a DocumentStatus, as UnmarshalCustomsResponse reads a response.
func UnmarshalStatusReport(doc []byte, forms eco.Forms) (eco.StatusReport, []eco.Finding, error) {
	return unmarshalMessage(statusReportLayout, doc, forms, (*reader).statusReport)
}

func (r *reader) statusReport(root *node, s *eco.StatusReport) {
	r.head(root, statusReportLayout, &s.Statement, "")
	r.skip(root, "cac:ReceiverParty")
	s.Authority = r.authority(r.must(root, "cac:SenderParty"))
	answer := r.must(root, "cac:DocumentResponse")
	certificate, response := r.must(answer, "cac:DocumentReference"), r.must(answer, "cac:Response")
	status := r.must(response, "cac:Status")
	if r.err != nil {
		return
	}
	s.Certificate = r.answered(certificate)
	s.Request = r.token(r.must(response, "cbc:ReferenceID"))
	s.Standing = r.standing(status)
	if r.child(status, "cbc:ReferenceDate") != nil || r.child(status, "cbc:ReferenceTime") != nil {
		s.Since = r.dateAndTime(status, "Reference")
	}
	s.Items = r.outcomes(answer)
}

// standing reads our own word, or else the code.
func (r *reader) standing(status *node) eco.Standing {
	condition := r.must(status, "cbc:ConditionCode")
	code, is := r.ofList(condition, listCondition)
	word := r.child(status, "cbc:StatusReasonCode")
	own := strings.TrimSpace(word.attribute("listID")) == listStanding
	if word != nil && !own {
		word.read = false
	}
	for _, entry := range standingCodes {
		if is && entry.code == code && (own && string(entry.standing) == r.token(word) || !own && entry.read) {
			return entry.standing
		}
	}
	if condition != nil {
		r.fail(condition, "a code of list "+listCondition+" and, if it is there, a word of list "+listStanding+" that agrees with it", fmt.Sprintf("%.40q and %.40q", code, r.token(word)))
	}
	return ""
}
