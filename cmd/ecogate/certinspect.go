package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/partners"
)

// inspected is what "cert inspect --json" tells.
type inspected struct {
	Items []keyItem `json:"items"`
	// Unusable says what this program cannot use of them.
	Unusable []string `json:"unusable"`
}

func (c *cli) certInspect() *cobra.Command {
	var passphraseFile string
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Show the credentials in a file, and what of them cannot be used here",
		Long: "Show what \"key show\" shows of a file: subject, issuer, validity, uses, names and digests of each credential. Beside it say in plain words which\n" +
			"curves, keys, signatures and extensions of national PKIs in it this program cannot use; with any the exit code is 4. Whether a\n" +
			"partner's credential is trusted is for \"cert check\" to say. No node and no configuration are needed; - reads standard input.",
		Args: arguments("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			passphrase, err := readPassphrase(passphraseFile)
			if err != nil {
				return err
			}
			data, err := c.readKeyFile(args[0])
			if err != nil {
				return err
			}
			answer := inspected{Items: []keyItem{}, Unusable: append([]string{}, partners.Explain(data)...)}
			items, err := keyItems(data, passphrase)
			if err != nil && len(answer.Unusable) == 0 {
				return keyError(inputName(args[0]), err)
			}
			answer.Items = append(answer.Items, items...)
			if err := c.print(answer, func(w *columns) {
				for _, item := range answer.Items {
					w.row(item.Kind)
					item.fields(w)
				}
				for _, words := range answer.Unusable {
					w.row("unusable: " + shown(words))
				}
			}); err != nil {
				return err
			}
			if len(answer.Unusable) > 0 {
				return &refused{fmt.Errorf("%s holds what cannot be used", inputName(args[0]))}
			}
			return nil
		},
	}
	passphraseFlag(cmd, &passphraseFile, "`file` with the passphrase of PKCS #12")
	return cmd
}
