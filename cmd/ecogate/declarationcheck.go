package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/cusdec"
	"github.com/ecogate/ecogate/eco"
)

// checkedDeclarations is what "declaration check --json" tells.
type checkedDeclarations struct {
	File string `json:"file"`
	// Interchange is absent for a file in JSON.
	Interchange *cusdec.Interchange `json:"interchange,omitempty"`
	// Errors count faults and findings that are errors.
	Errors       int                  `json:"errors"`
	Declarations []checkedDeclaration `json:"declarations"`
}

// checkedDeclaration is one of the file.
type checkedDeclaration struct {
	// Message is the reference of its message in an interchange.
	Message     string                `json:"message,omitempty"`
	Function    string                `json:"function,omitempty"`
	Declaration clearance.Declaration `json:"declaration"`
	Faults      []cusdec.Fault        `json:"faults,omitempty"`
	Findings    []eco.Finding         `json:"findings,omitempty"`
	Skipped     []cusdec.Skipped      `json:"skipped,omitempty"`
	MoreSkipped int                   `json:"more_skipped,omitempty"`
}

func (c *cli) declarationCheck() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "check FILE [--contrl OUT]",
		Short: "Say what is wrong with a file of declarations, before it is lodged",
		Long: "Check a file that \"declaration submit\" takes, JSON or a UN/EDIFACT interchange with messages CUSDEC, for itself: its syntax, and what every\n" +
			"declaration has to say. No node is asked, so nothing is compared with certificates. - reads standard input. --contrl writes the answer that a\n" +
			"sender of the interchange would get as message CONTRL; - is standard output, in the place of the report.",
		Args: arguments("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			checked, report, err := c.checkDeclarations(args[0])
			if err != nil {
				return err
			}
			if out != "" && checked.Interchange == nil {
				return &usageError{text: "--contrl goes with an interchange"}
			}
			switch out {
			case "":
			case "-":
				if _, err := c.out.Write(report); err != nil {
					return err
				}
			default:
				if err := os.WriteFile(out, report, 0o644); err != nil {
					return err
				}
			}
			if out != "-" {
				if err := c.print(checked, checked.tell); err != nil {
					return err
				}
			}
			if checked.Errors > 0 {
				return &refused{fmt.Errorf("%s: %s", inputName(args[0]), count(checked.Errors, "error"))}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "contrl", "", "`file` to write the answer as CONTRL to")
	return cmd
}

// isInterchange reports whether a file begins like an EDIFACT interchange, whatever its name is.
func isInterchange(data []byte) bool {
	head := bytes.TrimLeft(data, " \t\r\n")
	return bytes.HasPrefix(head, []byte("UNA")) || bytes.HasPrefix(head, []byte("UNB"))
}

// checkDeclarations reads a file, and gives the answer in CONTRL if it is an interchange.
func (c *cli) checkDeclarations(file string) (checkedDeclarations, []byte, error) {
	checked := checkedDeclarations{File: file}
	data, err := c.readFile(file)
	if err != nil {
		return checked, nil, err
	}
	if !isInterchange(data) {
		var one checkedDeclaration
		if err := eco.DecodeInto(data, "declaration", &one.Declaration); err != nil {
			return checked, nil, &refused{fmt.Errorf("%s: %w", inputName(file), err)}
		}
		checked.add(one)
		return checked, nil, nil
	}
	interchange, messages, err := cusdec.Read(bytes.NewReader(data), cusdec.Limits{})
	if err != nil {
		return checked, nil, err
	}
	checked.Interchange = &interchange
	checked.Errors = len(interchange.Faults) + interchange.MoreFaults
	outcomes := make([]cusdec.Outcome, len(messages))
	for i, m := range messages {
		outcomes[i] = cusdec.Outcome{Message: m, Refused: checked.add(checkedDeclaration{
			Message: m.Reference, Function: m.Function, Declaration: m.Declaration, Faults: m.Faults, Skipped: m.Skipped, MoreSkipped: m.MoreSkipped,
		})}
	}
	return checked, cusdec.Report(interchange, outcomes, "CHECK", c.now()), nil
}

// add checks a declaration that could be read, and reports whether what it says refuses it.
func (c *checkedDeclarations) add(one checkedDeclaration) (isRefused bool) {
	c.Errors += len(one.Faults)
	if len(one.Faults) == 0 && one.Function != cusdec.FunctionCancel {
		one.Findings = one.Declaration.Validate()
		for _, f := range one.Findings {
			if f.Severity == eco.SeverityError {
				c.Errors++
			}
		}
	}
	c.Declarations = append(c.Declarations, one)
	return eco.HasErrors(one.Findings)
}

func (c checkedDeclarations) tell(w *columns) {
	if i := c.Interchange; i != nil {
		w.row(fmt.Sprintf("interchange %s from %s to %s, %s version %d: %s", i.Reference, i.Sender.ID, i.Recipient.ID, i.Syntax, i.SyntaxVersion, count(i.Messages, "message")))
		for _, f := range i.Faults {
			w.row("  error " + f.String())
		}
		if i.MoreFaults > 0 {
			w.row("  " + count(i.MoreFaults, "further error"))
		}
	}
	for _, one := range c.Declarations {
		one.tell(w)
	}
}

func (c checkedDeclaration) tell(w *columns) {
	cited := 0
	for _, l := range c.Declaration.Lines {
		cited += len(l.Citations)
	}
	w.row(fmt.Sprintf("declaration %s%s: %s, %s", cmp.Or(c.Declaration.Number, "without number"), prefixed(", message ", c.Message), count(len(c.Declaration.Lines), "line"), count(cited, "citation")))
	for _, f := range c.Faults {
		w.row("  error " + f.String())
	}
	for _, f := range c.Findings {
		w.row("  " + string(f.Severity) + " " + f.Code + " at " + f.Path + ": " + f.Text)
	}
	for _, s := range c.Skipped {
		w.row("  skipped segment " + strconv.Itoa(s.Segment) + ": " + s.Text)
	}
	if c.MoreSkipped > 0 {
		w.row("  " + count(c.MoreSkipped, "further segment") + " skipped")
	}
}
