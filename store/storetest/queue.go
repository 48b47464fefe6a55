package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ecogate/ecogate/exchange"
)

func claimLeasesOldestDueFirst(s *suite) {
	for _, d := range []struct {
		id, partner string
		due         int
	}{{"m1", "TH", 3}, {"m2", "VN", 1}, {"m3", "TH", 2}, {"m4", "VN", 2}, {"m5", "TH", 10}} {
		departure := signal(d.id, d.partner)
		departure.Message.Due = at(d.due)
		s.enqueue(departure)
	}
	if jobs := s.claim(at(0), 9); len(jobs) != 0 {
		s.Errorf("%d jobs before anything is due", len(jobs))
	}
	var order []string
	for _, limit := range []int{0, 3, 9, 9} {
		jobs := s.claim(at(3), limit)
		if len(jobs) > limit {
			s.Errorf("%d jobs, at most %d were asked for", len(jobs), limit)
		}
		for _, j := range jobs {
			order = append(order, j.Message.MessageID)
			if m := j.Message; m.State != exchange.StateSending || m.Attempts != 1 || m.Fence != 1 || m.Owner != "worker" || !m.Due.Equal(at(63)) {
				s.Errorf("claimed %+v", m)
			}
			same(s, "the stored message", s.message(exchange.MessageQuery{MessageID: j.Message.MessageID}), j.Message)
			if octets(j.Raw) != "bytes of "+j.Message.MessageID {
				s.Errorf("%s comes with %q", j.Message.MessageID, octets(j.Raw))
			}
		}
	}
	same(s, "order", order, []string{"m2", "m3", "m4", "m1"})
}

// claimLetsPartnersTakeTurns has two partners with long queues who never answer, and one whose message came last.
func claimLetsPartnersTakeTurns(s *suite) {
	for i := range 5 {
		for _, partner := range []string{"TH", "VN"} {
			d := signal(fmt.Sprintf("%s%d", partner, i), partner)
			d.Message.Due = at(i)
			s.enqueue(d)
		}
	}
	ids := func(jobs []exchange.Job) (ids []string) {
		for _, j := range jobs {
			ids = append(ids, j.Message.MessageID)
		}
		return ids
	}
	jobs := s.claim(at(10), 4)
	same(s, "in one claim", ids(jobs), []string{"TH0", "VN0", "TH1", "VN1"})
	late := signal("LA0", "LA")
	late.Message.Due = at(10)
	s.enqueue(late)
	s.settle(jobs[0].Message, exchange.StateQueued, at(10))
	same(s, "a freed worker", ids(s.claim(at(10), 1)), []string{"LA0"})
	s.settle(jobs[1].Message, exchange.StateQueued, at(10))
	same(s, "fewest leases first, then oldest due", ids(s.claim(at(10), 4)), []string{"TH2", "VN2", "TH3", "VN3"})
	// LA's lease has ended as all others have; only what is claimed now counts.
	same(s, "ended leases do not count", ids(s.claim(at(500), 3)), []string{"TH4", "VN4", "LA0"})
}

func claimAfterLeaseEnded(s *suite) {
	s.enqueue(signal("m1", "TH"))
	first := s.claim(start, 1)[0].Message
	if jobs := s.claim(at(59), 1); len(jobs) != 0 {
		s.Error("claimed during the lease")
	}
	jobs := s.claim(at(60), 1)
	if len(jobs) != 1 || jobs[0].Message.Attempts != 2 || jobs[0].Message.Fence <= first.Fence || jobs[0].Message.Owner != "worker" {
		s.Fatalf("after the lease: %+v", jobs)
	}
	if s.settle(first, exchange.StateDelivered, at(61)) {
		s.Error("the first worker's outcome counts")
	}
	if !s.settle(jobs[0].Message, exchange.StateDelivered, at(62)) {
		s.Error("the second worker's outcome does not count")
	}
}

func claimCapsEachPartner(s *suite) {
	for i := range 6 {
		d := signal(fmt.Sprintf("th%d", i), "TH")
		d.Message.Due = at(i)
		s.enqueue(d)
	}
	late := signal("vn", "VN")
	late.Message.Due = at(50)
	s.enqueue(late)
	claim := func(now time.Time) (ids []string) {
		jobs, err := s.Claim(s.Context(), exchange.Claim{Owner: "w", Now: now, Lease: time.Minute, Max: 10, PerPartner: 2})
		if err != nil {
			s.Fatal(err)
		}
		for _, j := range jobs {
			ids = append(ids, j.Message.MessageID)
		}
		return ids
	}
	same(s, "first claim", claim(at(5)), []string{"th0", "th1"})
	same(s, "at the cap, another partner's turn", claim(at(50)), []string{"vn"})
	m := s.message(exchange.MessageQuery{MessageID: "th0"})
	s.settle(m, exchange.StateDelivered, at(51))
	same(s, "after one has ended", claim(at(51)), []string{"th2"})
	// The lease of th1 has ended, that of th2 has not.
	same(s, "after one lease has ended", claim(at(65)), []string{"th3"})
	same(s, "all leases have ended", claim(at(1000)), []string{"th4", "vn", "th5"})
}

func claimIsExclusive(s *suite) {
	const messages = 40
	for i := range messages {
		s.enqueue(signal(fmt.Sprintf("m%d", i), []string{"TH", "VN", "LA"}[i%3]))
	}
	var mu sync.Mutex
	taken := make(map[uint64]int)
	err := together(16, func(worker int) error {
		for range messages + 1 {
			jobs, err := s.Claim(s.Context(), exchange.Claim{Owner: fmt.Sprint(worker), Now: start, Lease: time.Minute, Max: 3})
			if err != nil || len(jobs) == 0 {
				return err
			}
			mu.Lock()
			for _, j := range jobs {
				taken[j.Message.Seq]++
			}
			mu.Unlock()
		}
		return errors.New("claims do not come to an end")
	})
	if err != nil || len(taken) != messages {
		s.Errorf("%d messages were claimed, want %d; %v", len(taken), messages, err)
	}
	for seq, n := range taken {
		if n != 1 {
			s.Errorf("message %d was claimed %d times", seq, n)
		}
	}
}

func settleOutcomes(s *suite) {
	for i, c := range []struct {
		state exchange.State
		co    exchange.CertificateState
	}{
		{exchange.StateQueued, exchange.CertificateReleased},
		{exchange.StateAwaiting, exchange.CertificateReleased},
		{exchange.StateDelivered, exchange.CertificateReceipted},
		{exchange.StateFailed, exchange.CertificateFailed},
		{exchange.StateExpired, exchange.CertificateFailed},
		{exchange.StateCancelled, exchange.CertificateFailed},
	} {
		id, reference := fmt.Sprintf("m%d", i), fmt.Sprintf("K%d", i)
		s.enqueue(export(id, reference, "a"))
		claimed := s.claim(start, 1)[0].Message
		if !s.settle(claimed, c.state, at(1)) {
			s.Errorf("%s: not settled", c.state)
		}
		o := outcome(claimed, c.state, at(1))
		want := claimed
		want.State, want.Owner, want.Due, want.Reason, want.Log = c.state, "", o.Due, o.Reason, []exchange.Attempt{o.Attempt}
		if c.state.Terminal() {
			want.Settled = at(1)
		}
		same(s, string(c.state), s.message(exchange.MessageQuery{MessageID: id}), want)
		same(s, string(c.state)+": certificate", s.states(reference), []exchange.CertificateState{c.co})
		jobs := s.claim(at(1), 9)
		if len(jobs) != 0 {
			s.Errorf("%s: due at once", c.state)
		}
	}
	jobs := s.claim(at(3601), 9) // outcome makes them due an hour later
	if len(jobs) != 2 || jobs[0].Message.MessageID != "m0" || jobs[1].Message.MessageID != "m1" {
		s.Errorf("%d jobs an hour later, want those queued and awaiting", len(jobs))
	}
	if _, err := s.Settle(s.Context(), []exchange.Outcome{outcome(jobs[0].Message, exchange.StateSending, start)}); err == nil {
		s.Error("an attempt ended in state sending")
	}
}

func settleUnderStaleFence(s *suite) {
	s.enqueue(signal("m1", "TH"), signal("m2", "TH"))
	jobs := s.claim(start, 2)
	good, stale := outcome(jobs[0].Message, exchange.StateQueued, at(1)), outcome(jobs[1].Message, exchange.StateDelivered, at(1))
	stale.Fence--
	unknown := good
	unknown.Seq = 99
	results, err := s.Settle(s.Context(), []exchange.Outcome{stale, good, good, unknown})
	if err != nil {
		s.Fatal(err)
	}
	same(s, "results", results, []bool{false, true, false, false})
	same(s, "the message whose fence was stale", s.message(exchange.MessageQuery{MessageID: "m2"}), jobs[1].Message)
	if m := s.message(exchange.MessageQuery{MessageID: "m1"}); len(m.Log) != 1 {
		s.Errorf("%d attempts in the log, want 1", len(m.Log))
	}
}

func settleKeepsTheNewestAttempts(s *suite) {
	s.enqueue(signal("m1", "TH"))
	for i := range 53 {
		now := at(i * 3600)
		s.settle(s.claim(now, 1)[0].Message, exchange.StateQueued, now)
	}
	m := s.message(exchange.MessageQuery{MessageID: "m1"})
	if len(m.Log) != 50 || m.Attempts != 53 || !m.Log[49].Ended.Equal(at(52*3600)) || !m.Log[0].Ended.Equal(at(3*3600)) {
		s.Errorf("%d attempts, log of %d", m.Attempts, len(m.Log))
	}
}

func settleKeepsTheLastTakenAttempt(s *suite) {
	s.enqueue(signal("m1", "TH"))
	try := func(i, status int) {
		now := at(i * 3600)
		o := outcome(s.claim(now, 1)[0].Message, exchange.StateQueued, now)
		o.Attempt.Status = status
		if settled, err := s.Settle(s.Context(), []exchange.Outcome{o}); err != nil || !settled[0] {
			s.Fatalf("attempt %d: %v, %v", i, settled, err)
		}
	}
	logIs := func(what string, first, second, last int) {
		s.Helper()
		log := s.message(exchange.MessageQuery{MessageID: "m1"}).Log
		if len(log) != 50 || !log[0].Ended.Equal(at(first*3600)) || !log[1].Ended.Equal(at(second*3600)) || !log[49].Ended.Equal(at(last*3600)) {
			s.Errorf("%s: %d attempts, %v, %v ... %v; want 50, number %d, %d ... %d",
				what, len(log), log[0].Ended, log[1].Ended, log[len(log)-1].Ended, first, second, last)
		}
	}
	for i, status := range []int{200, 503, 202, 503} {
		try(i, status)
	}
	for i := 4; i < 60; i++ {
		try(i, 0)
	}
	logIs("the last of two that were taken", 2, 11, 59)
	try(60, 204)
	try(61, 503)
	logIs("taken again", 12, 13, 61)
}

func claimCapsSomePartners(s *suite) {
	for i := range 3 {
		for _, partner := range []string{"TH", "VN", "LA"} {
			s.enqueue(signal(fmt.Sprint(partner, i), partner))
		}
	}
	claim := func(perPartner int, caps map[string]int) map[string]int {
		jobs, err := s.Claim(s.Context(), exchange.Claim{Owner: "w", Now: start, Lease: time.Minute, Max: 20, PerPartner: perPartner, Caps: caps})
		if err != nil {
			s.Fatal(err)
		}
		taken := make(map[string]int)
		for _, j := range jobs {
			taken[j.Message.Partner]++
		}
		return taken
	}
	same(s, "caps", claim(1, map[string]int{"TH": 2, "VN": 0, "MM": 5}), map[string]int{"TH": 2, "LA": 1})
	same(s, "leases count", claim(1, map[string]int{"TH": 2, "VN": 0}), map[string]int{})
	same(s, "no cap but of some", claim(0, map[string]int{"LA": 2, "TH": 0}), map[string]int{"LA": 1, "VN": 3})
}

func claimLengthensLeasesBySize(s *suite) {
	large := signal("large", "TH")
	large.Raw = strings.NewReader(strings.Repeat("x", 25_000))
	s.enqueue(large, signal("small", "VN"))
	jobs, err := s.Claim(s.Context(), exchange.Claim{Owner: "w", Now: start, Lease: time.Minute, Max: 2, MinRate: 1000})
	if err != nil || len(jobs) != 2 {
		s.Fatalf("%d jobs, %v", len(jobs), err)
	}
	for _, j := range jobs {
		want := start.Add(time.Minute + time.Duration(j.Raw.Size())*time.Millisecond)
		if !j.Message.Due.Equal(want) {
			s.Errorf("%s is leased until %s, want %s", j.Message.MessageID, j.Message.Due, want)
		}
	}
	if jobs := s.claim(at(84), 9); len(jobs) != 1 || jobs[0].Message.MessageID != "small" {
		s.Errorf("%d jobs after the lease of the small one", len(jobs))
	}
	if jobs := s.claim(at(85), 9); len(jobs) != 1 || jobs[0].Message.MessageID != "large" {
		s.Errorf("%d jobs after the lease of the large one", len(jobs))
	}
}
