package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/paper"
	"github.com/ecogate/ecogate/partners"
)

// receivedIn puts a certificate into the store as received in a mode of the partner.
func (f *fixture) receivedIn(reference, messageID string, mode partners.Mode) {
	f.t.Helper()
	c := record(certificate(f.t, reference), messageID, messageID)
	c.Direction, c.State, c.Mode, c.Key.Test = exchange.Inbound, exchange.CertificateAvailable, mode, mode == partners.ModeTest
	f.accept(exchange.Arrival{
		Message: exchange.Message{
			Direction: exchange.Inbound, Kind: exchange.KindCertificate, State: exchange.StateAccepted, MessageID: messageID,
			Partner: "KR", Created: now, Certificate: c.Key, Content: messageID, ContentType: "text/xml",
		},
		Raw: ebms.Bytes([]byte("raw of " + messageID)), Certificate: c, Document: []byte("<document/>"),
	})
}

func TestWhatAModeIsWorth(t *testing.T) {
	tests := []struct {
		recorded, told partners.Mode
		usable, paper  bool
		overlay        paper.Overlay
	}{
		{"", partners.ModeLive, true, false, ""},
		{partners.ModeLive, partners.ModeLive, true, false, ""},
		{partners.ModeParallel, partners.ModeParallel, true, true, paper.OverlayParallel},
		{partners.ModeTest, partners.ModeTest, false, false, paper.OverlayTest},
	}
	for _, test := range tests {
		t.Run(string(test.recorded), func(t *testing.T) {
			f := serve(t, nil) // in which the partner is live by now
			f.receivedIn("A1", "in@kr", test.recorded)
			l, err := f.client(brokerSecret).Lookup(t.Context(), api.LookupQuery{Reference: "A1"})
			if err != nil || len(l.Matches) != 1 {
				t.Fatalf("%+v, %v", l, err)
			}
			if m := l.Matches[0]; m.Mode != test.told || m.Usable != test.usable || m.PaperDecides != test.paper {
				t.Errorf("mode %s, usable %t, paper decides %t", m.Mode, m.Usable, m.PaperDecides)
			}
			said := text(t, f.request(officerSecret, "GET", "/api/v1/certificates/A1/pdf", "").body)
			for _, o := range []paper.Overlay{paper.OverlayTest, paper.OverlayParallel} {
				if strings.Contains(said, string(o)) != (o == test.overlay) {
					t.Errorf("overlay %s: want %q alone", o, test.overlay)
				}
			}
		})
	}
}

func TestCertificateThatCountsIsNotDisturbedByATest(t *testing.T) {
	f := serve(t, nil)
	f.receivedIn("A1", "tried@kr", partners.ModeTest)
	f.receivedIn("A1", "real@kr", partners.ModeLive)
	l, err := f.client(brokerSecret).Lookup(t.Context(), api.LookupQuery{Reference: "A1"})
	if err != nil || len(l.Matches) != 2 || !l.Matches[0].Usable || l.Matches[1].Usable || l.Matches[1].State != exchange.CertificateAvailable {
		t.Errorf("%+v, %v", l.Matches, err)
	}
	got := f.request(brokerSecret, "GET", "/api/v1/certificates/A1/pdf", "")
	if got.status != http.StatusOK || strings.Contains(text(t, got.body), string(paper.OverlayTest)) {
		t.Errorf("status %d", got.status)
	}
}
