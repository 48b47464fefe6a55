package ubl

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/beevik/etree"

	"github.com/ecogate/ecogate/eco"
)

// writer builds the tree of a document and remembers the first fault, so that the mapping reads without error checks.
// Elements without content are never written (UBL 2.1 ch. 4, IND5), nor are attributes (IND9).
type writer struct {
	err     error
	version Version
}

// isOld reports whether the document is for UBL 2.0.
func (w *writer) isOld() bool { return w.version == Version20 }

// leaf adds an element with text; attributes are pairs of name and value. It adds nothing when text is "".
func (w *writer) leaf(parent *etree.Element, name, text string, attributes ...string) {
	if text == "" {
		return
	}
	w.check(parent, name, text)
	element := parent.CreateElement(name)
	element.SetText(text)
	for i := 0; i+1 < len(attributes); i += 2 {
		if attributes[i+1] == "" {
			continue
		}
		w.check(parent, name+"/@"+attributes[i], attributes[i+1])
		element.CreateAttr(attributes[i], attributes[i+1])
	}
}

// must is leaf for elements that the schema requires; field names what a certificate lacks without it.
func (w *writer) must(parent *etree.Element, name, text, field string, attributes ...string) {
	if strings.TrimSpace(text) == "" {
		w.fail(fmt.Errorf("%s: a document needs it, found nothing", field))
		return
	}
	w.leaf(parent, name, text, attributes...)
}

// group adds an element and lets fill add its children; it adds nothing when fill adds none.
func (w *writer) group(parent *etree.Element, name string, fill func(e *etree.Element)) {
	element := etree.NewElement(name)
	fill(element)
	if len(element.Child) > 0 {
		parent.AddChild(element)
	}
}

func (w *writer) date(parent *etree.Element, name string, d eco.Date) {
	w.leaf(parent, name, d.String())
}

// decimal adds a number; unit is the name of the attribute that holds code.
func (w *writer) decimal(parent *etree.Element, name string, d eco.Decimal, unit, code string) {
	if err := d.Valid(); err != nil {
		w.fail(fmt.Errorf("%s: %w", place(parent, name), err))
		return
	}
	if code == "" {
		w.fail(fmt.Errorf("%s: a number needs its %s, found none", place(parent, name), unit))
		return
	}
	w.leaf(parent, name, string(d), unit, code)
}

// measure adds a measure, unless its unit is not one of this version's: the extension has it then.
func (w *writer) measure(parent *etree.Element, name string, m *eco.Measure) {
	if m != nil && w.hasUnit(m.Unit) {
		w.decimal(parent, name, m.Value, "unitCode", m.Unit)
	}
}

// amount adds an amount, unless its currency is not one of this version's: the extension has it then.
func (w *writer) amount(parent *etree.Element, name string, a *eco.Amount) {
	if a != nil && w.hasCurrency(a.Currency) {
		w.decimal(parent, name, a.Value, "currencyID", a.Currency)
	}
}

func (w *writer) hasUnit(code string) bool     { return !w.isOld() || listed(units20, code) }
func (w *writer) hasCurrency(code string) bool { return !w.isOld() || listed(currencies20, code) }

func (w *writer) country(parent *etree.Element, name, code string) {
	w.group(parent, name, func(e *etree.Element) { w.leaf(e, "cbc:IdentificationCode", code) })
}

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// check refuses what XML cannot hold (XML 1.0 §2.2), which etree would replace silently.
func (w *writer) check(parent *etree.Element, name, text string) {
	for i, r := range text {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				w.fail(fmt.Errorf("%s: want UTF-8 text, found octet %#x", place(parent, name), text[i]))
				return
			}
		}
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			w.fail(fmt.Errorf("%s: want characters that XML can hold, found %U", place(parent, name), r))
			return
		}
	}
}

// place names an element that is being written by its parent and itself; the parent may not have its own parent yet.
func place(parent *etree.Element, name string) string { return parent.FullTag() + "/" + name }
