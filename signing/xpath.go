package signing

import (
	"slices"
	"strings"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

// Actors whose elements the XPath filter of ebMS 2.0 §4.1.3 takes out of the signature, because a node on the way may
// change them. serviceNextMSH is a misprint that products have carried over; it is accepted where nextMSH is.
const (
	actorNext      = "http://schemas.xmlsoap.org/soap/actor/next"
	actorNextMSH   = "urn:oasis:names:tc:ebxml-msg:actor:nextMSH"
	serviceNextMSH = "urn:oasis:names:tc:ebxml-msg:service:nextMSH"
)

// signXPath is the filter that we write; SOAP is bound on the ds:XPath itself.
const signXPath = `not(ancestor-or-self::node()[@SOAP:actor="` + actorNextMSH + `"] | ` +
	`ancestor-or-self::node()[@SOAP:actor="` + actorNext + `"])`

// xpathTokens is the filter as tokens: a name in QNAME's place has a prefix bound to SOAP and the local name actor, a
// string in LITERAL's place is one of the actors. Nothing else of XPath is understood, so nothing else can be smuggled in.
var xpathTokens = slices.Concat([]string{"not", "("}, xpathStep, []string{"|"}, xpathStep, []string{")"})

var xpathStep = []string{"ancestor-or-self", "::", "node", "(", ")", "[", "@", "QNAME", "=", "LITERAL", "]"}

// filter is what an XPath transform leaves out: elements with one of these actors. prefixes are those that its text uses.
type filter struct {
	actors, prefixes []string
}

// readFilter recognises the filter of ebMS 2.0 §4.1.3 in a ds:XPath: any white space between tokens, either kind of
// quote, either order of the actors, any prefix that is bound to SOAP 1.1 at the ds:XPath.
func readFilter(e c14n.Element) (filter, error) {
	text, err := leaf(e)
	if err != nil {
		return filter{}, err
	}
	var f filter
	for _, want := range xpathTokens {
		var token string
		token, text = nextToken(text)
		switch want {
		case "QNAME":
			prefix, local, _ := strings.Cut(token, ":")
			if local != "actor" || prefix == "" || e.Namespace(prefix) != soapSpace {
				return filter{}, failAt(e, ErrPolicy, "XPath tests %q, not the actor attribute of SOAP 1.1", token)
			}
			f.prefixes = append(f.prefixes, prefix)
		case "LITERAL":
			if len(token) < 2 || token[0] != '"' && token[0] != '\'' {
				return filter{}, failAt(e, ErrPolicy, "XPath compares with %q, not with a string", token)
			}
			f.actors = append(f.actors, token[1:len(token)-1])
		default:
			if token != want {
				return filter{}, failAt(e, ErrPolicy, "XPath is not the filter of ebMS 2.0 §4.1.3: %q stands for %q", token, want)
			}
		}
	}
	if rest, _ := nextToken(text); rest != "" {
		return filter{}, failAt(e, ErrPolicy, "XPath goes on with %q after the filter of ebMS 2.0 §4.1.3", rest)
	}
	if !slices.Contains(f.actors, actorNext) ||
		!slices.Contains(f.actors, actorNextMSH) && !slices.Contains(f.actors, serviceNextMSH) {
		return filter{}, failAt(e, ErrPolicy, "XPath leaves out the actors %q instead of next and nextMSH", f.actors)
	}
	return f, nil
}

// nextToken splits the first token off an expression; "" is the end. A string that does not end is a token of one quote.
func nextToken(text string) (token, rest string) {
	text = strings.TrimLeft(text, " \t\r\n")
	if text == "" {
		return "", ""
	}
	if quote := text[0]; quote == '"' || quote == '\'' {
		if end := strings.IndexByte(text[1:], quote); end >= 0 {
			return text[:end+2], text[end+2:]
		}
		return text[:1], text[1:]
	}
	if strings.HasPrefix(text, "::") {
		return text[:2], text[2:]
	}
	end := nameLength(text)
	if end == 0 {
		return text[:1], text[1:]
	}
	// A qualified name is one token: XPath 1.0 §3.7 allows no white space in it.
	if end+1 < len(text) && text[end] == ':' {
		if local := nameLength(text[end+1:]); local > 0 {
			end += 1 + local
		}
	}
	return text[:end], text[end:]
}

// nameLength is the length of the name that a text begins with. Every octet outside ASCII counts as part of a name: a name
// with one is compared with declared prefixes, so it need not be exact.
func nameLength(text string) int {
	i := 0
	for ; i < len(text); i++ {
		c := text[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c >= 0x80
		if !letter && (i == 0 || c != '-' && c != '.' && (c < '0' || c > '9')) {
			break
		}
	}
	return i
}
