package handover

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"github.com/ecogate/ecogate/clearance"
)

// Format is that of the manifest.
const Format = "ecogate-handover/1"

// ManifestName is the name of the manifest in a parcel; it is the first entry.
const ManifestName = "manifest.json"

// Manifest says what is in a parcel, so that it can be read without anything else.
type Manifest struct {
	Format string `json:"format"` // Format
	// ID is the handover's, the same for every repetition.
	ID          string    `json:"id"`
	Declaration string    `json:"declaration"`
	Version     int       `json:"version"`
	Revision    uint64    `json:"revision"` // of the declaration's record; of two parcels of one declaration the higher one is newer
	Occasion    Occasion  `json:"occasion"`
	At          time.Time `json:"at"` // the instant of the occasion
	// Certificates are those that the declaration cites and that have come, in its order.
	Certificates []ManifestCertificate `json:"certificates"`
	// Files are the other entries of the parcel, in their order.
	Files []File `json:"files"`
}

// ManifestCertificate is a certificate that the declaration cites.
type ManifestCertificate struct {
	clearance.Key
	// State is where it stood at the occasion.
	State string `json:"state"`
	// Partner sent it, in the message with this id, at the instant of its receipt.
	Partner  string    `json:"partner"`
	Message  string    `json:"message_id"`
	Received time.Time `json:"received"`
}

// Role says what a file of a parcel is.
type Role string

// The roles.
const (
	RoleDeclaration Role = "declaration" // the declaration as it was accepted, JSON
	RoleOriginal    Role = "original"    // the UN/EDIFACT interchange that it came in
	RoleCertificate Role = "certificate" // the signed UBL document, octet for octet as the partner sent it
	RoleRendition   Role = "rendition"   // the certificate on its form, PDF
	RoleReport      Role = "report"      // how it was verified and where it stood, JSON
)

var mediaTypes = map[Role]string{
	RoleDeclaration: "application/json", RoleOriginal: "application/EDIFACT", // RFC 1767 §1
	RoleCertificate: "application/xml", RoleRendition: "application/pdf", RoleReport: "application/json",
}

// File is an entry of a parcel.
type File struct {
	Name string `json:"name"`
	Role Role   `json:"role"`
	// Certificate is the place of the certificate that it belongs to in Manifest.Certificates, from 1; 0 for none.
	Certificate int    `json:"certificate,omitempty"`
	MediaType   string `json:"media_type"`
	Size        int64  `json:"size"`
	SHA256      string `json:"sha256"` // in hex
}

// maxManifest bounds a manifest, in octets; that of 2000 certificates has less than half.
const maxManifest = 8 << 20

var digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// ReadManifest reads a manifest, strictly: what it does not say rightly it does not say.
func ReadManifest(data []byte) (Manifest, error) {
	var m Manifest
	if len(data) > maxManifest {
		return m, fmt.Errorf("manifest: want at most %d octets, found %d", maxManifest, len(data))
	}
	if err := decode(data, &m); err != nil {
		return Manifest{}, fmt.Errorf("manifest: %w", err)
	}
	if err := m.check(); err != nil {
		return Manifest{}, fmt.Errorf("manifest: %w", err)
	}
	return m, nil
}

// decode reads one JSON value that has no members but those of out.
func decode(data []byte, out any) error {
	if err := checkNames(data); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(out); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the JSON value")
	}
	return nil
}

var namePattern = regexp.MustCompile(`^[a-z0-9_]+$`)

// maxDepth bounds how objects and lists lie in each other.
const maxDepth = 8

// checkNames refuses members that are there twice, and names in another spelling than ours: encoding/json takes the last of several and
// any case, and another reader the first.
func checkNames(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	var open []map[string]bool // the names in each object that is open, nil for a list
	isName := false
	for {
		token, err := d.Token()
		if err == io.EOF {
			return nil // decode tells what is missing
		}
		if err != nil {
			return err
		}
		last := len(open) - 1
		if last >= maxDepth {
			return fmt.Errorf("want at most %d objects and lists in each other, found more", maxDepth)
		}
		switch token {
		case json.Delim('{'):
			open, isName = append(open, map[string]bool{}), true
			continue
		case json.Delim('['):
			open, isName = append(open, nil), false
			continue
		case json.Delim('}'), json.Delim(']'):
			open = open[:last]
		default:
			if name, ok := token.(string); ok && isName {
				if open[last][name] || !namePattern.MatchString(name) {
					return fmt.Errorf("member %q is there twice, or in another spelling", shortened(name))
				}
				open[last][name], isName = true, false
				continue
			}
		}
		isName = len(open) > 0 && open[len(open)-1] != nil
	}
}

func (m Manifest) check() error {
	switch {
	case m.Format != Format:
		return fmt.Errorf("format: want %q, found %q", Format, m.Format)
	case m.Declaration == "" || m.Version < 1 || m.Revision < 1:
		return fmt.Errorf("declaration: want a number, a version and a revision from 1, found %q, %d and %d", m.Declaration, m.Version, m.Revision)
	case m.ID != IDOf(m.Declaration, m.Revision):
		return fmt.Errorf("id: want %q, that of revision %d of declaration %q, found %q", IDOf(m.Declaration, m.Revision), m.Revision, m.Declaration, m.ID)
	case !slices.Contains(Occasions(), m.Occasion):
		return fmt.Errorf("occasion: want one of %q, found %q", Occasions(), m.Occasion)
	case len(m.Certificates) > maxCited:
		return fmt.Errorf("certificates: want at most %d, found %d", maxCited, len(m.Certificates))
	}
	want := layout(len(m.Certificates), hasOriginal(m.Files))
	if len(want) != len(m.Files) {
		return fmt.Errorf("files: want %d with %d certificates, found %d", len(want), len(m.Certificates), len(m.Files))
	}
	for i, f := range m.Files {
		if err := f.check(want[i]); err != nil {
			return fmt.Errorf("files[%d]: %w", i, err)
		}
	}
	return nil
}

func hasOriginal(files []File) bool { return len(files) > 1 && files[1].Role == RoleOriginal }

// check compares a file with what stands in its place.
func (f File) check(want File) error {
	switch {
	case f.Name != want.Name || f.Role != want.Role || f.Certificate != want.Certificate:
		return fmt.Errorf("want %s %q of certificate %d, found %s %q of %d", want.Role, want.Name, want.Certificate, f.Role, f.Name, f.Certificate)
	case f.MediaType != mediaTypes[f.Role]:
		return fmt.Errorf("%s: want media type %s, found %q", f.Name, mediaTypes[f.Role], f.MediaType)
	case f.Size < 0 || f.Size > MaxParcel:
		return fmt.Errorf("%s: want a size from 0 to %d, found %d", f.Name, MaxParcel, f.Size)
	case !digestPattern.MatchString(f.SHA256):
		return fmt.Errorf("%s: sha256 is not 64 lower-case hexadecimal digits", f.Name)
	}
	return nil
}

// layout are the names and roles of the files of a parcel, in their order.
func layout(certificates int, original bool) []File {
	files := []File{{Name: "declaration.json", Role: RoleDeclaration}}
	if original {
		files = append(files, File{Name: "declaration.edi", Role: RoleOriginal})
	}
	for n := 1; n <= certificates; n++ {
		at := fmt.Sprintf("certificates/%d/", n)
		files = append(files,
			File{Name: at + "certificate.xml", Role: RoleCertificate, Certificate: n},
			File{Name: at + "certificate.pdf", Role: RoleRendition, Certificate: n},
			File{Name: at + "report.json", Role: RoleReport, Certificate: n})
	}
	return files
}
