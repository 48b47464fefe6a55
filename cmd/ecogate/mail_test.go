package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ecogate/ecogate/internal/mailtest"
	"github.com/ecogate/ecogate/internal/pkitest"
)

// scriptTB gives package mailtest a script for a test. What is missing ends the script; the condition [mail] asks before.
type scriptTB struct{ *testscript.TestScript }

func (tb scriptTB) Helper()                           {}
func (tb scriptTB) Skipf(format string, args ...any)  { tb.Fatalf(format, args...) }
func (tb scriptTB) Cleanup(f func())                  { tb.Defer(f) }
func (tb scriptTB) Failed() bool                      { return false }
func (tb scriptTB) Logf(format string, args ...any)   { tb.TestScript.Logf(format, args...) }
func (tb scriptTB) Fatalf(format string, args ...any) { tb.TestScript.Fatalf(format, args...) }
func (tb scriptTB) TempDir() string                   { return tb.MkAbs(".") }

// mailCommand starts a mail server with the user "ecogate": MAIL_PORT is where it takes mails, mail-ca.pem holds its CA, mail.password the password.
func mailCommand(ts *testscript.TestScript, _ bool, _ []string) {
	tb := scriptTB{ts}
	pki := pkitest.NewTest(tb, pkitest.Options{Country: "TW", Organisation: "Customs"})
	_, keyFile, chainFile := pki.IssueFiles("mail", pkitest.Request{Name: "mail", Use: pkitest.TLSServer, Hosts: []string{"127.0.0.1"}})
	ts.Check(os.Rename(filepath.Join(pki.Dir, "root.pem"), ts.MkAbs("mail-ca.pem")))
	ts.Check(os.WriteFile(ts.MkAbs("mail.password"), []byte("password of the server\n"), 0o600))
	server := mailtest.Start(tb, mailtest.Options{KeyFile: keyFile, ChainFile: chainFile, User: "ecogate", Password: "password of the server"})
	worldOf(ts).mail = server
	ts.Setenv("MAIL_PORT", strconv.Itoa(server.Port))
}

// mailsCommand waits until so many mails were delivered and writes them to mails.txt, decoded from quoted-printable as far as they are ASCII.
func mailsCommand(ts *testscript.TestScript, _ bool, args []string) {
	count, err := strconv.Atoi(args[0])
	ts.Check(err)
	mails := worldOf(ts).mail.Wait(scriptTB{ts}, count)
	whole := strings.ReplaceAll(strings.Join(mails, "\n\n"), "=\n", "")
	ts.Check(os.WriteFile(ts.MkAbs("mails.txt"), []byte(whole), 0o600))
}

// eventuallyCommand repeats "exits CODE ARG..." until its output matches a text, which is its first argument.
func eventuallyCommand(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		exitsCommand(ts, false, args[1:])
		if strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("output never held %q:\n%s", args[0], ts.ReadFile("stdout"))
		}
	}
}

// appendCommand writes a file behind another one.
func appendCommand(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(ts.ReadFile(args[1])+"\n"+ts.ReadFile(args[0])), 0o600))
}
