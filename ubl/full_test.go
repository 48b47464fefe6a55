package ubl_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/ubl"
)

// fill gives value what it lacks and other has.
func fill(value, other reflect.Value) {
	switch {
	case value.IsZero():
		value.Set(other)
	case value.Kind() == reflect.Pointer:
		whole := reflect.New(value.Type().Elem()) // Others may share what it points to.
		whole.Elem().Set(value.Elem())
		if !other.IsNil() {
			fill(whole.Elem(), other.Elem())
		}
		value.Set(whole)
	case value.Kind() == reflect.Struct:
		for i := range value.NumField() {
			fill(value.Field(i), other.Field(i))
		}
	case value.Kind() == reflect.Slice && value.Type().Elem().Kind() == reflect.Struct:
		for i := range min(value.Len(), other.Len()) {
			fill(value.Index(i), other.Index(i))
		}
	}
}

// missing are the paths of what has no value.
func missing(path string, value reflect.Value) (list []string) {
	switch {
	case value.Kind() != reflect.Bool && value.IsZero():
		return []string{path}
	case value.Kind() == reflect.Pointer:
		return missing(path, value.Elem())
	case value.Kind() == reflect.Struct:
		for i := range value.NumField() {
			list = append(list, missing(path+"."+value.Type().Field(i).Name, value.Field(i))...)
		}
	case value.Kind() == reflect.Slice && value.Type().Elem().Kind() == reflect.Struct && value.Len() > 0:
		list = missing(path+"[0]", value.Index(0))
	}
	return list
}

// rest is what generated certificates never have, or not those of every form.
var rest = eco.Certificate{
	Transport: eco.Transport{
		DischargePort: eco.Location{Code: "SGSIN", Name: "SINGAPORE"}, Transshipment: eco.Location{Code: "MYPKG", Name: "PORT KLANG"},
	},
	Exhibition: &eco.Exhibition{Name: "FAIR", Address: "1 HALL ROAD", Country: "SG"},
	Flags:      map[eco.Flag]bool{},
	Items: []eco.Item{{
		HSBasis: "IMPORTING", NetWeight: &eco.Measure{Value: "2.50", Unit: "KGM"}, FOB: &eco.Amount{Value: "10.00", Currency: "USD"},
		Criteria: []eco.Criterion{{Code: "RVC", Percent: "40"}},
	}},
}

// A certificate that has everything at once survives too: no member stands in the way of another.
func TestCertificateWithEverythingSurvivesItsDocument(t *testing.T) {
	for _, form := range eco.DefaultForms().All() {
		generated := ecotest.Certificate(form.Code)
		c := generated.Example(1)
		for seed := range 60 {
			fill(reflect.ValueOf(&c).Elem(), reflect.ValueOf(generated.Example(seed+2)))
		}
		fill(reflect.ValueOf(&c).Elem(), reflect.ValueOf(rest))
		for i := range c.Items {
			fill(reflect.ValueOf(&c.Items[i]).Elem(), reflect.ValueOf(rest.Items[0]))
		}
		if lacks := missing("", reflect.ValueOf(c)); !slices.Equal(lacks, []string{".Items[0].CPE"}) { // It stays in the country.
			t.Errorf("%s: the test leaves out %s", form.Code, strings.Join(lacks, " "))
		}
		for _, version := range []ubl.Version{ubl.Version20, ubl.Version21} {
			t.Run(fmt.Sprint(form.Code, " ", version), func(t *testing.T) {
				reading := read(t, marshalFor(t, version, c))
				if len(reading.Findings) > 0 {
					t.Error(reading.Findings)
				}
				if diff := cmp.Diff(c, reading.Certificate, cmpopts.EquateEmpty()); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}
