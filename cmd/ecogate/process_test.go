package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/internal/pair"
)

// patience bounds every wait of the tests with processes; none is expected to come near it.
const patience = time.Minute

// buildProgram compiles this command with build tags, under the race detector if the test runs under it.
func buildProgram(t *testing.T, tags string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "ecogate")
	args := []string{"build", "-o", program, "-tags", tags}
	if raceDetected() {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// raceDetected reports whether this test was built with -race.
func raceDetected() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}

// installedProgram is the copy of this command that TestMain put into PATH.
func installedProgram(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("ecogate")
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// output is what a process writes, readable while it runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// end is as much of the text as a person reads.
func (o *output) end() string {
	text := o.String()
	return text[max(0, len(text)-8000):]
}

// process is a running ecogate. However the test ends, it ends before.
type process struct {
	t        *testing.T
	cmd      *exec.Cmd
	out, log output        // standard output and standard error
	ended    chan struct{} // closed when the process is gone
}

// launch starts ecogate. Of the test's own environment it sees nothing that configures ecogate.
func launch(t *testing.T, program string, environ []string, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	if deadline, ok := t.Deadline(); ok { // go test stops itself then, without cleaning up
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-5*time.Second))
	}
	p := &process{t: t, cmd: exec.CommandContext(ctx, program, args...), ended: make(chan struct{})}
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "ECOGATE_") {
			p.cmd.Env = append(p.cmd.Env, variable)
		}
	}
	p.cmd.Env = append(p.cmd.Env, environ...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.log
	if err := p.cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // ProcessState tells how it ended
		close(p.ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-p.ended
		if t.Failed() {
			t.Logf("%s\n%s%s", strings.Join(p.cmd.Args, " "), p.out.end(), p.log.end())
		}
	})
	return p
}

// wait returns how the process ended.
func (p *process) wait() *os.ProcessState {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("%s still runs", strings.Join(p.cmd.Args, " "))
	}
	if strings.Contains(p.log.String(), "DATA RACE") {
		p.t.Error("data race")
	}
	return p.cmd.ProcessState
}

func (p *process) exits(code int) {
	p.t.Helper()
	if state := p.wait(); state.ExitCode() != code {
		p.t.Fatalf("%s: %s, want exit code %d", strings.Join(p.cmd.Args, " "), state, code)
	}
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// killed expects that the process was ended by SIGKILL and by nothing else.
func (p *process) killed() {
	p.t.Helper()
	state := p.wait()
	if status := state.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGKILL {
		p.t.Fatalf("%s: %s, want death by SIGKILL", strings.Join(p.cmd.Args, " "), state)
	}
}

// until asks again and again until done returns nil, and fails with its last error.
func until(t *testing.T, done func() error) {
	t.Helper()
	deadline := time.After(patience)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := done()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			t.Fatal(err)
		}
	}
}

// site is one administration: its installation, and the process on it while there is one.
type site struct {
	*process
	t       *testing.T
	program string
	pair.Side
	environ []string
	ready   string // ready file of the process
	addresses
}

// start runs the site's node until it listens, with more environment.
func (s *site) start(environ ...string) {
	s.t.Helper()
	// A process that is killed leaves its ready file, so each has its own.
	s.ready = filepath.Join(s.t.TempDir(), "ready.json")
	environ = append(append(environ, anyPort...), s.environ...)
	s.process = launch(s.t, s.program, environ, "serve", "--config", s.ConfigFile, "--ready-file", s.ready)
	until(s.t, func() error {
		data, err := os.ReadFile(s.ready)
		if err == nil {
			return json.Unmarshal(data, &s.addresses)
		}
		select {
		case <-s.ended:
			s.t.Fatalf("node %s ended before it was ready: %s", s.ID, s.cmd.ProcessState)
		default:
		}
		return err
	})
}

// stop ends the node as an operator would.
func (s *site) stop() {
	s.t.Helper()
	s.signal(syscall.SIGTERM)
	s.exits(exitOK)
}

// client is a client of the running node's API under the key of a role.
func (s *site) client(role string) *api.Client {
	s.t.Helper()
	return clientOf(s.t, s.APIURL, s.KeyFile(role))
}

func clientOf(t *testing.T, url, keyFile string) *api.Client {
	t.Helper()
	key, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	client, err := api.NewClient(url, strings.TrimSpace(string(key)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// door is an address that stays the same while processes behind it come and go. Connections pass through unread.
type door struct {
	net.Listener
	behind atomic.Pointer[string] // where connections go; nil closes them
	open   sync.WaitGroup
}

func newDoor(t *testing.T) *door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{Listener: l}
	d.open.Go(d.accept)
	t.Cleanup(func() { // the processes, which were started later, are gone by now, and their connections with them
		_ = d.Close()
		d.open.Wait()
	})
	return d
}

// leadTo makes new connections go to the host of a URL.
func (d *door) leadTo(url string) {
	_, rest, _ := strings.Cut(url, "://")
	host, _, _ := strings.Cut(rest, "/")
	d.behind.Store(&host)
}

func (d *door) accept() {
	for {
		conn, err := d.Accept()
		if err != nil {
			return
		}
		d.open.Go(func() { d.pass(conn) })
	}
}

func (d *door) pass(from net.Conn) {
	defer from.Close()
	behind := d.behind.Load()
	if behind == nil {
		return
	}
	to, err := net.Dial("tcp", *behind)
	if err != nil {
		return
	}
	defer to.Close()
	d.open.Go(func() {
		_, _ = io.Copy(to, from)
		_ = to.Close()
	})
	_, _ = io.Copy(from, to)
}

// corridor is two administrations as processes, KR and TW, that reach each other through doors.
type corridor struct {
	t      *testing.T
	kr, tw *site
	doors  map[*site]*door
}

// newCorridor makes the two installations; nothing runs yet.
func newCorridor(t *testing.T, program string, o pair.Options) *corridor {
	t.Helper()
	two, err := pair.Make(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	c := &corridor{t: t, kr: &site{t: t, program: program, Side: two.KR}, tw: &site{t: t, program: program, Side: two.TW}}
	c.doors = map[*site]*door{c.kr: newDoor(t), c.tw: newDoor(t)}
	c.kr.environ = []string{fmt.Sprintf("ECOGATE_AGREEMENTS_0_ENDPOINT=https://%s%s", c.doors[c.tw].Addr(), partnerPath)}
	c.tw.environ = []string{fmt.Sprintf("ECOGATE_AGREEMENTS_0_ENDPOINT=https://%s%s", c.doors[c.kr].Addr(), partnerPath)}
	return c
}

// start runs a site's node and lets its partner reach it.
func (c *corridor) start(s *site, environ ...string) {
	c.t.Helper()
	s.start(environ...)
	c.doors[s].leadTo(s.PartnerURL)
}
