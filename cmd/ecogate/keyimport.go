package main

import (
	"bytes"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

const importHelp = `Bring a private key and its credentials into the form that a configuration names: NAME.key (PKCS #8 in PEM) and NAME.pem (the
key's credential first, then the others). FILE is PKCS #12 (.p12, .pfx), or a private key in PEM together with --chain. Both
are checked first: that the key may be used, and that one of the credentials belongs to it.

A key in a PKCS #11 token stays there and has no FILE: --pkcs11-module, --token-label, --pin-file and one of --key-label and
--key-id say where it lies, --chain is what the CA has sent, and only NAME.pem is written.`

func (c *cli) keyImport() *cobra.Command {
	var chain, out, passphraseFile, newPassphraseFile string
	var token partners.TokenKeyConfig
	cmd := &cobra.Command{
		Use:   "import FILE|--pkcs11-module LIBRARY [--chain FILE] --out NAME",
		Short: "Bring PKCS #12, or a key and its credentials, into files of ours",
		Long:  importHelp,
		Args:  fileOrToken(&token),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := requireFlags(cmd, "out"); err != nil {
				return err
			}
			if len(args) == 0 {
				return c.importChain(cmd, token, chain, out)
			}
			key, err := c.readPair(args[0], chain, passphraseFile)
			if err != nil {
				return err
			}
			return c.writePair(key, out, newPassphraseFile)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&chain, "chain", "", "`file` with the credentials of a key in PEM or in a token: PEM, DER or PKCS #7")
	tokenFlags(cmd, &token, "shared `library` of a PKCS #11 token with the private key, in place of FILE")
	flags.StringVar(&out, "out", "", "`name` of the files to write, without .key and .pem; neither may be there yet")
	flags.StringVar(&newPassphraseFile, "new-passphrase-file", "", "encrypt NAME.key under the passphrase in this `file`")
	passphraseFlag(cmd, &passphraseFile, "`file` with the passphrase of FILE")
	return cmd
}

// readPair reads PKCS #12, or a private key in PEM with its chain.
func (c *cli) readPair(name, chainName, passphraseFile string) (signing.Key, error) {
	passphrase, err := readPassphrase(passphraseFile)
	if err != nil {
		return signing.Key{}, err
	}
	data, err := c.readKeyFile(name)
	if err != nil {
		return signing.Key{}, err
	}
	if !bytes.Contains(data, []byte("-----BEGIN")) {
		if chainName != "" {
			return signing.Key{}, &usageError{text: "--chain goes with a private key in PEM; PKCS #12 holds the credentials itself"}
		}
		key, err := signing.ReadPKCS12(data, passphrase)
		if err != nil {
			return key, keyError(inputName(name), err)
		}
		return key, nil
	}
	private, err := signing.ReadPrivateKey(data, passphrase)
	if err != nil {
		return signing.Key{}, keyError(inputName(name), err)
	}
	if chainName == "" {
		chainName = name // both may stand in one file
	} else if data, err = c.readKeyFile(chainName); err != nil {
		return signing.Key{}, err
	}
	credentials, err := signing.ReadCredentials(data)
	if err != nil {
		return signing.Key{}, &hinted{keyError(inputName(chainName), err), "--chain FILE names the file with the credentials"}
	}
	key, err := signing.NewKey(private, credentials)
	if err != nil {
		return key, keyError(inputName(name)+" with "+inputName(chainName), err)
	}
	return key, nil
}

func (c *cli) writePair(key signing.Key, out, passphraseFile string) error {
	passphrase, err := readPassphrase(passphraseFile)
	if err != nil {
		return err
	}
	text, err := signing.WritePrivateKey(key.Signer, passphrase)
	if err != nil {
		return err
	}
	digest, err := publicFingerprint(key.Signer.Public())
	if err != nil {
		return err
	}
	made := madeKey{
		KeyFile: out + ".key", ChainFile: out + ".pem",
		Key: publicKind(key.Signer.Public()), KeySHA256: digest, Encrypted: len(passphrase) > 0,
	}
	if err := writeNew(newFile{made.KeyFile, text}, newFile{made.ChainFile, credentialsPEM(key.Chain)}); err != nil {
		return err
	}
	return c.tellKey(made)
}

// importChain writes the credentials of a key that lies in a token.
func (c *cli) importChain(cmd *cobra.Command, token partners.TokenKeyConfig, chain, out string) error {
	if err := requireFlags(cmd, "chain"); err != nil {
		return err
	}
	key, err := partners.ReadKey(partners.KeyConfig{ChainFile: chain, PKCS11: token})
	if err := keyUsage(cmd, err); err != nil {
		return err
	}
	digest, err := publicFingerprint(key.Signer.Public())
	if err != nil {
		return err
	}
	made := madeKey{ChainFile: out + ".pem", Key: publicKind(key.Signer.Public()), KeySHA256: digest, Token: token.TokenLabel}
	if err := writeNew(newFile{made.ChainFile, credentialsPEM(key.Chain)}); err != nil {
		return err
	}
	return c.tellKey(made)
}
