package eco

import "maps"

// Function is what a message with a certificate is for, as a code of UNCL 1225 (message function).
type Function string

// The functions of messages with a certificate. That of a retransmission is said by the message that carries it and never
// by the document, which is the same, octet for octet.
const (
	FunctionCancellation   Function = "1"
	FunctionReplacement    Function = "5"
	FunctionOriginal       Function = "9"
	FunctionReissue        Function = "18"
	FunctionCopy           Function = "31"
	FunctionRetransmission Function = "35"
)

// functions are those of each status. A certified true copy is a copy.
var functions = map[DocumentStatus]Function{
	"":                 FunctionOriginal,
	StatusOriginal:     FunctionOriginal,
	StatusReplacement:  FunctionReplacement,
	StatusReissue:      FunctionReissue,
	StatusTrueCopy:     FunctionCopy,
	StatusCancellation: FunctionCancellation,
}

// Function is the UNCL 1225 code of a document with this status, "" for one that is unknown.
func (s DocumentStatus) Function() Function { return functions[s] }

// Cancellation gives the document that cancels c: the certificate once more, with the status and the relation that say so, and
// the reason among the remarks of who certified it. UBL has no other document for it (UBL 2.1: a CertificateOfOrigin whose
// ApplicationStatusCode is another).
func Cancellation(c Certificate, reason string) Certificate {
	c.Status = StatusCancellation
	c.Related = append(c.Related[:len(c.Related):len(c.Related)], RelatedCertificate{
		Relation: RelationCancels, Reference: c.Reference, Date: c.IssuedAt, Country: c.IssuingCountry, Body: c.IssuingBody.Name,
	})
	if c.Flags[FlagCertifiedTrueCopy] { // The indicator stands for a status that this document does not have.
		c.Flags = maps.Clone(c.Flags)
		c.Flags[FlagCertifiedTrueCopy] = false
	}
	if c.Certification.Remarks != "" && reason != "" {
		reason = c.Certification.Remarks + "\n" + reason
	}
	if reason != "" {
		c.Certification.Remarks = reason
	}
	return c
}
