package main

import (
	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
)

func (c *cli) apiCommand() *cobra.Command {
	return group("api", "The API of a node", c.apiOpenAPI())
}

func (c *cli) apiOpenAPI() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "openapi --out FILE", Short: "Write the OpenAPI document of the API",
		Long: "Write the document of this program's API, OpenAPI 3.0 in JSON: for generators of clients, tests and pages. A node of the same release\n" +
			"serves it at /api/v1/openapi.json; none is asked here.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := requireFlags(cmd, "out"); err != nil {
				return err
			}
			text, err := api.OpenAPI()
			if err != nil {
				return err
			}
			return c.writeFile(out, text)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "`file` to write; - for standard output")
	return cmd
}
