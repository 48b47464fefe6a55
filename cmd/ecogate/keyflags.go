package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// keyFlags say where a private key lies that an offline command signs with. It is read as a node reads its own.
type keyFlags struct {
	file, chain, passphraseFile string
	token                       partners.TokenKeyConfig
	algorithm                   string
}

func (k *keyFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	// The API key has a flag of this name too, which means nothing here.
	flags.StringVar(&k.file, "key", "", "`file` with the private key: PEM, or PKCS #12 with its credentials")
	flags.StringVar(&k.chain, "chain", "", "`file` with the key's X.509 certificate, and others; not with PKCS #12")
	passphraseFlag(cmd, &k.passphraseFile, "`file` with the passphrase of the key")
	tokenFlags(cmd, &k.token, "shared `library` of a PKCS #11 token with the private key, in place of --key")
	flags.StringVar(&k.algorithm, "algorithm", "", "signature `algorithm`, such as sha256-rsa-MGF1 (RSA-PSS); by default the key's usual one")
}

// tokenFlags are those of a key in a PKCS #11 token; library says what the one of its library is for.
func tokenFlags(cmd *cobra.Command, token *partners.TokenKeyConfig, library string) {
	flags := cmd.Flags()
	flags.StringVar(&token.Module, "pkcs11-module", "", library)
	flags.StringVar(&token.TokenLabel, "token-label", "", "`label` of the token")
	flags.StringVar(&token.PINFile, "pin-file", "", "`file` with the PIN of the token's user on its only line")
	flags.StringVar(&token.KeyLabel, "key-label", "", "`label` (CKA_LABEL) of the private key in the token")
	flags.StringVar(&token.KeyID, "key-id", "", "`id` (CKA_ID, hexadecimal) of the private key in the token")
}

// fileOrToken takes FILE, or no argument for a key in a token.
func fileOrToken(token *partners.TokenKeyConfig) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if *token == (partners.TokenKeyConfig{}) {
			return arguments("FILE")(cmd, args)
		}
		return arguments()(cmd, args)
	}
}

// config is where the key lies, as the configuration of a node says it. Whether a file is PKCS #12 is seen in it.
func (k *keyFlags) config() (partners.KeyConfig, error) {
	config := partners.KeyConfig{ChainFile: k.chain, PassphraseFile: k.passphraseFile, PKCS11: k.token}
	if k.file == "" {
		return config, nil
	}
	text, err := os.ReadFile(k.file)
	if err != nil {
		return config, err
	}
	if bytes.Contains(text, []byte("-----BEGIN")) {
		config.KeyFile = k.file
	} else {
		config.PKCS12File = k.file
	}
	return config, nil
}

// flagNames are the flags that stand for the keys of a KeyConfig.
var flagNames = map[string]string{
	"key.key_file": "--key", "key.pkcs12_file": "--key", "key.chain_file": "--chain", "key.passphrase_file": "--passphrase-file",
	"key.pkcs11": "--pkcs11-module", "key.pkcs11.module": "--pkcs11-module", "key.pkcs11.token_label": "--token-label",
	"key.pkcs11.pin_file": "--pin-file", "key.pkcs11.key_label": "--key-label", "key.pkcs11.key_id": "--key-id",
}

func (k *keyFlags) read(cmd *cobra.Command) (signing.Key, error) {
	if k.file == "" && k.token == (partners.TokenKeyConfig{}) {
		return signing.Key{}, &usageError{text: "--key is missing", command: cmd.CommandPath()}
	}
	config, err := k.config()
	if err != nil {
		return signing.Key{}, &unreadable{fmt.Errorf("key: %w", err)}
	}
	if config.KeyFile != "" && k.chain == "" {
		return signing.Key{}, &usageError{text: "--chain is missing", command: cmd.CommandPath()}
	}
	key, err := partners.ReadKey(config)
	if err := keyUsage(cmd, err); err != nil {
		if errors.As(err, new(*usageError)) {
			return key, err
		}
		return key, &unreadable{err}
	}
	if key, err = key.With(k.algorithm); err != nil {
		return key, &usageError{text: fmt.Sprintf("--algorithm: %v", err), command: cmd.CommandPath()}
	}
	return key, nil
}

// keyUsage tells what is wrong with the flags that name a key, or with the key.
func keyUsage(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	if wrong := (*partners.ConfigError)(nil); errors.As(err, &wrong) {
		p := wrong.Problems[0]
		return &usageError{text: flagNames[p.Key] + " " + p.Text, command: cmd.CommandPath()}
	}
	if errors.Is(err, signing.ErrPassphrase) {
		err = &hinted{err, "--passphrase-file FILE, or --pin-file for a token, names a file with the secret on its only line"}
	}
	return fmt.Errorf("key: %w", err)
}
