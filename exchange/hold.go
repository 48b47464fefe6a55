package exchange

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// issuerDoubt is the request that stands for a certificate whose issuer is in doubt.
const issuerDoubt = "issuer"

// ErrNotOnHold: nothing about who issued this certificate is in doubt.
var ErrNotOnHold = errors.New("the certificate does not wait for anything about its issuer")

// OnHold reports whether it is in doubt who issued the certificate: an office or a signatory that is not on the issuing body's list
// signed it. It was received like any other, and is suspended until the list has them or an officer releases it.
func (d Dealings) OnHold() bool {
	return d.Life != nil && slices.ContainsFunc(d.Life.Requests, func(v eco.Verification) bool { return v.ID == issuerDoubt })
}

// Admitted is the state of an imported certificate whose turn has come.
func (d Dealings) Admitted() CertificateState {
	if d.OnHold() {
		return CertificateSuspended
	}
	return CertificateAvailable
}

// hold suspends a certificate that is about to be received, if there are doubts about its issuer.
func (c *Certificate) hold(doubts []eco.Finding) error {
	if len(doubts) == 0 {
		return nil
	}
	var reasons []eco.Reason
	for _, d := range doubts {
		reasons = append(reasons, eco.Reason{Code: d.Code, Text: d.Text})
	}
	life := eco.Life{Side: eco.SideImporting}
	for _, e := range []eco.Event{
		{Kind: eco.EventReceive, Content: c.Content, Message: c.Message, Declared: eco.DeclaredQuantities(c.Data),
			ValidUntil: c.ValidUntil, SingleUse: c.SingleUse},
		{Kind: eco.EventAdmit},
		{Kind: eco.EventVerify, Reference: issuerDoubt, Reasons: reasons},
	} {
		var err error
		e.At, e.By = c.Recorded, "node"
		if life, err = eco.Next(life, e); err != nil {
			return fmt.Errorf("holding certificate %s: %w", c.Key, err)
		}
	}
	c.Dealings.Life, c.State = &life, CertificateSuspended
	c.Findings = append(c.Findings, doubts...)
	return nil
}

// doubt is what is in doubt about the issuer of a certificate, after a prefix; "" for nothing. Of several things it is the last.
func (c *Certificate) doubt(prefix string) string {
	if c.Dealings.OnHold() {
		for _, f := range slices.Backward(c.Findings) {
			if f.Code == eco.CodeIssuingBody || f.Code == eco.ReasonSigner {
				return prefix + f.Text
			}
		}
	}
	return ""
}

// released is the change that ends a doubt about the issuer of a certificate.
func (n *Node) released(c Certificate, by string) (Change, error) {
	return moved(c, c.Dealings, eco.Event{Kind: eco.EventClose, At: n.now().UTC(), By: by, Reference: issuerDoubt})
}

// Release lets a certificate that was received go on although its office or signatory is not on the list: an officer has found out that
// they may issue. why is for the audit log. q names the certificate; its Direction plays no part.
//
// Errors: ErrNotFound, ErrAmbiguous, ErrNotOnHold, ErrChanged if somebody else changed it meanwhile.
func (n *Node) Release(ctx context.Context, actor string, q CertificateQuery, why string) (Certificate, error) {
	q.Direction = Inbound
	c, err := n.one(ctx, q)
	if err != nil {
		return Certificate{}, err
	}
	if !c.Dealings.OnHold() {
		return Certificate{}, fmt.Errorf("%w: %s is %s", ErrNotOnHold, c.Key, c.State)
	}
	return n.release(ctx, c, actor, why)
}

func (n *Node) release(ctx context.Context, c Certificate, actor, why string) (Certificate, error) {
	change, err := n.released(c, actor)
	if err != nil {
		return Certificate{}, err
	}
	entry := AuditEntry{At: n.now().UTC(), Actor: actor, Event: "certificate.released", Subject: c.Key.String(), Detail: why}
	if err := n.keeper.Change(ctx, []Change{change}, []AuditEntry{entry}); err != nil {
		return Certificate{}, fmt.Errorf("releasing certificate %s: %w", c.Key, err)
	}
	n.log.Info("certificate released", "reference", c.Data.Reference, "partner", c.Partner, "actor", actor, "why", why)
	c.State, c.Dealings, c.Revision = change.State, change.Dealings, c.Revision+1
	return c, nil
}

// releaseListed releases the certificates whose office and signatory are on the list by now. Authority is judged as of the day of issue
// and the instant of receipt, as when they came.
func (n *Node) releaseListed(ctx context.Context) error {
	query := CertificateQuery{OnHold: true, Direction: Inbound, Limit: 500}
	for {
		found, err := n.store.Certificates(ctx, query)
		if err != nil || len(found) == 0 {
			return err
		}
		for _, c := range found {
			if !slices.Contains([]CertificateState{CertificateSuspended, CertificateReceived}, c.State) || !n.isListed(c) {
				continue
			}
			_, err := n.release(ctx, c, "node", "its office and signatory are on the list of issuers")
			if err != nil && !errors.Is(err, ErrChanged) { // what changed meanwhile is looked at again next time
				return err
			}
		}
		query.Before = found[len(found)-1].Seq
	}
}

// isListed reports whether nothing is in doubt any more about the issuer of a certificate, whose signature was verified when it came.
func (n *Node) isListed(c Certificate) bool {
	authority, err := n.registry.Authority(c.Partner, issuerOf(c.Data, n.registry.Forms()), c.Recorded)
	return err == nil && len(authority.Doubts) == 0 && slices.ContainsFunc(authority.Credentials, func(signer partners.Credential) bool {
		return signing.Fingerprint(signer.X509Cert) == c.DocumentSigner
	})
}

// issuerOf asks who may have signed a certificate. One that names no office may have it in its number.
func issuerOf(c eco.Certificate, forms eco.Forms) partners.IssuerQuery {
	q := partners.IssuerQuery{
		Country: c.IssuingCountry, Body: c.IssuingBody.ID, Form: c.Form,
		Office: c.IssuingBody.Office, Signatory: c.Certification.Officer, Issued: c.IssuedAt,
	}
	form, _ := forms.ByCode(c.Form)
	for _, rule := range form.ReferencesOf(c.IssuingCountry, c.IssuingBody.ID, c.IssuedAt) {
		if parts, ok := rule.Match(c.Reference); ok {
			q.Office = cmp.Or(q.Office, parts.Office)
		}
	}
	return q
}

// checkIssuer asks that the credential which signed the document is one with which the issuing body that the document names may have
// issued this form for that office, and returns what an officer has to decide.
func checkIssuer(r *reception, query partners.IssuerQuery, signer *x509.Certificate) ([]eco.Finding, error) {
	authority, err := r.registry.Authority(r.agreement.Partner, query, r.request.Received)
	if err != nil {
		return nil, err
	}
	return authority.Doubts, authority.Check(signer)
}
