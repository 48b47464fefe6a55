package cpa_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/cpa"
)

func TestDiffTellsWhatDrivesBehaviour(t *testing.T) {
	all := shapes(t)
	for _, test := range []struct {
		name, shape, old, new string
		want                  []string // one of each line of the result, in order; nil for no difference
	}{
		{"nothing", "ordered", "", "", nil},
		{"identifiers", "ordered", "A-reliable", "other-name", nil},
		{"names for people", "ordered", "Betaland Customs", "Betaland", nil},
		{"spelling of a duration", "per-message", "PT60S", "PT1M", nil},
		{"default written out", "per-message", ` tp:isNonRepudiationRequired="false"`, "", nil},
		{"white space", "ordered", "<tp:ChannelId>A-reliable<", "<tp:ChannelId>\n A-reliable\n<", nil},
		{"end", "ordered", "2036-01-01T00:00:00Z", "2037-01-01T00:00:00+01:00", []string{"End: 2036-01-01T00:00:00Z -> 2036-12-31T23:00:00Z"}},
		{"endpoint", "per-message", "http://msh.beta.example/ebms", "http://new.beta.example/ebms", []string{
			"urn:party:b receives urn:eco-exchange Order: Endpoint: http://msh.beta.example/ebms -> http://new.beta.example/ebms",
			"urn:party:b receives Acknowledgment: Endpoint: ", "urn:party:b receives MessageError: Endpoint: ", "urn:party:b receives Ping: Endpoint: ",
			"urn:party:b receives Pong: Endpoint: ", "urn:party:b receives StatusRequest: Endpoint: ", "urn:party:b receives StatusResponse: Endpoint: "}},
		{"acknowledgments", "per-message", `tp:ackRequested="perMessage"`, `tp:ackRequested="always"`, []string{
			"urn:party:a sends urn:eco-exchange Order: ackRequested: perMessage -> always", "urn:party:b receives urn:eco-exchange Order: ackRequested: perMessage -> always"}},
		{"action", "per-message", `tp:action="Order"`, `tp:action="Ask"`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := all[test.shape]
			after := bytes.ReplaceAll(before, []byte(test.old), []byte(test.new))
			if test.old == "" {
				after = before
			}
			got := cpa.Diff(mustRead(t, before), mustRead(t, after))
			if test.name == "action" {
				if len(got) == 0 || !strings.Contains(fmt.Sprint(got), "sends urn:eco-exchange Ask") || !strings.Contains(fmt.Sprint(got), "sends urn:eco-exchange Order") {
					t.Errorf("got %v", got)
				}
				return
			}
			if len(got) != len(test.want) {
				t.Fatalf("got %v\nwant %q", got, test.want)
			}
			for i, d := range got {
				if line := strings.TrimPrefix(d.Of+": "+d.Term, ": ") + ": " + d.A + " -> " + d.B; !strings.Contains(line, test.want[i]) || d.PathA == "" || d.PathB == "" {
					t.Errorf("got %s (%s, %s), want %q", line, d.PathA, d.PathB, test.want[i])
				}
			}
		})
	}
}

func TestDiffKnowsPartiesByTheirIDs(t *testing.T) {
	doc := shapes(t)["ordered"]
	first, second := bytes.Index(doc, []byte("  <tp:PartyInfo")), bytes.LastIndex(doc, []byte("  <tp:PartyInfo"))
	end := bytes.Index(doc, []byte("  <tp:SimplePart"))
	swapped := bytes.Join([][]byte{doc[:first], doc[second:end], doc[first:second], doc[end:]}, nil)
	if got := cpa.Diff(mustRead(t, doc), mustRead(t, swapped)); len(got) > 0 {
		t.Errorf("got %v", got)
	}
}

// Every credential counts: another one of the same name is another.
func TestDiffSeesAnotherCredential(t *testing.T) {
	e := exported(t)
	e.Agreements = []partners.AgreementConfig{{CPAID: "x", Partner: "beta", Service: partners.Service{Type: "t", Value: "s"}, Action: "Submit", OwnRole: "a", PartnerRole: "b", Endpoint: "https://beta.example/"}}
	write := func(e cpa.Export) *cpa.CPA {
		doc, err := cpa.Write(e)
		if err != nil {
			t.Fatal(err)
		}
		return mustRead(t, doc)
	}
	before := write(e)
	e.Partner = exported(t).Partner
	got := cpa.Diff(before, write(e))
	refs := map[string]bool{}
	for _, d := range got {
		refs[d.Term] = true
	}
	for _, want := range []string{"SigningCertificateRef", "SigningSecurityDetailsRef", "ClientCertificateRef", "ClientSecurityDetailsRef", "ServerCertificateRef", "ServerSecurityDetailsRef"} {
		if !refs[want] {
			t.Errorf("no difference of %s: %v", want, refs)
		}
	}
	if len(refs) != 6 {
		t.Errorf("got %v", refs)
	}
}
