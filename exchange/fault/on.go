//go:build fault

package fault

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

var hits atomic.Int64

// Point kills the process with SIGKILL, so that nothing is flushed, closed or deferred, when name is the one in
// ECOGATE_FAULT ("name" or "name:n" for its n-th passing).
func Point(name string) {
	want, count, found := strings.Cut(os.Getenv("ECOGATE_FAULT"), ":")
	if want != name {
		return
	}
	n := int64(1)
	if found {
		if v, err := strconv.ParseInt(count, 10, 64); err == nil {
			n = v
		}
	}
	if hits.Add(1) == n {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}
