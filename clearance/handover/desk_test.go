package handover_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/handover"
	"github.com/ecogate/ecogate/eco"
)

func TestHandoverIsDeliveredUntilItIsConfirmed(t *testing.T) {
	c := &customs{answer: func(p handover.Parcel) (handover.Confirmation, error) { return confirmed(p), nil }}
	w := newWorld(t, handover.Options{Deliverer: c})
	f := w.filing("26/0001", "K0012500001", "K0012500002")
	f.Original = []byte("UNA:+.? 'UNB+UNOA:1'")
	f.Certificates[0].State, f.Certificates[0].Life.State = eco.StateCited, eco.StateCited
	id := w.file(f)
	w.look()
	h := w.get(id)
	if h.State != handover.StateConfirmed || h.Reference != "C-1" || h.SettledBy != "customs system" || h.Attempts != 1 {
		t.Errorf("handover: %+v", h)
	}
	if got := w.events("26/0001"); !slices.Equal(got, []string{"handover.confirmed by customs system"}) {
		t.Errorf("audit log: %q", got)
	}
	p := c.parcels()[0]
	if p.Key != id || p.Again || p.SHA256 != h.Parcel.SHA256 {
		t.Errorf("parcel: %+v", p)
	}
	content, err := handover.Unpack(p.Content)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`declaration.json {"number":"26/0001"}`,
		"declaration.edi UNA:+.? 'UNB+UNOA:1'",
		"certificates/1/certificate.xml <CertificateOfOrigin>K0012500001</CertificateOfOrigin>",
		"certificates/1/certificate.pdf %PDF-1.7 KR/ATIGA-D/K0012500001",
		`certificates/1/report.json {"certificate":"KR/ATIGA-D/K0012500001","state":"cited"}`,
		"certificates/2/certificate.xml <CertificateOfOrigin>K0012500002</CertificateOfOrigin>",
		"certificates/2/certificate.pdf %PDF-1.7 KR/ATIGA-D/K0012500002",
		`certificates/2/report.json {"certificate":"KR/ATIGA-D/K0012500002","state":"available"}`,
	}
	var got []string
	for i, file := range content.Manifest.Files {
		got = append(got, file.Name+" "+string(content.Contents[i]))
	}
	if !slices.Equal(got, want) {
		t.Errorf("parcel holds\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	m := content.Manifest
	if m.Declaration != "26/0001" || m.Version != 1 || m.Occasion != handover.OccasionAccepted || m.Certificates[0].Partner != "KR" || m.Certificates[0].Message != "K0012500001@kr" {
		t.Errorf("manifest: %+v", m)
	}
}

func TestWithoutConfirmationTheSameOctetsComeAgain(t *testing.T) {
	c := &customs{}
	w := newWorld(t, handover.Options{Deliverer: c, Times: handover.Times{Resend: time.Hour}})
	id := w.file(w.filing("26/0001", "K0012500001"))
	for range 3 {
		w.look()
		w.look() // nothing is due
		w.clock.add(time.Hour)
	}
	got := c.parcels()
	if len(got) != 3 {
		t.Fatalf("%d deliveries, want 3", len(got))
	}
	for i, p := range got {
		if p.Key != got[0].Key || !bytes.Equal(p.Content, got[0].Content) || p.Again != (i > 0) {
			t.Errorf("delivery %d: key %s, %d octets, again %t", i+1, p.Key, len(p.Content), p.Again)
		}
	}
	if h := w.get(id); h.State != handover.StateDelivered || h.Attempts != 3 {
		t.Errorf("handover: %+v", h)
	}
	if got := w.events("26/0001"); !slices.Equal(got, []string{"handover.delivered by node"}) {
		t.Errorf("audit log: %q", got)
	}
}

func TestFailuresBackOff(t *testing.T) {
	var at []time.Duration
	var w *world
	c := &customs{answer: func(handover.Parcel) (handover.Confirmation, error) {
		at = append(at, w.clock.Now().Sub(start))
		if len(at) == 5 {
			return handover.Confirmation{}, &handover.LaterError{After: 10 * time.Minute, Err: errAway}
		}
		return handover.Confirmation{}, errAway
	}}
	w = newWorld(t, handover.Options{Deliverer: c, Times: handover.Times{BackoffMax: 7 * time.Second}})
	id := w.file(w.filing("26/0001", "K0012500001"))
	for range 700 {
		w.look()
		w.clock.add(time.Second)
	}
	want := []time.Duration{0, 2, 6, 13, 20, 620, 627, 634}
	for i := range want {
		want[i] *= time.Second
	}
	if !slices.Equal(at[:len(want)], want) {
		t.Errorf("attempts at %v, want %v", at[:len(want)], want)
	}
	h := w.get(id)
	if h.State != handover.StateWaiting || h.Failures != len(at) || h.Log[0].Problem != "nobody there" {
		t.Errorf("handover: %+v", h)
	}
}

func TestLogOfAttemptsIsBounded(t *testing.T) {
	c := &customs{answer: func(handover.Parcel) (handover.Confirmation, error) { return handover.Confirmation{}, errAway }}
	w := newWorld(t, handover.Options{Deliverer: c, Times: handover.Times{BackoffMax: time.Second}})
	id := w.file(w.filing("26/0001", "K0012500001"))
	for range handover.MaxLog + 10 {
		w.look()
		w.clock.add(time.Second)
	}
	h := w.get(id)
	if len(h.Log) != handover.MaxLog || h.Attempts != handover.MaxLog+10 || !h.Log[len(h.Log)-1].Ended.Equal(w.clock.Now().Add(-time.Second)) {
		t.Errorf("%d attempts, %d in the log, the last at %s", h.Attempts, len(h.Log), h.Log[len(h.Log)-1].Ended)
	}
}

func TestOneThatFailsDoesNotKeepOthersWaiting(t *testing.T) {
	c := &customs{answer: func(p handover.Parcel) (handover.Confirmation, error) {
		if p.Declaration == "26/0001" {
			return handover.Confirmation{}, errAway
		}
		return confirmed(p), nil
	}}
	w := newWorld(t, handover.Options{Deliverer: c})
	w.file(w.filing("26/0001", "K0012500001"))
	id := w.file(w.filing("26/0002", "K0012500001"))
	w.look()
	w.look()
	if h := w.get(id); h.State != handover.StateConfirmed {
		t.Errorf("the other one: %+v", h)
	}
}

func TestRecordThatCannotBeReadKeepsNobodyWaiting(t *testing.T) {
	c := &customs{answer: func(p handover.Parcel) (handover.Confirmation, error) { return confirmed(p), nil }}
	w := newWorld(t, handover.Options{Deliverer: c})
	for _, value := range []string{`{"id":"other"}`, `[]`} {
		damaged := clearance.Docket{Kind: handover.Kind, ID: "damaged" + value, Due: start.AddDate(0, 0, -1), Value: json.RawMessage(value)}
		if err := w.store.File(t.Context(), clearance.Batch{Dockets: []clearance.Docket{damaged}}); err != nil {
			t.Fatal(err)
		}
	}
	id := w.file(w.filing("26/0001", "K0012500001"))
	w.look()
	if h := w.get(id); h.State != handover.StateConfirmed {
		t.Errorf("handover: %+v", h)
	}
}

func TestRefusedWaitsForAnOperator(t *testing.T) {
	refuses := true
	c := &customs{answer: func(p handover.Parcel) (handover.Confirmation, error) {
		if refuses {
			return handover.Confirmation{}, &handover.Refusal{Text: "declaration is not known"}
		}
		return confirmed(p), nil
	}}
	w := newWorld(t, handover.Options{Deliverer: c})
	id := w.file(w.filing("26/0001", "K0012500001"))
	w.look()
	w.clock.add(24 * time.Hour)
	w.look()
	h := w.get(id)
	if h.State != handover.StateRefused || h.Reason != "declaration is not known" || len(c.parcels()) != 1 {
		t.Fatalf("after %d deliveries: %+v", len(c.parcels()), h)
	}
	refuses = false
	if _, err := w.desk.Retry(t.Context(), "olga", id, "they know it now"); err != nil {
		t.Fatal(err)
	}
	w.look()
	h = w.get(id)
	got := c.parcels()
	if h.State != handover.StateConfirmed || got[1].Key != id+"-2" || !bytes.Equal(got[0].Content, got[1].Content) {
		t.Errorf("after retry with key %s: %+v", got[1].Key, h)
	}
	want := []string{"handover.refused by customs system", "handover.retried by olga", "handover.confirmed by customs system"}
	if got := w.events("26/0001"); !slices.Equal(got, want) {
		t.Errorf("audit log: %q", got)
	}
	if _, err := w.desk.Retry(t.Context(), "olga", id, "again"); !errors.Is(err, handover.ErrSettled) {
		t.Errorf("retry of a confirmed one: %v", err)
	}
}

func TestParcelThatCannotBeMadeIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		documents documents
		state     handover.State
		problem   string
	}{
		"for good":    {documents{&handover.Refusal{Text: "more than 1000 pages"}}, handover.StateRefused, "more than 1000 pages"},
		"for a while": {documents{errors.New("disk is slow")}, handover.StateWaiting, "certificate KR/ATIGA-D/K0012500001: rendition: disk is slow"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, handover.Options{Deliverer: &customs{}, Documents: c.documents})
			id := w.file(w.filing("26/0001", "K0012500001"))
			w.look()
			h := w.get(id)
			if h.State != c.state || !strings.Contains(h.Log[0].Problem, c.problem) || h.Parcel != nil {
				t.Errorf("handover: %+v", h)
			}
		})
	}
}

func TestConfirmationByTheAPI(t *testing.T) {
	c := &customs{}
	w := newWorld(t, handover.Options{Deliverer: c})
	id := w.file(w.filing("26/0001", "K0012500001"))
	say := func(status handover.Verdict, sum string) handover.Confirmation {
		said := handover.Confirmation{Status: status, SHA256: sum}
		if status == handover.VerdictRefused {
			said.Reason = "wrong office"
		}
		return said
	}
	none := strings.Repeat("0", 64)
	if _, err := w.desk.Confirm(t.Context(), "customs", id, say(handover.VerdictConfirmed, none)); !errors.Is(err, handover.ErrOtherContent) {
		t.Errorf("before a parcel was made: %v", err)
	}
	w.look()
	sum := w.get(id).Parcel.SHA256
	steps := []struct {
		status handover.Verdict
		sum    string
		err    error
		state  handover.State
	}{
		{handover.VerdictConfirmed, none, handover.ErrOtherContent, handover.StateDelivered},
		{handover.VerdictReceived, sum, nil, handover.StateDelivered},
		{handover.VerdictRefused, sum, nil, handover.StateRefused},
		{handover.VerdictReceived, sum, nil, handover.StateRefused},
		{handover.VerdictConfirmed, sum, nil, handover.StateConfirmed},
		{handover.VerdictConfirmed, sum, nil, handover.StateConfirmed},
		{handover.VerdictRefused, sum, handover.ErrSettled, handover.StateConfirmed},
	}
	for i, s := range steps {
		_, err := w.desk.Confirm(t.Context(), "customs", id, say(s.status, s.sum))
		if h := w.get(id); !errors.Is(err, s.err) || h.State != s.state {
			t.Errorf("step %d, %s: %v, %s", i, s.status, err, h.State)
		}
	}
	want := []string{"handover.delivered by node", "handover.refused by customs", "handover.confirmed by customs"}
	if got := w.events("26/0001"); !slices.Equal(got, want) {
		t.Errorf("audit log: %q", got)
	}
	if _, err := w.desk.Confirm(t.Context(), "customs", "ho0", say(handover.VerdictConfirmed, sum)); !errors.Is(err, clearance.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}

// The customs system confirms through the API before it has answered the delivery: the answer is of no account any more.
func TestConfirmationDuringTheDelivery(t *testing.T) {
	for name, outcome := range map[string]error{"taken": nil, "lost": errAway, "refused": &handover.Refusal{Text: "no"}} {
		t.Run(name, func(t *testing.T) {
			var w *world
			c := &customs{}
			c.answer = func(p handover.Parcel) (handover.Confirmation, error) {
				if _, err := w.desk.Confirm(t.Context(), "customs", p.ID, confirmed(p)); err != nil {
					t.Error(err)
				}
				return handover.Confirmation{}, outcome
			}
			w = newWorld(t, handover.Options{Deliverer: c})
			id := w.file(w.filing("26/0001", "K0012500001"))
			w.look()
			if h := w.get(id); h.State != handover.StateConfirmed || h.SettledBy != "customs" {
				t.Errorf("handover: %+v", h)
			}
		})
	}
}

func TestWithoutCustomsSystemParcelsAreFetched(t *testing.T) {
	w := newWorld(t, handover.Options{})
	id := w.file(w.filing("26/0001", "K0012500001"))
	early := w.file(w.filing("26/0002", "K0012500002"))
	first, err := w.desk.Fetch(t.Context(), "customs", early) // not made before
	if err != nil {
		t.Fatal(err)
	}
	w.look()
	w.clock.add(24 * time.Hour)
	w.look()
	waiting, err := w.desk.List(t.Context(), handover.Query{State: handover.StateWaiting})
	if err != nil || len(waiting) != 1 || waiting[0].ID != id || waiting[0].Parcel == nil {
		t.Fatalf("waiting: %+v, %v", waiting, err)
	}
	p, err := w.desk.Fetch(t.Context(), "customs", id)
	if err != nil {
		t.Fatal(err)
	}
	if h := w.get(id); h.State != handover.StateDelivered || h.Delivered.IsZero() {
		t.Errorf("after it was fetched: %+v", h)
	}
	again, err := w.desk.Fetch(t.Context(), "customs", early)
	if err != nil || !bytes.Equal(first.Content, again.Content) {
		t.Errorf("fetched again: other octets, %v", err)
	}
	h, err := w.desk.Confirm(t.Context(), "customs", id, confirmed(p))
	if err != nil || h.State != handover.StateConfirmed {
		t.Errorf("confirmed: %+v, %v", h, err)
	}
	if got := w.events("26/0001"); !slices.Equal(got, []string{"handover.delivered by customs", "handover.confirmed by customs"}) {
		t.Errorf("audit log: %q", got)
	}
}

// What waits to be fetched is delivered when a way to the customs system is configured.
func TestNewWayTakesWhatWaits(t *testing.T) {
	w := newWorld(t, handover.Options{})
	id := w.file(w.filing("26/0001", "K0012500001"))
	w.look()
	c := &customs{answer: func(p handover.Parcel) (handover.Confirmation, error) { return confirmed(p), nil }}
	w.reopen(handover.Options{Deliverer: c})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	c.answer = func(p handover.Parcel) (handover.Confirmation, error) {
		defer stop()
		return confirmed(p), nil
	}
	go func() {
		defer close(done)
		w.desk.Run(ctx)
	}()
	<-done
	if got := c.parcels(); len(got) != 1 || got[0].ID != id {
		t.Errorf("delivered: %+v", got)
	}
}

func TestParcelIsDroppedAfterItsTime(t *testing.T) {
	c := &customs{answer: func(p handover.Parcel) (handover.Confirmation, error) { return confirmed(p), nil }}
	w := newWorld(t, handover.Options{Deliverer: c, Times: handover.Times{Keep: time.Hour}})
	id := w.file(w.filing("26/0001", "K0012500001"))
	w.look()
	if _, err := w.desk.Parcel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	w.clock.add(time.Hour)
	w.look()
	if _, err := w.desk.Parcel(t.Context(), id); !errors.Is(err, handover.ErrDropped) {
		t.Errorf("fetched after it was dropped: %v", err)
	}
	if _, err := w.vault.Get(t.Context(), w.get(id).Parcel.SHA256); !errors.Is(err, clearance.ErrNotFound) {
		t.Errorf("octets: %v", err)
	}
	left, err := w.store.Dockets(t.Context(), clearance.DocketQuery{Kind: handover.KindContent})
	if err != nil || len(left) != 0 {
		t.Errorf("what it was made of: %d dockets, %v", len(left), err)
	}
	if h := w.get(id); h.State != handover.StateConfirmed || h.Parcel.Dropped.IsZero() {
		t.Errorf("record: %+v", h)
	}
}

// A vault that lost a parcel, or has it damaged, gets it made anew; it is handed over if its octets are the same.
func TestLostOctetsAreMadeAnew(t *testing.T) {
	c := &customs{}
	w := newWorld(t, handover.Options{Deliverer: c, Times: handover.Times{Resend: time.Hour}})
	id := w.file(w.filing("26/0001", "K0012500001"))
	w.look()
	sum := w.get(id).Parcel.SHA256
	if err := w.vault.Drop(t.Context(), sum); err != nil {
		t.Fatal(err)
	}
	w.clock.add(time.Hour)
	w.look()
	if got := c.parcels(); len(got) != 2 || got[0].SHA256 != got[1].SHA256 {
		t.Fatalf("delivered: %+v", got)
	}
	if err := w.vault.Drop(t.Context(), sum); err != nil {
		t.Fatal(err)
	}
	w.reopen(handover.Options{Deliverer: c, Documents: otherDocuments{}, Times: handover.Times{Resend: time.Hour}})
	w.clock.add(time.Hour)
	w.look()
	h := w.get(id)
	if h.State != handover.StateRefused || !strings.Contains(h.Reason, "octets were lost") || len(c.parcels()) != 2 {
		t.Fatalf("with other octets: %+v", h)
	}
	if _, err := w.desk.Retry(t.Context(), "olga", id, "disk was replaced"); err != nil {
		t.Fatal(err)
	}
	w.look()
	if got := c.parcels(); len(got) != 3 || got[2].Key == got[0].Key || got[2].SHA256 == sum {
		t.Errorf("after retry: %d deliveries, the last under %s", len(got), got[len(got)-1].Key)
	}
}

// otherDocuments prints otherwise than documents, as after the program was replaced.
type otherDocuments struct{ documents }

func (otherDocuments) Rendition(_ context.Context, c clearance.Imported) ([]byte, error) {
	return fmt.Appendf(nil, "%%PDF-2.0 %s", c.Key), nil
}

func TestOneRevisionIsHandedOverOnce(t *testing.T) {
	w := newWorld(t, handover.Options{Deliverer: &customs{}})
	f := w.filing("26/0001", "K0012500001")
	w.file(f)
	again, err := handover.Dockets(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.File(t.Context(), clearance.Batch{Dockets: again}); !errors.Is(err, clearance.ErrChanged) {
		t.Errorf("filed twice: %v", err)
	}
	f.Version, f.Revision = 2, 2
	w.file(f)
	f.Revision, f.Occasion = 3, handover.OccasionCompleted
	w.file(f)
	w.look()
	found, err := w.desk.List(t.Context(), handover.Query{Declaration: "26/0001"})
	if err != nil || len(found) != 3 {
		t.Errorf("handovers of the declaration: %d, %v", len(found), err)
	}
	found, err = w.desk.List(t.Context(), handover.Query{Certificate: w.imported("K0012500001").Key, Limit: 2})
	if err != nil || len(found) != 2 {
		t.Fatalf("handovers of the certificate: %d, %v", len(found), err)
	}
	rest, err := w.desk.List(t.Context(), handover.Query{Certificate: w.imported("K0012500001").Key, After: found[1].Number})
	if err != nil || len(rest) != 1 {
		t.Errorf("the next page: %d, %v", len(rest), err)
	}
	counts, err := w.desk.Counts(t.Context())
	if err != nil || counts[handover.StateDelivered] != 3 || counts[handover.StateWaiting] != 0 {
		t.Errorf("counts: %v, %v", counts, err)
	}
}

func TestFilingThatIsNoneIsRefused(t *testing.T) {
	w := newWorld(t, handover.Options{})
	for name, change := range map[string]func(f *handover.Filing){
		"no number":        func(f *handover.Filing) { f.Declaration = "" },
		"no version":       func(f *handover.Filing) { f.Version = 0 },
		"body of nonsense": func(f *handover.Filing) { f.Body = []byte("{") },
		"no revision":      func(f *handover.Filing) { f.Revision = 0 },
		"other occasion":   func(f *handover.Filing) { f.Occasion = "sold" },
		"too many":         func(f *handover.Filing) { f.Certificates = make([]clearance.Imported, 2001) },
	} {
		f := w.filing("26/0001", "K0012500001")
		change(&f)
		if _, err := handover.Dockets(f); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	f := w.filing("26/0001") // on guarantee: none has come
	id := w.file(f)
	if _, err := w.desk.Fetch(t.Context(), "customs", id); err != nil {
		t.Errorf("without certificates: %v", err)
	}
}

func TestRunHandsOverWhatIsFiled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		c := &customs{answer: func(p handover.Parcel) (handover.Confirmation, error) { return confirmed(p), nil }}
		w := newWorld(t, handover.Options{Deliverer: c, Times: handover.Times{Poll: time.Minute}})
		go w.desk.Run(ctx)
		synctest.Wait()
		id := w.file(w.filing("26/0001", "K0012500001"))
		w.desk.Wake()
		synctest.Wait()
		if h := w.get(id); h.State != handover.StateConfirmed {
			t.Errorf("after Wake: %+v", h)
		}
		id = w.file(w.filing("26/0002", "K0012500002"))
		time.Sleep(time.Minute)
		synctest.Wait()
		if h := w.get(id); h.State != handover.StateConfirmed {
			t.Errorf("after Poll: %+v", h)
		}
		stop()
		synctest.Wait()
		w.store.Close()
	})
}

// asking is a customs system that confirms what it was asked about, from the second delivery on: as a folder does from which a parcel seems
// to have been taken, because a delivery left its digest there and no more.
type asking struct{ customs }

func (a *asking) Inquire(_ context.Context, p handover.Parcel) (handover.Confirmation, error) {
	if len(a.parcels()) > 1 {
		return confirmed(p), nil
	}
	return handover.Confirmation{}, nil
}

// A parcel that is delivered again is not asked about before it lies there again.
func TestDeliveryThatIsLeftHalfDoneConfirmsNothing(t *testing.T) {
	c := &asking{}
	w := newWorld(t, handover.Options{Deliverer: c, Times: handover.Times{Resend: time.Hour, Inquire: time.Minute, BackoffMax: time.Minute}})
	id := w.file(w.filing("26/0001", "K0012500001"))
	w.look()
	c.answer = func(handover.Parcel) (handover.Confirmation, error) {
		return handover.Confirmation{}, errors.New("disk full")
	}
	w.clock.add(time.Hour)
	w.look()
	for range 3 {
		w.clock.add(time.Minute)
		w.look()
	}
	if h := w.get(id); h.State != handover.StateWaiting || len(c.parcels()) != 5 {
		t.Errorf("delivered %d times without success: %+v", len(c.parcels()), h)
	}
	c.answer = nil
	w.clock.add(time.Minute)
	w.look()
	if h := w.get(id); h.State != handover.StateDelivered {
		t.Errorf("delivered: %+v", h)
	}
	w.clock.add(time.Minute)
	w.look()
	if h := w.get(id); h.State != handover.StateConfirmed {
		t.Errorf("asked about: %+v", h)
	}
}

// stubborn is a vault that does not let go.
type stubborn struct{ *handover.Folder }

func (stubborn) Drop(context.Context, string) error { return errors.New("read-only") }

func TestParcelThatCannotBeDroppedKeepsNobodyWaiting(t *testing.T) {
	folder, err := handover.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := &customs{answer: func(p handover.Parcel) (handover.Confirmation, error) { return confirmed(p), nil }}
	w := newWorld(t, handover.Options{Deliverer: c, Vault: stubborn{folder}, Times: handover.Times{Keep: time.Hour}})
	w.file(w.filing("26/0001", "K0012500001"))
	w.look()
	w.clock.add(time.Hour)
	next := w.file(w.filing("26/0002", "K0012500002"))
	w.look()
	if h := w.get(next); h.State != handover.StateConfirmed {
		t.Errorf("the one after it: %+v", h)
	}
}

// Whatever a declaration may cite is handed over.
func TestAsManyCertificatesAsADeclarationMayCiteAreHandedOver(t *testing.T) {
	w := newWorld(t, handover.Options{})
	f := w.filing("26/0001", "K0012500001")
	for len(f.Certificates) < clearance.MaxCitations {
		f.Certificates = append(f.Certificates, f.Certificates[0])
	}
	if _, err := handover.Dockets(f); err != nil {
		t.Error(err)
	}
}
