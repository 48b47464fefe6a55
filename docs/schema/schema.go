// Package schema holds the published JSON Schema of a certificate's JSON form. The file beside this one is made from the Go types of
// package eco and their comments; "go generate ./docs/schema" makes it anew.
package schema

import _ "embed"

//go:generate go run ./generate -eco ../../eco -out certificate.schema.json

// MediaType is the media type of a JSON Schema (draft-bhutton-json-schema §14.1).
const MediaType = "application/schema+json"

// Certificate is the JSON Schema, draft 2020-12, of eco.Certificate.
//
//go:embed certificate.schema.json
var Certificate []byte
