package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/handover"
	"github.com/ecogate/ecogate/clearance/lookup"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/exchange/fault"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/paper"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// newHandovers makes the desk that gives accepted declarations to the customs system.
func newHandovers(cfg config.Config, n *runningNode) (*handover.Desk, error) {
	printed, err := paperOptions(cfg.Paper.Fonts, cfg.Paper.VerifyURL)
	if err != nil {
		return nil, cfg.Problem("paper.fonts", err.Error())
	}
	customs := cfg.Clearance.CustomsSystem
	deliverer, err := newDeliverer(cfg, n.Registry.Control, n.now)
	if err != nil {
		return nil, err
	}
	vault, err := handover.OpenFolder(filepath.Join(cfg.Store.Dir, "handover"))
	if err != nil {
		return nil, err
	}
	return handover.New(handover.Options{
		Store: n.Store, Vault: vault, Documents: documents{n, printed}, Deliverer: deliverer, Now: n.now, Log: n.log, Point: fault.Point,
		Times: handover.Times{
			Timeout: customs.Timeout, Resend: customs.ResendAfter, Inquire: customs.AskEvery, BackoffMax: customs.BackoffMax, Keep: customs.Keep,
		},
	})
}

// newDeliverer is the way to the customs system; nil where that fetches. control judges the addresses that are dialled, unless
// all are allowed. The error is a problem of cfg.
func newDeliverer(cfg config.Config, control func(network, address string, conn syscall.RawConn) error, now func() time.Time) (handover.Deliverer, error) {
	c := cfg.Clearance.CustomsSystem
	if c.AllowPrivate {
		control = nil
	}
	const at = "clearance.customs_system."
	switch c.By {
	case config.CustomsByHTTP:
		d, err := pushTo(c.HTTP, control, now)
		return d, problemOfKey(cfg, at+"http", err)
	case config.CustomsBySFTP:
		d, err := putOn(c.SFTP, control)
		return d, problemOfKey(cfg, at+"sftp", err)
	case config.CustomsBySpool:
		d, err := handover.NewSpool(handover.BoxOptions{Folder: c.Spool.Folder, ConfirmFolder: c.Spool.ConfirmFolder, ByRemoval: c.Spool.ConfirmByRemoval})
		return d, problemOfKey(cfg, at+"spool.folder", err)
	}
	return nil, nil
}

// checkCustoms says what is wrong with the way to the customs system, without going it.
func checkCustoms(cfg config.Config, now func() time.Time) error {
	if _, err := newDeliverer(cfg, nil, now); err != nil {
		return err
	}
	if c := cfg.Clearance.CustomsSystem; c.By == config.CustomsBySpool {
		return problemOfKey(cfg, "clearance.customs_system.spool.folder", handover.CheckSpool(c.Spool.Folder))
	}
	return nil
}

// problemOfKey gives an error the place of a key; nil stays nil.
func problemOfKey(cfg config.Config, key string, err error) error {
	if err == nil {
		return nil
	}
	return cfg.Problem(key, err.Error())
}

func pushTo(c config.CustomsHTTP, control func(network, address string, conn syscall.RawConn) error, now func() time.Time) (handover.Deliverer, error) {
	o := handover.PushOptions{URL: c.URL, TLS: &tls.Config{MinVersion: tls.VersionTLS12}, Control: control, Now: now}
	if c.CAFile != "" {
		text, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		o.TLS.RootCAs = x509.NewCertPool()
		if !o.TLS.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("ca_file: %s has no X.509 credential in PEM", c.CAFile)
		}
	}
	if c.Client.KeyFile != "" {
		shown, err := tls.LoadX509KeyPair(c.Client.CertificateFile, c.Client.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("client: %w", err)
		}
		o.TLS.Certificates = []tls.Certificate{shown}
	}
	if c.Signing.KeyFile != "" {
		key, err := requestKey(c.Signing)
		if err != nil {
			return nil, fmt.Errorf("signing: %w", err)
		}
		o.Key = key
	}
	return handover.NewPush(o)
}

func requestKey(c config.RequestSigning) (*handover.RequestKey, error) {
	text, passphrase, err := readSecret(c.KeyFile, c.PassphraseFile)
	if err != nil {
		return nil, err
	}
	signer, err := signing.ReadPrivateKey(text, passphrase)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.KeyFile, err)
	}
	return handover.NewRequestKey(signer, c.KeyID)
}

// readSecret reads a private key and the passphrase of it, nil without a file.
func readSecret(keyFile, passphraseFile string) (text, passphrase []byte, err error) {
	if text, err = os.ReadFile(keyFile); err != nil || passphraseFile == "" {
		return text, nil, err
	}
	line, err := os.ReadFile(passphraseFile)
	if err == nil {
		passphrase, err = signing.Passphrase(line)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("passphrase_file: %w", err)
	}
	return text, passphrase, nil
}

func putOn(c config.CustomsSFTP, control func(network, address string, conn syscall.RawConn) error) (handover.Deliverer, error) {
	o := handover.SFTPOptions{
		BoxOptions: handover.BoxOptions{Folder: c.Folder, ConfirmFolder: c.ConfirmFolder, ByRemoval: c.ConfirmByRemoval},
		Address:    c.Address, User: c.User, HostKeys: handover.Fingerprints(c.HostKeys...), Control: control,
	}
	if c.KnownHostsFile != "" {
		known, err := handover.KnownHosts(c.KnownHostsFile)
		if err != nil {
			return nil, fmt.Errorf("known_hosts_file: %w", err)
		}
		o.HostKeys = known
	}
	if c.KeyFile != "" {
		text, passphrase, err := readSecret(c.KeyFile, c.PassphraseFile)
		if err != nil {
			return nil, fmt.Errorf("key_file: %w", err)
		}
		signer, err := ssh.ParsePrivateKey(text)
		if passphrase != nil {
			signer, err = ssh.ParsePrivateKeyWithPassphrase(text, passphrase)
		}
		if err != nil {
			return nil, fmt.Errorf("key_file: %s: %w", c.KeyFile, err)
		}
		o.Auth = append(o.Auth, ssh.PublicKeys(signer))
	}
	if c.PasswordFile != "" {
		line, err := os.ReadFile(c.PasswordFile)
		var password []byte
		if err == nil {
			password, err = signing.Passphrase(line)
		}
		if err != nil {
			return nil, fmt.Errorf("password_file: %w", err)
		}
		o.Auth = append(o.Auth, ssh.Password(string(password)))
	}
	return handover.NewSFTP(o)
}

// documents makes what accompanies a certificate to the customs system.
type documents struct {
	n       *runningNode
	printed paper.Options
}

// Rendition implements handover.Documents.
func (d documents) Rendition(_ context.Context, c clearance.Imported) ([]byte, error) {
	o := d.printed
	o.Forms, o.Digest, o.Overlays = d.n.Registry.Forms(), c.Document.SHA256, overlaysOf(c)
	var pdf bytes.Buffer
	_, err := paper.Render(&pdf, c.Data, o)
	if errors.Is(err, paper.ErrTooLong) {
		return nil, &handover.Refusal{Text: err.Error()}
	}
	return pdf.Bytes(), err
}

// overlaysOf are the words across a rendition for the customs system.
func overlaysOf(c clearance.Imported) (overlays []paper.Overlay) {
	switch c.State {
	case eco.StateCancelled:
		overlays = append(overlays, paper.OverlayCancelled)
	case eco.StateReplaced:
		overlays = append(overlays, paper.OverlayReplaced)
	case eco.StateInConflict:
		overlays = append(overlays, paper.OverlayInConflict)
	}
	switch c.Mode {
	case partners.ModeTest:
		overlays = append(overlays, paper.OverlayTest)
	case partners.ModeParallel:
		overlays = append(overlays, paper.OverlayParallel)
	}
	return overlays
}

// handedReport is the verification report of a certificate with its balances.
type handedReport struct {
	lookup.Report
	// Life is where the certificate stands, with the balance of each item and the declarations that draw on it.
	Life eco.Life `json:"life"`
}

// Report implements handover.Documents.
func (d documents) Report(ctx context.Context, c clearance.Imported, at time.Time) ([]byte, error) {
	found, err := d.n.Store.Messages(ctx, exchange.MessageQuery{
		MessageID: c.Message, Partner: c.Partner, Direction: exchange.Inbound, State: exchange.StateAccepted, Limit: 1,
	})
	if err != nil {
		return nil, err
	}
	e := lookup.Evidence{Credential: func(sha256 string) lookup.Credential {
		return credentialIn(d.n.Registry.Inventory(at), c.Partner, sha256)
	}}
	if len(found) > 0 {
		e.MessageSigner, e.CPAID = found[0].Signer, found[0].CPAID
	}
	return json.MarshalIndent(handedReport{lookup.ReportOf(c, e, at), c.Life}, "", "  ")
}

// credentialIn tells of a partner's credential.
func credentialIn(inventory []partners.Held, partner, sha256 string) lookup.Credential {
	for _, held := range inventory {
		if x := held.X509Cert; held.Partner == partner && held.Fingerprint() == sha256 {
			return lookup.Credential{Subject: x.Subject.String(), Issuer: x.Issuer.String(), NotBefore: x.NotBefore.UTC(), NotAfter: x.NotAfter.UTC()}
		}
	}
	return lookup.Credential{}
}
