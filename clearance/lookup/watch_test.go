package lookup_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/lookup"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
)

func (w *world) watch(key string, in lookup.Watch) lookup.Watch {
	w.Helper()
	watch, err := w.desk.Watch(w.Context(), w.reader(key), in)
	if err != nil {
		w.Fatal(err)
	}
	return watch
}

// closed are the references of the watches of a key that are closed.
func (w *world) closed(key string) string {
	w.Helper()
	if err := w.desk.Follow(w.Context()); err != nil {
		w.Fatal(err)
	}
	list, _, err := w.desk.Watches(w.Context(), key, 0, 0)
	if err != nil {
		w.Fatal(err)
	}
	var closed []string
	for _, watch := range list {
		if !watch.Closed.IsZero() {
			closed = append(closed, watch.Reference+"="+watch.Key)
		}
	}
	return strings.Join(closed, " ")
}

func TestWatchClosesOnArrivalForWhoMaySee(t *testing.T) {
	w := newWorld(t, nil)
	w.watch("importer", lookup.Watch{Reference: "r-1"})
	w.watch("importer", lookup.Watch{Reference: "R1", Form: "AK"})
	w.watch("importer", lookup.Watch{Reference: "R2"})
	w.watch("broker", lookup.Watch{Reference: "R1"})
	w.watch("knows", lookup.Watch{Reference: "R1", Invoice: "inv 8"})
	w.watch("guesses", lookup.Watch{Reference: "R1", Invoice: "INV-9"})
	w.watch("officer", lookup.Watch{Reference: "R2", All: true})
	w.arrive("R 1", nil)
	w.arrive("R2", forBolts)
	for key, want := range map[string]string{
		"importer": "r-1=KR/ATIGA-D/R1", "broker": "", "knows": "R1=KR/ATIGA-D/R1", "guesses": "", "officer": "R2=KR/ATIGA-D/R2",
	} {
		if got := w.closed(key); got != want {
			t.Errorf("%s: closed %q, want %q", key, got, want)
		}
	}
	if got := w.events("watch.closed"); len(got) != 3 {
		t.Errorf("told %q", got)
	}
	if seen := w.see("knows", "R1", ""); seen.Why != "proof of before" {
		t.Errorf("the watch's second factor is no proof: %+v", seen)
	}
	// A mandate that is given later opens what arrived before.
	w.give(lookup.Giver{Reader: w.reader("importer")}, lookup.Mandate{Importer: acme, Broker: "broker"})
	if got := w.closed("broker"); got != "R1=KR/ATIGA-D/R1" {
		t.Errorf("after the mandate: closed %q", got)
	}
}

func TestWatchIsToldOnceThoughTheLogIsFollowedTwice(t *testing.T) {
	w := newWorld(t, nil)
	w.watch("importer", lookup.Watch{Reference: "R1"})
	w.arrive("R1", nil)
	w.closed("importer")
	cursors, err := w.store.Dockets(t.Context(), clearance.DocketQuery{Kind: "watch.cursor"})
	if err != nil || len(cursors) != 1 {
		t.Fatalf("%d cursors, %v", len(cursors), err)
	}
	// As after a crash between what an entry does and the cursor.
	if err := w.store.File(t.Context(), clearance.Batch{Drop: []clearance.DocketName{cursors[0].Name()}}); err != nil {
		t.Fatal(err)
	}
	if got := w.closed("importer"); got != "R1=KR/ATIGA-D/R1" || len(w.events("watch.closed")) != 1 {
		t.Errorf("closed %q, told %q", got, w.events("watch.closed"))
	}
}

func TestWatchForWhatWaitsItsTurnCloses(t *testing.T) {
	w := newWorld(t, nil)
	w.arrive("R1", func(c *exchange.Certificate) { c.State = exchange.CertificateReceived })
	w.watch("importer", lookup.Watch{Reference: "R1"})
	if got := w.closed("importer"); got != "" {
		t.Errorf("closed %q by one that waits for those before it", got)
	}
}

func TestWatchesThatAreNotTaken(t *testing.T) {
	w := newWorld(t, func(o *lookup.Options) { o.Rules = func() lookup.Rules { return lookup.Rules{Watches: 2} } })
	w.arrive("R1", nil)
	w.arrive("R2", forBolts)
	for _, tt := range []struct {
		name string
		in   lookup.Watch
		want error
	}{
		{"nothing", lookup.Watch{Reference: " - "}, lookup.ErrInvalid},
		{"what is here", lookup.Watch{Reference: "R1"}, lookup.ErrArrived},
		{"ended", lookup.Watch{Reference: "R3", Until: start}, lookup.ErrInvalid},
		{"for ever", lookup.Watch{Reference: "R3", Until: start.AddDate(3, 0, 0)}, lookup.ErrInvalid},
		{"with much", lookup.Watch{Reference: "R3", Note: strings.Repeat("x", lookup.MaxNote+1)}, lookup.ErrInvalid},
		{"not his", lookup.Watch{Reference: "R2"}, nil},
		{"what is to be", lookup.Watch{Reference: "R3"}, nil},
	} {
		if _, err := w.desk.Watch(t.Context(), w.reader("importer"), tt.in); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if _, err := w.desk.Watch(t.Context(), w.reader("importer"), lookup.Watch{Reference: "R4"}); !errors.Is(err, lookup.ErrMany) {
		t.Errorf("a third: %v", err)
	}
}

func TestWatchesEnd(t *testing.T) {
	w := newWorld(t, nil)
	first := w.watch("importer", lookup.Watch{Reference: "R1", Until: start.Add(time.Hour)})
	second := w.watch("importer", lookup.Watch{Reference: "R2"})
	if err := w.desk.Unwatch(t.Context(), "broker", second.ID); !errors.Is(err, lookup.ErrNotThere) {
		t.Errorf("another removes it: %v", err)
	}
	if err := w.desk.Unwatch(t.Context(), "importer", second.ID); err != nil {
		t.Error(err)
	}
	if err := w.desk.Unwatch(t.Context(), "importer", second.ID); !errors.Is(err, lookup.ErrNotThere) {
		t.Errorf("removed twice: %v", err)
	}
	w.now = start.Add(time.Hour)
	if err := w.desk.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list, _, err := w.desk.Watches(t.Context(), "importer", 0, 0); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	want := "watch.expired " + first.ID + " R1"
	if got := w.events("watch.expired"); len(got) != 1 || got[0] != want {
		t.Errorf("told %q, want %q", got, want)
	}
}

// askable is a registry in which KR answers questions about Form D, and LA none.
type askable struct{ *testing.T }

func (askable) Partners() []partners.Partner {
	return []partners.Partner{{ID: "kr", Country: "KR"}, {ID: "la", Country: "LA"}}
}
func (askable) Forms() eco.Forms { return eco.DefaultForms() }
func (askable) Outbound(partner string, form eco.FormCode, _ time.Time) (partners.Agreement, error) {
	switch {
	case form != "ATIGA-D":
		return partners.Agreement{}, partners.ErrNoAgreement
	case partner == "kr":
		return partners.Agreement{Actions: partners.Actions{StatusRequest: "Ask"}}, nil
	}
	return partners.Agreement{}, nil
}

func TestUnknownReferenceIsAskedFor(t *testing.T) {
	asked := 0
	var failure error
	w := newWorld(t, func(o *lookup.Options) {
		o.Agreements = askable{t}
		o.Ask = func(_ context.Context, actor, partner string, about eco.CertificateID) (eco.StatusReport, error) {
			asked++
			if actor != "officer" || partner != "kr" || about.Reference != "R-1" || about.Form != "ATIGA-D" || about.IssuingCountry != "KR" {
				t.Errorf("%s asks %s about %+v", actor, partner, about)
			}
			return eco.StatusReport{Standing: eco.StandingIssued, Since: start}, failure
		}
	})
	ask := func() []lookup.Asked {
		t.Helper()
		list, err := w.desk.AskFor(t.Context(), "officer", "R-1", "", "")
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if got := ask(); len(got) != 1 || got[0].Partner != "kr" || !got[0].At.Equal(start) || !got[0].Answered.IsZero() {
		t.Errorf("at once: %+v", got)
	}
	ask() // asks nobody again
	if !lookup.PutNext(t.Context(), w.desk) || lookup.PutNext(t.Context(), w.desk) || asked != 1 {
		t.Errorf("%d questions were put", asked)
	}
	if got := ask(); got[0].Standing != eco.StandingIssued || got[0].Answered.IsZero() {
		t.Errorf("after the answer: %+v", got)
	}
	w.now = start.Add(11 * time.Minute)
	failure = errors.New("silence")
	ask()
	if !lookup.PutNext(t.Context(), w.desk) {
		t.Error("it is not asked again after a while")
	}
	if got := ask(); got[0].Problem != "no report" {
		t.Errorf("after silence: %+v", got)
	}
	for _, other := range []struct{ country, form string }{{"LA", ""}, {"", "AK"}, {"VN", "ATIGA-D"}} {
		if got, err := w.desk.AskFor(t.Context(), "officer", "R-1", other.country, eco.FormCode(other.form)); err != nil || len(got) != 0 {
			t.Errorf("%+v: %+v, %v", other, got, err)
		}
	}
}

func TestQuestionsAreBounded(t *testing.T) {
	w := newWorld(t, func(o *lookup.Options) {
		o.Agreements = askable{t}
		o.Ask = func(context.Context, string, string, eco.CertificateID) (eco.StatusReport, error) {
			return eco.StatusReport{}, nil
		}
	})
	n := 0
	for i := range 150 {
		list, err := w.desk.AskFor(t.Context(), "officer", "R"+strings.Repeat("1", i+1), "KR", "ATIGA-D")
		if err != nil {
			t.Fatal(err)
		}
		n += len(list)
	}
	if n != 100 {
		t.Errorf("%d questions wait, want 100", n)
	}
}
