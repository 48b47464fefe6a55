package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/testdata/certificates"
)

// demoPatience bounds the wait for one receipt.
const demoPatience = time.Minute

const demoHelp = `demo makes two administrations on this machine, KR and TW, each with its own PKI, store and listeners on loopback, and
sends sample certificates of origin from KR to TW: signed under the issuing bodies' keys, carried in signed ebXML messages over
mutual TLS, and kept until the signed acknowledgment is verified. Then one is used at TW: a broker finds it by a differently spelled
reference, once its importer has mandated him, and declares goods that it covers; the customs system fetches its parcel, an officer
decides, and KR learns the outcome.`

func (c *cli) demoCommand() *cobra.Command {
	d := demo{cli: c}
	cmd := &cobra.Command{
		Use: "demo", Short: "Show two nodes exchanging and using certificates on this machine", Long: demoHelp, Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context()) },
	}
	cmd.Flags().BoolVar(&d.once, "once", false, "end when the outcome has arrived at KR")
	cmd.Flags().StringVar(&d.dir, "dir", "", "keep everything in this `folder` (default: a temporary one that is removed)")
	return cmd
}

// demo is one run of the demonstration.
type demo struct {
	*cli
	once bool
	dir  string

	receipts *receipts

	mu      sync.Mutex // guards what follows and the order of output lines
	began   time.Time
	printed map[string]string // normalised reference -> as the certificate has it
}

func (d *demo) run(ctx context.Context) error {
	d.began = d.now()
	d.receipts = newReceipts()
	d.printed = make(map[string]string)
	dir, remove, err := d.folder()
	if err != nil {
		return err
	}
	defer remove()
	d.say("Making two administrations in %s (keys, credentials, configuration) ...", dir)
	two, err := pair.Make(dir, pair.Options{})
	if err != nil {
		return err
	}
	tw, err := d.start(ctx, two.TW)
	if err != nil {
		return err
	}
	defer tw.Close()
	kr, err := d.start(ctx, two.KR)
	if err != nil {
		return err
	}
	defer kr.Close()

	sent, err := d.exchangeSamples(ctx, two.KR)
	if err != nil {
		return err
	}
	d.say("\nEvery certificate was receipted: TW's signed acknowledgments were verified and their digests compared.")
	if err := d.use(ctx, two, sent[0].Reference); err != nil {
		return err
	}
	if d.once {
		return nil
	}
	if err := d.tellMore(ctx, two, sent); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// folder is where the demonstration lives, and what to do with it at the end.
func (d *demo) folder() (dir string, remove func(), err error) {
	if d.dir != "" {
		return d.dir, func() {}, nil
	}
	dir, err = os.MkdirTemp("", "ecogate-demo-")
	if err != nil {
		return "", nil, fmt.Errorf("temporary folder: %w", err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}

// start runs one side as `ecogate serve` would, and watches its steps.
func (d *demo) start(ctx context.Context, side pair.Side) (*runningNode, error) {
	cfg, err := config.Load(side.ConfigFile, nil)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(d.errOut, &slog.HandlerOptions{Level: slog.LevelError})).With("node", side.ID)
	node, err := startNode(ctx, cfg, nodeOptions{Now: d.now, Log: log, Observe: func(e exchange.Event) { d.watch(side.ID, e) }})
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", side.ID, err)
	}
	d.say("Node %s runs: partners' listener %s, API %s, administration %s", side.ID, node.PartnerURL, node.APIURL, node.AdminURL)
	return node, nil
}

// watch prints a step and notes how messages end.
func (d *demo) watch(side string, e exchange.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, "%9s  %-2s  %-11s  %-22s %s\n", e.At.Sub(d.began).Round(100*time.Microsecond), side, e.Step, d.spelled(e.Reference), printable(e.Detail))
	d.receipts.observe(e)
}

// spelled gives a reference as the certificate has it. Steps before a certificate is stored tell it so, steps after that in its
// normalised form.
func (d *demo) spelled(reference string) string {
	normalised := eco.NormaliseReference(reference)
	if reference != normalised || d.printed[normalised] == "" {
		d.printed[normalised] = reference
	}
	return printable(d.printed[normalised])
}

func (d *demo) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, format+"\n", args...)
}

// exchangeSamples hands the sample certificates of the forms that were agreed to KR's API, as an issuing body's system would, and
// waits for each receipt.
func (d *demo) exchangeSamples(ctx context.Context, kr pair.Side) ([]api.Submission, error) {
	client, err := sideClient(kr, "issuer")
	if err != nil {
		return nil, err
	}
	cfg, err := config.Load(kr.ConfigFile, nil)
	if err != nil {
		return nil, err
	}
	samples, err := samplesOf(cfg.Agreements[0].Forms)
	if err != nil {
		return nil, fmt.Errorf("sample certificates: %w", err)
	}
	var sent []api.Submission
	for _, sample := range samples {
		d.say("\nSubmitting %s to KR, for TW", sample.file)
		s, err := client.Submit(ctx, "TW", sample.data)
		if err != nil {
			return nil, fmt.Errorf("submitting %s: %w", sample.file, err)
		}
		if !s.Fresh {
			d.say("%s was submitted before: message %s is %s", s.Reference, s.MessageID, s.State)
		}
		if err := d.awaitReceipt(ctx, s); err != nil {
			return nil, err
		}
		sent = append(sent, s)
	}
	return sent, nil
}

// sample is one of the sample certificates.
type sample struct {
	file string
	data []byte
}

// samplesOf are the sample certificates of some forms.
func samplesOf(forms []eco.FormCode) ([]sample, error) {
	files, err := fs.Glob(certificates.JSON, "*.json")
	if err != nil {
		return nil, err
	}
	var samples []sample
	for _, file := range files {
		data, err := certificates.JSON.ReadFile(file)
		if err != nil {
			return nil, err
		}
		c, err := eco.Decode(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if slices.Contains(forms, c.Form) {
			samples = append(samples, sample{file, data})
		}
	}
	return samples, nil
}

// sideClient is a client of a side's API under the key of a role.
func sideClient(side pair.Side, role string) (*api.Client, error) {
	key, err := os.ReadFile(side.KeyFile(role))
	if err != nil {
		return nil, fmt.Errorf("API key: %w", err)
	}
	return api.NewClient("http://"+side.APIAddress, strings.TrimSpace(string(key)), nil)
}

// awaitReceipt returns when the message of s is receipted, and an error when it fails or patience ends.
func (d *demo) awaitReceipt(ctx context.Context, s api.Submission) error {
	if s.State == exchange.StateDelivered {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, demoPatience, fmt.Errorf("the receipt for %s did not come within %s", s.Reference, demoPatience))
	defer cancel()
	if err := d.receipts.await(ctx, s.MessageID); err != nil {
		return fmt.Errorf("certificate %s was not delivered: %w", s.Reference, err)
	}
	return nil
}

// respell writes a reference as a person might type it: in lower case, with blanks between the characters of its start.
func respell(reference string) string {
	if len(reference) < 3 {
		return " " + strings.ToLower(reference)
	}
	respelled := strings.ToLower(reference[:2] + " " + reference[2:])
	if eco.NormaliseReference(respelled) != eco.NormaliseReference(reference) {
		return reference
	}
	return respelled
}

// tellMore saves what was exchanged as files and prints how to go on.
func (d *demo) tellMore(ctx context.Context, two pair.Pair, sent []api.Submission) error {
	client, err := sideClient(two.TW, "operator")
	if err != nil {
		return err
	}
	folder := filepath.Join(filepath.Dir(two.TW.Dir), "captured")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("captured messages: %w", err)
	}
	d.say("\nWhat TW received, as files:")
	for _, s := range sent {
		if err := d.capture(ctx, client, s, folder); err != nil {
			return err
		}
	}
	d.say(goOn, two.TW.APIAddress, two.TW.KeyFile("broker"), respellPath(sent[0].Reference), respell(sent[0].Reference),
		two.TW.KeyFile("operator"), two.KR.APIAddress, two.KR.KeyFile("issuer"), two.KR.ConfigFile, two.KR.KeyFile("operator"),
		two.TW.KeyFile("officer"), demoDeclaration)
	return nil
}

const goOn = `
Go on from another terminal:
  curl -s -H "Authorization: Bearer $(cat %[2]s)" http://%[1]s/api/v1/certificates/%[3]s
  go run ./cmd/ecogate co lookup "%[4]s" --api http://%[1]s --key-file %[2]s
  go run ./cmd/ecogate declaration show %[11]s --api http://%[1]s --key-file %[10]s
  go run ./cmd/ecogate handover list --api http://%[1]s --key-file %[10]s
  go run ./cmd/ecogate msg list --api http://%[1]s --key-file %[5]s
  go run ./cmd/ecogate co submit FILE.json --to TW --api http://%[6]s --key-file %[7]s
  go run ./cmd/ecogate ping TW --api http://%[6]s --key-file %[9]s
  cat %[8]s

Ctrl-C ends the demonstration.`

func respellPath(reference string) string {
	return strings.NewReplacer(" ", "%20", "/", "%2F").Replace(respell(reference))
}

// capture writes the message and the document of a certificate to folder.
func (d *demo) capture(ctx context.Context, client *api.Client, s api.Submission, folder string) error {
	var raw bytes.Buffer
	contentType, err := client.RawMessage(ctx, s.MessageID, &raw)
	if err != nil {
		return fmt.Errorf("message %s: %w", s.MessageID, err)
	}
	found, err := client.Lookup(ctx, api.LookupQuery{Reference: s.Reference, Direction: exchange.Inbound})
	if err != nil {
		return fmt.Errorf("look-up of %q: %w", s.Reference, err)
	}
	document, err := client.Document(ctx, *found.Matches[0].Document)
	if err != nil {
		return fmt.Errorf("document of %q: %w", s.Reference, err)
	}
	name := filepath.Join(folder, eco.NormaliseReference(s.Reference))
	entity := append([]byte("Content-Type: "+contentType+"\r\nSOAPAction: \"ebXML\"\r\n\r\n"), raw.Bytes()...)
	if err := os.WriteFile(name+".http", entity, 0o600); err != nil {
		return fmt.Errorf("captured message: %w", err)
	}
	if err := os.WriteFile(name+".xml", document, 0o600); err != nil {
		return fmt.Errorf("captured document: %w", err)
	}
	d.say("  %s  message as on the wire: %s.http  UBL document: %s.xml", s.Reference, name, name)
	return nil
}
