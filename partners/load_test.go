package partners_test

import (
	"crypto"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mozilla.org/pkcs7"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

func TestCredentialThatCanNeverCountIsRefused(t *testing.T) {
	w := newWorld(t)
	tw := w.pki["tw"]
	forged, err := tw.Impostor()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name        string
		credential  *pkitest.Credential
		from, until time.Time
		texts       []string
	}{
		{"expired before from", tw.Must(tw.Expired(pkitest.Request{Name: "old"}, spring)), spring, time.Time{}, []string{"never counts", "2026-03-31T23:59:59Z"}},
		{"begins after until", tw.Must(tw.NotYetValid(pkitest.Request{Name: "next"}, summer)), time.Time{}, summer, []string{"never counts", "2026-07-01T00:00:01Z"}},
		{"another CA with the same names", tw.Must(forged.Issue(pkitest.Request{Name: "message signature"})), time.Time{}, time.Time{}, []string{"does not chain", "message signature", "unknown authority"}},
		{"credential of another partner's CA", w.pki["my"].Must(w.pki["my"].Issue(pkitest.Request{Name: "stray"})), time.Time{}, time.Time{}, []string{"does not chain", "stray"}},
		{"RSA of 1024 bits", tw.Must(tw.WeakKey(pkitest.Request{Name: "weak"})), time.Time{}, time.Time{}, []string{"RSA key of 1024 bits is too short", "2048"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, file := tw.Write(test.credential, "bad")
			w.config.Partners[0].Credentials = []partners.CredentialConfig{{Uses: transportUses[:1], File: file, From: test.from, Until: test.until}}
			w.wantRefused(t, "partners[0].credentials[0].file", append(test.texts, file)...)
		})
	}
}

func TestRSACredentialOf2048BitsCounts(t *testing.T) {
	w := newWorld(t)
	c, _, file := w.pki["tw"].IssueFiles("rsa", pkitest.Request{Name: "rsa", Algorithm: pkitest.RSA2048})
	w.config.Partners[0].Credentials = []partners.CredentialConfig{{Uses: transportUses, File: file}}
	if !counts(t, w.open(t), "tw", partners.UseMessageSignature, c, summer) {
		t.Error("it does not count")
	}
}

// TestOneKeyBelongsToOneParty: Domibus 4.2.10 took the same credential for two partners, who could then speak for each other.
func TestOneKeyBelongsToOneParty(t *testing.T) {
	t.Run("same credential for two partners", func(t *testing.T) {
		w := newWorld(t)
		w.config.Partners[1].AnchorFiles = append(w.config.Partners[1].AnchorFiles, w.file("tw", "root.pem"))
		w.config.Partners[1].Credentials[1].File = w.file("tw", "message-signature.pem")
		w.wantRefused(t, "partners[1].credentials[1].file", `the same key is configured for partner "tw"`, w.file("tw", "message-signature.pem"), "partners[0].credentials[0].file")
	})
	t.Run("another certificate for the same key", func(t *testing.T) {
		w := newWorld(t)
		key := w.issued["tw"][partners.UseDocumentSignature].Key
		_, _, file := w.pki["my"].IssueFiles("same-key", pkitest.Request{Name: "same key", Key: key})
		w.config.Partners[1].Issuers[0].Credentials[0].File = file
		w.wantRefused(t, "partners[1].issuers[0].credentials[0].file", `the same key is configured for partner "tw"`, file)
	})
	t.Run("our own key", func(t *testing.T) {
		w := newWorld(t)
		_, _, file := w.pki["tw"].IssueFiles("ours", pkitest.Request{Name: "ours", Key: w.issued["kr"][partners.UseTLSServer].Key})
		w.config.Partners[0].Credentials[0].File = file
		w.wantRefused(t, "partners[0].credentials[0].file", "the same key is configured for this node")
	})
	t.Run("renewed for the same partner", func(t *testing.T) {
		w := newWorld(t)
		key := w.issued["tw"][partners.UseMessageSignature].Key
		_, _, file := w.pki["tw"].IssueFiles("renewed", pkitest.Request{Name: "renewed", NotBefore: summer, Key: key})
		w.config.Partners[0].Credentials = append(w.config.Partners[0].Credentials, partners.CredentialConfig{Uses: transportUses[:1], File: file})
		if got := names(w.open(t).Credentials("tw", partners.UseMessageSignature, summer)); got != "renewed,tw message-signature" {
			t.Errorf("%q count", got)
		}
	})
}

func TestFilesThatCannotBeUsedAreNamed(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.pem")
	tests := []struct {
		name   string
		change func(w *world)
		key    string
		texts  []string
	}{
		{"credential file missing", func(w *world) { w.config.Partners[0].Credentials[0].File = missing }, "partners[0].credentials[0].file", []string{missing, "no such file"}},
		{"anchor file missing", func(w *world) { w.config.Partners[1].AnchorFiles[0] = missing }, "partners[1].anchor_files[0]", []string{missing}},
		{"intermediate file missing", func(w *world) { w.config.Partners[1].IntermediateFiles = []string{missing} }, "partners[1].intermediate_files[0]", []string{missing}},
		{"key file missing", func(w *world) { w.config.Node.Keys[2].KeyFile = missing }, "node.keys[2].key_file", []string{missing}},
		{"chain file missing", func(w *world) { w.config.Node.Issuers[0].Keys[0].ChainFile = missing }, "node.issuers[0].keys[0].chain_file", []string{missing}},
		{"key of another credential", func(w *world) {
			own := w.issued["kr"]
			w.pki["kr"].Write(own[partners.UseMessageSignature].WithKeyOf(own[partners.UseTLSServer]), "message-signature")
		}, "node.keys[0].key_file", []string{"message-signature.key", "message-signature.pem", "belongs to the private key"}},
		{"chain instead of key", func(w *world) { w.config.Node.Keys[0].KeyFile = w.file("kr", "tls-server.pem") }, "node.keys[0].key_file", []string{"no private key"}},
		{"key instead of credential", func(w *world) { w.config.Partners[0].Credentials[0].File = w.file("tw", "tls-server.key") }, "partners[0].credentials[0].file", []string{"no credential"}},
		{"encrypted key without passphrase", func(w *world) { w.encrypt("message-signature", "secret") }, "node.keys[0].key_file", []string{"message-signature.key", "no passphrase is given"}},
		{"wrong passphrase", func(w *world) {
			w.encrypt("message-signature", "secret")
			w.config.Node.Keys[0].PassphraseFile = w.write("passphrase", "Secret\n")
		}, "node.keys[0].key_file", []string{"message-signature.key", "does not open"}},
		{"passphrase for nothing", func(w *world) { w.config.Node.Keys[0].PassphraseFile = w.write("passphrase", "secret") }, "node.keys[0].key_file", []string{"is not encrypted"}},
		{"passphrase file missing", func(w *world) { w.config.Node.Keys[0].PassphraseFile = missing }, "node.keys[0].passphrase_file", []string{missing}},
		{"passphrase file empty", func(w *world) { w.config.Node.Keys[0].PassphraseFile = w.write("passphrase", "\n") }, "node.keys[0].passphrase_file", []string{"expected one line, found none"}},
		{"passphrase file of two lines", func(w *world) { w.config.Node.Keys[0].PassphraseFile = w.write("passphrase", "a\nb\n") }, "node.keys[0].passphrase_file", []string{"found more"}},
		{"PKCS #12 missing", func(w *world) { w.config.Node.Keys[0] = pkcs12Key(missing, "") }, "node.keys[0].pkcs12_file", []string{missing}},
		{"PKCS #12 without passphrase", func(w *world) { w.config.Node.Keys[0] = pkcs12Key(w.pkcs12("secret"), "") }, "node.keys[0].pkcs12_file", []string{"key.p12", "no passphrase is given"}},
		{"PEM for PKCS #12", func(w *world) { w.config.Node.Keys[0] = pkcs12Key(w.config.Node.Keys[0].KeyFile, "") }, "node.keys[0].pkcs12_file", []string{"not PKCS #12"}},
		{"chain of nonsense", func(w *world) { w.config.Node.Keys[0].ChainFile = w.write("chain.pem", "?") }, "node.keys[0].chain_file", []string{"chain.pem"}},
		{"token that does not open", func(w *world) {
			w.config.Node.Keys[0].KeyFile = ""
			w.config.Node.Keys[0].PKCS11 = partners.TokenKeyConfig{Module: missing, TokenLabel: "t", PINFile: w.write("pin", "1234\n"), KeyLabel: "k"}
		}, "node.keys[0].pkcs11", []string{`token "t" of ` + missing}},
		{"PIN file missing", func(w *world) {
			w.config.Node.Keys[0].KeyFile = ""
			w.config.Node.Keys[0].PKCS11 = partners.TokenKeyConfig{Module: missing, TokenLabel: "t", PINFile: missing, KeyLabel: "k"}
		}, "node.keys[0].pkcs11.pin_file", []string{missing}},
		{"algorithm of another kind of key", func(w *world) { w.config.Agreements[0].SignatureAlgorithm = "sha256-rsa-MGF1" }, "agreements[0].signature_algorithm",
			[]string{"kr message-signature", "needs a key of RSA, not of ECDSA"}},
		{"algorithm of another kind of key, for an issuing body", func(w *world) { w.config.Node.Issuers[0].SignatureAlgorithm = "rsa-sha256" },
			"node.issuers[0].signature_algorithm", []string{"kr document-signature", "needs a key of RSA, not of ECDSA"}},
		{"two keys from the same instant", func(w *world) {
			w.config.Node.Keys[0].Uses = append(w.config.Node.Keys[0].Uses, partners.UseTLSServer)
		}, "node.keys", []string{"two keys for tls-server count from 2025-01-01T00:00:00Z"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			test.change(w)
			w.wantRefused(t, test.key, test.texts...)
		})
	}
}

func TestEveryProblemOfTheFilesIsReported(t *testing.T) {
	w := newWorld(t)
	w.config.Partners[0].Credentials[0].File = "missing-1"
	w.config.Partners[1].Issuers[0].Credentials[0].File = "missing-2"
	w.config.Node.Keys[0].KeyFile = "missing-3"
	w.wantRefused(t, "partners[0].credentials[0].file", "missing-1")
	w.wantRefused(t, "partners[1].issuers[0].credentials[0].file", "missing-2")
	w.wantRefused(t, "node.keys[0].key_file", "missing-3")
}

// TestEndCredentialIsFoundInABundle: PKCS#7 keeps no order, and people export bundles in either.
func TestEndCredentialIsFoundInABundle(t *testing.T) {
	w := newWorld(t)
	c := w.issued["tw"][partners.UseMessageSignature]
	bundle := slices.Concat(w.pki["tw"].Root.X509Cert.Raw, w.pki["tw"].Issuing.X509Cert.Raw, c.X509Cert.Raw)
	p7b, err := pkcs7.DegenerateCertificate(bundle)
	if err != nil {
		t.Fatal(err)
	}
	second := w.issued["tw"][partners.UseTLSClient].X509Cert.Raw
	for _, test := range []struct {
		name    string
		content []byte
		refused string
	}{
		{"PKCS#7, root first", p7b, ""},
		{"DER, root first", bundle, ""},
		{"twice the same", slices.Concat(c.X509Cert.Raw, c.X509Cert.Raw, bundle), ""},
		{"two end credentials", slices.Concat(bundle, second), "more than one end credential"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "bundle")
			if err := os.WriteFile(file, test.content, 0o600); err != nil {
				t.Fatal(err)
			}
			w.config.Partners[0].Credentials[0].File = file
			if test.refused != "" {
				w.wantRefused(t, "partners[0].credentials[0].file", file, test.refused)
				return
			}
			if !counts(t, w.open(t), "tw", partners.UseMessageSignature, c, summer) {
				t.Error("the end credential does not count")
			}
		})
	}
}

var expectation = regexp.MustCompile(`(?m)^expect: (.+)$`)

// TestHostileCredentialFilesAreRefused reads ../testdata/hostile/partners: each file says in its head what must be said of it.
// The files pin themselves, so that only their own faults count.
func TestHostileCredentialFilesAreRefused(t *testing.T) {
	files, err := filepath.Glob("../testdata/hostile/partners/*.pem")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d files found, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want := expectation.FindSubmatch(content)
			if want == nil {
				t.Fatal("no expect: line")
			}
			w := newWorld(t)
			w.config.Partners[0].AnchorFiles = append(w.config.Partners[0].AnchorFiles, file)
			w.config.Partners[0].Credentials[0].File = file
			w.wantRefused(t, "partners[0].credentials[0].file", file, string(want[1]))
		})
	}
}

func TestEntryWithTwoUsesIsComplainedAboutOnce(t *testing.T) {
	w := newWorld(t)
	w.config.Partners[0].Credentials = []partners.CredentialConfig{{Uses: transportUses, File: "missing.pem"}}
	w.config.Node.Keys[0] = partners.KeyConfig{Uses: transportUses, KeyFile: "missing.key", ChainFile: "missing.pem"}
	_, err := partners.New(w.config)
	var wrong *partners.ConfigError
	if !errors.As(err, &wrong) || len(wrong.Problems) != 2 {
		t.Errorf("want two problems, got %v", err)
	}
}

func TestTokenThatDidNotOpenIsNotAskedAgain(t *testing.T) {
	w := newWorld(t)
	token := partners.TokenKeyConfig{Module: "/no/such.so", TokenLabel: "t", PINFile: w.write("pin", "1234\n"), KeyLabel: "k"}
	for i := range 2 {
		w.config.Node.Keys[i].KeyFile, w.config.Node.Keys[i].PKCS11 = "", token
	}
	w.wantRefused(t, "node.keys[0].pkcs11", "/no/such.so")
	w.wantRefused(t, "node.keys[1].pkcs11", "not asked again")
}

// write writes a file beside the node's keys.
func (w *world) write(name, text string) string {
	path := w.file("kr", name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		panic(err)
	}
	return path
}

// encrypt writes a key of the node anew under a passphrase.
func (w *world) encrypt(name, passphrase string) {
	text, err := signing.WritePrivateKey(w.issued["kr"][partners.Use(name)].Key, []byte(passphrase))
	if err != nil {
		panic(err)
	}
	w.write(name+".key", string(text))
}

// pkcs12 writes the node's message key with its credentials as PKCS #12.
func (w *world) pkcs12(passphrase string) string {
	return w.pkcs12Of("key.p12", w.issued["kr"][partners.UseMessageSignature], passphrase)
}

func (w *world) pkcs12Of(name string, own *pkitest.Credential, passphrase string) string {
	credentials, err := signing.ReadCredentials(own.ChainPEM())
	if err != nil {
		panic(err)
	}
	data, err := pkcs12.Modern2023.Encode(own.Key, credentials[0], credentials[1:], passphrase)
	if err != nil {
		panic(err)
	}
	return w.write(name, string(data))
}

func pkcs12Key(file, passphraseFile string) partners.KeyConfig {
	return partners.KeyConfig{Uses: []partners.Use{partners.UseMessageSignature}, PKCS12File: file, PassphraseFile: passphraseFile}
}

func TestKeyLiesEncryptedOrInPKCS12(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(w *world)
	}{
		{"encrypted", func(w *world) {
			w.encrypt("message-signature", "correct horse")
			w.config.Node.Keys[0].PassphraseFile = w.write("passphrase", "correct horse\n")
		}},
		{"PKCS #12", func(w *world) {
			w.config.Node.Keys[0] = pkcs12Key(w.pkcs12("correct horse"), w.write("passphrase", "correct horse"))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			test.change(w)
			key, err := w.open(t).Key(partners.UseMessageSignature, "", summer)
			if err != nil {
				t.Fatal(err)
			}
			own := w.issued["kr"][partners.UseMessageSignature]
			if !key.Signer.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(own.Key.Public()) || len(key.Chain) != 2 {
				t.Errorf("got a key with %d credentials", len(key.Chain))
			}
		})
	}
}

// TestReloadReadsPKCS12Again has the keys of the node and of an issuing body replaced in their files, and then damaged.
func TestReloadReadsPKCS12Again(t *testing.T) {
	w := newWorld(t)
	passphrase := w.write("passphrase", "correct horse")
	write := func(kind pkitest.Algorithm) (message, document *pkitest.Credential) {
		message = w.pki["kr"].Must(w.pki["kr"].Issue(pkitest.Request{Name: "m", Use: pkitest.MessageSignature, Algorithm: kind}))
		document = w.pki["kr"].Must(w.pki["kr"].Issue(pkitest.Request{Name: "d", Use: pkitest.DocumentSignature, Algorithm: kind}))
		w.config.Node.Keys[0] = pkcs12Key(w.pkcs12Of("m.p12", message, "correct horse"), passphrase)
		w.config.Node.Issuers[0].Keys[0] = partners.KeyConfig{PKCS12File: w.pkcs12Of("d.p12", document, "correct horse"), PassphraseFile: passphrase}
		return message, document
	}
	write(pkitest.P256)
	r := w.open(t)
	message, document := write(pkitest.RSA2048)
	if err := r.Reload(w.config); err != nil {
		t.Fatal(err)
	}
	w.write("d.p12", "damaged")
	if err := r.Reload(w.config); err == nil || !strings.Contains(err.Error(), "node.issuers[0].keys[0].pkcs12_file") {
		t.Errorf("damaged file: %v", err)
	}
	for _, want := range []struct {
		use  partners.Use
		body string
		key  *pkitest.Credential
	}{{partners.UseMessageSignature, "", message}, {partners.UseDocumentSignature, "BODY", document}} {
		key, err := r.Key(want.use, want.body, summer)
		if err != nil || !key.Chain[0].Equal(want.key.X509Cert) {
			t.Errorf("%s: not the key that was read last: %v", want.use, err)
		}
	}
}

// TestReadKeyTakesWhatANodeTakes reads keys alone, as programs do that sign without a node.
func TestReadKeyTakesWhatANodeTakes(t *testing.T) {
	w := newWorld(t)
	plain, sealed := w.config.Node.Keys[0], pkcs12Key(w.pkcs12("secret"), w.write("passphrase", "secret\n"))
	for name, config := range map[string]partners.KeyConfig{"PEM": plain, "PKCS #12": sealed} {
		if key, err := partners.ReadKey(config); err != nil || key.Signer == nil || len(key.Chain) == 0 {
			t.Errorf("%s: %+v, %v", name, key, err)
		}
	}
	sealed.PassphraseFile = ""
	if _, err := partners.ReadKey(sealed); !errors.Is(err, signing.ErrPassphrase) {
		t.Errorf("without its passphrase: %v", err)
	}
	plain.ChainFile = ""
	if _, err := partners.ReadKey(plain); err == nil || !strings.Contains(err.Error(), "key.chain_file: is required") {
		t.Errorf("without its chain: %v", err)
	}
}
