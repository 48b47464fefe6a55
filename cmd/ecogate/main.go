// Command ecogate runs a gateway for electronic certificates of origin and talks to one.
//
// It only wires: each verb stands in the file of its name, node.go puts a node together, root.go holds what verbs share
// (flags, output, exit codes). What a verb does is in the rooms it calls.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)

// gcPercent lets the heap grow to four times what lives before it is collected, unless GOGC says otherwise. A node's live heap is a few
// tens of MB, and with Go's own 100 a tenth of its time under load goes into collecting it.
const gcPercent = 300

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, restore := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, restore) // the first signal ends ctx, a second one has its ordinary effect
	c := &cli{in: os.Stdin, out: os.Stdout, errOut: os.Stderr, now: time.Now}
	os.Exit(c.run(ctx, os.Args[1:]))
}
