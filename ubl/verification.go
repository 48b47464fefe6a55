package ubl

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/ecogate/ecogate/eco"
)

// The elements of our own extension. UBL enquiries have text and attachments only, so the certificate, the reasons and the questions
// stand in an extension; the text repeats them for people and for readers that drop it.
const (
	verificationRequest = "ver:VerificationRequest"
	verificationReply   = "ver:VerificationReply"
)

// typeEnquiry says of what kind the document is that a reply refers to.
const typeEnquiry = "ENQUIRY"

// MarshalVerificationRequest writes r, about a certificate of one of forms, as UBL Enquiry, unsigned, in the subset of UBL 2.3 that 2.4 contains. What MarshalCustomsResponse
// guarantees holds here.
func MarshalVerificationRequest(r eco.VerificationRequest, forms eco.Forms) ([]byte, error) {
	return marshalMessage(requestLayout, r.ID, r, forms, (*writer).verificationRequest, UnmarshalVerificationRequest)
}

// verificationRequest writes the children of the document element in the order of UBL 2.3 EnquiryType.
func (w *writer) verificationRequest(root *etree.Element, r *eco.VerificationRequest) {
	w.head(root, requestLayout, &r.Statement, func(extensions *etree.Element) {
		w.ownExtension(extensions, verificationRequest, func(e *etree.Element) {
			w.certificate(e, "cac:DocumentReference", &r.Certificate)
			w.must(e, "ver:Ground", string(r.Ground), "ground")
			for _, item := range r.Items {
				w.leaf(e, "ver:Item", strconv.Itoa(item))
			}
			w.reasons(e, r.Reasons)
			for i, question := range r.Questions {
				w.must(e, "ver:Question", question.Text, fmt.Sprintf("questions[%d].text", i))
			}
		})
	})
	w.date(root, "cbc:LatestReplyDate", r.ReplyBy)
	w.leaf(root, "cbc:Description", r.Note)
	w.leaf(root, "cbc:Description", requestWords(r), "languageID", "en")
	w.signature(root, requestLayout, &r.Statement)
	w.parties(root, &r.Statement, "cac:RequestorParty", "cac:ResponderParty")
}

// requestWords say the request to people.
func requestWords(r *eco.VerificationRequest) string {
	lines := []string{"VERIFICATION OF CERTIFICATE OF ORIGIN " + r.Certificate.Reference}
	lines = append(lines, reasonWords(r.Reasons)...)
	for i, question := range r.Questions {
		lines = append(lines, fmt.Sprintf("QUESTION %d: %s", i+1, question.Text))
	}
	return strings.Join(lines, "\n")
}

func reasonWords(reasons []eco.Reason) (lines []string) {
	for _, reason := range reasons {
		lines = append(lines, join("REASON", reason.Code, reason.Text))
	}
	return lines
}

// MarshalVerificationReply writes r, about a certificate of one of forms, as UBL EnquiryResponse, unsigned, in the subset of UBL 2.3 that 2.4 contains. What
// MarshalCustomsResponse guarantees holds here.
func MarshalVerificationReply(r eco.VerificationReply, forms eco.Forms) ([]byte, error) {
	return marshalMessage(replyLayout, r.ID, r, forms, (*writer).verificationReply, UnmarshalVerificationReply)
}

// verificationReply writes the children of the document element in the order of UBL 2.3 EnquiryResponseType.
func (w *writer) verificationReply(root *etree.Element, r *eco.VerificationReply) {
	w.head(root, replyLayout, &r.Statement, func(extensions *etree.Element) {
		w.ownExtension(extensions, verificationReply, func(e *etree.Element) {
			w.certificate(e, "cac:DocumentReference", &r.Certificate)
			w.must(e, "ver:Result", string(r.Result), "result")
			w.reasons(e, r.Reasons)
			for i, reply := range r.Replies {
				w.must(e, "ver:Reply", reply.Text, fmt.Sprintf("replies[%d].text", i), "question", strconv.Itoa(reply.Question))
			}
		})
	})
	w.leaf(root, "cbc:Description", r.Note)
	w.leaf(root, "cbc:Description", replyWords(r), "languageID", "en")
	w.signature(root, replyLayout, &r.Statement)
	w.authority(root, "cac:RequestorParty", &r.Requestor, "requestor")
	w.authority(root, "cac:ResponderParty", &r.Authority, "authority")
	w.group(root, "cac:ParentDocumentReference", func(e *etree.Element) {
		w.must(e, "cbc:ID", r.Request, "request")
		w.leaf(e, "cbc:DocumentType", typeEnquiry)
	})
}

// replyWords say the reply to people.
func replyWords(r *eco.VerificationReply) string {
	lines := []string{join("CERTIFICATE OF ORIGIN", r.Certificate.Reference+":", strings.ToUpper(string(r.Result)))}
	lines = append(lines, reasonWords(r.Reasons)...)
	for _, reply := range r.Replies {
		lines = append(lines, fmt.Sprintf("REPLY TO QUESTION %d: %s", reply.Question, reply.Text))
	}
	return strings.Join(lines, "\n")
}

// ownExtension writes our extension, which comes second: the first one is for the signature.
func (w *writer) ownExtension(extensions *etree.Element, name string, fill func(e *etree.Element)) {
	e := w.extension(extensions, 2, nsVerification).CreateElement(name)
	e.CreateAttr("xmlns:ver", nsVerification)
	fill(e)
}
