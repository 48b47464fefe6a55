package exchange

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

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

// firstUse is for reception.firstUse.
func (n *Node) firstUse(ctx context.Context, r *reception) func(partners.Use, *x509.Certificate) error {
	if n.activate == nil {
		return nil
	}
	return func(use partners.Use, x509Cert *x509.Certificate) error {
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

// underCounting has verify judge a signature of r under the credentials that count for use at receipt. If it is of none of them, and one
// that waits for its first use verifies it, that one is activated, and what counts then decides. The error is that of verify, or a *storeError.
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
	if err := r.firstUse(use, used.Signer); err != nil {
		return nil, err
	}
	r.registry = n.registry.Snapshot()
	return verify(n.candidates(r, use))
}
