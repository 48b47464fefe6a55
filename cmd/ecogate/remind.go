package main

import (
	"context"
	"time"

	"github.com/ecogate/ecogate/signing"
)

// remindEvery is how often a node looks for credentials that end.
const remindEvery = time.Hour

// remind tells in the log of credentials that end and have no successor, until ctx ends: at the start of all whose reminders fell due in
// the last week, and then of each when it falls due.
func (n *runningNode) remind(ctx context.Context) {
	tick := time.NewTicker(remindEvery)
	defer tick.Stop()
	since := n.now().Add(-7 * 24 * time.Hour)
	for {
		now := n.now()
		n.logReminders(since, now)
		if now.After(since) { // a clock that was set back does not have everything told again
			since = now
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (n *runningNode) logReminders(since, now time.Time) {
	for _, r := range n.Registry.Reminders(since, now) {
		text := "a credential ends soon and nothing is to follow it"
		if r.Left <= 0 {
			text = "a credential has ended and nothing follows it"
		}
		n.log.Warn(text, "partner", r.Partner, "use", r.Use, "issuing_body", r.Issuer, "until", instant(r.Until), "days_left", int(r.Left/(24*time.Hour)),
			"subject", r.X509Cert.Subject.String(), "sha256", signing.Fingerprint(r.X509Cert))
	}
}
