package api

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/docs/schema"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/intake"
)

// The query parameters of a submission whose body is a file. The first makes it one.
const (
	paramPartner = "partner"
	paramFormat  = "format"
)

// The media types of files, beside application/json.
const (
	mediaXLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	mediaCSV  = "text/csv"
)

// TakenFile is the answer to a submitted file: what became of each certificate in it, in the file's order.
type TakenFile struct {
	Certificates []Taken `json:"certificates"`
}

// Taken is what became of one certificate of a file: it has a Submission or a Problem.
type Taken struct {
	Reference string `json:"reference"`
	// Place is where the file begins to tell of it, such as a cell.
	Place      string      `json:"place,omitempty"`
	Submission *Submission `json:"submission,omitempty"`
	// Problem is why it was refused. The paths of its errors are places in the file.
	Problem *Problem `json:"problem,omitempty"`
	// Unplaced is what the file says and a certificate has no place for. Remarks are what reading it had to decide.
	Unplaced []intake.Field `json:"unplaced,omitempty"`
	Remarks  []eco.Finding  `json:"remarks,omitempty"`
}

// timePerCertificate is what one certificate of a file may take beside Options.Timeout, its time-stamp included.
const timePerCertificate = 10 * time.Second

// submitFile answers POST /certificates?partner=ID, whose body is a file with any number of certificates. A file with a fault is
// refused as a whole. Of one that can be read, every certificate is submitted for itself, and the answer tells of each; only a failure
// of the node ends it early, and then the file may be submitted again.
func (s *server) submitFile(c echo.Context) error {
	format, err := fileFormat(c)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return bodyProblem("", err)
	}
	imports, err := intake.Read(format, data, s.Forms())
	if err != nil {
		return fileProblem(err)
	}
	if len(imports) > 1 && c.QueryParams().Has(paramPaperNumber) {
		return problem(CodeParameter, fmt.Sprintf("%s is the number of one paper, the file has %d certificates", paramPaperNumber, len(imports)))
	}
	for i := range imports {
		if imports[i].Certificate, err = backfilled(c, imports[i].Certificate); err != nil {
			return err
		}
	}
	s.extend(c, s.Timeout+time.Duration(len(imports))*timePerCertificate)
	partner := c.QueryParam(paramPartner)
	status := http.StatusOK
	answer := TakenFile{Certificates: make([]Taken, 0, len(imports))}
	for _, i := range imports {
		taken := Taken{Reference: i.Certificate.Reference, Place: i.Place(""), Unplaced: i.Unplaced, Remarks: i.Findings}
		submission, err := s.submitOne(c, partner, i.Certificate)
		switch p := problemOf(err); {
		case err == nil:
			submission.Findings = inFile(i, submission.Findings)
			taken.Submission = &submission
			if submission.Fresh {
				status = http.StatusCreated
			}
		case p.Status >= http.StatusInternalServerError, p.Status == http.StatusNotFound: // as true of all others
			return err
		default:
			refused := *p
			refused.Errors = inFile(i, p.Errors)
			taken.Problem = &refused
		}
		answer.Certificates = append(answer.Certificates, taken)
	}
	return c.JSON(status, answer)
}

// inFile gives findings about a certificate with their places in the file that it was read from.
func inFile(i intake.Import, findings []eco.Finding) []eco.Finding {
	out := make([]eco.Finding, 0, len(findings))
	for _, f := range findings {
		if place := i.Place(f.Path); place != "" && place != f.Path {
			f.Text = f.Path + ": " + f.Text
			f.Path = place
		}
		out = append(out, f)
	}
	return out
}

// mediaTypeOf is the media type of a file in a format.
func mediaTypeOf(format intake.Format) string {
	switch format {
	case intake.FormatXLSX:
		return mediaXLSX
	case intake.FormatCSV:
		return mediaCSV
	}
	return echo.MIMEApplicationJSON
}

// fileFormat tells the format of a body from its media type, and that of JSON from a parameter.
func fileFormat(c echo.Context) (intake.Format, error) {
	mediaType, parameters, err := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType))
	if err != nil {
		return "", problem(CodeMediaType, err.Error())
	}
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return "", problem(CodeMediaType, fmt.Sprintf("want charset utf-8, found %q", charset))
	}
	given := intake.Format(c.QueryParam(paramFormat))
	for _, format := range intake.Formats() { // that JSON without a parameter is our own form follows from their order
		if mediaTypeOf(format) == mediaType && (given == "" || given == format) {
			return format, nil
		}
	}
	if given != "" && slices.Contains([]string{echo.MIMEApplicationJSON, mediaXLSX, mediaCSV}, mediaType) {
		return "", problem(CodeParameter, fmt.Sprintf("%s %q does not go with %s", paramFormat, given, mediaType))
	}
	return "", problem(CodeMediaType, fmt.Sprintf("want %s, %s or %s, found %s", echo.MIMEApplicationJSON, mediaXLSX, mediaCSV, mediaType))
}

// fileProblem tells what is wrong in a file, with each place.
func fileProblem(err error) error {
	var wrong *intake.Error
	if !errors.As(err, &wrong) {
		return err
	}
	p := problem(CodeFaultyFile, "")
	for _, one := range wrong.Problems {
		p.Errors = append(p.Errors, eco.Finding{Code: eco.CodeText, Severity: eco.SeverityError, Path: one.Place, Text: one.Text})
	}
	return p
}

// schema answers GET /certificate-schema.
func (s *server) schema(c echo.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	return c.Blob(http.StatusOK, schema.MediaType, schema.Certificate)
}
