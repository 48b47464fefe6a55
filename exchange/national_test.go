package exchange_test

import (
	"bytes"
	"testing"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// Lao Instruction 0118: confirmations of product eligibility are not exchanged abroad. Our own record keeps them; nothing that
// is stored for the partner, the partner's node or its record has a trace of them.
func TestConfirmationOfEligibilityStaysAtHome(t *testing.T) {
	bubble(t, setup{}, func(w *world) {
		const number, body = "CPE-SECRET-4711", "DIMEX-SECRET"
		c := sample(t)
		for i := range c.Items {
			c.Items[i].CPE = &eco.CPE{Number: number, Issued: c.IssuedAt, Body: body}
		}
		sent := w.submit(c)
		if m := w.settled(sent.Message.MessageID); m.State != exchange.StateDelivered {
			t.Fatalf("%s: %+v", m.State, m.Reason)
		}
		ours := w.KR.certificate(w)
		if cpe := ours.Data.Items[0].CPE; cpe == nil || cpe.Number != number || cpe.Body != body {
			t.Errorf("our own record holds %+v", cpe)
		}
		theirs := w.TW.certificate(w)
		if theirs.Data.Items[0].CPE != nil {
			t.Errorf("the partner's record holds %+v", theirs.Data.Items[0].CPE)
		}
		m := w.KR.message(w, exchange.MessageQuery{MessageID: sent.Message.MessageID, Direction: exchange.Outbound})
		for what, octets := range map[string][]byte{
			"document": w.KR.raw(w, ours.Document), "message": w.KR.raw(w, m.Raw), "partner's document": w.TW.raw(w, theirs.Document),
		} {
			if len(octets) < 1000 || bytes.Contains(octets, []byte("CPE")) || bytes.Contains(octets, []byte("SECRET")) {
				t.Errorf("%s of %d octets holds it", what, len(octets))
			}
		}
		// The submitted certificate as a whole is what a repetition is compared with.
		if again := w.submit(c); again.Fresh || again.Message.MessageID != sent.Message.MessageID {
			t.Errorf("submitted again: %+v", again)
		}
	})
}
