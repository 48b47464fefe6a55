package partners

import (
	"cmp"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Mode says what certificates that are exchanged with a partner are worth. What was exchanged keeps the mode of its time.
type Mode string

// The modes.
const (
	// ModeTest: nothing counts; the partner is a test system, or its connection is being tried.
	ModeTest Mode = "test"
	// ModeParallel: certificates count, and beside them travels the paper, which decides.
	ModeParallel Mode = "parallel"
	// ModeLive: certificates count. It is the default.
	ModeLive Mode = "live"
)

// modes lists every mode.
var modes = []Mode{ModeTest, ModeParallel, ModeLive}

func (k *checker) mode(key string, m Mode) {
	if m != "" && !slices.Contains(modes, m) {
		k.add(key, "%q is not %s, %s or %s", m, ModeTest, ModeParallel, ModeLive)
	}
}

// FormerKeys tells what takes the place of keys that there were.
func (PartnerConfig) FormerKeys() map[string]string {
	return map[string]string{"test": "mode: test, parallel or live"}
}

// Contact is somebody at a partner, for people to ask; the program asks nobody.
type Contact struct {
	Name string `yaml:"name"`
	// Role is what the person is there for, such as "duty desk" or "PKI".
	Role  string `yaml:"role"`
	Email string `yaml:"email"`
	Phone string `yaml:"phone"`
}

// maxLine bounds the texts of contacts and capabilities, in bytes; maxListed how many there are of each.
const (
	maxLine   = 200
	maxListed = 50
)

var phonePattern = regexp.MustCompile(`^\+?[0-9][0-9 ()/.-]{2,39}$`)

func (k *checker) contacts(key string, contacts []Contact) {
	if len(contacts) > maxListed {
		k.add(key, "has %d entries, at most %d are allowed", len(contacts), maxListed)
	}
	for i, c := range contacts {
		at := item(key, i)
		k.line(at+".name", c.Name)
		k.line(at+".role", c.Role)
		if cmp.Or(c.Name, c.Role) == "" {
			k.add(at+".name", "is required, or role")
		}
		if cmp.Or(c.Email, c.Phone) == "" {
			k.add(at+".email", "is required, or phone")
		}
		if address, err := mail.ParseAddress(c.Email); c.Email != "" && (err != nil || address.Address != c.Email) {
			k.add(at+".email", "%q is not an address such as desk@customs.example", c.Email)
		}
		if c.Phone != "" && !phonePattern.MatchString(c.Phone) {
			k.add(at+".phone", "%q is not a number such as +886 2 2550 5500", c.Phone)
		}
	}
}

func (k *checker) capabilities(key string, capabilities []string) {
	if len(capabilities) > maxListed {
		k.add(key, "has %d entries, at most %d are allowed", len(capabilities), maxListed)
	}
	for i, c := range capabilities {
		k.line(item(key, i), c)
		switch {
		case c == "":
			k.add(item(key, i), "is empty")
		case slices.Contains(capabilities[:i], c):
			k.add(item(key, i), "%q stands here twice", c)
		}
	}
}

// line holds a text to one line that shows all it holds.
func (k *checker) line(key, text string) {
	if len(text) > maxLine || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		k.add(key, "is not one line of at most %d bytes that can be printed", maxLine)
	}
}
