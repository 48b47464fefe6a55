package storetest

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
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
	brought      map[uint64]uint64           // the number of the certificate that an inbound message brought or confirmed, by its own
	places       map[string]*places          // inbound, by partner and conversation
	conversation map[string]*sent            // outbound, by partner and conversation
	lines        map[string]string           // the conversation of each line, by partner and name
	pauses       map[string]exchange.Pause
}

// places are the numbers of the messages with each sequence number of a conversation since its last reset.
type places struct {
	taken map[uint32]uint64
	next  uint32
}

// sent is an outbound conversation.
type sent struct {
	next   uint32
	closed bool
}

func newModel() *model {
	return &model{
		raw: make(map[uint64]exchange.Content), brought: make(map[uint64]uint64), places: make(map[string]*places), conversation: make(map[string]*sent),
		lines: make(map[string]string), pauses: make(map[string]exchange.Pause),
	}
}

func (m *model) outbound(id string) *exchange.Message {
	for i := range m.messages {
		if r := &m.messages[i]; r.Direction == exchange.Outbound && r.MessageID == id {
			return r
		}
	}
	return nil
}

// accepted finds the message with an id that was accepted or received, also if it was expelled then.
func (m *model) accepted(partner, id string) *exchange.Message {
	for i := range m.messages {
		r := &m.messages[i]
		was := r.State != exchange.StateQuarantined || !r.Settled.IsZero()
		if r.Direction == exchange.Inbound && was && r.Partner == partner && r.MessageID == id {
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

// fit reports whether changes were made of the certificates as they are.
func (m *model) fit(changes []exchange.Change) bool {
	for _, c := range changes {
		if c.Seq == 0 || c.Seq > uint64(len(m.certificates)) {
			return false
		}
		if held := m.certificates[c.Seq-1]; held.Revision != c.Revision || held.State != c.Was {
			return false
		}
	}
	return true
}

func (m *model) change(changes []exchange.Change) {
	for _, c := range changes {
		held := &m.certificates[c.Seq-1]
		held.State, held.Dealings = c.State, c.Dealings
		held.Revision++
	}
}

// next is what the next message of a line has; no conversation if none is open.
func (m *model) next(partner, line string) (conversation string, sequence uint32) {
	c := m.conversation[partner+" "+m.lines[partner+" "+line]]
	if c == nil || c.closed || c.next > exchange.MaxSequence {
		return "", 0
	}
	return m.lines[partner+" "+line], c.next
}

// follow records that d continues its line, or reports that it does not.
func (m *model) follow(d exchange.Departure) bool {
	conversation, next := m.next(d.Message.Partner, d.Line)
	key := d.Message.Partner + " " + d.Message.ConversationID
	if d.Message.Order.Sequence != next || conversation != "" && conversation != d.Message.ConversationID {
		return false
	}
	if conversation == "" {
		if m.conversation[key] != nil {
			return false
		}
		m.conversation[key] = &sent{}
		m.lines[d.Message.Partner+" "+d.Line] = d.Message.ConversationID
	}
	m.conversation[key].next++
	return true
}

// enqueue returns what Enqueue says of d: the message's number, whether it is fresh, whether it is in conflict or out of line.
func (m *model) enqueue(d exchange.Departure) (uint64, bool, bool) {
	var failed *exchange.Certificate
	if d.Certificate != nil {
		conflict := false
		for _, held := range m.under(exchange.Outbound, d.Certificate.Key) {
			replaced := held.State == exchange.CertificateReplaced || replaces(d.Changes, held.Seq)
			switch {
			case held.Content != d.Certificate.Content && replaced:
			case held.Content != d.Certificate.Content:
				conflict = true
			case held.Partner == d.Message.Partner && (held.State == exchange.CertificateFailed || held.State == exchange.CertificateRejected):
				failed = held
			case held.Partner == d.Message.Partner:
				return m.outbound(held.Message).Seq, false, false
			}
		}
		if conflict {
			return 0, false, true
		}
	}
	if there := m.outbound(d.Message.MessageID); there != nil {
		if there.Content != d.Message.Content || there.Partner != d.Message.Partner {
			return 0, false, true
		}
		return there.Seq, false, false
	}
	if !m.fit(d.Changes) {
		return 0, false, true
	}
	if d.Line != "" && !m.follow(d) {
		return 0, false, true
	}
	if failed != nil {
		again := *d.Certificate
		again.Seq, again.Revision, again.Dealings = failed.Seq, failed.Revision, failed.Dealings
		*failed = again
		d.Certificate = nil
	}
	seq := m.add(d.Message, d.Raw, d.Certificate).Seq
	m.change(d.Changes)
	return seq, true, false
}

// replaces reports whether changes replace the certificate with that number.
func replaces(changes []exchange.Change, seq uint64) bool {
	return slices.ContainsFunc(changes, func(c exchange.Change) bool { return c.Seq == seq && c.State == exchange.CertificateReplaced })
}

// accepted is what Accept says of a message.
type accepted struct {
	Seq                             uint64
	Fresh, Conflict, Waits, Settled bool
	Stale                           bool
	Released                        []uint64
}

func (m *model) accept(a exchange.Arrival) accepted {
	key := a.Message.Partner + " " + a.Message.ConversationID
	var own *places
	if a.Message.State == exchange.StateAccepted {
		first := m.accepted(a.Message.Partner, a.Message.MessageID)
		if first != nil && first.Content == a.Message.Content {
			first.Copies++
			if !a.Held {
				m.rearm(first.Reply, a.Message.Created)
			}
			return accepted{Seq: first.Seq, Waits: first.State == exchange.StateReceived}
		}
		if first == nil && !m.fit(a.Changes) {
			return accepted{Stale: true}
		}
		taken := false
		if o := a.Message.Order; o != nil {
			if m.places[key] == nil || o.Reset && first == nil {
				m.places[key] = &places{taken: make(map[uint32]uint64)}
			}
			own = m.places[key]
			taken = own.taken[o.Sequence] != 0
		}
		if first != nil || taken {
			a.Message.State = exchange.StateQuarantined
			return accepted{Seq: m.add(a.Message, a.Raw, nil).Seq, Fresh: true, Conflict: true}
		}
	}
	result := accepted{Fresh: true, Waits: own != nil && a.Message.Order.Sequence > own.next}
	if result.Waits {
		a.Message.State = exchange.StateReceived
	}
	result.Seq = m.add(a.Message, a.Raw, nil).Seq
	if a.Reply != nil {
		m.messages[result.Seq-1].Reply = m.reply(*a.Reply, a.Held, a.Message.Created)
	}
	m.change(a.Changes)
	if a.Certificate != nil {
		m.brought[result.Seq] = m.hold(*a.Certificate, result.Waits)
	}
	if own != nil {
		own.taken[a.Message.Order.Sequence] = result.Seq
		for seq := own.taken[own.next]; seq != 0; seq = own.taken[own.next] {
			own.next++
			if m.messages[seq-1].State == exchange.StateReceived {
				m.admit(&m.messages[seq-1])
				result.Released = append(result.Released, seq)
			}
		}
	}
	result.Settled = m.settleBySignal(a.Settles, a.Message.MessageID)
	return result
}

func (m *model) reply(d exchange.Departure, held bool, at time.Time) uint64 {
	reply := d.Message
	if held {
		reply.State, reply.Due, reply.Settled = exchange.StateDelivered, time.Time{}, at
	}
	return m.add(reply, d.Raw, nil).Seq
}

// admit accepts a message that waited.
func (m *model) admit(r *exchange.Message) {
	r.State = exchange.StateAccepted
	if c := m.unusable(r); c != nil {
		c.State, c.Message, c.Partner = c.Dealings.Admitted(), r.MessageID, r.Partner
	}
}

// unusable is the certificate that a message brought or confirmed, if it waits or is refused.
func (m *model) unusable(r *exchange.Message) *exchange.Certificate {
	if m.brought[r.Seq] == 0 {
		return nil
	}
	c := &m.certificates[m.brought[r.Seq]-1]
	if c.State == exchange.CertificateReceived || c.State == exchange.CertificateRefused {
		return c
	}
	return nil
}

func (m *model) expel(e exchange.Expulsion) bool {
	if e.Seq == 0 || e.Seq > uint64(len(m.messages)) || m.messages[e.Seq-1].State != exchange.StateReceived {
		return false
	}
	reply := uint64(0)
	if e.Reply != nil {
		reply = m.reply(*e.Reply, false, e.At)
	}
	r := &m.messages[e.Seq-1]
	r.State, r.Reason, r.Settled, r.Reply = exchange.StateQuarantined, &e.Reason, e.At, reply
	if own := m.places[r.Partner+" "+r.ConversationID]; own.taken[r.Order.Sequence] == r.Seq {
		delete(own.taken, r.Order.Sequence)
	}
	if c := m.unusable(r); c != nil && c.Message == r.MessageID && c.Partner == r.Partner {
		c.State = exchange.CertificateRefused
	}
	return true
}

func (m *model) rearm(seq uint64, due time.Time) {
	if seq == 0 {
		return
	}
	r := &m.messages[seq-1]
	if r.State == exchange.StateSending {
		return
	}
	r.State, r.Due, r.Reason, r.Settled, r.SettledBy, r.Late = exchange.StateQueued, due, nil, time.Time{}, "", false
}

// hold keeps a certificate and returns its number.
func (m *model) hold(c exchange.Certificate, waits bool) uint64 {
	if waits {
		c.State = exchange.CertificateReceived
	}
	held := m.under(exchange.Inbound, c.Key)
	for _, h := range held {
		if h.Content == c.Content {
			counts := func(o *exchange.Certificate) bool {
				return o.State != exchange.CertificateRefused && o.State != exchange.CertificateReplaced
			}
			if h.State == exchange.CertificateRefused && slices.ContainsFunc(held, counts) {
				return 0
			}
			if h.State == exchange.CertificateRefused || h.State == exchange.CertificateReceived && !waits {
				life := c.Dealings.Life
				c.Seq, c.Revision, c.Dealings = h.Seq, h.Revision, h.Dealings
				c.Dealings.Life = life
				*h = c
			}
			return h.Seq
		}
	}
	for _, h := range held {
		if h.State == exchange.CertificateReplaced {
			continue
		}
		h.State = exchange.CertificateInConflict
		c.State = exchange.CertificateInConflict
	}
	c.Seq = uint64(len(m.certificates) + 1)
	m.certificates = append(m.certificates, c)
	return c.Seq
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
	unused := s.State == exchange.StateFailed && r.State == exchange.StateDelivered && r.SettledBy != "" && r.Order != nil &&
		s.Reason.Code == exchange.ReasonDeliveryFailure
	if r.State.Terminal() && !late && !refused && !unused {
		return false
	}
	r.State, r.Reason, r.Due, r.Settled, r.SettledBy, r.Late = s.State, s.Reason, time.Time{}, s.At, signal, late
	m.ended(r)
	return true
}

// ended moves what follows a message that has reached a state.
func (m *model) ended(r *exchange.Message) {
	if c := m.conversation[r.Partner+" "+r.ConversationID]; c != nil && r.Order != nil && r.State.Terminal() && r.State != exchange.StateDelivered {
		c.closed = true
	}
	for i := range m.certificates {
		c := &m.certificates[i]
		fresh := c.State == exchange.CertificateReleased || c.State == exchange.CertificateFailed
		out := c.State == exchange.CertificateReleased || c.State == exchange.CertificateSent || c.State == exchange.CertificateReceipted
		switch {
		case c.Direction != exchange.Outbound || c.Message != r.MessageID || !r.State.Terminal():
		case r.State != exchange.StateDelivered && out:
			c.State = exchange.CertificateFailed
		case r.State != exchange.StateDelivered || !fresh: // business messages have moved it
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
		due = slices.DeleteFunc(due, func(r *exchange.Message) bool {
			limit, ok := c.Caps[r.Partner]
			return leased[r.Partner] >= limit && (ok || c.PerPartner > 0 && leased[r.Partner] >= c.PerPartner)
		})
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
		if c.MinRate > 0 {
			r.Due = r.Due.Add(time.Duration(m.raw[r.Seq].Size()) * time.Second / time.Duration(c.MinRate))
		}
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
	m.ended(r)
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
		r := &run{T: rt, s: &suite{T: t, open: open, dir: dir}, model: newModel(), now: start}
		r.s.reopen()
		defer r.s.close()
		rt.Repeat(map[string]func(*rapid.T){
			"enqueue": r.enqueue, "accept": r.accept, "claim": r.claim, "settle": r.settle, "expel": r.expel, "pause": r.pause,
			"reopen": r.reopen, "": r.compare,
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
	if r.pick(rt, "large", 4) == 0 {
		d.Raw = strings.NewReader(strings.Repeat("bytes of "+id, 200))
	}
	if r.pick(rt, "line", 3) == 0 {
		d = r.inLine(rt, d)
	}
	d.Message.Due = r.now.Add(time.Duration(r.pick(rt, "delay", 3)) * time.Minute)
	d.Changes = r.changes(rt)
	got := r.s.enqueue(d)[0]
	seq, fresh, conflict := r.model.enqueue(d)
	if got.Message.Seq != seq || got.Fresh != fresh || (got.Err != nil) != conflict {
		rt.Fatalf("Enqueue %s: message %d, fresh %v, %v; want %d, %v, conflict %v", id, got.Message.Seq, got.Fresh, got.Err, seq, fresh, conflict)
	}
}

// changes are none, or one of a certificate that is not in conflict, mostly as it is now.
func (r *run) changes(rt *rapid.T) []exchange.Change {
	if len(r.model.certificates) == 0 || r.pick(rt, "changes", 3) > 0 {
		return nil
	}
	c := r.model.certificates[r.pick(rt, "certificate", len(r.model.certificates))]
	if c.State == exchange.CertificateInConflict {
		return nil
	}
	to := []exchange.CertificateState{exchange.CertificateUsedInPart, exchange.CertificateCancelled, exchange.CertificateReplaced}[r.pick(rt, "to", 3)]
	change := changing(c, to, r.pick(rt, "mark", 9))
	change.Revision += uint64(r.pick(rt, "wrong", 6) / 5)
	return []exchange.Change{change}
}

// inLine puts d into a line, mostly where it belongs.
func (r *run) inLine(rt *rapid.T, d exchange.Departure) exchange.Departure {
	conversation, next := r.model.next(d.Message.Partner, "line")
	if conversation == "" || r.pick(rt, "another conversation", 6) == 0 {
		conversation, next = fmt.Sprintf("c%d", r.pick(rt, "conversation", 6)), 0
	}
	return inLine(d, "line", conversation, next+uint32(r.pick(rt, "gap", 6)/5))
}

func (r *run) accept(rt *rapid.T) {
	partner, content := r.partner(rt), fmt.Sprint(r.pick(rt, "content", 4)/3)
	id := fmt.Sprintf("in%d", r.pick(rt, "id", 9))
	a := inbound(id, partner, content)
	switch r.pick(rt, "kind", 4) {
	case 0:
		a = imports(id, partner, fmt.Sprintf("T%d", r.pick(rt, "reference", 3)), content)
	case 1:
		a = settling(id, partner, fmt.Sprintf("m%d", r.pick(rt, "about", 12)), []exchange.State{exchange.StateDelivered, exchange.StateFailed}[r.pick(rt, "to", 2)])
		if a.Settles.Reason != nil && r.pick(rt, "not used", 2) == 0 {
			a.Settles.Reason.Code = exchange.ReasonDeliveryFailure
		}
	case 2:
		a.Message.State = exchange.StateQuarantined
	}
	if r.pick(rt, "answered", 2) == 0 {
		r.calls++
		a = answered(a, fmt.Sprintf("reply%d", r.calls), r.pick(rt, "held", 2) == 0)
		a.Reply.Message.Due = r.now
	}
	if r.pick(rt, "large", 4) == 0 {
		a.Raw = strings.NewReader(strings.Repeat("bytes of "+id, 200))
	}
	if r.pick(rt, "order", 2) == 0 {
		a = inOrder(a, fmt.Sprint("c", r.pick(rt, "conversation", 2)), uint32(r.pick(rt, "sequence", 5)))
		a.Message.Order.Reset = a.Message.Order.Sequence == 0 && r.pick(rt, "reset", 3) == 0
	}
	a.Message.Created = r.now
	if a.Message.State == exchange.StateAccepted {
		a.Changes = r.changes(rt)
	}
	got := r.s.accept(a)[0]
	told := accepted{Stale: got.Stale, Seq: got.Message.Seq, Fresh: got.Fresh, Conflict: got.Conflict, Waits: got.Waits, Settled: got.Settled}
	for _, m := range got.Released {
		told.Released = append(told.Released, m.Seq)
	}
	if want := r.model.accept(a); !reflect.DeepEqual(told, want) {
		rt.Fatalf("Accept %s of %s: %+v, want %+v", id, partner, told, want)
	}
}

func (r *run) expel(rt *rapid.T) {
	if len(r.model.messages) == 0 {
		rt.Skip("nothing to expel")
	}
	seq := uint64(r.pick(rt, "message", len(r.model.messages)) + 1)
	for _, m := range r.model.messages {
		if m.State == exchange.StateReceived && r.pick(rt, "this one", 2) == 0 {
			seq = m.Seq
		}
	}
	e := expulsion(seq, r.now, nil)
	if r.pick(rt, "told", 3) > 0 {
		r.calls++
		e.Reply = failure(fmt.Sprintf("reply%d", r.calls), r.model.messages[seq-1].MessageID)
	}
	got, err := r.s.Expel(r.s.Context(), []exchange.Expulsion{e})
	if want := r.model.expel(e); err != nil || got[0] != want {
		rt.Fatalf("Expel %d: %v, %v, want %v", seq, got, err, want)
	}
}

func (r *run) pause(rt *rapid.T) {
	p := exchange.Pause{Partner: r.partner(rt), By: "operator", Since: r.now}
	r.model.pauses[p.Partner] = p
	if r.pick(rt, "resume", 2) == 0 {
		p.Since = time.Time{}
		delete(r.model.pauses, p.Partner)
	}
	if err := r.s.SetPause(r.s.Context(), p, nil); err != nil {
		rt.Fatal(err)
	}
	got, err := r.s.Pauses(r.s.Context())
	if err != nil {
		rt.Fatal(err)
	}
	want := slices.SortedFunc(maps.Values(r.model.pauses), func(a, b exchange.Pause) int { return cmp.Compare(a.Partner, b.Partner) })
	if !slices.Equal(got, want) {
		rt.Fatalf("Pauses: %+v, want %+v", got, want)
	}
}

func (r *run) claim(rt *rapid.T) {
	r.now = r.now.Add(time.Duration(r.pick(rt, "later", 90)) * time.Second)
	c := exchange.Claim{Owner: "w", Now: r.now, Lease: time.Minute, Max: r.pick(rt, "max", 5), PerPartner: r.pick(rt, "cap", 3), MinRate: int64(r.pick(rt, "rate", 2)) * 100}
	if r.pick(rt, "caps", 2) == 0 {
		c.Caps = map[string]int{r.partner(rt): r.pick(rt, "its cap", 4)}
	}
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
		for _, m := range r.s.messages(exchange.MessageQuery{Limit: 1000}) {
			r.s.rawIs(m.Raw, r.model.raw[m.Seq])
		}
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
		if want := r.model.certificates[i]; c.Key != want.Key || c.State != want.State || c.Content != want.Content || c.Partner != want.Partner || c.Message != want.Message ||
			c.Revision != want.Revision || !reflect.DeepEqual(c.Dealings, want.Dealings) {
			rt.Fatalf("certificate %d to %s is %q, revision %d, want %q to %s, revision %d", c.Seq, c.Partner, c.State, c.Revision, want.State, want.Partner, want.Revision)
		}
	}
}

// deref makes a message printable for comparison.
func deref(m exchange.Message) [3]any {
	reason := exchange.Reason{}
	if m.Reason != nil {
		reason = *m.Reason
	}
	order := "none"
	if m.Order != nil {
		order = fmt.Sprintf("%+v", *m.Order)
	}
	m.Reason, m.Order = nil, nil
	return [3]any{m, reason, order}
}
