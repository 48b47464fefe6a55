package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// remindEvery is how often a node looks for credentials that end.
const remindEvery = time.Hour

// remind tells of credentials that end until ctx ends, in the log: of those that have no successor, at the start of all whose reminders fell due in
// the last week, and then of each when it falls due.
func (n *runningNode) remind(ctx context.Context) {
	tick := time.NewTicker(remindEvery)
	defer tick.Stop()
	told := map[string]bool{}
	since := n.now().Add(-7 * 24 * time.Hour)
	for {
		now := n.now()
		n.tellReminders(ctx, since, now)
		n.tellStillUsed(ctx, told)
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

// eventEnding is the audit entry about a credential that ends, or has ended, with nothing to follow it.
const eventEnding = "credential.ending"

// tellReminders tells the log of the reminders that fell due in (since, now], and the audit log of each of them once, whatever restarts come.
func (n *runningNode) tellReminders(ctx context.Context, since, now time.Time) {
	for _, r := range n.Registry.Reminders(since, now) {
		text := "a credential ends soon and nothing is to follow it"
		if r.Left <= 0 {
			text = "a credential has ended and nothing follows it"
		}
		fingerprint, days := signing.Fingerprint(r.X509Cert), int(r.Left/(24*time.Hour))
		n.log.Warn(text, "partner", r.Partner, "use", r.Use, "issuing_body", r.Issuer, "until", instant(r.Until), "days_left", days,
			"subject", r.X509Cert.Subject.String(), "sha256", fingerprint)
		whose := r.Partner
		if whose == "" {
			whose = n.started.Node.ID
		}
		entry := exchange.AuditEntry{At: now.UTC(), Actor: partners.ByNode, Event: eventEnding, Subject: whose + " " + string(r.Use) + " " + fingerprint,
			Detail: fmt.Sprintf("%s: %s, %d days left", text, instant(r.Until), days)}
		before, err := n.Store.Recorded(ctx, entry.Event, entry.Subject, r.Due)
		if err == nil && !before {
			err = n.Store.Record(ctx, []exchange.AuditEntry{entry})
		}
		if err != nil {
			n.log.Error("credential that ends not told of", "partner", r.Partner, "sha256", fingerprint, "error", err)
		}
	}
}

// tellStillUsed tells the log and the audit log, once, of each credential that ends in three days and that its partner still signs with
// although another one counts. told are those that need not be looked for in the audit log.
func (n *runningNode) tellStillUsed(ctx context.Context, told map[string]bool) {
	list, err := n.Node.StillUsed(ctx)
	if err != nil {
		n.log.Error("credentials that partners still use not looked for", "error", err)
		return
	}
	for _, s := range list {
		entry := s.Audit(n.now())
		if told[entry.Subject] {
			continue
		}
		before, err := n.Store.Recorded(ctx, entry.Event, entry.Subject, s.TellFrom())
		if err == nil && !before {
			n.log.Warn("a partner still signs with a credential that ends soon although another one counts", "partner", s.Partner, "use", s.Use,
				"issuing_body", s.Issuer, "until", instant(s.Until), "days_left", int(s.Until.Sub(entry.At)/(24*time.Hour)), "last_message", s.Last.Seq,
				"subject", s.X509Cert.Subject.String(), "sha256", s.SHA256)
			err = n.Store.Record(ctx, []exchange.AuditEntry{entry})
		}
		if err != nil {
			n.log.Error("credential that a partner still uses not told of", "partner", s.Partner, "sha256", s.SHA256, "error", err)
			continue
		}
		told[entry.Subject] = true
	}
}
