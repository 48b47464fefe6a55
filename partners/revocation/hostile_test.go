package revocation_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners/revocation"
)

var update = flag.Bool("update", false, "write the hostile CRLs and OCSP responses anew, with new keys")

// hostile is a folder of PEM files: ca.pem is the CA and leaf.pem the credential that the others are about, X509 CRL or OCSP RESPONSE. Their
// headers say what is expected: Expect, a part of the cause, or none for what is taken.
const hostile = "../../testdata/hostile/revocation"

const (
	blockCRL  = "X509 CRL"
	blockOCSP = "OCSP RESPONSE"
)

type hostileCase struct {
	name, kind, expect string
	data               []byte
}

func TestHostileFilesAreRefusedByName(t *testing.T) {
	if *update {
		writeHostile(t)
	}
	ca, leaf := readX509(t, "ca.pem"), readX509(t, "leaf.pem")
	files, err := filepath.Glob(filepath.Join(hostile, "*.pem"))
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if name == "ca.pem" || name == "leaf.pem" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			block := readBlock(t, name)
			switch block.Type {
			case blockCRL:
				_, err = revocation.ReadCRL(block.Bytes, []*x509.Certificate{ca}, noon)
			case blockOCSP:
				_, err = revocation.ReadOCSP(block.Bytes, link(t, leaf, ca), noon)
			default:
				t.Fatalf("PEM block %q", block.Type)
			}
			want := block.Headers["Expect"]
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		})
	}
}

// addHostile makes seeds of the files of a kind.
func addHostile(f *testing.F, kind string) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join(hostile, "*.pem"))
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		if block := readBlock(f, filepath.Base(file)); block.Type == kind {
			f.Add(block.Bytes)
		}
	}
}

func readBlock(t testing.TB, name string) *pem.Block {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(hostile, name))
	if err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode(data)
	if block == nil || len(rest) > 0 {
		t.Fatalf("%s is not one PEM block", name)
	}
	return block
}

func readX509(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	x509Cert, err := x509.ParseCertificate(readBlock(t, name).Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return x509Cert
}

func writeHostile(t *testing.T) {
	t.Helper()
	w := newWorld(t)
	if err := os.MkdirAll(hostile, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name string, block *pem.Block) {
		if err := os.WriteFile(filepath.Join(hostile, name+".pem"), pem.EncodeToMemory(block), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("ca", &pem.Block{Type: "CERTIFICATE", Bytes: w.Issuing.X509Cert.Raw})
	write("leaf", &pem.Block{Type: "CERTIFICATE", Bytes: w.leaf.X509Cert.Raw})
	for _, c := range append(hostileCRLs(t, w), hostileAnswers(t, w)...) {
		headers := map[string]string{}
		if c.expect != "" {
			headers["Expect"] = c.expect
		}
		write(c.name, &pem.Block{Type: c.kind, Headers: headers, Bytes: c.data})
	}
}

func hostileCRLs(t *testing.T, w *world) []hostileCase {
	t.Helper()
	other, err := w.Impostor()
	if err != nil {
		t.Fatal(err)
	}
	with := func(e pkix.Extension) []byte {
		return w.crl(t, func(l *x509.RevocationList) { l.ExtraExtensions = []pkix.Extension{e} })
	}
	entry := func(change func(*x509.RevocationListEntry)) []byte {
		return w.crl(t, func(l *x509.RevocationList) {
			e := revoked(big.NewInt(5), noon)
			change(&e)
			l.RevokedCertificateEntries = []x509.RevocationListEntry{e}
		})
	}
	flag := func(tag byte) []byte { return []byte{0x30, 3, 0x80 | tag, 1, 0xFF} }
	good := w.crl(t, nil)
	changed := append([]byte{}, w.crl(t, func(l *x509.RevocationList) {
		l.RevokedCertificateEntries = []x509.RevocationListEntry{revoked(w.leaf.X509Cert.SerialNumber, noon)}
	})...)
	changed[len(changed)/2] ^= 1 // in the entry's time or around it
	var out []hostileCase
	for _, c := range []struct {
		name, expect string
		data         []byte
	}{
		{"crl-valid", "", good},
		{"crl-valid-an-hour-ahead", "", w.crl(t, func(l *x509.RevocationList) { l.ThisUpdate = noon.Add(time.Hour) })},
		{"crl-valid-end-credentials-only", "", with(extension(true, flag(1), 2, 5, 29, 28))},
		{"crl-valid-extension-not-critical", "", with(extension(false, []byte{5, 0}, 1, 2, 3, 4))},
		{"crl-valid-past-its-next-update", "", w.crl(t, func(l *x509.RevocationList) {
			l.ThisUpdate, l.NextUpdate = noon.AddDate(0, 0, -9), noon.AddDate(0, 0, -8)
		})},
		{"crl-key-of-another", "is not signed by", signCRL(t, other.Issuing.X509Cert, other.Issuing.Key, nil)},
		{"crl-of-another-ca", "is no CA of this partner", signCRL(t, w.Root.X509Cert, w.Root.Key, nil)},
		{"crl-signed-by-leaf", "is not signed by", signCRL(t, named(w.leaf.X509Cert, w.Issuing.X509Cert), w.leaf.Key, nil)},
		{"crl-changed", "CRL", changed},
		{"crl-from-the-future", "from the future", w.crl(t, func(l *x509.RevocationList) {
			l.ThisUpdate, l.NextUpdate = noon.Add(time.Hour+time.Second), noon.AddDate(0, 0, 2)
		})},
		{"crl-delta", "delta CRL", with(extension(true, []byte{2, 1, 1}, 2, 5, 29, 27))},
		{"crl-indirect", "indirect CRL", with(extension(true, flag(4), 2, 5, 29, 28))},
		{"crl-some-reasons", "some reasons", with(extension(true, []byte{0x30, 4, 0x83, 2, 6, 0x40}, 2, 5, 29, 28))},
		{"crl-attribute-certificates", "attribute certificates", with(extension(true, flag(5), 2, 5, 29, 28))},
		{"crl-scope-unreadable", "cannot be read", with(extension(true, []byte{5, 0}, 2, 5, 29, 28))},
		{"crl-critical-extension", "critical extension 1.2.3.4", with(extension(true, []byte{5, 0}, 1, 2, 3, 4))},
		{"crl-entry-of-another-issuer", "certificateIssuer", entry(func(e *x509.RevocationListEntry) {
			e.ExtraExtensions = []pkix.Extension{extension(true, []byte{0x30, 0}, 2, 5, 29, 29)}
		})},
		{"crl-entry-critical-extension", "critical extension", entry(func(e *x509.RevocationListEntry) {
			e.ExtraExtensions = []pkix.Extension{extension(true, []byte{5, 0}, 1, 2, 3, 4)}
		})},
		{"crl-entry-remove-from-crl", "removeFromCRL", entry(func(e *x509.RevocationListEntry) { e.ReasonCode = 8 })},
		{"crl-serial-of-21-octets", "20 octets", entry(func(e *x509.RevocationListEntry) { e.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 160) })},
		{"crl-cut-short", "not a CRL", good[:len(good)-9]},
		{"crl-empty", "not a CRL", nil},
		{"crl-html", "not a CRL", []byte("<html>busy</html>")},
	} {
		out = append(out, hostileCase{name: c.name, kind: blockCRL, expect: c.expect, data: c.data})
	}
	return out
}

// named is x509Cert under the name of another, so that its key signs in that name.
func named(x509Cert, other *x509.Certificate) *x509.Certificate {
	c := *x509Cert
	c.RawSubject, c.Subject, c.KeyUsage, c.SubjectKeyId = other.RawSubject, other.Subject, x509.KeyUsageCRLSign, other.SubjectKeyId
	return &c
}

func hostileAnswers(t *testing.T, w *world) []hostileCase {
	t.Helper()
	impostor, err := w.Impostor()
	if err != nil {
		t.Fatal(err)
	}
	ca := w.Issuing
	answer := func(responder *pkitest.Credential, change func(*ocsp.Response)) []byte {
		template := ocsp.Response{Status: ocsp.Good, SerialNumber: w.leaf.X509Cert.SerialNumber, ThisUpdate: noon, NextUpdate: noon.AddDate(0, 0, 1)}
		if responder != ca {
			template.Certificate = responder.X509Cert
		}
		if change != nil {
			change(&template)
		}
		der, err := ocsp.CreateResponse(ca.X509Cert, responder.X509Cert, template, responder.Key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	signing := []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
	good := answer(ca, nil)
	changed := append([]byte{}, good...)
	changed[len(changed)-3] ^= 1
	renamed := *ca.X509Cert
	renamed.RawSubject = w.Root.X509Cert.RawSubject
	another, err := ocsp.CreateResponse(&renamed, ca.X509Cert, ocsp.Response{
		Status: ocsp.Good, SerialNumber: w.leaf.X509Cert.SerialNumber, ThisUpdate: noon, NextUpdate: noon.AddDate(0, 0, 1)}, ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	var out []hostileCase
	for _, c := range []struct {
		name, expect string
		data         []byte
	}{
		{"ocsp-valid", "", good},
		{"ocsp-valid-of-a-responder", "", answer(delegate(t, ca, signing), nil)},
		{"ocsp-valid-revoked", "", answer(ca, func(r *ocsp.Response) { r.Status, r.RevokedAt, r.RevocationReason = ocsp.Revoked, noon, 1 })},
		{"ocsp-valid-unknown", "", answer(ca, func(r *ocsp.Response) { r.Status = ocsp.Unknown })},
		{"ocsp-key-of-another", "is not signed by", answer(impostor.Issuing, func(r *ocsp.Response) { r.Certificate = nil })},
		{"ocsp-impostor-brings-its-credential", "has its credential from", answer(impostor.Issuing, nil)},
		{"ocsp-responder-of-an-impostor", "did not sign", answer(delegate(t, impostor.Issuing, signing), nil)},
		{"ocsp-responder-without-leave", "OCSPSigning", answer(delegate(t, ca, nil), nil)},
		{"ocsp-responder-is-the-credential-itself", "OCSPSigning", answer(w.leaf, nil)},
		{"ocsp-responder-has-ended", "is valid from", answer(expired(t, ca), nil)},
		{"ocsp-changed", "OCSP response", changed},
		{"ocsp-other-serial-number", "no response matching", answer(ca, func(r *ocsp.Response) { r.SerialNumber = big.NewInt(4711) })},
		{"ocsp-other-issuer", "another issuer", another},
		{"ocsp-from-the-future", "from the future", answer(ca, func(r *ocsp.Response) { r.ThisUpdate = noon.Add(2 * time.Hour) })},
		{"ocsp-ends-before-it-begins", "which is not after thisUpdate", answer(ca, func(r *ocsp.Response) { r.NextUpdate = noon.Add(-time.Hour) })},
		{"ocsp-try-later", "did not answer", ocsp.TryLaterErrorResponse},
		{"ocsp-unauthorized", "did not answer", ocsp.UnauthorizedErrorResponse},
		{"ocsp-signature-required", "did not answer", ocsp.SigRequredErrorResponse},
		{"ocsp-cut-short", "OCSP response", good[:len(good)-9]},
		{"ocsp-octets-after-it", "OCSP response", append(append([]byte{}, good...), 0)},
		{"ocsp-empty", "OCSP response", nil},
		{"ocsp-html", "OCSP response", []byte("<html>busy</html>")},
	} {
		out = append(out, hostileCase{name: c.name, kind: blockOCSP, expect: c.expect, data: c.data})
	}
	return out
}

// expired is a responder whose credential ended a year before noon.
func expired(t *testing.T, ca *pkitest.Credential) *pkitest.Credential {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(98), Subject: pkix.Name{CommonName: "old responder"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning},
		NotBefore: noon.AddDate(-2, 0, 0), NotAfter: noon.AddDate(-1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.X509Cert, key.Public(), ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	x509Cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &pkitest.Credential{X509Cert: x509Cert, Key: key, Chain: []*x509.Certificate{x509Cert}}
}
