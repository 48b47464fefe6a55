package partners

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/ecogate/ecogate/internal/plainfile"
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

func (p PartnerConfig) anchors() []source {
	return sources("anchor_files", p.AnchorFiles, "anchors", p.Anchors)
}

func (p PartnerConfig) intermediates() []source {
	return sources("intermediate_files", p.IntermediateFiles, "intermediates", p.Intermediates)
}

func (p PartnerConfig) timeStampAnchors() []source {
	return sources("timestamp_anchor_files", p.TimeStampAnchorFiles, "timestamp_anchors", p.TimeStampAnchors)
}

func sources(filesKey string, files []string, textsKey string, texts []string) []source {
	var out []source
	for i, file := range files {
		out = append(out, source{key: item(filesKey, i), file: file})
	}
	for i, text := range texts {
		out = append(out, source{key: item(textsKey, i), text: text})
	}
	return out
}

// InlineName is what problems call a credential that stands in the configuration as text.
const InlineName = "the text here"

// name is what problems call it.
func (s source) name() string { return cmp.Or(s.file, InlineName) }

// read gives the credentials; at least one, if err is nil.
func (s source) read() ([]*x509.Certificate, error) {
	content := []byte(s.text)
	if s.file != "" {
		var err error
		if content, err = readFile(s.file); err != nil {
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

// inline is the same as text, one PEM block for each credential and nothing else. What cannot be read stays as it is.
func (s source) inline() (string, error) {
	list, err := s.read()
	if err != nil {
		if s.file == "" {
			return s.text, nil
		}
		return "", err
	}
	var out bytes.Buffer
	for _, x509Cert := range list {
		if err := pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: x509Cert.Raw}); err != nil {
			return "", err
		}
	}
	return out.String(), nil
}

func (l *loader) readAll(at string, list []source) []*x509.Certificate {
	var out []*x509.Certificate
	for _, s := range list {
		out = append(out, l.read(at+"."+s.key, s)...)
	}
	return out
}

func (l *loader) read(key string, s source) []*x509.Certificate {
	list, err := s.read()
	if err != nil {
		l.add(key, "%v", err)
	}
	return list
}

// maxFile bounds the files that a document names, in bytes. Whoever may change one names files of the node's machine.
const maxFile = 4 << 20

func readFile(name string) ([]byte, error) { return plainfile.Read(name, maxFile) }
