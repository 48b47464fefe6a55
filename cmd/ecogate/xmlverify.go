package main

import (
	"encoding/xml"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/signing"
)

// documentReport is how a document is signed.
type documentReport struct {
	Place string `json:"place,omitempty"` // local names from the root element to what holds the signature
	signedReport
	// SigningTime is what the signer of a XAdES document says, TimeStamp what a time-stamp authority says.
	SigningTime time.Time        `json:"signing_time,omitzero"`
	TimeStamp   *timeStampReport `json:"time_stamp,omitempty"`
}

// timeStampReport is the time-stamp of a valid document. Nobody vouches for it unless the command line names authorities.
type timeStampReport struct {
	Time         time.Time `json:"time"`
	Policy       string    `json:"policy"`
	SerialNumber string    `json:"serial_number"`
	// Authority made it; nil if that was not verified.
	Authority *credentialReport `json:"authority,omitempty"`
}

func (c *cli) xmlVerify() *cobra.Command {
	var flags judgeFlags
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Verify the enveloped signature of a document",
		Long:  xmlVerifyHelp,
		Args:  arguments("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			given, policy, err := flags.read()
			if err != nil {
				return &unreadable{err}
			}
			return c.verifyDocument(args[0], given, policy)
		},
	}
	flags.addXML(cmd)
	flags.addTimeStamp(cmd)
	return cmd
}

func (c *cli) verifyDocument(name string, given []candidate, p signing.Policy) error {
	doc, err := c.readDocument(name)
	if err != nil {
		return err
	}
	r, err := reportDocument(doc, given, p)
	if err != nil {
		return &unreadable{errors.New(documentProblem(inputName(name), err))}
	}
	if err := c.print(r, func(w *columns) { documentFields(w, r) }); err != nil {
		return &unreadable{err}
	}
	if !r.Verdict.Valid {
		return errNotValid
	}
	return nil
}

// reportDocument verifies a document. Its error means that it is no XML; anything that is wrong with the signature is in the
// verdict.
func reportDocument(doc []byte, given []candidate, p signing.Policy) (*documentReport, error) {
	inspection, path, err := signing.InspectDocument(doc, p)
	if err != nil {
		return nil, err
	}
	r := &documentReport{Place: placeText(path)}
	r.setSignature(inspection, aDocument, time.Time{})
	candidates := orOwn(given, inspection, aDocument)
	verified, reason := verifyAt(doc, path, inspection, candidates, p)
	r.setSigner(verified, candidates, time.Time{})
	r.setTimes(verified)
	r.Verdict = &verdict{Valid: reason == nil, Identified: reason == nil && len(given) > 0}
	if reason != nil {
		r.Verdict.Reason = reason.Error()
	}
	return r, nil
}

// setTimes says what a valid XAdES document says of the time of its signature; verified is nil for one that is not.
func (r *documentReport) setTimes(verified *signing.Verified) {
	if verified == nil {
		return
	}
	r.SigningTime = verified.SigningTime
	if stamp := verified.TimeStamp; stamp != nil {
		r.TimeStamp = &timeStampReport{stamp.Time, stamp.Policy, stamp.SerialNumber.String(), nil}
		if stamp.Authority != nil {
			authority := reportCredential(stamp.Authority, "--timestamp-anchor", time.Time{})
			r.TimeStamp.Authority = &authority
		}
	}
}

// verifyAt asks the code that a node asks. Its error says why the document is not valid.
func verifyAt(doc []byte, path []xml.Name, i *signing.Inspection, candidates []candidate, p signing.Policy) (*signing.Verified, error) {
	switch {
	case path == nil:
		return nil, i.Refused
	case i.Refused == nil && len(candidates) == 0:
		return nil, noCandidates(aDocument)
	}
	return signing.VerifyDocument(doc, path, credentialsOf(candidates), p)
}

func documentFields(c *columns, r *documentReport) {
	w := reportRows{c}
	w.field("signature in", r.Place)
	w.field("signing time", precise(r.SigningTime))
	if stamp := r.TimeStamp; stamp != nil {
		vouched := ""
		if stamp.Authority == nil {
			vouched = " (its authority was not verified)"
		}
		w.field("time-stamp", precise(stamp.Time)+vouched)
		w.field("  policy", stamp.Policy)
		w.field("  serial", stamp.SerialNumber)
		if stamp.Authority != nil {
			credentialFields(w, "time-stamp by", *stamp.Authority)
		}
	}
	signedFields(w, &r.signedReport, aDocument)
}

func placeText(path []xml.Name) string {
	text := ""
	for _, name := range path {
		text += "/" + name.Local
	}
	return text
}
