package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/ubl"
)

const xmlValidateHelp = `Check the structure of a UBL document: which elements stand where and how often, which attributes they have, and whether
values are of their types. The signature is not looked at (xml verify), nor whether a certificate follows its form (co check).

` + xmlFileHelp + `

With --schema-dir the document is validated against the schemas in that folder, which holds a folder of each UBL version, such as
2.1, with maindoc and common below it as OASIS publishes them. Without it our own tables are asked; they know the documents that
are exchanged about certificates of origin under UBL ` + "2.0, 2.1 and 2.4" + `, and agree with the schemas.

Exit codes of this command:
  0  the structure is right
  1  it is not; each line says where, what was expected and what was found
  2  unreadable, or the command line is wrong`

// structureReport is what xml validate finds.
type structureReport struct {
	Version string           `json:"ubl_version"`
	Valid   bool             `json:"valid"`
	Faults  []structureFault `json:"faults,omitempty"`
}

type structureFault struct {
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Path   string `json:"path"`
	Text   string `json:"text"`
}

func (c *cli) xmlValidate() *cobra.Command {
	var version, folder string
	cmd := &cobra.Command{
		Use:   "validate FILE",
		Short: "Check the structure of a UBL document",
		Long:  xmlValidateHelp,
		Args:  arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.validateDocument(cmd.Context(), args[0], version, folder)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&version, "ubl", "2.1", "the UBL `version` that the document is of")
	flags.StringVar(&folder, "schema-dir", "", "`folder` of the OASIS schemas")
	return cmd
}

func (c *cli) validateDocument(ctx context.Context, name, version, folder string) error {
	doc, err := c.readDocument(name)
	if err != nil {
		return err
	}
	faults, err := checkStructure(ctx, doc, version, folder)
	if err != nil {
		return &unreadable{fmt.Errorf("%s: %w", inputName(name), err)}
	}
	r := structureReport{Version: version, Valid: faults == nil}
	for _, f := range faults {
		r.Faults = append(r.Faults, structureFault{f.Line, f.Column, printable(f.Path), printable(f.Text)})
	}
	if err := c.print(r, func(w *columns) { structureLines(w, inputName(name), r) }); err != nil {
		return &unreadable{err}
	}
	if !r.Valid {
		return errNotValid
	}
	return nil
}

// checkStructure asks the schemas in folder or, if none is named, our own tables.
func checkStructure(ctx context.Context, doc []byte, version, folder string) ([]ubl.Fault, error) {
	if folder == "" {
		return ubl.CheckStructure(doc, version)
	}
	schemas, err := ubl.OpenSchemas(os.DirFS(folder))
	if err != nil {
		return nil, fmt.Errorf("--schema-dir %s: %w", folder, err)
	}
	return schemas.Check(ctx, doc, version)
}

func structureLines(w *columns, name string, r structureReport) {
	for _, f := range r.Faults {
		fmt.Fprintf(w, "%s:%d:%d: %s: %s\n", name, f.Line, f.Column, f.Path, f.Text)
	}
	switch n := len(r.Faults); {
	case n == ubl.MaxFaults:
		fmt.Fprintf(w, "not valid under UBL %s: these faults and perhaps more\n", r.Version)
	case n > 0:
		fmt.Fprintf(w, "not valid under UBL %s: %d %s\n", r.Version, n, plural(n, "fault"))
	default:
		fmt.Fprintf(w, "valid under UBL %s\n", r.Version)
	}
}

// plural is the word for n of them.
func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
