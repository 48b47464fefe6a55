package handover_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/clearance/handover"
)

const hostileFolder = "../../testdata/hostile/handover"

// hostile is a file of the corpus: what it is read as, what must be said of it, and its text.
type hostile struct{ name, kind, want, text string }

func hostiles(t testing.TB) (all []hostile) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(hostileFolder, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s, %v", hostileFolder, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, text, ok := strings.Cut(string(data), "\n\n")
		h := hostile{name: filepath.Base(file), text: text}
		for line := range strings.Lines(head) {
			switch key, value, _ := strings.Cut(strings.TrimSpace(line), ": "); key {
			case "read as":
				h.kind = value
			case "expect":
				h.want = value
			default:
				t.Fatalf("%s: head has %q", file, key)
			}
		}
		if !ok || h.kind == "" || h.want == "" {
			t.Fatalf("%s: head says too little", file)
		}
		all = append(all, h)
	}
	return all
}

// goodParcel is a parcel of one certificate.
func goodParcel(t testing.TB) []byte {
	t.Helper()
	w := newWorld(t, handover.Options{})
	p, err := w.desk.Parcel(t.Context(), w.file(w.filing("26/0001", "K0012500001")))
	if err != nil {
		t.Fatal(err)
	}
	return p.Content
}

func TestHostileHandovers(t *testing.T) {
	good := goodParcel(t)
	for _, h := range hostiles(t) {
		t.Run(h.name, func(t *testing.T) {
			var err error
			switch h.kind {
			case "confirmation":
				_, err = handover.ReadConfirmation([]byte(strings.TrimSuffix(h.text, "\n")))
			case "manifest":
				_, err = handover.ReadManifest([]byte(h.text))
			case "parcel":
				_, err = handover.Unpack(changed(t, good, h.text))
			default:
				t.Fatalf("read as %q", h.kind)
			}
			switch {
			case h.want == "taken":
				if err != nil {
					t.Errorf("refused: %v", err)
				}
			case err == nil:
				t.Errorf("taken, want %q", h.want)
			case !strings.Contains(err.Error(), h.want):
				t.Errorf("error %q, want %q", err, h.want)
			}
		})
	}
}

// zipEntry is an entry of a parcel that is changed.
type zipEntry struct {
	name    string
	method  uint16
	content []byte
}

// changed does to a parcel what the lines say.
func changed(t *testing.T, parcel []byte, lines string) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(parcel), int64(len(parcel)))
	if err != nil {
		t.Fatal(err)
	}
	var entries []zipEntry
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, zipEntry{f.Name, f.Method, content})
	}
	cut := 0
	for line := range strings.Lines(lines) {
		words := strings.SplitN(strings.TrimSpace(line), " ", 3)
		at := slices.IndexFunc(entries, func(e zipEntry) bool { return len(words) > 1 && e.name == words[1] })
		if words[0] != "cut" && at < 0 {
			t.Fatalf("no entry %q", line)
		}
		switch words[0] {
		case "rename":
			entries[at].name = words[2]
		case "drop":
			entries = slices.Delete(entries, at, at+1)
		case "double":
			entries = append(entries, entries[at])
		case "compress":
			entries[at].method = zip.Deflate
		case "set":
			entries[at].content = []byte(words[2])
		case "last":
			e := entries[at]
			entries = append(slices.Delete(entries, at, at+1), e)
		case "larger": // the manifest says so, the entry is as it was
			entries[0].content = bytes.Replace(entries[0].content, []byte(`"size": `+strconv.Itoa(len(entries[at].content))), []byte(`"size": `+words[2]), 1)
		case "cut":
			cut, _ = strconv.Atoi(words[1])
		default:
			t.Fatalf("%q", line)
		}
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, e := range entries {
		f, err := w.CreateHeader(&zip.FileHeader{Name: e.name, Method: e.method})
		if err != nil {
			t.Fatal(err)
		}
		f.Write(e.content)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()[:out.Len()-cut]
}

// The octets of a parcel follow from what is in it, and from nothing else.
func TestParcelsAreDeterministic(t *testing.T) {
	if a, b := goodParcel(t), goodParcel(t); !bytes.Equal(a, b) {
		t.Error("two parcels of the same filing have other octets")
	}
}

func FuzzReadConfirmation(f *testing.F) {
	for _, h := range hostiles(f) {
		if h.kind == "confirmation" {
			f.Add([]byte(h.text))
		}
	}
	f.Add([]byte(`{"status":"confirmed","sha256":"` + strings.Repeat("0", 64) + `","reference":"C-1"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := handover.ReadConfirmation(data)
		if err != nil {
			return
		}
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := handover.ReadConfirmation(text)
		if err != nil || again != c {
			t.Errorf("%+v became %s and %+v, %v", c, text, again, err)
		}
	})
}

func FuzzReadManifest(f *testing.F) {
	for _, h := range hostiles(f) {
		if h.kind == "manifest" {
			f.Add([]byte(h.text))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := handover.ReadManifest(data)
		if err != nil {
			return
		}
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := handover.ReadManifest(text); err != nil {
			t.Errorf("%s became %s: %v", data, text, err)
		}
	})
}

func FuzzUnpack(f *testing.F) {
	good := goodParcel(f)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := handover.Unpack(data)
		if err == nil && len(p.Contents) != len(p.Manifest.Files) {
			t.Errorf("%d files, %d contents", len(p.Manifest.Files), len(p.Contents))
		}
	})
}

// What a customs system answers is read whatever it is.
func FuzzPushAnswer(f *testing.F) {
	for _, h := range hostiles(f) {
		if h.kind == "confirmation" {
			f.Add(200, "application/json", []byte(h.text), "")
		}
	}
	f.Add(503, "text/plain", []byte("later"), "Mon, 30 Nov 2026 10:00:00 GMT")
	f.Fuzz(func(t *testing.T, status int, contentType string, body []byte, later string) {
		c, err := handover.Judge(parcel, status, contentType, body, later, start)
		if err == nil && status/100 != 2 {
			t.Errorf("status %d took the parcel: %+v", status, c)
		}
		if c.Status == handover.VerdictConfirmed && !bytes.Contains(body, []byte(parcel.SHA256)) {
			t.Errorf("confirmed without the digest: %q", body)
		}
		if err != nil && (len(fmt.Sprint(err)) > 1000 || strings.ContainsAny(err.Error(), "\n\x1b")) {
			t.Errorf("error %q", err)
		}
	})
}
