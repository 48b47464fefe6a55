package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/paper"
	"github.com/ecogate/ecogate/ubl"
)

// pdfFlags are what "co pdf" is told.
type pdfFlags struct {
	query     api.LookupQuery
	seq       uint64
	out       string
	file      string
	fonts     []string
	verifyURL string
	overlays  []string
	forms     formSource
}

// printed is what "co pdf --json" tells.
type printed struct {
	File     string        `json:"file"`
	Findings []eco.Finding `json:"findings,omitempty"`
}

func (c *cli) coPDF() *cobra.Command {
	var f pdfFlags
	cmd := &cobra.Command{
		Use:   "pdf {REFERENCE | --file CERTIFICATE} --out FILE",
		Short: "Print a certificate on its form as PDF",
		Long: "Print the certificate with this reference, in any spelling, as PDF in the frame of its form. The node decides what it bears\n" +
			"across the page: a broker's is a copy. Its QR code has the reference and the SHA-256 of the signed document.\n\n" +
			"With --file the certificate comes from a file, without node: its JSON form, or a UBL document, whose signature is not verified\n" +
			"(see \"ecogate xml verify\") and whose SHA-256 is in the QR code. Fields with characters that no font has are warnings.\n" + formSourceHelp,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd, args); err != nil {
				return err
			}
			return c.pdf(cmd.Context(), f)
		},
	}
	lookupFlags(cmd, &f.query)
	f.forms.flags(cmd)
	flags := cmd.Flags()
	flags.Uint64Var(&f.seq, "seq", 0, "record `number`, when several certificates bear the reference")
	flags.StringVar(&f.out, "out", "", "`file` for the PDF; - for standard output")
	flags.StringVar(&f.file, "file", "", "certificate in a `file`, .json or .xml, in place of the node's; - for standard input")
	flags.StringArrayVar(&f.fonts, "font", nil, "with --file: TrueType `file` for other than western European characters; may be given again")
	flags.StringVar(&f.verifyURL, "verify-url", "", "with --file: `address` for the QR code, as paper.verify_url")
	flags.StringArrayVar(&f.overlays, "overlay", nil, "with --file: `words` across the page: "+strings.Join(overlayNames(), ", ")+"; may be given again")
	return cmd
}

// overlayWords are the overlays that a person may ask for.
var overlayWords = []struct {
	name    string
	overlay paper.Overlay
}{
	{"copy", paper.OverlayCopy}, {"test", paper.OverlayTest}, {"cancelled", paper.OverlayCancelled}, {"replaced", paper.OverlayReplaced},
}

func overlayNames() []string {
	var names []string
	for _, o := range overlayWords {
		names = append(names, o.name)
	}
	return names
}

// check refuses flags that do not go together.
func (f *pdfFlags) check(cmd *cobra.Command, args []string) error {
	wrong := func(text string) error { return &usageError{text: text, command: cmd.CommandPath()} }
	switch {
	case f.out == "":
		return wrong("--out FILE is missing")
	case len(args) == 0 && f.file == "":
		return wrong("REFERENCE or --file CERTIFICATE is missing")
	case len(args) > 0 && f.file != "":
		return wrong("REFERENCE and --file exclude each other")
	}
	if len(args) > 0 {
		f.query.Reference = args[0]
	}
	online := []string{"direction", "country", "form", "seq"}
	offline := []string{"font", "verify-url", "overlay", "config", "forms-dir"}
	for _, name := range online {
		if f.file != "" && cmd.Flags().Changed(name) {
			return wrong("--" + name + " chooses among a node's certificates, not with --file")
		}
	}
	for _, name := range offline {
		if f.file == "" && cmd.Flags().Changed(name) {
			return wrong("--" + name + " is for --file; a node has its own")
		}
	}
	return nil
}

func (c *cli) pdf(ctx context.Context, f pdfFlags) error {
	var met []eco.Finding
	err := c.download(f.out, func(w io.Writer) (err error) {
		if f.file != "" {
			met, err = c.filePDF(f, w)
		} else {
			met, err = c.nodePDF(ctx, f, w)
		}
		return err
	})
	if err != nil {
		return err
	}
	if f.out != "-" {
		return c.print(printed{File: f.out, Findings: met}, func(w *columns) {
			w.row("printed", f.out)
			findings(w, met)
		})
	}
	for _, m := range met { // standard output is the PDF's
		fmt.Fprintf(c.errOut, "%s: %s %s: %s\n", m.Severity, m.Code, m.Path, m.Text)
	}
	return nil
}

// nodePDF has the node print.
func (c *cli) nodePDF(ctx context.Context, f pdfFlags, w io.Writer) ([]eco.Finding, error) {
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	findings, err := client.PDF(ctx, f.query, f.seq, w)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.query.Reference, err)
	}
	return findings, nil
}

// filePDF prints a certificate from a file.
func (c *cli) filePDF(f pdfFlags, w io.Writer) ([]eco.Finding, error) {
	options, err := paperOptions(f.fonts, f.verifyURL)
	if err != nil {
		return nil, err
	}
	if options.Forms, err = f.forms.forms(); err != nil {
		return nil, err
	}
	for _, name := range f.overlays {
		overlay, err := overlayNamed(name)
		if err != nil {
			return nil, err
		}
		options.Overlays = append(options.Overlays, overlay)
	}
	data, err := c.readFile(f.file)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	certificate, findings, err := certificateIn(data, options.Forms)
	if err != nil {
		return nil, &refused{fmt.Errorf("%s: %w", inputName(f.file), err)}
	}
	if isXML(data) {
		sum := sha256.Sum256(data)
		options.Digest = hex.EncodeToString(sum[:])
	}
	unprinted, err := paper.Render(w, certificate, options)
	if errors.Is(err, paper.ErrTooLong) {
		err = &refused{fmt.Errorf("%s: %w", inputName(f.file), err)}
	}
	return append(findings, unprinted...), err
}

func overlayNamed(name string) (paper.Overlay, error) {
	for _, o := range overlayWords {
		if strings.EqualFold(o.name, name) {
			return o.overlay, nil
		}
	}
	return "", &usageError{text: fmt.Sprintf("--overlay %q is none of %s", name, strings.Join(overlayNames(), ", "))}
}

// certificateIn reads a certificate in its JSON form or as a UBL document, with what was met on the way.
func certificateIn(data []byte, forms eco.Forms) (eco.Certificate, []eco.Finding, error) {
	if isXML(data) {
		return ubl.Unmarshal(data, forms)
	}
	certificate, err := eco.Decode(data)
	return certificate, nil, err
}

// isXML reports whether data begins like an XML document rather than a JSON object.
func isXML(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))), []byte("<"))
}

// paperOptions loads what renditions have in common.
func paperOptions(files []string, verifyURL string) (paper.Options, error) {
	options := paper.Options{VerifyURL: verifyURL}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return paper.Options{}, fmt.Errorf("font: %w", err)
		}
		font, err := paper.LoadFont(file, data)
		if err != nil {
			return paper.Options{}, err
		}
		options.Fonts = append(options.Fonts, font)
	}
	return options, nil
}
