package api_test

import (
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/ecogate/ecogate/api"
)

func TestDocumentIsValid(t *testing.T) {
	text, err := api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	d, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
}
