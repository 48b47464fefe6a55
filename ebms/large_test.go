package ebms_test

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/ebms"
)

// endless is Content of any size that takes no memory: a text that repeats.
type endless struct{ size int64 }

// pattern has line breaks and dashes, where a boundary could begin. It is long for the sake of the race detector.
var pattern = strings.Repeat("<item>Gạo nếp - \r\n--</item>\r\n", 3000)

func (e endless) Size() int64 { return e.size }

func (e endless) ReadAt(p []byte, offset int64) (int, error) {
	n := int(min(int64(len(p)), max(e.size-offset, 0)))
	for done := 0; done < n; {
		done += copy(p[done:n], pattern[(offset+int64(done))%int64(len(pattern)):])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

const large = 300_000_000

// largeLimits admit bodies of any size; what spills goes to a directory of the test.
func largeLimits(tb testing.TB) ebms.Limits {
	return ebms.Limits{Body: 1 << 40, SpillDir: tb.TempDir()}
}

// allocated returns how much do allocates, in bytes.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func largePackage(size int64) *ebms.Package {
	return &ebms.Package{Envelope: []byte("<a/>"), Parts: []ebms.Part{
		{ContentID: "large", ContentType: "application/xml", Content: endless{size}},
		{ContentID: "small", ContentType: "application/xml", Content: ebms.Bytes([]byte("<b/>"))},
	}}
}

func TestLargeMessagesTakeNoMoreMemory(t *testing.T) {
	const bound = 16 << 20
	var contentType string
	var body ebms.Content
	var err error
	if n := allocated(func() { contentType, body, err = largePackage(large).Pack("boundary") }); err != nil || n > bound {
		t.Fatalf("packing %d bytes allocates %d, want %d at most; %v", large, n, bound, err)
	}
	var p *ebms.Package
	if n := allocated(func() { p, err = ebms.ReadPackage(contentType, body, largeLimits(t)) }); err != nil || n > bound {
		t.Fatalf("reading %d bytes allocates %d, want %d at most; %v", large, n, bound, err)
	}
	if len(p.Parts) != 2 || p.Parts[0].Content.Size() != large || string(octets(t, p.Parts[1].Content)) != "<b/>" {
		t.Errorf("read as %d parts", len(p.Parts))
	}
	end := make([]byte, 10)
	if _, err := p.Parts[0].Content.ReadAt(end, large-10); err != nil || !strings.Contains(strings.Repeat(pattern, 2), string(end)) {
		t.Errorf("content ends in %q, %v", end, err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestLargeMessagesAreRefusedInNoMoreMemory(t *testing.T) {
	const bound = 16 << 20
	for _, test := range []struct{ name, contentType, says string }{
		{"bare envelope", "text/xml", "over the limit of 1048576 (Limits.Envelope)"},
		{"no boundary", "multipart/related; boundary=b", `boundary "b" does not occur`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var err error
			n := allocated(func() { _, err = ebms.ReadPackage(test.contentType, endless{large}, largeLimits(t)) })
			if err == nil || !strings.Contains(err.Error(), test.says) || n > bound {
				t.Errorf("error %v and %d bytes allocated; want %q and %d at most", err, n, test.says, bound)
			}
		})
	}
}

// Encoded parts are decoded into a file.
func TestLargeEncodedPartsTakeNoMoreMemory(t *testing.T) {
	const size, bound = 20_000_000, 16 << 20
	for encoding, line := range map[string]string{
		"base64":           strings.Repeat("QUJD", 19) + "\r\n",
		"quoted-printable": strings.Repeat("=41=42=43", 8) + "=\r\n",
	} {
		t.Run(encoding, func(t *testing.T) {
			body := encodedBody(encoding, strings.Repeat(line, size/len(line)))
			var p *ebms.Package
			var err error
			content := outside{ebms.Bytes(body)}
			n := allocated(func() { p, err = ebms.ReadPackage(encodedType, content, largeLimits(t)) })
			if err != nil || n > bound {
				t.Fatalf("decoding %d bytes allocates %d, want %d at most; %v", size, n, bound, err)
			}
			defer p.Close()
			if got := octets(t, p.Parts[0].Content); strings.Trim(string(got), "ABC") != "" || len(got) < size/5 {
				t.Errorf("%d octets were decoded", len(got))
			}
		})
	}
}

// peakHeap reports the largest heap of a benchmark beside what was there before, as it is seen after each turn.
func peakHeap(b *testing.B) (look func()) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, peak := m.HeapAlloc, m.HeapAlloc
	b.Cleanup(func() { b.ReportMetric(float64(peak-before)/(1<<20), "peak-MiB") })
	return func() {
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapAlloc)
	}
}

// BenchmarkReadPackage100MB reads a message with one payload of 100 MB that does not lie in memory.
func BenchmarkReadPackage100MB(b *testing.B) {
	contentType, body, err := largePackage(100_000_000).Pack("boundary")
	if err != nil {
		b.Fatal(err)
	}
	limits := largeLimits(b)
	b.SetBytes(body.Size())
	b.ReportAllocs()
	look := peakHeap(b)
	for b.Loop() {
		p, err := ebms.ReadPackage(contentType, body, limits)
		look()
		if err != nil || p.Close() != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPack100MB packs a payload of 100 MB and reads what was packed, as a sender does.
func BenchmarkPack100MB(b *testing.B) {
	b.SetBytes(100_000_000)
	b.ReportAllocs()
	look := peakHeap(b)
	for b.Loop() {
		_, body, err := largePackage(100_000_000).Pack("boundary")
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(io.Discard, ebms.NewReader(body))
		look()
		if err != nil || n != body.Size() {
			b.Fatal(n, err)
		}
	}
}

// BenchmarkCheckManifest is of a message with so many parts.
func BenchmarkCheckManifest(b *testing.B) {
	for _, parts := range []int{10, 1000} {
		b.Run(fmt.Sprint(parts), func(b *testing.B) {
			p, m := &ebms.Package{}, &ebms.Message{}
			for i := range parts {
				id := fmt.Sprintf("part-%d@vn.example", i)
				p.Parts = append(p.Parts, ebms.Part{ContentID: id})
				m.Manifest = append(m.Manifest, ebms.ManifestReference{Href: ebms.CIDToHref(id)})
			}
			for b.Loop() {
				if err := p.CheckManifest(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
