package api_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/exchange"
)

func numbers(page api.MessagePage) []uint64 {
	var n []uint64
	for _, m := range page.Messages {
		n = append(n, m.Seq)
	}
	return n
}

func TestMessagesAreFiltered(t *testing.T) {
	f := serve(t, nil)
	f.exported("A1", "out@la")          // 1
	f.imported("B1", "in@kr", "said")   // 2
	f.quarantined("in@kr", "text/html") // 3
	tests := []struct {
		name  string
		query exchange.MessageQuery
		want  []uint64
	}{
		{"all, newest first", exchange.MessageQuery{}, []uint64{3, 2, 1}},
		{"direction", exchange.MessageQuery{Direction: exchange.Outbound}, []uint64{1}},
		{"partner", exchange.MessageQuery{Partner: "KR"}, []uint64{2, 1}},
		{"state", exchange.MessageQuery{State: exchange.StateQuarantined}, []uint64{3}},
		{"kind", exchange.MessageQuery{Kind: exchange.KindCertificate}, []uint64{2, 1}},
		{"message id", exchange.MessageQuery{MessageID: "in@kr"}, []uint64{3, 2}},
		{"together", exchange.MessageQuery{MessageID: "in@kr", State: exchange.StateAccepted}, []uint64{2}},
		{"nothing", exchange.MessageQuery{Partner: "XX"}, nil},
		{"reference to a message", exchange.MessageQuery{RefToMessageID: "none"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			page, err := f.client(operatorSecret).Messages(t.Context(), test.query)
			if err != nil || !slices.Equal(numbers(page), test.want) || page.Next != 0 {
				t.Errorf("messages %v, next %d, error %v; want %v", numbers(page), page.Next, err, test.want)
			}
		})
	}
	if got := f.request(operatorSecret, "GET", "/api/v1/messages?partner=XX", ""); string(got.body) != "{\"messages\":[]}\n" {
		t.Errorf("no messages are %s, want an empty list", got.body)
	}
}

func TestMessagesArePaged(t *testing.T) {
	f := serve(t, nil)
	for i := range 5 {
		f.exported("A"+strconv.Itoa(i), "m"+strconv.Itoa(i)+"@la")
	}
	var pages [][]uint64
	query := exchange.MessageQuery{Limit: 2}
	for {
		page, err := f.client(officerSecret).Messages(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, numbers(page))
		if page.Next == 0 {
			break
		}
		query.Before = page.Next
	}
	if len(pages) != 3 || !slices.Equal(slices.Concat(pages...), []uint64{5, 4, 3, 2, 1}) {
		t.Errorf("pages = %v", pages)
	}
}

func TestMessageFiltersRefuseTypos(t *testing.T) {
	f := serve(t, nil)
	for _, query := range []string{
		"direction=in", "kind=co", "state=Failed", "limit=0", "limit=501", "limit=many", "limit=-1", "before=x", "before=-1", "stat=failed", "kind=status+requests", "state=receive",
	} {
		got := f.request(operatorSecret, "GET", "/api/v1/messages?"+query, "")
		if p := got.problem(t); got.status != http.StatusBadRequest || p.Code != api.CodeParameter || p.Detail == "" {
			t.Errorf("%s: status %d, problem %+v", query, got.status, p)
		}
	}
}

func TestMessagesAreFilteredByEveryKindAndState(t *testing.T) {
	f := serve(t, nil)
	for _, kind := range []exchange.Kind{
		exchange.KindCertificate, exchange.KindAcknowledgment, exchange.KindError, exchange.KindAnswer, exchange.KindPing, exchange.KindPong,
		exchange.KindStatusRequest, exchange.KindStatusResponse, exchange.KindUnknown,
	} {
		if _, err := f.client(operatorSecret).Messages(t.Context(), exchange.MessageQuery{Kind: kind}); err != nil {
			t.Errorf("kind %s: %v", kind, err)
		}
	}
	for _, state := range []exchange.State{
		exchange.StateQueued, exchange.StateSending, exchange.StateAwaiting, exchange.StateDelivered, exchange.StateFailed, exchange.StateExpired,
		exchange.StateCancelled, exchange.StateReceived, exchange.StateAccepted, exchange.StateQuarantined,
	} {
		if _, err := f.client(operatorSecret).Messages(t.Context(), exchange.MessageQuery{State: state}); err != nil {
			t.Errorf("state %s: %v", state, err)
		}
	}
}

func TestRawMessageComesInRanges(t *testing.T) {
	f := serve(t, nil)
	f.imported("B1", "in@kr", "said")
	got := f.request(officerSecret, "GET", "/api/v1/messages/1/raw", "", "Range", "bytes=4-5")
	if got.status != http.StatusPartialContent || string(got.body) != "of" || got.header.Get("Content-Range") != "bytes 4-5/12" {
		t.Errorf("status %d, body %q, header %v", got.status, got.body, got.header)
	}
	if got := f.request(officerSecret, "GET", "/api/v1/messages/1/raw", "", "Range", "bytes=99-"); got.status != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("beyond the end: status %d", got.status)
	}
}

func TestRefusedMessagesDoNotHideTheAcceptedOne(t *testing.T) {
	f := serve(t, nil)
	f.imported("B1", "m@kr", "said") // 1
	for range 101 {
		f.quarantined("m@kr", "text/xml")
	}
	if m, err := f.client(operatorSecret).Message(t.Context(), "m@kr"); err != nil || m.Seq != 1 {
		t.Errorf("message %d, error %v; want the accepted one, 1", m.Seq, err)
	}
}

func TestMessageIsFoundByEitherId(t *testing.T) {
	f := serve(t, nil)
	f.exported("A1", "with/slash+plus@la")     // 1
	f.quarantined("copy@kr", "text/xml")       // 2
	f.imported("B1", "copy@kr", "said")        // 3
	f.quarantined("copy@kr", "text/xml")       // 4
	f.quarantined("refused@kr", "text/xml")    // 5
	f.quarantined("refused@kr", "text/xml")    // 6
	f.imported("B2", "100%25 sure@kr", "said") // 7
	tests := []struct {
		name, id string
		want     uint64
	}{
		{"number", "3", 3},
		{"MessageId that needs escapes", "with/slash+plus@la", 1},
		{"MessageId with percent sign", "100%25 sure@kr", 7},
		{"accepted among refused", "copy@kr", 3},
		{"newest of refused", "refused@kr", 6},
		{"no such number", "99", 0},
		{"number nought", "0", 0},
		{"number nought in another spelling", "00", 0},
		{"no such MessageId", "none@kr", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, err := f.client(operatorSecret).Message(t.Context(), test.id)
			if test.want == 0 {
				if !errors.Is(err, exchange.ErrNotFound) {
					t.Errorf("error = %v, want not found", err)
				}
				return
			}
			if err != nil || m.Seq != test.want {
				t.Errorf("message %d, error %v; want %d", m.Seq, err, test.want)
			}
		})
	}
}

func TestRawMessageComesAsItTravelled(t *testing.T) {
	f := serve(t, nil)
	f.imported("B1", "in@kr", "said")
	f.quarantined("", "text/html")
	f.quarantined("", "")
	tests := []struct{ id, contentType, body, name string }{
		{"in@kr", `multipart/related; boundary="b"`, "raw of in@kr", "message-1.mime"},
		{"2", "text/html", "raw refused", "message-2.xml"},
		{"3", "application/octet-stream", "raw refused", "message-3.xml"},
	}
	for _, test := range tests {
		var body strings.Builder
		contentType, err := f.client(officerSecret).RawMessage(t.Context(), test.id, &body)
		if err != nil || contentType != test.contentType || body.String() != test.body {
			t.Errorf("%s: %q of type %q, error %v", test.id, body.String(), contentType, err)
		}
		got := f.request(officerSecret, "GET", "/api/v1/messages/"+test.id+"/raw", "")
		if got.header.Get("Content-Disposition") != "attachment; filename="+test.name || got.header.Get("X-Content-Type-Options") != "nosniff" ||
			got.header.Get("Content-Security-Policy") != "default-src 'none'; sandbox" {
			t.Errorf("%s: a browser might show it: %v", test.id, got.header)
		}
	}
	if _, err := f.client(officerSecret).RawMessage(t.Context(), "99", io.Discard); !errors.Is(err, exchange.ErrNotFound) {
		t.Errorf("error = %v, want not found", err)
	}
}
