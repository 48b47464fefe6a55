package handover_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/handover"
)

func TestLodgedDeclarations(t *testing.T) {
	w := newWorld(t, handover.Options{})
	edifact := []byte("UNB+UNOA:1+A+B+261129:0900+1'")
	for _, c := range []struct {
		name, event string
		original    []byte
		occasion    handover.Occasion
		files       int
	}{
		{"lodged as JSON", "declaration.lodged", []byte(`{"number":"26/0001"}`), handover.OccasionAccepted, 4},
		{"lodged as EDIFACT", "declaration.lodged", edifact, handover.OccasionAccepted, 5},
		{"amended", "declaration.amended", edifact, handover.OccasionAccepted, 5},
		{"matched", "declaration.matched", nil, handover.OccasionCompleted, 4},
		{"released", "declaration.released", nil, handover.OccasionCompleted, 4},
		{"withdrawn", "declaration.withdrawn", nil, handover.OccasionWithdrawn, 1},
		{"lapsed", "declaration.lapsed", nil, handover.OccasionWithdrawn, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := clearance.Lodgement{
				Declaration: clearance.Declaration{Number: "26/" + c.name}, Version: 2, Revision: 7,
				History: []clearance.Entry{{At: start.AddDate(0, 0, -1), Event: "declaration.lodged"}, {At: start, Event: c.event}},
			}
			var certificates []clearance.Imported
			if c.files > 1 {
				certificates = append(certificates, w.imported("K0012500001"))
			}
			dockets, err := handover.Lodged(l, c.original, certificates)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.store.File(t.Context(), clearance.Batch{Dockets: dockets}); err != nil {
				t.Fatal(err)
			}
			p, err := w.desk.Parcel(t.Context(), dockets[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			content, err := handover.Unpack(p.Content)
			if err != nil {
				t.Fatal(err)
			}
			m := content.Manifest
			if m.Occasion != c.occasion || m.Version != 2 || m.Revision != 7 || !m.At.Equal(start) || len(m.Files) != c.files {
				t.Errorf("manifest: %+v", m)
			}
			var said clearance.Lodgement
			if err := json.Unmarshal(content.Contents[0], &said); err != nil || said.Number != l.Number || len(said.History) != 2 {
				t.Errorf("declaration: %+v, %v", said, err)
			}
		})
	}
	if _, err := handover.Lodged(clearance.Lodgement{}, nil, nil); err == nil || !strings.Contains(err.Error(), "nothing has happened") {
		t.Errorf("without a history: %v", err)
	}
}
