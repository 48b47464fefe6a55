package exchange

import (
	"context"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
	"github.com/ecogate/ecogate/ubl"
)

// Rehearsal asks what a credential that a partner is about to use would do: whether it verifies messages that came.
type Rehearsal struct {
	Partner string
	// Use is UseMessageSignature or UseDocumentSignature.
	Use      partners.Use
	X509Cert *x509.Certificate
	// Last is how many of the partner's newest stored messages are tried, of those that have such a signature; at most MaxRehearsal.
	Last int
}

// MaxRehearsal bounds Rehearsal.Last. maxRehearsalLooked bounds how many messages are looked at to find so many that are signed.
const (
	MaxRehearsal       = 1000
	maxRehearsalLooked = 20_000
)

// Who verified a message in a rehearsal.
const (
	ByCandidate = "candidate" // the credential that is tried
	ByOther     = "other"     // one that counts as of receipt
	ByNone      = "none"
)

// Rehearsed is what a rehearsal found of one message.
type Rehearsed struct {
	Seq       uint64 `json:"seq"`
	MessageID string `json:"message_id"`
	Kind      Kind   `json:"kind"`
	State     State  `json:"state"`
	// Received is the instant of receipt, and InWindow whether the candidate was valid then.
	Received    time.Time      `json:"received"`
	InWindow    bool           `json:"in_window"`
	Certificate CertificateKey `json:"certificate,omitzero"`
	// By is one of the constants, SHA256 the fingerprint of the credential, and Why what kept every one from verifying it.
	By     string `json:"by"`
	SHA256 string `json:"sha256,omitempty"`
	Why    string `json:"why,omitempty"`
}

// Rehearse verifies the partner's newest messages again, from the bytes as they came, newest first: with the candidate, and if that does not
// verify them, with those that count as of receipt. What the agreement allows in signatures is judged as of receipt too. It changes
// nothing. Messages of which the bytes are gone are passed over. The error is partners.ErrUnknownPartner, or that of the store.
func (n *Node) Rehearse(ctx context.Context, t Rehearsal) ([]Rehearsed, error) {
	if _, known := n.registry.Partner(t.Partner); !known {
		return nil, fmt.Errorf("%w: %q", partners.ErrUnknownPartner, t.Partner)
	}
	out := []Rehearsed{}
	q := MessageQuery{Partner: t.Partner, Direction: Inbound, Limit: 100}
	for looked := 0; looked < maxRehearsalLooked; looked += q.Limit {
		page, err := n.store.Messages(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("messages of %s: %w", t.Partner, err)
		}
		for _, m := range page {
			if len(out) >= min(t.Last, MaxRehearsal) {
				return out, nil
			}
			tried, is, err := n.rehearse(ctx, t, m)
			if err != nil {
				return nil, err
			}
			if is {
				out = append(out, tried)
			}
		}
		if len(page) < q.Limit {
			break
		}
		q.Before = page[len(page)-1].Seq
	}
	return out, nil
}

// rehearse tries one message; is says whether it has a signature that the rehearsal is about.
func (n *Node) rehearse(ctx context.Context, t Rehearsal, m Message) (tried Rehearsed, is bool, err error) {
	tried = Rehearsed{
		Seq: m.Seq, MessageID: m.MessageID, Kind: m.Kind, State: m.State, Received: m.Created, Certificate: m.Certificate, By: ByNone,
		InWindow: !m.Created.Before(t.X509Cert.NotBefore) && m.Created.Before(t.X509Cert.NotAfter),
	}
	raw, err := n.store.Raw(ctx, m.Raw)
	if errors.Is(err, ErrNotFound) {
		return tried, false, nil
	}
	if err != nil {
		return tried, false, fmt.Errorf("stored message %d: %w", m.Seq, err)
	}
	defer n.computing()()
	r := &reception{registry: n.registry.Snapshot(), request: ebms.Request{ContentType: m.ContentType, Body: raw, Received: m.Created}}
	defer r.close()
	if n.open(r) != nil || n.findAgreement(r) != nil {
		return tried, false, nil // it says so itself, in its record
	}
	verify, is := n.messageRehearsal(r), r.header.Signed
	if t.Use == partners.UseDocumentSignature {
		verify, is = n.documentRehearsal(r)
	}
	if !is {
		return tried, false, nil
	}
	signer, err := verify([]*x509.Certificate{t.X509Cert})
	if err == nil {
		tried.By = ByCandidate
	} else if signer, err = verify(n.candidates(r, t.Use)); err == nil {
		tried.By = ByOther
	}
	if err != nil {
		tried.Why = shortened(n.withheld(r, t.Use, err).Error())
		return tried, true, nil
	}
	tried.SHA256 = signing.Fingerprint(signer)
	return tried, true, nil
}

// verification verifies one signature with candidates and says who signed.
type verification func(candidates []*x509.Certificate) (*x509.Certificate, error)

func (n *Node) messageRehearsal(r *reception) verification {
	parts := SignedParts(r.header.Manifest, r.pkg)
	return func(candidates []*x509.Certificate) (*x509.Certificate, error) {
		verified, err := signing.VerifyMessage(r.pkg.Envelope, parts, candidates, r.agreement.SignaturePolicy(r.request.Received))
		if err != nil {
			return nil, err
		}
		return verified.Signer, nil
	}
}

// documentRehearsal is for the document of a message that an issuing body signs; false for other messages.
func (n *Node) documentRehearsal(r *reception) (verification, bool) {
	path, signed := bodySignature(r.record.Kind)
	if !signed {
		return nil, false
	}
	_ = n.verify(r) // documents are read as its signature has them; without it, as they came
	part, err := r.document()
	if err != nil {
		return nil, false
	}
	document, err := readDocument(part, "")
	if err != nil {
		return nil, false
	}
	return func(candidates []*x509.Certificate) (*x509.Certificate, error) {
		verified, err := signing.VerifyDocument(document, path, candidates, n.documentPolicy(r))
		if err != nil {
			return nil, err
		}
		return verified.Signer, nil
	}, true
}

// bodySignature is where the signature of an issuing body stands in the document of a message of this kind, if there is one.
func bodySignature(kind Kind) ([]xml.Name, bool) {
	switch kind {
	case KindCertificate, KindCancellation:
		return ubl.SignaturePath(), true
	}
	m, known := matterOf(kind)
	return m.document.SignaturePath(), known && m.byBody
}
