package handover

import (
	"encoding/json"
	"fmt"

	"github.com/ecogate/ecogate/clearance"
)

// Lodged gives the dockets that hand a declaration over, for clearance.Options.Handover: at its newest event, with the octets that it came in, if
// these are no JSON, and the certificates that have come with that event.
func Lodged(l clearance.Lodgement, original []byte, certificates []clearance.Imported) ([]clearance.Docket, error) {
	if len(l.History) == 0 {
		return nil, fmt.Errorf("handover of declaration %q: nothing has happened to it", l.Number)
	}
	body, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("handover of declaration %q: %w", l.Number, err)
	}
	f := Filing{
		Declaration: l.Number, Version: l.Version, Revision: l.Revision, Occasion: OccasionAccepted, At: l.History[len(l.History)-1].At,
		Body: body, Certificates: certificates,
	}
	switch l.History[len(l.History)-1].Event {
	case "declaration.matched", "declaration.released":
		f.Occasion = OccasionCompleted
	case "declaration.withdrawn", "declaration.lapsed":
		f.Occasion = OccasionWithdrawn
	}
	if !json.Valid(original) {
		f.Original = original
	}
	return Dockets(f)
}
