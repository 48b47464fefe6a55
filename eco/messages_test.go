package eco_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
)

// businessKind is a kind of business message, whatever its type.
type businessKind struct {
	folder string
	// load reads one of testdata, draw generates one; both give its JSON form. validate checks what that JSON says.
	load     func(t *testing.T, name string) []byte
	draw     func(t *rapid.T) []byte
	validate func(t rapid.TB, data []byte) []eco.Finding
}

var businessKinds = []businessKind{
	kindOf(ecotest.Responses, ecotest.CustomsResponse(), eco.ValidateCustomsResponse),
	kindOf(ecotest.StatusRequests, ecotest.StatusRequest(), eco.ValidateStatusRequest),
	kindOf(ecotest.StatusReports, ecotest.StatusReport(), eco.ValidateStatusReport),
	kindOf(ecotest.VerificationRequests, ecotest.VerificationRequest(), eco.ValidateVerificationRequest),
	kindOf(ecotest.VerificationReplies, ecotest.VerificationReply(), eco.ValidateVerificationReply),
}

func kindOf[T any](folder string, generated *rapid.Generator[T], validate func(T, eco.Forms) []eco.Finding) businessKind {
	encode := func(t rapid.TB, m T) []byte {
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	return businessKind{
		folder: folder,
		load:   func(t *testing.T, name string) []byte { return encode(t, ecotest.LoadMessage[T](t, folder, name)) },
		draw:   func(t *rapid.T) []byte { return encode(t, generated.Draw(t, "message")) },
		validate: func(t rapid.TB, data []byte) []eco.Finding {
			var m T
			if err := json.Unmarshal(data, &m); err != nil {
				t.Fatal(err)
			}
			return validate(m, eco.DefaultForms())
		},
	}
}

func TestMessagesOfTestdataHaveNoFindings(t *testing.T) {
	for _, m := range businessKinds {
		for _, name := range ecotest.MessageNames(t, m.folder) {
			if findings := m.validate(t, m.load(t, name)); findings != nil {
				t.Errorf("%s/%s: %+v", m.folder, name, findings)
			}
		}
	}
}

func TestGeneratedMessagesHaveNoErrors(t *testing.T) {
	for _, m := range businessKinds {
		t.Run(m.folder, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				if findings := m.validate(t, m.draw(t)); eco.HasErrors(findings) {
					t.Fatal(findings)
				}
			})
		})
	}
}

// The base of a hostile message is a folder of testdata and a name in it.
func TestHostileMessagesAreFound(t *testing.T) {
	for _, file := range ecotest.Files(t, "hostile/business/*.txt") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			h := readHostile(t, file)
			folder, name := filepath.Split(h.base)
			for _, m := range businessKinds {
				if m.folder+"/" == folder {
					h.check(t, m.validate(t, h.changed(t, m.load(t, name))))
					return
				}
			}
			t.Fatalf("no messages in folder %q", folder)
		})
	}
}

func TestResponseIsComparedWithItsCertificate(t *testing.T) {
	c := ecotest.Load(t, "nonpreferential-kcci")
	c.Items[0].Quantity = &eco.Measure{Value: "10", Unit: "KGM"}
	for _, tt := range []struct {
		name    string
		outcome eco.ItemOutcome
		path    string
	}{
		{"as it is", eco.ItemOutcome{Item: 1, Status: eco.CustomsUsedUp, Quantity: &eco.Measure{Value: "10.0", Unit: "KGM"}}, ""},
		{"without quantity", eco.ItemOutcome{Item: 1, Status: eco.CustomsUsedUp}, ""},
		{"another unit", eco.ItemOutcome{Item: 1, Status: eco.CustomsUsedUp, Quantity: &eco.Measure{Value: "11", Unit: "C62"}}, ""},
		{"more than there is", eco.ItemOutcome{Item: 1, Status: eco.CustomsUsedUp, Quantity: &eco.Measure{Value: "10.01", Unit: "KGM"}}, "items[0].quantity"},
		{"an item that is not there", eco.ItemOutcome{Item: 99, Status: eco.CustomsUsedUp}, "items[0].item"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			findings := eco.CompareCustomsResponse(eco.CustomsResponse{Items: []eco.ItemOutcome{tt.outcome}}, c)
			if path := pathOf(findings); path != tt.path {
				t.Errorf("found %+v, want %q", findings, tt.path)
			}
		})
	}
}

func TestReplyIsComparedWithItsRequest(t *testing.T) {
	asked := ecotest.LoadMessage[eco.VerificationRequest](t, ecotest.VerificationRequests, "doubt")
	reply := ecotest.LoadMessage[eco.VerificationReply](t, ecotest.VerificationReplies, "refuted")
	if findings := eco.CompareVerificationReply(reply, asked); findings != nil {
		t.Error(findings)
	}
	reply.Replies[0].Question = 3
	if path := pathOf(eco.CompareVerificationReply(reply, asked)); path != "replies[0].question" {
		t.Errorf("a reply to question 3 of 2: found %q", path)
	}
	asked.ID = "another"
	if path := pathOf(eco.CompareVerificationReply(reply, asked)); path != "request" {
		t.Errorf("a reply to another request: found %q", path)
	}
}

func pathOf(findings []eco.Finding) string {
	if len(findings) == 0 {
		return ""
	}
	return findings[0].Path
}

func TestCancellationNamesWhatItCancelsAndKeepsTheRest(t *testing.T) {
	for _, name := range ecotest.Names(t) {
		c := ecotest.Load(t, name)
		before := ecotest.Load(t, name)
		cancelled := eco.Cancellation(c, "ISSUED IN ERROR")
		if findings := eco.Validate(cancelled, eco.DefaultForms(), eco.Quirks{}, ecotest.Now()); eco.HasErrors(findings) {
			t.Errorf("%s: %+v", name, findings)
		}
		last := cancelled.Related[len(cancelled.Related)-1]
		if last.Relation != eco.RelationCancels || last.Reference != c.Reference || !strings.HasSuffix(cancelled.Certification.Remarks, "ISSUED IN ERROR") {
			t.Errorf("%s: %+v, %q", name, last, cancelled.Certification.Remarks)
		}
		if cancelled.Status != eco.StatusCancellation {
			t.Errorf("status %s, want %s", cancelled.Status, eco.StatusCancellation)
		}
		again, _ := json.Marshal(c)
		if was, _ := json.Marshal(before); string(again) != string(was) {
			t.Errorf("%s: the certificate itself was changed", name)
		}
	}
}
