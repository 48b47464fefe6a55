package config

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/ecogate/ecogate/intake"
	"github.com/ecogate/ecogate/internal/strictyaml"
)

// Problem gives a problem of key, such as "listeners.api.key_file", the place of that key or of the nearest part of it that was given.
func (c Config) Problem(key, text string) Problem {
	l := &loader{origins: c.origins}
	l.add(key, "%s", text)
	return l.problems[0]
}

// Join makes one error of several, nil ones left out, with every problem once. One that is no *Error is taken for a problem of
// the configuration as a whole.
func (c Config) Join(errs ...error) error {
	var all []Problem
	for _, err := range errs {
		var list []Problem
		var wrong *Error
		var one Problem
		switch {
		case errors.As(err, &wrong):
			list = wrong.Problems
		case errors.As(err, &one):
			list = append(list, one)
		case err != nil:
			list = append(list, c.Problem("", err.Error()))
		}
		for _, p := range list {
			if !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	return &Error{Problems: all}
}

// files visits every file that the configuration names; folders are none.
func (c Config) files(visit func(key, path string)) {
	strictyaml.Walk(c, func(at strictyaml.Leaf) {
		switch {
		case at.Field.Tag.Get("path") != "true":
		case at.Value.Kind() == reflect.Slice:
			for i := range at.Value.Len() {
				visit(fmt.Sprintf("%s[%d]", at.Key, i), at.Value.Index(i).String())
			}
		case at.Value.String() != "":
			visit(at.Key, at.Value.String())
		}
	})
}

// MissingFiles gives the absolute paths of the files that the configuration names and that are not there, each once.
func (c Config) MissingFiles() []string {
	var out []string
	c.files(func(_, path string) {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return
		}
		if absolute, err := filepath.Abs(path); err == nil {
			path = absolute
		}
		if !slices.Contains(out, path) {
			out = append(out, path)
		}
	})
	return out
}

// othersRead are the permission bits with which a secret is not one: reading by group and others.
const othersRead fs.FileMode = 0o044

// Warnings gives what is no error and should not stay so: private keys and API keys that others can read, a breaker_pause that
// backoff_max cuts short, and what partners.Config.Warnings says. It looks at the modes of files and reads none.
func (c Config) Warnings() []Problem {
	var out []Problem
	seen := map[string]bool{}
	c.files(func(key, path string) {
		if ext := filepath.Ext(key); ext != ".key_file" && ext != ".password_file" || seen[path] {
			return
		}
		seen[path] = true
		if info, err := os.Stat(path); err == nil && info.Mode()&othersRead != 0 {
			out = append(out, c.Problem(key, fmt.Sprintf("%s: mode %04o: others can read it; chmod 600", path, info.Mode().Perm())))
		}
	})
	if d := c.Delivery; c.origins["delivery.breaker_pause"] != "" && d.BreakerPause > d.BackoffMax {
		out = append(out, c.Problem("delivery.breaker_pause", fmt.Sprintf("%s is longer than backoff_max (%s), which is waited instead", d.BreakerPause, d.BackoffMax)))
	}
	for _, p := range c.Registry().Warnings() {
		out = append(out, c.Problem(p.Key, p.Text))
	}
	return out
}

// APIKeyDigests gives the SHA-256 in hex of each API key, in the order of APIKeys, reading the files of those that are in one. The error,
// an *Error, tells all that is wrong with them: files that cannot be read, keys that check refuses, and keys that two
// entries share.
func (c Config) APIKeyDigests(check func(secret []byte) error) ([]string, error) {
	var problems []error
	digests := make([]string, len(c.APIKeys))
	seen := map[string]bool{}
	for i, k := range c.APIKeys {
		key, digest := fmt.Sprintf("api_keys[%d].key_sha256", i), k.KeySHA256
		if k.KeyFile != "" {
			key = fmt.Sprintf("api_keys[%d].key_file", i)
			secret, err := os.ReadFile(k.KeyFile)
			if err != nil {
				problems = append(problems, c.Problem(key, err.Error()))
				continue
			}
			secret = bytes.TrimSpace(secret)
			if err := check(secret); err != nil {
				problems = append(problems, c.Problem(key, fmt.Sprintf("%s: %v", k.KeyFile, err)))
			}
			digest = fmt.Sprintf("%x", sha256.Sum256(secret))
		}
		if seen[digest] {
			problems = append(problems, c.Problem(key, sharedKey))
		}
		seen[digest] = digest != ""
		digests[i] = digest
	}
	return digests, c.Join(problems...)
}

// CheckFolders says whether store.dir and limits.spill_dir are there, or could be made, and can be written, and whether the folders of
// intake can be watched. It leaves nothing behind. The error is an *Error.
func (c Config) CheckFolders() error {
	var problems []error
	for i, f := range c.Intake.Folders {
		if err := intake.CheckFolder(f.Path); err != nil {
			problems = append(problems, c.FolderProblem(i, err))
		}
	}
	store := checkFolder(c.Store.Dir)
	if store != nil {
		store = c.Problem("store.dir", store.Error())
	}
	problems = append(problems, store)
	if store != nil && c.origins["limits.spill_dir"] == "" {
		return c.Join(problems...) // spill lies within it
	}
	spill := checkFolder(c.Limits.SpillDir)
	if spill != nil {
		spill = c.Problem("limits.spill_dir", spill.Error())
	}
	return c.Join(append(problems, spill)...)
}

// FolderProblem gives a problem of intake.folders[i] with its place.
func (c Config) FolderProblem(i int, err error) Problem {
	return c.Problem(fmt.Sprintf("intake.folders[%d].path", i), err.Error())
}

func checkFolder(dir string) error {
	if dir == "" {
		return nil // told when the configuration was read
	}
	for {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			return fmt.Errorf("%s is not a folder", dir)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) || filepath.Dir(dir) == dir {
			return err
		}
		dir = filepath.Dir(dir)
	}
	probe, err := os.CreateTemp(dir, ".ecogate-check-*")
	if err != nil {
		return fmt.Errorf("nothing can be written there: %w", err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}
