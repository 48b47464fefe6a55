package exchange

import (
	"context"
	"fmt"
	"slices"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/ubl"
)

// maxStructureFindings bounds what is recorded of the structure of one document.
const maxStructureFindings = 20

// checkReceived compares the document of a received certificate with the schemas or, without them, with our own tables. What
// can be read and is not built as agreed is recorded, or refused if the agreement says so (T03).
func (n *Node) checkReceived(ctx context.Context, a partners.Agreement, document []byte, reading *ubl.Reading) ([]eco.Finding, error) {
	faults, err := n.validate(ctx, document, a.UBLVersion, func() ([]ubl.Fault, error) {
		// What was read is what the signature covers, in canonical form; only the document itself has the places as sent.
		if faults, err := reading.CheckStructure(a.UBLVersion); err != nil || len(faults) == 0 {
			return nil, err
		}
		return ubl.CheckStructure(document, a.UBLVersion)
	})
	if err != nil {
		return nil, &storeError{fmt.Errorf("structure of a document: %w", err)} // not the sender's fault
	}
	severity := eco.SeverityWarning
	if a.Structure == partners.StructureRefuse {
		severity = eco.SeverityError
	}
	var findings []eco.Finding
	for _, f := range faults[:min(len(faults), maxStructureFindings)] {
		findings = append(findings, eco.Finding{
			Code: ubl.CodeStructure, Severity: severity, Path: f.Path,
			Text: fmt.Sprintf("line %d, column %d: %s (UBL %s)", f.Line, f.Column, f.Text, a.UBLVersion),
			Fix:  "the sender should validate its documents against the schemas",
		})
	}
	return findings, nil
}

// checkSent validates a document of ours before it is signed. Package ubl has compared it with its own tables.
func (n *Node) checkSent(ctx context.Context, document []byte, version ubl.Version) error {
	faults, err := n.validate(ctx, document, string(version), func() ([]ubl.Fault, error) { return nil, nil })
	if err != nil {
		return err
	}
	if len(faults) > 0 {
		return fmt.Errorf("not valid under UBL %s: %v", version, faults[0])
	}
	return nil
}

// validate asks the schemas, or otherwise if they are not there for that version.
func (n *Node) validate(ctx context.Context, document []byte, version string, otherwise func() ([]ubl.Fault, error)) ([]ubl.Fault, error) {
	if n.schemas == nil || !slices.Contains(n.schemas.Versions(), version) {
		return otherwise()
	}
	return n.schemas.Check(ctx, document, version)
}
