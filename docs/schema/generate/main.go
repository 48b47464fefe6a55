// Command generate writes the JSON Schema of a certificate from the Go types of package eco: their fields by reflection, the
// descriptions from the comments in the source. See package schema.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	source := flag.String("eco", "", "`folder` with the source of package eco")
	out := flag.String("out", "", "`file` to write")
	flag.Parse()
	text, err := generate(*source)
	if err == nil {
		err = os.WriteFile(*out, text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}
