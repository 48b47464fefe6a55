package config_test

import (
	"cmp"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/partners"
)

const example = "../../config.example.yaml"

func envName(key string) string {
	return "ECOGATE_" + strings.ToUpper(strings.NewReplacer(".", "_", "[", "_", "]", "").Replace(key))
}

// TestEveryKeyCanBeSetByTheEnvironment sets each key of the example to the value that it has there and looks where the value
// is then said to come from.
func TestEveryKeyCanBeSetByTheEnvironment(t *testing.T) {
	c, err := config.Load(example, nil)
	if err != nil {
		t.Fatal(err)
	}
	folders := map[string]string{} // those that are looked into
	for key, folder := range map[string]string{"forms_dir": "../../docs/examples/forms", "code_lists_dir": "../../docs/examples/codelists"} {
		if folders[key], err = filepath.Abs(folder); err != nil {
			t.Fatal(err)
		}
	}
	var environ []string
	for _, s := range c.Effective() {
		s.Value = cmp.Or(folders[s.Key], s.Value)
		if s.Key != "api_keys[1].key_sha256" { // masked
			environ = append(environ, envName(s.Key)+"="+s.Value)
		}
	}
	changed, err := config.Load(example, environ)
	if err != nil {
		t.Fatal(err)
	}
	before, after := c.Effective(), changed.Effective()
	if len(before) != len(after) || len(environ) < 80 {
		t.Fatalf("%d keys before, %d after, %d variables", len(before), len(after), len(environ))
	}
	for i, s := range after {
		want := config.Origin("environment " + envName(s.Key))
		if s.Key != "api_keys[1].key_sha256" && s.Origin != want {
			t.Errorf("%s comes from %s", s.Key, s.Origin)
		}
		// Relative paths are resolved twice in this test.
		if s.Value != before[i].Value && s.Value != folders[s.Key] && !strings.HasPrefix(s.Value, "../") {
			t.Errorf("%s was %q and is %q", s.Key, before[i].Value, s.Value)
		}
	}
}

func TestEnvironmentGoesOverTheFile(t *testing.T) {
	c := load(t, `log: {level: warn}
agreements:
  - {cpa_id: a, partner: tw, forms: [ATIGA-D], service: {value: "urn:s"}, action: a, endpoint: "http://127.0.0.1/", signature_required: false, retries: 1}
partners: [{id: tw, country: TW, party_ids: [{value: "urn:tw"}], anchor_files: [a]}]
`,
		"ECOGATE_LISTENERS_PARTNER_PLAIN_HTTP=true",
		"ECOGATE_LOG_LEVEL=debug",
		"ECOGATE_DELIVERY_POLL=3s",
		"ECOGATE_AGREEMENTS_0_RETRIES=0",
		"ECOGATE_AGREEMENTS_0_ACK_SIGNED=false",
		"ECOGATE_AGREEMENTS_0_FORMS=ATIGA-D, NON-PREFERENTIAL",
		"ECOGATE_STORE_DIR=", // empty: as absent
		"HOME=/root", "ECOGATE_API_URL=x", "ECOGATE_API_CA=x", "ECOGATE_API_KEY=x", "ECOGATE_API_KEY_FILE=x", "ECOGATE_FAULT=x", "ECOGATE_CONFIG=x", "ECOGATE_TEST_POSTGRES=x",
	)
	a := c.Agreements[0]
	if c.Log.Level != "debug" || c.Delivery.Poll.String() != "3s" || c.Store.Dir != "data" || len(a.Forms) != 2 || a.Forms[1] != "NON-PREFERENTIAL" || *a.Retries != 0 || *a.AckSigned || !*a.AckRequested || a.RetryInterval != partners.DefaultRetryInterval {
		t.Errorf("got log %+v, delivery %+v, store %+v, agreement %+v", c.Log, c.Delivery, c.Store, a)
	}
}

func TestVariablesThatNameNoKeyAreRefused(t *testing.T) {
	for variable, want := range map[string]string{
		"ECOGATE_STORE_DIRR=x":            `environment ECOGATE_STORE_DIRR: names no key (an entry of a list must be in the file before a variable can change it); did you mean "ECOGATE_STORE_DIR"?`,
		"ECOGATE_AGREEMENTS_7_ENDPOINT=x": "environment ECOGATE_AGREEMENTS_7_ENDPOINT: names no key",
		"ECOGATE_NONSENSE=x":              "environment ECOGATE_NONSENSE: names no key",
		"ECOGATE_STORE=x":                 "environment ECOGATE_STORE: names no key",
		"ECOGATE_LOG_LEVEL=loud":          `environment ECOGATE_LOG_LEVEL: log.level: "loud" is not debug`,
		"ECOGATE_DELIVERY_WORKERS=x":      `environment ECOGATE_DELIVERY_WORKERS: delivery.workers: "x" is not a whole number`,
	} {
		_, err := config.Parse("node.yaml", []byte(small), []string{variable})
		wantProblem(t, err, want)
	}
}

func TestANodeMayBeConfiguredByTheEnvironmentAlone(t *testing.T) {
	_, err := config.Load("", []string{"ECOGATE_NODE_ID=kr", "ECOGATE_NODE_COUNTRY=KR"})
	wantProblem(t, err, "configuration: node.party_ids: is required")
	if strings.Contains(err.Error(), "node.id") {
		t.Errorf("the variables had no effect: %v", err)
	}
}

func TestEffectiveTellsOriginsAndMasksSecrets(t *testing.T) {
	digest := strings.Repeat("ab", 32)
	c := load(t, "log: {level: warn}\napi_keys: [{name: a, role: issuer, key_sha256: "+digest+"}]\n", "ECOGATE_DELIVERY_POLL=3s")
	text := c.EffectiveText()
	for _, want := range []string{
		"log.level = warn  # node.yaml:6\n", "log.format = text  # default\n", "delivery.poll = 3s  # environment ECOGATE_DELIVERY_POLL\n",
		"node.party_ids[0].value = urn:customs:kr  # node.yaml:5\n", "api_keys[0].key_sha256 = ***  # node.yaml:7\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no line %q in:\n%s", want, text)
		}
	}
	if strings.Contains(text, digest) {
		t.Error("the digest of an API key is shown")
	}
}

func TestEmptyListsAreNotAbsent(t *testing.T) {
	const agreement = `partners: [{id: tw, country: TW, party_ids: [{value: "urn:tw"}], anchor_files: [a]}]
listeners: {partner: {plain_http: true}}
agreements:
  - {cpa_id: a, partner: tw, forms: [ATIGA-D], service: {value: "urn:s"}, action: a, endpoint: "http://127.0.0.1/", signature_required: false, ack_signed: false`
	for _, test := range []struct {
		name, more string
		environ    []string
		want       int
	}{
		{"not given", "", nil, len(partners.Deviations())},
		{"a variable that is empty", "", []string{"ECOGATE_AGREEMENTS_0_TOLERATE="}, len(partners.Deviations())},
		{"a list that is empty", ", tolerate: []", nil, 0},
		{"a variable with an empty list", ", tolerate: [no-role]", []string{"ECOGATE_AGREEMENTS_0_TOLERATE=[]"}, 0},
		{"one", ", tolerate: [no-role]", nil, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := load(t, agreement+test.more+"}\n", test.environ...)
			if got := c.Agreements[0].Tolerate; len(got) != test.want {
				t.Errorf("got %q", got)
			}
			if shown := strings.Contains(c.EffectiveText(), "agreements[0].tolerate = []  #"); shown != (test.want == 0) {
				t.Errorf("an empty list is shown: %t", shown)
			}
		})
	}
}
