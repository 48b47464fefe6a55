package cpa

import (
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// Difference is something that two CPAs let their parties do otherwise.
type Difference struct {
	// Of is what it is about, by its meaning: "ALPHA sends eco-exchange SubmitCertificateOfOrigin", a party, or "" for the CPA as a whole.
	// Term is the name that CPPA has for what differs: "ackRequested".
	Of   string `json:"of,omitempty"`
	Term string `json:"term"`
	// A and B are the values; "" where one has none. Defaults are written out, durations have one spelling, and credentials and
	// anchors are their SHA-256.
	A string `json:"a"`
	B string `json:"b"`
	// PathA and PathB are the places, as in Finding.
	PathA string `json:"path_a,omitempty"`
	PathB string `json:"path_b,omitempty"`
}

// Diff lists what differs between two CPAs in what drives behaviour, in the order of a and then of b. Names of things, identifiers, the
// order of elements and comments drive none. Parties are the same if they share an id.
func Diff(a, b *CPA) []Difference {
	labels := [2]string{partyLabel(a.Parties[0]), partyLabel(a.Parties[1])}
	left, right := a.facts(labels), b.facts(b.labels(a, labels))
	var out []Difference
	for _, key := range left.order {
		l, r := left.values[key], right.values[key]
		if l.value != r.value {
			out = append(out, difference(key, l, r))
		}
	}
	for _, key := range right.order {
		if _, both := left.values[key]; !both {
			out = append(out, difference(key, fact{}, right.values[key]))
		}
	}
	return out
}

// difference takes apart what facts are kept under: what they are of, ": " and the term.
func difference(key string, a, b fact) Difference {
	d := Difference{Term: key, A: a.value, B: b.value, PathA: a.path, PathB: b.path}
	if at := strings.LastIndex(key, ": "); at >= 0 {
		d.Of, d.Term = key[:at], key[at+2:]
	}
	return d
}

func partyLabel(p Party) string { return p.IDs[0].Value }

// labels are those of c's parties: those of a's that share an id with them.
func (c *CPA) labels(a *CPA, of [2]string) [2]string {
	shares := func(p, other Party) bool {
		return slices.ContainsFunc(p.IDs, func(id partners.PartyID) bool { return slices.Contains(other.IDs, id) })
	}
	swapped := shares(c.Parties[0], a.Parties[1]) || shares(c.Parties[1], a.Parties[0])
	out := [2]string{partyLabel(c.Parties[0]), partyLabel(c.Parties[1])}
	for i := range out {
		j := i
		if swapped {
			j = 1 - i
		}
		if shares(c.Parties[i], a.Parties[j]) {
			out[i] = of[j]
		}
	}
	return out
}

// fact is one value that drives behaviour.
type fact struct{ value, path string }

// facts are those of a CPA by what they mean.
type facts struct {
	values map[string]fact
	order  []string
	prints map[string]string // by the identifier of the Certificate
}

// add takes a fact, what it is of before ": " and the term; a second value of the same meaning is put beside the first.
func (f *facts) add(what, value string, at *node) {
	if value == "" {
		return
	}
	there, twice := f.values[what]
	if !twice {
		f.order = append(f.order, what)
		f.values[what] = fact{value, at.path()}
		return
	}
	list := strings.Split(there.value, ", ")
	if !slices.Contains(list, value) {
		list = append(list, value)
		slices.Sort(list)
		f.values[what] = fact{strings.Join(list, ", "), there.path}
	}
}

// facts lists what drives the behaviour of the two parties.
func (c *CPA) facts(labels [2]string) *facts {
	f := &facts{values: map[string]fact{}, prints: map[string]string{}}
	f.add("cpaid", c.ID, c.root)
	f.add("Status", c.Status, c.root.child("Status"))
	f.add("Start", c.Start.Format(time.RFC3339), c.root.child("Start"))
	f.add("End", c.End.Format(time.RFC3339), c.root.child("End"))
	if n := c.root.child("ConversationConstraints"); n != nil {
		for _, name := range n.order {
			f.add(name, n.attribute(name), n)
		}
	}
	for i := range c.Parties {
		c.partyFacts(f, labels[i], &c.Parties[i])
	}
	return f
}

func (c *CPA) partyFacts(f *facts, label string, p *Party) {
	for _, n := range p.info.all("PartyId") {
		f.add(label+": PartyId", partyText([]partners.PartyID{{Type: n.attribute("type"), Value: n.text}}), n)
	}
	for _, b := range p.bindings {
		way := " receives "
		if b.sends {
			way = " sends "
		}
		c.bindingFacts(f, label+way+b.service.Value+" "+b.action, b)
	}
	for _, signal := range []struct{ action, kind string }{
		{"Acknowledgment", "response"}, {"MessageError", "error"}, {"Ping", "request"}, {"Pong", "response"}, {"StatusRequest", "request"}, {"StatusResponse", "response"},
	} {
		ch, _ := c.signals(p, signal.action)
		what := label + " receives " + signal.action + ": "
		if e := ch.endpoint(signal.kind); e != nil {
			f.add(what+"Endpoint", e.attribute("uri"), e)
		}
		c.receivingFacts(f, what, ch)
		c.sendingFacts(f, label+" sends "+signal.action+": ", ch)
	}
}

func (c *CPA) bindingFacts(f *facts, label string, b *binding) {
	what, ch, traits := label+": ", b.channels[0], b.traits()
	f.add(what+"Service type", orElse(b.service.Type, "none"), b.node)
	f.add(what+"Role", b.role, b.node.up("CollaborationRole").child("Role"))
	if b.within != nil {
		f.add(what+"within", b.within.action, b.node)
	}
	for _, a := range rules["BusinessTransactionCharacteristics"].attributes {
		value := traits.attribute(a.name)
		switch a.kind {
		case kindBool:
			value = map[bool]string{true: "true", false: "false"}[isTrue(value)]
		case kindText:
			value = orElse(value, "none")
		case kindDuration:
			value = oneSpelling(value)
		}
		f.add(what+a.name, value, traits)
	}
	for _, a := range rules["MessagingCharacteristics"].attributes {
		usual := map[string]string{"syncReplyMode": "none", "actor": actorToPartyMSH}[a.name]
		f.add(what+a.name, orElse(ch.characteristics.attribute(a.name), orElse(usual, "perMessage")), ch.characteristics)
	}
	if b.sends {
		c.reliabilityFacts(f, what, ch.exchange.child("ebXMLSenderBinding"))
		c.sendingFacts(f, what, ch)
	} else {
		kind := "request"
		if b.within != nil {
			kind = "response"
		}
		if e := ch.endpoint(kind); e != nil {
			f.add(what+"Endpoint", e.attribute("uri"), e)
		}
		c.reliabilityFacts(f, what, ch.exchange.child("ebXMLReceiverBinding"))
		c.receivingFacts(f, what, ch)
	}
	c.packagingFacts(f, what, c.ids[b.node.attribute("packageId")])
}

// oneSpelling writes durations of one length alike.
func oneSpelling(value string) string {
	d, err := parseDuration(value)
	if err != nil || d.months != 0 {
		return value
	}
	return writeDuration(d.rest)
}

func (c *CPA) sendingFacts(f *facts, what string, ch *channel) {
	binding := ch.exchange.child("ebXMLSenderBinding")
	c.signatureFacts(f, what, binding.child("SenderNonRepudiation"))
	c.envelopeFacts(f, what, binding.child("SenderDigitalEnvelope"))
	sender := ch.transport.child("TransportSender")
	c.transportFacts(f, what, sender, sender.child("TransportClientSecurity"))
}

func (c *CPA) receivingFacts(f *facts, what string, ch *channel) {
	binding := ch.exchange.child("ebXMLReceiverBinding")
	c.signatureFacts(f, what, binding.child("ReceiverNonRepudiation"))
	c.envelopeFacts(f, what, binding.child("ReceiverDigitalEnvelope"))
	receiver := ch.transport.child("TransportReceiver")
	c.transportFacts(f, what, receiver, receiver.child("TransportServerSecurity"))
}

func (c *CPA) reliabilityFacts(f *facts, what string, binding *node) {
	for _, n := range []*node{binding.at("ReliableMessaging", "Retries"), binding.at("ReliableMessaging", "MessageOrderSemantics")} {
		f.add(what+name(n), n.value(), n)
	}
	for _, n := range []*node{binding.at("ReliableMessaging", "RetryInterval"), binding.child("PersistDuration")} {
		f.add(what+name(n), oneSpelling(n.value()), n)
	}
}

func name(n *node) string {
	if n == nil {
		return ""
	}
	return n.name
}

func (c *CPA) signatureFacts(f *facts, what string, how *node) {
	if how == nil {
		return
	}
	f.add(what+"HashFunction", algorithmOf(how.child("HashFunction")), how)
	for _, n := range how.all("SignatureAlgorithm") {
		f.add(what+"SignatureAlgorithm", algorithmOf(n), n)
	}
	c.trustFacts(f, what, how)
}

func (c *CPA) envelopeFacts(f *facts, what string, envelope *node) {
	if envelope == nil {
		return
	}
	f.add(what+"DigitalEnvelopeProtocol", envelope.child("DigitalEnvelopeProtocol").text, envelope)
	for _, n := range envelope.all("EncryptionAlgorithm") {
		f.add(what+"EncryptionAlgorithm of messages", algorithmOf(n), n)
	}
	c.trustFacts(f, what, envelope)
}

func (c *CPA) transportFacts(f *facts, what string, end, security *node) {
	if end == nil {
		return
	}
	f.add(what+"TransportProtocol", end.child("TransportProtocol").text, end)
	for _, n := range end.all("AccessAuthentication") {
		f.add(what+"AccessAuthentication", n.text, n)
	}
	if security == nil {
		return
	}
	protocol := security.child("TransportSecurityProtocol")
	f.add(what+"TransportSecurityProtocol", strings.TrimSpace(protocol.text+" "+protocol.attribute("version")), protocol)
	c.trustFacts(f, what, security)
}

// trustFacts are the credentials and anchors that the children of n name.
func (c *CPA) trustFacts(f *facts, what string, n *node) {
	for _, ref := range n.children {
		if id := ref.attribute("certId"); id != "" {
			f.add(what+ref.name, c.print(f, id), ref)
		}
		for _, anchor := range c.ids[ref.attribute("securityId")].child("TrustAnchors").all("AnchorCertificateRef") {
			f.add(what+ref.name, c.print(f, anchor.attribute("certId")), anchor)
		}
	}
}

// print is the fingerprint of a Certificate, or the name of its key if it has nothing else.
func (c *CPA) print(f *facts, id string) string {
	if print, known := f.prints[id]; known {
		return print
	}
	chain, err := credentials(c.ids[id])
	f.prints[id] = "key " + c.ids[id].at("ds:KeyInfo", "ds:KeyName").value()
	if err == nil && len(chain) > 0 {
		f.prints[id] = signing.Fingerprint(chain[0])
	}
	return f.prints[id]
}

func (c *CPA) packagingFacts(f *facts, what string, n *node) {
	for _, list := range n.all("CompositeList") {
		for _, inner := range list.children {
			var parts []string
			for _, part := range inner.all("Constituent") {
				text := c.ids[part.attribute("idref")].attribute("mimetype")
				if least, most := part.attribute("minOccurs"), part.attribute("maxOccurs"); least+most != "" {
					text += " " + orElse(least, "1") + ".." + orElse(most, "1")
				}
				if isTrue(part.attribute("excludedFromSignature")) {
					text += " unsigned"
				}
				parts = append(parts, text)
			}
			f.add(what+inner.name, inner.attribute("mimetype")+" of "+strings.Join(parts, " + "), inner)
		}
	}
}
