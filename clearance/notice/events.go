package notice

import "slices"

// Event names something that people are told of. It is the type of a webhook and what recipients choose by.
type Event string

// Audience is who is told of an event.
type Audience string

// The audiences.
const (
	Importers     Audience = "importer"     // those that a received certificate is for
	Brokers       Audience = "broker"       // the holder of the API key that set the watch, or filed the declaration
	IssuingBodies Audience = "issuing-body" // the body that issued an exported certificate
	Operators     Audience = "operator"     // who runs the node
)

// Audiences lists every Audience.
func Audiences() []Audience { return []Audience{Importers, Brokers, IssuingBodies, Operators} }

// The events.
const (
	CertificateArrived    Event = "certificate.arrived"
	CertificateWithdrawn  Event = "certificate.withdrawn"
	WatchClosed           Event = "watch.closed"
	DeclarationDecided    Event = "declaration.decided"
	GuaranteeReleased     Event = "guarantee.released"
	CertificateRefused    Event = "certificate.refused"
	CertificateDenied     Event = "certificate.denied"
	CertificateSuspended  Event = "certificate.suspended"
	VerificationRequested Event = "verification.requested"
	AlertCredential       Event = "alert.credential"
	AlertQuarantine       Event = "alert.quarantine"
	AlertDelivery         Event = "alert.delivery"
	AlertConflict         Event = "alert.conflict"
	AlertDuty             Event = "alert.duty"
	AlertHandover         Event = "alert.handover"
	AlertNotice           Event = "alert.notice"
	AlertStore            Event = "alert.store"
	// AddressConfirm and TestNotice are asked for; no recipient chooses them.
	AddressConfirm Event = "address.confirm"
	TestNotice     Event = "test"
)

// about says what the subject of an event's audit entries is.
type about string

const (
	aboutImported about = "imported" // the key of a certificate that was received
	aboutExported about = "exported" // the key of a certificate that was sent
	aboutDocket   about = "docket"   // the ID of a docket, whose owner is told
	aboutAnything about = "anything" // whatever it says
)

// Row is one line of the table of events.
type Row struct {
	Event Event
	// Audit are the events of the audit log that it is made of.
	Audit []string
	To    Audience
	// Meaning is what it tells, for the documentation.
	Meaning string

	about about
}

// rows is what is told to whom. An event of the audit log may stand in several rows; each is told by itself.
var rows = []Row{
	{CertificateArrived, []string{"certificate.received", "certificate.available"}, Importers,
		"a certificate arrived, verified, and may be used; one that is ahead of its turn is told when it is its turn", aboutImported},
	{CertificateWithdrawn, []string{"certificate.cancelled", "certificate.replaced"}, Importers, "the issuing side cancelled or replaced a certificate that had arrived", aboutImported},
	{WatchClosed, []string{"watch.closed"}, Brokers, "the certificate that a watch waited for is here", aboutDocket},
	{DeclarationDecided, []string{"declaration.decided", "declaration.lapsed", "declaration.unmatched"}, Brokers,
		"customs decided about a declaration, its reservations lapsed, or the certificate that it awaited came and does not fit", aboutDocket},
	{GuaranteeReleased, []string{"declaration.released"}, Brokers, "the certificate for goods that were cleared on guarantee came late; the guarantee can be released", aboutDocket},
	{CertificateRefused, []string{"certificate.rejected"}, IssuingBodies, "the partner does not take an exported certificate, or it could not be delivered", aboutExported},
	{CertificateDenied, []string{"certificate.denied"}, IssuingBodies, "the importing customs denied the preference for an exported certificate, or for items of it", aboutExported},
	{CertificateSuspended, []string{"certificate.suspended"}, IssuingBodies, "the importing customs have a doubt about an exported certificate and suspended it", aboutExported},
	{VerificationRequested, []string{"verification.asked"}, IssuingBodies, "the importing customs ask for the verification of an exported certificate", aboutExported},
	{AlertCredential, []string{"credential.ending", "credential.still_used", "credentials.announced"}, Operators,
		"a credential ends and nothing follows it, a partner still signs with one that ends, or a partner announced new ones", aboutAnything},
	{AlertQuarantine, []string{"message.quarantined", "message.inconsistent", "message.expelled"}, Operators, "a message is in quarantine", aboutAnything},
	{AlertDelivery, []string{"message.failed", "message.expired", "response.refused"}, Operators, "a message was not delivered, or a partner cannot be told of a decision", aboutAnything},
	{AlertConflict, []string{"certificate.conflict"}, Operators, "a certificate came again under its number with other content", aboutAnything},
	{AlertDuty, []string{"duty.warned", "duty.escalated"}, Operators, "a time limit of an agreement is near or over", aboutAnything},
	{AlertHandover, []string{"handover.refused"}, Operators, "the customs system does not take what was declared", aboutAnything},
	{AlertNotice, []string{EntryAddressFailed, EntryWebhookDisabled, EntryChannelFailing, EntryQueueFull}, Operators,
		"notices do not reach a recipient, or nobody", aboutAnything},
	{AlertStore, []string{"store.tail-cut"}, Operators, "the store lost the end of a file in a crash", aboutAnything},
}

// Events is the table of events, in a fixed order.
func Events() []Row { return slices.Clone(rows) }

// The events of the audit log that this package writes.
const (
	EntryAddressFailed   = "notice.address-failed"
	EntryWebhookDisabled = "notice.webhook-disabled"
	EntryChannelFailing  = "notice.channel-failing"
	EntryQueueFull       = "notice.queue-full"
	EntryReset           = "notice.recipient-reset"
	EntryRetried         = "notice.retried"
	EntryTested          = "notice.tested"
	EntrySubscribed      = "subscription.made"
	EntryConfirmed       = "subscription.confirmed"
	EntryRotated         = "subscription.secret-rotated"
	EntryUnsubscribed    = "subscription.ended"
)

// rowsOf are the rows that an event of the audit log makes.
func rowsOf(audit string) []Row {
	var out []Row
	for _, r := range rows {
		if slices.Contains(r.Audit, audit) {
			out = append(out, r)
		}
	}
	return out
}

// EventsFor are the events of an audience.
func EventsFor(a Audience) []Event {
	var out []Event
	for _, r := range rows {
		if r.To == a {
			out = append(out, r.Event)
		}
	}
	return out
}
