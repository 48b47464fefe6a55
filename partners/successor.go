package partners

import (
	"slices"
	"time"

	"github.com/ecogate/ecogate/signing"
)

// Successor is one of our own keys whose time has yet to come.
type Successor struct {
	Key signing.Key
	// Uses are what it will do. Body is the issuing body for UseDocumentSignature, which then is the only use.
	Uses []Use
	Body string
	// From is from when it signs. OldUntil is when the last of those that count now for its uses ends; zero if none counts.
	From, OldUntil time.Time
}

// Successors are our own keys that are staged at the instant at and will count by themselves, the one that begins first first.
func (r *Registry) Successors(at time.Time) []Successor {
	d := r.data.Load()
	var own []Held
	for _, t := range d.credentials[""] {
		own = append(own, d.held(t, d.credentials[""], at))
	}
	var out []Successor
	for _, h := range own {
		if h.State != StateStaged || h.Activate != "" { // one that somebody is to activate has no time
			continue
		}
		i := slices.IndexFunc(out, func(s Successor) bool {
			return s.Body == h.Issuer && s.From.Equal(h.From) && s.Key.Chain[0].Equal(h.X509Cert)
		})
		if i < 0 {
			i = len(out)
			out = append(out, Successor{Key: d.keys[signing.Fingerprint(h.X509Cert)], Body: h.Issuer, From: h.From})
		}
		out[i].Uses = append(out[i].Uses, h.Use)
		for _, old := range own {
			counts := old.State == StateActive || old.State == StateRetiring
			if counts && old.Use == h.Use && old.Issuer == h.Issuer && old.Until.After(out[i].OldUntil) {
				out[i].OldUntil = old.Until
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Successor) int { return a.From.Compare(b.From) })
	return out
}

// Staged are the credentials of a partner for a use that are staged at the instant at: they verify nothing that is decided by.
func (r *Registry) Staged(partner string, use Use, at time.Time) []Credential {
	var out []Credential
	for _, h := range r.Inventory(at) {
		if h.Partner == partner && h.Use == use && h.State == StateStaged {
			out = append(out, h.Credential)
		}
	}
	return out
}
