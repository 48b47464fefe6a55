package signing

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha1" // for partners whose policy allows it
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"io"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

// Identifiers of XMLDSig Core 1.1 §6, Canonical XML 1.0, Exclusive C14N 1.0 and XPath 1.0.
const (
	dsigSpace = "http://www.w3.org/2000/09/xmldsig#"
	excSpace  = "http://www.w3.org/2001/10/xml-exc-c14n#"

	inclusiveC14N      = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
	exclusiveC14N      = "http://www.w3.org/2001/10/xml-exc-c14n#"
	envelopedTransform = dsigSpace + "enveloped-signature"
	xpathTransform     = "http://www.w3.org/TR/1999/REC-xpath-19991116"

	moreSpace = "http://www.w3.org/2001/04/xmldsig-more#"
	encSpace  = "http://www.w3.org/2001/04/xmlenc#"
	pssSpace  = "http://www.w3.org/2007/05/xmldsig-more#"
	edSpace   = "http://www.w3.org/2021/04/xmldsig-more#"

	rsaPSS = pssSpace + "rsa-pss"
	mgf1   = pssSpace + "MGF1"
)

// minRSABits and maxRSABits bound the RSA keys that sign or verify. The time that a verification takes grows with more than the
// square of a key's length, and a key may come with what is to be verified; crypto/tls has the same upper bound.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// algorithm is a signature algorithm.
type algorithm struct {
	uri string
	key x509.PublicKeyAlgorithm
	// hash is the signature's own, and the one of the References that we write beside it. rsa-pss has it from its
	// parameters; Ed25519 has none of its own, it signs the octets themselves.
	hash crypto.Hash
	pss  bool // RSASSA-PSS instead of RSASSA-PKCS1-v1_5
	der  bool // ECDSA values in ASN.1 are accepted beside r and s
}

// algorithms are those that can be verified at all (XMLDSig Core 1.1 §6.4, RFC 6931 §2.3, RFC 9231 §2.3.12). DSA and HMAC
// are not among them: an HMAC under a public key is what an attacker would make.
var algorithms = []algorithm{
	{uri: moreSpace + "rsa-sha256", key: x509.RSA, hash: crypto.SHA256},
	{uri: moreSpace + "rsa-sha384", key: x509.RSA, hash: crypto.SHA384},
	{uri: moreSpace + "rsa-sha512", key: x509.RSA, hash: crypto.SHA512},
	{uri: pssSpace + "sha256-rsa-MGF1", key: x509.RSA, hash: crypto.SHA256, pss: true},
	{uri: pssSpace + "sha384-rsa-MGF1", key: x509.RSA, hash: crypto.SHA384, pss: true},
	{uri: pssSpace + "sha512-rsa-MGF1", key: x509.RSA, hash: crypto.SHA512, pss: true},
	{uri: rsaPSS, key: x509.RSA, hash: crypto.SHA256, pss: true},
	{uri: moreSpace + "ecdsa-sha256", key: x509.ECDSA, hash: crypto.SHA256},
	{uri: moreSpace + "ecdsa-sha384", key: x509.ECDSA, hash: crypto.SHA384},
	{uri: moreSpace + "ecdsa-sha512", key: x509.ECDSA, hash: crypto.SHA512},
	{uri: edSpace + "eddsa-ed25519", key: x509.Ed25519, hash: crypto.SHA256},
	{uri: dsigSpace + "rsa-sha1", key: x509.RSA, hash: crypto.SHA1},
	{uri: moreSpace + "ecdsa-sha1", key: x509.ECDSA, hash: crypto.SHA1},
}

// digests are the digest algorithms that can be verified at all (XMLDSig Core 1.1 §6.2).
var digests = map[string]crypto.Hash{
	dsigSpace + "sha1":   crypto.SHA1,
	encSpace + "sha256":  crypto.SHA256,
	moreSpace + "sha384": crypto.SHA384,
	encSpace + "sha512":  crypto.SHA512,
}

// Policy says what a verification accepts. The zero value accepts RSA of 2048 bits and more (PKCS #1 v1.5 and PSS) and
// ECDSA on P-256, P-384 and P-521, each with SHA-256, SHA-384 or SHA-512, and Ed25519. No policy accepts shorter RSA keys, or
// such of more than 8192 bits.
type Policy struct {
	// Algorithms narrows the signature algorithms to these, each written as its URI or as the part after "#"
	// ("rsa-sha256"). Empty does not narrow.
	Algorithms []string
	// Exceptions accept more, for a partner whose product knows nothing else. They never apply to signing.
	Exceptions []Exception
	// At is the instant of the verification, against which Exceptions are judged. Without it only those without an end
	// count.
	At time.Time
	// TimeStampAnchors are the credentials of time-stamp authorities, or of the CAs above them, whose time-stamps count. A
	// document with another's is refused. Without any, time-stamps are not verified and [TimeStamp.Authority] stays nil.
	TimeStampAnchors []*x509.Certificate
}

// Exception is a weakness that a Policy accepts, by its name and up to an end.
type Exception struct {
	Name ExceptionName
	// Until is the instant from which on it counts no more; zero for no end.
	Until time.Time
}

// ExceptionName says what an Exception accepts; another name than these accepts nothing.
type ExceptionName string

// The exceptions there are.
const (
	// ExceptionSHA1 accepts SHA-1 for digests, and for signatures whatever Policy.Algorithms says.
	ExceptionSHA1 ExceptionName = "sha1"
	// ExceptionECDSADER accepts ECDSA values in ASN.1 DER beside r and s side by side (XMLDSig Core 1.1 §6.4.3 has only
	// the latter).
	ExceptionECDSADER ExceptionName = "ecdsa-der"
)

// excepts tells whether an exception counts at the verification's instant.
func (p Policy) excepts(name ExceptionName) bool {
	return slices.ContainsFunc(p.Exceptions, func(e Exception) bool {
		return e.Name == name && (e.Until.IsZero() || !p.At.IsZero() && p.At.Before(e.Until))
	})
}

// KnownAlgorithm tells whether a name in [Policy.Algorithms] means anything; one that does not accepts nothing.
func KnownAlgorithm(name string) bool {
	return slices.ContainsFunc(algorithms, func(a algorithm) bool { return a.named(name) })
}

// With gives the key with the signature algorithm to sign with, by its URI or the part of that after "#"; "" is the key's usual
// one. The error is an [*Error] of kind ErrPolicy about an algorithm that nobody signs with, or not with this kind of key.
func (k Key) With(name string) (Key, error) {
	if name == "" {
		k.Algorithm = ""
		return k, nil
	}
	i := slices.IndexFunc(algorithms, func(a algorithm) bool { return a.named(name) })
	if i < 0 {
		return Key{}, fail(ErrPolicy, "signature algorithm %q is not known", name)
	}
	k.Algorithm = algorithms[i].uri
	_, err := k.algorithm()
	return k, err
}

// SigningAlgorithms are the URIs of the signature algorithms that a key may sign with.
func SigningAlgorithms() []string {
	var uris []string
	for _, a := range algorithms {
		if a.hash != crypto.SHA1 && a.uri != rsaPSS {
			uris = append(uris, a.uri)
		}
	}
	return uris
}

func (a algorithm) named(name string) bool {
	_, short, _ := strings.Cut(a.uri, "#")
	return name == a.uri || name == short
}

// signature gives the algorithm of an identifier, if the policy allows it.
func (p Policy) signature(uri string) (algorithm, error) {
	i := slices.IndexFunc(algorithms, func(a algorithm) bool { return a.uri == uri })
	if i < 0 {
		return algorithm{}, fail(ErrPolicy, "signature algorithm %q is not known", uri)
	}
	a := algorithms[i]
	a.der = a.key == x509.ECDSA && p.excepts(ExceptionECDSADER)
	switch {
	case a.hash == crypto.SHA1:
		if !p.excepts(ExceptionSHA1) {
			return algorithm{}, fail(ErrPolicy, "signature algorithm %s uses SHA-1", uri)
		}
	case len(p.Algorithms) > 0 && !slices.ContainsFunc(p.Algorithms, a.named):
		return algorithm{}, fail(ErrPolicy, "signature algorithm %s is not one of those agreed", uri)
	}
	return a, nil
}

// digest gives the hash of an identifier, if the policy allows it.
func (p Policy) digest(uri string) (crypto.Hash, error) {
	hash, known := digests[uri]
	switch {
	case !known:
		return 0, fail(ErrPolicy, "digest algorithm %q is not known", uri)
	case hash == crypto.SHA1 && !p.excepts(ExceptionSHA1):
		return 0, fail(ErrPolicy, "digest algorithm %s is SHA-1", uri)
	}
	return hash, nil
}

// algorithm gives the algorithm that a key signs with: Key.Algorithm, or what follows from the kind of key.
func (k Key) algorithm() (algorithm, error) {
	kind, err := keyAlgorithm(k.Signer.Public())
	if err != nil {
		return algorithm{}, err
	}
	uri := k.Algorithm
	if uri == "" {
		switch public := k.Signer.Public().(type) {
		case *ecdsa.PublicKey:
			uri = moreSpace + map[int]string{256: "ecdsa-sha256", 384: "ecdsa-sha384", 521: "ecdsa-sha512"}[public.Curve.Params().BitSize]
		case ed25519.PublicKey:
			uri = edSpace + "eddsa-ed25519"
		default:
			uri = moreSpace + "rsa-sha256"
		}
	}
	a, err := Policy{}.signature(uri)
	switch {
	case err != nil:
		return algorithm{}, err
	case a.key != kind:
		return algorithm{}, fail(ErrPolicy, "signature algorithm %s needs a key of %s, not of %s", uri, a.key, kind)
	case uri == rsaPSS:
		return algorithm{}, fail(ErrPolicy, "%s is only verified; sign with sha256-rsa-MGF1, which says the same in its name", uri)
	}
	return a, nil
}

func sum(hash crypto.Hash, octets []byte) []byte {
	h := hash.New()
	h.Write(octets)
	return h.Sum(nil)
}

// sumContent digests content as it passes, so that a part of any size needs little memory.
func sumContent(hash crypto.Hash, c Content) ([]byte, error) {
	h := hash.New()
	if err := writeContent(h, c); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

// writeContent writes all of a content. What is in memory is written at once, without a buffer.
func writeContent(w io.Writer, c Content) error {
	if memory, ok := c.(*bytes.Reader); ok {
		whole := *memory // a copy, so that the place where somebody reads stays
		if _, err := whole.Seek(0, io.SeekStart); err != nil {
			return err
		}
		_, err := whole.WriteTo(w)
		return err
	}
	buffer := make([]byte, max(1, min(c.Size(), 32<<10)))
	_, err := io.CopyBuffer(w, io.NewSectionReader(c, 0, c.Size()), buffer)
	return err
}

// sumCanonical digests the canonical form of a document.
func sumCanonical(hash crypto.Hash, doc *c14n.Document, m c14n.Method) []byte {
	h := hash.New()
	doc.Digest(h, m)
	return h.Sum(nil)
}

// keyAlgorithm gives the kind of a public key that signatures may use, or says why it may not.
func keyAlgorithm(public crypto.PublicKey) (x509.PublicKeyAlgorithm, error) {
	switch key := public.(type) {
	case *rsa.PublicKey:
		switch bits := key.N.BitLen(); {
		case bits < minRSABits:
			return 0, fail(ErrPolicy, "RSA key of %d bits, at least %d are needed", bits, minRSABits)
		case bits > maxRSABits:
			return 0, fail(ErrPolicy, "RSA key of %d bits, at most %d are used", bits, maxRSABits)
		}
		return x509.RSA, nil
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return x509.ECDSA, nil
		}
		return 0, fail(ErrPolicy, "ECDSA key on a curve other than P-256, P-384 and P-521")
	case ed25519.PublicKey:
		return x509.Ed25519, nil
	}
	return 0, fail(ErrPolicy, "key of type %T is neither RSA nor ECDSA nor Ed25519", public)
}

// input is what the key signs of octets: their digest, or with Ed25519 the octets (RFC 8032 §5.1.6).
func (a algorithm) input(octets []byte) []byte {
	if a.key == x509.Ed25519 {
		return octets
	}
	return sum(a.hash, octets)
}

// verify tells whether value is the key's signature over an input. The kinds of key and algorithm agree already.
func (a algorithm) verify(public crypto.PublicKey, input, value []byte) bool {
	switch key := public.(type) {
	case *rsa.PublicKey:
		if a.pss {
			return rsa.VerifyPSS(key, a.hash, input, value, a.pssOptions()) == nil
		}
		return rsa.VerifyPKCS1v15(key, a.hash, input, value) == nil
	case *ecdsa.PublicKey:
		// XMLDSig Core 1.1 §6.4.3: r and s as integers of the curve's width, side by side. Any other length, ASN.1 in
		// particular, is not an ECDSA signature here, but for the exception.
		if width := scalarWidth(key.Curve); len(value) == 2*width {
			r, s := new(big.Int).SetBytes(value[:width]), new(big.Int).SetBytes(value[width:])
			if ecdsa.Verify(key, input, r, s) {
				return true
			}
		}
		return a.der && ecdsa.VerifyASN1(key, input, value)
	case ed25519.PublicKey:
		return len(key) == ed25519.PublicKeySize && ed25519.Verify(key, input, value)
	}
	return false
}

// direct tells whether the key is asked without goxmldsig, which knows neither RSA-PSS nor Ed25519.
func (a algorithm) direct() bool { return a.pss || a.key == x509.Ed25519 }

// options are what a key is told that is asked directly: Ed25519 wants the octets and no hash (RFC 8032 §5.1).
func (a algorithm) options() crypto.SignerOpts {
	if a.key == x509.Ed25519 {
		return crypto.Hash(0)
	}
	return a.pssOptions()
}

// pssOptions: the salt has the length of the hash, as RFC 6931 §2.3.10 fixes it.
func (a algorithm) pssOptions() *rsa.PSSOptions {
	return &rsa.PSSOptions{SaltLength: a.hash.Size(), Hash: a.hash}
}

// scalarWidth is the number of octets of r and of s.
func scalarWidth(curve elliptic.Curve) int { return (curve.Params().N.BitLen() + 7) / 8 }
