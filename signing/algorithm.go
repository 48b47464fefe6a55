package signing

import (
	"crypto"
	"crypto/ecdsa"
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
)

// minRSABits is the smallest RSA key that signs or verifies.
const minRSABits = 2048

// algorithm is a signature algorithm: identifier, kind of key, hash.
type algorithm struct {
	uri  string
	key  x509.PublicKeyAlgorithm
	hash crypto.Hash
}

// algorithms are those that can be verified at all (XMLDSig Core 1.1 §6.4, RFC 6931 §2.3). DSA, HMAC, RSA-PSS and EdDSA
// are not among them: no partner of a customs network is known to use them.
var algorithms = []algorithm{
	{moreSpace + "rsa-sha256", x509.RSA, crypto.SHA256},
	{moreSpace + "rsa-sha384", x509.RSA, crypto.SHA384},
	{moreSpace + "rsa-sha512", x509.RSA, crypto.SHA512},
	{moreSpace + "ecdsa-sha256", x509.ECDSA, crypto.SHA256},
	{moreSpace + "ecdsa-sha384", x509.ECDSA, crypto.SHA384},
	{moreSpace + "ecdsa-sha512", x509.ECDSA, crypto.SHA512},
	{dsigSpace + "rsa-sha1", x509.RSA, crypto.SHA1},
	{moreSpace + "ecdsa-sha1", x509.ECDSA, crypto.SHA1},
}

// digests are the digest algorithms that can be verified at all (XMLDSig Core 1.1 §6.2).
var digests = map[string]crypto.Hash{
	dsigSpace + "sha1":   crypto.SHA1,
	encSpace + "sha256":  crypto.SHA256,
	moreSpace + "sha384": crypto.SHA384,
	encSpace + "sha512":  crypto.SHA512,
}

// Policy says what a verification accepts. The zero value accepts RSA of 2048 bits and more and ECDSA on P-256, P-384 and
// P-521, each with SHA-256, SHA-384 or SHA-512. No policy accepts shorter RSA keys.
type Policy struct {
	// AllowSHA1 accepts SHA-1 for digests and signatures as well, whatever Algorithms says: a named exception for a
	// partner whose product knows nothing else.
	AllowSHA1 bool
	// Algorithms narrows the signature algorithms to these, each written as its URI or as the part after "#"
	// ("rsa-sha256"). Empty does not narrow.
	Algorithms []string
	// TimeStampAnchors are the credentials of time-stamp authorities, or of the CAs above them, whose time-stamps count. A
	// document with another's is refused. Without any, time-stamps are not verified and [TimeStamp.Authority] stays nil.
	TimeStampAnchors []*x509.Certificate
}

// KnownAlgorithm tells whether a name in [Policy.Algorithms] means anything; one that does not accepts nothing.
func KnownAlgorithm(name string) bool {
	return slices.ContainsFunc(algorithms, func(a algorithm) bool { return a.named(name) })
}

func (a algorithm) named(name string) bool {
	_, short, _ := strings.Cut(a.uri, "#")
	return name == a.uri || name == short
}

// signature gives the algorithm of an identifier, if the policy allows it.
func (p Policy) signature(uri string) (algorithm, error) {
	for _, a := range algorithms {
		if a.uri != uri {
			continue
		}
		if a.hash == crypto.SHA1 {
			if !p.AllowSHA1 {
				return algorithm{}, fail(ErrPolicy, "signature algorithm %s uses SHA-1", uri)
			}
			return a, nil
		}
		if len(p.Algorithms) > 0 && !slices.ContainsFunc(p.Algorithms, a.named) {
			return algorithm{}, fail(ErrPolicy, "signature algorithm %s is not one of those agreed", uri)
		}
		return a, nil
	}
	return algorithm{}, fail(ErrPolicy, "signature algorithm %q is not known", uri)
}

// digest gives the hash of an identifier, if the policy allows it.
func (p Policy) digest(uri string) (crypto.Hash, error) {
	hash, known := digests[uri]
	switch {
	case !known:
		return 0, fail(ErrPolicy, "digest algorithm %q is not known", uri)
	case hash == crypto.SHA1 && !p.AllowSHA1:
		return 0, fail(ErrPolicy, "digest algorithm %s is SHA-1", uri)
	}
	return hash, nil
}

func sum(hash crypto.Hash, octets []byte) []byte {
	h := hash.New()
	h.Write(octets)
	return h.Sum(nil)
}

// sumContent digests content as it passes, so that a part of any size needs no memory.
func sumContent(hash crypto.Hash, c Content) ([]byte, error) {
	h := hash.New()
	if _, err := io.Copy(h, io.NewSectionReader(c, 0, c.Size())); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

// keyAlgorithm gives the kind of a public key that signatures may use, or says why it may not.
func keyAlgorithm(public crypto.PublicKey) (x509.PublicKeyAlgorithm, error) {
	switch key := public.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits {
			return 0, fail(ErrPolicy, "RSA key of %d bits, at least %d are needed", bits, minRSABits)
		}
		return x509.RSA, nil
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return x509.ECDSA, nil
		}
		return 0, fail(ErrPolicy, "ECDSA key on a curve other than P-256, P-384 and P-521")
	}
	return 0, fail(ErrPolicy, "key of type %T is neither RSA nor ECDSA", public)
}

// verify tells whether value is the key's signature over a digest. The kinds of key and algorithm agree already.
func (a algorithm) verify(public crypto.PublicKey, digest, value []byte) bool {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, a.hash, digest, value) == nil
	case *ecdsa.PublicKey:
		// XMLDSig Core 1.1 §6.4.3: r and s as integers of the curve's width, side by side. Any other length, ASN.1 in
		// particular, is not an ECDSA signature here.
		width := scalarWidth(key.Curve)
		if len(value) != 2*width {
			return false
		}
		r, s := new(big.Int).SetBytes(value[:width]), new(big.Int).SetBytes(value[width:])
		return ecdsa.Verify(key, digest, r, s)
	}
	return false
}

// scalarWidth is the number of octets of r and of s.
func scalarWidth(curve elliptic.Curve) int { return (curve.Params().N.BitLen() + 7) / 8 }
