package signing

import (
	"errors"
	"fmt"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

// The kinds of failure. A caller branches with errors.Is; every error of signing and verifying is an [*Error] of one of them.
var (
	// ErrUnsigned: there is no signature, or it does not cover the envelope or one of the parts.
	ErrUnsigned = errors.New("not signed")
	// ErrUnknownSigner: none of the candidates is the credential that the signature names, or none has a key that fits.
	ErrUnknownSigner = errors.New("unknown signer")
	// ErrDigest: the signature is the signer's, but the envelope, the document or a part is not what was signed.
	ErrDigest = errors.New("digest differs")
	// ErrSignature: no admitted candidate's key made this signature value.
	ErrSignature = errors.New("signature value does not verify")
	// ErrPolicy: an algorithm, transform, kind of reference or key that is not allowed, whatever it would verify to.
	ErrPolicy = errors.New("not allowed by policy")
	// ErrMalformed: not XML that we accept, or not of the shape that a message, document, signature, credential or key has.
	ErrMalformed = errors.New("malformed")
	// ErrTimeStamp: a time-stamp is not over this signature, not by one of the authorities that count, or not at a time when
	// its authority's credential was valid.
	ErrTimeStamp = errors.New("time-stamp does not verify")
	// ErrAuthority: the time-stamp authority did not answer, or granted no time-stamp. Later it may.
	ErrAuthority = errors.New("no time-stamp from the authority")
	// ErrKey: a private key and its credential do not belong together, or the key did not sign.
	ErrKey = errors.New("unusable key")
	// ErrPassphrase: a key file is encrypted and the passphrase (or a token's PIN) is missing or wrong, or one is given for
	// nothing.
	ErrPassphrase = errors.New("passphrase")
)

// Error is a failure to sign or verify. Its text is for the operator; a partner is told a fixed sentence.
type Error struct {
	// Kind is one of the errors above.
	Kind error
	// Reason says what was wrong.
	Reason string
	// Rule names the rule that a document breaks before it can be looked at, such as "XML 1.0 §3.1" or "limit"; "" for
	// the other failures.
	Rule string
	// Line and Column say where in the envelope or document, from 1; 0 if the failure has no place.
	Line, Column int
	// Cause is the error underneath, if there was one.
	Cause error
}

func (e *Error) Error() string {
	text := e.Kind.Error()
	if e.Line > 0 {
		text += fmt.Sprintf(" at line %d:%d", e.Line, e.Column)
	}
	text += ": " + e.Reason
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap gives the kind and the cause, for errors.Is and errors.As.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// fail makes an error without a place.
func fail(kind error, format string, args ...any) error {
	return &Error{Kind: kind, Reason: fmt.Sprintf(format, args...)}
}

// failAt makes an error about an element.
func failAt(e c14n.Element, kind error, format string, args ...any) error {
	line, column := e.Position()
	return &Error{Kind: kind, Reason: fmt.Sprintf(format, args...), Line: line, Column: column}
}
