package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ecogate/ecogate/internal/mailtest"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/internal/pkitest"
)

// noLinger is what a program with the race detector takes from GORACE: it does not wait a second before it ends, for races that come late. The scripts
// run it a thousand times.
const noLinger = "atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	if err := os.Setenv("GORACE", noLinger); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"ecogate": main})
}

// TestScripts runs testdata/scripts. Besides testscript's own commands a script has:
//
//	pair                  write kr/config.yaml and tw/config.yaml with all that they name; nothing runs. Nodes that come later use them
//	nodes [NAME=VALUE...] the same, and run both nodes in this process on scriptTime, with variables over KR's
//	                      configuration; KR_URL and TW_URL are their APIs, KR_ADMIN_URL and TW_ADMIN_URL their administration
//	await NODE STEP       wait until node KR or TW has reported a step of a flow, such as "TW stored"
//	issue SIDE NAME USE   write SIDE/next/NAME.key and .pem, of a new PKI with its root in SIDE/next/root.pem
//	exits CODE ARG...     run "ecogate ARG..." and expect its exit code; "stdout" and "stderr" look at its output
//	until REGEXP ARG...   run "ecogate ARG..." again and again until its output matches, for 20 seconds at most
//	serve FILE [ARG...]   run "ecogate serve --config FILE ARG..." as a process of its own until it has printed its listeners;
//	                      API_URL, ADMIN_URL and PARTNER_URL are what it printed, API_ADDRESS and so on without scheme
//	sighup TEXT           send that process SIGHUP and wait until its log holds TEXT
//	sigterm CODE          send it SIGTERM and expect its exit code; its log is in serve.log
//	get URL STATUS        ask an HTTP server and expect a status; the body goes to standard output
//	mail                  start a mail server: MAIL_PORT, mail-ca.pem, mail.password of the user ecogate; [mail] is true where there can be one
//	mails N               wait until N mails were delivered; they are in mails.txt
//	append FROM TO        write a file behind another one
//	eventually TEXT CODE ARG...   as exits, again until the output holds TEXT
//	replace OLD NEW FILE  replace every OLD in a file; \n in NEW is a line end
//
// CERTIFICATES, CPAS and OFFLINE are folders of testdata. The condition [schemas] is true where the OASIS schemas lie beside the checkout, in the folder SCHEMAS.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/scripts",
		Setup: func(env *testscript.Env) error {
			env.Values[worldKey{}] = new(world)
			env.Setenv("GORACE", noLinger)
			certificates, err := filepath.Abs("../../testdata/certificates")
			if err != nil {
				return err
			}
			env.Setenv("CERTIFICATES", certificates)
			cpas, err := filepath.Abs("../../testdata/cpa")
			if err != nil {
				return err
			}
			env.Setenv("CPAS", cpas)
			messages, err := filepath.Abs(offline)
			env.Setenv("OFFLINE", messages)
			if err != nil {
				return err
			}
			schemas, err := filepath.Abs(oasisSchemas)
			env.Setenv("SCHEMAS", schemas)
			return err
		},
		Condition: func(name string) (bool, error) {
			if name == "mail" {
				return mailtest.Missing() == nil, nil
			}
			if name != "schemas" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			_, err := os.Stat(oasisSchemas)
			return err == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"pair":  func(ts *testscript.TestScript, _ bool, _ []string) { makePair(ts) },
			"nodes": func(ts *testscript.TestScript, _ bool, args []string) { startNodes(ts, worldOf(ts), args) },
			"await": func(ts *testscript.TestScript, _ bool, args []string) {
				worldOf(ts).steps.await(ts, args[0], strings.Join(args[1:], " "))
			},
			"as":      asCommand,
			"reborn":  rebornCommand,
			"issue":   issueCommand,
			"exits":   exitsCommand,
			"until":   untilCommand,
			"serve":   func(ts *testscript.TestScript, _ bool, args []string) { worldOf(ts).serve(ts, args) },
			"sighup":  func(ts *testscript.TestScript, _ bool, args []string) { worldOf(ts).hangUp(ts, args[0]) },
			"sigterm": func(ts *testscript.TestScript, _ bool, args []string) { worldOf(ts).terminate(ts, args[0]) },
			"get":     getCommand,
			"replace": replaceCommand,

			"mail":       mailCommand,
			"mails":      mailsCommand,
			"eventually": eventuallyCommand,
			"append":     appendCommand,
		},
	})
}

const oasisSchemas = "../../../shared/ubl/xsd"

type worldKey struct{}

// world is what one script has running.
type world struct {
	steps   steps
	sides   pair.Pair
	kr, tw  *runningNode
	ofTW    []string // variables over TW's configuration
	mail    *mailtest.Server
	process *exec.Cmd      // of serve
	log     *bufio.Scanner // its standard error
	logged  strings.Builder
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

// serve runs the program until it says that it listens.
func (w *world) serve(ts *testscript.TestScript, args []string) {
	// testscript puts a folder with the program first in PATH.
	program := filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], "ecogate")
	w.process = exec.Command(program, append([]string{"serve", "--config"}, args...)...)
	w.process.Dir = ts.MkAbs(".")
	w.process.Env = append([]string{"PATH=" + ts.Getenv("PATH")}, anyPort...)
	out, err := w.process.StdoutPipe()
	ts.Check(err)
	log, err := w.process.StderrPipe()
	ts.Check(err)
	w.log = bufio.NewScanner(log)
	ts.Check(w.process.Start())
	ts.Defer(func() { _ = w.process.Process.Kill() })
	lines := bufio.NewScanner(out)
	for range 3 {
		if !lines.Scan() {
			w.readLog("")
			ts.Fatalf("serve ended early:\n%s", w.logged.String())
		}
		name, url, _ := strings.Cut(lines.Text(), " ")
		url = strings.TrimSpace(url)
		_, address, found := strings.Cut(url, "://")
		if !found {
			ts.Fatalf("serve printed %q", lines.Text())
		}
		ts.Setenv(strings.ToUpper(name)+"_URL", url)
		ts.Setenv(strings.ToUpper(name)+"_ADDRESS", address)
	}
}

// readLog reads the process's log until a line holds text, or to its end if text is empty.
func (w *world) readLog(text string) bool {
	for w.log.Scan() {
		fmt.Fprintln(&w.logged, w.log.Text())
		if text != "" && strings.Contains(w.log.Text(), text) {
			return true
		}
	}
	return text == ""
}

func (w *world) hangUp(ts *testscript.TestScript, text string) {
	ts.Check(w.process.Process.Signal(syscall.SIGHUP))
	if !w.readLog(text) {
		ts.Fatalf("the log ended without %q:\n%s", text, w.logged.String())
	}
}

func (w *world) terminate(ts *testscript.TestScript, code string) {
	ts.Check(w.process.Process.Signal(syscall.SIGTERM))
	w.readLog("")
	_ = w.process.Wait() // the exit code is compared next
	ts.Check(os.WriteFile(ts.MkAbs("serve.log"), []byte(w.logged.String()), 0o600))
	if got := fmt.Sprint(w.process.ProcessState.ExitCode()); got != code {
		ts.Fatalf("exit code %s, want %s; log:\n%s", got, code, w.logged.String())
	}
}

func exitsCommand(ts *testscript.TestScript, _ bool, args []string) {
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec("ecogate", args[1:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("ecogate: %v", err)
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

func getCommand(ts *testscript.TestScript, neg bool, args []string) {
	res, err := http.Get(args[0])
	if neg {
		if err == nil {
			ts.Fatalf("%s answers %s", args[0], res.Status)
		}
		return
	}
	ts.Check(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	ts.Check(err)
	if got := fmt.Sprint(res.StatusCode); got != args[1] {
		ts.Fatalf("%s answers %s, want %s: %s", args[0], got, args[1], body)
	}
	_, err = ts.Stdout().Write(body)
	ts.Check(err)
}

// issueCommand is the script command "issue SIDE NAME USE": SIDE/next/NAME.key and NAME.pem, under a new PKI, whose root is in
// SIDE/next/root.pem.
func issueCommand(ts *testscript.TestScript, _ bool, args []string) {
	side, name, use := args[0], args[1], args[2]
	pki, err := pkitest.New(pkitest.Options{Country: strings.ToUpper(side), Organisation: "Next"})
	ts.Check(err)
	issued, err := pki.Issue(pkitest.Request{Name: name, Use: pkitest.Use(use)})
	ts.Check(err)
	folder := ts.MkAbs(side + "/next")
	_, err = pki.Root.WriteCredential(folder, "root")
	ts.Check(err)
	_, err = issued.WriteCredential(folder, name)
	ts.Check(err)
	_, err = issued.WriteKey(folder, name)
	ts.Check(err)
}

func replaceCommand(ts *testscript.TestScript, _ bool, args []string) {
	before := ts.ReadFile(args[2])
	after := strings.ReplaceAll(before, args[0], strings.ReplaceAll(args[1], `\n`, "\n"))
	if after == before {
		ts.Fatalf("%s holds no %q", args[2], args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(after), 0o600))
}
