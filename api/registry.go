package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/rogpeppe/go-internal/diff"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners"
)

// Registry is where partners and agreements are changed; *partners.Directory is one. What it changes, its store audits.
type Registry interface {
	Entries(kind partners.Kind) []partners.Entry
	Current(kind partners.Kind, id string) (partners.Entry, error)
	Versions(ctx context.Context, kind partners.Kind, id string) ([]partners.Entry, error)
	Version(ctx context.Context, kind partners.Kind, id string, version uint64) (partners.Entry, error)
	Put(ctx context.Context, e partners.Edit, kind partners.Kind, id, text string) (partners.Entry, error)
	Remove(ctx context.Context, e partners.Edit, kind partners.Kind, id string) (partners.Entry, error)
	Restore(ctx context.Context, e partners.Edit, kind partners.Kind, id string, version uint64) (partners.Entry, error)
}

// MediaTypeYAML is the media type of an entry's text (RFC 9512).
const MediaTypeYAML = "application/yaml"

// RegistryChange is the answer to a change of an entry.
type RegistryChange struct {
	// Entry is the version that was made, or would be made. Its number is that of the version before if there was nothing to change.
	Entry partners.Entry `json:"entry"`
	// Diff is what changed in the text, as unified lines; "" for nothing.
	Diff string `json:"diff,omitempty"`
	// DryRun: nothing was changed.
	DryRun bool `json:"dry_run,omitempty"`
	// Proposal is there while the change waits for another operator; Entry is the version that it would make.
	Proposal *partners.Proposal `json:"proposal,omitempty"`
}

// RegistryDiff is what changed between two versions of an entry.
type RegistryDiff struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
	Diff string `json:"diff"`
}

// registryKinds are the names of kinds in paths.
var registryKinds = map[string]partners.Kind{"partners": partners.KindPartner, "agreements": partners.KindAgreement, "nodes": partners.KindNode}

// writable refuses the kind of the node's own keys, whose versions are made by the steps of a rotation alone, and restored.
func writable(kind partners.Kind) error {
	if kind == partners.KindNode {
		return problem(CodeNoPath, "")
	}
	return nil
}

// registryKind is the name of a kind in paths.
type registryKind string

// versionConditions are the request fields of a change.
func versionConditions() []parameter {
	return []parameter{
		header("If-Match", "Entity tag of the version that the change was made of; this or If-None-Match is required."),
		header("If-None-Match", "* for an entry that is new."),
	}
}

// changeParameters are those of a change of the registry.
func changeParameters() []parameter {
	return []parameter{
		query[string]("why", "A line for the versions and the audit log, 1024 octets at most."),
		query[bool]("dry_run", "Has everything checked and nothing changed."),
	}
}

// registryRoutes are the paths of the registry; without one they are not there.
func (s *server) registryRoutes() []route {
	watch, operate := []Role{RoleOfficer, RoleOperator}, []Role{RoleOperator}
	kind := pathOf[registryKind]("kind", "Partners, agreements, or nodes for the node's own keys.")
	entry := []parameter{kind, pathText("id", "Id of the entry.")}
	changing := slices.Concat(entry, changeParameters(), versionConditions())
	changed := []answer{
		answersJSON[RegistryChange](http.StatusOK, "The change, which is in force, or with dry_run would be.", "ETag"),
		answersJSON[RegistryChange](http.StatusAccepted, "The change waits for a second operator."),
	}
	refused := []Code{CodeNoPath, CodeStale, CodeUnconditional, CodeInvalidEntry, CodeManyProposals, CodeFull}
	row := func(method, path string, roles []Role, handle echo.HandlerFunc, o operation) route {
		o.tag = tagRegistry
		return route{method: method, path: base + "/registry/{kind}" + path, roles: roles, handle: handle, absent: s.Registry == nil, operation: o}
	}
	version := parameter{in: inQuery, name: "version", about: "Number of a version; 0 is what the configuration file says.", of: reflect.TypeFor[uint64]()}
	return []route{
		row(http.MethodGet, "", watch, s.entries, operation{
			id: "listEntries", summary: "The entries of a kind, without their texts", parameters: []parameter{kind},
			answers: []answer{answersJSON[[]partners.Entry](http.StatusOK, "The current version of each.")}, problems: []Code{CodeNoPath},
		}),
		row(http.MethodGet, "/{id}", watch, s.entry, operation{
			id: "readEntry", summary: "A version of an entry, the current one without the parameter", parameters: append(slices.Clone(entry), version),
			answers: []answer{answersJSON[partners.Entry](http.StatusOK, "The version with its text.", "ETag")}, problems: []Code{CodeNoPath, CodeUnknownEntry},
		}),
		row(http.MethodGet, "/{id}/versions", watch, s.entryVersions, operation{
			id: "listVersions", summary: "All versions of an entry, without their texts", parameters: entry,
			answers: []answer{answersJSON[[]partners.Entry](http.StatusOK, "They, oldest first.")}, problems: []Code{CodeNoPath, CodeUnknownEntry},
		}),
		row(http.MethodGet, "/{id}/diff", watch, s.entryDiff, operation{
			id: "compareVersions", summary: "What changed between two versions of an entry",
			parameters: append(slices.Clone(entry),
				parameter{in: inQuery, name: "from", about: "Number of a version; the one before to without it.", of: reflect.TypeFor[uint64]()},
				parameter{in: inQuery, name: "to", about: "Number of a version; the current one without it.", of: reflect.TypeFor[uint64]()}),
			answers: []answer{answersJSON[RegistryDiff](http.StatusOK, "The change as unified lines.")}, problems: []Code{CodeNoPath, CodeUnknownEntry},
		}),
		row(http.MethodPut, "/{id}", operate, s.putEntry, operation{
			id: "putEntry", summary: "Makes the body the newest version of an entry", parameters: changing, takes: []body{{media: MediaTypeYAML}},
			answers: changed, problems: refused,
		}),
		row(http.MethodDelete, "/{id}", operate, s.removeEntry, operation{
			id: "removeEntry", summary: "Removes an entry; its versions are kept", parameters: changing, answers: changed,
			problems: append([]Code{CodeMalformed, CodeUnknownEntry}, refused...),
		}),
		row(http.MethodPost, "/{id}/restore", operate, s.restoreEntry, operation{
			id: "restoreEntry", summary: "Makes an earlier version the newest", parameters: append(slices.Clone(changing), version.needed()), answers: changed,
			problems: append([]Code{CodeMalformed, CodeUnknownEntry}, refused...),
		}),
	}
}

// entryOf reads which entry a path names, and refuses query parameters other than those named.
func (s *server) entryOf(c echo.Context, parameters ...string) (kind partners.Kind, id string, err error) {
	if err := onlyParameters(c, parameters...); err != nil {
		return "", "", err
	}
	kind, known := registryKinds[c.Param("kind")]
	if !known {
		return "", "", problem(CodeNoPath, "")
	}
	id, err = param(c, "id")
	return kind, id, err
}

// entries answers GET /registry/{kind}.
func (s *server) entries(c echo.Context) error {
	kind, _, err := s.entryOf(c)
	if err != nil {
		return err
	}
	if err := s.audit(c, string(kind)+".listed", "", ""); err != nil {
		return err
	}
	list := []partners.Entry{}
	for _, e := range s.Registry.Entries(kind) {
		e.Text = ""
		list = append(list, e)
	}
	return c.JSON(http.StatusOK, list)
}

// entry answers GET /registry/{kind}/{id}.
func (s *server) entry(c echo.Context) error {
	kind, id, err := s.entryOf(c, "version")
	if err != nil {
		return err
	}
	version, given, err := versionParameter(c, "version")
	if err != nil {
		return err
	}
	if err := s.audit(c, string(kind)+".read", id, c.QueryParam("version")); err != nil {
		return err
	}
	var e partners.Entry
	if given {
		e, err = s.Registry.Version(c.Request().Context(), kind, id, version)
	} else if e, err = s.Registry.Current(kind, id); err == nil && e.Removed {
		err = fmt.Errorf("%w: %s %q was removed in version %d", partners.ErrUnknownEntry, kind, id, e.Version)
	}
	if err != nil {
		return err
	}
	if !given {
		c.Response().Header().Set("ETag", entityTag(e))
	}
	return c.JSON(http.StatusOK, e)
}

// entryVersions answers GET /registry/{kind}/{id}/versions.
func (s *server) entryVersions(c echo.Context) error {
	kind, id, err := s.entryOf(c)
	if err != nil {
		return err
	}
	if err := s.audit(c, string(kind)+".versions_listed", id, ""); err != nil {
		return err
	}
	list, err := s.Registry.Versions(c.Request().Context(), kind, id)
	if err != nil {
		return err
	}
	for i := range list {
		list[i].Text = ""
	}
	return c.JSON(http.StatusOK, list)
}

// entryDiff answers GET /registry/{kind}/{id}/diff: without to the current version, without from the one before that.
func (s *server) entryDiff(c echo.Context) error {
	kind, id, err := s.entryOf(c, "from", "to")
	if err != nil {
		return err
	}
	from, fromGiven, err := versionParameter(c, "from")
	if err != nil {
		return err
	}
	to, toGiven, err := versionParameter(c, "to")
	if err != nil {
		return err
	}
	if err := s.audit(c, string(kind)+".compared", id, ""); err != nil {
		return err
	}
	ctx := c.Request().Context()
	if !toGiven {
		current, err := s.Registry.Current(kind, id)
		if err != nil {
			return err
		}
		to = current.Version
	}
	if !fromGiven {
		from = max(to, 1) - 1
	}
	later, err := s.Registry.Version(ctx, kind, id, to)
	if err != nil {
		return err
	}
	earlier, err := s.Registry.Version(ctx, kind, id, from)
	if errors.Is(err, partners.ErrUnknownEntry) && !fromGiven {
		err = nil // the first version of what was not in the file
	}
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, RegistryDiff{From: from, To: to, Diff: Difference(earlier, later)})
}

// Difference gives what changed from one version to another as unified lines.
func Difference(from, to partners.Entry) string {
	name := func(e partners.Entry) string { return fmt.Sprintf("%s %s version %d", to.Kind, to.ID, e.Version) }
	return string(diff.Diff(name(from), []byte(from.Text), name(to), []byte(to.Text)))
}

// putEntry answers PUT /registry/{kind}/{id}.
func (s *server) putEntry(c echo.Context) error {
	kind, id, err := s.entryOf(c, "dry_run", "why")
	if err = cmp.Or(err, writable(kind)); err != nil {
		return err
	}
	mediaType, _, err := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType))
	if err != nil || mediaType != MediaTypeYAML {
		return problem(CodeMediaType, "want "+MediaTypeYAML)
	}
	text, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return bodyProblem("", err)
	}
	return s.changeEntry(c, kind, id, func(ctx context.Context, e partners.Edit) (partners.Entry, error) {
		return s.Registry.Put(ctx, e, kind, id, string(text))
	})
}

// removeEntry answers DELETE /registry/{kind}/{id}.
func (s *server) removeEntry(c echo.Context) error {
	kind, id, err := s.entryOf(c, "dry_run", "why")
	if err = cmp.Or(err, writable(kind)); err != nil {
		return err
	}
	if c.Request().ContentLength != 0 {
		return problem(CodeMalformed, "this path takes no body")
	}
	return s.changeEntry(c, kind, id, func(ctx context.Context, e partners.Edit) (partners.Entry, error) {
		return s.Registry.Remove(ctx, e, kind, id)
	})
}

// restoreEntry answers POST /registry/{kind}/{id}/restore.
func (s *server) restoreEntry(c echo.Context) error {
	kind, id, err := s.entryOf(c, "dry_run", "why", "version")
	if err != nil {
		return err
	}
	version, given, err := versionParameter(c, "version")
	switch {
	case err != nil:
		return err
	case !given:
		return problem(CodeParameter, "version is required: the number of the version whose text becomes the newest")
	case c.Request().ContentLength != 0:
		return problem(CodeMalformed, "this path takes no body")
	}
	return s.changeEntry(c, kind, id, func(ctx context.Context, e partners.Edit) (partners.Entry, error) {
		return s.Registry.Restore(ctx, e, kind, id, version)
	})
}

// changeEntry makes a change that the request's conditions allow, and answers with what came of it. What is refused, and what was
// only tried, is audited here; what is changed, by the store with the change.
func (s *server) changeEntry(c echo.Context, kind partners.Kind, id string, change func(context.Context, partners.Edit) (partners.Entry, error)) error {
	e := partners.Edit{By: callOf(c).key.Name, Why: c.QueryParam("why")}
	var err error
	if e.DryRun, err = flag(c, "dry_run"); err != nil {
		return err
	}
	if len(e.Why) > maxGiven || !printable(e.Why) {
		return problem(CodeParameter, fmt.Sprintf("why is one line of at most %d octets that can be printed", maxGiven))
	}
	before, err := s.Registry.Current(kind, id)
	if err != nil && !errors.Is(err, partners.ErrUnknownEntry) {
		return err
	}
	there := err == nil && !before.Removed
	if e.Base, e.File, err = s.condition(c, before, there); err != nil {
		return err
	}
	if e.DryRun {
		if err := s.audit(c, string(kind)+".change_tried", id, e.Why); err != nil {
			return err
		}
	}
	next, err := change(c.Request().Context(), e)
	if err != nil {
		return s.refusedChange(c, string(kind)+".change_refused", id, err)
	}
	if !e.DryRun {
		s.tell(c, next.Event(), id, next.Detail()) // recorded by the store, with the change
		c.Response().Header().Set("ETag", entityTag(next))
	}
	return c.JSON(http.StatusOK, RegistryChange{Entry: next, Diff: Difference(before, next), DryRun: e.DryRun})
}

// refusedChange records that a change was refused and why, and returns what to answer.
func (s *server) refusedChange(c echo.Context, event, subject string, cause error) error {
	var waits *partners.Proposed
	p := problemOf(cause)
	if p.Status >= http.StatusInternalServerError || errors.As(cause, &waits) {
		return cause
	}
	if err := s.audit(c, event, subject, string(p.Code)); err != nil {
		return err
	}
	return cause
}

// entityTag names the version of an entry (RFC 9110 §8.8.3): its number, and for what the configuration file says, which is version 0 whatever it
// says, its digest too.
func entityTag(e partners.Entry) string {
	if e.Version == 0 && e.FileSHA256 != "" {
		return fmt.Sprintf(`"0-%s"`, e.FileSHA256)
	}
	return fmt.Sprintf(`"%d"`, e.Version)
}

// condition reads for which version a change was made: If-Match with the entity tag of one that is there, or If-None-Match: * for one that
// is new (RFC 9110 §13.1). One of them is required (RFC 6585 §3), so that nobody writes over what he has not seen.
func (s *server) condition(c echo.Context, before partners.Entry, there bool) (base uint64, file string, err error) {
	header := c.Request().Header
	match, none := header.Get("If-Match"), header.Get("If-None-Match")
	switch {
	case match != "" && none != "":
		return 0, "", problem(CodeParameter, "If-Match and If-None-Match exclude each other")
	case none == "*" && there:
		return 0, "", problem(CodeStale, fmt.Sprintf("there is %s %q already", before.Kind, before.ID))
	case none == "*":
		return baseOf(before.Version), "", nil
	case none != "":
		return 0, "", problem(CodeParameter, "If-None-Match takes * alone")
	case match == "":
		return 0, "", problem(CodeUnconditional, "If-Match with the ETag of the version that is to be changed, or If-None-Match: * for a new one")
	}
	number, quoted := strings.CutPrefix(match, `"`)
	number, closed := strings.CutSuffix(number, `"`)
	number, file, _ = strings.Cut(number, "-")
	version, err := strconv.ParseUint(number, 10, 63)
	if !quoted || !closed || err != nil || file != "" && version != 0 {
		return 0, "", problem(CodeParameter, fmt.Sprintf("If-Match %q is not an ETag of this path, such as \"3\" in quotes", match))
	}
	return baseOf(version), file, nil
}

// baseOf is a version as partners.Edit.Base.
func baseOf(version uint64) uint64 {
	if version == 0 {
		return partners.BaseFile
	}
	return version
}

// versionParameter reads a query parameter with the number of a version, which may be 0, and tells whether it is there.
func versionParameter(c echo.Context, name string) (version uint64, given bool, err error) {
	text := c.QueryParam(name)
	if text == "" {
		return 0, false, nil
	}
	version, err = strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, false, problem(CodeParameter, fmt.Sprintf("%s %q is not the number of a version", name, text))
	}
	return version, true, nil
}

// flag reads a query parameter that is true or false.
func flag(c echo.Context, name string) (bool, error) {
	switch text := c.QueryParam(name); text {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, problem(CodeParameter, fmt.Sprintf("%s %q is neither true nor false", name, text))
	}
}

// invalidEntry is the problem of a change that the configuration does not allow.
func invalidEntry(wrong *partners.ConfigError) *Problem {
	p := problem(CodeInvalidEntry, "")
	for _, one := range wrong.Problems {
		p.Errors = append(p.Errors, eco.Finding{Code: codeConfiguration, Severity: eco.SeverityError, Path: one.Key, Text: one.Text})
	}
	return p
}

// codeConfiguration is the code of what is wrong with an entry of the registry.
const codeConfiguration = "configuration"
