package api_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/exchange"
)

// answering is a server that is not an ecogate API.
func answering(t *testing.T, handler http.HandlerFunc) *api.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := api.NewClient(server.URL+"/prefix/", "secret", nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClientRefusesAddressesThatAreNoAPI(t *testing.T) {
	for _, address := range []string{"", "gateway:8080", "ftp://gateway", "http://", "http://user:secret@gateway", "://"} {
		if _, err := api.NewClient(address, "key", nil); err == nil {
			t.Errorf("%q is taken", address)
		}
	}
}

func TestClientTellsOtherServersFromTheNode(t *testing.T) {
	tests := []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"web page with an error", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", 404) }, "not from an ecogate API"},
		{"problem of someone else", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", api.ProblemMediaType)
			w.WriteHeader(404)
			_, _ = w.Write([]byte(`{"title":"gone"}`))
		}, "not from an ecogate API"},
		{"answer that is not JSON", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }, "invalid character"},
		{"empty answer", func(http.ResponseWriter, *http.Request) {}, "unexpected end"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := answering(t, test.handler).Message(t.Context(), "1")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want one with %q", err, test.want)
			}
			if errors.Is(err, exchange.ErrNotFound) {
				t.Error("a stranger's 404 counts as the node's")
			}
		})
	}
}

func TestClientDoesNotCarryItsKeyElsewhere(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	c := answering(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) })
	if _, err := c.Message(t.Context(), "1"); err == nil {
		t.Error("a redirect counts as an answer")
	}
	if _, err := c.Document(t.Context(), api.Document{Href: elsewhere.URL + "/api/v1/documents/1"}); err == nil {
		t.Error("a document elsewhere is fetched")
	}
}

func TestClientKeepsThePrefixOfItsAddress(t *testing.T) {
	var path string
	c := answering(t, func(_ http.ResponseWriter, r *http.Request) { path = r.URL.EscapedPath() })
	_, _ = c.Message(t.Context(), "a/b")
	if path != "/prefix/api/v1/messages/a%2Fb" {
		t.Errorf("path = %s", path)
	}
}

func TestClientComparesDocumentsWithTheirDigest(t *testing.T) {
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<document/>")) })
	d := api.Document{Href: "/api/v1/documents/1", SHA256: digest([]byte("<document/>"))}
	if _, err := c.Document(t.Context(), d); err != nil {
		t.Errorf("good document: %v", err)
	}
	d.SHA256 = digest([]byte("<other/>"))
	if _, err := c.Document(t.Context(), d); !errors.Is(err, exchange.ErrDamaged) {
		t.Errorf("error = %v, want damaged", err)
	}
}
