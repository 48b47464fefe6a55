package signing_test

import (
	"bytes"
	"encoding/asn1"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/signing"
)

// tlv writes a constructed element of definite length.
func tlv(tb testing.TB, class, tag int, content ...[]byte) []byte {
	tb.Helper()
	der, err := asn1.Marshal(asn1.RawValue{Class: class, Tag: tag, IsCompound: true, Bytes: bytes.Join(content, nil)})
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

// signedDataWith is SignedData whose credentials are these octets, as far as its outer levels go.
func signedDataWith(tb testing.TB, credentials []byte) []byte {
	tb.Helper()
	oid := func(last int) []byte {
		der, err := asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, last})
		if err != nil {
			tb.Fatal(err)
		}
		return der
	}
	sequence := func(content ...[]byte) []byte { return tlv(tb, asn1.ClassUniversal, asn1.TagSequence, content...) }
	set := func(content ...[]byte) []byte { return tlv(tb, asn1.ClassUniversal, asn1.TagSet, content...) }
	tagged := func(content []byte) []byte { return tlv(tb, asn1.ClassContextSpecific, 0, content) }
	return sequence(oid(2), tagged(sequence([]byte{2, 1, 1}, set(), sequence(oid(1)), tagged(credentials), set(sequence()))))
}

// TestShapesThatCostTheReaderOfCMSMuch are refused before the library, which would work for minutes, sees them.
func TestShapesThatCostTheReaderOfCMSMuch(t *testing.T) {
	deep := []byte{5, 0}
	for range 1000 {
		deep = tlv(t, asn1.ClassUniversal, asn1.TagSequence, deep)
	}
	for _, test := range []struct {
		name        string
		credentials []byte
		text        string
	}{
		{"deep", deep, "more than 64 levels"},
		{"deep, of indefinite length", bytes.Repeat([]byte{0x30, 0x80}, 1000), "more than 64 levels"},
		{"wide, of indefinite length", append([]byte{0x30, 0x80}, bytes.Repeat([]byte{5, 0}, 10_000)...), "more than 4096 elements"},
		{"read again behind its end", []byte{0x30, 2, 0x30, 4, 0x30, 2, 5, 0}, "ends after the one around it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cms := signedDataWith(t, test.credentials)
			if _, err := signing.VerifyAnnouncement(cms, nil, keyOf(t, rsaKey).Chain, signing.Policy{}); err == nil || !strings.Contains(err.Error(), test.text) {
				t.Errorf("as an announcement: %v", err)
			}
			if _, err := signing.ReadCredentials(cms); err == nil {
				t.Error("read as credentials")
			}
		})
	}
}
