package paper

import (
	"fmt"
)

// closing ends a text on paper, so that nothing can be added to it: four asterisks and a line to the end of the row
// (Lao MOIC Instruction 0118/MOIC.DIMEX).
const closing = "****"

// The table's own measures, in millimetres, and the lines of an item that are kept on one page.
const (
	headHeight     = 10.0
	stripHeight    = 15.0 // reference and name of the form above a continuation
	signingHeight  = 25.0 // places for signatures below it
	keptLines      = 15
	rowGap         = 0.9
	titleReference = 10.0 // points
)

// row is one item, or one note, as lines per column.
type row struct {
	cells [][]line
	lines int     // of the longest cell
	gap   float64 // above the row, in millimetres
	// closed says that the last line of the goods is followed by a line to the end of the row; last closes the whole table.
	closed, last bool
	told         *later // what to tell when it is known on which page the row begins
}

// later is a text that is completed when it is known where its continuation stands.
type later struct {
	sheet *sheet
	index int
}

// table writes items and notes on the first sheet, and on as many more as they take.
func (k *composer) table() error {
	rows := k.rows()
	remaining := 0.0
	for _, r := range rows {
		remaining += r.height()
	}
	t := k.frame.table
	s := k.sheets[0]
	for len(rows) > 0 {
		k.columns(s, t)
		room := t.h - headHeight - 1
		if remaining > room { // the last line says where it goes on
			room -= leading(tableSize)
		}
		remaining -= k.place(s, t, &rows, room)
		if len(rows) == 0 {
			break
		}
		if len(k.sheets) >= MaxPages {
			return ErrTooLong
		}
		k.continued(s, t)
		s, t = k.continuation()
	}
	return nil
}

// rows sets items and notes into the columns, and the closing row.
func (k *composer) rows() []row {
	var rows []row
	for i := range k.c.Items {
		r := row{cells: make([][]line, len(k.frame.table.columns)), closed: true, gap: rowGap}
		for n, column := range k.frame.table.columns {
			for _, g := range k.groups(k.itemEntries(column.holds, &k.c.Items[i]), ordinary) {
				r.cells[n] = append(r.cells[n], g.lines(tableSize, column.w-2*padding)...)
			}
		}
		k.close(&r)
		rows = append(rows, r.counted())
	}
	goods := k.goodsColumn()
	for i, n := range k.notes {
		r := row{cells: make([][]line, len(k.frame.table.columns)), told: n.moved}
		if i == 0 {
			r.gap = rowGap
		}
		r.cells[goods] = n.group.lines(tableSize, k.frame.table.columns[goods].w-2*padding)
		rows = append(rows, r.counted())
	}
	if len(k.notes) > 0 {
		k.close(&rows[len(rows)-1])
		rows[len(rows)-1] = rows[len(rows)-1].counted()
	}
	return append(rows, row{lines: 1, last: true, gap: rowGap})
}

func (r row) height() float64 { return r.gap + float64(r.lines)*leading(tableSize) }

func (r row) counted() row {
	r.lines = 0
	for _, cell := range r.cells {
		r.lines = max(r.lines, len(cell))
	}
	return r
}

// close puts the asterisks behind the last line of the goods, or on a line of their own.
func (k *composer) close(r *row) {
	goods := k.goodsColumn()
	cell := r.cells[goods]
	stars := k.ours(closing)
	room := k.frame.table.columns[goods].w - 2*padding
	if n := len(cell); n > 0 {
		if joined := append(append(cell[n-1][:len(cell[n-1]):len(cell[n-1])], k.ours(" ")...), stars...); joined.width(tableSize) <= room {
			cell[n-1] = joined
			r.closed = true
			return
		}
	}
	r.cells[goods] = append(cell, stars)
	r.closed = true
}

func (k *composer) goodsColumn() int {
	for n, column := range k.frame.table.columns {
		if column.holds == holdsGoods {
			return n
		}
	}
	return 0
}

// columns draws the table's lines and captions.
func (k *composer) columns(s *sheet, t table) {
	s.frame(left, t.y, right-left, t.h)
	s.rules = append(s.rules, rule{left, t.y + headHeight, right, t.y + headHeight, false})
	x := left
	for n, c := range t.columns {
		if n > 0 && c.number != "" && c.number == t.columns[n-1].number {
			x += c.w
			continue
		}
		if n > 0 {
			s.rules = append(s.rules, rule{x, t.y, x, t.y + t.h, false})
		}
		width := c.w
		for _, next := range t.columns[n+1:] {
			if next.number == "" || next.number != c.number {
				break
			}
			width += next.w
		}
		number, words := k.heading(c.number, c.holds)
		k.caption(s, number, words, rectangle{x, t.y, width, headHeight})
		x += c.w
	}
}

// place writes rows until the page is full, takes them off the list, and returns the height that they had.
func (k *composer) place(s *sheet, t table, rows *[]row, height float64) float64 {
	y, room, used := t.y+headHeight, height, 0.0
	for len(*rows) > 0 {
		r := (*rows)[0]
		n := min(r.lines, int((room-r.gap+1e-6)/leading(tableSize)))
		if n < r.lines && (n <= 0 || r.lines <= keptLines && room < height) {
			break
		}
		taken := r.gap + float64(n)*leading(tableSize)
		k.row(s, t, r, y+r.gap, n)
		y, room, used = y+taken, room-taken, used+taken
		if n < r.lines {
			(*rows)[0] = r.from(n)
			break
		}
		*rows = (*rows)[1:]
	}
	return used
}

// row writes the first n lines of a row, one column after the other.
func (k *composer) row(s *sheet, t table, r row, y float64, n int) {
	if r.told != nil {
		k.tell(r.told, len(k.sheets))
	}
	if r.last {
		stars := k.ours(closing)
		s.texts = append(s.texts, text{x: left + padding, y: y + leading(tableSize)*0.8, size: tableSize, set: stars})
		middle := y + leading(tableSize)*0.55
		s.rules = append(s.rules, rule{left + 2*padding + stars.width(tableSize), middle, right - padding, middle, true})
		return
	}
	x, goods := left, k.goodsColumn()
	for i, cell := range r.cells {
		at := y
		shown := cell[:min(n, len(cell))]
		k.column(s, x+padding, &at, shown, tableSize, ordinary)
		width := t.columns[i].w
		if i == goods && r.closed && len(shown) == len(cell) && len(cell) > 0 {
			from := x + padding + 0.8 + cell[len(cell)-1].width(tableSize)
			middle := at - leading(tableSize)*0.45
			if to := x + width - 0.8; from < to {
				s.rules = append(s.rules, rule{from, middle, to, middle, true})
			}
		}
		x += width
	}
}

// from is what is left of a row after n lines.
func (r row) from(n int) row {
	rest := row{closed: r.closed, last: r.last, lines: r.lines - n, cells: make([][]line, len(r.cells))}
	for i, cell := range r.cells {
		rest.cells[i] = cell[min(n, len(cell)):]
	}
	return rest
}

// continued says at the end of the goods on which page they go on: the next.
func (k *composer) continued(s *sheet, t table) {
	x := left
	for _, c := range t.columns[:k.goodsColumn()] {
		x += c.w
	}
	words := k.ours(fmt.Sprintf("CONTINUED ON PAGE %d", len(k.sheets)+1))
	s.texts = append(s.texts, text{x: x + padding, y: t.y + t.h - 1.2, size: tableSize, set: words, bold: true})
}

// continuation is a further page: the reference, the table, and places for both signatures.
func (k *composer) continuation() (*sheet, table) {
	s := k.newSheet()
	s.frame(left, top, right-left, stripHeight)
	width := right - left - 2*padding
	s.texts = append(s.texts,
		text{x: left + padding, y: top + 5.5, size: titleReference, bold: true, set: k.shortened("REFERENCE NO. "+k.c.Reference, titleReference, width*0.9)},
		text{x: left + padding, y: top + 11, size: tableSize, set: k.shortened(fmt.Sprintf("CONTINUATION OF %s, ISSUED IN %s", k.title(), k.c.IssuingCountry), tableSize, width)},
	)
	for _, b := range k.frame.boxes {
		if b.holds != holdsDeclaration && b.holds != holdsCertification {
			continue
		}
		s.frame(b.x, foot-signingHeight, b.w, signingHeight)
		number, words := k.heading(b.number, b.holds)
		y := k.caption(s, number, words+": see page 1", rectangle{b.x, foot - signingHeight, b.w, signingHeight})
		k.signature(s, &rectangle{b.x + padding, y, b.w - 2*padding, foot - y - 0.8}, "Signature")
	}
	t := k.frame.table
	t.y = top + stripHeight
	t.h = foot - signingHeight - t.y
	return s, t
}

// tell completes the words of a box whose text goes on elsewhere.
func (k *composer) tell(l *later, page int) {
	column := k.frame.table.columns[k.goodsColumn()]
	where := "AFTER THE LAST ITEM"
	if number, _ := k.heading(column.number, column.holds); number != "" {
		where = "IN BOX " + number
	}
	words := "CONTINUED " + where
	if page > 1 {
		words = fmt.Sprintf("CONTINUED ON PAGE %d, %s", page, where)
	}
	l.sheet.texts[l.index].set = k.ours(words)
}
