package handover

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// MaxParcel bounds a parcel, in octets.
const MaxParcel = 256 << 20

// Package is what a parcel holds.
type Package struct {
	Manifest Manifest
	// Contents are those of Manifest.Files, in their order.
	Contents [][]byte
}

// pack makes the octets of a parcel: a ZIP whose entries are stored as they are. The same manifest and contents give the same octets.
func pack(m Manifest, contents [][]byte) ([]byte, error) {
	m.Format = Format
	m.Files = layout(len(m.Certificates), len(contents) == 2+3*len(m.Certificates))
	if len(m.Files) != len(contents) {
		return nil, fmt.Errorf("parcel %s: want %d files, found %d", m.ID, len(m.Files), len(contents))
	}
	total := 0
	for i, c := range contents {
		f := &m.Files[i]
		f.MediaType, f.Size, f.SHA256 = mediaTypes[f.Role], int64(len(c)), digestOf(c)
		total += len(c)
	}
	if total > MaxParcel {
		return nil, &Refusal{fmt.Sprintf("the parcel would have %d octets, at most %d are handed over", total, MaxParcel)}
	}
	manifest, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("manifest of %s: %w", m.ID, err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	if err := add(w, ManifestName, m.At, append(manifest, '\n')); err != nil {
		return nil, err
	}
	for i, f := range m.Files {
		if err := add(w, f.Name, m.At, contents[i]); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("parcel %s: %w", m.ID, err)
	}
	return out.Bytes(), nil
}

// add stores an entry without compression: what packs better from one release of a library to the next would change the octets.
func add(w *zip.Writer, name string, at time.Time, content []byte) error {
	entry, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, Modified: at.UTC().Truncate(time.Second)})
	if err == nil {
		_, err = entry.Write(content)
	}
	if err != nil {
		return fmt.Errorf("entry %s: %w", name, err)
	}
	return nil
}

// Unpack reads a parcel and compares every file with the manifest: names, order, sizes and digests. Whoever wants to know that it is the
// parcel that was handed over compares the digest of the whole.
func Unpack(parcel []byte) (Package, error) {
	var p Package
	if len(parcel) > MaxParcel+maxManifest {
		return p, fmt.Errorf("parcel: want at most %d octets, found %d", MaxParcel+maxManifest, len(parcel))
	}
	r, err := zip.NewReader(bytes.NewReader(parcel), int64(len(parcel)))
	if err != nil {
		return p, fmt.Errorf("parcel: %w", err)
	}
	if len(r.File) == 0 || r.File[0].Name != ManifestName {
		return p, fmt.Errorf("parcel: the first entry is not %s", ManifestName)
	}
	text, err := entryOf(r.File[0], maxManifest)
	if err != nil {
		return p, err
	}
	if p.Manifest, err = ReadManifest(text); err != nil {
		return Package{}, err
	}
	if found := len(r.File) - 1; found != len(p.Manifest.Files) {
		return Package{}, fmt.Errorf("parcel: the manifest names %d files, found %d", len(p.Manifest.Files), found)
	}
	left := int64(MaxParcel)
	for i, f := range p.Manifest.Files {
		entry := r.File[i+1]
		if entry.Name != f.Name {
			return Package{}, fmt.Errorf("parcel: want %q as entry %d, found %q", f.Name, i+2, entry.Name)
		}
		left -= f.Size
		if left < 0 {
			return Package{}, fmt.Errorf("parcel: its files have more than %d octets", MaxParcel)
		}
		content, err := entryOf(entry, f.Size)
		if err != nil {
			return Package{}, err
		}
		if int64(len(content)) != f.Size || digestOf(content) != f.SHA256 {
			return Package{}, fmt.Errorf("parcel: %s is not what the manifest says: %w", f.Name, ErrOtherContent)
		}
		p.Contents = append(p.Contents, content)
	}
	return p, nil
}

// entryOf reads an entry of at most so many octets.
func entryOf(f *zip.File, most int64) ([]byte, error) {
	if f.Method != zip.Store {
		return nil, fmt.Errorf("parcel: %q is compressed; entries are stored as they are", f.Name)
	}
	if f.UncompressedSize64 > uint64(most) {
		return nil, fmt.Errorf("parcel: %q has %d octets, want at most %d", f.Name, f.UncompressedSize64, most)
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("parcel: %q: %w", f.Name, err)
	}
	defer r.Close()
	content, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, fmt.Errorf("parcel: %q: %w", f.Name, err)
	}
	return content, nil
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
