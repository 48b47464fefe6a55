package ebms_test

import (
	"bufio"
	"bytes"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ecogate/ecogate/ebms"
)

// The corpora: one HTTP message a file, headers as sent and body to the byte. Lines end in CRLF.
const (
	recorded = "../testdata/messages/*.http"
	hostile  = "../testdata/hostile/ebms/*.http"
)

// instant is the clock of the tests.
func instant() time.Time { return time.Date(2026, 11, 20, 10, 15, 0, 0, time.UTC) }

// corpus returns the files that match, of which there is one at least.
func corpus(tb testing.TB, pattern string) []string {
	tb.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		tb.Fatalf("no files %s: %v", pattern, err)
	}
	return files
}

func caseName(file string) string { return strings.TrimSuffix(filepath.Base(file), ".http") }

// readHTTP reads a file of a corpus.
func readHTTP(tb testing.TB, file string) (http.Header, []byte) {
	tb.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	head, body, _ := bytes.Cut(data, []byte("\r\n\r\n"))
	if i := bytes.Index(data, []byte("\n\n")); i >= 0 && i < len(head) { // reference files have plain line ends here
		head, body = data[:i], data[i+2:]
	}
	head = append(slices.Clone(head), "\r\n\r\n"...)
	header, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(head))).ReadMIMEHeader()
	if err != nil {
		tb.Fatalf("reading header of %s: %v", file, err)
	}
	return http.Header(header), body
}

// shared finds a reference file that does not belong to the repository, and skips the test if it is not there.
func shared(tb testing.TB, name string) string {
	tb.Helper()
	path := filepath.Join("..", "..", "shared", name)
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("reference material is not there: %v", err)
	}
	return path
}

// business returns a message that uses every element that we write in a business message.
func business() *ebms.Message {
	return &ebms.Message{
		From:                 ebms.Party{IDs: []ebms.PartyID{{Type: "iso3166", Value: "VN"}, {Value: "urn:customs:vn"}}, Role: "exporter"},
		To:                   ebms.Party{IDs: []ebms.PartyID{{Type: "iso3166", Value: "TH"}}, Role: "importer"},
		CPAID:                "vn-th-1",
		ConversationID:       "conversation-7",
		Service:              ebms.Service{Type: "asw", Value: "certificate of origin"},
		Action:               "Submit",
		MessageID:            "0193f1f0-7a55-7a0b-9c55-0d9d2f4b8a11@vn.example",
		Timestamp:            instant(),
		RefToMessageID:       "earlier@th.example",
		TimeToLive:           instant().Add(4 * time.Hour),
		DuplicateElimination: true,
		Description:          "Form D <VN-TH 25/08/01234> & co",
		AckRequested:         &ebms.AckRequested{Signed: true, Actor: ebms.ActorToPartyMSH},
		SyncReply:            true,
		Manifest: []ebms.ManifestReference{
			{ID: "certificate", Href: "cid:certificate@vn.example", Role: "urn:customs:role:certificate", Description: "the certificate"},
			{Href: "cid:invoice@vn.example"},
		},
	}
}

// signalOptions are those of the importing side.
func signalOptions() ebms.SignalOptions {
	return ebms.SignalOptions{MessageID: "answer@th.example", Now: instant().Add(time.Minute), Received: instant().Add(time.Second)}
}

func envelope(tb testing.TB, m *ebms.Message) []byte {
	tb.Helper()
	out, err := m.Envelope()
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// octets returns what c holds.
func octets(tb testing.TB, c ebms.Content) []byte {
	tb.Helper()
	out, err := ebms.ReadAll(c, 0)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// equalPackages compares packages by what they hold.
var equalPackages = cmp.Options{equalContents, cmpopts.IgnoreUnexported(ebms.Package{}), cmpopts.EquateEmpty()}

// equalContents compares contents by what they hold, wherever they lie.
var equalContents = cmp.FilterValues(func(a, b ebms.Content) bool { return a != nil && b != nil }, cmp.Comparer(func(a, b ebms.Content) bool {
	x, errX := ebms.ReadAll(a, 0)
	y, errY := ebms.ReadAll(b, 0)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}))

func parse(tb testing.TB, data []byte) *ebms.Message {
	tb.Helper()
	m, err := ebms.Parse(data)
	if err != nil {
		tb.Fatalf("parsing: %v\n%s", err, data)
	}
	return m
}
