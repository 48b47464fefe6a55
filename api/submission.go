package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/eco"
)

// submissionRequest is the body of POST /certificates.
type submissionRequest struct {
	Partner     string          `json:"partner"`
	Certificate json.RawMessage `json:"certificate"`
}

// readSubmission reads a body strictly: a member that is unknown or given twice would be data that its sender thinks was
// signed and sent.
func readSubmission(r *http.Request) (partner string, c eco.Certificate, err error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType))
	if err != nil || mediaType != echo.MIMEApplicationJSON {
		return "", c, problem(CodeMediaType, "")
	}
	in, err := decodeSubmission(json.NewDecoder(r.Body))
	if err == nil {
		c, err = eco.Decode(in.Certificate)
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return "", c, err
	}
	if err != nil {
		return "", c, problem(CodeMalformed, err.Error())
	}
	return in.Partner, c, nil
}

// decodeSubmission reads the two members, each once, and the end of the input. encoding/json by itself takes the last of
// several and any spelling of a name.
func decodeSubmission(d *json.Decoder) (in submissionRequest, err error) {
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return in, errors.Join(errors.New(`want a JSON object with the members "partner" and "certificate"`), err)
	}
	seen := make(map[string]bool)
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return in, fmt.Errorf("after octet %d: %w", d.InputOffset(), err)
		}
		name, _ := token.(string) // the decoder takes nothing else for a name
		switch {
		case seen[name]:
			return in, fmt.Errorf("member %q is given twice", name)
		case name == "partner":
			err = d.Decode(&in.Partner)
		case name == "certificate":
			err = d.Decode(&in.Certificate)
		default:
			return in, fmt.Errorf(`there is no member %q; want "partner" and "certificate"`, name)
		}
		if err != nil {
			return in, fmt.Errorf("member %q: %w", name, err)
		}
		seen[name] = true
	}
	if _, err := d.Token(); err != nil {
		return in, fmt.Errorf("after octet %d: %w", d.InputOffset(), err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return in, fmt.Errorf("more data after the JSON object, which ends at octet %d", d.InputOffset())
	}
	if in.Partner == "" || len(in.Certificate) == 0 || string(in.Certificate) == "null" {
		return in, errors.New(`members "partner" and "certificate" are required`)
	}
	return in, nil
}
