package exchange_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
)

// closed is the sample with a row closed as on paper.
func closed(tb testing.TB) eco.Certificate {
	c := sample(tb)
	c.Items[0].Description += " ****------"
	return c
}

func told(findings []eco.Finding, path, text string) bool {
	return slices.ContainsFunc(findings, func(f eco.Finding) bool { return f.Path == path && strings.Contains(f.Text, text) })
}

func TestQuirksOfTheReceiverAreToldAtSubmission(t *testing.T) {
	quirks := func(q eco.Quirks) setup {
		return setup{kr: func(c *config.Config) { c.Partners[0].Quirks = q }}
	}
	lenient := newWorld(t, quirks(eco.Quirks{MaxItems: 1}))
	if s := lenient.submit(sample(t)); !told(s.Findings, "items", "takes at most 1 items") || eco.HasErrors(s.Findings) {
		t.Errorf("findings %+v", s.Findings)
	}
	strict := newWorld(t, quirks(eco.Quirks{MaxItems: 1, Strict: true}))
	_, err := strict.KR.Submit(t.Context(), "issuer", "TW", sample(t))
	var invalid *exchange.InvalidError
	if !errors.As(err, &invalid) || !told(invalid.Findings, "items", "takes at most 1 items") {
		t.Errorf("strict: %v", err)
	}
	if got := strict.KR.messages(strict, exchange.MessageQuery{}); len(got) != 0 {
		t.Errorf("%d messages were recorded", len(got))
	}
}

// What a partner refuses says nothing about what it may send.
func TestQuirksDoNotApplyToWhatIsReceived(t *testing.T) {
	w := newWorld(t, setup{tw: func(c *config.Config) { c.Partners[0].Quirks = eco.Quirks{MaxItems: 1, Strict: true} }})
	request, _ := w.composed(sample(t))
	w.TW.receive(w, request)
	if c := w.TW.certificate(w); c.State != exchange.CertificateAvailable || len(c.Findings) > 0 {
		t.Errorf("certificate is %s with %+v", c.State, c.Findings)
	}
}

func TestFillerOfPaperIsNotSent(t *testing.T) {
	w := newWorld(t, setup{})
	sent := w.submit(closed(t))
	if !told(sent.Findings, "items[0].description", "asterisks") {
		t.Errorf("findings %+v", sent.Findings)
	}
	if raw := w.KR.raw(w, sent.Message.Raw); bytes.Contains(raw, []byte("****")) {
		t.Error("the message holds asterisks")
	}
	if again := w.submit(sample(t)); again.Fresh {
		t.Error("the same certificate without filler was taken for another one")
	}
}

// The signed document stays as it came; the data that is used is without filler, and it is on record that there was some.
func TestFillerOfAReceivedDocumentIsTakenOutOfTheData(t *testing.T) {
	w := newWorld(t, setup{})
	w.TW.receive(w, w.certificateDraft(closed(t)).request(w))
	c := w.TW.certificate(w)
	if got, want := c.Data.Items[0].Description, sample(t).Items[0].Description; got != want {
		t.Errorf("description %q, want %q", got, want)
	}
	if !told(c.Findings, "items[0].description", "asterisks") {
		t.Errorf("findings %+v", c.Findings)
	}
	if document := w.TW.raw(w, c.Document); !bytes.Contains(document, []byte("****------")) {
		t.Error("the document was changed")
	}
}
