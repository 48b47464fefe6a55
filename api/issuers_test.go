package api_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/issuerlist"
	"github.com/ecogate/ecogate/signing"
)

// listing serves an API over a registry with the partner TW, and signs lists of its issuers with that number.
func listing(t *testing.T, change ...func(*partners.Config)) (*fixture, func(number int) []byte) {
	t.Helper()
	pki := pkitest.NewTest(t, pkitest.Options{Country: "TW", Organisation: "Customs"})
	credential, _, file := pki.IssueFiles("list", pkitest.Request{Name: "list", Use: pkitest.IssuerList})
	body, _, _ := pki.IssueFiles("body", pkitest.Request{Name: "body", Use: pkitest.DocumentSignature})
	ids := []partners.PartyID{{Value: "urn:customs:tw"}}
	config := partners.Config{
		Node: partners.NodeConfig{ID: "la", Country: "LA", PartyIDs: []partners.PartyID{{Value: "urn:customs:la"}}},
		Partners: []partners.PartnerConfig{{
			ID: "TW", Country: "TW", PartyIDs: ids, AnchorFiles: []string{pki.Dir + "/root.pem"},
			Credentials: []partners.CredentialConfig{{Uses: []partners.Use{partners.UseIssuerList}, File: file}},
		}},
	}
	for _, do := range change {
		do(&config)
	}
	f := serve(t, func(o *api.Options) {
		registry, err := partners.New(config)
		if err != nil {
			t.Fatal(err)
		}
		clock := func() time.Time { return now }
		store, ok := o.Store.(partners.Store)
		if !ok {
			t.Fatalf("%T is no partners.Store", o.Store)
		}
		directory, err := partners.NewDirectory(t.Context(), config, partners.DirectoryOptions{Store: store, Registry: registry, Now: clock})
		if err != nil {
			t.Fatal(err)
		}
		o.Issuers, o.Proposals, o.Registry = issuerlist.Desk{Directory: directory, Now: clock}, directory, directory
	})
	return f, func(number int) []byte {
		list := issuerlist.List{
			Party: ids, Number: number, Issued: now, ValidFrom: now,
			Bodies: []partners.Body{{
				Issuer:      partners.Issuer{ID: "BOFT", Country: "TW", Forms: []eco.FormCode{"NON-PREFERENTIAL"}, Offices: []partners.Office{{ID: "TPE"}}},
				Credentials: []partners.BodyCredential{{Chain: body.Chain}},
			}},
		}
		signed, err := list.Sign(signing.Key{Signer: credential.Key, Chain: credential.Chain})
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
}

func TestIssuerListIsTakenByOperators(t *testing.T) {
	f, list := listing(t)
	operator := f.client(operatorSecret)
	tried, err := operator.TakeIssuerList(t.Context(), "TW", list(2), api.Change{DryRun: true})
	if err != nil || !tried.DryRun || tried.Version != 1 || len(tried.Differences) == 0 {
		t.Fatalf("tried: %+v, %v", tried, err)
	}
	if before, err := operator.Issuers(t.Context(), "TW"); err != nil || len(before.Bodies) != 0 || before.List != nil {
		t.Fatalf("a dry run changed %+v, %v", before, err)
	}
	taken, err := operator.TakeIssuerList(t.Context(), "TW", list(2), api.Change{Why: "letter 12"})
	if err != nil || taken.DryRun || taken.Number != 2 || taken.Version != 1 {
		t.Fatalf("taken: %+v, %v", taken, err)
	}
	after, err := f.client(officerSecret).Issuers(t.Context(), "TW")
	if err != nil || len(after.Bodies) != 1 || after.Bodies[0].Offices[0].ID != "TPE" || after.Bodies[0].Credentials[0].State != partners.StateActive || after.List.Number != 2 {
		t.Errorf("afterwards: %+v, %v", after, err)
	}
	if _, err := operator.TakeIssuerList(t.Context(), "TW", list(1), api.Change{}); !errors.Is(err, issuerlist.ErrRefused) || !strings.Contains(err.Error(), "number 1, the last one 2") {
		t.Errorf("an older one: %v", err)
	}
	if _, err := operator.TakeIssuerList(t.Context(), "XX", list(3), api.Change{}); !errors.Is(err, partners.ErrUnknownPartner) {
		t.Errorf("of nobody: %v", err)
	}
	if _, err := f.client(officerSecret).TakeIssuerList(t.Context(), "TW", list(3), api.Change{}); err == nil {
		t.Error("an officer took a list")
	}
	var events []string
	for _, e := range f.recorded(0) {
		events = append(events, e.Actor+" "+e.Event+" "+e.Subject)
	}
	want := []string{
		"night-shift partner.issuer_list_tried TW", "night-shift partner.issuers_read TW", "night-shift partner.changed TW", "post-12 partner.issuers_read TW",
		"night-shift partner.change_refused TW", "night-shift partner.change_refused XX", "post-12 access.refused POST /api/v1/partners/:id/issuer-list",
	}
	if got := strings.Join(events, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("audit log\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func TestIssuerListWaitsForASecondOperator(t *testing.T) {
	f, list := listing(t, func(c *partners.Config) { c.SecondOperator = true })
	operator := f.client(operatorSecret)
	taken, err := operator.TakeIssuerList(t.Context(), "TW", list(2), api.Change{})
	if err != nil || taken.Proposal == nil || taken.Proposal.State != partners.ProposalOpen || len(taken.Differences) == 0 {
		t.Fatalf("%+v, %v", taken, err)
	}
	if before, err := operator.Issuers(t.Context(), "TW"); err != nil || before.List != nil {
		t.Errorf("in force before it was confirmed: %+v, %v", before, err)
	}
}

func TestRequestsAboutIssuerListsThatAreRefused(t *testing.T) {
	f, list := listing(t)
	const path, own = "/api/v1/partners/TW/issuer-list", "/api/v1/issuer-list"
	for _, test := range []struct{ name, target, body, mediaType, code string }{
		{"media type", path, "x", "text/plain", "unsupported_media_type"},
		{"no media type", path, "x", "", "unsupported_media_type"},
		{"no list", path, "<a/>", "application/xml", "issuer_list_refused"},
		{"empty", path, "", "application/octet-stream", "issuer_list_refused"},
		{"changed list", path, strings.Replace(string(list(1)), "TPE", "TPX", 1), "application/xml", "issuer_list_refused"},
		{"dry run", path + "?dry_run=yes", "x", "application/xml", "bad_parameter"},
		{"why", path + "?why=a%0Ab", "x", "application/xml", "bad_parameter"},
		{"unknown parameter", path + "?force=true", "x", "application/xml", "bad_parameter"},
		{"own list without a key", own, "", "", "not_now"},
		{"own list, number", own + "?number=0", "", "", "bad_parameter"},
		{"own list, time", own + "?valid_from=tomorrow", "", "", "bad_parameter"},
		{"own list, next", own + "?next_update=-1", "", "", "bad_parameter"},
		{"own list, CMS", own + "?cms=yes", "", "", "bad_parameter"},
		{"own list, unknown parameter", own + "?force=true", "", "", "bad_parameter"},
	} {
		method := "POST"
		if strings.HasPrefix(test.target, own) {
			method = "GET"
		}
		if p := f.request(operatorSecret, method, test.target, test.body, "Content-Type", test.mediaType).problem(t); string(p.Code) != test.code {
			t.Errorf("%s: %d %s %s, want %s", test.name, p.Status, p.Code, p.Detail, test.code)
		}
	}
	bare := serve(t, func(*api.Options) {})
	if a := bare.request(operatorSecret, "GET", "/api/v1/partners/TW/issuers", ""); a.status != http.StatusNotFound {
		t.Errorf("without a desk: %d", a.status)
	}
}

func TestHeldCertificatesAreListedAndReleased(t *testing.T) {
	d := new(dealer)
	f := serve(t, func(o *api.Options) { o.Dealer = d })
	arrival := f.arrival("R-1", "in@kr", "said")
	arrival.Certificate.State = exchange.CertificateSuspended
	arrival.Certificate.Data.IssuingBody.Office = "009"
	arrival.Certificate.Findings = []eco.Finding{{Code: eco.CodeIssuingBody, Severity: eco.SeverityWarning, Text: "unknown office"}, {Code: eco.CodeHS}}
	arrival.Certificate.Dealings.Life = &eco.Life{State: eco.StateSuspended, Requests: []eco.Verification{{ID: "issuer"}}}
	f.accept(arrival)
	officer := f.client(officerSecret)
	list, err := officer.Holds(t.Context())
	if err != nil || len(list) != 1 || list[0].Reference != "R-1" || list[0].Office != "009" || len(list[0].Findings) != 1 || list[0].State != exchange.CertificateSuspended {
		t.Errorf("on hold: %+v, %v", list, err)
	}
	released, err := officer.Release(t.Context(), api.ReleaseRequest{Named: api.Named{Reference: "R-1", Country: "kr"}, Why: "letter 12"})
	if err != nil || released.State != exchange.CertificateAvailable || strings.Join(d.asked, "") != "post-12 releases R-1 KR  : letter 12" {
		t.Errorf("released %+v, %v, asked %q", released, err, d.asked)
	}
	for _, why := range []string{"", "two\nlines", strings.Repeat("x", 1025)} {
		if _, err := officer.Release(t.Context(), api.ReleaseRequest{Named: api.Named{Reference: "R-1"}, Why: why}); err == nil || !strings.Contains(err.Error(), `member "why"`) {
			t.Errorf("why %.12q: %v", why, err)
		}
	}
	for _, cause := range []error{exchange.ErrNotOnHold, exchange.ErrChanged, exchange.ErrNotFound} {
		d.err = cause
		if _, err := officer.Release(t.Context(), api.ReleaseRequest{Named: api.Named{Reference: "R-1"}, Why: "x"}); !errors.Is(err, cause) {
			t.Errorf("%v: %v", cause, err)
		}
	}
	for _, secret := range []string{issuerSecret, brokerSecret} {
		if _, err := f.client(secret).Holds(t.Context()); err == nil {
			t.Error("others see what is on hold")
		}
	}
}
