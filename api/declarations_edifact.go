package api

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/cusdec"
	"github.com/ecogate/ecogate/eco"
)

// TakenInterchange is the answer to an EDIFACT interchange of declarations: what became of each of its messages, in their order.
type TakenInterchange struct {
	Interchange cusdec.Interchange `json:"interchange"`
	Messages    []TakenMessage     `json:"messages"`
}

// TakenMessage is what became of one message: it has Faults, a Problem, a Declaration, or was only tested.
type TakenMessage struct {
	// Reference is the message's, Function what it is to do: 9 lodge, 5 amend, 1 withdraw.
	Reference string `json:"reference"`
	Function  string `json:"function"`
	// Number is the declaration's, as far as it could be read.
	Number string `json:"number,omitempty"`
	// Faults are the errors of syntax for which it was refused.
	Faults []cusdec.Fault `json:"faults,omitempty"`
	// Problem is why the declaration was not taken.
	Problem *Problem `json:"problem,omitempty"`
	// Declaration is as it is now; Fresh says that it was not there before.
	Declaration *clearance.Lodgement `json:"declaration,omitempty"`
	Fresh       bool                 `json:"fresh,omitempty"`
	// Tested: the interchange is a test; the declaration was looked at by itself, and nothing was kept.
	Tested bool `json:"tested,omitempty"`
	// Skipped are segments that nothing was read from, MoreSkipped counts further ones.
	Skipped     []cusdec.Skipped `json:"skipped,omitempty"`
	MoreSkipped int              `json:"more_skipped,omitempty"`
}

// timePerDeclaration is what one declaration of an interchange may take beside Options.Timeout.
const timePerDeclaration = 2 * time.Second

// isEDIFACT reports whether a body is an EDIFACT interchange (RFC 1767 §3). Its UNB names its character set, whatever charset says.
func isEDIFACT(c echo.Context) bool {
	mediaType, _, err := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType))
	return err == nil && strings.EqualFold(mediaType, cusdec.MediaType)
}

// wantsEDIFACT reports whether Accept lists EDIFACT (RFC 9110 §12.5.1); without a weight of its own it goes before JSON.
func wantsEDIFACT(c echo.Context) bool {
	for _, field := range c.Request().Header.Values(echo.HeaderAccept) {
		for part := range strings.SplitSeq(field, ",") {
			mediaType, parameters, err := mime.ParseMediaType(part)
			if err != nil || !strings.EqualFold(mediaType, cusdec.MediaType) {
				continue
			}
			weight, err := strconv.ParseFloat(parameters["q"], 64)
			return err != nil || weight > 0
		}
	}
	return false
}

// lodgeInterchange answers POST /declarations with an EDIFACT interchange. One that is not right as a whole is refused before anything of
// it is taken. Otherwise each message is dealt with for itself, as if it had come alone, and the answer tells of each; only a failure of the
// node ends it early, and then the interchange may be sent again.
func (s *server) lodgeInterchange(c echo.Context) error {
	original, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return bodyProblem("", err)
	}
	interchange, messages, err := cusdec.Read(bytes.NewReader(original), cusdec.Limits{Bytes: s.MaxBody})
	if err != nil {
		return err
	}
	if len(interchange.Faults) > 0 {
		return s.refuseInterchange(c, interchange, messages)
	}
	s.extend(c, s.Timeout+time.Duration(len(messages))*timePerDeclaration)
	answer := TakenInterchange{Interchange: interchange, Messages: make([]TakenMessage, 0, len(messages))}
	status := http.StatusOK
	for _, m := range messages {
		if len(messages) > 1 { // each declaration keeps its own message, not all of them
			original = m.Original
		}
		taken, err := s.takeMessage(c, interchange, m, original)
		if err != nil {
			return fmt.Errorf("message %s of interchange %s: %w", m.Reference, interchange.Reference, err)
		}
		if taken.Fresh {
			status = http.StatusCreated
		}
		answer.Messages = append(answer.Messages, taken)
	}
	if !wantsEDIFACT(c) {
		return c.JSON(status, answer)
	}
	outcomes := make([]cusdec.Outcome, len(messages))
	for i, m := range messages {
		outcomes[i] = cusdec.Outcome{Message: m, Refused: answer.Messages[i].Problem != nil}
	}
	return c.Blob(status, cusdec.MediaType, s.report(interchange, outcomes))
}

// refuseInterchange tells every fault of an interchange of which nothing is taken.
func (s *server) refuseInterchange(c echo.Context, interchange cusdec.Interchange, messages []*cusdec.Message) error {
	p := problem(CodeFaultyFile, "")
	faults := interchange.Faults
	for _, m := range messages {
		faults = append(faults, m.Faults...)
	}
	for _, f := range faults {
		p.Errors = append(p.Errors, eco.Finding{Code: strconv.Itoa(int(f.Code)), Severity: eco.SeverityError, Path: f.Place(),
			Text: fmt.Sprintf("%s: want %s, found %s", f.Meaning, f.Expected, f.Found)})
	}
	if interchange.MoreFaults > 0 {
		p.Detail = fmt.Sprintf("%d further errors are not listed", interchange.MoreFaults)
	}
	if err := s.declared(c, "interchange "+shortened(interchange.Reference), p); err != p || !wantsEDIFACT(c) {
		return err
	}
	return c.Blob(http.StatusOK, cusdec.MediaType, s.report(interchange, nil)) // that it was refused is for the report to say
}

// report is the answer in CONTRL, under a reference that nothing else has.
func (s *server) report(interchange cusdec.Interchange, outcomes []cusdec.Outcome) []byte {
	return cusdec.Report(interchange, outcomes, rand.Text()[:14], s.Now())
}

// takeMessage does what one message is for. The error is the node's; what is wrong with the declaration is in what it returns.
func (s *server) takeMessage(c echo.Context, interchange cusdec.Interchange, m *cusdec.Message, original []byte) (TakenMessage, error) {
	taken := TakenMessage{Reference: m.Reference, Function: m.Function, Number: m.Declaration.Number, Faults: m.Faults, Skipped: m.Skipped, MoreSkipped: m.MoreSkipped}
	if taken.Function == "" {
		taken.Function = cusdec.FunctionOriginal
	}
	if len(m.Faults) > 0 {
		cause := problem(CodeFaultyFile, "")
		if err := s.declared(c, m.Declaration.Number, cause); err != cause {
			return taken, err
		}
		return taken, nil
	}
	l, err := s.dealWith(c, interchange, m, &taken, original)
	if err == nil {
		taken.Declaration = l
		return taken, nil
	}
	if err = s.declared(c, m.Declaration.Number, err); problemOf(err).Status >= http.StatusInternalServerError {
		return taken, err
	}
	refused := *problemOf(err)
	refused.Errors = inMessage(m, refused.Errors)
	taken.Problem = &refused
	return taken, nil
}

// inMessage gives findings about a declaration with the segments that they are about.
func inMessage(m *cusdec.Message, findings []eco.Finding) []eco.Finding {
	out := make([]eco.Finding, 0, len(findings))
	for _, f := range findings {
		if place := m.Place(f.Path); place != "" {
			f.Path = place
		}
		out = append(out, f)
	}
	return out
}

// dealWith lodges, amends or withdraws; a test is only looked at.
func (s *server) dealWith(c echo.Context, interchange cusdec.Interchange, m *cusdec.Message, taken *TakenMessage, original []byte) (*clearance.Lodgement, error) {
	ctx, v, d := c.Request().Context(), visitor(c), m.Declaration
	var l clearance.Lodgement
	var err error
	began := s.Now()
	switch {
	case interchange.Test:
		taken.Tested = true
		if f := d.Validate(); taken.Function != cusdec.FunctionCancel && eco.HasErrors(f) {
			return nil, &clearance.RefusedError{Findings: f}
		}
		return nil, nil
	case taken.Function == cusdec.FunctionReplace:
		l, err = s.Options.Declarations.Amend(ctx, v, d, original)
	case taken.Function == cusdec.FunctionCancel:
		l, err = s.Options.Declarations.Withdraw(ctx, v, d.Number, "CUSDEC message "+m.Reference)
	default:
		l, taken.Fresh, err = s.Options.Declarations.Lodge(ctx, v, d, original)
	}
	s.unhurried(c, began, citations(d))
	return &l, err
}
