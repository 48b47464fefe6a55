package partners

import (
	"fmt"
	"path/filepath"
	"reflect"
)

// Compose reads an entry as people write it, in which relative paths are those of the folder dir, and gives its id and its text as
// Directory.Put takes it: with the contents of the files that it names. What is wrong with the text is a *ConfigError.
func Compose(kind Kind, text, dir string) (id, composed string, err error) {
	own := newDocument(kind)
	if own == nil {
		return "", "", fmt.Errorf("%w: kind %q", ErrUnknownEntry, kind)
	}
	if problems := decodeInto(text, own); len(problems) > 0 {
		return "", "", &ConfigError{Problems: problems}
	}
	eachPath(own, func(_ string, path reflect.Value) {
		if !filepath.IsAbs(path.String()) {
			path.SetString(filepath.Join(dir, path.String()))
		}
	})
	composed, err = settled(own)
	return own.name(), composed, err
}
