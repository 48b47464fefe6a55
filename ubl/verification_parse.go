package ubl

import (
	"fmt"

	"github.com/ecogate/ecogate/eco"
)

// UnmarshalVerificationRequest reads a verification request from the octets of an Enquiry, as UnmarshalCustomsResponse reads a response. The
// certificate and the reasons are read from our own extension; an enquiry in words alone is for people and an error.
func UnmarshalVerificationRequest(doc []byte, forms eco.Forms) (eco.VerificationRequest, []eco.Finding, error) {
	return unmarshalMessage(requestLayout, doc, forms, (*reader).verificationRequest)
}

func (r *reader) verificationRequest(root *node, q *eco.VerificationRequest) {
	own := r.head(root, requestLayout, &q.Statement, verificationRequest)
	r.skip(root, "cac:ResponderParty")
	q.Authority = r.authority(r.must(root, "cac:RequestorParty"))
	q.ReplyBy = r.date(r.child(root, "cbc:LatestReplyDate"))
	certificate := r.must(own, "cac:DocumentReference")
	if r.err != nil {
		return
	}
	q.Certificate = r.answered(certificate)
	q.Ground = eco.VerificationGround(r.token(r.must(own, "ver:Ground")))
	items := r.all(own, "ver:Item")
	if r.tooMany(items, eco.MaxItems, "items") {
		return
	}
	for _, item := range items {
		q.Items = append(q.Items, r.place(item))
	}
	q.Reasons = r.reasons(r.all(own, "cac:Status"))
	questions := r.all(own, "ver:Question")
	if r.tooMany(questions, eco.MaxQuestions, "questions") {
		return
	}
	for _, question := range questions {
		q.Questions = append(q.Questions, eco.Question{Text: r.text(question)})
	}
}

// UnmarshalVerificationReply reads a verification reply from the octets of an EnquiryResponse, as UnmarshalVerificationRequest reads a request.
func UnmarshalVerificationReply(doc []byte, forms eco.Forms) (eco.VerificationReply, []eco.Finding, error) {
	return unmarshalMessage(replyLayout, doc, forms, (*reader).verificationReply)
}

func (r *reader) verificationReply(root *node, p *eco.VerificationReply) {
	own := r.head(root, replyLayout, &p.Statement, verificationReply)
	p.Authority = r.authority(r.must(root, "cac:ResponderParty"))
	p.Requestor = r.authority(r.must(root, "cac:RequestorParty"))
	parent := r.must(root, "cac:ParentDocumentReference")
	certificate := r.must(own, "cac:DocumentReference")
	if r.err != nil {
		return
	}
	p.Request = r.token(r.must(parent, "cbc:ID"))
	r.skip(parent, "cbc:DocumentType")
	p.Certificate = r.answered(certificate)
	p.Result = eco.VerificationResult(r.token(r.must(own, "ver:Result")))
	p.Reasons = r.reasons(r.all(own, "cac:Status"))
	replies := r.all(own, "ver:Reply")
	if r.tooMany(replies, eco.MaxQuestions, "replies") {
		return
	}
	for _, reply := range replies {
		question, err := number(reply.attribute("question"))
		if err != nil || question < 1 {
			r.fail(reply, "the number of a question", fmt.Sprintf("%.40q", reply.attribute("question")))
		}
		p.Replies = append(p.Replies, eco.QuestionReply{Question: question, Text: r.text(reply)})
	}
}

func (r *reader) tooMany(nodes []*node, most int, what string) bool {
	if len(nodes) <= most {
		return false
	}
	r.fail(nodes[most], fmt.Sprintf("at most %d %s", most, what), fmt.Sprint(len(nodes)))
	return true
}
