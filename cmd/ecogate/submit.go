package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/intake"
)

func (c *cli) coSubmit() *cobra.Command {
	s := &submission{cli: c}
	cmd := &cobra.Command{
		Use:   "submit FILE --to PARTNER [--from FORMAT] [--attach FILE]... [--backfill REASON]",
		Short: "Hand issued certificates to the node for delivery",
		Long: "Hand issued certificates to the node, which signs them and delivers them to PARTNER. FILE is a certificate in JSON (- reads\n" +
			"standard input), or in the JSON of UN/CEFACT, or a spreadsheet (XLSX, CSV) with any number of certificates: its extension tells\n" +
			"(.json, .uncefact.json, .xlsx, .csv), or --from. \"co template\" writes a spreadsheet to fill. A spreadsheet with a fault is refused\n" +
			"as a whole, with every cell that is wrong; of one that can be read each certificate is submitted for itself.\n" +
			"Submitting the same certificate again, with the same attachments, is harmless: it is sent once.\n" +
			"Files given with --attach travel with a certificate in JSON under their names; the media type follows from the extension.\n" +
			"With --backfill it is marked as one that was issued on paper while the system was down: the importing side matches it with\n" +
			"declarations that were cleared on guarantee under the paper's number.",
		Args: arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if s.partner == "" {
				return &usageError{text: "--to PARTNER is missing", command: cmd.CommandPath()}
			}
			if s.paper.Number != "" && s.paper.Reason == "" {
				return &usageError{text: "--paper-number goes with --backfill", command: cmd.CommandPath()}
			}
			return s.run(cmd.Context(), args[0])
		},
	}
	cmd.Flags().StringVar(&s.partner, "to", "", "`partner` to deliver to")
	cmd.Flags().Var(&s.from, "from", "`format` of FILE: json, uncefact, xlsx or csv")
	cmd.Flags().StringArrayVar(&s.attach, "attach", nil, "`file` to send with it, such as an invoice; may be given again")
	cmd.Flags().StringVar(&s.paper.Reason, "backfill", "", "`reason` why it was issued on paper, of one that is handed in after an outage")
	cmd.Flags().StringVar(&s.paper.Number, "paper-number", "", "with --backfill, the `number` of the paper if it is not the certificate's")
	return cmd
}

// submission is one run of "co submit".
type submission struct {
	*cli
	partner string
	from    fileFormat
	attach  []string
	paper   eco.PaperIssue
}

// marking is the client whose submissions bear the mark of an outage if there was one.
func (s *submission) marking(client *api.Client) *api.Client {
	if s.paper.Reason == "" {
		return client
	}
	return client.Backfill(s.paper)
}

// run leaves reading to the node in any case: its forms count, and its version of the JSON form.
func (s *submission) run(ctx context.Context, file string) error {
	format := s.from.of(file)
	if format != intake.FormatJSON && len(s.attach) > 0 {
		return &usageError{text: fmt.Sprintf("--attach goes with a certificate in json, not with a file in %s", format)}
	}
	data, err := s.readFile(file)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	if format == intake.FormatJSON {
		return s.submitOne(ctx, file, data)
	}
	return s.submitFile(ctx, file, format, data)
}

func (s *submission) submitOne(ctx context.Context, file string, data []byte) error {
	var certificate json.RawMessage
	if err := json.Unmarshal(data, &certificate); err != nil {
		return &refused{fmt.Errorf("%s%s: not JSON: %w", inputName(file), lineOf(data, err), err)}
	}
	attachments, err := openAttachments(s.attach)
	defer attachments.close()
	if err != nil {
		return err
	}
	ctx, cancel, client, err := s.connect(ctx, transferTime(attachments.size()))
	if err != nil {
		return err
	}
	defer cancel()
	taken, err := s.marking(client).Submit(ctx, s.partner, certificate, attachments.list...)
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

// fileTime bounds the wait for what became of a file, which may hold many certificates. The node has bounds of its own.
const fileTime = time.Hour

// submitFile submits a file with any number of certificates and tells of each.
func (s *submission) submitFile(ctx context.Context, file string, format intake.Format, data []byte) error {
	ctx, cancel, client, err := s.connect(ctx, fileTime)
	if err != nil {
		return err
	}
	defer cancel()
	answer, err := s.marking(client).SubmitFile(ctx, s.partner, format, data)
	if err != nil {
		return fmt.Errorf("%s: %w", inputName(file), err)
	}
	refusals := 0
	for _, taken := range answer.Certificates {
		if taken.Problem != nil {
			refusals++
		}
	}
	if err := s.print(answer, func(w *columns) { s.tell(w, answer) }); err != nil {
		return err
	}
	if refusals > 0 {
		return &refused{&hinted{
			fmt.Errorf("%s: %d of %d certificates were refused", inputName(file), refusals, len(answer.Certificates)),
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
		leftOut(w, taken.Unplaced)
	}
}

// leftOut tells what a file says and a certificate has no place for.
func leftOut(w *columns, fields []intake.Field) {
	for _, f := range fields {
		why := f.Why
		if why != "" {
			why = " (" + why + ")"
		}
		w.row("left out", f.Path+": "+f.Value+why)
	}
}

func (c *cli) coTemplate() *cobra.Command {
	var code form
	var format fileFormat
	var source formSource
	var out string
	cmd := &cobra.Command{
		Use:   "template [--form CODE] [--format xlsx|csv] --out FILE",
		Short: "Write a spreadsheet to fill with certificates",
		Long: "Write a spreadsheet with the columns that a form uses, or with all of them, to FILE (- for standard output). It has a note on each\n" +
			"column, an example row that does not count, and in a workbook drop-downs. \"co submit\" takes it when it is filled.\n" +
			"The format follows from FILE's extension unless --format gives it.\n" + formSourceHelp,
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
			forms, err := source.forms()
			if err != nil {
				return err
			}
			if _, ok := forms.ByCode(eco.FormCode(code)); code != "" && !ok {
				return &usageError{text: fmt.Sprintf("there is no form %q; want one of %s", code, forms.Codes())}
			}
			data, err := intake.Template(eco.FormCode(code), how, forms)
			if err != nil {
				return err
			}
			return c.writeFile(out, data)
		},
	}
	source.flags(cmd)
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

// of is the format of a file: as stated, or as its extension tells, or JSON.
func (f fileFormat) of(file string) intake.Format {
	if f != "" {
		return intake.Format(f)
	}
	if format, ok := intake.FormatOf(file); ok {
		return format
	}
	return intake.FormatJSON
}

// lineOf tells where a JSON syntax error is.
func lineOf(data []byte, err error) string {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) || syntax.Offset > int64(len(data)) {
		return ""
	}
	return fmt.Sprintf(":%d", 1+bytes.Count(data[:syntax.Offset], []byte("\n")))
}
