package cpa

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What a CPA is made of: CPPA 2.0, the normative schema. The names of elements mean the same wherever they stand, so one table
// by name holds all of it; what stands in elements of XML Signature is read where it is used.

// kind is the type of a value.
type kind int

// The kinds of values; kindNone is that of an element without text.
const (
	kindNone kind = iota
	kindText      // not empty
	kindBool
	kindInteger
	kindDuration
	kindTime
	kindID
	kindRef
	kindURI // perhaps empty
	kindLanguage
)

// attribute is what an attribute may be.
type attribute struct {
	name     string
	required bool
	kind     kind
	// of are the values there are; nil for any of the kind. Of kindRef it names the elements that may be meant.
	of []string
}

// child is which elements may stand in another, and how often; max 0 is without end.
type child struct {
	name     string
	min, max int
}

// rule is what an element may be.
type rule struct {
	attributes []attribute
	children   []child
	// choice lets the children stand in any order, and min and max count all of them together.
	choice bool
	text   kind
	// open lets elements of other namespaces stand at the end.
	open bool
}

func need(name string, k kind, of ...string) attribute    { return attribute{name, true, k, of} }
func perhaps(name string, k kind, of ...string) attribute { return attribute{name, false, k, of} }

var (
	perMessage  = []string{"always", "never", "perMessage"}
	persistence = []string{"none", "transient", "persistent", "transient-and-persistent"}
	syncReplies = []string{"mshSignalsOnly", "responseOnly", "signalsAndResponse", "signalsOnly", "none"}
	actors      = []string{actorNextMSH, actorToPartyMSH}

	linked    = []attribute{perhaps("xlink:type", kindText, "simple"), need("xlink:href", kindURI)}
	packaged  = []attribute{need("id", kindID), need("mimetype", kindText), perhaps("mimeparameters", kindText)}
	protocol  = rule{text: kindText, attributes: []attribute{perhaps("version", kindText)}}
	withCert  = rule{attributes: []attribute{need("certId", kindRef, "Certificate")}}
	withTrust = rule{attributes: []attribute{need("securityId", kindRef, "SecurityDetails")}}
	version   = need("version", kindText)

	actionBinding = rule{
		attributes: []attribute{
			need("id", kindID), need("action", kindText), need("packageId", kindRef, "Packaging"),
			perhaps("xlink:href", kindURI), perhaps("xlink:type", kindText, "simple"),
		},
		children: []child{{"BusinessTransactionCharacteristics", 1, 1}, {"ActionContext", 0, 1}, {"ChannelId", 1, 0}},
		open:     true,
	}
)

const (
	actorNextMSH    = "urn:oasis:names:tc:ebxml-msg:actor:nextMSH"
	actorToPartyMSH = "urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH"
)

// rules are those of every element of CPPA 2.0 that a CPA may have.
var rules = map[string]rule{
	"CollaborationProtocolAgreement": {
		attributes: []attribute{need("cpaid", kindText), version},
		children: []child{{"Status", 1, 1}, {"Start", 1, 1}, {"End", 1, 1}, {"ConversationConstraints", 0, 1}, {"PartyInfo", 2, 2},
			{"SimplePart", 1, 0}, {"Packaging", 1, 0}, {"Signature", 0, 1}, {"Comment", 0, 0}},
	},
	"Status": {attributes: []attribute{need("value", kindText, "agreed", "signed", "proposed")}},
	"Start":  {text: kindTime},
	"End":    {text: kindTime},
	"ConversationConstraints": {
		attributes: []attribute{perhaps("invocationLimit", kindInteger), perhaps("concurrentConversations", kindInteger)},
	},
	"PartyInfo": {
		attributes: []attribute{
			need("partyName", kindText), need("defaultMshChannelId", kindRef, "DeliveryChannel"), need("defaultMshPackageId", kindRef, "Packaging"),
		},
		children: []child{{"PartyId", 1, 0}, {"PartyRef", 1, 0}, {"CollaborationRole", 1, 0}, {"Certificate", 0, 0}, {"SecurityDetails", 0, 0},
			{"DeliveryChannel", 1, 0}, {"Transport", 1, 0}, {"DocExchange", 1, 0}, {"OverrideMshActionBinding", 0, 0}},
	},
	"PartyId":  {text: kindText, attributes: []attribute{perhaps("type", kindURI)}},
	"PartyRef": {attributes: slices.Concat(linked, []attribute{perhaps("type", kindURI), perhaps("schemaLocation", kindURI)})},
	"CollaborationRole": {
		children: []child{{"ProcessSpecification", 1, 1}, {"Role", 1, 1}, {"ApplicationCertificateRef", 0, 0}, {"ApplicationSecurityDetailsRef", 0, 1}, {"ServiceBinding", 1, 1}},
	},
	"ProcessSpecification": {
		attributes: slices.Concat(linked, []attribute{need("name", kindText), version, perhaps("uuid", kindURI)}),
		children:   []child{{"ds:Reference", 0, 0}},
	},
	"Role":                          {attributes: slices.Concat(linked, []attribute{need("name", kindText)})},
	"ApplicationCertificateRef":     withCert,
	"ApplicationSecurityDetailsRef": withTrust,
	"ServiceBinding":                {children: []child{{"Service", 1, 1}, {"CanSend", 0, 0}, {"CanReceive", 0, 0}}},
	"Service":                       {text: kindText, attributes: []attribute{perhaps("type", kindText)}},
	"CanSend":                       {children: []child{{"ThisPartyActionBinding", 1, 1}, {"OtherPartyActionBinding", 0, 1}, {"CanReceive", 0, 0}}},
	"CanReceive":                    {children: []child{{"ThisPartyActionBinding", 1, 1}, {"OtherPartyActionBinding", 0, 1}, {"CanSend", 0, 0}}},
	"ThisPartyActionBinding":        actionBinding,
	"OtherPartyActionBinding":       {text: kindRef},
	"BusinessTransactionCharacteristics": {attributes: []attribute{
		perhaps("isNonRepudiationRequired", kindBool), perhaps("isNonRepudiationReceiptRequired", kindBool),
		perhaps("isConfidential", kindText, persistence...), perhaps("isAuthenticated", kindText, persistence...), perhaps("isTamperProof", kindText, persistence...),
		perhaps("isAuthorizationRequired", kindBool), perhaps("isIntelligibleCheckRequired", kindBool),
		perhaps("timeToAcknowledgeReceipt", kindDuration), perhaps("timeToAcknowledgeAcceptance", kindDuration), perhaps("timeToPerform", kindDuration),
		perhaps("retryCount", kindInteger),
	}},
	"ActionContext": {
		attributes: []attribute{need("binaryCollaboration", kindText), need("businessTransactionActivity", kindText), need("requestOrResponseAction", kindText)},
		children:   []child{{"CollaborationActivity", 0, 1}},
		open:       true,
	},
	"CollaborationActivity": {attributes: []attribute{perhaps("name", kindText)}, children: []child{{"CollaborationActivity", 0, 1}}},
	"ChannelId":             {text: kindRef},
	"Certificate":           {attributes: []attribute{need("certId", kindID)}, children: []child{{"ds:KeyInfo", 1, 1}}},
	"SecurityDetails":       {attributes: []attribute{need("securityId", kindID)}, children: []child{{"TrustAnchors", 0, 1}, {"SecurityPolicy", 0, 1}}},
	"TrustAnchors":          {children: []child{{"AnchorCertificateRef", 1, 0}}},
	"AnchorCertificateRef":  withCert,
	"SecurityPolicy":        {},
	"DeliveryChannel": {
		attributes: []attribute{need("channelId", kindID), need("transportId", kindRef, "Transport"), need("docExchangeId", kindRef, "DocExchange")},
		children:   []child{{"MessagingCharacteristics", 1, 1}},
	},
	"MessagingCharacteristics": {attributes: []attribute{
		perhaps("syncReplyMode", kindText, syncReplies...), perhaps("ackRequested", kindText, perMessage...), perhaps("ackSignatureRequested", kindText, perMessage...),
		perhaps("duplicateElimination", kindText, perMessage...), perhaps("actor", kindText, actors...),
	}},
	"Transport":            {attributes: []attribute{need("transportId", kindID)}, children: []child{{"TransportSender", 0, 1}, {"TransportReceiver", 0, 1}}},
	"TransportSender":      {children: []child{{"TransportProtocol", 1, 1}, {"AccessAuthentication", 0, 0}, {"TransportClientSecurity", 0, 1}}},
	"TransportReceiver":    {children: []child{{"TransportProtocol", 1, 1}, {"AccessAuthentication", 0, 0}, {"Endpoint", 1, 0}, {"TransportServerSecurity", 0, 1}}},
	"TransportProtocol":    protocol,
	"AccessAuthentication": {text: kindText},
	"Endpoint": {
		attributes: []attribute{need("uri", kindURI), perhaps("type", kindText, "login", "request", "response", "error", "allPurpose")},
	},
	"TransportClientSecurity": {
		children: []child{{"TransportSecurityProtocol", 1, 1}, {"ClientCertificateRef", 0, 1}, {"ServerSecurityDetailsRef", 0, 1}, {"EncryptionAlgorithm", 0, 0}},
	},
	"TransportServerSecurity": {
		children: []child{{"TransportSecurityProtocol", 1, 1}, {"ServerCertificateRef", 1, 1}, {"ClientSecurityDetailsRef", 0, 1}, {"EncryptionAlgorithm", 0, 0}},
	},
	"TransportSecurityProtocol": protocol,
	"ClientCertificateRef":      withCert,
	"ServerCertificateRef":      withCert,
	"ServerSecurityDetailsRef":  withTrust,
	"ClientSecurityDetailsRef":  withTrust,
	"EncryptionAlgorithm": {text: kindText, attributes: []attribute{
		perhaps("minimumStrength", kindInteger), perhaps("oid", kindText), perhaps("w3c", kindText), perhaps("enumerationType", kindText),
	}},
	"DocExchange": {
		attributes: []attribute{need("docExchangeId", kindID)},
		children:   []child{{"ebXMLSenderBinding", 0, 1}, {"ebXMLReceiverBinding", 0, 1}},
	},
	"ebXMLSenderBinding": {
		attributes: []attribute{version},
		children:   []child{{"ReliableMessaging", 0, 1}, {"PersistDuration", 0, 1}, {"SenderNonRepudiation", 0, 1}, {"SenderDigitalEnvelope", 0, 1}, {"NamespaceSupported", 0, 0}},
	},
	"ebXMLReceiverBinding": {
		attributes: []attribute{version},
		children:   []child{{"ReliableMessaging", 0, 1}, {"PersistDuration", 0, 1}, {"ReceiverNonRepudiation", 0, 1}, {"ReceiverDigitalEnvelope", 0, 1}, {"NamespaceSupported", 0, 0}},
	},
	"ReliableMessaging":            {children: []child{{"Retries", 0, 1}, {"RetryInterval", 0, 1}, {"MessageOrderSemantics", 1, 1}}},
	"Retries":                      {text: kindInteger},
	"RetryInterval":                {text: kindDuration},
	"MessageOrderSemantics":        {text: kindText},
	"PersistDuration":              {text: kindDuration},
	"SenderNonRepudiation":         {children: []child{{"NonRepudiationProtocol", 1, 1}, {"HashFunction", 1, 1}, {"SignatureAlgorithm", 1, 0}, {"SigningCertificateRef", 1, 1}}},
	"ReceiverNonRepudiation":       {children: []child{{"NonRepudiationProtocol", 1, 1}, {"HashFunction", 1, 1}, {"SignatureAlgorithm", 1, 0}, {"SigningSecurityDetailsRef", 0, 1}}},
	"NonRepudiationProtocol":       protocol,
	"HashFunction":                 {text: kindText},
	"SignatureAlgorithm":           {text: kindText, attributes: []attribute{perhaps("oid", kindText), perhaps("w3c", kindText), perhaps("enumerationType", kindText)}},
	"SigningCertificateRef":        withCert,
	"SigningSecurityDetailsRef":    withTrust,
	"SenderDigitalEnvelope":        {children: []child{{"DigitalEnvelopeProtocol", 1, 1}, {"EncryptionAlgorithm", 1, 0}, {"EncryptionSecurityDetailsRef", 0, 1}}},
	"ReceiverDigitalEnvelope":      {children: []child{{"DigitalEnvelopeProtocol", 1, 1}, {"EncryptionAlgorithm", 1, 0}, {"EncryptionCertificateRef", 1, 1}}},
	"DigitalEnvelopeProtocol":      protocol,
	"EncryptionSecurityDetailsRef": withTrust,
	"EncryptionCertificateRef":     withCert,
	"NamespaceSupported":           {text: kindURI, attributes: []attribute{need("location", kindURI), perhaps("version", kindText)}},
	"OverrideMshActionBinding":     {attributes: []attribute{need("action", kindText), need("channelId", kindRef, "DeliveryChannel")}},
	"SimplePart": {
		attributes: append([]attribute{perhaps("xlink:role", kindURI)}, packaged...),
		children:   []child{{"NamespaceSupported", 0, 0}},
	},
	"Packaging":              {attributes: []attribute{need("id", kindID)}, children: []child{{"ProcessingCapabilities", 1, 1}, {"CompositeList", 1, 0}}},
	"ProcessingCapabilities": {attributes: []attribute{need("parse", kindBool), need("generate", kindBool)}},
	"CompositeList":          {choice: true, children: []child{{"Encapsulation", 1, 0}, {"Composite", 1, 0}}},
	"Encapsulation":          {attributes: packaged, children: []child{{"Constituent", 1, 1}}},
	"Composite":              {attributes: packaged, children: []child{{"Constituent", 1, 0}}},
	"Constituent": {
		attributes: []attribute{
			need("idref", kindRef, "SimplePart", "Encapsulation", "Composite"), perhaps("excludedFromSignature", kindBool),
			perhaps("minOccurs", kindInteger), perhaps("maxOccurs", kindInteger),
		},
		children: []child{{"SignatureTransforms", 0, 1}, {"EncryptionTransforms", 0, 1}},
	},
	"SignatureTransforms":  {children: []child{{"ds:Transform", 1, 0}}},
	"EncryptionTransforms": {children: []child{{"ds:Transform", 1, 0}}},
	"Signature":            {children: []child{{"ds:Signature", 0, 3}}},
	"Comment":              {text: kindText, attributes: []attribute{perhaps("xml:lang", kindLanguage)}},
}

// check holds a node and what is in it to the rules. It fills ids.
func check(n *node, ids map[string]*node) error {
	if strings.HasPrefix(n.name, "ds:") || strings.HasPrefix(n.name, "{") {
		return nil
	}
	r := rules[n.name]
	if err := r.checkAttributes(n, ids); err != nil {
		return err
	}
	if err := r.checkText(n); err != nil {
		return err
	}
	if err := r.checkChildren(n); err != nil {
		return err
	}
	for _, c := range n.children {
		if err := check(c, ids); err != nil {
			return err
		}
	}
	return nil
}

func (r rule) checkAttributes(n *node, ids map[string]*node) error {
	for _, a := range r.attributes {
		value, there := n.attributes[a.name]
		switch {
		case !there && a.required:
			return n.fault(a.name, "is required")
		case !there:
			continue
		}
		value = strings.Trim(value, xmlSpace)
		n.attributes[a.name] = value
		if a.kind != kindRef && len(a.of) > 0 && !slices.Contains(a.of, value) {
			return n.fault(a.name, "want one of %q, found %.200q", a.of, value)
		}
		if err := a.kind.check(value); err != nil {
			return n.fault(a.name, "%v", err)
		}
		if a.kind == kindID {
			if other := ids[value]; other != nil {
				return n.fault(a.name, "%.200q is the identifier of %s too", value, other.path())
			}
			ids[value] = n
		}
	}
	for _, name := range n.order {
		if !strings.HasPrefix(name, "xsi:") && !slices.ContainsFunc(r.attributes, func(a attribute) bool { return a.name == name }) {
			return n.fault(name, "CPPA 2.0 has no such attribute here; its attributes are of its namespace")
		}
	}
	return nil
}

func (r rule) checkText(n *node) error {
	if r.text == kindNone && n.text != "" {
		return n.fault("", "want no text, found %.200q", n.text)
	}
	if r.text != kindNone && len(n.children) > 0 {
		return n.fault("", "want text, found %s", n.children[0].name)
	}
	var err error
	switch of := enumerations[n.name]; {
	case of != nil && !slices.Contains(of, n.text):
		return n.fault("", "want one of %q, found %.200q", of, n.text)
	case r.text != kindNone:
		err = r.text.check(n.text)
	}
	if err != nil {
		return n.fault("", "%v", err)
	}
	return nil
}

// enumerations are the values of elements that have a list of them.
var enumerations = map[string][]string{
	"AccessAuthentication":  {"basic", "digest"},
	"MessageOrderSemantics": {"Guaranteed", "NotGuaranteed"},
}

func (r rule) checkChildren(n *node) error {
	if r.choice {
		return r.checkChoice(n)
	}
	at := 0
	for _, c := range r.children {
		count := 0
		for at < len(n.children) && n.children[at].name == c.name {
			if count++; c.max > 0 && count > c.max {
				return n.children[at].fault("", "want at most %d %s here", c.max, c.name)
			}
			at++
		}
		if count < c.min {
			found := "the end"
			if at < len(n.children) {
				found = n.children[at].name
			}
			return n.fault("", "want %s, found %s", c.name, found)
		}
	}
	for ; at < len(n.children); at++ {
		if !r.open || !foreign(n.children[at]) {
			return n.children[at].fault("", "does not belong here: want %s", r.list())
		}
	}
	return nil
}

func (r rule) checkChoice(n *node) error {
	if len(n.children) == 0 {
		return n.fault("", "want %s, found the end", r.list())
	}
	for _, c := range n.children {
		if !slices.ContainsFunc(r.children, func(one child) bool { return one.name == c.name }) {
			return c.fault("", "does not belong here: want %s", r.list())
		}
	}
	return nil
}

// foreign tells whether an element is of none of the namespaces of CPPA.
func foreign(n *node) bool { return strings.HasPrefix(n.name, "{") || strings.HasPrefix(n.name, "ds:") }

// list writes what may stand in an element.
func (r rule) list() string {
	if len(r.children) == 0 {
		return "nothing"
	}
	names := make([]string, len(r.children))
	for i, c := range r.children {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

var (
	identifierForm = regexp.MustCompile(`^[\pL_][\pL\pM\pN._-]*$`)
	languageForm   = regexp.MustCompile(`^[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*$`)
)

// check holds a value to its kind.
func (k kind) check(value string) error {
	var err error
	switch k {
	case kindText, kindRef:
		if value == "" {
			return errors.New("want a value, found none")
		}
	case kindID:
		if !identifierForm.MatchString(value) {
			return fmt.Errorf("want an identifier of letters, digits, \".\", \"-\" and \"_\" that begins with a letter, found %.200q", value)
		}
	case kindURI:
		if _, err := url.Parse(value); err != nil {
			return fmt.Errorf("want a URI, found %.200q", value)
		}
	case kindLanguage:
		if !languageForm.MatchString(value) {
			return fmt.Errorf("want a language such as en, found %.200q", value)
		}
	case kindBool:
		if !slices.Contains([]string{"true", "false", "1", "0"}, value) {
			return fmt.Errorf("want true or false, found %.200q", value)
		}
	case kindInteger:
		if _, err = strconv.ParseInt(value, 10, 32); err != nil {
			return fmt.Errorf("want a whole number, found %.200q", value)
		}
	case kindDuration:
		_, err = parseDuration(value)
	case kindTime:
		_, _, err = parseTime(value)
	}
	return err
}

// isTrue reads a boolean that was checked.
func isTrue(value string) bool { return value == "true" || value == "1" }

// parseTime reads an xsd:dateTime; zoned says that it names its zone. One that does not is taken for UTC.
func parseTime(value string) (at time.Time, zoned bool, err error) {
	if at, err = time.Parse("2006-01-02T15:04:05Z07:00", value); err == nil {
		return at.UTC(), true, nil
	}
	if at, err = time.Parse("2006-01-02T15:04:05", value); err == nil {
		return at, false, nil
	}
	return time.Time{}, false, fmt.Errorf("want a time such as 2026-01-31T00:00:00Z, found %.200q", value)
}
