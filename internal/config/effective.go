package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ecogate/ecogate/internal/strictyaml"
)

// Origin says where a value comes from: OriginDefault, "FILE:LINE" or "environment NAME".
type Origin string

// OriginDefault is the origin of a value that nobody gave.
const OriginDefault Origin = "default"

// Setting is one key with the value that is in effect.
type Setting struct {
	Key string
	// Value as it could be written into a variable; "***" for a secret.
	Value  string
	Origin Origin
}

// Effective lists every key that has a value, in the order of the sections. Secrets are masked.
func (c Config) Effective() []Setting {
	var out []Setting
	strictyaml.Walk(c, func(at strictyaml.Leaf) {
		value := strictyaml.Format(at.Value)
		if value == "" {
			return
		}
		if at.Field.Tag.Get("secret") != "" {
			value = "***"
		}
		origin, ok := c.origins[at.Key]
		if !ok {
			origin = OriginDefault
		}
		out = append(out, Setting{Key: at.Key, Value: value, Origin: origin})
	})
	return out
}

// EffectiveText gives Effective as lines for people. A value of several lines is quoted.
func (c Config) EffectiveText() string {
	var b strings.Builder
	for _, s := range c.Effective() {
		value := s.Value
		if strings.Contains(value, "\n") {
			value = strconv.Quote(value)
		}
		fmt.Fprintf(&b, "%s = %s  # %s\n", s.Key, value, s.Origin)
	}
	return b.String()
}
