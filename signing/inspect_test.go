package signing_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/signing"
)

// findings are the references of an inspection as "URI: finding".
func findings(i *signing.Inspection) []string {
	var out []string
	for _, r := range i.References {
		out = append(out, r.URI+": "+string(r.Finding))
	}
	return out
}

func TestInspectMessageComparesEachReference(t *testing.T) {
	key := keyOf(t, rsaKey)
	signed, _, err := signing.SignMessage([]byte(envelope), parts, key)
	if err != nil {
		t.Fatal(err)
	}
	first, second := parts[0].URI, parts[1].URI
	tampered := []signing.Part{parts[0], {URI: second, Content: bytes.NewReader([]byte("other"))}}
	extra := append(slices.Clone(parts), signing.Part{URI: "cid:extra", Content: bytes.NewReader(nil)})
	twice := craft(t, crafted{references: strings.Repeat(bareReference(parts[0]), 2)}, key)
	for _, test := range []struct {
		name      string
		envelope  []byte
		parts     []signing.Part
		want      []string
		uncovered []string
		refused   error
	}{
		{"whole", signed, parts, []string{": matches", first + ": matches", second + ": matches"}, nil, nil},
		{"part changed", signed, tampered, []string{": matches", first + ": matches", second + ": differs"}, nil, nil},
		{"part missing", signed, parts[:1], []string{": matches", first + ": matches", second + ": no such part"}, nil, nil},
		{"part added", signed, extra, []string{": matches", first + ": matches", second + ": matches"}, []string{"cid:extra"}, nil},
		{
			"header changed", bytes.Replace(signed, []byte("<soap:Body"), []byte(" <soap:Body"), 1), parts,
			[]string{": differs", first + ": matches", second + ": matches"}, nil, nil,
		},
		{
			"part named twice", twice, parts,
			[]string{": matches", first + ": matches", first + ": not read"}, []string{second}, signing.ErrMalformed,
		},
		{
			"digest by MD5", bytes.Replace(signed, []byte("2001/04/xmlenc#sha256"), []byte("2001/04/xmldsig-more#md5"), 1), parts,
			[]string{": not read", first + ": matches", second + ": matches"}, nil, signing.ErrPolicy,
		},
		{"unsigned", []byte(envelope), parts, nil, []string{first, second}, signing.ErrUnsigned},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := signing.InspectMessage(test.envelope, test.parts, signing.Policy{})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(findings(got), test.want) || !slices.Equal(got.Uncovered, test.uncovered) || !errors.Is(got.Refused, test.refused) {
				t.Errorf("got  %q, uncovered %q, refused %v\nwant %q, %q, %v", findings(got), got.Uncovered, got.Refused, test.want, test.uncovered, test.refused)
			}
		})
	}
}

func TestInspectMessageShowsTheSigner(t *testing.T) {
	key, other := keyOf(t, rsaKey), keyOf(t, otherRSAKey)
	keyInfo := `<ds:KeyInfo><ds:X509Data><ds:X509Certificate>AAAA</ds:X509Certificate><ds:X509Certificate>` +
		base64.StdEncoding.EncodeToString(other.Chain[0].Raw) + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`
	got, err := signing.InspectMessage(craft(t, crafted{keyInfo: keyInfo}, key), parts, signing.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Refused != nil || !strings.HasSuffix(got.Algorithm, "#rsa-sha256") || len(got.Credentials) != 1 || !got.Credentials[0].Equal(other.Chain[0]) {
		t.Errorf("got %+v", got)
	}
}

// Inspection and verification must not tell two stories about the same message.
func TestInspectMessageAgreesWithVerifyMessage(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(hostileFolder, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	candidates, err := signing.ReadCredentials(read(t, filepath.Join(hostileFolder, "credential.pem")))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		file := readHostile(t, path)
		if file.kind == "message" {
			agree(t, path, file.body, file.parts, candidates)
		}
	}
}

// agree holds an inspection to what VerifyMessage says: what is refused by grammar or policy is refused by both with the
// same words, and what verifies has nothing but matches.
func agree(t *testing.T, name string, envelope []byte, parts []signing.Part, candidates []*x509.Certificate) {
	t.Helper()
	_, verr := signing.VerifyMessage(envelope, parts, candidates, signing.Policy{})
	got, err := signing.InspectMessage(envelope, parts, signing.Policy{})
	if err != nil {
		if verr == nil || err.Error() != verr.Error() {
			t.Errorf("%s: inspection ends with %v, verification with %v", name, err, verr)
		}
		return
	}
	if got.Refused != nil && (verr == nil || verr.Error() != got.Refused.Error()) {
		t.Errorf("%s: inspection refuses with %v, verification with %v", name, got.Refused, verr)
	}
	if errors.Is(verr, signing.ErrDigest) && !slices.ContainsFunc(got.References, func(r signing.InspectedReference) bool { return r.Finding == signing.FindingDiffers }) {
		t.Errorf("%s: no reference differs, verification says %v", name, verr)
	}
	if verr != nil {
		return
	}
	if len(got.Uncovered) > 0 || slices.ContainsFunc(got.References, func(r signing.InspectedReference) bool { return r.Finding != signing.FindingMatches }) {
		t.Errorf("%s verifies, but %q, uncovered %q", name, findings(got), got.Uncovered)
	}
}

func FuzzInspectMessage(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(hostileFolder, "*.txt"))
	if err != nil || len(files) == 0 {
		f.Fatal("no files", err)
	}
	for _, path := range files {
		f.Add(readHostile(f, path).body)
	}
	candidates, err := signing.ReadCredentials(read(f, filepath.Join(hostileFolder, "credential.pem")))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, envelope []byte) {
		agree(t, "input", envelope, parts, candidates)
	})
}
