// Command gencodes makes the code tables of package eco out of the genericode files that come with UBL 2.4. Of them it keeps
// the codes and short names, one line each, sorted by code; the files themselves are not part of this project.
//
//	go run ./internal/gencodes FOLDER-OF-GENERICODE-FILES FOLDER-OF-TABLES
//
// What was published after them is in amend.go.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gencodes FOLDER-OF-GENERICODE-FILES FOLDER-OF-TABLES")
		return 2
	}
	made, err := tables(args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for name, text := range made {
		if err := os.WriteFile(filepath.Join(args[1], name), []byte(text), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return 0
}
