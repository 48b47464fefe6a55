package exchange

import (
	"crypto/sha256"
	"fmt"
	"io"
	"strings"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/ubl"
)

// codeAttachment is the code of findings about attachments: one is missing, is not the one that was signed, or was not signed.
const codeAttachment = "T08"

// refer says how a certificate's document refers to its attachments, whose Content-IDs end in set.
func refer(attachments []Attachment, set string) ([]ubl.Attachment, error) {
	var list []ubl.Attachment
	for i, a := range attachments {
		digest, err := digestOf(a.Content)
		if err != nil {
			return nil, fmt.Errorf("reading attachment %q: %w", a.Name, err)
		}
		list = append(list, ubl.Attachment{URI: ebms.CIDToHref(attachmentID(i, set)), Name: a.Name, ContentType: a.ContentType, SHA256: digest})
	}
	return list, nil
}

// attachmentID is the Content-ID of the attachment with that index.
func attachmentID(i int, set string) string { return fmt.Sprintf("at-%d-%s", i+1, set) }

func digestOf(c Content) (digest [sha256.Size]byte, err error) {
	h := sha256.New()
	if _, err := io.Copy(h, ebms.NewReader(c)); err != nil {
		return digest, err
	}
	h.Sum(digest[:0])
	return digest, nil
}

// checkAttachments compares the parts of a message with what its certificate's document, which is verified, says of them. A
// part that is missing or another one is an error: a document that was signed with it must not stand without it. A part that
// the document does not refer to is only the message's, which is a warning: partners' documents seldom refer to any.
func checkAttachments(r *reception, document *ebms.Part, referred []ubl.Attachment) ([]eco.Finding, error) {
	var findings []eco.Finding
	covered := map[*ebms.Part]bool{document: true}
	for i, a := range referred {
		part, found := r.pkg.Resolve(a.URI)
		if !found || part == document {
			findings = append(findings, attachmentFinding(eco.SeverityError, i,
				fmt.Sprintf("the document refers to part %.100q, which is not in the message", a.URI), "send the certificate with all that it was signed with"))
			continue
		}
		covered[part] = true
		digest, err := digestOf(part.Content)
		if err != nil {
			return nil, &storeError{fmt.Errorf("reading a part: %w", err)}
		}
		if digest != a.SHA256 {
			findings = append(findings, attachmentFinding(eco.SeverityError, i,
				fmt.Sprintf("part %.100q has SHA-256 %x, the document was signed for %x", a.URI, digest, a.SHA256), "send the part that was signed"))
		}
		if a.ContentType != "" && !sameMediaType(a.ContentType, part.ContentType) {
			findings = append(findings, attachmentFinding(eco.SeverityWarning, i,
				fmt.Sprintf("part %.100q is sent as %.60q, the document was signed for %.60q", a.URI, part.ContentType, a.ContentType), "rely on the document's"))
		}
	}
	for i := range r.pkg.Parts {
		if part := &r.pkg.Parts[i]; !covered[part] {
			findings = append(findings, attachmentFinding(eco.SeverityWarning, i,
				fmt.Sprintf("the document does not refer to part %.100q: its signature does not cover it", part.ContentID), "rely on it no more than on the message"))
		}
	}
	return findings[:min(len(findings), maxAttachmentFindings)], nil
}

// sameMediaType compares media types without their parameters.
func sameMediaType(a, b string) bool {
	a, _, _ = strings.Cut(a, ";")
	b, _, _ = strings.Cut(b, ";")
	return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}

// maxAttachmentFindings bounds what is recorded of one message.
const maxAttachmentFindings = 20

func attachmentFinding(severity eco.Severity, i int, text, fix string) eco.Finding {
	return eco.Finding{Code: codeAttachment, Severity: severity, Path: fmt.Sprintf("attachments[%d]", i), Text: text, Fix: fix}
}
