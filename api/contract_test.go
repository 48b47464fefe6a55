package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/ecogate/ecogate/api"
)

// contract is the OpenAPI document, by which every request and answer of the tests is judged. Answers may gain members for the sake of
// clients that are older; a member that the document does not tell of is a mistake of it, so that its schemas are closed here.
type contract struct {
	spec   *openapi3.T
	routes []contractRoute
	open   *openapi3.Schema // of problems, whatever their code

	mu   sync.Mutex
	seen map[string]seen // by the id of the operation
}

// seen is how an operation has ended in any test.
type seen struct{ well, badly bool }

// contractRoute is an operation with the paths that are its own.
type contractRoute struct {
	routers.Route
	pattern *regexp.Regexp
	literal int // octets of the path that are no parameters
}

var theContract = sync.OnceValues(func() (*contract, error) {
	text, err := api.OpenAPI()
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		return nil, err
	}
	for _, schema := range tree["components"].(map[string]any)["schemas"].(map[string]any) {
		object := schema.(map[string]any)
		if _, said := object["additionalProperties"]; object["properties"] != nil && !said {
			object["additionalProperties"] = false
		}
	}
	closed, err := json.Marshal(tree)
	if err != nil {
		return nil, err
	}
	c := &contract{seen: make(map[string]seen)}
	if c.spec, err = openapi3.NewLoader().LoadFromData(closed); err != nil {
		return nil, err
	}
	c.open = c.spec.Components.Schemas["Problem"].Value
	for path, item := range c.spec.Paths.Map() {
		for method, operation := range item.Operations() {
			r := contractRoute{Route: routers.Route{Spec: c.spec, Path: path, PathItem: item, Method: method, Operation: operation}}
			pattern := path
			for _, p := range operation.Parameters {
				piece := `([^/]+)`
				if p.Value.Extensions["x-takes-slashes"] != nil {
					piece = `(.+)`
				}
				pattern = strings.Replace(pattern, "{"+p.Value.Name+"}", "(?P<"+p.Value.Name+">"+piece[1:], 1)
			}
			r.pattern = regexp.MustCompile("^" + pattern + "$")
			r.literal = len(regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, ""))
			c.routes = append(c.routes, r)
		}
	}
	return c, nil
})

// route is the operation that a request is for: of several the one whose path says most.
func (c *contract) route(r *http.Request) (found *contractRoute, parameters map[string]string) {
	for i, candidate := range c.routes {
		values := candidate.pattern.FindStringSubmatch(r.URL.EscapedPath())
		if values == nil || candidate.Method != r.Method || found != nil && found.literal >= candidate.literal {
			continue
		}
		found, parameters = &c.routes[i], make(map[string]string)
		for n, name := range candidate.pattern.SubexpNames() {
			if name != "" {
				parameters[name], _ = url.PathUnescape(values[n])
			}
		}
	}
	return found, parameters
}

// held is a handler whose answers have to be as the document says, and the requests too that it took.
func held(t testing.TB, handler http.Handler) http.Handler {
	t.Helper()
	c, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := r.Clone(r.Context()) // routers change a request
		request, answer := &tee{ReadCloser: r.Body, isJSON: tellsJSON(r.Header.Get("Content-Type"))}, &recording{ResponseWriter: w, status: http.StatusOK}
		r.Body = request
		handler.ServeHTTP(answer, r)
		if err := c.judge(asked, request, answer, true); err != nil {
			t.Errorf("%s %s answered %d %s\nagainst the OpenAPI document: %v", asked.Method, asked.URL, answer.status, answer.copy.Bytes(), err)
		}
	})
}

// judge holds one request and its answer to the document. Noted ones are of tests of the API.
func (c *contract) judge(r *http.Request, body *tee, a *recording, noted bool) error {
	route, parameters := c.route(r)
	if route == nil {
		return c.judgeStray(a)
	}
	if noted {
		c.note(route.Operation.OperationID, a)
	}
	request := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: parameters, Route: &route.Route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true},
	}
	response := route.Operation.Responses.Value(strconv.Itoa(a.status))
	if response == nil {
		return fmt.Errorf("the operation %s has no status %d", route.Operation.OperationID, a.status)
	}
	isJSON, err := mediaType(response.Value.Content, a.Header())
	if err != nil {
		return err
	}
	request.Options.ExcludeResponseBody = !isJSON
	if err := openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: request, Status: a.status, Header: a.Header(), Body: io.NopCloser(bytes.NewReader(a.copy.Bytes())), Options: request.Options,
	}); err != nil {
		return err
	}
	for name := range response.Value.Headers {
		if name == api.HeaderCorrelationID && a.Header().Get(name) == "" {
			return fmt.Errorf("the answer has no field %s", name)
		}
	}
	if a.status >= http.StatusBadRequest {
		return nil
	}
	return c.judgeTaken(request, body)
}

// judgeTaken holds a request that was taken to the document.
func (c *contract) judgeTaken(request *openapi3filter.RequestValidationInput, body *tee) error {
	request.Request.Body = io.NopCloser(bytes.NewReader(body.copy.Bytes()))
	request.Options.ExcludeRequestBody = true
	if takes := request.Route.Operation.RequestBody; takes != nil && body.size > 0 {
		isJSON, err := mediaType(takes.Value.Content, request.Request.Header)
		if err != nil {
			return fmt.Errorf("the request was taken: %w", err)
		}
		request.Options.ExcludeRequestBody = !isJSON
	} else if takes != nil && takes.Value.Required {
		return errors.New("a request without a body was taken")
	} else if body.size > 0 && takes == nil {
		return errors.New("a request with a body was taken")
	}
	for name := range request.GetQueryParams() {
		if request.Route.Operation.Parameters.GetByInAndName("query", name) == nil && !ignoresParameters[request.Route.Operation.OperationID] {
			return fmt.Errorf("a request with the parameter %s was taken", name)
		}
	}
	if err := openapi3filter.ValidateRequest(request.Request.Context(), request); err != nil {
		return fmt.Errorf("the request was taken: %w", err)
	}
	return nil
}

// ignoresParameters are the operations that ignore query parameters which they do not know, as docs/api.md says.
var ignoresParameters = map[string]bool{"lookUpCertificates": true, "printCertificate": true}

// judgeStray judges the answer to what is no operation: a problem that says so.
func (c *contract) judgeStray(a *recording) error {
	var value any
	if err := json.Unmarshal(a.copy.Bytes(), &value); err != nil {
		return fmt.Errorf("the request is for no operation: %w", err)
	}
	if err := c.open.VisitJSON(value); err != nil {
		return fmt.Errorf("the request is for no operation: %w", err)
	}
	if code := a.code(); !slices.Contains([]api.Code{api.CodeNoPath, api.CodeMethod, api.CodeUnauthenticated, api.CodeNotFound}, code) {
		return fmt.Errorf("the request is for no operation, and was answered with %s", code)
	}
	return nil
}

// note keeps how an operation ended. That the caller is not let in is true of all, and no end of this one.
func (c *contract) note(id string, a *recording) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.seen[id]
	s.well = s.well || a.status < http.StatusBadRequest
	s.badly = s.badly || a.status >= http.StatusBadRequest && !slices.Contains([]api.Code{api.CodeUnauthenticated, api.CodeForbidden}, a.code())
	c.seen[id] = s
}

// unseen are the operations that no test has seen end well, and those that no test has seen end in a problem.
func (c *contract) unseen() (lines []string) {
	for _, r := range c.routes {
		id := r.Operation.OperationID
		if !c.seen[id].well {
			lines = append(lines, fmt.Sprintf("no test has %s %s (%s) succeed", r.Method, r.Path, id))
		}
		fails := false
		for _, status := range r.Operation.Responses.Keys() {
			fails = fails || status >= "400" && status != "401" && status != "403" && status != "416"
		}
		if fails && !c.seen[id].badly {
			lines = append(lines, fmt.Sprintf("no test has %s %s (%s) fail", r.Method, r.Path, id))
		}
	}
	slices.Sort(lines)
	return lines
}

// mediaType tells whether a body is JSON, and refuses one that has no place in the content.
func mediaType(content openapi3.Content, header http.Header) (isJSON bool, err error) {
	given := header.Get("Content-Type")
	switch {
	case len(content) == 0 && given == "":
		return false, nil
	case len(content) == 0:
		return false, fmt.Errorf("media type %q where the document has no body", given)
	}
	parsed, _, err := mime.ParseMediaType(given)
	if err != nil && content["*/*"] == nil {
		return false, fmt.Errorf("media type %q: %w", given, err)
	}
	if content[parsed] == nil && content["*/*"] == nil {
		return false, fmt.Errorf("media type %q is none of %q", given, slices.Sorted(maps.Keys(content)))
	}
	return content[parsed] != nil && tellsJSON(parsed), nil
}

// tee keeps what was read of a request's body, if it is JSON, and how much was.
type tee struct {
	io.ReadCloser
	isJSON bool
	copy   bytes.Buffer
	size   int
}

func (b *tee) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.size += n
	if b.isJSON {
		b.copy.Write(p[:n])
	}
	return n, err
}

// recording keeps what was written as an answer, if it is JSON.
type recording struct {
	http.ResponseWriter
	status int
	copy   bytes.Buffer
}

func (r *recording) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recording) Write(p []byte) (int, error) {
	if tellsJSON(r.Header().Get("Content-Type")) {
		r.copy.Write(p)
	}
	return r.ResponseWriter.Write(p)
}

func tellsJSON(mediaType string) bool {
	base, _, _ := strings.Cut(mediaType, ";")
	return base == "application/json" || strings.HasSuffix(base, "+json")
}

// Unwrap gives http.ResponseController the connection.
func (r *recording) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// code is the code of a problem.
func (r *recording) code() api.Code {
	var p api.Problem
	_ = json.Unmarshal(r.copy.Bytes(), &p) // what is no problem has none
	return p.Code
}

func TestMain(m *testing.M) {
	code := m.Run()
	whole := true // every test ran
	for _, name := range []string{"test.run", "test.skip", "test.fuzz", "test.list", "test.bench"} {
		whole = whole && flag.Lookup(name).Value.String() == ""
	}
	if c, err := theContract(); code == 0 && whole && err == nil {
		for _, line := range c.unseen() {
			fmt.Println(line)
			code = 1
		}
	}
	os.Exit(code)
}
