// Package api is the users' door: a REST interface over HTTP for the people and systems on a node's own side (issuers,
// brokers, officers, operators), and the client that the command line uses.
//
// It knows who may see what and how things look as JSON. It decides nothing about certificates or messages: submitting
// is exchange's, keeping is the store's. Partners never come here; they have a listener of their own.
//
// Read api.go (routes), auth.go (who may do what), audit.go (what is recorded of it), problem.go (every error, for server and client alike), then
// certificates.go with submission.go, upload.go and file.go, lookup.go with batch.go, watches.go, notreceived.go and report.go, business.go, rendition.go, messages.go with parts.go, partners.go, registry.go with
// proposals.go, credentials.go, rotation.go, announcements.go, issuers.go, and client.go. pace.go bounds how long large bodies may take.
//
//	method and path                          roles                       answer
//	POST /api/v1/certificates                issuer                      201 or 200, Submission, or TakenFile with ?partner=
//	GET  /api/v1/certificate-schema          all                         200, the JSON Schema of a certificate
//	GET  /api/v1/certificates/{reference}    issuer: exported ones;      200, Lookup
//	                                         officer, customs: imported;
//	                                         broker, importer: those that they
//	                                         may see;
//	                                         operator: all
//	GET  /api/v1/certificates/{reference}/pdf  the same             200, the certificate on its form as PDF
//	GET  /api/v1/certificates/{reference}/verification  the same    200, lookup.Report
//	GET  /api/v1/certificates                all but issuer              200, FoundPage
//	POST /api/v1/lookups                     all but issuer              200, BatchAnswers, or CSV
//	POST /api/v1/not-received                broker, importer, officer,  200, the signed statement
//	                                         customs
//	POST /api/v1/watches                     the same                    201, lookup.Watch
//	GET  /api/v1/watches                     the same                    200, WatchPage
//	DELETE /api/v1/watches/{id}              the same                    200, Removed
//	POST /api/v1/mandates                    importer, officer           201, lookup.Mandate
//	GET  /api/v1/mandates                    broker, importer, officer,  200, MandatePage
//	                                         operator
//	DELETE /api/v1/mandates/{id}             importer, officer           200, lookup.Mandate
//	GET  /api/v1/documents/{seq}             the same                    200, the signed UBL document as stored
//	GET  /api/v1/messages                    officer, operator           200, MessagePage
//	GET  /api/v1/messages/{id}               officer, operator           200, exchange.Message
//	GET  /api/v1/messages/{id}/raw           officer, operator           200, the bytes as they travelled
//	GET  /api/v1/messages/{id}/parts         officer, operator           200, list of exchange.Part
//	GET  /api/v1/messages/{id}/parts/{n}     officer, operator           200, the octets of one payload
//	GET  /api/v1/partners                    officer, operator           200, list of exchange.PartnerStatus
//	GET  /api/v1/revocation                  officer, operator           200, list of revocation.SourceStatus
//	GET  /api/v1/credentials                 officer, operator           200, list of exchange.HeldCredential
//	GET  /api/v1/credentials/{sha256}/affected  officer, operator        200, AffectedPage
//	POST /api/v1/partners/{id}/credentials/check  operator               200, CredentialCheck
//	GET  /api/v1/registry/{kind}             officer, operator           200, list of partners.Entry without texts
//	GET  /api/v1/registry/{kind}/{id}        officer, operator           200, partners.Entry
//	GET  /api/v1/registry/{kind}/{id}/versions  officer, operator        200, list of partners.Entry without texts
//	GET  /api/v1/registry/{kind}/{id}/diff   officer, operator           200, RegistryDiff
//	PUT  /api/v1/registry/{kind}/{id}        operator                    200, RegistryChange
//	DELETE /api/v1/registry/{kind}/{id}      operator                    200, RegistryChange
//	POST /api/v1/registry/{kind}/{id}/restore  operator                  200, RegistryChange
//	POST /api/v1/partners/{id}/credentials/{step}  operator              200, CredentialChange
//	POST /api/v1/node/keys/{step}            operator                    200, CredentialChange
//	GET  /api/v1/node/keys                   officer, operator           200, list of CredentialState
//	GET  /api/v1/partners/{id}/issuers       officer, operator           200, issuerlist.Issuers
//	POST /api/v1/partners/{id}/issuer-list   operator                    200, TakenIssuerList
//	GET  /api/v1/issuer-list                 operator                    200, issuerlist.Issued
//	GET  /api/v1/proposals                   officer, operator           200, list of ProposedChange
//	POST /api/v1/proposals/{n}/confirm       operator                    200, RegistryChange
//	POST /api/v1/proposals/{n}/reject        operator                    200, ProposedChange
//	POST /api/v1/partners/{id}/pause         operator                    200, exchange.PartnerStatus
//	POST /api/v1/partners/{id}/resume        operator                    200, exchange.PartnerStatus
//	POST /api/v1/partners/{id}/ping          operator                    200, exchange.Ping
//	POST /api/v1/partners/{id}/message-status  officer, operator         200, exchange.MessageStatus
//	POST /api/v1/partners/{id}/announcements  operator                   201, exchange.Announced
//	POST /api/v1/partners/{id}/announced     operator                    200, exchange.Taken
//	GET  /api/v1/announcement                operator                    200, our announcement as CMS
//	GET  /api/v1/trials                      officer, operator           200, list of exchange.Trial
//	POST /api/v1/cancellations               issuer                      201, list of Sent
//	POST /api/v1/retransmissions             issuer                      201, Sent
//	POST /api/v1/customs-responses           officer                     201, Sent
//	POST /api/v1/verification-requests       officer                     201, Sent
//	POST /api/v1/verification-replies        issuer, officer             201, Sent
//	GET  /api/v1/holds                       officer, operator           200, list of Held
//	POST /api/v1/releases                    officer, operator           200, Held
//	GET  /api/v1/verifications               issuer, officer, operator   200, list of OpenVerification
//	POST /api/v1/certificate-status          issuer, officer, operator   200, exchange.CertificateStatus
//	GET  /healthz, /readyz                   anyone                      200 or 503
//
// {reference} is everything after "certificates/": it may hold slashes, plain or percent-encoded. That is why documents
// have a path of their own, and why a reference that ends in "/pdf" is written with %2F. {id} of a message is a record's number or a percent-encoded MessageId, {n} counts from 1.
// {kind} of the registry is partners or agreements. {step} is stage, activate, retire, roll-back or distrust. A change of the registry, and a
// step, answers 202 when it waits for a second operator.
package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/clearance/lookup"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/paper"
	"github.com/ecogate/ecogate/partners/revocation"
)

// Submitter takes a certificate for delivery; *exchange.Node is one.
type Submitter interface {
	Submit(ctx context.Context, actor, partner string, c eco.Certificate, attachments ...exchange.Attachment) (exchange.Submission, error)
}

// Operator is what officers and operators ask of a node apart from its store; *exchange.Node is one. What it does to partners, and
// what it asks them, it audits itself.
type Operator interface {
	Partners(ctx context.Context) ([]exchange.PartnerStatus, error)
	Pause(ctx context.Context, actor, partner, why string) error
	Resume(ctx context.Context, actor, partner string) error
	Ping(ctx context.Context, actor, partner, cpaID string) (exchange.Ping, error)
	AskStatus(ctx context.Context, actor, partner, messageID string) (exchange.MessageStatus, error)
	Parts(ctx context.Context, m exchange.Message) (*exchange.Parts, error)
}

// Reader is what the API reads of an exchange.Store.
type Reader interface {
	Messages(ctx context.Context, query exchange.MessageQuery) ([]exchange.Message, error)
	Certificates(ctx context.Context, query exchange.CertificateQuery) ([]exchange.Certificate, error)
	Raw(ctx context.Context, ref exchange.RawRef) (exchange.Content, error)
}

// Auditor keeps audit entries: when Record returns nil they are durable.
type Auditor interface {
	Record(ctx context.Context, entries []exchange.AuditEntry) error
}

// Options are the API's collaborators and limits. Node, Operator, Dealer, Store, Audit and Now are required.
type Options struct {
	Node     Submitter
	Operator Operator
	Dealer   Dealer
	// Announcer is asked about the change of credentials; nil has no paths for it.
	Announcer Announcer
	// Registry is where partners and agreements are changed; without one there are no such paths.
	Registry Registry
	// Proposals are what waits for a second operator there; nil for nothing.
	Proposals Proposals
	// Issuers takes partners' lists of issuers; without one there are no such paths.
	Issuers IssuerDesk
	// Rotator is where credentials are replaced; without one there are no such paths.
	Rotator Rotator
	Store   Reader
	// Audit gets an entry before partner data are answered, and one for each refusal of an authenticated user. What it
	// does not take is not answered. Accepted submissions are audited by Node.
	Audit Auditor
	// Forms are those that submitted files may name, at each moment; nil for those of the program.
	Forms func() eco.Forms
	// Keys are who may come in, at each moment. Nil lets nobody in: only health answers.
	Keys *KeySet
	// Now is the clock.
	Now func() time.Time
	// Log gets one line per request (at debug level for health), and one in the group "audit" per submission, refusal and read of partner data, with
	// who did it. Nil discards.
	Log *slog.Logger
	// Ready says whether the node can do its work; nil asks the store.
	Ready func(context.Context) error
	// Paper gives the forms, fonts and address template of a rendition that is asked for now; the rest follows from the certificate's
	// record and its reader. Nil for the program's forms and the built-in font.
	Paper func() paper.Options
	// TestPartner tells partners that are in partners.ModeTest now: renditions of what comes from or goes to one say so, as do those of what
	// was exchanged with one that was. Nil for none.
	TestPartner func(partner string) bool
	// Revocation tells where revocations are learned from; nil for nowhere.
	Revocation func() []revocation.SourceStatus
	// Lookups says who may see which received certificates, and keeps mandates and watches. Without a desk brokers and importers find nothing, and
	// the paths of these are left out.
	Lookups *lookup.Desk
	// CredentialOf tells of a partner's credential with a fingerprint in verification reports; nil tells nothing but the fingerprint.
	CredentialOf func(partner, sha256 string) lookup.Credential
	// MaxLines bounds the lines of one request for many look-ups, at each moment; nil means DefaultMaxLines.
	MaxLines func() int
	// Examiner answers what is asked about credentials. Nil leaves out those paths, and what is known of signers that were revoked.
	Examiner Examiner
	// MaxBody bounds a request's body in bytes; 0 means DefaultMaxBody. MaxAttachments is by how much a submission with attachments
	// may be larger; 0 means DefaultMaxAttachments.
	MaxBody, MaxAttachments int64
	// SpillDir is the folder for attachments on their way, in files that are unlinked as soon as they are open; "" means os.TempDir.
	SpillDir string
	// Timeout bounds the work for one request; 0 means DefaultTimeout.
	Timeout time.Duration
	// MinRate is the rate in bytes per second below which a large body counts as hanging: what has n bytes may take n/MinRate beside
	// Timeout. 0 means DefaultMinRate.
	MinRate int64
}

// Defaults of Options.
const (
	DefaultMaxBody        = 4 << 20
	DefaultMaxAttachments = 100 << 20
	DefaultTimeout        = 30 * time.Second
	DefaultMinRate        = 64 << 10
)

// base is the path under which this version of the API lives.
const base = "/api/v1"

type server struct {
	Options
}

// New returns the handler of the users' listener. Keys may be replaced while it serves.
func New(o Options) (http.Handler, error) {
	if o.Node == nil || o.Operator == nil || o.Dealer == nil || o.Store == nil || o.Audit == nil || o.Now == nil {
		return nil, errors.New("api: Options.Node, Operator, Dealer, Store, Audit and Now are required")
	}
	s := &server{Options: o.withDefaults()}
	e := s.echo()
	e.Use(s.authenticate)
	e.POST(base+"/certificates", s.submit, s.allow(RoleIssuer))
	e.GET(base+"/certificate-schema", s.schema)
	find := s.allow(RoleIssuer, RoleBroker, RoleImporter, RoleOfficer, RoleOperator, RoleCustoms)
	e.GET(base+"/certificates/*", s.certificate, find)
	e.GET(base+"/documents/:seq", s.document, find)
	issue, decide := s.allow(RoleIssuer), s.allow(RoleOfficer)
	e.POST(base+"/cancellations", s.cancel, issue)
	e.POST(base+"/retransmissions", s.resend, issue)
	e.POST(base+"/customs-responses", s.respond, decide)
	e.POST(base+"/verification-requests", s.requestVerification, decide)
	e.POST(base+"/verification-replies", s.replyVerification, s.allow(RoleIssuer, RoleOfficer))
	e.GET(base+"/verifications", s.verifications, s.allow(RoleIssuer, RoleOfficer, RoleOperator))
	e.POST(base+"/certificate-status", s.askCertificate, s.allow(RoleIssuer, RoleOfficer, RoleOperator))
	watch := s.allow(RoleOfficer, RoleOperator)
	e.GET(base+"/messages", s.messages, watch)
	e.GET(base+"/messages/:id", s.message, watch)
	e.GET(base+"/messages/:id/raw", s.rawMessage, watch)
	e.GET(base+"/messages/:id/parts", s.parts, watch)
	e.GET(base+"/messages/:id/parts/:n", s.part, watch)
	e.GET(base+"/partners", s.partners, watch)
	e.GET(base+"/revocation", s.revocation, watch)
	e.POST(base+"/partners/:id/message-status", s.messageStatus, watch)
	operate := s.allow(RoleOperator)
	if s.Examiner != nil {
		e.GET(base+"/credentials", s.credentials, watch)
		e.GET(base+"/credentials/:sha256/affected", s.affected, watch)
		e.POST(base+"/partners/:id/credentials/check", s.checkCredential, operate)
	}
	e.POST(base+"/partners/:id/pause", s.pause, operate)
	e.GET(base+"/partners/:id/issuers", s.issuers, watch)
	e.POST(base+"/partners/:id/issuer-list", s.takeIssuers, operate)
	e.GET(base+"/issuer-list", s.issueList, operate)
	e.GET(base+"/holds", s.holds, watch)
	e.POST(base+"/releases", s.release, watch)
	e.POST(base+"/partners/:id/resume", s.resume, operate)
	e.POST(base+"/partners/:id/ping", s.ping, operate)
	if s.Announcer != nil {
		e.POST(base+"/partners/:id/announcements", s.announce, operate)
		e.POST(base+"/partners/:id/announced", s.takeAnnouncement, operate)
		e.GET(base+"/announcement", s.announcementFile, operate)
		e.GET(base+"/trials", s.trials, watch)
	}
	s.routeRegistry(e)
	s.routeRotation(e)
	s.routeLookups(e)
	return e, nil
}

// AdminHandler returns the handler of the administration listener: health, without keys, because that listener is bound
// to loopback or to a network of its own. Of the options it needs Now, and Store or Ready.
func AdminHandler(o Options) http.Handler {
	s := &server{Options: o.withDefaults()}
	return s.echo()
}

// echo returns a router with the health routes and everything that holds for all requests.
func (s *server) echo() *echo.Echo {
	e := echo.New()
	e.HTTPErrorHandler = s.writeProblem
	e.Use(s.envelope, s.rescue)
	e.GET(pathLive, s.live)
	e.GET(pathReady, s.ready)
	return e
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Keys == nil {
		o.Keys = new(KeySet)
		o.Keys.current.Store(new([]digestedKey))
	}
	if o.Forms == nil {
		o.Forms = eco.DefaultForms
	}
	if o.MaxBody == 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.MaxAttachments == 0 {
		o.MaxAttachments = DefaultMaxAttachments
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.MinRate == 0 {
		o.MinRate = DefaultMinRate
	}
	if o.MaxLines == nil {
		o.MaxLines = func() int { return DefaultMaxLines }
	}
	if o.Ready == nil {
		o.Ready = storeAnswers(o.Store)
	}
	return o
}
