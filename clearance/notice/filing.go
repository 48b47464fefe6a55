package notice

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/ecogate/ecogate/clearance"
)

// account is how things stand with one recipient.
type account struct {
	// Address is where the rest is about: another one begins anew.
	Address string  `json:"address"`
	Channel Channel `json:"channel"`
	// Queued counts the notices that wait. Dropped counts those that did not fit since Full.
	Queued  int       `json:"queued"`
	Dropped int       `json:"dropped,omitempty"`
	Full    time.Time `json:"full,omitzero"`
	// Refusals are those in a row. Failing is since when no attempt was of use, Problem how the last one failed.
	Refusals int       `json:"refusals,omitempty"`
	Failing  time.Time `json:"failing,omitzero"`
	Problem  string    `json:"problem,omitempty"`
	// Failed is since when nothing is sent there any more.
	Failed   time.Time `json:"failed,omitzero"`
	LastSent time.Time `json:"last_sent,omitzero"`
}

// filing gathers what one transaction writes. Whoever makes one holds Service.filing.
type filing struct {
	s        *Service
	accounts map[string]*held[account]
	notices  map[string]*held[Notice]
	order    []string // of notices
	batch    clearance.Batch
}

func (s *Service) newFiling() *filing {
	return &filing{s: s, accounts: map[string]*held[account]{}, notices: map[string]*held[Notice]{}}
}

// account is that of a recipient, which the transaction writes.
func (f *filing) account(ctx context.Context, recipient string, channel Channel, address string) (*account, error) {
	if a, ok := f.accounts[recipient]; ok {
		return &a.value, nil
	}
	h, _, err := one[account](ctx, f.s.Store, kindAccount, recipient)
	if err != nil {
		return nil, err
	}
	if h.value.Address != address {
		h.value = account{Address: address, Channel: channel, Queued: h.value.Queued}
	}
	f.accounts[recipient] = &h
	return &h.value, nil
}

// put has the transaction write a notice that was read, with what became of it.
func (f *filing) put(h held[Notice]) {
	if _, ok := f.notices[h.docket.ID]; !ok {
		f.order = append(f.order, h.docket.ID)
	}
	f.notices[h.docket.ID] = &h
}

// add files a notice for r, unless it is there already, repeats another one, or has no room. m's row names the event.
func (f *filing) add(ctx context.Context, h clearance.Happening, m matter, r Recipient) error {
	a, err := f.account(ctx, r.ID, r.channel(), r.to())
	if err != nil || !a.Failed.IsZero() {
		return err
	}
	now := f.s.Now().UTC()
	n := Notice{
		ID: strconv.FormatUint(h.Seq, 10) + "-" + r.ID, Entry: h.Seq, At: h.At, Event: m.row.Event, Recipient: r.ID, Channel: r.channel(), Address: r.to(),
		Language: r.Language, Digest: r.Digest != Single && r.channel() == Mail, Facts: m.facts, State: Queued, Next: r.due(now, f.s.DigestAt), Filed: now,
	}
	if n.Same, err = m.same(h.Event, r.ID); err != nil {
		return err
	}
	repeats, err := f.repeated(ctx, n)
	if err != nil || repeats {
		return err
	}
	if a.Queued >= f.s.MaxQueue {
		a.Dropped++
		if a.Full.IsZero() {
			a.Full = now
			f.batch.Audit = append(f.batch.Audit, f.s.entry(EntryQueueFull, r.ID, fmt.Sprintf("%d notices wait for %s; further ones are not filed", a.Queued, r.to())))
		}
		return nil
	}
	if a.Queued < f.s.MaxQueue/2 {
		a.Full = time.Time{}
	}
	a.Queued++
	f.put(held[Notice]{clearance.Docket{Kind: KindNotice, ID: n.ID}, n})
	return nil
}

// repeated reports whether a notice like n was filed within the window before it, or this very one, and counts it there.
func (f *filing) repeated(ctx context.Context, n Notice) (bool, error) {
	if _, ok := f.notices[n.ID]; ok {
		return true, nil
	}
	if _, found, err := one[Notice](ctx, f.s.Store, KindNotice, n.ID); err != nil || found {
		return found, err
	}
	within := func(other Notice) bool { return n.At.Sub(other.At).Abs() < f.s.Suppress }
	for _, term := range f.s.sameTerms(n, 0, 1) {
		for _, id := range f.order {
			if h := f.notices[id]; slices.Contains(f.s.terms(h.value), term) && within(h.value) {
				h.value.Repeats++
				return true, nil
			}
		}
		list, err := f.s.Store.Dockets(ctx, clearance.DocketQuery{Kind: KindNotice, Term: term})
		if err != nil {
			return false, err
		}
		for _, d := range list {
			h, err := read[Notice](d)
			if err != nil {
				return false, err
			}
			if within(h.value) {
				h.value.Repeats++
				f.put(h)
				return true, nil
			}
		}
	}
	return false, nil
}

// commit writes everything, or nothing.
func (f *filing) commit(ctx context.Context) error {
	for _, id := range f.order {
		h := f.notices[id]
		h.docket.Terms, h.docket.Due = f.s.terms(h.value), time.Time{}
		if h.value.State == Queued {
			h.docket.Due = h.value.Next
		}
		d, err := h.written()
		if err != nil {
			return err
		}
		f.batch.Dockets = append(f.batch.Dockets, d)
	}
	for _, a := range f.accounts {
		d, err := a.written()
		if err != nil {
			return err
		}
		f.batch.Dockets = append(f.batch.Dockets, d)
	}
	if len(f.batch.Dockets)+len(f.batch.Audit)+len(f.batch.Drop) == 0 {
		return nil
	}
	return f.s.Store.File(ctx, f.batch)
}

// The terms that notices are found by.
func termRecipient(id string) string { return "recipient:" + id }
func termState(s State) string       { return "state:" + string(s) }

// terms of a notice's docket. Those of a repeat are a day's or less, so that a look for them stays short.
func (s *Service) terms(n Notice) []string {
	return append([]string{termRecipient(n.Recipient), termState(n.State), termState(n.State) + " " + termRecipient(n.Recipient)}, s.sameTerms(n, 0)...)
}

// sameTerms are shared by notices that say the same to the same recipient in one window of suppression: that of n, or so many before it.
func (s *Service) sameTerms(n Notice, back ...int64) []string {
	if n.Same == "" {
		return nil
	}
	var out []string
	for _, b := range back {
		out = append(out, fmt.Sprintf("same:%s:%d", n.Same, n.At.UnixNano()/int64(s.Suppress)-b))
	}
	return out
}

// same is equal for what says the same to a recipient: the same entry of the log about the same subject, with the same reasons. To the owner of a
// declaration each decision is another one.
func (m matter) same(audit, recipient string) (string, error) {
	detail := ""
	if m.owner != "" {
		detail = m.facts.Detail
	}
	said, err := json.Marshal([]any{m.row.Event, audit, m.facts.Subject, recipient, m.facts.Reasons, detail})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(said)
	return hex.EncodeToString(sum[:16]), nil
}
