package partners

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// ByOffline as Edit.By is who works on the store of a node that does not run. No API key has this name.
const ByOffline = "offline"

// InvalidEntries is the error of NewDirectory where entries of the store are not valid: an update of the program or of the file may have
// made them so. It wraps the *ConfigError with all that is wrong. A Mender mends them.
type InvalidEntries struct {
	*ConfigError
	// Entries are the versions that are not valid.
	Entries []Entry
}

// Unwrap gives the *ConfigError.
func (e *InvalidEntries) Unwrap() error { return e.ConfigError }

// invalidEntries says to which versions of entries err belongs, if to any.
func invalidEntries(err error, entries map[entryKey]Entry) error {
	wrong := (*ConfigError)(nil)
	if !errors.As(err, &wrong) {
		return err
	}
	var list []Entry
	problems := slices.Clone(wrong.Problems)
	for _, e := range entries {
		if e.Removed {
			continue
		}
		hit := false
		for i, p := range problems {
			if !e.owns(p) {
				continue
			}
			problems[i].Text = fmt.Sprintf("%s (version %d of the registry, %s by %s)", p.Text, e.Version, e.At.UTC().Format("2006-01-02T15:04:05Z"), e.By)
			hit = true
		}
		if hit {
			list = append(list, e)
		}
	}
	if len(list) == 0 {
		return err
	}
	SortEntries(list)
	return &InvalidEntries{ConfigError: &ConfigError{Problems: problems}, Entries: list}
}

// owns tells whether a problem is that of the entry. The node's keys are told of under the names that they have in the file; the file's own,
// in whose place the entry stands, are not read.
func (e Entry) owns(p Problem) bool {
	if e.Kind == KindNode && nodeKeyPattern.MatchString(p.Key) {
		return true
	}
	return p.Key == e.place() || strings.HasPrefix(p.Key, e.place()+".")
}

var nodeKeyPattern = regexp.MustCompile(`^node\.(issuers\[\d+\]\.)?keys\b`)

// Mender changes entries of the store of a node that does not run, where NewDirectory refuses what stands in it. A change that leaves less
// wrong than before, or nothing, is made; all of it need not be mended at once. No second operator is asked: who can write to the
// store's files needs nobody's leave. The audit log has ByOffline as the actor.
type Mender struct{ d *Directory }

// NewMender reads the entries of the store; o.Registry, o.Log and o.Changed play no part.
func NewMender(ctx context.Context, file Config, o DirectoryOptions) (*Mender, error) {
	d := &Directory{DirectoryOptions: o}
	entries, err := d.stored(ctx)
	if err != nil {
		return nil, err
	}
	d.state = state{file: file, entries: entries}
	return &Mender{d}, nil
}

// Versions is Directory.Versions.
func (m *Mender) Versions(ctx context.Context, kind Kind, id string) ([]Entry, error) {
	return m.d.Versions(ctx, kind, id)
}

// Mended is what a Mender has changed.
type Mended struct {
	// Before is the version before, Entry the new one or, without a difference, the same.
	Before, Entry Entry
	// Left is what still keeps a node from starting.
	Left []Problem
}

// Remove is Directory.Remove, and refuses a partner with an agreement; of e, By and Base play no part. A *ConfigError says what the change itself would break.
func (m *Mender) Remove(ctx context.Context, e Edit, kind Kind, id string) (Mended, error) {
	return m.change(ctx, e, kind, id, Entry{Removed: true})
}

// Restore is Directory.Restore; the rest is as for Remove.
func (m *Mender) Restore(ctx context.Context, e Edit, kind Kind, id string, version uint64) (Mended, error) {
	earlier, err := m.d.Version(ctx, kind, id, version)
	if err != nil {
		return Mended{}, err
	}
	return m.change(ctx, e, kind, id, earlier)
}

// change gives an entry the text of to, or removes it as to is.
func (m *Mender) change(ctx context.Context, e Edit, kind Kind, id string, to Entry) (Mended, error) {
	d := m.d
	d.changing.Lock()
	defer d.changing.Unlock()
	current, there, err := d.state.current(kind, id)
	if err != nil {
		return Mended{}, err
	}
	if e, stored := d.state.entries[entryKey{kind, id}]; kind == KindNode && (!stored || e.Removed) {
		there = false // what the file says cannot be removed, and is in use
	}
	if to.Removed && !there {
		return Mended{}, fmt.Errorf("%w: %s %q", ErrUnknownEntry, kind, id)
	}
	before, err := d.state.diagnose()
	if err != nil {
		return Mended{}, err
	}
	if current.Text == to.Text && current.Removed == to.Removed {
		return Mended{Before: current, Entry: current, Left: before.problems}, nil
	}
	next := current
	next.Text, next.Removed = to.Text, to.Removed
	next.Version, next.At, next.By, next.Why, next.ConfirmedBy = current.Version+1, d.Now().UTC(), ByOffline, e.Why, ""
	next.Unconfirmed = false
	if current.Version == 0 && there {
		next.FileSHA256 = digest(current.Text)
	}
	after := state{file: d.state.file, entries: map[entryKey]Entry{}}
	for key, e := range d.state.entries {
		after.entries[key] = e
	}
	after.entries[next.key()] = next
	left, err := after.diagnose()
	if err != nil {
		return Mended{}, err
	}
	worse := left.worseThan(before, next)
	if len(worse) == 0 {
		worse = after.needs(next)
	}
	if len(worse) > 0 {
		return Mended{}, &ConfigError{Problems: worse}
	}
	if !e.DryRun {
		if err := d.Store.PutEntry(ctx, next); err != nil {
			return Mended{}, fmt.Errorf("writing to the registry: %w", err)
		}
		d.state = after
	}
	return Mended{Before: current, Entry: next, Left: left.problems}, nil
}

// needs are the agreements of a partner that is removed. They are looked for at every step: while an entry cannot be read, nothing else tells
// of them.
func (s state) needs(next Entry) (problems []Problem) {
	if !next.Removed || next.Kind != KindPartner {
		return nil
	}
	j := s.join()
	for i, a := range j.config.Agreements {
		if a.Partner == next.ID {
			problems = append(problems, Problem{item("agreements", i) + ".partner", fmt.Sprintf("needs partner %q; remove the agreement first, or restore the partner", next.ID)})
		}
	}
	return j.placed(problems)
}

// diagnosis is what keeps a state from being in force. What comes at a later step is not known before the earlier ones find nothing.
type diagnosis struct {
	step     int // 0 reading the entries, 1 checking the configuration, 2 reading keys and credentials
	problems []Problem
}

func (s state) diagnose() (diagnosis, error) {
	j, _, err := s.load(nil)
	wrong := (*ConfigError)(nil)
	if err != nil && !errors.As(err, &wrong) {
		return diagnosis{}, err
	}
	d := diagnosis{step: 2}
	if wrong != nil {
		d.problems = wrong.Problems
	}
	switch {
	case len(j.problems) > 0:
		d.step = 0
	case wrong != nil && len(j.config.Check()) > 0:
		d.step = 1
	}
	return d, nil
}

// worseThan gives the problems that a change of an entry to next has brought: at the same step those that are new, at a later one, where
// there was nothing to see before, those of the entry itself.
func (d diagnosis) worseThan(before diagnosis, next Entry) []Problem {
	var worse []Problem
	for _, p := range d.problems {
		isNew := !slices.Contains(before.problems, p)
		if isNew && (d.step <= before.step || next.owns(p)) {
			worse = append(worse, p)
		}
	}
	return worse
}
