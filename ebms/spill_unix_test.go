//go:build unix

package ebms_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/internal/peertest"
)

// A process of its own, which may not write larger files, stands for a disk that is full.
func TestHandlerAsksToComeAgainIfTheDiskIsFull(t *testing.T) {
	const child = "ECOGATE_TEST_FULL_DISK"
	if os.Getenv(child) == "" {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestHandlerAsksToComeAgainIfTheDiskIsFull$")
		cmd.Env = append(os.Environ(), child+"="+t.TempDir())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 100_000, Max: 100_000}); err != nil {
		t.Fatal(err)
	}
	h := ebms.Handler(ebms.HandlerOptions{
		Limits: ebms.Limits{SpillBytes: 10, SpillDir: os.Getenv(child)}, Now: instant,
		Receive: func(context.Context, ebms.Request) ebms.Reply { return ebms.Reply{Status: 204} },
	})
	for size, want := range map[int]int{100_000: 204, 100_001: 503} {
		if got := peertest.Fire(h, textXML, bytes.Repeat([]byte("x"), size)); got.Status != want {
			t.Errorf("%d bytes: status %d, want %d", size, got.Status, want)
		}
	}
}
