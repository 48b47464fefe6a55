package issuerlist

import (
	"fmt"
	"slices"
	"time"

	"github.com/ecogate/ecogate/partners"
)

// clockSkew is how far the clocks of two administrations may differ.
const clockSkew = time.Hour

// Follows says whether the list may take the place of what is known of partner p, at the instant now, and what an operator should know
// about it all the same. The list that was taken last may be taken again. The error wraps ErrParty, ErrOld or ErrNotYet.
func (s Signed) Follows(p partners.Partner, now time.Time) (warnings []string, err error) {
	for _, id := range s.Party {
		if !slices.Contains(p.PartyIDs, id) {
			return nil, fmt.Errorf("%w: %q of type %q is no party id of partner %q", ErrParty, id.Value, id.Type, p.ID)
		}
	}
	last := p.IssuerList
	switch {
	case s.Number < last.Number:
		return nil, fmt.Errorf("%w: this one has number %d, the last one %d", ErrOld, s.Number, last.Number)
	case s.Number == last.Number && s.SHA256 != last.SHA256:
		return nil, fmt.Errorf("%w: number %d, and it said something else", ErrOld, s.Number)
	case s.Issued.Before(last.Issued):
		return nil, fmt.Errorf("%w: this one was issued %s, the last one %s", ErrOld, instant(s.Issued), instant(last.Issued))
	case now.Add(clockSkew).Before(s.Issued):
		return nil, fmt.Errorf("%w: it was issued %s, and it is %s", ErrNotYet, instant(s.Issued), instant(now))
	case now.Before(s.ValidFrom):
		return nil, fmt.Errorf("%w: it holds from %s; take it then", ErrNotYet, instant(s.ValidFrom))
	}
	if s.Number == last.Number {
		warnings = append(warnings, fmt.Sprintf("list %d was taken already", s.Number))
	}
	if next := s.NextUpdate; !next.IsZero() && !now.Before(next) {
		warnings = append(warnings, fmt.Sprintf("the next list was due %s; ask the partner for it", instant(next)))
	}
	if len(s.Bodies) == 0 {
		warnings = append(warnings, "nobody is on the list: no certificate of this partner will be taken")
	}
	return warnings, nil
}
