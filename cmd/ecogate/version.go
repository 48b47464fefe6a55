package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version says which build this is. The fields are empty where the build does not tell.
type version struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
}

func (c *cli) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version",
		Args:  arguments(),
		RunE: func(*cobra.Command, []string) error {
			v := thisVersion()
			return c.print(v, func(w *columns) {
				w.row("ecogate", v.Version)
				w.field("revision", v.Revision)
				w.row("go", v.Go)
			})
		},
	}
}

// thisVersion reads what the Go toolchain wrote into the binary.
func thisVersion() version {
	v := version{Version: "(devel)", Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version = firstSet(info.Main.Version, v.Version)
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}
