package cpa_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/internal/strictyaml"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/cpa"
)

var update = flag.Bool("update", false, "write the golden files")

const corpus = "../../testdata/cpa"

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// shapes are the files of the corpus by name.
func shapes(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(corpus + "/*.xml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no CPAs in %s: %v", corpus, err)
	}
	out := map[string][]byte{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(file), ".xml")] = text
	}
	return out
}

func mustRead(t testing.TB, doc []byte) *cpa.CPA {
	t.Helper()
	c, err := cpa.Read(doc)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// as imports c as its first or second party.
func as(t testing.TB, c *cpa.CPA, party int) *cpa.Imported {
	t.Helper()
	got, err := c.Agreement(cpa.Options{Own: c.Parties[party].IDs, Partner: "beta", At: noon})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Each file of testdata/cpa is a shape of CPAs; the file beside it says what the first party makes of it.
func TestAgreementOfEachShape(t *testing.T) {
	for name, doc := range shapes(t) {
		t.Run(name, func(t *testing.T) {
			got := describe(t, as(t, mustRead(t, doc), 0))
			golden := filepath.Join(corpus, name+".txt")
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// describe writes everything that an import gives.
func describe(t testing.TB, got *cpa.Imported) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, f := range got.Findings {
		fmt.Fprintf(&b, "%s: line %d: %s\n    %s\n", f.Severity, f.Line, f.Path, f.Text)
	}
	for _, a := range got.Agreements {
		text, err := strictyaml.Encode(&a)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "\nagreement\n%s", text)
	}
	for _, side := range []cpa.Side{got.Own, got.Partner} {
		fmt.Fprintf(&b, "\nparty %s %v role %q\n", side.Name, side.PartyIDs, side.Role)
		for _, c := range side.Credentials {
			fmt.Fprintf(&b, "  %s %s %v\n", c.Path, c.Chain[0].Subject, c.Uses)
		}
		for _, x509Cert := range side.Anchors {
			fmt.Fprintf(&b, "  anchor %s\n", x509Cert.Subject)
		}
	}
	return b.Bytes()
}

func TestBothPartiesFindTheSameTerms(t *testing.T) {
	for name, doc := range shapes(t) {
		if name == "unhonoured" { // its two sides disagree
			continue
		}
		t.Run(name, func(t *testing.T) {
			c := mustRead(t, doc)
			first, second := as(t, c, 0), as(t, c, 1)
			if len(first.Agreements) != len(second.Agreements) {
				t.Fatalf("%d agreements and %d", len(first.Agreements), len(second.Agreements))
			}
			for i, a := range first.Agreements {
				b := second.Agreements[i]
				a.SetDefaults()
				b.SetDefaults()
				got := fmt.Sprint(b.CPAID, b.Service, b.Action, b.AnswerAction, b.Actions, b.PartnerRole, b.OwnRole, *b.SignatureRequired, *b.AckRequested, *b.AckSigned, *b.DuplicateElimination, b.SyncReply, b.MessageOrder)
				want := fmt.Sprint(a.CPAID, a.Service, a.Action, a.AnswerAction, a.Actions, a.OwnRole, a.PartnerRole, *a.SignatureRequired, *a.AckRequested, *a.AckSigned, *a.DuplicateElimination, a.SyncReply, a.MessageOrder)
				if got != want {
					t.Errorf("got %s\nwant %s", got, want)
				}
			}
			if first.Refused() || second.Refused() {
				t.Errorf("refused: %v %v", first.Findings, second.Findings)
			}
		})
	}
}

func TestStrangersAreToldWhoThePartiesAre(t *testing.T) {
	c := mustRead(t, shapes(t)["ordered"])
	for _, own := range [][]partners.PartyID{nil, {{Type: "urn:parties", Value: "GAMMA"}}, {c.Parties[0].IDs[0], c.Parties[1].IDs[0]}} {
		_, err := c.Agreement(cpa.Options{Own: own})
		if !errors.Is(err, cpa.ErrOtherParties) || !strings.Contains(err.Error(), `"ALPHA" (type "urn:parties")`) {
			t.Errorf("%v: %v", own, err)
		}
	}
}

func TestActionsAreGivenTheirMeaning(t *testing.T) {
	doc := bytes.ReplaceAll(shapes(t)["ordered"], []byte("SubmitCertificateOfOrigin"), []byte("Send"))
	doc = bytes.ReplaceAll(doc, []byte("RespondToCertificateOfOrigin"), []byte("Reply"))
	c := mustRead(t, doc)
	if got := as(t, c, 0); !got.Refused() {
		t.Errorf("two names that nobody knows were taken: %+v", got.Agreements)
	}
	got, err := c.Agreement(cpa.Options{Own: c.Parties[0].IDs, Actions: map[string]string{"action": "Send", "response": "Reply"}})
	if err != nil || got.Refused() {
		t.Fatal(err, got.Findings)
	}
	if a := got.Agreements[0]; a.Action != "Send" || a.Actions.Response != "Reply" || a.Actions.Cancel != partners.DefaultCancelAction || a.Actions.VerificationReply != partners.ActionNone {
		t.Errorf("%+v", a)
	}
	// What an agreement that is there calls them counts too, and what a CPA does not say stays.
	base := partners.AgreementConfig{CPAID: c.ID, Service: partners.Service{Type: "urn:services", Value: "eco-exchange"}, Action: "Send", OrderGap: time.Hour, AllowSHA1: true, MaxParts: 7}
	base.Actions.Response = "Reply"
	base.Forms = append(base.Forms, "NON-PREFERENTIAL")
	if got, err = c.Agreement(cpa.Options{Own: c.Parties[0].IDs, Base: []partners.AgreementConfig{base}}); err != nil || got.Refused() {
		t.Fatal(err, got.Findings)
	}
	if a := got.Agreements[0]; a.Action != "Send" || a.Actions.Response != "Reply" || a.OrderGap != time.Hour || len(a.Forms) != 1 || a.AllowSHA1 || a.MaxParts != 7 {
		t.Errorf("%+v", a)
	}
}

// A CPA that bears the CPAId of another partner's agreement does not take its place, nor over what that one excuses.
func TestAgreementOfAnotherPartnerIsNotReplaced(t *testing.T) {
	c := mustRead(t, shapes(t)["ordered"])
	base := partners.AgreementConfig{CPAID: c.ID, Partner: "alpha", Service: partners.Service{Type: "urn:services", Value: "eco-exchange"}, MaxParts: 7}
	for partner, refused := range map[string]bool{"alpha": false, "beta": true} {
		got, err := c.Agreement(cpa.Options{Own: c.Parties[0].IDs, Partner: partner, Base: []partners.AgreementConfig{base}})
		if err != nil || got.Refused() != refused {
			t.Errorf("%s: refused %t, %v", partner, got.Refused(), err)
		}
		if taken := got.Agreements[0].MaxParts == 7; taken == refused {
			t.Errorf("%s: what the agreement has is taken over: %t", partner, taken)
		}
	}
}

// docs/cpa.md says of each path what becomes of it, and of none that there is not.
func TestEveryPathIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/cpa.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for line := range strings.Lines(string(page)) {
		if path, rest, ok := strings.Cut(strings.TrimPrefix(line, "| "), " | "); ok && strings.HasPrefix(line, "| `") {
			for _, name := range strings.Fields(path) {
				rows[strings.Trim(name, "`")] = true
			}
			if verdict, _, _ := strings.Cut(rest, " "); !slices.Contains([]string{"drives", "checked", "warned", "refused"}, verdict) {
				t.Errorf("verdict %q of %s", verdict, path)
			}
		}
	}
	for _, path := range cpa.Paths() {
		if !rows[path] {
			t.Errorf("docs/cpa.md has no row for %s", path)
		}
		delete(rows, path)
	}
	for path := range rows {
		t.Errorf("docs/cpa.md has a row for %s, which CPPA 2.0 does not know", path)
	}
}
