package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ecogate/ecogate/internal/config"
)

const club = `code: CLUB-1
title: CLUB CERTIFICATE
agreement: ours
document_type: "861"
`

// withForms writes a configuration beside a folder "forms" with one file.
func withForms(t *testing.T, text, more string) (file string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "forms"), 0o755); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "node.yaml")
	for name, content := range map[string]string{file: small + more, filepath.Join(dir, "forms", "club.yaml"): text} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

func TestFormsOfTheFolderAreKnown(t *testing.T) {
	agreement := `forms_dir: forms
listeners: {partner: {plain_http: true}}
partners: [{id: tw, country: TW, party_ids: [{value: "urn:tw"}], anchor_files: [a]}]
agreements: [{cpa_id: a, partner: tw, forms: [CLUB-1], service: {value: "urn:s"}, action: a, endpoint: "https://tw.example/", signature_required: false, ack_signed: false}]
`
	cfg, err := config.Load(withForms(t, club, agreement), nil)
	if err != nil {
		t.Fatal(err)
	}
	form, ok := cfg.Forms().ByCode("CLUB-1")
	if known := cfg.Registry().Forms; !ok || form.Title != "CLUB CERTIFICATE" || len(known.All()) != len(cfg.Forms().All()) {
		t.Errorf("form %q, %t", form.Title, ok)
	}
	if d, ok := cfg.Forms().ByCode("ATIGA-D"); !ok || d.Title != "ATIGA FORM D" {
		t.Error("the forms of the program are gone")
	}
}

func TestFaultsOfTheFolderOfFormsAreTold(t *testing.T) {
	file := withForms(t, club+"colour: red\n", "forms_dir: forms\n")
	_, err := config.Load(file, nil)
	wantProblem(t, err, filepath.Join(filepath.Dir(file), "forms", "club.yaml")+":5: colour: unknown key")
	file = withForms(t, club, "forms_dir: nothing\n")
	_, err = config.Load(file, nil)
	wantProblem(t, err, file+":6: forms_dir: ")
}
