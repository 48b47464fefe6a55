package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/signing"
)

// A message in a file may be kept in four ways, told apart by how the file begins.
const messageFileHelp = `FILE is a message as it travelled (- reads standard input), in one of these forms:

  - HTTP: a head, an empty line and the body; with or without a request or status line
  - a MIME entity, whose head has a Content-Type and little more
  - a multipart body alone, as "ecogate msg show --raw" writes it
  - a SOAP envelope alone; then --part cid:ID=FILE gives each of its parts

The body must be to the byte what travelled: a copy with other line ends does not verify.`

// maxHead bounds an HTTP or MIME head in bytes.
const maxHead = 64 << 10

// input is a file that is open, or a copy of standard input.
type input struct {
	ebms.Content
	close func()
}

// openInput opens an argument's file, or standard input for "-". What cannot be read at any place is copied to a file
// first, so that no message has to fit in memory.
func (c *cli) openInput(name string) (*input, error) {
	if name == "-" {
		return spool(c.in)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() {
		return &input{io.NewSectionReader(f, 0, info.Size()), func() { f.Close() }}, nil
	}
	defer f.Close()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s is a folder", name)
	}
	return spool(f)
}

// spool copies a stream to a file that is gone once it is closed, and where the system allows it whatever ends the program.
func spool(r io.Reader) (*input, error) {
	f, err := os.CreateTemp("", "ecogate-message-*")
	if err != nil {
		return nil, fmt.Errorf("keeping the input: %w", err)
	}
	unnamed := os.Remove(f.Name()) == nil
	closeFile := func() {
		f.Close()
		if !unnamed {
			os.Remove(f.Name())
		}
	}
	size, err := io.Copy(f, r)
	if err != nil {
		closeFile()
		return nil, fmt.Errorf("keeping the input: %w", err)
	}
	return &input{io.NewSectionReader(f, 0, size), closeFile}, nil
}

// readMessage reads a file as a package. The bounds of a node do not hold here, since nobody waits: only the envelope is
// bounded, and the parts to those that a signature can cover.
func readMessage(file ebms.Content, parts []ebms.Part) (*ebms.Package, error) {
	contentType, body, err := findEntity(file)
	if err != nil {
		return nil, err
	}
	limits := ebms.Limits{Body: max(body.Size(), 1), Parts: maxFileParts, Envelope: maxFileEnvelope}
	pkg, err := ebms.ReadPackage(contentType, body, limits)
	if err != nil {
		if plainLineEnds(contentType, body) {
			return nil, &hinted{err, "every line of the body ends in LF alone: the file was changed on its way, copy it as it is"}
		}
		return nil, err
	}
	if len(parts) > 0 && len(pkg.Parts) > 0 {
		return nil, &usageError{text: "--part is for an envelope alone, this message has its parts with it"}
	}
	pkg.Parts = append(pkg.Parts, parts...)
	return pkg, nil
}

const (
	maxFileParts    = signing.MaxParts + 1 // the envelope's
	maxFileEnvelope = 4 << 20
)

// findEntity finds the Content-Type and the body of a message in a file.
func findEntity(file ebms.Content) (contentType string, body ebms.Content, err error) {
	window := make([]byte, min(file.Size(), maxHead))
	if n, err := file.ReadAt(window, 0); n < len(window) {
		return "", nil, err
	}
	start := bytes.TrimLeft(bytes.TrimPrefix(window, []byte("\ufeff")), " \t\r\n")
	switch {
	case len(start) == 0:
		return "", nil, errors.New("there is nothing in it")
	case start[0] == '<':
		return "text/xml", file, nil
	case bytes.HasPrefix(start, []byte("--")):
		line, _, _ := bytes.Cut(start[2:], []byte("\n"))
		boundary := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(strings.TrimRight(string(line), " \t\r"))
		return `multipart/related; type="text/xml"; boundary="` + boundary + `"`, file, nil
	}
	head, at, err := cutHead(window)
	if err != nil {
		return "", nil, err
	}
	return headEntity(head, io.NewSectionReader(file, at, file.Size()-at))
}

// cutHead gives the lines of a head, without a request or status line, and where the body begins. A line ends in CRLF or
// LF: editors and log collectors change the ends in the head, where they carry no meaning.
func cutHead(window []byte) (head []byte, body int64, err error) {
	for rest := window; ; {
		line, after, found := bytes.Cut(rest, []byte("\n"))
		if !found {
			return nil, 0, fmt.Errorf("neither a SOAP envelope nor a head that ends with an empty line within %d bytes", maxHead)
		}
		first := len(rest) == len(window)
		rest = after
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			return append(head, "\r\n"...), int64(len(window) - len(rest)), nil
		}
		if first && isStartLine(string(line)) {
			continue
		}
		head = append(append(head, line...), "\r\n"...)
	}
}

// isStartLine recognises the first line of a request or a response. RFC 9112 §2.1.
func isStartLine(line string) bool {
	if strings.HasPrefix(line, "HTTP/") {
		return true
	}
	words := strings.Split(line, " ")
	return len(words) == 3 && strings.HasPrefix(words[2], "HTTP/") && !strings.Contains(words[0], ":")
}

// headEntity reads the head that stands before a body. What a node's HTTP server would have undone (chunks) or refused
// (compression) must not be there.
func headEntity(head []byte, body *io.SectionReader) (string, ebms.Content, error) {
	header, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(head))).ReadMIMEHeader()
	if err != nil {
		return "", nil, fmt.Errorf("neither a SOAP envelope nor an HTTP or MIME head: %s", shown(err.Error()))
	}
	for _, encoding := range []struct{ field, plain string }{
		{"Transfer-Encoding", "identity"}, {"Content-Encoding", "identity"}, {"Content-Transfer-Encoding", "7bit 8bit binary"},
	} {
		if value := header.Get(encoding.field); value != "" && !strings.Contains(encoding.plain, strings.ToLower(value)) {
			return "", nil, fmt.Errorf("the body is in %s %.80q; it must be decoded first", encoding.field, value)
		}
	}
	if n := len(header.Values("Content-Type")); n == 0 && body.Size() == 0 {
		return "", nil, errors.New("there is a head and no message after it")
	} else if n != 1 {
		return "", nil, fmt.Errorf("the head has %d fields Content-Type, 1 is expected", n)
	}
	if text := header.Get("Content-Length"); text != "" {
		length, err := strconv.ParseInt(text, 10, 64)
		switch {
		case err != nil || length < 0:
			return "", nil, fmt.Errorf("Content-Length %.80q is not a number of bytes", text)
		case length > body.Size():
			return "", nil, fmt.Errorf("the body has %d bytes, Content-Length says %d: it was cut off or changed", body.Size(), length)
		}
		body = io.NewSectionReader(body, 0, length) // what follows is not of this message
	}
	return header.Get("Content-Type"), body, nil
}

// plainLineEnds tells whether a multipart body lost the CR of its line ends, as far as its beginning shows.
func plainLineEnds(contentType string, body ebms.Content) bool {
	window := make([]byte, min(body.Size(), maxHead))
	if n, _ := body.ReadAt(window, 0); n < len(window) {
		return false
	}
	multipart := strings.HasPrefix(strings.ToLower(contentType), "multipart/")
	return multipart && bytes.Contains(window, []byte("\n")) && !bytes.Contains(window, []byte("\r\n"))
}

// openParts opens what --part gives: "cid:ID=FILE" each.
func (c *cli) openParts(values []string) (parts []ebms.Part, closeAll func(), err error) {
	var open []*input
	closeAll = func() {
		for _, in := range open {
			in.close()
		}
	}
	seen := map[string]bool{}
	for _, value := range values {
		uri, name, found := strings.Cut(value, "=")
		id, isPart := strings.CutPrefix(uri, "cid:")
		if !found || !isPart || id == "" || name == "" || name == "-" {
			closeAll()
			return nil, nil, &usageError{text: fmt.Sprintf("--part %q: want cid:ID=FILE", value)}
		}
		if decoded, err := url.PathUnescape(id); err == nil {
			id = decoded // RFC 2392 §2
		}
		if seen[id] {
			closeAll()
			return nil, nil, &usageError{text: fmt.Sprintf("--part %q: there is one for cid:%s already", value, id)}
		}
		seen[id] = true
		in, err := c.openInput(name)
		if err != nil {
			closeAll()
			return nil, nil, fmt.Errorf("part cid:%s: %w", id, err)
		}
		open = append(open, in)
		parts = append(parts, ebms.Part{ContentID: id, Content: in.Content})
	}
	return parts, closeAll, nil
}
