package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
)

// cli is one run of the program: its streams and its clock, which whoever makes one gives, and the flags that all verbs share.
type cli struct {
	in          io.Reader
	out, errOut io.Writer
	now         func() time.Time

	json                         bool
	address, apiCA, key, keyFile string
}

// The environment variables that stand in for flags.
const (
	envAPI     = "ECOGATE_API_URL"
	envAPICA   = "ECOGATE_API_CA"
	envKey     = "ECOGATE_API_KEY"
	envKeyFile = "ECOGATE_API_KEY_FILE"
	envConfig  = "ECOGATE_CONFIG"
)

// defaultAPI is where the default configuration listens.
const defaultAPI = "http://127.0.0.1:8080"

// answerTime bounds one exchange with the API, beside the size of what is sent or fetched.
const answerTime = time.Minute

// transferTime is how long n bytes may take; the API itself is no more patient.
func transferTime(n int64) time.Duration {
	return answerTime + time.Duration(n/api.DefaultMinRate)*time.Second
}

const rootHelp = `ecogate exchanges electronic certificates of origin with partner administrations.

"serve" runs a node. "ping" and the verbs under "co", "declaration", "duty", "lookup", "watch", "mandate", "handover", "msg", "partner", "agreement",
"proposal", "issuer", "notice", "subscription", "cert" and "key" talk to a running node's API, but for those that need nothing but files: "co check",
"declaration check", "msg verify", "msg inspect", "issuer check", "issuer export", "cert list" without --node, "cert check" without --last, "cert inspect",
"notice templates", "cert needs-renewal", "key new", "key csr", "key import" and "key show". So do the verbs under
"form", "xml", "cms", "api" and "cpa", but for "cpa import" without --config. Those that talk to a node need the API's address
(--api or ` + envAPI + `, default ` + defaultAPI + `) and a key (--key-file, --key, ` + envKeyFile + ` or ` + envKey + `).
An https address must show a credential that the system trusts, or the CA in a file (--api-ca or ` + envAPICA + `).

With --json the result is JSON, and so is an error, on standard error: {"error": "...", "hint": "...", "exit_code": 1}.

` + exitHelp

const exitHelp = `Exit codes:
  0  done
  1  failure: the node cannot be reached, met an error, or did not start
  2  usage: the command line is wrong
  3  not found: no such certificate, message, document, partner or agreement, or none that this key may see
  4  refused: the certificate or the change breaks a rule or is in conflict, or the key does not allow this
"msg verify", "msg inspect" and the verbs under "xml" and "cms" have their own: 0 valid, read or done, 1 not valid or refused, 2 unreadable or
usage. So has "cert needs-renewal": 0 yes, 1 no, 2 unreadable or usage, 255 another error.
`

// run is the program without its process: it parses args, does what they say, and returns the exit code.
func (c *cli) run(ctx context.Context, args []string) int {
	root := c.rootCommand()
	root.SetArgs(args)
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.errOut)
	err := root.ExecuteContext(ctx)
	if err != nil && !errors.Is(err, errNotValid) { // that was told already
		c.complain(err)
	}
	return exitCode(err)
}

func (c *cli) rootCommand() *cobra.Command {
	root := group("ecogate", "Exchange electronic certificates of origin",
		c.demoCommand(),
		c.serveCommand(),
		c.coCommand(),
		c.lookupCommand(),
		c.watchCommand(),
		c.mandateCommand(),
		c.declarationCommand(),
		c.dutyCommand(),
		c.handoverCommand(),
		c.formCommand(),
		c.msgCommand(),
		c.xmlCommand(),
		c.cmsCommand(),
		c.partnerCommand(),
		c.agreementCommand(),
		c.proposalCommand(),
		c.issuerCommand(),
		c.noticeCommand(),
		c.subscriptionCommand(),
		c.pingCommand(),
		c.keyCommand(),
		c.certCommand(),
		c.cpaCommand(),
		c.configCommand(),
		c.apiCommand(),
		c.benchCommand(),
		c.versionCommand(),
		exitCodesCommand(),
	)
	root.Long = rootHelp
	root.SilenceErrors = true
	root.SilenceUsage = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{text: err.Error(), command: cmd.CommandPath()}
	})
	root.SetHelpCommand(helpCommand())
	flags := root.PersistentFlags()
	flags.BoolVar(&c.json, "json", false, "print JSON instead of a table, errors too")
	flags.StringVar(&c.address, "api", "", "base `URL` of the node's API")
	flags.StringVar(&c.apiCA, "api-ca", "", "`file` with the CA of an https API, in place of the system's CAs")
	flags.StringVar(&c.key, "key", "", "API `key`; other users of this machine may see it, so prefer --key-file")
	flags.StringVar(&c.keyFile, "key-file", "", "`file` that holds the API key")
	return root
}

func exitCodesCommand() *cobra.Command {
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: exitHelp}
}

// helpCommand is cobra's own, except that asking about what is not there is an error.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Help about a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return &usageError{text: fmt.Sprintf("there is no command %q", strings.Join(args, " ")), command: cmd.Root().CommandPath()}
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// group makes a command that does nothing but hold others.
func group(use, short string, verbs ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, SuggestionsMinimumDistance: 2}
	g.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return &usageError{text: "a command is missing", command: cmd.CommandPath()}
		}
		text := fmt.Sprintf("there is no command %q", args[0])
		if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
			text += fmt.Sprintf("; did you mean %q?", similar[0])
		}
		return &usageError{text: text, command: cmd.CommandPath()}
	}
	g.AddCommand(verbs...)
	return g
}

// arguments makes a wrong number of arguments a usage error that names them.
func arguments(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return &usageError{text: names[len(args)] + " is missing", command: cmd.CommandPath()}
		case len(args) > len(names):
			return &usageError{text: fmt.Sprintf("argument %q is one too many", args[len(names)]), command: cmd.CommandPath()}
		}
		return nil
	}
}

// client returns the API's client from flags and environment. A flag wins over the environment.
func (c *cli) client() (*api.Client, error) {
	key, err := c.apiKey()
	if err != nil {
		return nil, err
	}
	transport, err := apiTransport(firstSet(c.apiCA, os.Getenv(envAPICA)))
	if err != nil {
		return nil, err
	}
	client, err := api.NewClient(firstSet(c.address, os.Getenv(envAPI), defaultAPI), key, transport)
	if err != nil {
		return nil, &usageError{text: err.Error()}
	}
	return client, nil
}

// connect returns the API's client, and ctx bounded by the time within which it has to answer.
func (c *cli) connect(ctx context.Context, within time.Duration) (context.Context, context.CancelFunc, *api.Client, error) {
	client, err := c.client()
	if err != nil {
		return nil, nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	return ctx, cancel, client, nil
}

func (c *cli) apiKey() (string, error) {
	file := c.keyFile
	if c.key == "" && file == "" {
		if key := os.Getenv(envKey); key != "" {
			return key, nil
		}
		file = os.Getenv(envKeyFile)
	}
	switch {
	case c.key != "" && file != "":
		return "", &usageError{text: "--key and --key-file exclude each other"}
	case c.key != "":
		return c.key, nil
	case file == "":
		return "", &usageError{text: "an API key is missing", hint: "give --key-file FILE, or set " + envKeyFile + " or " + envKey}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("API key: %w", err)
	}
	key := strings.TrimSpace(string(data))
	if key == "" {
		return "", fmt.Errorf("API key: %s is empty", file)
	}
	return key, nil
}

func firstSet(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// print writes v as JSON when asked for, and otherwise what table writes, in aligned columns.
func (c *cli) print(v any, table func(*columns)) error {
	if c.json {
		return encoder(c.out).Encode(v)
	}
	w := &columns{tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)}
	table(w)
	return w.Flush()
}

// encoder writes JSON for programs that a person may read too.
func encoder(w io.Writer) *json.Encoder {
	e := json.NewEncoder(escaping{w})
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e
}

// escaping writes JSON so that it cannot steer a terminal: what does not print (JSON leaves DEL, the C1 controls and the marks
// of direction as they are) becomes an escape, which means the same. An Encoder writes a value at once.
type escaping struct{ io.Writer }

func (w escaping) Write(p []byte) (int, error) {
	out := make([]byte, 0, len(p))
	for _, r := range string(p) {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	if _, err := w.Writer.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// columns writes rows of cells. Values come from partners: what could steer a terminal is shown as "?".
type columns struct{ *tabwriter.Writer }

func (w *columns) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = printable(cell)
	}
	// A tabwriter over memory and streams reports its error in Flush.
	_, _ = io.WriteString(w, strings.Join(cells, "\t")+"\n")
}

// lines writes a text of any number of lines as it is.
func (w *columns) lines(text string) {
	for line := range strings.Lines(text) {
		w.row(strings.TrimSuffix(line, "\n"))
	}
}

// field writes one line of a record, and nothing for an empty value.
func (w *columns) field(name, value string) {
	if value != "" {
		w.row(name, value)
	}
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// complaint is an error under --json.
type complaint struct {
	Error    string `json:"error"`
	Hint     string `json:"hint,omitempty"`
	ExitCode int    `json:"exit_code"`
}

// complain writes an error and what to do about it.
func (c *cli) complain(err error) {
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	text, h := strings.Join(lines, "\n"), hint(err)
	if c.json {
		// Like the lines below it goes to standard error; that this cannot be written is nothing that could be told.
		_ = encoder(c.errOut).Encode(complaint{text, h, exitCode(err)})
		return
	}
	fmt.Fprintln(c.errOut, "ecogate: "+text)
	if h != "" {
		fmt.Fprintln(c.errOut, "hint: "+h)
	}
}

// writeFile writes a result to a file, or to standard output for "-".
func (c *cli) writeFile(name string, data []byte) error {
	if name == "-" {
		_, err := c.out.Write(data)
		return err
	}
	if err := os.WriteFile(name, data, 0o600); err != nil {
		return fmt.Errorf("writing result: %w", err)
	}
	return nil
}

// download writes what fetch writes to a file, which is made when the first octet comes, or to standard output for "-". After an error
// there is no file.
func (c *cli) download(name string, fetch func(io.Writer) error) error {
	if name == "-" {
		return fetch(c.out)
	}
	w := &lateFile{name: name}
	if err := fetch(w); err != nil {
		w.discard()
		return err
	}
	return w.finish()
}

// lateFile is a file that is made when it is first written to.
type lateFile struct {
	name string
	file *os.File
}

func (f *lateFile) open() (err error) {
	if f.file == nil {
		f.file, err = os.OpenFile(f.name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	}
	return err
}

// Write makes the file if it is not there yet.
func (f *lateFile) Write(p []byte) (int, error) {
	if err := f.open(); err != nil {
		return 0, fmt.Errorf("writing result: %w", err)
	}
	return f.file.Write(p)
}

func (f *lateFile) finish() error {
	if err := f.open(); err != nil { // nothing came: an empty file
		return fmt.Errorf("writing result: %w", err)
	}
	if err := f.file.Close(); err != nil {
		return fmt.Errorf("writing result: %w", err)
	}
	return nil
}

// discard removes a file that is not whole. What is no file, such as /dev/null, stays.
func (f *lateFile) discard() {
	if f.file == nil {
		return
	}
	info, err := f.file.Stat()
	_ = f.file.Close()
	if err == nil && info.Mode().IsRegular() {
		_ = os.Remove(f.name)
	}
}

// inputName is what errors call an argument's file.
func inputName(name string) string {
	if name == "-" {
		return "standard input"
	}
	return name
}

// readFile reads an argument's file, or standard input for "-".
func (c *cli) readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(c.in)
	}
	return os.ReadFile(name)
}
