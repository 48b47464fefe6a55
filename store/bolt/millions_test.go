//go:build linux

package bolt_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/store/bolt"
)

// The environment of BenchmarkLookUp: how many certificates the store has, and a folder in which it is kept for the next time; without the latter it is made anew.
const (
	envCertificates = "ECOGATE_BENCH_CERTIFICATES"
	envFolder       = "ECOGATE_BENCH_DIR"
)

const (
	importers = 20_000
	exporters = 5_000
	issueDays = 3 * 365
)

// millionth is the arrival of one of many certificates: two items, two invoices, a bill of lading.
func millionth(n int) exchange.Arrival {
	id := fmt.Sprintf("%d@kr-hub.example", n)
	reference := fmt.Sprintf("K001-26-%07d", n)
	recorded := start.Add(time.Duration(n) * 20 * time.Second)
	importer, exporter := importerOf(n), n%exporters
	a := exchange.Arrival{
		Message: exchange.Message{
			Kind: exchange.KindCertificate, State: exchange.StateAccepted, MessageID: id, Partner: "KR", CPAID: "urn:ecogate:cpa:KR-TW:1", ConversationID: id,
			Service: "CertificateOfOrigin", Action: "Submit", Created: recorded, Content: fmt.Sprintf("%064x", n), Signer: fmt.Sprintf("%064x", 7),
			Raw: exchange.RawRef{},
		},
		Audit: []exchange.AuditEntry{{At: recorded, Actor: "KR", Event: "certificate.received", Subject: "KR/ATIGA-D/" + eco.NormaliseReference(reference), Detail: "message " + id}},
	}
	data := eco.Certificate{
		Form: "ATIGA-D", Reference: reference, IssuingCountry: "KR", IssuingBody: eco.IssuingBody{ID: "KCCI", Name: "Korea Chamber of Commerce and Industry"},
		IssuedAt: eco.DateOf(start).AddDays(-issueDays + n%issueDays), ExportingCountry: "KR", ImportingCountry: "TW",
		Exporter: eco.Party{Name: fmt.Sprintf("HANGUK STEEL AND PIPE %d CO., LTD", exporter), Identifiers: []eco.Identifier{{Scheme: "TAX", Value: fmt.Sprintf("123-%07d", exporter)}},
			Address: eco.Address{Lines: []string{"12 SEJONG-DAERO, JUNG-GU"}, City: "SEOUL", Country: "KR"}},
		Consignee: eco.Party{Name: fmt.Sprintf("FORMOSA INDUSTRIAL TRADING %d CO., LTD", importer), Identifiers: []eco.Identifier{{Scheme: "TAX", Value: taxOf(importer)}},
			Address: eco.Address{Lines: []string{"8 XINYI ROAD, SECTION 5"}, City: "TAIPEI", Country: "TW"}},
		Transport: eco.Transport{Mode: "1", Vessel: "EVER BETTER", Journey: fmt.Sprintf("%dE", n%1000), LoadingPort: eco.Location{Code: "KRPUS"}, DischargePort: eco.Location{Code: "TWKEL"}},
		Invoices:  []eco.Invoice{{Number: invoiceOf(n)}, {Number: fmt.Sprintf("PF-%d", n)}},
		Documents: []eco.Document{{Type: "705", Number: billOf(n)}},
	}
	for i := range 2 {
		data.Items = append(data.Items, eco.Item{
			Number: i + 1, Packages: 40, PackageCode: "CT", Description: "SEAMLESS PIPES OF STAINLESS STEEL, COLD DRAWN", HS: "730441", HSEdition: "2022",
			Criteria: []eco.Criterion{{Code: "RVC", Percent: "45"}}, GrossWeight: &eco.Measure{Value: "1250.5", Unit: "KGM"}, Quantity: &eco.Measure{Value: "400", Unit: "PCE"},
		})
	}
	a.Certificate = &exchange.Certificate{
		Key:     exchange.CertificateKey{Country: "KR", Form: "ATIGA-D", Reference: eco.NormaliseReference(reference)},
		Content: fmt.Sprintf("%064x", n), State: exchange.CertificateAvailable, Recorded: recorded, Data: data, DocumentSigner: fmt.Sprintf("%064x", 9),
	}
	return a
}

func importerOf(n int) int { return n * 7919 % importers }

func taxOf(importer int) string { return fmt.Sprintf("%08d", importer) }

func invoiceOf(n int) string { return fmt.Sprintf("INV-%08d/26", n) }

func billOf(n int) string { return fmt.Sprintf("HDMU%09d", n) }

// stored is a store with that many certificates, in the folder of the environment if it names one.
func stored(b *testing.B, certificates int) (dir string) {
	dir = b.TempDir()
	if root := os.Getenv(envFolder); root != "" {
		dir = filepath.Join(root, strconv.Itoa(certificates))
		if _, err := os.Stat(filepath.Join(dir, "whole")); err == nil {
			return dir
		}
		if err := os.RemoveAll(dir); err != nil {
			b.Fatal(err)
		}
	}
	s, err := bolt.Open(dir, bolt.Options{Now: clock})
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	err = bolt.Fill(s, certificates, func(n int) exchange.Certificate {
		c := *millionth(n).Certificate
		c.Direction, c.Partner, c.Message = exchange.Inbound, "KR", fmt.Sprintf("%d@kr-hub.example", n)
		return c
	}, func(done string) { b.Logf("%s after %s", done, time.Since(began).Round(time.Second)) })
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.Logf("built in %s", time.Since(began).Round(time.Second))
	if err := os.WriteFile(filepath.Join(dir, "whole"), nil, 0o600); err != nil {
		b.Fatal(err)
	}
	return dir
}

// BenchmarkLookUp looks for single certificates among very many, and prints the time that half and 99 of 100 look-ups take at most, the size of state.db and how
// long the store takes to open:
//
//	ECOGATE_BENCH_CERTIFICATES=1000000 go test ./store/bolt -run '^$' -bench LookUp -benchtime 1x -timeout 60m
func BenchmarkLookUp(b *testing.B) {
	certificates, err := strconv.Atoi(os.Getenv(envCertificates))
	if err != nil || certificates < 1 {
		b.Skipf("set %s to a number of certificates, such as 1000000, to measure; it takes minutes and some 5 KB of disk for each", envCertificates)
	}
	dir := stored(b, certificates)
	info, err := os.Stat(filepath.Join(dir, "state.db"))
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	s := open(b, dir, bolt.Options{})
	opened := time.Since(began)
	b.Logf("%d certificates, state.db %.2f GB, opened in %s", certificates, float64(info.Size())/1e9, opened.Round(time.Millisecond))
	b.ReportMetric(float64(info.Size())/1e9, "GB")
	b.ReportMetric(opened.Seconds(), "s-open")
	random := rand.New(rand.NewPCG(1, 2))
	for _, kind := range []struct {
		name  string
		query func(n int) clearance.ImportedQuery
	}{
		{"reference", func(n int) clearance.ImportedQuery {
			return clearance.ImportedQuery{Reference: fmt.Sprintf("k001 26 %07d", n)}
		}},
		{"absent", func(n int) clearance.ImportedQuery {
			return clearance.ImportedQuery{Reference: fmt.Sprintf("K002-26-%07d", n)}
		}},
		{"invoice", func(n int) clearance.ImportedQuery { return clearance.ImportedQuery{Invoice: invoiceOf(n)} }},
		{"transport", func(n int) clearance.ImportedQuery { return clearance.ImportedQuery{Transport: billOf(n)} }},
		{"importer", func(n int) clearance.ImportedQuery {
			return clearance.ImportedQuery{Importers: []eco.PartyName{eco.PartyName("TAX:" + taxOf(importerOf(n)))}, Limit: 10}
		}},
		{"importer-in-state", func(n int) clearance.ImportedQuery {
			return clearance.ImportedQuery{Importers: []eco.PartyName{eco.PartyName("TAX:" + taxOf(importerOf(n)))}, State: eco.StateAvailable, Form: "ATIGA-D", Limit: 10}
		}},
		{"issue-day", func(n int) clearance.ImportedQuery {
			day := eco.DateOf(start).AddDays(-issueDays + n%issueDays)
			return clearance.ImportedQuery{IssuedFrom: day, IssuedUntil: day, Limit: 10}
		}},
	} {
		measure(b, s, kind.name, func() clearance.ImportedQuery { return kind.query(random.IntN(certificates)) })
	}
}

// measure prints what look-ups of one kind take: by the clock, and on the processor, which does not depend on what else the machine does as long as the file is in memory.
func measure(b *testing.B, s *bolt.Store, name string, query func() clearance.ImportedQuery) {
	const rounds = 10_000
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var wall, busy []time.Duration
	for range rounds {
		q := query()
		began, cpu := time.Now(), processorTime(b)
		if _, err := s.Imported(context.Background(), q); err != nil {
			b.Fatal(err)
		}
		wall, busy = append(wall, time.Since(began)), append(busy, processorTime(b)-cpu)
	}
	slices.Sort(wall)
	slices.Sort(busy)
	b.Logf("%-18s clock: p50 %9s  p99 %11s  longest %11s   processor: p50 %9s  p99 %11s", name, wall[rounds/2], wall[rounds*99/100], wall[rounds-1], busy[rounds/2], busy[rounds*99/100])
	b.ReportMetric(float64(wall[rounds*99/100].Microseconds()), "us-p99-"+name)
	b.ReportMetric(float64(busy[rounds*99/100].Microseconds()), "us-p99-cpu-"+name)
}

// processorTime is what this thread has spent on a processor.
func processorTime(b *testing.B) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}
