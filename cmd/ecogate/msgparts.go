package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/exchange"
)

func (c *cli) msgParts() *cobra.Command {
	var save []string
	cmd := &cobra.Command{
		Use:   "parts ID [--save N=FILE]...",
		Short: "List or save the payloads of a message: documents, attachments",
		Long: "List the payloads of a message, named by its number or its MessageId: the certificate's document and its attachments, or answers.\n" +
			"With --save the octets of payload N, counted from 1, are written to FILE (- for standard output, and nothing else).",
		Args: arguments("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			wanted, err := parseSaves(save)
			if err != nil {
				return &usageError{text: err.Error(), command: cmd.CommandPath()}
			}
			return c.parts(cmd.Context(), args[0], wanted)
		},
	}
	cmd.Flags().StringArrayVar(&save, "save", nil, "write payload N to FILE, as `N=FILE`; may be given again")
	return cmd
}

// savedPart is a payload and where it goes.
type savedPart struct {
	number int
	file   string
}

func parseSaves(values []string) (list []savedPart, err error) {
	for _, value := range values {
		number, file, found := strings.Cut(value, "=")
		n, err := strconv.Atoi(number)
		if !found || err != nil || n < 1 || file == "" {
			return nil, fmt.Errorf("--save %q: want N=FILE, with N from 1", value)
		}
		if file == "-" && len(values) > 1 {
			return nil, errors.New("--save N=- excludes another --save")
		}
		list = append(list, savedPart{n, file})
	}
	return list, nil
}

func (c *cli) parts(ctx context.Context, id string, wanted []savedPart) error {
	asking, cancel, client, err := c.connect(ctx, answerTime)
	if err != nil {
		return err
	}
	defer cancel()
	list, err := client.Parts(asking, id)
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	for _, p := range wanted {
		var size int64
		if p.number <= len(list) {
			size = list[p.number-1].Size
		}
		if err := c.savePart(ctx, client, id, p, size); err != nil {
			return fmt.Errorf("%s: part %d: %w", id, p.number, err)
		}
		if p.file == "-" {
			return nil
		}
	}
	return c.print(list, func(w *columns) { listParts(w, list) })
}

func (c *cli) savePart(ctx context.Context, client *api.Client, id string, p savedPart, size int64) error {
	ctx, cancel := context.WithTimeout(ctx, transferTime(size))
	defer cancel()
	return c.download(p.file, func(w io.Writer) error {
		_, err := client.Part(ctx, id, p.number, w)
		return err
	})
}

func listParts(w *columns, list []exchange.Part) {
	w.row("NUMBER", "TYPE", "BYTES", "NAME", "CONTENT-ID")
	for i, p := range list {
		w.row(strconv.Itoa(i+1), p.ContentType, strconv.FormatInt(p.Size, 10), p.Name, p.ContentID)
	}
}

func (c *cli) msgStatus() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "status PARTNER MESSAGE-ID",
		Short: "Ask a partner what became of a message",
		Long: "Have the node ask a partner what became of a message that was sent to it, named by its MessageId or by its number here, and show\n" +
			"that beside what the node itself knows. The node need not know the message any more.",
		Args: arguments("PARTNER", "MESSAGE-ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.messageStatus(cmd.Context(), args[0], args[1], wait)
		},
	}
	waitFlag(cmd, &wait)
	return cmd
}

// twoAccounts are what a partner says of a message, and what the node itself knows.
type twoAccounts struct {
	Partner exchange.MessageStatus `json:"partner"`
	Node    *exchange.Message      `json:"node,omitempty"` // nil if it does not know the message
}

func (c *cli) messageStatus(ctx context.Context, partner, id string, wait time.Duration) error {
	ctx, cancel, client, err := c.connect(ctx, wait+answerTime)
	if err != nil {
		return err
	}
	defer cancel()
	var both twoAccounts
	m, err := client.Message(ctx, id)
	switch {
	case errors.Is(err, exchange.ErrNotFound) && !isNumber(id):
	case err != nil:
		return fmt.Errorf("%s: %w", id, err)
	case m.Direction != exchange.Outbound || m.Partner != partner:
		return &usageError{text: fmt.Sprintf("message %s was not sent to %s: it is %s, partner %q", id, partner, m.Direction, m.Partner)}
	default:
		both.Node, id = &m, m.MessageID
	}
	if both.Partner, err = client.AskStatus(ctx, partner, id, wait); err != nil {
		return fmt.Errorf("%s: %w", partner, err)
	}
	return c.print(both, func(w *columns) { showAccounts(w, both) })
}

// isNumber tells a record's number from a MessageId: to a partner it would mean nothing.
func isNumber(id string) bool {
	_, err := strconv.ParseUint(id, 10, 64)
	return err == nil
}

func showAccounts(w *columns, both twoAccounts) {
	said := both.Partner
	w.row("message", said.MessageID)
	w.row(said.Partner+" says", said.Status)
	w.field("received there", instant(said.Received))
	w.field("asked", instant(said.Answered))
	if both.Node == nil {
		w.row("here", "no such message")
		return
	}
	m := both.Node
	w.row("here", state(*m))
	w.field("created", instant(m.Created))
	w.field("settled", instant(m.Settled))
	w.row("attempts", strconv.Itoa(m.Attempts))
	if m.Reason != nil {
		w.field("reason", reason(*m.Reason))
	}
}
