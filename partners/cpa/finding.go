package cpa

import (
	"fmt"
	"strings"
)

// Severity says what becomes of what this node cannot do as a CPA has it.
type Severity string

// The severities.
const (
	// Refused: with it the CPA cannot be taken.
	Refused Severity = "refused"
	// Warned: the CPA can be taken, and the partner or the operator has to know this. It is told once of several places of a kind.
	Warned Severity = "warning"
)

// Finding is something in a CPA that is not simply done.
type Finding struct {
	Severity Severity `json:"severity"`
	// Path is where, by the names of CPPA 2.0: "/CollaborationProtocolAgreement/PartyInfo[2]/Transport/@transportId". Positions are those
	// among siblings of the name and left out where there is one. Line is the line of the element, from 1; 0 if it is not known.
	Path string `json:"path"`
	Line int    `json:"line,omitempty"`
	// Text says what, and what to do where it is not plain.
	Text string `json:"text"`
}

// String gives it on one line.
func (f Finding) String() string { return fmt.Sprintf("%s: %s: %s", f.Severity, f.Path, f.Text) }

// maxFindings bounds what is told about one CPA.
const maxFindings = 200

// findings collects them: each refusal once, and a warning once for a party and a kind of place, because what one action of twenty asks for
// the others ask for too.
type findings struct {
	list []Finding
	seen map[Finding]bool
}

// kindOfPlace is a path with no positions but that of the party.
func kindOfPlace(path string) string {
	steps := strings.Split(path, "/")
	for i, step := range steps {
		if at := strings.IndexByte(step, '['); at > 0 && !strings.HasPrefix(step, "PartyInfo[") {
			steps[i] = step[:at]
		}
	}
	return strings.Join(steps, "/")
}

func (f *findings) add(severity Severity, n *node, attribute, text string) {
	found := Finding{severity, n.path(), n.line, text}
	if attribute != "" {
		found.Path += "/@" + attribute
	}
	// A refusal counts even when warnings have filled the list.
	once := found
	if severity == Warned {
		once.Path, once.Line = kindOfPlace(found.Path), 0
	}
	full := len(f.list) >= maxFindings && (severity == Warned || len(f.list) >= 2*maxFindings)
	if full || f.seen[once] {
		return
	}
	if f.seen == nil {
		f.seen = map[Finding]bool{}
	}
	f.seen[once] = true
	f.list = append(f.list, found)
}

func (f *findings) refuse(n *node, attribute, format string, args ...any) {
	f.add(Refused, n, attribute, fmt.Sprintf(format, args...))
}

func (f *findings) warn(n *node, attribute, format string, args ...any) {
	f.add(Warned, n, attribute, fmt.Sprintf(format, args...))
}
