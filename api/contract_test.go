package api_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"

	"github.com/ecogate/ecogate/internal/contract"
)

// theContract is what every request and answer of the tests is held to.
var theContract = sync.OnceValues(contract.Load)

// held is a handler whose answers have to be as the OpenAPI document says, and the requests too that it took.
func held(t testing.TB, handler http.Handler) http.Handler {
	t.Helper()
	c, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	return c.Hold(handler, func(err error) { t.Error(err) })
}

// TestMain fails if all tests ran and one of the operations was not seen to succeed, and to fail.
func TestMain(m *testing.M) {
	code := m.Run()
	whole := true
	for _, name := range []string{"test.run", "test.skip", "test.fuzz", "test.list", "test.bench"} {
		whole = whole && flag.Lookup(name).Value.String() == ""
	}
	if c, err := theContract(); code == 0 && whole && err == nil {
		for _, line := range c.Unseen() {
			fmt.Println("in no test:", line)
			code = 1
		}
	}
	os.Exit(code)
}
