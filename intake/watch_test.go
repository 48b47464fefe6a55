package intake_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/intake"
)

const settle = 10 * time.Second

// watched is a watcher over one real folder, a clock that the test moves, and a node that answers as the test says.
type watched struct {
	t   *testing.T
	dir string
	*intake.Watcher
	now       time.Time
	submitted []string
	answer    func(c eco.Certificate) (intake.Receipt, error)
	log       strings.Builder
}

func watch(t *testing.T) *watched {
	t.Helper()
	w := &watched{t: t, dir: filepath.Join(t.TempDir(), "out"), now: ecotest.Now()}
	if err := os.Mkdir(w.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := intake.Prepare(w.dir); err != nil {
		t.Fatal(err)
	}
	w.answer = func(eco.Certificate) (intake.Receipt, error) {
		return intake.Receipt{MessageID: "m@kr", Fresh: true}, nil
	}
	w.again()
	return w
}

// again is a new watcher, as after a restart.
func (w *watched) again() {
	w.Watcher = intake.NewWatcher(intake.WatcherOptions{
		Submit: func(_ context.Context, from intake.Folder, c eco.Certificate) (intake.Receipt, error) {
			if from.Partner != "TW" {
				w.t.Errorf("submitted to %q", from.Partner)
			}
			w.submitted = append(w.submitted, c.Reference)
			return w.answer(c)
		},
		Now: func() time.Time { return w.now },
		Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	})
	w.Replace([]intake.Folder{{Path: w.dir, Partner: "TW", Settle: settle}}, time.Second)
}

func (w *watched) put(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o640); err != nil {
		w.t.Fatal(err)
	}
}

// after looks again some time later.
func (w *watched) after(d time.Duration) {
	w.now = w.now.Add(d)
	w.Look(w.t.Context())
}

// settled looks twice, so that everything that was there has settled.
func (w *watched) settled() {
	w.after(0)
	w.after(settle)
}

// has compares the folder's files, with those of its sub-folders.
func (w *watched) has(want ...string) {
	w.t.Helper()
	got := []string{}
	err := filepath.WalkDir(w.dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			name, _ := filepath.Rel(w.dir, path)
			got = append(got, name)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("files (-want +got):\n%s%s", diff, w.log.String())
	}
}

func (w *watched) read(name string) string {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

func sampleJSON(t testing.TB) string { return string(ecotest.Read(t, "atiga-form-d")) }

const twoInCSV = "Reference,Form,Description\nA1,ATIGA-D,GOODS\nA2,ATIGA-D,MORE GOODS\n"

func TestSettledFileIsSubmittedAndMoved(t *testing.T) {
	w := watch(t)
	w.put("a.json", sampleJSON(t))
	w.put("two.csv", twoInCSV)
	w.after(0)
	w.after(settle - 1)
	w.has("a.json", "two.csv")
	w.after(1)
	w.has("done/a.json", "done/two.csv")
	if diff := cmp.Diff([]string{"LA26010137", "A1", "A2"}, w.submitted); diff != "" {
		t.Errorf("submitted (-want +got):\n%s", diff)
	}
}

func TestGrowingFileIsLeftAlone(t *testing.T) {
	w := watch(t)
	whole := sampleJSON(t)
	for _, n := range []int{0, 10, 1000, len(whole)} {
		w.put("a.json", whole[:n])
		w.after(settle)
		w.has("a.json")
	}
	w.after(settle)
	w.has("done/a.json")
	if len(w.submitted) != 1 {
		t.Errorf("submitted %v", w.submitted)
	}
}

// A file whose octets change and whose size does not is seen by its time of change.
func TestFileThatIsWrittenInPlaceIsLeftAlone(t *testing.T) {
	w := watch(t)
	w.put("a.json", sampleJSON(t))
	w.after(0)
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(w.dir, "a.json"), later, later); err != nil {
		t.Fatal(err)
	}
	w.after(settle)
	w.has("a.json")
	w.after(settle)
	w.has("done/a.json")
}

func TestUnfinishedNamesAndOtherThingsAreLeftAlone(t *testing.T) {
	w := watch(t)
	names := []string{".hidden.json", "a.json.part", "b.json.tmp", "c.xlsx.filepart", "d.json~", "~$e.xlsx"}
	for _, name := range names {
		w.put(name, sampleJSON(t))
	}
	elsewhere := filepath.Join(t.TempDir(), "secret.json")
	if err := os.WriteFile(elsewhere, []byte(sampleJSON(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		os.Symlink(elsewhere, filepath.Join(w.dir, "link.json")),
		syscall.Mkfifo(filepath.Join(w.dir, "pipe.json"), 0o600),
		os.Mkdir(filepath.Join(w.dir, "folder.json"), 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.settled()
	w.settled()
	w.has(".hidden.json", "a.json.part", "b.json.tmp", "c.xlsx.filepart", "d.json~", "link.json", "pipe.json", "~$e.xlsx")
	if len(w.submitted) > 0 {
		t.Errorf("submitted %v", w.submitted)
	}
	if n := strings.Count(w.log.String(), "not a regular file"); n != 2 {
		t.Errorf("the log tells %d times of what is no file:\n%s", n, &w.log)
	}
	if err := os.Rename(filepath.Join(w.dir, "a.json.part"), filepath.Join(w.dir, "a.json")); err != nil {
		t.Fatal(err)
	}
	w.settled()
	if len(w.submitted) != 1 {
		t.Errorf("a file that was renamed when it was finished: submitted %v", w.submitted)
	}
}

func TestReportStandsBesideAFailedFile(t *testing.T) {
	w := watch(t)
	w.put("bad.csv", "Reference,Issue date\nA1,28/11/2026\n")
	w.put("odd.pdf", "%PDF")
	w.settled()
	w.has("failed/bad.csv", "failed/bad.csv.report.json", "failed/bad.csv.report.txt", "failed/odd.pdf", "failed/odd.pdf.report.json", "failed/odd.pdf.report.txt")
	want := `bad.csv for partner TW, read at 2026-11-22T09:00:10Z

The file was refused as a whole. Nothing of it was submitted. Mend it and put it into the folder again.

  line 2, column B: Issue date: want a date such as 2026-11-28, found "28/11/2026"
`
	if diff := cmp.Diff(want, w.read("failed/bad.csv.report.txt")); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	var r intake.Report
	if err := json.Unmarshal([]byte(w.read("failed/bad.csv.report.json")), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Problems) != 1 || r.Problems[0].Place != "line 2, column B" || r.File != "bad.csv" {
		t.Errorf("report is %+v", r)
	}
	if len(w.submitted) > 0 {
		t.Errorf("submitted %v", w.submitted)
	}
}

func TestRefusedCertificateFailsItsFileWithItsCells(t *testing.T) {
	w := watch(t)
	w.answer = func(c eco.Certificate) (intake.Receipt, error) {
		if c.Reference == "A1" {
			return intake.Receipt{MessageID: "m1@kr", Fresh: true}, nil
		}
		return intake.Receipt{}, &intake.Refusal{Text: "it breaks the form's rules", Findings: []eco.Finding{
			{Code: "D07", Severity: eco.SeverityError, Path: "items[0].hs", Text: "want 6 digits", Fix: "check the code"},
		}}
	}
	w.put("two.csv", twoInCSV)
	w.settled()
	w.has("failed/two.csv", "failed/two.csv.report.json", "failed/two.csv.report.txt")
	text := w.read("failed/two.csv.report.txt")
	for _, want := range []string{
		"A1 (line 2, column A): taken, message m1@kr\n",
		"A2 (line 3, column A): refused: it breaks the form's rules\n",
		"  line 3, column C: items[0].hs: want 6 digits (check the code)\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("report lacks %q:\n%s", want, text)
		}
	}
}

func TestFileWaitsWhileTheStoreIsFull(t *testing.T) {
	w := watch(t)
	full := true
	w.answer = func(eco.Certificate) (intake.Receipt, error) {
		if full {
			return intake.Receipt{}, errors.New("the store is full")
		}
		return intake.Receipt{MessageID: "m@kr", Fresh: true}, nil
	}
	w.put("a.json", sampleJSON(t))
	w.settled()
	w.has("a.json")
	for range 8 { // not at each look, and at last not more often than every five minutes
		w.after(time.Second)
	}
	if n := len(w.submitted); n != 2 {
		t.Errorf("tried %d times in 8 s, want 2", n)
	}
	w.after(time.Hour)
	tried := len(w.submitted)
	full = false
	w.after(time.Second)
	w.after(5 * time.Minute)
	w.has("done/a.json")
	if got := len(w.submitted) - tried; got != 1 {
		t.Errorf("tried %d times within the last wait, want once", got)
	}
}

// The crash lies between the durable submission and the move: the store knows the certificate then.
func TestFileIsSubmittedAgainAfterACrash(t *testing.T) {
	w := watch(t)
	w.put("a.json", sampleJSON(t))
	crash := context.Canceled
	w.answer = func(eco.Certificate) (intake.Receipt, error) { return intake.Receipt{}, crash } // durable, and nobody heard
	w.settled()
	w.has("a.json")
	w.answer = func(eco.Certificate) (intake.Receipt, error) { return intake.Receipt{MessageID: "m@kr"}, nil }
	w.again()
	w.after(0)
	w.has("a.json")
	w.after(settle)
	w.has("done/a.json")
}

func TestNameClashIsSolved(t *testing.T) {
	w := watch(t)
	for range 3 {
		w.put("list.csv", twoInCSV)
		w.settled()
	}
	w.has("done/list.2.csv", "done/list.3.csv", "done/list.csv")
	for range 2 {
		w.put("bad.csv", "Form\n1\n")
		w.settled()
	}
	w.has("done/list.2.csv", "done/list.3.csv", "done/list.csv",
		"failed/bad.2.csv", "failed/bad.2.csv.report.json", "failed/bad.2.csv.report.txt", "failed/bad.csv", "failed/bad.csv.report.json", "failed/bad.csv.report.txt")
}

func TestFileThatIsReplacedWhileItIsSubmittedIsReadAgain(t *testing.T) {
	w := watch(t)
	first := true
	w.answer = func(eco.Certificate) (intake.Receipt, error) {
		if first {
			w.put("a.json.new.tmp", twoInCSV)
			if err := os.Rename(filepath.Join(w.dir, "a.json.new.tmp"), filepath.Join(w.dir, "a.csv")); err != nil {
				t.Fatal(err)
			}
			first = false
		}
		return intake.Receipt{MessageID: "m@kr", Fresh: true}, nil
	}
	w.put("a.csv", "Reference,Form\nA0,ATIGA-D\n")
	w.settled()
	w.has("a.csv")
	w.settled()
	w.settled()
	w.has("done/a.csv")
	if diff := cmp.Diff([]string{"A0", "A1", "A2"}, w.submitted); diff != "" {
		t.Errorf("submitted (-want +got):\n%s", diff)
	}
}

func TestWhatIsLeftOutIsReportedBesideADoneFile(t *testing.T) {
	w := watch(t)
	w.put("a.uncefact.json", `{"iD": "who:1", "isPreferential": false, "colour": "red", "supplyChainConsignment": {"includedConsignmentItems": [{"tradeLineItems": [{}]}]}}`)
	w.settled()
	w.has("done/a.uncefact.json", "done/a.uncefact.json.report.json", "done/a.uncefact.json.report.txt")
	if text := w.read("done/a.uncefact.json.report.txt"); !strings.Contains(text, "left out: colour: red") || !strings.Contains(text, "left out: iD: who (") {
		t.Errorf("report:\n%s", text)
	}
}

func TestFoldersAreCheckedAtTheStart(t *testing.T) {
	open := filepath.Join(t.TempDir(), "open")
	if err := errors.Join(os.Mkdir(open, 0o700), os.Chmod(open, 0o777)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	linked := t.TempDir()
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Symlink(t.TempDir(), filepath.Join(linked, "done"))); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		open: "anyone on this machine can put certificates there", file: "is not a folder", linked: "done is not a folder",
		filepath.Join(file, "x"): "not a directory", filepath.Join(t.TempDir(), "nothing"): "no such file",
	} {
		if err := intake.Prepare(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

func TestRunLooksUntilItIsTold(t *testing.T) {
	w := watch(t)
	w.Replace(nil, time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	taken := make(chan struct{})
	w.answer = func(eco.Certificate) (intake.Receipt, error) {
		close(taken)
		return intake.Receipt{MessageID: "m@kr"}, nil
	}
	w.put("a.json", sampleJSON(t))
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	w.Replace([]intake.Folder{{Path: w.dir, Partner: "TW"}}, time.Hour) // wakes it, though nothing was to be looked at
	<-taken
	cancel()
	<-done
}
