package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/exchange"
)

// requestBody is what a client sends: pieces one after the other, of known size, so that it can be sent again on another connection.
type requestBody struct {
	contentType string
	pieces      []exchange.Content
}

func jsonBody(v any) (*requestBody, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return &requestBody{echo.MIMEApplicationJSON, []exchange.Content{bytes.NewReader(data)}}, nil
}

// formBody puts a submission and its attachments into one multipart/form-data body (RFC 7578). Attachments are read when it is sent.
func formBody(submission *requestBody, attachments []exchange.Attachment) (*requestBody, error) {
	var between bytes.Buffer
	form := multipart.NewWriter(&between)
	body := &requestBody{contentType: form.FormDataContentType()}
	add := func(disposition, mediaType string, pieces ...exchange.Content) error {
		header := textproto.MIMEHeader{echo.HeaderContentDisposition: {disposition}, echo.HeaderContentType: {mediaType}}
		if _, err := form.CreatePart(header); err != nil {
			return fmt.Errorf("request: %w", err)
		}
		body.pieces = append(append(body.pieces, bytes.NewReader(bytes.Clone(between.Bytes()))), pieces...)
		between.Reset()
		return nil
	}
	if err := add(`form-data; name="`+fieldSubmission+`"`, submission.contentType, submission.pieces...); err != nil {
		return nil, err
	}
	for _, a := range attachments {
		if err := add(multipart.FileContentDisposition(fieldAttachment, a.Name), a.ContentType, a.Content); err != nil {
			return nil, err
		}
	}
	if err := form.Close(); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	body.pieces = append(body.pieces, bytes.NewReader(between.Bytes()))
	return body, nil
}

// waitsForLeave is the size in bytes from which a client asks before it sends (RFC 9110 §10.1.1): a refusal then costs nothing.
const waitsForLeave = 1 << 20

// into makes b the body of a request.
func (b *requestBody) into(req *http.Request) {
	req.Header.Set(echo.HeaderContentType, b.contentType)
	for _, piece := range b.pieces {
		req.ContentLength += piece.Size()
	}
	if req.ContentLength >= waitsForLeave {
		req.Header.Set("Expect", "100-continue")
	}
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(b.open()), nil }
	req.Body = io.NopCloser(b.open())
}

func (b *requestBody) open() io.Reader {
	readers := make([]io.Reader, len(b.pieces))
	for i, piece := range b.pieces {
		readers[i] = io.NewSectionReader(piece, 0, piece.Size())
	}
	return io.MultiReader(readers...)
}
