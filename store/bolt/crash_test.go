package bolt_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/store/bolt"
)

// The environment variables that turn the test binary into a child process.
const (
	childRole = "ECOGATE_STORE_CHILD"
	childDir  = "ECOGATE_STORE_DIR"
)

func TestMain(m *testing.M) {
	switch os.Getenv(childRole) {
	case "writer":
		os.Exit(writeUntilKilled(os.Getenv(childDir)))
	case "point":
		os.Exit(dieAtPoint(os.Getenv(childDir), os.Getenv("ECOGATE_STORE_POINT")))
	case "full":
		os.Exit(fillTheDisk(os.Getenv(childDir)))
	}
	os.Exit(m.Run())
}

func child(t *testing.T, role, dir string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), append(env, childRole+"="+role, childDir+"="+dir)...)
	cmd.Stderr = os.Stderr
	return cmd
}

// writeUntilKilled enqueues and accepts with 8 writers and prints each MessageID once the store has answered for it.
func writeUntilKilled(dir string) int {
	s, err := bolt.Open(dir, bolt.Options{Now: clock, LargeBytes: smallFrames.LargeBytes})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("open")
	failed := make(chan error)
	for w := range 8 {
		go func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("%d-%d-%d@kr", os.Getpid(), w, n)
				if err := writeOne(s, id, n); err != nil {
					failed <- err
					return
				}
				fmt.Println(id) // one write to the pipe: whole or not at all
			}
		}()
	}
	fmt.Fprintln(os.Stderr, <-failed)
	return 1
}

func writeOne(s *bolt.Store, id string, n int) error {
	ctx := context.Background()
	switch n % 4 {
	case 0:
		d := departure(id)
		d.Certificate = &exchange.Certificate{Key: exchange.CertificateKey{Country: "KR", Form: "AK", Reference: id}, Content: id}
		d.Document = []byte("document of " + id)
		_, err := s.Enqueue(ctx, []exchange.Departure{d})
		return err
	case 1:
		if _, err := s.Claim(ctx, exchange.Claim{Owner: "w", Now: start, Lease: time.Hour, Max: 2}); err != nil {
			return err
		}
	}
	a := arrival(id)
	if n%4 == 2 {
		a = largeArrival(id)
	}
	if n%4 == 3 { // every second one waits for the next
		a.Message.ConversationID, a.Message.Order = id[:strings.LastIndex(id, "-")], &exchange.Order{Sequence: uint32(n/4) ^ 1}
	}
	reply := departure("reply-" + id)
	a.Reply = &reply
	_, err := s.Accept(ctx, []exchange.Arrival{a})
	return err
}

func TestKilledWriterLosesNothingAcknowledged(t *testing.T) {
	cycles := 30
	if testing.Short() {
		cycles = 5
	}
	if n, err := strconv.Atoi(os.Getenv("ECOGATE_CRASH_CYCLES")); err == nil {
		cycles = n
	}
	dir := t.TempDir()
	acked := 0
	for range cycles {
		ids := runAndKill(t, dir)
		acked += len(ids)
		s := open(t, dir, bolt.Options{})
		for _, id := range ids {
			found, err := s.Messages(t.Context(), exchange.MessageQuery{MessageID: id})
			if err != nil || len(found) != 1 {
				t.Fatalf("acknowledged message %s: %d records, %v", id, len(found), err)
			}
			if _, err := s.Raw(t.Context(), found[0].Raw); err != nil {
				t.Fatalf("acknowledged message %s: %v", id, err)
			}
		}
		if left := query(t, s, exchange.MessageQuery{State: exchange.StateSending}); len(left) != 0 {
			t.Fatalf("%d leases outlived their process", len(left))
		}
		for _, name := range folder(t, dir) {
			if strings.HasPrefix(name, "new-") {
				t.Fatalf("%s outlived its process", name)
			}
		}
		if err := s.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d kills, %d acknowledged messages, none lost", cycles, acked)
}

// runAndKill starts a writer, kills it after a random number of answers, and returns the MessageIDs that it had printed.
func runAndKill(t *testing.T, dir string) []string {
	t.Helper()
	cmd := child(t, "writer", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := rand.IntN(200)
	var ids []string
	lines := bufio.NewReader(out)
	for n := 0; ; n++ {
		if n == limit {
			_ = cmd.Process.Kill() // what is in the pipe by then is read too
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			break
		}
		if id := strings.TrimSpace(line); id != "open" {
			ids = append(ids, id)
		}
	}
	_, _ = io.Copy(io.Discard, out)
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() > 0 {
		t.Fatalf("the writer ended by itself: %v", err)
	}
	return ids
}

// dieAtPoint kills its process when it passes the named point for the second time.
func dieAtPoint(dir, name string) int {
	passed := 0
	s, err := bolt.Open(dir, bolt.Options{Now: clock, LargeBytes: smallFrames.LargeBytes, Point: func(at string) {
		if at != name {
			return
		}
		if passed++; passed == 2 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for _, id := range []string{"first@th", "second@th"} {
		if _, err := s.Accept(context.Background(), []exchange.Arrival{arrivalAtPoint(id)}); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	return 1
}

// arrivalAtPoint has content in a frame and content in a file of its own.
func arrivalAtPoint(id string) exchange.Arrival {
	a := largeArrival(id)
	a.Document = []byte("document of " + id)
	a.Certificate = &exchange.Certificate{Key: exchange.CertificateKey{Country: "TH", Form: "AK", Reference: id}, Content: id}
	return a
}

func TestKilledBetweenTheDurableSteps(t *testing.T) {
	for _, c := range []struct {
		point  string
		stored int
	}{{"store.large-synced", 0}, {"store.raw-synced", 0}, {"store.committed", 1}} {
		t.Run(c.point, func(t *testing.T) {
			dir := t.TempDir()
			cmd := child(t, "point", dir, "ECOGATE_STORE_POINT="+c.point)
			if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() > 0 {
				t.Fatalf("the process did not die at the point: %v", err)
			}
			s := open(t, dir, smallFrames)
			check(t, s)
			if n := len(query(t, s, exchange.MessageQuery{MessageID: "first@th"})); n != 1 {
				t.Errorf("%d records of the message before, want 1", n)
			}
			if n := len(query(t, s, exchange.MessageQuery{MessageID: "second@th"})); n != c.stored {
				t.Errorf("%d records of the message at the point, want %d", n, c.stored)
			}
			size, files := rawSize(t, dir), len(folder(t, dir))
			if results, err := s.Accept(t.Context(), []exchange.Arrival{arrivalAtPoint("second@th")}); err != nil || results[0].Fresh != (c.stored == 0) {
				t.Errorf("the sender's retry: %+v, %v", results, err)
			}
			if again := len(folder(t, dir)); files != 2 || again != 2 {
				t.Errorf("%d files of their own, then %d, want 2", files, again)
			}
			if again := rawSize(t, dir); again != size && c.point != "store.large-synced" {
				t.Errorf("bytes that lay in the raw file were stored again: %d, then %d bytes", size, again)
			}
			check(t, s)
		})
	}
}

// fillTheDisk runs with a file size limit that stands for a full disk: writes fail cleanly, reading goes on, and with
// room again all is well.
func fillTheDisk(dir string) int {
	signal.Ignore(syscall.SIGXFSZ)
	t := &failures{}
	s, err := bolt.Open(dir, bolt.Options{Now: clock})
	if err != nil {
		t.Errorf("%v", err)
		return 1
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Errorf("%v", err)
	}
	size, _ := strconv.ParseUint(os.Getenv("ECOGATE_STORE_LIMIT"), 10, 64)
	limit := before
	limit.Cur = size
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Errorf("%v", err)
	}
	stored := fill(t, s, os.Getenv("ECOGATE_STORE_FILE"))
	path := filepath.Join(dir, "raw-2026-11.log")
	sizeBefore, err := os.Stat(path)
	if err != nil {
		t.Errorf("%v", err)
		return t.n
	}
	long := arrival("long@th")
	long.Raw = strings.NewReader(strings.Repeat("long\n", 1000))
	if _, err := s.Accept(context.Background(), []exchange.Arrival{long}); !isFull(err) {
		t.Errorf("a longer message: %v, want ErrFull", err)
	}
	huge := arrival("huge@th")
	huge.Raw = pattern(size + 100_000)
	if _, err := s.Accept(context.Background(), []exchange.Arrival{huge}); !isFull(err) {
		t.Errorf("content in a file of its own: %v, want ErrFull", err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "raw-2026-11")); err != nil || len(left) != 0 {
		t.Errorf("%d files of their own are left, %v", len(left), err)
	}
	if after, err := os.Stat(path); err != nil || after.Size() != sizeBefore.Size() {
		t.Errorf("a refused message left bytes behind: %v, %v", after.Size()-sizeBefore.Size(), err)
	}
	if err := s.Check(context.Background()); err != nil {
		t.Errorf("on the full disk: %v", err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Errorf("%v", err)
	}
	if _, err := s.Accept(context.Background(), []exchange.Arrival{arrival("after@th")}); err != nil {
		t.Errorf("with room again: %v", err)
	}
	found, err := s.Messages(context.Background(), exchange.MessageQuery{Limit: 1 << 20})
	if err != nil || len(found) != stored+1 {
		t.Errorf("%d records, want %d; %v", len(found), stored+1, err)
	}
	if err := s.Check(context.Background()); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("%v", err)
	}
	return t.n
}

// fill accepts messages until the store says three times that it is full, naming what was tried, and returns how many it took.
func fill(t errorer, s *bolt.Store, tried string) int {
	stored, refused := 0, 0
	for i := 0; refused < 3; i++ {
		if i > 20_000 {
			t.Errorf("the store never gets full")
			return stored
		}
		_, err := s.Accept(context.Background(), []exchange.Arrival{arrival(fmt.Sprintf("m%d@th", i))})
		switch {
		case err == nil:
			stored++
		case isFull(err) && strings.Contains(err.Error(), tried):
			refused++
		default:
			t.Errorf("message %d: %v, want ErrFull with %q", i, err, tried)
			return stored
		}
	}
	return stored
}

type errorer interface {
	Errorf(format string, args ...any)
}

// failures counts and prints what fails in a child process.
type failures struct{ n int }

func (f *failures) Errorf(format string, args ...any) {
	f.n++
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}

func TestFullDisk(t *testing.T) {
	// state.db doubles its size when it grows, so that the limit decides which file meets it first.
	for name, limit := range map[string]int{"commit to ": 1_000_000, "raw-2026-11.log at offset": 1_200_000} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := child(t, "full", dir, fmt.Sprint("ECOGATE_STORE_LIMIT=", limit), "ECOGATE_STORE_FILE="+name).Run(); err != nil {
				t.Errorf("child: %v", err)
			}
			s := open(t, dir, bolt.Options{})
			check(t, s)
		})
	}
}

func rawSize(t *testing.T, dir string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, "raw-2026-11.log"))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
