package partners_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
)

// The days that the tests turn around.
var (
	spring = time.Date(2026, time.April, 1, 0, 0, 0, 0, time.UTC)
	summer = time.Date(2026, time.July, 1, 0, 0, 0, 0, time.UTC)
	autumn = time.Date(2026, time.October, 1, 0, 0, 0, 0, time.UTC)
)

const (
	form      = eco.FormCode("NON-PREFERENTIAL")
	otherForm = eco.FormCode("ATIGA-D")
)

// transportUses are those that one credential may have together.
var transportUses = []partners.Use{partners.UseMessageSignature, partners.UseTLSServer, partners.UseTLSClient}

// usesOf are the uses of a party's credentials beside those of its issuing bodies; "" is the node.
func usesOf(party string) []partners.Use {
	uses := append(slices.Clone(transportUses), partners.UseEncryption)
	if party != "" {
		uses = append(uses, partners.UseTimeStamp)
	}
	return uses
}

// world is a node "kr" with the partners "tw" and "my", each with a PKI of its own and a credential for every use.
type world struct {
	config partners.Config
	pki    map[string]*pkitest.Test
	// issued are the credentials by partner and use; "kr" is the node itself.
	issued map[string]map[partners.Use]*pkitest.Credential
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{pki: map[string]*pkitest.Test{}, issued: map[string]map[partners.Use]*pkitest.Credential{}}
	for _, id := range []string{"kr", "tw", "my"} {
		w.pki[id] = pkitest.NewTest(t, pkitest.Options{Country: strings.ToUpper(id), Organisation: "Customs " + id})
		w.issued[id] = map[partners.Use]*pkitest.Credential{}
		for _, use := range partners.Uses() {
			w.issued[id][use], _, _ = w.pki[id].IssueFiles(string(use), pkitest.Request{Name: id + " " + string(use), Use: pkitest.Use(use)})
		}
	}
	w.config = partners.Config{
		Node: partners.NodeConfig{
			ID: "kr", Name: "Customs of Korea", Country: "KR", PartyIDs: partyIDs("kr"),
			Issuers: []partners.OwnIssuerConfig{{
				ID: "BODY", Forms: []eco.FormCode{form}, Keys: []partners.KeyConfig{w.key("kr", partners.UseDocumentSignature)},
			}},
		},
		Partners: []partners.PartnerConfig{w.partner("tw"), w.partner("my")},
	}
	for _, use := range usesOf("") {
		w.config.Node.Keys = append(w.config.Node.Keys, w.key("kr", use))
	}
	w.config.Agreements = []partners.AgreementConfig{agreement("tw"), agreement("my")}
	return w
}

func partyIDs(id string) []partners.PartyID {
	return []partners.PartyID{{Type: "country", Value: strings.ToUpper(id)}, {Value: "urn:customs:" + id}}
}

func agreement(partner string) partners.AgreementConfig {
	return partners.AgreementConfig{
		CPAID: "cpa-" + partner, Partner: partner, Forms: []eco.FormCode{form},
		Service: partners.Service{Value: "urn:services:eco"}, Action: "Submit", Endpoint: "https://" + partner + ".example/ebms",
	}
}

func (w *world) file(id, name string) string { return filepath.Join(w.pki[id].Dir, name) }

func (w *world) key(id string, use partners.Use) partners.KeyConfig {
	return partners.KeyConfig{
		Uses: []partners.Use{use}, KeyFile: w.file(id, string(use)+".key"), ChainFile: w.file(id, string(use)+".pem"),
	}
}

func (w *world) partner(id string) partners.PartnerConfig {
	p := partners.PartnerConfig{
		ID: id, Name: "Customs of " + id, Country: strings.ToUpper(id), PartyIDs: partyIDs(id),
		AnchorFiles: []string{w.file(id, "root.pem")},
		Issuers: []partners.IssuerConfig{{
			ID: "BODY", Forms: []eco.FormCode{form},
			Credentials: []partners.CredentialConfig{{File: w.file(id, "document-signature.pem")}},
		}},
	}
	for _, use := range usesOf(id) {
		p.Credentials = append(p.Credentials, partners.CredentialConfig{Uses: []partners.Use{use}, File: w.file(id, string(use)+".pem")})
	}
	return p
}

// open makes the registry of w.
func (w *world) open(t *testing.T) *partners.Registry {
	t.Helper()
	r, err := partners.New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wantRefused checks that New refuses w because of key, with a text that has each of texts in it.
func (w *world) wantRefused(t *testing.T, key string, texts ...string) {
	t.Helper()
	r, err := partners.New(w.config)
	var wrong *partners.ConfigError
	if !errors.As(err, &wrong) || r != nil {
		t.Fatalf("New gave %v, %v; want nil and a *ConfigError", r, err)
	}
	for _, p := range wrong.Problems {
		if p.Key == key && containsAll(p.Text, texts) {
			return
		}
	}
	t.Fatalf("no problem of %s with %q in:\n%v", key, texts, err)
}

func containsAll(s string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(s, part) {
			return false
		}
	}
	return true
}

// names are the common names of credentials, in order.
func names(list []partners.Credential) string {
	var out []string
	for _, c := range list {
		out = append(out, c.X509Cert.Subject.CommonName)
	}
	return strings.Join(out, ",")
}
