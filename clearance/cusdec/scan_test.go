package cusdec

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
)

// FuzzScan takes any octets apart under any syntax version: it ends, keeps its limits, and what it takes apart and writes again in the
// usual characters it takes apart in the same way.
func FuzzScan(f *testing.F) {
	for _, text := range []string{"UNA:+.? 'UNB+UNOY:4+A+B'", "UNB+UNOY:4+A?+B*C:D'\r\nABC'", "UNA|~,! \\UNB~UNOY|3\\", "UNB\x1dUNOY\x1f1\x1c", "UNB+A'a'", "UNB+?"} {
		f.Add([]byte(text), 4)
	}
	f.Fuzz(func(t *testing.T, data []byte, version int) {
		first := scanned(t, data, version)
		w := newWriter(Interchange{Syntax: "UNOY", SyntaxVersion: 4})
		for _, s := range first {
			w.out.WriteString(s.tag)
			for _, e := range s.elements {
				w.out.WriteByte('+')
				for i, components := range e {
					if i > 0 {
						w.out.WriteByte('*')
					}
					for j, c := range components {
						if j > 0 {
							w.out.WriteByte(':')
						}
						w.out.WriteString(w.escape(c))
					}
				}
			}
			w.out.WriteByte('\'')
		}
		second := scanned(t, append([]byte("UNA:+.?*'"), w.out.Bytes()...), 4)
		if !slices.EqualFunc(first, second, func(a, b segment) bool {
			return a.tag == b.tag && slices.EqualFunc(a.elements, b.elements, sameElement)
		}) {
			t.Fatalf("%q\nwas taken apart as %q\nand written again as %q, which is %q", data, first, w.out.Bytes(), second)
		}
	})
}

func sameElement(a, b element) bool {
	return slices.EqualFunc(a, b, func(x, y []string) bool { return slices.Equal(x, y) })
}

// scanned are the segments of data that have no fault.
func scanned(t *testing.T, data []byte, version int) []segment {
	t.Helper()
	set, _ := charsetOf("UNOY")
	s := scanner{in: bufio.NewReader(bytes.NewReader(data)), limits: Limits{Bytes: 1 << 16, SegmentBytes: 1 << 10, Elements: 30, Components: 10}.orDefault(), charset: set}
	var all []segment
	err := s.begin()
	s.service = s.service.forVersion(version)
	for err == nil {
		var next segment
		if next, err = s.next(); err == nil && len(next.faults) == 0 {
			all = append(all, next)
		}
		s.charset = set
	}
	if halted := (*halt)(nil); !errors.Is(err, io.EOF) && !errors.As(err, &halted) {
		t.Fatal(err)
	}
	return all
}
