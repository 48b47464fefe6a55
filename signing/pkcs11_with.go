//go:build pkcs11

package signing

import (
	"crypto"
	"crypto/elliptic"
	"errors"
	"io"
	"runtime"
	"slices"

	"github.com/ThalesGroup/crypto11"
	"github.com/miekg/pkcs11"
)

// maxSessions bounds the signatures that one token makes at a time.
const maxSessions = 32

func openToken(module, label string, pin []byte) (*Token, error) {
	context, err := crypto11.Configure(&crypto11.Config{Path: module, TokenLabel: label, Pin: string(pin), MaxSessions: maxSessions})
	if code := pkcs11.Error(0); errors.As(err, &code) && slices.Contains(pinErrors, code) {
		return nil, &Error{Kind: ErrPassphrase, Reason: "the token does not take the PIN", Cause: err}
	}
	if err != nil {
		return nil, &Error{Kind: ErrKey, Reason: "opening the token", Cause: err}
	}
	token := new(Token)
	// Nobody can say when the last message under a key is signed: configurations overlap while they are replaced. What is
	// found holds on to its token, and the token's end is that of its sessions.
	session := &session{context}
	runtime.AddCleanup(session, func(c *crypto11.Context) { _ = c.Close() }, context)
	token.find = func(id, label []byte) ([]crypto.Signer, error) {
		found, err := session.FindKeyPairs(id, label)
		keys := make([]crypto.Signer, len(found))
		for i, key := range found {
			keys[i] = &tokenKey{key, session}
		}
		return keys, err
	}
	token.makeRSA = func(id, label []byte, bits int) error {
		_, err := session.GenerateRSAKeyPairWithLabel(id, label, bits)
		return err
	}
	token.makeECDSA = func(id, label []byte, curve elliptic.Curve) error {
		_, err := session.GenerateECDSAKeyPairWithLabel(id, label, curve)
		return err
	}
	return token, nil
}

// pinErrors are the answers of a token to a PIN that is not its user's.
var pinErrors = []pkcs11.Error{pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE, pkcs11.CKR_PIN_EXPIRED, pkcs11.CKR_PIN_LOCKED}

// session is the login to a token; it is closed when nothing refers to it.
type session struct{ *crypto11.Context }

// tokenKey is a private key that keeps its session open.
type tokenKey struct {
	crypto.Signer
	session *session
}

// Sign implements crypto.Signer.
func (k *tokenKey) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	defer runtime.KeepAlive(k.session)
	return k.Signer.Sign(rand, digest, opts)
}
