package handover_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ecogate/ecogate/clearance/handover"
	"github.com/ecogate/ecogate/store/bolt"
)

// The environment variables that turn the test binary into a process that dies while it hands over.
const (
	childPoint = "ECOGATE_HANDOVER_POINT"
	childDir   = "ECOGATE_HANDOVER_DIR"
)

func TestMain(m *testing.M) {
	if point := os.Getenv(childPoint); point != "" {
		fmt.Fprintln(os.Stderr, dieAt(os.Getenv(childDir), point))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// journal delivers into a folder: a file for each delivery, durable before the answer. It confirms nothing.
type journal struct{ dir string }

func (j journal) Deliver(_ context.Context, p handover.Parcel) (handover.Confirmation, error) {
	n := 0
	for ; ; n++ {
		if _, err := os.Stat(j.name(n, p)); errors.Is(err, os.ErrNotExist) {
			break
		}
	}
	return handover.Confirmation{}, os.WriteFile(j.name(n, p), p.Content, 0o600)
}

func (j journal) name(n int, p handover.Parcel) string {
	return filepath.Join(j.dir, fmt.Sprintf("%d %s", n, p.Name()))
}

// dieAt hands over what is due in a folder until the process kills itself at a point.
func dieAt(dir, point string) error {
	clock := &clock{now: start}
	store, err := bolt.Open(filepath.Join(dir, "store"), bolt.Options{Now: clock.Now})
	if err != nil {
		return err
	}
	vault, err := handover.OpenFolder(filepath.Join(dir, "handover"))
	if err != nil {
		return err
	}
	desk, err := handover.New(handover.Options{
		Store: store, Vault: vault, Documents: documents{}, Now: clock.Now, Deliverer: journal{filepath.Join(dir, "customs")},
		Point: func(name string) {
			if name == point {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		},
	})
	if err != nil {
		return err
	}
	if _, err := desk.Look(context.Background()); err != nil {
		return err
	}
	return fmt.Errorf("%s was not reached", point)
}

// A process that is killed at any point of a handover is followed by one that delivers the same octets under the same key.
func TestKilledProcessLosesNothing(t *testing.T) {
	for point, before := range map[string]int{"handover.made": 0, "handover.delivered": 1} {
		t.Run(point, func(t *testing.T) {
			w := newWorld(t, handover.Options{})
			id := w.file(w.filing("26/0001", "K0012500001"))
			if err := w.store.Close(); err != nil {
				t.Fatal(err)
			}
			arrived := filepath.Join(w.dir, "customs")
			if err := os.Mkdir(arrived, 0o700); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(os.Args[0], "-test.run=^$")
			cmd.Env = append(os.Environ(), childPoint+"="+point, childDir+"="+w.dir)
			cmd.Stderr = os.Stderr
			err := cmd.Run()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("the process ended with %v", err)
			}
			if got := files(t, arrived); len(got) != before {
				t.Fatalf("before the restart: %q", got)
			}
			w.open(handover.Options{Deliverer: journal{arrived}})
			if h := w.get(id); h.State != handover.StateWaiting {
				t.Errorf("after the restart: %+v", h)
			}
			w.look()
			got := files(t, arrived)
			if len(got) != before+1 {
				t.Fatalf("after the restart: %q", got)
			}
			h := w.get(id)
			if h.State != handover.StateDelivered || h.Parcel.Key != id {
				t.Errorf("handover: %+v", h)
			}
			for n := range got {
				content, err := os.ReadFile(journal{arrived}.name(n, handover.Parcel{Key: id}))
				if err != nil {
					t.Fatal(err)
				}
				if vaulted, err := w.vault.Get(t.Context(), h.Parcel.SHA256); err != nil || string(vaulted) != string(content) {
					t.Errorf("delivery %d has other octets, %v", n, err)
				}
			}
		})
	}
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
