package ubl

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// scanner splits a document into tokens, as XML 1.0 (fifth edition) has them, without a document type. Package encoding/xml would
// take three quarters of the time in which a certificate is read. Names and texts share the memory of the document.
type scanner struct {
	src string
	at  int

	// What the last token is.
	start xml.StartElement
	end   xml.EndElement
	text  string
	begin int // where it begins, in octets from the beginning of the document

	closing bool // the last token was an empty-element tag, whose end is the next one
}

type tokenKind int

const (
	tokenNone  tokenKind = iota // the document ends
	tokenStart                  // scanner.start
	tokenEnd                    // scanner.end
	tokenText                   // scanner.text, with references resolved and line ends normalised
)

// newScanner begins to read a document. It looks at the characters once, so that no later step has to.
func newScanner(doc []byte) (*scanner, error) {
	s := &scanner{src: string(doc)}
	if err := checkCharacters(s.src); err != nil {
		return nil, err
	}
	if strings.HasPrefix(s.src, byteOrderMark) {
		s.at = len(byteOrderMark)
	}
	if hasDeclaration(s.src[s.at:]) {
		return s, s.declaration()
	}
	return s, nil
}

const byteOrderMark = "\uFEFF"

// checkCharacters refuses what XML cannot hold (XML 1.0 §2.2).
func checkCharacters(src string) error {
	for i := 0; i < len(src); {
		if c := src[i]; c >= ' ' && c < utf8.RuneSelf || c == '\n' || c == '\t' || c == '\r' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(src[i:])
		if r == utf8.RuneError && size <= 1 {
			return fmt.Errorf("want UTF-8, found octet %#x at %d", src[i], i)
		}
		if !isCharacter(r) {
			return fmt.Errorf("want characters that XML allows, found %U at octet %d", r, i)
		}
		i += size
	}
	return nil
}

func isCharacter(r rune) bool {
	return r >= ' ' && r != 0xFFFE && r != 0xFFFF && (r < 0xD800 || r > 0xDFFF) && r <= 0x10FFFF || r == '\t' || r == '\n' || r == '\r'
}

func hasDeclaration(src string) bool {
	return strings.HasPrefix(src, "<?xml") && len(src) > 5 && (isSpace(src[5]) || src[5] == '?')
}

// declaration reads the XML declaration (XML 1.0 §2.8).
func (s *scanner) declaration() error {
	content, _, found := strings.Cut(s.src, "?>")
	if !found {
		return s.fault("the end of the XML declaration")
	}
	s.at += len("<?xml")
	var names []string
	for s.skipSpace(); s.at < len(content); s.skipSpace() {
		a, err := s.attribute()
		if err != nil {
			return err
		}
		names = append(names, a.Name.Local)
		switch {
		case a.Name.Local == "version" && a.Value != "1.0":
			return fmt.Errorf("want XML 1.0, found %.40q", a.Value)
		case a.Name.Local == "encoding" && !strings.EqualFold(a.Value, "UTF-8"):
			return fmt.Errorf("want UTF-8, found encoding %.40q", a.Value)
		}
	}
	switch strings.Join(names, " ") {
	case "version", "version encoding", "version standalone", "version encoding standalone":
		s.at = len(content) + len("?>")
		return nil
	}
	return s.fault("version, encoding and standalone in the XML declaration")
}

// fault is the error about what stands at the scanner's place.
func (s *scanner) fault(want string) error {
	if s.at >= len(s.src) {
		return fmt.Errorf("want well-formed XML: %s, found the end of the document", want)
	}
	return fmt.Errorf("want well-formed XML: %s, found %.20q at octet %d", want, s.src[s.at:], s.at)
}

// next reads a token. Comments and processing instructions are none.
func (s *scanner) next() (tokenKind, error) {
	if s.closing {
		s.closing = false
		s.end.Name = s.start.Name
		return tokenEnd, nil
	}
	for s.at < len(s.src) {
		s.begin = s.at
		rest := s.src[s.at:]
		if rest[0] != '<' {
			return tokenText, s.characters()
		}
		switch {
		case len(rest) > 1 && rest[1] == '/':
			return tokenEnd, s.endTag()
		case strings.HasPrefix(rest, "<!--"):
			if err := s.comment(); err != nil {
				return tokenNone, err
			}
		case strings.HasPrefix(rest, "<?"):
			if err := s.instruction(); err != nil {
				return tokenNone, err
			}
		case strings.HasPrefix(rest, "<![CDATA["):
			return tokenText, s.section()
		case strings.HasPrefix(rest, "<!"):
			return tokenNone, errors.New("want no document type declaration, found one")
		default:
			return tokenStart, s.startTag()
		}
	}
	return tokenNone, nil
}

// skipPast moves behind end, which ends what is there.
func (s *scanner) skipPast(begin int, end, what string) (content string, err error) {
	n := strings.Index(s.src[s.at+begin:], end)
	if n < 0 {
		s.at = len(s.src)
		return "", s.fault("the end of " + what)
	}
	content = s.src[s.at+begin : s.at+begin+n]
	s.at += begin + n + len(end)
	return content, nil
}

func (s *scanner) comment() error {
	content, err := s.skipPast(len("<!--"), "--", "a comment")
	if err != nil {
		return err
	}
	if s.at >= len(s.src) || s.src[s.at] != '>' {
		return s.fault(fmt.Sprintf("> behind -- in comment %.20q", content))
	}
	s.at++
	return nil
}

func (s *scanner) instruction() error {
	begin := s.at
	content, err := s.skipPast(len("<?"), "?>", "a processing instruction")
	if err != nil {
		return err
	}
	target := content
	if i := strings.IndexAny(content, " \t\r\n"); i >= 0 {
		target = content[:i]
	}
	if strings.EqualFold(target, "xml") || !isName(target) || strings.Contains(target, ":") {
		s.at = begin
		return s.fault("a processing instruction with a name")
	}
	return nil
}

func (s *scanner) section() error {
	content, err := s.skipPast(len("<![CDATA["), "]]>", "a CDATA section")
	s.text = withLineFeeds(content)
	return err
}

// withLineFeeds normalises line ends (XML 1.0 §2.11).
func withLineFeeds(text string) string {
	if !strings.Contains(text, "\r") {
		return text
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
}

// characters reads text up to the next tag.
func (s *scanner) characters() error {
	n := strings.IndexByte(s.src[s.at:], '<')
	if n < 0 {
		n = len(s.src) - s.at
	}
	raw := s.src[s.at : s.at+n]
	if i := strings.Index(raw, "]]>"); i >= 0 {
		s.at += i
		return s.fault("no ]]> in text")
	}
	var err error
	if s.text, err = s.resolved(withLineFeeds(raw)); err != nil {
		return err
	}
	s.at += n
	return nil
}

// resolved puts characters in the place of references (XML 1.0 §4.1, §4.6). No entity is known but the five.
func (s *scanner) resolved(text string) (string, error) {
	i := strings.IndexByte(text, '&')
	if i < 0 {
		return text, nil
	}
	var out strings.Builder
	out.Grow(len(text))
	for ; i >= 0; i = strings.IndexByte(text, '&') {
		out.WriteString(text[:i])
		name, rest, found := strings.Cut(text[i+1:], ";")
		r, ok := referred(name)
		if !found || !ok {
			return "", fmt.Errorf("want well-formed XML: a reference to a character or to lt, gt, amp, apos, quot, found %.20q at octet %d", text[i:], s.at)
		}
		out.WriteRune(r)
		text = rest
	}
	out.WriteString(text)
	return out.String(), nil
}

// referred is the character that a reference names.
func referred(name string) (rune, bool) {
	switch name {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "apos":
		return '\'', true
	case "quot":
		return '"', true
	}
	digits, base := strings.TrimPrefix(name, "#"), 10
	if strings.HasPrefix(digits, "x") {
		digits, base = digits[1:], 16
	}
	if len(digits) == len(name) || strings.ContainsAny(digits, "+-_") {
		return 0, false
	}
	value, err := strconv.ParseUint(digits, base, 32)
	return rune(value), err == nil && value <= utf8.MaxRune && isCharacter(rune(value))
}

func (s *scanner) endTag() error {
	s.at += len("</")
	var err error
	if s.end.Name, err = s.name(); err != nil {
		return err
	}
	s.skipSpace()
	return s.expect('>')
}

func (s *scanner) startTag() error {
	s.at++
	var err error
	s.start = xml.StartElement{}
	if s.start.Name, err = s.name(); err != nil {
		return err
	}
	for {
		spaced := s.skipSpace()
		if s.at < len(s.src) && (s.src[s.at] == '>' || s.src[s.at] == '/') {
			break
		}
		if !spaced {
			return s.fault("white space, > or />")
		}
		a, err := s.attribute()
		if err != nil {
			return err
		}
		s.start.Attr = append(s.start.Attr, a)
	}
	if s.src[s.at] == '/' {
		s.at++
		s.closing = true
	}
	return s.expect('>')
}

// attribute reads a name and a value, in which literal white space is a space (XML 1.0 §3.3.3).
func (s *scanner) attribute() (a xml.Attr, err error) {
	if a.Name, err = s.name(); err != nil {
		return a, err
	}
	s.skipSpace()
	if err = s.expect('='); err != nil {
		return a, err
	}
	s.skipSpace()
	if s.at >= len(s.src) || s.src[s.at] != '"' && s.src[s.at] != '\'' {
		return a, s.fault("a value in quotation marks")
	}
	raw, err := s.skipPast(1, s.src[s.at:s.at+1], "an attribute's value")
	if err != nil {
		return a, err
	}
	if strings.Contains(raw, "<") {
		return a, fmt.Errorf("want well-formed XML: no < in an attribute's value, found one before octet %d", s.at)
	}
	if raw = withLineFeeds(raw); strings.ContainsAny(raw, "\n\t") {
		raw = strings.NewReplacer("\n", " ", "\t", " ").Replace(raw)
	}
	a.Value, err = s.resolved(raw)
	return a, err
}

func (s *scanner) expect(c byte) error {
	if s.at >= len(s.src) || s.src[s.at] != c {
		return s.fault(string(c))
	}
	s.at++
	return nil
}

func (s *scanner) skipSpace() bool {
	begin := s.at
	for s.at < len(s.src) && isSpace(s.src[s.at]) {
		s.at++
	}
	return s.at > begin
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// name reads a qualified name (Namespaces in XML 1.0 §4).
func (s *scanner) name() (xml.Name, error) {
	begin, colon := s.at, -1
	for s.at < len(s.src) {
		c := s.src[s.at]
		if c == ':' && colon < 0 {
			colon = s.at - begin
		}
		if c < utf8.RuneSelf {
			if !isNameByte(c) {
				break
			}
			s.at++
			continue
		}
		r, size := utf8.DecodeRuneInString(s.src[s.at:])
		if !isNameRune(r) {
			break
		}
		s.at += size
	}
	text := s.src[begin:s.at]
	name := xml.Name{Local: text}
	if colon >= 0 {
		name = xml.Name{Space: text[:colon], Local: text[colon+1:]}
	}
	if !startsName(name.Local) || colon >= 0 && !startsName(name.Space) || strings.Contains(name.Local, ":") {
		s.at = begin
		return name, s.fault("a name")
	}
	return name, nil
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == ':' || c == '_' || c == '-' || c == '.'
}

// isNameRune is NameChar of XML 1.0 §2.3 beyond ASCII.
func isNameRune(r rune) bool {
	return r == 0xB7 || r >= 0x300 && r <= 0x36F || r == 0x203F || r == 0x2040 || isNameStart(r)
}

// isNameStart is NameStartChar of XML 1.0 §2.3 beyond ASCII.
func isNameStart(r rune) bool {
	return r >= 0xC0 && r <= 0x2FF && r != 0xD7 && r != 0xF7 || r >= 0x370 && r <= 0x1FFF && r != 0x37E || r == 0x200C || r == 0x200D ||
		r >= 0x2070 && r <= 0x218F || r >= 0x2C00 && r <= 0x2FEF || r >= 0x3001 && r <= 0xD7FF || r >= 0xF900 && r <= 0xFDCF ||
		r >= 0xFDF0 && r <= 0xFFFD || r >= 0x10000 && r <= 0xEFFFF
}

func startsName(text string) bool {
	if text == "" {
		return false
	}
	if c := text[0]; c < utf8.RuneSelf {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
	}
	r, _ := utf8.DecodeRuneInString(text)
	return isNameStart(r)
}

// isName reports whether text is a name as a whole.
func isName(text string) bool {
	for _, r := range text {
		if r < utf8.RuneSelf && !isNameByte(byte(r)) || r >= utf8.RuneSelf && !isNameRune(r) {
			return false
		}
	}
	return startsName(text)
}
