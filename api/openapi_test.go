package api_test

import (
	"bytes"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
)

// secretOf has a key of each role.
var secretOf = map[api.Role]string{
	api.RoleIssuer: issuerSecret, api.RoleBroker: brokerSecret, api.RoleImporter: importerSecret, api.RoleOfficer: officerSecret,
	api.RoleOperator: operatorSecret, api.RoleCustoms: customsSecret,
}

func documented(t *testing.T) *openapi3.T {
	t.Helper()
	text, err := api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	document, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func TestDocumentIsValid(t *testing.T) {
	document := documented(t)
	if err := document.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	ids := make(map[string]bool)
	for path, item := range document.Paths.Map() {
		for method, o := range item.Operations() {
			if o.OperationID == "" || ids[o.OperationID] || o.Summary == "" || len(o.Tags) != 1 || document.Tags.Get(o.Tags[0]) == nil {
				t.Errorf("%s %s: id %q, which has to be its own, summary %q, tags %q", method, path, o.OperationID, o.Summary, o.Tags)
			}
			ids[o.OperationID] = true
			for _, p := range o.Parameters {
				if p.Value.Description == "" {
					t.Errorf("%s %s: nothing is said of parameter %s", method, path, p.Value.Name)
				}
			}
		}
	}
}

func TestDocumentIsServed(t *testing.T) {
	f := serve(t, nil)
	want, err := api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	for role, secret := range secretOf {
		if got := f.request(secret, "GET", "/api/v1/openapi.json", ""); got.status != http.StatusOK || !bytes.Equal(got.body, want) {
			t.Errorf("%s: status %d", role, got.status)
		}
	}
	tag := f.request(brokerSecret, "GET", "/api/v1/openapi.json", "").header.Get("ETag")
	if got := f.request(brokerSecret, "GET", "/api/v1/openapi.json", "", "If-None-Match", tag); got.status != http.StatusNotModified || tag == "" {
		t.Errorf("with its entity tag %q: status %d", tag, got.status)
	}
	if got := f.request("", "GET", "/api/v1/openapi.json", ""); got.status != http.StatusUnauthorized {
		t.Errorf("without a key: status %d", got.status)
	}
}

// whole serves an API with every part of the program, and gives the handler itself too.
func whole(t *testing.T) (*fixture, *echo.Echo) {
	t.Helper()
	r := newRotating(t, func(c *partners.Config) {
		pki := pkitest.NewTest(t, pkitest.Options{Country: "LA", Organisation: "Customs"})
		_, key, chain := pki.IssueFiles("list", pkitest.Request{Name: "list", Use: pkitest.IssuerList})
		c.Node.Keys = append(c.Node.Keys, partners.KeyConfig{Uses: []partners.Use{partners.UseIssuerList}, KeyFile: key, ChainFile: chain})
	})
	return r.fixture, r.router
}

// Parts of the program that must not be asked: what is refused before them is what a test is about.
type (
	anySettler      interface{ api.Settler }
	anyHappenings   interface{ api.Happenings }
	anyDeclarations interface{ api.Declarations }
	anyDecisions    interface{ api.Decisions }
	anyDuties       interface{ api.Duties }
)

func partsThatAreThere(o *api.Options) {
	o.Settler, o.Happenings = struct{ anySettler }{}, struct{ anyHappenings }{}
	o.Declarations, o.Decisions, o.Duties = struct{ anyDeclarations }{}, struct{ anyDecisions }{}, struct{ anyDuties }{}
}

var routerParameter = regexp.MustCompile(`:(\w+)`)

func TestEveryRouteIsInTheDocumentAndEveryPathOfItIsRouted(t *testing.T) {
	_, router := whole(t)
	var routed, described []string
	for _, r := range router.Routes() {
		if r.Method == echo.RouteNotFound {
			continue
		}
		routed = append(routed, r.Method+" "+strings.Replace(routerParameter.ReplaceAllString(r.Path, "{$1}"), "*", "{reference}", 1))
	}
	for path, item := range documented(t).Paths.Map() {
		for method := range item.Operations() {
			head, _, rest := strings.Cut(path, "{reference}") // what follows is told apart after routing
			if rest {
				head += "{reference}"
			}
			described = append(described, method+" "+head)
		}
	}
	slices.Sort(routed)
	slices.Sort(described)
	if described = slices.Compact(described); !slices.Equal(routed, described) {
		t.Errorf("routed\n%s\nthe document has\n%s", strings.Join(routed, "\n"), strings.Join(described, "\n"))
	}
}

// sample is the path of an operation with something in the place of its parameters.
func sample(path string) string {
	return strings.NewReplacer("{reference}", "LA26/0101", "{kind}", "partners", "{step}", "retire", "{number}", "1", "{sha256}", strings.Repeat("ab", 32), "{id}", "TW").Replace(
		regexp.MustCompile(`\{(seq|n)\}`).ReplaceAllString(path, "1"))
}

// Each operation lets in the keys of the roles that the document gives it, and no others.
func TestRolesAreThoseOfTheDocument(t *testing.T) {
	f, _ := whole(t)
	for path, item := range documented(t).Paths.Map() {
		for method, o := range item.Operations() {
			allowed, restricted := o.Extensions["x-roles"].([]any)
			for _, role := range api.Roles() {
				got := f.request(secretOf[role], method, sample(path), "")
				if got.status == http.StatusUnauthorized {
					t.Errorf("%s %s does not know the key of %s", method, path, role)
				}
				forbidden := got.status == http.StatusForbidden && got.problem(t).Code == api.CodeForbidden
				if want := restricted && !slices.Contains(allowed, any(string(role))); forbidden != want {
					t.Errorf("%s %s for %s: forbidden is %v, in the document %v; answer %d %s", method, path, role, forbidden, want, got.status, got.body)
				}
			}
			if got := f.request("", method, sample(path), ""); (got.status == http.StatusUnauthorized) != restricted {
				t.Errorf("%s %s without a key: %d", method, path, got.status)
			}
		}
	}
}

// A parameter that an operation does not have is refused, so that a slip does not look like an answer.
func TestUnknownParametersAreRefused(t *testing.T) {
	f, _ := whole(t)
	for path, item := range documented(t).Paths.Map() {
		for method, o := range item.Operations() {
			roles, keyed := o.Extensions["x-roles"].([]any)
			if !keyed || o.Extensions["x-ignores-parameters"] != nil {
				continue
			}
			got := f.request(secretOf[api.Role(roles[0].(string))], method, sample(path)+"?no_such_parameter=1", "")
			if got.status < 400 || got.status >= 500 || method == "GET" && got.problem(t).Code != api.CodeParameter {
				t.Errorf("%s %s: %d %s", method, path, got.status, got.body)
			}
		}
	}
}

func TestPartsThatANodeIsWithoutHaveNoPath(t *testing.T) {
	f := serve(t, nil)
	for _, path := range []string{"/credentials", "/trials", "/issuer-list", "/registry/partners", "/proposals", "/node/keys"} {
		if got := f.request(operatorSecret, "GET", "/api/v1"+path, ""); got.problem(t).Code != api.CodeNoPath {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}

func TestListsOfAWholeNode(t *testing.T) {
	f, _ := whole(t)
	for path, want := range map[string]string{
		"/api/v1/issuer-list": `"signer_sha256"`, "/api/v1/issuer-list?cms=true&number=7&next_update=60": `"number":7`, "/api/v1/revocation": `"status":"good"`,
	} {
		if got := f.request(operatorSecret, "GET", path, ""); got.status != http.StatusOK || !strings.Contains(string(got.body), want) {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}

func TestDocumentLeavesAnswersOpen(t *testing.T) {
	document := documented(t)
	for _, name := range []string{"MessagePage", "Match", "Problem", "Health"} {
		if has := document.Components.Schemas[name].Value.AdditionalProperties.Has; has != nil && !*has {
			t.Errorf("%s is closed: clients of this release would refuse answers of the next", name)
		}
	}
}
