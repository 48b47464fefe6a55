package main

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/signing"
	"github.com/ecogate/ecogate/ubl"
)

const xmlFileHelp = `FILE is an XML document (- reads standard input) in UTF-8, without document type declaration, of at most 32 MiB.`

// xmlRefusedHelp ends the help of the commands that have a result or none.
const xmlRefusedHelp = `Exit codes of this command:
  0  done
  1  refused; standard error says FILE:line:column: rule: what was expected and what was found
  2  unreadable, or the command line is wrong`

const c14nHelp = `Write the canonical form of a document to standard output, and nothing else: Canonical XML 1.0 without comments or, with
--exclusive, Exclusive XML Canonicalization 1.0 without comments. Those are the octets that a signature digests.

` + xmlFileHelp + `

With --id it is the form of one element in its place: the one that has this value in an attribute Id, ID, id, xml:id or
wsu:Id. Exactly one element must have it.

` + xmlRefusedHelp

const xmlVerifyHelp = `Verify the enveloped signature of a document offline, wherever its only ds:Signature stands: that it covers the whole document
and nothing was changed. The code is the one with which a node judges certificates of origin.

` + xmlFileHelp + `

With --credential the signer must be one of the X.509 certificates in those files. Without it the signature is checked under
the X.509 certificate inside the document, which proves that nothing was changed and not who signed it. Neither looks at
revocation or at validity. The times of a XAdES signature are shown. With --timestamp-anchor its time-stamp must be by an
authority of those files, as a node asks; without, whoever made it is taken.

Exit codes of this command:
  0  valid
  1  not valid; the last line says why
  2  unreadable, or the command line is wrong`

const xmlSignHelp = `Put an enveloped signature into a document. All other bytes stay as they are.

` + xmlFileHelp + `

The signature becomes the last child of the element at the path --at, such as /inv:Invoice/ext:UBLExtensions: each step is a
name as the document writes it, or a local name, which stands for any prefix. Without --at it becomes the last child of the
root element, or in a UBL document of the SignatureInformation in its signature extension.

The key is one of those that a node takes: PEM (PKCS #8, encrypted or not, PKCS #1, SEC 1) with --chain, PKCS #12, or with
--pkcs11-module one in a token, in a program that was built with -tags pkcs11. --algorithm is for RSA-PSS and other hashes than
the key's usual one.

` + xmlRefusedHelp

func (c *cli) xmlCommand() *cobra.Command {
	return group("xml", "Canonicalize, verify, validate and sign XML documents, offline", c.xmlC14N(), c.xmlVerify(), c.xmlValidate(), c.xmlSign())
}

func (c *cli) xmlC14N() *cobra.Command {
	var o signing.CanonicalOptions
	var prefixes string
	cmd := &cobra.Command{
		Use:   "c14n FILE",
		Short: "Write the canonical form of a document",
		Long:  c14nHelp,
		Args:  arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			flags := cmd.Flags()
			switch {
			case flags.Changed("prefix-list") && !o.Exclusive:
				return &usageError{text: "--prefix-list is for --exclusive: the other form has no such list", command: cmd.CommandPath()}
			case flags.Changed("id") && o.ID == "":
				return &usageError{text: "--id is empty", command: cmd.CommandPath()}
			}
			o.Prefixes = strings.Fields(prefixes)
			return c.canonicalize(args[0], o)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.Exclusive, "exclusive", false, "Exclusive XML Canonicalization 1.0")
	flags.StringVar(&prefixes, "prefix-list", "", "`prefixes` that the exclusive form treats like the other one, with spaces between; #default is the default namespace")
	flags.StringVar(&o.ID, "id", "", "only the element with this `identifier`")
	return cmd
}

func (c *cli) canonicalize(name string, o signing.CanonicalOptions) error {
	doc, err := c.readDocument(name)
	if err != nil {
		return err
	}
	octets, err := signing.CanonicalizeWith(doc, o)
	if err != nil {
		return c.refuseDocument(name, err)
	}
	if _, err := c.out.Write(octets); err != nil {
		return &unreadable{fmt.Errorf("writing result: %w", err)}
	}
	return nil
}

func (c *cli) xmlSign() *cobra.Command {
	var key keyFlags
	var at, out string
	var xades bool
	cmd := &cobra.Command{
		Use:   "sign FILE --key FILE [--chain FILE]",
		Short: "Put an enveloped signature into a document",
		Long:  xmlSignHelp,
		Args:  arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if at != "" && !strings.HasPrefix(at, "/") {
				return &usageError{text: fmt.Sprintf("--at %q does not begin with \"/\"", at), command: cmd.CommandPath()}
			}
			key, err := key.read(cmd)
			if err != nil {
				return err
			}
			doc, err := c.readDocument(args[0])
			if err != nil {
				return err
			}
			signed, err := c.signDocument(cmd.Context(), doc, at, key, xades)
			if err != nil {
				return c.refuseDocument(args[0], err)
			}
			if err := c.writeFile(out, signed); err != nil {
				return &unreadable{err}
			}
			return nil
		},
	}
	key.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&at, "at", "", "`path` of the element that takes the signature")
	flags.BoolVar(&xades, "xades", false, "sign under XAdES-BES: with the instant and the credential under the signature")
	flags.StringVar(&out, "out", "-", "write the signed document to `file`")
	return cmd
}

// signDocument signs at a written path, or at the place that documents of this kind have. The error is an [*signing.Error].
func (c *cli) signDocument(ctx context.Context, doc []byte, at string, key signing.Key, xades bool) ([]byte, error) {
	place, err := signing.Place(doc, at)
	if err != nil {
		return nil, err
	}
	if at == "" && strings.HasPrefix(place[0].Space, ublSpace) {
		place = append([]xml.Name{place[0]}, ubl.SignaturePath()[1:]...)
	}
	if xades {
		return signing.SignXAdES(ctx, doc, place, key, signing.XAdES{SigningTime: c.now()})
	}
	return signing.SignDocument(doc, place, key)
}

// ublSpace begins the namespaces of all UBL documents.
const ublSpace = "urn:oasis:names:specification:ubl:schema:xsd:"

// maxDocument is one byte more than signing reads, so that a document that is too long is refused by it.
const maxDocument = 32<<20 + 1

// readDocument reads an argument's file, or standard input for "-".
func (c *cli) readDocument(name string) ([]byte, error) {
	in := c.in
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, &unreadable{err}
		}
		defer file.Close()
		in = file
	}
	doc, err := io.ReadAll(io.LimitReader(in, maxDocument))
	if err != nil {
		return nil, &unreadable{err}
	}
	return doc, nil
}

// refuseDocument tells what is wrong with a document in the form that editors jump to, and ends the command with its exit
// code.
func (c *cli) refuseDocument(name string, err error) error {
	text := printable(documentProblem(inputName(name), err))
	if c.json {
		_ = encoder(c.errOut).Encode(complaint{Error: text, ExitCode: exitNotValid}) // as in complain
		return errNotValid
	}
	fmt.Fprintln(c.errOut, text)
	return errNotValid
}

// documentProblem writes "FILE:line:column: rule: what is wrong".
func documentProblem(name string, err error) string {
	wrong := (*signing.Error)(nil)
	if !errors.As(err, &wrong) {
		return name + ": " + err.Error()
	}
	place := name
	if wrong.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", name, wrong.Line, wrong.Column)
	}
	text := place + ": " + cmp.Or(wrong.Rule, wrong.Kind.Error()) + ": " + wrong.Reason
	if wrong.Cause != nil {
		text += ": " + wrong.Cause.Error()
	}
	return text
}
