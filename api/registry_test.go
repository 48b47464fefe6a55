package api_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
)

// registered serves an API over a registry with the partner TW, of the file, and an agreement with a slash in its id.
func registered(t *testing.T) *fixture {
	t.Helper()
	return registeredWith(t, func(*partners.Config) {}, func(*api.Options) {})
}

func registeredWith(t *testing.T, file func(*partners.Config), options func(*api.Options)) *fixture {
	t.Helper()
	pki := pkitest.NewTest(t, pkitest.Options{Country: "TW", Organisation: "Customs"})
	config := partners.Config{
		Node: partners.NodeConfig{ID: "la", Country: "LA", PartyIDs: []partners.PartyID{{Value: "urn:customs:la"}}},
		Partners: []partners.PartnerConfig{{
			ID: "TW", Name: "Taiwan", Country: "TW", PartyIDs: []partners.PartyID{{Value: "urn:customs:tw"}}, AnchorFiles: []string{pki.Dir + "/root.pem"},
		}},
		Agreements: []partners.AgreementConfig{{
			CPAID: "urn:cpa:1/a", Partner: "TW", Forms: []eco.FormCode{"ATIGA-D"}, Service: partners.Service{Value: "urn:eco"}, Action: "Submit", Endpoint: "https://tw.example/ebms",
		}},
	}
	file(&config)
	return serve(t, func(o *api.Options) {
		options(o)
		registry, err := partners.New(config)
		if err != nil {
			t.Fatal(err)
		}
		store, ok := o.Store.(partners.Store)
		if !ok {
			t.Fatalf("%T is no partners.Store", o.Store)
		}
		directory, err := partners.NewDirectory(t.Context(), config, partners.DirectoryOptions{Store: store, Registry: registry, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		o.Registry, o.Proposals = directory, directory
	})
}

const twPath = "/api/v1/registry/partners/TW"

// textOf is the text of an entry with another in the place of a part.
func (f *fixture) textOf(id, old, replacement string) string {
	f.t.Helper()
	e, err := f.client(operatorSecret).Entry(f.t.Context(), partners.KindPartner, id)
	if err != nil || !strings.Contains(e.Text, old) {
		f.t.Fatalf("%v, text %s", err, e.Text)
	}
	return strings.Replace(e.Text, old, replacement, 1)
}

// audited are the events of the audit log with their subjects, from the beginning.
func (f *fixture) audited() []string {
	f.t.Helper()
	records, err := f.store.Audit(f.t.Context(), 0, 0)
	if err != nil {
		f.t.Fatal(err)
	}
	var out []string
	for _, r := range records {
		out = append(out, strings.TrimSpace(r.Actor+" "+r.Event+" "+r.Subject))
	}
	return out
}

func TestEntryIsChangedForItsVersion(t *testing.T) {
	f := registered(t)
	text := f.textOf("TW", "name: Taiwan", "name: Formosa")
	yaml := []string{"Content-Type", api.MediaTypeYAML}
	put := func(want int, headers ...string) answer {
		t.Helper()
		got := f.request(operatorSecret, "PUT", twPath+"?why=letter", text, append(slices.Clone(yaml), headers...)...)
		if got.status != want {
			t.Errorf("with %q: status %d, want %d: %s", headers, got.status, want, got.body)
		}
		return got
	}
	if p := put(428).problem(t); p.Code != api.CodeUnconditional {
		t.Errorf("code %s", p.Code)
	}
	put(412, "If-Match", `"1"`)
	put(412, "If-None-Match", "*")
	put(412, "If-Match", `"0-`+strings.Repeat("0", 64)+`"`) // what the file does not say any more
	for _, wrong := range []string{"0", `"1-0"`, `"x"`, `W/"0"`, `"0", "1"`, "*"} {
		put(400, "If-Match", wrong)
	}
	put(400, "If-None-Match", `"0"`)
	put(400, "If-None-Match", "*", "If-Match", `"0"`)
	made := put(200, "If-Match", f.request(operatorSecret, "GET", twPath, "").header.Get("ETag"))
	if tag := made.header.Get("ETag"); tag != `"1"` || f.request(officerSecret, "GET", twPath, "").header.Get("ETag") != tag {
		t.Errorf("ETag %s", tag)
	}
	var change api.RegistryChange
	if err := json.Unmarshal(made.body, &change); err != nil || change.Entry.Version != 1 || change.Entry.By != "night-shift" || change.Entry.Why != "letter" ||
		!strings.Contains(change.Diff, "\n-name: Taiwan\n+name: Formosa\n") {
		t.Errorf("%s, %v", made.body, err)
	}
	put(412, "If-Match", `"0"`) // a second editor of the same version
}

func TestEveryReadAndChangeOfTheRegistryIsAudited(t *testing.T) {
	f := registered(t)
	ctx, client := t.Context(), f.client(operatorSecret)
	text := f.textOf("TW", "name: Taiwan", "name: Formosa")
	steps := []struct {
		event string
		do    func() error
	}{
		{"partner.read TW", func() error { return nil }}, // by textOf
		{"partner.listed", func() error { _, err := client.Entries(ctx, partners.KindPartner); return err }},
		{"agreement.read urn:cpa:1/a", func() error { _, err := client.Entry(ctx, partners.KindAgreement, "urn:cpa:1/a"); return err }},
		{"partner.change_tried TW", func() error {
			_, err := client.PutEntry(ctx, partners.KindPartner, "TW", api.Change{DryRun: true}, text)
			return err
		}},
		{"partner.changed TW", func() error {
			_, err := client.PutEntry(ctx, partners.KindPartner, "TW", api.Change{}, text)
			return err
		}},
		{"partner.versions_listed TW", func() error { _, err := client.EntryVersions(ctx, partners.KindPartner, "TW"); return err }},
		{"partner.compared TW", func() error { _, err := client.EntryDiff(ctx, partners.KindPartner, "TW", "", ""); return err }},
		{"partner.change_refused TW", func() error {
			_, err := client.RemoveEntry(ctx, partners.KindPartner, "TW", api.Change{Version: 1})
			if errors.Is(err, partners.ErrStale) || err == nil {
				t.Errorf("removed: %v", err)
			}
			return nil
		}},
		{"agreement.removed urn:cpa:1/a", func() error {
			_, err := client.RemoveEntry(ctx, partners.KindAgreement, "urn:cpa:1/a", api.Change{})
			return err
		}},
		{"partner.removed TW", func() error {
			_, err := client.RemoveEntry(ctx, partners.KindPartner, "TW", api.Change{Version: 1})
			return err
		}},
		{"partner.changed TW", func() error {
			_, err := client.RestoreEntry(ctx, partners.KindPartner, "TW", api.Change{Version: 2}, 1)
			return err
		}},
	}
	var want []string
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Errorf("%s: %v", step.event, err)
		}
		want = append(want, "night-shift "+step.event)
	}
	if got := f.audited(); !slices.Equal(got, want) {
		t.Errorf("audited\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestRegistryIsForOperatorsToChange(t *testing.T) {
	f := registered(t)
	for _, request := range [][2]string{{"PUT", twPath}, {"DELETE", twPath}, {"POST", twPath + "/restore?version=0"}} {
		if got := f.request(officerSecret, request[0], request[1], "", "If-Match", `"0"`); got.status != 403 {
			t.Errorf("%s by an officer: status %d", request[0], got.status)
		}
	}
	for _, path := range []string{"", "/versions", "/diff"} {
		if got := f.request(brokerSecret, "GET", twPath+path, ""); got.status != 403 {
			t.Errorf("GET %s by a broker: status %d", path, got.status)
		}
	}
}

func TestRefusedChangesOfTheRegistry(t *testing.T) {
	f := registered(t)
	tests := []struct {
		name, method, path, body string
		status                   int
		code                     api.Code
		text                     string
	}{
		{"wrong value", "PUT", twPath, f.textOf("TW", "country: TW", "country: x"), 422, api.CodeInvalidEntry, `"path":"partner TW.country"`},
		{"typo", "PUT", twPath, "id: TW\nnmae: x\n", 422, api.CodeInvalidEntry, `"path":"line 2: nmae"`},
		{"file of the node", "PUT", "/api/v1/registry/partners/VN", "id: VN\nanchor_files: [/etc/passwd]\n", 422, api.CodeInvalidEntry, "names a file"},
		{"other kind", "PUT", "/api/v1/registry/node/node", "keys: []\n", 404, api.CodeNoPath, ""},
		{"the node's keys as a document", "PUT", "/api/v1/registry/nodes/node", "keys: []\n", 404, api.CodeNoPath, ""},
		{"the node's keys away", "DELETE", "/api/v1/registry/nodes/node", "", 404, api.CodeNoPath, ""},
		{"unknown version", "POST", twPath + "/restore?version=7", "", 404, api.CodeUnknownEntry, "version 7"},
		{"no version", "POST", twPath + "/restore", "", 400, api.CodeParameter, "version is required"},
		{"negative version", "POST", twPath + "/restore?version=-1", "", 400, api.CodeParameter, "number of a version"},
		{"unknown", "DELETE", "/api/v1/registry/partners/VN", "", 404, api.CodeUnknownEntry, ""},
		{"body where none goes", "DELETE", twPath, "x", 400, api.CodeMalformed, "no body"},
		{"why of two lines", "DELETE", twPath + "?why=" + url.QueryEscape("a\nb"), "", 400, api.CodeParameter, "one line"},
		{"dry run that is neither", "DELETE", twPath + "?dry_run=yes", "", 400, api.CodeParameter, "neither true nor false"},
		{"parameter", "DELETE", twPath + "?dryrun=true", "", 400, api.CodeParameter, "dryrun"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := f.request(operatorSecret, test.method, test.path, test.body, "Content-Type", api.MediaTypeYAML, "If-Match", `"0"`)
			if p := got.problem(t); got.status != test.status || p.Code != test.code || !strings.Contains(string(got.body), strings.ReplaceAll(test.text, "\n", "")) {
				t.Errorf("status %d, %s", got.status, got.body)
			}
		})
	}
	if got := f.request(operatorSecret, "PUT", twPath, "{}", "If-Match", `"0"`); got.status != 415 {
		t.Errorf("JSON: status %d", got.status)
	}
	if list, err := f.store.Entries(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("entries %v, %v", list, err)
	}
}

func TestPrivateKeyInAnEntryIsRefused(t *testing.T) {
	f := registered(t)
	_, key, _ := pkitest.NewTest(t, pkitest.Options{Country: "VN", Organisation: "Customs"}).IssueFiles("x", pkitest.Request{Name: "x", Use: pkitest.Use(partners.UseMessageSignature)})
	secret, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	text := "id: VN\ncountry: VN\nparty_ids: [{value: 'urn:vn'}]\nanchors:\n- |\n  " + strings.ReplaceAll(strings.TrimSpace(string(secret)), "\n", "\n  ") + "\n"
	got := f.request(operatorSecret, "PUT", "/api/v1/registry/partners/VN", text, "Content-Type", api.MediaTypeYAML, "If-None-Match", "*")
	if got.status != 422 || !strings.Contains(string(got.body), "holds a private key") || strings.Contains(string(got.body), "BEGIN") {
		t.Errorf("status %d, %s", got.status, got.body)
	}
}
