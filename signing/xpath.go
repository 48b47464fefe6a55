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

// filterTokens is the filter as tokens. A token in capitals stands for some that mean the same: ACTOR for a name whose
// prefix is bound to SOAP and whose local name is actor, SIGNATURE likewise for ds:Signature, LITERAL for a string. Nothing
// else of XPath is understood, so nothing else can be smuggled in.
var filterTokens = slices.Concat([]string{"not", "("}, filterStep, []string{"|"}, filterStep, []string{")"})

var filterStep = []string{"ancestor-or-self", "::", "node", "(", ")", "[", "@", "ACTOR", "=", "LITERAL", "]"}

// envelopedTokens is the enveloped-signature transform as an expression (XMLDSig Core 1.1 §6.6.4), which signatures of UBL
// documents carry: what has fewer ds:Signature above it than together with the one that the expression is in.
var envelopedTokens = slices.Concat([]string{"count", "("}, signatureStep,
	[]string{"|", "here", "(", ")", "/", "ancestor", "::", "SIGNATURE", "[", "1", "]", ")", ">", "count", "("}, signatureStep, []string{")"})

var signatureStep = []string{"ancestor-or-self", "::", "SIGNATURE"}

// besideXPath is what signatures beside others have, so that each can be made and verified by itself: none of them is covered.
// DS is bound on the ds:XPath. filterBesideTokens say that and the filter of messages together.
const besideXPath = `not(ancestor-or-self::ds:Signature)`

var besideTokens = slices.Concat([]string{"not", "("}, signatureStep, []string{")"})

// filterBesideXPath is the filter of messages that leaves out signatures too.
const filterBesideXPath = `not(ancestor-or-self::node()[@SOAP:actor="` + actorNextMSH + `"] | ` +
	`ancestor-or-self::node()[@SOAP:actor="` + actorNext + `"] | ancestor-or-self::ds:Signature)`

var filterBesideTokens = slices.Concat(filterTokens[:len(filterTokens)-1], []string{"|"}, signatureStep, []string{")"})

// xpathNames are the names that tokens in capitals stand for.
var xpathNames = map[string]xpathName{
	"ACTOR":     {soapSpace, "actor", "the actor attribute of SOAP 1.1"},
	"SIGNATURE": {dsigSpace, "Signature", "ds:Signature"},
}

// xpathName is a name, and how a message calls it.
type xpathName struct{ space, local, text string }

// filter is what an XPath transform leaves out beside the signature: elements with one of these actors, and with signatures
// every ds:Signature. prefixes are those that its text uses.
type filter struct {
	actors, prefixes []string
	signatures       bool
}

// readFilter recognises the filter of ebMS 2.0 §4.1.3 in a ds:XPath: any white space between tokens, either kind of
// quote, either order of the actors, any prefix that is bound to SOAP 1.1 at the ds:XPath.
func readFilter(e c14n.Element) (filter, error) {
	return readActors(e, filterTokens, "the filter of ebMS 2.0 §4.1.3")
}

// readFilterBeside recognises the filter that leaves out signatures too.
func readFilterBeside(e c14n.Element) (filter, error) {
	f, err := readActors(e, filterBesideTokens, "the filter of ebMS 2.0 §4.1.3 that leaves out signatures too")
	f.signatures = true
	return f, err
}

// readBeside recognises what leaves out every signature.
func readBeside(e c14n.Element) (filter, error) {
	f, err := readTokens(e, besideTokens, "what leaves out every signature")
	f.signatures = true
	return f, err
}

// readActors reads one of the two filters of messages.
func readActors(e c14n.Element, tokens []string, expression string) (filter, error) {
	f, err := readTokens(e, tokens, expression)
	if err != nil {
		return filter{}, err
	}
	if !slices.Contains(f.actors, actorNext) ||
		!slices.Contains(f.actors, actorNextMSH) && !slices.Contains(f.actors, serviceNextMSH) {
		return filter{}, failAt(e, ErrPolicy, "XPath leaves out the actors %q instead of next and nextMSH", f.actors)
	}
	return f, nil
}

// readEnveloped recognises the enveloped-signature transform in a ds:XPath, with any white space and any prefix.
func readEnveloped(e c14n.Element) (filter, error) {
	return readTokens(e, envelopedTokens, "the enveloped-signature transform")
}

// readTokens compares a ds:XPath with the tokens of an expression. It collects strings as actors.
func readTokens(e c14n.Element, tokens []string, expression string) (filter, error) {
	text, err := leaf(e)
	if err != nil {
		return filter{}, err
	}
	var f filter
	for _, want := range tokens {
		var token string
		token, text = nextToken(text)
		switch want {
		case "ACTOR", "SIGNATURE":
			err = f.name(e, token, xpathNames[want])
		case "LITERAL":
			if len(token) < 2 || token[0] != '"' && token[0] != '\'' {
				return filter{}, failAt(e, ErrPolicy, "XPath compares with %q, not with a string", token)
			}
			f.actors = append(f.actors, token[1:len(token)-1])
		default:
			if token != want {
				err = failAt(e, ErrPolicy, "XPath is not %s: %q stands for %q", expression, token, want)
			}
		}
		if err != nil {
			return filter{}, err
		}
	}
	if rest, _ := nextToken(text); rest != "" {
		return filter{}, failAt(e, ErrPolicy, "XPath goes on with %q after %s", rest, expression)
	}
	return f, nil
}

// name takes a token that must be a name of a namespace. One without prefix is in none, whatever the default namespace (XPath
// 1.0 §2.3), and so has no local name here.
func (f *filter) name(e c14n.Element, token string, want xpathName) error {
	prefix, local, _ := strings.Cut(token, ":")
	if local != want.local || e.Namespace(prefix) != want.space {
		return failAt(e, ErrPolicy, "XPath tests %q, not %s", token, want.text)
	}
	if !slices.Contains(f.prefixes, prefix) {
		f.prefixes = append(f.prefixes, prefix)
	}
	return nil
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
