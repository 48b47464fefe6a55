package exchange

import (
	"cmp"
	"context"
	"crypto/x509"
	"slices"
	"sync"
	"time"

	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/announcement"
	"github.com/ecogate/ecogate/signing"
)

// Trial is how the second signatures of a partner's messages did under a credential of it that does not count yet. Nothing is decided
// by them: they show before the switch that the new key works. They are counted from the start of the process.
type Trial struct {
	Partner string `json:"partner"`
	// SHA256 is the credential's fingerprint.
	SHA256   string `json:"sha256"`
	Verified uint64 `json:"verified"`
	Failed   uint64 `json:"failed"`
	// Last is the instant of the last one, Problem why the last that failed did.
	Last    time.Time `json:"last"`
	Problem string    `json:"problem,omitempty"`
}

// trials are those of received messages, and which of our own successors the partners accept.
type trials struct {
	mu sync.Mutex
	// accepted are the fingerprints of our own credentials that a partner said it would take, by partner; a partner that is not there was
	// not looked up yet.
	accepted map[string]map[string]bool
	counts   map[trialKey]*Trial
}

type trialKey struct{ partner, sha256 string }

// Trials lists them by partner and credential.
func (n *Node) Trials() []Trial {
	n.trials.mu.Lock()
	defer n.trials.mu.Unlock()
	out := []Trial{}
	for _, t := range n.trials.counts {
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b Trial) int {
		return cmp.Or(cmp.Compare(a.Partner, b.Partner), cmp.Compare(a.SHA256, b.SHA256))
	})
	return out
}

// try verifies the second signature of a message that has come, if there is one, with the partner's credentials that do not count yet, and
// counts how that went.
func (n *Node) try(r *reception) {
	if r.verified == nil || !r.verified.Beside {
		return
	}
	defer n.computing()()
	staged := n.registry.Staged(r.agreement.Partner, partners.UseMessageSignature, r.request.Received)
	if len(staged) == 0 {
		return
	}
	candidates := make([]*x509.Certificate, len(staged))
	for i, c := range staged {
		candidates[i] = c.X509Cert
	}
	v, _, err := signing.VerifyMessageBeside(r.pkg.Envelope, r.parts, candidates, r.agreement.SignaturePolicy(r.request.Received))
	if err != nil {
		for _, c := range candidates {
			n.countTrial(r, c, err)
		}
		return
	}
	n.countTrial(r, v.Signer, nil)
}

func (n *Node) countTrial(r *reception, x509Cert *x509.Certificate, problem error) {
	key := trialKey{r.agreement.Partner, signing.Fingerprint(x509Cert)}
	n.trials.mu.Lock()
	defer n.trials.mu.Unlock()
	t := n.trials.counts[key]
	if t == nil {
		t = &Trial{Partner: key.partner, SHA256: key.sha256}
		n.trials.counts[key] = t
	}
	t.Last = r.request.Received.UTC()
	if problem == nil {
		if t.Verified++; t.Verified == 1 {
			n.log.Info("a partner's next credential verifies its messages", "partner", key.partner, "sha256", key.sha256, "message_id", r.record.MessageID)
		}
		return
	}
	t.Failed++
	t.Problem = shortened(problem.Error())
	n.log.Warn("a partner's next credential does not verify its second signature", "partner", key.partner, "sha256", key.sha256,
		"message_id", r.record.MessageID, "error", problem)
}

// tried gives how a credential of a partner did.
func (n *Node) tried(partner, sha256 string) (verified, failed uint64) {
	n.trials.mu.Lock()
	defer n.trials.mu.Unlock()
	if t := n.trials.counts[trialKey{partner, sha256}]; t != nil {
		return t.Verified, t.Failed
	}
	return 0, 0
}

// besideRoom is the room in bytes that the signatures and the packaging of a message take at most, and besideRoomPart what they take more for
// each part.
const (
	besideRoom     = 16 << 10
	besideRoomPart = 1 << 10
)

// signMessage signs a message with key, and beside that with the key that will take its place, if the partner has said that it takes
// that one. That the second signature cannot be made ends no message, nor does it make one too large.
func (n *Node) signMessage(a partners.Agreement, envelope []byte, parts []signing.Part, key signing.Key, now time.Time) ([]byte, []signing.Reference, error) {
	if next, found := n.successorFor(a, now); found && n.hasRoom(a, envelope, parts) {
		signed, references, err := signing.SignMessageBeside(envelope, parts, key, next)
		if err == nil {
			return signed, references, nil
		}
		n.log.Warn("no second signature", "partner", a.Partner, "credential", next.Chain[0].Subject.String(), "error", err)
	}
	return signing.SignMessage(envelope, parts, key)
}

// hasRoom reports whether a message stays below its limit with a second signature.
func (n *Node) hasRoom(a partners.Agreement, envelope []byte, parts []signing.Part) bool {
	size := int64(len(envelope) + besideRoom + besideRoomPart*len(parts))
	for _, part := range parts {
		size += part.Content.Size()
	}
	limit := cmp.Or(a.MaxBytes, n.limits.Body)
	return limit == 0 || size <= limit
}

// successorFor is our own next key for messages, if the partner has said that it takes that one.
func (n *Node) successorFor(a partners.Agreement, now time.Time) (signing.Key, bool) {
	for _, s := range n.registry.Successors(now) {
		if !slices.Contains(s.Uses, partners.UseMessageSignature) || !n.accepts(a.Partner, signing.Fingerprint(s.Key.Chain[0])) {
			continue
		}
		key, err := s.Key.With(a.SignatureAlgorithm)
		return key, err == nil
	}
	return signing.Key{}, false
}

// accepts reports whether the partner's last answer takes that credential of ours for messages.
func (n *Node) accepts(partner, sha256 string) bool {
	n.trials.mu.Lock()
	accepted, known := n.trials.accepted[partner]
	n.trials.mu.Unlock()
	if known {
		return accepted[sha256]
	}
	found, err := n.store.Messages(context.Background(), MessageQuery{Direction: Inbound, Kind: KindAnnouncementAnswer, State: StateAccepted, Partner: partner, Limit: 1})
	if err != nil {
		n.log.Warn("finding the answer to an announcement", "partner", partner, "error", err)
		return false
	}
	var answer announcement.Answer
	if len(found) > 0 && found[0].Business != nil && found[0].Business.AnnouncementAnswer != nil {
		answer = *found[0].Business.AnnouncementAnswer
	}
	n.learn(partner, answer)
	return answer.Accepts(sha256, partners.UseMessageSignature)
}

// learn keeps in memory what a partner's last answer takes.
func (n *Node) learn(partner string, answer announcement.Answer) {
	accepted := map[string]bool{}
	for _, o := range answer.Outcomes {
		if answer.Accepts(o.SHA256, partners.UseMessageSignature) {
			accepted[o.SHA256] = true
		}
	}
	n.trials.mu.Lock()
	defer n.trials.mu.Unlock()
	n.trials.accepted[partner] = accepted
}
