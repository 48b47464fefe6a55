package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/signing"
)

const verifyHelp = `Verify a message offline: its form, that its signature covers the envelope and every part, and that nothing was changed.
No node and no configuration are needed; the code is the one with which a node judges what it receives.

` + messageFileHelp + `

With --credential the signer must be one of the X.509 certificates in those files. Without it the signature is checked under
the X.509 certificate inside the message, which proves that nothing was changed and not who sent it. Neither looks at revocation,
nor at what was agreed; validity at the message's Timestamp is a remark.

Exit codes of this command:
  0  valid
  1  not valid; the last line says why
  2  unreadable, or the command line is wrong`

const inspectHelp = `Show what a message says and how it is signed, offline. Nothing is judged: see "ecogate msg verify".

` + messageFileHelp + `

Exit codes of this command:
  0  the message could be read, whatever it says
  2  unreadable, or the command line is wrong`

// errNotValid ends an offline command with its exit code, after everything was told.
var errNotValid = errors.New("not valid")

func (c *cli) msgVerify() *cobra.Command {
	var parts []string
	var flags judgeFlags
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Verify a message in a file, offline",
		Long:  verifyHelp,
		Args:  arguments("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			given, policy, err := flags.read()
			if err != nil {
				return &unreadable{err}
			}
			return c.examineFile(args[0], parts, policy, func(x *examination) (*verdict, error) {
				v, err := x.judge(given)
				return &v, err
			})
		},
	}
	flags.addXML(cmd)
	partFlag(cmd, &parts)
	return cmd
}

func (c *cli) msgInspect() *cobra.Command {
	var parts []string
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Show what a message in a file says, offline",
		Long:  inspectHelp,
		Args:  arguments("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			// SHA-1 may be looked at: nothing is believed here.
			policy := sha1Policy()
			return c.examineFile(args[0], parts, policy, func(*examination) (*verdict, error) { return nil, nil })
		},
	}
	partFlag(cmd, &parts)
	return cmd
}

func partFlag(cmd *cobra.Command, parts *[]string) {
	cmd.Flags().StringArrayVar(parts, "part", nil, "`cid:ID=FILE`: a part of an envelope that is alone; may be repeated")
}

// judgeFlags are what an offline command judges a signature by.
type judgeFlags struct {
	files                    []string // with credentials
	allowSHA1, allowECDSADER bool
	authorities              []string // files with credentials of time-stamp authorities
}

func (f *judgeFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.files, "credential", nil, "`PEM` file with X.509 certificates that may have signed; may be repeated")
	flags.BoolVar(&f.allowSHA1, "allow-sha1", false, "accept SHA-1 in digests and signatures")
}

// addXML adds what only XML signatures have: in CMS every ECDSA signature is in DER.
func (f *judgeFlags) addXML(cmd *cobra.Command) {
	f.add(cmd)
	cmd.Flags().BoolVar(&f.allowECDSADER, "allow-ecdsa-der", false, "accept ECDSA signatures in ASN.1 DER, which XML Signature does not know")
}

// addTimeStamp adds whose time-stamps count, for documents.
func (f *judgeFlags) addTimeStamp(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.authorities, "timestamp-anchor", nil,
		"`PEM` file with credentials of time-stamp authorities, or of the CAs above them, whose time-stamps count; may be repeated")
}

// read gives the credentials that may have signed, and what is accepted in a signature.
func (f *judgeFlags) read() ([]candidate, signing.Policy, error) {
	var policy signing.Policy
	if f.allowSHA1 {
		policy = sha1Policy()
	}
	if f.allowECDSADER {
		policy.Exceptions = append(policy.Exceptions, signing.Exception{Name: signing.ExceptionECDSADER})
	}
	given, err := readCandidates("credential", f.files)
	if err != nil {
		return nil, policy, err
	}
	authorities, err := readCandidates("timestamp-anchor", f.authorities)
	policy.TimeStampAnchors = credentialsOf(authorities)
	return given, policy, err
}

// readCandidates reads the credentials that a flag of the command line names.
func readCandidates(flag string, files []string) ([]candidate, error) {
	var out []candidate
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		credentials, err := signing.ReadCredentials(data)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", flag, name, err)
		}
		for _, x509Cert := range credentials {
			out = append(out, candidate{x509Cert, "--" + flag + " " + name})
		}
	}
	return out, nil
}

// examineFile reads a message from a file, has it judged and prints the report. Every error but errNotValid means that the
// message, or something that it needs, is unreadable.
func (c *cli) examineFile(name string, partFiles []string, policy signing.Policy, judge func(*examination) (*verdict, error)) error {
	r, err := c.reportFile(name, partFiles, policy, judge)
	if err != nil {
		return &unreadable{err}
	}
	if err := c.print(r, func(w *columns) { reportFields(w, r) }); err != nil {
		return &unreadable{err}
	}
	if r.Verdict != nil && !r.Verdict.Valid {
		return errNotValid
	}
	return nil
}

func (c *cli) reportFile(name string, partFiles []string, policy signing.Policy, judge func(*examination) (*verdict, error)) (*messageReport, error) {
	parts, closeParts, err := c.openParts(partFiles)
	if err != nil {
		return nil, err
	}
	defer closeParts()
	file, err := c.openInput(name)
	if err != nil {
		return nil, err
	}
	defer file.close()
	pkg, err := readMessage(file, parts)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", inputName(name), err)
	}
	x, err := examine(pkg, policy)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", inputName(name), err)
	}
	v, err := judge(x)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", inputName(name), err)
	}
	r, err := x.report()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", inputName(name), err)
	}
	r.Verdict = v
	return r, nil
}

// reportRows writes a report's lines; all that a message says passes through shown.
type reportRows struct{ *columns }

func (w reportRows) field(name, value string) { w.columns.field(name, shown(value)) }

// reportFields writes a report for a person. The verdict is the last line.
func reportFields(c *columns, r *messageReport) {
	w := reportRows{c}
	kind := r.Kind
	if kind == kindBusiness {
		kind = "business message"
	}
	w.field("kind", kind)
	w.field("problem", r.Problem)
	if r.Fault != nil {
		w.field("fault", r.Fault.Code+": "+r.Fault.Text)
	}
	if r.Service != nil {
		headerFields(w, r)
	}
	for _, e := range r.Errors {
		w.field("error", join(": ", join(" at ", e.Severity+" "+e.Code, e.Location), e.Description))
	}
	if r.Acknowledgment != nil {
		acknowledgmentFields(w, r.Acknowledgment)
	}
	w.field("asks about", r.AsksAbout)
	if said := r.Status; said != nil {
		w.field("status of", said.MessageID)
		w.field("status", said.Status)
		w.field("received", precise(said.Received))
	}
	for _, p := range r.Parts {
		w.field("part", join(", ", p.URI, p.ContentType, fmt.Sprintf("%d bytes", p.Size)))
		w.field("  sha256", p.SHA256)
	}
	signedFields(w, &r.signedReport, aMessage)
}

func headerFields(w reportRows, r *messageReport) {
	w.field("service", r.Service.String())
	w.field("action", r.Action)
	partyFields(w, "from", r.From)
	partyFields(w, "to", r.To)
	w.field("agreement", r.CPAID)
	w.field("conversation", r.ConversationID)
	if r.Order != nil {
		w.field("number in it", orderText(*r.Order))
	}
	w.field("message", r.MessageID)
	w.field("refers to", r.RefToMessageID)
	w.field("timestamp", precise(r.Timestamp))
	w.field("time to live", precise(r.TimeToLive))
	w.field("description", r.Description)
	var asks []string
	if r.DuplicateElimination {
		asks = append(asks, "duplicate elimination")
	}
	if ask := r.AckRequested; ask != nil {
		kind := "unsigned acknowledgment"
		if ask.Signed {
			kind = "signed acknowledgment"
		}
		asks = append(asks, join(" of ", kind, ask.Actor))
	}
	if r.SyncReply {
		asks = append(asks, "answer in the response (outside every signature)")
	}
	for _, ask := range asks {
		w.field("asks for", ask)
	}
}

func orderText(o exchange.Order) string {
	if o.Reset {
		return fmt.Sprintf("%d, the numbers begin anew with it", o.Sequence)
	}
	return strconv.FormatUint(uint64(o.Sequence), 10)
}

func partyFields(w reportRows, name string, p *partyReport) {
	for _, id := range p.IDs {
		w.field(name, id.String())
	}
	w.field(name+" role", p.Role)
}

func acknowledgmentFields(w reportRows, ack *ackReport) {
	w.field("acknowledges", ack.RefToMessageID)
	w.field("received", precise(ack.Timestamp))
	for _, id := range ack.From {
		w.field("acknowledged by", id.String())
	}
	w.field("acknowledged as", ack.Actor)
	for _, d := range ack.References {
		w.field("confirms", join(" ", cmp.Or(d.URI, aMessage.target), algorithmName(d.DigestMethod), d.DigestValue))
	}
}

// signedFields writes how something is signed. The verdict is the last line.
func signedFields(w reportRows, r *signedReport, thing signedThing) {
	signatureFields(w, r, thing)
	if r.Verdict != nil {
		w.row(shown(r.Verdict.sentence(thing)))
	}
}

func signatureFields(w reportRows, r *signedReport, thing signedThing) {
	s := r.Signature
	if s == nil {
		w.row("signature", "none")
		return
	}
	w.field("signature", algorithmName(s.Algorithm))
	w.field("refused", s.Refused)
	for _, ref := range s.References {
		finding := ref.Finding
		if ref.Reason != "" {
			finding += ": " + ref.Reason
		}
		w.field("reference", join(" ", cmp.Or(ref.URI, thing.target), algorithmName(ref.DigestMethod))+": "+finding)
	}
	for _, uri := range s.Uncovered {
		w.field("not covered", uri)
	}
	if r.Signer != nil {
		credentialFields(w, "signed by", *r.Signer)
		return
	}
	for _, named := range r.KeyInfo {
		credentialFields(w, "names as signer", named)
	}
}

func credentialFields(w reportRows, name string, c credentialReport) {
	w.field(name, c.Subject)
	w.field("  from", c.Source)
	w.field("  issuer", c.Issuer)
	w.field("  serial", c.Serial)
	w.field("  sha256", c.SHA256)
	w.field("  key", c.Key)
	w.field("  validity", join("; ", instant(c.NotBefore)+" to "+instant(c.NotAfter), c.Remark))
}

func (t typedText) String() string {
	if t.Type == "" {
		return t.Value
	}
	return t.Value + " (" + t.Type + ")"
}

// join joins what is not empty.
func join(separator string, texts ...string) string {
	out := ""
	for _, text := range texts {
		if text != "" && out != "" {
			out += separator
		}
		out += text
	}
	return out
}

// precise keeps the fractions of a second, which tell two messages apart.
func precise(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// maxShown is how many characters of one text are shown.
const maxShown = 300

// shown makes a text of a partner safe for a terminal: what does not print, or turns the direction of what does, is
// written as its number, and a long text is cut.
func shown(s string) string {
	var b strings.Builder
	count := 0
	for _, r := range s {
		if count++; count > maxShown {
			fmt.Fprintf(&b, "… (%d bytes)", len(s))
			break
		}
		if strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

// sha1Policy is what --allow-sha1 accepts.
func sha1Policy() signing.Policy {
	return signing.Policy{Exceptions: []signing.Exception{{Name: signing.ExceptionSHA1}}}
}
