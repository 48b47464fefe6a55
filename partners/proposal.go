package partners

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// ByNode as Edit.By is the program itself, which asks no second operator. No API key has this name.
const ByNode = "node"

// ProposalState is where a proposal stands.
type ProposalState string

// The states of a proposal; all but the first are final.
const (
	ProposalOpen      ProposalState = "open"
	ProposalConfirmed ProposalState = "confirmed"
	ProposalRejected  ProposalState = "rejected"
)

// Proposal is a change of an entry that one operator asked for and another has to confirm (Config.SecondOperator).
type Proposal struct {
	// Number counts from 1.
	Number uint64        `json:"number"`
	State  ProposalState `json:"state"`
	// Entry is the version that it would make; At, By and Why are those of the proposal until it is confirmed.
	Entry Entry `json:"entry"`
	// DecidedAt, DecidedBy and DecidedWhy tell of its end; unset while it is open.
	DecidedAt  time.Time `json:"decided_at,omitzero"`
	DecidedBy  string    `json:"decided_by,omitempty"`
	DecidedWhy string    `json:"decided_why,omitempty"`
}

// Event names the end of the proposal, or its beginning, in the audit log.
func (p Proposal) Event() string {
	if p.State == ProposalOpen {
		return "proposal.made"
	}
	return "proposal." + string(p.State)
}

// Subject is what the audit log calls the proposal.
func (p Proposal) Subject() string { return strconv.FormatUint(p.Number, 10) }

// Detail is what the audit log says of the proposal.
func (p Proposal) Detail() string {
	why := p.Entry.Why
	if p.State != ProposalOpen {
		why = p.DecidedWhy
	}
	detail := fmt.Sprintf("%s %s, version %d by %s", p.Entry.Kind, p.Entry.ID, p.Entry.Version, p.Entry.By)
	if why != "" {
		detail += ": " + why
	}
	return detail
}

// Proposed is the error of a change that was not made but waits for another operator; it is durable.
type Proposed struct {
	Proposal Proposal
	// Before is the version that the change was made for.
	Before Entry
}

// Error tells what is to be done.
func (p *Proposed) Error() string {
	return fmt.Sprintf("the change of %s %q waits as proposal %d for another operator", p.Proposal.Entry.Kind, p.Proposal.Entry.ID, p.Proposal.Number)
}

// maxOpen is how many proposals of one who proposes, who may be a partner that announces, may wait for one entry.
const maxOpen = 20

// Errors of proposals.
var (
	// ErrManyProposals: too many proposals of the same origin for the entry wait already.
	ErrManyProposals = errors.New("too many proposals wait")
	// ErrUnknownProposal: there is no proposal with this number.
	ErrUnknownProposal = errors.New("no such proposal")
	// ErrDecided: the proposal was confirmed or rejected before.
	ErrDecided = errors.New("proposal is decided already")
	// ErrSameOperator: who made a proposal cannot confirm or reject it.
	ErrSameOperator = errors.New("another operator has to decide about this proposal")
)

// Proposals lists all proposals, the newest first.
func (d *Directory) Proposals(ctx context.Context) ([]Proposal, error) {
	list, err := d.Store.Proposals(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading proposals: %w", err)
	}
	slices.Reverse(list)
	return list, nil
}

// Confirm makes the change that a proposal asks for, as EditPartner does, if by is not who proposed it and the entry is still the one that
// it was made for. Errors: ErrUnknownProposal, ErrDecided, ErrSameOperator, and those of EditPartner.
func (d *Directory) Confirm(ctx context.Context, number uint64, by, why string) (Entry, error) {
	d.changing.Lock()
	defer d.changing.Unlock()
	p, err := d.open(ctx, number, by, why)
	if err != nil {
		return Entry{}, err
	}
	current, _, err := d.state.current(p.Entry.Kind, p.Entry.ID)
	if err != nil {
		return Entry{}, err
	}
	if current.Version == 0 && current.FileSHA256 != p.Entry.FileSHA256 {
		return Entry{}, fmt.Errorf("%w: %s %q was changed in the configuration file after proposal %d was made; reject it and propose again", ErrStale, p.Entry.Kind, p.Entry.ID, number)
	}
	if p.Entry.Version != current.Version+1 {
		return Entry{}, fmt.Errorf("%w: %s %q is at version %d, proposal %d is for version %d", ErrStale, p.Entry.Kind, p.Entry.ID, current.Version, number, p.Entry.Version)
	}
	p.State, p.Entry.At, p.Entry.ConfirmedBy = ProposalConfirmed, p.DecidedAt, by
	return p.Entry, d.bring(ctx, p.Entry, false, func(ctx context.Context) error { return d.Store.Decide(ctx, p) })
}

// Reject ends a proposal without a change. Errors: ErrUnknownProposal, ErrDecided, ErrSameOperator, and those of the store.
func (d *Directory) Reject(ctx context.Context, number uint64, by, why string) (Proposal, error) {
	d.changing.Lock()
	defer d.changing.Unlock()
	p, err := d.open(ctx, number, by, why)
	if err != nil {
		return Proposal{}, err
	}
	p.State = ProposalRejected
	return p, d.Store.Decide(ctx, p)
}

// open finds a proposal that by may decide about, and fills in the decision.
func (d *Directory) open(ctx context.Context, number uint64, by, why string) (Proposal, error) {
	list, err := d.Store.Proposals(ctx)
	if err != nil {
		return Proposal{}, fmt.Errorf("reading proposals: %w", err)
	}
	i := slices.IndexFunc(list, func(p Proposal) bool { return p.Number == number })
	switch {
	case i < 0:
		return Proposal{}, fmt.Errorf("%w: %d", ErrUnknownProposal, number)
	case list[i].State != ProposalOpen:
		return Proposal{}, fmt.Errorf("%w: %d was %s by %s", ErrDecided, number, list[i].State, list[i].DecidedBy)
	case list[i].Entry.By == by:
		return Proposal{}, fmt.Errorf("%w: %d was made by %s", ErrSameOperator, number, by)
	}
	p := list[i]
	p.DecidedAt, p.DecidedBy, p.DecidedWhy = d.Now().UTC(), by, why
	return p, nil
}

// propose keeps a change that was found to be possible until another operator decides about it. One that the same operator has asked for
// already, and that is open still, is not kept again: announcements come more than once.
func (d *Directory) propose(ctx context.Context, before, next Entry) error {
	list, err := d.Store.Proposals(ctx)
	if err != nil {
		return fmt.Errorf("reading proposals: %w", err)
	}
	same := func(p Proposal) bool {
		e := p.Entry
		return p.State == ProposalOpen && e.key() == next.key() && e.Version == next.Version && e.By == next.By && e.Removed == next.Removed &&
			e.Text == next.Text && e.FileSHA256 == next.FileSHA256
	}
	if i := slices.IndexFunc(list, same); i >= 0 {
		return &Proposed{Proposal: list[i], Before: before}
	}
	open := 0
	for _, p := range list {
		if p.State == ProposalOpen && p.Entry.key() == next.key() && p.Entry.By == next.By {
			open++
		}
	}
	if open >= maxOpen {
		return fmt.Errorf("%w: %d of %s are open for %s %q; confirm or reject some of them", ErrManyProposals, open, next.By, next.Kind, next.ID)
	}
	p, err := d.Store.Propose(ctx, next)
	if err != nil {
		return fmt.Errorf("writing a proposal: %w", err)
	}
	return &Proposed{Proposal: p, Before: before}
}
