// Package cusdec reads UN/EDIFACT interchanges that carry customs declarations (message type CUSDEC, directories D.96B and later),
// and tells their senders what is wrong with them, in JSON or as the message CONTRL that they expect.
//
// It knows the syntax (ISO 9735, versions 1 to 4) and those segments of CUSDEC that say who declares which goods under which certificates
// of origin. What it does not need it skips and lists; what a declaration may claim is for package clearance to say.
//
// A Reader holds one message at a time. Whether the interchange is whole is known after its last segment, so nothing of it should take
// effect before Next has returned io.EOF and Interchange().Faults is empty. A message with Faults stands and falls for itself.
//
// Sources: ISO 9735:1988 with Amendment 1 (version 3) and ISO 9735-1:2002 (version 4), called "syntax 3" and "syntax 4" below; ISO 9735-4
// for CONTRL; UN/CEFACT directories D.96B and D.20A for CUSDEC and its codes. Numbers such as 1004 are those of UN/EDIFACT data elements.
//
// Read in this order: fault.go, syntax.go, charset.go, scan.go (octets to segments), reader.go (interchange and messages), declaration.go,
// body.go (the table of what is read), items.go, values.go; contrl.go.
package cusdec

// Limits bound what an interchange may take. Zero fields mean the values of DefaultLimits.
type Limits struct {
	// Bytes of the interchange, and of one segment of it.
	Bytes        int64
	SegmentBytes int
	// Messages of the interchange, and segments of all of them together.
	Messages, Segments int
	// Elements of a segment, repetitions counted, and components of an element.
	Elements, Components int
	// Items of one declaration, and what it cites: items of certificates, and certificates in its header.
	Items, Citations int
	// Faults that are kept of an interchange; further ones are counted only. Skipped are those segments that are kept of a message.
	Faults, Skipped int
}

// DefaultLimits are well above what declarations take.
var DefaultLimits = Limits{
	Bytes: 8 << 20, SegmentBytes: 16 << 10, Messages: 500, Segments: 200_000, Elements: 200, Components: 50, Items: 2000, Citations: 2000,
	Faults: 200, Skipped: 200,
}

// orDefault puts the defaults in the place of zeros.
func (l Limits) orDefault() Limits {
	d := DefaultLimits
	for _, p := range []struct{ given, standard *int }{
		{&l.SegmentBytes, &d.SegmentBytes}, {&l.Messages, &d.Messages}, {&l.Segments, &d.Segments}, {&l.Elements, &d.Elements},
		{&l.Components, &d.Components}, {&l.Items, &d.Items}, {&l.Citations, &d.Citations}, {&l.Faults, &d.Faults}, {&l.Skipped, &d.Skipped},
	} {
		if *p.given == 0 {
			*p.given = *p.standard
		}
	}
	if l.Bytes == 0 {
		l.Bytes = d.Bytes
	}
	return l
}
