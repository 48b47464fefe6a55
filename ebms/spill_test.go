package ebms_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/internal/peertest"
)

var textXML = http.Header{"Content-Type": {"text/xml"}}

func TestHandlerKeepsALargeBodyInAFileWithoutAName(t *testing.T) {
	for _, test := range []struct {
		name string
		size int
		file bool
	}{
		{"empty", 0, false},
		{"at the limit", 1000, false},
		{"over the limit", 1001, true},
		{"far over the limit", 1_000_000, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			want := bytes.Repeat([]byte("x"), test.size)
			var after ebms.Content
			h := ebms.Handler(ebms.HandlerOptions{
				Limits: ebms.Limits{SpillBytes: 1000, SpillDir: dir}, Now: instant,
				Receive: func(_ context.Context, r ebms.Request) ebms.Reply {
					if names, err := filepath.Glob(filepath.Join(dir, "*")); len(names) > 0 || err != nil {
						t.Errorf("a crash would leave %v, %v", names, err)
					}
					if !bytes.Equal(octets(t, r.Body), want) {
						t.Errorf("%d bytes were received, want %d as sent", r.Body.Size(), len(want))
					}
					after = r.Body
					return ebms.Reply{Status: 204}
				},
			})
			if got := peertest.Fire(h, textXML, want); got.Status != 204 {
				t.Fatalf("status %d", got.Status)
			}
			if _, err := ebms.ReadAll(after, 0); errors.Is(err, os.ErrClosed) != test.file {
				t.Errorf("after Receive the body reads %v; want it closed: %v", err, test.file)
			}
		})
	}
}

func TestHandlerHandsOnTheBeginningOfARefusedBodyInAFile(t *testing.T) {
	var kept []byte
	h := ebms.Handler(ebms.HandlerOptions{
		Limits: ebms.Limits{Body: 200_000, SpillBytes: 1, SpillDir: t.TempDir()}, Now: instant,
		Receive: func(context.Context, ebms.Request) ebms.Reply { return ebms.Reply{Status: 204} },
		Refused: func(_ context.Context, r ebms.Request, _ *ebms.RefusedError) { kept = octets(t, r.Body) },
	})
	request := httptest.NewRequest(http.MethodPost, "/ebms", io.MultiReader(strings.NewReader(strings.Repeat("x", 300_000))))
	request.ContentLength = -1
	request.Header.Set("Content-Type", "text/xml")
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, request)
	if answer.Code != 413 || len(kept) != 64<<10 {
		t.Errorf("answered %d and kept %d bytes; want 413 and 64 KiB", answer.Code, len(kept))
	}
}

// Where a body cannot be kept, the message is not to blame.
func TestHandlerAsksToComeAgainIfABodyCannotBeKept(t *testing.T) {
	var told error
	h := ebms.Handler(ebms.HandlerOptions{
		Limits: ebms.Limits{SpillBytes: 10, SpillDir: filepath.Join(t.TempDir(), "missing")}, Now: instant,
		Receive: func(context.Context, ebms.Request) ebms.Reply {
			t.Error("a body that is not whole was received")
			return ebms.Reply{Status: 204}
		},
		Refused:     func(context.Context, ebms.Request, *ebms.RefusedError) { t.Error("the message is refused") },
		Unavailable: func(_ context.Context, err error) { told = err },
	})
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("more than ten bytes"))
	r.Header.Set("Content-Type", "text/xml")
	h.ServeHTTP(w, r)
	if w.Code != 503 || w.Header().Get("Retry-After") != "60" || !errors.Is(told, os.ErrNotExist) {
		t.Errorf("status %d, Retry-After %q, told %v", w.Code, w.Header().Get("Retry-After"), told)
	}
}

// encodedType is the Content-Type of an encodedBody.
const encodedType = "multipart/related; boundary=b"

// encodedBody is a message with one part in this encoding.
func encodedBody(encoding, content string) []byte {
	return []byte("--b\r\nContent-Type: text/xml\r\n\r\n<a/>\r\n--b\r\nContent-Type: text/plain\r\nContent-ID: <p>\r\n" +
		"Content-Transfer-Encoding: " + encoding + "\r\n\r\n" + content + "\r\n--b--")
}

func TestPackageGivesItsFileBackWhenClosed(t *testing.T) {
	body := encodedBody("base64", strings.Repeat("QUJD\r\n", 1000))
	for _, spill := range []int64{1, 2999, 3000} {
		dir := t.TempDir()
		p, err := ebms.ReadPackage(encodedType, ebms.Bytes(body), ebms.Limits{SpillBytes: spill, SpillDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if names, err := filepath.Glob(filepath.Join(dir, "*")); len(names) > 0 || err != nil {
			t.Errorf("a crash would leave %v, %v", names, err)
		}
		if got := octets(t, p.Parts[0].Content); string(got) != strings.Repeat("ABC", 1000) {
			t.Errorf("content of %d bytes differs", len(got))
		}
		for range 2 {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := ebms.ReadAll(p.Parts[0].Content, 0); errors.Is(err, os.ErrClosed) != (spill < 3000) {
			t.Errorf("after Close the part reads %v with %d bytes in memory", err, spill)
		}
	}
	if err := new(ebms.Package).Close(); err != nil {
		t.Error(err)
	}
}

// Many parts that fit into memory one by one do not fit all together.
func TestDecodedPartsShareTheMemory(t *testing.T) {
	var body strings.Builder
	body.WriteString("--b\r\nContent-Type: text/xml\r\n\r\n<a/>")
	for i := range 10 {
		fmt.Fprintf(&body, "\r\n--b\r\nContent-Type: text/plain\r\nContent-ID: <%d>\r\nContent-Transfer-Encoding: base64\r\n\r\n%s", i, strings.Repeat("QUJD", i+1))
	}
	body.WriteString("\r\n--b--")
	p, err := ebms.ReadPackage("multipart/related; boundary=b", ebms.Bytes([]byte(body.String())), ebms.Limits{SpillBytes: 20, SpillDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range p.Parts {
		if got := octets(t, part.Content); string(got) != strings.Repeat("ABC", i+1) {
			t.Errorf("part %d is %q", i, got)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	inMemory := 0
	for _, part := range p.Parts {
		if got, err := ebms.ReadAll(part.Content, 0); err == nil {
			inMemory += len(got)
		}
	}
	if inMemory == 0 || inMemory > 20 {
		t.Errorf("%d bytes were in memory, want 20 at most", inMemory)
	}
}

// failing is Content of which the octets from a place on cannot be read.
type failing struct {
	ebms.Content
	from int64
}

var errDisk = errors.New("disk is gone")

func (f failing) ReadAt(p []byte, offset int64) (int, error) {
	if offset+int64(len(p)) > f.from {
		return 0, errDisk
	}
	return f.Content.ReadAt(p, offset)
}

// Whoever cannot read the message does not know what is wrong with it, and must not refuse it.
func TestReadPackageDoesNotBlameTheMessageForTheStorage(t *testing.T) {
	body := encodedBody("base64", strings.Repeat("QUJD\r\n", 1000))
	for from := int64(0); from < int64(len(body)); from += 40 {
		_, err := ebms.ReadPackageThrough(80, encodedType, failing{ebms.Bytes(body), from}, ebms.Limits{})
		var e *ebms.Error
		if errors.As(err, &e) || !errors.Is(err, errDisk) {
			t.Fatalf("unreadable from %d on: %v", from, err)
		}
	}
	_, err := ebms.ReadPackage("text/xml", failing{ebms.Bytes([]byte("<a/>")), 1}, ebms.Limits{})
	if !errors.Is(err, errDisk) {
		t.Errorf("envelope: %v", err)
	}
	_, err = ebms.ReadPackage(encodedType, ebms.Bytes(body), ebms.Limits{SpillBytes: 1, SpillDir: filepath.Join(t.TempDir(), "missing")})
	var e *ebms.Error
	if errors.As(err, &e) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	p := &ebms.Package{Parts: []ebms.Part{{ContentID: "p", ContentType: "text/plain", Content: failing{ebms.Bytes(body), 1}}}}
	if _, _, err := p.Pack("b"); !errors.Is(err, errDisk) {
		t.Errorf("packing: %v", err)
	}
}

// Encoded content says the same however it is cut into pieces.
func TestTransferEncodingsDoNotDependOnThePieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		encoding := rapid.SampledFrom([]string{"base64", "quoted-printable"}).Draw(t, "encoding")
		pieces := map[string][]string{
			"base64":           {"QUJD", "QQ==", "QUI=", "Q", "=", "\r\n", " ", "\t", "\n", strings.Repeat("QUJD", 3000)},
			"quoted-printable": {"a", "=41", "=", "=4", " ", "\t", "\r\n", "\r", "=\r\n", strings.Repeat(" ", 100), "~"},
		}[encoding]
		content := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 20).Draw(t, "content"), "")
		body := encodedBody(encoding, content)
		want, wantErr := ebms.ReadPackage(encodedType, ebms.Bytes(body), ebms.Limits{})
		window := rapid.IntRange(10, 100).Draw(t, "window")
		got, err := ebms.ReadPackageThrough(window, encodedType, outside{ebms.Bytes(body)}, ebms.Limits{SpillBytes: 7})
		if fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Fatalf("%v, but %v in memory", err, wantErr)
		}
		if err != nil {
			return
		}
		defer got.Close()
		x, errX := ebms.ReadAll(want.Parts[0].Content, 0)
		y, errY := ebms.ReadAll(got.Parts[0].Content, 0)
		if !bytes.Equal(x, y) || errX != nil || errY != nil {
			t.Fatalf("%q, %v; but %q, %v in memory", y, errY, x, errX)
		}
	})
}

// Padding ends the content, even if it is where a decoder takes a breath.
func TestBase64EndsAtItsPadding(t *testing.T) {
	for _, groups := range []int{0, 1, 1022, 1023, 1024, 1025, 2047, 2048} {
		for _, test := range []struct {
			end string
			ok  bool
		}{{"QQ==", true}, {"QQ==QUJD", false}, {"QQ==Q", false}, {"QUJD ", true}, {"QUJD QUJD", false}} {
			body := encodedBody("base64", strings.Repeat("QUJD", groups)+test.end)
			p, err := ebms.ReadPackage(encodedType, ebms.Bytes(body), ebms.Limits{})
			if (err == nil) != test.ok || test.ok && p.Parts[0].Content.Size() < int64(3*groups) {
				t.Fatalf("%d groups and %q: %v", groups, test.end, err)
			}
		}
	}
}

// White space of several octets may be cut in two by a window.
func TestWhiteSpaceAroundTheBoundariesMayBeLong(t *testing.T) {
	for shift := range 5 {
		space := strings.Repeat(" ", shift) + strings.Repeat("\u2003", 200)
		body := space + "\r\n--b   " + strings.Repeat("\t", 200) + "\r\nContent-Type: text/xml\r\n\r\n<a/>\r\n--b--" + strings.Repeat(" ", 200) + "\r\n" + space
		for _, test := range []struct{ name, body, says string }{
			{"nothing else", body, ""},
			{"junk before", "\u2003x" + body, "before the first boundary"},
			{"junk after", body + "x\u2003", `"x" after the last boundary`},
			{"junk on the line", strings.Replace(body, "\t\r\n", "\tx\r\n", 1), "boundary is followed by"},
		} {
			_, err := ebms.ReadPackageThrough(80, "multipart/related; boundary=b", outside{ebms.Bytes([]byte(test.body))}, ebms.Limits{})
			if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%s, shifted by %d: %v, want %q", test.name, shift, err, test.says)
			}
		}
	}
}

// outside is Content of which nobody knows that it lies in memory.
type outside struct{ ebms.Content }

func TestPackedBodyCanBeReadAnywhere(t *testing.T) {
	p := ownPackage(t)
	p.Parts[0].Content = outside{p.Parts[0].Content}
	p.Parts = append(p.Parts, ebms.Part{ContentID: "empty", ContentType: "text/plain"})
	_, body, err := p.Pack("0193f1f0")
	if err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(ebms.NewReader(body), octets(t, body)); err != nil {
		t.Error(err)
	}
	if _, err := body.ReadAt(make([]byte, 1), -1); err == nil || err == io.EOF {
		t.Errorf("before the beginning: %v", err)
	}
}

func TestPackFindsTheBoundaryAnywhereInTheContent(t *testing.T) {
	const window = 64 << 10
	for _, at := range []int{0, window - 5, window - 1, window, 3*window - 3, 4*window - 10} {
		content := make([]byte, 4*window)
		copy(content[at:], "--boundary")
		p := &ebms.Package{Parts: []ebms.Part{{ContentID: "p", ContentType: "text/plain", Content: outside{ebms.Bytes(content)}}}}
		if _, _, err := p.Pack("boundary"); err == nil || !strings.Contains(err.Error(), "contains the boundary") {
			t.Errorf("boundary at %d: %v", at, err)
		}
	}
}

func TestManifestOfAThousandParts(t *testing.T) {
	p := &ebms.Package{Envelope: []byte("<a/>")}
	m := &ebms.Message{}
	for i := range 1000 {
		id := fmt.Sprintf("part-%d%%@vn.example", i)
		p.Parts = append(p.Parts, ebms.Part{ContentID: id, ContentType: "text/plain", Content: ebms.Bytes([]byte(id))})
		m.Manifest = append(m.Manifest, ebms.ManifestReference{Href: ebms.CIDToHref(id)})
	}
	contentType, body, err := p.Pack("boundary")
	if err != nil {
		t.Fatal(err)
	}
	read, err := ebms.ReadPackage(contentType, body, ebms.Limits{Parts: 1001})
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*ebms.Package{"made by hand": p, "read": read} {
		if err := p.CheckManifest(m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		more := &ebms.Message{Manifest: append(m.Manifest[:999:999], m.Manifest[0])}
		if err := p.CheckManifest(more); err == nil || !strings.Contains(err.Error(), "listed already") {
			t.Errorf("%s, listed twice: %v", name, err)
		}
		if err := p.CheckManifest(&ebms.Message{Manifest: m.Manifest[:999]}); err == nil || !strings.Contains(err.Error(), "part-999") {
			t.Errorf("%s, not listed: %v", name, err)
		}
	}
	read.Parts[7], read.Parts[8] = read.Parts[8], read.Parts[7]
	if part, ok := read.Resolve(m.Manifest[7].Href); !ok || string(octets(t, part.Content)) != "part-7%@vn.example" {
		t.Errorf("after parts were exchanged, %s leads to %v", m.Manifest[7].Href, part)
	}
	read.Parts = read.Parts[1:]
	if part, ok := read.Resolve(m.Manifest[7].Href); !ok || string(octets(t, part.Content)) != part.ContentID {
		t.Errorf("after parts were taken out, %s leads to %v", m.Manifest[7].Href, part)
	}
}

func TestOddPackagesAreReadAndNamed(t *testing.T) {
	const rest = "Content-Type: text/xml\r\n\r\n<a/>\r\n--b--"
	for _, test := range []struct {
		name, contentType, body string
		want                    []ebms.Oddity
	}{
		{"as the specifications say", `multipart/related; type="text/xml"; start="<e>"; boundary=b`, "--b\r\nContent-ID: <e>\r\n" + rest, nil},
		{"bare envelope", "text/xml", "<a/>", nil},
		{"nothing but a boundary", "multipart/related; boundary=b", "--b\r\n" + rest, []ebms.Oddity{ebms.OddityNoStart, ebms.OddityTypeParameterMissing}},
		{"no brackets", "multipart/related; type=text/xml; start=e; boundary=b", "--b\r\nContent-ID: e\r\n" + rest,
			[]ebms.Oddity{ebms.OddityContentIDWithoutBrackets, ebms.OddityStartWithoutBrackets}},
		{"encoded", `multipart/related; type="text/xml"; start="<e>"; boundary=b`,
			"--b\r\nContent-ID: <e>\r\nContent-Transfer-Encoding: Quoted-Printable\r\n" + rest, []ebms.Oddity{ebms.OddityTransferEncoding}},
		{"eight bits are not encoded", `multipart/related; type="text/xml"; start="<e>"; boundary=b`,
			"--b\r\nContent-ID: <e>\r\nContent-Transfer-Encoding: 8bit\r\n" + rest, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := ebms.ReadPackage(test.contentType, ebms.Bytes([]byte(test.body)), ebms.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(p.Oddities) != fmt.Sprint(test.want) {
				t.Errorf("oddities %v, want %v", p.Oddities, test.want)
			}
		})
	}
}
