package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/handover"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/store/bolt"
)

// plainDocuments renders and reports in a few words, or not.
type plainDocuments struct{ err error }

func (d plainDocuments) Rendition(_ context.Context, c clearance.Imported) ([]byte, error) {
	return []byte("%PDF " + c.Key.Reference), d.err
}

func (d plainDocuments) Report(_ context.Context, c clearance.Imported, _ time.Time) ([]byte, error) {
	return fmt.Appendf(nil, "{%q:%q}", "certificate", c.Key), d.err
}

// handovers is a desk from which the customs system fetches.
func handovers(t *testing.T, store *bolt.Store, err error) *handover.Desk {
	t.Helper()
	vault, opened := handover.OpenFolder(t.TempDir())
	if opened != nil {
		t.Fatal(opened)
	}
	desk, made := handover.New(handover.Options{Store: store, Vault: vault, Documents: plainDocuments{err}, Now: func() time.Time { return now }})
	if made != nil {
		t.Fatal(made)
	}
	return desk
}

// handedOver files a handover of a declaration on guarantee, and returns its id.
func (f *fixture) handedOver(declaration string) string {
	f.t.Helper()
	dockets, err := handover.Dockets(handover.Filing{
		Declaration: declaration, Version: 1, Revision: 1, Occasion: handover.OccasionAccepted, At: now, Body: json.RawMessage(`{}`),
	})
	if err == nil {
		err = f.store.File(f.t.Context(), clearance.Batch{Dockets: dockets})
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return dockets[0].ID
}

func TestCustomsSystemFetchesAndConfirms(t *testing.T) {
	f := serve(t, nil)
	customs := f.client(customsSecret)
	var ids []string
	for n := range 3 {
		ids = append(ids, f.handedOver(fmt.Sprintf("26/%d", n)))
	}
	var listed []string
	for q := (handover.Query{Limit: 2, State: handover.StateWaiting}); ; {
		page, err := customs.Handovers(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range page.Handovers {
			listed = append(listed, h.ID)
		}
		if q.After = page.Next; q.After == 0 {
			break
		}
	}
	if !slices.Equal(listed, ids) {
		t.Errorf("waiting: %q, want %q", listed, ids)
	}
	content, err := customs.Parcel(t.Context(), ids[0])
	if err != nil {
		t.Fatal(err)
	}
	h, err := customs.Handover(t.Context(), ids[0])
	if err != nil || h.State != handover.StateDelivered || h.Parcel.SHA256 != digest(content) {
		t.Fatalf("fetched: %+v, %v", h, err)
	}
	for range 2 { // it may be said again
		h, err = customs.ConfirmHandover(t.Context(), ids[0], handover.Confirmation{Status: handover.VerdictConfirmed, SHA256: digest(content), Reference: "C-1"})
		if err != nil || h.State != handover.StateConfirmed || h.SettledBy != "clearance" || h.Reference != "C-1" {
			t.Errorf("confirmed: %+v, %v", h, err)
		}
	}
	got, err := f.client(officerSecret).Handovers(t.Context(), handover.Query{Declaration: "26/0"})
	if err != nil || len(got.Handovers) != 1 || got.Handovers[0].State != handover.StateConfirmed {
		t.Errorf("by declaration: %+v, %v", got, err)
	}
	none, err := customs.Handovers(t.Context(), handover.Query{Certificate: clearance.Key{Country: "KR", Form: "AK", Reference: "K1"}})
	if err != nil || len(none.Handovers) != 0 {
		t.Errorf("by certificate: %+v, %v", none, err)
	}
}

// An officer or operator who looks takes nothing away from the customs system.
func TestOthersLookWithoutFetching(t *testing.T) {
	f := serve(t, nil)
	id := f.handedOver("26/1")
	if _, err := f.client(officerSecret).Parcel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if h, err := f.client(operatorSecret).Handover(t.Context(), id); err != nil || h.State != handover.StateWaiting {
		t.Errorf("after an officer looked: %+v, %v", h, err)
	}
}

func TestParcelAsItIsServed(t *testing.T) {
	f := serve(t, nil)
	id := f.handedOver("26/1")
	got := f.request(customsSecret, "GET", "/api/v1/handovers/"+id, "")
	if got.status != http.StatusOK || got.header.Get("Content-Type") != "application/zip" || got.header.Get("Idempotency-Key") != `"`+id+`"` ||
		got.header.Get("ETag") != `"`+digest(got.body)+`"` || !strings.Contains(got.header.Get("Content-Disposition"), id+".zip") {
		t.Errorf("%d %v", got.status, got.header)
	}
	part := f.request(customsSecret, "GET", "/api/v1/handovers/"+id, "", "Range", "bytes=0-1")
	if part.status != http.StatusPartialContent || string(part.body) != "PK" {
		t.Errorf("range: %d %q", part.status, part.body)
	}
}

func TestRefusedConfirmations(t *testing.T) {
	f := serve(t, nil)
	id := f.handedOver("26/1")
	customs, operator := f.client(customsSecret), f.client(operatorSecret)
	content, err := customs.Parcel(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	sum := digest(content)
	other := strings.Repeat("0", 64)
	for _, c := range []struct {
		name, id, body string
		want           api.Code
	}{
		{"unknown", "ho0", `{"status":"confirmed","sha256":"` + sum + `"}`, api.CodeNotFound},
		{"other octets", id, `{"status":"confirmed","sha256":"` + other + `"}`, api.CodeOtherParcel},
		{"no digest", id, `{"status":"confirmed"}`, api.CodeMalformed},
		{"said twice", id, `{"status":"refused","reason":"no","status":"confirmed","sha256":"` + sum + `"}`, api.CodeMalformed},
		{"nonsense", id, `[]`, api.CodeMalformed},
	} {
		if got := f.request(customsSecret, "POST", "/api/v1/handovers/"+c.id+"/confirm", c.body).problem(t); got.Code != c.want {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	if got := f.request(customsSecret, "POST", "/api/v1/handovers/"+id+"/confirm", "x", "Content-Type", "text/plain").problem(t); got.Code != api.CodeMediaType {
		t.Errorf("other media type: %+v", got)
	}
	refused, err := customs.ConfirmHandover(t.Context(), id, handover.Confirmation{Status: handover.VerdictRefused, SHA256: sum, Reason: "unknown office"})
	if err != nil || refused.State != handover.StateRefused || refused.Reason != "unknown office" {
		t.Errorf("refused: %+v, %v", refused, err)
	}
	again, err := operator.RetryHandover(t.Context(), id, "they know it now")
	if err != nil || again.State != handover.StateWaiting || again.Round != 2 {
		t.Errorf("retried: %+v, %v", again, err)
	}
	if _, err := customs.Parcel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := operator.ConfirmHandover(t.Context(), id, handover.Confirmation{Status: handover.VerdictConfirmed, SHA256: sum}); err != nil {
		t.Fatal(err)
	}
	if _, err := operator.RetryHandover(t.Context(), id, ""); !errors.Is(err, handover.ErrSettled) {
		t.Errorf("retry of a confirmed one: %v", err)
	}
	if _, err := operator.RetryHandover(t.Context(), "ho0", ""); !errors.Is(err, exchange.ErrNotFound) {
		t.Errorf("retry of none: %v", err)
	}
	if _, err := operator.Handover(t.Context(), "ho0"); !errors.Is(err, exchange.ErrNotFound) {
		t.Errorf("record of none: %v", err)
	}
	if _, err := operator.Parcel(t.Context(), "ho0"); !errors.Is(err, exchange.ErrNotFound) {
		t.Errorf("parcel of none: %v", err)
	}
}

func TestParcelThatCannotBeMade(t *testing.T) {
	f := serve(t, func(o *api.Options) {
		o.Handovers = handovers(t, o.Store.(*bolt.Store), &handover.Refusal{Text: "more than 1000 pages"})
	})
	f.imported("B1", "in@kr", "said")
	found, err := f.store.Imported(t.Context(), clearance.ImportedQuery{Reference: "B1"})
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	dockets, err := handover.Dockets(handover.Filing{
		Declaration: "26/1", Version: 1, Revision: 1, Occasion: handover.OccasionAccepted, At: now, Body: json.RawMessage(`{}`), Certificates: found,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.store.File(t.Context(), clearance.Batch{Dockets: dockets}); err != nil {
		t.Fatal(err)
	}
	got := f.request(customsSecret, "GET", "/api/v1/handovers/"+dockets[0].ID, "").problem(t)
	if got.Code != api.CodeNotMade || !strings.Contains(got.Detail, "1000 pages") {
		t.Errorf("%+v", got)
	}
}

func TestHandoverFiltersThatAreNone(t *testing.T) {
	f := serve(t, nil)
	for _, query := range []string{"state=lost", "limit=0", "limit=9999999", "after=x", "certificate=K1", "state=waiting&declaration=1", "declaration=1&certificate=KR/AK/1", "other=1"} {
		if got := f.request(customsSecret, "GET", "/api/v1/handovers?"+query, "").problem(t); got.Code != api.CodeParameter {
			t.Errorf("%s: %+v", query, got)
		}
	}
}
