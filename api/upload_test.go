package api_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// form makes a body of a submission and then parts of the name attachment, whose headers and contents are given.
func form(t testing.TB, attachments ...string) (body, contentType string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("--b\r\nContent-Disposition: form-data; name=\"submission\"\r\nContent-Type: application/json\r\n\r\n" + submissionBody(t) + "\r\n")
	for i := 0; i < len(attachments); i += 2 {
		b.WriteString("--b\r\nContent-Disposition: form-data; name=\"attachment\"; " + attachments[i] + "\r\n\r\n" + attachments[i+1] + "\r\n")
	}
	return b.String() + "--b--\r\n", "multipart/form-data; boundary=b"
}

// attached says in words what the node was given.
func attached(t testing.TB, list []exchange.Attachment) (said []string) {
	t.Helper()
	for _, a := range list {
		data, err := ebms.ReadAll(a.Content, 0)
		if err != nil {
			t.Error(err)
		}
		said = append(said, a.Name+"|"+a.ContentType+"|"+string(data))
	}
	return said
}

func TestSubmitHandsAttachmentsToTheNode(t *testing.T) {
	tests := []struct {
		name, header, want string
	}{
		{"as it should be", `filename="invoice.pdf"` + "\r\nContent-Type: application/pdf", "invoice.pdf|application/pdf|octets"},
		{"parameters", `filename="note.txt"` + "\r\nContent-Type: Text/Plain; Charset=\"utf-8\"", "note.txt|text/plain; charset=utf-8|octets"},
		{"path", `filename="../../etc/passwd"` + "\r\nContent-Type: text/plain", "passwd|text/plain|octets"},
		{"path of another system", `filename="C:\scans\bill of lading.tif"` + "\r\nContent-Type: image/tiff", "bill of lading.tif|image/tiff|octets"},
		{"other letters", `filename="ใบกำกับสินค้า.pdf"` + "\r\nContent-Type: application/pdf", "ใบกำกับสินค้า.pdf|application/pdf|octets"},
		{"encoding that changes nothing", `filename="a.pdf"` + "\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: Binary", "a.pdf|application/pdf|octets"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			f := serve(t, func(o *api.Options) {
				o.Node = taker(func(_ eco.Certificate, list []exchange.Attachment) error {
					got = attached(t, list)
					return nil
				})
			})
			body, contentType := form(t, test.header, "octets")
			answer := f.request(issuerSecret, "POST", "/api/v1/certificates", body, "Content-Type", contentType)
			if answer.status != http.StatusCreated || !slices.Equal(got, []string{test.want}) {
				t.Errorf("status %d, body %s; the node was given %q, want %q", answer.status, answer.body, got, test.want)
			}
		})
	}
}

func TestClientStreamsAttachmentsAndNothingIsLeft(t *testing.T) {
	dir := t.TempDir()
	large := make([]byte, 3<<20) // asks for leave before it is sent
	_, _ = rand.Read(large)
	var got []string
	f := serve(t, func(o *api.Options) {
		o.SpillDir = dir
		o.Node = taker(func(c eco.Certificate, list []exchange.Attachment) error {
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("files with a name while the node works: %v, %v", left, err)
			}
			got = attached(t, list)
			return nil
		})
	})
	s, err := f.client(issuerSecret).Submit(t.Context(), "KR", certificateJSON(t),
		exchange.Attachment{Name: `a "quoted" name.bin`, ContentType: "application/octet-stream", Content: ebms.Bytes(large)},
		exchange.Attachment{Name: "ใบ.txt", ContentType: "text/plain; charset=utf-8", Content: ebms.Bytes(nil)},
		exchange.Attachment{Name: "b.txt", ContentType: "text/plain", Content: ebms.Bytes([]byte("--b\r\n"))},
	)
	want := []string{`a "quoted" name.bin|application/octet-stream|` + string(large), "ใบ.txt|text/plain; charset=utf-8|", "b.txt|text/plain|--b\r\n"}
	if err != nil || s.Reference != "LA26010137" || !slices.Equal(got, want) {
		t.Errorf("submission %+v, error %v; %d attachments", s, err, len(got))
	}
}

// endless is content that lies nowhere.
type endless int64

func (n endless) Size() int64 { return int64(n) }

func (n endless) ReadAt(p []byte, at int64) (int, error) {
	if at >= int64(n) {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), int64(n)-at)]
	clear(p)
	return len(p), nil
}

func TestAttachmentsAreNeverInMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 64 MiB")
	}
	const size = 64 << 20
	var before, after runtime.MemStats
	f := serve(t, func(o *api.Options) {
		o.SpillDir = t.TempDir()
		o.Node = taker(func(_ eco.Certificate, list []exchange.Attachment) error {
			runtime.ReadMemStats(&after)
			if list[0].Content.Size() != size {
				t.Errorf("%d bytes came", list[0].Content.Size())
			}
			return nil
		})
	})
	runtime.ReadMemStats(&before)
	_, err := f.client(issuerSecret).Submit(t.Context(), "KR", certificateJSON(t),
		exchange.Attachment{Name: "a.bin", ContentType: "application/octet-stream", Content: endless(size)})
	if took := after.TotalAlloc - before.TotalAlloc; err != nil || took > size/8 {
		t.Errorf("error %v; client and server took %d bytes of memory for an attachment of %d", err, took, size)
	}
}

func TestSubmissionsWithAttachmentsHaveLimits(t *testing.T) {
	body, contentType := form(t, "filename=a.pdf\r\nContent-Type: application/pdf", strings.Repeat("x", 1000))
	many, _ := form(t, slices.Repeat([]string{"filename=a.pdf\r\nContent-Type: application/pdf", ""}, 1023)...)
	request := int64(len(submissionBody(t)))
	over := int64(len(body)) - request
	tests := []struct {
		name, body      string
		most, mostExtra int64
		status          int
	}{
		{"as large as may be", body, request, over, 201},
		{"one octet too many", body, request, over - 1, 413},
		{"submission alone too large", body, request - 1, over + 1, 413},
		{"too many parts", many, 1 << 20, 1 << 20, 413},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := serve(t, func(o *api.Options) { o.MaxBody, o.MaxAttachments = test.most, test.mostExtra })
			got := f.request(issuerSecret, "POST", "/api/v1/certificates", test.body, "Content-Type", contentType)
			if got.status != test.status {
				t.Fatalf("status %d, want %d; body %s", got.status, test.status, got.body)
			}
			if p := api.CodeTooLarge; got.status != 201 && (got.problem(t).Code != p || got.problem(t).Detail == "") {
				t.Errorf("problem %s", got.body)
			}
		})
	}
}

func TestOversizeIsRefusedBeforeItIsSent(t *testing.T) {
	f := serve(t, func(o *api.Options) { o.MaxAttachments = 1 << 20 })
	_, err := f.client(issuerSecret).Submit(t.Context(), "KR", certificateJSON(t),
		exchange.Attachment{Name: "a.bin", ContentType: "application/octet-stream", Content: endless(1 << 50)})
	var p *api.Problem
	if !errors.As(err, &p) || p.Code != api.CodeTooLarge {
		t.Errorf("error = %v, want %s", err, api.CodeTooLarge)
	}
}

func TestDiskFaultsAreNotTheSendersFault(t *testing.T) {
	f := serve(t, func(o *api.Options) { o.SpillDir = filepath.Join(t.TempDir(), "gone") })
	body, contentType := form(t, "filename=a.pdf\r\nContent-Type: application/pdf", "x")
	got := f.request(issuerSecret, "POST", "/api/v1/certificates", body, "Content-Type", contentType)
	if p := got.problem(t); got.status != 500 || p.Code != api.CodeInternal || strings.Contains(string(got.body), "gone") {
		t.Errorf("status %d, body %s", got.status, got.body)
	}
}

// A client that stops sending is let go when it has fallen behind, and not before.
func TestSlowUploadsAreLetGo(t *testing.T) {
	f := serve(t, func(o *api.Options) { o.Timeout, o.MinRate = 50*time.Millisecond, 1<<30 })
	conn, err := net.Dial("tcp", f.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body, contentType := form(t, "filename=a.pdf\r\nContent-Type: application/pdf", "x")
	fmt.Fprintf(conn, "POST /api/v1/certificates HTTP/1.1\r\nHost: node\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		issuerSecret, contentType, len(body), body[:len(body)-5])
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") || !strings.Contains(string(answer), string(api.CodeTooSlow)) {
		t.Errorf("answer %s, error %v", answer, err)
	}
}

// What comes at the least rate may take longer than Options.Timeout and the listener's own bounds, and so may the work on it.
func TestHonestUploadsOutlastTheTimeout(t *testing.T) {
	f := serve(t, func(o *api.Options) {
		o.Timeout, o.MinRate = 200*time.Millisecond, 16 // the body may take minutes
		o.Node = taker(func(_ eco.Certificate, list []exchange.Attachment) error {
			if size := list[0].Content.Size(); size != 1000 {
				t.Errorf("%d bytes came", size)
			}
			return nil
		})
	})
	server := httptest.NewUnstartedServer(f.server.Config.Handler)
	server.Config.ReadTimeout, server.Config.WriteTimeout = 300*time.Millisecond, 300*time.Millisecond
	server.Start()
	defer server.Close()
	client, err := api.NewClient(server.URL, issuerSecret, nil)
	if err != nil {
		t.Fatal(err)
	}
	attachment := exchange.Attachment{Name: "a", ContentType: "a/b", Content: &hesitant{left: 5}}
	if _, err := client.Submit(t.Context(), "KR", certificateJSON(t), attachment); err != nil {
		t.Error(err)
	}
	attachment.Content = &hesitant{left: 5}
	nameless := exchange.Attachment{ContentType: "a/b", Content: ebms.Bytes(nil)} // refused when all before it has come
	var p *api.Problem
	if _, err := client.Submit(t.Context(), "KR", certificateJSON(t), attachment, nameless); !errors.As(err, &p) || p.Code != api.CodeMalformed {
		t.Errorf("error = %v, want %s", err, api.CodeMalformed)
	}
}

// hesitant is content that comes in pieces of 100 octets, with a wait before each of the first.
type hesitant struct{ left int }

func (*hesitant) Size() int64 { return 1000 }

func (h *hesitant) ReadAt(p []byte, at int64) (int, error) {
	if h.left > 0 {
		h.left--
		<-time.After(100 * time.Millisecond)
	}
	p = p[:min(100, int64(len(p)), 1000-at)]
	if len(p) == 0 {
		return 0, io.EOF
	}
	clear(p)
	return len(p), nil
}

// FuzzSubmissionForm posts arbitrary multipart bodies. Whatever comes, the answer is one of the documented ones, and attachments that
// reach the node have names and media types that can be handed on.
func FuzzSubmissionForm(f *testing.F) {
	body, _ := form(f, "filename=a.pdf\r\nContent-Type: application/pdf", "octets")
	f.Add(body)
	files, err := filepath.Glob("../testdata/hostile/api/form-*.txt")
	if err != nil || len(files) == 0 {
		f.Fatal("no hostile forms to begin with", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		_, body, _ := strings.Cut(string(data), "\n\n")
		f.Add(strings.ReplaceAll(strings.ReplaceAll(body, "\n", "\r\n"), "@CERTIFICATE@", string(certificateJSON(f))))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, body string) {
		handler, err := api.New(api.Options{
			Operator: new(operator), Dealer: new(dealer), Store: emptyStore{}, Audit: auditor(forgetting), Keys: keySet(t, keys()), Now: func() time.Time { return now }, SpillDir: dir,
			Node: taker(func(_ eco.Certificate, list []exchange.Attachment) error {
				for _, a := range list {
					if a.Name == "" || strings.ContainsAny(a.Name, "/\\\r\n") || a.ContentType == "" || strings.ContainsAny(a.ContentType, "\r\n") {
						t.Errorf("attachment %q of type %q", a.Name, a.ContentType)
					}
				}
				return nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequest("POST", "/api/v1/certificates", strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+issuerSecret)
		req.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		res := httptest.NewRecorder()
		handler.ServeHTTP(res, req)
		if res.Code != http.StatusCreated && res.Code != http.StatusBadRequest && res.Code != http.StatusRequestEntityTooLarge {
			t.Fatalf("status %d, body %s", res.Code, res.Body)
		}
	})
}

func TestFormsOfOtherMakersAreRead(t *testing.T) {
	var got []string
	f := serve(t, func(o *api.Options) {
		o.Node = taker(func(_ eco.Certificate, list []exchange.Attachment) error {
			got = attached(t, list)
			return nil
		})
	})
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreatePart(map[string][]string{"Content-Disposition": {`form-data; name="submission"; filename="body.json"`}, "Content-Type": {"application/json; charset=utf-8"}})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write([]byte(submissionBody(t)))
	file, err := w.CreateFormFile("attachment", "invoice.pdf")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = file.Write([]byte("%PDF"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	answer := f.request(issuerSecret, "POST", "/api/v1/certificates", body.String(), "Content-Type", w.FormDataContentType())
	if answer.status != http.StatusCreated || !slices.Equal(got, []string{"invoice.pdf|application/octet-stream|%PDF"}) {
		t.Errorf("status %d, body %s, attachments %q", answer.status, answer.body, got)
	}
}
