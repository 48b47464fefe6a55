package ubl

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/jacoelho/xsd"
	"github.com/jacoelho/xsd/xsderrors"
)

// Schemas are the schemas of UBL, as OASIS publishes them: the folder of each version holds maindoc and common. They are the
// authority for the structure of documents; CheckStructure stands in for them where they are not at hand. OASIS allows to pass
// them on unchanged only, so that an operator names where they are.
//
// The schemas of a version are compiled when they are first needed, once. Schemas are safe for concurrent use.
type Schemas struct {
	folders  fs.FS
	versions map[string]func() (*xsd.Engine, error)
}

// OpenSchemas finds the versions in folders: its sub-folders named like "2.1". It is an error if there is none, or if one has
// no main document.
func OpenSchemas(folders fs.FS) (*Schemas, error) {
	s := &Schemas{folders: folders, versions: map[string]func() (*xsd.Engine, error){}}
	found, err := fs.Glob(folders, "2.*/maindoc/*.xsd")
	if err != nil {
		return nil, err
	}
	documents := map[string][]string{}
	for _, file := range found {
		version, _, _ := strings.Cut(file, "/")
		documents[version] = append(documents[version], file)
	}
	if len(documents) == 0 {
		return nil, errors.New("want folders of UBL versions such as 2.1, each with maindoc and common as OASIS publishes them, found none")
	}
	for version, files := range documents {
		s.versions[version] = sync.OnceValues(func() (*xsd.Engine, error) { return s.compile(files) })
	}
	return s, nil
}

// Versions are those that were found, in order.
func (s *Schemas) Versions() []string {
	var versions []string
	for version := range s.versions {
		versions = append(versions, version)
	}
	slices.Sort(versions)
	return versions
}

// Compile compiles the schemas of all versions, which takes some tenths of a second each, and says what is wrong with them.
func (s *Schemas) Compile() error {
	for _, version := range s.Versions() {
		if _, err := s.versions[version](); err != nil {
			return fmt.Errorf("schemas of UBL %s: %w", version, err)
		}
	}
	return nil
}

func (s *Schemas) compile(files []string) (*xsd.Engine, error) {
	var sources []xsd.SchemaSource
	for _, file := range files {
		source, err := s.source(file)
		if err != nil {
			return nil, err
		}
		sources = append(sources, source.WithResolver(xsd.ResolverFunc(s.resolve)))
	}
	return xsd.Compile(context.Background(), sources...)
}

// resolve finds the schema that another one names; nothing outside the folders is ever read.
func (s *Schemas) resolve(_ context.Context, base, location string) (xsd.SchemaSource, error) {
	file := path.Join(path.Dir(base), location)
	if !fs.ValidPath(file) {
		return xsd.SchemaSource{}, fmt.Errorf("%s: %w", location, xsderrors.ErrSchemaNotFound)
	}
	return s.source(file)
}

func (s *Schemas) source(file string) (xsd.SchemaSource, error) {
	octets, err := fs.ReadFile(s.folders, file)
	if err != nil {
		return xsd.SchemaSource{}, err
	}
	return xsd.Bytes(file, withoutDoctype(octets)), nil
}

// withoutDoctype drops the document type declaration: that of UBL 2.1's copy of the XML-DSig schema declares entities that the schema
// does not use, and no reader here takes one.
func withoutDoctype(schema []byte) []byte {
	begin := bytes.Index(schema, []byte("<!DOCTYPE"))
	if begin < 0 || bytes.LastIndex(schema[:begin], []byte("<!--")) > bytes.LastIndex(schema[:begin], []byte("-->")) {
		return schema
	}
	end := bytes.Index(schema[begin:], []byte("]>"))
	if end < 0 {
		return schema
	}
	return slices.Concat(schema[:begin], schema[begin+end+2:])
}

// Check validates a document against the schemas of a version. Faults come in the order of the document, MaxFaults at the most; nil
// is a valid document. The error says that nothing was checked: the version is not there, or its schemas are no good.
func (s *Schemas) Check(ctx context.Context, doc []byte, version string) ([]Fault, error) {
	engine := s.versions[version]
	if engine == nil {
		return nil, fmt.Errorf("want schemas of UBL %s, found those of %s", version, strings.Join(s.Versions(), ", "))
	}
	compiled, err := engine()
	if err != nil {
		return nil, fmt.Errorf("schemas of UBL %s: %w", version, err)
	}
	err = compiled.ValidateWithOptions(ctx, bytes.NewReader(doc), xsd.ValidateOptions{MaxErrors: MaxFaults, MaxInstanceDepth: maxDepth})
	if err == nil {
		return nil, nil
	}
	var faults []Fault
	for _, e := range diagnostics(err) {
		if e.Category == xsderrors.CategoryCanceled || e.Category == xsderrors.CategoryInternal {
			return nil, fmt.Errorf("checking a document against UBL %s: %w", version, err)
		}
		faults = append(faults, Fault{Line: e.Line, Column: e.Column, Path: e.Path, Text: cmp.Or(e.Message, e.Error())})
	}
	if faults == nil {
		return nil, fmt.Errorf("checking a document against UBL %s: %w", version, err)
	}
	return faults, nil
}

// diagnostics are the single errors that err joins.
func diagnostics(err error) []*xsderrors.Error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*xsderrors.Error
		for _, one := range joined.Unwrap() {
			all = append(all, diagnostics(one)...)
		}
		return all
	}
	if e, ok := errors.AsType[*xsderrors.Error](err); ok {
		return []*xsderrors.Error{e}
	}
	return nil
}
