package main

import (
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

// Examine implements api.Examiner by the configuration in force, the registry's entries included.
func (e examiner) Examine(c partners.Candidate, file []byte) (partners.Examination, error) {
	text, warning, err := partners.ReadUpload(file, nil)
	if err != nil {
		return partners.Examination{Refused: []string{c.File + ": " + err.Error()}}, nil
	}
	name := c.File
	c.File, c.PEM = "", text
	found, err := e.n.Directory.Config().Examine(c, e.n.now())
	for _, list := range [][]string{found.Refused, found.Warnings} {
		for i := range list {
			list[i] = strings.ReplaceAll(list[i], partners.InlineName, name)
		}
	}
	if err == nil && warning != "" {
		found.Warnings = append([]string{warning}, found.Warnings...)
	}
	return found, err
}
