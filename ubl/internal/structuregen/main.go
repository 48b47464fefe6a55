// Command structuregen writes the tables of package ubl's own structural check from the OASIS schemas of one UBL version:
//
//	structuregen VERSION SCHEMA-FOLDER OUTPUT-FILE
//
// SCHEMA-FOLDER is the folder of that version with maindoc and common below it, as OASIS publishes it. The tables hold
// what the schemas say of names, order, cardinality, types and attributes, as far as the main documents reach, and none of their text.
package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: structuregen VERSION SCHEMA-FOLDER OUTPUT-FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "structuregen:", err)
		os.Exit(1)
	}
}

func run(version, folder, output string) error {
	set := newSet()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !wanted(entry.Name()) {
			return err
		}
		return set.read(path, filepath.Base(filepath.Dir(path)) == "maindoc")
	})
	if err != nil {
		return err
	}
	table, err := set.table(version)
	if err != nil {
		return err
	}
	return os.WriteFile(output, []byte(table), 0o644)
}

// wanted leaves out the schemas of XML signatures and XAdES: package signing reads those, and more strictly.
func wanted(name string) bool {
	lower := strings.ToLower(name)
	return strings.HasSuffix(lower, ".xsd") && !strings.Contains(lower, "xades") && !strings.Contains(lower, "xmldsig")
}
