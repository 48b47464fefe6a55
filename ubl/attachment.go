package ubl

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// Attachment is a file that travels beside the document in the same message. The document refers to it by the cid URL of its
// MIME part (RFC 2392) and holds its digest, so that the document's signature covers it.
type Attachment struct {
	// URI is "cid:" and the part's Content-ID, encoded as the message's Manifest encodes it.
	URI string
	// Name is the file's name, ContentType its media type; either may be empty.
	Name, ContentType string
	SHA256            [sha256.Size]byte
}

// hashSHA256 is the HashAlgorithmMethod of attachments (XML Encryption §5.7.2).
const hashSHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"

// digestOf reads a SHA-256 digest in base64, as signatures write digests, or in hexadecimal.
func digestOf(text string) (digest [sha256.Size]byte, ok bool) {
	octets, err := base64.StdEncoding.DecodeString(text)
	if len(text) == hex.EncodedLen(sha256.Size) {
		octets, err = hex.DecodeString(text)
	}
	if err != nil || len(octets) != sha256.Size {
		return digest, false
	}
	return [sha256.Size]byte(octets), true
}
