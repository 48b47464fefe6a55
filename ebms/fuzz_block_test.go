package ebms_test

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/ebms"
)

// These targets put blocks of the corpora into an envelope that is good otherwise, so that a fuzzer spends its time on the
// block and not on the frame.

const (
	frameOpen = `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/" ` +
		`xmlns:S="http://schemas.xmlsoap.org/soap/envelope/" xmlns:eb="http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd" ` +
		`xmlns="http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd" xmlns:xlink="http://www.w3.org/1999/xlink" ` +
		`xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><soap:Header>`
	frameBody  = `</soap:Header><soap:Body>`
	frameClose = `</soap:Body></soap:Envelope>`
)

// frameHeader is a MessageHeader of this service and action, which are put in as they are.
func frameHeader(service, action string) string {
	return `<eb:MessageHeader eb:version="2.0" soap:mustUnderstand="1"><eb:From><eb:PartyId>urn:a</eb:PartyId></eb:From><eb:To><eb:PartyId>urn:b</eb:PartyId></eb:To>` +
		`<eb:CPAId>c</eb:CPAId><eb:ConversationId>v</eb:ConversationId><eb:Service>` + service + `</eb:Service><eb:Action>` + action + `</eb:Action>` +
		`<eb:MessageData><eb:MessageId>i@x</eb:MessageId><eb:Timestamp>2026-11-20T10:15:00Z</eb:Timestamp><eb:RefToMessageId>r@x</eb:RefToMessageId></eb:MessageData>` +
		`<eb:DuplicateElimination/></eb:MessageHeader>`
}

// blocks returns the elements of these names that stand in envelopes of the corpora, each as it is written there.
func blocks(tb testing.TB, names ...string) []string {
	tb.Helper()
	var found []string
	for _, pattern := range []string{recorded, hostile} {
		for _, file := range corpus(tb, pattern) {
			header, body := readHTTP(tb, file)
			if strings.HasPrefix(caseName(file), "limit-") {
				continue // large, and no better as a seed
			}
			if p, err := ebms.ReadPackage(header.Get("Content-Type"), ebms.Bytes(body), ebms.Limits{}); err == nil {
				found = append(found, elements(p.Envelope, names)...)
			}
		}
	}
	if len(found) < 5 {
		tb.Fatalf("%d blocks %v in the corpora", len(found), names)
	}
	return found
}

// elements cuts the elements of these names out of a document, as far as it can be read.
func elements(document []byte, names []string) []string {
	var found []string
	decoder := xml.NewDecoder(bytes.NewReader(document))
	for {
		at := decoder.InputOffset()
		token, err := decoder.RawToken()
		if err != nil {
			return found
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, name := range names {
			if start.Name.Local == name {
				if end := endOf(document[at:], start.Name); end > 0 {
					found = append(found, string(document[at:at+end]))
				}
			}
		}
	}
}

// endOf is where the element that text begins with ends; 0 if it does not.
func endOf(text []byte, name xml.Name) int64 {
	decoder := xml.NewDecoder(bytes.NewReader(text))
	for depth := 0; ; {
		token, err := decoder.RawToken()
		if err != nil {
			return 0
		}
		switch t := token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			if depth--; depth == 0 && t.Name == name {
				return decoder.InputOffset()
			}
		}
	}
}

func FuzzHeader(f *testing.F) {
	for _, block := range blocks(f, "MessageHeader") {
		f.Add(block, "")
	}
	for _, block := range blocks(f, "AckRequested", "SyncReply", "MessageOrder") {
		f.Add(frameHeader("urn:s", "a"), block)
	}
	f.Fuzz(func(t *testing.T, header, block string) {
		readsBackEqual(t, []byte(frameOpen+header+block+frameBody+frameClose))
	})
}

func FuzzSignal(f *testing.F) {
	for _, block := range blocks(f, "ErrorList") {
		f.Add(ebms.ActionMessageError, block, "")
	}
	for _, block := range blocks(f, "StatusRequest") {
		f.Add(ebms.ActionStatusRequest, "", block)
	}
	for _, block := range blocks(f, "StatusResponse") {
		f.Add(ebms.ActionStatusResponse, "", block)
	}
	f.Add(ebms.ActionPing, "", "")
	f.Add(ebms.ActionPong, "", "")
	f.Fuzz(func(t *testing.T, action, block, body string) {
		readsBackEqual(t, []byte(frameOpen+frameHeader(ebms.MSHService, action)+block+frameBody+body+frameClose))
	})
}

func FuzzAcknowledgment(f *testing.F) {
	for _, block := range blocks(f, "Acknowledgment") {
		f.Add(block)
	}
	f.Fuzz(func(t *testing.T, block string) {
		for _, header := range []string{frameHeader(ebms.MSHService, ebms.ActionAcknowledgment), frameHeader("urn:s", "a")} {
			readsBackEqual(t, []byte(frameOpen+header+block+frameBody+frameClose))
		}
	})
}

// The seeds of the targets above must be good for something: of each kind some are accepted.
func TestBlocksOfTheCorporaAreAccepted(t *testing.T) {
	accepted := func(build func(string) string, names ...string) {
		t.Helper()
		n := 0
		for _, block := range blocks(t, names...) {
			if _, err := ebms.Parse([]byte(build(block))); err == nil {
				n++
			}
		}
		if n < 2 {
			t.Errorf("%d of the blocks %v are accepted", n, names)
		}
	}
	accepted(func(b string) string { return frameOpen + b + frameBody + frameClose }, "MessageHeader")
	signal := func(action string) string { return frameOpen + frameHeader(ebms.MSHService, action) }
	accepted(func(b string) string { return frameOpen + frameHeader("urn:s", "a") + b + frameBody + frameClose }, "AckRequested")
	accepted(func(b string) string { return signal(ebms.ActionMessageError) + b + frameBody + frameClose }, "ErrorList")
	accepted(func(b string) string { return frameOpen + frameHeader("urn:s", "a") + b + frameBody + frameClose }, "Acknowledgment")
	accepted(func(b string) string { return signal(ebms.ActionStatusRequest) + frameBody + b + frameClose }, "StatusRequest")
	accepted(func(b string) string { return signal(ebms.ActionStatusResponse) + frameBody + b + frameClose }, "StatusResponse")
}
