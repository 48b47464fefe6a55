package cpa

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ecogate/ecogate/partners"
)

// Export is what a CPA is written from.
type Export struct {
	// Agreements are those of one CPAId, all with the same partner and the same period. Their roles are filled in.
	Agreements []partners.AgreementConfig
	// Own and Partner are the two sides. A CPA has room for one credential of a use: the first that has it is written. Their Anchors are
	// what the other side trusts; without any it is the credentials themselves.
	Own, Partner Side
	// OwnEndpoint is the URL at which the partner reaches this node.
	OwnEndpoint string
	// Version is that of the CPA; "" for "1". Status is "agreed" or "proposed"; "" for "agreed".
	Version, Status string
}

// A CPA has a beginning and an end. These two stand for an agreement that has none.
var (
	openStart = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	openEnd   = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

// Write writes the CPA that agreements come to, without signature. Read accepts it, and to either party it means what e says. What a CPA has
// no place for, such as forms, stands in its Comments. The error says what is missing, or what the two parties could not have
// agreed so.
func Write(e Export) ([]byte, error) {
	e.Agreements = slices.Clone(e.Agreements)
	for i := range e.Agreements {
		e.Agreements[i].SetDefaults()
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	w := &writer{Export: e, sides: [2]*side{{letter: "A", Side: e.Own}, {letter: "B", Side: e.Partner}}}
	root, err := w.document()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
	root.write(&out, "")
	return out.Bytes(), e.verify(out.Bytes())
}

// check sees that the agreements fit into one CPA.
func (e *Export) check() error {
	if len(e.Agreements) == 0 {
		return errors.New("no agreement has this CPAId")
	}
	if len(e.Own.PartyIDs) == 0 || len(e.Partner.PartyIDs) == 0 {
		return errors.New("a party has no id")
	}
	if e.OwnEndpoint == "" {
		return errors.New("the URL at which the partner reaches this node is missing")
	}
	first := e.Agreements[0]
	for _, a := range e.Agreements {
		switch {
		case a.CPAID != first.CPAID || a.Partner != first.Partner:
			return fmt.Errorf("agreements of %q with %q and of %q with %q do not go into one CPA", first.CPAID, first.Partner, a.CPAID, a.Partner)
		case !a.Start.Equal(first.Start) || !a.End.Equal(first.End):
			return fmt.Errorf("agreements of CPAId %q differ in start or end, of which a CPA has one", a.CPAID)
		case ackEndpoint(a) != ackEndpoint(first) || errorEndpoint(a) != errorEndpoint(first):
			return fmt.Errorf("agreements of CPAId %q differ in ack_endpoint or error_endpoint, of which a CPA has one", a.CPAID)
		case a.OwnRole == "" || a.PartnerRole == "":
			return fmt.Errorf("the agreement of CPAId %q and service %q has no roles, which a CPA must have; give own_role and partner_role", a.CPAID, a.Service.Value)
		}
	}
	return nil
}

func ackEndpoint(a partners.AgreementConfig) string   { return orElse(a.AckEndpoint, a.Endpoint) }
func errorEndpoint(a partners.AgreementConfig) string { return orElse(a.ErrorEndpoint, a.Endpoint) }

func orElse(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// verify reads what was written, as either party does.
func (e *Export) verify(doc []byte) error {
	c, err := Read(doc)
	if err != nil {
		return fmt.Errorf("the CPA would not be accepted: %w", err)
	}
	for _, own := range [][]partners.PartyID{e.Own.PartyIDs, e.Partner.PartyIDs} {
		o := Options{Own: own, Base: e.Agreements}
		got, err := c.Agreement(o)
		if err != nil {
			return err
		}
		for _, f := range got.Findings {
			if f.Severity == Refused && e.Status != "proposed" {
				return fmt.Errorf("the CPA would be refused: %s", f)
			}
		}
	}
	return nil
}

// side is a side while it is written. Its letter begins its identifiers.
type side struct {
	Side
	letter string
	// certificates are those that were named so far, each with what is above it, in their order, and their identifiers.
	certificates [][]*x509.Certificate
	names        []string
	urls         []string // of its transports, in their order
}

// certificate gives the identifier of a credential, or "" for none.
func (s *side) certificate(chain []*x509.Certificate) string {
	if len(chain) == 0 {
		return ""
	}
	if i := slices.IndexFunc(s.certificates, func(there []*x509.Certificate) bool { return there[0].Equal(chain[0]) }); i >= 0 {
		return s.names[i]
	}
	s.certificates = append(s.certificates, chain)
	s.names = append(s.names, s.letter+"-certificate-"+strconv.Itoa(len(s.certificates)))
	return s.names[len(s.names)-1]
}

// credential is the first that has a use.
func (s *side) credential(use partners.Use) []*x509.Certificate {
	for _, c := range s.Credentials {
		if slices.Contains(c.Uses, use) {
			return c.Chain
		}
	}
	return nil
}

// writer writes one CPA. sides are the node's own and the partner's.
type writer struct {
	Export
	sides [2]*side
}

func (w *writer) document() (*element, error) {
	first := w.Agreements[0]
	start, end := first.Start, first.End
	if start.IsZero() {
		start = openStart
	}
	if end.IsZero() {
		end = openEnd
	}
	root := el("CollaborationProtocolAgreement", "cpaid", first.CPAID, "version", orElse(w.Version, "1")).with(
		el("Status", "value", orElse(w.Status, "agreed")),
		leaf("Start", start.UTC().Format(time.RFC3339)),
		leaf("End", end.UTC().Format(time.RFC3339)))
	for i := range w.sides {
		info, err := w.party(i)
		if err != nil {
			return nil, err
		}
		root.with(info)
	}
	root.with(w.packaging()...)
	return root.with(w.comments()...), nil
}

// party writes the PartyInfo of a side.
func (w *writer) party(i int) (*element, error) {
	s := w.sides[i]
	info := el("PartyInfo", "partyName", orElse(s.Name, s.PartyIDs[0].Value), "defaultMshChannelId", s.letter+"-signals", "defaultMshPackageId", "signals")
	for _, id := range s.PartyIDs {
		info.with(leaf("PartyId", id.Value, "type", id.Type))
	}
	info.with(el("PartyRef", "xlink:type", "simple", "xlink:href", "urn:ecogate:party"))
	for n, a := range w.Agreements {
		info.with(w.role(i, n, a))
	}
	var channels, exchanges []*element
	signed := false
	for n, a := range w.Agreements {
		exchange, err := w.exchange(i, n, a)
		if err != nil {
			return nil, err
		}
		exchanges = append(exchanges, exchange)
		channels = append(channels, w.channel(i, n, a))
		signed = signed || *a.SignatureRequired || *a.AckSigned
	}
	signals, err := w.signalExchange(i, signed)
	if err != nil {
		return nil, err
	}
	more, overrides := w.signalChannels(i)
	channels = append(channels, more...)
	var transports []*element
	for _, url := range s.urls {
		transports = append(transports, s.writeTransport(s.transport(url), url))
	}
	trust := w.trust(i)
	for n, chain := range s.certificates {
		data := el("ds:X509Data")
		for _, x509Cert := range chain[:min(len(chain), maxChain)] {
			data.with(leaf("ds:X509Certificate", base64.StdEncoding.EncodeToString(x509Cert.Raw)))
		}
		info.with(el("Certificate", "certId", s.names[n]).with(el("ds:KeyInfo").with(data)))
	}
	return info.with(trust).with(channels...).with(transports...).with(append(exchanges, signals)...).with(overrides...), nil
}

// signalChannels writes the channel of acknowledgments and, where errors or questions go elsewhere, what says so.
func (w *writer) signalChannels(i int) (channels, overrides []*element) {
	s, first := w.sides[i], w.Agreements[0]
	channel := func(name, url string) *element {
		return el("DeliveryChannel", "channelId", s.letter+"-"+name, "transportId", s.transport(url), "docExchangeId", s.letter+"-signals-exchange").with(
			el("MessagingCharacteristics", "syncReplyMode", partners.SyncReplyNone, "ackRequested", "never",
				"ackSignatureRequested", "never", "duplicateElimination", "never", "actor", actorToPartyMSH))
	}
	if i == 0 {
		return []*element{channel("signals", w.OwnEndpoint)}, nil
	}
	channels = []*element{channel("signals", ackEndpoint(first))}
	for _, other := range []struct {
		name, url string
		actions   []string
	}{{"errors", errorEndpoint(first), []string{"MessageError"}}, {"questions", first.Endpoint, []string{"Ping", "StatusRequest"}}} {
		if other.url == ackEndpoint(first) {
			continue
		}
		channels = append(channels, channel(other.name, other.url))
		for _, action := range other.actions {
			overrides = append(overrides, el("OverrideMshActionBinding", "action", action, "channelId", s.letter+"-"+other.name))
		}
	}
	return channels, overrides
}

func (w *writer) id(i, n int, what string) string {
	return w.sides[i].letter + "-" + strconv.Itoa(n+1) + "-" + what
}

// role writes what a side sends and receives of one agreement.
func (w *writer) role(i, n int, a partners.AgreementConfig) *element {
	name := a.OwnRole
	if i == 1 {
		name = a.PartnerRole
	}
	services := el("ServiceBinding").with(leaf("Service", a.Service.Value, "type", a.Service.Type))
	for _, sends := range []bool{true, false} {
		for _, m := range meanings {
			if action := *m.of(&a); m.key != "answer_action" && action != partners.ActionNone {
				can := w.can(i, n, a, m, sends)
				if m.key == "action" && answered(a) {
					can.with(w.can(i, n, a, meanings[1], !sends))
				}
				services.with(can)
			}
		}
	}
	return el("CollaborationRole").with(
		el("ProcessSpecification", "version", "1.0", "name", "Exchange of certificates of origin", "xlink:type", "simple", "xlink:href", "urn:ecogate:process"),
		el("Role", "name", name, "xlink:type", "simple", "xlink:href", "urn:ecogate:process"),
		services)
}

// answered tells whether answers are given, in the HTTP response.
func answered(a partners.AgreementConfig) bool {
	return a.SyncReply != partners.SyncReplyNone && a.SyncReply != partners.SyncReplySignals
}

func (w *writer) can(i, n int, a partners.AgreementConfig, m meaning, sends bool) *element {
	way := map[bool]string{true: "sends", false: "receives"}
	to := i // the side that the message comes to
	if sends {
		to = 1 - i
	}
	pack := w.pack(n, "messages")
	if m.key == "answer_action" {
		pack = w.pack(n, "answers")
	}
	return el(verb(sends)).with(
		el("ThisPartyActionBinding", "id", w.id(i, n, way[sends]+"-"+m.key), "action", *m.of(&a), "packageId", pack).with(
			w.traits(a, to), leaf("ChannelId", w.id(i, n, "messages"))),
		leaf("OtherPartyActionBinding", w.id(1-i, n, way[!sends]+"-"+m.key)))
}

func (w *writer) pack(n int, what string) string { return what + "-" + strconv.Itoa(n+1) }

// traits writes what protects messages to a side.
func (w *writer) traits(a partners.AgreementConfig, to int) *element {
	endpoint := w.OwnEndpoint
	if to == 1 {
		endpoint = a.Endpoint
	}
	tls := strings.HasPrefix(strings.ToLower(endpoint), "https:")
	known := tls && w.sides[1-to].credential(partners.UseTLSClient) != nil
	return el("BusinessTransactionCharacteristics",
		"isNonRepudiationRequired", strconv.FormatBool(*a.SignatureRequired),
		"isNonRepudiationReceiptRequired", strconv.FormatBool(*a.AckSigned),
		"isConfidential", level(tls, false),
		"isAuthenticated", level(known, *a.SignatureRequired),
		"isTamperProof", level(tls, *a.SignatureRequired),
		"isAuthorizationRequired", "true")
}

func level(transient, persistent bool) string {
	switch {
	case transient && persistent:
		return "transient-and-persistent"
	case transient:
		return "transient"
	case persistent:
		return "persistent"
	}
	return "none"
}

func always(is bool) string {
	if is {
		return "always"
	}
	return "never"
}

func (w *writer) channel(i, n int, a partners.AgreementConfig) *element {
	id, url := w.id(i, n, "messages"), w.OwnEndpoint
	if i == 1 {
		url = a.Endpoint
	}
	return el("DeliveryChannel", "channelId", id, "transportId", w.sides[i].transport(url), "docExchangeId", id+"-exchange").with(
		el("MessagingCharacteristics", "syncReplyMode", a.SyncReply, "ackRequested", always(*a.AckRequested),
			"ackSignatureRequested", always(*a.AckSigned), "duplicateElimination", always(*a.DuplicateElimination), "actor", actorToPartyMSH))
}

// transport gives the identifier of a side's Transport for a URL.
func (s *side) transport(url string) string {
	i := slices.Index(s.urls, url)
	if i < 0 {
		i = len(s.urls)
		s.urls = append(s.urls, url)
	}
	return s.letter + "-transport-" + strconv.Itoa(i+1)
}

func (s *side) writeTransport(id, endpoint string) *element {
	out := el("TransportSender").with(leaf("TransportProtocol", "HTTP", "version", "1.1"))
	in := el("TransportReceiver").with(leaf("TransportProtocol", "HTTP", "version", "1.1"), el("Endpoint", "uri", endpoint, "type", "allPurpose"))
	other := el("ServerSecurityDetailsRef", "securityId", s.letter+"-trust")
	if client := s.certificate(s.credential(partners.UseTLSClient)); client != "" {
		out.with(el("TransportClientSecurity").with(leaf("TransportSecurityProtocol", "TLS", "version", "1.2"), el("ClientCertificateRef", "certId", client), other))
	}
	if server := s.certificate(s.credential(partners.UseTLSServer)); server != "" && strings.HasPrefix(strings.ToLower(endpoint), "https:") {
		in.with(el("TransportServerSecurity").with(leaf("TransportSecurityProtocol", "TLS", "version", "1.2"), el("ServerCertificateRef", "certId", server),
			el("ClientSecurityDetailsRef", "securityId", s.letter+"-trust")))
	}
	return el("Transport", "transportId", id).with(out, in)
}

// trust writes what a side trusts: the anchors of the other one, or its credentials themselves.
func (w *writer) trust(i int) *element {
	s, other := w.sides[i], w.sides[1-i]
	anchors := other.Anchors
	if len(anchors) == 0 {
		for _, c := range other.Credentials {
			anchors = append(anchors, c.Chain[0])
		}
	}
	details := el("SecurityDetails", "securityId", s.letter+"-trust")
	if len(anchors) == 0 {
		return details
	}
	list := el("TrustAnchors")
	for _, x509Cert := range anchors {
		list.with(el("AnchorCertificateRef", "certId", s.certificate([]*x509.Certificate{x509Cert})))
	}
	return details.with(list)
}
