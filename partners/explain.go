package partners

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
)

// Explain says in plain words what in a file with credentials cannot be used by this program: curves, keys, signatures and
// extensions that national PKIs have and package crypto/x509 does not. data is as for signing.ReadCredentials, PKCS#7 excepted, of which
// it says nothing. Nothing is said of credentials that can be used; whether they are trusted is another question.
func Explain(data []byte) []string {
	var out []string
	for _, der := range ders(data) {
		words := explain(der)
		if _, err := x509.ParseCertificate(der); err != nil && len(words) == 0 {
			words = []string{fmt.Sprintf("a credential cannot be read: %v", err)}
		}
		out = append(out, words...)
	}
	return out
}

// ders gives the DER of each credential in data.
func ders(data []byte) [][]byte {
	var out [][]byte
	if bytes.Contains(data, []byte("-----BEGIN")) {
		for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
			if block.Type == "CERTIFICATE" || block.Type == "X509 CERTIFICATE" {
				out = append(out, block.Bytes)
			}
		}
		return out
	}
	if text, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(data)), "")); err == nil {
		data = text
	}
	for len(data) > 0 {
		var one asn1.RawValue
		rest, err := asn1.Unmarshal(data, &one)
		if err != nil {
			break
		}
		out, data = append(out, one.FullBytes), rest
	}
	return out
}

// outline is what of an X.509 certificate is read where package crypto/x509 gives up. What stands after it package asn1 lets stand.
type outline struct {
	TBS struct {
		Version   int `asn1:"optional,explicit,default:0,tag:0"`
		Serial    *big.Int
		Signature asn1.RawValue
		Issuer    asn1.RawValue
		Validity  asn1.RawValue
		Subject   asn1.RawValue
		Key       struct {
			Algorithm struct {
				OID        asn1.ObjectIdentifier
				Parameters asn1.RawValue `asn1:"optional"`
			}
			Key asn1.BitString
		}
	}
	Signature struct {
		OID        asn1.ObjectIdentifier
		Parameters asn1.RawValue `asn1:"optional"`
	}
}

// What can be met, by object identifier.
var (
	keyNames = map[string]string{
		"1.2.840.113549.1.1.10": "id-RSASSA-PSS", "1.3.101.110": "X25519", "1.3.101.111": "X448", "1.3.101.113": "Ed448",
		"1.2.840.10040.4.1": "DSA", "1.2.643.7.1.1.1.1": "GOST R 34.10-2012 (256 bits)", "1.2.643.7.1.1.1.2": "GOST R 34.10-2012 (512 bits)",
		"1.2.643.2.2.19": "GOST R 34.10-2001", "1.2.410.200004.1.21": "KCDSA",
	}
	curveNames = map[string]string{
		"1.3.36.3.3.2.8.1.1.7": "brainpoolP256r1", "1.3.36.3.3.2.8.1.1.11": "brainpoolP384r1", "1.3.36.3.3.2.8.1.1.13": "brainpoolP512r1",
		"1.3.132.0.10": "secp256k1", "1.2.840.10045.3.1.1": "P-192", "1.2.156.10197.1.301": "SM2",
		"1.3.132.0.33": "", "1.3.132.0.34": "", "1.3.132.0.35": "", "1.2.840.10045.3.1.7": "", // those that crypto/x509 knows
	}
	extensionNames = map[string]string{
		"2.5.29.30": "name constraints of a kind that is not supported, such as directory names", "2.5.29.36": "policy constraints",
		"2.5.29.33": "policy mappings", "1.3.6.1.5.5.7.1.3": "qualified certificate statements",
	}
)

const (
	oidECKey  = "1.2.840.10045.2.1"
	oidRSAPSS = "1.2.840.113549.1.1.10"
)

// explain says what is wrong with one credential, as far as there are plain words for it.
func explain(der []byte) []string {
	var o outline
	_, outlineErr := asn1.Unmarshal(der, &o)
	subject := "a credential"
	var rdn pkix.RDNSequence
	if _, err := asn1.Unmarshal(o.TBS.Subject.FullBytes, &rdn); err == nil {
		subject = fmt.Sprintf("%q", rdn.String())
	}
	var faults []string
	add := func(format string, args ...any) { faults = append(faults, subject+": "+fmt.Sprintf(format, args...)) }
	if outlineErr == nil {
		explainOutline(o, add)
	}
	if x509Cert, err := x509.ParseCertificate(der); err == nil {
		explainParsed(x509Cert, o, add)
	}
	return faults
}

// explainOutline tells of what ParseCertificate refuses.
func explainOutline(o outline, add func(string, ...any)) {
	if o.TBS.Serial != nil && o.TBS.Serial.Sign() < 0 {
		add("its serial number is negative, which RFC 5280 §4.1.2.2 does not allow; ask for one with a positive serial number")
	}
	algorithm := o.TBS.Key.Algorithm
	if algorithm.OID.String() != oidECKey {
		return
	}
	var curve asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(algorithm.Parameters.FullBytes, &curve); err != nil {
		add("its key has the parameters of its curve written out; ask for one that names its curve, P-256, P-384 or P-521")
		return
	}
	name, known := curveNames[curve.String()]
	if !known {
		name = curve.String()
	}
	if name != "" {
		add("its key is on the curve %s, which is not supported; ask for one with RSA, P-256, P-384, P-521 or Ed25519", name)
	}
}

// explainParsed tells of what ParseCertificate takes and cannot be used all the same.
func explainParsed(x509Cert *x509.Certificate, o outline, add func(string, ...any)) {
	key := o.TBS.Key.Algorithm.OID.String()
	if x509Cert.PublicKey == nil {
		name, known := keyNames[key]
		if !known {
			name = key
		}
		add("its key is of the algorithm %s, which is not supported; ask for one with RSA (rsaEncryption), P-256, P-384, P-521 or Ed25519", name)
	} else if err := checkKey(x509Cert, ""); err != nil {
		add("%v", err)
	}
	switch {
	case x509Cert.SignatureAlgorithm == x509.UnknownSignatureAlgorithm && o.Signature.OID.String() == oidRSAPSS:
		add("its CA signed it with RSA-PSS and parameters that are not supported; the salt must be as long as the hash, and both hashes the same")
	case x509Cert.SignatureAlgorithm == x509.UnknownSignatureAlgorithm:
		add("its CA signed it with the algorithm %s, which is not supported", o.Signature.OID)
	case x509Cert.SignatureAlgorithm == x509.SHA1WithRSA, x509Cert.SignatureAlgorithm == x509.ECDSAWithSHA1, x509Cert.SignatureAlgorithm == x509.MD5WithRSA:
		add("its CA signed it with %s, which is broken; ask for one with SHA-256", x509Cert.SignatureAlgorithm)
	}
	for _, id := range x509Cert.UnhandledCriticalExtensions {
		name, known := extensionNames[id.String()]
		if !known {
			name = id.String()
		}
		add("it has the critical extension %s, which is not supported, so no chain with it can be verified", name)
	}
}

// explained is err, met at reading content, with plain words where there are some.
func explained(content []byte, err error) error {
	for _, der := range ders(content) {
		for _, words := range explain(der) {
			err = fmt.Errorf("%w; %s", err, words)
		}
	}
	return err
}
