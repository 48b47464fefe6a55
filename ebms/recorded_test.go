package ebms_test

import (
	"bytes"
	"flag"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecogate/ecogate/ebms"
)

var update = flag.Bool("update", false, "write the recorded message of this product anew")

// What each product's message says. The files are composed in the style of the products (packaging, prefixes, attribute
// order, times, oddities), with our own content.
var products = []struct {
	name  string
	parts []string // Content-ID, media type and size of each
	odd   []ebms.Oddity
	want  ebms.Message
}{
	{
		name:  "hermes", // no start parameter, Content-Id, namespaces declared on each block, base64 with &#13;
		parts: []string{"payload-1 application/octet-stream 218"},
		odd:   []ebms.Oddity{ebms.OddityNoStart},
		want: ebms.Message{
			From: urn("urn:customs:vn"), To: urn("urn:customs:th"), CPAID: "vn-th-1", ConversationID: "conversation-7",
			Service: ebms.Service{Value: "http://customs.example/origin"}, Action: "Submit",
			MessageID: "20261120-101500-00017@10.1.2.3", Timestamp: instant().Add(123 * time.Millisecond), DuplicateElimination: true,
			AckRequested: &ebms.AckRequested{Signed: true, Actor: ebms.ActorToPartyMSH}, Signed: true,
			Manifest: []ebms.ManifestReference{{ID: "payload-1", Href: "cid:payload-1"}},
			Oddities: []ebms.Oddity{ebms.OddityNoRole},
		},
	},
	{
		name: "hermes-acknowledgment", // text/xml; a DuplicateElimination that does not belong there; digests although none were asked for
		want: ebms.Message{
			From: urn("urn:customs:th"), To: urn("urn:customs:vn"), CPAID: "vn-th-1", ConversationID: "conversation-7",
			Service: ebms.Service{Value: ebms.MSHService}, Action: ebms.ActionAcknowledgment,
			MessageID: "20261120-101502-00003@10.9.8.7", Timestamp: instant().Add(2001 * time.Millisecond),
			RefToMessageID: "20261120-101500-00017@10.1.2.3", DuplicateElimination: true, Signed: true,
			Oddities: []ebms.Oddity{ebms.OddityDuplicateEliminationOnSignal},
			Acknowledgment: &ebms.Acknowledgment{
				Timestamp: instant().Add(2001 * time.Millisecond), RefToMessageID: "20261120-101500-00017@10.1.2.3",
				From: urn("urn:customs:th").IDs, Actor: ebms.ActorToPartyMSH, References: []ebms.DigestReference{
					{URI: "", DigestMethod: "http://www.w3.org/2000/09/xmldsig#sha1", DigestValue: "AAAAAAAAAAAAAAAAAAAAAAAAAAA="},
					{URI: "cid:payload-1", DigestMethod: "http://www.w3.org/2000/09/xmldsig#sha1", DigestValue: "/////////////////////////w8="},
				},
			},
		},
	},
	{
		name:  "nhs-spine", // unquoted type and start, boundary of dashes, blank lines before it, no roles, times without zone
		parts: []string{"hl7@spine.example application/xml; charset=UTF-8 218", "scan@spine.example image/tiff 256"},
		odd:   []ebms.Oddity{ebms.OddityStartWithoutBrackets, ebms.OddityTransferEncoding},
		want: ebms.Message{
			From:  ebms.Party{IDs: []ebms.PartyID{{Type: "urn:example:partyType:serviceInstance", Value: "A91424-9199121"}}},
			To:    ebms.Party{IDs: []ebms.PartyID{{Type: "urn:example:partyType:serviceInstance", Value: "B86041-822103"}}},
			CPAID: "S2001919A2011852", ConversationID: "79F49A34-9798-404C-AEC4-FD38DD81C138",
			Service: ebms.Service{Type: "string", Value: "urn:example:services:gp2gp"}, Action: "RCMR_IN010000UK05",
			MessageID: "7CCC8E6C-2D1C-4A3F-9C1B-6F5B3B1E2A10", Timestamp: instant(), DuplicateElimination: true,
			Description: "Example of an interaction", AckRequested: &ebms.AckRequested{Actor: ebms.ActorToPartyMSH}, SyncReply: true,
			Manifest: []ebms.ManifestReference{
				{ID: "_7CCC8E6C", Href: "cid:hl7@spine.example", Description: "the record"},
				{ID: "_scan", Href: "cid:scan@spine.example", Description: "a scan"},
			},
			Oddities: []ebms.Oddity{ebms.OddityMessageIDForm, ebms.OddityMustUnderstandInBody, ebms.OddityNoRole, ebms.OddityTimeWithoutZone},
		},
	},
	{
		name:  "ebms-core", // default namespace, start-info, boundary of signs, folded header, encoded cid, mustUnderstand="true"
		parts: []string{"0-6f1c2b1e-7a55-4a0b-9c55-0d9d2f4b8a11@gateway.example application/xml; name=\"certificate.xml\" 218"},
		want: ebms.Message{
			From: oin("00000001234567890000", "SENDER"), To: oin("00000009876543210000", "RECEIVER"), CPAID: "cpa_origin_1",
			ConversationID: "6f1c2b1e-7a55-4a0b-9c55-0d9d2f4b8a11", Service: ebms.Service{Type: "urn:osb:services", Value: "origin:1$1.0"}, Action: "submit",
			MessageID: "6f1c2b1e-7a55-4a0b-9c55-0d9d2f4b8a11@gateway.example", Timestamp: instant().Add(123 * time.Millisecond),
			TimeToLive: instant().Add(27*time.Hour + 123*time.Millisecond), DuplicateElimination: true,
			AckRequested: &ebms.AckRequested{Signed: true, Actor: ebms.ActorToPartyMSH},
			Manifest:     []ebms.ManifestReference{{ID: "a0", Href: "cid:0-6f1c2b1e-7a55-4a0b-9c55-0d9d2f4b8a11%40gateway.example"}},
		},
	},
	{
		name: "ebms-core-error", // two errors, one of a private code; zone with an offset
		want: ebms.Message{
			From: oin("00000001234567890000", "SENDER"), To: oin("00000009876543210000", "RECEIVER"), CPAID: "cpa_origin_1",
			ConversationID: "6f1c2b1e-7a55-4a0b-9c55-0d9d2f4b8a11", Service: ebms.Service{Value: ebms.MSHService}, Action: ebms.ActionMessageError,
			MessageID: "bf1c2b1e-7a55-4a0b-9c55-0d9d2f4b8a11@gateway.example", Timestamp: instant(),
			RefToMessageID: "6f1c2b1e-7a55-4a0b-9c55-0d9d2f4b8a11@gateway.example",
			Errors: &ebms.ErrorList{HighestSeverity: ebms.SeverityError, Errors: []ebms.Error{
				{Code: ebms.CodeValueNotRecognized, Severity: ebms.SeverityError, Location: "//Header/MessageHeader[@cpaid]", Description: "CPA not found."},
				{Code: "urn:example:code", Severity: ebms.SeverityWarning},
			}},
		},
	},
	{
		name:  "tibco", // names in odd case, boundary without quotes, closing boundary without line end, MessageId without @
		parts: []string{"payload-1 application/octet-stream 218"},
		odd:   []ebms.Oddity{ebms.OddityNoStart},
		want: ebms.Message{
			From: urn("urn:customs:vn"), To: urn("urn:customs:th"), CPAID: "vn-th-1", ConversationID: "conversation-7",
			Service: ebms.Service{Value: "http://customs.example/origin"}, Action: "Submit",
			MessageID: "m1814t0017", Timestamp: instant().Add(123 * time.Millisecond), DuplicateElimination: true,
			AckRequested: &ebms.AckRequested{Signed: true, Actor: ebms.ActorToPartyMSH},
			Manifest:     []ebms.ManifestReference{{ID: "payload-1", Href: "cid:payload-1"}},
			Oddities:     []ebms.Oddity{ebms.OddityMessageIDForm, ebms.OddityNoRole},
		},
	},
	{name: "webmethods", parts: []string{"certificate text/xml 218"}, want: webMethods()}, // schemaLocation file:, Schema, a header block of its own
	{name: "nav-partner", parts: []string{"certificate application/pkcs7-mime; smime-type=enveloped-data 300"}, odd: []ebms.Oddity{ebms.OddityTransferEncoding}, want: webMethods()},
	{name: "envelope-last-quoted-printable", parts: []string{"certificate text/plain; charset=utf-8 53"}, odd: []ebms.Oddity{ebms.OddityTransferEncoding}, want: webMethods()},
	{name: "hermes-ping", want: hermesSignal(ebms.ActionPing, "20261120-101500-00021@10.1.2.3", nil)},
	{name: "hermes-pong", want: hermesSignal(ebms.ActionPong, "20261120-101501-00004@10.9.8.7", func(m *ebms.Message) {
		m.RefToMessageID = "20261120-101500-00021@10.1.2.3"
	})},
	{name: "hermes-status-request", want: hermesSignal(ebms.ActionStatusRequest, "20261120-101500-00022@10.1.2.3", func(m *ebms.Message) {
		m.StatusRequest = &ebms.StatusRequest{RefToMessageID: "20261120-101500-00017@10.1.2.3"}
	})},
	{name: "hermes-status-response", want: hermesSignal(ebms.ActionStatusResponse, "20261120-101501-00005@10.9.8.7", func(m *ebms.Message) {
		m.RefToMessageID = "20261120-101500-00022@10.1.2.3"
		m.StatusResponse = &ebms.StatusResponse{
			RefToMessageID: "20261120-101500-00017@10.1.2.3", Status: ebms.StatusProcessed, Timestamp: instant().Add(-time.Minute),
		}
	})},
	{
		name:  "hermes-ordered", // status Continue said, which is the default
		parts: []string{"payload-1 application/octet-stream 184"},
		odd:   []ebms.Oddity{ebms.OddityNoStart},
		want: ebms.Message{
			From: urn("urn:customs:vn"), To: urn("urn:customs:th"), CPAID: "vn-th-1", ConversationID: "conversation-7",
			Service: ebms.Service{Value: "http://customs.example/origin"}, Action: "Submit",
			MessageID: "20261120-101500-00023@10.1.2.3", Timestamp: instant().Add(123 * time.Millisecond), DuplicateElimination: true,
			AckRequested: &ebms.AckRequested{Actor: ebms.ActorToPartyMSH}, Order: &ebms.MessageOrder{Sequence: 17},
			Manifest: []ebms.ManifestReference{{ID: "payload-1", Href: "cid:payload-1"}}, Oddities: []ebms.Oddity{ebms.OddityNoRole},
		},
	},
	{
		name: "ebms-core-acknowledgment", // unsigned; a Role within its From, which says nothing
		want: coreSignal(ebms.ActionAcknowledgment, "cf1c2b1e-7a55-4a0b-9c55-0d9d2f4b8a11@gateway.example", func(m *ebms.Message) {
			m.Acknowledgment = &ebms.Acknowledgment{
				Timestamp: m.Timestamp, RefToMessageID: m.RefToMessageID, From: m.From.IDs, Actor: ebms.ActorToPartyMSH,
			}
		}),
	},
	{
		name: "ebms-core-warning",
		want: coreSignal(ebms.ActionMessageError, "df1c2b1e-7a55-4a0b-9c55-0d9d2f4b8a11@gateway.example", func(m *ebms.Message) {
			m.Errors = &ebms.ErrorList{HighestSeverity: ebms.SeverityWarning, Errors: []ebms.Error{
				{Code: ebms.CodeNotSupported, Severity: ebms.SeverityWarning, Location: "//Header/SyncReply", Description: "SyncReply is ignored."},
			}}
		}),
	},
	{
		name: "nhs-spine-acknowledgment", // unsigned, bare UUIDs, times without zone; no Role is no oddity on a signal
		want: ebms.Message{
			From:  ebms.Party{IDs: []ebms.PartyID{{Type: "urn:example:partyType:serviceInstance", Value: "B86041-822103"}}},
			To:    ebms.Party{IDs: []ebms.PartyID{{Type: "urn:example:partyType:serviceInstance", Value: "A91424-9199121"}}},
			CPAID: "S2001919A2011852", ConversationID: "79F49A34-9798-404C-AEC4-FD38DD81C138",
			Service: ebms.Service{Value: ebms.MSHService}, Action: ebms.ActionAcknowledgment,
			MessageID: "0F2C9A51-66B1-4E47-9A1D-2C1A5B7D3E20", Timestamp: instant().Add(2 * time.Second),
			RefToMessageID: "7CCC8E6C-2D1C-4A3F-9C1B-6F5B3B1E2A10",
			Acknowledgment: &ebms.Acknowledgment{
				Timestamp: instant().Add(2 * time.Second), RefToMessageID: "7CCC8E6C-2D1C-4A3F-9C1B-6F5B3B1E2A10",
				From:  []ebms.PartyID{{Type: "urn:example:partyType:serviceInstance", Value: "B86041-822103"}},
				Actor: ebms.ActorToPartyMSH,
			},
			Oddities: []ebms.Oddity{ebms.OddityMessageIDForm, ebms.OddityTimeWithoutZone},
		},
	},
	{name: "no-payload", want: webMethodsAnswer(nil)}, // a business message as text/xml
	{
		name:  "bundled-acknowledgment",
		parts: []string{"answer text/xml; charset=UTF-8 26"},
		want: webMethodsAnswer(func(m *ebms.Message) {
			m.RefToMessageID = "m1814t0001"
			m.Manifest = []ebms.ManifestReference{{ID: "r1", Href: "cid:answer"}}
			m.Acknowledgment = &ebms.Acknowledgment{
				Timestamp: instant().Add(-2 * time.Second), RefToMessageID: "m1814t0001", From: m.From.IDs, Actor: ebms.ActorToPartyMSH,
				References: []ebms.DigestReference{{URI: "cid:certificate", DigestMethod: "http://www.w3.org/2001/04/xmlenc#sha256",
					DigestValue: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}},
			}
		}),
	},
	{name: "ecogate", parts: []string{"certificate@vn.example application/xml 6", "invoice@vn.example application/pdf 5"}, want: *business()},
}

func urn(id string) ebms.Party { return ebms.Party{IDs: []ebms.PartyID{{Value: id}}} }

func oin(id, role string) ebms.Party {
	return ebms.Party{IDs: []ebms.PartyID{{Type: "urn:osb:oin", Value: id}}, Role: role}
}

func webMethods() ebms.Message {
	return ebms.Message{
		From:  ebms.Party{IDs: []ebms.PartyID{{Type: "org", Value: "974761076"}, {Type: "her", Value: "79768"}}, Role: "Issuer"},
		To:    ebms.Party{IDs: []ebms.PartyID{{Type: "org", Value: "889640782"}}, Role: "Authority"},
		CPAID: "nav:70079", ConversationID: "c-1", Service: ebms.Service{Type: "string", Value: "Origin"}, Action: "Certificate",
		MessageID: "m1814t0001", Timestamp: instant(), DuplicateElimination: true,
		Manifest: []ebms.ManifestReference{{ID: "r1", Href: "cid:certificate", Role: "urn:example:role:certificate"}},
		Oddities: []ebms.Oddity{ebms.OddityMessageIDForm},
	}
}

// hermesSignal is sent by VN at the instant if it asks, and by TH one second later if it answers.
func hermesSignal(action, id string, change func(*ebms.Message)) ebms.Message {
	m := ebms.Message{
		From: urn("urn:customs:vn"), To: urn("urn:customs:th"), CPAID: "vn-th-1", ConversationID: "conversation-7",
		Service: ebms.Service{Value: ebms.MSHService}, Action: action, MessageID: id, Timestamp: instant(),
	}
	if change != nil {
		change(&m)
	}
	if m.RefToMessageID != "" {
		m.From, m.To, m.Timestamp = m.To, m.From, instant().Add(time.Second)
	}
	return m
}

func coreSignal(action, id string, change func(*ebms.Message)) ebms.Message {
	m := ebms.Message{
		From: oin("00000001234567890000", "SENDER"), To: oin("00000009876543210000", "RECEIVER"), CPAID: "cpa_origin_1",
		ConversationID: "6f1c2b1e-7a55-4a0b-9c55-0d9d2f4b8a11", Service: ebms.Service{Value: ebms.MSHService}, Action: action,
		MessageID: id, Timestamp: instant().Add(123 * time.Millisecond), RefToMessageID: "6f1c2b1e-7a55-4a0b-9c55-0d9d2f4b8a11@gateway.example",
	}
	change(&m)
	return m
}

// webMethodsAnswer answers the message that webMethods returns.
func webMethodsAnswer(change func(*ebms.Message)) ebms.Message {
	m := ebms.Message{
		From:  ebms.Party{IDs: []ebms.PartyID{{Type: "org", Value: "889640782"}}, Role: "Authority"},
		To:    ebms.Party{IDs: []ebms.PartyID{{Type: "org", Value: "974761076"}}, Role: "Issuer"},
		CPAID: "nav:70079", ConversationID: "c-1", Service: ebms.Service{Type: "string", Value: "Origin"}, Action: "Answer",
		MessageID: "answer-1@authority.example", Timestamp: instant(), DuplicateElimination: true,
		AckRequested: &ebms.AckRequested{Signed: true, Actor: ebms.ActorToPartyMSH},
	}
	if change != nil {
		change(&m)
	}
	return m
}

func TestMessagesOfProductsAreRead(t *testing.T) {
	if *update {
		writeOwn(t)
	}
	listed := map[string]bool{}
	for _, product := range products {
		listed[product.name] = true
		t.Run(product.name, func(t *testing.T) {
			header, body := readHTTP(t, "../testdata/messages/"+product.name+".http")
			for _, way := range ways {
				status, m, err := receive(t, way, "", header, body, ebms.Limits{})
				if status != 299 || err != nil {
					t.Fatalf("%s: status %d, %v", way.name, status, err)
				}
				if diff := cmp.Diff(&product.want, m); diff != "" {
					t.Errorf("%s: message differs (-want +got)\n%s", way.name, diff)
				}
			}
			p, err := ebms.ReadPackage(header.Get("Content-Type"), ebms.Bytes(body), ebms.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			checkParts(t, p, product.parts)
			if diff := cmp.Diff(product.odd, p.Oddities); diff != "" {
				t.Errorf("oddities differ (-want +got)\n%s", diff)
			}
		})
	}
	for _, file := range corpus(t, recorded) {
		if !listed[caseName(file)] {
			t.Errorf("%s is not tested", file)
		}
	}
}

// checkParts compares the parts with lines of Content-ID, media type and size.
func checkParts(t *testing.T, p *ebms.Package, want []string) {
	t.Helper()
	var got []string
	for _, part := range p.Parts {
		got = append(got, strings.Join([]string{part.ContentID, part.ContentType, strconv.FormatInt(part.Content.Size(), 10)}, " "))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parts differ (-want +got)\n%s", diff)
	}
}

func TestTransferEncodingsGiveTheExactOctets(t *testing.T) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, test := range []struct {
		name, file, part string
		want             []byte
	}{
		{"base64 in lines", "nhs-spine", "cid:scan@spine.example", every},
		{"quoted-printable", "envelope-last-quoted-printable", "cid:certificate",
			[]byte("Origin: Côte d'Ivoire = CI, one line\r\nand another \r\n")},
	} {
		t.Run(test.name, func(t *testing.T) {
			header, body := readHTTP(t, "../testdata/messages/"+test.file+".http")
			p, err := ebms.ReadPackage(header.Get("Content-Type"), ebms.Bytes(body), ebms.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			part, ok := p.Resolve(test.part)
			if !ok || !bytes.Equal(octets(t, part.Content), test.want) {
				t.Errorf("content of %v differs; want %q", part, test.want)
			}
		})
	}
}

func ownPackage(t *testing.T) *ebms.Package {
	return &ebms.Package{Envelope: envelope(t, business()), Parts: []ebms.Part{
		{ContentID: "certificate@vn.example", ContentType: "application/xml", Content: ebms.Bytes([]byte("<CO/>\n"))},
		{ContentID: "invoice@vn.example", ContentType: "application/pdf", Content: ebms.Bytes([]byte("%PDF\x00"))},
	}}
}

// What we write is recorded too: a change of a byte would be a change for partners.
func TestOwnMessageIsWrittenAsRecorded(t *testing.T) {
	contentType, body, err := ownPackage(t).Pack("0193f1f0")
	if err != nil {
		t.Fatal(err)
	}
	header, want := readHTTP(t, "../testdata/messages/ecogate.http")
	if header.Get("Content-Type") != contentType || !bytes.Equal(octets(t, body), want) {
		t.Errorf("written:\n%s\n\n%s\nrecorded:\n%s\n\n%s", contentType, octets(t, body), header.Get("Content-Type"), want)
	}
}

func writeOwn(t *testing.T) {
	contentType, body, err := ownPackage(t).Pack("0193f1f0")
	if err != nil {
		t.Fatal(err)
	}
	head := "Content-Type: " + contentType + "\r\nSOAPAction: " + ebms.DefaultSOAPAction + "\r\n\r\n"
	if err := os.WriteFile("../testdata/messages/ecogate.http", append([]byte(head), octets(t, body)...), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Hermes 2.2 put these on the wire.
func TestHermesVectorsAreRead(t *testing.T) {
	header, body := readHTTP(t, shared(t, "vectors/hermes/signed-message.http"))
	m, err := read(header.Get("Content-Type"), ebms.Bytes(body), ebms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if !m.Signed || m.CPAID != "cpa-sink" || m.Manifest[0].Href != "cid:payload-1" || m.AckRequested.Signed {
		t.Errorf("read as %+v", m)
	}
	data, err := os.ReadFile(shared(t, "vectors/hermes/signed-acknowledgment.xml"))
	if err != nil {
		t.Fatal(err)
	}
	m, err = read("text/xml", ebms.Bytes(data), ebms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := []ebms.DigestReference{
		{URI: "", DigestMethod: "http://www.w3.org/2000/09/xmldsig#sha1", DigestValue: "PJOVSKmdGNGTPgjQti33e/eMgmg="},
		{URI: "cid:payload-1", DigestMethod: "http://www.w3.org/2000/09/xmldsig#sha1", DigestValue: "2ZyoOKYTYxYw0NLtAKBDQI9oZOY="},
	}
	if diff := cmp.Diff(want, m.Acknowledgment.References); diff != "" {
		t.Errorf("references differ (-want +got)\n%s", diff)
	}
}
