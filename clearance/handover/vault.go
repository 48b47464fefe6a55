package handover

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ecogate/ecogate/clearance"
)

// Folder is a Vault in a folder of its own: one file for each parcel. A file is whole and durable when it has its name.
type Folder struct{ dir string }

var _ Vault = (*Folder)(nil)

// OpenFolder makes the folder if it is not there, for this user only, and removes what was not finished when a process ended. One process at a
// time has it.
func OpenFolder(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	left, err := filepath.Glob(filepath.Join(dir, temporaryPrefix+"*"+temporarySuffix))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	return &Folder{dir}, err
}

func (f *Folder) path(sum string) (string, error) {
	if !digestPattern.MatchString(sum) {
		return "", fmt.Errorf("parcel: %q is no SHA-256 in hex", sum)
	}
	return filepath.Join(f.dir, ParcelName(sum)), nil
}

// Put implements Vault.
func (f *Folder) Put(_ context.Context, content []byte) (string, error) {
	sum := digestOf(content)
	path, err := f.path(sum)
	if err != nil {
		return "", err
	}
	// Even if it is there: what damaged it meanwhile is mended.
	return sum, writeWhole(path, content, 0o600)
}

// Get implements Vault. Octets that are damaged count as not there.
func (f *Folder) Get(_ context.Context, sum string) ([]byte, error) {
	path, err := f.path(sum)
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", path, clearance.ErrNotFound)
	}
	if err == nil && digestOf(content) != sum {
		return nil, fmt.Errorf("%s is damaged: %w", path, clearance.ErrNotFound)
	}
	return content, err
}

// Drop implements Vault.
func (f *Folder) Drop(_ context.Context, sum string) error {
	path, err := f.path(sum)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// writeWhole writes a file that is there whole or not at all, and durable with its name. What is there is replaced.
func writeWhole(path string, data []byte, mode fs.FileMode) error {
	file, err := os.CreateTemp(filepath.Dir(path), temporaryPrefix+"*"+temporarySuffix)
	if err != nil {
		return err
	}
	return finish(file, path, data, mode)
}

// finish writes a new file and gives it its name.
func finish(file *os.File, path string, data []byte, mode fs.FileMode) error {
	defer os.Remove(file.Name()) // nothing is there any more once it has its name
	_, err := file.Write(data)
	if err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// Names of files that are not finished begin and end so.
const (
	temporaryPrefix = ".ecogate-"
	temporarySuffix = ".tmp"
)

// syncFolder makes what was moved in or out of a folder durable.
func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
