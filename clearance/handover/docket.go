package handover

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

// Filing is what is handed over when a declaration is accepted.
type Filing struct {
	// Declaration is the declaration's number, Version counts its versions from 1, and Revision is that of its record, from 1: it tells
	// apart what is handed over of one version.
	Declaration string
	Version     int
	Revision    uint64
	Occasion    Occasion
	// At is the instant of the occasion.
	At time.Time
	// Body is the declaration as it was then, in JSON.
	Body json.RawMessage
	// Original are the octets of the UN/EDIFACT interchange that it came in; nil if it came otherwise.
	Original []byte
	// Certificates are those that it cites and that have come, with the lives that the occasion gives them; none for a declaration on
	// guarantee whose certificates are awaited.
	Certificates []clearance.Imported
}

// content is what a parcel is made of beside the documents of the certificates, which their records keep.
type content struct {
	Body     json.RawMessage `json:"body"`
	Original []byte          `json:"original,omitempty"`
	// Lives are those of Handover.Certificates, in their order.
	Lives []eco.Life `json:"lives"`
}

// maxCited bounds the certificates of one declaration: as many as it may cite, since what is accepted has to be handed over.
const maxCited = clearance.MaxCitations

// Dockets are the dockets of a filing, to be filed in the transaction of the occasion. The first one is of Kind, due at once. Filing
// one revision of a declaration twice is clearance.ErrChanged.
func Dockets(f Filing) ([]clearance.Docket, error) {
	switch {
	case f.Declaration == "" || f.Version < 1 || f.Revision < 1:
		return nil, fmt.Errorf("handover of declaration %q: want a number, a version and a revision from 1, found version %d, revision %d", f.Declaration, f.Version, f.Revision)
	case !json.Valid(f.Body):
		return nil, fmt.Errorf("handover of declaration %q: its body is no JSON", f.Declaration)
	case !slices.Contains(Occasions(), f.Occasion):
		return nil, fmt.Errorf("handover of declaration %q: occasion %q is unknown", f.Declaration, f.Occasion)
	case len(f.Certificates) > maxCited:
		return nil, fmt.Errorf("handover of declaration %q: want at most %d certificates, found %d", f.Declaration, maxCited, len(f.Certificates))
	}
	h := Handover{
		ID: IDOf(f.Declaration, f.Revision), Declaration: f.Declaration, Version: f.Version, Revision: f.Revision, Occasion: f.Occasion,
		State: StateWaiting, At: f.At.UTC(), Round: 1, Certificates: []Cited{},
	}
	made := content{Body: f.Body, Original: f.Original}
	for _, c := range f.Certificates {
		life := c.Life
		life.State = c.State
		h.Certificates = append(h.Certificates, Cited{Key: c.Key, Seq: c.Seq, SHA256: c.Document.SHA256, State: c.State})
		made.Lives = append(made.Lives, life)
	}
	first, err := clearance.Docket{Kind: Kind, ID: h.ID, Due: h.At, Terms: h.terms()}.With(h)
	if err != nil {
		return nil, err
	}
	second, err := clearance.Docket{Kind: KindContent, ID: h.ID}.With(made)
	if err != nil {
		return nil, err
	}
	return []clearance.Docket{first, second}, nil
}

// IDOf is the ID of the handover of a revision of a declaration: 26 letters and digits, whatever the number is made of.
func IDOf(declaration string, revision uint64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", declaration, revision))
	return "ho" + hex.EncodeToString(sum[:12])
}

// terms are what a handover is found by.
func (h Handover) terms() []string {
	terms := []string{termState(h.State), TermDeclaration(h.Declaration)}
	seen := map[string]bool{}
	for _, c := range h.Certificates {
		term := TermCertificate(c.Key)
		if !seen[term] {
			terms = append(terms, term)
		}
		seen[term] = true
	}
	return terms
}

func termState(s State) string { return "state:" + string(s) }

// TermDeclaration is the term of the handovers of a declaration.
func TermDeclaration(number string) string { return "declaration:" + number }

// TermCertificate is the term of the handovers of a certificate.
func TermCertificate(k clearance.Key) string { return "certificate:" + k.String() }

// read is the handover of a docket.
func read(d clearance.Docket) (Handover, error) {
	var h Handover
	if d.Kind != Kind {
		return h, fmt.Errorf("docket %q is of kind %q, not %q", d.ID, d.Kind, Kind)
	}
	if err := d.Into(&h); err != nil {
		return h, err
	}
	if h.ID != d.ID {
		return h, errors.New("handover " + d.ID + ": its record has another id")
	}
	return h, nil
}

// record adds an attempt to the log.
func (h *Handover) record(a Attempt) {
	h.Log = append(h.Log, a)
	if over := len(h.Log) - MaxLog; over > 0 {
		h.Log = h.Log[over:]
	}
}
