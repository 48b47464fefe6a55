package ubl

import (
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/ecogate/ecogate/eco"
)

// extensions writes the place for the signature, which comes first so that SignaturePath is found without looking at
// URIs, and the extension with what UBL has no element for.
func (w *writer) extensions(root *etree.Element, c *eco.Certificate, form eco.Form, references []reference) {
	w.group(root, "ext:UBLExtensions", func(e *etree.Element) {
		signature := w.extension(e, 1, signatureURI)
		signatures := signature.CreateElement("sig:UBLDocumentSignatures")
		signatures.CreateAttr("xmlns:sig", nsSig)
		signatures.CreateAttr("xmlns:sac", nsSac)
		signatures.CreateAttr("xmlns:sbc", nsSbc)
		information := signatures.CreateElement("sac:SignatureInformation")
		w.leaf(information, "cbc:ID", signatureInformationID)
		w.leaf(information, "sbc:ReferencedSignatureID", endorsementID)
		w.origin(w.extension(e, 2, nsOrigin), c, form, references)
	})
}

func (w *writer) extension(parent *etree.Element, number int, uri string) *etree.Element {
	e := parent.CreateElement("ext:UBLExtension")
	w.leaf(e, "cbc:ID", extensionID+strconv.Itoa(number))
	w.leaf(e, "ext:ExtensionURI", uri)
	return e.CreateElement("ext:ExtensionContent")
}

// origin writes our own extension, whose schema is docs/schema/origin-1.xsd.
func (w *writer) origin(content *etree.Element, c *eco.Certificate, form eco.Form, references []reference) {
	e := content.CreateElement("eco:OriginCertificateDetails")
	e.CreateAttr("xmlns:eco", nsOrigin)
	w.leaf(e, "eco:FormCode", string(c.Form))
	w.must(e, "eco:IssuingBodyID", c.IssuingBody.ID, "issuing_body.id")
	w.leaf(e, "eco:IssuingOffice", c.IssuingBody.Office)
	w.leaf(e, "eco:ApplicationReference", c.Application)
	w.leaf(e, "eco:JobReference", c.Job)
	// UBL 2.1 IND6: absence has no meaning, so every indicator is written, true or false. That a certificate has one for
	// each box of its form is eco.Validate's to ask.
	for _, flag := range sortedFlags(c.Flags) {
		w.leaf(e, "eco:Indicator", strconv.FormatBool(c.Flags[flag]), "code", string(flag))
	}
	w.date(e, "eco:DeclarationDate", c.Declaration.Date)
	w.leaf(e, "eco:DeclarationPlace", c.Declaration.Place)
	w.date(e, "eco:ShipmentDate", c.Transport.ShipmentDate)
	w.date(e, "eco:SailingDate", c.Transport.SailingDate)
	if c.Exhibition != nil {
		w.group(e, "eco:Exhibition", func(e *etree.Element) {
			w.leaf(e, "eco:Name", c.Exhibition.Name)
			w.leaf(e, "eco:Address", c.Exhibition.Address)
			w.leaf(e, "eco:Country", c.Exhibition.Country)
		})
	}
	if w.isOld() && c.Remarks != "" && inWords(c, form) != "" {
		w.leaf(e, "eco:Remarks", c.Remarks)
	}
	for i := range references {
		w.beside(e, i+1, &references[i])
	}
	for i := range c.Items {
		w.unlisted(e, i+1, &c.Items[i])
	}
}

// beside writes what the reference at that position, counted from 1, has no element for.
func (w *writer) beside(parent *etree.Element, position int, r *reference) {
	w.group(parent, "eco:SupportingDocument", func(e *etree.Element) {
		if w.isOld() {
			w.leaf(e, "eco:Status", r.status)
			w.leaf(e, "eco:HashAlgorithm", r.algorithm)
			w.leaf(e, "eco:MediaType", r.mediaType)
			w.leaf(e, "eco:FileName", r.fileName)
		}
		w.leaf(e, "eco:OriginCountry", r.originCountry)
		w.leaf(e, "eco:ExporterCode", r.exporterCode)
		if w.isOld() {
			w.issuerOf(e, r)
		}
		if len(e.Child) > 0 {
			e.CreateAttr("position", strconv.Itoa(position))
		}
	})
}

// unlisted writes the values of the item at that position whose units or currency this version of UBL does not list.
func (w *writer) unlisted(parent *etree.Element, position int, item *eco.Item) {
	for _, entry := range itemMeasures(item) {
		if m := *entry.measure; m != nil && !w.hasUnit(m.Unit) {
			w.decimal(parent, "eco:ItemMeasure", m.Value, "unitCode", m.Unit)
			w.about(parent, position, entry.name)
		}
	}
	if f := item.FOB; f != nil && !w.hasCurrency(f.Currency) {
		w.decimal(parent, "eco:ItemAmount", f.Value, "currencyID", f.Currency)
		w.about(parent, position, "fob")
	}
}

// about says which value of which item the last element below parent is.
func (w *writer) about(parent *etree.Element, position int, name string) {
	children := parent.ChildElements()
	last := children[len(children)-1]
	last.CreateAttr("item", strconv.Itoa(position))
	last.CreateAttr("name", name)
}

// itemMeasure is a measure of an item by the name that it has in JSON.
type itemMeasure struct {
	name    string
	measure **eco.Measure
}

func itemMeasures(item *eco.Item) []itemMeasure {
	return []itemMeasure{{"gross_weight", &item.GrossWeight}, {"net_weight", &item.NetWeight}, {"quantity", &item.Quantity}}
}

// sortedFlags are the indicators in the order of their names, for equal certificates to give equal octets.
func sortedFlags(flags map[eco.Flag]bool) []eco.Flag {
	sorted := make([]eco.Flag, 0, len(flags))
	for flag := range flags {
		sorted = append(sorted, flag)
	}
	slices.Sort(sorted)
	return sorted
}

// relationWords say a relation to people: in Remarks, and as the type of the referred document.
var relationWords = map[eco.Relation]string{
	eco.RelationReplaces:   "REPLACED CERTIFICATE OF ORIGIN",
	eco.RelationBackToBack: "ORIGINAL PROOF OF ORIGIN",
	eco.RelationTrueCopyOf: "ORIGINAL CERTIFICATE OF ORIGIN",
	eco.RelationCancels:    "CANCELLED CERTIFICATE OF ORIGIN",
}

// inWords repeats for people, and for readers that drop extensions, what the form's boxes would show.
func inWords(c *eco.Certificate, form eco.Form) string {
	var words []string
	for _, flag := range form.Flags {
		if c.Flags[flag] {
			words = append(words, strings.ReplaceAll(string(flag), "_", " "))
		}
	}
	if c.Exhibition != nil {
		words = append(words, join("EXHIBITED AT", c.Exhibition.Name, c.Exhibition.Address, c.Exhibition.Country))
	}
	for _, related := range c.Related {
		words = append(words, join(relationWords[related.Relation], related.Reference, related.Date.String(), related.Country))
	}
	return strings.Join(words, "; ")
}

// join puts spaces between what is not empty.
func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}
