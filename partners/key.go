package partners

import (
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/ecogate/ecogate/signing"
)

// place is where something was read: the key of the configuration, below the entry, and the file.
type place struct{ key, file string }

// ReadKey reads a private key with its credentials, from wherever it lies, as a node reads one of its own. A token that it opens
// stays open as long as the process. The error is a *ConfigError about k itself, below the key "key", or that of opening or
// reading the key, which wraps an [*signing.Error].
func ReadKey(k KeyConfig) (signing.Key, error) {
	l := &loader{tokens: map[tokenName]*signing.Token{}}
	if l.key("key", k); len(l.problems) > 0 {
		return signing.Key{}, &ConfigError{Problems: l.problems}
	}
	return l.openKey(k)
}

// OpenToken opens the token that k names. It stays open and errors are as for ReadKey.
func OpenToken(k TokenKeyConfig) (*signing.Token, error) {
	check := new(checker)
	if check.tokenKey("key.pkcs11", k); len(check.problems) > 0 {
		return nil, &ConfigError{Problems: check.problems}
	}
	l := &loader{tokens: map[tokenName]*signing.Token{}}
	return l.openToken(tokenName{k.Module, k.TokenLabel, k.PINFile})
}

// ReadTokenKey finds a private key in a token, before there is a credential for it. The token stays open and errors are as for ReadKey.
func ReadTokenKey(k TokenKeyConfig) (crypto.Signer, error) {
	token, err := OpenToken(k)
	if err != nil {
		return nil, err
	}
	return k.in(token)
}

// openKey reads a private key with its credentials. An error about another key of the entry than the one that names the private
// key is a *placed.
func (l *loader) openKey(k KeyConfig) (signing.Key, error) {
	switch {
	case k.PKCS12File != "":
		return readPKCS12(k)
	case k.PKCS11 != TokenKeyConfig{}:
		return l.readToken(k)
	}
	return readKeyFile(k)
}

// readKey reads a private key with its credentials, from wherever it lies, and says where the credentials stand. What is wrong
// is added to the problems.
func (l *loader) readKey(at string, k KeyConfig) (signing.Key, place, bool) {
	source, where := place{"chain_file", k.ChainFile}, ".key_file"
	switch {
	case k.PKCS12File != "":
		source, where = place{"pkcs12_file", k.PKCS12File}, ".pkcs12_file"
	case k.PKCS11 != TokenKeyConfig{}:
		where = ".pkcs11"
	}
	key, err := l.openKey(k)
	if wrong := (*placed)(nil); errors.As(err, &wrong) {
		where, err = "."+wrong.key, wrong.error
	}
	if err != nil {
		l.add(at+where, "%v", err)
	}
	return key, source, err == nil
}

// placed is an error about another key of the entry than the one that names the private key.
type placed struct {
	key string
	error
}

func (p *placed) Unwrap() error { return p.error }

func readKeyFile(k KeyConfig) (signing.Key, error) {
	text, err := readFile(k.KeyFile)
	if err != nil {
		return signing.Key{}, err
	}
	passphrase, err := readSecret("passphrase_file", k.PassphraseFile)
	if err != nil {
		return signing.Key{}, err
	}
	chain, err := readFile(k.ChainFile)
	if err != nil {
		return signing.Key{}, &placed{"chain_file", err}
	}
	private, err := signing.ReadPrivateKey(text, passphrase)
	if err != nil {
		return signing.Key{}, fmt.Errorf("%s: %w", k.KeyFile, err)
	}
	credentials, err := signing.ReadCredentials(chain)
	if err != nil {
		return signing.Key{}, &placed{"chain_file", fmt.Errorf("%s: %w", k.ChainFile, err)}
	}
	key, err := signing.NewKey(private, credentials)
	if err != nil {
		return key, fmt.Errorf("%s with chain %s: %w", k.KeyFile, k.ChainFile, err)
	}
	return key, nil
}

func readPKCS12(k KeyConfig) (signing.Key, error) {
	data, err := readFile(k.PKCS12File)
	if err != nil {
		return signing.Key{}, err
	}
	passphrase, err := readSecret("passphrase_file", k.PassphraseFile)
	if err != nil {
		return signing.Key{}, err
	}
	key, err := signing.ReadPKCS12(data, passphrase)
	if err != nil {
		return key, fmt.Errorf("%s: %w", k.PKCS12File, err)
	}
	return key, nil
}

// tokenName tells tokens apart.
type tokenName struct{ module, label, pinFile string }

func (l *loader) readToken(k KeyConfig) (signing.Key, error) {
	chain, err := readFile(k.ChainFile)
	if err != nil {
		return signing.Key{}, &placed{"chain_file", err}
	}
	credentials, err := signing.ReadCredentials(chain)
	if err != nil {
		return signing.Key{}, &placed{"chain_file", fmt.Errorf("%s: %w", k.ChainFile, err)}
	}
	private, err := l.tokenSigner(k.PKCS11)
	if err != nil {
		return signing.Key{}, err
	}
	key, err := signing.NewKey(private, credentials)
	if err != nil {
		return key, fmt.Errorf("token %q with chain %s: %w", k.PKCS11.TokenLabel, k.ChainFile, err)
	}
	return key, nil
}

func (l *loader) tokenSigner(k TokenKeyConfig) (crypto.Signer, error) {
	token, err := l.openToken(tokenName{k.Module, k.TokenLabel, k.PINFile})
	if err != nil {
		return nil, err
	}
	return k.in(token)
}

// in finds the key in its token.
func (k TokenKeyConfig) in(token *signing.Token) (crypto.Signer, error) {
	id, err := hex.DecodeString(k.KeyID)
	if err != nil {
		return nil, &placed{"pkcs11.key_id", err}
	}
	private, err := token.Key(id, k.KeyLabel)
	if err != nil {
		return nil, fmt.Errorf("token %q: %w", k.TokenLabel, err)
	}
	return private, nil
}

// openToken opens a token once, however many keys lie in it: a token locks itself after a few wrong PINs.
func (l *loader) openToken(name tokenName) (*signing.Token, error) {
	token, asked := l.tokens[name]
	switch {
	case token != nil:
		return token, nil
	case asked:
		return nil, fmt.Errorf("token %q: it did not open for another key; it is not asked again", name.label)
	}
	l.tokens[name] = nil
	pin, err := readSecret("pkcs11.pin_file", name.pinFile)
	if err != nil {
		return nil, err
	}
	if token, err = signing.OpenToken(name.module, name.label, pin); err != nil {
		return nil, fmt.Errorf("token %q of %s: %w", name.label, name.module, err)
	}
	l.tokens[name] = token
	return token, nil
}

// readSecret reads a file with a passphrase or PIN, all but the end of its only line; no file, no secret.
func readSecret(key, file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	text, err := readFile(file)
	if err != nil {
		return nil, &placed{key, err}
	}
	secret, err := signing.Passphrase(text)
	if err != nil {
		return nil, &placed{key, fmt.Errorf("%s: %w", file, err)}
	}
	return secret, nil
}
