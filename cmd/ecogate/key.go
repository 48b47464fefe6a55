package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

const keyHelp = `Make and look at private keys and credentials in files, and make keys in PKCS #11 tokens, offline: for "new", "csr", "import" and
"show" no node and no configuration are needed, and "restore --offline" works on the store of a node that does not run. "announce" has a running node tell a
partner of its next keys; the other commands tell it which of its keys to use, and from when on.

Files are written for their owner alone (mode 0600), and none that is there is ever overwritten. A passphrase is read from a
file that holds it on its only line, never from the command line, where other users of the machine may see it.`

func (c *cli) keyCommand() *cobra.Command {
	own := registry{c, partners.KindNode, ""}
	g := group("key", "Private keys and credentials in files, and those that a node uses",
		append([]*cobra.Command{
			c.keyNew(), c.keyCSR(), c.keyImport(), c.keyShow(), c.keyList(), c.keyAnnounce(), own.versions(), own.diff(), own.restore(),
		}, rotation{c, true}.verbs()...)...)
	g.Long = keyHelp
	return g
}

// keyTypes are the kinds of key that "key new" makes, in the order in which they are listed.
var keyTypes = []struct {
	name string
	make func() (crypto.Signer, error)
	// inToken is nil for keys that tokens do not sign with for us.
	inToken func(token *signing.Token, id []byte, label string) (crypto.Signer, error)
}{
	{"RSA-2048", newRSA(2048), tokenRSA(2048)},
	{"RSA-3072", newRSA(3072), tokenRSA(3072)},
	{"RSA-4096", newRSA(4096), tokenRSA(4096)},
	{"P-256", newECDSA(elliptic.P256()), tokenECDSA(elliptic.P256())},
	{"P-384", newECDSA(elliptic.P384()), tokenECDSA(elliptic.P384())},
	{"P-521", newECDSA(elliptic.P521()), tokenECDSA(elliptic.P521())},
	{"Ed25519", func() (crypto.Signer, error) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}, nil},
}

func tokenRSA(bits int) func(*signing.Token, []byte, string) (crypto.Signer, error) {
	return func(token *signing.Token, id []byte, label string) (crypto.Signer, error) {
		return token.MakeRSA(id, label, bits)
	}
}

func tokenECDSA(curve elliptic.Curve) func(*signing.Token, []byte, string) (crypto.Signer, error) {
	return func(token *signing.Token, id []byte, label string) (crypto.Signer, error) {
		return token.MakeECDSA(id, label, curve)
	}
}

func newRSA(bits int) func() (crypto.Signer, error) {
	return func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, bits) }
}

func newECDSA(curve elliptic.Curve) func() (crypto.Signer, error) {
	return func() (crypto.Signer, error) { return ecdsa.GenerateKey(curve, rand.Reader) }
}

func keyTypeNames() string {
	var names []string
	for _, t := range keyTypes {
		names = append(names, t.name)
	}
	return strings.Join(names, ", ")
}

// madeKey is what "key new" and "key import" tell.
type madeKey struct {
	KeyFile   string `json:"key_file,omitempty"`
	Token     string `json:"token_label,omitempty"` // with the key, in place of KeyFile
	ChainFile string `json:"chain_file,omitempty"`
	Key       string `json:"key"`
	KeySHA256 string `json:"key_sha256"`
	Encrypted bool   `json:"encrypted"`
}

func (c *cli) tellKey(k madeKey) error {
	return c.print(k, func(w *columns) {
		w.field("private key", k.KeyFile)
		w.field("token", k.Token)
		w.field("credentials", k.ChainFile)
		w.row("key", k.Key)
		w.row("key sha256", k.KeySHA256)
		if k.Token == "" {
			w.row("encrypted", yesNo(k.Encrypted))
		}
	})
}

func (c *cli) keyNew() *cobra.Command {
	var kind, out, passphraseFile string
	var token partners.TokenKeyConfig
	cmd := &cobra.Command{
		Use:   "new --type TYPE --out FILE|--pkcs11-module LIBRARY",
		Short: "Make a private key",
		Long: "Make a private key and write it as PEM (PKCS #8), encrypted with --passphrase-file. TYPE is one of\n" + keyTypeNames() + `.

Ask the partners first what they take: RSA-2048 and RSA-3072 are taken everywhere. The next step is "ecogate key csr".

With --pkcs11-module the key is made in a PKCS #11 token, which it never leaves, and there is no FILE: --token-label and --pin-file say which
token, --key-label and --key-id under which names, which no key there has yet. Tokens make no Ed25519.`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := requireFlags(cmd, "type"); err != nil {
				return err
			}
			for _, t := range keyTypes {
				switch {
				case !strings.EqualFold(t.name, kind):
				case token != (partners.TokenKeyConfig{}):
					return c.makeTokenKey(cmd, t.inToken, token)
				default:
					if err := requireFlags(cmd, "out"); err != nil {
						return err
					}
					return c.makeKey(t.make, out, passphraseFile)
				}
			}
			return &usageError{text: fmt.Sprintf("--type %q is not a kind of key; it is one of %s", kind, keyTypeNames()), command: cmd.CommandPath()}
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&kind, "type", "", "`kind` of key: "+keyTypeNames())
	flags.StringVar(&out, "out", "", "`file` to write, which must not be there yet")
	passphraseFlag(cmd, &passphraseFile, "encrypt the key under the passphrase in this `file`")
	tokenFlags(cmd, &token, "shared `library` of a PKCS #11 token to make the key in, in place of --out")
	return cmd
}

func (c *cli) makeTokenKey(cmd *cobra.Command, make func(*signing.Token, []byte, string) (crypto.Signer, error), token partners.TokenKeyConfig) error {
	for _, name := range []string{"out", "passphrase-file"} {
		if cmd.Flags().Changed(name) {
			return &usageError{text: "--" + name + " excludes a key in a token", command: cmd.CommandPath()}
		}
	}
	if make == nil {
		return &usageError{text: "a token does not make keys of this type", command: cmd.CommandPath()}
	}
	if err := requireFlags(cmd, "key-label", "key-id"); err != nil {
		return err
	}
	opened, err := partners.OpenToken(token)
	if err := keyUsage(cmd, err); err != nil {
		return err
	}
	id, err := hex.DecodeString(token.KeyID)
	if err != nil {
		return &usageError{text: fmt.Sprintf("--key-id %q: %v", token.KeyID, err), command: cmd.CommandPath()}
	}
	signer, err := make(opened, id, token.KeyLabel)
	if err != nil {
		return fmt.Errorf("token %q: %w", token.TokenLabel, err)
	}
	digest, err := publicFingerprint(signer.Public())
	if err != nil {
		return err
	}
	return c.tellKey(madeKey{Token: token.TokenLabel, Key: publicKind(signer.Public()), KeySHA256: digest})
}

func (c *cli) makeKey(make func() (crypto.Signer, error), out, passphraseFile string) error {
	passphrase, err := readPassphrase(passphraseFile)
	if err != nil {
		return err
	}
	signer, err := make()
	if err != nil {
		return fmt.Errorf("making the key: %w", err)
	}
	text, err := signing.WritePrivateKey(signer, passphrase)
	if err != nil {
		return err
	}
	if err := writeNew(newFile{out, text}); err != nil {
		return err
	}
	digest, err := publicFingerprint(signer.Public())
	if err != nil {
		return err
	}
	return c.tellKey(madeKey{KeyFile: out, Key: publicKind(signer.Public()), KeySHA256: digest, Encrypted: len(passphrase) > 0})
}

func passphraseFlag(cmd *cobra.Command, file *string, usage string) {
	cmd.Flags().StringVar(file, "passphrase-file", "", usage)
}

// requireFlags makes a flag that is not given a usage error.
func requireFlags(cmd *cobra.Command, names ...string) error {
	for _, name := range names {
		if f := cmd.Flags().Lookup(name); f == nil || f.Value.String() == "" {
			return &usageError{text: "--" + name + " is missing", command: cmd.CommandPath()}
		}
	}
	return nil
}

// readPassphrase reads the passphrase of a file; no file, no passphrase.
func readPassphrase(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("passphrase: %w", err)
	}
	passphrase, err := signing.Passphrase(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return passphrase, nil
}

// keyError names the file of an error, and says what to do about a passphrase that is missing.
func keyError(file string, err error) error {
	err = fmt.Errorf("%s: %w", file, err)
	if errors.Is(err, signing.ErrPassphrase) {
		return &hinted{err, "--passphrase-file FILE names a file with the passphrase on its only line"}
	}
	return err
}

// maxKeyFile bounds the files that these commands read.
const maxKeyFile = 1 << 20

// readKeyFile reads a file with keys or credentials, or standard input for "-".
func (c *cli) readKeyFile(name string) ([]byte, error) {
	in := c.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxKeyFile {
		return nil, fmt.Errorf("%s: larger than %d bytes", inputName(name), maxKeyFile)
	}
	return data, nil
}

// newFile is a file to be made.
type newFile struct {
	name string
	data []byte
}

// writeNew makes files that were not there, for their owner alone; after an error none of them is there.
func writeNew(files ...newFile) error {
	for i, f := range files {
		if err := writeOne(f); err != nil {
			for _, done := range files[:i] {
				_ = os.Remove(done.name)
			}
			if errors.Is(err, fs.ErrExist) {
				return &hinted{err, "a key is never overwritten; give another name, or move the file away first"}
			}
			return err
		}
	}
	return nil
}

func writeOne(f newFile) error {
	file, err := os.OpenFile(f.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("writing result: %w", err)
	}
	_, err = file.Write(f.data)
	// A key that is lost with the machine's power would be missed when its credential has been issued.
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		_ = os.Remove(f.name)
		return fmt.Errorf("writing result: %w", err)
	}
	return nil
}

func credentialsPEM(list []*x509.Certificate) []byte {
	var out []byte
	for _, x509Cert := range list {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: x509Cert.Raw})...)
	}
	return out
}
