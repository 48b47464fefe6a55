package ubl_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/ubl"
)

// Every field of a certificate that was read has a place in the document.
func TestEveryFieldHasItsLocation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		options, c := drawOptions(t), drawCertificate(t)
		doc, err := options.Marshal(c, eco.DefaultForms())
		if err != nil {
			t.Fatal(err)
		}
		reading := read(t, doc)
		data, err := json.Marshal(reading.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		var value any
		if err := json.Unmarshal(data, &value); err != nil {
			t.Fatal(err)
		}
		locations := reading.Locations()
		for _, path := range leaves("", value) {
			if !slices.ContainsFunc(locations, func(l ubl.Location) bool { return within(path, l.Field) }) {
				t.Errorf("%s was found nowhere", path)
			}
		}
	})
}

// leaves are the paths of the values that are not empty.
func leaves(path string, value any) []string {
	var list []string
	switch value := value.(type) {
	case map[string]any:
		for name, inner := range value {
			list = append(list, leaves(strings.TrimPrefix(path+"."+name, "."), inner)...)
		}
	case []any:
		for i, inner := range value {
			list = append(list, leaves(fmt.Sprintf("%s[%d]", path, i), inner)...)
		}
	case nil:
	default:
		if value != "" {
			list = append(list, path)
		}
	}
	return list
}

// within reports whether path is field or a part of it.
func within(path, field string) bool {
	rest, found := strings.CutPrefix(path, field)
	return found && field != "" && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

func TestLocationsOfAPartnersDialect(t *testing.T) {
	reading := read(t, readHostile(t, ecotest.Files(t, "hostile/ubl/dialect-of-a-gateway.txt")[0]).document)
	want := []ubl.Location{
		{Field: "consignee", Path: "/CertificateOfOrigin/cac:CertificateOfOriginApplication/cac:Shipment/cac:Consignment/cac:ImporterParty"},
		{Field: "items[0].description", Path: "/CertificateOfOrigin/cac:CertificateOfOriginApplication/cac:Shipment/cac:TransportHandlingUnit/cac:GoodsItem/cbc:Description"},
		{Field: "transport.vessel", Path: "/CertificateOfOrigin/cac:CertificateOfOriginApplication/cac:Shipment/cbc:ID", Derived: true},
		{Field: "transport.discharge_port", Path: "/CertificateOfOrigin/cac:CertificateOfOriginApplication/cac:Shipment/cac:ShipmentStage[2]/cac:UnloadingPortLocation"},
		{Field: "flags.BACK_TO_BACK", Path: "/CertificateOfOrigin/cac:CertificateOfOriginApplication", Derived: true},
	}
	for _, w := range want {
		i := slices.IndexFunc(reading.Locations(), func(l ubl.Location) bool { return l.Field == w.Field })
		if i < 0 {
			t.Errorf("no %s among %v", w.Field, reading.Locations())
			continue
		}
		if diff := cmp.Diff(w, reading.Locations()[i]); diff != "" {
			t.Error(diff)
		}
	}
}
