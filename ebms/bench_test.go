package ebms_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/ecogate/ecogate/ebms"
)

// BenchmarkReceive is ReadPackage and Parse of a message with one payload of this many bytes.
func BenchmarkReceive(b *testing.B) {
	for _, size := range []int{5 << 10, 20 << 10} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			m := business()
			m.Manifest = m.Manifest[:1]
			p := &ebms.Package{Envelope: envelope(b, m), Parts: []ebms.Part{
				{ContentID: "certificate@vn.example", ContentType: "application/xml", Content: ebms.Bytes(bytes.Repeat([]byte("<co>\n"), size/5))},
			}}
			contentType, packed, err := p.Pack("boundary")
			if err != nil {
				b.Fatal(err)
			}
			body := ebms.Bytes(octets(b, packed)) // as Handler has it
			b.SetBytes(body.Size())
			b.ReportAllocs()
			for b.Loop() {
				if _, err := read(contentType, body, ebms.Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSend is Envelope and Pack of the same message.
func BenchmarkSend(b *testing.B) {
	m := business()
	m.Manifest = m.Manifest[:1]
	part := ebms.Part{ContentID: "certificate@vn.example", ContentType: "application/xml", Content: ebms.Bytes(bytes.Repeat([]byte("<co>\n"), 1<<10))}
	b.ReportAllocs()
	for b.Loop() {
		p := &ebms.Package{Envelope: envelope(b, m), Parts: []ebms.Part{part}}
		if _, _, err := p.Pack("boundary"); err != nil {
			b.Fatal(err)
		}
	}
}
