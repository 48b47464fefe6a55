package partners

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ecogate/ecogate/partners/revocation"
	"github.com/ecogate/ecogate/signing"
)

// loader turns a Config into data and collects what is wrong with the files.
type loader struct {
	checker
	data *data
	// owners tells whose each public key is, by the SHA-256 of its SubjectPublicKeyInfo.
	owners map[[sha256.Size]byte]owner
	// tokens are those that were opened, nil for one that did not open.
	tokens map[tokenName]*signing.Token
}

type owner struct{ partner, key, file string }

// load reads the files that cfg names. Of its tokens those that are open stay so.
func load(cfg Config) (*data, error) {
	if problems := cfg.Check(); len(problems) > 0 {
		return nil, &ConfigError{Problems: problems}
	}
	l := &loader{
		data:   &data{credentials: map[string][]*trusted{}, keys: map[string]signing.Key{}, forms: map[string]DocumentForm{}, known: cfg.Forms},
		owners: map[[sha256.Size]byte]owner{},
		tokens: map[tokenName]*signing.Token{},
	}
	maps.Copy(l.tokens, cfg.tokens)
	maps.DeleteFunc(l.tokens, func(_ tokenName, token *signing.Token) bool { return token == nil })
	l.data.tokens = l.tokens
	l.self(cfg.Node)
	for i, p := range cfg.Partners {
		l.partner(item("partners", i), p)
	}
	for i, a := range cfg.Agreements {
		l.agreement(item("agreements", i), a, cfg)
	}
	if len(l.problems) > 0 {
		return nil, &ConfigError{Problems: l.problems}
	}
	return l.data, nil
}

func (l *loader) self(n NodeConfig) {
	self := Self{ID: n.ID, Name: n.Name, Country: n.Country, PartyIDs: n.PartyIDs, Role: n.Role}
	for i, key := range n.Keys {
		var uses []trusted
		for _, use := range key.Uses {
			uses = append(uses, trusted{Credential: Credential{Use: use}, entry: -1})
		}
		l.ownKey(item("node.keys", i), key, uses...)
	}
	for i, issuer := range n.Issuers {
		self.Issuers = append(self.Issuers, Issuer{
			ID: issuer.ID, Name: issuer.Name, Country: cmp.Or(issuer.Country, n.Country),
			Forms: issuer.Forms, From: issuer.From, Until: issuer.Until, Offices: issuer.Offices, Signatories: issuer.Signatories,
		})
		l.data.forms[issuer.ID] = l.documentForm(item("node.issuers", i), issuer)
		for j, key := range issuer.Keys {
			t := trusted{Credential: Credential{Use: UseDocumentSignature, Issuer: issuer.ID}, entry: i}
			l.ownKey(item(item("node.issuers", i)+".keys", j), key, t)
		}
		l.signsWith(item("node.issuers", i), UseDocumentSignature, issuer.ID, issuer.SignatureAlgorithm)
	}
	l.data.self = self
	l.data.networks = n.networks()
	l.rank("")
	l.refuseTies()
}

// ownKey takes a key for its uses. Our own credentials count without anchors: who trusts them is the partners' business.
func (l *loader) ownKey(at string, k KeyConfig, uses ...trusted) {
	key, source, ok := l.readKey(at, k)
	if !ok {
		return
	}
	for _, t := range uses {
		t.X509Cert = key.Chain[0]
		if !l.admit(at+"."+source.key, source.file, &t, k.life()) {
			continue
		}
		t.chains = []span{{window: window{t.From, t.Until}, chains: [][]revocation.Link{nil}}}
		l.data.keys[signing.Fingerprint(t.X509Cert)] = key
		l.data.credentials[""] = append(l.data.credentials[""], &t)
	}
}

// signsWith makes sure that every key for a use can sign with the algorithm that the entry at at names: the next key must not
// end what the present one does.
func (l *loader) signsWith(at string, use Use, body, algorithm string) {
	for _, t := range l.data.credentials[""] {
		if t.Use != use || t.Issuer != body {
			continue
		}
		if _, err := l.data.keys[signing.Fingerprint(t.X509Cert)].With(algorithm); err != nil {
			l.add(at+".signature_algorithm", "does not go with the key of %q: %v", t.X509Cert.Subject, err)
		}
	}
}

// refuseTies makes sure that "the one whose window began last" is one key.
func (l *loader) refuseTies() {
	own := l.data.credentials[""]
	for i, t := range own {
		for _, other := range own[:i] {
			same := t.Use == other.Use && t.Issuer == other.Issuer && t.From.Equal(other.From) && t.Activate == "" && other.Activate == ""
			if same && !t.X509Cert.Equal(other.X509Cert) {
				list := "node.keys"
				if t.Issuer != "" {
					list = "node.issuers"
				}
				l.add(list, "two keys for %s count from %s (%q and %q); give one of them a later from",
					cmp.Or(t.Issuer, string(t.Use)), instant(t.From), other.X509Cert.Subject, t.X509Cert.Subject)
			}
		}
	}
}

func (l *loader) partner(at string, p PartnerConfig) {
	partner := Partner{ID: p.ID, Name: p.Name, Country: p.Country, PartyIDs: p.PartyIDs, Role: p.Role, Concurrency: p.Concurrency,
		Mode: cmp.Or(p.Mode, ModeLive), Contacts: p.Contacts, Capabilities: p.Capabilities, IssuerList: p.IssuerList}
	partner.TimeStampAnchors = l.readAll(at, p.timeStampAnchors())
	cas := authorities{
		roots:         l.readAll(at, p.anchors()),
		timeStamp:     partner.TimeStampAnchors,
		intermediates: l.readAll(at, p.intermediates()),
		limits:        p.limits(),
		policy:        p.Revocation.policy(),
	}
	for i, credential := range p.Credentials {
		for _, use := range credential.Uses {
			l.credential(item(at+".credentials", i), credential, trusted{Credential: Credential{Partner: p.ID, Use: use}, entry: -1}, cas)
		}
	}
	for i, issuer := range p.Issuers {
		partner.Issuers = append(partner.Issuers, Issuer{
			ID: issuer.ID, Name: issuer.Name, Country: cmp.Or(issuer.Country, p.Country),
			Forms: issuer.Forms, From: issuer.From, Until: issuer.Until, Offices: issuer.Offices, Signatories: issuer.Signatories,
		})
		for j, credential := range issuer.Credentials {
			t := trusted{
				Credential: Credential{Partner: p.ID, Use: UseDocumentSignature, Issuer: issuer.ID}, entry: i,
				offices: credential.Offices, forms: credential.Forms,
			}
			l.credential(item(item(at+".issuers", i)+".credentials", j), credential, t, cas)
		}
	}
	l.data.partners = append(l.data.partners, partner)
	l.rank(p.ID)
	l.target(p)
}

// authorities are the CAs of one partner, and what else its credentials are held to.
type authorities struct {
	roots, intermediates []*x509.Certificate
	// timeStamp are those above time-stamp authorities, which need not be of the partner's PKI.
	timeStamp []*x509.Certificate
	limits    limits
	policy    revocation.Policy
}

func (l *loader) credential(at string, c CredentialConfig, t trusted, cas authorities) {
	from := c.source()
	at += "." + from.key
	list := l.read(at, from)
	if len(list) == 0 {
		return
	}
	leaf, others, err := endCredential(list)
	if err != nil {
		l.add(at, "%s: %v", from.name(), err)
		return
	}
	t.X509Cert, t.policy = leaf, cas.policy
	if !l.admit(at, from.name(), &t, c.life()) {
		return
	}
	roots, limits := cas.roots, cas.limits
	if t.Use == UseTimeStamp { // an authority's, which keeps to its own policies and has its own name
		roots, limits = slices.Concat(roots, cas.timeStamp), noLimits
	}
	if len(roots) == 0 {
		return // told already: no anchor could be read
	}
	if t.chains, err = chainSpans(leaf, roots, append(others, cas.intermediates...), limits.policies); err == nil {
		err = limits.check(leaf)
	}
	if err != nil {
		l.add(at, "%s (%q): %v", from.name(), leaf.Subject, err)
		for _, x509Cert := range slices.Concat(list, roots, cas.intermediates) {
			for _, words := range explain(x509Cert.Raw) {
				l.add(at, "%s", words)
			}
		}
		return
	}
	l.data.credentials[t.Partner] = append(l.data.credentials[t.Partner], &t)
}

// admit makes the checks that own and partners' credentials share and fills in t's bounds.
func (l *loader) admit(key, file string, t *trusted, own life) bool {
	if err := checkKey(t.X509Cert, t.Use); err != nil {
		words := []string{err.Error()}
		if t.X509Cert.PublicKey == nil {
			words = explain(t.X509Cert.Raw)
		}
		l.add(key, "%s (%q): %s", file, t.X509Cert.Subject, strings.Join(words, "; "))
		return false
	}
	w, err := bound(t.X509Cert, own)
	if err != nil {
		l.add(key, "%s (%q): %v", file, t.X509Cert.Subject, err)
		return false
	}
	t.From, t.Until = w.from, w.until
	t.Activate, t.ReplacedBy, t.Distrusted = own.activate, own.replacedBy, own.distrusted
	t.retiring = !own.retireAt.IsZero() && own.replacedBy == ""
	if t.Use == UseTimeStamp {
		return true // no partner speaks with it
	}
	// The key decides, not the X.509 certificate around it: a signature verifies under every certificate of its key, so two
	// partners with one key could speak for each other.
	digest := sha256.Sum256(t.X509Cert.RawSubjectPublicKeyInfo)
	if first, ok := l.owners[digest]; ok && first.partner != t.Partner {
		l.add(key, "%s (%q): the same key is configured for %s in %s (%s); a key belongs to one party",
			file, t.X509Cert.Subject, party(first.partner), first.file, first.key)
		return false
	}
	l.owners[digest] = owner{t.Partner, key, file}
	return true
}

func party(id string) string {
	if id == "" {
		return "this node"
	}
	return fmt.Sprintf("partner %q", id)
}

// spreadDistrust has every credential of a key distrusted that one credential of it is: whoever has the key signs for all of them.
func spreadDistrust(list []*trusted) {
	for _, t := range list {
		for _, other := range list {
			if t.Distrusted.IsZero() || !sameKey(t.X509Cert, other.X509Cert) {
				continue
			}
			if other.Distrusted.IsZero() || t.Distrusted.Before(other.Distrusted) {
				other.Distrusted = t.Distrusted
			}
		}
	}
}

func sameKey(a, b *x509.Certificate) bool {
	return bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo)
}

// rank puts what began last first. The order of the configuration decides between equals.
func (l *loader) rank(partner string) {
	spreadDistrust(l.data.credentials[partner])
	slices.SortStableFunc(l.data.credentials[partner], func(a, b *trusted) int { return b.From.Compare(a.From) })
}

func (l *loader) agreement(at string, c AgreementConfig, cfg Config) {
	n := cfg.Node
	c.SetDefaults()
	p, ok := l.data.partner(c.Partner)
	if !ok {
		return // Check has seen to it
	}
	l.signsWith(at, UseMessageSignature, "", c.SignatureAlgorithm)
	l.data.agreements = append(l.data.agreements, Agreement{
		CPAID: c.CPAID, Partner: p.ID, Mode: p.Mode,
		PartnerParty: p.PartyIDs, OwnParty: n.PartyIDs,
		PartnerRole: cmp.Or(c.PartnerRole, p.Role), OwnRole: cmp.Or(c.OwnRole, n.Role),
		Service: c.Service, Action: c.Action, AnswerAction: c.AnswerAction, Actions: c.Actions.agreed(), Forms: c.Forms, SOAPAction: c.SOAPAction,
		Endpoint: c.Endpoint, AckEndpoint: cmp.Or(c.AckEndpoint, c.Endpoint), ErrorEndpoint: cmp.Or(c.ErrorEndpoint, c.Endpoint), AllowPrivateEndpoint: c.AllowPrivateEndpoint,
		SignatureRequired: *c.SignatureRequired, AckRequested: *c.AckRequested, AckSigned: *c.AckSigned,
		DuplicateElimination: *c.DuplicateElimination, SyncReply: c.SyncReply, MessageOrder: c.MessageOrder, OrderGap: c.OrderGap,
		Retries: *c.Retries, RetryInterval: c.RetryInterval, PersistDuration: c.PersistDuration,
		Exceptions: exceptions(c), Algorithms: c.Algorithms,
		SignatureAlgorithm: c.SignatureAlgorithm, TimeStampRequired: c.TimeStampRequired, MaxBytes: c.MaxBytes, MaxParts: c.MaxParts, UBLVersion: c.UBLVersion, Structure: c.Structure,
		Tolerate: c.Tolerate, Quirks: cfg.quirks(c), Ping: *c.Ping, MessageStatus: *c.MessageStatus, Start: c.Start, End: c.End,
	})
}

// exceptions are the weaknesses that an agreement accepts in signatures.
func exceptions(c AgreementConfig) []signing.Exception {
	var list []signing.Exception
	if c.AllowSHA1 {
		list = append(list, signing.Exception{Name: signing.ExceptionSHA1, Until: c.AllowSHA1Until})
	}
	if c.AllowECDSADER {
		list = append(list, signing.Exception{Name: signing.ExceptionECDSADER, Until: c.AllowECDSADERUntil})
	}
	return list
}
