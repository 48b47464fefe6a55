// Package api is the users' door: a REST interface over HTTP for the people and systems on a node's own side (issuers,
// brokers, officers, operators), and the client that the command line uses.
//
// It knows who may see what and how things look as JSON. It decides nothing about certificates or messages: submitting
// is exchange's, keeping is the store's. Partners never come here; they have a listener of their own.
//
// Read api.go, route.go (what a path is; the table itself stands in pieces beside the handlers, and routes in openapi.go joins them), openapi.go and schema.go
// (the OpenAPI document that is made of the table), auth.go (who may do what), audit.go (what is recorded of it), problem.go (every error, for server and client alike), then
// certificates.go with submission.go, upload.go and file.go, business.go, rendition.go, messages.go with parts.go, partners.go, registry.go with
// proposals.go, credentials.go, rotation.go, announcements.go, issuers.go, and client.go. pace.go bounds how long large bodies may take.
//
// {reference} is everything after "certificates/": it may hold slashes, plain or percent-encoded. That is why documents
// have a path of their own, and why a reference that ends in "/pdf" is written with %2F. A change of the registry, and a step of a
// rotation, answers 202 when it waits for a second operator.
package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	// Settler settles conflicts; without one there is no path for it.
	Settler Settler
	// Happenings is the audit log, to tell of refusals from; without it there is no path for them.
	Happenings Happenings
	// Announcer is asked about the change of credentials; nil has no paths for it.
	Announcer Announcer
	// Notices tell people what happened; without them there are no such paths.
	Notices Notices
	// Registry is where partners and agreements are changed; without one there are no such paths.
	Registry Registry
	// Proposals are what waits for a second operator there; nil for nothing.
	Proposals Proposals
	// Issuers takes partners' lists of issuers; without one there are no such paths.
	Issuers IssuerDesk
	// Declarations takes import declarations, Decisions what officers decide about them, Duties lists what must be done and until when;
	// without the first there are no paths for the first two, without the last none for duties.
	Declarations Declarations
	Decisions    Decisions
	Duties       Duties
	// Rotator is where credentials are replaced; without one there are no such paths.
	Rotator Rotator
	// Handovers are what the customs system is given; without them there are no such paths.
	Handovers Handovers
	Store     Reader
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
	// described is the document of OpenAPI, and describedTag its SHA-256.
	described    []byte
	describedTag string
}

// New returns the handler of the users' listener. Keys may be replaced while it serves.
func New(o Options) (http.Handler, error) {
	if o.Node == nil || o.Operator == nil || o.Dealer == nil || o.Store == nil || o.Audit == nil || o.Now == nil {
		return nil, errors.New("api: Options.Node, Operator, Dealer, Store, Audit and Now are required")
	}
	text, err := OpenAPI()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	s := &server{Options: o.withDefaults(), described: text, describedTag: hex.EncodeToString(sum[:])}
	e := s.echo()
	e.Use(s.authenticate)
	s.mount(e, s.routes())
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
	s.mount(e, s.healthRoutes())
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
