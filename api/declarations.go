package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/cusdec"
	"github.com/ecogate/ecogate/eco"
)

// Declarations takes import declarations that cite received certificates; *clearance.Desk is one. What it does, it audits itself.
type Declarations interface {
	Lodge(ctx context.Context, v clearance.Visitor, d clearance.Declaration, original []byte) (clearance.Lodgement, bool, error)
	Amend(ctx context.Context, v clearance.Visitor, d clearance.Declaration, original []byte) (clearance.Lodgement, error)
	Withdraw(ctx context.Context, v clearance.Visitor, number, why string) (clearance.Lodgement, error)
	Declaration(ctx context.Context, v clearance.Visitor, number string) (clearance.Lodgement, error)
	Declarations(ctx context.Context, v clearance.Visitor, q clearance.DeclarationQuery) (clearance.DeclarationPage, error)
}

// Decisions takes what officers decide about declarations; *clearance.Desk is one. What it does, it audits itself.
type Decisions interface {
	Decide(ctx context.Context, v clearance.Visitor, number string, j clearance.Judgement) (clearance.Lodgement, error)
	Confirm(ctx context.Context, v clearance.Visitor, number string, decision int, why string) (clearance.Lodgement, error)
	Reject(ctx context.Context, v clearance.Visitor, number string, decision int, why string) (clearance.Lodgement, error)
}

// declarationRoutes are the paths of declarations and of what officers decide about them.
func (s *server) declarationRoutes() []route {
	number := pathText("number", "Number of the declaration in any spelling; slashes in it are percent-encoded.")
	decision := pathNumber("n", "Number of the decision.")
	read := []Role{RoleBroker, RoleCustoms, RoleOfficer, RoleOperator}
	lodge := []Role{RoleBroker, RoleCustoms, RoleOfficer}
	decide := []Role{RoleOfficer}
	one := func(status int, about string) answer { return answersJSON[clearance.Lodgement](status, about) }
	row := func(method, path, id, summary string, roles []Role, handle echo.HandlerFunc, o operation) route {
		o.id, o.tag, o.summary = id, tagClearance, summary
		return route{method: method, path: base + "/declarations" + path, roles: roles, handle: handle, absent: s.Options.Declarations == nil, operation: o}
	}
	why := operation{
		takes: takesJSON[givenWhy](), bodyOptional: true, parameters: []parameter{number, decision}, answers: []answer{one(http.StatusOK, "The declaration.")},
		problems: []Code{CodeNotFound, CodeNoDecision, CodeSameOfficer, CodeRefusedDeclaration, CodeIllegalMove, CodeBusy, CodeFull},
	}
	return []route{
		row(http.MethodPost, "", "lodgeDeclaration", "Takes an import declaration that cites received certificates, and reserves what it claims", lodge, s.lodgeDeclaration, operation{
			takes:    append(takesJSON[clearance.Declaration](), body{media: cusdec.MediaType}),
			problems: []Code{CodeRefusedDeclaration, CodeNumberTaken, CodeFaultyFile, CodeBusy, CodeFull},
			answers: []answer{
				one(http.StatusCreated, "It was taken."), one(http.StatusOK, "It was there already; nothing was written."),
				answersJSON[TakenInterchange](http.StatusCreated, ""), answersJSON[TakenInterchange](http.StatusOK, ""),
				{status: http.StatusCreated, media: cusdec.MediaType}, {status: http.StatusOK, media: cusdec.MediaType},
			},
		}),
		row(http.MethodGet, "", "listDeclarations", "The declarations in the order in which they came; a broker's own alone", read, s.declarations, operation{
			parameters: []parameter{
				query[clearance.LodgementState]("state", "Where they stand; all without it."),
				query[string]("certificate", "Key of a certificate that they cite: country, form and reference with slashes between them."),
				queryNumber("after", "The next of the page before.", 1, 0), queryNumber("limit", "Declarations on a page; 100 without it.", 1, maxPage),
			},
			answers: []answer{answersJSON[clearance.DeclarationPage](http.StatusOK, "A page of them.")},
		}),
		row(http.MethodGet, "/{number}", "readDeclaration", "A declaration and what became of it", read, s.declaration, operation{
			parameters: []parameter{number}, answers: []answer{one(http.StatusOK, "The declaration.")}, problems: []Code{CodeNotFound},
		}),
		row(http.MethodPut, "/{number}", "amendDeclaration", "Puts another declaration in the place of the one with this number", lodge, s.amendDeclaration, operation{
			parameters: []parameter{number}, takes: takesJSON[clearance.Declaration](), answers: []answer{one(http.StatusOK, "The declaration as it is now.")},
			problems: []Code{CodeNotFound, CodeRefusedDeclaration, CodeDecidedDeclaration, CodeBusy, CodeFull},
		}),
		row(http.MethodDelete, "/{number}", "withdrawDeclaration", "Takes a declaration back; what it has reserved is free", lodge, s.withdrawDeclaration, operation{
			parameters: []parameter{number, query[string]("why", "For the history and the audit log.")}, answers: []answer{one(http.StatusOK, "The declaration as it is now.")},
			problems: []Code{CodeNotFound, CodeDecidedDeclaration, CodeBusy},
		}),
		row(http.MethodGet, "/{number}/release-note", "readReleaseNote", "The note that the certificates which a declaration on guarantee awaited have come", read, s.releaseNote, operation{
			parameters: []parameter{number, query[noteFormat]("format", "json, which holds without it, or text for people.")},
			answers:    []answer{answersJSON[clearance.ReleaseNote](http.StatusOK, "The note."), {status: http.StatusOK, about: "The note for people.", media: echo.MIMETextPlain}},
			problems:   []Code{CodeNotFound},
		}),
		row(http.MethodPost, "/{number}/decisions", "decideDeclaration", "Takes an officer's decision about the claims of a declaration", decide, s.decideDeclaration, operation{
			parameters: []parameter{number}, takes: takesJSON[clearance.Judgement](),
			answers:  []answer{one(http.StatusCreated, "It was made."), one(http.StatusAccepted, "It waits for another officer.")},
			problems: []Code{CodeNotFound, CodeRefusedDeclaration, CodeDecisionWaits, CodeIllegalMove, CodeBusy, CodeFull},
		}),
		row(http.MethodPost, "/{number}/decisions/{n}/confirm", "confirmDecision", "Makes a decision that another officer has proposed", decide, s.confirmDecision, why),
		row(http.MethodPost, "/{number}/decisions/{n}/reject", "rejectDecision", "Ends a decision that waits for another officer", decide, s.rejectDecision, why),
	}
}

// noteFormat is a form of the release note.
type noteFormat string

const (
	noteJSON noteFormat = "json"
	noteText noteFormat = "text"
)

// visitor is the caller as the desk knows him.
func visitor(c echo.Context) clearance.Visitor {
	key := callOf(c).key
	return clearance.Visitor{Name: key.Name, Broker: key.Role == RoleBroker, Officer: key.Role == RoleOfficer}
}

// readDeclaration reads a declaration. original are the octets of one that did not come in JSON.
func readDeclaration(c echo.Context) (d clearance.Declaration, original []byte, err error) {
	err = readStrictInto(c.Request(), "declaration", &d)
	return d, nil, err
}

// readStrictInto reads a JSON object by the strict rules of certificates (eco.DecodeInto).
func readStrictInto(r *http.Request, what string, into any) error {
	if mediaType := r.Header.Get(echo.HeaderContentType); !strings.HasPrefix(mediaType, echo.MIMEApplicationJSON) {
		return problem(CodeMediaType, fmt.Sprintf("want %s, found %q", echo.MIMEApplicationJSON, mediaType))
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return bodyProblem("", err)
	}
	if err := eco.DecodeInto(data, what, into); err != nil {
		return problem(CodeMalformed, err.Error())
	}
	return nil
}

// citations counts the certificates that a declaration looks for.
func citations(d clearance.Declaration) (n int) {
	for _, line := range d.Lines {
		n += len(line.Citations)
	}
	return n
}

// declared audits why a declaration was not taken or changed.
func (s *server) declared(c echo.Context, number string, cause error) error {
	return s.auditRefused(c, "declaration.refused", number, cause)
}

// lodgeDeclaration answers POST /declarations.
func (s *server) lodgeDeclaration(c echo.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	if isEDIFACT(c) {
		return s.lodgeInterchange(c)
	}
	d, original, err := readDeclaration(c)
	if err != nil {
		return err
	}
	began := s.Now()
	l, fresh, err := s.Options.Declarations.Lodge(c.Request().Context(), visitor(c), d, original)
	s.unhurried(c, began, citations(d))
	switch {
	case err != nil:
		return s.declared(c, d.Number, err)
	case fresh:
		return c.JSON(http.StatusCreated, l)
	}
	return c.JSON(http.StatusOK, l)
}

// amendDeclaration answers PUT /declarations/{number}.
func (s *server) amendDeclaration(c echo.Context) error {
	number, err := declarationNumber(c)
	if err != nil {
		return err
	}
	d, original, err := readDeclaration(c)
	if err != nil {
		return err
	}
	if eco.NormaliseReference(number) != d.ID() {
		return problem(CodeMalformed, fmt.Sprintf("want declaration %q, found number %q", number, d.Number))
	}
	began := s.Now()
	l, err := s.Options.Declarations.Amend(c.Request().Context(), visitor(c), d, original)
	s.unhurried(c, began, citations(d))
	if err != nil {
		return s.declared(c, number, err)
	}
	return c.JSON(http.StatusOK, l)
}

// withdrawDeclaration answers DELETE /declarations/{number}.
func (s *server) withdrawDeclaration(c echo.Context) error {
	number, err := declarationNumber(c, "why")
	if err != nil {
		return err
	}
	l, err := s.Options.Declarations.Withdraw(c.Request().Context(), visitor(c), number, shortened(c.QueryParam("why")))
	if err != nil {
		return s.declared(c, number, err)
	}
	return c.JSON(http.StatusOK, l)
}

// declarationNumber is the number in the path of a request that has only these parameters.
func declarationNumber(c echo.Context, parameters ...string) (string, error) {
	if err := onlyParameters(c, parameters...); err != nil {
		return "", err
	}
	return param(c, "number")
}

// declarations answers GET /declarations.
func (s *server) declarations(c echo.Context) error {
	if err := onlyParameters(c, "state", "certificate", "after", "limit"); err != nil {
		return err
	}
	state, err := oneOf(c, "state", clearance.LodgementStates()...)
	if err != nil {
		return err
	}
	after, err := number(c, "after", 0, 1<<62)
	if err != nil {
		return err
	}
	limit, err := number(c, "limit", defaultPage, maxPage)
	if err != nil {
		return err
	}
	if err := s.audit(c, "declarations.listed", "", c.QueryString()); err != nil {
		return err
	}
	page, err := s.Options.Declarations.Declarations(c.Request().Context(), visitor(c), clearance.DeclarationQuery{
		State: state, Certificate: c.QueryParam("certificate"), After: after, Limit: int(limit),
	})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, page)
}

// declaration answers GET /declarations/{number}.
func (s *server) declaration(c echo.Context) error {
	l, err := s.findDeclaration(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, l)
}

// findDeclaration reads the declaration of a path, and records who did.
func (s *server) findDeclaration(c echo.Context, parameters ...string) (clearance.Lodgement, error) {
	number, err := declarationNumber(c, parameters...)
	if err != nil {
		return clearance.Lodgement{}, err
	}
	if err := s.audit(c, "declaration.read", number, ""); err != nil {
		return clearance.Lodgement{}, err
	}
	return s.Options.Declarations.Declaration(c.Request().Context(), visitor(c), number)
}

// releaseNote answers GET /declarations/{number}/release-note.
func (s *server) releaseNote(c echo.Context) error {
	format, err := oneOf(c, "format", noteJSON, noteText)
	if err != nil {
		return err
	}
	l, err := s.findDeclaration(c, "format")
	switch {
	case err != nil:
		return err
	case l.Release == nil:
		return problem(CodeNotFound, fmt.Sprintf("declaration %s awaited no certificate, or still does", l.Number))
	case format == noteText:
		return c.String(http.StatusOK, l.Release.Text())
	}
	return c.JSON(http.StatusOK, l.Release)
}

// decideDeclaration answers POST /declarations/{number}/decisions.
func (s *server) decideDeclaration(c echo.Context) error {
	number, err := declarationNumber(c)
	if err != nil {
		return err
	}
	var j clearance.Judgement
	if err := readStrictInto(c.Request(), "decision", &j); err != nil {
		return err
	}
	l, err := s.Decisions.Decide(c.Request().Context(), visitor(c), number, j)
	switch {
	case err != nil:
		return s.declared(c, number, err)
	case l.Decisions[len(l.Decisions)-1].State == clearance.DecisionProposed:
		return c.JSON(http.StatusAccepted, l)
	}
	return c.JSON(http.StatusCreated, l)
}

// confirmDecision answers POST /declarations/{number}/decisions/{n}/confirm.
func (s *server) confirmDecision(c echo.Context) error { return s.second(c, s.Decisions.Confirm) }

// rejectDecision answers POST /declarations/{number}/decisions/{n}/reject.
func (s *server) rejectDecision(c echo.Context) error { return s.second(c, s.Decisions.Reject) }

// second has the word of another officer about a decision.
func (s *server) second(c echo.Context, say func(ctx context.Context, v clearance.Visitor, number string, decision int, why string) (clearance.Lodgement, error)) error {
	number, err := declarationNumber(c)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(c.Param("n"))
	if err != nil {
		return fmt.Errorf("%w: %q", clearance.ErrNoProposal, shortened(c.Param("n")))
	}
	why, err := readText(c.Request(), "why")
	if err != nil {
		return err
	}
	l, err := say(c.Request().Context(), visitor(c), number, n, why)
	if err != nil {
		return s.declared(c, number, err)
	}
	return c.JSON(http.StatusOK, l)
}
