package ebms_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/ebms"
)

// Each hostile file says in its header what it expects:
//
//	Expect          an ebXML error code, or the HTTP status with which Handler refuses it
//	Says            text that the error holds, so that the right thing was refused
//	Answer          how the sender is answered: fault (default), MustUnderstand, error, or none
//	Method          of the request; default POST
//	Limit-...       a field of Limits
//	Repeat          a number and a line: the first line of the body that is this one stands there that many times
//
// What follows is the header and the body as sent.
func TestHostileMessagesAreRefused(t *testing.T) {
	for _, file := range corpus(t, hostile) {
		t.Run(caseName(file), func(t *testing.T) {
			header, body := readHTTP(t, file)
			expect := take(header, "Expect")
			says := take(header, "Says")
			answer := take(header, "Answer")
			method := take(header, "Method")
			body = expand(t, body, take(header, "Repeat"))
			limits := takeLimits(t, header)
			told := ""
			for _, way := range ways {
				status, m, err := receive(t, way, method, header, body, limits)
				if _, isStatus := strconv.Atoi(expect); isStatus == nil {
					if strconv.Itoa(status) != expect {
						t.Errorf("%s: status %d, want %s", way.name, status, expect)
					}
					continue
				}
				var e *ebms.Error
				if !errors.As(err, &e) {
					t.Fatalf("%s: status %d, error %v; want %s", way.name, status, err, expect)
				}
				if string(e.Code) != expect || e.Severity != ebms.SeverityError || !strings.Contains(err.Error(), says) {
					t.Errorf("%s: %s %v; want %s with %q", way.name, e.Severity, err, expect, says)
				}
				if got := answered(m, err); got != answer && (answer != "" || got != "fault") {
					t.Errorf("%s: %v: answered with %s, want %q", way.name, err, got, answer)
				}
				if cause := errors.Unwrap(e); cause == nil || strings.Contains(e.Description+e.Location, cause.Error()) {
					t.Errorf("%s: the partner is told %q at %q, which repeats the cause %v", way.name, e.Description, e.Location, cause)
				}
				if told != "" && told != err.Error() {
					t.Errorf("%s: %v, but %s in another way", way.name, err, told)
				}
				told = err.Error()
			}
		})
	}
}

// ways are those in which a message can be read: it must not matter where it lies.
var ways = []way{
	{"in memory", 1 << 30, 1 << 16},
	{"from a file", 1, 1 << 16},
	{"from a file in small pieces", 1, 80},
}

type way struct {
	name   string
	spill  int64
	window int
}

// expand repeats the line of a Repeat directive.
func expand(t *testing.T, body []byte, directive string) []byte {
	t.Helper()
	if directive == "" {
		return body
	}
	number, line, _ := strings.Cut(directive, " ")
	n, err := strconv.Atoi(number)
	before, after, found := bytes.Cut(body, []byte("\r\n"+line+"\r\n"))
	if err != nil || !found {
		t.Fatalf("Repeat: %s: no such line, or no number: %v", directive, err)
	}
	return slices.Concat(before, []byte("\r\n"), bytes.Repeat([]byte(line+"\r\n"), n), after)
}

func take(h http.Header, key string) string {
	value := h.Get(key)
	h.Del(key)
	return value
}

func takeLimits(t *testing.T, h http.Header) ebms.Limits {
	number := func(key string) int {
		value := take(h, key)
		if value == "" {
			return 0
		}
		n, err := strconv.Atoi(value)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return ebms.Limits{
		Body:        int64(number("Limit-Body")),
		Parts:       number("Limit-Parts"),
		HeaderBytes: number("Limit-Header-Bytes"),
		Envelope:    int64(number("Limit-Envelope")),
	}
}

// receive takes a request through all that this package does with one. The status is 299 if Handler took it.
func receive(t *testing.T, way way, method string, header http.Header, body []byte, l ebms.Limits) (status int, m *ebms.Message, err error) {
	t.Helper()
	if method == "" {
		method = http.MethodPost
	}
	l.SpillBytes, l.SpillDir = way.spill, t.TempDir()
	h := ebms.Handler(ebms.HandlerOptions{Limits: l, Now: instant, Receive: func(_ context.Context, r ebms.Request) ebms.Reply {
		m, err = readThrough(way.window, r.ContentType, r.Body, l)
		return ebms.Reply{Status: 299}
	}})
	r := httptest.NewRequest(method, "/ebms", bytes.NewReader(body))
	r.Header = header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, m, err
}

// read is what a receiver does with a message before it asks whose it is.
func read(contentType string, body ebms.Content, l ebms.Limits) (*ebms.Message, error) {
	return readThrough(1<<16, contentType, body, l)
}

func readThrough(window int, contentType string, body ebms.Content, l ebms.Limits) (*ebms.Message, error) {
	p, err := ebms.ReadPackageThrough(window, contentType, body, l)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	m, err := ebms.Parse(p.Envelope)
	if err != nil {
		return m, err
	}
	return m, p.CheckManifest(m)
}

// answered tells how the sender of a bad message is answered.
func answered(m *ebms.Message, err error) string {
	var must *ebms.MustUnderstandError
	if errors.As(err, &must) {
		return "MustUnderstand"
	}
	if m == nil {
		return "fault"
	}
	if ebms.NewMessageError(m, ebms.NewErrorList(ebms.AsError(err)), signalOptions()) == nil {
		return "none"
	}
	return "error"
}

func TestParseBoundsTheNumberOfTags(t *testing.T) {
	bomb := "<a>" + strings.Repeat("<b/>", 40_000) + "</a>"
	if _, err := ebms.Parse([]byte(bomb)); err == nil || !strings.Contains(err.Error(), "more than 40000 tags") {
		t.Errorf("error %v", err)
	}
	large := "<a>" + strings.Repeat(" ", 5<<20) + "</a>"
	if _, err := ebms.Parse([]byte(large)); err == nil || !strings.Contains(err.Error(), "is over") {
		t.Errorf("error %v", err)
	}
}

// A reader that looks every name up from the root, or compares whole namespace names, needs seconds for each of these.
func TestParseTakesNamesThatMultiply(t *testing.T) {
	attributes := func(prefix string) string {
		var b strings.Builder
		for i := range 60 {
			fmt.Fprintf(&b, ` %sa%d=""`, prefix, i)
		}
		return b.String()
	}
	const head = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" `
	for _, test := range []struct{ name, envelope, says string }{
		{"long namespace name", head + `xmlns:x="urn:` + strings.Repeat("x", 500_000) + `">` + strings.Repeat("<a"+attributes("x:")+"/>", 1000), "namespace name of more than"},
		{"long attribute names", head + ">" + strings.Repeat("<a "+strings.Repeat("x", 10_000)+`=""/>`, 50), "attribute name of more than"},
		{"deep scopes", head + `xmlns:p="urn:p"><s:Header>` + strings.Repeat("<b"+attributes("")+">", 58) + strings.Repeat("<a"+attributes("p:")+"/>", 1500) +
			strings.Repeat("</b>", 58) + "</s:Header><s:Body/></s:Envelope>", "no MessageHeader"},
		{"text in pieces", head + "><s:Header>" + strings.Repeat("<!---->"+strings.Repeat("x", 40), 15_000) + "</s:Header><s:Body/></s:Envelope>", "between elements"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if m, err := ebms.Parse([]byte(test.envelope)); m != nil || err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want %q", err, test.says)
			}
		})
	}
}

func TestReadPackageBoundsTheBody(t *testing.T) {
	_, err := ebms.ReadPackage("text/xml", ebms.Bytes(make([]byte, 101)), ebms.Limits{Body: 100})
	if err == nil || !strings.Contains(err.Error(), "over the limit of 100 (Limits.Body)") {
		t.Errorf("error %v", err)
	}
}

// A bomb of twice the size may take twice the memory and no more: allocations are counted, since a clock tells nothing.
func TestBombsTakeMemoryInProportion(t *testing.T) {
	for _, file := range corpus(t, "../testdata/hostile/ebms/bomb-*.http") {
		t.Run(caseName(file), func(t *testing.T) {
			header, body := readHTTP(t, file)
			directive := take(header, "Repeat")
			number, line, _ := strings.Cut(directive, " ")
			n, err := strconv.Atoi(number)
			if err != nil {
				t.Fatal(err)
			}
			contentType := header.Get("Content-Type")
			taken := func(n int) (allocations, octets float64) {
				bomb := expand(t, body, strconv.Itoa(n)+" "+line)
				return testing.AllocsPerRun(3, func() { _, _ = read(contentType, ebms.Bytes(bomb), ebms.Limits{Body: 1 << 30}) }), float64(len(bomb))
			}
			half, _ := taken(n / 2)
			whole, size := taken(n)
			if whole > 2.2*half+500 {
				t.Errorf("%.0f allocations, %.0f for half of it", whole, half)
			}
			if whole > 2*size {
				t.Errorf("%.0f allocations for %.0f bytes", whole, size)
			}
		})
	}
}
