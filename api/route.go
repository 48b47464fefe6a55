package api

import (
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// route is a row of the table that both the router and the OpenAPI document are made of.
type route struct {
	method string
	// path is as in the document. The parameter {reference} takes slashes too: what follows it is looked for at the end of the request's path.
	path string
	// roles are who may use it; nil is anybody, without a key.
	roles  []Role
	handle echo.HandlerFunc
	// absent: this node is without the part of the program that the route asks, as is the one that the document is made of. The route is
	// documented, with CodeNoPath, and not mounted.
	absent bool
	operation
}

// operation is what the document says of a route.
type operation struct {
	// id is unique, for the names in generated clients.
	id, tag, summary string
	parameters       []parameter
	takes            []body
	// bodyOptional: the request may come without a body.
	bodyOptional bool
	answers      []answer
	// problems are those that the route has beside the ones that follow from its other fields; see route.codes.
	problems []Code
	// lax: query parameters that are unknown are ignored; otherwise they are CodeParameter.
	lax bool
}

// parameter of a request. Those of the path are required.
type parameter struct {
	in, name, about string
	required        bool
	of              reflect.Type
	// least and most bound a number; 0 for none.
	least, most uint64
}

// The places of a parameter.
const (
	inPath   = "path"
	inQuery  = "query"
	inHeader = "header"
)

// body is one form in which a request's body may come; without a type it is octets. A multipart body has named parts.
type body struct {
	media string
	of    reflect.Type
	parts []formPart
}

// formPart is a part of a multipart/form-data body; without a type it is octets. Several may have the name of one that is a list.
type formPart struct {
	name string
	of   reflect.Type
	list bool
}

// answer is one form of a successful answer; without a media type it has no body, without a type its body is octets.
type answer struct {
	status  int
	about   string
	media   string
	of      reflect.Type
	headers []string
}

func pathText(name, about string) parameter {
	return parameter{in: inPath, name: name, about: about, required: true, of: reflect.TypeFor[string]()}
}

func pathNumber(name, about string) parameter {
	return parameter{in: inPath, name: name, about: about, required: true, of: reflect.TypeFor[uint64](), least: 1}
}

func pathOf[T any](name, about string) parameter {
	return parameter{in: inPath, name: name, about: about, required: true, of: reflect.TypeFor[T]()}
}

// query is an optional query parameter with values of a type.
func query[T any](name, about string) parameter {
	return parameter{in: inQuery, name: name, about: about, of: reflect.TypeFor[T]()}
}

func queryNumber(name, about string, least, most uint64) parameter {
	return parameter{in: inQuery, name: name, about: about, of: reflect.TypeFor[uint64](), least: least, most: most}
}

func header(name, about string) parameter {
	return parameter{in: inHeader, name: name, about: about, of: reflect.TypeFor[string]()}
}

func (p parameter) needed() parameter {
	p.required = true
	return p
}

// takesJSON is a JSON body of a type.
func takesJSON[T any]() []body {
	return []body{{media: echo.MIMEApplicationJSON, of: reflect.TypeFor[T]()}}
}

func answersJSON[T any](status int, about string, headers ...string) answer {
	return answer{status: status, about: about, media: echo.MIMEApplicationJSON, of: reflect.TypeFor[T](), headers: headers}
}

// downloads are the answers of a path that hands out octets, as serveContent gives them.
func downloads(media, about string, headers ...string) []answer {
	headers = append([]string{"ETag"}, headers...)
	return []answer{
		{status: http.StatusOK, about: about, media: media, headers: headers},
		{status: http.StatusPartialContent, about: "The octets that Range asked for.", media: "*/*", headers: headers},
		{status: http.StatusNotModified, about: "The octets have the entity tag of If-None-Match.", headers: headers},
		{status: http.StatusRequestedRangeNotSatisfiable, about: "There are no octets in this range.", media: echo.MIMETextPlain},
	}
}

// downloadHeaders are the request fields that a download listens to.
func downloadHeaders() []parameter {
	return []parameter{
		header("If-None-Match", "Entity tag of what the caller has (RFC 9110 §13.1.2)."),
		header("Range", "The octets that are wanted (RFC 9110 §14.2)."),
	}
}

// timeoutParameter is that of the paths that wait for a partner.
func timeoutParameter() parameter {
	return queryNumber("timeout", "Seconds for which the partner's answer is waited for.", 1, maxWait)
}

// codes are the problems that the route may answer, its own and those that follow from what it is.
func (r route) codes() []Code {
	codes := slices.Clone(r.problems)
	if r.roles == nil {
		return codes
	}
	codes = append(codes, CodeUnauthenticated, CodeParameter, CodeUnavailable, CodeTimedOut, CodeInternal)
	if len(r.roles) < len(Roles()) {
		codes = append(codes, CodeForbidden)
	}
	if r.absent {
		codes = append(codes, CodeNoPath)
	}
	if len(r.takes) > 0 {
		codes = append(codes, CodeMalformed, CodeTooLarge, CodeTooSlow, CodeMediaType)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// rest is the path parameter that takes slashes.
const rest = "{reference}"

var pathParameter = regexp.MustCompile(`\{(\w+)\}`)

// pattern is the route's path for the router, and what the end of a request's path has to be beside.
func (r route) pattern() (pattern, tail string) {
	path, tail, found := strings.Cut(r.path, rest)
	if found {
		path += "*"
	}
	return pathParameter.ReplaceAllString(path, ":$1"), tail
}

// mount gives the routes of a table to the router.
func (s *server) mount(e *echo.Echo, table []route) {
	type place struct{ method, pattern string }
	branches := make(map[place][]branch)
	for _, r := range table {
		if r.absent {
			continue
		}
		pattern, tail := r.pattern()
		handle := r.handle
		if r.roles != nil {
			handle = s.allow(r.roles...)(handle)
		}
		at := place{r.method, pattern}
		if branches[at] = append(branches[at], branch{tail, handle}); len(branches[at]) == 1 {
			e.Add(r.method, pattern, func(c echo.Context) error { return takeBranch(c, branches[at]) })
		}
	}
}

// branch is what the router cannot tell apart: one of the routes that have the same path up to a parameter which takes slashes.
type branch struct {
	tail   string
	handle echo.HandlerFunc
}

// takeBranch goes on with the branch that has the longest tail with which the path ends.
func takeBranch(c echo.Context, branches []branch) error {
	best := -1
	for i, b := range branches {
		if strings.HasSuffix(c.Param("*"), b.tail) && (best < 0 || len(b.tail) > len(branches[best].tail)) {
			best = i
		}
	}
	if best < 0 {
		return problem(CodeNoPath, "")
	}
	return branches[best].handle(c)
}
