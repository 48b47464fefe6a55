package api_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// examiner is a node that finds what it has, and keeps what it was asked in words.
type examiner struct {
	found  partners.Examination
	tried  []exchange.Rehearsed
	next   *exchange.SignedFrom
	err    error
	asked  []string
	signer *exchange.SignerRevoked
	pages  signedPages
}

func (e *examiner) Examine(c partners.Candidate, file []byte) (partners.Examination, error) {
	e.asked = append(e.asked, fmt.Sprintf("examine %s %s %s of %d octets", c.Partner, c.Use, c.Body, len(file)))
	return e.found, e.err
}

func (e *examiner) Rehearse(_ context.Context, t exchange.Rehearsal) ([]exchange.Rehearsed, error) {
	e.asked = append(e.asked, fmt.Sprintf("try %s %s on %d", t.Partner, t.Use, t.Last))
	return e.tried, nil
}

func (e *examiner) Signed(_ context.Context, q exchange.SignedQuery) ([]exchange.SignedItem, *exchange.SignedFrom, error) {
	e.asked = append(e.asked, fmt.Sprintf("signed %.4s since %s from %+v, %d", q.SHA256, q.Since.Format(time.RFC3339), q.From, q.Limit))
	if e.pages != nil {
		items, next := e.pages.signed(q)
		return items, next, nil
	}
	return []exchange.SignedItem{{Message: &exchange.SignedMessage{
		Seq: 7, MessageID: "m7@kr", Direction: exchange.Inbound, Kind: exchange.KindAcknowledgment, State: exchange.StateAccepted, Partner: "KR", Created: now,
	}}}, e.next, nil
}

func (e *examiner) Credentials(context.Context) ([]exchange.HeldCredential, error) {
	return []exchange.HeldCredential{{Partner: "KR", Use: partners.UseMessageSignature, State: partners.StateActive, LastUsed: now, LastMessage: 3}}, nil
}

func (e *examiner) WithRevocations(m exchange.Message) exchange.Message {
	if e.signer != nil {
		m.SignersRevoked = []exchange.SignerRevoked{*e.signer}
	}
	return m
}

func (e *examiner) WithRevocation(c exchange.Certificate) exchange.Certificate {
	c.SignerRevoked = e.signer
	return c
}

func examined(t *testing.T) (*fixture, *examiner) {
	t.Helper()
	e := new(examiner)
	return serve(t, func(o *api.Options) { o.Examiner = e }), e
}

// candidateFile is a credential in a file.
func candidateFile(t *testing.T) ([]byte, partners.Credential) {
	t.Helper()
	data, err := os.ReadFile("../docs/testdata/kr-message.pem")
	if err != nil {
		t.Fatal(err)
	}
	list, err := signing.ReadCredentials(data)
	if err != nil {
		t.Fatal(err)
	}
	return data, partners.Credential{X509Cert: list[0], From: list[0].NotBefore, Until: list[0].NotAfter}
}

func TestCheckOfACredential(t *testing.T) {
	file, credential := candidateFile(t)
	tried := func(by string, inWindow bool) exchange.Rehearsed {
		return exchange.Rehearsed{Kind: exchange.KindAcknowledgment, State: exchange.StateAccepted, By: by, InWindow: inWindow}
	}
	before, candidate, other := tried(exchange.ByOther, false), tried(exchange.ByCandidate, true), tried(exchange.ByOther, true)
	for _, c := range []struct {
		name    string
		refused []string
		tried   []exchange.Rehearsed
		want    api.Verdict
	}{
		{"nothing came", nil, nil, api.VerdictUntried},
		{"nothing came in its window", nil, []exchange.Rehearsed{before}, api.VerdictUntried},
		{"verified one", nil, []exchange.Rehearsed{other, candidate, before}, api.VerdictWorks},
		{"not used yet", nil, []exchange.Rehearsed{other, before}, api.VerdictUntried},
		{"none verifies what came before its window", nil, []exchange.Rehearsed{other, tried(exchange.ByNone, false)}, api.VerdictUntried},
		{"none verifies what came", nil, []exchange.Rehearsed{other, tried(exchange.ByNone, true)}, api.VerdictFails},
		{"cannot be taken", []string{"chain"}, []exchange.Rehearsed{candidate}, api.VerdictFails},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, e := examined(t)
			e.found, e.tried = partners.Examination{Credential: credential, Refused: c.refused}, c.tried
			got, err := f.client(operatorSecret).CheckCredential(t.Context(), partners.Candidate{Partner: "KR", Use: partners.UseMessageSignature}, file, 5)
			if err != nil || got.Verdict != c.want || got.SHA256 != signing.Fingerprint(credential.X509Cert) || len(got.Tried) != len(c.tried) {
				t.Errorf("%+v, want %s; error %v", got, c.want, err)
			}
			want := []string{fmt.Sprintf("examine KR message-signature  of %d octets", len(file)), "try KR message-signature on 5"}
			if !slices.Equal(e.asked, want) {
				t.Errorf("asked %q, want %q", e.asked, want)
			}
			if log := f.log.take(); !strings.Contains(log, `"event":"credential.checked","subject":"KR"`) {
				t.Errorf("log %s", log)
			}
		})
	}
}

func TestCheckOfACredentialRefuses(t *testing.T) {
	f, e := examined(t)
	const path = "/api/v1/partners/KR/credentials/check"
	for _, c := range []struct {
		name, secret, query, body string
		status                    int
	}{
		{"no use", operatorSecret, "", "x", http.StatusBadRequest},
		{"unknown use", operatorSecret, "?use=signing", "x", http.StatusBadRequest},
		{"body without its use", operatorSecret, "?use=message-signature&body=KCCI", "x", http.StatusBadRequest},
		{"use without body", operatorSecret, "?use=document-signature", "x", http.StatusBadRequest},
		{"too many", operatorSecret, "?use=message-signature&last=1001", "x", http.StatusBadRequest},
		{"another parameter", operatorSecret, "?use=message-signature&first=1", "x", http.StatusBadRequest},
		{"no file", operatorSecret, "?use=message-signature", "", http.StatusBadRequest},
		{"large file", operatorSecret, "?use=message-signature", strings.Repeat("x", 1<<20+1), http.StatusRequestEntityTooLarge},
		{"officer", officerSecret, "?use=message-signature", "x", http.StatusForbidden},
	} {
		if got := f.request(c.secret, "POST", path+c.query, c.body); got.status != c.status {
			t.Errorf("%s: status %d, want %d; body %s", c.name, got.status, c.status, got.body)
		}
	}
	if e.asked != nil {
		t.Errorf("asked %q", e.asked)
	}
	for err, status := range map[error]int{partners.ErrUnknownPartner: http.StatusNotFound, partners.ErrUnknownBody: http.StatusBadRequest} {
		e.err = err
		if got := f.request(operatorSecret, "POST", path+"?use=message-signature", "x"); got.status != status {
			t.Errorf("%v: status %d, want %d", err, got.status, status)
		}
	}
}

func TestAffectedIsPaged(t *testing.T) {
	f, e := examined(t)
	fingerprint := strings.Repeat("AB", 32)
	client := f.client(officerSecret)
	for _, place := range []exchange.SignedFrom{{Before: 9}, {Certificates: true}, {Certificates: true, Before: 4}} {
		e.next, e.asked = &place, nil
		page, err := client.Affected(t.Context(), fingerprint, now, 5, "")
		if err != nil || page.Next == "" || len(page.Items) != 1 || page.Items[0].Message.Seq != 7 {
			t.Fatalf("page %+v, error %v", page, err)
		}
		e.next = nil
		if page, err = client.Affected(t.Context(), fingerprint, time.Time{}, 0, page.Next); err != nil || page.Next != "" {
			t.Errorf("page %+v, error %v", page, err)
		}
		want := []string{
			"signed abab since 2026-11-20T08:30:00Z from {Certificates:false Before:0}, 5",
			fmt.Sprintf("signed abab since 0001-01-01T00:00:00Z from %+v, 100", place),
		}
		if !slices.Equal(e.asked, want) {
			t.Errorf("asked %q, want %q", e.asked, want)
		}
	}
	records, err := f.store.Audit(t.Context(), 0, 10)
	if err != nil || len(records) != 6 || records[0].Event != "credential.affected_listed" || records[0].Subject != strings.ToLower(fingerprint) {
		t.Errorf("audited %+v, error %v", records, err)
	}
	path := "/api/v1/credentials/" + fingerprint + "/affected"
	for _, target := range []string{
		"/api/v1/credentials/abab/affected", "/api/v1/credentials/" + strings.Repeat("xy", 32) + "/affected", path + "?since=yesterday", path + "?limit=501",
		path + "?before=message:0", path + "?before=message:x", path + "?before=7", path + "?before=certificate:", path + "?until=2026-11-20T08:30:00Z",
	} {
		if got := f.request(operatorSecret, "GET", target, ""); got.status != http.StatusBadRequest {
			t.Errorf("%s: status %d, body %s", target, got.status, got.body)
		}
	}
	if got := f.request(brokerSecret, "GET", path, ""); got.status != http.StatusForbidden {
		t.Errorf("broker: status %d", got.status)
	}
}

func TestCredentialsAreListed(t *testing.T) {
	f, _ := examined(t)
	list, err := f.client(officerSecret).Credentials(t.Context())
	if err != nil || len(list) != 1 || list[0].LastMessage != 3 || !list[0].LastUsed.Equal(now) {
		t.Errorf("credentials %+v, error %v", list, err)
	}
	if got := f.request(brokerSecret, "GET", "/api/v1/credentials", ""); got.status != http.StatusForbidden {
		t.Errorf("broker: status %d", got.status)
	}
}

func TestLookUpsTellOfSignersThatWereRevoked(t *testing.T) {
	f, e := examined(t)
	f.imported("R1", "m1@kr", "c1")
	e.signer = &exchange.SignerRevoked{SHA256: "ab", Use: partners.UseDocumentSignature, Subject: "CN=body", At: now, Reason: "keyCompromise"}
	m, err := f.client(officerSecret).Message(t.Context(), "1")
	if err != nil || len(m.SignersRevoked) != 1 || m.SignersRevoked[0] != *e.signer {
		t.Errorf("message %+v, error %v", m.SignersRevoked, err)
	}
	page, err := f.client(officerSecret).Messages(t.Context(), exchange.MessageQuery{})
	if err != nil || len(page.Messages) != 1 || len(page.Messages[0].SignersRevoked) != 1 {
		t.Errorf("messages %+v, error %v", page, err)
	}
	found, err := f.client(brokerSecret).Lookup(t.Context(), api.LookupQuery{Reference: "R1"})
	if err != nil || len(found.Matches) != 1 || found.Matches[0].Document.SignerRevoked == nil || *found.Matches[0].Document.SignerRevoked != *e.signer {
		t.Errorf("look-up %+v, error %v", found, err)
	}
}
