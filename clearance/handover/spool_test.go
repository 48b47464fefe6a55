package handover_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/clearance/handover"
)

// boxWorld is a world that delivers into a folder, with the parcel of one declaration in it.
type boxWorld struct {
	*world
	folder, id string
	parcel     handover.Parcel
}

func newSpoolWorld(t *testing.T, o handover.BoxOptions) *boxWorld {
	t.Helper()
	o.Folder = t.TempDir()
	spool, err := handover.NewSpool(o)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, handover.Options{Deliverer: spool, Times: handover.Times{Inquire: time.Minute, Resend: time.Hour}})
	return &boxWorld{world: w, folder: o.Folder}
}

// deliver files a declaration and looks.
func (w *boxWorld) deliver() {
	w.Helper()
	w.id = w.file(w.filing("26/0001", "K0012500001"))
	w.look()
	var err error
	if w.parcel, err = w.desk.Parcel(w.Context(), w.id); err != nil {
		w.Fatal(err)
	}
}

// put writes a file of the receiver's.
func (w *boxWorld) put(name, text string) {
	w.Helper()
	if err := os.WriteFile(filepath.Join(w.folder, name), []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
}

func (w *boxWorld) names() (list []string) {
	w.Helper()
	entries, err := os.ReadDir(w.folder)
	if err != nil {
		w.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// asked is the handover after the next question.
func (w *boxWorld) asked() handover.Handover {
	w.Helper()
	w.clock.add(time.Minute)
	w.look()
	return w.get(w.id)
}

func (w *boxWorld) lies(name string) {
	w.Helper()
	content, err := os.ReadFile(filepath.Join(w.folder, name+".zip"))
	if err != nil {
		w.Fatal(err)
	}
	sidecar, err := os.ReadFile(filepath.Join(w.folder, name+".zip.sha256"))
	if err != nil {
		w.Fatal(err)
	}
	if want := fmt.Sprintf("%x  %s.zip\n", sha256.Sum256(content), name); string(sidecar) != want || !bytes.Equal(content, w.parcel.Content) {
		w.Errorf("sidecar %q, want %q; %d octets of the parcel's %d", sidecar, want, len(content), len(w.parcel.Content))
	}
}

func TestSpoolFolder(t *testing.T) {
	w := newSpoolWorld(t, handover.BoxOptions{})
	w.deliver()
	w.lies(w.id)
	if got := w.names(); len(got) != 2 {
		t.Errorf("files: %q", got)
	}
	if h := w.asked(); h.State != handover.StateDelivered || h.Attempts != 1 {
		t.Errorf("before it is confirmed: %+v", h)
	}
	w.put(w.id+".zip.ok", "")
	if h := w.asked(); h.State != handover.StateConfirmed || h.Attempts != 1 {
		t.Errorf("confirmed: %+v", h)
	}
}

func TestSpoolConfirmations(t *testing.T) {
	for _, c := range []struct {
		name, suffix, text string
		state              handover.State
		reference, reason  string
		problem            string
	}{
		{name: "empty", suffix: ".ok", state: handover.StateConfirmed},
		{name: "with a number", suffix: ".ok", text: `{"status":"confirmed","sha256":"$SUM","reference":"C-7"}`, state: handover.StateConfirmed, reference: "C-7"},
		{name: "received", suffix: ".ok", text: `{"status":"received","sha256":"$SUM","reference":"C-7"}`, state: handover.StateDelivered, reference: "C-7"},
		{name: "refused in words", suffix: ".refused", text: "no such\tdeclaration\nmore", state: handover.StateRefused, reason: "no such declaration"},
		{name: "refused without", suffix: ".refused", state: handover.StateRefused, reason: "the customs system gave no reason"},
		{name: "refused as JSON", suffix: ".ok", text: `{"status":"refused","sha256":"$SUM","reason":"late"}`, state: handover.StateRefused, reason: "late"},
		{name: "of other octets", suffix: ".ok", text: `{"status":"confirmed","sha256":"` + strings.Repeat("0", 64) + `"}`, state: handover.StateDelivered,
			problem: "the digest is not that of the parcel"},
		{name: "half written", suffix: ".ok", text: `{"status":"conf`, state: handover.StateDelivered, problem: ".zip.ok: confirmation: unexpected EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newSpoolWorld(t, handover.BoxOptions{})
			w.deliver()
			w.put(w.id+".zip"+c.suffix, strings.ReplaceAll(c.text, "$SUM", w.parcel.SHA256))
			h := w.asked()
			if h.State != c.state || h.Reference != c.reference || h.Reason != c.reason {
				t.Errorf("handover: %+v", h)
			}
			if got := h.Log[len(h.Log)-1].Problem; !strings.Contains(got, c.problem) {
				t.Errorf("problem %q, want %q", got, c.problem)
			}
		})
	}
}

func TestSpoolConfirmedInAnotherFolder(t *testing.T) {
	other := t.TempDir()
	w := newSpoolWorld(t, handover.BoxOptions{ConfirmFolder: other})
	w.deliver()
	w.put(w.id+".zip.ok", "") // not where it is looked for
	if h := w.asked(); h.State != handover.StateDelivered {
		t.Errorf("confirmed beside the parcel: %+v", h)
	}
	if err := os.WriteFile(filepath.Join(other, w.id+".zip.ok"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if h := w.asked(); h.State != handover.StateConfirmed {
		t.Errorf("confirmed: %+v", h)
	}
}

func TestSpoolConfirmedByRemoval(t *testing.T) {
	w := newSpoolWorld(t, handover.BoxOptions{ByRemoval: true})
	w.deliver()
	if h := w.asked(); h.State != handover.StateDelivered {
		t.Errorf("while it lies there: %+v", h)
	}
	zip := filepath.Join(w.folder, w.id+".zip")
	// As when the folder is not mounted.
	if err := os.Rename(zip, zip+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(zip+".sha256", zip+".sha256.away"); err != nil {
		t.Fatal(err)
	}
	if h := w.asked(); h.State != handover.StateDelivered {
		t.Errorf("with nothing there: %+v", h)
	}
	if err := os.Rename(zip+".sha256.away", zip+".sha256"); err != nil {
		t.Fatal(err)
	}
	if h := w.asked(); h.State != handover.StateConfirmed {
		t.Errorf("removed: %+v", h)
	}
}

// Without ByRemoval a parcel that is gone is put there again in time.
func TestSpoolPutsAgainWhatIsGone(t *testing.T) {
	w := newSpoolWorld(t, handover.BoxOptions{})
	w.deliver()
	if err := os.Remove(filepath.Join(w.folder, w.id+".zip")); err != nil {
		t.Fatal(err)
	}
	if h := w.asked(); h.State != handover.StateDelivered || len(w.names()) != 1 {
		t.Errorf("after the question: %+v, %q", h, w.names())
	}
	w.clock.add(time.Hour)
	w.look()
	w.lies(w.id)
}

// An operator has not to wait for that.
func TestSpoolPutsAgainAtOnceWhenItIsRetried(t *testing.T) {
	w := newSpoolWorld(t, handover.BoxOptions{})
	w.deliver()
	if err := os.Remove(filepath.Join(w.folder, w.id+".zip")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.desk.Retry(t.Context(), "olga", w.id, "they lost it"); err != nil {
		t.Fatal(err)
	}
	w.look()
	w.lies(w.id)
	if h := w.get(w.id); h.State != handover.StateDelivered || h.Attempts != 2 || h.Parcel.Key != w.id {
		t.Errorf("handover: %+v", h)
	}
}

func TestSpoolThatCannotBeWritten(t *testing.T) {
	w := newSpoolWorld(t, handover.BoxOptions{})
	if err := os.RemoveAll(w.folder); err != nil {
		t.Fatal(err)
	}
	w.id = w.file(w.filing("26/0001", "K0012500001"))
	w.look()
	h := w.get(w.id)
	if h.State != handover.StateWaiting || !strings.Contains(h.Log[0].Problem, "no such file") {
		t.Errorf("without the folder: %+v", h)
	}
	if err := handover.CheckSpool(w.folder); err == nil {
		t.Error("CheckSpool found nothing wrong")
	}
	if err := os.Mkdir(w.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := handover.CheckSpool(w.folder); err != nil || len(w.names()) != 0 {
		t.Errorf("CheckSpool: %v, left %q", err, w.names())
	}
	w.clock.add(time.Minute)
	w.look()
	if h := w.get(w.id); h.State != handover.StateDelivered {
		t.Errorf("when it is there: %+v", h)
	}
}

// Links and pipes that the receiver made are not followed and hold nobody up.
func TestSpoolReadsOnlyFiles(t *testing.T) {
	w := newSpoolWorld(t, handover.BoxOptions{})
	w.deliver()
	target := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, filepath.Join(w.folder, w.id+".zip.ok")); err != nil {
		t.Fatal(err)
	}
	if h := w.asked(); h.State != handover.StateDelivered {
		t.Errorf("confirmed by a link: %+v", h)
	}
}

func TestCheckOfSpoolOptions(t *testing.T) {
	if _, err := handover.NewSpool(handover.BoxOptions{}); err == nil {
		t.Error("a spool without a folder")
	}
	if names := handover.States(); !slices.Contains(names, handover.StateRefused) {
		t.Errorf("states: %q", names)
	}
}

// What a process left unfinished when it ended is written over, or removed.
func TestUnfinishedFilesDoNotAddUp(t *testing.T) {
	w := newSpoolWorld(t, handover.BoxOptions{})
	w.id = w.file(w.filing("26/0001", "K0012500001"))
	target := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Symlink(target, filepath.Join(w.folder, ".ecogate-"+w.id+".zip.tmp")); err != nil {
		t.Fatal(err)
	}
	w.put(".ecogate-"+w.id+".zip.sha256.tmp", "half a dig")
	w.look()
	if names := w.names(); len(names) != 2 {
		t.Errorf("the spool has %q", names)
	}
	if _, err := os.Stat(target); err == nil {
		t.Error("a link was followed")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".ecogate-123.tmp"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := handover.OpenFolder(dir); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("the vault has %d files, %v", len(left), err)
	}
}
