package cpa_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jacoelho/xsd"
	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/cpa"
)

// schema compiles the schema of CPPA 2.0, which lies in the folder that ECOGATE_CPPA_SCHEMAS names, or beside the checkout.
func schema(t testing.TB) *xsd.Engine {
	t.Helper()
	folder := cmp.Or(os.Getenv("ECOGATE_CPPA_SCHEMAS"), "../../../shared/ebms/xsd")
	source := func(name string) (xsd.SchemaSource, error) {
		text, err := os.ReadFile(filepath.Join(folder, path.Base(name)))
		return xsd.Bytes(name, text), err
	}
	main, err := source("cpp-cpa-2_0.xsd")
	if err != nil {
		t.Skipf("skipping what the schema of CPPA 2.0 says: %v", err)
	}
	engine, err := xsd.Compile(context.Background(), main.WithResolver(xsd.ResolverFunc(func(_ context.Context, _, location string) (xsd.SchemaSource, error) {
		return source(location)
	})))
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

func validate(t testing.TB, engine *xsd.Engine, name string, doc []byte) {
	t.Helper()
	if err := engine.ValidateWithOptions(context.Background(), bytes.NewReader(doc), xsd.ValidateOptions{MaxErrors: 5}); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func TestShapesFollowTheSchema(t *testing.T) {
	engine := schema(t)
	for name, doc := range shapes(t) {
		validate(t, engine, name, doc)
	}
}

// exported makes the sides of two administrations with fresh credentials.
func exported(t testing.TB) cpa.Export {
	t.Helper()
	side := func(name, id string) cpa.Side {
		pki := pkitest.NewTest(t, pkitest.Options{Country: "AA", Organisation: name})
		s := cpa.Side{Name: name, PartyIDs: []partners.PartyID{{Type: "urn:parties", Value: id}}, Role: "customs", Anchors: []*x509.Certificate{pki.Root.X509Cert, pki.Issuing.X509Cert}}
		for _, use := range []pkitest.Use{pkitest.MessageSignature, pkitest.TLSClient, pkitest.TLSServer} {
			c := pki.Must(pki.Issue(pkitest.Request{Name: name + " " + string(use), Use: use, Hosts: []string{"gw.example"}}))
			s.Credentials = append(s.Credentials, cpa.Credential{Uses: []partners.Use{partners.Use(use)}, Chain: c.Chain})
		}
		return s
	}
	return cpa.Export{Own: side("Alpha & Co", "ALPHA"), Partner: side("Beta", "BETA"), OwnEndpoint: "https://gw.alpha.example/ebms"}
}

// An agreement that was written and read again is the same to both parties, and the schema has nothing against what was written.
func TestWrittenAgreementIsReadAgain(t *testing.T) {
	e := exported(t)
	engine := (*xsd.Engine)(nil)
	t.Run("schema", func(t *testing.T) { engine = schema(t) })
	rapid.Check(t, func(r *rapid.T) {
		e := e
		e.Agreements = drawAgreements(r)
		doc, err := cpa.Write(e)
		if err != nil {
			r.Fatal(err)
		}
		if engine != nil {
			if err := engine.ValidateWithOptions(context.Background(), bytes.NewReader(doc), xsd.ValidateOptions{MaxErrors: 3}); err != nil {
				r.Fatalf("%v\n%s", err, doc)
			}
		}
		c, err := cpa.Read(doc)
		if err != nil {
			r.Fatal(err)
		}
		got, err := c.Agreement(cpa.Options{Own: e.Own.PartyIDs, Partner: "beta", Base: e.Agreements, At: noon})
		if err != nil || got.Refused() || len(got.Agreements) != len(e.Agreements) {
			r.Fatal(err, got)
		}
		for i, a := range got.Agreements {
			want := e.Agreements[i]
			a.SetDefaults()
			want.SetDefaults()
			if want.Algorithms == nil { // a CPA has to name some
				a.Algorithms = nil
			}
			if want.SignatureAlgorithm == "" {
				a.SignatureAlgorithm = ""
			}
			if !reflect.DeepEqual(a, want) {
				r.Fatalf("got  %+v\nwant %+v\n%s", a, want, doc)
			}
		}
		if *e.Agreements[0].SignatureRequired {
			sameSide(r, got.Own, e.Own)
			sameSide(r, got.Partner, e.Partner)
		}
	})
}

func sameSide(t interface {
	Fatalf(string, ...any)
	Errorf(string, ...any)
}, got, want cpa.Side) {
	if got.Name != want.Name || !reflect.DeepEqual(got.PartyIDs, want.PartyIDs) || len(got.Credentials) != len(want.Credentials) || len(got.Anchors) != len(want.Anchors) {
		t.Fatalf("got %+v\nwant %+v", got, want)
	}
	for i, c := range got.Credentials {
		if !c.Chain[0].Equal(want.Credentials[i].Chain[0]) || !reflect.DeepEqual(c.Uses, want.Credentials[i].Uses) {
			t.Errorf("credential %d: got %v %s, want %v %s", i, c.Uses, c.Chain[0].Subject, want.Credentials[i].Uses, want.Credentials[i].Chain[0].Subject)
		}
	}
	for i, x509Cert := range got.Anchors {
		if !x509Cert.Equal(want.Anchors[i]) {
			t.Errorf("anchor %d: got %s, want %s", i, x509Cert.Subject, want.Anchors[i].Subject)
		}
	}
}

// drawAgreements draws what a configuration may have.
func drawAgreements(r *rapid.T) []partners.AgreementConfig {
	flag := func(name string) *bool { return new(rapid.Bool().Draw(r, name)) }
	url := func(name string) string {
		return rapid.SampledFrom([]string{"https://beta.example/a?x=1&y=2", "https://beta.example:444/b", "https://gw.example/ebms"}).Draw(r, name)
	}
	ackEndpoint, errorEndpoint := url("ack"), url("error")
	var list []partners.AgreementConfig
	for i := range rapid.IntRange(1, 3).Draw(r, "services") {
		a := partners.AgreementConfig{
			CPAID: "alpha.beta <1>", Partner: "beta", Service: partners.Service{Type: rapid.SampledFrom([]string{"urn:s", "t"}).Draw(r, "type"), Value: "service " + string(rune('a'+i))},
			Action: "Submit", OwnRole: "exporter", PartnerRole: rapid.SampledFrom([]string{"exporter", "customs"}).Draw(r, "role"),
			Endpoint: url("endpoint"), AckEndpoint: ackEndpoint, ErrorEndpoint: errorEndpoint,
			SignatureRequired: flag("signed"), AckRequested: flag("ack"), DuplicateElimination: flag("duplicates"),
			Retries: new(rapid.IntRange(0, 20).Draw(r, "retries")), RetryInterval: time.Duration(rapid.IntRange(1, 100_000).Draw(r, "interval")) * time.Second,
			MaxParts: rapid.SampledFrom([]int{0, 2, 3, 100}).Draw(r, "parts"),
		}
		a.AckSigned = new(*a.AckRequested && rapid.Bool().Draw(r, "ack signed"))
		a.PersistDuration = time.Duration(*a.Retries+1)*a.RetryInterval + time.Duration(rapid.IntRange(0, 90_000).Draw(r, "persist"))*time.Second
		if rapid.Bool().Draw(r, "bounded") {
			a.Start, a.End = noon.AddDate(-1, 0, 0), noon.AddDate(3, 0, 0)
		}
		a.SyncReply = rapid.SampledFrom([]string{partners.SyncReplyNone, partners.SyncReplySignals, partners.SyncReplyBusinessSignals, partners.SyncReplyResponse, partners.SyncReplyBoth}).Draw(r, "sync")
		if a.SyncReply == partners.SyncReplyNone && *a.AckRequested && *a.DuplicateElimination && rapid.Bool().Draw(r, "order") {
			a.MessageOrder = partners.OrderGuaranteed
		}
		if *a.SignatureRequired {
			a.AllowSHA1 = rapid.Bool().Draw(r, "sha1")
			a.SignatureAlgorithm = rapid.SampledFrom([]string{"", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"}).Draw(r, "algorithm")
			a.Algorithms = rapid.SampledFrom([][]string{nil, {"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"}}).Draw(r, "algorithms")
		}
		if a.Actions.Cancel = rapid.SampledFrom([]string{"", "none", "Revoke"}).Draw(r, "cancel"); a.Actions.Cancel == "Revoke" {
			a.AnswerAction = "Reply"
		}
		if a.AckEndpoint == a.Endpoint {
			a.AckEndpoint = ""
		}
		if a.ErrorEndpoint == a.Endpoint {
			a.ErrorEndpoint = ""
		}
		if i > 0 {
			a.Start, a.End = list[0].Start, list[0].End
		}
		list = append(list, a)
	}
	return list
}

func TestWhatCannotBeWrittenIsSaid(t *testing.T) {
	good := exported(t)
	good.Agreements = []partners.AgreementConfig{{CPAID: "x", Partner: "beta", Service: partners.Service{Type: "t", Value: "s"}, Action: "Submit", OwnRole: "a", PartnerRole: "b", Endpoint: "https://beta.example/"}}
	for _, test := range []struct {
		name, want string
		change     func(*cpa.Export)
	}{
		{"none", "no agreement", func(e *cpa.Export) { e.Agreements = nil }},
		{"no URL", "URL at which the partner reaches", func(e *cpa.Export) { e.OwnEndpoint = "" }},
		{"no role", "has no roles", func(e *cpa.Export) { e.Agreements[0].OwnRole = "" }},
		{"two CPAIds", "do not go into one CPA", func(e *cpa.Export) { e.Agreements[1].CPAID = "y" }},
		{"two periods", "differ in start or end", func(e *cpa.Export) { e.Agreements[1].End = noon }},
		{"two ack endpoints", "differ in ack_endpoint", func(e *cpa.Export) { e.Agreements[1].AckEndpoint = "https://other.example/" }},
		{"no signing credential", "no message-signature credential", func(e *cpa.Export) { e.Partner.Credentials = nil }},
		{"nobody", "a party has no id", func(e *cpa.Export) { e.Own.PartyIDs = nil }},
		{"same key", "the key of this node's own", func(e *cpa.Export) { e.Partner.Credentials = e.Own.Credentials }},
		{"bad URL", "want an http or https URL", func(e *cpa.Export) { e.OwnEndpoint = "mailto:x@example" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := good
			e.Agreements = append(append([]partners.AgreementConfig{}, good.Agreements...), good.Agreements...)
			e.Agreements[1].Service.Value = "s2"
			test.change(&e)
			_, err := cpa.Write(e)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if _, err := cpa.Write(good); err != nil {
		t.Fatal(err)
	}
}

// Every shape that can be honoured can be written again, and means the same then.
func TestShapesAreWrittenAgain(t *testing.T) {
	for name, doc := range shapes(t) {
		if name == "unhonoured" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			c := mustRead(t, doc)
			before := as(t, c, 0)
			again, err := cpa.Write(cpa.Export{Agreements: before.Agreements, Own: before.Own, Partner: before.Partner, OwnEndpoint: c.EndpointOf(before.Own.PartyIDs)})
			if err != nil {
				t.Fatal(err)
			}
			after, err := mustRead(t, again).Agreement(cpa.Options{Own: before.Own.PartyIDs, Partner: "beta", Base: before.Agreements, At: noon})
			if err != nil || after.Refused() {
				t.Fatal(err, after)
			}
			for i, a := range after.Agreements {
				want := before.Agreements[i]
				a.SetDefaults()
				want.SetDefaults()
				if want.SignatureAlgorithm == "" { // a CPA has to name one
					a.SignatureAlgorithm = ""
				}
				if !reflect.DeepEqual(a, want) {
					t.Errorf("got  %+v\nwant %+v", a, want)
				}
			}
			sameSide(t, after.Own, before.Own)
			sameSide(t, after.Partner, before.Partner)
		})
	}
}
