package issuerlist

import (
	"encoding/base64"
	"encoding/xml"
	"strconv"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/internal/plainxml"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// Own is the list of our own issuing bodies, as the configuration has them at the instant at. Keys whose time is over are not on it, those
// that wait for theirs are; when a key ceases to sign is not said, since what it signed may still be on its way. Number, ValidFrom and
// NextUpdate are the caller's to fill in.
func Own(r *partners.Registry, at time.Time) (List, error) {
	self := r.Self()
	bodies, err := r.Bodies("")
	if err != nil {
		return List{}, err
	}
	at = at.UTC().Truncate(time.Second)
	for i := range bodies {
		var current []partners.BodyCredential
		for _, c := range bodies[i].Credentials {
			if over := c.Until; !over.IsZero() && !over.After(at) || !c.Chain[0].NotAfter.After(at) {
				continue
			}
			c.Chain, c.Until = c.Chain[:min(len(c.Chain), MaxChain)], time.Time{}
			current = append(current, c)
		}
		bodies[i].Credentials = current
	}
	return List{Party: self.PartyIDs, Name: self.Name, Issued: at, ValidFrom: at, Bodies: bodies}, nil
}

// Sign writes the list with an XML signature in it. The error wraps ErrDocument if the list breaks a rule, or is that of signing.
func (l List) Sign(key signing.Key) ([]byte, error) {
	document, err := l.write()
	if err != nil {
		return nil, err
	}
	return signing.SignDocument(document, place, key)
}

// SignCMS writes the list inside CMS SignedData, in DER, signed at its Issued. Errors are those of Sign.
func (l List) SignCMS(key signing.Key) ([]byte, error) {
	document, err := l.write()
	if err != nil {
		return nil, err
	}
	return signing.SignAnnouncement(document, key, l.Issued)
}

// write writes the list without signature.
func (l List) write() ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	var w plainxml.Writer
	w.WriteString(xml.Header + "<" + rootName + ` xmlns="` + Namespace + `" version="1">` + "\n")
	w.Group("Administration", func() {
		for _, id := range l.Party {
			kind := ""
			if id.Type != "" {
				kind = ` type="` + plainxml.Escaped(id.Type) + `"`
			}
			w.WriteString("<PartyId" + kind + ">" + plainxml.Escaped(id.Value) + "</PartyId>\n")
		}
		w.Optional("Name", l.Name)
	})
	w.Leaf("Number", strconv.Itoa(l.Number))
	w.Instant("Issued", l.Issued)
	w.Instant("ValidFrom", l.ValidFrom)
	w.Instant("NextUpdate", l.NextUpdate)
	for _, body := range l.Bodies {
		w.Group("IssuingBody", func() { writeBody(&w, body) })
	}
	w.WriteString("</" + rootName + ">\n")
	return []byte(w.String()), nil
}

func writeBody(w *plainxml.Writer, b partners.Body) {
	w.Leaf("ID", b.ID)
	w.Optional("Name", b.Name)
	w.Leaf("Country", b.Country)
	writeForms(w, b.Forms)
	w.Instant("From", b.From)
	w.Instant("Until", b.Until)
	for _, o := range b.Offices {
		w.Group("Office", func() {
			w.Leaf("ID", o.ID)
			w.Optional("Name", o.Name)
			w.Instant("From", o.From)
			w.Instant("Until", o.Until)
		})
	}
	for _, s := range b.Signatories {
		w.Group("Signatory", func() {
			w.Leaf("Name", s.Name)
			writeOffices(w, s.Offices)
			w.Instant("From", s.From)
			w.Instant("Until", s.Until)
		})
	}
	for _, c := range b.Credentials {
		w.Group("Credential", func() {
			for _, x509Cert := range c.Chain {
				w.Leaf("X509Certificate", base64.StdEncoding.EncodeToString(x509Cert.Raw))
			}
			writeOffices(w, c.Offices)
			writeForms(w, c.Forms)
			w.Instant("From", c.From)
			w.Instant("Until", c.Until)
		})
	}
}

func writeForms(w *plainxml.Writer, forms []eco.FormCode) {
	for _, form := range forms {
		w.Leaf("Form", string(form))
	}
}

func writeOffices(w *plainxml.Writer, ids []string) {
	for _, id := range ids {
		w.Leaf("OfficeID", id)
	}
}
