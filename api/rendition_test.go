package api_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/paper"
)

// text is what a PDF says, in the order in which it was printed.
func text(t *testing.T, pdf []byte) string {
	t.Helper()
	if _, err := exec.LookPath("pdftotext"); err != nil {
		t.Skip("pdftotext is not installed")
	}
	file := filepath.Join(t.TempDir(), "rendition.pdf")
	if err := os.WriteFile(file, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("pdftotext", "-raw", file, "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// received puts a certificate into the store as received.
func (f *fixture) received(c eco.Certificate, messageID string) {
	f.t.Helper()
	r := record(c, messageID, messageID)
	r.Direction, r.State = exchange.Inbound, exchange.CertificateAvailable
	f.accept(exchange.Arrival{
		Message: exchange.Message{
			Direction: exchange.Inbound, Kind: exchange.KindCertificate, State: exchange.StateAccepted, MessageID: messageID,
			Partner: "KR", Created: now, Certificate: r.Key, Content: messageID, ContentType: "text/xml",
		},
		Raw: ebms.Bytes([]byte("raw of " + messageID)), Certificate: r, Document: []byte("<document/>"),
	})
}

func TestRenditionsBearWhatRecordAndReaderCallFor(t *testing.T) {
	test := false
	f := serve(t, func(o *api.Options) { o.TestPartner = func(partner string) bool { return test && partner == "KR" } })
	f.imported("A1", "in@kr", "said")
	tests := []struct {
		name, secret string
		test         bool
		want         []paper.Overlay
	}{
		{"officer", officerSecret, false, nil},
		{"operator", operatorSecret, false, nil},
		{"broker", brokerSecret, false, []paper.Overlay{paper.OverlayCopy}},
		{"test partner", officerSecret, true, []paper.Overlay{paper.OverlayTest}},
		{"broker of a test partner", brokerSecret, true, []paper.Overlay{paper.OverlayCopy, paper.OverlayTest}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			test = tt.test
			got := f.request(tt.secret, "GET", "/api/v1/certificates/a-1/pdf", "")
			if got.status != http.StatusOK || got.header.Get("Content-Type") != paper.MediaType || !strings.Contains(got.header.Get("Content-Disposition"), "certificate-1.pdf") {
				t.Fatalf("status %d, header %v, body %.200s", got.status, got.header, got.body)
			}
			said := text(t, got.body)
			for _, o := range []paper.Overlay{paper.OverlayCopy, paper.OverlayTest, paper.OverlayInConflict, paper.OverlayCancelled} {
				wanted := false
				for _, w := range tt.want {
					wanted = wanted || w == o
				}
				if strings.Contains(said, string(o)) != wanted {
					t.Errorf("%s is there: %v, want %v", o, !wanted, wanted)
				}
			}
			if !strings.Contains(said, "SHA-256 OF THE SIGNED DOCUMENT "+digest([]byte("<document of=\"in@kr\"/>"))) {
				t.Errorf("the digest of the signed document is not there:\n%s", said)
			}
			again := f.request(tt.secret, "GET", "/api/v1/certificates/a-1/pdf", "", "If-None-Match", got.header.Get("ETag"))
			if again.status != http.StatusNotModified {
				t.Errorf("the same again: status %d, want 304", again.status)
			}
		})
	}
}

func TestRenditionsInConflictSaySoAndAreNotForBrokers(t *testing.T) {
	f := serve(t, nil)
	f.imported("A1", "first@kr", "one thing")
	f.imported("A1", "second@kr", "another")
	if p := f.request(officerSecret, "GET", "/api/v1/certificates/A1/pdf", "").problem(t); p.Code != api.CodeAmbiguous {
		t.Errorf("code %s, want %s", p.Code, api.CodeAmbiguous)
	}
	got := f.request(officerSecret, "GET", "/api/v1/certificates/A1/pdf?seq=2", "")
	if got.status != http.StatusOK || !strings.Contains(text(t, got.body), string(paper.OverlayInConflict)) {
		t.Errorf("status %d, and the conflict is not on paper", got.status)
	}
	for query, want := range map[string]api.Code{
		"?seq=2": api.CodeInConflict, "?seq=9": api.CodeNotFound, "?seq=0": api.CodeParameter, "?seq=x": api.CodeParameter, "?direction=x": api.CodeParameter,
	} {
		if p := f.request(brokerSecret, "GET", "/api/v1/certificates/A1/pdf"+query, "").problem(t); p.Code != want {
			t.Errorf("%s: code %s, want %s", query, p.Code, want)
		}
	}
}

// A reference may hold slashes, and may even end like the path of a rendition.
func TestRenditionsOfReferencesWithSlashes(t *testing.T) {
	f := serve(t, nil)
	f.imported("25/02/01234", "slashes@kr", "said")
	f.imported("A/pdf", "pdf@kr", "said")
	for path, want := range map[string]string{
		"25/02/01234/pdf": "25/02/01234", "25%2F02%2F01234/pdf": "25/02/01234", "A%2Fpdf/pdf": "A/pdf", "A/pdf/pdf": "A/pdf",
	} {
		got := f.request(officerSecret, "GET", "/api/v1/certificates/"+path, "")
		if got.status != http.StatusOK || !strings.Contains(text(t, got.body), "REFERENCE NO. "+want) {
			t.Errorf("%s: status %d, body %.100s", path, got.status, got.body)
		}
	}
	if got := f.request(officerSecret, "GET", "/api/v1/certificates/A%2Fpdf", ""); got.status != http.StatusOK || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("look-up of A/pdf: status %d, %s", got.status, got.header.Get("Content-Type"))
	}
}

func TestClientPrintsAndTellsFindings(t *testing.T) {
	f := serve(t, nil)
	c := certificate(t, "A1")
	item := c.Items[0]
	c.Items = nil
	for i := range 30 {
		item.Number, item.Description = i+1, "茶 \U0001F600"
		c.Items = append(c.Items, item)
	}
	f.received(c, "in@kr")
	f.imported("B1", "plain@kr", "said")
	var pdf bytes.Buffer
	findings, err := f.client(officerSecret).PDF(t.Context(), api.LookupQuery{Reference: "a1", Country: "la", Form: "ATIGA-D"}, 1, &pdf)
	if err != nil || !bytes.HasPrefix(pdf.Bytes(), []byte("%PDF-")) {
		t.Fatalf("error %v, %.20s", err, pdf.Bytes())
	}
	if len(findings) != 21 || findings[0].Path != "items[0].description" || !strings.Contains(findings[0].Text, "[U+8336] [U+1F600]") ||
		findings[20].Text != "10 more fields have such characters" {
		t.Errorf("findings %+v", findings)
	}
	if findings, err := f.client(officerSecret).PDF(t.Context(), api.LookupQuery{Reference: "B1"}, 0, &pdf); err != nil || len(findings) > 0 {
		t.Errorf("findings %v, error %v", findings, err)
	}
	if _, err := f.client(officerSecret).PDF(t.Context(), api.LookupQuery{Reference: "C1"}, 0, &pdf); !errors.Is(err, exchange.ErrNotFound) {
		t.Errorf("error %v, want not found", err)
	}
}

func TestCertificatesTooLongForPaperAreRefused(t *testing.T) {
	f := serve(t, nil)
	c := certificate(t, "A1")
	item := c.Items[0]
	item.Description = strings.Repeat("A\n", 2000)
	c.Items = nil
	for range 60 {
		c.Items = append(c.Items, item)
	}
	f.received(c, "in@kr")
	if p := f.request(officerSecret, "GET", "/api/v1/certificates/A1/pdf", "").problem(t); p.Code != api.CodeTooLong || p.Status != http.StatusUnprocessableEntity {
		t.Errorf("problem %+v, want %s", p, api.CodeTooLong)
	}
}

// standing is a store whose certificates stand in a state.
type standing struct {
	api.Reader
	state exchange.CertificateState
}

func (s standing) Certificates(ctx context.Context, q exchange.CertificateQuery) ([]exchange.Certificate, error) {
	found, err := s.Reader.Certificates(ctx, q)
	for i := range found {
		found[i].State = s.state
	}
	return found, err
}

func TestRenditionsBearTheirState(t *testing.T) {
	for state, want := range map[exchange.CertificateState]paper.Overlay{
		exchange.CertificateCancelled: paper.OverlayCancelled, exchange.CertificateReplaced: paper.OverlayReplaced,
		exchange.CertificateRefused: paper.OverlayRefused, exchange.CertificateInConflict: paper.OverlayInConflict,
	} {
		f := serve(t, func(o *api.Options) { o.Store = standing{o.Store, state} })
		f.imported("A1", "in@kr", "said")
		got := f.request(officerSecret, "GET", "/api/v1/certificates/A1/pdf", "")
		if !strings.Contains(text(t, got.body), string(want)+"\n") {
			t.Errorf("%s: status %d, no %s on paper", state, got.status, want)
		}
	}
}
