package eco

import (
	"fmt"
	"slices"
)

// MaxQuestions is how many questions one verification request may put.
const MaxQuestions = 100

// VerificationRequest asks the issuing side to verify a certificate after it was presented: at random, or because of a doubt
// about the document or the origin of the goods (ATIGA OCP Rule 18: with the reasons, and what suggests that the particulars
// are inaccurate). The goods may be released on guarantee meanwhile, which a CustomsResponse says.
type VerificationRequest struct {
	Statement
	Ground VerificationGround `json:"ground"`
	// ReplyBy is the last day for the reply that the agreement between the parties allows; optional. Rule 18 gives 90 days.
	ReplyBy Date `json:"reply_by,omitzero"`
	// Items are the numbers of the items that it is about; none means all.
	Items []int `json:"items,omitempty"`
	// Reasons say what is doubtful, the gravest first. A request at random may have none.
	Reasons []Reason `json:"reasons,omitempty"`
	// Questions are put to the issuing body, which answers them by their place in the list.
	Questions []Question `json:"questions,omitempty"`
}

// Question is one question of a verification request.
type Question struct {
	// Text is the question; several lines.
	Text string `json:"text"`
}

// VerificationGround is why a certificate is verified.
type VerificationGround string

// The grounds. ATIGA OCP Rule 18.
const (
	VerifyAtRandom VerificationGround = "random"
	VerifyForDoubt VerificationGround = "doubt"
)

var verificationGrounds = []VerificationGround{VerifyAtRandom, VerifyForDoubt}

// VerificationReply is what the issuing body found.
type VerificationReply struct {
	Statement
	// Request is the ID of the VerificationRequest that it answers.
	Request string `json:"request"`
	// Requestor is who asked: the Authority of the request.
	Requestor Authority          `json:"requestor"`
	Result    VerificationResult `json:"result"`
	// Reasons say why the certificate is not confirmed, the gravest first.
	Reasons []Reason `json:"reasons,omitempty"`
	// Replies answer questions of the request, each once.
	Replies []QuestionReply `json:"replies,omitempty"`
}

// QuestionReply answers one question.
type QuestionReply struct {
	// Question is its place in VerificationRequest.Questions, from 1.
	Question int    `json:"question"`
	Text     string `json:"text"`
}

// VerificationResult is what a verification came to.
type VerificationResult string

// The results.
const (
	VerifiedConfirmed    VerificationResult = "confirmed"     // issued by this body, and the origin is as stated
	VerifiedRefuted      VerificationResult = "not-confirmed" // not issued by it, or the origin is not as stated
	VerifiedUndetermined VerificationResult = "undetermined"  // it could not be found out
)

var verificationResults = []VerificationResult{VerifiedConfirmed, VerifiedRefuted, VerifiedUndetermined}

// VerificationResults lists every VerificationResult.
func VerificationResults() []VerificationResult { return slices.Clone(verificationResults) }

// ValidateVerificationRequest checks r by itself, about a certificate of one of forms, and returns what it finds, always in the same order; nil when there is nothing. The
// work is linear in its size.
func ValidateVerificationRequest(r VerificationRequest, forms Forms) []Finding {
	v := &validation{codes: forms.codes}
	v.checkStatement(&r.Statement, bodyRequired, forms)
	if !slices.Contains(verificationGrounds, r.Ground) {
		v.fail(CodeText, "ground", fmt.Sprintf("want one of %s, found %q", list(verificationGrounds), r.Ground), "say one of these")
	}
	v.checkDate("reply_by", r.ReplyBy)
	if !r.ReplyBy.IsZero() && !r.IssueTime.IsZero() && r.ReplyBy.Before(DateOf(r.IssueTime.UTC())) {
		v.fail(CodeDates, "reply_by", fmt.Sprintf("want a day after the request, found %s", r.ReplyBy), "leave time for the reply")
	}
	if r.Ground == VerifyForDoubt && len(r.Reasons) == 0 {
		v.fail(CodeText, "reasons", "want at least one reason for a doubt, found none", "say what is doubtful")
	}
	v.checkReasonList("reasons", r.Reasons)
	v.checkItemNumbers(r.Items)
	if n := len(r.Questions); n > MaxQuestions {
		v.fail(CodeText, "questions", fmt.Sprintf("want at most %d questions, found %d", MaxQuestions, n), "ask what matters most")
	}
	for i, question := range r.Questions {
		v.checkStated(fmt.Sprintf("questions[%d].text", i), question.Text)
	}
	v.checkAllTexts(r)
	return v.findings
}

// checkItemNumbers finds numbers that no item has, and items that are named twice.
func (v *validation) checkItemNumbers(items []int) {
	if n := len(items); n > MaxItems {
		v.fail(CodeText, "items", fmt.Sprintf("want at most %d items, found %d", MaxItems, n), "name none if all are meant")
	}
	seen := make(map[int]bool, len(items))
	for i, item := range items {
		if item < 1 || seen[item] {
			v.fail(CodeText, fmt.Sprintf("items[%d]", i), fmt.Sprintf("want an item's number once, found %d", item), "use the number as printed")
		}
		seen[item] = true
	}
}

// ValidateVerificationReply checks r by itself, about a certificate of one of forms, and returns what it finds, always in the same order; nil when there is nothing. The
// work is linear in its size.
func ValidateVerificationReply(r VerificationReply, forms Forms) []Finding {
	v := &validation{codes: forms.codes}
	v.checkStatement(&r.Statement, bodyRequired, forms)
	v.checkStated("request", r.Request)
	v.checkAuthority("requestor", r.Requestor)
	switch n := len(r.Reasons); {
	case !slices.Contains(verificationResults, r.Result):
		v.fail(CodeText, "result", fmt.Sprintf("want one of %s, found %q", list(verificationResults), r.Result), "say one of these")
	case r.Result == VerifiedConfirmed && n > 0:
		v.fail(CodeText, "reasons", fmt.Sprintf("want no reasons for %q, found %d", r.Result, n), "say it in the note")
	case r.Result != VerifiedConfirmed && n == 0:
		v.fail(CodeText, "reasons", fmt.Sprintf("want at least one reason for %q, found none", r.Result), "say why")
	}
	v.checkReasonList("reasons", r.Reasons)
	if n := len(r.Replies); n > MaxQuestions {
		v.fail(CodeText, "replies", fmt.Sprintf("want at most %d replies, found %d", MaxQuestions, n), "answer each question once")
	}
	seen := map[int]bool{}
	for i, reply := range r.Replies {
		path := fmt.Sprintf("replies[%d]", i)
		if reply.Question < 1 || reply.Question > MaxQuestions || seen[reply.Question] {
			v.fail(CodeText, path+".question", fmt.Sprintf("want a question's place in the request once, found %d", reply.Question), "count the questions from 1")
		}
		seen[reply.Question] = true
		v.checkStated(path+".text", reply.Text)
	}
	v.checkAllTexts(r)
	return v.findings
}

// CompareVerificationRequest checks r against the certificate that it is about: the items must be there.
func CompareVerificationRequest(r VerificationRequest, c Certificate) []Finding {
	v := &validation{}
	for i, number := range r.Items {
		if !slices.ContainsFunc(c.Items, func(item Item) bool { return item.Number == number }) {
			v.fail(CodeRelated, fmt.Sprintf("items[%d]", i), fmt.Sprintf("want an item of certificate %s, found %d", c.Reference, number), "use the item's number as printed")
		}
	}
	return v.findings
}

// CompareVerificationReply checks r against the request that it answers.
func CompareVerificationReply(r VerificationReply, asked VerificationRequest) []Finding {
	v := &validation{}
	if r.Request != asked.ID {
		v.fail(CodeRelated, "request", fmt.Sprintf("want %q, the number of the request, found %q", asked.ID, r.Request), "name the request that is answered")
	}
	for i, reply := range r.Replies {
		if reply.Question > len(asked.Questions) {
			v.fail(CodeRelated, fmt.Sprintf("replies[%d].question", i), fmt.Sprintf("%d questions were put, found a reply to number %d", len(asked.Questions), reply.Question), "count the questions from 1")
		}
	}
	return v.findings
}
