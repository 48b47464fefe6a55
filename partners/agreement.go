package partners

import (
	"fmt"
	"slices"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/signing"
)

// Agreement is an agreement with its parties and every default filled in. Its slices are shared between callers, who do
// not change them.
type Agreement struct {
	// CPAID and Partner name it; two agreements may share both if they differ in service or action.
	CPAID, Partner string
	// Mode is the partner's.
	Mode Mode
	// PartnerParty and OwnParty are the two parties' ids, for From and To.
	PartnerParty, OwnParty []PartyID
	PartnerRole, OwnRole   string
	Service                Service
	// Action is that of messages with a certificate, AnswerAction that of the business messages that answer them.
	Action, AnswerAction string
	// Actions are those of the other business messages; "" is one that is not agreed.
	Actions Actions
	Forms   []eco.FormCode
	// Endpoint is the partner's URL, SOAPAction the HTTP field's value with its quotes. Acknowledgments and the other signals
	// but errors go to AckEndpoint, errors to ErrorEndpoint. None of them is empty.
	Endpoint, SOAPAction       string
	AckEndpoint, ErrorEndpoint string
	// AllowPrivateEndpoint lets them be at addresses that are not public; Registry.AllowsPrivate tells.
	AllowPrivateEndpoint bool

	SignatureRequired, AckRequested, AckSigned, DuplicateElimination bool

	// SyncReply is SyncReplyNone or another value listed there, MessageOrder OrderNotGuaranteed or OrderGuaranteed.
	SyncReply, MessageOrder string
	// OrderGap is how long a message waits for the ones before it.
	OrderGap time.Duration
	// Retries counts resends after the first attempt; the other fields are described at AgreementConfig.
	Retries                        int
	RetryInterval, PersistDuration time.Duration
	// Exceptions and Algorithms are for signing.Policy; SignaturePolicy makes it.
	Exceptions []signing.Exception
	Algorithms []string
	// SignatureAlgorithm is for signing.Key.With.
	SignatureAlgorithm string
	// TimeStampRequired: a document counts only with a time-stamp that was verified.
	TimeStampRequired bool
	MaxBytes          int64
	MaxParts          int
	// UBLVersion is UBLVersion21 or UBLVersion20.
	UBLVersion string
	// Structure is StructureRecord or StructureRefuse.
	Structure string
	// Tolerate lists Deviations; Tolerates asks it.
	Tolerate            []string
	Ping, MessageStatus bool
	// Quirks are what the partner is known to refuse.
	Quirks     eco.Quirks
	Start, End time.Time
}

// SignaturePolicy is what the agreement accepts in signatures that are verified at an instant.
func (a *Agreement) SignaturePolicy(at time.Time) signing.Policy {
	return signing.Policy{Algorithms: a.Algorithms, Exceptions: a.Exceptions, At: at}
}

// covers reports whether a message with that action is of a.
func (a *Agreement) covers(of string) bool {
	return of == a.Action || of == a.AnswerAction ||
		of != "" && slices.ContainsFunc(a.Actions.list(), func(own action) bool { return *own.value == of })
}

// InboundQuery is what the header of a received message says about its agreement.
type InboundQuery struct {
	CPAID    string
	From, To []PartyID
	// Service and Action of a signal of the messaging service itself are left empty: agreements do not list them
	// (ebMS 2.0 §3.1.4 reserves the service).
	Service Service
	Action  string
}

func (q InboundQuery) isSignal() bool { return q.Service == Service{} && q.Action == "" }

// Inbound finds the agreement under which a message was sent: a certificate, if the action is its Action, or the answer to one,
// if it is its AnswerAction, or one of the other business messages. Every id in From must be the partner's and every id in To
// our own: a message that also claims to be from somebody else is from nobody.
//
// The errors wrap, in the order in which they are looked for, ErrUnknownCPA, ErrPartyMismatch, ErrUnknownService and
// ErrOutsideValidity. With the last the agreement is returned too, so that what arrives late can still be recorded as the
// partner's.
func (r *Registry) Inbound(q InboundQuery, at time.Time) (Agreement, error) {
	found := filter(r.data.Load().agreements, func(a *Agreement) bool { return a.CPAID == q.CPAID })
	if len(found) == 0 {
		return Agreement{}, fmt.Errorf("%w: %q", ErrUnknownCPA, q.CPAID)
	}
	found = filter(found, func(a *Agreement) bool { return subset(q.From, a.PartnerParty) && subset(q.To, a.OwnParty) })
	if len(found) == 0 {
		return Agreement{}, fmt.Errorf("CPAId %q: %w: from %q to %q", q.CPAID, ErrPartyMismatch, q.From, q.To)
	}
	if !q.isSignal() {
		found = filter(found, func(a *Agreement) bool { return a.Service == q.Service && a.covers(q.Action) })
	}
	if len(found) == 0 {
		return Agreement{}, fmt.Errorf("CPAId %q: %w: service %q, action %q", q.CPAID, ErrUnknownService, q.Service.Value, q.Action)
	}
	return current(found, at)
}

// Outbound finds the agreement under which certificates of form go to partner: of those in force the one that began last,
// so that a successor takes over at its Start while its predecessor still serves what arrives. The errors wrap
// ErrUnknownPartner, ErrNoAgreement or ErrOutsideValidity.
func (r *Registry) Outbound(partner string, form eco.FormCode, at time.Time) (Agreement, error) {
	return r.data.Load().outbound(partner, form, at)
}

func (d *data) outbound(partner string, form eco.FormCode, at time.Time) (Agreement, error) {
	if _, ok := d.partner(partner); !ok {
		return Agreement{}, fmt.Errorf("%w: %q", ErrUnknownPartner, partner)
	}
	found := filter(d.agreements, func(a *Agreement) bool { return a.Partner == partner && slices.Contains(a.Forms, form) })
	if len(found) == 0 {
		return Agreement{}, fmt.Errorf("partner %q, form %q: %w", partner, form, ErrNoAgreement)
	}
	return current(found, at)
}

// QuirksFor are the quirks that certificates of form to partner meet under the agreement that Registry.Outbound would find. It
// needs nothing but the configuration itself, and gives the same errors.
func (c Config) QuirksFor(partner string, form eco.FormCode, at time.Time) (eco.Quirks, error) {
	d := new(data)
	for _, p := range c.Partners {
		d.partners = append(d.partners, Partner{ID: p.ID})
	}
	for _, a := range c.Agreements {
		d.agreements = append(d.agreements, Agreement{CPAID: a.CPAID, Partner: a.Partner, Forms: a.Forms, Start: a.Start, End: a.End, Quirks: c.quirks(a)})
	}
	a, err := d.outbound(partner, form, at)
	return a.Quirks, err
}

// quirks are those of an agreement or, if it has none, its partner's.
func (c Config) quirks(a AgreementConfig) eco.Quirks {
	if a.Quirks != (eco.Quirks{}) {
		return a.Quirks
	}
	for _, p := range c.Partners {
		if p.ID == a.Partner {
			return p.Quirks
		}
	}
	return eco.Quirks{}
}

// With finds an agreement with a partner for messages of the messaging service itself, such as a Ping: the one of this CPAId,
// or for an empty cpaID any; of those in force the one that began last. The errors wrap ErrUnknownPartner, ErrUnknownCPA,
// ErrNoAgreement or ErrOutsideValidity.
func (r *Registry) With(partner, cpaID string, at time.Time) (Agreement, error) {
	d := r.data.Load()
	if _, ok := d.partner(partner); !ok {
		return Agreement{}, fmt.Errorf("%w: %q", ErrUnknownPartner, partner)
	}
	found := filter(d.agreements, func(a *Agreement) bool { return a.Partner == partner && (cpaID == "" || a.CPAID == cpaID) })
	switch {
	case len(found) == 0 && cpaID != "":
		return Agreement{}, fmt.Errorf("partner %q: %w: %q", partner, ErrUnknownCPA, cpaID)
	case len(found) == 0:
		return Agreement{}, fmt.Errorf("partner %q: %w", partner, ErrNoAgreement)
	}
	return current(found, at)
}

// Announcing finds an agreement with a partner that has announcements of credentials: of those in force the one that began last. The
// errors wrap ErrUnknownPartner, ErrNoAnnouncement or ErrOutsideValidity.
func (r *Registry) Announcing(partner string, at time.Time) (Agreement, error) {
	d := r.data.Load()
	if _, ok := d.partner(partner); !ok {
		return Agreement{}, fmt.Errorf("%w: %q", ErrUnknownPartner, partner)
	}
	found := filter(d.agreements, func(a *Agreement) bool { return a.Partner == partner && a.Actions.Announce != "" })
	if len(found) == 0 {
		return Agreement{}, fmt.Errorf("partner %q: %w", partner, ErrNoAnnouncement)
	}
	return current(found, at)
}

// AgreementQuery names the agreement under which a message was composed.
type AgreementQuery struct {
	Partner, CPAID string
	// Service is the value of eb:Service, Action one of the agreement's. Both are left empty for a signal, as
	// in InboundQuery.
	Service, Action string
}

// Agreement finds the agreement under which a message was composed, as it stands at the instant at: where the message goes and
// how often. An agreement that is no longer in force still answers, since what was queued under it is to be delivered.
func (r *Registry) Agreement(q AgreementQuery, at time.Time) (Agreement, bool) {
	found := filter(r.data.Load().agreements, func(a *Agreement) bool {
		return a.Partner == q.Partner && a.CPAID == q.CPAID && (q.Action == "" || a.Service.Value == q.Service && a.covers(q.Action))
	})
	if len(found) == 0 {
		return Agreement{}, false
	}
	a, _ := current(found, at)
	return a, true
}

// current picks the agreement in force that began last. If none is in force it returns the first, with ErrOutsideValidity.
func current(found []Agreement, at time.Time) (Agreement, error) {
	live := filter(found, func(a *Agreement) bool { return inForce(a.Start, a.End, at) })
	if len(live) > 0 {
		return newest(live), nil
	}
	return found[0], fmt.Errorf("CPAId %q at %s: %w", found[0].CPAID, instant(at), ErrOutsideValidity)
}

func newest(list []Agreement) Agreement {
	return slices.MaxFunc(list, func(a, b Agreement) int { return a.Start.Compare(b.Start) })
}

func filter(list []Agreement, keep func(*Agreement) bool) []Agreement {
	var out []Agreement
	for i := range list {
		if keep(&list[i]) {
			out = append(out, list[i])
		}
	}
	return out
}

// subset reports whether ids is not empty and has only members of known.
func subset(ids, known []PartyID) bool {
	for _, id := range ids {
		if !slices.Contains(known, id) {
			return false
		}
	}
	return len(ids) > 0
}
