package eco

import (
	"fmt"
	"reflect"
	"slices"
)

// CheckKin compares c with the certificates that it names as related, and with others that name the same ones: earlier
// replacements, and back-to-back certificates that draw on the same original. others are all certificates that are known and
// might be any of these, of which certificates that stand in no relation to c do not matter; c may be among them. Of versions
// that are not in force any more, because another of others replaces or cancels them, nothing is counted.
//
// What it finds comes in the order of c.Related; nil when there is nothing. A related certificate that is not known is a
// warning, since it may be on paper or elsewhere, but for one that is to be cancelled. Work grows with the items of all, and
// with the square of how many name the same original: hand in those that stand in a relation, not a whole store.
func CheckKin(c Certificate, others []Certificate) []Finding {
	k := &kin{validation: validation{c: &c}, c: &c}
	for i := range others {
		if !reflect.DeepEqual(others[i], c) {
			k.others = append(k.others, &others[i])
		}
	}
	for i, related := range c.Related {
		if c.Status == StatusCancellation && related.Relation != RelationCancels {
			continue // It repeats what the cancelled certificate says.
		}
		k.check(fmt.Sprintf("related[%d]", i), related)
	}
	return k.findings
}

// kin is one run of CheckKin.
type kin struct {
	validation
	c      *Certificate
	others []*Certificate
}

func (k *kin) check(path string, related RelatedCertificate) {
	code := CodeRelated
	if related.Relation == RelationBackToBack {
		code = CodeBackToBack
	}
	parent := find(k.others, related, k.c)
	if parent == nil {
		severity := SeverityWarning
		if related.Relation == RelationCancels {
			severity = SeverityError
		}
		k.add(severity, code, path+".reference", fmt.Sprintf("no certificate %q is known", related.Reference), "check number and issuing country, or ask for the certificate")
		return
	}
	k.checkOrder(path, code, related, parent)
	switch related.Relation {
	case RelationReplaces:
		k.checkReplacement(path, related, parent)
	case RelationTrueCopyOf:
		k.checkCopy(path, related, parent)
	case RelationCancels:
		k.checkSameIssuer(path, parent)
	case RelationBackToBack:
		k.checkBackToBack(path, parent)
	}
}

// find is the certificate that related names in c. Where it does not say the country, an original of a back-to-back
// certificate may be of any, and all else is of the country that issued c.
func find(among []*Certificate, related RelatedCertificate, c *Certificate) *Certificate {
	reference, country := NormaliseReference(related.Reference), related.Country
	if country == "" && related.Relation != RelationBackToBack {
		country = c.IssuingCountry
	}
	var found *Certificate
	for _, other := range among {
		if NormaliseReference(other.Reference) != reference || country != "" && other.IssuingCountry != country || other.Status == StatusCancellation {
			continue
		}
		if found == nil || found.Form != c.Form && other.Form == c.Form {
			found = other
		}
	}
	return found
}

// names reports whether other names parent by relation.
func names(other *Certificate, relation Relation, parent *Certificate) bool {
	return slices.ContainsFunc(other.Related, func(r RelatedCertificate) bool {
		return r.Relation == relation && find([]*Certificate{parent}, r, other) != nil
	})
}

// sameNumber reports whether two documents have one number of one issuer and form.
func sameNumber(a, b *Certificate) bool {
	return a.Form == b.Form && a.IssuingCountry == b.IssuingCountry && NormaliseReference(a.Reference) == NormaliseReference(b.Reference)
}

// checkOrder compares the dates of both.
func (k *kin) checkOrder(path, code string, related RelatedCertificate, parent *Certificate) {
	if !related.Date.IsZero() && !parent.IssuedAt.IsZero() && related.Date != parent.IssuedAt {
		k.fail(code, path+".date", fmt.Sprintf("%s was issued on %s, found %s", parent.Reference, parent.IssuedAt, related.Date), "state the date that it bears")
	}
	if !k.c.IssuedAt.IsZero() && k.c.IssuedAt.Before(parent.IssuedAt) {
		k.fail(CodeDates, "issue_date", fmt.Sprintf("issued on %s, before %s, which it names and which was issued on %s", k.c.IssuedAt, parent.Reference, parent.IssuedAt), "check both dates")
	}
	if names(parent, related.Relation, k.c) && !sameNumber(parent, k.c) {
		k.fail(code, path+".reference", fmt.Sprintf("%s and %s name each other", k.c.Reference, parent.Reference), "only the later one names the earlier")
	}
}

// checkSameIssuer finds a certificate of another form or country: only who issued it replaces, copies or cancels it.
func (k *kin) checkSameIssuer(path string, parent *Certificate) {
	if parent.Form != k.c.Form {
		k.fail(CodeRelated, path+".reference", fmt.Sprintf("want form %s, %s has form %s", k.c.Form, parent.Reference, parent.Form), "check the number")
	}
	if parent.IssuingCountry != k.c.IssuingCountry {
		k.fail(CodeRelated, path+".country", fmt.Sprintf("want issuing country %s, %s was issued in %s", k.c.IssuingCountry, parent.Reference, parent.IssuingCountry), "check the number")
	}
}

// checkReplacement looks at the number and at other replacements. ATIGA OCP Rule 29(4) has the previous certificate cancelled;
// a new number is the rule, which partners know exceptions from.
func (k *kin) checkReplacement(path string, related RelatedCertificate, parent *Certificate) {
	k.checkSameIssuer(path, parent)
	if sameNumber(parent, k.c) {
		k.warn(CodeRelated, path+".reference", fmt.Sprintf("%s replaces a certificate with its own number", k.c.Reference), "give the replacement a number of its own")
	}
	for _, other := range k.others {
		if other != parent && !sameNumber(other, k.c) && other.Status != StatusCancellation && names(other, RelationReplaces, parent) && !k.void(other) {
			k.fail(CodeRelated, path+".reference", fmt.Sprintf("%s was replaced by %s already", related.Reference, other.Reference), "replace that one")
			return
		}
	}
	if k.cancelled(parent) {
		k.warn(CodeRelated, path+".reference", fmt.Sprintf("%s was cancelled before", related.Reference), "make sure that it was cancelled to be replaced")
	}
}

// void reports whether a certificate was cancelled, or replaced by another than c.
func (k *kin) void(c *Certificate) bool { return k.cancelled(c) || k.replaced(c) }

func (k *kin) cancelled(c *Certificate) bool {
	return slices.ContainsFunc(k.others, func(o *Certificate) bool {
		return o != c && o.Status == StatusCancellation && names(o, RelationCancels, c)
	})
}

func (k *kin) replaced(c *Certificate) bool {
	return slices.ContainsFunc(k.others, func(o *Certificate) bool {
		return o != c && o.Status != StatusCancellation && names(o, RelationReplaces, c)
	})
}

// checkCopy holds a certified true copy to its original: number, day and content. ATIGA OCP Rule 12.
func (k *kin) checkCopy(path string, related RelatedCertificate, parent *Certificate) {
	k.checkSameIssuer(path, parent)
	if !sameNumber(parent, k.c) {
		k.warn(CodeRelated, "reference", fmt.Sprintf("a copy of %s has number %s", parent.Reference, k.c.Reference), "keep the original's number")
	}
	if !k.c.IssuedAt.IsZero() && k.c.IssuedAt != parent.IssuedAt {
		k.fail(CodeDates, "issue_date", fmt.Sprintf("a copy bears its original's date %s, found %s", parent.IssuedAt, k.c.IssuedAt), "keep the original's date")
	}
	for _, member := range differing(*k.c, *parent) {
		k.fail(CodeRelated, member, fmt.Sprintf("differs from the original %s", related.Reference), "copy the original, or issue a replacement")
	}
}

// ofTheCopy are the members that a copy may say otherwise than its original.
var ofTheCopy = []string{"version", "uuid", "status", "reference", "issue_date", "issue_time", "application", "flags", "related", "remarks", "certification"}

// differing lists the members in which a copy says otherwise than its original.
func differing(a, b Certificate) (members []string) {
	x, y := reflect.ValueOf(a.ForPartner()), reflect.ValueOf(b.ForPartner())
	for i := range x.NumField() {
		name := jsonName(x.Type().Field(i))
		if !slices.Contains(ofTheCopy, name) && !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
			members = append(members, name)
		}
	}
	return members
}
