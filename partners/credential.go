package partners

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners/revocation"
)

// window is the span of time [from, until).
type window struct{ from, until time.Time }

func (w window) contains(at time.Time) bool { return !at.Before(w.from) && at.Before(w.until) }

// inForce is the rule for windows that an operator writes: [from, until), a zero bound does not restrict.
func inForce(from, until, at time.Time) bool {
	return (from.IsZero() || !at.Before(from)) && (until.IsZero() || at.Before(until))
}

// trusted is a credential with what decides whether it counts.
type trusted struct {
	Credential
	// chains are the spans in which the credential chains to the partner's anchors, in order of time. They are worked out
	// when the configuration is loaded, so that the resolver depends on nothing but (data, at).
	chains []span
	// policy is what its revocation is judged by.
	policy revocation.Policy
	// retiring: it was told to retire, and not because another took its place.
	retiring bool
	// entry is the index, in Partner.Issuers or Self.Issuers, of the issuing body; -1 for other uses.
	entry int
	// offices and forms are those that it may sign for; empty for all.
	offices []string
	forms   []eco.FormCode
}

func (t *trusted) counts(at time.Time) bool { return t.Activate == "" && t.mayCount(at) }

// mayCount is counts for a credential that is staged, once it is activated.
func (t *trusted) mayCount(at time.Time) bool {
	if !(window{t.From, t.Until}).contains(at) || t.isDistrusted(at) {
		return false
	}
	return slices.ContainsFunc(t.chains, func(s span) bool { return s.contains(at) })
}

func (t *trusted) isDistrusted(at time.Time) bool {
	return !t.Distrusted.IsZero() && !at.Before(t.Distrusted)
}

// counting is the resolver: the one answer to "which credentials count for this partner, use and instant", the one whose
// window began last first. Partner "" is this node. Of revocations it knows what is in the book at this moment.
func (d *data) counting(partner string, use Use, at time.Time) []*trusted {
	return d.unrevoked(partner, at, func(t *trusted) bool { return t.Use == use && t.counts(at) })
}

// awaiting is the resolver for what waits for its first use: the credentials that would count if they were activated.
func (d *data) awaiting(partner string, use Use, at time.Time) []*trusted {
	return d.unrevoked(partner, at, func(t *trusted) bool { return t.Use == use && t.Activate == ActivateAtFirstUse && t.mayCount(at) })
}

// unrevoked are those of a party's credentials that are wanted and that nothing known of revocations at this moment stands against.
func (d *data) unrevoked(partner string, at time.Time, wanted func(*trusted) bool) []*trusted {
	var out []*trusted
	known := d.book.Known()
	for _, t := range d.credentials[partner] {
		if !wanted(t) {
			continue
		}
		verdict := t.judge(known, at)
		if verdict.Refused != "" {
			continue
		}
		if verdict.Revoked != nil {
			marked := *t
			marked.Revoked = verdict.Revoked
			t = &marked
		}
		out = append(out, t)
	}
	return out
}

// bound gives the span in which x509Cert may count: its validity, narrowed by what is configured. NotAfter is taken as
// the first instant at which the credential does not count any more, one second stricter than RFC 5280 §4.1.2.5, so that
// windows join without overlap.
func bound(x509Cert *x509.Certificate, l life) (window, error) {
	w := window{latest(x509Cert.NotBefore, l.from).UTC(), earliest(earliest(x509Cert.NotAfter, l.until), l.retireAt).UTC()}
	if !w.from.Before(w.until) {
		return w, fmt.Errorf("never counts: it is valid from %s until %s, which has nothing in common with the configured window",
			instant(x509Cert.NotBefore), instant(x509Cert.NotAfter))
	}
	return w, nil
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// chainSpans gives the spans in which leaf chains to roots, and an error if there is none. The system's roots play no
// part, and any extended key usage is accepted: which use a credential has is configured, not guessed.
//
// Whether a chain holds changes only where some credential's validity begins or ends, so it is asked once for each
// stretch between two such instants.
func chainSpans(leaf *x509.Certificate, roots, intermediates []*x509.Certificate, policies []x509.OID) ([]span, error) {
	options := x509.VerifyOptions{
		Roots: pool(roots), Intermediates: pool(intermediates), CertificatePolicies: policies,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	var out []span
	var reason error
	bounds := boundaries(append(append([]*x509.Certificate{leaf}, roots...), intermediates...))
	for i := 1; i < len(bounds); i++ {
		w := window{bounds[i-1], bounds[i]}
		// The instant just after the beginning, because crypto/x509 takes NotAfter itself as still valid.
		options.CurrentTime = w.from.Add(time.Nanosecond)
		chains, err := leaf.Verify(options)
		if err != nil {
			if reason == nil || isExpired(reason) {
				reason = err
			}
			continue
		}
		s := span{window: w}
		for _, chain := range chains {
			steps, err := links(chain)
			if err != nil {
				return nil, err
			}
			s.chains = append(s.chains, steps)
		}
		out = append(out, s)
	}
	if out == nil && isExpired(reason) { // the error's "current time" is that of a stretch, which tells nobody anything
		return nil, fmt.Errorf("does not chain to the partner's anchors at any time from %s to %s, for which it is valid: no CA above it is valid then", instant(leaf.NotBefore), instant(leaf.NotAfter))
	}
	if out == nil {
		return nil, fmt.Errorf("does not chain to the partner's anchors: %w", reason)
	}
	return out, nil
}

func pool(list []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, x509Cert := range list {
		p.AddCert(x509Cert)
	}
	return p
}

func boundaries(list []*x509.Certificate) []time.Time {
	var out []time.Time
	for _, x509Cert := range list {
		out = append(out, x509Cert.NotBefore.UTC(), x509Cert.NotAfter.UTC())
	}
	slices.SortFunc(out, time.Time.Compare)
	return slices.CompactFunc(out, time.Time.Equal)
}

func isExpired(err error) bool {
	var invalid x509.CertificateInvalidError
	return errors.As(err, &invalid) && invalid.Reason == x509.Expired
}

// checkKey refuses keys that signatures between partners may not use: RSA below 2048 or above 8192 bits, and what is neither RSA nor
// ECDSA over P-256, P-384 or P-521 nor Ed25519, which are the keys of signing. Where the key usage extension is present it must allow what use asks (RFC 5280 §4.2.1.3).
func checkKey(x509Cert *x509.Certificate, use Use) error {
	switch key := x509Cert.PublicKey.(type) {
	case *rsa.PublicKey:
		switch bits := key.N.BitLen(); {
		case bits < minRSABits:
			return fmt.Errorf("RSA key of %d bits is too short; at least %d are needed", bits, minRSABits)
		case bits > maxRSABits:
			return fmt.Errorf("RSA key of %d bits is too long; at most %d are used", bits, maxRSABits)
		}
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
		default:
			return fmt.Errorf("curve %s is not supported; use P-256, P-384 or P-521", key.Params().Name)
		}
	case ed25519.PublicKey:
	default:
		return fmt.Errorf("key algorithm %s is not supported; use RSA, ECDSA or Ed25519", x509Cert.PublicKeyAlgorithm)
	}
	return checkUsage(x509Cert, use)
}

func checkUsage(x509Cert *x509.Certificate, use Use) error {
	allows := func(usages x509.KeyUsage) bool { return x509Cert.KeyUsage == 0 || x509Cert.KeyUsage&usages != 0 }
	switch use {
	case UseMessageSignature, UseDocumentSignature, UseIssuerList:
		if !allows(x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment) {
			return errors.New("key usage allows neither digitalSignature nor nonRepudiation")
		}
	case UseEncryption:
		if x509Cert.PublicKeyAlgorithm == x509.Ed25519 {
			return errors.New("an Ed25519 key signs and does not encrypt; use RSA or ECDSA")
		}
		if !allows(x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment | x509.KeyUsageKeyAgreement) {
			return errors.New("key usage allows neither keyEncipherment, dataEncipherment nor keyAgreement")
		}
	case UseTimeStamp: // RFC 3161 §2.3
		if !slices.Contains(x509Cert.ExtKeyUsage, x509.ExtKeyUsageTimeStamping) {
			return errors.New("extended key usage does not have timeStamping")
		}
	}
	return nil
}

// minRSABits and maxRSABits are the bounds of signing, and the upper one that of crypto/tls too.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// endCredential picks the credential that the others in a file certify. PKCS#7 keeps no order (RFC 5652 §5.1: a SET), so
// it is found by who signed whom.
func endCredential(list []*x509.Certificate) (leaf *x509.Certificate, others []*x509.Certificate, err error) {
	for _, candidate := range list {
		signed := slices.ContainsFunc(list, func(other *x509.Certificate) bool {
			return !other.Equal(candidate) && other.CheckSignatureFrom(candidate) == nil
		})
		switch {
		case signed || candidate.Equal(leaf):
			others = append(others, candidate)
		case leaf == nil:
			leaf = candidate
		default:
			return nil, nil, fmt.Errorf("holds more than one end credential (%q and %q); put each into a file of its own",
				leaf.Subject, candidate.Subject)
		}
	}
	if leaf == nil {
		return nil, nil, errors.New("holds no end credential")
	}
	return leaf, others, nil
}
