package partners

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/signing"
)

// The spans that RetryInterval and OrderGap may have.
const (
	minRetryInterval = time.Second
	maxRetryInterval = 30 * 24 * time.Hour
	minOrderGap      = time.Minute
	maxOrderGap      = 30 * 24 * time.Hour
)

func (k *checker) agreement(at string, a AgreementConfig, c Config) {
	a.SetDefaults()
	k.quirks(at+".quirks", a.Quirks)
	if a.CPAID == "" {
		k.add(at+".cpa_id", "is required (ebMS 2.0 §3.1.2)")
	}
	i := slices.IndexFunc(c.Partners, func(p PartnerConfig) bool { return p.ID == a.Partner })
	switch {
	case a.Partner == "":
		k.add(at+".partner", "is required: the id of an entry in partners")
	case i < 0:
		k.add(at+".partner", "%q is not an id in partners", a.Partner)
	default:
		k.roles(at, a, c.Node.Role, c.Partners[i].Role)
	}
	k.window(at+".end", a.Start, a.End)
	k.forms(at+".forms", a.Forms)
	k.service(at, a)
	k.endpoints(at, a)
	k.reliability(at, a)
	k.syncReply(at+".sync_reply", a)
	k.order(at, a)
	k.tolerate(at+".tolerate", a.Tolerate)
	if a.Structure != StructureRecord && a.Structure != StructureRefuse {
		k.add(at+".structure", "%q is none of %q, %q", a.Structure, StructureRecord, StructureRefuse)
	}
	if a.UBLVersion != UBLVersion21 && a.UBLVersion != UBLVersion20 {
		k.add(at+".ubl_version", "%q is none of %q, %q", a.UBLVersion, UBLVersion20, UBLVersion21)
	}
	for i, algorithm := range a.Algorithms {
		if !signing.KnownAlgorithm(algorithm) {
			k.add(fmt.Sprintf("%s.algorithms[%d]", at, i), "%q is no signature algorithm that this node verifies", algorithm)
		}
	}
	k.signatureAlgorithm(at+".signature_algorithm", a.SignatureAlgorithm)
	if a.TimeStampRequired && i >= 0 && !c.Partners[i].knowsTimeStamps() {
		k.add(at+".timestamp_required", "is true, and %s.timestamp_anchor_files names no time-stamp authority, nor does a credential with use time-stamp, so every document would be refused", item("partners", i))
	}
	if a.MaxBytes < 0 {
		k.add(at+".max_bytes", "%d is less than 0", a.MaxBytes)
	}
	if a.MaxParts < 0 || a.MaxParts == 1 {
		k.add(at+".max_parts", "%d leaves no room for a document beside the envelope; use at least 2, or 0 for limits.parts alone", a.MaxParts)
	}
}

// signatureAlgorithm checks an algorithm that this node is to sign with; whether its keys can is seen when they are read.
func (k *checker) signatureAlgorithm(key, name string) {
	known := signing.SigningAlgorithms()
	named := func(uri string) bool { return name == uri || strings.HasSuffix(uri, "#"+name) }
	if name != "" && !slices.ContainsFunc(known, named) {
		k.add(key, "%q is no signature algorithm that this node signs with; it signs with %s", name, strings.Join(known, ", "))
	}
}

// roles: a Role is optional in ebMS 2.0 §3.1.1.2, but products refuse messages where one party has it and the other not.
func (k *checker) roles(at string, a AgreementConfig, own, partner string) {
	ownSet, partnerSet := a.OwnRole != "" || own != "", a.PartnerRole != "" || partner != ""
	if ownSet && !partnerSet {
		k.add(at+".partner_role", "is missing while the own role is given; give both or none")
	}
	if partnerSet && !ownSet {
		k.add(at+".own_role", "is missing while the partner's role is given; give both or none")
	}
}

// service: ebMS 2.0 §3.1.4 and §3.1.5.
func (k *checker) service(at string, a AgreementConfig) {
	switch {
	case a.Service.Value == "":
		k.add(at+".service.value", "is required")
	case a.Service.Type == "" && !isURI(a.Service.Value):
		k.add(at+".service.value", "%q has no type, so it must be a URI (ebMS 2.0 §3.1.4); give a type, or write it as a URI", a.Service.Value)
	case len(a.Service.Value) >= len(reservedService) && a.Service.Value[:len(reservedService)] == reservedService:
		k.add(at+".service.value", "%q is reserved for the messaging service itself (ebMS 2.0 §3.1.4)", a.Service.Value)
	}
	if a.Action == "" {
		k.add(at+".action", "is required")
	}
	if a.AnswerAction == a.Action {
		k.add(at+".answer_action", "%q is action too; with one action for both, answers could not be told from certificates", a.AnswerAction)
	}
	named := map[string]string{a.Action: "action", a.AnswerAction: "answer_action"}
	for _, own := range a.Actions.list() {
		first, twice := named[*own.value]
		switch {
		case *own.value == ActionNone:
		case twice:
			k.add(at+".actions."+own.key, "%q is %s too; messages are told apart by their action", *own.value, first)
		default:
			named[*own.value] = "actions." + own.key
		}
	}
	switch announces, answers := a.Actions.Announce != ActionNone, a.Actions.AnnounceAnswer != ActionNone; {
	case announces != answers:
		k.add(at+".actions.announce", "goes with announce_answer: agree on both or on neither")
	case announces && !*a.SignatureRequired:
		k.add(at+".actions.announce", "needs signature_required: an announcement counts by its signature")
	}
}

const reservedService = "urn:oasis:names:tc:ebxml-msg:service"

// endpoints: one that is left out is Endpoint, whose faults are told once.
func (k *checker) endpoints(at string, a AgreementConfig) {
	if a.Endpoint == "" {
		k.add(at+".endpoint", "is required: the partner's URL")
	}
	for _, e := range endpoints(a) {
		k.endpoint(at+"."+e.key, e.url, a.AllowHTTP)
	}
}

// endpointConfig is an endpoint of an agreement with the key that gives it.
type endpointConfig struct{ key, url string }

// endpoints lists the endpoints of a that are given, each URL once.
func endpoints(a AgreementConfig) []endpointConfig {
	var out []endpointConfig
	for _, e := range []endpointConfig{{"endpoint", a.Endpoint}, {"ack_endpoint", a.AckEndpoint}, {"error_endpoint", a.ErrorEndpoint}} {
		if e.url != "" && !slices.ContainsFunc(out, func(other endpointConfig) bool { return other.url == e.url }) {
			out = append(out, e)
		}
	}
	return out
}

func (k *checker) endpoint(key, endpoint string, allowHTTP bool) {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		k.add(key, "%q is not an https URL", endpoint)
	case u.User != nil || u.Fragment != "":
		k.add(key, "has a user or a fragment, which are not part of an endpoint")
	case u.Scheme == "http" && !allowHTTP && !isLoopback(u.Hostname()):
		k.add(key, "%q is not encrypted; use https, or set allow_http: true", endpoint)
	}
}

// reliability: ebMS 2.0 §6.4 and §6.6. That PersistDuration covers every retry is not confirmed from the text; without it
// a late copy would be taken for a new message.
func (k *checker) reliability(at string, a AgreementConfig) {
	intervalOK := a.RetryInterval >= minRetryInterval && a.RetryInterval <= maxRetryInterval
	retriesOK := *a.Retries >= 0 && *a.Retries <= MaxRetries
	if !retriesOK {
		k.add(at+".retries", "%d is not between 0 and %d", *a.Retries, MaxRetries)
	}
	if !intervalOK {
		k.add(at+".retry_interval", "%s is not between %s and %s", a.RetryInterval, minRetryInterval, maxRetryInterval)
	}
	if least := time.Duration(*a.Retries+1) * a.RetryInterval; retriesOK && intervalOK && a.PersistDuration < least {
		k.add(at+".persist_duration", "%s is shorter than (retries + 1) x retry_interval, which is %s", a.PersistDuration, least)
	}
	if *a.AckSigned && !*a.AckRequested {
		k.add(at+".ack_signed", "asks for a signed acknowledgment, but ack_requested is false; set it to false too")
	}
}

// syncReplies are the values of AgreementConfig.SyncReply.
var syncReplies = []string{SyncReplyNone, SyncReplySignals, SyncReplyBusinessSignals, SyncReplyResponse, SyncReplyBoth}

// syncReply: ebMS 2.0 §4.3.
func (k *checker) syncReply(key string, a AgreementConfig) {
	if !slices.Contains(syncReplies, a.SyncReply) {
		k.add(key, "%q is not one of %s", a.SyncReply, strings.Join(syncReplies, ", "))
	}
}

// order: ebMS 2.0 §9. A message that is lost or taken twice would break the order, and SyncReply must not stand beside
// MessageOrder.
func (k *checker) order(at string, a AgreementConfig) {
	switch a.MessageOrder {
	case OrderNotGuaranteed:
	case OrderGuaranteed:
		for _, need := range []struct {
			met  bool
			text string
		}{
			{*a.AckRequested, "ack_requested: true"},
			{*a.DuplicateElimination, "duplicate_elimination: true"},
			{a.SyncReply == SyncReplyNone || !slices.Contains(syncReplies, a.SyncReply), "sync_reply: " + SyncReplyNone},
		} {
			if !need.met {
				k.add(at+".message_order", "%s needs %s (ebMS 2.0 §9)", OrderGuaranteed, need.text)
			}
		}
	default:
		k.add(at+".message_order", "%q is not %s or %s", a.MessageOrder, OrderNotGuaranteed, OrderGuaranteed)
	}
	if a.OrderGap < minOrderGap || a.OrderGap > maxOrderGap {
		k.add(at+".order_gap", "%s is not between %s and %s", a.OrderGap, minOrderGap, maxOrderGap)
	}
}

func (k *checker) tolerate(key string, names []string) {
	for i, name := range names {
		if !slices.Contains(deviations, name) {
			k.add(item(key, i), "%q is not a deviation that this node knows; it knows %s", name, strings.Join(deviations, ", "))
		}
	}
}

// uniqueAgreements: while two agreements are in force together, header and form must tell them apart. An action that one of
// them has for certificates and the other for answers would leave open what a message is.
func (k *checker) uniqueAgreements(list []AgreementConfig) {
	for i, a := range list {
		a.SetDefaults()
		for j, b := range list[:i] {
			b.SetDefaults()
			if a.id() == b.id() && a.ID+b.ID != "" {
				k.add(item("agreements", i)+".id", "%q names %s already", a.id(), item("agreements", j))
			}
			if a.Partner != b.Partner || a.Partner == "" || !overlap(a, b) {
				continue
			}
			at, first := item("agreements", i), item("agreements", j)
			if a.CPAID == b.CPAID && a.Service == b.Service {
				k.sharedAction(at, a, b, first)
			}
			if form, ok := sharedForm(a, b); ok && a.Start.Equal(b.Start) {
				k.add(at+".forms", "%s is in %s too, and both start at the same time; the later start decides which one is used to send", form, first)
			}
		}
	}
}

// sharedAction: a, at at, and b, at first, have CPAId and service in common. That the action of certificates is shared is told
// alone, and those of the other business messages are told together: they are shared by default.
func (k *checker) sharedAction(at string, a, b AgreementConfig, first string) {
	if a.Action == b.Action {
		k.add(at+".cpa_id", "has partner, CPAId, service and action of %s, which is in force at the same time", first)
		return
	}
	taken := []string{b.Action, b.AnswerAction}
	for _, other := range b.Actions.list() {
		taken = append(taken, *other.value)
	}
	const text = "of %s too, which has the same partner, CPAId and service and is in force at the same time; give each its own"
	for _, own := range []action{{key: "action", value: &a.Action}, {key: "answer_action", value: &a.AnswerAction}} {
		if slices.Contains(taken, *own.value) {
			k.add(at+"."+own.key, "%q is an action "+text, *own.value, first)
		}
	}
	var shared []string
	for _, own := range a.Actions.list() {
		if *own.value != ActionNone && slices.Contains(taken, *own.value) {
			shared = append(shared, own.key)
		}
	}
	if shared != nil {
		k.add(at+".actions", "%s are actions "+text+", or %q", strings.Join(shared, ", "), first, ActionNone)
	}
}

func overlap(a, b AgreementConfig) bool {
	return (a.End.IsZero() || b.Start.Before(a.End)) && (b.End.IsZero() || a.Start.Before(b.End))
}

func sharedForm(a, b AgreementConfig) (eco.FormCode, bool) {
	for _, form := range a.Forms {
		if slices.Contains(b.Forms, form) {
			return form, true
		}
	}
	return "", false
}
