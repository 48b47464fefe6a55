// Package cpa reads, writes and compares collaboration protocol agreements (CPA, OASIS CPPA 2.0): the files that administrators of
// other ebXML products live by. It turns one into our own agreements and what they say of the partner, and says of everything in it
// that this node cannot honour whether that is refused or only to be known; and it writes one from our own agreements.
//
// Read is strict: the order, number and types of the schema, identifiers that lead where they should, and no signature that is
// broken. What it leaves to others: whether the credentials in a CPA are to be trusted, and what a store or a configuration file
// does with the result. It opens no files and takes no clock.
//
// Read cpa.go (a CPA and its parties), then signature.go, agreement.go with terms.go, credentials.go and actions.go (CPA to agreement),
// write.go with writeterms.go (agreement to CPA), entry.go (a partner's entry) and diff.go. grammar.go, tree.go and element.go are the XML below. docs/cpa.md tells operators what becomes of each path.
package cpa

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/partners"
)

// What a party may have at most.
const (
	maxActions      = 1000 // that it sends and receives
	maxCertificates = 100
	maxAnchors      = 100 // of one TrustAnchors
	maxChain        = 10  // X.509 certificates of one Certificate
)

// CPA is a collaboration protocol agreement that was read. It is safe for concurrent use, and nobody changes it.
type CPA struct {
	// ID is cpaid: eb:CPAId of messages under it (ebMS 2.0 §3.1.2). Version has no meaning but to tell two texts apart.
	ID, Version string
	// Status is "agreed", "signed" or "proposed".
	Status string
	// Start and End are when it is in force: [Start, End).
	Start, End time.Time
	// Parties are the two of it, in the order of the document.
	Parties [2]Party
	// Signatures are those that it carries, in their order. They were verified: what was read is what they cover.
	Signatures []Signature

	root *node
	ids  map[string]*node
}

// Party is a party of a CPA.
type Party struct {
	// Name is for people.
	Name string
	// IDs are what stands in From and To.
	IDs []partners.PartyID

	info     *node
	bindings []*binding
}

// binding is an action that a party sends or receives: ThisPartyActionBinding with what it refers to.
type binding struct {
	node   *node
	party  *Party
	action string
	sends  bool
	// role and service are those of its CollaborationRole.
	role     string
	service  partners.Service
	channels []*channel // the first is to be used
	// within is the binding that it answers in the HTTP response of: CanReceive inside CanSend, and the reverse.
	within *binding
}

// channel is a DeliveryChannel with what it refers to; no part of it is nil.
type channel struct {
	node, characteristics, transport, exchange *node
}

// Read reads a CPA. The document is at most 4 MiB of UTF-8 without a document type declaration and has two parties. The error is an
// *Error with the place: XML that is none, a document that the schema of CPPA 2.0 does not allow, an identifier that leads
// nowhere or to the other party, or a signature that is broken or follows rules that this node does not (see Signature).
func Read(doc []byte) (*CPA, error) {
	octets, err := canonical(doc)
	if err != nil {
		return nil, err
	}
	c, err := read(octets, doc)
	if err != nil {
		return nil, err
	}
	place := c.root.child("Signature")
	if place == nil {
		return c, nil
	}
	if len(place.children) == 0 {
		return nil, place.fault("", "want ds:Signature, found the end")
	}
	signatures, covered, err := c.verify(doc)
	if err != nil {
		return nil, err
	}
	if c, err = read(covered, doc); err != nil {
		return nil, err
	}
	c.Signatures = signatures
	return c, nil
}

// read makes a CPA of octets in canonical form; doc is the document itself, for the numbers of lines.
func read(octets, doc []byte) (*CPA, error) {
	root, err := parse(octets)
	if err != nil {
		return nil, err
	}
	number(root, doc)
	if root.name != "CollaborationProtocolAgreement" {
		if root.name == "CollaborationProtocolProfile" {
			return nil, root.fault("", "want a CollaborationProtocolAgreement; this is the profile of one party, from which an agreement has yet to be made")
		}
		return nil, root.fault("", "want CollaborationProtocolAgreement of namespace %s", space)
	}
	c := &CPA{root: root, ids: map[string]*node{}}
	if err := check(root, c.ids); err != nil {
		return nil, err
	}
	if err := c.checkReferences(root); err != nil {
		return nil, err
	}
	c.ID, c.Version, c.Status = root.attribute("cpaid"), root.attribute("version"), root.child("Status").attribute("value")
	c.Start, _, _ = parseTime(root.child("Start").text) // the grammar has seen to it
	c.End, _, _ = parseTime(root.child("End").text)
	if !c.Start.Before(c.End) {
		return nil, root.child("End").fault("", "want a time after Start (%s), found %s", root.child("Start").text, root.child("End").text)
	}
	for i, info := range root.all("PartyInfo") {
		c.Parties[i] = Party{Name: info.attribute("partyName"), info: info}
		for _, id := range info.all("PartyId") {
			c.Parties[i].IDs = append(c.Parties[i].IDs, partners.PartyID{Type: id.attribute("type"), Value: id.text})
		}
	}
	for i := range c.Parties {
		if list := c.Parties[i].info.all("Certificate"); len(list) > maxCertificates {
			return nil, list[maxCertificates].fault("", "want at most %d of a party", maxCertificates)
		}
		if err := c.Parties[i].readRoles(c); err != nil {
			return nil, err
		}
	}
	for _, id := range c.Parties[1].IDs {
		if slices.Contains(c.Parties[0].IDs, id) {
			return nil, c.Parties[1].info.fault("", "has PartyId %q of the other party too", id.Value)
		}
	}
	return c, nil
}

// checkReferences sees that identifiers lead to what they should, within the party that they stand in: an endpoint of the other one
// would be somebody else's.
func (c *CPA) checkReferences(n *node) error {
	for _, a := range rules[n.name].attributes {
		value, there := n.attributes[a.name]
		if a.kind == kindRef && there {
			if err := c.checkReference(n, a.name, value, a.of); err != nil {
				return err
			}
		}
	}
	var err error
	switch n.name {
	case "TrustAnchors":
		if len(n.children) > maxAnchors {
			err = n.children[maxAnchors].fault("", "want at most %d", maxAnchors)
		}
	case "ChannelId":
		err = c.checkReference(n, "", n.text, []string{"DeliveryChannel"})
	case "OtherPartyActionBinding":
		err = c.checkReference(n, "", n.text, []string{"ThisPartyActionBinding"})
	}
	if err != nil {
		return err
	}
	for _, inner := range n.children {
		if err := c.checkReferences(inner); err != nil {
			return err
		}
	}
	return nil
}

// ofOther are the elements that may be meant although they are not of the party that means them.
var ofOther = []string{"Packaging", "SimplePart", "Encapsulation", "Composite"}

func (c *CPA) checkReference(n *node, attribute, id string, of []string) error {
	meant := c.ids[id]
	want := strings.Join(of, ", ")
	switch {
	case meant == nil:
		return n.fault(attribute, "want the identifier of %s, found %.200q, which nothing has", want, id)
	case !slices.Contains(of, meant.name):
		return n.fault(attribute, "want the identifier of %s, found that of %s", want, meant.path())
	case n.name == "OtherPartyActionBinding":
		if meant.up("PartyInfo") == n.up("PartyInfo") {
			return n.fault(attribute, "want an action of the other party, found %s", meant.path())
		}
	case n.name != "AnchorCertificateRef" && !slices.Contains(ofOther, meant.name) && meant.up("PartyInfo") != n.up("PartyInfo"):
		return n.fault(attribute, "want one of the same party, found %s", meant.path())
	}
	return nil
}

// readRoles reads what a party sends and receives.
func (p *Party) readRoles(c *CPA) error {
	for _, role := range p.info.all("CollaborationRole") {
		services := role.child("ServiceBinding")
		service := services.child("Service")
		of := binding{
			party: p, role: role.child("Role").attribute("name"),
			service: partners.Service{Type: service.attribute("type"), Value: service.text},
		}
		for _, can := range services.children[1:] {
			if err := p.readCan(c, can, of, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *Party) readCan(c *CPA, can *node, of binding, within *binding) error {
	of.node, of.within, of.sends = can.child("ThisPartyActionBinding"), within, can.name == "CanSend"
	of.action = of.node.attribute("action")
	for _, id := range of.node.all("ChannelId") {
		of.channels = append(of.channels, c.channel(id.text))
	}
	if p.bindings = append(p.bindings, &of); len(p.bindings) > maxActions {
		return can.fault("", "want at most %d actions of a party", maxActions)
	}
	for _, inner := range can.children {
		if inner.name == "CanSend" || inner.name == "CanReceive" {
			if err := p.readCan(c, inner, of, &of); err != nil {
				return err
			}
		}
	}
	return nil
}

// channel gives the DeliveryChannel with that identifier.
func (c *CPA) channel(id string) *channel {
	n := c.ids[id]
	return &channel{n, n.child("MessagingCharacteristics"), c.ids[n.attribute("transportId")], c.ids[n.attribute("docExchangeId")]}
}

// signals is the channel that messages of the messaging service itself come to, such as "Acknowledgment", and the node that says so.
func (c *CPA) signals(p *Party, action string) (*channel, *node) {
	for _, override := range p.info.all("OverrideMshActionBinding") {
		if override.attribute("action") == action {
			return c.channel(override.attribute("channelId")), override
		}
	}
	return c.channel(p.info.attribute("defaultMshChannelId")), p.info
}

// endpoint is the Endpoint of a channel for messages of a kind, or the one for all of them; nil if there is none.
func (ch *channel) endpoint(kind string) *node {
	var forAll *node
	for _, e := range ch.transport.child("TransportReceiver").all("Endpoint") {
		switch e.attribute("type") {
		case kind:
			return e
		case "", "allPurpose":
			if forAll == nil {
				forAll = e
			}
		}
	}
	return forAll
}

// credentials reads the X.509 certificates of a Certificate, the one of its key first; none if it only names the key.
func credentials(certificate *node) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for _, data := range certificate.child("ds:KeyInfo").all("ds:X509Data") {
		for _, n := range data.all("ds:X509Certificate") {
			der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(n.text), ""))
			if err != nil {
				return nil, fmt.Errorf("%s: want base64: %w", n.path(), err)
			}
			x509Cert, err := x509.ParseCertificate(der)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", n.path(), err)
			}
			if out = append(out, x509Cert); len(out) > maxChain {
				return nil, fmt.Errorf("%s: want at most %d X.509 certificates", certificate.path(), maxChain)
			}
		}
	}
	return out, nil
}

// EndpointOf is the URL at which the party with one of these ids takes messages, as its first action has it; "" if there is none.
func (c *CPA) EndpointOf(ids []partners.PartyID) string {
	for _, p := range c.Parties {
		if !slices.ContainsFunc(p.IDs, func(id partners.PartyID) bool { return slices.Contains(ids, id) }) {
			continue
		}
		for _, b := range p.bindings {
			if e := b.channels[0].endpoint("request"); !b.sends && e != nil {
				return e.attribute("uri")
			}
		}
		ch, _ := c.signals(&p, "Acknowledgment")
		if e := ch.endpoint("response"); e != nil {
			return e.attribute("uri")
		}
	}
	return ""
}
