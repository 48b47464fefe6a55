package partners

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ecogate/ecogate/internal/strictyaml"
)

// Kind is what an entry of the registry is about.
type Kind string

// The kinds.
const (
	// KindPartner: the text is a PartnerConfig, the ID its id.
	KindPartner Kind = "partner"
	// KindAgreement: the text is an AgreementConfig, the ID its id or else its CPAId.
	KindAgreement Kind = "agreement"
	// KindNode: the text is a NodeKeys, the ID is NodeID.
	KindNode Kind = "node"
)

// NodeID is the ID of the one entry of KindNode.
const NodeID = "node"

// Entry is one version of a document of the registry. It is not changed once it is stored.
type Entry struct {
	Kind Kind   `json:"kind"`
	ID   string `json:"id"`
	// Version counts from 1 for each Kind and ID, without gaps. 0 is what stands in the configuration file.
	Version uint64 `json:"version"`
	// At is when it was made (UTC), By who made it, as in the audit log, and Why what they said about it. Version 0 has none of them.
	At  time.Time `json:"at,omitzero"`
	By  string    `json:"by,omitempty"`
	Why string    `json:"why,omitempty"`
	// ConfirmedBy is who confirmed it; "" if no second operator was needed.
	ConfirmedBy string `json:"confirmed_by,omitempty"`
	// Unconfirmed: a second operator was to confirm it, and it was in force without, since it takes trust away only.
	Unconfirmed bool `json:"unconfirmed,omitempty"`
	// Removed: there is no such partner or agreement, whatever the file says. Text is "" then.
	Removed bool `json:"removed,omitempty"`
	// Text is the document in YAML as strictyaml.Encode writes it. Credentials stand in it; private keys never do.
	Text string `json:"text,omitempty"`
	// FileSHA256 is the digest, in hex, of the text of the file's entry whose place the first version took; "" if there was none. Of version 0
	// it is that of its own text.
	FileSHA256 string `json:"file_sha256,omitempty"`
}

// Event names the entry in the audit log.
func (e Entry) Event() string {
	if e.Removed {
		return string(e.Kind) + ".removed"
	}
	return string(e.Kind) + ".changed"
}

// Detail is what the audit log says of the entry.
func (e Entry) Detail() string {
	detail := fmt.Sprintf("version %d", e.Version)
	if e.ConfirmedBy != "" {
		detail += ", confirmed by " + e.ConfirmedBy
	}
	if e.Unconfirmed {
		detail += ", in force without a second operator"
	}
	if e.Why != "" {
		detail += ": " + e.Why
	}
	return detail
}

// Store keeps the versions of entries. Its methods are safe for concurrent use.
type Store interface {
	// Entries gives the newest version of every entry, removed ones too, ordered by kind and ID.
	Entries(ctx context.Context) ([]Entry, error)
	// EntryVersions gives all versions of one entry without their texts, oldest first; none for an unknown one. EntryVersion gives one of them
	// whole; its error wraps ErrUnknownEntry if there is none.
	EntryVersions(ctx context.Context, kind Kind, id string) ([]Entry, error)
	EntryVersion(ctx context.Context, kind Kind, id string, version uint64) (Entry, error)
	// PutEntry makes e durable as the newest version of its entry, together with an entry of the audit log: e.At, e.By, e.Event, e.ID
	// and e.Detail. If e.Version does not follow the newest one it returns ErrStale and writes nothing. A store that is full
	// takes it all the same.
	PutEntry(ctx context.Context, e Entry) error
	// Propose makes a change durable that waits for another operator, with an entry of the audit log, and gives it the next number.
	Propose(ctx context.Context, e Entry) (Proposal, error)
	// Proposals gives all of them in the order of their numbers.
	Proposals(ctx context.Context) ([]Proposal, error)
	// Decide makes the end of a proposal durable and, if it is ProposalConfirmed, p.Entry as PutEntry does, in one transaction with their
	// entries of the audit log. It returns ErrUnknownProposal, ErrDecided or ErrStale and writes nothing then.
	Decide(ctx context.Context, p Proposal) error
}

// Errors of the registry's entries.
var (
	// ErrStale: the entry has another version by now than the one that the change was made for.
	ErrStale = errors.New("entry was changed meanwhile")
	// ErrUnknownEntry: the registry has no such partner, agreement or version.
	ErrUnknownEntry = errors.New("registry has no such entry")
)

// NodeKeys is what the registry keeps of the node itself: which of its keys it uses, as paths and names in tokens.
type NodeKeys struct {
	// Keys takes the place of node.keys.
	Keys []KeyConfig `yaml:"keys"`
	// Issuers take the place of the keys of those of node.issuers that they name.
	Issuers []IssuerKeys `yaml:"issuers"`
}

// IssuerKeys are the keys of one of the node's issuing bodies.
type IssuerKeys struct {
	ID   string      `yaml:"id"`
	Keys []KeyConfig `yaml:"keys"`
}

func (a AgreementConfig) id() string { return cmp.Or(a.ID, a.CPAID) }

// keys are the NodeKeys that the file gives.
func (n NodeConfig) keys() NodeKeys {
	k := NodeKeys{Keys: n.Keys}
	for _, issuer := range n.Issuers {
		if len(issuer.Keys) > 0 {
			k.Issuers = append(k.Issuers, IssuerKeys{ID: issuer.ID, Keys: issuer.Keys})
		}
	}
	return k
}

// withNode is the file's node with the keys of k.
func (c Config) withNode(k NodeKeys) (NodeConfig, []Problem) {
	n := c.Node
	n.Keys, n.Issuers = k.Keys, slices.Clone(n.Issuers)
	problems := c.foreignModules("keys", k.Keys)
	for i, issuer := range k.Issuers {
		problems = append(problems, c.foreignModules(item("issuers", i)+".keys", issuer.Keys)...)
		j := slices.IndexFunc(n.Issuers, func(own OwnIssuerConfig) bool { return own.ID == issuer.ID })
		if j < 0 {
			problems = append(problems, Problem{item("issuers", i) + ".id", fmt.Sprintf("%q is not an id in node.issuers", issuer.ID)})
			continue
		}
		n.Issuers[j].Keys = issuer.Keys
	}
	return n, problems
}

// foreignModules tells of keys whose token has a module that neither Config.Modules nor a key of the file names.
func (c Config) foreignModules(at string, keys []KeyConfig) (problems []Problem) {
	known := slices.Clone(c.Modules)
	own := c.Node.keys()
	for _, list := range own.rotated().lists {
		for _, key := range *list {
			known = append(known, key.PKCS11.Module)
		}
	}
	for i, key := range keys {
		if module := key.PKCS11.Module; module != "" && !slices.Contains(known, module) {
			problems = append(problems, Problem{item(at, i) + ".pkcs11.module", fmt.Sprintf(
				"%q is a module that the configuration file does not name; list it in registry.pkcs11_modules there", module)})
		}
	}
	return problems
}

// maxEntry bounds the text of an entry in bytes, as the configuration file is bounded.
const maxEntry = 1 << 20

// decodeEntry reads an entry's text. Problems have the line before their key.
func decodeEntry[T any](text string) (document T, problems []Problem) {
	problems = decodeInto(text, &document)
	return document, problems
}

func decodeInto(text string, document any) []Problem {
	if len(text) > maxEntry {
		return []Problem{{Key: "text", Text: fmt.Sprintf("is larger than %d bytes", maxEntry)}}
	}
	var problems []Problem
	_, faults := strictyaml.Decode([]byte(text), document)
	for _, f := range faults {
		key := fmt.Sprintf("line %d", f.Line)
		switch {
		case f.Line == 0:
			key = cmp.Or(f.Key, "text")
		case f.Key != "":
			key += ": " + f.Key
		}
		problems = append(problems, Problem{Key: key, Text: f.Text})
	}
	return problems
}

// SortEntries puts entries into the order of Store.Entries.
func SortEntries(entries []Entry) {
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Version, b.Version))
	})
}
