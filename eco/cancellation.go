package eco

import "maps"

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
