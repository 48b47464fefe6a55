package handover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// NewSpool delivers into a folder of this machine, or one that is mounted here. Each parcel is written under another name, synced, and
// renamed; then the folder is synced.
func NewSpool(o BoxOptions) (Inquirer, error) {
	if o.Folder == "" {
		return nil, errors.New("spool folder: want a path")
	}
	return &box{BoxOptions: o, open: func(context.Context) (place, error) {
		for _, folder := range []string{o.Folder, o.ConfirmFolder} {
			if err := checkFolder(folder); err != nil {
				return nil, err
			}
		}
		return localPlace{}, nil
	}}, nil
}

// CheckSpool says whether parcels can be put into a folder. It leaves nothing behind.
func CheckSpool(folder string) error {
	if err := checkFolder(folder); err != nil {
		return err
	}
	probe, err := os.CreateTemp(folder, temporaryPrefix+"*"+temporarySuffix)
	if err != nil {
		return fmt.Errorf("nothing can be written there: %w", err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

func checkFolder(path string) error {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a folder", path)
	}
	return err
}

// localPlace is this machine.
type localPlace struct{}

func (localPlace) join(folder, name string) string { return filepath.Join(folder, name) }

func (localPlace) Close() error { return nil }

// read follows no link and does not wait for what is no file: the receiver writes there.
func (localPlace) read(path string, most int64) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	return readMost(file, path, most)
}

func (localPlace) exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// readMost reads at most so many octets; more are an error.
func readMost(r io.Reader, path string, most int64) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > most {
		return nil, fmt.Errorf("%s has more than %d octets", path, most)
	}
	return content, nil
}

// parcelMode lets the group read: the receiver is another user.
const parcelMode fs.FileMode = 0o640

// write takes the same temporary name in each attempt, so that processes that end in it do not fill the folder. The receiver writes there: what
// has that name is not followed.
func (localPlace) write(path string, content []byte) error {
	temporary := filepath.Join(filepath.Dir(path), temporaryPrefix+filepath.Base(path)+temporarySuffix)
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return finish(file, path, content, parcelMode)
}
