package docs_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/clearance"
)

// cusdec.md has a row that begins with each member of the answer to an interchange; those of a declaration and of a problem stand in api.md.
func TestInterchangeReferenceTellsOfEveryMember(t *testing.T) {
	text := section(t, read(t, "cusdec.md"), "## The request")
	elsewhere := append(structs(reflect.TypeFor[clearance.Lodgement](), nil), structs(reflect.TypeFor[api.Problem](), nil)...)
	for _, typ := range structs(reflect.TypeFor[api.TakenInterchange](), elsewhere) {
		for _, name := range jsonNames(typ) {
			if !strings.Contains(text, "`"+name+"`") {
				t.Errorf("%s: cusdec.md does not tell of member %s", typ, name)
			}
		}
	}
}
