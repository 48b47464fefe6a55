package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// submissionRequest is the body of POST /certificates, or its part "submission".
type submissionRequest struct {
	Partner     string          `json:"partner"`
	Certificate json.RawMessage `json:"certificate"`
}

// foreignCertificate is a file in the style of UN/CEFACT, which docs/intake.md describes.
type foreignCertificate map[string]json.RawMessage

// submission is what POST /certificates was given. close is called after use.
type submission struct {
	partner     string
	certificate eco.Certificate
	attachments []exchange.Attachment
	spill       *spill
}

func (in submission) close() { in.spill.close() }

// size is the number of octets of all attachments.
func (in submission) size() (n int64) {
	for _, a := range in.attachments {
		n += a.Content.Size()
	}
	return n
}

// readSubmission reads a body strictly: a member or part that is unknown or given twice would be data that its sender thinks was
// signed and sent. What it returns is to be closed after an error too.
func (s *server) readSubmission(c echo.Context) (submission, error) {
	mediaType, parameters, err := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType))
	switch {
	case err != nil:
		return submission{}, problem(CodeMediaType, err.Error())
	case mediaType == echo.MIMEApplicationJSON:
		in, err := readCertificate(c.Request().Body)
		if err != nil {
			return in, bodyProblem("", err)
		}
		return in, nil
	case mediaType == echo.MIMEMultipartForm:
		return s.readUpload(c, parameters["boundary"])
	}
	return submission{}, problem(CodeMediaType, fmt.Sprintf("want %s or %s, found %s", echo.MIMEApplicationJSON, echo.MIMEMultipartForm, mediaType))
}

// readCertificate reads the JSON of a submission.
func readCertificate(r io.Reader) (in submission, err error) {
	request, err := decodeSubmission(json.NewDecoder(r))
	if err != nil {
		return in, err
	}
	in.partner = request.Partner
	in.certificate, err = eco.Decode(request.Certificate)
	return in, err
}

func decodeSubmission(d *json.Decoder) (in submissionRequest, err error) {
	if err := decodeObject(d, member{"partner", &in.Partner}, member{"certificate", &in.Certificate}); err != nil {
		return in, err
	}
	if in.Partner == "" || len(in.Certificate) == 0 || string(in.Certificate) == "null" {
		return in, errors.New(`members "partner" and "certificate" are required`)
	}
	return in, nil
}

// bodyProblem tells what is wrong with a body that could not be read, and in which part of it.
func bodyProblem(part string, err error) error {
	var tooLarge *http.MaxBytesError
	var disk *diskError
	switch {
	case errors.As(err, &tooLarge), errors.As(err, &disk):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return problem(CodeTooSlow, "")
	}
	return problem(CodeMalformed, part+err.Error())
}
