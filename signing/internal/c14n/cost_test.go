package c14n_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

// bombs are documents whose cost grows faster than their size in some readers and canonicalizers.
func bombs() map[string]string {
	deep := strings.Repeat("<a>", 1000) + strings.Repeat("<b/>", 20_000) + strings.Repeat("</a>", 1000)
	depth := strings.Repeat("<a>", 200_000) + strings.Repeat("</a>", 200_000)
	laughs := `<!DOCTYPE a [<!ENTITY a "ha">` + repeated(10, `<!ENTITY b%d "&a;&a;&a;&a;&a;&a;&a;&a;">`) + "]><a>&b9;</a>"
	bound := "<a" + repeated(60, ` xmlns:p%d="urn:x"`) + ">"
	return map[string]string{
		"1,000 deep and 20,000 wide":                      deep,
		"20,000 wide at the deepest":                      strings.Repeat("<a>", 60) + strings.Repeat("<b/>", 20_000) + strings.Repeat("</a>", 60),
		"4,000 declarations and 4,000 children":           "<a" + repeated(4000, ` xmlns:p%d="urn:x"`) + ">" + strings.Repeat("<b/>", 4000) + "</a>",
		"as many declarations as allowed, 4,000 children": bound + strings.Repeat(`<p0:b p0:a="" p1:c=""/>`, 4000) + "</a>",
		"3,000 attributes with one local name":            "<a" + repeated(3000, ` xmlns:p%d="urn:%[1]d" p%[1]d:x=""`) + "/>",
		"200,000 comments":                                "<a>" + strings.Repeat("<!---->", 200_000) + "</a>",
		"20,000 attributes":                               "<a" + repeated(20_000, ` x%d=""`) + "/>",
		"depth 200,000":                                   depth,
		"20 MB of text":                                   "<a>" + strings.Repeat("0123456789 abcdef\n\n\n", 1<<20) + "</a>",
		"15 MB of text":                                   "<a>" + strings.Repeat("0123456789 abcdef\n\n\n", 15<<20/20) + "</a>",
		"a million laughs":                                laughs,
		"100,000 references":                              "<a>" + strings.Repeat("&lt;", 100_000) + "</a>",
		"100,000 markers that begin nothing":              strings.Repeat("<", 100_000),
		"long namespace names that differ at their end":   "<a>" + strings.Repeat("<b"+repeated(30, ` xmlns:p%d="urn:`+strings.Repeat("x", 900)+`%[1]d" p%[1]d:x=""`)+"/>", 10) + "</a>",
	}
}

// TestBombsAreCheap gives each bomb 50 ms of processor time, to be refused or to be read and written.
func TestBombsAreCheap(t *testing.T) {
	limit := 50 * time.Millisecond
	if raceDetector {
		limit *= 20
	}
	for name, doc := range bombs() {
		t.Run(name, func(t *testing.T) {
			octets, best := []byte(doc), time.Hour
			var err error
			for range 5 {
				start := processorTime(t)
				var read *c14n.Document
				if read, err = c14n.Parse(string(octets)); err == nil {
					read.Canonical(c14n.Method{})
					read.Canonical(c14n.Method{Exclusive: true})
				}
				if best = min(best, processorTime(t)-start); best < limit {
					break
				}
			}
			t.Logf("%d octets in %v: %.80v", len(doc), best, err)
			if best > limit {
				t.Errorf("%v for %d octets", best, len(doc))
			}
		})
	}
}

// processorTime is what the process has used so far, so that what else runs on the machine does not count.
func processorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// TestAllocationsDoNotGrowWithTheDocument counts allocations of documents of different size.
func TestAllocationsDoNotGrowWithTheDocument(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates too")
	}
	count := func(doc []byte) float64 {
		return testing.AllocsPerRun(5, func() {
			read, err := c14n.Parse(string(doc))
			if err != nil {
				t.Fatal(err)
			}
			read.Canonical(c14n.Method{})
		})
	}
	small, large := count(certificate(5_000)), count(certificate(2_000_000))
	t.Logf("%.0f allocations for 5 KB, %.0f for 2 MB", small, large)
	if large > small+8 {
		t.Errorf("%.0f allocations for 5 KB and %.0f for 2 MB", small, large)
	}
}

// BenchmarkLinear shows that the time for an octet does not grow up to 10 MB.
func BenchmarkLinear(b *testing.B) {
	for _, size := range []struct {
		name string
		n    int
	}{{"100KB", 100_000}, {"1MB", 1_000_000}, {"10MB", 10_000_000}} {
		doc := certificate(size.n)
		b.Run(size.name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			b.ResetTimer()
			start := processorTime(b)
			for range b.N {
				read, err := c14n.Parse(string(doc))
				if err != nil {
					b.Fatal(err)
				}
				read.Canonical(c14n.Method{})
			}
			b.ReportMetric(float64((processorTime(b)-start).Nanoseconds())/float64(b.N)/float64(len(doc)), "cpu-ns/octet")
		})
	}
}
