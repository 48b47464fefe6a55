package partners

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// BaseFile as Edit.Base: the store has no version of the entry yet.
const BaseFile = ^uint64(0)

// Edit is about a change of an entry.
type Edit struct {
	// By and Why are for Entry and the audit log.
	By, Why string
	// Base is the version that the change was made for; 0 is whatever is current, BaseFile that of the file, or none.
	Base uint64
	// File is, with BaseFile, the Entry.FileSHA256 of what the file said when the change was made for it; "" is whatever it says.
	File string
	// DryRun checks everything and changes nothing.
	DryRun bool
	// Withdraws: the change does nothing but take trust away. It waits for no second operator, since meanwhile somebody else may sign with the
	// key; where one would have been asked, the entry is Unconfirmed, and the log warns. The caller vouches for it.
	Withdraws bool
}

func (e Edit) fits(current Entry) bool {
	switch e.Base {
	case 0, current.Version:
		return true
	case BaseFile:
		return current.Version == 0 && (e.File == "" || e.File == current.FileSHA256)
	}
	return false
}

// EditPartner changes a partner. The first change of one that stands in the file copies it into the store, with the contents of the
// files that it names. change gets a document of its own; what it returns comes back as it is, and nothing is changed. It returns the
// new version, or with DryRun what it would be; without a difference the current one.
//
// Errors: ErrUnknownEntry, ErrStale, *Proposed if a second operator has to confirm the change, a *ConfigError with what the changed configuration would break, those of reading files that
// the document names, and those of Store.PutEntry. Nothing was written then, unless the store says otherwise.
func (d *Directory) EditPartner(ctx context.Context, e Edit, id string, change func(*PartnerConfig) error) (Entry, error) {
	return editDocument(ctx, d, e, KindPartner, id, change)
}

// EditAgreement is EditPartner for an agreement.
func (d *Directory) EditAgreement(ctx context.Context, e Edit, id string, change func(*AgreementConfig) error) (Entry, error) {
	return editDocument(ctx, d, e, KindAgreement, id, change)
}

// EditNode is EditPartner for the node's own keys. Relative paths are those of this process's folder.
func (d *Directory) EditNode(ctx context.Context, e Edit, change func(*NodeKeys) error) (Entry, error) {
	return editDocument(ctx, d, e, KindNode, NodeID, change)
}

func editDocument[T any](ctx context.Context, d *Directory, e Edit, kind Kind, id string, change func(*T) error) (Entry, error) {
	return d.edit(ctx, e, kind, id, func(current Entry, there bool) (Entry, error) {
		if !there {
			return current, fmt.Errorf("%w: %s %q", ErrUnknownEntry, kind, id)
		}
		own, problems := decodeEntry[T](current.Text)
		if len(problems) > 0 {
			return current, &ConfigError{Problems: problems}
		}
		if err := change(&own); err != nil {
			return current, err
		}
		var err error
		current.Text, err = settled(any(&own).(document))
		return current, err
	})
}

// Put makes text, which is YAML and need not have the form of Entry.Text, the newest version of an entry that is there or is new. It
// may not name files, but for CRLs and for keys of KindNode, by absolute paths. Results are as for EditPartner.
func (d *Directory) Put(ctx context.Context, e Edit, kind Kind, id, text string) (Entry, error) {
	return d.edit(ctx, e, kind, id, func(current Entry, _ bool) (Entry, error) {
		own := newDocument(kind)
		if own == nil {
			return current, fmt.Errorf("%w: kind %q", ErrUnknownEntry, kind)
		}
		current.Removed = false
		var err error
		current.Text, err = readText(own, text)
		return current, err
	})
}

// Remove removes a partner or an agreement, or for KindNode what the store says of the node's keys, so that the file's are used. What
// other entries need is not removed. An entry of the file that was removed stays so, whatever becomes of the file, until it is put or
// restored. Results are as for EditPartner.
func (d *Directory) Remove(ctx context.Context, e Edit, kind Kind, id string) (Entry, error) {
	return d.edit(ctx, e, kind, id, func(current Entry, there bool) (Entry, error) {
		if !there {
			return current, fmt.Errorf("%w: %s %q", ErrUnknownEntry, kind, id)
		}
		current.Text, current.Removed = "", true
		return current, nil
	})
}

// Restore makes the text of an earlier version the newest one; version 0 is what the file says now. Results are as for EditPartner.
func (d *Directory) Restore(ctx context.Context, e Edit, kind Kind, id string, version uint64) (Entry, error) {
	earlier, err := d.Version(ctx, kind, id, version)
	if err != nil {
		return Entry{}, err
	}
	return d.edit(ctx, e, kind, id, func(current Entry, _ bool) (Entry, error) {
		current.Text, current.Removed = earlier.Text, earlier.Removed
		return current, nil
	})
}

// edit makes what change gives of the current version, and whether there is one that is not removed, the newest one.
func (d *Directory) edit(ctx context.Context, e Edit, kind Kind, id string, change func(current Entry, there bool) (Entry, error)) (Entry, error) {
	if err := ctx.Err(); err != nil {
		return Entry{}, err
	}
	d.changing.Lock()
	defer d.changing.Unlock()
	current, there, err := d.state.current(kind, id)
	if err != nil {
		return Entry{}, err
	}
	if !e.fits(current) {
		if current.Version == 0 {
			return Entry{}, fmt.Errorf("%w: what the configuration file says of %s %q", ErrStale, kind, id)
		}
		return Entry{}, fmt.Errorf("%w: %s %q is at version %d", ErrStale, kind, id, current.Version)
	}
	next, err := change(current, there)
	if err != nil {
		return Entry{}, err
	}
	if next.Text == current.Text && next.Removed == current.Removed {
		return current, nil
	}
	if err := checkName(next); err != nil {
		return Entry{}, err
	}
	next.Version, next.At, next.By, next.Why, next.ConfirmedBy = current.Version+1, d.Now().UTC(), e.By, e.Why, ""
	second := d.state.file.SecondOperator && e.By != ByNode
	waits := second && !e.Withdraws
	next.Unconfirmed = second && e.Withdraws
	if err := d.bring(ctx, next, e.DryRun || waits, func(ctx context.Context) error { return d.Store.PutEntry(ctx, next) }); err != nil || e.DryRun {
		return next, err
	}
	if waits {
		return next, d.propose(ctx, current, next)
	}
	if next.Unconfirmed {
		d.Log.Warn("one operator took trust away, which is in force; a second operator has to look at it, and can restore the version before",
			"kind", kind, "id", id, "registry_version", next.Version, "by", next.By, "why", next.Why)
	}
	return next, nil
}

var errDryRun = errors.New("dry run")

// bring checks what next would make of the configuration, has write make it durable, and brings it in force; with dryRun the first alone.
func (d *Directory) bring(ctx context.Context, next Entry, dryRun bool, write func(context.Context) error) error {
	entries := make(map[entryKey]Entry, len(d.state.entries)+1)
	for key, e := range d.state.entries {
		entries[key] = e
	}
	entries[next.key()] = next
	failed := false
	err := d.take(state{file: d.state.file, entries: entries}, func() error {
		if dryRun {
			return errDryRun
		}
		// To its end once it has begun: what is durable has to be in force.
		err := write(context.WithoutCancel(ctx))
		failed = err != nil
		return err
	})
	switch {
	case err == errDryRun:
		return nil
	case failed:
		return d.recover(ctx, err)
	}
	return err
}

// recover takes what the store has after it failed to write, since it may have failed with the entry written.
func (d *Directory) recover(ctx context.Context, failure error) error {
	entries, err := d.stored(context.WithoutCancel(ctx))
	if err == nil {
		err = d.take(state{file: d.state.file, entries: entries}, func() error { return nil })
	}
	if err != nil {
		d.Log.Error("the registry's store failed, and what it holds is not in force before a restart", "error", err)
	}
	return fmt.Errorf("writing to the registry: %w", failure)
}

// checkName makes sure that the text is that of its entry.
func checkName(e Entry) error {
	if e.ID == "" || len(e.ID) > maxID || strings.ContainsFunc(e.ID, isControl) {
		return &ConfigError{Problems: []Problem{{e.place(), fmt.Sprintf("an id has 1 to %d characters, none of them a control character", maxID)}}}
	}
	if e.Kind == KindNode && e.ID != NodeID {
		return fmt.Errorf("%w: %s %q", ErrUnknownEntry, e.Kind, e.ID)
	}
	if e.Removed {
		return nil
	}
	own := newDocument(e.Kind)
	if problems := decodeInto(e.Text, own); len(problems) > 0 {
		return &ConfigError{Problems: problems}
	}
	if name := own.name(); name != e.ID {
		return &ConfigError{Problems: []Problem{{e.place() + ".id", fmt.Sprintf("%q is not the id of this entry; an id cannot be changed: remove the entry and add another", name)}}}
	}
	return nil
}

// maxID bounds ids in bytes.
const maxID = 200

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// current is the newest version of an entry, and whether there is one that is not removed.
func (s state) current(kind Kind, id string) (Entry, bool, error) {
	if e, ok := s.entries[entryKey{kind, id}]; ok {
		if e.Removed && kind == KindNode {
			own, there, err := s.fileEntry(kind, id)
			own.Version, own.FileSHA256 = e.Version, e.FileSHA256
			return own, there, err
		}
		return e, !e.Removed, nil
	}
	return s.fileEntry(kind, id)
}

// Entries lists the current version of every entry of a kind, in the order of the effective configuration, without those that are
// removed. Those of the file have version 0 and no Text, which Current gives.
func (d *Directory) Entries(kind Kind) []Entry {
	d.changing.Lock()
	defer d.changing.Unlock()
	var ids []string
	switch kind {
	case KindNode:
		ids = append(ids, NodeID)
	case KindPartner:
		for _, p := range d.Config().Partners {
			ids = append(ids, p.ID)
		}
	case KindAgreement:
		for _, a := range d.Config().Agreements {
			ids = append(ids, a.id())
		}
	}
	var out []Entry
	for _, id := range ids {
		e, ok := d.state.entries[entryKey{kind, id}]
		if !ok || e.Removed {
			e = Entry{Kind: kind, ID: id, Version: e.Version}
		}
		out = append(out, e)
	}
	return out
}

// Versions gives all versions of an entry without their texts, oldest first; what the file says now comes first, as version 0. The error wraps
// ErrUnknownEntry if there is none.
func (d *Directory) Versions(ctx context.Context, kind Kind, id string) ([]Entry, error) {
	list, err := d.Store.EntryVersions(ctx, kind, id)
	if err != nil {
		return nil, fmt.Errorf("reading the registry: %w", err)
	}
	own, there, err := d.ofFile(kind, id)
	switch {
	case err != nil && len(list) == 0:
		return nil, err
	case err == nil && there:
		own.Text = ""
		list = append([]Entry{own}, list...)
	case len(list) == 0:
		return nil, fmt.Errorf("%w: %s %q", ErrUnknownEntry, kind, id)
	}
	return list, nil
}

func (d *Directory) ofFile(kind Kind, id string) (e Entry, there bool, err error) {
	d.changing.Lock()
	defer d.changing.Unlock()
	return d.state.fileEntry(kind, id)
}

// Version gives one of Versions with its text.
func (d *Directory) Version(ctx context.Context, kind Kind, id string, version uint64) (Entry, error) {
	if version == 0 {
		own, there, err := d.ofFile(kind, id)
		if err == nil && !there {
			err = fmt.Errorf("%w: version 0 of %s %q", ErrUnknownEntry, kind, id)
		}
		return own, err
	}
	e, err := d.Store.EntryVersion(ctx, kind, id, version)
	switch {
	case errors.Is(err, ErrUnknownEntry):
		return Entry{}, fmt.Errorf("%w: version %d of %s %q", ErrUnknownEntry, version, kind, id)
	case err != nil:
		return Entry{}, fmt.Errorf("reading the registry: %w", err)
	}
	return e, nil
}

// Current gives the current version of an entry; that of a removed one has Removed set. The error wraps ErrUnknownEntry if there never
// was one.
func (d *Directory) Current(kind Kind, id string) (Entry, error) {
	d.changing.Lock()
	defer d.changing.Unlock()
	e, there, err := d.state.current(kind, id)
	if err == nil && !there && !e.Removed {
		err = fmt.Errorf("%w: %s %q", ErrUnknownEntry, kind, id)
	}
	return e, err
}
