package exchange_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
	"github.com/ecogate/ecogate/ubl"
)

// misordered is what a partner sends whose document can be read and has two elements in the wrong order.
func (w *world) misordered() *draft {
	w.Helper()
	unsigned, err := ubl.Marshal(sample(w), eco.DefaultForms())
	w.must(err)
	const first, second = "<cbc:UBLVersionID>2.1</cbc:UBLVersionID>\n", "<cbc:CustomizationID>urn:ecogate:ubl-co:1</cbc:CustomizationID>\n"
	wrong := strings.Replace(string(unsigned), first+second, second+first, 1)
	if wrong == string(unsigned) {
		w.Fatalf("%.1000s\nhas no %q", unsigned, first+second)
	}
	signed, err := signing.SignDocument([]byte(wrong), ubl.SignaturePath(), w.KR.key(w, partners.UseDocumentSignature, "KCCI"))
	w.must(err)
	d := w.certificateDraft(sample(w))
	d.content(signed)
	return d
}

// The structure of a document is compared with UBL, by the program's own tables or by the schemas, and the agreement says what follows.
func TestStructureOfADocumentIsJudgedAsAgreed(t *testing.T) {
	t.Parallel()
	for _, schemas := range []bool{false, true} {
		for _, structure := range []string{partners.StructureRecord, partners.StructureRefuse} {
			name := structure + " by our tables"
			if schemas {
				name = structure + " by the schemas"
			}
			t.Run(name, func(t *testing.T) {
				options := func(o *exchange.Options) {}
				if schemas {
					opened := openSchemas(t)
					options = func(o *exchange.Options) { o.Schemas = opened }
				}
				w := newWorld(t, setup{options: options, tw: func(c *config.Config) { c.Agreements[0].Structure = structure }})
				w.TW.receive(w, w.misordered().request(w))
				m := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Inbound})
				if structure == partners.StructureRefuse {
					if m.State != exchange.StateQuarantined || m.Reason == nil || !strings.Contains(m.Reason.Cause, "T03 /CertificateOfOrigin") {
						t.Errorf("%s %+v, want a refusal for the structure", m.State, m.Reason)
					}
					return
				}
				if m.State != exchange.StateAccepted {
					t.Fatalf("%s %+v", m.State, m.Reason)
				}
				if found := w.TW.certificate(w).Findings; !slices.ContainsFunc(found, func(f eco.Finding) bool {
					return f.Code == ubl.CodeStructure && f.Severity == eco.SeverityWarning && strings.HasPrefix(f.Text, "line ")
				}) {
					t.Errorf("findings %+v, want one for the structure", found)
				}
			})
		}
	}
}

// What a node sends is valid under the schemas that it was given, and has no fault that the receiver would record.
func TestCertificatesAreValidatedOnTheirWay(t *testing.T) {
	t.Parallel()
	opened := openSchemas(t)
	bubble(t, setup{options: func(o *exchange.Options) { o.Schemas = opened }}, func(w *world) {
		s, err := w.KR.Submit(context.Background(), "issuer", "TW", sample(t))
		w.must(err)
		if m := w.settled(s.Message.MessageID); m.State != exchange.StateDelivered {
			t.Fatalf("%s %+v", m.State, m.Reason)
		}
		if found := w.TW.certificate(w).Findings; slices.ContainsFunc(found, func(f eco.Finding) bool { return f.Code == ubl.CodeStructure }) {
			t.Errorf("findings %+v", found)
		}
	})
}

// openSchemas opens the OASIS schemas beside the checkout.
func openSchemas(t *testing.T) *ubl.Schemas {
	t.Helper()
	const folder = "../../shared/ubl/xsd"
	if _, err := os.Stat(folder); err != nil {
		t.Skip("the OASIS schemas are absent: ", err)
	}
	opened, err := ubl.OpenSchemas(os.DirFS(folder))
	if err != nil {
		t.Fatal(err)
	}
	if err := opened.Compile(); err != nil {
		t.Fatal(err)
	}
	return opened
}
