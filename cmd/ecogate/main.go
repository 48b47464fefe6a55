// Command ecogate runs a gateway for electronic certificates of origin and talks to one.
//
// It only wires: each verb stands in the file of its name, node.go puts a node together, root.go holds what verbs share
// (flags, output, exit codes). What a verb does is in the rooms it calls.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, restore := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, restore) // the first signal ends ctx, a second one has its ordinary effect
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, time.Now))
}
