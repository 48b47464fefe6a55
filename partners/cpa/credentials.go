package cpa

import (
	"crypto/x509"
	"slices"

	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// Side is what a CPA says of one of the parties.
type Side struct {
	// Name is for people.
	Name     string
	PartyIDs []partners.PartyID
	// Role is the one of its first service.
	Role string
	// Credentials are those that its messages and connections need, each once.
	Credentials []Credential
	// Anchors are what its Credentials have to chain to: the trust anchors that the other party names, and where none of them
	// fits, the credential itself.
	Anchors []*x509.Certificate
}

// Credential is a Certificate of a CPA with what it is used for.
type Credential struct {
	// Uses are what the references to it make it.
	Uses []partners.Use
	// Chain begins with the credential of the key; what follows came with it.
	Chain []*x509.Certificate
	// Path is that of the Certificate, as in Finding.
	Path string
}

// credentials reads those of both sides: of every channel that is used.
func (im *importer) credentials(pairs []pair) {
	im.sideCredentials(&im.out.Own, im.own, pairs)
	im.sideCredentials(&im.out.Partner, im.partner, pairs)
	im.anchors(&im.out.Own, im.partner, im.own, pairs)
	im.anchors(&im.out.Partner, im.own, im.partner, pairs)
	for _, role := range slices.Concat(im.own.info.all("CollaborationRole"), im.partner.info.all("CollaborationRole")) {
		for _, n := range slices.Concat(role.all("ApplicationCertificateRef"), role.all("ApplicationSecurityDetailsRef")) {
			im.warn(n, "", "credentials for documents belong to issuing bodies, of which a CPA says nothing; add them to issuers of the partner")
		}
	}
}

// used are the channels of a party that messages and signals come to or go out by.
func (im *importer) used(p *Party, pairs []pair) []*channel {
	var out []*channel
	add := func(ch *channel) {
		if !slices.ContainsFunc(out, func(other *channel) bool { return other.node == ch.node }) {
			out = append(out, ch)
		}
	}
	for _, one := range pairs {
		if one.own.party == p {
			add(one.own.channels[0])
		} else {
			add(one.other.channels[0])
		}
	}
	add(im.c.channel(p.info.attribute("defaultMshChannelId")))
	for _, n := range p.info.all("OverrideMshActionBinding") {
		add(im.c.channel(n.attribute("channelId")))
	}
	return out
}

func (im *importer) sideCredentials(s *Side, p *Party, pairs []pair) {
	at := map[string]int{}
	for _, ch := range im.used(p, pairs) {
		for _, ref := range []struct {
			n   *node
			use partners.Use
		}{
			{ch.exchange.at("ebXMLSenderBinding", "SenderNonRepudiation", "SigningCertificateRef"), partners.UseMessageSignature},
			{ch.transport.at("TransportSender", "TransportClientSecurity", "ClientCertificateRef"), partners.UseTLSClient},
			{ch.transport.at("TransportReceiver", "TransportServerSecurity", "ServerCertificateRef"), partners.UseTLSServer},
		} {
			if ref.n == nil {
				continue
			}
			certificate := im.c.ids[ref.n.attribute("certId")]
			switch h := im.hold(certificate); {
			case h.broken:
			case len(h.chain) == 0:
				im.warn(certificate, "", "holds no ds:X509Certificate; the %s credential has to come from elsewhere", ref.use)
			default:
				im.credential(s, at, certificate, h.chain, ref.use)
			}
		}
	}
}

// held is a Certificate that was read.
type held struct {
	chain  []*x509.Certificate
	broken bool
}

// hold reads a Certificate, once.
func (im *importer) hold(certificate *node) *held {
	h := im.certificates[certificate]
	if h == nil {
		chain, err := credentials(certificate)
		if err != nil {
			im.refuse(certificate, "", "cannot be read: %v", err)
		}
		h = &held{chain, err != nil}
		im.certificates[certificate] = h
	}
	return h
}

func (im *importer) credential(s *Side, at map[string]int, n *node, chain []*x509.Certificate, use partners.Use) {
	print := signing.Fingerprint(chain[0])
	i, known := at[print]
	if !known {
		i = len(s.Credentials)
		at[print] = i
		s.Credentials = append(s.Credentials, Credential{Chain: chain, Path: n.path()})
	}
	if c := &s.Credentials[i]; !slices.Contains(c.Uses, use) {
		c.Uses = append(c.Uses, use)
	}
	if s == &im.out.Partner && slices.ContainsFunc(im.out.Own.Credentials, func(own Credential) bool { return sameKey(own.Chain[0], chain[0]) }) {
		im.refuse(n, "", "has the key of this node's own %s; a key belongs to one party", use)
	}
}

func sameKey(a, b *x509.Certificate) bool {
	return string(a.RawSubjectPublicKeyInfo) == string(b.RawSubjectPublicKeyInfo)
}

// anchors reads what the trusting party's channels name as trust anchors for the credentials of the trusted one. Some products name their
// own credentials there; those are of no use.
func (im *importer) anchors(s *Side, trusting, trusted *Party, pairs []pair) {
	var refs []*node
	for _, ch := range im.used(trusting, pairs) {
		refs = append(refs,
			ch.exchange.at("ebXMLReceiverBinding", "ReceiverNonRepudiation", "SigningSecurityDetailsRef"),
			ch.transport.at("TransportReceiver", "TransportServerSecurity", "ClientSecurityDetailsRef"),
			ch.transport.at("TransportSender", "TransportClientSecurity", "ServerSecurityDetailsRef"))
	}
	seen := map[*node]bool{}
	for _, ref := range refs {
		details := im.c.ids[ref.attribute("securityId")]
		if ref == nil || seen[details] {
			continue
		}
		seen[details] = true
		for _, n := range details.child("TrustAnchors").all("AnchorCertificateRef") {
			for _, x509Cert := range im.hold(im.c.ids[n.attribute("certId")]).chain {
				if useful(x509Cert, s) && !slices.ContainsFunc(s.Anchors, x509Cert.Equal) {
					s.Anchors = append(s.Anchors, x509Cert)
				}
			}
		}
	}
	for _, c := range s.Credentials {
		if chains(c.Chain, s.Anchors) {
			continue
		}
		s.Anchors = append(s.Anchors, c.Chain[0])
		if trusted == im.own {
			continue // the partner's to know
		}
		im.warn(im.certificateAt(trusted, c.Path), "", "no trust anchor that the other party names is above it; it is trusted as it is")
	}
}

// useful tells whether an anchor could be above a credential: a CA, or one of the side itself.
func useful(anchor *x509.Certificate, s *Side) bool {
	return anchor.IsCA || slices.ContainsFunc(s.Credentials, func(c Credential) bool { return c.Chain[0].Equal(anchor) })
}

func (im *importer) certificateAt(p *Party, path string) *node {
	for _, n := range p.info.all("Certificate") {
		if n.path() == path {
			return n
		}
	}
	return p.info
}

// chains tells whether the first of a chain leads to an anchor, at the beginning of its own validity.
func chains(chain, anchors []*x509.Certificate) bool {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	for _, a := range anchors {
		roots.AddCert(a)
	}
	for _, x509Cert := range chain[1:] {
		between.AddCert(x509Cert)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: chain[0].NotBefore, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err == nil
}
