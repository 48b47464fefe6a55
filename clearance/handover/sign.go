package handover

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	_ "crypto/sha512" // SHA-384 and SHA-512 of crypto.Hash
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/dunglas/httpsfv"
)

// RequestKey signs HTTP requests (RFC 9421).
type RequestKey struct {
	signer crypto.Signer
	id     string
	method requestMethod
}

// requestMethod is an algorithm of RFC 9421 §3.3.
type requestMethod struct {
	name string
	hash crypto.Hash // 0: the message itself is signed
	opts crypto.SignerOpts
	size int // octets of each half of an ECDSA value; 0 for other algorithms
}

// NewRequestKey takes a private key: RSA (rsa-pss-sha512), ECDSA on P-256 or P-384 (ecdsa-p256-sha256, ecdsa-p384-sha384) or Ed25519. Without
// an id, the SHA-256 of its public key (SubjectPublicKeyInfo, DER) in hex names it.
func NewRequestKey(signer crypto.Signer, id string) (*RequestKey, error) {
	k := &RequestKey{signer: signer, id: id}
	switch public := signer.Public().(type) {
	case *rsa.PublicKey:
		k.method = requestMethod{"rsa-pss-sha512", crypto.SHA512, &rsa.PSSOptions{SaltLength: 64, Hash: crypto.SHA512}, 0}
	case ed25519.PublicKey:
		k.method = requestMethod{"ed25519", 0, crypto.Hash(0), 0}
	case *ecdsa.PublicKey:
		switch public.Curve {
		case elliptic.P256():
			k.method = requestMethod{"ecdsa-p256-sha256", crypto.SHA256, crypto.SHA256, 32}
		case elliptic.P384():
			k.method = requestMethod{"ecdsa-p384-sha384", crypto.SHA384, crypto.SHA384, 48}
		default:
			return nil, fmt.Errorf("key for requests: RFC 9421 has no algorithm for ECDSA on %s; want P-256 or P-384", public.Curve.Params().Name)
		}
	default:
		return nil, fmt.Errorf("key for requests: want RSA, ECDSA or Ed25519, found %T", public)
	}
	if id == "" {
		der, err := x509.MarshalPKIXPublicKey(signer.Public())
		if err != nil {
			return nil, fmt.Errorf("key for requests: %w", err)
		}
		sum := sha256.Sum256(der)
		k.id = hex.EncodeToString(sum[:])
	}
	return k, nil
}

// ID is the keyid of its signatures.
func (k *RequestKey) ID() string { return k.id }

// signatureTag is the tag of our signatures: what they are made for. RFC 9421 §2.3.
const signatureTag = "ecogate-handover"

// covered are the components that a signature covers. The target is covered in parts, which a proxy that ends TLS leaves as they are.
// RFC 9421 §2.2.
var covered = []string{"@method", "@authority", "@path", "@query", "content-type", "content-digest", "idempotency-key"}

// contentDigest is the value of Content-Digest. RFC 9530 §2.
func contentDigest(content []byte) (string, error) {
	sum := sha256.Sum256(content)
	d := httpsfv.NewDictionary()
	d.Add("sha-256", httpsfv.NewItem(sum[:]))
	return httpsfv.Marshal(d)
}

// sign adds Signature-Input and Signature to a request, whose other header fields are there. RFC 9421 §3.1.
func (k *RequestKey) sign(req *http.Request, at time.Time) error {
	input := httpsfv.InnerList{Params: httpsfv.NewParams()}
	var base strings.Builder
	for _, name := range covered {
		value, err := component(req, name)
		if err != nil {
			return err
		}
		input.Items = append(input.Items, httpsfv.NewItem(name))
		fmt.Fprintf(&base, "%q: %s\n", name, value)
	}
	input.Params.Add("created", at.Unix())
	input.Params.Add("keyid", k.id)
	input.Params.Add("alg", k.method.name)
	input.Params.Add("tag", signatureTag)
	params, err := httpsfv.Marshal(input)
	if err != nil {
		return fmt.Errorf("signature parameters: %w", err)
	}
	base.WriteString(`"@signature-params": ` + params) // RFC 9421 §2.5: the last line has no end
	value, err := k.value([]byte(base.String()))
	if err != nil {
		return fmt.Errorf("signing a request with key %s: %w", k.id, err)
	}
	signature, err := httpsfv.Marshal(httpsfv.NewItem(value))
	if err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	req.Header.Set("Signature-Input", "sig1="+params)
	req.Header.Set("Signature", "sig1="+signature)
	return nil
}

// component is the value of a component of a request. RFC 9421 §2.1, §2.2.
func component(req *http.Request, name string) (string, error) {
	switch name {
	case "@method":
		return req.Method, nil
	case "@authority": // §2.2.3: in lower case, without the port that is the scheme's own
		host := strings.ToLower(req.URL.Host)
		if port := map[string]string{"https": ":443", "http": ":80"}[req.URL.Scheme]; port != "" {
			host = strings.TrimSuffix(host, port)
		}
		return host, nil
	case "@path": // §2.2.6: an empty path is a slash
		if path := req.URL.EscapedPath(); path != "" {
			return path, nil
		}
		return "/", nil
	case "@query": // §2.2.7: with its question mark, alone if there is none
		return "?" + req.URL.RawQuery, nil
	}
	values := req.Header.Values(name)
	if len(values) != 1 {
		return "", fmt.Errorf("signing a request: want one header field %s, found %d", name, len(values))
	}
	return strings.TrimSpace(values[0]), nil
}

// value signs the base.
func (k *RequestKey) value(base []byte) ([]byte, error) {
	message := base
	if k.method.hash != 0 {
		h := k.method.hash.New()
		h.Write(base)
		message = h.Sum(nil)
	}
	value, err := k.signer.Sign(rand.Reader, message, k.method.opts)
	if err != nil || k.method.size == 0 {
		return value, err
	}
	// RFC 9421 §3.3.4: both numbers at full length one after the other, not in ASN.1.
	var pair struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(value, &pair); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("the key gave no ECDSA value: %w", err)
	}
	out := make([]byte, 2*k.method.size)
	pair.R.FillBytes(out[:k.method.size])
	pair.S.FillBytes(out[k.method.size:])
	return out, nil
}
