package issuerlist

import (
	"slices"
	"time"

	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// Order is what a list of our own issuers is to say beside the bodies, and how it is signed.
type Order struct {
	// Number is above that of the last list; 0 for the seconds since 1970.
	Number int
	// ValidFrom is from when it holds; zero is now. NextUpdate is the time from then within which the next list comes; 0 for not said.
	ValidFrom  time.Time
	NextUpdate time.Duration
	// CMS signs it with CMS in place of XML-DSig.
	CMS bool
}

// Issued is a signed list of our own issuers.
type Issued struct {
	Number     int       `json:"number"`
	Issued     time.Time `json:"issued"`
	ValidFrom  time.Time `json:"valid_from"`
	NextUpdate time.Time `json:"next_update,omitzero"`
	// Bodies are the ids of the issuing bodies that are on it, each once.
	Bodies []string `json:"issuing_bodies"`
	// Signer is the fingerprint of the credential that signed it.
	Signer   string `json:"signer_sha256"`
	Document []byte `json:"document"`
}

// Issue makes the list of our own issuers, as r has them now, signed with the key that has use issuer-list. The error is that of
// partners.Registry.Key if none counts.
func Issue(r *partners.Registry, o Order, now time.Time) (Issued, error) {
	list, err := Own(r, now)
	if err != nil {
		return Issued{}, err
	}
	key, err := r.Key(partners.UseIssuerList, "", list.Issued)
	if err != nil {
		return Issued{}, err
	}
	if list.Number = o.Number; list.Number == 0 {
		list.Number = int(list.Issued.Unix())
	}
	if !o.ValidFrom.IsZero() {
		list.ValidFrom = o.ValidFrom
	}
	if o.NextUpdate != 0 {
		list.NextUpdate = list.ValidFrom.Add(o.NextUpdate)
	}
	done := Issued{
		Number: list.Number, Issued: list.Issued, ValidFrom: list.ValidFrom, NextUpdate: list.NextUpdate, Bodies: []string{}, Signer: signing.Fingerprint(key.Chain[0]),
	}
	sign := list.Sign
	if o.CMS {
		sign = list.SignCMS
	}
	if done.Document, err = sign(key); err != nil {
		return Issued{}, err
	}
	for _, body := range list.Bodies {
		if !slices.Contains(done.Bodies, body.ID) {
			done.Bodies = append(done.Bodies, body.ID)
		}
	}
	return done, nil
}

// Issue is Issue of the registry as it is now.
func (d Desk) Issue(o Order) (Issued, error) { return Issue(d.Directory.Registry, o, d.Now()) }
