package signing_test

import (
	"encoding/xml"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/signing"
)

func TestCanonicalizeWithSelectsByIdentifier(t *testing.T) {
	const doc = `<r xmlns="urn:d" xmlns:p="urn:p" xml:lang="en"><p:x Id="s"><y/></p:x><z ID="t"/><z id="t"/></r>`
	for _, test := range []struct {
		name    string
		options signing.CanonicalOptions
		want    string
	}{
		{"whole document", signing.CanonicalOptions{}, `<r xmlns="urn:d" xmlns:p="urn:p" xml:lang="en"><p:x Id="s"><y></y></p:x><z ID="t"></z><z id="t"></z></r>`},
		{"in its place", signing.CanonicalOptions{ID: "s"}, `<p:x xmlns="urn:d" xmlns:p="urn:p" Id="s" xml:lang="en"><y></y></p:x>`},
		{"exclusive", signing.CanonicalOptions{ID: "s", Exclusive: true}, `<p:x xmlns:p="urn:p" Id="s"><y xmlns="urn:d"></y></p:x>`},
		{"exclusive with #default", signing.CanonicalOptions{ID: "s", Exclusive: true, Prefixes: []string{"#default"}},
			`<p:x xmlns="urn:d" xmlns:p="urn:p" Id="s"><y></y></p:x>`},
		{"inclusive has no list", signing.CanonicalOptions{ID: "s", Prefixes: []string{"p"}}, `<p:x xmlns="urn:d" xmlns:p="urn:p" Id="s" xml:lang="en"><y></y></p:x>`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := signing.CanonicalizeWith([]byte(doc), test.options)
			if err != nil || string(got) != test.want {
				t.Errorf("%v\n got %s\nwant %s", err, got, test.want)
			}
		})
	}
	for id, reason := range map[string]string{
		"t": `expected one element with the identifier "t", found 2, at 1:70, 1:81`,
		"u": `expected one element with the identifier "u", found none`,
	} {
		_, err := signing.CanonicalizeWith([]byte(doc), signing.CanonicalOptions{ID: id})
		var wrong *signing.Error
		if !errors.As(err, &wrong) || wrong.Kind != signing.ErrMalformed || wrong.Rule != "identifier" || wrong.Reason != reason || wrong.Line != 1 {
			t.Errorf("%s: %v, want %s", id, err, reason)
		}
	}
}

// A hostile document has any number of elements with the same identifier; an error stays short.
func TestCanonicalizeWithNamesFewOfManyPlaces(t *testing.T) {
	_, err := signing.CanonicalizeWith([]byte("<r>"+strings.Repeat(`<a Id="s"/>`, 10_000)+"</r>"), signing.CanonicalOptions{ID: "s"})
	if err == nil || !strings.Contains(err.Error(), "found 10000, at ") || !strings.HasSuffix(err.Error(), " and more") || len(err.Error()) > 200 {
		t.Error(err)
	}
}

func TestPlaceFindsNamesByWhatIsWritten(t *testing.T) {
	const doc = `<r xmlns="urn:d" xmlns:p="urn:p"><p:x><y xmlns=""/><xml:z/></p:x><x><y/></x></r>`
	root, x := xml.Name{Space: "urn:d", Local: "r"}, xml.Name{Space: "urn:p", Local: "x"}
	for _, test := range []struct {
		path   string
		want   []xml.Name
		reason string
	}{
		{"", []xml.Name{root}, ""},
		{"/r", []xml.Name{root}, ""},
		{"/r/p:x", []xml.Name{root, x}, ""},
		{"/r/p:x/y", []xml.Name{root, x, {Local: "y"}}, ""},
		{"/r/p:x/z", []xml.Name{root, x, {Space: "http://www.w3.org/XML/1998/namespace", Local: "z"}}, ""},
		{"/r/x", nil, `expected one element at "/r/x", found 2, at 1:34, 1:66`},
		{"/r/q:x", nil, `expected one element at "/r/q:x", found none`},
		{"/x", nil, `expected one element at "/x", found none`},
		{"/r/", nil, `expected one element at "/r/", found none`},
		{"/", nil, `expected one element at "/", found none`},
	} {
		t.Run(test.path, func(t *testing.T) {
			got, err := signing.Place([]byte(doc), test.path)
			var wrong *signing.Error
			if errors.As(err, &wrong); !slices.Equal(got, test.want) || (wrong == nil) != (test.reason == "") || wrong != nil && wrong.Reason != test.reason {
				t.Errorf("%v, %v\nwant %v, %s", got, err, test.want, test.reason)
			}
		})
	}
}

func TestInspectDocumentFindsThePlaceOfTheSignature(t *testing.T) {
	key := keyOf(t, p256Key)
	signed, err := signing.SignDocument([]byte(document), documentPath, key)
	if err != nil {
		t.Fatal(err)
	}
	inspection, path, err := signing.InspectDocument(signed, signing.Policy{})
	if err != nil || inspection.Refused != nil || !slices.Equal(path, documentPath) || len(inspection.Credentials) != 1 ||
		len(inspection.References) != 1 || inspection.References[0].Finding != signing.FindingMatches {
		t.Errorf("%+v at %v: %v", inspection, path, err)
	}
	changed := strings.Replace(string(signed), "KE-2026-1", "KE-2026-2", 1)
	inspection, _, err = signing.InspectDocument([]byte(changed), signing.Policy{})
	if err != nil || inspection.References[0].Finding != signing.FindingDiffers {
		t.Errorf("changed: %+v: %v", inspection, err)
	}
	inspection, path, err = signing.InspectDocument([]byte(document), signing.Policy{})
	if err != nil || !errors.Is(inspection.Refused, signing.ErrUnsigned) || path != nil {
		t.Errorf("unsigned: %+v at %v: %v", inspection, path, err)
	}
	if _, _, err := signing.InspectDocument([]byte("<a>"), signing.Policy{}); !errors.Is(err, signing.ErrMalformed) {
		t.Error(err)
	}
}
