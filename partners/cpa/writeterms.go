package cpa

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// algorithms are what a side signs with under an agreement, and the hash beside it.
func (w *writer) algorithms(i int, a partners.AgreementConfig) (hash string, list []string, err error) {
	chain := w.sides[i].credential(partners.UseMessageSignature)
	if chain == nil {
		return "", nil, fmt.Errorf("%s has no message-signature credential, and messages of CPAId %q are signed", w.sides[i].Name, a.CPAID)
	}
	usual := ""
	switch public := chain[0].PublicKey.(type) {
	case *ecdsa.PublicKey:
		usual = map[int]string{256: "ecdsa-sha256", 384: "ecdsa-sha384", 521: "ecdsa-sha512"}[public.Curve.Params().BitSize]
	case ed25519.PublicKey:
		usual = "eddsa-ed25519"
	default:
		usual = "rsa-sha256"
	}
	list = []string{usual}
	switch {
	case i == 0 && a.SignatureAlgorithm != "":
		list = []string{a.SignatureAlgorithm}
	case i == 1 && (len(a.Algorithms) > 0 || a.AllowSHA1):
		list = slices.Clone(a.Algorithms)
	}
	for n, name := range list {
		list[n] = spelled(name)
	}
	if i == 1 && a.AllowSHA1 {
		return sha1, append(list, spaceDS+"rsa-sha1"), nil
	}
	for suffix, uri := range map[string]string{"sha384": sha384, "sha512": sha512} {
		if strings.Contains(list[0], suffix) {
			return uri, list, nil
		}
	}
	return sha256, list, nil
}

// spelled is the identifier of an algorithm that may be named by the part after "#".
func spelled(name string) string {
	for _, uri := range signing.SigningAlgorithms() {
		if uri == name || strings.HasSuffix(uri, "#"+name) {
			return uri
		}
	}
	return name
}

// exchange writes the DocExchange of an agreement.
func (w *writer) exchange(i, n int, a partners.AgreementConfig) (*element, error) {
	out, in := el("ebXMLSenderBinding", "version", "2.0"), el("ebXMLReceiverBinding", "version", "2.0")
	for _, binding := range []*element{out, in} {
		binding.with(el("ReliableMessaging").with(
			leaf("Retries", strconv.Itoa(*a.Retries)), leaf("RetryInterval", writeDuration(a.RetryInterval)), leaf("MessageOrderSemantics", a.MessageOrder)),
			leaf("PersistDuration", writeDuration(a.PersistDuration)))
	}
	if *a.SignatureRequired {
		if err := w.nonRepudiation(i, a, out, in); err != nil {
			return nil, err
		}
	}
	return el("DocExchange", "docExchangeId", w.id(i, n, "messages")+"-exchange").with(out, in), nil
}

// signalExchange writes the DocExchange of acknowledgments and errors.
func (w *writer) signalExchange(i int, signed bool) (*element, error) {
	out, in := el("ebXMLSenderBinding", "version", "2.0"), el("ebXMLReceiverBinding", "version", "2.0")
	if signed {
		if err := w.nonRepudiation(i, w.Agreements[0], out, in); err != nil {
			return nil, err
		}
	}
	return el("DocExchange", "docExchangeId", w.sides[i].letter+"-signals-exchange").with(out, in), nil
}

func (w *writer) nonRepudiation(i int, a partners.AgreementConfig, out, in *element) error {
	for _, way := range []struct {
		binding *element
		name    string
		of      int // whose signatures
	}{{out, "SenderNonRepudiation", i}, {in, "ReceiverNonRepudiation", 1 - i}} {
		hash, algorithms, err := w.algorithms(way.of, a)
		if err != nil {
			return err
		}
		how := el(way.name).with(leaf("NonRepudiationProtocol", spaceDS), leaf("HashFunction", hash))
		for _, name := range algorithms {
			how.with(leaf("SignatureAlgorithm", name, "w3c", name))
		}
		if way.of == i {
			how.with(el("SigningCertificateRef", "certId", w.sides[i].certificate(w.sides[i].credential(partners.UseMessageSignature))))
		} else {
			how.with(el("SigningSecurityDetailsRef", "securityId", w.sides[i].letter+"-trust"))
		}
		way.binding.with(how)
	}
	return nil
}

// packaging writes the parts that messages have.
func (w *writer) packaging() []*element {
	list := []*element{
		el("SimplePart", "id", "header", "mimetype", "text/xml").with(leaf("NamespaceSupported", spaceHeader, "location", spaceHeader, "version", "2.0")),
		el("SimplePart", "id", "document", "mimetype", "application/xml"),
		el("SimplePart", "id", "attachment", "mimetype", "application/octet-stream"),
		packed("signals", el("Constituent", "idref", "header")),
	}
	for n, a := range w.Agreements {
		most := a.MaxParts
		if most == 0 {
			most = signing.MaxParts
		}
		parts := []*element{el("Constituent", "idref", "header"), el("Constituent", "idref", "document", "minOccurs", "1", "maxOccurs", "1")}
		if most > 2 {
			parts = append(parts, el("Constituent", "idref", "attachment", "minOccurs", "0", "maxOccurs", strconv.Itoa(most-2)))
		}
		list = append(list, packed(w.pack(n, "messages"), parts...))
		if answered(a) {
			list = append(list, packed(w.pack(n, "answers"), el("Constituent", "idref", "header"), el("Constituent", "idref", "document", "minOccurs", "1", "maxOccurs", "2")))
		}
	}
	return list
}

const spaceHeader = "http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd"

func packed(id string, parts ...*element) *element {
	return el("Packaging", "id", id).with(
		el("ProcessingCapabilities", "parse", "true", "generate", "true"),
		el("CompositeList").with(el("Composite", "id", id+"-composite", "mimetype", "multipart/related", "mimeparameters", "type=text/xml").with(parts...)))
}

// comments write what a CPA has no place for.
func (w *writer) comments() []*element {
	var list []*element
	for _, a := range w.Agreements {
		var says []string
		if len(a.Forms) > 0 {
			var forms []string
			for _, form := range a.Forms {
				forms = append(forms, string(form))
			}
			says = append(says, "forms "+strings.Join(forms, ", "))
		}
		says = append(says, "documents UBL "+a.UBLVersion)
		if a.SOAPAction != partners.DefaultSOAPAction {
			says = append(says, "SOAPAction "+a.SOAPAction)
		}
		if a.MaxBytes > 0 {
			says = append(says, "messages of at most "+strconv.FormatInt(a.MaxBytes, 10)+" bytes")
		}
		if a.TimeStampRequired {
			says = append(says, "documents with a time-stamp (XAdES-T)")
		}
		list = append(list, leaf("Comment", "Service "+a.Service.Value+": "+strings.Join(says, "; "), "xml:lang", "en"))
	}
	return list
}
