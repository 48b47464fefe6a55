package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/ecogate/ecogate/exchange"
)

// mediaTypes are those of files that travel with certificates. The system's own table would not do: a certificate that is submitted
// again from another machine would have other attachments there.
var mediaTypes = map[string]string{
	".csv":  "text/csv",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".jpeg": "image/jpeg",
	".jpg":  "image/jpeg",
	".json": "application/json",
	".odt":  "application/vnd.oasis.opendocument.text",
	".pdf":  "application/pdf",
	".png":  "image/png",
	".tif":  "image/tiff",
	".tiff": "image/tiff",
	".txt":  "text/plain",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".xml":  "application/xml",
	".zip":  "application/zip",
}

// mediaType follows from a file's extension.
func mediaType(name string) string {
	if known, ok := mediaTypes[strings.ToLower(filepath.Ext(name))]; ok {
		return known
	}
	return "application/octet-stream"
}

// attachments are open files to send with a certificate.
type attachments struct {
	list  []exchange.Attachment
	files []*os.File
}

// openAttachments opens files; those that it opened before an error are to be closed too.
func openAttachments(names []string) (a attachments, err error) {
	for _, name := range names {
		info, err := os.Stat(name) // before opening: that of a pipe would wait
		if err != nil {
			return a, fmt.Errorf("attachment: %w", err)
		}
		if !info.Mode().IsRegular() {
			return a, &usageError{text: fmt.Sprintf("attachment %s is not a file", name)}
		}
		file, err := os.Open(name)
		if err != nil {
			return a, fmt.Errorf("attachment: %w", err)
		}
		a.files = append(a.files, file)
		a.list = append(a.list, exchange.Attachment{
			Name: filepath.Base(name), ContentType: mediaType(name), Content: io.NewSectionReader(file, 0, info.Size()),
		})
	}
	return a, nil
}

func (a attachments) size() (n int64) {
	for _, attachment := range a.list {
		n += attachment.Content.Size()
	}
	return n
}

func (a attachments) close() {
	for _, f := range a.files {
		_ = f.Close() // it was only read
	}
}
