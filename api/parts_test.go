package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
)

// envelope names two payloads.
const envelope = `<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:eb="http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd">` +
	`<S:Header><eb:MessageHeader S:mustUnderstand="1" eb:version="2.0"><eb:From><eb:PartyId>urn:kr</eb:PartyId></eb:From><eb:To><eb:PartyId>urn:la</eb:PartyId></eb:To>` +
	`<eb:CPAId>a</eb:CPAId><eb:ConversationId>c</eb:ConversationId><eb:Service>urn:s</eb:Service><eb:Action>Submit</eb:Action>` +
	`<eb:MessageData><eb:MessageId>in@kr</eb:MessageId><eb:Timestamp>2026-11-20T08:30:00Z</eb:Timestamp></eb:MessageData></eb:MessageHeader></S:Header>` +
	`<S:Body><eb:Manifest eb:version="2.0"><eb:Reference xlink:type="simple" xlink:href="cid:co@kr"/>` +
	`<eb:Reference xlink:type="simple" xlink:href="cid:page@kr"><eb:Description xml:lang="en">%s</eb:Description></eb:Reference></eb:Manifest></S:Body></S:Envelope>`

// withParts is an API over a real node, with message 1 that holds a document and a web page under a name.
func withParts(t *testing.T, name string, adjust func(*api.Options)) *fixture {
	t.Helper()
	f := serve(t, func(o *api.Options) {
		registry, err := partners.New(partners.Config{Node: partners.NodeConfig{ID: "la", Country: "LA", PartyIDs: []partners.PartyID{{Value: "urn:la"}}}})
		if err != nil {
			t.Fatal(err)
		}
		store, ok := o.Store.(exchange.Store)
		if !ok {
			t.Fatal("the fixture's store is not a whole one")
		}
		node, err := exchange.New(exchange.Options{Store: store, Registry: registry, Now: o.Now})
		if err != nil {
			t.Fatal(err)
		}
		o.Operator = node
		if adjust != nil {
			adjust(o)
		}
	})
	body := "--b\r\nContent-Type: text/xml; charset=UTF-8\r\nContent-ID: <envelope@kr>\r\n\r\n" + fmt.Sprintf(envelope, name) +
		"\r\n--b\r\nContent-Type: application/xml\r\nContent-ID: <co@kr>\r\n\r\n<document/>" +
		"\r\n--b\r\nContent-Type: text/html\r\nContent-ID: <page@kr>\r\nContent-Transfer-Encoding: base64\r\n\r\nPHNjcmlwdD4=\r\n--b--\r\n"
	f.accept(exchange.Arrival{
		Message: exchange.Message{
			Direction: exchange.Inbound, Kind: exchange.KindCertificate, State: exchange.StateAccepted, MessageID: "in@kr", Partner: "KR", Created: now,
			Content: "said", ContentType: `multipart/related; type="text/xml"; boundary="b"; start="<envelope@kr>"`,
		},
		Raw: ebms.Bytes([]byte(body)),
	})
	return f
}

func TestPartsAreListed(t *testing.T) {
	f := withParts(t, "invoice.html", nil)
	list, err := f.client(officerSecret).Parts(t.Context(), "in@kr")
	if err != nil || len(list) != 2 {
		t.Fatalf("parts %+v, error %v", list, err)
	}
	if p := list[0]; p.ContentID != "co@kr" || p.ContentType != "application/xml" || p.Size != 11 || p.Name != "" {
		t.Errorf("part 1 = %+v", p)
	}
	if p := list[1]; p.ContentID != "page@kr" || p.ContentType != "text/html" || p.Size != 8 || p.Name != "invoice.html" {
		t.Errorf("part 2 = %+v", p)
	}
}

func TestPartsAreForDownloadOnly(t *testing.T) {
	tests := []struct{ name, said, want string }{
		{"file name", "invoice.html", `attachment; filename=invoice.html`},
		{"path", "../../../home/officer/.profile", `attachment; filename=.profile`},
		{"quotes", "a&quot;; x=&quot;b", `attachment; filename="a\"; x=\"b"`},
		{"other letters", "ใบ.html", `attachment; filename*=utf-8''%E0%B9%83%E0%B8%9A.html`},
		{"turned direction", "invoice\u202elmth.exe", `attachment; filename=message-1-part-2`},
		{"long", strings.Repeat("x", 256), `attachment; filename=message-1-part-2`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := withParts(t, test.said, nil)
			got := f.request(officerSecret, "GET", "/api/v1/messages/1/parts/2", "")
			if got.status != 200 || string(got.body) != "<script>" || got.header.Get("Content-Type") != "text/html" {
				t.Fatalf("status %d, body %s, type %s", got.status, got.body, got.header.Get("Content-Type"))
			}
			if got.header.Get("Content-Disposition") != test.want || got.header.Get("X-Content-Type-Options") != "nosniff" ||
				got.header.Get("Content-Security-Policy") != "default-src 'none'; sandbox" {
				t.Errorf("a browser might show it: %v", got.header)
			}
			var part strings.Builder
			if contentType, err := f.client(officerSecret).Part(t.Context(), "in@kr", 2, &part); err != nil || part.String() != "<script>" || contentType != "text/html" {
				t.Errorf("client: %q of type %q, error %v", part.String(), contentType, err)
			}
		})
	}
}

func TestPartsComeInRangesAndConditionally(t *testing.T) {
	f := withParts(t, "x", nil)
	first := f.request(officerSecret, "GET", "/api/v1/messages/1/parts/1", "", "Range", "bytes=1-8")
	if first.status != http.StatusPartialContent || string(first.body) != "document" {
		t.Errorf("range: status %d, body %s", first.status, first.body)
	}
	tag := first.header.Get("ETag")
	if got := f.request(officerSecret, "GET", "/api/v1/messages/1/parts/1", "", "If-None-Match", tag); got.status != http.StatusNotModified {
		t.Errorf("the same part again: status %d", got.status)
	}
	if got := f.request(officerSecret, "GET", "/api/v1/messages/1/parts/2", "", "If-None-Match", tag); got.status != 200 {
		t.Errorf("another part under the tag %s: status %d", tag, got.status)
	}
}

func TestPartsThatAreNotThere(t *testing.T) {
	f := withParts(t, "x", nil)
	f.quarantined("", "image/png")
	for _, n := range []string{"0", "3", "-1", "x", "1x", "99999999999999999999", "%2F"} {
		got := f.request(officerSecret, "GET", "/api/v1/messages/1/parts/"+n, "")
		if p := got.problem(t); got.status != 404 || p.Code != api.CodeNotFound {
			t.Errorf("part %s: status %d, problem %+v", n, got.status, p)
		}
	}
	if _, err := f.client(officerSecret).Parts(t.Context(), "99"); !errors.Is(err, exchange.ErrNotFound) {
		t.Errorf("parts of no message: %v", err)
	}
	for _, path := range []string{"/api/v1/messages/2/parts", "/api/v1/messages/2/parts/1"} {
		got := f.request(officerSecret, "GET", path, "")
		if p := got.problem(t); got.status != 422 || p.Code != api.CodeUnreadable {
			t.Errorf("%s, which is no message: status %d, problem %+v", path, got.status, p)
		}
	}
}

// vast is a store of one message that takes hours even at the least rate.
type vast struct{ api.Reader }

const vastSize = 1 << 40

func (vast) Messages(context.Context, exchange.MessageQuery) ([]exchange.Message, error) {
	return []exchange.Message{{Seq: 1, Raw: exchange.RawRef{Digest: "ab", Size: vastSize}}}, nil
}

func (vast) Raw(context.Context, exchange.RawRef) (exchange.Content, error) {
	return endless(vastSize), nil
}

// A client that stops taking what it asked for is let go when it has fallen behind, not when all could have come.
func TestSlowDownloadsAreLetGo(t *testing.T) {
	f := serve(t, func(o *api.Options) { o.Store, o.Timeout, o.MinRate = vast{}, 300*time.Millisecond, 64<<20 })
	conn, err := net.Dial("tcp", f.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /api/v1/messages/1/raw HTTP/1.1\r\nHost: node\r\nConnection: close\r\nAuthorization: Bearer %s\r\n\r\n", officerSecret)
	if _, err := io.ReadFull(conn, make([]byte, 12)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.server.Close() // returns when the handler has given up
	}()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		conn.Close()
		<-ended
		t.Error("the handler goes on")
	}
}
