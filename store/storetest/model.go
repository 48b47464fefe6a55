package storetest

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/exchange"
)

// model is the contract once more as a plain in-memory store: slices and loops instead of indexes and transactions.
type model struct {
	messages     []exchange.Message
	certificates []exchange.Certificate
	raw          map[uint64]exchange.Content // by message number
}

func (m *model) outbound(id string) *exchange.Message {
	for i := range m.messages {
		if r := &m.messages[i]; r.Direction == exchange.Outbound && r.MessageID == id {
			return r
		}
	}
	return nil
}

func (m *model) accepted(partner, id string) *exchange.Message {
	for i := range m.messages {
		r := &m.messages[i]
		if r.Direction == exchange.Inbound && r.State == exchange.StateAccepted && r.Partner == partner && r.MessageID == id {
			return r
		}
	}
	return nil
}

// under gives the certificates with a key.
func (m *model) under(d exchange.Direction, k exchange.CertificateKey) []*exchange.Certificate {
	var found []*exchange.Certificate
	for i := range m.certificates {
		if c := &m.certificates[i]; c.Direction == d && c.Key == k {
			found = append(found, c)
		}
	}
	return found
}

func (m *model) add(r exchange.Message, raw exchange.Content, c *exchange.Certificate) *exchange.Message {
	r.Seq = uint64(len(m.messages) + 1)
	m.messages = append(m.messages, r)
	m.raw[r.Seq] = raw
	if c != nil {
		record := *c
		record.Seq = uint64(len(m.certificates) + 1)
		m.certificates = append(m.certificates, record)
	}
	return &m.messages[r.Seq-1]
}

// enqueue returns what Enqueue says of d: the message's number, whether it is fresh, whether it is in conflict.
func (m *model) enqueue(d exchange.Departure) (uint64, bool, bool) {
	var failed *exchange.Certificate
	if d.Certificate != nil {
		for _, held := range m.under(exchange.Outbound, d.Certificate.Key) {
			switch {
			case held.Content != d.Certificate.Content:
				return 0, false, true
			case held.Partner == d.Message.Partner && held.State == exchange.CertificateFailed:
				failed = held
			case held.Partner == d.Message.Partner:
				return m.outbound(held.Message).Seq, false, false
			}
		}
	}
	if there := m.outbound(d.Message.MessageID); there != nil {
		if there.Content != d.Message.Content || there.Partner != d.Message.Partner {
			return 0, false, true
		}
		return there.Seq, false, false
	}
	if failed != nil {
		again := *d.Certificate
		again.Seq = failed.Seq
		*failed = again
		return m.add(d.Message, d.Raw, nil).Seq, true, false
	}
	return m.add(d.Message, d.Raw, d.Certificate).Seq, true, false
}

// accept returns what Accept says of a; the message's number, fresh, conflict, settled.
func (m *model) accept(a exchange.Arrival) (uint64, bool, bool, bool) {
	if first := m.accepted(a.Message.Partner, a.Message.MessageID); first != nil && a.Message.State == exchange.StateAccepted {
		if first.Content != a.Message.Content {
			a.Message.State = exchange.StateQuarantined
			return m.add(a.Message, a.Raw, nil).Seq, true, true, false
		}
		first.Copies++
		m.rearm(first.Reply, a.Message.Created)
		return first.Seq, false, false, false
	}
	seq := m.add(a.Message, a.Raw, nil).Seq
	if a.Reply != nil {
		reply := a.Reply.Message
		if a.Held {
			reply.State, reply.Due, reply.Settled = exchange.StateDelivered, time.Time{}, a.Message.Created
		}
		number := m.add(reply, a.Reply.Raw, nil).Seq
		m.messages[seq-1].Reply = number
	}
	if a.Certificate != nil {
		m.hold(*a.Certificate)
	}
	return seq, true, false, m.settleBySignal(a.Settles, a.Message.MessageID)
}

func (m *model) rearm(seq uint64, due time.Time) {
	if seq == 0 {
		return
	}
	r := &m.messages[seq-1]
	if r.State == exchange.StateSending || r.State == exchange.StateDelivered && r.Attempts == 0 {
		return
	}
	r.State, r.Due, r.Reason, r.Settled, r.SettledBy = exchange.StateQueued, due, nil, time.Time{}, ""
}

func (m *model) hold(c exchange.Certificate) {
	held := m.under(exchange.Inbound, c.Key)
	for _, h := range held {
		if h.Content == c.Content {
			return
		}
	}
	for _, h := range held {
		h.State = exchange.CertificateInConflict
		c.State = exchange.CertificateInConflict
	}
	c.Seq = uint64(len(m.certificates) + 1)
	m.certificates = append(m.certificates, c)
}

func (m *model) settleBySignal(s *exchange.Settlement, signal string) bool {
	if s == nil {
		return false
	}
	r := m.outbound(s.MessageID)
	if r == nil || r.Partner != s.Partner {
		return false
	}
	late := s.State == exchange.StateDelivered && (r.State == exchange.StateFailed || r.State == exchange.StateExpired)
	refused := s.State == exchange.StateFailed && r.State == exchange.StateDelivered && !r.AckRequired && r.SettledBy == "" && r.Attempts > 0
	if r.State.Terminal() && !late && !refused {
		return false
	}
	r.State, r.Reason, r.Due, r.Settled, r.SettledBy = s.State, s.Reason, time.Time{}, s.At, signal
	m.follow(r)
	return true
}

func (m *model) follow(r *exchange.Message) {
	for i := range m.certificates {
		c := &m.certificates[i]
		switch {
		case c.Direction != exchange.Outbound || c.Message != r.MessageID || !r.State.Terminal():
		case r.State != exchange.StateDelivered:
			c.State = exchange.CertificateFailed
		case r.AckRequired:
			c.State = exchange.CertificateReceipted
		default:
			c.State = exchange.CertificateSent
		}
	}
}

func (m *model) claim(c exchange.Claim) []uint64 {
	leased := make(map[string]int)
	var due []*exchange.Message
	for i := range m.messages {
		r := &m.messages[i]
		switch {
		case r.Direction != exchange.Outbound || r.State.Terminal():
		case !r.Due.After(c.Now):
			due = append(due, r)
		case r.State == exchange.StateSending:
			leased[r.Partner]++
		}
	}
	var claimed []uint64
	for len(claimed) < c.Max {
		due = slices.DeleteFunc(due, func(r *exchange.Message) bool { return c.PerPartner > 0 && leased[r.Partner] >= c.PerPartner })
		if len(due) == 0 {
			break
		}
		slices.SortFunc(due, func(a, b *exchange.Message) int {
			return cmp.Or(cmp.Compare(leased[a.Partner], leased[b.Partner]), a.Due.Compare(b.Due), cmp.Compare(a.Seq, b.Seq))
		})
		r := due[0]
		due = due[1:]
		leased[r.Partner]++
		r.State, r.Owner, r.Due = exchange.StateSending, c.Owner, c.Now.Add(c.Lease)
		r.Attempts++
		r.Fence++
		claimed = append(claimed, r.Seq)
	}
	return claimed
}

func (m *model) settle(o exchange.Outcome) bool {
	if o.Seq == 0 || o.Seq > uint64(len(m.messages)) {
		return false
	}
	r := &m.messages[o.Seq-1]
	if r.Owner == "" || r.Fence != o.Fence || r.State != exchange.StateSending && !r.State.Terminal() {
		return false
	}
	if r.State.Terminal() {
		r.Owner, r.Log = "", append(r.Log, o.Attempt)
		return false
	}
	r.State, r.Owner, r.Due, r.Reason, r.Log = o.State, "", o.Due, o.Reason, append(r.Log, o.Attempt)
	if o.State.Terminal() {
		r.Settled = o.Attempt.Ended
	}
	m.follow(r)
	return true
}

// reopened follows a store that voids leases when it is opened: such messages are queued under a new fence.
func (m *model) reopened(s *suite) {
	for i := range m.messages {
		r := &m.messages[i]
		if r.State != exchange.StateSending {
			continue
		}
		stored := s.message(exchange.MessageQuery{Seq: r.Seq})
		if stored.State == exchange.StateQueued && stored.Fence > r.Fence {
			r.State, r.Owner, r.Fence, r.Due = stored.State, "", stored.Fence, stored.Due
		}
	}
}

// runModel compares random sequences of calls on the store with the same on the model.
func runModel(t *testing.T, open Opener) {
	parent := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(parent, "")
		if err != nil {
			rt.Fatal(err)
		}
		r := &run{T: rt, s: &suite{T: t, open: open, dir: dir}, model: &model{raw: make(map[uint64]exchange.Content)}, now: start}
		r.s.reopen()
		defer r.s.close()
		rt.Repeat(map[string]func(*rapid.T){
			"enqueue": r.enqueue, "accept": r.accept, "claim": r.claim, "settle": r.settle, "reopen": r.reopen, "": r.compare,
		})
	})
}

// run is one random sequence. Ids and contents come from small sets, so that they meet.
type run struct {
	*rapid.T
	s     *suite
	model *model
	now   time.Time
	calls int
}

func (r *run) pick(rt *rapid.T, what string, n int) int { return rapid.IntRange(0, n-1).Draw(rt, what) }

func (r *run) partner(rt *rapid.T) string {
	return []string{"TH", "VN", "LA"}[r.pick(rt, "partner", 3)]
}

func (r *run) enqueue(rt *rapid.T) {
	id := fmt.Sprintf("m%d", r.pick(rt, "id", 12))
	partner := r.partner(rt)
	d := signal(id, partner)
	if r.pick(rt, "certificate", 2) == 0 {
		d = exportTo(partner, id, fmt.Sprintf("K%d", r.pick(rt, "reference", 5)), fmt.Sprint(r.pick(rt, "content", 4)/3))
		d.Message.AckRequired = r.pick(rt, "acknowledgment", 2) == 0
	}
	d.Message.Due = r.now.Add(time.Duration(r.pick(rt, "delay", 3)) * time.Minute)
	got := r.s.enqueue(d)[0]
	seq, fresh, conflict := r.model.enqueue(d)
	if got.Message.Seq != seq || got.Fresh != fresh || (got.Err != nil) != conflict {
		rt.Fatalf("Enqueue %s: message %d, fresh %v, %v; want %d, %v, conflict %v", id, got.Message.Seq, got.Fresh, got.Err, seq, fresh, conflict)
	}
}

func (r *run) accept(rt *rapid.T) {
	partner, content := r.partner(rt), fmt.Sprint(r.pick(rt, "content", 4)/3)
	id := fmt.Sprintf("in%d", r.pick(rt, "id", 6))
	a := inbound(id, partner, content)
	switch r.pick(rt, "kind", 4) {
	case 0:
		a = imports(id, partner, fmt.Sprintf("T%d", r.pick(rt, "reference", 3)), content)
	case 1:
		a = settling(id, partner, fmt.Sprintf("m%d", r.pick(rt, "about", 12)), []exchange.State{exchange.StateDelivered, exchange.StateFailed}[r.pick(rt, "to", 2)])
	case 2:
		a.Message.State = exchange.StateQuarantined
	}
	if r.pick(rt, "answered", 2) == 0 {
		r.calls++
		a = answered(a, fmt.Sprintf("reply%d", r.calls), r.pick(rt, "held", 2) == 0)
		a.Reply.Message.Due = r.now
	}
	a.Message.Created = r.now
	got := r.s.accept(a)[0]
	seq, fresh, conflict, settled := r.model.accept(a)
	if got.Message.Seq != seq || got.Fresh != fresh || got.Conflict != conflict || got.Settled != settled {
		rt.Fatalf("Accept %s of %s: message %d, fresh %v, conflict %v, settled %v; want %d, %v, %v, %v",
			id, partner, got.Message.Seq, got.Fresh, got.Conflict, got.Settled, seq, fresh, conflict, settled)
	}
}

func (r *run) claim(rt *rapid.T) {
	r.now = r.now.Add(time.Duration(r.pick(rt, "later", 90)) * time.Second)
	c := exchange.Claim{Owner: "w", Now: r.now, Lease: time.Minute, Max: r.pick(rt, "max", 5), PerPartner: r.pick(rt, "cap", 3)}
	jobs, err := r.s.Claim(r.s.Context(), c)
	if err != nil {
		rt.Fatal(err)
	}
	var got []uint64
	for _, j := range jobs {
		got = append(got, j.Message.Seq)
		if !equal(j.Raw, r.model.raw[j.Message.Seq]) {
			rt.Fatalf("message %d was claimed with other bytes", j.Message.Seq)
		}
	}
	if want := r.model.claim(c); !slices.Equal(got, want) {
		rt.Fatalf("Claim %+v: %v, want %v", c, got, want)
	}
}

func (r *run) settle(rt *rapid.T) {
	if len(r.model.messages) == 0 {
		rt.Skip("nothing to settle")
	}
	m := r.model.messages[r.pick(rt, "message", len(r.model.messages))]
	for _, sending := range r.model.messages {
		if sending.State == exchange.StateSending && r.pick(rt, "this one", 2) == 0 {
			m = sending
		}
	}
	m.Fence -= uint64(r.pick(rt, "stale", 4) / 3)
	states := []exchange.State{exchange.StateQueued, exchange.StateAwaiting, exchange.StateDelivered, exchange.StateFailed, exchange.StateExpired}
	o := outcome(m, states[r.pick(rt, "state", len(states))], r.now)
	got, err := r.s.Settle(r.s.Context(), []exchange.Outcome{o})
	if want := r.model.settle(o); err != nil || got[0] != want {
		rt.Fatalf("Settle %+v: %v, %v, want %v", o, got, err, want)
	}
}

func (r *run) reopen(rt *rapid.T) {
	if r.pick(rt, "reopen", 3) == 0 {
		r.s.reopen()
		r.model.reopened(r.s)
	}
}

// compare compares everything that is stored.
func (r *run) compare(rt *rapid.T) {
	messages, certificates := r.s.messages(exchange.MessageQuery{Limit: 1000}), r.s.certificates(exchange.CertificateQuery{Limit: 1000})
	slices.Reverse(messages)
	slices.Reverse(certificates)
	if len(messages) != len(r.model.messages) || len(certificates) != len(r.model.certificates) {
		rt.Fatalf("%d messages and %d certificates, want %d and %d", len(messages), len(certificates), len(r.model.messages), len(r.model.certificates))
	}
	for i, m := range messages {
		want := r.model.messages[i]
		want.Raw = m.Raw
		if m.State == exchange.StateQuarantined && m.Reason != nil && m.Reason.Code == exchange.ReasonInconsistent {
			want.Reason = m.Reason
		}
		if fmt.Sprintf("%+v", deref(m)) != fmt.Sprintf("%+v", deref(want)) {
			rt.Fatalf("message %d:\n%+v, want\n%+v", m.Seq, deref(m), deref(want))
		}
	}
	for i, c := range certificates {
		if want := r.model.certificates[i]; c.Key != want.Key || c.State != want.State || c.Content != want.Content || c.Partner != want.Partner || c.Message != want.Message {
			rt.Fatalf("certificate %d to %s is %q, want %q to %s", c.Seq, c.Partner, c.State, want.State, want.Partner)
		}
	}
}

// deref makes a message printable for comparison.
func deref(m exchange.Message) [2]any {
	reason := exchange.Reason{}
	if m.Reason != nil {
		reason = *m.Reason
	}
	m.Reason = nil
	return [2]any{m, reason}
}
