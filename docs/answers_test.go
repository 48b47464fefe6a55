package docs_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
)

// The answers that ebms-profile.md promises (§4.2, appendix B.2), to the example of a certificate with something changed.
func TestAnswersAreThoseOfTheProfile(t *testing.T) {
	const hop = `<eb:AckRequested eb:version="2.0" soap:mustUnderstand="1" soap:actor="urn:oasis:names:tc:ebxml-msg:actor:nextMSH" eb:signed="false"/>`
	for _, test := range []struct {
		name, old, new string // old is a regular expression
		status         int
		code           ebms.Code // "": no error
		posted         bool      // as a message of its own, and signed
	}{
		{name: "as it is", status: http.StatusNoContent},
		{"document type", `<soap:Envelope`, `<!DOCTYPE x><soap:Envelope`, http.StatusBadRequest, ebms.CodeOtherXML, false},
		{"processing instruction", `<soap:Body>`, `<?x y?><soap:Body>`, http.StatusBadRequest, ebms.CodeOtherXML, false},
		{"identifier twice", `<eb:AckRequested`, `<eb:AckRequested eb:id="certificate"`, http.StatusBadRequest, ebms.CodeOtherXML, false},
		{"actor on Manifest", `<eb:Manifest`, `<eb:Manifest soap:actor="` + ebms.ActorNext + `"`, http.StatusBadRequest, ebms.CodeInconsistent, false},
		{"part in a part", "Content-Type: application/xml", "Content-Type: message/rfc822", http.StatusBadRequest, ebms.CodeMimeProblem, false},
		{"block that must be understood", `<ds:Signature `, `<x:y xmlns:x="urn:x" soap:mustUnderstand="1"/><ds:Signature `, http.StatusInternalServerError, ebms.CodeNotSupported, false},
		{"another CPAId", `<eb:CPAId>kr-tw-eco-2026`, `<eb:CPAId>kr-tw-eco-2027`, http.StatusOK, ebms.CodeValueNotRecognized, false},
		{"another party", `duns">687735312`, `duns">687735313`, http.StatusOK, ebms.CodeInconsistent, false},
		{"another Action", `<eb:Action>Submit`, `<eb:Action>Omit`, http.StatusOK, ebms.CodeValueNotRecognized, false},
		{"another version", `<eb:Manifest eb:version="2.0"`, `<eb:Manifest eb:version="2.1"`, http.StatusOK, ebms.CodeInconsistent, false},
		{"another Role", `<eb:Role>http://eco`, `<eb:Role>http://another`, http.StatusOK, ebms.CodeSecurityFailure, false},
		{"element of another namespace in the Body", `<eb:Manifest`, `<x:y xmlns:x="urn:x"/><eb:Manifest`, http.StatusOK, ebms.CodeNotSupported, false},
		{"mid: reference", `xlink:href="cid:`, `xlink:href="mid:`, http.StatusOK, ebms.CodeSecurityFailure, false},
		{"no signature", `<ds:Signature .*</ds:Signature>`, ``, http.StatusOK, ebms.CodeSecurityFailure, false},
		{"SyncReply that was not agreed", `<ds:Signature `, `<eb:SyncReply eb:version="2.0" soap:mustUnderstand="1" soap:actor="` + ebms.ActorNext + `"/><ds:Signature `, http.StatusNoContent, "", false},
		{"nextMSH", `<ds:Signature `, hop + `<ds:Signature `, http.StatusNoContent, ebms.CodeNotSupported, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newExchange(t, partners.SyncReplyNone)
			head, body, _ := strings.Cut(read(t, "examples/certificate.http"), "\r\n\r\n")
			at := regexp.MustCompile(test.old).FindStringIndex(body)
			if at == nil {
				t.Fatalf("the example has no %q", test.old)
			}
			contentType := strings.SplitN(strings.SplitN(head, "Content-Type: ", 2)[1], "\r\n", 2)[0]
			body = body[:at[0]] + test.new + body[at[1]:]
			reply := w.tw.Receive(t.Context(), ebms.Request{ContentType: contentType, SOAPAction: ebms.DefaultSOAPAction, Body: ebms.Bytes([]byte(body)), Received: w.now()})
			if reply.Status != test.status {
				t.Errorf("answered %d, want %d: %s", reply.Status, test.status, reply.Body)
			}
			in, err := w.twStore.Messages(t.Context(), exchange.MessageQuery{Direction: exchange.Inbound})
			w.must(err)
			if reason := in[0].Reason; test.code == "" && reason != nil || test.code != "" && (reason == nil || reason.Code != string(test.code)) {
				t.Errorf("recorded %+v, want %q", reason, test.code)
			}
			if test.status == http.StatusOK {
				said, err := ebms.Parse(reply.Body)
				w.must(err)
				if said.Signed || said.Errors.Errors[0].Code != test.code {
					t.Errorf("answered %s, signed %v; want %s, not signed", said.Errors.Errors[0].Code, said.Signed, test.code)
				}
			}
			out, err := w.twStore.Messages(t.Context(), exchange.MessageQuery{Direction: exchange.Outbound})
			w.must(err)
			if posted := len(out) == 1 && out[0].Kind == exchange.KindError && out[0].Signer != ""; posted != test.posted {
				t.Errorf("an error is to be posted: %v, want %v", posted, test.posted)
			}
		})
	}
}
