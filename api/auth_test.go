package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/exchange"
)

func TestRolesOpenWhatIsTheirs(t *testing.T) {
	f := serve(t, func(o *api.Options) {
		o.Operator = &operator{parts: func(exchange.Message) (*exchange.Parts, error) { return nil, exchange.ErrUnreadable }}
	})
	f.exported("LA 26-010137", "out@la")             // certificate 1, message 1
	f.imported("VN-KR 25/02/01234", "in@kr", "said") // certificate 2, message 2
	submission := `{"partner":"KR","certificate":` + string(certificateJSON(t)) + `}`

	const (
		ok, created         = http.StatusOK, http.StatusCreated
		anonymous, no, none = http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound
	)
	tests := []struct {
		name, method, target, body string
		// want is the status for: no key, unknown key, issuer, broker, officer, operator
		want [6]int
	}{
		{"submit", "POST", "/api/v1/certificates", submission, [6]int{anonymous, anonymous, created, no, no, no}},
		{"look up an exported certificate", "GET", "/api/v1/certificates/LA26010137", "", [6]int{anonymous, anonymous, ok, none, none, ok}},
		{"look up an imported certificate", "GET", "/api/v1/certificates/VN-KR%2025%2F02%2F01234", "", [6]int{anonymous, anonymous, none, ok, ok, ok}},
		{"look up what is not there", "GET", "/api/v1/certificates/NONE", "", [6]int{anonymous, anonymous, none, none, none, none}},
		{"print an exported certificate", "GET", "/api/v1/certificates/LA26010137/pdf", "", [6]int{anonymous, anonymous, ok, none, none, ok}},
		{"print an imported certificate", "GET", "/api/v1/certificates/VN-KR%2025%2F02%2F01234/pdf", "", [6]int{anonymous, anonymous, none, ok, ok, ok}},
		{"document of an exported certificate", "GET", "/api/v1/documents/1", "", [6]int{anonymous, anonymous, ok, none, none, ok}},
		{"document of an imported certificate", "GET", "/api/v1/documents/2", "", [6]int{anonymous, anonymous, none, ok, ok, ok}},
		{"document that is not there", "GET", "/api/v1/documents/99", "", [6]int{anonymous, anonymous, none, none, none, none}},
		{"list messages", "GET", "/api/v1/messages", "", [6]int{anonymous, anonymous, no, no, ok, ok}},
		{"read a message", "GET", "/api/v1/messages/1", "", [6]int{anonymous, anonymous, no, no, ok, ok}},
		{"read a message's bytes", "GET", "/api/v1/messages/1/raw", "", [6]int{anonymous, anonymous, no, no, ok, ok}},
		{"list a message's parts", "GET", "/api/v1/messages/1/parts", "", [6]int{anonymous, anonymous, no, no, 422, 422}},
		{"read a message's part", "GET", "/api/v1/messages/1/parts/1", "", [6]int{anonymous, anonymous, no, no, 422, 422}},
		{"list partners", "GET", "/api/v1/partners", "", [6]int{anonymous, anonymous, no, no, ok, ok}},
		{"pause a partner", "POST", "/api/v1/partners/KR/pause", "", [6]int{anonymous, anonymous, no, no, no, ok}},
		{"resume a partner", "POST", "/api/v1/partners/KR/resume", "", [6]int{anonymous, anonymous, no, no, no, ok}},
		{"ping a partner", "POST", "/api/v1/partners/KR/ping", "", [6]int{anonymous, anonymous, no, no, no, ok}},
		{"ask a partner", "POST", "/api/v1/partners/KR/message-status", `{"message_id":"m1@la"}`, [6]int{anonymous, anonymous, no, no, ok, ok}},
		{"path that does not exist", "GET", "/api/v1/nothing", "", [6]int{anonymous, anonymous, none, none, none, none}},
		{"path outside the API", "GET", "/", "", [6]int{anonymous, anonymous, none, none, none, none}},
		{"liveness", "GET", "/healthz", "", [6]int{ok, ok, ok, ok, ok, ok}},
		{"readiness", "GET", "/readyz", "", [6]int{ok, ok, ok, ok, ok, ok}},
	}
	secrets := []string{"", "not-a-key", issuerSecret, brokerSecret, officerSecret, operatorSecret}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for i, secret := range secrets {
				got := f.request(secret, test.method, test.target, test.body)
				if got.status != test.want[i] {
					t.Errorf("key %q: status = %d, want %d; body %s", secret, got.status, test.want[i], got.body)
				}
				if got.status >= 400 {
					got.problem(t)
				}
			}
		})
	}
}

func TestWhatIsNotYoursLooksLikeWhatIsNotThere(t *testing.T) {
	f := serve(t, nil)
	f.exported("LA 26-010137", "out@la")
	same := []string{"X-Correlation-Id", "same"}
	for _, pair := range [][2]string{
		{"/api/v1/certificates/LA26010137", "/api/v1/certificates/LA26010138"},
		{"/api/v1/documents/1", "/api/v1/documents/2"},
		{"/api/v1/certificates/LA26010137/pdf", "/api/v1/certificates/LA26010138/pdf"},
	} {
		hidden := f.request(brokerSecret, "GET", pair[0], "", same...)
		absent := f.request(brokerSecret, "GET", pair[1], "", same...)
		h, a := hidden.problem(t), absent.problem(t)
		h.Instance, a.Instance = "", ""
		if h.Error() != a.Error() || h.Code != a.Code || h.Status != a.Status {
			t.Errorf("%s is told apart: %+v and %+v", pair[0], h, a)
		}
	}
}

func TestBearerHeaderIsReadStrictly(t *testing.T) {
	f := serve(t, nil)
	tests := []struct {
		name, header, challenge string
		status                  int
	}{
		{"as it should be", "Bearer " + operatorSecret, "", 200},
		{"scheme in lower case", "bearer " + operatorSecret, "", 200},
		{"more spaces", "Bearer   " + operatorSecret, "", 200},
		{"no scheme", operatorSecret, `Bearer realm="ecogate"`, 401},
		{"other scheme", "Basic " + operatorSecret, `Bearer realm="ecogate"`, 401},
		{"no secret", "Bearer ", `Bearer realm="ecogate"`, 401},
		{"digest in place of the secret", "Bearer " + digest([]byte(operatorSecret)), `Bearer realm="ecogate", error="invalid_token"`, 401},
		{"part of the secret", "Bearer " + operatorSecret[:5], `Bearer realm="ecogate", error="invalid_token"`, 401},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := f.request("", "GET", "/api/v1/messages", "", "Authorization", test.header)
			if got.status != test.status || got.header.Get("WWW-Authenticate") != test.challenge {
				t.Errorf("status %d, challenge %q; want %d, %q", got.status, got.header.Get("WWW-Authenticate"), test.status, test.challenge)
			}
		})
	}
}

func TestUnusableKeysAreRefused(t *testing.T) {
	good := keys()[0]
	tests := []struct {
		name string
		keys []api.Key
		want string
	}{
		{"good", keys(), ""},
		{"none", nil, ""},
		{"no name", []api.Key{{Role: good.Role, SHA256: good.SHA256}}, "name is missing"},
		{"unknown role", []api.Key{{Name: "a", Role: "root", SHA256: good.SHA256}}, `role "root"`},
		{"short digest", []api.Key{{Name: "a", Role: good.Role, SHA256: good.SHA256[:62]}}, "64 hex digits"},
		{"digest that is not hex", []api.Key{{Name: "a", Role: good.Role, SHA256: strings.Repeat("x", 64)}}, "64 hex digits"},
		{"name twice", []api.Key{good, {Name: good.Name, Role: good.Role, SHA256: digest(nil)}}, "used twice"},
		{"secret twice", []api.Key{good, {Name: "other", Role: api.RoleOperator, SHA256: good.SHA256}}, `same secret as "chamber"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := api.NewKeySet(test.keys)
			if test.want == "" && err != nil {
				t.Errorf("error = %v, want none", err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error = %v, want one with %q", err, test.want)
			}
		})
	}
	if _, err := api.New(api.Options{}); err == nil {
		t.Error("New takes options without node, store and clock")
	}
}

func TestReplacedKeysCountFromTheNextRequest(t *testing.T) {
	var current *api.KeySet
	f := serve(t, func(o *api.Options) { current = o.Keys })
	statuses := func() [3]int {
		var got [3]int
		for i, secret := range []string{operatorSecret, officerSecret, "the-operators-new-secret"} {
			got[i] = f.request(secret, "GET", "/api/v1/messages", "").status
		}
		return got
	}
	if got := statuses(); got != [3]int{200, 200, 401} {
		t.Errorf("before: %v", got)
	}
	next := keys()[2:]
	next[0].Role = api.RoleBroker
	next[1].SHA256 = digest([]byte("the-operators-new-secret"))
	current.Replace(keySet(t, next))
	if got := statuses(); got != [3]int{401, 403, 200} {
		t.Errorf("after the operator's secret and the officer's role changed: %v", got)
	}
	current.Replace(keySet(t, nil))
	if got := statuses(); got != [3]int{401, 401, 401} {
		t.Errorf("without keys: %v", got)
	}
}

func TestWithoutKeysNobodyComesIn(t *testing.T) {
	f := serve(t, func(o *api.Options) { o.Keys = nil })
	if got := f.request(operatorSecret, "GET", "/api/v1/messages", ""); got.status != 401 {
		t.Errorf("status = %d, want 401", got.status)
	}
}

func TestShortSecretsAreRefused(t *testing.T) {
	if err := api.CheckSecret([]byte(strings.Repeat("x", api.MinSecret))); err != nil {
		t.Error(err)
	}
	if err := api.CheckSecret([]byte(strings.Repeat("x", api.MinSecret-1))); err == nil || !strings.Contains(err.Error(), "openssl rand -hex 32") {
		t.Errorf("error = %v", err)
	}
}
