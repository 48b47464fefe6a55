package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"syscall"

	"github.com/ecogate/ecogate/api"
)

// The exit codes; exitHelp tells users about them. "msg verify", "msg inspect" and the verbs under "xml" and "cms" have three: exitOK,
// exitNotValid and exitUnreadable.
const (
	exitOK       = 0
	exitFailure  = 1
	exitUsage    = 2
	exitNotFound = 3
	exitRefused  = 4

	exitNotValid   = 1
	exitUnreadable = 2
)

// usageError is a command line that makes no sense.
type usageError struct {
	text    string
	command string // whose help to read; empty when hint says what to do
	hint    string
}

func (e *usageError) Error() string { return e.text }

// hinted is an error together with what to do about it.
type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }

// refused marks an input that was refused before any node saw it.
type refused struct{ error }

func (e *refused) Unwrap() error { return e.error }

// notFound is something that is not there, in files or in the program itself.
type notFound struct{ error }

func (e *notFound) Unwrap() error { return e.error }

// unreadable marks whatever keeps an offline command from its answer.
type unreadable struct{ error }

func (e *unreadable) Unwrap() error { return e.error }

// coded is an error with an exit code of its own.
type coded struct {
	error
	code int
}

func (e *coded) Unwrap() error { return e.error }

func exitCode(err error) int {
	var own *coded
	var usage *usageError
	var no *refused
	var unread *unreadable
	var absent *notFound
	var p *api.Problem
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &own):
		return own.code
	case errors.Is(err, errNotValid):
		return exitNotValid
	case errors.As(err, &unread):
		return exitUnreadable
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &no):
		return exitRefused
	case errors.As(err, &absent):
		return exitNotFound
	case errors.As(err, &p):
		return problemExitCode(p)
	}
	return exitFailure
}

func problemExitCode(p *api.Problem) int {
	switch {
	case p.Code == api.CodeParameter:
		return exitUsage
	case p.Code == api.CodeNoPath:
		return exitFailure
	case p.Status == http.StatusNotFound || p.Status == http.StatusGone:
		return exitNotFound
	case p.Status >= http.StatusBadRequest && p.Status < http.StatusInternalServerError:
		return exitRefused
	}
	return exitFailure
}

// hint says what to do about an error, or nothing.
func hint(err error) string {
	var usage *usageError
	var h *hinted
	var p *api.Problem
	var network *url.Error
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &h):
		return h.hint
	case errors.As(err, &usage):
		if usage.hint == "" && usage.command != "" {
			return fmt.Sprintf("see %q", usage.command+" --help")
		}
		return usage.hint
	case errors.As(err, &p):
		return problemHint(p)
	case errors.Is(err, syscall.EADDRINUSE):
		return "another process listens there; stop it or give another address under listeners in the configuration"
	case errors.As(err, &untrusted):
		return "the API's server is not trusted: --api-ca or " + envAPICA + " gives the CA that issued its credential; a credential for another host or time stays refused"
	case errors.As(err, &network):
		return "is the node running, and is its API at this address? --api or " + envAPI + " says where"
	}
	return ""
}

func problemHint(p *api.Problem) string {
	switch p.Code {
	case api.CodeUnauthenticated:
		return "the key must be one of api_keys in the node's configuration; --key-file, --key, " + envKeyFile + " or " + envKey + " gives it"
	case api.CodeNoPath:
		return "--api or " + envAPI + " is the node's base URL, without a path; or the node is of another version"
	case api.CodeForbidden:
		return "use a key whose role allows this: issuers submit, brokers, importers, officers and the customs system look up, importers and officers give mandates, brokers, officers and the customs system lodge declarations, officers and operators read messages, partners and credentials, officers decide and release, operators change partners, agreements, credentials and keys"
	case api.CodeNotAuthorised:
		return "node.issuers in the node's configuration says which body issues which forms, and when"
	case api.CodeUnknownPartner:
		return "\"ecogate partner list\" lists the partners"
	case api.CodeNoAgreement, api.CodeNotInForce:
		return "agreements in the node's configuration say which forms travel to which partner, and when"
	case api.CodeConflict:
		return `the reference is taken, with other content or other attachments: "ecogate co show REFERENCE" shows by what; a correction needs a reference of its own`
	case api.CodeFaultyFile:
		return "mend these places and submit the file again"
	case api.CodeInvalid, api.CodeMalformed:
		return "mend it and submit it again; nothing was recorded"
	case api.CodeStale:
		return "look at what it is now (\"show\", \"versions\", \"diff\"), and make the change again of that"
	case api.CodeSameOperator:
		return "give the key of another operator with --key-file"
	case api.CodeInvalidEntry:
		return "mend these places; nothing was changed"
	case api.CodeInvalidCredential:
		return "ask the partner for another file; a new CA of theirs goes into \"anchors\" or \"intermediates\" of the partner first (\"ecogate partner edit\")"
	case api.CodeNotNow:
		return "\"ecogate cert list --node\" and \"ecogate key list\" tell the state of each"
	case api.CodeUnknownCredential:
		return "\"ecogate cert list --node\" lists the credentials of partners, \"ecogate key list\" the node's own"
	case api.CodeNotAgreed:
		return "\"actions\" of the agreement say what travels (\"ecogate agreement edit\"), on both sides; an announcement of credentials may go as a file (\"ecogate key announce --file\")"
	case api.CodeUnknownEntry:
		return "\"ecogate partner list\" and \"ecogate agreement list\" tell which there are, \"versions\" what was removed"
	case api.CodeUnknownCPA:
		return "--agreement takes a cpa_id of agreements in the node's configuration, of this partner"
	case api.CodeOverAgreement:
		return "send fewer or smaller attachments, or agree on more: max_bytes and max_parts under agreements in the node's configuration"
	case api.CodeNoAnswer:
		return "the partner, the way to it, or the agreement's endpoint; \"ecogate partner list\" says how deliveries to it stand"
	case api.CodeMailNotSent:
		return "notices.mail in the node's configuration says which server takes the mails, and who the node is there"
	case api.CodeNotConfirmed:
		return "the code is in the mail; a webhook has to answer its challenge, as docs/notices.md says"
	case api.CodeNoTimeStamp:
		return "nothing was queued; repeat when the authority under timestamp of node.issuers answers, which the node's log tells of"
	case api.CodeFull:
		return "nothing was recorded; make room on the node's disk or raise store.max_bytes, then repeat"
	}
	if p.Status >= http.StatusInternalServerError && p.CorrelationID != "" {
		return "the node's log tells more under correlation_id " + p.CorrelationID
	}
	return ""
}
