package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/testdata/certificates"
	"github.com/ecogate/ecogate/ubl"
)

const benchHelp = `bench measures the whole exchange on this machine: two nodes in one process, HTTP over loopback, the embedded store with
fsync, and for every certificate the issuing body's document signature, the node's message signature, and the partner's
signed acknowledgment, verified and compared. It counts a message when the sending node has recorded the receipt.`

func (c *cli) benchCommand() *cobra.Command {
	b := bench{cli: c}
	cmd := &cobra.Command{
		Use: "bench", Short: "Measure two nodes exchanging certificates on this machine", Long: benchHelp, Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return b.run(cmd.Context()) },
	}
	flags := cmd.Flags()
	flags.IntVar(&b.messages, "messages", 3000, "`number` of certificates to exchange per size")
	flags.IntVar(&b.inFlight, "in-flight", 64, "`number` of certificates under way at the same time")
	flags.IntSliceVar(&b.sizes, "kilobytes", []int{5, 20}, "`sizes` of the UBL document in KB")
	flags.Int64Var(&b.attachment, "attachment", 0, "`MiB` of an attachment to each certificate")
	flags.StringVar(&b.algorithm, "algorithm", string(pkitest.RSA2048), "kind of all signing keys: RSA-2048 or P-256")
	flags.BoolVar(&b.tls, "tls", false, "mutual TLS between the nodes in place of plain HTTP")
	flags.StringVar(&b.syncReply, "sync-reply", "none", "where acknowledgments travel: `none` (own connection) or mshSignalsOnly (HTTP response)")
	flags.StringVar(&b.dir, "dir", "", "`folder` for the stores, on the disk to measure (default: the temporary folder)")
	return cmd
}

// bench is one run of the benchmark.
type bench struct {
	*cli
	messages, inFlight int
	sizes              []int
	attachment         int64 // MiB
	algorithm          string
	tls                bool
	syncReply, dir     string
}

// benchResult is one row of the answer.
type benchResult struct {
	// DocumentBytes is the size of the UBL document before its signature.
	DocumentBytes int     `json:"document_bytes"`
	Messages      int     `json:"messages"`
	InFlight      int     `json:"in_flight"`
	AckedPerSec   float64 `json:"acked_per_second"`
	// P50 and P99 are from submission to recorded receipt, in milliseconds.
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
	// CPU is user and system time of both nodes per message, in milliseconds.
	CPU float64 `json:"cpu_ms_per_message"`
	// PeakRSS is the largest resident memory of the process so far, in MB; Growth is by how much it grew under the load, both
	// nodes together, 0 where the system does not tell.
	PeakRSS float64 `json:"peak_rss_mb"`
	Growth  float64 `json:"rss_growth_mb"`
	// AttachmentBytes is the size of the attachment to each certificate.
	AttachmentBytes int64 `json:"attachment_bytes,omitempty"`
}

func (b *bench) run(ctx context.Context) error {
	if b.messages < 1 || b.inFlight < 1 {
		return &usageError{text: "--messages and --in-flight must be at least 1", command: "ecogate bench"}
	}
	var results []benchResult
	for _, kilobytes := range b.sizes {
		r, err := b.measure(ctx, kilobytes*1000)
		if err != nil {
			return fmt.Errorf("%d KB: %w", kilobytes, err)
		}
		results = append(results, r)
	}
	return b.print(results, func(w *columns) {
		w.row(fmt.Sprintf("%d CPUs, %s, %s keys, TLS: %s, syncReplyMode %s", runtime.GOMAXPROCS(0), runtime.Version(), b.algorithm, yesNo(b.tls), b.syncReply))
		w.row("DOCUMENT", "ATTACHMENT", "MESSAGES", "IN FLIGHT", "ACKED/S", "P50 MS", "P99 MS", "CPU MS/MSG", "PEAK RSS MB", "RSS GROWTH MB")
		for _, r := range results {
			w.row(strconv.Itoa(r.DocumentBytes)+" B", strconv.FormatInt(r.AttachmentBytes>>20, 10)+" MiB", strconv.Itoa(r.Messages), strconv.Itoa(r.InFlight), fmt.Sprintf("%.3g", r.AckedPerSec),
				fmt.Sprintf("%.1f", r.P50), fmt.Sprintf("%.1f", r.P99), fmt.Sprintf("%.2f", r.CPU), fmt.Sprintf("%.0f", r.PeakRSS), fmt.Sprintf("%.0f", r.Growth))
		}
	})
}

// measure exchanges b.messages certificates whose documents have about size bytes between two fresh nodes.
func (b *bench) measure(ctx context.Context, size int) (benchResult, error) {
	certificate, documentBytes, err := certificateOfSize(size)
	if err != nil {
		return benchResult{}, err
	}
	dir, err := os.MkdirTemp(b.dir, "ecogate-bench-")
	if err != nil {
		return benchResult{}, fmt.Errorf("folder: %w", err)
	}
	defer os.RemoveAll(dir)
	two, err := pair.Make(dir, pair.Options{Algorithm: pkitest.Algorithm(b.algorithm), PlainHTTP: !b.tls, SyncReply: b.syncReply, Workers: b.inFlight, BodyBytes: b.bodyBytes()})
	if err != nil {
		return benchResult{}, err
	}
	receipts := newReceipts()
	tw, err := b.startSide(ctx, two.TW, nil)
	if err != nil {
		return benchResult{}, err
	}
	defer tw.Close()
	kr, err := b.startSide(ctx, two.KR, receipts.observe)
	if err != nil {
		return benchResult{}, err
	}
	defer kr.Close()
	return b.load(ctx, kr, receipts, certificate, documentBytes)
}

func (b *bench) startSide(ctx context.Context, side pair.Side, observe func(exchange.Event)) (*runningNode, error) {
	cfg, err := config.Load(side.ConfigFile, nil)
	if err != nil {
		return nil, err
	}
	return startNode(ctx, cfg, nodeOptions{Now: b.now, Observe: observe})
}

// load keeps b.inFlight certificates under way until b.messages are receipted.
func (b *bench) load(ctx context.Context, kr *runningNode, r *receipts, c eco.Certificate, documentBytes int) (benchResult, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	latencies := make([]time.Duration, b.messages)
	var next atomic.Int64
	var workers sync.WaitGroup
	rest := restRSS()
	cpu, began := cpuTime(), b.now()
	for range min(b.inFlight, b.messages) {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= b.messages {
					return
				}
				start := b.now()
				if err := b.exchange(ctx, kr.Node, r, numbered(c, i)); err != nil {
					cancel(err)
					return
				}
				latencies[i] = b.now().Sub(start)
			}
		})
	}
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return benchResult{}, err
	}
	elapsed := b.now().Sub(began)
	slices.Sort(latencies)
	return benchResult{
		DocumentBytes: documentBytes, Messages: b.messages, InFlight: b.inFlight,
		AckedPerSec: float64(b.messages) / elapsed.Seconds(),
		P50:         milliseconds(latencies[len(latencies)/2]),
		P99:         milliseconds(latencies[len(latencies)*99/100]),
		CPU:         milliseconds(cpuTime()-cpu) / float64(b.messages),
		PeakRSS:     peakRSS(), Growth: max(0, peakRSS()-rest), AttachmentBytes: b.attachment << 20,
	}, nil
}

// exchange submits c and returns when its receipt is recorded.
func (b *bench) exchange(ctx context.Context, node *exchange.Node, receipts *receipts, c eco.Certificate) error {
	s, err := node.Submit(ctx, "bench", "TW", c, b.attachments()...)
	if err != nil {
		return err
	}
	return receipts.await(ctx, s.Message.MessageID)
}

// bodyBytes is the size of a message that the nodes must take; 0 for what they take anyway.
func (b *bench) bodyBytes() int64 {
	if b.attachment == 0 {
		return 0
	}
	return (b.attachment + 16) << 20
}

// attachments are those of one certificate. Each differs from all others, so that none is stored only once.
func (b *bench) attachments() []exchange.Attachment {
	if b.attachment == 0 {
		return nil
	}
	return []exchange.Attachment{{
		Name: "attachment.bin", ContentType: "application/octet-stream", Content: noise{seed: rand.Uint64(), size: b.attachment << 20},
	}}
}

// noise is content that is made when it is read and cannot be compressed.
type noise struct {
	seed uint64
	size int64
}

// Size implements exchange.Content.
func (n noise) Size() int64 { return n.size }

// ReadAt implements io.ReaderAt.
func (n noise) ReadAt(p []byte, offset int64) (int, error) {
	read := 0
	for read < len(p) && offset < n.size {
		x := (uint64(offset/8) + n.seed) * 0x9E3779B97F4A7C15
		x ^= x >> 29
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], x*0xBF58476D1CE4E5B9)
		within := offset % 8
		count := copy(p[read:], word[within:min(8, within+n.size-offset)])
		read, offset = read+count, offset+int64(count)
	}
	if read < len(p) {
		return read, io.EOF
	}
	return read, nil
}

// numbered is c under a reference of its own.
func numbered(c eco.Certificate, i int) eco.Certificate {
	c.Reference = fmt.Sprintf("%s-B%07d", c.Reference, i)
	return c
}

// certificateOfSize returns a certificate whose UBL document is the nearest to size that whole items reach from above, and
// the document's size.
func certificateOfSize(size int) (eco.Certificate, int, error) {
	data, err := certificates.JSON.ReadFile("nonpreferential-kcci.json")
	if err != nil {
		return eco.Certificate{}, 0, fmt.Errorf("sample certificate: %w", err)
	}
	c, err := eco.Decode(data)
	if err != nil {
		return eco.Certificate{}, 0, fmt.Errorf("sample certificate: %w", err)
	}
	sample := c.Items[0]
	c.Items = c.Items[:1:1]
	for {
		document, err := ubl.Marshal(numbered(c, 0), eco.DefaultForms())
		if err != nil {
			return eco.Certificate{}, 0, fmt.Errorf("sample certificate: %w", err)
		}
		if len(document) >= size {
			return c, len(document), nil
		}
		sample.Number = len(c.Items) + 1
		c.Items = append(c.Items, sample)
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// cpuTime is the user and system time of the process so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// restRSS gives unused memory back, has the system forget the peak so far, and returns the resident memory that is left, in MB.
func restRSS() float64 {
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // where it cannot, the growth is understated: peaks before count
	return peakRSS()
}

// peakRSS is the largest resident memory of the process so far in MB; 0 where /proc does not tell.
func peakRSS() float64 {
	status, err := os.ReadFile(filepath.Join("/proc", "self", "status"))
	if err != nil {
		return 0
	}
	_, rest, found := strings.Cut(string(status), "VmHWM:")
	if !found {
		return 0
	}
	kilobytes, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		return 0
	}
	return kilobytes / 1000
}
