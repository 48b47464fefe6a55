package revocation

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ecogate/ecogate/internal/plainfile"
)

// cache keeps what was fetched, as it came, in a folder of its own: one file for each source, and the instants since when
// credentials are looked for. What is read from it is verified as if it had just been fetched.
type cache struct{ dir string }

const (
	extension = ".revocation"
	sinceFile = "since.json"
	maxSince  = 16 << 20
)

func (c cache) name(s source) string {
	digest := sha256.Sum256([]byte(s.key()))
	return filepath.Join(c.dir, hex.EncodeToString(digest[:16])+extension)
}

// write replaces a file so that a reader, after a crash too, finds the old or the new content.
func (c cache) write(name string, data []byte) error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(c.dir, "new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone after the rename
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// read gives a file's content and when it was written; nothing if there is none.
func read(name string, most int64) ([]byte, time.Time, error) {
	f, err := plainfile.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, time.Time{}, nil
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, time.Time{}, err
	}
	data, err := readMost(f, most)
	return data, info.ModTime(), err
}

// readMost reads all of r, which must not be more than most octets.
func readMost(r io.Reader, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("is over the limit of %d octets", most)
	}
	return data, err
}

// keepOnly removes what belongs to no source any more, so that the folder is as large as the configuration asks for.
func (c cache) keepOnly(sources []source) error {
	files, err := os.ReadDir(c.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, s := range sources {
		wanted[c.name(s)] = true
	}
	for _, f := range files {
		name := filepath.Join(c.dir, f.Name())
		if stray := strings.HasSuffix(name, extension) && !wanted[name]; stray || strings.HasPrefix(f.Name(), "new-") {
			err = errors.Join(err, os.Remove(name))
		}
	}
	return err
}

func (id linkID) String() string {
	return hex.EncodeToString(id.issuer[:]) + ":" + hex.EncodeToString(id.serial[:])
}

// parseLinkID reads what String writes.
func parseLinkID(text string) (id linkID, err error) {
	issuer, number, _ := strings.Cut(text, ":")
	if len(issuer) != 2*len(id.issuer) || len(number) != 2*len(id.serial) {
		return id, fmt.Errorf("%.120q names no credential", text)
	}
	if _, err = hex.Decode(id.issuer[:], []byte(issuer)); err == nil {
		_, err = hex.Decode(id.serial[:], []byte(number))
	}
	return id, err
}

func (c cache) writeSince(since map[linkID]time.Time) error {
	out := make(map[string]time.Time, len(since))
	for id, at := range since {
		out[id.String()] = at
	}
	data, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		return err
	}
	return c.write(filepath.Join(c.dir, sinceFile), data)
}

// readSince gives the instants by linkID.String.
func (c cache) readSince() (map[string]time.Time, error) {
	data, _, err := read(filepath.Join(c.dir, sinceFile), maxSince)
	if err != nil || data == nil {
		return nil, err
	}
	var out map[string]time.Time
	if err := json.Unmarshal(data, &out); err != nil {
		return nil, fmt.Errorf("%s: %w", sinceFile, err)
	}
	return out, nil
}
