package eco

import (
	"fmt"
	"slices"
	"strings"
)

// PaperIssue says that a certificate was issued on paper while the issuing system was down, and handed in afterwards: goods may have been
// declared under the paper's number meanwhile.
type PaperIssue struct {
	// Number is the paper's; it is the certificate's own, unless the office had a series of its own for paper.
	Number string `json:"number"`
	// IssuedAt is the day on which the paper was issued.
	IssuedAt Date `json:"issue_date,omitzero"`
	// Reason is why it was issued on paper.
	Reason string `json:"reason"`
}

// The mark is an ordinary supporting document, so that it passes every format and every partner that knows documents: a certificate of
// origin (UNCL 1001 code 861) with a title that begins with paperTitle and goes on with the reason.
const (
	paperType  = "861"
	paperTitle = "ISSUED ON PAPER"
)

// maxPaperReason bounds the reason, in characters.
const maxPaperReason = 200

// paperMark is the index of the mark among the documents, -1 for none.
func (c Certificate) paperMark() int {
	return slices.IndexFunc(c.Documents, func(d Document) bool {
		return d.Type == paperType && (d.Title == paperTitle || strings.HasPrefix(d.Title, paperTitle+": "))
	})
}

// IssuedOnPaper is the mark that MarkIssuedOnPaper has put; nil if there is none.
func (c Certificate) IssuedOnPaper() *PaperIssue {
	i := c.paperMark()
	if i < 0 {
		return nil
	}
	d := c.Documents[i]
	return &PaperIssue{Number: d.Number, IssuedAt: d.Date, Reason: strings.TrimPrefix(strings.TrimPrefix(d.Title, paperTitle), ": ")}
}

// MarkIssuedOnPaper gives c with the mark that it was issued on paper; one that it had goes. Without number the paper's is the
// certificate's own, and without day the day of its issue. The error says what is wrong with the reason or the number.
func (c Certificate) MarkIssuedOnPaper(p PaperIssue) (Certificate, error) {
	p.Reason = strings.Join(strings.Fields(p.Reason), " ")
	if n := len([]rune(p.Reason)); n == 0 || n > maxPaperReason {
		return c, fmt.Errorf("reason for issuing on paper: want 1 to %d characters, found %d", maxPaperReason, n)
	}
	if p.Number == "" {
		p.Number = c.Reference
	} else if NormaliseReference(p.Number) == "" {
		return c, fmt.Errorf("number of the paper: want letters or digits, found %q", p.Number)
	}
	if p.IssuedAt.IsZero() {
		p.IssuedAt = c.IssuedAt
	}
	c.Documents = slices.Clone(c.Documents)
	if i := c.paperMark(); i >= 0 {
		c.Documents = slices.Delete(c.Documents, i, i+1)
	}
	c.Documents = append(c.Documents, Document{Type: paperType, Title: paperTitle + ": " + p.Reason, Number: p.Number, Date: p.IssuedAt})
	return c, nil
}
