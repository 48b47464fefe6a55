package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/clearance/handover"
)

// OpenAPIVersion is that of the specification that the document follows. 3.0 is what generators of clients read everywhere.
const OpenAPIVersion = "3.0.3"

// The extensions of the document.
const (
	// extensionRoles has the roles of keys that an operation allows; it is not there where no key is asked for.
	extensionRoles = "x-roles"
	// extensionCodes has the codes of the problems with a status. They are no enum of a schema, so that every problem has one type.
	extensionCodes = "x-codes"
	// extensionLax marks the operations that ignore query parameters which they do not know; the others refuse them.
	extensionLax = "x-ignores-parameters"
	// extensionRest marks the path parameter that takes slashes as they are.
	extensionRest = "x-takes-slashes"
)

// securityScheme names how a caller shows his key.
const securityScheme = "key"

// OpenAPI is the document of this program's API in JSON: every path, what it takes and answers, who may use it, and its problems. It is
// the same at each call; the caller must not change it. It has the paths of all parts of the program, and a node that runs without one of
// them answers CodeNoPath there.
func OpenAPI() ([]byte, error) { return document() }

// drawn is the document before it is written.
func drawn() (*drawing, error) {
	d := new(drawing)
	var err error
	if d.schemas, err = newSchemas(); err != nil {
		return nil, err
	}
	return d, d.draw(slices.Concat(new(server).healthRoutes(), new(server).routes()))
}

var document = sync.OnceValues(func() ([]byte, error) {
	d, err := drawn()
	if err != nil {
		return nil, fmt.Errorf("api: OpenAPI document: %w", err)
	}
	text, err := json.Marshal(d.document)
	if err != nil {
		return nil, fmt.Errorf("api: OpenAPI document: %w", err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", " "); err != nil {
		return nil, fmt.Errorf("api: OpenAPI document: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
})

// openAPIRoutes is the path of the document itself. It tells nothing of this node, but strangers have no business here.
func (s *server) openAPIRoutes() []route {
	return []route{{
		method: http.MethodGet, path: base + "/openapi.json", roles: Roles(), handle: s.openAPI,
		operation: operation{
			id: "openAPI", tag: tagService, summary: "This document", parameters: downloadHeaders(),
			answers: append([]answer{{status: http.StatusOK, about: "The document, OpenAPI 3.0.", media: echo.MIMEApplicationJSON, of: reflect.TypeFor[json.RawMessage](), headers: []string{"ETag"}}},
				downloads(echo.MIMEApplicationJSON, "")[1:]...),
		},
	}}
}

// openAPI answers GET /openapi.json.
func (s *server) openAPI(c echo.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	s.serveContent(c, download{content: bytes.NewReader(s.described), mediaType: echo.MIMEApplicationJSON, name: "openapi.json", tag: s.describedTag})
	return nil
}

// drawing makes the document of a table of routes.
type drawing struct {
	document openapi3.T
	schemas  *schemas
}

// title and about are the document's head.
const (
	title = "ecogate"
	about = "Certificates of origin between customs administrations: the interface for the users of one administration's node.\n\n" +
		"Every path but the health paths wants a key as bearer token. A key has a role; `x-roles` says which roles an operation allows. " +
		"Errors are problems (RFC 9457); their member `code` says which. Answers may gain members. " +
		"The path parameter `reference` takes slashes as they are. A node that runs without a part of the program answers `no_such_path` on its paths."
)

// version is that of the API, the last part of base.
const version = "1"

func (d *drawing) draw(table []route) error {
	d.document = openapi3.T{
		OpenAPI: OpenAPIVersion,
		Info:    &openapi3.Info{Title: title, Description: about, Version: version},
		Servers: openapi3.Servers{{URL: "/", Description: "The listener for users, `listeners.api` of the configuration"}},
		Tags:    tags,
		Paths:   openapi3.NewPaths(),
		Components: &openapi3.Components{
			Schemas: d.schemas.components, Responses: make(openapi3.ResponseBodies), Headers: make(openapi3.Headers),
			SecuritySchemes: openapi3.SecuritySchemes{securityScheme: {Value: openapi3.NewSecurityScheme().WithType("http").WithScheme("bearer").
				WithDescription("A key of `api_keys` in the node's configuration.")}},
		},
		Security: openapi3.SecurityRequirements{{securityScheme: []string{}}},
	}
	for name, about := range answerHeaders {
		d.document.Components.Headers[name] = &openapi3.HeaderRef{Value: &openapi3.Header{Parameter: openapi3.Parameter{Description: about, Schema: openapi3.NewStringSchema().NewRef()}}}
	}
	for _, r := range table {
		operation, err := d.operation(r)
		if err != nil {
			return fmt.Errorf("%s %s: %w", r.method, r.path, err)
		}
		item := d.document.Paths.Value(r.path)
		if item == nil {
			item = new(openapi3.PathItem)
			d.document.Paths.Set(r.path, item)
		}
		if item.GetOperation(r.method) != nil {
			return fmt.Errorf("%s %s is in the table twice", r.method, r.path)
		}
		item.SetOperation(r.method, operation)
	}
	return nil
}

func (d *drawing) operation(r route) (*openapi3.Operation, error) {
	o := &openapi3.Operation{OperationID: r.id, Tags: []string{r.tag}, Summary: r.summary, Responses: openapi3.NewResponsesWithCapacity(8)}
	if r.roles == nil {
		o.Security = openapi3.NewSecurityRequirements()
	} else {
		o.Extensions = map[string]any{extensionRoles: r.roles}
	}
	if r.lax {
		o.Extensions[extensionLax] = true
	}
	for _, p := range r.parameters {
		drawn, err := d.parameter(p)
		if err != nil {
			return nil, err
		}
		o.Parameters = append(o.Parameters, drawn)
	}
	if len(r.takes) > 0 {
		content, err := d.takes(r.takes)
		if err != nil {
			return nil, err
		}
		o.RequestBody = &openapi3.RequestBodyRef{Value: openapi3.NewRequestBody().WithRequired(!r.bodyOptional).WithContent(content)}
	}
	for _, a := range r.answers {
		if err := d.answer(o.Responses, a); err != nil {
			return nil, err
		}
	}
	return o, d.problems(o.Responses, r.codes())
}

func (d *drawing) parameter(p parameter) (*openapi3.ParameterRef, error) {
	schema, err := d.schemas.of(p.of)
	if err != nil {
		return nil, fmt.Errorf("parameter %s: %w", p.name, err)
	}
	if p.least != 0 {
		schema.Value.WithMin(float64(p.least))
	}
	if p.most != 0 {
		schema.Value.WithMax(float64(p.most))
	}
	drawn := &openapi3.Parameter{Name: p.name, In: p.in, Description: p.about, Required: p.required, Schema: schema}
	if "{"+p.name+"}" == rest {
		drawn.Extensions = map[string]any{extensionRest: true}
	}
	return &openapi3.ParameterRef{Value: drawn}, nil
}

// takes is the content of a request's body by media type. What is said of an object is read strictly, unless its type is open.
func (d *drawing) takes(bodies []body) (openapi3.Content, error) {
	content := make(openapi3.Content)
	for _, b := range bodies {
		schema := octets()
		if b.of != nil {
			var err error
			if schema, err = d.schemas.of(b.of); err != nil {
				return nil, err
			}
		}
		if b.parts != nil {
			form, err := d.form(b.parts)
			if err != nil {
				return nil, err
			}
			content[b.media] = form
			continue
		}
		if either := content[b.media]; either != nil { // one of several
			either.Schema = &openapi3.SchemaRef{Value: &openapi3.Schema{AnyOf: openapi3.SchemaRefs{either.Schema, schema}}}
			continue
		}
		content[b.media] = openapi3.NewMediaType().WithSchemaRef(schema)
	}
	return content, nil
}

// form is a multipart/form-data body.
func (d *drawing) form(parts []formPart) (*openapi3.MediaType, error) {
	object := openapi3.NewObjectSchema()
	media := openapi3.NewMediaType().WithSchema(object)
	for _, p := range parts {
		schema := octets()
		if p.of != nil {
			var err error
			if schema, err = d.schemas.of(p.of); err != nil {
				return nil, err
			}
			media.WithEncoding(p.name, &openapi3.Encoding{ContentType: echo.MIMEApplicationJSON})
		}
		if p.list {
			list := openapi3.NewArraySchema()
			list.Items = schema
			schema = list.NewRef()
		} else {
			object.Required = append(object.Required, p.name)
		}
		object.Properties[p.name] = schema
	}
	return media, nil
}

func octets() *openapi3.SchemaRef {
	return openapi3.NewStringSchema().WithFormat("binary").NewRef()
}

// answer adds one to an operation; several may have a status, each under its own media type.
func (d *drawing) answer(responses *openapi3.Responses, a answer) error {
	status := strconv.Itoa(a.status)
	response := responses.Value(status)
	if response == nil {
		response = &openapi3.ResponseRef{Value: openapi3.NewResponse().WithDescription(a.about)}
		response.Value.Headers = make(openapi3.Headers)
		responses.Set(status, response)
	}
	for _, name := range append([]string{HeaderCorrelationID}, a.headers...) {
		response.Value.Headers[name] = headerRef(name)
	}
	if a.media == "" {
		return nil
	}
	schema := octets()
	if a.of != nil {
		var err error
		if schema, err = d.schemas.of(a.of); err != nil {
			return err
		}
	}
	if response.Value.Content == nil {
		response.Value.Content = make(openapi3.Content)
	}
	if either := response.Value.Content[a.media]; either != nil {
		either.Schema = &openapi3.SchemaRef{Value: &openapi3.Schema{AnyOf: openapi3.SchemaRefs{either.Schema, schema}}}
		return nil
	}
	response.Value.Content[a.media] = openapi3.NewMediaType().WithSchemaRef(schema)
	return nil
}

func headerRef(name string) *openapi3.HeaderRef {
	return &openapi3.HeaderRef{Ref: "#/components/headers/" + name}
}

// answerHeaders are the fields of answers that the document tells of.
var answerHeaders = map[string]string{
	HeaderCorrelationID:           "The number of this request in the node's log: the caller's own if the request had a usable one.",
	HeaderFindings:                "The characters that could not be printed: a JSON array of findings in ASCII.",
	"ETag":                        "Entity tag (RFC 9110 §8.8.3).",
	"Location":                    "Path of what was made.",
	handover.HeaderIdempotencyKey: "The key that repetitions of the parcel have, in quotes.",
	"Retry-After":                 "Seconds to wait before the request is repeated.",
	"WWW-Authenticate":            "The challenge (RFC 6750 §3).",
}

// problems adds what an operation answers in error: one response for each status, shared by all operations with the same codes.
func (d *drawing) problems(responses *openapi3.Responses, codes []Code) error {
	byStatus := make(map[int][]Code)
	for _, code := range codes {
		k, known := kindOf(code)
		if !known {
			return fmt.Errorf("no problem has the code %q", code)
		}
		byStatus[k.status] = append(byStatus[k.status], code)
	}
	for status, codes := range byStatus {
		name, err := d.problem(status, codes)
		if err != nil {
			return err
		}
		if responses.Value(strconv.Itoa(status)) != nil {
			return fmt.Errorf("status %d is both an answer and a problem", status)
		}
		responses.Set(strconv.Itoa(status), &openapi3.ResponseRef{Ref: "#/components/responses/" + name})
	}
	return nil
}

// problem makes the component for some codes of one status.
func (d *drawing) problem(status int, codes []Code) (string, error) {
	var names, lines []string
	for _, code := range codes {
		k, _ := kindOf(code)
		names = append(names, string(code))
		lines = append(lines, fmt.Sprintf("`%s`: %s.", code, k.title))
	}
	name := strings.Join(names, ".")
	if d.document.Components.Responses[name] != nil {
		return name, nil
	}
	whole, err := d.schemas.of(reflect.TypeFor[Problem]())
	if err != nil {
		return "", err
	}
	content := openapi3.Content{ProblemMediaType: openapi3.NewMediaType().WithSchemaRef(whole)}
	response := openapi3.NewResponse().WithDescription(strings.Join(lines, "\n")).WithContent(content)
	response.Extensions = map[string]any{extensionCodes: codes}
	response.Headers = openapi3.Headers{HeaderCorrelationID: headerRef(HeaderCorrelationID)}
	switch status {
	case http.StatusServiceUnavailable:
		response.Headers["Retry-After"] = headerRef("Retry-After")
	case http.StatusUnauthorized:
		response.Headers["WWW-Authenticate"] = headerRef("WWW-Authenticate")
	}
	d.document.Components.Responses[name] = &openapi3.ResponseRef{Value: response}
	return name, nil
}

// routes are all rows of the table but those of health, which have a listener of their own too.
func (s *server) routes() []route {
	return slices.Concat(
		s.openAPIRoutes(), s.certificateRoutes(), s.searchRoutes(), s.watchRoutes(), s.businessRoutes(), s.refusalRoutes(), s.conflictRoutes(),
		s.declarationRoutes(), s.dutyRoutes(), s.handoverRoutes(), s.noticeRoutes(), s.issuerRoutes(), s.messageRoutes(), s.partnerRoutes(),
		s.credentialRoutes(), s.announcementRoutes(), s.registryRoutes(), s.proposalRoutes(), s.rotationRoutes(),
	)
}

// The tags of operations.
const (
	tagCertificates = "Certificates"
	tagBusiness     = "Business messages"
	tagClearance    = "Declarations"
	tagWatches      = "Watches and mandates"
	tagMessages     = "Messages"
	tagPartners     = "Partners"
	tagIssuers      = "Issuing bodies"
	tagCredentials  = "Credentials"
	tagRegistry     = "Registry"
	tagHandovers    = "Handovers"
	tagNotices      = "Notices"
	tagService      = "Service"
)

// tags are they in the order of the document.
var tags = openapi3.Tags{
	{Name: tagCertificates, Description: "Certificates of origin: submitting, finding and reading them."},
	{Name: tagBusiness, Description: "What is said of a certificate that is there, and asked about it."},
	{Name: tagClearance, Description: "Import declarations that cite certificates, decisions about them, and what is to be done until when."},
	{Name: tagHandovers, Description: "What the customs system gets of a declaration, and how it confirms that it has it."},
	{Name: tagWatches, Description: "What has not come yet, and who may see what is for an importer."},
	{Name: tagNotices, Description: "What people are told of by e-mail and webhooks, and who signed up for it."},
	{Name: tagMessages, Description: "The ebXML messages as they are recorded."},
	{Name: tagPartners, Description: "Partners, and how deliveries to them stand."},
	{Name: tagIssuers, Description: "Who may issue certificates, and certificates whose issuer is in doubt."},
	{Name: tagCredentials, Description: "X.509 credentials of the node and its partners, and their replacement."},
	{Name: tagRegistry, Description: "What the node knows of partners and agreements, in versions, and changes that wait for a second operator."},
	{Name: tagService, Description: "The node itself."},
}
