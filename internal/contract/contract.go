// Package contract holds requests and answers of the API to its OpenAPI document: for tests of the API, and of whole nodes.
//
// Answers may gain members for the sake of clients that are older. A member that the document does not tell of is a mistake in it, though,
// so its schemas are closed here.
package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/ecogate/ecogate/api"
)

// Contract is the document, and what was seen of its operations. It is safe for concurrent use.
type Contract struct {
	operations []operation
	problem    *openapi3.Schema // whatever its code

	mu   sync.Mutex
	seen map[string]ends // by the id of the operation
}

// ends are how an operation has ended.
type ends struct{ well, badly bool }

// operation is one of the document with the paths that are its own.
type operation struct {
	routers.Route
	path    *regexp.Regexp
	literal int // octets of the path that are no parameters
}

// Load reads the document of package api.
func Load() (*Contract, error) {
	text, err := api.OpenAPI()
	if err != nil {
		return nil, err
	}
	document, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, fmt.Errorf("OpenAPI document: %w", err)
	}
	closed := false
	for _, schema := range document.Components.Schemas {
		if s := schema.Value; s.Properties != nil && s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil {
			s.AdditionalProperties.Has = &closed
		}
	}
	c := &Contract{problem: document.Components.Schemas["Problem"].Value, seen: make(map[string]ends)}
	for path, item := range document.Paths.Map() {
		for method, o := range item.Operations() {
			route := routers.Route{Spec: document, Path: path, PathItem: item, Method: method, Operation: o}
			c.operations = append(c.operations, operation{route, pattern(path, o), len(parameter.ReplaceAllString(path, ""))})
		}
	}
	return c, nil
}

var parameter = regexp.MustCompile(`\{\w+\}`)

// pattern matches the paths of an operation, with a group for each parameter.
func pattern(path string, o *openapi3.Operation) *regexp.Regexp {
	text := regexp.QuoteMeta(path)
	for _, p := range o.Parameters {
		piece := `[^/]+`
		if p.Value.Extensions["x-takes-slashes"] != nil {
			piece = `.+`
		}
		text = strings.Replace(text, regexp.QuoteMeta("{"+p.Value.Name+"}"), "(?P<"+p.Value.Name+">"+piece+")", 1)
	}
	return regexp.MustCompile("^" + text + "$")
}

// find is the operation that a request is for, and its parameters in the path. Of several it is the one whose path says most.
func (c *Contract) find(r *http.Request) (found *operation, parameters map[string]string) {
	for i, o := range c.operations {
		values := o.path.FindStringSubmatch(r.URL.EscapedPath())
		if values == nil || o.Method != r.Method || found != nil && found.literal >= o.literal {
			continue
		}
		found, parameters = &c.operations[i], make(map[string]string)
		for n, name := range o.path.SubexpNames() {
			if name != "" {
				parameters[name], _ = url.PathUnescape(values[n])
			}
		}
	}
	return found, parameters
}

// Hold gives the handler of an API whose answers are compared with the document, and so are the requests that it takes. What differs is
// told before the request ends.
func (c *Contract) Hold(handler http.Handler, tell func(error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := r.Clone(r.Context()) // routers change a request
		body := &tee{ReadCloser: r.Body, isJSON: isJSON(r.Header.Get("Content-Type"))}
		answer := &recording{ResponseWriter: w, status: http.StatusOK}
		r.Body = body
		handler.ServeHTTP(answer, r)
		if answer.err != nil {
			return // nobody heard it to its end
		}
		if err := c.judge(asked, body, answer); err != nil {
			tell(fmt.Errorf("%s %s answered %d %s\nagainst the OpenAPI document: %w", asked.Method, asked.URL, answer.status, answer.copy.Bytes(), err))
		}
	})
}

// judge compares a request and its answer with the document.
func (c *Contract) judge(r *http.Request, body *tee, a *recording) error {
	o, parameters := c.find(r)
	if o == nil {
		return c.judgeStray(a)
	}
	c.note(o.Operation.OperationID, a)
	input := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: parameters, Route: &o.Route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true},
	}
	if err := judgeAnswer(input, a); err != nil || a.status >= http.StatusBadRequest {
		return err
	}
	if err := judgeTaken(input, body); err != nil {
		return fmt.Errorf("the request was taken: %w", err)
	}
	return nil
}

// judgeAnswer compares an answer with what its operation has.
func judgeAnswer(input *openapi3filter.RequestValidationInput, a *recording) error {
	response := input.Route.Operation.Responses.Value(strconv.Itoa(a.status))
	if response == nil {
		return fmt.Errorf("the operation %s has no status %d", input.Route.Operation.OperationID, a.status)
	}
	readable, err := mediaType(response.Value.Content, a.Header())
	if err != nil {
		return err
	}
	options := *input.Options
	options.ExcludeResponseBody = !readable
	if err := openapi3filter.ValidateResponse(input.Request.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: a.status, Header: a.Header(), Body: io.NopCloser(bytes.NewReader(a.copy.Bytes())), Options: &options,
	}); err != nil {
		return err
	}
	if codes, ofProblems := response.Value.Extensions["x-codes"].([]any); ofProblems && !slices.Contains(codes, any(string(a.code()))) {
		return fmt.Errorf("the code %q is none of %q", a.code(), codes)
	}
	if response.Value.Headers[api.HeaderCorrelationID] != nil && a.Header().Get(api.HeaderCorrelationID) == "" {
		return fmt.Errorf("the answer has no field %s", api.HeaderCorrelationID)
	}
	return nil
}

// judgeTaken compares a request that was taken with what its operation takes.
func judgeTaken(input *openapi3filter.RequestValidationInput, body *tee) error {
	o := input.Route.Operation
	readable := false
	switch {
	case body.size > 0 && o.RequestBody == nil:
		return errors.New("there is no body in the document")
	case body.size > 0:
		var err error
		if readable, err = mediaType(o.RequestBody.Value.Content, input.Request.Header); err != nil {
			return err
		}
	case o.RequestBody != nil && o.RequestBody.Value.Required:
		return errors.New("it has no body")
	}
	for name := range input.GetQueryParams() {
		if o.Parameters.GetByInAndName(openapi3.ParameterInQuery, name) == nil && o.Extensions["x-ignores-parameters"] == nil {
			return fmt.Errorf("there is no parameter %s in the document", name)
		}
	}
	input.Options.ExcludeRequestBody = !readable
	input.Request.Body = io.NopCloser(bytes.NewReader(body.copy.Bytes()))
	return openapi3filter.ValidateRequest(input.Request.Context(), input)
}

// judgeStray judges the answer to what is no operation: a problem that says so.
func (c *Contract) judgeStray(a *recording) error {
	var value any
	if err := json.Unmarshal(a.copy.Bytes(), &value); err != nil {
		return fmt.Errorf("the request is for no operation: %w", err)
	}
	if err := c.problem.VisitJSON(value); err != nil {
		return fmt.Errorf("the request is for no operation: %w", err)
	}
	if code := a.code(); !slices.Contains([]api.Code{api.CodeNoPath, api.CodeMethod, api.CodeUnauthenticated, api.CodeNotFound}, code) {
		return fmt.Errorf("the request is for no operation, and was answered with %s", code)
	}
	return nil
}

// note keeps how an operation ended. That the caller is not let in is true of all, and no end of this one.
func (c *Contract) note(id string, a *recording) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.seen[id]
	e.well = e.well || a.status < http.StatusBadRequest
	e.badly = e.badly || a.status >= http.StatusBadRequest && !slices.Contains([]api.Code{api.CodeUnauthenticated, api.CodeForbidden}, a.code())
	c.seen[id] = e
}

// Unseen are the operations that have not ended well in any request so far, and those that have not ended in a problem and could.
func (c *Contract) Unseen() (lines []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.operations {
		id := o.Operation.OperationID
		if !c.seen[id].well {
			lines = append(lines, fmt.Sprintf("%s %s (%s) has not succeeded", o.Method, o.Path, id))
		}
		fails := slices.ContainsFunc(o.Operation.Responses.Keys(), func(status string) bool {
			return status >= "400" && !slices.Contains([]string{"401", "403", "416"}, status)
		})
		if fails && !c.seen[id].badly {
			lines = append(lines, fmt.Sprintf("%s %s (%s) has not failed", o.Method, o.Path, id))
		}
	}
	slices.Sort(lines)
	return lines
}

// mediaType tells whether a body is JSON with a schema, and refuses one that has no place in the content.
func mediaType(content openapi3.Content, header http.Header) (readable bool, err error) {
	given := header.Get("Content-Type")
	switch {
	case len(content) == 0 && given == "":
		return false, nil
	case len(content) == 0:
		return false, fmt.Errorf("media type %q where the document has no body", given)
	}
	parsed, _, err := mime.ParseMediaType(given) // in lower case
	known := slices.ContainsFunc(slices.Collect(maps.Keys(content)), func(name string) bool { return strings.EqualFold(name, parsed) })
	switch {
	case known && err == nil:
		return isJSON(parsed), nil
	case content["*/*"] != nil:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("media type %q: %w", given, err)
	}
	return false, fmt.Errorf("media type %q is none of %q", given, slices.Sorted(maps.Keys(content)))
}

func isJSON(mediaType string) bool {
	base, _, _ := strings.Cut(mediaType, ";")
	return base == "application/json" || strings.HasSuffix(base, "+json")
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
	err    error // of writing
}

func (r *recording) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recording) Write(p []byte) (int, error) {
	if isJSON(r.Header().Get("Content-Type")) {
		r.copy.Write(p)
	}
	n, err := r.ResponseWriter.Write(p)
	if err != nil {
		r.err = err
	}
	return n, err
}

// Unwrap gives http.ResponseController the connection.
func (r *recording) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// code is the code of a problem.
func (r *recording) code() api.Code {
	var p api.Problem
	_ = json.Unmarshal(r.copy.Bytes(), &p) // what is no problem has none
	return p.Code
}
