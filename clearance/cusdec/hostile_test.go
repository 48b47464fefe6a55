package cusdec_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/ecogate/ecogate/clearance/cusdec"
)

// hostile is a file of testdata/hostile/cusdec. Its head says why it is hostile, limits that are not the default ones, every fault that
// must come, in order, those of the interchange first, what the answer in CONTRL says, how many further faults are counted, and how many
// messages have none:
//
//	# why      limit: Items 3      fault: what Fault.String gives      contrl: a segment      more: 2      good: 1
//
// The only file in it is the interchange; one whose name ends in .quoted is a Go string.
type hostile struct {
	name           string
	limits         cusdec.Limits
	faults, contrl []string
	more, good     int
	data           []byte
}

func hostileFiles(t testing.TB) []hostile {
	t.Helper()
	files, err := filepath.Glob("../../testdata/hostile/cusdec/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no hostile files: %v", err)
	}
	var all []hostile
	for _, file := range files {
		all = append(all, hostileFile(t, file))
	}
	return all
}

func hostileFile(t testing.TB, file string) hostile {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	archive := txtar.Parse(text)
	h := hostile{name: strings.TrimSuffix(filepath.Base(file), ".txt")}
	for l := range strings.Lines(string(archive.Comment)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(l, "\n"), ": ")
		number, _ := strconv.Atoi(value)
		switch {
		case strings.HasPrefix(l, "#"):
		case key == "limit":
			name, n, _ := strings.Cut(value, " ")
			most, err := strconv.ParseInt(n, 10, 32)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			reflect.ValueOf(&h.limits).Elem().FieldByName(name).SetInt(most)
		case key == "fault":
			h.faults = append(h.faults, value)
		case key == "contrl":
			h.contrl = append(h.contrl, value)
		case key == "more":
			h.more = number
		case key == "good":
			h.good = number
		default:
			t.Fatalf("%s: line %q", file, l)
		}
	}
	if len(archive.Files) != 1 {
		t.Fatalf("%s holds %d files", file, len(archive.Files))
	}
	h.data = archive.Files[0].Data
	if strings.HasSuffix(archive.Files[0].Name, ".quoted") {
		octets, err := strconv.Unquote(strings.TrimSpace(string(h.data)))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		h.data = []byte(octets)
	}
	return h
}

func TestHostileInterchangesAreRefusedWithEveryFault(t *testing.T) {
	for _, h := range hostileFiles(t) {
		t.Run(h.name, func(t *testing.T) {
			interchange, messages := read(t, h.data, h.limits)
			var found []string
			good := 0
			for _, f := range interchange.Faults {
				found = append(found, f.String())
			}
			for _, m := range messages {
				if len(m.Faults) == 0 && len(interchange.Faults) == 0 {
					good++
				}
				for _, f := range m.Faults {
					found = append(found, f.String())
				}
			}
			if len(found) == 0 {
				t.Fatal("nothing was found to be wrong")
			}
			if !slices.Equal(found, h.faults) {
				t.Errorf("found\nfault: %s\nwant\nfault: %s", strings.Join(found, "\nfault: "), strings.Join(h.faults, "\nfault: "))
			}
			if good != h.good || interchange.MoreFaults != h.more {
				t.Errorf("%d messages without fault, %d faults not kept; want %d and %d", good, interchange.MoreFaults, h.good, h.more)
			}
			report := reported(t, interchange, messages)
			var segments []string
			for _, s := range report {
				if strings.HasPrefix(s, "UC") {
					segments = append(segments, s)
				}
			}
			if !slices.Equal(segments, h.contrl) {
				t.Errorf("the answer says\ncontrl: %s\nwant\ncontrl: %s", strings.Join(segments, "\ncontrl: "), strings.Join(h.contrl, "\ncontrl: "))
			}
		})
	}
}

// reported is the answer in CONTRL, by segment. It has to be an interchange itself, right in its counts and references.
func reported(t testing.TB, interchange cusdec.Interchange, messages []*cusdec.Message) []string {
	t.Helper()
	var outcomes []cusdec.Outcome
	for _, m := range messages {
		outcomes = append(outcomes, cusdec.Outcome{Message: m})
	}
	data := cusdec.Report(interchange, outcomes, "A1", time.Date(2026, time.November, 29, 9, 30, 0, 0, time.UTC))
	answer, answers := read(t, data, cusdec.Limits{})
	sound := interchange.Sender.ID != "" && interchange.Recipient.ID != ""
	if sound && len(answer.Faults) > 0 || len(answers) != 1 || len(answers[0].Faults) != 1+len(contrlVersion(answer)) {
		t.Errorf("the answer is no interchange:\n%s\n%v %v", data, answer.Faults, fmt.Sprint(answers))
	}
	return strings.Split(strings.ReplaceAll(string(data), "'", "\n"), "\n")
}

// contrlVersion are the faults that a reader of CUSDEC finds in the type of CONTRL beside its name.
func contrlVersion(i cusdec.Interchange) []string {
	if i.SyntaxVersion == 4 {
		return []string{"version", "release"}
	}
	return []string{"release"}
}
