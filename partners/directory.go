package partners

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ecogate/ecogate/signing"
)

// Directory joins the configuration file with the entries of a Store and keeps a Registry in step with the two. An entry of the store
// takes the place of the file's entry with the same id; see Entry for what the two hold.
//
// A change is checked as the file is when it is loaded, with all that stands beside it; then it is durable, with its audit entry; then
// it is in force. Before the second step a fault leaves everything as it was. After it a restart brings it in force. Whoever asks the
// Registry meanwhile gets the state before or the state after; Registry.Snapshot holds one of them for several questions.
//
// A Directory is safe for concurrent use. It expects to be the only one that writes to its Store.
type Directory struct {
	DirectoryOptions
	effective atomic.Pointer[Config]

	changing sync.Mutex // held by whoever changes something, and guards what follows
	state    state
}

// DirectoryOptions are what a Directory works with. Store, Registry and Now are required.
type DirectoryOptions struct {
	Store    Store
	Registry *Registry
	// Now is the clock for Entry.At.
	Now func() time.Time
	// Log gets what an operator should know; nil discards.
	Log *slog.Logger
	// Changed is called after a change came in force; nil is allowed. It must not call the Directory.
	Changed func()
}

// state is what the effective configuration follows from.
type state struct {
	file    Config
	entries map[entryKey]Entry // the newest version of each
}

type entryKey struct {
	kind Kind
	id   string
}

func (e Entry) key() entryKey { return entryKey{e.Kind, e.ID} }

// NewDirectory reads the entries of the store and brings Registry in step with them and with file. What is wrong with the two together is a
// *ConfigError, in which what is wrong with an entry of the store has its kind and id before its key; if there is such an entry, the error is
// an *InvalidEntries, which wraps it.
func NewDirectory(ctx context.Context, file Config, o DirectoryOptions) (*Directory, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &Directory{DirectoryOptions: o}
	entries, err := d.stored(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.take(state{file: file, entries: entries}, nil); err != nil {
		return nil, invalidEntries(err, entries)
	}
	d.warn()
	return d, nil
}

// stored are the newest versions in the store.
func (d *Directory) stored(ctx context.Context) (map[entryKey]Entry, error) {
	list, err := d.Store.Entries(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the registry: %w", err)
	}
	entries := make(map[entryKey]Entry, len(list))
	for _, e := range list {
		entries[e.key()] = e
	}
	return entries, nil
}

// Reload takes over another content of the configuration file, all or nothing. The error is that of NewDirectory.
func (d *Directory) Reload(file Config) error {
	d.changing.Lock()
	defer d.changing.Unlock()
	if err := d.take(state{file: file, entries: d.state.entries}, nil); err != nil {
		return invalidEntries(err, d.state.entries)
	}
	d.warn()
	return nil
}

// Config is the effective configuration: the file's, with what the entries of the store say. The caller does not change it.
func (d *Directory) Config() Config { return *d.effective.Load() }

// take brings s in force, if it can be loaded and durable, which is called between the two, has no objection. Under durable tokens are not
// opened again.
func (d *Directory) take(s state, durable func() error) error {
	var tokens map[tokenName]*signing.Token
	if durable != nil {
		tokens = d.Registry.data.Load().tokens
	}
	j, loaded, err := s.load(tokens)
	if err != nil {
		return err
	}
	if durable != nil {
		if err := durable(); err != nil {
			return err
		}
	}
	d.state = s
	j.config.tokens = loaded.tokens
	d.effective.Store(&j.config)
	for _, t := range believedAgain(d.Registry.data.Load(), loaded) {
		d.Log.Warn("what was distrusted is believed again", "partner", t.Partner, "use", t.Use, "sha256", signing.Fingerprint(t.X509Cert), "distrusted", instant(t.Distrusted))
	}
	d.Registry.take(loaded)
	if d.Changed != nil {
		d.Changed()
	}
	return nil
}

// believedAgain are the credentials of before that were distrusted, and are there in after and are not, or from a later time only.
func believedAgain(before, after *data) []*trusted {
	if before == nil {
		return nil
	}
	var out []*trusted
	for owner, list := range before.credentials {
		for _, t := range list {
			again := func(now *trusted) bool {
				return now.Use == t.Use && now.Issuer == t.Issuer && now.X509Cert.Equal(t.X509Cert) && (now.Distrusted.IsZero() || now.Distrusted.After(t.Distrusted))
			}
			if !t.Distrusted.IsZero() && slices.ContainsFunc(after.credentials[owner], again) {
				out = append(out, t)
			}
		}
	}
	return out
}

// load loads the effective configuration with tokens that are open already. Problems have the places where they stand.
func (s state) load(tokens map[tokenName]*signing.Token) (joined, *data, error) {
	j := s.join()
	if len(j.problems) > 0 {
		return j, nil, &ConfigError{Problems: j.problems}
	}
	j.config.tokens = tokens
	loaded, err := load(j.config)
	if err == nil && s.file.Rest != nil {
		if problems := s.file.Rest(j.config); len(problems) > 0 {
			err = &ConfigError{Problems: problems}
		}
	}
	if wrong := (*ConfigError)(nil); errors.As(err, &wrong) {
		err = &ConfigError{Problems: j.placed(wrong.Problems)}
	}
	return j, loaded, err
}

// joined is a file with entries in it.
type joined struct {
	config Config
	// places tell where an item of the effective configuration, such as "partners[2]", stands: in the file under another number, or in
	// the store.
	places map[string]string
	// keys is the place of the store's entry of our own keys, "" if those of the file count.
	keys     string
	problems []Problem
}

func (s state) join() joined {
	j := joined{config: s.file, places: map[string]string{}}
	j.config.Partners = joinList(&j, s, KindPartner, "partners", s.file.Partners, func(p PartnerConfig) string { return p.ID })
	j.config.Agreements = joinList(&j, s, KindAgreement, "agreements", s.file.Agreements, AgreementConfig.id)
	if e, ok := s.entries[entryKey{KindNode, NodeID}]; ok && !e.Removed {
		keys, problems := decodeEntry[NodeKeys](e.Text)
		node, more := s.file.withNode(keys)
		j.config.Node, j.keys = node, e.place()
		j.add(e, append(problems, more...))
	}
	return j
}

func (j *joined) add(e Entry, problems []Problem) {
	for _, p := range problems {
		j.problems = append(j.problems, Problem{e.place() + "." + p.Key, p.Text})
	}
}

// place is what problems of the entry have before their key.
func (e Entry) place() string { return fmt.Sprintf("%s %s", e.Kind, e.ID) }

// joinList gives the file's list with the entries of the store, each in the place of the file's with its id, or after them.
func joinList[T any](j *joined, s state, kind Kind, list string, file []T, id func(T) string) []T {
	var out []T
	used := map[string]bool{}
	put := func(item T, at string) {
		j.places[fmt.Sprintf("%s[%d]", list, len(out))] = at
		out = append(out, item)
	}
	take := func(e Entry) {
		used[e.ID] = true
		if e.Removed {
			return
		}
		document, problems := decodeEntry[T](e.Text)
		j.add(e, problems)
		put(document, e.place())
	}
	for i, own := range file {
		e, ok := s.entries[entryKey{kind, id(own)}]
		switch {
		case !ok:
			put(own, item(list, i))
		case used[e.ID]:
			j.problems = append(j.problems, Problem{item(list, i), fmt.Sprintf("has the id %q, which an entry of the registry has taken the place of, as the one before; give each an id of its own", e.ID)})
		default:
			take(e)
		}
	}
	for _, e := range s.sorted(kind) {
		if !used[e.ID] {
			take(e)
		}
	}
	return out
}

// sorted are the store's entries of a kind in the order of their ids.
func (s state) sorted(kind Kind) []Entry {
	var out []Entry
	for _, key := range slices.SortedFunc(maps.Keys(s.entries), func(a, b entryKey) int { return cmp.Compare(a.id, b.id) }) {
		if key.kind == kind {
			out = append(out, s.entries[key])
		}
	}
	return out
}

// placed gives problems of the effective configuration with the keys of where they stand.
func (j joined) placed(problems []Problem) []Problem {
	out := make([]Problem, len(problems))
	place := func(text string) string {
		return itemPattern.ReplaceAllStringFunc(text, func(item string) string { return cmp.Or(j.places[item], item) })
	}
	for i, p := range problems {
		out[i] = Problem{Key: place(p.Key), Text: place(p.Text)}
		if j.keys != "" && ownKeyPattern.MatchString(p.Key) {
			out[i].Key = j.keys + p.Key[len("node"):]
		}
	}
	return out
}

// ownKeyPattern matches the keys of the configuration that an entry of KindNode takes the place of.
var ownKeyPattern = regexp.MustCompile(`^node\.(keys|issuers\[\d+\]\.keys)\b`)

var itemPattern = regexp.MustCompile(`\b(partners|agreements)\[\d+\]`)

// fileEntry is the entry that the file gives, as version 0, and false if it has none.
func (s state) fileEntry(kind Kind, id string) (Entry, bool, error) {
	var found []document
	switch kind {
	case KindNode:
		keys := s.file.Node.keys()
		found = append(found, &keys)
	case KindPartner:
		for _, p := range s.file.Partners {
			if p.ID == id {
				found = append(found, &p)
			}
		}
	case KindAgreement:
		for _, a := range s.file.Agreements {
			if a.id() == id {
				found = append(found, &a)
			}
		}
	}
	e := Entry{Kind: kind, ID: id}
	if len(found) == 0 {
		return e, false, nil
	}
	if len(found) > 1 {
		return e, false, &ConfigError{Problems: []Problem{{e.place(), "stands in the configuration file more than once; give each an id of its own"}}}
	}
	var err error
	if e.Text, err = settled(found[0]); err != nil {
		return e, false, fmt.Errorf("%s %s of the configuration file: %w", kind, id, err)
	}
	e.FileSHA256 = digest(e.Text)
	return e, true, nil
}

// warn tells of entries of the file that the store's have taken the place of and that have changed since: what was changed plays no part.
func (d *Directory) warn() {
	for key, e := range d.state.entries {
		own, there, err := d.state.fileEntry(key.kind, key.id)
		if err != nil {
			d.Log.Warn("configuration: this entry cannot be read, and plays no part: the registry has one in its place", "kind", key.kind, "id", key.id, "error", err)
			continue
		}
		if there && own.FileSHA256 != e.FileSHA256 {
			d.Log.Warn("configuration: this entry was changed in the file, and plays no part: the registry has one in its place",
				"kind", key.kind, "id", key.id, "registry_version", e.Version)
		}
	}
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
