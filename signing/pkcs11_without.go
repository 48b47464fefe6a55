//go:build !pkcs11

package signing

func openToken(string, string, []byte) (*Token, error) {
	return nil, fail(ErrKey, "this program was built without PKCS #11; build it with cgo and -tags pkcs11")
}
