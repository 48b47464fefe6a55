package ubl

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/ecogate/ecogate/eco"
)

// Version is a version of UBL that documents are written for.
type Version string

// The versions. Documents of both are read alike.
const (
	// Version21 is the subset of UBL 2.1 that every later 2.x contains.
	Version21 Version = "2.1"
	// Version20 is for partners whose software knows UBL 2.0 only; such a document is valid under every 2.x. What 2.0 has
	// no element for travels in our own extension, and is lost on readers that drop it.
	Version20 Version = "2.0"
)

// Options say how a certificate is written.
type Options struct {
	// Version is what to write for; Version21 when empty.
	Version Version
	// Attachments are the files that travel beside the document, which refers to each with its digest.
	Attachments []Attachment
}

// Marshal writes c, whose form is one of forms, for Version21 and without attachments; see Options.Marshal.
func Marshal(c eco.Certificate, forms eco.Forms) ([]byte, error) { return Options{}.Marshal(c, forms) }

// Marshal writes the unsigned document of c, whose form is one of forms: UTF-8, an element a line, with a place for the
// signature at SignaturePath. Equal certificates give equal octets.
//
// Marshal loses nothing: Read finds in its result a certificate equal to c (nil and empty lists being equal) and the same
// attachments, or Marshal returns an error that names the field that a document cannot carry. It does not apply the rules of
// forms; a certificate without errors of eco.Validate can always be written, one with errors sometimes.
func (o Options) Marshal(c eco.Certificate, forms eco.Forms) ([]byte, error) {
	o.Version = cmp.Or(o.Version, Version21)
	doc, err := o.marshal(c, forms)
	if err != nil {
		return nil, fmt.Errorf("marshal certificate %q: %w", c.Reference, err)
	}
	back, err := Read(doc, forms)
	if err != nil {
		return nil, fmt.Errorf("marshal certificate %q: reading it back: %w", c.Reference, err)
	}
	if field := difference("", reflect.ValueOf(c), reflect.ValueOf(back.Certificate)); field != "" {
		return nil, fmt.Errorf("marshal certificate %q: %s: a document cannot carry this value", c.Reference, field)
	}
	if field := difference("attachments", reflect.ValueOf(o.Attachments), reflect.ValueOf(back.Attachments)); field != "" {
		return nil, fmt.Errorf("marshal certificate %q: %s: a document cannot carry this value", c.Reference, field)
	}
	faults, err := back.CheckStructure(string(o.Version))
	if err != nil {
		return nil, fmt.Errorf("marshal certificate %q: %w", c.Reference, err)
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("marshal certificate %q: %v", c.Reference, faults[0])
	}
	if len(back.Findings) > 0 {
		return nil, fmt.Errorf("marshal certificate %q: %s: %s", c.Reference, back.Findings[0].Path, back.Findings[0].Text)
	}
	return doc, nil
}

func (o Options) marshal(c eco.Certificate, forms eco.Forms) ([]byte, error) {
	form, ok := forms.ByCode(c.Form)
	if !ok {
		return nil, fmt.Errorf("form: want a known form, found %q", c.Form)
	}
	if o.Version != Version21 && o.Version != Version20 {
		return nil, fmt.Errorf("version: want %s or %s, found %q", Version20, Version21, o.Version)
	}
	return write("CertificateOfOrigin", nsCertificate, func(w *writer, root *etree.Element) {
		w.version = o.Version
		root.CreateAttr("xmlns:ext", nsExt)
		w.document(root, &c, form, references(&c, form, o.Attachments))
	})
}

// write makes the octets of a document: UTF-8, an element a line.
func write(name, space string, fill func(w *writer, root *etree.Element)) ([]byte, error) {
	tree := etree.NewDocument()
	// Carriage returns and such must be written as character references: a parser makes line feeds of literal ones.
	tree.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true}
	tree.CreateProcInst("xml", `version="1.0" encoding="UTF-8"`)
	root := tree.CreateElement(name)
	root.CreateAttr("xmlns", space)
	root.CreateAttr("xmlns:cac", nsCAC)
	root.CreateAttr("xmlns:cbc", nsCBC)
	w := &writer{version: Version21}
	fill(w, root)
	if w.err != nil {
		return nil, w.err
	}
	settings := etree.NewIndentSettings()
	settings.Spaces = 0
	settings.PreserveLeafWhitespace = true
	tree.IndentWithSettings(settings)
	return tree.WriteToBytes()
}

// difference is the path of the first field, by its JSON name, in which a and b differ, or "".
func difference(path string, a, b reflect.Value) string {
	switch a.Kind() {
	case reflect.Struct:
		if instant, ok := a.Interface().(time.Time); ok {
			other, _ := b.Interface().(time.Time)
			return unless(instant.Equal(other), path)
		}
		for i := range a.NumField() {
			name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("json"), ",")
			inner := strings.Trim(path+"."+name, ".")
			if d := difference(inner, a.Field(i), b.Field(i)); d != "" {
				return d
			}
		}
		return ""
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return unless(a.IsNil() == b.IsNil(), path)
		}
		return difference(path, a.Elem(), b.Elem())
	case reflect.Slice:
		for i := range min(a.Len(), b.Len()) {
			if d := difference(fmt.Sprintf("%s[%d]", path, i), a.Index(i), b.Index(i)); d != "" {
				return d
			}
		}
		return unless(a.Len() == b.Len(), path)
	case reflect.Map:
		for _, key := range a.MapKeys() {
			if other := b.MapIndex(key); !other.IsValid() || !other.Equal(a.MapIndex(key)) {
				return path + "." + key.String()
			}
		}
		return unless(a.Len() == b.Len(), path)
	default:
		return unless(a.Equal(b), path)
	}
}

func unless(equal bool, path string) string {
	if equal {
		return ""
	}
	return path
}
