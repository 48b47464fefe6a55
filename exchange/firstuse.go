package exchange

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// FirstUse tells that a partner has begun to use a credential that waits for that (partners.ActivateAtFirstUse): a message came that it
// verifies, or whose document it verifies, and that no credential verifies which counts.
type FirstUse struct {
	Partner string
	// Use is UseMessageSignature or UseDocumentSignature.
	Use      partners.Use
	X509Cert *x509.Certificate
	// At is when the message was received, MessageID what it says of itself.
	At        time.Time
	MessageID string
}

// errNotFirst: the message may be an old one that somebody sends again, so that it does not show what the partner uses now.
var errNotFirst = errors.New("message is not current")

// firstUse is for reception.firstUse.
func (n *Node) firstUse(ctx context.Context, r *reception) func(partners.Use, *signing.Verified) error {
	if n.activate == nil {
		return nil
	}
	return func(use partners.Use, used *signing.Verified) error {
		x509Cert := used.Signer
		if use == partners.UseMessageSignature && r.verified == nil { // it is the message's own signature
			if err := n.checkCurrent(ctx, r, used.Octets); err != nil {
				return err
			}
		}
		f := FirstUse{Partner: r.agreement.Partner, Use: use, X509Cert: x509Cert, At: r.request.Received.UTC(), MessageID: r.record.MessageID}
		if err := n.activate(ctx, f); err != nil {
			return &storeError{fmt.Errorf("activating credential %s at its first use: %w", signing.Fingerprint(x509Cert), err)}
		}
		n.step("activated", r.record, "", string(use)+" "+signing.Fingerprint(x509Cert))
		n.log.Warn("a partner's credential was used for the first time and is active now; the one before it retires", "partner", f.Partner, "use", f.Use,
			"subject", x509Cert.Subject.String(), "sha256", signing.Fingerprint(x509Cert), "message_id", f.MessageID)
		return nil
	}
}

// checkCurrent asks that a message whose signature covers these octets may be taken for new: it is under an agreement in force, its time to live
// is not over, and it was not taken before. The error is errNotFirst, or a *storeError.
func (n *Node) checkCurrent(ctx context.Context, r *reception, covered []byte) error {
	header, err := ebms.Parse(covered)
	switch {
	case err != nil, header.MessageID != r.header.MessageID, header.CPAID != r.header.CPAID, r.ended != nil:
		return errNotFirst
	case !header.TimeToLive.IsZero() && !r.request.Received.Before(header.TimeToLive):
		return errNotFirst
	}
	for _, state := range []State{StateAccepted, StateReceived} {
		copies, err := n.store.Messages(ctx, MessageQuery{MessageID: header.MessageID, Direction: Inbound, State: state, Partner: r.agreement.Partner, Limit: 1})
		if err != nil {
			return &storeError{fmt.Errorf("looking for an earlier copy of message %q: %w", header.MessageID, err)}
		}
		if len(copies) > 0 {
			return errNotFirst
		}
	}
	return nil
}

// underCounting has verify judge a signature of r under the credentials that count for use at receipt. If it is of none of them, and one
// that waits for its first use verifies it, that one is activated if the message is current, and what counts then decides. The error is that of verify, or a *storeError.
func (n *Node) underCounting(r *reception, use partners.Use, verify func([]*x509.Certificate) (*signing.Verified, error)) (*signing.Verified, error) {
	verified, err := verify(n.candidates(r, use))
	if refused := (*signing.Error)(nil); r.firstUse == nil || !errors.As(err, &refused) {
		return verified, err
	}
	waiting := x509Certs(r.registry.Awaiting(r.agreement.Partner, use, r.request.Received))
	if len(waiting) == 0 {
		return verified, err
	}
	used, waitingErr := verify(waiting)
	if waitingErr != nil {
		return verified, err
	}
	switch failure := r.firstUse(use, used); {
	case errors.Is(failure, errNotFirst):
		return verified, err
	case failure != nil:
		return nil, failure
	}
	r.registry = n.registry.Snapshot()
	return verify(n.candidates(r, use))
}
