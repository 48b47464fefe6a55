package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
)

// rotateByAPI is rotate by the steps that two operators make: the partner stages the new credential, and activates it or leaves that to its
// first use; the side stages its key and goes over to it; when what is under way has ended both retire the old one.
func (s *soak) rotateByAPI(t *testing.T, side *soakSide, use partners.Use, moment func(), firstUse bool) {
	t.Helper()
	key := side.issue(t, use)
	file, err := os.ReadFile(key.ChainFile)
	if err != nil {
		t.Fatal(err)
	}
	uses, body := writtenUses(use), ""
	if use == partners.UseDocumentSignature {
		body = side.config.Node.Issuers[0].ID
	}
	at := side.other
	fingerprint := at.step(t, side.ID, api.StepStage, api.CredentialStep{File: file, Uses: uses, IssuingBody: body, FirstUse: firstUse}).SHA256
	if !firstUse {
		at.step(t, side.ID, api.StepActivate, api.CredentialStep{SHA256: fingerprint})
	}
	moment()
	place := &api.KeyPlace{KeyFile: key.KeyFile, ChainFile: key.ChainFile}
	side.step(t, "", api.StepStage, api.CredentialStep{Key: place, Uses: uses, IssuingBody: body})
	side.step(t, "", api.StepActivate, api.CredentialStep{SHA256: fingerprint})
	moment()
	s.turnOver(t)
	if firstUse {
		at.wantFirstUse(t, side.ID, fingerprint)
	}
	at.endOthers(t, side.ID, use, fingerprint)
	side.endOthers(t, "", use, fingerprint)
}

// step makes a step with a credential of partner, or for "" with a key of side's own.
func (side *soakSide) step(t *testing.T, partner string, step api.Step, in api.CredentialStep) api.CredentialChange {
	t.Helper()
	key, err := os.ReadFile(side.KeyFile("operator"))
	if err != nil {
		t.Fatal(err)
	}
	client, err := api.NewClient(side.node.APIURL, strings.TrimSpace(string(key)), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Rotate(t.Context(), partner, step, in, api.Change{})
	if err != nil {
		t.Fatalf("%s: %s of %q: %v", side.ID, step, partner, err)
	}
	return answer
}

// wantFirstUse checks that a message, and nobody else, has activated the credential.
func (side *soakSide) wantFirstUse(t *testing.T, partner, fingerprint string) {
	t.Helper()
	versions, err := side.node.Directory.Versions(t.Context(), partners.KindPartner, partner)
	if err != nil {
		t.Fatal(err)
	}
	why := "first use of credential " + fingerprint
	if !slices.ContainsFunc(versions, func(e partners.Entry) bool { return e.By == partners.ByNode && strings.HasPrefix(e.Why, why) }) {
		t.Errorf("%s has no version with %q", side.ID, why)
	}
}

// endOthers retires what counts for a use but the credential keep; "" keeps none.
func (side *soakSide) endOthers(t *testing.T, partner string, use partners.Use, keep string) {
	t.Helper()
	side.eachOther(partner, use, keep, func(fingerprint string) {
		side.step(t, partner, api.StepRetire, api.CredentialStep{SHA256: fingerprint})
	})
}

func (side *soakSide) eachOther(partner string, use partners.Use, keep string, do func(fingerprint string)) {
	for _, c := range side.node.Registry.Credentials(partner, use, side.node.now()) {
		if c.SHA256() != keep && (use != partners.UseDocumentSignature || c.Issuer == side.documentBody(partner)) {
			do(c.SHA256())
		}
	}
}

// documentBody is the issuing body whose credentials are rotated.
func (side *soakSide) documentBody(partner string) string {
	if partner == "" {
		return side.config.Node.Issuers[0].ID
	}
	return side.other.config.Node.Issuers[0].ID
}

// revoke has TW distrust KR's keys: what KR sends from then on is refused, first by its signature, then by its connection.
func (s *soak) revoke(t *testing.T) {
	kr, tw := s.sides[0], s.sides[1]
	distrust := func(use partners.Use) {
		tw.eachOther(kr.ID, use, "", func(fingerprint string) {
			tw.step(t, kr.ID, api.StepDistrust, api.CredentialStep{SHA256: fingerprint})
		})
	}
	refused := exchange.MessageQuery{Direction: exchange.Inbound, State: exchange.StateQuarantined, Limit: 500}
	distrust(partners.UseMessageSignature)
	const messages = 5
	for i := range messages {
		kr.submit(t, 900_000+i)
	}
	until(t, func() error {
		if n := len(tw.messages(t, refused)); n != messages {
			return fmt.Errorf("%d messages are in quarantine, want %d", n, messages)
		}
		return nil
	})
	for _, m := range tw.messages(t, refused) {
		if m.Reason.Code != string(ebms.CodeSecurityFailure) {
			t.Errorf("message %s is in quarantine for %+v, want SecurityFailure", m.MessageID, m.Reason)
		}
	}

	distrust(partners.UseTLSClient)
	last := kr.submit(t, 900_000+messages)
	until(t, func() error {
		tried := kr.messages(t, exchange.MessageQuery{MessageID: last, Limit: 1})
		if len(tried) != 1 || len(tried[0].Log) == 0 {
			return fmt.Errorf("message %s has not been tried", last)
		}
		if attempt := tried[0].Log[0]; attempt.Problem == "" {
			t.Errorf("a distrusted TLS client is answered with %d", attempt.Status)
		}
		return nil
	})
	if found := tw.messages(t, exchange.MessageQuery{MessageID: last, Limit: 1}); len(found) != 0 {
		t.Errorf("a distrusted TLS client brought a message: %s", found[0].State)
	}
}
