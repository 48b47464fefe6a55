package main

import (
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// untilCommand is the script command "until REGEXP ARGUMENT...": it runs the program with the arguments until its output matches, since what a
// node does by itself happens a moment later.
func untilCommand(ts *testscript.TestScript, _ bool, args []string) {
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := ts.Exec("ecogate", args[1:]...)
		got := ts.ReadFile("stdout")
		switch {
		case err == nil && want.MatchString(got):
			return
		case time.Now().After(deadline):
			ts.Fatalf("no %q in\n%s%s", args[0], got, ts.ReadFile("stderr"))
		}
	}
}
