package c14n

import "strings"

// pseudoAttributes are the parts of the XML declaration, in their order, with what is allowed in them.
var pseudoAttributes = [...]struct {
	name     string
	required bool
	values   []string
}{
	{"version", true, []string{"1.0"}},
	{"encoding", false, []string{"UTF-8"}},
	{"standalone", false, []string{"yes", "no"}},
}

// declaration reads the XML declaration, if there is one (XML 1.0 §2.8). It must not contradict that the document is XML
// 1.0 in UTF-8.
func (p *parser) declaration() error {
	if !p.at("<?xml") || p.pos+5 < len(p.src) && !isSpace(p.src[p.pos+5]) {
		return nil
	}
	p.pos += len("<?xml")
	for _, part := range pseudoAttributes {
		start := p.pos
		spaced := p.space()
		if !p.at(part.name) {
			if part.required {
				return p.expected(part.name)
			}
			p.pos = start
			continue
		}
		if !spaced {
			return p.expected("white space")
		}
		if err := p.pseudoAttribute(part.name, part.values); err != nil {
			return err
		}
	}
	p.space()
	if !p.at("?>") {
		return p.expected(`"?>"`)
	}
	p.pos += len("?>")
	return nil
}

// pseudoAttribute reads one part of the XML declaration, which has one of a few values. Only the name of an encoding
// (XML 1.0 §4.3.3) is written in any case.
func (p *parser) pseudoAttribute(name string, values []string) error {
	p.pos += len(name)
	p.space()
	if err := p.take('='); err != nil {
		return err
	}
	p.space()
	start := p.pos
	a, err := p.value()
	if err != nil {
		return err
	}
	value := p.doc.value(&a)
	if strings.Contains(p.src[start:p.pos], "&") {
		return expected(p.src, start, "no references in the XML declaration")
	}
	for _, allowed := range values {
		if value == allowed || name == "encoding" && strings.EqualFold(value, allowed) {
			return nil
		}
	}
	return expected(p.src, start, name+" "+strings.Join(values, " or "))
}

// text reads the run of character data up to the next markup (XML 1.0 §2.4). Most runs are indentation.
func (p *parser) text() error {
	start, end := p.pos, p.pos
	for end < len(p.src) && (p.src[end] == '\n' || p.src[end] == ' ') {
		end++
	}
	indentation := end < len(p.src) && p.src[end] == '<'
	if !indentation {
		if more := strings.IndexByte(p.src[end:], '<'); more >= 0 {
			end += more
		} else {
			end = len(p.src)
		}
	}
	if p.inner < 0 {
		if p.space(); p.pos < end {
			return p.expected("no text outside the root element")
		}
		return nil
	}
	if end-start > maxText {
		return tooMany(p.src, start, maxText, "octets in a run of text")
	}
	p.pos = end
	if !indentation {
		if err := p.checkText(start); err != nil {
			return err
		}
	}
	return p.count(start)
}

// checkText looks at the run of text that was read, and notes it if the canonical form writes it in another way.
func (p *parser) checkText(start int) error {
	run := p.src[start:p.pos]
	found := classesInText(run)
	if found&classGreater != 0 {
		if i := strings.Index(run, "]]>"); i >= 0 {
			return expected(p.src, start+i, `no "]]>" in text`)
		}
	}
	canonical := found&(classGreater|classReturn) == 0
	if found&classReference != 0 {
		references, err := checkReferences(p.src, start, p.pos, canonicalInText)
		if err != nil {
			return err
		}
		canonical = canonical && references
	}
	if !canonical {
		p.note(pieceText, start)
	}
	return nil
}

// section reads a CDATA section (XML 1.0 §2.7), which becomes text (Canonical XML 1.0 §1.1).
func (p *parser) section() error {
	if p.inner < 0 {
		return p.expected("no CDATA section outside the root element")
	}
	start := p.pos
	body, err := p.until("<![CDATA[", "]]>")
	if err != nil {
		return err
	}
	p.note(pieceSection, start)
	if body == "" {
		return nil
	}
	return p.count(start)
}

// comment reads a comment (XML 1.0 §2.5) and forgets it.
func (p *parser) comment() error {
	start := p.pos
	body, err := p.until("<!--", "--")
	if err != nil {
		return err
	}
	if p.next() != '>' {
		return expected(p.src, start+len("<!--")+len(body), `"-->", because a comment has no other "--"`)
	}
	p.pos++
	p.interrupt()
	last := len(p.doc.pieces) - 1
	switch {
	case p.inner < 0:
	case last >= 0 && p.doc.pieces[last].kind == pieceComment && p.doc.pieces[last].hi == int32(start):
		p.doc.pieces[last].hi = int32(p.pos)
	default:
		p.note(pieceComment, start)
	}
	return nil
}

// instruction reads a processing instruction (XML 1.0 §2.6; Namespaces 1.0 §7: no colon in its target).
func (p *parser) instruction() error {
	start := p.pos
	body, err := p.until("<?", "?>")
	if err != nil {
		return err
	}
	end := nameEnd(body, 0)
	target, data := body[:end], body[end:]
	switch {
	case target == "":
		return expected(p.src, start, "a processing instruction with a target")
	case strings.EqualFold(target, "xml"):
		return expected(p.src, start, "an XML declaration only at the beginning of the document")
	case data != "" && !isSpace(data[0]):
		return expected(p.src, start+len("<?")+end, `white space or "?>" after the target`)
	}
	p.interrupt()
	p.note(pieceInstruction, start)
	if p.inner < 0 {
		p.doc.outside = true
	} else {
		p.doc.inside = true
	}
	return p.count(start)
}

// splitInstruction gives target and data of a processing instruction that was read.
func splitInstruction(markup string) (target, data string) {
	body := markup[len("<?") : len(markup)-len("?>")]
	end := nameEnd(body, 0)
	return body[:end], strings.TrimLeft(body[end:], " \t\r\n")
}

// interrupt notes that the open element has a comment or processing instruction as its child.
func (p *parser) interrupt() {
	if p.inner >= 0 {
		p.doc.elements[p.inner].interrupted = true
	}
}

// until skips the opening literal and gives what stands before the closing one, which it skips too.
func (p *parser) until(opening, closing string) (string, error) {
	body := p.src[p.pos+len(opening):]
	end := strings.Index(body, closing)
	switch {
	case end < 0:
		return "", p.expected(`"` + closing + `" after "` + opening + `"`)
	case end > maxText:
		return "", tooMany(p.src, p.pos, maxText, "octets in one piece of markup")
	}
	p.pos += len(opening) + end + len(closing)
	return body[:end], nil
}
