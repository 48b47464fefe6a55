package partners

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/signing"
)

// Config is what a Registry is built from: the sections node, partners and agreements of the configuration file. File
// names are opened as they stand; whoever decodes the file makes them absolute (their fields carry the tag `path`).
//
// Instants are UTC. A window that Config gives is half open, [from, until), and a zero bound does not restrict.
type Config struct {
	Node       NodeConfig        `yaml:"node"`
	Partners   []PartnerConfig   `yaml:"partners"`
	Agreements []AgreementConfig `yaml:"agreements"`
	// Forms are the forms that issuing bodies and agreements may name; the zero value holds those that come with the program.
	Forms eco.Forms
	// SecondOperator has a change of an entry by one operator wait as a Proposal until another confirms it.
	SecondOperator bool
	// Modules are the shared libraries of tokens that keys which are not in the file may name beside those that the file's keys name: whoever
	// changes keys of a running node is not to choose what is loaded into it.
	Modules []string
	// Rest judges another Config beside the rest of the file that this one stands in, whose limits it has to keep to; nil for no rest.
	// A Directory asks it of what it puts together.
	Rest func(Config) []Problem

	// tokens are those that are open where this Config is in force: who tries a change of it does not open them again, as a token has few
	// sessions. Nil opens each.
	tokens map[tokenName]*signing.Token
}

// NodeConfig is this administration's own node.
type NodeConfig struct {
	// ID names the node in logs and audit records.
	ID   string `yaml:"id"`
	Name string `yaml:"name"`
	// Country is the ISO 3166-1 alpha-2 code.
	Country string `yaml:"country"`
	// PartyIDs are what partners write into To and read in From.
	PartyIDs []PartyID `yaml:"party_ids"`
	// Role is eb:Role of this node where an agreement gives none.
	Role string `yaml:"role"`
	// Keys are the node's own keys for every use but document signatures.
	Keys []KeyConfig `yaml:"keys"`
	// Issuers are the bodies whose certificates this node sends out.
	Issuers []OwnIssuerConfig `yaml:"issuers"`
	// PrivateNetworks are the networks, as for ParseNetwork, whose addresses may be dialled although they are not public:
	// for messages, CRLs and OCSP.
	PrivateNetworks []string `yaml:"private_networks"`
}

// KeyConfig is a private key with its credential. The key lies in exactly one of KeyFile, PKCS12File and PKCS11. Keys for one
// use may overlap: the one whose window began last is used.
type KeyConfig struct {
	// Uses are what the key may do; an issuing body's key has UseDocumentSignature and needs none written.
	Uses []Use `yaml:"uses"`
	// KeyFile holds the private key in PEM. ChainFile holds its credential and intermediates for KeyFile and PKCS11, in any form
	// that signing.ReadCredentials reads.
	KeyFile   string `yaml:"key_file" path:"true"`
	ChainFile string `yaml:"chain_file" path:"true"`
	// PKCS12File holds the private key, its credential and intermediates.
	PKCS12File string `yaml:"pkcs12_file" path:"true"`
	// PassphraseFile holds, on its only line, the passphrase of KeyFile or PKCS12File, if it is encrypted.
	PassphraseFile string `yaml:"passphrase_file" path:"true"`
	// PKCS11 is the private key in a token.
	PKCS11 TokenKeyConfig `yaml:"pkcs11"`
	// From and Until narrow the credential's own validity.
	From  time.Time `yaml:"from"`
	Until time.Time `yaml:"until"`
	// Activate, RetireAt, ReplacedBy and Distrusted are as in CredentialConfig, but that a key does not wait for its first use.
	Activate   string    `yaml:"activate"`
	RetireAt   time.Time `yaml:"retire_at"`
	ReplacedBy string    `yaml:"replaced_by"`
	Distrusted time.Time `yaml:"distrusted"`
}

// TokenKeyConfig is a private key in a PKCS #11 token. The zero value is none.
type TokenKeyConfig struct {
	// Module is the shared library of the token's maker, TokenLabel the token's label, and
	// PINFile holds, on its only line, the PIN of its user.
	Module     string `yaml:"module" path:"true"`
	TokenLabel string `yaml:"token_label"`
	PINFile    string `yaml:"pin_file" path:"true"`
	// KeyLabel is CKA_LABEL of the private key, KeyID its CKA_ID in hexadecimal; at least one of them.
	KeyLabel string `yaml:"key_label"`
	KeyID    string `yaml:"key_id"`
}

// OwnIssuerConfig is an issuing body that this node signs documents for.
type OwnIssuerConfig struct {
	// ID is the value of eco.IssuingBody.ID.
	ID   string `yaml:"id"`
	Name string `yaml:"name"`
	// Country defaults to the node's.
	Country string `yaml:"country"`
	// Forms are the forms that the body may issue in [From, Until).
	Forms []eco.FormCode `yaml:"forms"`
	From  time.Time      `yaml:"from"`
	Until time.Time      `yaml:"until"`
	// Offices and Signatories are as those of IssuerConfig; what another office or person has signed is not sent.
	Offices     []Office    `yaml:"offices"`
	Signatories []Signatory `yaml:"signatories"`
	Keys        []KeyConfig `yaml:"keys"`
	// SignatureAlgorithm is the algorithm of the body's signatures, as AgreementConfig.SignatureAlgorithm.
	SignatureAlgorithm string `yaml:"signature_algorithm"`
	// XAdES is the form of the body's signatures: XAdESNone (default), XAdESBES or XAdEST, which needs TimeStamp.
	XAdES     string          `yaml:"xades"`
	TimeStamp TimeStampConfig `yaml:"timestamp"`
}

// PartnerConfig is another administration's node, or a hub that speaks for several.
type PartnerConfig struct {
	ID   string `yaml:"id"`
	Name string `yaml:"name"`
	// Country is the ISO 3166-1 alpha-2 code; a hub's issuing bodies state their own.
	Country  string    `yaml:"country"`
	PartyIDs []PartyID `yaml:"party_ids"`
	// Role is eb:Role of the partner where an agreement gives none.
	Role string `yaml:"role"`
	// AnchorFiles and Anchors, which are the text itself, hold the credentials that every credential of this partner must chain to: the
	// CAs of its PKI, or a pinned end credential itself. At least one is required, and none is shared with other partners by being here.
	AnchorFiles []string `yaml:"anchor_files" path:"true"`
	Anchors     []string `yaml:"anchors"`
	// IntermediateFiles and Intermediates hold further CAs that may stand between a credential and an anchor.
	IntermediateFiles []string           `yaml:"intermediate_files" path:"true"`
	Intermediates     []string           `yaml:"intermediates"`
	Credentials       []CredentialConfig `yaml:"credentials"`
	// Overlap is how long a credential of this partner that is replaced counts on, unless the step that replaces it says otherwise;
	// 0 for DefaultOverlap.
	Overlap time.Duration `yaml:"overlap"`
	// Announcements is AnnouncementsStage or AnnouncementsTell: what becomes of a credential that the partner announces, if nothing stands
	// against it. Empty is AnnouncementsStage, or with Config.SecondOperator AnnouncementsTell.
	Announcements string `yaml:"announcements"`
	// Announced is the number of the last announcement of the partner that was staged; older ones are refused.
	Announced int64 `yaml:"announced"`
	// TimeStampAnchorFiles and TimeStampAnchors hold the credentials, or the CAs, of the time-stamp authorities that the partner's
	// issuing bodies use. With any, a document with another time-stamp is refused; without, time-stamps are not verified.
	TimeStampAnchorFiles []string `yaml:"timestamp_anchor_files" path:"true"`
	TimeStampAnchors     []string `yaml:"timestamp_anchors"`
	// Issuers are the bodies whose certificates this partner may send.
	Issuers []IssuerConfig `yaml:"issuers"`
	// IssuerList is the partner's signed list that Issuers were taken from; zero if an operator wrote them.
	IssuerList IssuerListConfig `yaml:"issuer_list"`
	// Mode is what certificates that are exchanged with the partner are worth; default ModeLive.
	Mode Mode `yaml:"mode"`
	// Contacts are people to ask, Capabilities what the partner's system can do, in its administration's words. Both are for people.
	Contacts     []Contact `yaml:"contacts"`
	Capabilities []string  `yaml:"capabilities"`
	// Concurrency caps concurrent deliveries to this partner; 0 leaves the cap that holds for every partner.
	Concurrency int `yaml:"concurrency"`
	// Quirks are what the partner refuses although the forms' rules allow it.
	Quirks eco.Quirks `yaml:"quirks"`

	// Policies are the certificate policies (RFC 5280 §4.2.1.4) of which each credential must have one that holds along its
	// chain; empty for any. PermittedNames are the subjects that credentials may have: attributes and values, such as
	// "C=TW; O=Customs Administration", all of which must be there; empty for any.
	Policies       []string         `yaml:"policies"`
	PermittedNames []string         `yaml:"permitted_names"`
	Revocation     RevocationConfig `yaml:"revocation"`
}

// CredentialConfig is a credential of a partner. Several may count at the same time.
type CredentialConfig struct {
	// Uses are what the credential may do; an issuing body's has UseDocumentSignature and needs none written.
	Uses []Use `yaml:"uses"`
	// File holds the credential in PEM, DER, PKCS#7 or bare base64, with or without its intermediates. PEM is the text itself, PEM or
	// bare base64; a credential has one of the two.
	File string `yaml:"file" path:"true"`
	PEM  string `yaml:"pem"`
	// From and Until narrow the credential's own validity.
	From  time.Time `yaml:"from"`
	Until time.Time `yaml:"until"`
	// Activate is ActivateByHand or ActivateAtFirstUse for a credential that is staged: it does not count, whatever its
	// window. Empty, it counts in its window.
	Activate string `yaml:"activate"`
	// RetireAt is when a credential that was replaced, or is to go, stops to count; ReplacedBy the fingerprint of the one that
	// took its place.
	RetireAt   time.Time `yaml:"retire_at"`
	ReplacedBy string    `yaml:"replaced_by"`
	// Distrusted is the instant from which nothing is believed that was signed with this credential's key, however it is
	// certified, and whatever its window. Zero is never.
	Distrusted time.Time `yaml:"distrusted"`
	// Offices and Forms are those of the issuing body that the credential may sign for; empty for all of them, and for other uses.
	Offices []string       `yaml:"offices"`
	Forms   []eco.FormCode `yaml:"forms"`
}

// The values of Activate.
const (
	// ActivateByHand: until an operator activates it.
	ActivateByHand = "by-hand"
	// ActivateAtFirstUse: until an operator activates it, or a message of the partner comes that it verifies, within its window,
	// and that no credential which counts does. For message-signature and document-signature alone: the two ends of a connection
	// are told apart before there is a message, and several of their credentials may count at the same time.
	ActivateAtFirstUse = "first-use"
)

// The values of PartnerConfig.Announcements.
const (
	// AnnouncementsStage: it is staged and counts from the announced instant on.
	AnnouncementsStage = "stage"
	// AnnouncementsTell: an operator is told, and decides; with Config.SecondOperator about a Proposal.
	AnnouncementsTell = "tell"
)

// DefaultOverlap is how long a credential that was replaced counts on for what is under way, unless it is said otherwise.
const DefaultOverlap = 14 * day

// IssuerConfig is an issuing body of a partner. The same body may stand in several entries, so that forms can have
// windows of their own.
type IssuerConfig struct {
	ID   string `yaml:"id"`
	Name string `yaml:"name"`
	// Country defaults to the partner's.
	Country string `yaml:"country"`
	// Forms are the forms that the body may issue in [From, Until).
	Forms []eco.FormCode `yaml:"forms"`
	From  time.Time      `yaml:"from"`
	Until time.Time      `yaml:"until"`
	// Offices and Signatories are the body's offices, and who signs for them; empty where no list of them is known. What another
	// office or person has signed is received, and waits for an officer.
	Offices     []Office           `yaml:"offices"`
	Signatories []Signatory        `yaml:"signatories"`
	Credentials []CredentialConfig `yaml:"credentials"`
}

// IssuerListConfig says which signed list of issuing bodies was taken last: an older one is not taken any more.
type IssuerListConfig struct {
	Number     int       `yaml:"number"`
	Issued     time.Time `yaml:"issued"`
	NextUpdate time.Time `yaml:"next_update"`
	// SHA256 is the digest, in hexadecimal, of what the list's signature covers.
	SHA256 string `yaml:"sha256"`
}

// AgreementConfig is what was agreed with a partner for one service and action. A nil pointer or a zero value where the
// comment names a default means that default; SetDefaults writes it in.
type AgreementConfig struct {
	// ID names the entry for those who edit it; default CPAID, so that it is needed where two entries have one CPAID.
	ID string `yaml:"id"`
	// CPAID is eb:CPAId (ebMS 2.0 §3.1.2).
	CPAID string `yaml:"cpa_id"`
	// Partner is the id of an entry of Config.Partners.
	Partner string `yaml:"partner"`
	// Start and End are the agreement's validity, CPPA 2.0 Start and End; the window is [Start, End).
	Start time.Time `yaml:"start"`
	End   time.Time `yaml:"end"`
	// Forms are the forms that travel under this agreement.
	Forms   []eco.FormCode `yaml:"forms"`
	Service Service        `yaml:"service"`
	// Action is eb:Action of the message that carries a certificate, AnswerAction that of the business message that answers
	// it under the same Service; default DefaultAnswerAction. The two differ (ebMS 2.0 §3.1.5).
	Action       string `yaml:"action"`
	AnswerAction string `yaml:"answer_action"`
	// Actions are those of the other business messages about certificates, under the same Service.
	Actions Actions `yaml:"actions"`
	// OwnRole and PartnerRole default to the role of the node and of the partner.
	OwnRole     string `yaml:"own_role"`
	PartnerRole string `yaml:"partner_role"`
	// Endpoint is the URL to post to: https, or http with AllowHTTP or a loopback host. AckEndpoint is where acknowledgments
	// and the other signals but errors go, ErrorEndpoint where errors go (ebMS 2.0 §4.2.4.2); both default to Endpoint.
	Endpoint      string `yaml:"endpoint"`
	AckEndpoint   string `yaml:"ack_endpoint"`
	ErrorEndpoint string `yaml:"error_endpoint"`
	AllowHTTP     bool   `yaml:"allow_http"`
	// AllowPrivateEndpoint lets the endpoints be at addresses that are not public: this machine, private and special networks.
	AllowPrivateEndpoint bool `yaml:"allow_private_endpoint"`
	// SOAPAction is the value of the HTTP field as it stands there, quotes included; default "ebXML" in double quotes
	// (ebMS 2.0 appendix B.2).
	SOAPAction string `yaml:"soap_action"`

	// SignatureRequired, AckRequested and DuplicateElimination default to true, AckSigned to AckRequested: once and only
	// once, with non-repudiation of receipt (ebMS 2.0 §6.6 combination 2, appendix C profile 8).
	SignatureRequired    *bool `yaml:"signature_required"`
	AckRequested         *bool `yaml:"ack_requested"`
	AckSigned            *bool `yaml:"ack_signed"`
	DuplicateElimination *bool `yaml:"duplicate_elimination"`
	// SyncReply says what travels in the HTTP response: SyncReplyNone (default) or another value listed there (ebMS 2.0 §4.3).
	SyncReply string `yaml:"sync_reply"`

	// MessageOrder is OrderNotGuaranteed (default) or OrderGuaranteed (ebMS 2.0 §9), which needs AckRequested,
	// DuplicateElimination and SyncReplyNone.
	MessageOrder string `yaml:"message_order"`
	// OrderGap is how long a received message waits for the ones before it until it is refused with DeliveryFailure, 1
	// minute to 30 days; default DefaultOrderGap. It plays no part with OrderNotGuaranteed.
	OrderGap time.Duration `yaml:"order_gap"`

	// Retries counts resends after the first attempt, 0 to MaxRetries; default DefaultRetries. RetryInterval is the
	// least wait between attempts; default DefaultRetryInterval (ebMS 2.0 §6.4).
	Retries       *int          `yaml:"retries"`
	RetryInterval time.Duration `yaml:"retry_interval"`
	// PersistDuration is how long each side has agreed to keep message ids to find duplicates, at least (Retries+1) x
	// RetryInterval; default DefaultPersistDuration. It is a promise: this node keeps them for ever (ebMS 2.0 §6.4.6).
	PersistDuration time.Duration `yaml:"persist_duration"`

	// AllowSHA1 accepts SHA-1 in signatures of this partner, AllowECDSADER ECDSA values in ASN.1; neither is ever used to
	// sign. Each ends at the instant Until beside it; zero is no end.
	AllowSHA1          bool      `yaml:"allow_sha1"`
	AllowSHA1Until     time.Time `yaml:"allow_sha1_until"`
	AllowECDSADER      bool      `yaml:"allow_ecdsa_der"`
	AllowECDSADERUntil time.Time `yaml:"allow_ecdsa_der_until"`
	// Algorithms are the identifiers of the signature algorithms accepted; empty for those of signing.Policy.
	Algorithms []string `yaml:"algorithms"`
	// SignatureAlgorithm is what this node signs messages with: one of signing.SigningAlgorithms, or the part of it after "#".
	// Every key for message signatures must be of its kind. Empty follows the key.
	SignatureAlgorithm string `yaml:"signature_algorithm"`
	// TimeStampRequired refuses a document without a time-stamp (XAdES-T) of one of the partner's TimeStampAnchorFiles.
	TimeStampRequired bool `yaml:"timestamp_required"`
	// MaxBytes bounds a message of this agreement in bytes, packaging included; 0 leaves the node's own limit. MaxParts
	// bounds its parts, envelope included, likewise.
	MaxBytes int64 `yaml:"max_bytes"`
	MaxParts int   `yaml:"max_parts"`

	// UBLVersion is what certificates are written for, UBLVersion21 (default) or UBLVersion20; received ones may be of any.
	UBLVersion string `yaml:"ubl_version"`
	// Structure says what becomes of a received certificate whose document does not have the structure of UBLVersion but can be read:
	// StructureRecord (default) or StructureRefuse.
	Structure string `yaml:"structure"`

	// Tolerate lists the Deviations of the partner's messages that are accepted; nil for all of them, while a list that
	// is there and empty accepts none.
	Tolerate []string `yaml:"tolerate"`
	// Quirks, if there are any, take the place of the partner's for certificates under this agreement.
	Quirks eco.Quirks `yaml:"quirks"`
	// Ping has the partner's Pings answered (ebMS 2.0 §8), MessageStatus its StatusRequests (§7); both default to true.
	Ping          *bool `yaml:"ping"`
	MessageStatus *bool `yaml:"message_status"`
}

// Actions are the eb:Action of each business message about a certificate but the certificate itself and its answer (ebMS 2.0
// §3.1.5). No two are the same. ActionNone says that a message is not agreed: it is neither sent nor taken; ATIGA OCP Rule
// 27(2) lets states implement some of the processes only. The zero value of a field is its default.
type Actions struct {
	// Resend carries a certificate that was sent before, octet for octet; default DefaultResendAction.
	Resend string `yaml:"resend"`
	// Cancel cancels a certificate; default DefaultCancelAction.
	Cancel string `yaml:"cancel"`
	// Response is what customs made of a certificate; default DefaultResponseAction.
	Response string `yaml:"response"`
	// StatusRequest asks where a certificate stands, StatusReport says it; defaults DefaultStatusRequestAction and
	// DefaultStatusReportAction.
	StatusRequest string `yaml:"status_request"`
	StatusReport  string `yaml:"status_report"`
	// VerificationRequest asks for a verification, VerificationReply says what it came to; defaults
	// DefaultVerificationRequestAction and DefaultVerificationReplyAction.
	VerificationRequest string `yaml:"verification_request"`
	VerificationReply   string `yaml:"verification_reply"`
	// Announce tells of the credentials that a party will use next, AnnounceAnswer what becomes of them. Both default to ActionNone,
	// since partners have to know of them; the names to agree on are AnnounceAction and AnnounceAnswerAction. They need signatures.
	Announce       string `yaml:"announce"`
	AnnounceAnswer string `yaml:"announce_answer"`
}

// ActionNone in Actions says that a message is not agreed.
const ActionNone = "none"

// action is one field of Actions.
type action struct {
	key      string
	value    *string
	fallback string
}

// list gives every field.
func (a *Actions) list() []action {
	return []action{
		{"resend", &a.Resend, DefaultResendAction},
		{"cancel", &a.Cancel, DefaultCancelAction},
		{"response", &a.Response, DefaultResponseAction},
		{"status_request", &a.StatusRequest, DefaultStatusRequestAction},
		{"status_report", &a.StatusReport, DefaultStatusReportAction},
		{"verification_request", &a.VerificationRequest, DefaultVerificationRequestAction},
		{"verification_reply", &a.VerificationReply, DefaultVerificationReplyAction},
		{"announce", &a.Announce, ActionNone},
		{"announce_answer", &a.AnnounceAnswer, ActionNone},
	}
}

// agreed is a with "" in the place of ActionNone.
func (a Actions) agreed() Actions {
	for _, action := range a.list() {
		if *action.value == ActionNone {
			*action.value = ""
		}
	}
	return a
}

// The defaults of Actions.
const (
	DefaultResendAction              = "ResendCertificateOfOrigin"
	DefaultCancelAction              = "CancelCertificateOfOrigin"
	DefaultResponseAction            = "RespondToCertificateOfOrigin"
	DefaultStatusRequestAction       = "RequestCertificateStatus"
	DefaultStatusReportAction        = "ReportCertificateStatus"
	DefaultVerificationRequestAction = "RequestVerification"
	DefaultVerificationReplyAction   = "ReplyToVerification"
)

// The actions to agree on for announcements of credentials.
const (
	AnnounceAction       = "AnnounceCredentials"
	AnnounceAnswerAction = "AnswerCredentials"
)

// Defaults and bounds of AgreementConfig.
const (
	DefaultRetries         = 12
	DefaultRetryInterval   = 10 * time.Minute
	DefaultPersistDuration = 7 * 24 * time.Hour
	DefaultSOAPAction      = `"ebXML"`
	DefaultAnswerAction    = "AnswerCertificateOfOrigin"
	DefaultOrderGap        = 24 * time.Hour
	MaxRetries             = 1000
)

// MaxParts is the most that the node's own bound of a message's parts may be.
const MaxParts = signing.MaxParts

// The values of AgreementConfig.SyncReply, named as in CPPA 2.0 syncReplyMode. Each says what the HTTP response to a message
// holds (ebMS 2.0 §4.3); an acknowledgment or error that it does not hold is posted as a message of its own, business answers are given here only.
const (
	// SyncReplyNone: nothing.
	SyncReplyNone = "none"
	// SyncReplySignals: the acknowledgment, or the error.
	SyncReplySignals = "mshSignalsOnly"
	// SyncReplyBusinessSignals: that, and the business signal: that the certificate was received and verified.
	SyncReplyBusinessSignals = "signalsOnly"
	// SyncReplyResponse: the business answer, with the acknowledgment in the same message.
	SyncReplyResponse = "responseOnly"
	// SyncReplyBoth: the business signal and the business answer, with the acknowledgment in the same message.
	SyncReplyBoth = "signalsAndResponse"
)

// The values of AgreementConfig.MessageOrder, named as in CPPA 2.0 messageOrderSemantics.
const (
	// OrderNotGuaranteed: messages are taken as they arrive.
	OrderNotGuaranteed = "NotGuaranteed"
	// OrderGuaranteed: the messages of a conversation are taken in the order in which they were sent (ebMS 2.0 §9).
	OrderGuaranteed = "Guaranteed"
)

// The values of AgreementConfig.Structure.
const (
	// StructureRecord: it is taken, and its record tells of every fault.
	StructureRecord = "record"
	// StructureRefuse: it is refused, and goes to quarantine.
	StructureRefuse = "refuse"
)

// The values of AgreementConfig.UBLVersion.
const (
	// UBLVersion21: the subset of UBL 2.1 that every later 2.x contains.
	UBLVersion21 = "2.1"
	// UBLVersion20: UBL 2.0, which every later 2.x contains too; what it has no element for travels in an extension.
	UBLVersion20 = "2.0"
)

// SetDefaults writes the documented default into every field that is unset, before or after decoding alike. Roles and
// endpoints, which default to what may still change elsewhere, are left to New.
func (a *AgreementConfig) SetDefaults() {
	for _, flag := range []**bool{&a.SignatureRequired, &a.AckRequested, &a.DuplicateElimination, &a.Ping, &a.MessageStatus} {
		if *flag == nil {
			*flag = new(true)
		}
	}
	if a.AckSigned == nil {
		a.AckSigned = new(*a.AckRequested)
	}
	if a.Retries == nil {
		a.Retries = new(DefaultRetries)
	}
	if a.Tolerate == nil {
		a.Tolerate = Deviations()
	}
	a.RetryInterval = cmp.Or(a.RetryInterval, DefaultRetryInterval)
	a.PersistDuration = cmp.Or(a.PersistDuration, DefaultPersistDuration)
	a.OrderGap = cmp.Or(a.OrderGap, DefaultOrderGap)
	a.SyncReply = cmp.Or(a.SyncReply, SyncReplyNone)
	a.MessageOrder = cmp.Or(a.MessageOrder, OrderNotGuaranteed)
	a.UBLVersion = cmp.Or(a.UBLVersion, UBLVersion21)
	a.Structure = cmp.Or(a.Structure, StructureRecord)
	a.SOAPAction = cmp.Or(a.SOAPAction, DefaultSOAPAction)
	a.AnswerAction = cmp.Or(a.AnswerAction, DefaultAnswerAction)
	for _, action := range a.Actions.list() {
		*action.value = cmp.Or(*action.value, action.fallback)
	}
}

// Problem is one thing that is wrong with a Config.
type Problem struct {
	// Key is where, as in the configuration file: "partners[0].credentials[1].file".
	Key string
	// Text says what and, where it is not plain, what to do.
	Text string
}

// Error gives key and text.
func (p Problem) Error() string { return p.Key + ": " + p.Text }

// ConfigError lists everything that New found wrong; it is never empty.
type ConfigError struct{ Problems []Problem }

// Error gives one problem per line.
func (e *ConfigError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.Error()
	}
	return fmt.Sprintf("partner configuration: %s", strings.Join(lines, "\n"))
}
