package signing_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/ecogate/ecogate/signing"
)

// messagesFolder is for bench/xmldsig.sh, which measures other products on the messages that are measured here.
var messagesFolder = flag.String("messages", "", "folder to write the messages and documents of BenchmarkProducts to")

var sizes = []struct {
	name string
	n    int
}{{"5KB", 5_000}, {"20KB", 20_000}, {"100KB", 100_000}}

// certificateOf is a UBL certificate about n octets long, with a place for its signature and markup as dense as in a real
// one: an element for each 60 octets.
func certificateOf(tb testing.TB, n int) []byte {
	tb.Helper()
	const item = `<cac:GoodsItem>
<cbc:ID>%d</cbc:ID>
<cbc:Description languageID="en">Green coffee beans, not roasted; Arabica, washed &amp; dried</cbc:Description>
<cbc:GrossWeightMeasure unitCode="KGM">19200.00</cbc:GrossWeightMeasure>
<cac:Item>
<cbc:Name>Coffee</cbc:Name>
<cac:CommodityClassification>
<cbc:ItemClassificationCode listID="HS">090111</cbc:ItemClassificationCode>
</cac:CommodityClassification>
</cac:Item>
</cac:GoodsItem>
`
	doc := read(tb, filepath.Join("..", "testdata", "certificates", "atiga-form-d.xml"))
	head, _, _ := bytes.Cut(doc, []byte("<ext:UBLExtension>\n<cbc:ID>urn:oasis:names:specification:ubl:extension:2"))
	doc = append(bytes.Clone(head), "</ext:UBLExtensions>\n"...)
	for i := 1; len(doc)+len(item) < n; i++ {
		doc = fmt.Appendf(doc, item, i)
	}
	return append(doc, "</CertificateOfOrigin>\n"...)
}

// messageOf is a message like those that the gateway sends: its envelope has what exchange writes, its part is a certificate.
func messageOf(tb testing.TB, n int) (string, []signing.Part) {
	tb.Helper()
	return realEnvelope, []signing.Part{{URI: "cid:co-1@customs.example", Content: bytes.NewReader(certificateOf(tb, n))}}
}

const realEnvelope = `<?xml version="1.0" encoding="UTF-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:eb="http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd"><soap:Header><eb:MessageHeader eb:version="2.0" soap:mustUnderstand="1"><eb:From><eb:PartyId eb:type="urn:oasis:names:tc:ebxml-cppa:partyid-type:iso3166">LA</eb:PartyId><eb:Role>Exporter</eb:Role></eb:From><eb:To><eb:PartyId eb:type="urn:oasis:names:tc:ebxml-cppa:partyid-type:iso3166">TH</eb:PartyId><eb:Role>Importer</eb:Role></eb:To><eb:CPAId>la-th-1</eb:CPAId><eb:ConversationId>0193f1f0-7a55-7a0b-9c55-0d9d2f4b8a11</eb:ConversationId><eb:Service eb:type="ecogate">urn:ecogate:service:certificates</eb:Service><eb:Action>Submit</eb:Action><eb:MessageData><eb:MessageId>0193f1f0-7a55-7a0b-9c55-0d9d2f4b8a11@customs.example</eb:MessageId><eb:Timestamp>2026-11-20T10:15:00Z</eb:Timestamp><eb:TimeToLive>2026-11-20T14:15:00Z</eb:TimeToLive></eb:MessageData><eb:DuplicateElimination/></eb:MessageHeader><eb:SyncReply eb:version="2.0" soap:mustUnderstand="1" soap:actor="http://schemas.xmlsoap.org/soap/actor/next"/><eb:AckRequested eb:version="2.0" soap:mustUnderstand="1" soap:actor="urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH" eb:signed="true"/></soap:Header><soap:Body><eb:Manifest eb:version="2.0"><eb:Reference xlink:type="simple" xlink:href="cid:co-1@customs.example" xlink:role="urn:oasis:names:specification:ubl:schema:xsd:CertificateOfOrigin-2"/></eb:Manifest></soap:Body></soap:Envelope>
`

// measure runs an operation b.N times and reports processor time of the whole process, the collector's included, which is
// what can be compared with other programs.
func measure(b *testing.B, run func() error) {
	b.Helper()
	if err := run(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	runtime.GC()
	b.ResetTimer()
	start := processorTime(b)
	for range b.N {
		if err := run(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((processorTime(b)-start).Microseconds())/float64(b.N), "cpu-us/op")
}

// timedSigner is a key that notes what its operations took.
type timedSigner struct {
	crypto.Signer
	b    *testing.B
	used time.Duration
}

// Sign implements crypto.Signer.
func (s *timedSigner) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	start := processorTime(s.b)
	defer func() { s.used += processorTime(s.b) - start }()
	return s.Signer.Sign(rand, digest, opts)
}

// measureSigning measures and reports the key's own part beside the whole. A key that is timed counts as one outside this
// process, so the whole has an operation with the public key too, which a key in memory is spared.
func measureSigning(b *testing.B, key signing.Key, run func(signing.Key) error) {
	b.Helper()
	timed := &timedSigner{Signer: key.Signer, b: b}
	key.Signer = timed
	first := true
	measure(b, func() error {
		if first {
			first = false
			defer func() { timed.used = 0 }()
		}
		return run(key)
	})
	b.ReportMetric(float64(timed.used.Microseconds())/float64(b.N), "key-us/op")
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// floor is what no implementation can go below: the digests of what is covered, and the operation with the public key.
func floor(b *testing.B, key signing.Key, covered ...[]byte) func() error {
	b.Helper()
	digest := sha256.Sum256(covered[0])
	value, err := key.Signer.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		b.Fatal(err)
	}
	return func() error {
		for _, octets := range covered[1:] {
			sha256.Sum256(octets)
		}
		digest := sha256.Sum256(covered[0])
		return rsa.VerifyPKCS1v15(key.Signer.Public().(*rsa.PublicKey), crypto.SHA256, digest[:], value)
	}
}

// BenchmarkProducts measures what bench/xmldsig.sh compares, with RSA-2048: messages whose part is a certificate of this
// size, and such certificates with their own signature. "floor" is the cryptography of verifying alone; what the key itself
// takes to sign is key-us.
func BenchmarkProducts(b *testing.B) {
	key := keyOf(b, rsaKey)
	for _, size := range sizes {
		envelope, parts := messageOf(b, size.n)
		signed, _, err := signing.SignMessage([]byte(envelope), parts, key)
		if err != nil {
			b.Fatal(err)
		}
		keepMessage(b, filepath.Join("message", size.name), folderOf(b, key, parts), []byte(envelope), signed)
		b.Run("message/"+size.name+"/verify", func(b *testing.B) {
			measure(b, func() error {
				_, err := signing.VerifyMessage(signed, parts, key.Chain, signing.Policy{})
				return err
			})
		})
		b.Run("message/"+size.name+"/floor", func(b *testing.B) { measure(b, floor(b, key, signed, octetsOf(parts[0]))) })
		b.Run("message/"+size.name+"/sign", func(b *testing.B) {
			measureSigning(b, key, func(key signing.Key) error {
				_, _, err := signing.SignMessage([]byte(envelope), parts, key)
				return err
			})
		})

		document := certificateOf(b, size.n)
		if signed, err = signing.SignDocument(document, ublPath, key); err != nil {
			b.Fatal(err)
		}
		keepMessage(b, filepath.Join("document", size.name), folderOf(b, key, nil), document, signed)
		b.Run("document/"+size.name+"/verify", func(b *testing.B) {
			measure(b, func() error {
				_, err := signing.VerifyDocument(signed, ublPath, key.Chain, signing.Policy{})
				return err
			})
		})
		b.Run("document/"+size.name+"/floor", func(b *testing.B) { measure(b, floor(b, key, signed)) })
		b.Run("document/"+size.name+"/sign", func(b *testing.B) {
			measureSigning(b, key, func(key signing.Key) error {
				_, err := signing.SignDocument(document, ublPath, key)
				return err
			})
		})
	}
}

// keepMessage writes what was measured to the folder of the flag.
func keepMessage(b *testing.B, name string, files map[string][]byte, unsigned, signed []byte) {
	b.Helper()
	if *messagesFolder == "" {
		return
	}
	files["unsigned.xml"], files["signed.xml"] = unsigned, signed
	writeFolder(b, filepath.Join(*messagesFolder, name), files)
}
