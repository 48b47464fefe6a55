package paper

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/go-pdf/fpdf"
	"golang.org/x/image/font/sfnt"
)

// Font is a TrueType font for values that the built-in font cannot print. It is safe for concurrent use.
type Font struct {
	name string
	data []byte
	set  [0x10000 / 64]uint64 // a bit for each character up to U+FFFF
}

// has reports whether the font can print r.
func (f *Font) has(r rune) bool { return r >= 0 && r <= 0xFFFF && f.set[r/64]&(1<<(r%64)) != 0 }

// LoadFont reads a TrueType font (.ttf with outlines in a glyf table); name is what errors call it. Collections (.ttc) and fonts
// with PostScript outlines (.otf) cannot be embedded. A font whose maker forbids embedding is refused. Fonts are trusted like the
// program: that one is whole is looked at, what its glyphs do to the library that embeds them is not.
func LoadFont(name string, data []byte) (*Font, error) {
	if err := embeddable(data); err != nil {
		return nil, fmt.Errorf("font %s: %w", name, err)
	}
	parsed, err := sfnt.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("font %s: %w", name, err)
	}
	f := &Font{name: name, data: data}
	var buffer sfnt.Buffer
	for r := rune(' '); r <= 0xFFFF; r++ {
		if index, err := parsed.GlyphIndex(&buffer, r); err == nil && index != 0 {
			f.set[r/64] |= 1 << (r % 64)
		}
	}
	if err := f.try(); err != nil {
		return nil, fmt.Errorf("font %s: %w", name, err)
	}
	return f, nil
}

// Name is what LoadFont was told.
func (f *Font) Name() string { return f.name }

// try embeds the font once: fpdf panics on some fonts that others can read.
func (f *Font) try() (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("cannot be embedded: %v", fault)
		}
	}()
	pdf := fpdf.New("P", "mm", "A4", "")
	f.addTo(pdf, "trial")
	pdf.AddPage()
	pdf.SetFont("trial", "", 8)
	pdf.Text(10, 10, "A")
	return pdf.Output(new(bytes.Buffer))
}

// addTo hands fpdf octets of its own, because it writes into them.
func (f *Font) addTo(pdf *fpdf.Fpdf, family string) {
	pdf.AddUTF8FontFromBytes(family, "", bytes.Clone(f.data))
}

// embeddable looks at what fpdf takes for granted, or complains of on standard output.
// OpenType 1.9: table directory; OS/2 fsType (bit 1 alone: no embedding; bits 8 and 9: no subsets, bitmaps only).
func embeddable(data []byte) error {
	if len(data) < 12 {
		return errors.New("want a TrueType font, found a file that is too short")
	}
	switch version := binary.BigEndian.Uint32(data); version {
	case 0x00010000, 0x74727565: // "true"
	case 0x4F54544F: // "OTTO"
		return errors.New("want a TrueType font, found one with PostScript outlines (.otf)")
	case 0x74746366: // "ttcf"
		return errors.New("want a TrueType font, found a collection (.ttc)")
	default:
		return fmt.Errorf("want a TrueType font, found a file that begins with %#08x", version)
	}
	for _, name := range []string{"cmap", "glyf", "head", "hhea", "hmtx", "loca", "maxp", "name", "OS/2", "post"} {
		if len(fontTable(data, name)) < 6 {
			return fmt.Errorf("want a table %q, found none", name)
		}
	}
	if format := binary.BigEndian.Uint16(fontTable(data, "name")); format != 0 {
		return fmt.Errorf("want a name table of format 0, found %d", format)
	}
	if os2 := fontTable(data, "OS/2"); len(os2) < 10 || restricted(binary.BigEndian.Uint16(os2[8:])) {
		return errors.New("the font's maker forbids embedding a part of it (OS/2 fsType)")
	}
	if !hasUnicodeCmap(fontTable(data, "cmap")) {
		return errors.New("want a Unicode character map of format 4, found none")
	}
	return nil
}

func restricted(fsType uint16) bool { return fsType == 0x0002 || fsType&0x0300 != 0 }

// fontTable is a table of the font, nil when it is not there or not whole.
func fontTable(data []byte, name string) []byte {
	count := int(binary.BigEndian.Uint16(data[4:]))
	for i := range count {
		at := 12 + 16*i
		if at+16 > len(data) {
			return nil
		}
		if string(data[at:at+4]) != name {
			continue
		}
		offset, size := uint64(binary.BigEndian.Uint32(data[at+8:])), uint64(binary.BigEndian.Uint32(data[at+12:]))
		if offset+size > uint64(len(data)) {
			return nil
		}
		return data[offset : offset+size]
	}
	return nil
}

// hasUnicodeCmap asks for what fpdf reads: a subtable of format 4 for platform 0, or platform 3 with encoding 1.
func hasUnicodeCmap(cmap []byte) bool {
	count := int(binary.BigEndian.Uint16(cmap[2:]))
	for i := range count {
		at := 4 + 8*i
		if at+8 > len(cmap) {
			return false
		}
		platform, encoding := binary.BigEndian.Uint16(cmap[at:]), binary.BigEndian.Uint16(cmap[at+2:])
		offset := uint64(binary.BigEndian.Uint32(cmap[at+4:]))
		if (platform == 0 || platform == 3 && encoding == 1) && offset+2 <= uint64(len(cmap)) && binary.BigEndian.Uint16(cmap[offset:]) == 4 {
			return true
		}
	}
	return false
}
