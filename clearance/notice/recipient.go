package notice

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ecogate/ecogate/eco"
)

// Pace says when a recipient's mails go out.
type Pace string

// The paces.
const (
	Single Pace = ""       // each notice at once
	Hourly Pace = "hourly" // all of an hour in one mail, at the full hour
	Daily  Pace = "daily"  // all of a day in one mail, at Options.DigestAt
)

// Paces lists every Pace.
func Paces() []Pace { return []Pace{Single, Hourly, Daily} }

// Recipient is who is told, and of what. Exactly one of Address and URL is set.
type Recipient struct {
	// ID names it in the queue: a configured one's name, or a subscription's id.
	ID       string
	Audience Audience
	Address  string
	URL      string
	// Secrets sign what is posted to URL: all of them, so that the receiver may know either while they are changed. The first is the newest.
	Secrets [][]byte
	// AllowPrivate and AllowHTTP let URL be at an address that is not public, and without TLS.
	AllowPrivate, AllowHTTP bool
	Language                string
	// Events are those that it chose; none means all of its audience.
	Events []Event
	Digest Pace
	// Parties are the importers that an importer's notices are for; none means no restriction. Owner is the API key whose watches and declarations a broker's
	// notices are about; "" means everybody's. Bodies and Partners restrict to issuing bodies and partners; none means no restriction.
	Parties  []eco.PartyName
	Owner    string
	Bodies   []string
	Partners []string
	// Since is the instant from which on it is told; zero for no restriction.
	Since time.Time
	// Subscribed: it is a subscription, which its owner can end.
	Subscribed bool
}

// channel is the way to it.
func (r Recipient) channel() Channel {
	if r.URL != "" {
		return Webhook
	}
	return Mail
}

// to is its address on that way.
func (r Recipient) to() string {
	if r.URL != "" {
		return r.URL
	}
	return r.Address
}

// matter is what recipients choose by.
type matter struct {
	row     Row
	facts   Facts
	parties []eco.PartyName
	owner   string
	body    string // of an exported certificate
}

// wants reports whether r is to be told of m.
func (r Recipient) wants(m matter) bool {
	if r.Audience != m.row.To || len(r.Events) > 0 && !slices.Contains(r.Events, m.row.Event) {
		return false
	}
	restricts := func(list []string, value string) bool { return len(list) > 0 && !slices.Contains(list, value) }
	if restricts(r.Partners, m.facts.Partner) {
		return false
	}
	switch r.Audience {
	case Importers:
		shared := func(p eco.PartyName) bool { return slices.Contains(m.parties, p) }
		return len(r.Parties) == 0 && !r.Subscribed || slices.ContainsFunc(r.Parties, shared)
	case Brokers:
		return r.Owner == m.owner && m.owner != "" || r.Owner == "" && !r.Subscribed
	case IssuingBodies:
		return !restricts(r.Bodies, m.body)
	}
	return true
}

// due is when a notice of now goes to r.
func (r Recipient) due(now time.Time, digestAt time.Duration) time.Time {
	switch {
	case r.channel() == Webhook:
		return now
	case r.Digest == Hourly:
		return now.Truncate(time.Hour).Add(time.Hour)
	case r.Digest == Daily:
		at := now.UTC().Truncate(24 * time.Hour).Add(digestAt)
		if !at.After(now) {
			at = at.Add(24 * time.Hour)
		}
		return at
	}
	return now
}

// MaxAddress bounds an e-mail address and a URL, in octets. RFC 5321 §4.5.3.1.3 gives a path 256.
const (
	MaxAddress = 254
	MaxURL     = 1024
)

// CheckAddress accepts an e-mail address alone, such as desk@customs.example: a local part in dots and atoms, a domain in letters, digits,
// dots and dashes. Quoted local parts, comments, names, several addresses, address literals and what is beyond ASCII (RFC 6531) are refused:
// the standards have them, and not every server on the way does.
func CheckAddress(address string) error {
	local, domain, _ := strings.Cut(address, "@")
	switch {
	case len(address) > MaxAddress:
		return fmt.Errorf("e-mail address has %d octets; %d are the most", len(address), MaxAddress)
	case !localPart.MatchString(local) || len(local) > 64 || !isDomain(domain):
		return fmt.Errorf("e-mail address %q is not one such as desk@customs.example", line(address, MaxAddress))
	}
	return nil
}

// localPart is dot-atom-text of RFC 5322 §3.2.3.
var localPart = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$")

// domainLabel is one of RFC 1123 §2.1.
var domainLabel = regexp.MustCompile("^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$")

// isDomain reports whether s is a name with a dot, or localhost.
func isDomain(s string) bool {
	labels := strings.Split(s, ".")
	return (len(labels) > 1 || s == "localhost") && !slices.ContainsFunc(labels, func(l string) bool { return !domainLabel.MatchString(l) })
}

// CheckURL accepts the address of a webhook: https, or http if that is allowed, with a host and without credentials or fragment.
func CheckURL(text string, allowHTTP bool) error {
	bad := func(why string) error { return fmt.Errorf("webhook %q: %s", line(text, MaxURL), why) }
	if len(text) > MaxURL {
		return bad(fmt.Sprintf("has %d octets; %d are the most", len(text), MaxURL))
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return bad("is not a URL")
	case u.Scheme != "https" && (u.Scheme != "http" || !allowHTTP):
		return bad("is not https")
	case u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return bad("has no host")
	case u.User != nil:
		return bad("holds a user or password")
	case u.Fragment != "" || strings.Contains(text, "#"):
		return bad("has a fragment")
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return bad("holds spaces or control characters")
	}
	return nil
}

// line makes one line of s that shows all it holds: what would break it, hide, or turn the direction of text becomes a space. It has at most
// max characters, the last of which is an ellipsis if there were more.
func line(s string, max int) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) || unicode.Is(unicode.Co, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= max {
		return s
	}
	return strings.TrimRight(string([]rune(s)[:max-1]), " ") + "…"
}
