package exchange

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ecogate/ecogate/partners"
)

// PartnerStatus says how deliveries to a partner stand.
type PartnerStatus struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Mode is what certificates that are exchanged with it are worth now.
	Mode partners.Mode `json:"mode"`
	// Pause is nil while the partner is not paused.
	Pause *Pause `json:"pause,omitempty"`
	// Failures counts the attempts in a row that got no usable answer; Suspended is until when nothing but a probe is sent
	// because of them, zero if nothing is held back.
	Failures  int       `json:"failures,omitempty"`
	Suspended time.Time `json:"suspended_until,omitzero"`
}

// Partners tells how deliveries to each partner stand, in the order of the configuration.
func (n *Node) Partners(ctx context.Context) ([]PartnerStatus, error) {
	pauses, err := n.keeper.Pauses(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading pauses: %w", err)
	}
	list := []PartnerStatus{}
	for _, p := range n.registry.Partners() {
		status := PartnerStatus{ID: p.ID, Name: p.Name, Mode: p.Mode}
		status.Suspended, status.Failures = n.breaker.suspended(p.ID)
		if i := slices.IndexFunc(pauses, func(q Pause) bool { return q.Partner == p.ID }); i >= 0 {
			status.Pause = &pauses[i]
		}
		list = append(list, status)
	}
	return list, nil
}

// Pause holds back everything that goes to a partner, acknowledgments too, until Resume; it outlives a restart. What is under
// way is finished. The time to live of messages goes on. The error wraps partners.ErrUnknownPartner if there is none of this
// id.
func (n *Node) Pause(ctx context.Context, actor, partner, why string) error {
	return n.setPause(ctx, Pause{Partner: partner, Since: n.now().UTC(), By: actor, Why: why}, AuditEntry{Actor: actor, Event: "partner.paused", Detail: why})
}

// Resume ends a pause; without one it changes nothing but the audit log. Errors are those of Pause.
func (n *Node) Resume(ctx context.Context, actor, partner string) error {
	return n.setPause(ctx, Pause{Partner: partner}, AuditEntry{Actor: actor, Event: "partner.resumed"})
}

func (n *Node) setPause(ctx context.Context, p Pause, entry AuditEntry) error {
	if _, ok := n.registry.Partner(p.Partner); !ok {
		return fmt.Errorf("%w: %q", partners.ErrUnknownPartner, p.Partner)
	}
	entry.At, entry.Subject = n.now().UTC(), p.Partner
	if err := n.keeper.SetPause(ctx, p, []AuditEntry{entry}); err != nil {
		return fmt.Errorf("recording pause of %s: %w", p.Partner, err)
	}
	n.log.Info(entry.Event, "partner", p.Partner, "actor", entry.Actor, "why", p.Why)
	n.announce()
	return nil
}

// noKeeper is a Keeper of nothing.
type noKeeper struct{}

func (noKeeper) Expel(_ context.Context, list []Expulsion) ([]bool, error) {
	return make([]bool, len(list)), nil
}
func (noKeeper) Pauses(context.Context) ([]Pause, error) { return nil, nil }
func (noKeeper) SetPause(context.Context, Pause, []AuditEntry) error {
	return fmt.Errorf("pausing needs Options.Keeper")
}
