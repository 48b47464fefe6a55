package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// Role says what the holder of a key does for a living, and so what the key opens.
type Role string

// The roles.
const (
	RoleIssuer   Role = "issuer"   // submits issued certificates and follows them
	RoleBroker   Role = "broker"   // looks up received certificates of importers that mandated him, or of which he knows enough
	RoleImporter Role = "importer" // looks up received certificates that are for its own parties, and mandates brokers
	RoleOfficer  Role = "officer"  // looks up received certificates, reads messages
	RoleOperator Role = "operator" // runs the node; reads everything, submits nothing
	RoleCustoms  Role = "customs"  // the customs system: looks up received certificates, takes what was declared
)

// Roles lists every role.
func Roles() []Role {
	return []Role{RoleIssuer, RoleBroker, RoleImporter, RoleOfficer, RoleOperator, RoleCustoms}
}

// Key is one user's secret, known here only by its digest.
type Key struct {
	// Name is who: it is the actor in the audit log.
	Name string
	Role Role
	// SHA256 is the digest of the secret's octets, in hex. The secret should have 128 random bits or more, and CheckSecret
	// refuses what cannot; the digest is not stretched.
	SHA256 string
	// Parties are who the holder is or works for: only RoleBroker and RoleImporter have any.
	Parties []eco.PartyName
}

// MinSecret is the number of octets that the secret of a key has at least.
const MinSecret = 16

// CheckSecret refuses a secret that could be guessed from its digest or tried out.
func CheckSecret(secret []byte) error {
	if len(secret) < MinSecret {
		return fmt.Errorf("the key has %d characters; it takes %d or more: make one with `openssl rand -hex 32`", len(secret), MinSecret)
	}
	return nil
}

// KeySet is who may come in. It may be replaced while requests are served: one that comes after Replace has returned is judged by
// the new keys only. It must not be copied.
type KeySet struct {
	current atomic.Pointer[[]digestedKey]
}

// NewKeySet refuses keys that are malformed or ambiguous.
func NewKeySet(keys []Key) (*KeySet, error) {
	digested, err := digestKeys(keys)
	if err != nil {
		return nil, err
	}
	s := new(KeySet)
	s.current.Store(&digested)
	return s, nil
}

// Replace puts the keys of next in the place of those of s.
func (s *KeySet) Replace(next *KeySet) { s.current.Store(next.current.Load()) }

// digestedKey is a Key with its digest decoded.
type digestedKey struct {
	Key
	sum [sha256.Size]byte
}

func digestKeys(keys []Key) ([]digestedKey, error) {
	digested := make([]digestedKey, 0, len(keys))
	for i, k := range keys {
		if k.Name == "" {
			return nil, fmt.Errorf("api key %d: name is missing", i+1)
		}
		if !slices.Contains(Roles(), k.Role) {
			return nil, fmt.Errorf("api key %q: role %q is none of %q", k.Name, k.Role, Roles())
		}
		d := digestedKey{Key: k}
		sum, err := hex.DecodeString(k.SHA256)
		if err != nil || len(sum) != len(d.sum) {
			return nil, fmt.Errorf("api key %q: sha256 is not a SHA-256 digest of 64 hex digits", k.Name)
		}
		copy(d.sum[:], sum)
		for _, other := range digested {
			if other.Name == k.Name {
				return nil, fmt.Errorf("api key %q: name is used twice", k.Name)
			}
			if other.sum == d.sum {
				return nil, fmt.Errorf("api key %q: same secret as %q", k.Name, other.Name)
			}
		}
		digested = append(digested, d)
	}
	return digested, nil
}

// authenticate lets a request pass when it carries a known key or asks for health. A refusal here is in the log only: anyone
// who reaches the listener could fill the disk with audit records.
// RFC 6750 §2.1 (the header), §3 (the challenge).
func (s *server) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if path := c.Path(); path == pathLive || path == pathReady {
			return next(c)
		}
		secret, given := bearer(c.Request().Header.Get(echo.HeaderAuthorization))
		key, known := s.Keys.key(secret)
		if !given || !known {
			challenge := `Bearer realm="ecogate"`
			if given {
				challenge += `, error="invalid_token"`
			}
			c.Response().Header().Set(echo.HeaderWWWAuthenticate, challenge)
			return problem(CodeUnauthenticated, "")
		}
		callOf(c).key = key
		return next(c)
	}
}

// bearer returns the secret of an Authorization header. RFC 9110 §11.1: the scheme's name is case-insensitive.
func bearer(header string) (string, bool) {
	scheme, secret, found := strings.Cut(header, " ")
	secret = strings.TrimSpace(secret)
	return secret, found && strings.EqualFold(scheme, "Bearer") && secret != ""
}

// key finds the key with this secret. It compares digests, and all of them, so that time tells nothing about either.
func (s *KeySet) key(secret string) (Key, bool) {
	sum := sha256.Sum256([]byte(secret))
	var found Key
	known := 0
	for _, k := range *s.current.Load() {
		if subtle.ConstantTimeCompare(sum[:], k.sum[:]) == 1 {
			found, known = k.Key, 1
		}
	}
	return found, known == 1
}

// Named is the key with a name. Its digest is left out.
func (s *KeySet) Named(name string) (Key, bool) {
	for _, k := range *s.current.Load() {
		if k.Name == name {
			k.Key.SHA256 = ""
			return k.Key, true
		}
	}
	return Key{}, false
}

// Parties are those of the key with a name; none if there is no such key.
func (s *KeySet) Parties(name string) []eco.PartyName {
	key, _ := s.Named(name)
	return key.Parties
}

// allow lets only these roles pass.
func (s *server) allow(roles ...Role) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if key := callOf(c).key; !slices.Contains(roles, key.Role) {
				if err := s.audit(c, "access.refused", c.Request().Method+" "+c.Path(), string(CodeForbidden)); err != nil {
					return err
				}
				return problem(CodeForbidden, fmt.Sprintf("key %q has the role %s", key.Name, key.Role))
			}
			return next(c)
		}
	}
}

// sees reports whether a role may see certificates that travelled in this direction.
func (r Role) sees(d exchange.Direction) bool {
	switch r {
	case RoleOperator:
		return true
	case RoleIssuer:
		return d == exchange.Outbound
	case RoleBroker, RoleImporter, RoleOfficer, RoleCustoms:
		return d == exchange.Inbound
	}
	return false
}

// narrowed gives the direction that a query for this role asks for: what the reader asked if he may see it, and all that he may see
// if he asked for none. Records that he may not see must not fill the store's answer, which has a limit.
func (r Role) narrowed(asked exchange.Direction) (d exchange.Direction, ok bool) {
	if asked != "" || r == RoleOperator {
		return asked, asked == "" || r.sees(asked)
	}
	for _, d := range []exchange.Direction{exchange.Inbound, exchange.Outbound} {
		if r.sees(d) {
			return d, true
		}
	}
	return "", false
}
