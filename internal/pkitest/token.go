package pkitest

import (
	"os"
	"os/exec"
	"path/filepath"
)

// Token is a PKCS #11 token of SoftHSM, in a folder of the test.
type Token struct {
	// Module is the path of the library; Label and PIN are the token's.
	Module, Label, PIN string
	util               string
}

// TokenTB is what NewToken needs of a test.
type TokenTB interface {
	TB
	Skip(args ...any)
	Setenv(key, value string)
}

// softHSM is where the distributions put the library.
var softHSM = []string{
	"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/*/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so",
	"/usr/local/lib/softhsm/libsofthsm2.so", "/opt/homebrew/lib/softhsm/libsofthsm2.so",
}

// NewToken makes a token, or skips the test where SoftHSM is not installed (Debian: softhsm2). The library reads its
// configuration once: a program makes one token.
func NewToken(tb TokenTB) *Token {
	tb.Helper()
	t := &Token{Label: "ecogate test", PIN: "271828"}
	for _, pattern := range softHSM {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 && t.Module == "" {
			t.Module = found[0]
		}
	}
	util, err := exec.LookPath("softhsm2-util")
	if err != nil || t.Module == "" {
		tb.Skip("SoftHSM (Debian package softhsm2) is not installed")
	}
	t.util = util
	dir := tb.TempDir()
	tokens, file := filepath.Join(dir, "tokens"), filepath.Join(dir, "softhsm2.conf")
	if err := os.Mkdir(tokens, 0o700); err != nil {
		tb.Fatalf("make token: %v", err)
	}
	if err := os.WriteFile(file, []byte("directories.tokendir = "+tokens+"\nlog.level = ERROR\n"), 0o600); err != nil {
		tb.Fatalf("make token: %v", err)
	}
	tb.Setenv("SOFTHSM2_CONF", file)
	t.run(tb, "--init-token", "--free", "--label", t.Label, "--pin", t.PIN, "--so-pin", "314159")
	return t
}

// Import puts the private key of a PKCS #8 file into the token, with its public key, under a label and an id in hexadecimal.
func (t *Token) Import(tb TokenTB, file, label, id string) {
	tb.Helper()
	t.run(tb, "--import", file, "--token", t.Label, "--label", label, "--id", id, "--pin", t.PIN)
}

func (t *Token) run(tb TokenTB, args ...string) {
	tb.Helper()
	if out, err := exec.Command(t.util, args...).CombinedOutput(); err != nil {
		tb.Fatalf("softhsm2-util %s: %v\n%s", args[0], err, out)
	}
}
