package cpa

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ecogate/ecogate/partners"
)

// settled is a term of an agreement that both directions and all actions share.
type settled[T comparable] struct {
	is    bool
	value T
	path  string // that gave it
}

// settle takes a value, or refuses it if another was settled on.
func settle[T comparable](im *importer, s *settled[T], value T, n *node, attribute string) {
	path := n.path()
	if attribute != "" {
		path += "/@" + attribute
	}
	switch {
	case !s.is:
		*s = settled[T]{true, value, path}
	case s.value != value:
		im.refuse(n, attribute, "comes to %v, and %s to %v; this node has one for all messages of a service", value, s.path, s.value)
	}
}

// terms are those of one service while they are read.
type terms struct {
	ack, ackSigned, duplicates, signed settled[bool]
	sync, order, endpoint              settled[string]
	retries                            settled[int]
	interval                           settled[time.Duration]
	persist                            time.Duration
	persistAt                          *node
	parts                              int
	partsOpen                          bool
	algorithms                         []string
	sha1                               bool
	signWith                           string
}

// terms reads what the pairs say of how messages travel.
func (im *importer) terms(a *partners.AgreementConfig, pairs []pair) {
	t := &terms{}
	for _, p := range pairs {
		for _, b := range []*binding{p.sender(), p.receiver()} {
			im.channelOnce(b.channels[0])
			for _, n := range b.node.all("ChannelId")[1:] {
				im.warn(n, "", "this node uses the first ChannelId alone")
			}
			for _, n := range b.node.children {
				if foreign(n) {
					im.warn(n, "", "is no part of CPPA 2.0; this node does not know it")
				}
			}
		}
		im.signing(t, p)
		im.characteristics(t, p)
		im.business(t, p)
		im.reliability(t, p)
		im.packaging(t, p)
		if p.own.sends {
			im.sendTo(t, p)
		}
	}
	im.fill(a, t)
	im.signalEndpoints(a)
}

// characteristics reads how messages are acknowledged: MessagingCharacteristics of the channel that they come to, with which that of the
// sender has to agree.
func (im *importer) characteristics(t *terms, p pair) {
	to, from := p.receiver().channels[0].characteristics, p.sender().channels[0].characteristics
	for _, n := range []*node{to, from} {
		if n.attribute("actor") == actorNextMSH {
			im.refuse(n, "actor", "this node has no acknowledgments between intermediaries")
		}
	}
	receipt := isTrue(p.receiver().traits().attribute("isNonRepudiationReceiptRequired")) || isTrue(p.sender().traits().attribute("isNonRepudiationReceiptRequired"))
	ack := im.always(to, from, "ackRequested", true)
	settle(im, &t.ack, ack, to, "ackRequested")
	settle(im, &t.duplicates, im.always(to, from, "duplicateElimination", true), to, "duplicateElimination")
	usual := ack && (receipt || t.signed.value)
	ackSigned := im.always(to, from, "ackSignatureRequested", usual)
	if ackSigned && !ack {
		im.refuse(to, "ackSignatureRequested", "asks for the signature of acknowledgments that ackRequested says there are none of")
		ackSigned = false
	}
	settle(im, &t.ackSigned, ackSigned, to, "ackSignatureRequested")
	if receipt && !ackSigned {
		im.warn(p.receiver().traits(), "isNonRepudiationReceiptRequired", "acknowledgments are not signed (ackRequested, ackSignatureRequested), and this node has no other receipt")
	}
	toMode, fromMode := syncMode(to), syncMode(from)
	if toMode != fromMode {
		im.refuse(from, "syncReplyMode", "is %s, and %s of the channel that these messages come to", fromMode, toMode)
	}
	settle(im, &t.sync, toMode, to, "syncReplyMode")
}

func syncMode(n *node) string {
	if mode := n.attribute("syncReplyMode"); mode != "" {
		return mode
	}
	return partners.SyncReplyNone
}

// always reads an attribute that is "always", "never" or, by default, "perMessage": what one channel fixes holds. What both leave to
// each message this node has to fix, because it takes messages only as agreed.
func (im *importer) always(to, from *node, attribute string, usual bool) bool {
	value, other := to.attribute(attribute), from.attribute(attribute)
	open := func(v string) bool { return v == "" || v == "perMessage" }
	switch {
	case open(value) && open(other):
		im.warn(to, attribute, "is left to each message; this node fixes it: %s, in both directions, and refuses other messages", map[bool]string{true: "always", false: "never"}[usual])
		return usual
	case open(value):
		value = other
	case !open(other) && other != value:
		im.refuse(from, attribute, "is %q, and %q of the channel that these messages come to", other, value)
	}
	return value == "always"
}

// traits are the BusinessTransactionCharacteristics of a binding.
func (b *binding) traits() *node { return b.node.child("BusinessTransactionCharacteristics") }

// persistent tells whether a level of protection holds for the message itself and not for its way alone.
func persistent(level string) bool {
	return level == "persistent" || level == "transient-and-persistent"
}

func transient(level string) bool {
	return level == "transient" || level == "transient-and-persistent"
}

// signing reads whether messages are signed, and how.
func (im *importer) signing(t *terms, p pair) {
	signed := false
	for _, b := range []*binding{p.sender(), p.receiver()} {
		n := b.traits()
		signed = signed || isTrue(n.attribute("isNonRepudiationRequired")) || persistent(n.attribute("isAuthenticated")) || persistent(n.attribute("isTamperProof"))
	}
	settle(im, &t.signed, signed, p.sender().traits(), "isNonRepudiationRequired")
	exchange := p.sender().channels[0].exchange
	how := exchange.at("ebXMLSenderBinding", "SenderNonRepudiation")
	checks := p.receiver().channels[0].exchange.at("ebXMLReceiverBinding", "ReceiverNonRepudiation")
	switch {
	case how == nil && signed:
		im.refuse(exchange, "", "has no ebXMLSenderBinding/SenderNonRepudiation, and messages of %s are signed", p.sender().node.path())
	case how == nil:
	case !signed:
		im.warn(how, "", "plays no part: BusinessTransactionCharacteristics ask for no signatures")
	default:
		im.signature(t, how, p.own.sends)
		if checks != nil && !sameAlgorithms(how, checks) {
			im.warn(checks, "SignatureAlgorithm", "names none that the sender signs with")
		}
	}
}

func sameAlgorithms(a, b *node) bool {
	for _, one := range a.all("SignatureAlgorithm") {
		for _, other := range b.all("SignatureAlgorithm") {
			if algorithmOf(one) == algorithmOf(other) {
				return true
			}
		}
	}
	return false
}

// business looks at the rest of what BusinessTransactionCharacteristics ask for.
func (im *importer) business(t *terms, p pair) {
	for _, b := range []*binding{p.sender(), p.receiver()} {
		n := b.traits()
		if persistent(n.attribute("isConfidential")) {
			im.refuse(n, "isConfidential", "this node does not encrypt messages beyond TLS")
		}
		for _, name := range []string{"isConfidential", "isTamperProof", "isAuthenticated"} {
			if e := p.receiver().channels[0].endpoint("request"); transient(n.attribute(name)) && e != nil && !strings.HasPrefix(strings.ToLower(e.attribute("uri")), "https:") {
				im.refuse(n, name, "asks for TLS, and %s is %q", e.path(), e.attribute("uri"))
			}
		}
		if isTrue(n.attribute("isIntelligibleCheckRequired")) {
			im.warn(n, "isIntelligibleCheckRequired", "this node's receipt says that a message was verified and stored, not that it was understood")
		}
		for _, name := range []string{"timeToAcknowledgeReceipt", "timeToAcknowledgeAcceptance", "timeToPerform"} {
			if d, err := parseDuration(n.attribute(name)); err == nil && d != (duration{}) {
				im.warn(n, name, "this node holds nobody to it; retries and their interval bound the wait for an acknowledgment")
			}
		}
		if count := n.attribute("retryCount"); count != "" && count != "0" {
			im.warn(n, "retryCount", "this node does not repeat business messages; Retries of ReliableMessaging is what it does")
		}
	}
}

// Bounds of partners.AgreementConfig, which are told here by the place in the CPA.
const (
	leastInterval = time.Second
	mostInterval  = 30 * 24 * time.Hour
)

// reliability reads how often messages are sent again and how long their ids are kept.
func (im *importer) reliability(t *terms, p pair) {
	sender := p.sender().channels[0].exchange.child("ebXMLSenderBinding")
	receiver := p.receiver().channels[0].exchange.child("ebXMLReceiverBinding")
	again, kept := sender.child("ReliableMessaging"), receiver.child("ReliableMessaging")
	order := again.child("MessageOrderSemantics").value()
	if other := kept.child("MessageOrderSemantics").value(); other != "" && order != "" && other != order {
		im.refuse(kept.child("MessageOrderSemantics"), "", "is %s, and %s of the sender", other, order)
	}
	if order == "" {
		order = partners.OrderNotGuaranteed
	}
	at := p.sender().channels[0].exchange
	if again != nil {
		at = again.child("MessageOrderSemantics")
	}
	settle(im, &t.order, order, at, "")
	if p.own.sends {
		im.retries(t, again, p)
	}
	if n := receiver.child("PersistDuration"); n != nil {
		if d, ok := im.fixed(n); ok && (t.persistAt == nil || d < t.persist) {
			t.persist, t.persistAt = d, n
		}
	}
}

// retries reads what this node does to deliver.
func (im *importer) retries(t *terms, n *node, p pair) {
	if n == nil {
		if t.ack.value {
			im.warn(p.own.channels[0].exchange, "", "has no ReliableMessaging although acknowledgments are asked for; this node's retries stay as they are")
		} else {
			settle(im, &t.retries, 0, p.own.channels[0].exchange, "")
		}
		return
	}
	if again := n.child("Retries"); again != nil {
		count, err := strconv.Atoi(again.text)
		if err != nil || count < 0 || count > partners.MaxRetries {
			im.refuse(again, "", "want 0 to %d, found %s", partners.MaxRetries, again.text)
			return
		}
		settle(im, &t.retries, count, again, "")
	}
	if interval := n.child("RetryInterval"); interval != nil {
		d, ok := im.fixed(interval)
		if ok && (d < leastInterval || d > mostInterval) {
			im.refuse(interval, "", "want PT1S to P30D, found %s", interval.text)
			ok = false
		}
		if ok {
			settle(im, &t.interval, d, interval, "")
		}
	}
}

// fixed reads a duration that does not depend on the calendar.
func (im *importer) fixed(n *node) (time.Duration, bool) {
	d, err := parseDuration(n.text)
	if err != nil || d.months != 0 {
		im.refuse(n, "", "want days, hours, minutes or seconds, found %s, whose length depends on the calendar", n.text)
		return 0, false
	}
	return d.rest, true
}

// sendTo reads where this node's messages go.
func (im *importer) sendTo(t *terms, p pair) {
	kind := "request"
	if p.own.within != nil {
		kind = "response"
	}
	ch := p.other.channels[0]
	e := ch.endpoint(kind)
	if e == nil {
		im.refuse(ch.transport, "", "has no TransportReceiver with an Endpoint of type %s or allPurpose, and %s comes there", kind, p.other.node.path())
		return
	}
	settle(im, &t.endpoint, e.attribute("uri"), e, "uri")
}

// signalEndpoints reads where acknowledgments, errors and the rest of what the messaging service itself sends go.
func (im *importer) signalEndpoints(a *partners.AgreementConfig) {
	known := map[string]bool{"Acknowledgment": true, "MessageError": true, "Ping": true, "Pong": true, "StatusRequest": true, "StatusResponse": true}
	for _, p := range []*Party{im.own, im.partner} {
		for _, n := range p.info.all("OverrideMshActionBinding") {
			if !known[n.attribute("action")] {
				im.warn(n, "action", "%q is no message of the messaging service that this node knows", n.attribute("action"))
			}
		}
	}
	uri := func(action, kind string) (string, *node) {
		ch, by := im.c.signals(im.partner, action)
		im.channelOnce(ch)
		own, _ := im.c.signals(im.own, action)
		im.channelOnce(own)
		e := ch.endpoint(kind)
		if e == nil {
			im.refuse(ch.transport, "", "has no TransportReceiver with an Endpoint of type %s or allPurpose, and %s names it for %s", kind, by.path(), action)
			return "", by
		}
		return e.attribute("uri"), by
	}
	a.AckEndpoint, _ = uri("Acknowledgment", "response")
	a.ErrorEndpoint, _ = uri("MessageError", "error")
	if a.Endpoint == "" { // nothing goes there but signals
		a.Endpoint = a.AckEndpoint
	}
	for _, action := range []string{"Pong", "StatusResponse"} {
		if other, by := uri(action, "response"); other != a.AckEndpoint {
			im.warn(by, "", "%s goes to %q in this CPA; this node sends it where acknowledgments go", action, other)
		}
	}
	for _, action := range []string{"Ping", "StatusRequest"} {
		if other, by := uri(action, "request"); other != a.Endpoint {
			im.warn(by, "", "%s goes to %q in this CPA; this node sends it where certificates go", action, other)
		}
	}
	if a.AckEndpoint == a.Endpoint {
		a.AckEndpoint = ""
	}
	if a.ErrorEndpoint == a.Endpoint {
		a.ErrorEndpoint = ""
	}
	for _, endpoint := range []string{a.Endpoint, a.AckEndpoint, a.ErrorEndpoint} {
		if u, err := url.Parse(endpoint); err == nil && strings.EqualFold(u.Scheme, "http") {
			a.AllowHTTP = true
		}
	}
}

// fill writes the terms into the agreement.
func (im *importer) fill(a *partners.AgreementConfig, t *terms) {
	a.SignatureRequired, a.AckRequested, a.AckSigned, a.DuplicateElimination = &t.signed.value, &t.ack.value, &t.ackSigned.value, &t.duplicates.value
	a.SyncReply, a.MessageOrder, a.Endpoint, a.AllowHTTP = t.sync.value, t.order.value, t.endpoint.value, false
	if t.order.value == partners.OrderGuaranteed && !(t.ack.value && t.duplicates.value && t.sync.value == partners.SyncReplyNone) {
		im.refuse(im.c.root.child("PartyInfo"), "", "%s comes to Guaranteed, which needs ackRequested and duplicateElimination always and syncReplyMode none (ebMS 2.0 §9)", t.order.path)
	}
	if t.retries.is {
		a.Retries = &t.retries.value
	}
	if t.interval.is {
		a.RetryInterval = t.interval.value
	}
	retries, interval := partners.DefaultRetries, partners.DefaultRetryInterval
	if a.Retries != nil {
		retries = *a.Retries
	}
	if a.RetryInterval != 0 {
		interval = a.RetryInterval
	}
	least := time.Duration(retries+1) * interval
	switch {
	case t.persistAt == nil:
		if kept := a.PersistDuration; kept == 0 && least > partners.DefaultPersistDuration || kept != 0 && least > kept {
			a.PersistDuration = least
		}
	case t.persist < least:
		im.warn(t.persistAt, "", "%s is shorter than (Retries + 1) x RetryInterval, which is %s: a late copy may be taken for a new message; this node keeps ids for ever", t.persistAt.text, writeDuration(least))
		a.PersistDuration = least
	default:
		a.PersistDuration = t.persist
	}
	a.Algorithms, a.AllowSHA1, a.SignatureAlgorithm = t.algorithms, t.sha1, t.signWith
	if !t.sha1 {
		a.AllowSHA1Until = time.Time{}
	}
	if !t.partsOpen {
		a.MaxParts = t.parts
	}
}
