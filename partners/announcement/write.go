package announcement

import (
	"encoding/base64"
	"encoding/xml"
	"slices"
	"strconv"

	"github.com/ecogate/ecogate/signing"
)

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
	var w writer
	w.WriteString(xml.Header + "<" + announcementRoot + ` xmlns="` + Namespace + `" version="1"><Party>`)
	for _, id := range a.Party {
		kind := ""
		if id.Type != "" {
			kind = ` type="` + escaped(id.Type) + `"`
		}
		w.WriteString("<PartyId" + kind + ">" + escaped(id.Value) + "</PartyId>")
	}
	w.WriteString("</Party>")
	w.leaf("Number", strconv.FormatUint(a.Number, 10))
	w.leaf("Issued", instant(a.Issued))
	for _, c := range a.Credentials {
		w.WriteString("<Credential>")
		for _, use := range c.Uses {
			w.leaf("Use", string(use))
		}
		if c.Body != "" {
			w.leaf("IssuingBody", c.Body)
		}
		for _, x509Cert := range c.Chain {
			w.leaf("X509Certificate", base64.StdEncoding.EncodeToString(x509Cert.Raw))
		}
		w.leaf("ActiveFrom", instant(c.ActiveFrom))
		if !c.OldRetires.IsZero() {
			w.leaf("OldRetires", instant(c.OldRetires))
		}
		w.WriteString("</Credential>")
	}
	w.WriteString("</" + announcementRoot + ">\n")
	return []byte(w.String())
}

// Marshal writes the answer.
func (a Answer) Marshal() []byte {
	var w writer
	w.WriteString(xml.Header + "<" + answerRoot + ` xmlns="` + Namespace + `" version="1">`)
	w.leaf("Number", strconv.FormatUint(a.Number, 10))
	outcomes := slices.SortedFunc(slices.Values(a.Outcomes), compareOutcomes)
	for _, o := range outcomes {
		w.WriteString("<Credential>")
		w.leaf("SHA256", o.SHA256)
		w.leaf("Use", string(o.Use))
		if o.Body != "" {
			w.leaf("IssuingBody", o.Body)
		}
		w.leaf("Result", string(o.Result))
		if o.Told != "" {
			w.leaf("Reason", o.Told)
		}
		w.leaf("Verified", strconv.FormatUint(o.Verified, 10))
		w.leaf("Failed", strconv.FormatUint(o.Failed, 10))
		w.WriteString("</Credential>")
	}
	w.WriteString("</" + answerRoot + ">\n")
	return []byte(w.String())
}
