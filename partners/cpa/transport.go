package cpa

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ecogate/ecogate/signing"
)

// channelOnce looks at what a channel asks of its messages' way and form, the first time that it comes up.
func (im *importer) channelOnce(ch *channel) {
	if im.channels[ch.node] {
		return
	}
	im.channels[ch.node] = true
	sender, receiver := ch.transport.child("TransportSender"), ch.transport.child("TransportReceiver")
	for _, n := range []*node{sender, receiver} {
		if n == nil {
			continue
		}
		im.transportProtocol(n.child("TransportProtocol"))
		for _, login := range n.all("AccessAuthentication") {
			im.refuse(login, "", "this node does not log in with passwords")
		}
	}
	for _, security := range []*node{sender.child("TransportClientSecurity"), receiver.child("TransportServerSecurity")} {
		if security == nil {
			continue
		}
		im.tlsProtocol(security.child("TransportSecurityProtocol"))
		for _, n := range security.all("EncryptionAlgorithm") {
			im.warn(n, "", "this node leaves the ciphers of TLS to both ends")
		}
	}
	for _, e := range receiver.all("Endpoint") {
		im.endpoint(e, receiver)
	}
	for _, n := range []*node{ch.exchange.at("ebXMLSenderBinding", "SenderDigitalEnvelope"), ch.exchange.at("ebXMLReceiverBinding", "ReceiverDigitalEnvelope")} {
		if n != nil {
			im.warn(n, "", "this node does not encrypt messages beyond TLS, and refuses encrypted ones")
		}
	}
}

func (im *importer) transportProtocol(n *node) {
	version := n.attribute("version")
	switch {
	case !strings.EqualFold(n.text, "HTTP") && !strings.EqualFold(n.text, "HTTPS"):
		im.refuse(n, "", "want HTTP, found %.200q", n.text)
	case version != "" && version != "1.1":
		im.warn(n, "version", "this node speaks HTTP/1.1")
	}
}

func (im *importer) tlsProtocol(n *node) {
	version := n.attribute("version")
	modern := []string{"", "1.2", "1.3", "TLSv1.2", "TLSv1.3"}
	switch {
	case !strings.EqualFold(n.text, "TLS") && !strings.EqualFold(n.text, "SSL"):
		im.refuse(n, "", "want TLS, found %.200q", n.text)
	case strings.EqualFold(n.text, "SSL") || !slices.Contains(modern, version):
		im.warn(n, "", "%s %s is out of use; this node speaks TLS 1.2 and 1.3", n.text, version)
	}
}

// endpoint looks at an Endpoint of either party.
func (im *importer) endpoint(e, receiver *node) {
	u, err := url.Parse(e.attribute("uri"))
	scheme := ""
	if err == nil {
		scheme = strings.ToLower(u.Scheme)
	}
	switch {
	case e.attribute("type") == "login":
		im.warn(e, "type", "this node does not log in")
	case err != nil || u.Hostname() == "" || scheme != "http" && scheme != "https" || u.User != nil || u.Fragment != "":
		im.refuse(e, "uri", "want an http or https URL without user and fragment, found %.200q", e.attribute("uri"))
	case scheme == "http":
		im.warn(e, "uri", "%q is not encrypted", e.attribute("uri"))
	case receiver.child("TransportServerSecurity") == nil:
		im.warn(receiver, "", "has no TransportServerSecurity although %q is https; the server's credential has to come from elsewhere", e.attribute("uri"))
	}
}

// The identifiers of algorithms that CPAs name by words too.
var algorithmWords = map[string]string{
	"rsa-sha1": spaceDS + "rsa-sha1", "dsa-sha1": spaceDS + "dsa-sha1",
	"rsa-sha256": moreAlgorithms + "rsa-sha256", "rsa-sha384": moreAlgorithms + "rsa-sha384", "rsa-sha512": moreAlgorithms + "rsa-sha512",
	"sha1": sha1, "sha-1": sha1,
	"sha256": sha256, "sha-256": sha256, "sha384": sha384, "sha-384": sha384, "sha512": sha512, "sha-512": sha512,
}

const (
	moreAlgorithms = "http://www.w3.org/2001/04/xmldsig-more#"

	sha1   = spaceDS + "sha1"
	sha256 = "http://www.w3.org/2001/04/xmlenc#sha256"
	sha384 = moreAlgorithms + "sha384"
	sha512 = "http://www.w3.org/2001/04/xmlenc#sha512"
)

// algorithmOf is the identifier of an algorithm: @w3c if it is there, else the text, in which a word stands for one.
func algorithmOf(n *node) string {
	name := n.attribute("w3c")
	if name == "" {
		name = n.value()
	}
	if uri := algorithmWords[strings.ToLower(name)]; uri != "" {
		return uri
	}
	return name
}

// signature reads the algorithms of SenderNonRepudiation: those that this node signs with, or that it accepts.
func (im *importer) signature(t *terms, how *node, own bool) {
	if n := how.child("NonRepudiationProtocol"); strings.TrimSuffix(n.text, "#") != strings.TrimSuffix(spaceDS, "#") && !strings.EqualFold(n.text, "XMLDSIG") {
		im.refuse(n, "", "want XML Signature (%s), found %.200q", spaceDS, n.text)
	}
	hash := algorithmOf(how.child("HashFunction"))
	known := slices.Contains([]string{sha1, sha256, sha384, sha512}, hash)
	if own {
		im.signsWith(t, how, hash)
		return
	}
	switch {
	case !known:
		im.refuse(how.child("HashFunction"), "", "this node does not know %.200q", hash)
	case hash == sha1:
		t.sha1 = true
		im.warn(how.child("HashFunction"), "", "SHA-1 is broken; it is accepted of this partner alone, and never used to sign")
	}
	accepted := 0
	for _, n := range how.all("SignatureAlgorithm") {
		name := algorithmOf(n)
		switch {
		case name == spaceDS+"rsa-sha1" || name == moreAlgorithms+"ecdsa-sha1":
			t.sha1 = true
			accepted++
			im.warn(n, "", "SHA-1 is broken; it is accepted of this partner alone, and never used to sign")
		case signing.KnownAlgorithm(name):
			accepted++
			if !slices.Contains(t.algorithms, name) {
				t.algorithms = append(t.algorithms, name)
			}
		default:
			im.warn(n, "", "this node does not verify %.200q", name)
		}
	}
	if accepted == 0 {
		im.refuse(how, "", "names no SignatureAlgorithm that this node verifies")
	}
}

// signsWith chooses what this node signs with: the first algorithm that it can. Which it can depends on its key too, of which nothing
// is known here.
func (im *importer) signsWith(t *terms, how *node, hash string) {
	for _, n := range how.all("SignatureAlgorithm") {
		name := algorithmOf(n)
		if !slices.Contains(signing.SigningAlgorithms(), name) {
			im.warn(n, "", "this node does not sign with %.200q; it uses the usual algorithm of its key, with SHA-2, and the partner has to accept that", name)
			continue
		}
		if t.signWith == "" {
			t.signWith = name
			if bits := strings.TrimPrefix(hash[strings.LastIndexAny(hash, "#")+1:], "sha"); !strings.Contains(name, "sha"+bits) && !strings.Contains(name, "ed25519") {
				im.warn(how.child("HashFunction"), "", "this node digests with the hash of %s", name)
			}
		} else if t.signWith != name {
			return
		}
	}
}

// packaging looks at how the parts of a message are put together, and counts them.
func (im *importer) packaging(t *terms, p pair) {
	for _, b := range []*binding{p.sender(), p.receiver()} {
		n := im.c.ids[b.node.attribute("packageId")]
		can := n.child("ProcessingCapabilities")
		if b.sends && !isTrue(can.attribute("generate")) {
			im.refuse(can, "generate", "is false, and %s is sent so", b.node.path())
		}
		if !b.sends && !isTrue(can.attribute("parse")) {
			im.refuse(can, "parse", "is false, and %s is received so", b.node.path())
		}
		for _, list := range n.all("CompositeList") {
			for _, inner := range list.children {
				im.packed(t, inner, b.within == nil)
			}
		}
	}
}

// packed looks at one Composite or Encapsulation, whose parts may have to be counted.
func (im *importer) packed(t *terms, n *node, counts bool) {
	if n.name == "Encapsulation" {
		im.refuse(n, "mimetype", "this node does not wrap parts in %.200q", n.attribute("mimetype"))
		return
	}
	if !strings.EqualFold(n.attribute("mimetype"), "multipart/related") {
		im.refuse(n, "mimetype", "want multipart/related (ebMS 2.0 §2.1), found %.200q", n.attribute("mimetype"))
	}
	parts, documents, open := 1, 0, false
	for i, c := range n.all("Constituent") {
		for _, name := range []string{"SignatureTransforms", "EncryptionTransforms"} {
			if transforms := c.child(name); transforms != nil {
				im.refuse(transforms, "", "this node digests parts as they are and encrypts none")
			}
		}
		if isTrue(c.attribute("excludedFromSignature")) && t.signed.value {
			im.refuse(c, "excludedFromSignature", "this node signs every part, and takes none that is not signed")
		}
		if i == 0 {
			continue // the SOAP envelope
		}
		meant := im.c.ids[c.attribute("idref")]
		if kind := strings.ToLower(meant.attribute("mimetype")); kind == "application/xml" || kind == "text/xml" {
			documents++
		}
		most, err := strconv.Atoi(c.attribute("maxOccurs"))
		if err != nil || most < 0 || parts+most >= signing.MaxParts {
			open = true
			continue
		}
		parts += most
	}
	if len(n.all("Constituent")) > 1 && documents == 0 {
		im.warn(n, "", "has no part of application/xml or text/xml; certificates travel as application/xml")
	}
	if counts {
		t.parts, t.partsOpen = max(t.parts, parts), t.partsOpen || open || parts < 2
	}
}
