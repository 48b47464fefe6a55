package ecotest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
)

// The folders of testdata that hold business messages, each in its JSON form and as a document.
const (
	Responses            = "responses"
	StatusRequests       = "status-requests"
	StatusReports        = "status-reports"
	VerificationRequests = "verification-requests"
	VerificationReplies  = "verification-replies"
)

// MessageNames are the names of the business messages in a folder of testdata.
func MessageNames(t testing.TB, folder string) []string {
	t.Helper()
	return names(t, folder)
}

// LoadMessage is a business message of testdata, such as "part" of Responses.
func LoadMessage[T any](t testing.TB, folder, name string) (message T) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(Root(t), "testdata", folder, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&message); err != nil {
		t.Fatalf("%s/%s: %v", folder, name, err)
	}
	return message
}

// CustomsResponse generates responses that eco.ValidateCustomsResponse finds no error in.
func CustomsResponse() *rapid.Generator[eco.CustomsResponse] {
	return rapid.Custom(func(t *rapid.T) eco.CustomsResponse {
		g := generator{t}
		return eco.CustomsResponse{Statement: g.statement(), Declaration: g.optional(g.word, "declaration"), Items: g.outcomes(1)}
	})
}

// StatusRequest generates requests that eco.ValidateStatusRequest finds no error in.
func StatusRequest() *rapid.Generator[eco.StatusRequest] {
	return rapid.Custom(func(t *rapid.T) eco.StatusRequest {
		g := generator{t}
		r := eco.StatusRequest{Statement: g.statement()}
		if g.maybe() {
			r.Certificate.IssuingBody = ""
		}
		return r
	})
}

// StatusReport generates reports that eco.ValidateStatusReport finds no error in.
func StatusReport() *rapid.Generator[eco.StatusReport] {
	return rapid.Custom(func(t *rapid.T) eco.StatusReport {
		g := generator{t}
		r := eco.StatusReport{Statement: g.statement(), Request: g.word("request"), Standing: rapid.SampledFrom(eco.Standings()).Draw(t, "standing")}
		if r.Standing != eco.StandingUnknown {
			r.Items = g.outcomes(0)
			if g.maybe() {
				r.Since = g.instant("since")
			}
		}
		return r
	})
}

// VerificationRequest generates requests that eco.ValidateVerificationRequest finds no error in.
func VerificationRequest() *rapid.Generator[eco.VerificationRequest] {
	return rapid.Custom(func(t *rapid.T) eco.VerificationRequest {
		g := generator{t}
		r := eco.VerificationRequest{
			Statement: g.statement(), Ground: rapid.SampledFrom([]eco.VerificationGround{eco.VerifyAtRandom, eco.VerifyForDoubt}).Draw(t, "ground"),
			Reasons: g.reasons(1),
		}
		for n := range g.number("items", 0, 3) {
			r.Items = append(r.Items, n*7+1)
		}
		for range g.number("questions", 0, 3) {
			r.Questions = append(r.Questions, eco.Question{Text: g.box("question")})
		}
		if g.maybe() {
			r.ReplyBy = eco.DateOf(r.IssueTime.UTC()).AddDays(g.number("days", 0, 90))
		}
		return r
	})
}

// VerificationReply generates replies that eco.ValidateVerificationReply finds no error in.
func VerificationReply() *rapid.Generator[eco.VerificationReply] {
	return rapid.Custom(func(t *rapid.T) eco.VerificationReply {
		g := generator{t}
		r := eco.VerificationReply{
			Statement: g.statement(), Request: g.word("request"),
			Requestor: eco.Authority{Name: g.word("requestor"), Country: g.country("country")},
			Result:    rapid.SampledFrom(eco.VerificationResults()).Draw(t, "result"),
		}
		if r.Result != eco.VerifiedConfirmed {
			r.Reasons = g.reasons(1)
		}
		for n := range g.number("replies", 0, 3) {
			r.Replies = append(r.Replies, eco.QuestionReply{Question: n*3 + 1, Text: g.box("reply")})
		}
		return r
	})
}

func (g generator) statement() eco.Statement {
	form := rapid.SampledFrom(eco.DefaultForms().All()).Draw(g.t, "form")
	return eco.Statement{
		ID: g.word("id"), Note: g.optional(g.box, "note"), IssueTime: g.instant("issued"),
		Certificate: eco.CertificateID{
			IssuingCountry: g.country("issuing", form.Issuers...), Form: form.Code, Reference: g.word("reference"), IssuingBody: g.word("body"),
		},
		Authority: eco.Authority{Name: g.word("authority"), Country: g.country("importing", form.Importers...)},
	}
}

func (g generator) instant(label string) time.Time {
	return Now().Add(time.Duration(rapid.Int64Range(-1e18, 1e18).Draw(g.t, label)))
}

func (g generator) reasons(least int) (reasons []eco.Reason) {
	for range g.number("reasons", least, 4) {
		reasons = append(reasons, eco.Reason{Code: g.word("code"), Text: g.optional(g.box, "text")})
	}
	return reasons
}

func (g generator) outcomes(least int) (items []eco.ItemOutcome) {
	for n := range g.number("items", least, 4) {
		item := eco.ItemOutcome{Item: n*5 + 1, Status: rapid.SampledFrom(eco.CustomsStatuses()).Draw(g.t, "status")}
		switch item.Status {
		case eco.CustomsDenied, eco.CustomsSuspended:
			item.Reasons = g.reasons(1)
		case eco.CustomsUsedInPart:
			item.Reasons = g.reasons(0)
			item.Refund = g.maybe()
		case eco.CustomsUsedUp:
			item.Refund = g.maybe()
		}
		if g.maybe() {
			item.Quantity = &eco.Measure{Value: g.decimal("quantity", 1, 999), Unit: "KGM"}
		}
		items = append(items, item)
	}
	return items
}
