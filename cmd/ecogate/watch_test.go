package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// folderPoint lies between the durable submission of a file and its move.
const folderPoint = "intake.submitted"

// watchFolder gives a site's configuration a watched folder.
func watchFolder(t *testing.T, s *site, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(s.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(config), "\nintake:")
	text += fmt.Sprintf("\nintake:\n  poll: 100ms\n  settle: 0s\n  folders:\n    - path: %s\n      partner: TW\n", dir)
	if err := os.WriteFile(s.ConfigFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// drop puts certificates into a folder, as a careful program does: under another name first.
func drop(t *testing.T, dir string, references []string) {
	t.Helper()
	for _, reference := range references {
		data, err := json.Marshal(certificateWith(t, reference))
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, reference+".json")
		if err := errors.Join(os.WriteFile(name+".tmp", data, 0o600), os.Rename(name+".tmp", name)); err != nil {
			t.Fatal(err)
		}
	}
}

// files are those in a folder, without sub-folders.
func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	out := []string{}
	for _, entry := range entries {
		if !entry.IsDir() {
			out = append(out, entry.Name())
		}
	}
	return out
}

// emptied waits until a folder holds no file any more.
func emptied(t *testing.T, dir string) {
	t.Helper()
	until(t, func() error {
		if left := files(t, dir); len(left) > 0 {
			return fmt.Errorf("%q are left in %s", left, dir)
		}
		return nil
	})
}

func TestFolderSurvivesKills(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills many processes")
	}
	program := buildProgram(t, "fault")
	for _, point := range []string{folderPoint + ":1", folderPoint + ":4", "submit.composed:2", "submit.committed:3", "store.committed:2", ""} {
		t.Run(strings.Trim("at "+point, " "), func(t *testing.T) {
			t.Parallel()
			l := newLedger(t, program, travel{})
			dir := watchFolder(t, l.kr, "out")
			references := l.references(6)
			l.start(l.tw)
			var environ []string
			if point != "" {
				environ = append(environ, "ECOGATE_FAULT="+point)
			}
			l.start(l.kr, environ...)
			if point == "" { // that it does not matter when is what is tested
				victim := l.kr.process
				time.AfterFunc(rand.N(150*time.Millisecond), func() { _ = victim.cmd.Process.Kill() })
			}
			drop(t, dir, references)
			l.kr.killed()
			l.start(l.kr)
			emptied(t, dir)
			want := []string{}
			for _, reference := range references {
				want = append(want, reference+".json")
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, files(t, filepath.Join(dir, "done"))); diff != "" {
				t.Errorf("files in done (-want +got):\n%s", diff)
			}
			l.settle() // submits them once more through the API: they are the same
		})
	}
}

func TestHangupReadsTheFoldersAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	l := newLedger(t, installedProgram(t), travel{})
	l.start(l.tw)
	first := watchFolder(t, l.kr, "first")
	l.start(l.kr)
	references := l.references(3)
	drop(t, first, references[:1])
	emptied(t, first)

	second := watchFolder(t, l.kr, "second")
	l.kr.signal(syscall.SIGHUP)
	drop(t, second, references[1:2])
	emptied(t, second)
	drop(t, first, references[2:])

	// A folder that cannot be used changes nothing.
	if err := os.Chmod(watchFolder(t, l.kr, "third"), 0o777); err != nil {
		t.Fatal(err)
	}
	l.kr.signal(syscall.SIGHUP)
	until(t, func() error {
		if !strings.Contains(l.kr.log.String(), "anyone on this machine can put certificates there") {
			return errors.New("the log does not tell of the folder that cannot be used")
		}
		return nil
	})
	if err := os.WriteFile(filepath.Join(second, "bad.csv"), []byte("Form\n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	emptied(t, second)
	if diff := cmp.Diff([]string{"bad.csv", "bad.csv.report.json", "bad.csv.report.txt"}, files(t, filepath.Join(second, "failed"))); diff != "" {
		t.Errorf("files in failed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{references[2] + ".json"}, files(t, first)); diff != "" {
		t.Errorf("files in the folder that is not watched any more (-want +got):\n%s", diff)
	}
	l.kr.stop()
	l.kr.process = launch(t, l.kr.program, append(slices.Clone(anyPort), l.kr.environ...), "serve", "--config", l.kr.ConfigFile)
	l.kr.exits(exitFailure)
	if log := l.kr.log.String(); !strings.Contains(log, "intake.folders[0].path: ") || !strings.Contains(log, "chmod o-w") {
		t.Errorf("a node with a folder that cannot be used says\n%s", log)
	}
}
