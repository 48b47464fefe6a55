// Package certificates holds the sample certificates of origin in their JSON form, for the demonstration, the benchmark and tests.
package certificates

import "embed"

// JSON holds the samples, one file each.
//
//go:embed *.json
var JSON embed.FS
