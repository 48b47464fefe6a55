package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/notice"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/partners"
)

// newNotices puts together what tells people of what happens in n.
func newNotices(cfg config.Config, n *runningNode) (*notice.Service, error) {
	recipients, err := cfg.NoticeRecipients(os.ReadFile)
	if err != nil {
		return nil, err
	}
	n.recipients.Store(&recipients)
	k := cfg.Notices
	digestAt, err := k.DigestTime()
	if err != nil {
		return nil, cfg.Problem("notices.digest_at", err.Error())
	}
	templates, err := noticeTemplates(cfg)
	if err != nil {
		return nil, err
	}
	mailer, err := newMailer(cfg, n)
	if err != nil {
		return nil, err
	}
	roots, err := readRoots(cfg, "notices.webhooks.ca_file", k.Webhooks.CAFile)
	if err != nil {
		return nil, err
	}
	return notice.New(notice.Options{
		Store: n.Store, Books: books{n}, Keys: holders{n}, Recipients: func() []notice.Recipient { return *n.recipients.Load() },
		Mailer: mailer, Templates: templates, Now: n.now, Log: n.log,
		Poster: notice.NewPoster(notice.PosterOptions{
			Now: n.now, Control: partners.PublicOnly, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, Time: n.now}, Timeout: k.Webhooks.Timeout,
			UserAgent: "ecogate/" + thisVersion().Version,
		}),
		DigestAt: digestAt, Suppress: k.Suppress, MaxQueue: k.MaxQueue, RetryFirst: k.RetryFirst, RetryMax: k.RetryMax, GiveUp: k.GiveUp,
		Refusals: k.Refusals, DisableAfter: k.Webhooks.DisableAfter, Keep: k.Keep,
	})
}

// noticeTemplates are the words of mails, with those of the configured folder; every recipient's language is among them.
func noticeTemplates(cfg config.Config) (*notice.Templates, error) {
	var folder fs.FS
	if dir := cfg.Notices.TemplatesDir; dir != "" {
		folder = os.DirFS(dir)
		if _, err := os.Stat(dir); err != nil {
			return nil, cfg.Problem("notices.templates_dir", err.Error())
		}
	}
	name := cfg.Node.Name
	if name == "" {
		name = cfg.Node.ID
	}
	templates, err := notice.NewTemplates(name, folder)
	if err != nil {
		return nil, cfg.Problem("notices.templates_dir", err.Error())
	}
	var problems []error
	for i, r := range cfg.Notices.Recipients {
		if r.Language != "" && !slices.Contains(templates.Languages(), r.Language) {
			problems = append(problems, cfg.Problem(fmt.Sprintf("notices.recipients[%d].language", i), fmt.Sprintf("%q is not one of %q", r.Language, templates.Languages())))
		}
	}
	return templates, cfg.Join(problems...)
}

// newMailer is what sends mails; nil without a mail server.
func newMailer(cfg config.Config, n *runningNode) (*notice.Mailer, error) {
	m := cfg.Notices.Mail
	if m.Host == "" {
		return nil, nil
	}
	roots, err := readRoots(cfg, "notices.mail.ca_file", m.CAFile)
	if err != nil {
		return nil, err
	}
	mailer, err := notice.NewMailer(notice.MailOptions{
		Host: m.Host, Port: m.Port, Security: m.Security, Roots: roots, Auth: m.Auth, User: m.User, PasswordFile: m.PasswordFile, Hello: m.Hello,
		From: m.From, ReplyTo: m.ReplyTo, Unsubscribe: m.UnsubscribeURL, Timeout: m.Timeout, Now: n.now,
	})
	if err != nil {
		return nil, cfg.Problem("notices.mail", err.Error())
	}
	return mailer, nil
}

// readRoots reads the CAs in a file that a key names; nil, for the system's, without one.
func readRoots(cfg config.Config, key, file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, cfg.Problem(key, err.Error())
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data) {
		return nil, cfg.Problem(key, file+" holds no X.509 certificate in PEM")
	}
	return roots, nil
}

// books look up for notices what the node has exported.
type books struct{ n *runningNode }

var _ notice.Books = books{}

// Exported implements notice.Books.
func (b books) Exported(ctx context.Context, key clearance.Key) ([]notice.Exported, error) {
	wanted := exchange.CertificateKey{Country: key.Country, Form: key.Form, Reference: key.Reference, Test: key.Test}
	q := exchange.CertificateQuery{Direction: exchange.Outbound, Country: key.Country, Form: key.Form, Reference: key.Reference}
	found, err := b.n.Store.Certificates(ctx, q)
	var out []notice.Exported
	for _, c := range found {
		if c.Key == wanted {
			out = append(out, notice.Exported{Key: key, Partner: c.Partner, State: string(c.State), Data: c.Data})
		}
	}
	return out, err
}

// holders are those of the node's API keys.
type holders struct{ n *runningNode }

var _ notice.Keys = holders{}

// Parties implements notice.Keys.
func (h holders) Parties(name string) ([]eco.PartyName, bool) {
	key, ok := h.n.apiKeys.Named(name)
	return key.Parties, ok
}

// checkNotices reads what notices name, as a start does, and connects to nothing.
func checkNotices(cfg config.Config) error {
	_, recipients := cfg.NoticeRecipients(os.ReadFile)
	_, templates := noticeTemplates(cfg)
	_, mail := readRoots(cfg, "notices.mail.ca_file", cfg.Notices.Mail.CAFile)
	_, hooks := readRoots(cfg, "notices.webhooks.ca_file", cfg.Notices.Webhooks.CAFile)
	return cfg.Join(recipients, templates, mail, hooks)
}
