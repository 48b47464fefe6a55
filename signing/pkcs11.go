package signing

import (
	"crypto"
	"crypto/elliptic"
)

// Token is a PKCS #11 token (a hardware security module, a smart card, SoftHSM) that is logged in to. Its sessions are given
// back when neither the token nor a key from it is in use any more.
type Token struct {
	find      func(id, label []byte) ([]crypto.Signer, error)
	makeRSA   func(id, label []byte, bits int) error
	makeECDSA func(id, label []byte, curve elliptic.Curve) error
}

// OpenToken loads a PKCS #11 module, the path of a shared library, and logs in to the token with this label as its user. It
// asks the token once, so that a wrong PIN costs one of the few attempts that tokens allow. A program that was built without
// the tag pkcs11, which needs cgo, has no modules and says so. The error is an [*Error] of kind ErrKey, or ErrPassphrase if
// the token does not take the PIN. While this process is logged in already, tokens do not look at the PIN.
func OpenToken(module, label string, pin []byte) (*Token, error) {
	return openToken(module, label, pin)
}

// Key gives the private key with this id (CKA_ID) or label (CKA_LABEL), or both; one of them is empty if it does not matter.
// The token must hold the public key under the same id, and one key only may fit. The key signs inside the token and may be
// used from many goroutines. The kinds of key are RSA and ECDSA as in [NewKey]; the error is an [*Error] of kind ErrKey or
// ErrPolicy.
func (t *Token) Key(id []byte, label string) (crypto.Signer, error) {
	if len(id) == 0 && label == "" {
		return nil, fail(ErrKey, "neither id nor label of the key in the token is given")
	}
	keys, err := t.find(id, []byte(label))
	switch {
	case err != nil:
		return nil, &Error{Kind: ErrKey, Reason: "looking for the key in the token", Cause: err}
	case len(keys) != 1:
		return nil, fail(ErrKey, "%d private keys of the token with their public keys have id %x and label %q, expected one", len(keys), id, label)
	}
	_, err = keyAlgorithm(keys[0].Public())
	return keys[0], err
}

// MakeRSA makes a key pair in the token, which never leaves it, under an id (CKA_ID) and a label (CKA_LABEL), both of which are needed and no
// key of the token has yet. The error is an [*Error] of kind ErrKey or ErrPolicy.
func (t *Token) MakeRSA(id []byte, label string, bits int) (crypto.Signer, error) {
	return t.make(id, label, func() error { return t.makeRSA(id, []byte(label), bits) })
}

// MakeECDSA is MakeRSA for a key on a curve that [NewKey] takes.
func (t *Token) MakeECDSA(id []byte, label string, curve elliptic.Curve) (crypto.Signer, error) {
	return t.make(id, label, func() error { return t.makeECDSA(id, []byte(label), curve) })
}

func (t *Token) make(id []byte, label string, make func() error) (crypto.Signer, error) {
	if len(id) == 0 || label == "" {
		return nil, fail(ErrKey, "a key that is made in a token needs an id and a label")
	}
	for _, taken := range []struct{ id, label []byte }{{id, nil}, {nil, []byte(label)}} {
		found, err := t.find(taken.id, taken.label)
		if err != nil {
			return nil, &Error{Kind: ErrKey, Reason: "looking for keys in the token", Cause: err}
		}
		if len(found) > 0 {
			return nil, fail(ErrKey, "the token has a key with id %x or label %q already", id, label)
		}
	}
	if err := make(); err != nil {
		return nil, &Error{Kind: ErrKey, Reason: "making a key in the token", Cause: err}
	}
	return t.Key(id, label)
}
