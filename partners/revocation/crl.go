package revocation

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// MaxCRL is the most octets of a CRL, some 700,000 entries.
const MaxCRL = 32 << 20

// CRL is a verified revocation list. It takes 32 octets of memory for each entry.
type CRL struct {
	Number                 *big.Int
	ThisUpdate, NextUpdate time.Time
	issuer                 issuerID
	scope                  scope
	entries                []entry // in the order of their serial numbers
}

type entry struct {
	serial serial
	reason uint8
	at     int64 // seconds since 1970
}

// Len is the number of entries.
func (c *CRL) Len() int { return len(c.entries) }

func (c *CRL) find(s serial) (entry, bool) {
	i, ok := slices.BinarySearchFunc(c.entries, s, func(e entry, s serial) int { return bytes.Compare(e.serial[:], s[:]) })
	if !ok {
		return entry{}, false
	}
	return c.entries[i], true
}

func (c *CRL) olderThan(other *CRL) bool {
	return c.ThisUpdate.Before(other.ThisUpdate) || c.Number != nil && other.Number != nil && c.Number.Cmp(other.Number) < 0
}

func serialOf(n *big.Int) (serial, error) {
	var s serial
	if n == nil || n.Sign() < 0 || len(n.Bytes()) > maxSerial {
		return s, fmt.Errorf("serial number %v is not one of up to %d octets (RFC 5280 §4.1.2.2)", n, maxSerial)
	}
	n.FillBytes(s[:])
	return s, nil
}

// ReadCRL reads a CRL, DER or PEM, that one of issuers has signed, and verifies it as of now: issuer's name and signature,
// thisUpdate not in the future, nextUpdate there and after it. One that is past its nextUpdate is read all the same; Known.Judge
// sees to that. Refused by name are delta CRLs, indirect CRLs, those for some reasons or attribute certificates only, and
// any critical extension that is not known (RFC 5280 §5.2).
func ReadCRL(data []byte, issuers []*x509.Certificate, now time.Time) (*CRL, error) {
	if len(data) > MaxCRL {
		return nil, fmt.Errorf("CRL of more than %d octets", MaxCRL)
	}
	if block, _ := pem.Decode(data); block != nil {
		data = block.Bytes
	}
	list, err := x509.ParseRevocationList(data)
	if err != nil {
		return nil, fmt.Errorf("not a CRL: %w", err)
	}
	issuer, err := crlIssuer(list, issuers)
	if err != nil {
		return nil, err
	}
	c := &CRL{Number: list.Number, ThisUpdate: list.ThisUpdate.UTC(), NextUpdate: list.NextUpdate.UTC(), issuer: idOf(issuer)}
	if c.scope, err = readScope(list); err != nil {
		return nil, err
	}
	if err := checkUpdates("CRL", c.ThisUpdate, c.NextUpdate, now); err != nil {
		return nil, err
	}
	c.entries, err = readEntries(list.RevokedCertificateEntries)
	return c, err
}

func checkUpdates(what string, this, next, now time.Time) error {
	switch {
	case this.After(now.Add(ClockTolerance)):
		return fmt.Errorf("%s is from the future: thisUpdate is %s", what, instant(this))
	case next.IsZero():
		return fmt.Errorf("%s has no nextUpdate", what)
	case !next.After(this):
		return fmt.Errorf("%s has nextUpdate %s, which is not after thisUpdate %s", what, instant(next), instant(this))
	}
	return nil
}

func crlIssuer(list *x509.RevocationList, issuers []*x509.Certificate) (*x509.Certificate, error) {
	if weakHash(list.SignatureAlgorithm) {
		return nil, fmt.Errorf("CRL is signed with %s, which is not accepted", list.SignatureAlgorithm)
	}
	reason := fmt.Errorf("CRL is of %q, which is no CA of this partner", list.Issuer)
	for _, issuer := range issuers {
		if !bytes.Equal(list.RawIssuer, issuer.RawSubject) {
			continue
		}
		err := list.CheckSignatureFrom(issuer)
		if err == nil {
			return issuer, nil
		}
		reason = fmt.Errorf("CRL is not signed by %q, whose name it bears: %w", issuer.Subject, err)
	}
	return nil, reason
}

func weakHash(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return true
	}
	return false
}

func readEntries(list []x509.RevocationListEntry) ([]entry, error) {
	entries := make([]entry, 0, len(list))
	for i, revoked := range list {
		for _, e := range revoked.Extensions {
			if e.Critical && !e.Id.Equal(oidReason) {
				return nil, fmt.Errorf("entry %d of the CRL has the critical extension %s, which is not supported", i, extensionName(e.Id))
			}
		}
		number, err := serialOf(revoked.SerialNumber)
		if err != nil {
			return nil, fmt.Errorf("entry %d of the CRL: %w", i, err)
		}
		if revoked.ReasonCode == reasonRemove {
			return nil, fmt.Errorf("entry %d of the CRL has the reason removeFromCRL, which only a delta CRL has", i)
		}
		entries = append(entries, entry{number, uint8(revoked.ReasonCode), revoked.RevocationTime.Unix()})
	}
	// Of a serial number that stands there twice the earlier time counts.
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(bytes.Compare(a.serial[:], b.serial[:]), cmp.Compare(a.at, b.at))
	})
	return slices.CompactFunc(entries, func(a, b entry) bool { return a.serial == b.serial }), nil
}

const reasonRemove = 8

// The extensions of RFC 5280 §5.2 and §5.3.
var (
	oidReason            = asn1.ObjectIdentifier{2, 5, 29, 21}
	oidDelta             = asn1.ObjectIdentifier{2, 5, 29, 27}
	oidScope             = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidCertificateIssuer = asn1.ObjectIdentifier{2, 5, 29, 29}
)

func extensionName(id asn1.ObjectIdentifier) string {
	switch {
	case id.Equal(oidCertificateIssuer):
		return "certificateIssuer (of an indirect CRL)"
	case id.Equal(oidDelta):
		return "deltaCRLIndicator"
	}
	return id.String()
}

// scope is what a CRL speaks about (RFC 5280 §5.2.5); the zero value is every credential of its issuer.
type scope struct {
	uris           []string // distribution points of which one must stand in the credential
	onlyCA, onlyUs bool     // CAs only, end credentials only
}

func (s scope) key() string {
	return fmt.Sprint(s.onlyCA, s.onlyUs, strings.Join(s.uris, " "))
}

func (s scope) covers(x509Cert *x509.Certificate) bool {
	switch {
	case s.onlyCA && !x509Cert.IsCA, s.onlyUs && x509Cert.IsCA:
		return false
	case len(s.uris) == 0:
		return true
	}
	return slices.ContainsFunc(s.uris, func(uri string) bool { return slices.Contains(x509Cert.CRLDistributionPoints, uri) })
}

// issuingPoint is IssuingDistributionPoint.
type issuingPoint struct {
	Point           pointName      `asn1:"optional,tag:0"`
	OnlyUser        bool           `asn1:"optional,tag:1"`
	OnlyCA          bool           `asn1:"optional,tag:2"`
	OnlySomeReasons asn1.BitString `asn1:"optional,tag:3"`
	Indirect        bool           `asn1:"optional,tag:4"`
	OnlyAttribute   bool           `asn1:"optional,tag:5"`
}

type pointName struct {
	FullName []asn1.RawValue `asn1:"optional,tag:0"`
	Relative asn1.RawValue   `asn1:"optional,tag:1"`
}

const tagURI = 6 // GeneralName uniformResourceIdentifier

func readScope(list *x509.RevocationList) (scope, error) {
	var s scope
	for _, e := range list.Extensions {
		switch {
		case e.Id.Equal(oidDelta):
			return s, errors.New("CRL is a delta CRL, which is not supported; name the complete one")
		case e.Id.Equal(oidScope):
			var point issuingPoint
			if rest, err := asn1.Unmarshal(e.Value, &point); err != nil || len(rest) > 0 {
				return s, errors.New("CRL has an issuingDistributionPoint that cannot be read")
			}
			switch {
			case point.Indirect:
				return s, errors.New("CRL is an indirect CRL, which is not supported; name that of the issuer itself")
			case point.OnlySomeReasons.BitLength > 0:
				return s, errors.New("CRL is for some reasons only, which is not supported; name the complete one")
			case point.OnlyAttribute:
				return s, errors.New("CRL is for attribute certificates only")
			case len(point.Point.Relative.FullBytes) > 0:
				return s, errors.New("CRL names its distribution point relative to its issuer, which is not supported")
			}
			s.onlyUs, s.onlyCA = point.OnlyUser, point.OnlyCA
			for _, name := range point.Point.FullName {
				if name.Class == asn1.ClassContextSpecific && name.Tag == tagURI {
					s.uris = append(s.uris, string(name.Bytes))
				}
			}
			if len(point.Point.FullName) > 0 && len(s.uris) == 0 {
				return s, errors.New("CRL names its distribution point in another way than by URI, which is not supported")
			}
		case e.Critical:
			return s, fmt.Errorf("CRL has the critical extension %s, which is not supported", extensionName(e.Id))
		}
	}
	return s, nil
}
