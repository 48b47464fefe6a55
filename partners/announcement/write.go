package announcement

import (
	"encoding/base64"
	"encoding/xml"
	"slices"
	"strconv"

	"github.com/ecogate/ecogate/internal/plainxml"
	"github.com/ecogate/ecogate/signing"
)

// Namespace is that of both documents.
const Namespace = "urn:ecogate:credentials:1"

const (
	announcementRoot = "CredentialAnnouncement"
	answerRoot       = "CredentialAnnouncementAnswer"
)

// place is where the signatures of an announcement are.
var place = []xml.Name{{Space: Namespace, Local: announcementRoot}}

// Sign writes the announcement with a signature of each key. The error wraps ErrDocument, or is that of signing.
func (a Announcement) Sign(keys []signing.Key) ([]byte, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	document := a.write()
	if len(keys) == 0 {
		return document, nil
	}
	return signing.SignTogether(document, place, keys)
}

func (a Announcement) write() []byte {
	var w plainxml.Writer
	w.WriteString(xml.Header + "<" + announcementRoot + ` xmlns="` + Namespace + `" version="1"><Party>`)
	for _, id := range a.Party {
		kind := ""
		if id.Type != "" {
			kind = ` type="` + plainxml.Escaped(id.Type) + `"`
		}
		w.WriteString("<PartyId" + kind + ">" + plainxml.Escaped(id.Value) + "</PartyId>")
	}
	w.WriteString("</Party>")
	w.Leaf("Number", strconv.FormatUint(a.Number, 10))
	w.Instant("Issued", a.Issued)
	for _, c := range a.Credentials {
		w.WriteString("<Credential>")
		for _, use := range c.Uses {
			w.Leaf("Use", string(use))
		}
		w.Optional("IssuingBody", c.Body)
		for _, x509Cert := range c.Chain {
			w.Leaf("X509Certificate", base64.StdEncoding.EncodeToString(x509Cert.Raw))
		}
		w.Instant("ActiveFrom", c.ActiveFrom)
		w.Instant("OldRetires", c.OldRetires)
		w.WriteString("</Credential>")
	}
	w.WriteString("</" + announcementRoot + ">\n")
	return []byte(w.String())
}

// Marshal writes the answer.
func (a Answer) Marshal() []byte {
	var w plainxml.Writer
	w.WriteString(xml.Header + "<" + answerRoot + ` xmlns="` + Namespace + `" version="1">`)
	w.Leaf("Number", strconv.FormatUint(a.Number, 10))
	outcomes := slices.SortedFunc(slices.Values(a.Outcomes), compareOutcomes)
	for _, o := range outcomes {
		w.WriteString("<Credential>")
		w.Leaf("SHA256", o.SHA256)
		w.Leaf("Use", string(o.Use))
		w.Optional("IssuingBody", o.Body)
		w.Leaf("Result", string(o.Result))
		w.Optional("Reason", o.Told)
		w.Leaf("Verified", strconv.FormatUint(o.Verified, 10))
		w.Leaf("Failed", strconv.FormatUint(o.Failed, 10))
		w.WriteString("</Credential>")
	}
	w.WriteString("</" + answerRoot + ">\n")
	return []byte(w.String())
}
