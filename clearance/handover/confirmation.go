package handover

import (
	"errors"
	"fmt"
	"mime"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Verdict is what the customs system says of a parcel.
type Verdict string

// The verdicts.
const (
	// VerdictNone: it says nothing yet.
	VerdictNone Verdict = ""
	// VerdictReceived: it has the parcel, and will confirm it later.
	VerdictReceived Verdict = "received"
	// VerdictConfirmed: it has the parcel and has taken it in. Nothing is sent any more.
	VerdictConfirmed Verdict = "confirmed"
	// VerdictRefused: it will not take the parcel.
	VerdictRefused Verdict = "refused"
)

// Confirmation is what the customs system says of a parcel: as the body of an HTTP response, in a file beside the parcel, or through the
// API. The zero value says nothing.
type Confirmation struct {
	Status Verdict `json:"status"`
	// SHA256 is the digest of the parcel that it is about, in hex.
	SHA256 string `json:"sha256"`
	// Reference is the customs system's own number of it.
	Reference string `json:"reference,omitempty"`
	// Reason is why it was refused.
	Reason string `json:"reason,omitempty"`
	// note is what was odd about an answer that took the parcel.
	note string
}

// MaxConfirmation bounds a confirmation as it travels, in octets.
const MaxConfirmation = 64 << 10

// maxSaid bounds what the customs system says in words, in octets.
const maxSaid = 1000

// ReadConfirmation reads a confirmation, strictly: what is misunderstood could be taken for a confirmation. Every one has a status and the
// digest; one that refuses has a reason.
func ReadConfirmation(data []byte) (Confirmation, error) {
	var c Confirmation
	if len(data) > MaxConfirmation {
		return c, fmt.Errorf("confirmation: want at most %d octets", MaxConfirmation)
	}
	if err := decode(data, &c); err != nil {
		return Confirmation{}, fmt.Errorf("confirmation: %w", err)
	}
	if err := c.Check(); err != nil {
		return Confirmation{}, fmt.Errorf("confirmation: %w", err)
	}
	return c, nil
}

// Check says what is wrong with a confirmation.
func (c Confirmation) Check() error {
	switch c.Status {
	case VerdictReceived, VerdictConfirmed, VerdictRefused:
	default:
		return fmt.Errorf("status: want received, confirmed or refused, found %q", shortened(string(c.Status)))
	}
	switch {
	case !digestPattern.MatchString(c.SHA256):
		return errors.New("sha256: want the parcel's digest, 64 lower-case hexadecimal digits")
	case len(c.Reference) > maxSaid || len(c.Reason) > maxSaid:
		return fmt.Errorf("reference and reason have at most %d octets", maxSaid)
	case !printable(c.Reference) || !printable(c.Reason):
		return errors.New("reference and reason are one line of printable characters")
	case c.Status == VerdictRefused && c.Reason == "":
		return errors.New("reason: is required when the status is refused")
	case c.Status != VerdictRefused && c.Reason != "":
		return fmt.Errorf("reason: is for what is refused, and the status is %q", c.Status)
	}
	return nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// shortened is at most a line of a text that somebody else wrote, for an error message.
func shortened(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = strings.Join(strings.Fields(s), " ")
	const most = 200
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// about is c if it is about a parcel. One that refuses is a *Refusal.
func (c Confirmation) about(p Parcel) (Confirmation, error) {
	switch {
	case c.SHA256 != p.SHA256:
		return Confirmation{}, fmt.Errorf("confirmation of %s: %w: want %s, found %s", p.Name(), ErrOtherContent, p.SHA256, c.SHA256)
	case c.Status == VerdictRefused:
		return Confirmation{}, &Refusal{c.Reason}
	}
	return c, nil
}

// isJSON reports whether a media type is JSON's, with parameters or not.
func isJSON(contentType string) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && (mediaType == "application/json" || strings.HasSuffix(mediaType, "+json"))
}
