// Package partners knows the other administrations: who they are, what was agreed with them, which credentials count for
// what and when, and which issuing bodies may certify which forms. It knows this node's own keys for the same reason.
//
// Every question about trust goes through one function, data.counting, a pure function of what is configured and an
// instant: messages, acknowledgments, documents, TLS in both directions, our own keys, and stored messages that are
// verified again as of their receipt. The package takes no clock but for the time of an edit; who asks says when.
//
// It leaves signatures to package signing, and what a refusal means to a partner to package exchange.
//
// Read this file (the words), config.go and check.go (what may be configured), load.go (files to data), credential.go
// (which credential counts when), life.go, stage.go and rotate.go (the steps of a rotation), state.go, registry.go (the
// questions), agreement.go (which agreement applies), tls.go, trust.go and address.go (revocation, and which addresses may be
// dialled). Then entry.go, directory.go and edit.go: partners and agreements that are changed while the node runs, in versions that a
// store keeps.
package partners

import (
	"crypto/x509"
	"errors"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners/revocation"
	"github.com/ecogate/ecogate/signing"
)

// Use is what a credential may do.
type Use string

// The uses.
const (
	// UseMessageSignature signs ebMS messages and acknowledgments.
	UseMessageSignature Use = "message-signature"
	// UseDocumentSignature signs documents in the name of an issuing body.
	UseDocumentSignature Use = "document-signature"
	// UseTLSServer and UseTLSClient are the two ends of a connection between nodes.
	UseTLSServer Use = "tls-server"
	UseTLSClient Use = "tls-client"
	// UseEncryption has what goes to its owner encrypted for it. Of several that count the first is used, so that one that is
	// retiring gets nothing new.
	UseEncryption Use = "encryption"
	// UseTimeStamp signs the time-stamps (RFC 3161) in a partner's documents. It is an authority's, which several partners may use.
	UseTimeStamp Use = "time-stamp"
)

// Uses lists every use.
func Uses() []Use {
	return []Use{UseMessageSignature, UseDocumentSignature, UseTLSServer, UseTLSClient, UseEncryption, UseTimeStamp}
}

// Credential is an X.509 certificate together with what it is trusted for.
type Credential struct {
	// X509Cert is shared between callers, who do not change it.
	X509Cert *x509.Certificate
	Use      Use
	// Partner is whose it is; "" for the node's own.
	Partner string
	// Issuer is the id of the issuing body it signs documents for; "" for other uses.
	Issuer string
	// From and Until bound when it may count: [max(NotBefore, configured from), min(NotAfter, configured until and retire_at)).
	// Within them its chain must hold too.
	From, Until time.Time
	// Activate is ActivateByHand or ActivateAtFirstUse while it is staged, whatever its window.
	Activate string
	// ReplacedBy is the fingerprint of the credential that took its place; "" for none.
	ReplacedBy string
	// Distrusted is since when it is not believed any more, by an operator's word; zero is never. Where it is set in an answer about
	// an instant before, what was verified then may have to be looked at again.
	Distrusted time.Time
	// Revoked is set when its issuer, or one above, withdrew it after the instant that was asked about.
	Revoked *revocation.Revocation
}

// SHA256 is the fingerprint of the credential, by which steps name it: the digest of its DER in hexadecimal.
func (c Credential) SHA256() string { return signing.Fingerprint(c.X509Cert) }

// PartyID is eb:PartyId (ebMS 2.0 §3.1.1.1): without a Type the Value is a URI.
type PartyID struct {
	Type  string `yaml:"type"`
	Value string `yaml:"value"`
}

// Service is eb:Service (ebMS 2.0 §3.1.4): without a Type the Value is a URI.
type Service struct {
	Type  string `yaml:"type"`
	Value string `yaml:"value"`
}

// Self is this node.
type Self struct {
	ID, Name, Country string
	PartyIDs          []PartyID
	Role              string
	Issuers           []Issuer
}

// Partner is another administration's node, or a hub.
type Partner struct {
	ID, Name, Country string
	PartyIDs          []PartyID
	Role              string
	Issuers           []Issuer
	Mode              Mode
	// Contacts and Capabilities are for people.
	Contacts     []Contact
	Capabilities []string
	// Concurrency caps concurrent deliveries to this partner; 0 leaves the cap that holds for every partner.
	Concurrency int
	// TimeStampAnchors are the credentials or CAs of time-stamp authorities that count in the partner's documents; without
	// any, time-stamps are not verified.
	TimeStampAnchors []*x509.Certificate
}

// Issuer is an issuing body and the forms that it may issue in [From, Until); a zero bound does not restrict.
type Issuer struct {
	ID, Name, Country string
	Forms             []eco.FormCode
	From, Until       time.Time
}

// IssuerQuery asks who may have signed a certificate of form Form, issued by Body under the authority of Country.
type IssuerQuery struct {
	Country, Body string
	Form          eco.FormCode
}

// Errors that callers branch on.
var (
	// ErrUnknownPartner: no partner has this id.
	ErrUnknownPartner = errors.New("unknown partner")
	// ErrNoAgreement: no agreement with the partner covers the form.
	ErrNoAgreement = errors.New("no agreement covers this form")
	// ErrNoAnnouncement: no agreement with the partner has announcements of credentials.
	ErrNoAnnouncement = errors.New("no agreement has announcements of credentials; a file may take their place")
	// ErrUnknownCPA: no agreement has this CPAId.
	ErrUnknownCPA = errors.New("unknown CPAId")
	// ErrPartyMismatch: From or To is not a party of the agreement.
	ErrPartyMismatch = errors.New("parties are not those of the agreement")
	// ErrUnknownService: the agreement does not have this service and action.
	ErrUnknownService = errors.New("service and action are not part of the agreement")
	// ErrOutsideValidity: the agreement has not begun or has ended.
	ErrOutsideValidity = errors.New("agreement is not in force")
	// ErrUnknownBody: the issuing body is not on the list.
	ErrUnknownBody = errors.New("issuing body is not on the list of authorised issuers")
	// ErrFormNotAuthorised: the issuing body is on the list, without this form.
	ErrFormNotAuthorised = errors.New("issuing body may not issue this form")
	// ErrOutsideAuthorisation: the issuing body may issue the form at other times.
	ErrOutsideAuthorisation = errors.New("issuing body may not issue this form at this time")
	// ErrNoKey: no own key counts for the use at that instant.
	ErrNoKey = errors.New("no key of this node counts")
)
