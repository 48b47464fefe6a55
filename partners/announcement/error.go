package announcement

import "errors"

// Errors that callers branch on.
var (
	// ErrDocument: the document is not one of this package, or breaks a rule of it.
	ErrDocument = errors.New("not an announcement of credentials")
	// ErrProof: a signature in an announcement is not that of a key that it announces.
	ErrProof = errors.New("proof of possession does not hold")
	// ErrNothing: there is no credential to announce.
	ErrNothing = errors.New("no own credential waits for its time: nothing to announce")
	// ErrRefused: a file is refused as a whole; what it wraps says why.
	ErrRefused = errors.New("the announcement is refused")
	// ErrParty: another party announces.
	ErrParty = errors.New("the announcing party is another one")
	// ErrOld: a later announcement of the party was taken already.
	ErrOld = errors.New("a later announcement was taken already")
	// ErrAhead: the number is that of an announcement of another day.
	ErrAhead = errors.New("the announcement's number lies ahead of the time")
)
