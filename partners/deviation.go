package partners

import "slices"

// deviations are the names that AgreementConfig.Tolerate may list.
var deviations = []string{
	// multipart/related without the parameter start (ebMS 2.0 §2.1.2): the first part is the envelope.
	"no-start",
	// start=root@host where start="<root@host>" is meant.
	"start-without-brackets",
	// multipart/related without type="text/xml" (ebMS 2.0 §2.1.2).
	"type-parameter-missing",
	// Parts in base64 or quoted-printable, which HTTP does not need (ebMS 2.0 appendix B.2.2).
	"transfer-encoding",
	// Content-ID: part@host where <part@host> is meant.
	"content-id-without-brackets",
	// A SOAPAction that is not "ebXML" in double quotes, or none (ebMS 2.0 appendix B.2.2).
	"soap-action",
	// From or To without the agreed Role (ebMS 2.0 §3.1.1.2).
	"no-role",
	// Timestamp or TimeToLive without zone, taken for UTC (ebMS 2.0 §3.1.6.2 and §3.1.6.4).
	"time-without-zone",
	// soap:mustUnderstand on an element of the body, such as Manifest (ebMS 2.0 §2.3.9 has it in the header).
	"must-understand-in-body",
	// DuplicateElimination on an acknowledgment or error (ebMS 2.0 §3.1.7).
	"duplicate-elimination-on-signal",
	// A MessageId that is no RFC 2822 msg-id (ebMS 2.0 §3.1.6.1).
	"message-id-form",
}

// Deviations lists the names of everything in which a partner's messages may differ from the specification and be taken all the
// same, if the agreement tolerates it.
func Deviations() []string { return slices.Clone(deviations) }

// Tolerates reports whether messages of the partner may have the deviation name, one of Deviations.
func (a Agreement) Tolerates(name string) bool { return slices.Contains(a.Tolerate, name) }
