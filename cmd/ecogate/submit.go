package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/intake"
)

func (c *cli) coSubmit() *cobra.Command {
	s := &submission{cli: c}
	cmd := &cobra.Command{
		Use:   "submit FILE --to PARTNER [--from FORMAT] [--attach FILE]...",
		Short: "Hand issued certificates to the node for delivery",
		Long: "Hand issued certificates to the node, which signs them and delivers them to PARTNER. FILE is a certificate in JSON (- reads\n" +
			"standard input), or in the JSON of UN/CEFACT, or a spreadsheet (XLSX, CSV) with any number of certificates: its extension tells\n" +
			"(.json, .uncefact.json, .xlsx, .csv), or --from. \"co template\" writes a spreadsheet to fill. A spreadsheet with a fault is refused\n" +
			"as a whole, with every cell that is wrong; of one that can be read each certificate is submitted for itself.\n" +
			"Submitting the same certificate again, with the same attachments, is harmless: it is sent once.\n" +
			"Files given with --attach travel with it under their names; the media type follows from the extension.",
		Args: arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if s.partner == "" {
				return &usageError{text: "--to PARTNER is missing", command: cmd.CommandPath()}
			}
			return s.run(cmd.Context(), args[0])
		},
	}
	cmd.Flags().StringVar(&s.partner, "to", "", "`partner` to deliver to")
	cmd.Flags().Var(&s.from, "from", "`format` of FILE: json, uncefact, xlsx or csv")
	cmd.Flags().StringArrayVar(&s.attach, "attach", nil, "`file` to send with it, such as an invoice; may be given again")
	return cmd
}

// submission is one run of "co submit".
type submission struct {
	*cli
	partner string
	from    fileFormat
	attach  []string
	with    attachments
}

func (s *submission) run(ctx context.Context, file string) error {
	format := intake.Format(s.from)
	if format == "" {
		var ok bool
		if format, ok = intake.FormatOf(file); !ok {
			format = intake.FormatJSON // as its extension does not say otherwise
		}
	}
	data, err := s.readFile(file)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	s.with, err = openAttachments(s.attach)
	defer s.with.close()
	if err != nil {
		return err
	}
	if format == intake.FormatJSON {
		return s.submitJSON(ctx, file, data)
	}
	imports, err := intake.Read(format, data)
	if err != nil {
		text := strings.ReplaceAll(err.Error(), "\n", "\n  ")
		return &refused{&hinted{fmt.Errorf("%s: nothing was submitted\n  %s", inputName(file), text), "mend the file and submit it again"}}
	}
	if len(s.attach) > 0 && len(imports) > 1 {
		return &usageError{text: fmt.Sprintf("--attach goes with one certificate; %s holds %d", inputName(file), len(imports))}
	}
	return s.submitAll(ctx, file, imports)
}

// send hands one certificate to the node.
func (s *submission) send(ctx context.Context, client *api.Client, certificate json.RawMessage) (api.Submission, error) {
	ctx, cancel := context.WithTimeout(ctx, transferTime(s.with.size()))
	defer cancel()
	return client.Submit(ctx, s.partner, certificate, s.with.list...)
}

// submitJSON leaves reading to the node, whose version of the form counts.
func (s *submission) submitJSON(ctx context.Context, file string, data []byte) error {
	var certificate json.RawMessage
	if err := json.Unmarshal(data, &certificate); err != nil {
		return &refused{fmt.Errorf("%s%s: not JSON: %w", inputName(file), lineOf(data, err), err)}
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	taken, err := s.send(ctx, client, certificate)
	if err != nil {
		return fmt.Errorf("%s: %w", inputName(file), err)
	}
	return s.print(taken, func(w *columns) {
		w.row("certificate", taken.Reference+" "+s.outcome(taken))
		w.row("message", taken.MessageID)
		w.row("number", strconv.FormatUint(taken.Seq, 10))
		findings(w, taken.Findings)
	})
}

func (s *submission) outcome(taken api.Submission) string {
	if taken.Fresh {
		return "queued for " + s.partner
	}
	return "was submitted before; its message is " + string(taken.State)
}

// submitAll submits every certificate of a file and tells of each. What the node refuses does not hold up the others; that it
// cannot be asked does, and the file may be submitted again then.
func (s *submission) submitAll(ctx context.Context, file string, imports []intake.Import) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	answer := api.TakenFile{Certificates: []api.Taken{}}
	refusals := 0
	var failure error
	for _, i := range imports {
		taken := api.Taken{Reference: i.Certificate.Reference, Place: i.Place(""), Unplaced: i.Unplaced, Remarks: i.Findings}
		data, err := json.Marshal(i.Certificate)
		if err != nil {
			return fmt.Errorf("%s: certificate %s: %w", inputName(file), i.Certificate.Reference, err)
		}
		one, err := s.send(ctx, client, data)
		var p *api.Problem
		switch {
		case err == nil:
			one.Findings = api.InFile(i, one.Findings)
			taken.Submission = &one
		case errors.As(err, &p) && problemExitCode(p) == exitRefused:
			told := *p
			told.Errors = api.InFile(i, p.Errors)
			taken.Problem = &told
			refusals++
		default:
			failure = fmt.Errorf("%s: certificate %s: %w", inputName(file), i.Certificate.Reference, err)
		}
		if failure != nil {
			break
		}
		answer.Certificates = append(answer.Certificates, taken)
	}
	if err := s.print(answer, func(w *columns) { s.tell(w, answer) }); err != nil {
		return err
	}
	if failure != nil {
		return failure
	}
	if refusals > 0 {
		return &refused{&hinted{
			fmt.Errorf("%s: %d of %d certificates were refused", inputName(file), refusals, len(imports)),
			"mend them and submit the file again; those that were taken are not sent twice",
		}}
	}
	return nil
}

func (s *submission) tell(w *columns, answer api.TakenFile) {
	for _, taken := range answer.Certificates {
		where := taken.Reference
		if taken.Place != "" {
			where += " (" + taken.Place + ")"
		}
		switch {
		case taken.Submission != nil:
			w.row("certificate", where+" "+s.outcome(*taken.Submission))
			w.row("message", taken.Submission.MessageID)
			findings(w, taken.Submission.Findings)
		case taken.Problem != nil:
			alone := *taken.Problem
			alone.Errors = nil
			w.row("certificate", where+" refused: "+alone.Error())
			findings(w, taken.Problem.Errors)
		}
		findings(w, taken.Remarks)
		for _, f := range taken.Unplaced {
			why := f.Why
			if why != "" {
				why = " (" + why + ")"
			}
			w.row("left out", f.Path+": "+f.Value+why)
		}
	}
}

func (c *cli) coTemplate() *cobra.Command {
	var code form
	var format fileFormat
	var out string
	cmd := &cobra.Command{
		Use:   "template [--form CODE] [--format xlsx|csv] --out FILE",
		Short: "Write a spreadsheet to fill with certificates",
		Long: "Write a spreadsheet with the columns that a form uses, or with all of them, to FILE (- for standard output). It has a note on each\n" +
			"column, an example row that does not count, and in a workbook drop-downs. \"co submit\" takes it when it is filled.\n" +
			"The format follows from FILE's extension unless --format gives it.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return &usageError{text: "--out FILE is missing", command: cmd.CommandPath()}
			}
			how := intake.Format(format)
			if how == "" {
				how, _ = intake.FormatOf(out)
			}
			if how != intake.FormatXLSX && how != intake.FormatCSV {
				return &usageError{text: "a template is xlsx or csv; --format says which", command: cmd.CommandPath()}
			}
			data, err := intake.Template(eco.FormCode(code), how)
			if err != nil {
				return err
			}
			return c.writeFile(out, data)
		},
	}
	cmd.Flags().Var(&code, "form", "`form` code, such as ATIGA-D")
	cmd.Flags().Var(&format, "format", "`format`: xlsx or csv")
	cmd.Flags().StringVar(&out, "out", "", "`file` to write")
	return cmd
}

// fileFormat is a flag that takes a format of package intake.
type fileFormat intake.Format

func (f *fileFormat) String() string { return string(*f) }
func (f *fileFormat) Type() string   { return "format" }

// Set takes one of the formats.
func (f *fileFormat) Set(s string) error {
	for _, known := range intake.Formats() {
		if string(known) == strings.ToLower(s) {
			*f = fileFormat(known)
			return nil
		}
	}
	return fmt.Errorf("want one of %q", intake.Formats())
}

// lineOf tells where a JSON syntax error is.
func lineOf(data []byte, err error) string {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) || syntax.Offset > int64(len(data)) {
		return ""
	}
	return fmt.Sprintf(":%d", 1+bytes.Count(data[:syntax.Offset], []byte("\n")))
}
