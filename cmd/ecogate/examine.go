package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
)

// examiner answers the API's questions about credentials.
type examiner struct {
	*exchange.Node
	n *runningNode
}

var _ api.Examiner = examiner{}

// Examine implements api.Examiner by the configuration in force.
func (e examiner) Examine(c partners.Candidate, file []byte) (partners.Examination, error) {
	dir, err := os.MkdirTemp(e.n.started.Limits.SpillDir, "candidate-*")
	if err != nil {
		return partners.Examination{}, err
	}
	defer os.RemoveAll(dir)
	name := c.File
	c.File = filepath.Join(dir, "credential")
	if err := os.WriteFile(c.File, file, 0o600); err != nil {
		return partners.Examination{}, err
	}
	found, err := e.n.Directory.Config().Examine(c, e.n.now())
	for _, list := range [][]string{found.Refused, found.Warnings} {
		for i := range list {
			list[i] = strings.ReplaceAll(list[i], c.File, name)
		}
	}
	return found, err
}
