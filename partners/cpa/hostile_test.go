package cpa_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/cpa"
)

// hostile is a file of testdata/hostile/cpa: a shape with edits, and what is said of it. "error" is that of Read, "finding" one that
// refuses it to its first party.
type hostile struct {
	kind, text, at string
	doc            []byte
}

func readHostile(t testing.TB, file string) hostile {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, edits, _ := strings.Cut(string(content), "\n\n")
	var h hostile
	for line := range strings.Lines(head) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		switch value = strings.TrimPrefix(value, " "); key {
		case "error", "finding":
			h.kind, h.text = key, value
		case "at":
			h.at = value
		case "shape":
			h.doc = shapes(t)[value]
		default:
			t.Fatalf("%s: unknown head %q", file, key)
		}
	}
	for edits != "" {
		var edit string
		edit, edits, _ = strings.Cut(strings.TrimPrefix(edits, "<<<<\n"), "\n>>>>\n")
		before, after, ok := strings.Cut(edit, "\n====\n")
		if !ok || !bytes.Contains(h.doc, []byte(before)) {
			t.Fatalf("%s: an edit that changes nothing: %q", file, before)
		}
		h.doc = bytes.ReplaceAll(h.doc, []byte(before), []byte(after))
	}
	return h
}

func hostileFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../../testdata/hostile/cpa/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	return files
}

func TestHostileCPAsAreRefused(t *testing.T) {
	for _, file := range hostileFiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			h := readHostile(t, file)
			c, err := cpa.Read(h.doc)
			if h.kind == "error" {
				var wrong *cpa.Error
				if !errors.As(err, &wrong) || !strings.Contains(wrong.Text, h.text) || !strings.HasSuffix(wrong.Path, h.at) {
					t.Fatalf("got %v\nwant %q at %s", err, h.text, h.at)
				}
				if wrong.Line == 0 && wrong.Path == "" {
					t.Errorf("%v has no place", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := as(t, c, 0)
			for _, f := range got.Findings {
				if f.Severity == cpa.Refused && strings.Contains(f.Text, h.text) && strings.HasSuffix(f.Path, h.at) {
					return
				}
			}
			t.Errorf("got %v\nwant %q at %s", got.Findings, h.text, h.at)
		})
	}
}

// Limits would take large files.
func TestLimitsAreNamed(t *testing.T) {
	doc := string(shapes(t)["per-message"])
	insert := func(before, text string) []byte { return []byte(strings.Replace(doc, before, text+before, 1)) }
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for _, test := range []struct {
		name, want string
		doc        []byte
	}{
		{"bytes", "want at most 4194304 bytes", insert("<tp:Status", strings.Repeat(" ", 4<<20))},
		{"elements", "want at most 40000 elements", insert("</tp:CollaborationProtocolAgreement>", strings.Repeat("<tp:Comment/>", 40_000))},
		{"actions", "want at most 1000 actions of a party", insert("<tp:CanSend>", many(1000, `<tp:CanSend><tp:ThisPartyActionBinding tp:id="x%[1]d" tp:action="x%[1]d" tp:packageId="documents"><tp:BusinessTransactionCharacteristics/><tp:ChannelId>A-channel</tp:ChannelId></tp:ThisPartyActionBinding></tp:CanSend>`))},
		{"certificates", "want at most 100 of a party", insert("<tp:DeliveryChannel", many(101, `<tp:Certificate tp:certId="c%d"><ds:KeyInfo/></tp:Certificate>`))},
		{"anchors", "want at most 100", insert("<tp:DeliveryChannel", `<tp:Certificate tp:certId="c"><ds:KeyInfo/></tp:Certificate><tp:SecurityDetails tp:securityId="s"><tp:TrustAnchors>`+strings.Repeat(`<tp:AnchorCertificateRef tp:certId="c"/>`, 101)+`</tp:TrustAnchors></tp:SecurityDetails>`)},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := cpa.Read(test.doc); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestPartyIDsThatAreNotOursAreRefused(t *testing.T) {
	doc := bytes.Replace(shapes(t)["per-message"], []byte("<tp:PartyId>urn:party:a"), []byte("<tp:PartyId>urn:party:also</tp:PartyId><tp:PartyId>urn:party:a"), 1)
	got, err := mustRead(t, doc).Agreement(cpa.Options{Own: []partners.PartyID{{Value: "urn:party:a"}}})
	if err != nil || !got.Refused() || !strings.Contains(got.Findings[0].Text, `"urn:party:also" is no party id of this node`) {
		t.Error(err, got)
	}
}

// What the schema does not allow, Read does not either: every shape with one element taken away, doubled or renamed, and with one attribute
// taken away.
func TestReadIsNoLaxerThanTheSchema(t *testing.T) {
	engine := schema(t)
	for name, doc := range shapes(t) {
		if name != "per-message" && name != "unhonoured" {
			continue
		}
		for _, broken := range mutants(string(doc)) {
			if _, err := cpa.Read(broken.doc); err == nil && engine.Validate(t.Context(), bytes.NewReader(broken.doc)) != nil {
				t.Errorf("%s: %s: taken, and the schema does not allow it", name, broken.what)
			}
		}
	}
}

type mutant struct {
	what string
	doc  []byte
}

// mutants are the documents that differ from doc in one tag or attribute.
func mutants(doc string) []mutant {
	var out []mutant
	for at := 0; ; {
		i := strings.Index(doc[at:], "<tp:")
		if i < 0 {
			return out
		}
		i += at
		end := i + strings.IndexByte(doc[i:], '>')
		at = end
		tag := doc[i : end+1]
		if strings.HasSuffix(tag, "/>") {
			out = append(out, mutant{"without " + tag, []byte(doc[:i] + doc[end+1:])}, mutant{"twice " + tag, []byte(doc[:i] + tag + doc[i:])})
		}
		for _, attribute := range strings.Fields(tag)[1:] {
			if name, _, ok := strings.Cut(attribute, `="`); ok {
				out = append(out, mutant{tag + " without " + name, []byte(doc[:i] + strings.Replace(tag, name+`="`, `xmlns:x`+name[3:]+`="urn:`, 1) + doc[end+1:])},
					mutant{tag + " with another " + name, []byte(doc[:i] + strings.Replace(tag, name+`="`, name+`="!`, 1) + doc[end+1:])})
			}
		}
	}
}
