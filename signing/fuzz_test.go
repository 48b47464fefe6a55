package signing_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/signing"
)

// FuzzReadSignature puts a ds:Signature of any form into a message and into a document. It looks for panics, for errors of
// another type, and for a signature that is read in one way as received and in another in canonical form.
func FuzzReadSignature(f *testing.F) {
	for _, folder := range []string{hostileFolder, wrappingFolder} {
		files, err := filepath.Glob(filepath.Join(folder, "*.txt"))
		if err != nil || len(files) == 0 {
			f.Fatal("no files", err)
		}
		for _, path := range files {
			if body := string(readHostile(f, path).body); strings.Contains(body, "<ds:Signature ") && strings.Contains(body, "</ds:Signature>") {
				_, signature := cut(body)
				f.Add(signature)
			}
		}
	}
	candidates, err := signing.ReadCredentials(read(f, filepath.Join(wrappingFolder, "credential.pem")))
	if err != nil {
		f.Fatal(err)
	}
	policy := exceptions(signing.ExceptionSHA1, signing.ExceptionECDSADER)
	f.Fuzz(func(t *testing.T, signature string) {
		message := []byte(strings.Replace(envelope, "</soap:Header>", signature+"</soap:Header>", 1))
		_, verifyErr := signing.VerifyMessage(message, parts, candidates, policy)
		checkErrorType(t, verifyErr)
		_, _, besideErr := signing.VerifyMessageBeside(message, parts, candidates, policy)
		checkErrorType(t, besideErr)
		inspection, err := signing.InspectMessage(message, parts, policy)
		if err != nil {
			checkErrorType(t, err)
			return
		}
		_, err = signing.VerifyTogether([]byte(strings.Replace(document, "<sig:Information/>", "<sig:Information>"+signature+"</sig:Information>", 1)), documentPath, candidates, policy)
		checkErrorType(t, err)
		_, err = signing.VerifyDocument([]byte(strings.Replace(document, "<sig:Information/>", "<sig:Information>"+signature+"</sig:Information>", 1)), documentPath, candidates, policy)
		checkErrorType(t, err)
		if inspection.Refused != nil {
			if verifyErr == nil {
				t.Fatalf("valid and refused: %v", inspection.Refused)
			}
			return
		}
		octets, err := signing.Canonicalize(message)
		if err != nil {
			t.Fatal(err)
		}
		again, err := signing.InspectMessage(octets, parts, policy)
		if err != nil || again.Refused != nil || again.Algorithm != inspection.Algorithm || len(again.References) != len(inspection.References) {
			t.Fatalf("in canonical form: %v, %+v, before %+v", err, again, inspection)
		}
		for i, r := range again.References {
			if before := inspection.References[i]; r.URI != before.URI || r.DigestValue != before.DigestValue || r.Finding != before.Finding {
				t.Fatalf("in canonical form %+v, before %+v", r, before)
			}
		}
	})
}

func checkErrorType(t *testing.T, err error) {
	t.Helper()
	if ours := (*signing.Error)(nil); err != nil && !errors.As(err, &ours) {
		t.Fatalf("error of another type: %v", err)
	}
}
