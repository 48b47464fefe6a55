package api

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"strings"
	"syscall"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/exchange"
)

// The names of the parts of a submission with attachments.
const (
	fieldSubmission = "submission"
	fieldAttachment = "attachment"
)

// Limits of a submission with attachments.
const (
	maxName      = 255 // octets of a file's name, as on most file systems
	maxMediaType = 255 // octets
	maxBoundary  = 70  // RFC 2046 §5.1.1
)

// readUpload reads a multipart/form-data body (RFC 7578): the submission's JSON, then attachments, which go to disk as they come.
func (s *server) readUpload(c echo.Context, boundary string) (in submission, err error) {
	if boundary == "" || len(boundary) > maxBoundary {
		return in, problem(CodeMalformed, fmt.Sprintf("%s needs a boundary of 1 to %d characters", echo.MIMEMultipartForm, maxBoundary))
	}
	limit := s.MaxBody + s.MaxAttachments
	if c.Request().ContentLength > limit { // said before the client has sent it all
		return in, &http.MaxBytesError{Limit: limit}
	}
	parts := multipart.NewReader(http.MaxBytesReader(c.Response(), s.pacedBody(c), limit), boundary)
	first, err := nextField(parts)
	switch {
	case errors.Is(err, io.EOF):
		return in, problem(CodeMalformed, fmt.Sprintf("there is no part; want %q first", fieldSubmission))
	case err != nil:
		return in, bodyProblem("part 1: ", err)
	case first.name != fieldSubmission:
		return in, problem(CodeMalformed, fmt.Sprintf("part 1: want the name %q, found %q", fieldSubmission, first.name))
	case first.mediaType != echo.MIMEApplicationJSON && !strings.HasPrefix(first.mediaType, echo.MIMEApplicationJSON+";"):
		return in, problem(CodeMalformed, fmt.Sprintf("part 1: want Content-Type %s, found %q", echo.MIMEApplicationJSON, first.mediaType))
	}
	if in, err = readCertificate(http.MaxBytesReader(nil, io.NopCloser(first.content), s.MaxBody)); err != nil {
		return in, bodyProblem("part 1: ", err)
	}
	in.spill = &spill{dir: s.SpillDir}
	for {
		at := fmt.Sprintf("part %d: ", len(in.attachments)+2)
		f, err := nextField(parts)
		if errors.Is(err, io.EOF) {
			return in, nil
		}
		if err == nil && len(in.attachments) == exchange.MaxAttachments {
			return in, problem(CodeTooLarge, fmt.Sprintf("there are more than %d attachments", exchange.MaxAttachments))
		}
		var a exchange.Attachment
		if err == nil {
			a, err = f.attachment(in.spill)
		}
		if err != nil {
			return in, bodyProblem(at, err)
		}
		in.attachments = append(in.attachments, a)
	}
}

// field is one part of a form.
type field struct {
	name string
	// filename is as sent, and given says that it was. mediaType is in canonical spelling, with parameters; empty if none was sent.
	filename  string
	given     bool
	mediaType string
	content   io.Reader
}

// nextField reads up to the content of the next part. It gives io.EOF after the last.
func nextField(parts *multipart.Reader) (f field, err error) {
	part, err := parts.NextRawPart() // as it travelled: nothing may be decoded that is signed and sent on
	if err != nil {
		return f, err
	}
	f.content = part
	disposition, err := once(part.Header, echo.HeaderContentDisposition)
	if err != nil {
		return f, err
	}
	kind, parameters, err := mime.ParseMediaType(disposition)
	if err != nil || kind != "form-data" {
		return f, fmt.Errorf("want Content-Disposition form-data, found %q", disposition)
	}
	f.name = parameters["name"]
	f.filename, f.given = parameters["filename"]
	// RFC 7578 §4.7: no transfer encoding but those that change nothing.
	encoding, err := once(part.Header, "Content-Transfer-Encoding")
	switch {
	case err != nil:
		return f, err
	case encoding != "" && !strings.EqualFold(encoding, "binary") && !strings.EqualFold(encoding, "8bit") && !strings.EqualFold(encoding, "7bit"):
		return f, fmt.Errorf("Content-Transfer-Encoding %q is not taken; send the octets as they are", encoding)
	}
	if f.mediaType, err = once(part.Header, echo.HeaderContentType); err != nil || f.mediaType == "" {
		return f, err
	}
	return f, f.canonicalMediaType()
}

func (f *field) canonicalMediaType() error {
	mediaType, parameters, err := mime.ParseMediaType(f.mediaType)
	canonical := mime.FormatMediaType(mediaType, parameters)
	switch {
	case err != nil || canonical == "" || !strings.Contains(mediaType, "/"):
		return fmt.Errorf("Content-Type %q is not a media type", f.mediaType)
	case len(canonical) > maxMediaType:
		return fmt.Errorf("Content-Type has %d octets; it takes %d at most", len(canonical), maxMediaType)
	case strings.HasPrefix(mediaType, "multipart/"): // a receiver could take it apart for parts of the message
		return fmt.Errorf("Content-Type %s is not taken in a part", mediaType)
	}
	f.mediaType = canonical
	return nil
}

// once gives a header field that may be there once at most.
func once(h textproto.MIMEHeader, name string) (string, error) {
	values := h.Values(name)
	if len(values) > 1 {
		return "", fmt.Errorf("header field %s is given twice", name)
	}
	return h.Get(name), nil
}

// attachment judges a field after the first, and keeps its content.
func (f field) attachment(to *spill) (a exchange.Attachment, err error) {
	name := baseName(f.filename)
	switch {
	case f.name == fieldSubmission:
		return a, fmt.Errorf("%q is given twice", fieldSubmission)
	case f.name != fieldAttachment:
		return a, fmt.Errorf("there is no part %q; want %q", f.name, fieldAttachment)
	case !f.given || f.mediaType == "":
		return a, errors.New("an attachment needs a filename and a Content-Type")
	case name == "":
		return a, fmt.Errorf("filename %q names no file", f.filename)
	case len(name) > maxName:
		return a, fmt.Errorf("filename has %d octets; it takes %d at most", len(name), maxName)
	case !printable(name):
		return a, fmt.Errorf("filename %q holds what cannot be printed", name)
	}
	content, err := to.keep(f.content)
	return exchange.Attachment{Name: name, ContentType: f.mediaType, Content: content}, err
}

// baseName is what follows the last separator of a path of any system; empty if that names no file.
func baseName(path string) string {
	name := strings.TrimSpace(path[strings.LastIndexAny(path, `/\`)+1:])
	if strings.Trim(name, ".") == "" {
		return ""
	}
	return name
}

// spill is a temporary file that ends with the request, or with the process. All attachments of a request lie in it one after the
// other, so that a request takes one file whatever it holds.
type spill struct {
	dir  string
	file *os.File // nil until something is kept
	size int64
}

// keep reads r to its end.
func (s *spill) keep(r io.Reader) (exchange.Content, error) {
	if s.file == nil {
		file, err := os.CreateTemp(s.dir, "attachments-*")
		if err != nil {
			return nil, &diskError{err}
		}
		s.file = file
		if err := os.Remove(file.Name()); err != nil {
			return nil, &diskError{err}
		}
	}
	begin := s.size
	_, err := io.Copy(s, r)
	return io.NewSectionReader(s.file, begin, s.size-begin), err
}

// Write appends to the file.
func (s *spill) Write(p []byte) (int, error) {
	n, err := s.file.Write(p)
	s.size += int64(n)
	switch {
	case errors.Is(err, syscall.ENOSPC):
		err = &diskError{fmt.Errorf("%w: %w", exchange.ErrFull, err)}
	case err != nil:
		err = &diskError{err}
	}
	return n, err
}

func (s *spill) close() {
	if s != nil && s.file != nil {
		_ = s.file.Close() // nobody will read it again
	}
}

// diskError is a fault of this machine, not of what was sent.
type diskError struct{ error }

func (e *diskError) Unwrap() error { return e.error }
