package partners

import (
	"fmt"
	"path/filepath"
	"reflect"

	"github.com/ecogate/ecogate/internal/strictyaml"
)

// document is what the text of an entry is read into: *PartnerConfig, *AgreementConfig or *NodeKeys.
type document interface {
	// name is the id of the entry that it is the text of.
	name() string
	// settle puts the content of files into the document, or makes their names absolute, so that it means the same wherever it is read.
	settle() error
}

func (p *PartnerConfig) name() string   { return p.ID }
func (a *AgreementConfig) name() string { return a.id() }
func (k *NodeKeys) name() string        { return NodeID }

func (a *AgreementConfig) settle() error { return nil }

func (k *NodeKeys) settle() error { return absolute(k) }

func (p *PartnerConfig) settle() error {
	for _, list := range []struct {
		files, texts *[]string
		sources      []source
	}{
		{&p.AnchorFiles, &p.Anchors, p.anchors()},
		{&p.IntermediateFiles, &p.Intermediates, p.intermediates()},
		{&p.TimeStampAnchorFiles, &p.TimeStampAnchors, p.timeStampAnchors()},
	} {
		var texts []string
		for _, s := range list.sources {
			text, err := s.inline()
			if err != nil {
				return err
			}
			texts = append(texts, text)
		}
		*list.files, *list.texts = nil, texts
	}
	err := settleAll(p.Credentials)
	for i := range p.Issuers {
		if err == nil {
			err = settleAll(p.Issuers[i].Credentials)
		}
	}
	if err != nil {
		return err
	}
	return absolute(p)
}

func settleAll(list []CredentialConfig) error {
	for i := range list {
		c := &list[i]
		if c.File == "" && c.PEM == "" || c.File != "" && c.PEM != "" {
			continue // refused where it is checked
		}
		text, err := c.source().inline()
		if err != nil {
			return err
		}
		c.File, c.PEM = "", text
	}
	return nil
}

// absolute makes the paths that are left absolute: relative ones are those of this process's folder.
func absolute(d document) error {
	var failed error
	eachPath(d, func(_ string, path reflect.Value) {
		whole, err := filepath.Abs(path.String())
		if err != nil {
			failed = err
			return
		}
		path.SetString(whole)
	})
	return failed
}

// eachPath visits every path in d with its key.
func eachPath(d document, visit func(key string, path reflect.Value)) {
	strictyaml.Walk(d, func(at strictyaml.Leaf) {
		switch {
		case at.Field.Tag.Get("path") == "":
		case at.Value.Kind() == reflect.Slice:
			for i := range at.Value.Len() {
				visit(item(at.Key, i), at.Value.Index(i))
			}
		case at.Value.String() != "":
			visit(at.Key, at.Value)
		}
	})
}

// foreignFiles are the problems of a text that came from elsewhere, whose writer is not to choose what of the node's disk is read: credentials
// stand in it, and what has to be a path is an absolute one.
func foreignFiles(d document) []Problem {
	var problems []Problem
	_, isNode := d.(*NodeKeys)
	eachPath(d, func(key string, path reflect.Value) {
		switch {
		case !isNode && !isLiveFile(key):
			problems = append(problems, Problem{key, "names a file, and the registry keeps the credential itself; give its text under pem, anchors, intermediates or timestamp_anchors"})
		case !filepath.IsAbs(path.String()):
			problems = append(problems, Problem{key, fmt.Sprintf("%q is not an absolute path, and the registry is in no folder", path.String())})
		}
	})
	return problems
}

// readText reads a text that came from elsewhere into own and gives it as it is kept.
func readText(own document, text string) (string, error) {
	problems := decodeInto(text, own)
	if len(problems) == 0 {
		problems = foreignFiles(own)
	}
	if len(problems) > 0 {
		return "", &ConfigError{Problems: problems}
	}
	return settled(own)
}

// isLiveFile: CRLs are replaced in their files again and again.
func isLiveFile(key string) bool {
	ok, _ := filepath.Match(`revocation.crl_files\[*\]`, key)
	return ok
}

// encode gives the text of d.
func encode(d document) (string, error) {
	text, err := strictyaml.Encode(d)
	return string(text), err
}

// newDocument is an empty document of a kind; nil if there is no such kind.
func newDocument(kind Kind) document {
	switch kind {
	case KindPartner:
		return new(PartnerConfig)
	case KindAgreement:
		return new(AgreementConfig)
	case KindNode:
		return new(NodeKeys)
	}
	return nil
}

// settled gives the text of d after settling a copy of it.
func settled(d document) (string, error) {
	text, err := encode(d)
	if err != nil {
		return "", err
	}
	own, ok := reflect.New(reflect.TypeOf(d).Elem()).Interface().(document)
	if !ok {
		return "", fmt.Errorf("%T is no document", d)
	}
	if problems := decodeInto(text, own); len(problems) > 0 {
		return "", &ConfigError{Problems: problems}
	}
	if err := own.settle(); err != nil {
		return "", err
	}
	return encode(own)
}
