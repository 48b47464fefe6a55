package exchange_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/partners"
)

// almostOne is the largest jitter.
var almostOne = math.Nextafter(1, 0)

func TestTimeToLiveSpansTheRetries(t *testing.T) {
	sent := ecotest.Now()
	for _, test := range []struct {
		name      string
		agreement partners.Agreement
		want      time.Duration
	}{
		{"retries", partners.Agreement{AckRequested: true, Retries: 10, RetryInterval: time.Minute}, 11 * time.Minute},
		{"no retry", partners.Agreement{AckRequested: true, RetryInterval: time.Minute}, time.Minute},
		{"many", partners.Agreement{AckRequested: true, Retries: 1000, RetryInterval: 24 * time.Hour}, 1001 * 24 * time.Hour},
		{"no acknowledgment: an hour at least", partners.Agreement{Retries: 10, RetryInterval: time.Minute}, time.Hour},
		{"no acknowledgment, long intervals", partners.Agreement{Retries: 3, RetryInterval: time.Hour}, 4 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := exchange.Expiry(test.agreement, sent).Sub(sent); got != test.want {
				t.Errorf("time to live %s, want %s", got, test.want)
			}
		})
	}
}

func TestResendWaitsTheInterval(t *testing.T) {
	now := ecotest.Now()
	for _, interval := range []time.Duration{time.Second, time.Minute, 24 * time.Hour} {
		if got := exchange.ResendAt(now, interval, 0).Sub(now); got != interval {
			t.Errorf("resend after %s, the interval is %s", got, interval)
		}
		if got := exchange.ResendAt(now, interval, almostOne).Sub(now); got <= interval || got > interval+interval/20 {
			t.Errorf("resend after %s with the largest jitter, want at most a twentieth above %s", got, interval)
		}
	}
}

func TestBackoffDoublesUpToItsLimit(t *testing.T) {
	now := ecotest.Now()
	for _, test := range []struct {
		failures int
		limit    time.Duration
		want     time.Duration
	}{
		{0, time.Minute, time.Second},
		{1, time.Minute, time.Second},
		{2, time.Minute, 2 * time.Second},
		{6, time.Minute, 32 * time.Second},
		{7, time.Minute, time.Minute},
		{33, time.Minute, time.Minute},
		{34, time.Minute, time.Minute},
		{65, time.Minute, time.Minute},
		{1 << 40, 24 * time.Hour, 24 * time.Hour},
		{1, time.Second, time.Second},
		{1, 500 * time.Millisecond, 500 * time.Millisecond},
		{32, 1 << 62, time.Second << 31},
	} {
		if got := exchange.BackoffAt(now, test.failures, test.limit, 0).Sub(now); got != test.want {
			t.Errorf("wait %s after %d failures with limit %s, want %s", got, test.failures, test.limit, test.want)
		}
	}
}

func TestBackoffStaysWithinItsBounds(t *testing.T) {
	now := ecotest.Now()
	rapid.Check(t, func(t *rapid.T) {
		failures := rapid.IntRange(0, math.MaxInt).Draw(t, "failures")
		limit := time.Duration(rapid.Int64Range(1, int64(30*24*time.Hour)).Draw(t, "limit"))
		jitter := rapid.Float64Range(0, almostOne).Draw(t, "jitter")
		wait := exchange.BackoffAt(now, failures, limit, jitter).Sub(now)
		if wait > limit || wait < min(limit, time.Second)/2 {
			t.Errorf("wait %s, limit %s", wait, limit)
		}
	})
}

func TestFailuresAreCountedSinceThePartnerLastAnswered(t *testing.T) {
	failure, success, page := exchange.Attempt{Problem: "no route"}, exchange.Attempt{Status: 204}, exchange.Attempt{Status: 500}
	givenUp := exchange.Attempt{Problem: exchange.GivenUp}
	for _, test := range []struct {
		name string
		log  []exchange.Attempt
		want int
	}{
		{"none", nil, 0},
		{"all", []exchange.Attempt{failure, page}, 2},
		{"after a success", []exchange.Attempt{failure, success, page, failure}, 2},
		{"success last", []exchange.Attempt{failure, success}, 0},
		{"after it was given up", []exchange.Attempt{failure, failure, givenUp, failure}, 1},
		{"given up last", []exchange.Attempt{failure, givenUp}, 0},
	} {
		if got := exchange.FailuresInRow(test.log); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

func TestDeliveryIsOver(t *testing.T) {
	now := ecotest.Now()
	failures := slices.Repeat([]exchange.Attempt{{Status: 503}}, exchange.SignalAttempts)
	for _, test := range []struct {
		name    string
		message exchange.Message
		want    bool
	}{
		{"before its time to live ends", exchange.Message{Kind: exchange.KindCertificate, Expires: now.Add(1)}, false},
		{"when it ends", exchange.Message{Kind: exchange.KindCertificate, Expires: now}, true},
		{"never without one", exchange.Message{Kind: exchange.KindCertificate, Log: failures}, false},
		{"signal with an attempt left", exchange.Message{Kind: exchange.KindAcknowledgment, Log: failures[1:]}, false},
		{"signal without", exchange.Message{Kind: exchange.KindAcknowledgment, Log: failures}, true},
		{"error without", exchange.Message{Kind: exchange.KindError, Log: failures}, true},
		{"signal that was taken often", exchange.Message{Kind: exchange.KindAcknowledgment, Attempts: 99, Log: []exchange.Attempt{{Status: 200}}}, false},
	} {
		if got := exchange.Over(test.message, now); got != test.want {
			t.Errorf("%s: over %v, want %v", test.name, got, test.want)
		}
	}
	if late := now.Add(time.Hour); !exchange.Earlier(now, late).Equal(now) || !exchange.Earlier(late, now).Equal(now) || !exchange.Earlier(now, time.Time{}).Equal(now) {
		t.Error("Earlier does not give the earlier of two instants, zero being none")
	}
}

func TestRetryAfterBeyondTheTimeToLiveEndsDelivery(t *testing.T) {
	t.Parallel()
	bubble(t, setup{pair: pair.Options{Retries: 2}}, func(w *world) {
		w.KR.out.usually(answer(ebms.Response{Status: 503, RetryAfter: 24 * time.Hour}))
		m := w.settled(w.submit(sample(t)).Message.MessageID)
		if m.State != exchange.StateExpired || m.Settled.After(m.Expires.Add(2*time.Second)) {
			t.Errorf("%s at %s, want expired at %s", m.State, m.Settled, m.Expires)
		}
	})
}
