package intake

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Folder is a folder whose files are submitted. The sub-folders done and failed belong to the watcher, which alone writes there.
type Folder struct {
	Path string
	// Partner is whom the certificates go to.
	Partner string
	// Format is that of every file; empty lets each file's name tell.
	Format Format
	// Settle is how long a file must be seen unchanged before it is taken.
	Settle time.Duration
}

// The sub-folders that files are moved to.
const (
	folderDone   = "done"
	folderFailed = "failed"
)

// othersWrite are the permission bits with which anyone on the machine could have certificates signed.
const othersWrite fs.FileMode = 0o002

// CheckFolder says whether a folder can be watched: it is there, files in it can be read and moved, and nobody else may write to it
// but its owner and group. It leaves nothing behind.
func CheckFolder(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder", path)
	case info.Mode()&othersWrite != 0:
		return fmt.Errorf("%s: mode %04o: anyone on this machine can put certificates there to be signed; chmod o-w", path, info.Mode().Perm())
	}
	if _, err := os.ReadDir(path); err != nil {
		return err
	}
	for _, sub := range []string{folderDone, folderFailed} {
		sub = filepath.Join(path, sub)
		if err := checkSub(sub, info); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return writable(path)
}

// checkSub wants a folder on the same device as the one around it, so that a file can be moved there at once.
func checkSub(path string, around fs.FileInfo) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", path)
	}
	outer, ok := around.Sys().(*syscall.Stat_t)
	inner, same := info.Sys().(*syscall.Stat_t)
	if ok && same && outer.Dev != inner.Dev {
		return fmt.Errorf("%s is on another device than the folder around it; files could not be moved there at once", path)
	}
	return writable(path)
}

func writable(path string) error {
	probe, err := os.CreateTemp(path, ".ecogate-check-*")
	if err != nil {
		return fmt.Errorf("nothing can be written there: %w", err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// Prepare checks a folder as CheckFolder does and makes its sub-folders, with the rights of the folder itself.
func Prepare(path string) error {
	if err := CheckFolder(path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	for _, sub := range []string{folderDone, folderFailed} {
		if err := os.Mkdir(filepath.Join(path, sub), info.Mode().Perm()); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := checkSub(filepath.Join(path, sub), info); err != nil {
			return err
		}
	}
	return nil
}

// unfinished begin or end the names that programs give to files that they have not finished.
var unfinished = struct{ before, after []string }{
	[]string{".", "~"},
	[]string{"~", ".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".lock", ".swp"},
}

// named reports whether a name is that of a finished file.
func named(name string) bool {
	name = strings.ToLower(name)
	for _, before := range unfinished.before {
		if strings.HasPrefix(name, before) {
			return false
		}
	}
	for _, after := range unfinished.after {
		if strings.HasSuffix(name, after) {
			return false
		}
	}
	return true
}

// errChanging is what a file meets that is being written while it is read.
var errChanging = errors.New("it is being written")

// readFile reads a regular file, without following a link and without waiting for what is no file. Of one that is too large it reads one
// octet more than MaxBytes.
func readFile(path string) ([]byte, fs.FileInfo, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	before, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is no regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(file, MaxBytes+1))
	if err != nil {
		return nil, nil, err
	}
	after, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !sameState(before, after) || len(data) <= MaxBytes && int64(len(data)) != after.Size() {
		return nil, nil, errChanging
	}
	return data, after, nil
}

// sameState reports whether a file looks untouched.
func sameState(a, b fs.FileInfo) bool { return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) }

// maxClashes bounds the search for a name that is free.
const maxClashes = 100_000

// freeName gives name, or with a number in it that no file in dir has: "list.xlsx", "list.2.xlsx". Nobody else writes there.
func freeName(dir, name string) (string, error) {
	extension := filepath.Ext(name)
	stem := strings.TrimSuffix(name, extension)
	for n := 1; n < maxClashes; n++ {
		candidate := name
		if n > 1 {
			candidate = fmt.Sprintf("%s.%d%s", stem, n, extension)
		}
		if _, err := os.Lstat(filepath.Join(dir, candidate)); errors.Is(err, fs.ErrNotExist) {
			return candidate, nil
		} else if err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("%s: every name like %q is taken", dir, name)
}

// syncFolder makes what was moved in or out of a folder durable.
func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// writeWhole writes a file that is there whole or not at all, and durable.
func writeWhole(path string, data []byte, mode fs.FileMode) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".ecogate-*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // nothing is there any more once it has its name
	_, err = file.Write(data)
	if err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
