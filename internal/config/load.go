package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/internal/strictyaml"
	"github.com/ecogate/ecogate/partners"
)

// maxFileBytes bounds the configuration file.
const maxFileBytes = 1 << 20

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	// Place is "FILE:LINE" or "environment NAME".
	Place string
	// Key is the key's path, such as "listeners.api.address"; empty if the file could not be read as YAML.
	Key string
	// Text says what is wrong and, where it is not plain, what to do.
	Text string
}

// Error gives place, key and text on one line.
func (p Problem) Error() string {
	if p.Key == "" {
		return p.Place + ": " + p.Text
	}
	return p.Place + ": " + p.Key + ": " + p.Text
}

// Error lists everything that is wrong with a configuration; it is never empty.
type Error struct{ Problems []Problem }

// Error gives one problem per line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Load reads the file at path, puts the ECOGATE_ variables of environ ("NAME=value", as os.Environ gives them) over it and
// checks the result. With an empty path there is only the environment. It opens no file but path and those in FormsDir and
// CodeListsDir: keys and credentials are read by partners.New.
//
// What is wrong comes as one *Error with every problem; the Config is returned all the same, as far as it could be read.
func Load(path string, environ []string) (Config, error) {
	if path == "" {
		return Parse("", nil, environ)
	}
	file, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	return Parse(path, text, environ)
}

// Parse is Load for the text of a file that was read already; path names it in errors and gives the folder that relative
// paths start from.
func Parse(path string, text []byte, environ []string) (Config, error) {
	cfg := Default()
	cfg.origins = map[string]Origin{"": Origin(cmp.Or(path, "configuration"))}
	l := &loader{file: path, origins: cfg.origins}
	l.text(text, &cfg)
	l.environment(environ, &cfg)
	for i := range cfg.Agreements {
		cfg.Agreements[i].SetDefaults()
	}
	l.paths(&cfg)
	if cfg.Limits.SpillDir == "" && cfg.Store.Dir != "" {
		cfg.Limits.SpillDir = filepath.Join(cfg.Store.Dir, "spill")
	}
	l.forms(&cfg)
	l.codes(&cfg)
	if len(l.problems) == 0 {
		// A value that could not be read would be complained about twice.
		l.check(cfg)
	}
	if len(l.problems) > 0 {
		return cfg, &Error{Problems: l.problems}
	}
	return cfg, nil
}

// PartnerProblems gives err of partners.New, which speaks of keys, the places of those keys. Any other error comes back
// as it is.
func (c Config) PartnerProblems(err error) error {
	var wrong *partners.ConfigError
	if !errors.As(err, &wrong) {
		return err
	}
	l := &loader{origins: c.origins}
	for _, p := range wrong.Problems {
		l.add(p.Key, "%s", p.Text)
	}
	return &Error{Problems: l.problems}
}

// loader fills a Config and collects what is wrong.
type loader struct {
	file string
	// origins are those of the keys that were given; that of "" is the configuration as a whole.
	origins  map[string]Origin
	problems []Problem
}

// add reports a problem of key, at the place of the nearest part of it that was given.
func (l *loader) add(key, format string, args ...any) {
	at := key
	for at != "" && l.origins[at] == "" {
		at = parent(at)
	}
	l.problems = append(l.problems, Problem{Place: string(l.origins[at]), Key: key, Text: fmt.Sprintf(format, args...)})
}

// parent cuts the last part off a key: "a.b[2].c", "a.b[2]", "a.b", "a", "".
func parent(key string) string {
	return key[:max(strings.LastIndexAny(key, ".["), 0)]
}

// text decodes the file.
func (l *loader) text(text []byte, cfg *Config) {
	if len(text) > maxFileBytes {
		l.problems = append(l.problems, Problem{Place: l.file, Text: fmt.Sprintf("is larger than %d bytes", maxFileBytes)})
		return
	}
	place := func(line int) string {
		if line == 0 {
			return l.file
		}
		return fmt.Sprintf("%s:%d", l.file, line)
	}
	lines, problems := strictyaml.Decode(text, cfg)
	for key, line := range lines {
		l.origins[key] = Origin(place(line))
	}
	for _, p := range problems {
		l.problems = append(l.problems, Problem{Place: place(p.Line), Key: p.Key, Text: p.Text})
	}
}

// Prefix begins the names of the environment variables that are read.
const Prefix = "ECOGATE_"

// reserved are variables that belong to other parts of the program: the client verbs, fault points, the choice of the file.
var reserved = []string{"ECOGATE_API_URL", "ECOGATE_API_CA", "ECOGATE_API_KEY", "ECOGATE_API_KEY_FILE", "ECOGATE_FAULT", "ECOGATE_CONFIG"}

// environment puts variables over what the file gave. An empty variable counts as absent, as scripts leave them.
func (l *loader) environment(environ []string, cfg *Config) {
	known := map[string]strictyaml.Leaf{}
	var names []string
	strictyaml.Walk(cfg, func(at strictyaml.Leaf) {
		name := envName(at.Key)
		known[name] = at
		names = append(names, name)
	})
	environ = slices.Clone(environ)
	slices.Sort(environ)
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		ours := strings.HasPrefix(name, Prefix) && !strings.HasPrefix(name, Prefix+"TEST_")
		if !ours || value == "" || slices.Contains(reserved, name) {
			continue
		}
		at, ok := known[name]
		if !ok {
			text := "names no key (an entry of a list must be in the file before a variable can change it); " + strictyaml.Suggest(name, names)
			l.problems = append(l.problems, Problem{Place: "environment " + name, Text: text})
			continue
		}
		l.origins[at.Key] = Origin("environment " + name)
		if err := strictyaml.SetText(at.Value, value); err != nil {
			l.add(at.Key, "%v", err)
		}
	}
}

var notInNames = strings.NewReplacer(".", "_", "[", "_", "]", "")

func envName(key string) string { return Prefix + strings.ToUpper(notInNames.Replace(key)) }

// forms reads the folder of forms. The forms that agreements name are known before they are looked at.
func (l *loader) forms(cfg *Config) {
	if cfg.FormsDir == "" {
		return
	}
	if _, err := os.Stat(cfg.FormsDir); err != nil {
		l.add("forms_dir", "%v", err)
		return
	}
	forms, err := eco.DefaultForms().With(os.DirFS(cfg.FormsDir), cfg.FormsDir)
	var wrong *eco.FormError
	if errors.As(err, &wrong) {
		for _, p := range wrong.Problems {
			l.problems = append(l.problems, Problem{Place: p.Place, Key: p.Key, Text: p.Text})
		}
	}
	cfg.forms = forms
}

// codes reads the folder of code lists.
func (l *loader) codes(cfg *Config) {
	if cfg.CodeListsDir == "" {
		return
	}
	codes, err := eco.CodesFrom(os.DirFS(cfg.CodeListsDir), cfg.CodeListsDir)
	var wrong *eco.CodesError
	switch {
	case errors.As(err, &wrong):
		for _, p := range wrong.Problems {
			l.problems = append(l.problems, Problem{Place: p.Place, Text: p.Text})
		}
	case err != nil:
		l.add("code_lists_dir", "%v", err)
	}
	cfg.forms = cfg.forms.WithCodes(codes)
}

// paths makes relative paths start at the folder of the file.
func (l *loader) paths(cfg *Config) {
	dir := filepath.Dir(l.file)
	resolve := func(v reflect.Value) {
		if path := v.String(); path != "" && !filepath.IsAbs(path) {
			v.SetString(filepath.Join(dir, path))
		}
	}
	strictyaml.Walk(cfg, func(at strictyaml.Leaf) {
		switch {
		case at.Field.Tag.Get("path") == "":
		case at.Value.Kind() == reflect.Slice:
			for i := range at.Value.Len() {
				resolve(at.Value.Index(i))
			}
		default:
			resolve(at.Value)
		}
	})
}
