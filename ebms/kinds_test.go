package ebms_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecogate/ecogate/ebms"
)

// inquiry is by the exporting side.
func inquiry() ebms.Inquiry {
	b := business()
	return ebms.Inquiry{From: b.From, To: b.To, CPAID: b.CPAID, ConversationID: b.ConversationID,
		MessageID: "question@vn.example", Now: instant(), SyncReply: true}
}

// kinds are messages of every kind that is written.
func kinds() map[string]*ebms.Message {
	acknowledgment := ebms.NewAcknowledgment(business(), signalOptions())
	acknowledgment.Acknowledgment.References = []ebms.DigestReference{
		{URI: "", DigestMethod: "http://www.w3.org/2001/04/xmlenc#sha256", DigestValue: "AA=="},
		{URI: "cid:certificate@vn.example", DigestMethod: "http://www.w3.org/2001/04/xmlenc#sha256", DigestValue: "AA=="},
	}
	ordered := business()
	ordered.Order, ordered.SyncReply = &ebms.MessageOrder{Sequence: 0, Reset: true}, false
	later := business()
	later.Order, later.SyncReply = &ebms.MessageOrder{Sequence: ebms.MaxSequence}, false
	bundled := business()
	bundled.Acknowledgment = acknowledgment.Acknowledgment
	warnings := ebms.NewErrorList(ebms.NewInconsistent("//Header/AckRequested", nil).AsWarning())
	warned := business()
	warned.Errors = &warnings
	failures := ebms.NewErrorList(ebms.NewMimeProblem("cid:x", nil), &ebms.Error{Code: "private", Severity: ebms.SeverityWarning})
	question := ebms.NewStatusRequest("asked@vn.example", inquiry())
	return map[string]*ebms.Message{
		"business":             business(),
		"ordered":              ordered,
		"ordered later":        later,
		"bundled":              bundled,
		"business and warning": warned,
		"acknowledgment":       acknowledgment,
		"error":                ebms.NewMessageError(business(), failures, signalOptions()),
		"warning":              ebms.NewMessageError(business(), warnings, signalOptions()),
		"ping":                 ebms.NewPing(inquiry()),
		"pong":                 ebms.NewPong(ebms.NewPing(inquiry()), signalOptions()),
		"status request":       question,
		"status response": ebms.NewStatusResponse(question,
			ebms.StatusResponse{Status: ebms.StatusProcessed, Timestamp: instant()}, signalOptions()),
		"status not told": ebms.NewStatusResponse(question, ebms.StatusResponse{Status: ebms.StatusUnAuthorized}, signalOptions()),
	}
}

func TestEveryKindOfMessageComesBack(t *testing.T) {
	for name, m := range kinds() {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(m, parse(t, envelope(t, m)), equalMessages); diff != "" {
				t.Errorf("message differs (-sent +read)\n%s", diff)
			}
		})
	}
}

func TestInquiriesAndTheirAnswersReferToEachOther(t *testing.T) {
	b := business()
	ping, question := ebms.NewPing(inquiry()), ebms.NewStatusRequest("asked@vn.example", inquiry())
	wantPing := &ebms.Message{
		From: b.From, To: b.To, CPAID: b.CPAID, ConversationID: b.ConversationID, Service: ebms.Service{Value: ebms.MSHService},
		Action: ebms.ActionPing, MessageID: "question@vn.example", Timestamp: instant(), SyncReply: true,
	}
	if diff := cmp.Diff(wantPing, ping); diff != "" {
		t.Errorf("Ping differs (-want +got)\n%s", diff)
	}
	wantPong := &ebms.Message{
		From: b.To, To: b.From, CPAID: b.CPAID, ConversationID: b.ConversationID, Service: ebms.Service{Value: ebms.MSHService},
		Action: ebms.ActionPong, MessageID: "answer@th.example", Timestamp: instant().Add(time.Minute), RefToMessageID: "question@vn.example",
	}
	if diff := cmp.Diff(wantPong, ebms.NewPong(ping, signalOptions())); diff != "" {
		t.Errorf("Pong differs (-want +got)\n%s", diff)
	}
	answer := ebms.NewStatusResponse(question, ebms.StatusResponse{Status: ebms.StatusReceived, Timestamp: instant()}, signalOptions())
	want := &ebms.StatusResponse{RefToMessageID: "asked@vn.example", Status: ebms.StatusReceived, Timestamp: instant()}
	if diff := cmp.Diff(want, answer.StatusResponse); diff != "" || answer.RefToMessageID != "question@vn.example" {
		t.Errorf("StatusResponse to %q differs (-want +got)\n%s", answer.RefToMessageID, diff)
	}
}

// Who may not know of a message is not told when it came.
func TestStatusOfAMessageThatIsNotToldHasNoTime(t *testing.T) {
	question := ebms.NewStatusRequest("asked@vn.example", inquiry())
	for status, timed := range map[ebms.MessageStatus]bool{
		ebms.StatusUnAuthorized: false, ebms.StatusNotRecognized: false,
		ebms.StatusReceived: true, ebms.StatusProcessed: true, ebms.StatusForwarded: true,
	} {
		received := instant().Add(-time.Hour)
		data := envelope(t, ebms.NewStatusResponse(question, ebms.StatusResponse{Status: status, Timestamp: received}, signalOptions()))
		if got := bytes.Contains(data, []byte(">2026-11-20T09:15:00Z<")); got != timed {
			t.Errorf("%s is written with the time: %v, want %v", status, got, timed)
		}
		if got := parse(t, data).StatusResponse; got.Status != status || got.Timestamp.Equal(received) != timed {
			t.Errorf("%s is read as %+v", status, got)
		}
	}
}

// A relay acts on the blocks of its hop; everybody else learns what stands in the way.
func TestBlocksForTheNextHopAreReadAndRefused(t *testing.T) {
	const attributes = ` eb:version="2.0" soap:mustUnderstand="1" soap:actor="urn:oasis:names:tc:ebxml-msg:actor:nextMSH"`
	const blocks = `<eb:AckRequested` + attributes + ` eb:signed="false"/><eb:Acknowledgment` + attributes + `>` +
		`<eb:Timestamp>2026-11-20T10:15:00Z</eb:Timestamp><eb:RefToMessageId>hop@relay.example</eb:RefToMessageId></eb:Acknowledgment>`
	data := strings.Replace(string(envelope(t, business())), "</soap:Header>", blocks+"</soap:Header>", 1)
	m, err := ebms.Parse([]byte(data))
	if e := ebms.AsError(err); err == nil || e.Code != ebms.CodeNotSupported || e.Location != "//Header/AckRequested" {
		t.Errorf("error %v", err)
	}
	want := business()
	want.Hop = &ebms.Hop{
		AckRequested:   &ebms.AckRequested{Actor: ebms.ActorNextMSH},
		Acknowledgment: &ebms.Acknowledgment{Timestamp: instant(), RefToMessageID: "hop@relay.example", Actor: ebms.ActorNextMSH},
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("message differs (-want +got)\n%s", diff)
	}
}

func TestOdditiesAreCollected(t *testing.T) {
	replace := func(old, new string) func(string) string {
		return func(s string) string { return strings.ReplaceAll(s, old, new) }
	}
	once := replace("</eb:MessageData>", "</eb:MessageData><eb:DuplicateElimination/>")
	for _, test := range []struct {
		name   string
		kind   string
		change func(string) string
		want   []ebms.Oddity
	}{
		{"none", "business", replace("", ""), nil},
		{"no role", "business", replace("<eb:Role>importer</eb:Role>", ""), []ebms.Oddity{ebms.OddityNoRole}},
		{"no role on a signal", "ping", replace("<eb:Role>importer</eb:Role>", ""), nil},
		{"times without zone, named once", "business", replace(":00Z<", ":00<"), []ebms.Oddity{ebms.OddityTimeWithoutZone}},
		{"time without zone in an acknowledgment", "acknowledgment", replace("10:15:01Z<", "10:15:01<"), []ebms.Oddity{ebms.OddityTimeWithoutZone}},
		{"mustUnderstand on a Manifest", "business", replace("<eb:Manifest", `<eb:Manifest soap:mustUnderstand="0"`), []ebms.Oddity{ebms.OddityMustUnderstandInBody}},
		{"duplicates on an acknowledgment", "acknowledgment", once, []ebms.Oddity{ebms.OddityDuplicateEliminationOnSignal}},
		{"bare UUID", "ping", replace("question@vn.example", "7CCC8E6C-2D1C-4A3F-9C1B-6F5B3B1E2A10"), []ebms.Oddity{ebms.OddityMessageIDForm}},
		{"two at", "ping", replace("question@vn.example", "a@b@c"), []ebms.Oddity{ebms.OddityMessageIDForm}},
		{"two dots", "ping", replace("question@vn.example", "a..b@c"), []ebms.Oddity{ebms.OddityMessageIDForm}},
		{"blank within", "ping", replace("question@vn.example", "a b@c"), []ebms.Oddity{ebms.OddityMessageIDForm}},
		{"address literal", "ping", replace("question@vn.example", "a@[2001:db8::1]"), nil},
		{"address", "ping", replace("question@vn.example", "20261120-101500-00017@10.1.2.3"), nil},
		{"all that a business message can have", "business", func(s string) string {
			return strings.NewReplacer("<eb:Role>importer</eb:Role>", "", ":00Z<", ":00<", "<eb:Manifest", `<eb:Manifest soap:mustUnderstand="1"`,
				"@vn.example</eb:MessageId>", "</eb:MessageId>").Replace(s)
		}, []ebms.Oddity{ebms.OddityMessageIDForm, ebms.OddityMustUnderstandInBody, ebms.OddityNoRole, ebms.OddityTimeWithoutZone}},
	} {
		t.Run(test.name, func(t *testing.T) {
			data := test.change(string(envelope(t, kinds()[test.kind])))
			if diff := cmp.Diff(test.want, parse(t, []byte(data)).Oddities); diff != "" {
				t.Errorf("oddities differ (-want +got)\n%s\n%s", diff, data)
			}
		})
	}
}

func TestOdditiesAreListedOnceInTheirOrder(t *testing.T) {
	all := ebms.Oddities()
	for i, o := range all {
		if o == "" || i > 0 && all[i-1] >= o {
			t.Errorf("%q stands after %v", o, all[:i])
		}
	}
}

// The table of ebMS 2.0 §4.2.3.4: which codes may be warnings, and that nothing else becomes one.
func TestErrorCodesKeepTheirSeverities(t *testing.T) {
	for _, test := range []struct {
		code     ebms.Code
		made     *ebms.Error
		location string
		mayWarn  bool
	}{
		{ebms.CodeValueNotRecognized, ebms.NewValueNotRecognized("x", nil), "x", false},
		{ebms.CodeNotSupported, ebms.NewNotSupported("x", nil), "x", true},
		{ebms.CodeInconsistent, ebms.NewInconsistent("x", nil), "x", true},
		{ebms.CodeOtherXML, ebms.NewOtherXML("x", nil), "x", true},
		{ebms.CodeDeliveryFailure, ebms.NewDeliveryFailure(ebms.SeverityError, "x", nil), "x", true},
		{ebms.CodeTimeToLiveExpired, ebms.NewTimeToLiveExpired(nil), "//Header/MessageHeader/MessageData/TimeToLive", false},
		{ebms.CodeSecurityFailure, ebms.NewSecurityFailure("x", nil), "x", false},
		{ebms.CodeMimeProblem, ebms.NewMimeProblem("cid:x", nil), "cid:x", false},
		{ebms.CodeUnknown, ebms.NewUnknown(nil), "", true},
	} {
		t.Run(string(test.code), func(t *testing.T) {
			want := ebms.Error{Code: test.code, Severity: ebms.SeverityError, Location: test.location, Description: test.made.Description}
			if diff := cmp.Diff(want, *test.made); diff != "" {
				t.Errorf("error differs (-want +got)\n%s", diff)
			}
			if test.mayWarn {
				want.Severity = ebms.SeverityWarning
			}
			if diff := cmp.Diff(want, *test.made.AsWarning()); diff != "" {
				t.Errorf("as a warning it differs (-want +got)\n%s", diff)
			}
			if test.made.Severity != ebms.SeverityError {
				t.Error("AsWarning changes the error itself")
			}
		})
	}
}

// A signed message of 1,024 payloads that acknowledges another one, in canonical form.
func TestLargestMessageIsRead(t *testing.T) {
	m := business()
	m.Manifest = nil
	data := string(envelope(t, m))
	var manifest, signature, acknowledged strings.Builder
	for i := range 1025 {
		const digest = `<ds:DigestMethod Algorithm="urn:d"></ds:DigestMethod><ds:DigestValue>AA==</ds:DigestValue></ds:Reference>`
		reference := fmt.Sprintf(`<ds:Reference URI="cid:%d@x">`, i)
		signature.WriteString(reference + `<ds:Transforms><ds:Transform Algorithm="urn:a"></ds:Transform><ds:Transform Algorithm="urn:b"><ds:XPath>x</ds:XPath></ds:Transform>` +
			`<ds:Transform Algorithm="urn:c"></ds:Transform></ds:Transforms>` + digest)
		acknowledged.WriteString(reference + digest)
		if i > 0 {
			fmt.Fprintf(&manifest, `<eb:Reference xlink:href="cid:%d@x"><eb:Schema eb:location="urn:s"></eb:Schema>`+
				`<eb:Description xml:lang="en">a</eb:Description></eb:Reference>`, i)
		}
	}
	data = strings.Replace(data, "<soap:Body/>", `<soap:Body><eb:Manifest eb:version="2.0">`+manifest.String()+"</eb:Manifest></soap:Body>", 1)
	data = strings.Replace(data, "</soap:Header>", `<eb:Acknowledgment xmlns:ds="http://www.w3.org/2000/09/xmldsig#" eb:version="2.0" soap:mustUnderstand="1">`+
		`<eb:Timestamp>2026-11-20T10:15:00Z</eb:Timestamp><eb:RefToMessageId>a@x</eb:RefToMessageId>`+acknowledged.String()+`</eb:Acknowledgment>`+
		`<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">`+signature.String()+`</ds:Signature></soap:Header>`, 1)
	got := parse(t, []byte(data))
	if len(got.Manifest) != 1024 || len(got.Acknowledgment.References) != 1025 || !got.Signed {
		t.Errorf("%d References, %d acknowledged, signed %v", len(got.Manifest), len(got.Acknowledgment.References), got.Signed)
	}
}
