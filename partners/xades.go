package partners

import (
	"cmp"
	"crypto/x509"
	"slices"
	"time"
)

// What an issuing body's document signature has beyond the plain enveloped one (ETSI EN 319 132-1).
const (
	XAdESNone = "none"
	// XAdESBES names the signer's credential and the signing time under the signature.
	XAdESBES = "BES"
	// XAdEST has a time-stamp over the signature too.
	XAdEST = "T"
)

// DefaultTimeStampTimeout and maxTimeStampTimeout bound the wait for a time-stamp authority: a submission waits with it.
const (
	DefaultTimeStampTimeout = 10 * time.Second
	maxTimeStampTimeout     = 20 * time.Second // a request of the API ends after 30
)

// TimeStampConfig is the time-stamp authority (RFC 3161) that an issuing body uses for XAdES-T.
type TimeStampConfig struct {
	// URL is where it answers: https, or http, because requests and time-stamps are no secret and time-stamps are signed.
	URL string `yaml:"url"`
	// AnchorFiles hold the authority's credential or the CAs above it; without one of them a time-stamp is not used.
	AnchorFiles []string `yaml:"anchor_files" path:"true"`
	// Timeout is the longest wait for one time-stamp; default DefaultTimeStampTimeout, at most a minute.
	Timeout time.Duration `yaml:"timeout"`
}

// TimeStamp is a TimeStampConfig with its files read.
type TimeStamp struct {
	URL     string
	Anchors []*x509.Certificate
	Timeout time.Duration
}

// DocumentForm is the form of a body's document signatures.
type DocumentForm struct {
	// XAdES is XAdESNone, XAdESBES or XAdEST; TimeStamp is for the last.
	XAdES     string
	TimeStamp TimeStamp
	// SignatureAlgorithm is for signing.Key.With.
	SignatureAlgorithm string
}

// DocumentForm gives the form of the signatures that this node makes in the name of an issuing body; the plain one for a
// body that is not its own.
func (r *Registry) DocumentForm(body string) DocumentForm {
	if form, ok := r.data.Load().forms[body]; ok {
		return form
	}
	return DocumentForm{XAdES: XAdESNone}
}

// documentForm checks xades and timestamp of an issuing body.
func (k *checker) documentForm(at string, issuer OwnIssuerConfig) {
	if issuer.XAdES != "" && !slices.Contains([]string{XAdESNone, XAdESBES, XAdEST}, issuer.XAdES) {
		k.add(at+".xades", "%q is not a form of signature; use %s, %s or %s", issuer.XAdES, XAdESNone, XAdESBES, XAdEST)
	}
	k.signatureAlgorithm(at+".signature_algorithm", issuer.SignatureAlgorithm)
	stamp := issuer.TimeStamp
	if issuer.XAdES != XAdEST {
		if stamp.URL != "" || len(stamp.AnchorFiles) > 0 || stamp.Timeout != 0 {
			k.add(at+".timestamp", "is given, but only xades: %s has a time-stamp", XAdEST)
		}
		return
	}
	if stamp.URL == "" {
		k.add(at+".timestamp.url", "is required for xades: %s", XAdEST)
	} else {
		k.endpoint(at+".timestamp.url", stamp.URL, true)
	}
	if len(stamp.AnchorFiles) == 0 {
		k.add(at+".timestamp.anchor_files", "is required for xades: %s: name the CAs of the authority, or its credential to pin it", XAdEST)
	}
	if stamp.Timeout < 0 || stamp.Timeout > maxTimeStampTimeout {
		k.add(at+".timestamp.timeout", "%s is not between 0s and %s", stamp.Timeout, maxTimeStampTimeout)
	}
}

// documentForm reads the authority of an issuing body.
func (l *loader) documentForm(at string, issuer OwnIssuerConfig) DocumentForm {
	stamp := issuer.TimeStamp
	return DocumentForm{
		XAdES: cmp.Or(issuer.XAdES, XAdESNone), SignatureAlgorithm: issuer.SignatureAlgorithm,
		TimeStamp: TimeStamp{
			URL: stamp.URL, Timeout: cmp.Or(stamp.Timeout, DefaultTimeStampTimeout),
			Anchors: l.readAll(at+".timestamp", sources("anchor_files", stamp.AnchorFiles, "", nil)),
		},
	}
}
