package exchange

import (
	"context"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/ubl"
)

// matter is one kind of business message about a certificate that is not the certificate itself or the answer to it.
type matter struct {
	kind Kind
	// action is its eb:Action under an agreement; "" if it is not agreed.
	action func(a *partners.Actions) string
	// document is the kind of its document. What an issuing body says is signed by that body, everything else by the node.
	document ubl.Document
	byBody   bool
	// event is what the audit log calls it, on either side.
	event string
	// read reads its document and holds it to the rules of its message.
	read func(octets []byte, forms eco.Forms) (said, []eco.Finding, error)
	// judge decides what it does: an error of package ebms refuses it.
	judge func(n *Node, ctx context.Context, r *reception, s said) (verdict, error)
}

// said is what a business message says.
type said struct {
	statement eco.Statement
	business  Business
	location  string // of the document, for errors
}

// verdict is what a business message brings about.
type verdict struct {
	changes []Change
	audit   []AuditEntry // beside the one about the message
	// reply answers it, in the place of an acknowledgment; nil for none.
	reply *Departure
}

// matters are all of them.
func matters() []matter {
	return []matter{
		{
			kind: KindResponse, action: func(a *partners.Actions) string { return a.Response },
			document: ubl.DocumentResponse, event: "certificate.responded",
			read: reading(ubl.UnmarshalCustomsResponse, eco.ValidateCustomsResponse, func(r *eco.CustomsResponse) said {
				return said{statement: r.Statement, business: Business{Response: r}}
			}),
			judge: (*Node).judgeResponse,
		},
		{
			kind: KindCertificateRequest, action: func(a *partners.Actions) string { return a.StatusRequest },
			document: ubl.DocumentStatusRequest, event: "certificate.asked",
			read: reading(ubl.UnmarshalStatusRequest, eco.ValidateStatusRequest, func(r *eco.StatusRequest) said {
				return said{statement: r.Statement, business: Business{StatusRequest: r}}
			}),
			judge: (*Node).judgeStatusRequest,
		},
		{
			kind: KindCertificateReport, action: func(a *partners.Actions) string { return a.StatusReport },
			document: ubl.DocumentStatusReport, event: "certificate.reported",
			read: reading(ubl.UnmarshalStatusReport, eco.ValidateStatusReport, func(r *eco.StatusReport) said {
				return said{statement: r.Statement, business: Business{StatusReport: r}}
			}),
			judge: (*Node).judgeStatusReport,
		},
		{
			kind: KindVerificationRequest, action: func(a *partners.Actions) string { return a.VerificationRequest },
			document: ubl.DocumentVerificationRequest, event: "verification.requested",
			read: reading(ubl.UnmarshalVerificationRequest, eco.ValidateVerificationRequest, func(r *eco.VerificationRequest) said {
				return said{statement: r.Statement, business: Business{VerificationRequest: r}}
			}),
			judge: (*Node).judgeVerificationRequest,
		},
		{
			kind: KindVerificationReply, action: func(a *partners.Actions) string { return a.VerificationReply },
			document: ubl.DocumentVerificationReply, byBody: true, event: "verification.replied",
			read: reading(ubl.UnmarshalVerificationReply, eco.ValidateVerificationReply, func(r *eco.VerificationReply) said {
				return said{statement: r.Statement, business: Business{VerificationReply: r}}
			}),
			judge: (*Node).judgeVerificationReply,
		},
	}
}

// reading joins the reading of a document with the rules of its message.
func reading[T any](unmarshal func([]byte, eco.Forms) (T, []eco.Finding, error), validate func(T, eco.Forms) []eco.Finding, say func(*T) said) func([]byte, eco.Forms) (said, []eco.Finding, error) {
	return func(octets []byte, forms eco.Forms) (said, []eco.Finding, error) {
		message, findings, err := unmarshal(octets, forms)
		if err != nil {
			return said{}, nil, err
		}
		return say(&message), append(findings, validate(message, forms)...), nil
	}
}

// matterOf finds a matter by its kind.
func matterOf(kind Kind) (matter, bool) {
	for _, m := range matters() {
		if m.kind == kind {
			return m, true
		}
	}
	return matter{}, false
}

// kindOfAction is the kind of a message with that action, which is one of the agreement's.
func kindOfAction(a *partners.Agreement, action string) Kind {
	switch action {
	case a.AnswerAction:
		return KindAnswer
	case a.Actions.Cancel:
		return KindCancellation
	case a.Actions.Announce:
		return KindAnnouncement
	case a.Actions.AnnounceAnswer:
		return KindAnnouncementAnswer
	}
	for _, m := range matters() {
		if m.action(&a.Actions) == action {
			return m.kind
		}
	}
	return KindCertificate // as such, or sent again
}

// keyOfID is the key of the certificate that a message is about.
func keyOfID(c eco.CertificateID) CertificateKey {
	return CertificateKey{Country: c.IssuingCountry, Form: c.Form, Reference: eco.NormaliseReference(c.Reference)}
}

// idOf identifies a certificate to a partner.
func idOf(c eco.Certificate) eco.CertificateID {
	return eco.CertificateID{IssuingCountry: c.IssuingCountry, Form: c.Form, Reference: c.Reference, IssuingBody: c.IssuingBody.ID}
}
