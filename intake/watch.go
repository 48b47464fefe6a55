package intake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/ecogate/ecogate/eco"
)

// Receipt is what a certificate's submission gave.
type Receipt struct {
	MessageID string
	// Fresh is false when the same certificate was submitted before.
	Fresh bool
	// Findings are warnings that did not stop it.
	Findings []eco.Finding
}

// Refusal is the error of a certificate that is refused for good: submitting it again would change nothing. Any other error means
// that the node cannot take it now.
type Refusal struct {
	Text     string
	Findings []eco.Finding
}

// Error is the refusal's text; the findings are for the report.
func (r *Refusal) Error() string { return r.Text }

// WatcherOptions are a watcher's collaborators. Submit and Now are required.
type WatcherOptions struct {
	// Submit hands a certificate to the node. It returns nil only when the certificate is durable there, and may be called again for the
	// same one, which it then takes once.
	Submit func(ctx context.Context, from Folder, c eco.Certificate) (Receipt, error)
	// Forms are those that files may name, at each moment; nil for those of the program.
	Forms func() eco.Forms
	// Now is the clock.
	Now func() time.Time
	// Log gets a line for each file that was moved or has to wait; nil discards.
	Log *slog.Logger
	// Point is called at the places where a crash is tested; nil is allowed.
	Point func(name string)
}

// Watcher submits the files that appear in folders.
//
//   - A file is taken when its name does not say that it is unfinished (a dot or ~ in front, .tmp, .part and the like behind) and its
//     size and time of change have stayed the same for Folder.Settle, by the watcher's own clock. Writers that rename a finished file
//     into its name are safe whatever they take; others must not pause for longer than that.
//   - Only regular files that lie in the folder itself are taken; links are not followed.
//   - A file is moved to done when every certificate in it is durable in the store, and to failed, with a report beside it, when one was
//     refused or the file cannot be read. A crash in between leaves it in place, and the next watcher submits it again, which the
//     store knows: each certificate is sent once.
//   - While the store is full, or the node cannot take a certificate for another reason of its own, the file stays and is tried again.
//
// It is safe for concurrent use. Each folder has one watcher at a time.
type Watcher struct {
	WatcherOptions
	changed chan struct{} // told of Replace

	mu      sync.Mutex
	poll    time.Duration
	folders []Folder

	looking sync.Mutex
	// seen is what was seen of the files that are there, by path; held by looking.
	seen map[string]sighting
}

// sighting is what is known of a file that waits.
type sighting struct {
	size    int64
	changed time.Time
	// since is when it was first seen so; again when it may be tried after failures in a row.
	since, again time.Time
	failures     int
	// told is set when the log has heard of it.
	told bool
}

// due reports whether a file has settled and its time to be tried has come.
func (s sighting) due(settle time.Duration, now time.Time) bool {
	return !now.Before(s.since.Add(settle)) && !now.Before(s.again)
}

// The wait after a failure, doubled after each, and its bound.
const (
	firstWait = 5 * time.Second
	maxWait   = 5 * time.Minute
)

// NewWatcher returns a watcher of no folders.
func NewWatcher(o WatcherOptions) *Watcher {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Forms == nil {
		o.Forms = eco.DefaultForms
	}
	if o.Point == nil {
		o.Point = func(string) {}
	}
	return &Watcher{WatcherOptions: o, changed: make(chan struct{}, 1), poll: time.Second, seen: map[string]sighting{}}
}

// Replace sets the folders from now on, each of which was prepared, and how often they are looked at. What is known of folders that stay
// stays known.
func (w *Watcher) Replace(folders []Folder, poll time.Duration) {
	w.mu.Lock()
	w.folders, w.poll = slices.Clone(folders), poll
	w.mu.Unlock()
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

func (w *Watcher) settings() ([]Folder, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.folders, w.poll
}

// Run looks at the folders until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	for ctx.Err() == nil {
		w.Look(ctx)
		folders, poll := w.settings()
		var next <-chan time.Time // never, without folders
		if len(folders) > 0 {
			next = time.After(poll)
		}
		select {
		case <-ctx.Done():
		case <-next:
		case <-w.changed:
		}
	}
}

// Look looks once at every folder and takes what is due.
func (w *Watcher) Look(ctx context.Context) {
	w.looking.Lock()
	defer w.looking.Unlock()
	folders, _ := w.settings()
	seen := map[string]sighting{}
	for _, f := range folders {
		entries, err := os.ReadDir(f.Path)
		if err != nil {
			w.unreadable(f, err, seen)
			continue
		}
		for _, entry := range entries {
			if ctx.Err() != nil {
				return
			}
			if path := filepath.Join(f.Path, entry.Name()); named(entry.Name()) && !entry.IsDir() {
				if s, stays := w.file(ctx, f, path); stays {
					seen[path] = s
				}
			}
		}
	}
	w.seen = seen
}

// unreadable tells once that a folder cannot be read.
func (w *Watcher) unreadable(f Folder, err error, seen map[string]sighting) {
	if !w.seen[f.Path].told {
		w.Log.Error("watched folder cannot be read", "folder", f.Path, "error", err)
	}
	seen[f.Path] = sighting{told: true}
}

// file looks at one file, and takes it if it is due. It reports what is known of it, and whether it is still there.
func (w *Watcher) file(ctx context.Context, f Folder, path string) (sighting, bool) {
	now := w.Now()
	s, known := w.seen[path]
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, false
	case err != nil || !info.Mode().IsRegular():
		if !s.told {
			w.Log.Warn("left alone in a watched folder: not a regular file", "file", path, "error", err)
		}
		return sighting{told: true}, true
	}
	if !known || s.size != info.Size() || !s.changed.Equal(info.ModTime()) || s.since.IsZero() {
		s = sighting{size: info.Size(), changed: info.ModTime(), since: now}
	}
	if !s.due(f.Settle, now) {
		return s, true
	}
	err = w.take(ctx, f, path)
	if err == nil {
		return s, false
	}
	if ctx.Err() == nil {
		s.failures++
		wait := min(firstWait<<min(s.failures-1, 16), maxWait)
		s.again = now.Add(wait)
		w.Log.Warn("file of a watched folder has to wait", "file", path, "again_in", wait.String(), "error", err)
	}
	return s, true
}

// take submits a file and moves it. An error means that it stays where it is.
func (w *Watcher) take(ctx context.Context, f Folder, path string) error {
	data, info, err := readFile(path)
	if err != nil {
		return err
	}
	r := Report{File: filepath.Base(path), Partner: f.Partner, Time: w.Now().UTC()}
	format, ok := f.Format, true
	if format == "" {
		format, ok = FormatOf(path)
	}
	var imports []Import
	if !ok {
		err = refuse("", "want a name that ends in .json, .uncefact.json, .xlsx or .csv")
	} else {
		imports, err = Read(format, data, w.Forms())
	}
	if err != nil {
		r.Problems = problemsOf(err)
	}
	for _, i := range imports {
		receipt, err := w.Submit(ctx, f, i.Certificate)
		var refusal *Refusal
		if err != nil && !errors.As(err, &refusal) {
			return fmt.Errorf("certificate %s: %w", i.Certificate.Reference, err)
		}
		r.Certificates = append(r.Certificates, resultOf(i, receipt, refusal))
	}
	w.Point("intake.submitted")
	return w.move(f, path, info, r)
}

// move moves a file to where its report says, after the report. A file that has changed meanwhile stays, to be read again.
func (w *Watcher) move(f Folder, path string, read fs.FileInfo, r Report) error {
	now, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !os.SameFile(now, read) || !sameState(now, read) {
		return errChanging
	}
	dir := filepath.Join(f.Path, folderDone)
	if r.Failed() {
		dir = filepath.Join(f.Path, folderFailed)
	}
	name, err := freeName(dir, r.File)
	if err != nil {
		return err
	}
	if err := r.write(filepath.Join(dir, name), read.Mode().Perm()); err != nil {
		return err
	}
	if err := os.Rename(path, filepath.Join(dir, name)); err != nil {
		return err
	}
	if err := errors.Join(syncFolder(dir), syncFolder(f.Path)); err != nil {
		w.Log.Warn("a file was moved, but a crash could undo it; that would be harmless", "file", path, "error", err)
	}
	level := slog.LevelInfo
	if r.Failed() {
		level = slog.LevelWarn
	}
	w.Log.Log(context.Background(), level, "file of a watched folder", "file", path, "moved_to", filepath.Join(dir, name), "partner", f.Partner,
		"certificates", len(r.Certificates), "failed", r.Failed())
	return nil
}
