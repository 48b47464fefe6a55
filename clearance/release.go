package clearance

import (
	"fmt"
	"strings"
	"time"

	"github.com/ecogate/ecogate/eco"
)

// ReleaseNote says that the certificates which a declaration on guarantee had cited have come, for whoever holds the guarantee. It is
// made once, when the last of them is here and reserved.
type ReleaseNote struct {
	Declaration string    `json:"declaration"`
	Guarantee   string    `json:"guarantee"`
	Made        time.Time `json:"made"`
	// Certificates are those that were awaited, in the order of their claims.
	Certificates []Arrived `json:"certificates"`
	// Outcome says whether the goods correspond to the certificates: OutcomeNone, or OutcomeMaterial where Differences has some that
	// customs have to judge before the guarantee goes.
	Outcome     Outcome          `json:"outcome"`
	Differences []eco.Difference `json:"differences,omitempty"`
}

// Outcome is what a comparison came to.
type Outcome string

// The outcomes.
const (
	OutcomeNone     Outcome = "none"     // nothing differs that counts
	OutcomeMaterial Outcome = "material" // something does
)

// Arrived is a certificate that came after the declaration which cites it.
type Arrived struct {
	Key       Key      `json:"key"`
	Reference string   `json:"reference"` // as printed
	IssuedAt  eco.Date `json:"issue_date"`
	// Received is the instant of its receipt, SHA256 the digest of its signed document in hex.
	Received time.Time `json:"received"`
	SHA256   string    `json:"sha256"`
	// Claims are the numbers of the claims that rest on it.
	Claims []int `json:"claims"`
}

// Text is the note for people: English, lines of text.
func (n ReleaseNote) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "RELEASE NOTE\n\nDeclaration  %s\nGuarantee    %s\nMade         %s\n\nThe certificates of origin that this declaration cites have been received and verified:\n",
		n.Declaration, n.Guarantee, n.Made.UTC().Format(time.RFC3339))
	for _, c := range n.Certificates {
		fmt.Fprintf(&b, "  %s of %s (%s, %s), received %s, SHA-256 %s\n", c.Reference, c.IssuedAt, c.Key.Form, c.Key.Country, c.Received.UTC().Format(time.RFC3339), c.SHA256)
	}
	if n.Outcome == OutcomeNone {
		b.WriteString("\nThe goods declared correspond to them. The guarantee can be released.\n")
		return b.String()
	}
	b.WriteString("\nThe declaration differs from them; customs have to decide before the guarantee is released:\n")
	for _, d := range n.Differences {
		if d.Class == eco.DifferenceMaterial {
			fmt.Fprintf(&b, "  line %d, item %d, %s: %s\n", d.Line, d.Item, d.Field, d.Text)
		}
	}
	return b.String()
}

// add adds the certificate of a claim.
func (n *ReleaseNote) add(claim Claim, c Imported) {
	for i := range n.Certificates {
		if n.Certificates[i].Key == c.Key {
			n.Certificates[i].Claims = append(n.Certificates[i].Claims, claim.Number)
			return
		}
	}
	n.Certificates = append(n.Certificates, Arrived{
		Key: c.Key, Reference: c.Data.Reference, IssuedAt: c.Data.IssuedAt, Received: c.Recorded, SHA256: c.Document.SHA256, Claims: []int{claim.Number},
	})
}
