package revocation

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// Target is what is to be known for one partner.
type Target struct {
	Partner string
	// Links are the partner's credentials and the CAs between them and its anchors.
	Links []Link
	// CRLURLs, CRLFiles and OCSPURL are where it is to be had. Without any, what the credentials themselves name is used: CRL distribution
	// points and OCSP responders with http or https.
	CRLURLs, CRLFiles []string
	OCSPURL           string
}

// The kinds of source.
const (
	kindCRL  = "crl"
	kindFile = "crl-file"
	kindOCSP = "ocsp"
)

// source is one thing to fetch.
type source struct {
	kind, place string
	partners    []string
	issuers     []*x509.Certificate // of a CRL: who may have signed it
	link        Link                // of OCSP: what to ask about
}

func (s source) key() string {
	if s.kind == kindOCSP {
		return s.kind + " " + s.place + " " + s.link.id.String()
	}
	return s.kind + " " + s.place
}

// sources lists what targets ask for, each thing once, in the order of key.
func sources(targets []Target) []source {
	found := map[string]*source{}
	for _, t := range targets {
		for _, s := range t.sources() {
			known, ok := found[s.key()]
			if !ok {
				found[s.key()] = &s
				continue
			}
			if !slices.Contains(known.partners, t.Partner) {
				known.partners = append(known.partners, t.Partner)
			}
			for _, issuer := range s.issuers {
				if !slices.ContainsFunc(known.issuers, issuer.Equal) {
					known.issuers = append(known.issuers, issuer)
				}
			}
		}
	}
	var out []source
	for _, s := range found {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b source) int { return cmp.Compare(a.key(), b.key()) })
	return out
}

func (t Target) sources() []source {
	var issuers []*x509.Certificate
	for _, l := range t.Links {
		if !slices.ContainsFunc(issuers, l.Issuer.Equal) {
			issuers = append(issuers, l.Issuer)
		}
	}
	var out []source
	add := func(kind, place string, l Link) {
		s := source{kind: kind, place: place, partners: []string{t.Partner}, link: l}
		if kind != kindOCSP {
			s.issuers = issuers
		}
		out = append(out, s)
	}
	for _, place := range t.CRLFiles {
		add(kindFile, place, Link{})
	}
	for _, place := range t.CRLURLs {
		add(kindCRL, place, Link{})
	}
	for _, l := range t.Links {
		if t.OCSPURL != "" {
			add(kindOCSP, t.OCSPURL, l)
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, l := range t.Links {
		for _, place := range l.X509Cert.CRLDistributionPoints {
			if isHTTP(place) {
				add(kindCRL, place, Link{})
			}
		}
		if i := slices.IndexFunc(l.X509Cert.OCSPServer, isHTTP); i >= 0 {
			add(kindOCSP, l.X509Cert.OCSPServer[i], l)
		}
	}
	return out
}

func isHTTP(place string) bool {
	return strings.HasPrefix(place, "http://") || strings.HasPrefix(place, "https://")
}

// fetch gets what s has, unverified.
func (s source) fetch(ctx context.Context, client *http.Client) ([]byte, error) {
	switch s.kind {
	case kindFile:
		data, _, err := read(s.place, MaxCRL)
		if err == nil && data == nil {
			err = os.ErrNotExist
		}
		return data, err
	case kindOCSP:
		question, err := OCSPRequest(s.link)
		if err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.place, bytes.NewReader(question))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/ocsp-request")
		return answer(client, req, MaxOCSP)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.place, nil)
	if err != nil {
		return nil, err
	}
	return answer(client, req, MaxCRL)
}

func answer(client *http.Client, req *http.Request, most int64) ([]byte, error) {
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("HTTP status %s instead of 200", resp.Status)
	}
	data, err := readMost(resp.Body, most)
	if err != nil {
		return nil, fmt.Errorf("answer %w", err)
	}
	return data, nil
}

// finding is what a source said, verified.
type finding struct {
	crl    *CRL
	answer *Answer
	link   Link
}

func (s source) verify(data []byte, now time.Time) (finding, error) {
	if s.kind == kindOCSP {
		a, err := ReadOCSP(data, s.link, now)
		return finding{answer: a, link: s.link}, err
	}
	c, err := ReadCRL(data, s.issuers, now)
	return finding{crl: c}, err
}

func (f finding) updates() (this, next time.Time) {
	if f.crl != nil {
		return f.crl.ThisUpdate, f.crl.NextUpdate
	}
	return f.answer.ThisUpdate, f.answer.NextUpdate
}

// trouble is what is to be told of a finding that was believed.
func (f finding) trouble(now time.Time) error {
	_, next := f.updates()
	switch {
	case f.answer != nil && f.answer.Status == Unknown:
		return errors.New("OCSP responder says that it does not know the credential")
	case now.After(next.Add(ClockTolerance)):
		return fmt.Errorf("was to be renewed by %s", instant(next))
	}
	return nil
}

func (k *Known) add(f finding) error {
	if f.crl != nil {
		return k.addCRL(f.crl)
	}
	return k.addAnswer(f.link, f.answer)
}
