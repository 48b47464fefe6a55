package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/internal/contract"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/internal/pkitest"
)

// scriptTime is what the clock of nodes in scripts shows.
var scriptTime = time.Date(2026, 11, 20, 8, 30, 0, 0, time.UTC)

// anyPort overrides the listeners' addresses, so that scripts run side by side.
var anyPort = []string{
	"ECOGATE_LISTENERS_PARTNER_ADDRESS=127.0.0.1:0",
	"ECOGATE_LISTENERS_API_ADDRESS=127.0.0.1:0",
	"ECOGATE_LISTENERS_ADMIN_ADDRESS=127.0.0.1:0",
}

// makePair writes kr/config.yaml and tw/config.yaml, and the API keys as kr/issuer.key and so on.
func makePair(ts *testscript.TestScript) pair.Pair {
	two, err := pair.Make(ts.MkAbs("."), pair.Options{Algorithm: pkitest.P256})
	ts.Check(err)
	for _, side := range []pair.Side{two.KR, two.TW} {
		for _, role := range pair.Keys {
			err := os.Link(side.KeyFile(role), filepath.Join(side.Dir, role+".key"))
			if !errors.Is(err, fs.ErrExist) { // a second call leaves what is there
				ts.Check(err)
			}
		}
	}
	return two
}

// startNodes runs both nodes in this process, with variables over KR's configuration; those that begin with "TW:" are over TW's. KR is told
// where TW is when it starts, TW where KR is by a reload.
func startNodes(ts *testscript.TestScript, w *world, environ []string) {
	w.sides = makePair(ts)
	of := map[bool][]string{}
	for _, variable := range environ {
		name, ours := strings.CutPrefix(variable, "TW:")
		of[ours] = append(of[ours], name)
	}
	w.ofTW = of[true]
	w.tw = w.startNode(ts, w.sides.TW, w.ofTW...)
	w.startKR(ts, of[false]...)
}

// startKR starts KR and tells TW where it is.
func (w *world) startKR(ts *testscript.TestScript, environ ...string) {
	w.kr = w.startNode(ts, w.sides.KR, append(environ, "ECOGATE_AGREEMENTS_0_ENDPOINT="+w.tw.PartnerURL)...)
	cfg, err := config.Load(w.sides.TW.ConfigFile, slices.Concat(anyPort, w.ofTW, []string{"ECOGATE_AGREEMENTS_0_ENDPOINT=" + w.kr.PartnerURL}))
	ts.Check(err)
	ts.Check(w.tw.Reload(cfg))
}

// rebornCommand is the script command "reborn [VARIABLE]...": KR begins again with an empty store, as after a loss that no backup mends.
func rebornCommand(ts *testscript.TestScript, _ bool, environ []string) {
	w := worldOf(ts)
	ts.Check(w.kr.Close())
	w.startKR(ts, append(environ, "ECOGATE_STORE_DIR="+ts.MkAbs("kr/reborn"))...)
}

// asCommand is the script command "as SIDE ROLE": who speaks from now on.
func asCommand(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv("ECOGATE_API_URL", ts.Getenv(args[0]+"_URL"))
	ts.Setenv("ECOGATE_API_KEY_FILE", strings.ToLower(args[0])+"/"+args[1]+".key")
}

func (w *world) startNode(ts *testscript.TestScript, side pair.Side, environ ...string) *runningNode {
	cfg, err := config.Load(side.ConfigFile, append(environ, anyPort...))
	ts.Check(err)
	held := &heldAPI{}
	n, err := startNode(context.Background(), cfg, nodeOptions{
		Now:     func() time.Time { return scriptTime },
		Users:   held.around,
		Observe: func(e exchange.Event) { w.steps.happened(side.ID+" "+e.Step, e.Detail) },
	})
	ts.Check(err)
	ts.Defer(func() { ts.Check(errors.Join(n.Close(), held.complaints())) })
	ts.Setenv(side.ID+"_URL", n.APIURL)
	ts.Setenv(side.ID+"_ADMIN_URL", n.AdminURL)
	key, err := os.ReadFile(side.KeyFile("operator"))
	ts.Check(err)
	ts.Setenv(side.ID+"_OPERATOR_KEY", strings.TrimSpace(string(key)))
	return n
}

// heldAPI holds what a node's API answers, and what it takes, to the OpenAPI document.
type heldAPI struct {
	mu    sync.Mutex
	found []error
}

func (h *heldAPI) tell(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.found = append(h.found, err)
}

func (h *heldAPI) around(users http.Handler) http.Handler {
	c, err := contract.Load()
	if err != nil {
		h.tell(err)
		return users
	}
	return c.Hold(users, h.tell)
}

// complaints are what was not as the document says.
func (h *heldAPI) complaints() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return errors.Join(h.found...)
}

// steps remembers what has happened.
type steps struct {
	mu   sync.Mutex
	seen map[string]chan struct{} // closed when it happened
	told []string                 // all that happened, in order
	// times counts them; seen has an entry for each time, too.
	times map[string]int
}

// of returns the channel that tells of a step.
func (s *steps) of(name string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = make(map[string]chan struct{})
	}
	if s.seen[name] == nil {
		s.seen[name] = make(chan struct{})
	}
	return s.seen[name]
}

func (s *steps) happened(name, detail string) {
	s.mu.Lock()
	s.told = append(s.told, name+": "+detail)
	if s.times == nil {
		s.times = make(map[string]int)
	}
	s.times[name]++
	n := s.times[name]
	s.mu.Unlock()
	if n == 1 {
		close(s.of(name))
	}
	close(s.of(fmt.Sprint(name, " ", n)))
}

// await is the script command "await NODE STEP [N]": until it has happened, N times if that is given.
func (s *steps) await(ts *testscript.TestScript, node, step string) {
	select {
	case <-s.of(node + " " + step):
	case <-time.After(20 * time.Second):
		s.mu.Lock()
		defer s.mu.Unlock()
		ts.Fatalf("%s reported no %q, but\n%s", node, step, strings.Join(s.told, "\n"))
	}
}
