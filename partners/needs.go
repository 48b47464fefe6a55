package partners

import (
	"net/url"
	"slices"
	"time"

	"github.com/ecogate/ecogate/eco"
)

// Needs judges whether the node has the keys that agreements ask for; without them it would start and could not exchange one
// certificate. It opens no file. New does not call it: a Registry without them is of use to programs that exchange nothing.
//
// What partners lack is in Warnings: to withdraw a partner's last credential has to take effect at once.
func (c Config) Needs() []Problem {
	k := new(checker)
	k.ownSignature(c)
	return k.problems
}

// ownSignature: agreements under which this node signs need a key to sign with. It is said once for all of them.
func (k *checker) ownSignature(c Config) {
	if slices.ContainsFunc(c.Node.Keys, func(key KeyConfig) bool { return key.Activate == "" && slices.Contains(key.Uses, UseMessageSignature) }) {
		return
	}
	for i, a := range c.Agreements {
		a.SetDefaults()
		if flag := signingFlag(a); flag != "" {
			k.add("node.keys", "has no key with use %s, and %s.%s is true; add one", UseMessageSignature, item("agreements", i), flag)
			return
		}
	}
}

// partnerCredentials: what the agreement asks of the partner must be something that the partner can be known by.
func (k *checker) partnerCredentials(at string, a AgreementConfig, list string, credentials []CredentialConfig) {
	has := func(use Use) bool {
		return slices.ContainsFunc(credentials, func(c CredentialConfig) bool {
			return c.Activate != ActivateByHand && c.Distrusted.IsZero() && slices.Contains(c.Uses, use)
		})
	}
	https := func(e endpointConfig) bool {
		u, err := url.Parse(e.url)
		return err == nil && u.Scheme == "https"
	}
	given := endpoints(a)
	if i := slices.IndexFunc(given, https); i >= 0 && !has(UseTLSServer) {
		k.add(at+"."+given[i].key, "is https, and %s has no credential with use %s to know the server by, so nothing could be sent there; add one, or take the agreement out",
			list, UseTLSServer)
	}
	if flag := signingFlag(a); flag != "" && !has(UseMessageSignature) {
		k.add(at+"."+flag, "is true, and %s has no credential with use %s to verify by; add one, or take the agreement out", list, UseMessageSignature)
	}
}

// signingFlag names the field of a, with its defaults, by which both sides sign; "" if they do not.
func signingFlag(a AgreementConfig) string {
	switch {
	case *a.SignatureRequired:
		return "signature_required"
	case *a.AckSigned:
		return "ack_signed"
	}
	return ""
}

// Warnings judges what is no error but hardly meant to last: agreements whose partner has no credential to be known by,
// waits for a missing message that end while it may still come, and forms that agreements name and nobody may issue. A partner
// that is being prepared has no agreement yet, so nothing is said of it. Like Needs it opens no file.
func (c Config) Warnings() []Problem {
	k := new(checker)
	for i, a := range c.Agreements {
		a.SetDefaults()
		for j, p := range c.Partners {
			if p.ID == a.Partner {
				k.partnerCredentials(item("agreements", i), a, item("partners", j)+".credentials", p.Credentials)
			}
		}
		k.orderGap(item("agreements", i)+".order_gap", a)
		k.privateEndpoints(item("agreements", i), a, c.Node.networks())
		for _, form := range a.Forms {
			if !c.issued(form, a.Partner) {
				k.add(item("agreements", i)+".forms", "%s has no issuing body, neither in node.issuers nor under partner %q, so no certificate of it can travel",
					form, a.Partner)
			}
		}
	}
	return k.problems
}

// orderGap: the message before may come until its time to live ends (ebMS 2.0 §6.4 and §9); what gives up sooner refuses
// messages that only had to wait.
func (k *checker) orderGap(key string, a AgreementConfig) {
	if live := time.Duration(*a.Retries+1) * a.RetryInterval; a.MessageOrder == OrderGuaranteed && a.OrderGap < live {
		k.add(key, "%s is shorter than (retries + 1) x retry_interval (%s), within which the message before may still come", a.OrderGap, live)
	}
}

// issued reports whether some body of the node or of partner may issue form, at whatever time.
func (c Config) issued(form eco.FormCode, partner string) bool {
	if slices.ContainsFunc(c.Node.Issuers, func(i OwnIssuerConfig) bool { return slices.Contains(i.Forms, form) }) {
		return true
	}
	return slices.ContainsFunc(c.Partners, func(p PartnerConfig) bool {
		return p.ID == partner && slices.ContainsFunc(p.Issuers, func(i IssuerConfig) bool { return slices.Contains(i.Forms, form) })
	})
}
