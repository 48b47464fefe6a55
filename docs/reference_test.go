package docs_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/handover"
	"github.com/ecogate/ecogate/clearance/notice"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners/issuerlist"
	"github.com/ecogate/ecogate/ubl"
)

// certificate.md has a section for each type of a certificate, whose table has a row for each member and no others.
func TestCertificateReferenceListsEveryMember(t *testing.T) {
	page := read(t, "certificate.md")
	for _, typ := range structs(reflect.TypeFor[eco.Certificate](), nil) {
		rows := members(section(t, page, "### "+typ.Name()))
		for _, name := range jsonNames(typ) {
			if !slices.Contains(rows, name) {
				t.Errorf("certificate.md, %s: no row for member %s", typ.Name(), name)
			}
			rows = slices.DeleteFunc(rows, func(row string) bool { return row == name })
		}
		if len(rows) > 0 {
			t.Errorf("certificate.md, %s: rows %v for no member", typ.Name(), rows)
		}
	}
}

func TestCertificateReferenceListsEveryFindingCode(t *testing.T) {
	text := section(t, read(t, "certificate.md"), "## Findings")
	codes := []string{ubl.CodeStructure}
	for name, value := range source(t, "../eco").constants {
		if strings.HasPrefix(name, "Code") {
			codes = append(codes, value)
		}
	}
	if len(codes) < 2 {
		t.Fatal("package eco has no finding codes")
	}
	for _, code := range codes {
		if !strings.Contains(text, "\n| `"+code+"` |") {
			t.Errorf("certificate.md, findings: no row for %s", code)
		}
	}
}

func TestExampleCertificateHasNoFindings(t *testing.T) {
	block := regexp.MustCompile("(?s)```json\n(.*?)```").FindStringSubmatch(section(t, read(t, "certificate.md"), "## Example"))
	if block == nil {
		t.Fatal("certificate.md, example: no JSON")
	}
	c, err := eco.Decode([]byte(block[1]))
	if err != nil {
		t.Fatal(err)
	}
	if findings := eco.Validate(c, eco.DefaultForms(), eco.Quirks{}, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)); len(findings) > 0 {
		t.Error(findings)
	}
}

// api.md has a heading for each route, and none for anything else.
func TestAPIReferenceHasEveryRoute(t *testing.T) {
	var headings []string
	for _, heading := range regexp.MustCompile(`(?m)^### ([A-Z]+ /.*)$`).FindAllStringSubmatch(read(t, "api.md"), -1) {
		headings = append(headings, heading[1])
	}
	var routes []string
	for path, item := range openAPI(t).Paths.Map() {
		for method := range item.Operations() {
			routes = append(routes, method+" "+path)
		}
	}
	for _, route := range slices.Sorted(slices.Values(routes)) {
		if !slices.Contains(headings, route) {
			t.Errorf("api.md has no heading ### %s", route)
		}
	}
	for _, heading := range headings {
		if !slices.Contains(routes, heading) {
			t.Errorf("api.md has a heading ### %s, which is no route", heading)
		}
	}
	if len(routes) == 0 {
		t.Error("the API has no routes")
	}
}

// openAPI is the document that package api makes of its table of routes.
func openAPI(t *testing.T) *openapi3.T {
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

// What api.md says below the heading of a route about roles is what the document says.
func TestAPIReferenceHasTheRolesOfEveryRoute(t *testing.T) {
	page := read(t, "api.md")
	for path, item := range openAPI(t).Paths.Map() {
		for method, operation := range item.Operations() {
			roles, restricted := operation.Extensions["x-roles"].([]any)
			if !restricted || !strings.Contains(page, "\n### "+method+" "+path+"\n") { // the test above tells of that
				continue
			}
			text := strings.TrimSpace(section(t, page, "### "+method+" "+path))
			var names []string
			for _, role := range roles {
				names = append(names, fmt.Sprint(role))
			}
			want := "Roles: " + strings.Join(names, ", ")
			switch {
			case len(names) == len(api.Roles()):
				want = "Roles: all"
			case len(names) == 1:
				want = "Role: " + names[0]
			}
			if end := strings.TrimPrefix(text, want); end == text || !strings.ContainsAny(end[:1], ".,;") {
				t.Errorf("api.md, %s %s: want it to begin with %q, found %.60q", method, path, want, text)
			}
		}
	}
}

func TestAPIReferenceHasEveryProblemWithItsStatus(t *testing.T) {
	text := section(t, read(t, "api.md"), "## Problems")
	s := source(t, "../api")
	statuses := s.problems(t)
	for name, code := range s.constants {
		if !strings.HasPrefix(name, "Code") {
			continue
		}
		if row := fmt.Sprintf("\n| `%s` | %d |", code, statuses[code]); !strings.Contains(text, row) {
			t.Errorf("api.md, problems: no row %s", strings.TrimSpace(row))
		}
		delete(statuses, code)
	}
	if len(statuses) > 0 {
		t.Errorf("problems without a constant: %v", statuses)
	}
	known := slices.Collect(maps.Values(s.constants))
	_, table, _ := strings.Cut(text, "\n| code | status |")
	for _, code := range members("| code |" + table) {
		if !slices.Contains(known, code) {
			t.Errorf("api.md, problems: package api has no code %s", code)
		}
	}
}

func TestAPIReferenceTellsOfEveryMember(t *testing.T) {
	page := read(t, "api.md")
	answers := []reflect.Type{
		reflect.TypeFor[api.Submission](), reflect.TypeFor[api.TakenFile](), reflect.TypeFor[api.Lookup](), reflect.TypeFor[api.MessagePage](),
		reflect.TypeFor[exchange.Message](), reflect.TypeFor[exchange.Part](), reflect.TypeFor[exchange.PartnerStatus](),
		reflect.TypeFor[exchange.Ping](), reflect.TypeFor[exchange.MessageStatus](), reflect.TypeFor[api.Problem](),
		reflect.TypeFor[api.TakenIssuerList](), reflect.TypeFor[issuerlist.Issuers](), reflect.TypeFor[api.Held](), reflect.TypeFor[api.ProposedChange](),
		reflect.TypeFor[api.RegistryChange](), reflect.TypeFor[api.RegistryDiff](),
		reflect.TypeFor[clearance.Lodgement](), reflect.TypeFor[clearance.DeclarationPage](), reflect.TypeFor[clearance.Duty](),
		reflect.TypeFor[api.Sent](), reflect.TypeFor[api.OpenVerification](), reflect.TypeFor[exchange.CertificateStatus](),
		reflect.TypeFor[exchange.HeldCredential](), reflect.TypeFor[api.AffectedPage](), reflect.TypeFor[api.CredentialCheck](),
		reflect.TypeFor[notice.SubscriptionRequest](), reflect.TypeFor[notice.Subscribed](), reflect.TypeFor[api.NoticePage](), reflect.TypeFor[api.TestedAddress](),
		reflect.TypeFor[exchange.Announced](), reflect.TypeFor[exchange.Taken](), reflect.TypeFor[exchange.Trial](),
		reflect.TypeFor[api.HandoverPage](), reflect.TypeFor[handover.Confirmation](),
	}
	for _, answer := range answers {
		for _, typ := range structs(answer, []reflect.Type{reflect.TypeFor[eco.Certificate]()}) {
			for _, name := range jsonNames(typ) {
				if !strings.Contains(page, "`"+name+"`") {
					t.Errorf("api.md does not tell of member %s of %s", name, typ)
				}
			}
		}
	}
}

func TestExamplesOfTheAPIReferenceAreJSON(t *testing.T) {
	for _, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(read(t, "api.md"), -1) {
		if !json.Valid([]byte(block[1])) {
			t.Errorf("not JSON: %s", block[1])
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// section is what stands under a heading, up to the next heading of its level or above.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	_, text, found := strings.Cut(page, "\n"+heading+"\n")
	if !found {
		t.Fatalf("no heading %q", heading)
	}
	level := strings.Index(heading, " ")
	if end := regexp.MustCompile(fmt.Sprintf(`(?m)^#{1,%d} `, level)).FindStringIndex(text); end != nil {
		text = text[:end[0]]
	}
	return text
}

// members are the quoted names in the first column of the first table of text.
func members(text string) (names []string) {
	inside := false
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			if inside {
				break
			}
			continue
		}
		inside = true
		if cell, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ := strings.Cut(cell, "`")
			names = append(names, name)
		}
	}
	return names
}

// structs are the types of ours that t's JSON form is made of, t first, each once and without those in seen.
func structs(t reflect.Type, seen []reflect.Type) []reflect.Type {
	start := len(seen)
	var visit func(t reflect.Type)
	visit = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			visit(t.Elem())
		case reflect.Struct:
			if len(jsonNames(t)) == 0 || slices.Contains(seen, t) {
				return
			}
			seen = append(seen, t)
			for i := range t.NumField() {
				visit(t.Field(i).Type)
			}
		}
	}
	visit(t)
	return seen[start:]
}

func jsonNames(t reflect.Type) (names []string) {
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// packageSource is a package as it is written, for what it does not export.
type packageSource struct {
	files     []*ast.File
	constants map[string]string // those that are strings
}

func source(t *testing.T, dir string) packageSource {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	s := packageSource{constants: make(map[string]string)}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		s.files = append(s.files, file)
	}
	s.inspect(func(n ast.Node) {
		if spec, ok := n.(*ast.ValueSpec); ok {
			for i, value := range spec.Values {
				if text, ok := s.text(value); ok {
					s.constants[spec.Names[i].Name] = text
				}
			}
		}
	})
	return s
}

func (s packageSource) inspect(visit func(ast.Node)) {
	for _, file := range s.files {
		ast.Inspect(file, func(n ast.Node) bool {
			visit(n)
			return true
		})
	}
}

// text is the value of a string expression: literals, constants of the package, and their sums.
func (s packageSource) text(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		value, err := strconv.Unquote(e.Value)
		return value, err == nil && e.Kind == token.STRING
	case *ast.Ident:
		value, ok := s.constants[e.Name]
		return value, ok
	case *ast.BinaryExpr:
		left, ok := s.text(e.X)
		right, also := s.text(e.Y)
		return left + right, ok && also
	}
	return "", false
}

// problems are the statuses of the problem codes: literals with the fields code and status.
func (s packageSource) problems(t *testing.T) map[string]int {
	t.Helper()
	numbers := make(map[string]int) // StatusNotFound: 404
	for n := range 600 {
		numbers["Status"+strings.NewReplacer(" ", "", "-", "", "'", "").Replace(http.StatusText(n))] = n
	}
	statuses := make(map[string]int)
	s.inspect(func(n ast.Node) {
		literal, ok := n.(*ast.CompositeLit)
		if !ok {
			return
		}
		fields := make(map[string]ast.Expr)
		for _, e := range literal.Elts {
			if pair, ok := e.(*ast.KeyValueExpr); ok {
				if name, ok := pair.Key.(*ast.Ident); ok {
					fields[name.Name] = pair.Value
				}
			}
		}
		code, ok := s.text(fields["code"])
		status, named := fields["status"].(*ast.SelectorExpr)
		if ok && named {
			statuses[code] = numbers[status.Sel.Name]
		}
	})
	if len(statuses) == 0 {
		t.Fatal("package api has no table of problems")
	}
	return statuses
}
