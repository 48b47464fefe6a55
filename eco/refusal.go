package eco

import (
	"fmt"
	"net/url"
	"strings"
)

// Refusal is what an issuing body is told when the importing side refuses one of its certificates, denies or suspends the preference, or
// asks for a verification. In a log it is one line, which programs read with ParseRefusal: "body=KCCI code=C05 text=presented too late".
type Refusal struct {
	// Body is the ID of Certificate.IssuingBody.
	Body string `json:"body"`
	// Code is the gravest reason's: one of Reasons(), the partner's own, or an ebXML error code where no document was read.
	Code string `json:"code"`
	// Text says it to people, in one line; white space is folded.
	Text string `json:"text"`
}

// RefusalFor is the refusal with those reasons, the gravest first. Where there is none, or none has words, it says what its code stands for.
func RefusalFor(body string, reasons []Reason) Refusal {
	r := Refusal{Body: body, Code: ReasonOther}
	var texts []string
	for i, reason := range reasons {
		text := reason.Text
		if known, ok := ReasonByCode(reason.Code); ok && text == "" {
			text = known.Text
		}
		if i == 0 {
			r.Code = reason.Code
		} else {
			text = reason.Code + " " + text
		}
		texts = append(texts, text)
	}
	r.Text = strings.Join(texts, "; ")
	return r
}

// String is the line: members that come before the text have no space in them, being escaped like a URL's path (RFC 3986 §2.1).
func (r Refusal) String() string {
	return fmt.Sprintf("body=%s code=%s text=%s", url.PathEscape(r.Body), url.PathEscape(r.Code), strings.Join(strings.Fields(r.Text), " "))
}

// ParseRefusal reads what String wrote. It reports false for any other text.
func ParseRefusal(line string) (Refusal, bool) {
	body, rest, first := strings.Cut(line, " code=")
	code, text, second := strings.Cut(rest, " text=")
	body, third := strings.CutPrefix(body, "body=")
	if !first || !second || !third {
		return Refusal{}, false
	}
	body, badBody := url.PathUnescape(body)
	code, badCode := url.PathUnescape(code)
	r := Refusal{Body: body, Code: code, Text: text}
	return r, badBody == nil && badCode == nil && r.String() == line
}
