package signing

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	pemBegin = regexp.MustCompile(`-----BEGIN ([A-Z0-9 #]{1,40})-----`)
	// onlyBase64 is what base64 without PEM's lines consists of.
	onlyBase64 = regexp.MustCompile(`^[A-Za-z0-9+/=\s]+$`)
)

// instead says in plain words what a file is that holds no credential, "" if that cannot be told. Nothing of what the file holds is
// repeated but the labels of PEM blocks: it may be secret.
func instead(data []byte) string {
	text := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	switch {
	case len(text) == 0:
		return "the file is empty"
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return "the file is text in UTF-16; save it as ASCII or UTF-8"
	case bytes.HasPrefix(text, []byte("<")):
		return "the file is a page in HTML or XML, such as a login page in the place of what was to be downloaded"
	case bytes.Contains(text, []byte("-----BEGIN")):
		return insteadOfPEM(text)
	case isPKCS12(data):
		return "the file is PKCS #12, which holds a private key; the credential alone is wanted, without it"
	case onlyBase64.Match(text):
		digits := withoutSpace(string(text))
		if _, err := base64.StdEncoding.DecodeString(digits); err != nil {
			return fmt.Sprintf("the file is base64 that is cut off or damaged: %d characters, and whole base64 has a multiple of 4", len(digits))
		}
	}
	return ""
}

func insteadOfPEM(text []byte) string {
	var labels []string
	for _, m := range pemBegin.FindAllSubmatch(text, -1) {
		label := string(m[1])
		if !bytes.Contains(text, []byte("-----END "+label+"-----")) {
			return fmt.Sprintf("the block %q has no END line of its own: the text is cut off, or its lines were changed", label)
		}
		if !slices.Contains(labels, label) {
			labels = append(labels, label)
		}
	}
	has := func(part string) bool {
		return slices.ContainsFunc(labels, func(label string) bool { return strings.Contains(label, part) })
	}
	switch {
	case len(labels) == 0:
		return "its BEGIN lines are damaged; want -----BEGIN CERTIFICATE----- on a line of its own"
	case has("PRIVATE KEY"):
		return "the file holds a private key and no credential; it is for its owner alone, and one that was sent to somebody has to be replaced"
	case has("CERTIFICATE REQUEST"):
		return "the file holds a certification request, which a CA has yet to answer with the credential"
	case has("PUBLIC KEY"):
		return "the file holds a public key alone; want the X.509 certificate around it"
	case has("CRL"):
		return "the file holds a revocation list"
	case has("CERTIFICATE"):
		return "" // there is one, and what is wrong with it was told
	}
	return fmt.Sprintf("the file holds %q", labels)
}

// isPKCS12 looks at the beginning of a PFX: a SEQUENCE whose version is 3 (RFC 7292 §4).
func isPKCS12(data []byte) bool {
	if len(data) < 8 || data[0] != 0x30 {
		return false
	}
	header := 2
	if data[1]&0x80 != 0 {
		header += int(data[1] & 0x7f)
	}
	return len(data) >= header+3 && bytes.Equal(data[header:header+3], []byte{0x02, 0x01, 0x03})
}
