package ebms_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/ebms"
)

// equalMessages leaves out what does not come back: bytes of a ds:Reference, causes, and the difference of none and empty. Nor
// are Oddities, which only a reader sees, compared.
var equalMessages = cmp.Options{
	cmpopts.IgnoreFields(ebms.Message{}, "Oddities"),
	cmpopts.EquateEmpty(),
	cmpopts.IgnoreFields(ebms.DigestReference{}, "XML"),
	cmpopts.IgnoreFields(ebms.Error{}, "Cause"),
}

func TestEnvelopeComesBackFromParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := anyMessage(t)
		data, err := m.Envelope()
		if err != nil {
			t.Fatalf("%v\n%+v", err, m)
		}
		again, err := m.Envelope()
		if err != nil || !bytes.Equal(data, again) {
			t.Fatalf("two envelopes of one message differ")
		}
		if !bytes.Contains(data, []byte("Z</eb:Timestamp>")) {
			t.Fatalf("Timestamp is not in UTC: %s", data)
		}
		got, err := ebms.Parse(data)
		if err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		if diff := cmp.Diff(m, got, equalMessages); diff != "" {
			t.Fatalf("message differs (-sent +read)\n%s", diff)
		}
	})
}

// anyText is text without white space at its ends, which XML does not keep; within it anything goes.
func anyText(t *rapid.T, label string) string {
	edge := rapid.StringMatching(`[!-~]`)
	middle := rapid.StringOf(rapid.SampledFrom([]rune("aZ09 <>&'\"]\t\r\n/?#%=é漢\u00a0\U0001f4dc")))
	return edge.Draw(t, label) + middle.Draw(t, label) + edge.Draw(t, label)
}

func anyInstant(t *rapid.T, label string) time.Time {
	zone := time.FixedZone("", rapid.IntRange(-14, 14).Draw(t, "zone")*3600)
	return instant().Add(time.Duration(rapid.IntRange(0, 1<<40).Draw(t, label)) * time.Millisecond).In(zone)
}

func anyParty(t *rapid.T) ebms.Party {
	types := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,4}`), 1, 3, rapid.ID).Draw(t, "types")
	var p ebms.Party
	for _, kind := range types {
		p.IDs = append(p.IDs, ebms.PartyID{Type: kind, Value: anyText(t, "id")})
	}
	if rapid.Bool().Draw(t, "role") {
		p.Role = anyText(t, "role")
	}
	return p
}

// anyMessage is a message of any kind that is written.
func anyMessage(t *rapid.T) *ebms.Message {
	m := &ebms.Message{
		From: anyParty(t), To: anyParty(t), CPAID: anyText(t, "cpa"), ConversationID: anyText(t, "conversation"),
		Service: ebms.Service{Type: "t", Value: anyText(t, "service")}, Action: anyText(t, "action"),
		MessageID: anyText(t, "id"), Timestamp: anyInstant(t, "time"), SyncReply: rapid.Bool().Draw(t, "sync"),
		DuplicateElimination: rapid.Bool().Draw(t, "once"),
	}
	if rapid.Bool().Draw(t, "ttl") {
		m.TimeToLive = m.Timestamp.Add(time.Hour)
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "payloads") {
		m.Manifest = append(m.Manifest, ebms.ManifestReference{Href: ebms.CIDToHref(string(rune('a'+i)) + anyText(t, "cid")), Description: anyText(t, "text")})
	}
	if rapid.Bool().Draw(t, "ack") {
		m.AckRequested = &ebms.AckRequested{Signed: rapid.Bool().Draw(t, "signed"), Actor: ebms.ActorToPartyMSH}
	}
	options := ebms.SignalOptions{MessageID: anyText(t, "id"), Now: anyInstant(t, "now"), Received: anyInstant(t, "received")}
	inquiry := ebms.Inquiry{From: m.From, To: m.To, CPAID: m.CPAID, ConversationID: m.ConversationID,
		MessageID: m.MessageID, Now: m.Timestamp, SyncReply: m.SyncReply}
	switch rapid.IntRange(0, 8).Draw(t, "kind") {
	case 3:
		return ebms.NewPing(inquiry)
	case 4:
		return ebms.NewPong(ebms.NewPing(inquiry), options)
	case 5:
		return ebms.NewStatusRequest(anyText(t, "asked"), inquiry)
	case 6:
		known := []ebms.MessageStatus{ebms.StatusReceived, ebms.StatusProcessed, ebms.StatusForwarded}
		r := ebms.StatusResponse{Status: rapid.SampledFrom(known).Draw(t, "status"), Timestamp: anyInstant(t, "received")}
		return ebms.NewStatusResponse(ebms.NewStatusRequest(anyText(t, "asked"), inquiry), r, options)
	case 7:
		m.SyncReply, m.DuplicateElimination, m.AckRequested = false, true, &ebms.AckRequested{Actor: ebms.ActorToPartyMSH}
		m.Order = &ebms.MessageOrder{Sequence: rapid.Uint32Range(0, ebms.MaxSequence).Draw(t, "sequence")}
		m.Order.Reset = m.Order.Sequence == 0
	case 8:
		m.Acknowledgment = &ebms.Acknowledgment{Timestamp: anyInstant(t, "received"), RefToMessageID: anyText(t, "acknowledged"), Actor: ebms.ActorToPartyMSH}
		warnings := ebms.NewErrorList(ebms.NewNotSupported(anyText(t, "where"), nil).AsWarning())
		m.Errors = &warnings
	case 1:
		ack := ebms.NewAcknowledgment(m, options)
		ack.Acknowledgment.References = []ebms.DigestReference{{URI: "cid:" + anyText(t, "uri"), DigestMethod: "urn:digest", DigestValue: "AA=="}}
		return ack
	case 2:
		e := ebms.NewInconsistent(anyText(t, "where"), errors.New("private"))
		return ebms.NewMessageError(m, ebms.NewErrorList(e, ebms.NewDeliveryFailure(ebms.SeverityWarning, "", nil)), options)
	}
	return m
}

// XML processors of others check envelopes against the schema.
func TestEnvelopesAreValidBySchema(t *testing.T) {
	schema := shared(t, "ebms/xsd/msg-header-2_0.xsd")
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Skipf("the schema is not checked: %v", err)
	}
	valid := map[string][]byte{"fault": ebms.FaultReply(errors.New("x")).Body}
	for name, m := range kinds() {
		valid[name] = envelope(t, m)
	}
	lint := func(name string, data []byte) ([]byte, error) {
		file := filepath.Join(t.TempDir(), name+".xml")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return exec.Command("xmllint", "--nonet", "--noout", "--schema", schema, file).CombinedOutput()
	}
	for name, data := range valid {
		if out, err := lint(name, data); err != nil {
			t.Errorf("%s: %v\n%s\n%s", name, err, out, data)
		}
	}
	// The check itself must see the header blocks, which SOAP's own schema lets pass unread.
	for name, broken := range map[string][]byte{
		"MessageHeader without CPAId":    bytes.Replace(valid["business"], []byte("<eb:CPAId>vn-th-1</eb:CPAId>"), nil, 1),
		"MessageOrder of another status": bytes.Replace(valid["ordered"], []byte("Reset"), []byte("Begin"), 1),
		"StatusResponse without status":  bytes.Replace(valid["status response"], []byte(` eb:messageStatus="Processed"`), nil, 1),
	} {
		if _, err := lint("broken", broken); err == nil {
			t.Errorf("the schema accepts a %s", name)
		}
	}
}

func TestEnvelopeRefusesWhatItCouldNotRead(t *testing.T) {
	long := strings.Repeat("x", 1025)
	for _, test := range []struct {
		name, want string
		change     func(*ebms.Message)
	}{
		{"no message id", "MessageId: empty", func(m *ebms.Message) { m.MessageID = "" }},
		{"blank action", "Action: empty", func(m *ebms.Message) { m.Action = " \n" }},
		{"no timestamp", "no Timestamp", func(m *ebms.Message) { m.Timestamp = time.Time{} }},
		{"no party", "no PartyId", func(m *ebms.Message) { m.To.IDs = nil }},
		{"party is no URI", "is no URI", func(m *ebms.Message) { m.To.IDs[0].Type = "" }},
		{"no URI in the manifest", "no xlink:href", func(m *ebms.Message) { m.Manifest[0].Href = "" }},
		{"identifier", `"1x" is no NCName`, func(m *ebms.Message) { m.Manifest[0].ID = "1x" }},
		{"control character", "eb:Action: character 0x1 at byte 1", func(m *ebms.Message) { m.Action = "a\x01" }},
		{"not UTF-8", "no UTF-8 at byte", func(m *ebms.Message) { m.CPAID = "a\xff" }},
		{"control character in an attribute", "eb:type: character 0x0", func(m *ebms.Message) { m.Service.Type = "\x00" }},
		{"empty error list", "no Error", func(m *ebms.Message) { m.Errors = &ebms.ErrorList{} }},
		{"long message id", "MessageId: more than 1024 bytes", func(m *ebms.Message) { m.MessageID = long }},
		{"long role", "To/Role: more than 1024 bytes", func(m *ebms.Message) { m.To.Role = long }},
		{"long party", "From/PartyId: more than 1024 bytes", func(m *ebms.Message) { m.From.IDs[0].Value = long }},
		{"long description", "Description: more than 4096 bytes", func(m *ebms.Message) { m.Description = strings.Repeat(long, 4) }},
		{"many payloads", "more than 1024 References", func(m *ebms.Message) { m.Manifest = slices.Repeat(m.Manifest[:1], 1025) }},
		{"many digests", "more than 1025 References", func(m *ebms.Message) {
			m.Acknowledgment = &ebms.Acknowledgment{RefToMessageID: "x", References: make([]ebms.DigestReference, 1026)}
		}},
		{"long status question", "StatusRequest/RefToMessageId: more than 1024 bytes", func(m *ebms.Message) { m.StatusRequest = &ebms.StatusRequest{RefToMessageID: long} }},
		{"long status", "StatusResponse/RefToMessageId: more than 1024 bytes", func(m *ebms.Message) {
			m.StatusResponse = &ebms.StatusResponse{RefToMessageID: long}
		}},
		{"status question in business", "StatusRequest on a message of action", func(m *ebms.Message) { m.StatusRequest = &ebms.StatusRequest{RefToMessageID: "x"} }},
		{"order and response", "MessageOrder together with SyncReply", func(m *ebms.Message) { m.Order = &ebms.MessageOrder{} }},
		{"order over its bound", "100000000 is over 99999999", func(m *ebms.Message) { m.Order, m.SyncReply = &ebms.MessageOrder{Sequence: 100_000_000}, false }},
		{"order begins anew later", "and not 0", func(m *ebms.Message) { m.Order, m.SyncReply = &ebms.MessageOrder{Sequence: 1, Reset: true}, false }},
		{"hop asks", "AckRequested: actor nextMSH", func(m *ebms.Message) { m.AckRequested.Actor = ebms.ActorNextMSH }},
		{"hop acknowledges", "Acknowledgment: actor nextMSH", func(m *ebms.Message) {
			m.Hop = &ebms.Hop{Acknowledgment: &ebms.Acknowledgment{RefToMessageID: "x", Actor: ebms.ActorNextMSH}}
		}},
		{"long digest", "Reference: more than 1024 bytes", func(m *ebms.Message) {
			m.Acknowledgment = &ebms.Acknowledgment{RefToMessageID: "x", References: []ebms.DigestReference{{DigestValue: long}}}
		}},
		{"many errors", "more than 100 Errors", func(m *ebms.Message) { m.Errors = &ebms.ErrorList{Errors: make([]ebms.Error, 101)} }},
		{"long error", "Error: more than 1024 bytes", func(m *ebms.Message) { m.Errors = &ebms.ErrorList{Errors: []ebms.Error{{Location: long}}} }},
		{"acknowledgment of nothing", "RefToMessageId: empty", func(m *ebms.Message) { m.Acknowledgment = &ebms.Acknowledgment{} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := business()
			test.change(m)
			if out, err := m.Envelope(); out != nil || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// The replacement character says of a text that it was damaged before it came here; it is no less a character of XML.
func TestReplacementCharacterIsKept(t *testing.T) {
	m := business()
	m.ConversationID = "c\uFFFD1"
	if got := parse(t, envelope(t, m)); got.ConversationID != m.ConversationID {
		t.Errorf("conversation %q, want %q", got.ConversationID, m.ConversationID)
	}
}

func TestTextsAreReadUpToTheirLimit(t *testing.T) {
	m := business()
	m.MessageID, m.Action, m.Description = strings.Repeat("m", 1024), strings.Repeat("a", 1024), strings.Repeat("d", 4096)
	m.Manifest = slices.Repeat(m.Manifest[1:], 1024)
	m.Acknowledgment = &ebms.Acknowledgment{Timestamp: instant(), RefToMessageID: "x", Actor: ebms.ActorToPartyMSH,
		References: slices.Repeat([]ebms.DigestReference{{URI: "cid:x", DigestMethod: "urn:d", DigestValue: "AA=="}}, 1025)}
	if diff := cmp.Diff(m, parse(t, envelope(t, m)), equalMessages); diff != "" {
		t.Error(diff)
	}
}

func TestPartyWithoutTypeIsAURI(t *testing.T) {
	for value, ok := range map[string]bool{
		"urn:customs:vn":       true,
		"http://customs.vn/":   true,
		"mailto:co@customs.vn": true,
		"x+1.a-b:c":            true,
		"VN":                   false,
		"urn:":                 false,
		":vn":                  false,
		"1urn:vn":              false,
		"u n:vn":               false,
		"urn:v n":              false,
		"urn:<vn>":             false,
		"urn:việt":             false,
	} {
		m := business()
		m.To.IDs = []ebms.PartyID{{Value: value}}
		if err := m.Validate(); (err == nil) != ok {
			t.Errorf("%q: %v, want it accepted: %v", value, err, ok)
		}
	}
}

func TestCopiesOfDigestReferencesAreWrittenUnchanged(t *testing.T) {
	copied := `<ds:Reference xmlns:ds="http://www.w3.org/2000/09/xmldsig#" xmlns:S="http://schemas.xmlsoap.org/soap/envelope/" URI="cid:x">` +
		`<ds:DigestMethod Algorithm="urn:d"></ds:DigestMethod><ds:DigestValue>AA==</ds:DigestValue></ds:Reference>`
	ack := ebms.NewAcknowledgment(business(), signalOptions())
	ack.Acknowledgment.References = []ebms.DigestReference{{XML: []byte(copied)}}
	data := envelope(t, ack)
	if !bytes.Contains(data, []byte(copied)) {
		t.Errorf("copy is not in %s", data)
	}
	want := []ebms.DigestReference{{URI: "cid:x", DigestMethod: "urn:d", DigestValue: "AA=="}}
	if diff := cmp.Diff(want, parse(t, data).Acknowledgment.References); diff != "" {
		t.Errorf("references differ (-want +got)\n%s", diff)
	}
	for name, bad := range map[string]string{
		"prefix from outside": strings.Replace(copied, ` xmlns:ds="http://www.w3.org/2000/09/xmldsig#"`, "", 1),
		"another element":     strings.ReplaceAll(copied, "ds:Reference", "ds:Other"),
		"two elements":        copied + copied,
		"declaration":         `<?xml version="1.0"?>` + copied,
		"more than the copy":  " " + copied,
		"an end tag too much": copied + "</eb:Acknowledgment>",
	} {
		t.Run(name, func(t *testing.T) {
			ack.Acknowledgment.References[0].XML = []byte(bad)
			if _, err := ack.Envelope(); err == nil || !strings.Contains(err.Error(), "copy of ds:Reference") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestParseReadsTimesInTheirForms(t *testing.T) {
	data := string(envelope(t, business()))
	for text, want := range map[string]time.Time{
		"2026-11-20T10:15:00Z":           instant(),
		"2026-11-20T10:15:00":            instant(),
		"2026-11-20T10:15:00.5":          instant().Add(500 * time.Millisecond),
		"2026-11-20T10:15:00.000001Z":    instant().Add(time.Microsecond),
		"2026-11-20T17:15:00+07:00":      instant(),
		"2026-11-20T06:45:00.250-03:30":  instant().Add(250 * time.Millisecond),
		"\n 2026-11-20T10:15:00+00:00\t": instant(),
	} {
		m, err := ebms.Parse([]byte(strings.Replace(data, ">2026-11-20T10:15:00Z<", ">"+text+"<", 1)))
		if err != nil || !m.Timestamp.Equal(want) || m.Timestamp.Location() != time.UTC {
			t.Errorf("%q is read as %v, %v; want %v", text, m.Timestamp, err, want)
		}
	}
}

func TestParseReadsAcrossCommentsAndSections(t *testing.T) {
	data := envelope(t, business())
	data = bytes.Replace(data, []byte(">Submit<"), []byte(">Sub<!-- the rest -->m<![CDATA[it]]><"), 1)
	if m := parse(t, data); m.Action != "Submit" {
		t.Errorf("Action %q, want Submit", m.Action)
	}
	for name, data := range map[string][]byte{
		"byte order mark": append([]byte("\ufeff"), data...),
		"US-ASCII":        bytes.Replace(data, []byte("UTF-8"), []byte("US-ASCII"), 1),
	} {
		if m := parse(t, data); m.Action != "Submit" {
			t.Errorf("%s: Action %q, want Submit", name, m.Action)
		}
	}
	latin := bytes.Replace(data, []byte("UTF-8"), []byte("ISO-8859-1"), 1)
	if _, err := ebms.Parse(latin); err == nil || !strings.Contains(err.Error(), "neither UTF-8 nor US-ASCII") {
		t.Errorf("ISO-8859-1: %v", err)
	}
}

func TestParsePassesBlocksThatAreNotForUs(t *testing.T) {
	for _, block := range []string{
		`<x:Trace xmlns:x="urn:x"/>`,
		`<x:Trace xmlns:x="urn:x" soap:mustUnderstand="0"/>`,
		`<x:Trace xmlns:x="urn:x" soap:mustUnderstand="1" soap:actor="urn:somebody:else"/>`,
	} {
		data := bytes.Replace(envelope(t, business()), []byte("</soap:Header>"), []byte(block+"</soap:Header>"), 1)
		if diff := cmp.Diff(business(), parse(t, data)); diff != "" {
			t.Errorf("%s changes the message (-want +got)\n%s", block, diff)
		}
	}
}

func TestParseKnowsASignatureOnlyInTheHeader(t *testing.T) {
	const signature = `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/>`
	data := envelope(t, business())
	if parse(t, data).Signed {
		t.Error("an unsigned message counts as signed")
	}
	if !parse(t, bytes.Replace(data, []byte("</soap:Header>"), []byte(signature+"</soap:Header>"), 1)).Signed {
		t.Error("a Signature in the Header is not seen")
	}
	if parse(t, bytes.Replace(data, []byte("</eb:MessageHeader>"), []byte(signature+"</eb:MessageHeader>"), 1)).Signed {
		t.Error("a Signature within another block counts")
	}
}
