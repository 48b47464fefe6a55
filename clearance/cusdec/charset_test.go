package cusdec_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/cusdec"
	"github.com/ecogate/ecogate/eco"
)

// declared is a small declaration.
func declared() clearance.Declaration {
	return clearance.Declaration{
		Number: "DEC-1", Lodged: eco.Date{Year: 2026, Month: 11, Day: 29}, Importer: eco.Party{Name: "NAME"},
		Lines: []clearance.Line{{Number: 1, Citations: []clearance.Citation{{Reference: "CO-1"}}}},
	}
}

func TestCharacterSets(t *testing.T) {
	for _, test := range []struct{ set, octets, text string }{
		{"UNOA", "TAISHAN (TW) .,-/=!\"%&*;<>", "TAISHAN (TW) .,-/=!\"%&*;<>"},
		{"UNOB", "Taishan", "Taishan"},
		{"UNOC", "Bj\xf6rn & S\xf8n", "Björn & Søn"},
		{"UNOD", "\xa3\xf3d\xbc", "Łódź"},
		{"UNOE", "\xbc\xde\xe1\xda\xd2\xd0", "Москва"},
		{"UNOF", "\xc1\xe8\xde\xed\xe1", "Αθήνα"},
		{"UNOG", "\xa6", "Ĥ"},
		{"UNOH", "R\xeega", "Rîga"},
		{"UNOI", "\xe5\xd5\xd1", "مصر"},
		{"UNOJ", "\xe9\xf9\xf8\xe0\xec", "ישראל"},
		{"UNOK", "\xddstanbul", "İstanbul"},
		{"UNOY", "泰山 기계", "泰山 기계"},
	} {
		data := strings.Replace(string(written(style{version: 3}, declared())), "UNOY", test.set, 1)
		data = strings.Replace(data, "NAME", test.octets, 1)
		interchange, messages := read(t, []byte(data), cusdec.Limits{})
		faultless(t, interchange, messages)
		if found := messages[0].Declaration.Importer.Name; found != test.text {
			t.Errorf("%s: %q is read as %q, want %q", test.set, test.octets, found, test.text)
		}
	}
	for set, octets := range map[string]string{"UNOA": "a#$@[\\]^`{|}~\x7f\x80", "UNOB": "#$@[\\]^`{|}~\x7f\x80", "UNOC": "\x00\x1f\x7f\x80\x9f", "UNOG": "\xa5", "UNOY": "\xc3\x00"} {
		for _, octet := range []byte(octets) {
			data := strings.Replace(strings.Replace(string(written(style{version: 3}, declared())), "UNOY", set, 1), "NAME", "A"+string([]byte{octet})+"B", 1)
			_, messages := read(t, []byte(data), cusdec.Limits{})
			if f := messages[0].Faults; len(f) != 1 || f[0].Code != cusdec.CodeCharacter || f[0].Found != fmt.Sprintf("%q", []byte{octet}) {
				t.Errorf("%s: octet %#x gives %v", set, octet, f)
			}
		}
	}
}

// The information separators of level B are told by the octet after UNB, without any UNA.
func TestInformationSeparators(t *testing.T) {
	data := strings.NewReplacer("'", "\x1c", "+", "\x1d", ":", "\x1f").Replace(string(written(style{version: 3}, declared())))
	interchange, messages := read(t, []byte(data), cusdec.Limits{})
	faultless(t, interchange, messages)
	if found := messages[0].Declaration.Number; found != "DEC-1" {
		t.Errorf("number %q", found)
	}
}
