package partners_test

import (
	"testing"
	"time"

	"github.com/ecogate/ecogate/partners"
)

// TestAgreementsNeedKeysAndCredentials: a node that lacks it would start and could not exchange one certificate.
func TestAgreementsNeedKeysAndCredentials(t *testing.T) {
	signedAcks := func(c *partners.Config) {
		for i := range c.Agreements {
			c.Agreements[i].SignatureRequired = new(false)
		}
	}
	unsigned := func(c *partners.Config) {
		signedAcks(c)
		for i := range c.Agreements {
			c.Agreements[i].AckSigned = new(false)
		}
	}
	partnerHas := func(uses ...partners.Use) func(*partners.Config) {
		return func(c *partners.Config) { c.Partners[0].Credentials[0].Uses = uses }
	}
	both := func(a, b func(*partners.Config)) func(*partners.Config) {
		return func(c *partners.Config) { a(c); b(c) }
	}
	order := func(gap time.Duration) func(*partners.Config) {
		return func(c *partners.Config) {
			c.Agreements[0].MessageOrder, c.Agreements[0].OrderGap = partners.OrderGuaranteed, gap
		}
	}
	noKeys := func(c *partners.Config) { c.Node.Keys = nil }
	server, message := partners.UseTLSServer, partners.UseMessageSignature
	runTests(t, []checkTest{
		{"as it stands", func(*partners.Config) {}, "", nil},
		{"no key to sign with", noKeys, "node.keys", []string{"message-signature", "agreements[0].signature_required is true"}},
		{"no key to sign acknowledgments with", both(noKeys, signedAcks), "node.keys", []string{"agreements[0].ack_signed is true"}},
		{"no key, and nothing is signed", both(noKeys, unsigned), "", nil},
		{"no key, and no agreement", both(noKeys, func(c *partners.Config) { c.Agreements = nil }), "", nil},
	}, partners.Config.Needs)
	runTests(t, []checkTest{
		{"nothing to know the server by", partnerHas(message), "agreements[0].endpoint", []string{"is https", "partners[0].credentials", "tls-server"}},
		{"nothing to know the server of acknowledgments by", both(partnerHas(message), func(c *partners.Config) {
			c.Agreements[0].AllowPrivateEndpoint, c.Agreements[0].Endpoint, c.Agreements[0].AckEndpoint = true, "http://127.0.0.1/", "https://tw.example/ack"
		}), "agreements[0].ack_endpoint", []string{"is https", "tls-server"}},
		{"nothing to know the server of errors by", both(partnerHas(message), func(c *partners.Config) {
			c.Agreements[0].AllowPrivateEndpoint, c.Agreements[0].Endpoint, c.Agreements[0].ErrorEndpoint = true, "http://127.0.0.1/", "https://tw.example/error"
		}), "agreements[0].error_endpoint", []string{"is https", "tls-server"}},
		{"no TLS", both(partnerHas(message), func(c *partners.Config) {
			c.Agreements[0].AllowPrivateEndpoint, c.Agreements[0].Endpoint = true, "http://127.0.0.1/"
		}), "", nil},
		{"nothing to verify by", partnerHas(server), "agreements[0].signature_required", []string{"partners[0].credentials", "message-signature"}},
		{"nothing to verify acknowledgments by", both(partnerHas(server), signedAcks), "agreements[0].ack_signed", []string{"message-signature"}},
		{"nothing to verify", both(partnerHas(server), unsigned), "", nil},
		{"gap shorter than the time to live", order(13*10*time.Minute - 1), "agreements[0].order_gap", []string{"shorter than (retries + 1) x retry_interval (2h10m0s)"}},
		{"gap as long as the time to live", order(13 * 10 * time.Minute), "", nil},
		{"gap that plays no part", both(order(time.Minute), func(c *partners.Config) { c.Agreements[0].MessageOrder = "" }), "", nil},
		{"a partner that is being prepared", func(c *partners.Config) {
			c.Partners[0].Credentials, c.Agreements = nil, c.Agreements[1:]
		}, "", nil},
	}, partners.Config.Warnings)
}

func TestFormThatNobodyIssuesIsWarnedOf(t *testing.T) {
	c := valid()
	if got := c.Warnings(); got != nil {
		t.Errorf("as it stands: %v", got)
	}
	c.Node.Issuers = nil
	if got := c.Warnings(); got != nil {
		t.Errorf("partners issue the form: %v", got)
	}
	c.Partners[1].Issuers = nil
	want := `agreements[1].forms: NON-PREFERENTIAL has no issuing body, neither in node.issuers nor under partner "my", so no certificate of it can travel`
	if got := c.Warnings(); len(got) != 1 || got[0].Error() != want {
		t.Errorf("warnings %v, want %s", got, want)
	}
}
