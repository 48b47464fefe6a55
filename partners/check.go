package partners

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/eco"
)

// checker collects problems.
type checker struct {
	known    eco.Forms // those that may be named
	problems []Problem
}

// add reports a problem once: an entry with two uses is looked at for each of them.
func (c *checker) add(key, format string, args ...any) {
	p := Problem{Key: key, Text: fmt.Sprintf(format, args...)}
	if !slices.Contains(c.problems, p) {
		c.problems = append(c.problems, p)
	}
}

func item(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

// Check judges what can be judged without reading the files that c names. It returns every problem, in the order of the
// configuration.
func (c Config) Check() []Problem {
	k := &checker{known: c.Forms}
	k.node(c.Node)
	for i, p := range c.Partners {
		k.partner(item("partners", i), p)
	}
	k.uniquePartners(c)
	k.uniquePartyIDs(c)
	for i, a := range c.Agreements {
		k.agreement(item("agreements", i), a, c)
	}
	k.uniqueAgreements(c.Agreements)
	return k.problems
}

var (
	idPattern          = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	fingerprintPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
	countryPattern     = regexp.MustCompile(`^[A-Z]{2}$`)
)

func (k *checker) node(n NodeConfig) {
	k.id("node.id", n.ID)
	k.country("node.country", n.Country)
	k.partyIDs("node.party_ids", n.PartyIDs)
	k.networks("node.private_networks", n.PrivateNetworks)
	for i, key := range n.Keys {
		at := item("node.keys", i)
		k.uses(at+".uses", key.Uses, ownUses)
		k.key(at, key)
	}
	seen := map[string]bool{}
	for i, issuer := range n.Issuers {
		at := item("node.issuers", i)
		if seen[issuer.ID] {
			k.add(at+".id", "issuing body %q stands here twice; merge the two entries", issuer.ID)
		}
		seen[issuer.ID] = true
		k.issuer(at, Issuer{ID: issuer.ID, Country: issuer.Country, Forms: issuer.Forms, From: issuer.From, Until: issuer.Until,
			Offices: issuer.Offices, Signatories: issuer.Signatories})
		k.documentForm(at, issuer)
		for j, key := range issuer.Keys {
			at := item(at+".keys", j)
			k.documentUse(at+".uses", key.Uses)
			k.key(at, key)
		}
	}
}

func (k *checker) partner(at string, p PartnerConfig) {
	k.id(at+".id", p.ID)
	if p.ID == ByNode {
		k.add(at+".id", "%q is the program itself in the registry and in the audit log; give the partner another id", p.ID)
	}
	k.country(at+".country", p.Country)
	k.partyIDs(at+".party_ids", p.PartyIDs)
	if len(p.AnchorFiles)+len(p.Anchors) == 0 {
		k.add(at+".anchor_files", "is required: name the CAs of the partner's PKI, or the credential itself to pin it")
	}
	k.texts(at+".anchors", p.Anchors)
	k.texts(at+".intermediates", p.Intermediates)
	k.texts(at+".timestamp_anchors", p.TimeStampAnchors)
	k.mode(at+".mode", p.Mode)
	k.contacts(at+".contacts", p.Contacts)
	k.capabilities(at+".capabilities", p.Capabilities)
	k.notNegative(at+".concurrency", p.Concurrency)
	if p.Announced < 0 {
		k.add(at+".announced", "%d is less than 0", p.Announced)
	}
	if a := p.Announcements; a != "" && a != AnnouncementsStage && a != AnnouncementsTell {
		k.add(at+".announcements", "%q is not %s or %s", a, AnnouncementsStage, AnnouncementsTell)
	}
	if p.Overlap < 0 {
		k.add(at+".overlap", "%s is less than 0", p.Overlap)
	}
	k.notNegative(at+".issuer_list.number", p.IssuerList.Number)
	k.quirks(at+".quirks", p.Quirks)
	k.revocation(at+".revocation", p.Revocation)
	k.limits(at, p)
	for i, credential := range p.Credentials {
		at := item(at+".credentials", i)
		k.uses(at+".uses", credential.Uses, partnerUses)
		k.credential(at, credential)
		k.limited(at, credential, Issuer{})
	}
	for i, issuer := range p.Issuers {
		at := item(at+".issuers", i)
		checked := Issuer{ID: issuer.ID, Country: issuer.Country, Forms: issuer.Forms, From: issuer.From, Until: issuer.Until,
			Offices: issuer.Offices, Signatories: issuer.Signatories}
		k.issuer(at, checked)
		for j, credential := range issuer.Credentials {
			at := item(at+".credentials", j)
			k.documentUse(at+".uses", credential.Uses)
			k.credential(at, credential)
			k.limited(at, credential, checked)
		}
	}
}

func (k *checker) notNegative(key string, n int) {
	if n < 0 {
		k.add(key, "%d is less than 0", n)
	}
}

func (k *checker) id(key, id string) {
	switch {
	case id == "":
		k.add(key, "is required")
	case !idPattern.MatchString(id):
		k.add(key, "%q is not an id; use up to 64 letters, digits, dots, dashes and underscores", id)
	}
}

func (k *checker) country(key, country string) {
	if !countryPattern.MatchString(country) {
		k.add(key, "%q is not a country; use two capitals of ISO 3166-1", country)
	}
}

// partyIDs: ebMS 2.0 §3.1.1.1. Several ids are ids of one organisation, and their types differ (the latter is not confirmed
// from the text).
func (k *checker) partyIDs(key string, ids []PartyID) {
	if len(ids) == 0 {
		k.add(key, "is required: without it no message can name this party")
	}
	types := map[string]bool{}
	for i, id := range ids {
		at := item(key, i)
		switch {
		case id.Value == "":
			k.add(at+".value", "is required")
		case id.Type == "" && !isURI(id.Value):
			k.add(at+".value", "%q has no type, so it must be a URI (ebMS 2.0 §3.1.1.1); give a type, or write it as a URI", id.Value)
		}
		if types[id.Type] {
			k.add(at+".type", "%q stands here twice; the ids of one party have different types", id.Type)
		}
		types[id.Type] = true
	}
}

// isURI reports whether s is an absolute URI (RFC 3986 §3): it has a scheme and something after it.
func isURI(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && (u.Opaque != "" || u.Host != "" || u.Path != "")
}

// The uses that a key of the node and a credential of a partner may have; an issuing body has its own.
var (
	ownUses     = []Use{UseMessageSignature, UseTLSServer, UseTLSClient, UseEncryption, UseIssuerList}
	partnerUses = append(slices.Clone(ownUses), UseTimeStamp)
)

func listed(uses []Use) string {
	var out []string
	for _, use := range uses {
		out = append(out, string(use))
	}
	return strings.Join(out, ", ")
}

func (k *checker) uses(key string, uses, allowed []Use) {
	if len(uses) == 0 {
		k.add(key, "is required: one or more of %s", listed(allowed))
	}
	for _, use := range uses {
		switch {
		case use == UseDocumentSignature:
			k.add(key, "%s belongs to an issuing body: list the file under its entry in issuers", use)
		case !slices.Contains(allowed, use):
			k.add(key, "%q is not a use here; use one or more of %s", use, listed(allowed))
		}
	}
}

func (k *checker) documentUse(key string, uses []Use) {
	for _, use := range uses {
		if use != UseDocumentSignature {
			k.add(key, "%q is not for an issuing body; leave this key out", use)
		}
	}
}

func (k *checker) key(at string, key KeyConfig) {
	var sources []string
	for _, source := range []struct {
		key   string
		given bool
	}{{"key_file", key.KeyFile != ""}, {"pkcs12_file", key.PKCS12File != ""}, {"pkcs11", key.PKCS11 != TokenKeyConfig{}}} {
		if source.given {
			sources = append(sources, source.key)
		}
	}
	switch {
	case len(sources) == 0:
		k.add(at+".key_file", "is required, or pkcs12_file, or pkcs11")
	case len(sources) > 1:
		k.add(at+"."+sources[1], "excludes %s: a key lies in one place", sources[0])
	case sources[0] == "pkcs12_file" && key.ChainFile != "":
		k.add(at+".chain_file", "excludes pkcs12_file, which holds the credentials itself")
	case sources[0] == "pkcs11":
		k.tokenKey(at+".pkcs11", key.PKCS11)
		if key.PassphraseFile != "" {
			k.add(at+".passphrase_file", "excludes pkcs11: the PIN is in pin_file")
		}
	}
	if key.ChainFile == "" && key.PKCS12File == "" {
		k.add(at+".chain_file", "is required")
	}
	k.life(at, key.life())
	if key.Activate == ActivateAtFirstUse {
		k.add(at+".activate", "%q is for partners' credentials; our own keys are activated by us", key.Activate)
	}
}

func (k *checker) tokenKey(at string, key TokenKeyConfig) {
	for _, field := range []struct{ key, value string }{{"module", key.Module}, {"token_label", key.TokenLabel}, {"pin_file", key.PINFile}} {
		if field.value == "" {
			k.add(at+"."+field.key, "is required")
		}
	}
	if key.KeyLabel == "" && key.KeyID == "" {
		k.add(at+".key_label", "is required, or key_id")
	}
	if _, err := hex.DecodeString(key.KeyID); err != nil {
		k.add(at+".key_id", "%q is not hexadecimal with two digits for each byte", key.KeyID)
	}
}

func (k *checker) credential(at string, credential CredentialConfig) {
	switch {
	case credential.File == "" && credential.PEM == "":
		k.add(at+".file", "is required, or pem")
	case credential.File != "" && credential.PEM != "":
		k.add(at+".pem", "excludes file: a credential stands in one place")
	}
	k.text(at+".pem", credential.PEM)
	k.life(at, credential.life())
	connects := func(use Use) bool { return use != UseMessageSignature && use != UseDocumentSignature }
	if i := slices.IndexFunc(credential.Uses, connects); credential.Activate == ActivateAtFirstUse && i >= 0 {
		k.add(at+".activate", "%q is for %s and %s, and not for %s; use %s, or let it count from now on beside the one before",
			credential.Activate, UseMessageSignature, UseDocumentSignature, credential.Uses[i], ActivateByHand)
	}
}

// life checks what own and partners' credentials have in common.
func (k *checker) life(at string, l life) {
	k.window(at+".until", l.from, l.until)
	k.window(at+".retire_at", l.from, l.retireAt)
	if l.activate != "" && l.activate != ActivateByHand && l.activate != ActivateAtFirstUse {
		k.add(at+".activate", "%q is not %s or %s; leave it out for a credential that counts in its window", l.activate, ActivateByHand, ActivateAtFirstUse)
	}
	if l.replacedBy != "" && !fingerprintPattern.MatchString(l.replacedBy) {
		k.add(at+".replaced_by", "%q is not the SHA-256 of a credential; want 64 hexadecimal digits", l.replacedBy)
	}
}

func (k *checker) texts(key string, texts []string) {
	for i, text := range texts {
		k.text(item(key, i), text)
	}
}

// text looks at credentials that stand in the configuration itself, which people hand around.
func (k *checker) text(key, text string) {
	if strings.Contains(text, "PRIVATE KEY-----") {
		k.add(key, "holds a private key, which has no place here: give the credential alone, and take another key, since this one was shown")
	}
}

func (k *checker) window(key string, from, until time.Time) {
	if !from.IsZero() && !until.IsZero() && !from.Before(until) {
		k.add(key, "%s is not after %s, where the window begins", instant(until), instant(from))
	}
}

func (k *checker) issuer(at string, issuer Issuer) {
	if issuer.ID == "" {
		k.add(at+".id", "is required")
	}
	if issuer.Country != "" {
		k.country(at+".country", issuer.Country)
	}
	k.forms(at+".forms", issuer.Forms)
	k.window(at+".until", issuer.From, issuer.Until)
	k.offices(at, issuer)
}

func (k *checker) forms(key string, forms []eco.FormCode) {
	if len(forms) == 0 {
		k.add(key, "is required: one or more of %s", k.known.Codes())
	}
	for _, form := range forms {
		if _, ok := k.known.ByCode(form); !ok {
			k.add(key, "%q is not a form that this program knows; it knows %s", form, k.known.Codes())
		}
	}
}

func (k *checker) quirks(at string, q eco.Quirks) {
	problems := q.Problems()
	for _, key := range slices.Sorted(maps.Keys(problems)) {
		k.add(at+"."+key, "%s", problems[key])
	}
}

func (k *checker) uniquePartners(c Config) {
	seen := map[string]string{c.Node.ID: "node.id"}
	for i, p := range c.Partners {
		key := item("partners", i) + ".id"
		if first, ok := seen[p.ID]; ok && p.ID != "" {
			k.add(key, "%q is %s already", p.ID, first)
		}
		seen[p.ID] = key
	}
}

// uniquePartyIDs: an id that two parties share would let one of them speak for the other.
func (k *checker) uniquePartyIDs(c Config) {
	seen := map[PartyID]string{}
	note := func(list string, ids []PartyID) {
		for i, id := range ids {
			if first, ok := seen[id]; ok && !strings.HasPrefix(first, list+"[") {
				k.add(item(list, i)+".value", "%q is %s already; a party id belongs to one party", id.Value, first)
			}
			seen[id] = item(list, i)
		}
	}
	note("node.party_ids", c.Node.PartyIDs)
	for i, p := range c.Partners {
		note(item("partners", i)+".party_ids", p.PartyIDs)
	}
}

// isLoopback reports whether host never leaves this machine.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
