package api_test

import (
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/clearance/lookup"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/store/bolt"
)

// BenchmarkRefusals measures what a broker's look-ups of what is not his and of what is not there take, by turns, with the floor and a real clock. It prints how long half and 99
// of 100 of each take at most, and z of the Mann-Whitney rank test of the two: between -3 and 3 they are not told apart.
//
//	go test ./api -run '^$' -bench Refusals -benchtime 1x
func BenchmarkRefusals(b *testing.B) {
	const rounds = 200
	store, err := bolt.Open(b.TempDir(), bolt.Options{Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	f := &fixture{t: new(testing.T), store: store}
	if _, err := store.Accept(b.Context(), []exchange.Arrival{f.arrival("VN-KR 25/02/01234", "in@kr", "said")}); err != nil {
		b.Fatal(err)
	}
	set, err := api.NewKeySet(lookupKeys())
	if err != nil {
		b.Fatal(err)
	}
	desk, err := lookup.New(lookup.Options{Store: store, Now: time.Now, Parties: set.Parties, Rules: func() lookup.Rules { return lookup.Rules{PerMinute: 1e6, FailuresPerHour: 1e6} }})
	if err != nil {
		b.Fatal(err)
	}
	handler, err := api.New(api.Options{
		Node: submitter(accepting), Operator: new(operator), Dealer: new(dealer), Store: store, Audit: auditor(func(e []exchange.AuditEntry) error { return store.Record(context.Background(), e) }),
		Keys: set, Now: time.Now, Lookups: desk,
	})
	if err != nil {
		b.Fatal(err)
	}
	ask := func(reference string) time.Duration {
		r := httptest.NewRequest(http.MethodGet, "/api/v1/certificates/"+reference+"?invoice=wrong", nil)
		r.Header.Set("Authorization", "Bearer "+forwarderSecret)
		w := httptest.NewRecorder()
		began := time.Now()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusNotFound {
			b.Fatalf("status %d", w.Code)
		}
		return time.Since(began)
	}
	for b.Loop() {
		var there, absent []time.Duration
		for range rounds {
			there, absent = append(there, ask("VNKR250201234")), append(absent, ask("VNKR250201235"))
		}
		z := rankTest(there, absent)
		slices.Sort(there)
		slices.Sort(absent)
		b.Logf("not his: p50 %s, p99 %s; not there: p50 %s, p99 %s; z %.2f", there[rounds/2], there[rounds*99/100], absent[rounds/2], absent[rounds*99/100], z)
		b.ReportMetric(z, "z")
	}
}

// rankTest is z of the Mann-Whitney U test: how far the ranks of x lie from those of y, in standard deviations.
func rankTest(x, y []time.Duration) float64 {
	u := 0.0
	for _, a := range x {
		for _, b := range y {
			switch {
			case a > b:
				u++
			case a == b:
				u += 0.5
			}
		}
	}
	n, m := float64(len(x)), float64(len(y))
	return (u - n*m/2) / math.Sqrt(n*m*(n+m+1)/12)
}
