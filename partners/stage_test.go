package partners_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"strings"
	"testing"

	"go.mozilla.org/pkcs7"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// uploads are the forms in which one credential, with the CA above it, comes from a partner.
func uploads(tb testing.TB) (*pkitest.Credential, map[string][]byte) {
	tb.Helper()
	pki := pkitest.NewTest(tb, pkitest.Options{Country: "TW", Organisation: "Customs tw"})
	c, keyFile, chainFile := pki.IssueFiles("new", pkitest.Request{Name: "new", Use: pkitest.MessageSignature})
	must := func(data []byte, err error) []byte {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return data
	}
	text := must(os.ReadFile(chainFile))
	bundle := must(pkcs7.DegenerateCertificate(append(bytes.Clone(pki.Issuing.X509Cert.Raw), c.X509Cert.Raw...)))
	encrypted := must(pkcs12.Modern2023.Encode(c.Key, c.X509Cert, c.Chain[1:], "secret"))
	return c, map[string][]byte{
		"PEM":                     text,
		"PEM after its key":       append(must(os.ReadFile(keyFile)), text...),
		"DER":                     c.X509Cert.Raw,
		"base64":                  []byte(base64.StdEncoding.EncodeToString(c.X509Cert.Raw)),
		"PKCS #7":                 bundle,
		"PKCS #7 in base64":       []byte(base64.StdEncoding.EncodeToString(bundle)),
		"PKCS #12":                encrypted,
		"PKCS #12 in base64":      []byte(base64.StdEncoding.EncodeToString(encrypted)),
		"PKCS #12 without key":    must(pkcs12.Modern2023.EncodeTrustStore(c.Chain[:1], "secret")),
		"PKCS #12, no passphrase": must(pkcs12.Passwordless.Encode(c.Key, c.X509Cert, c.Chain[1:], "")),
	}
}

func TestUploadIsReadInEveryForm(t *testing.T) {
	c, forms := uploads(t)
	for name, data := range forms {
		t.Run(name, func(t *testing.T) {
			passphrase := "secret"
			if strings.HasSuffix(name, "no passphrase") {
				passphrase = ""
			}
			text, warning, err := partners.ReadUpload(data, []byte(passphrase))
			if err != nil {
				t.Fatal(err)
			}
			list, err := signing.ReadCredentials([]byte(text))
			if err != nil || !list[0].Equal(c.X509Cert) {
				t.Errorf("%v, %v; want new first", list, err)
			}
			if strings.Contains(text, "PRIVATE") {
				t.Error("the private key is in what is kept")
			}
			withKey := strings.Contains(name, "PKCS #12") && !strings.Contains(name, "without key") || strings.Contains(name, "its key")
			if (warning != "") != withKey || withKey && !containsAll(warning, []string{"private key of", "was not kept", "has to be replaced"}) {
				t.Errorf("warning %q", warning)
			}
		})
	}
}

func TestUploadThatIsNoCredentialIsToldInPlainWords(t *testing.T) {
	_, forms := uploads(t)
	pki := pkitest.NewTest(t, pkitest.Options{Country: "TW", Organisation: "Customs tw"})
	_, keyFile, other := pki.IssueFiles("other", pkitest.Request{Name: "other"})
	key, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, passphrase, want string
		data                   []byte
	}{
		{"nothing", "", "the file is empty", nil},
		{"private key", "", "holds a private key and no credential", key},
		{"PKCS #12 without its passphrase", "", "ask the partner for the credential alone", forms["PKCS #12"]},
		{"PKCS #12 with another passphrase", "other", "the passphrase does not open", forms["PKCS #12"]},
		{"cut off", "", "cut off", forms["base64"][:99]},
		{"a page", "", "a page in HTML", []byte("<html>")},
		{"two credentials", "", "more than one end credential", append(bytes.Clone(forms["PEM"]), second...)},
	} {
		t.Run(test.name, func(t *testing.T) {
			text, _, err := partners.ReadUpload(test.data, []byte(test.passphrase))
			if err == nil || text != "" || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%q, %v; want %q", text, err, test.want)
			}
		})
	}
}

// FuzzReadUpload: whatever is taken can be read again, and holds no key.
func FuzzReadUpload(f *testing.F) {
	_, forms := uploads(f)
	for _, data := range forms {
		f.Add(data, "secret")
		f.Add(data, "")
	}
	f.Fuzz(func(t *testing.T, data []byte, passphrase string) {
		text, _, err := partners.ReadUpload(data, []byte(passphrase))
		if err != nil {
			if text != "" {
				t.Error("a text beside an error")
			}
			return
		}
		if again, warning, err := partners.ReadUpload([]byte(text), nil); err != nil || again != text || warning != "" {
			t.Errorf("read again: %q, %q, %v", again, warning, err)
		}
	})
}

// A time-stamp authority may be that of several partners, and of a PKI that is none of theirs.
func TestTimeStampAuthorityIsSharedAndReplaced(t *testing.T) {
	w := newWorld(t)
	pki := pkitest.NewTest(t, pkitest.Options{Country: "CH", Organisation: "Time"})
	_, _, firstFile := pki.IssueFiles("first", pkitest.Request{Name: "first", Use: pkitest.TimeStamping})
	next, _, nextFile := pki.IssueFiles("next", pkitest.Request{Name: "next", Use: pkitest.TimeStamping})
	for i := range w.config.Partners {
		p := &w.config.Partners[i]
		p.Credentials = []partners.CredentialConfig{{Uses: []partners.Use{partners.UseTimeStamp}, File: firstFile}}
	}
	w.wantRefused(t, "partners[0].credentials[0].file", "does not chain")
	for i := range w.config.Partners {
		p := &w.config.Partners[i]
		p.AnchorFiles = append(p.AnchorFiles, pki.Dir+"/root.pem")
		staged := partners.Staging{Credential: partners.CredentialConfig{Uses: []partners.Use{partners.UseTimeStamp}, File: nextFile}}
		if err := errors.Join(p.Stage(staged, spring), p.Activate(partners.Activation{Fingerprint: id(next), At: summer}, spring)); err != nil {
			t.Fatal(err)
		}
	}
	r := w.open(t)
	for _, partner := range []string{"tw", "my"} {
		for _, test := range []edge{{spring, "first"}, {summer, "next,first"}, {autumn, "next"}, {autumn.AddDate(20, 0, 0), ""}} {
			list, known := r.TimeStampAnchors(partner, test.at)
			var got []string
			for _, x509Cert := range list {
				got = append(got, x509Cert.Subject.CommonName)
			}
			if strings.Join(got, ",") != test.want || !known {
				t.Errorf("%s at %s: %s, known %t; want %s", partner, test.at, got, known, test.want)
			}
		}
	}
}
