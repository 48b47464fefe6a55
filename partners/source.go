package partners

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/ecogate/ecogate/signing"
)

// source is where credentials stand: in a file, or in the configuration itself.
type source struct {
	key  string // below the entry
	file string // "" for text
	text string
}

func (c CredentialConfig) source() source {
	if c.PEM != "" {
		return source{key: "pem", text: c.PEM}
	}
	return source{key: "file", file: c.File}
}

// name is what problems call it.
func (s source) name() string { return cmp.Or(s.file, "the text here") }

// read gives the credentials; at least one, if err is nil.
func (s source) read() ([]*x509.Certificate, error) {
	content := []byte(s.text)
	if s.file != "" {
		var err error
		if content, err = os.ReadFile(s.file); err != nil {
			return nil, err
		}
	}
	list, err := signing.ReadCredentials(content)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", s.name(), explained(content, err))
	case len(list) == 0:
		return nil, fmt.Errorf("%s: holds no credential", s.name())
	}
	return list, nil
}

// leaf gives the end credential alone.
func (s source) leaf() (*x509.Certificate, error) {
	list, err := s.read()
	if err != nil {
		return nil, err
	}
	leaf, _, err := endCredential(list)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name(), err)
	}
	return leaf, nil
}

func (l *loader) read(key string, s source) []*x509.Certificate {
	list, err := s.read()
	if err != nil {
		l.add(key, "%v", err)
	}
	return list
}
