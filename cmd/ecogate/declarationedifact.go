package main

import (
	"context"
	"fmt"
	"os"

	"github.com/ecogate/ecogate/api"
)

// interchangeTime bounds the wait for what became of an interchange, which may hold many declarations. The node has bounds of its own.
const interchangeTime = fileTime

// submitInterchange lodges, amends and withdraws what the messages of an interchange say, and tells of each. With out the answer is
// written there as CONTRL.
func (c *cli) submitInterchange(ctx context.Context, file string, data []byte, out string) error {
	ctx, cancel, client, err := c.connect(ctx, interchangeTime)
	if err != nil {
		return err
	}
	defer cancel()
	if out != "" {
		report, err := client.LodgeForReport(ctx, data)
		if err != nil {
			return fmt.Errorf("%s: %w", inputName(file), err)
		}
		if out == "-" {
			_, err = c.out.Write(report)
			return err
		}
		return os.WriteFile(out, report, 0o644)
	}
	answer, err := client.LodgeInterchange(ctx, data)
	if err != nil {
		return fmt.Errorf("%s: %w", inputName(file), err)
	}
	if err := c.print(answer, func(w *columns) { showInterchange(w, answer) }); err != nil {
		return err
	}
	refusals := 0
	for _, m := range answer.Messages {
		if m.Problem != nil || len(m.Faults) > 0 {
			refusals++
		}
	}
	if refusals == 0 {
		return nil
	}
	return &refused{&hinted{
		fmt.Errorf("%s: %d of %d messages were refused", inputName(file), refusals, len(answer.Messages)),
		"mend them and submit the file again; what was taken is not taken twice",
	}}
}

// showInterchange tells what became of each message.
func showInterchange(w *columns, answer api.TakenInterchange) {
	for _, m := range answer.Messages {
		name := m.Number + ", message " + m.Reference
		switch {
		case len(m.Faults) > 0:
			w.field("declaration", name+" refused: errors of syntax")
			for _, f := range m.Faults {
				w.field("error", f.String())
			}
		case m.Problem != nil:
			alone := *m.Problem
			alone.Errors = nil
			w.field("declaration", name+" refused: "+alone.Error())
			findings(w, m.Problem.Errors)
		case m.Tested:
			w.field("declaration", name+" is a test; nothing was kept")
		case m.Declaration != nil:
			w.field("declaration", name+" is "+string(m.Declaration.State))
			for _, claim := range m.Declaration.Claims {
				w.field(fmt.Sprintf("claim %d", claim.Number), claimText(claim))
			}
		}
		if n := len(m.Skipped) + m.MoreSkipped; n > 0 {
			w.field("skipped", count(n, "segment"))
		}
	}
}
