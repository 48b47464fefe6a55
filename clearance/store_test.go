package clearance_test

import (
	"testing"

	"github.com/ecogate/ecogate/clearance"
)

func TestKeyIsReadAsItIsWritten(t *testing.T) {
	for _, k := range []clearance.Key{
		{Country: "KR", Form: "ATIGA-D", Reference: "K0012500001"},
		{Country: "ID", Form: "AK", Reference: "0001/JKT/2026"},
		{Country: "KR", Form: "ATIGA-D", Reference: "K0012500001", Test: true},
	} {
		got, err := clearance.ParseKey(k.String())
		if err != nil || got != k {
			t.Errorf("%q was read as %+v, %v", k, got, err)
		}
	}
	for _, text := range []string{"", "KR", "KR/ATIGA-D", "KR/ATIGA-D/", "/ATIGA-D/1", "KR//1"} {
		if k, err := clearance.ParseKey(text); err == nil {
			t.Errorf("%q was read as %+v", text, k)
		}
	}
}
