package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/exchange/fault"
	"github.com/ecogate/ecogate/intake"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/partners"
)

// watch makes the watcher of the configuration's folders; it looks at nothing yet.
func (n *runningNode) watch(cfg config.Config) error {
	if err := prepareFolders(cfg); err != nil {
		return err
	}
	n.watcher = intake.NewWatcher(intake.WatcherOptions{Submit: n.submitFromFolder, Forms: n.Registry.Forms, Now: n.now, Log: n.log, Point: fault.Point})
	n.watcher.Replace(cfg.WatchedFolders(), cfg.Intake.Poll)
	return nil
}

// prepareFolders makes what is missing in the watched folders, and tells of every one that cannot be used.
func prepareFolders(cfg config.Config) error {
	var problems []error
	for i, f := range cfg.Intake.Folders {
		if err := intake.Prepare(f.Path); err != nil {
			problems = append(problems, cfg.FolderProblem(i, err))
		}
	}
	return cfg.Join(problems...)
}

// lasting are the errors that trying again would not mend.
var lasting = []error{
	exchange.ErrConflict, exchange.ErrNotAuthorised, exchange.ErrTooLarge,
	partners.ErrUnknownPartner, partners.ErrNoAgreement, partners.ErrOutsideValidity,
}

// submitFromFolder submits a certificate in the name of its folder. What is refused is in the audit log, as when the API refuses it.
func (n *runningNode) submitFromFolder(ctx context.Context, from intake.Folder, c eco.Certificate) (intake.Receipt, error) {
	actor := "folder " + from.Path
	s, err := n.Node.Submit(ctx, actor, from.Partner, c)
	if err == nil {
		return intake.Receipt{MessageID: s.Message.MessageID, Fresh: s.Fresh, Findings: s.Findings}, nil
	}
	refusal := refusalOf(err)
	if refusal == nil {
		return intake.Receipt{}, err
	}
	entry := exchange.AuditEntry{
		At: n.now().UTC(), Actor: actor, Event: "certificate.refused", Subject: brief(c.Reference) + " to " + from.Partner, Detail: brief(refusal.Text),
	}
	if err := n.Store.Record(ctx, []exchange.AuditEntry{entry}); err != nil {
		return intake.Receipt{}, fmt.Errorf("recording a refusal: %w", err)
	}
	return intake.Receipt{}, refusal
}

// refusalOf is the refusal that an error of Submit is; nil for one that may be over when the certificate is submitted again.
func refusalOf(err error) *intake.Refusal {
	var invalid *exchange.InvalidError
	if errors.As(err, &invalid) {
		return &intake.Refusal{Text: "it breaks the rules of its form", Findings: invalid.Findings}
	}
	for _, r := range lasting {
		if errors.Is(err, r) {
			return &intake.Refusal{Text: err.Error()}
		}
	}
	return nil
}

// brief is a text as it may stand in an audit record.
func brief(s string) string {
	const most = 256
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
