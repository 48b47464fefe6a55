package main

import (
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/testdata/certificates"
)

// sampleReferences are the normalised references of the certificates that the demonstration sends.
func sampleReferences(t *testing.T) []string {
	t.Helper()
	files, err := fs.Glob(certificates.JSON, "*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no sample certificates", err)
	}
	var references []string
	for _, file := range files {
		data, err := certificates.JSON.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c, err := eco.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains([]eco.FormCode{eco.FormATIGA, eco.FormLaoGSP, eco.FormNonPreferential}, c.Form) { // those agreed between the two
			references = append(references, eco.NormaliseReference(c.Reference))
		}
	}
	return references
}

// demoStep is a line that tells of a step: elapsed time, node, step, reference.
var demoStep = regexp.MustCompile(`(?m)^ *[0-9.]+[µm]?s +(KR|TW) +([a-z]+) +(\S+)`)

// spellings are the spellings under which the demonstration printed each normalised reference.
func spellings(printed string) map[string][]string {
	told := make(map[string][]string)
	for _, line := range demoStep.FindAllStringSubmatch(printed, -1) {
		reference := eco.NormaliseReference(line[3])
		if !slices.Contains(told[reference], line[3]) {
			told[reference] = append(told[reference], line[3])
		}
	}
	return told
}

// stepsTold are the steps that the demonstration printed about certificates, by normalised reference.
func stepsTold(printed string) map[string][]string {
	told := make(map[string][]string)
	for _, line := range demoStep.FindAllStringSubmatch(printed, -1) {
		reference := eco.NormaliseReference(line[3])
		told[reference] = append(told[reference], line[1]+" "+line[2])
	}
	return told
}

func TestDemoShowsEachStepOnce(t *testing.T) {
	temporary, dir := t.TempDir(), t.TempDir()
	environ := []string{"TMPDIR=" + temporary}
	first := launch(t, installedProgram(t), environ, "demo", "--once", "--dir", dir)
	first.exits(exitOK)
	steps := stepsTold(first.out.String())
	for _, reference := range sampleReferences(t) {
		count := make(map[string]int)
		for _, step := range steps[reference] {
			count[step]++
		}
		want := map[string]int{
			"KR validated": 1, "KR mapped": 1, "KR signed": 1, "KR queued": 1, "KR sent": 1,
			"TW verified": 1, "TW stored": 1, "KR receipted": 1,
		}
		if reference == "LA26010137" { // is used, which a customs response tells KR
			for _, step := range []string{"TW mapped", "TW queued", "TW sent", "KR verified", "KR stored", "TW receipted"} {
				want[step] = 1
			}
		}
		if diff := cmp.Diff(want, count); diff != "" {
			t.Errorf("steps of %s: want -, printed +\n%s", reference, diff)
		}
	}
	for reference, told := range spellings(first.out.String()) {
		if len(told) != 1 {
			t.Errorf("%s is spelled %q", reference, told)
		}
	}
	rest := first.out.String()
	for _, told := range []string{
		`A broker at TW looks up "la 26010137": not found`,
		"\nThe importer TAX:0201234567 mandates him: demo-forwarder\n",
		`A broker at TW looks up "la 26010137": found LA26010137, form ATIGA-D, `,
		", usable: yes\n",
		"\nHe lodges declaration DEMO-1: 1000 C62 of item 2, reserved until ",
		"\nThe customs system fetches its parcel and confirms it: declaration.json, certificate.xml, certificate.pdf, report.json\n",
		"\nAn officer decides: DEMO-1 is accepted, 1000 C62 granted\n",
		"\nThe issuing body at KR sees LA26010137: used in part, 1000 C62 of item 2 used by declaration DEMO-1\n",
	} {
		at := strings.Index(rest, told)
		if at < 0 {
			t.Fatalf("%q is not told, or not in its turn:\n%s", told, first.out.String())
		}
		rest = rest[at+len(told)-1:] // its line end may begin the next
	}

	again := launch(t, installedProgram(t), environ, "demo", "--once", "--dir", dir)
	again.exits(exitOK)
	if out := again.out.String(); !strings.Contains(out, "DEMO-1 was lodged before: it is decided\n") || !strings.Contains(out, "KR sees LA26010137: used in part, 1000") {
		t.Errorf("the second run does not tell of the first declaration:\n%s", out)
	}
	if n := strings.Count(again.out.String(), "is delivered"); n != len(sampleReferences(t)) {
		t.Errorf("the second run tells of %d delivered messages", n)
	}
	told := stepsTold(again.out.String())
	for _, reference := range sampleReferences(t) { // the last acknowledgment of the first run may still be on its way, and names none
		steps := told[reference]
		for _, step := range steps {
			if step == "KR queued" || step == "KR sent" || step == "TW stored" {
				t.Errorf("%s: the second run exchanges it again: %q", reference, steps)
			}
		}
	}
	wantEmpty(t, temporary)
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left in %s: %v, %v", dir, left, err)
	}
}

func TestDemoLeavesNothingBehind(t *testing.T) {
	temporary := t.TempDir()
	p := launch(t, installedProgram(t), []string{"TMPDIR=" + temporary}, "demo", "--once")
	p.exits(exitOK)
	wantEmpty(t, temporary)
}

func TestDemoTellsHowToGoOn(t *testing.T) {
	temporary := t.TempDir()
	p := launch(t, installedProgram(t), []string{"TMPDIR=" + temporary}, "demo")
	until(t, func() error {
		if !strings.Contains(p.out.String(), "Ctrl-C ends") {
			return os.ErrDeadlineExceeded
		}
		return nil
	})
	printed := p.out.String()
	curl := regexp.MustCompile(`(?m)^ +curl -s -H "Authorization: Bearer \$\(cat (\S+)\)" (\S+)$`).FindStringSubmatch(printed)
	if curl == nil {
		t.Fatal("no curl command")
	}
	if found := lookedUp(t, curl[1], curl[2]); len(found.Matches) != 1 || found.Matches[0].Document == nil {
		t.Errorf("the curl command finds %+v", found)
	}
	commands := regexp.MustCompile(`(?m)^ +go run \./cmd/ecogate (.*)$`).FindAllStringSubmatch(printed, -1)
	if len(commands) < 3 {
		t.Errorf("%d commands", len(commands))
	}
	for _, command := range commands {
		line := strings.Replace(command[1], "FILE.json", "../../testdata/certificates/atiga-form-d.json", 1)
		if out, err := exec.Command("sh", "-c", "ecogate "+line).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", command[0], err, out)
		}
	}
	for _, file := range regexp.MustCompile(`: (\S+\.(?:http|xml))`).FindAllStringSubmatch(printed, -1) {
		wantPrivate(t, file[1], 0o600)
		wantPrivate(t, filepath.Dir(file[1]), os.ModeDir|0o700)
	}
	p.signal(os.Interrupt)
	p.exits(exitOK)
	wantEmpty(t, temporary)
}

// wantPrivate expects something in a file or folder, for its owner only: certificates hold what traders tell customs.
func wantPrivate(t *testing.T, name string, mode os.FileMode) {
	t.Helper()
	if info, err := os.Stat(name); err != nil || info.Size() == 0 || info.Mode() != mode {
		t.Errorf("%s: %v, %v, want mode %s", name, info, err, mode)
	}
}

// lookedUp is what the API answers to a GET under the key in a file.
func lookedUp(t *testing.T, keyFile, url string) api.Lookup {
	t.Helper()
	key, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(key)))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v, %s", url, res.Status, err, body)
	}
	var found api.Lookup
	if err := json.Unmarshal(body, &found); err != nil {
		t.Fatal(err)
	}
	return found
}
