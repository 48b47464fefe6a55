package revocation

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"
)

// memory is a revocation that a source told of once.
//
// RFC 5280 §3.3: an entry stays on the CRL until the credential has ended. §5.3.1: only a credential on hold comes back. A newer CRL
// or OCSP response that does not tell of a revocation any more is therefore wrong, and whoever brought that about may want it
// forgotten: the revocation is remembered, beyond the credential's end too, for those who look up what it signed. Deleting the file
// that keeps it, and a restart, is how an operator takes back what a CA revoked in error.
type memory struct {
	At     time.Time `json:"at"`
	Reason int       `json:"reason"`
}

// reasonHold is certificateHold (RFC 5280 §5.3.1).
const reasonHold = 6

const (
	memoryFile = "revoked.json"
	maxMemory  = 16 << 20
)

// remember takes note in k of what its sources tell of links, and reports whether there was something new. forgotten gets each link of
// which they once told that it was revoked, and do not any more.
func (k *Known) remember(links []Link, forgotten func(Link, memory)) (changed bool) {
	for _, l := range links {
		told := k.told(l)
		before, known := k.memory[l.id]
		switch {
		case told == nil && known:
			forgotten(l, before)
		case told == nil || told.Reason == reasonHold:
		case !known || !before.At.Equal(told.At) || before.Reason != told.Reason:
			k.memory[l.id] = memory{told.At, told.Reason}
			changed = true
		}
	}
	return changed
}

// remember is Known.remember for all targets; what is new goes to disk. The caller holds f.mu.
func (f *Fetcher) remember(k *Known) {
	changed := false
	for _, t := range f.o.Targets() {
		changed = k.remember(t.Links, func(l Link, m memory) {
			if !f.forgotten[l.id] {
				f.forgotten[l.id] = true
				f.o.Log.Warn("revocation: no source tells any more that a credential is revoked; it stays so", "partner", t.Partner,
					"credential", l.X509Cert.Subject.String(), "revoked", instant(m.At))
			}
		}) || changed
	}
	if !changed {
		return
	}
	if err := f.cache.writeMemory(k.memory); err != nil {
		f.o.Log.Error("revocation: folder not written; after a restart it may not be known that a credential was revoked", "error", err)
	}
}

func (c cache) writeMemory(all map[linkID]memory) error {
	out := make(map[string]memory, len(all))
	for id, m := range all {
		out[id.String()] = m
	}
	data, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		return err
	}
	return c.write(filepath.Join(c.dir, memoryFile), data)
}

// readMemory gives what was remembered; entries that are none are an error, with the others.
func (c cache) readMemory() (map[linkID]memory, error) {
	out := map[linkID]memory{}
	data, _, err := read(filepath.Join(c.dir, memoryFile), maxMemory)
	if err != nil || data == nil {
		return out, err
	}
	var kept map[string]memory
	if err := json.Unmarshal(data, &kept); err != nil {
		return out, fmt.Errorf("%s: %w", memoryFile, err)
	}
	for text, m := range kept {
		id, idErr := parseLinkID(text)
		if idErr != nil {
			err = fmt.Errorf("%s: %w", memoryFile, idErr)
			continue
		}
		out[id] = m
	}
	return out, err
}
