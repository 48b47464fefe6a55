//go:build !pkcs11

package signing_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/signing"
)

func TestTokenInAPlainProgramSaysWhatToDo(t *testing.T) {
	_, err := signing.OpenToken("/usr/lib/softhsm/libsofthsm2.so", "token", []byte("1234"))
	if !errors.Is(err, signing.ErrKey) || !strings.Contains(err.Error(), "-tags pkcs11") {
		t.Errorf("got %v", err)
	}
}
