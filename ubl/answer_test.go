package ubl_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/ubl"
)

func ExampleMarshalAnswer() {
	doc, err := ubl.MarshalAnswer(eco.Answer{
		ID: "432", IssueTime: time.Date(2026, time.November, 22, 9, 12, 0, 0, time.UTC), Kind: eco.AnswerRejected,
		Certificate: eco.AnsweredCertificate{IssuingCountry: "LA", Form: eco.FormLaoGSP, Reference: "26010042", IssuingBody: "MOIC"},
		Authority:   eco.Authority{Name: "CUSTOMS ADMINISTRATION", Country: "TW"},
		Reasons:     []eco.Reason{{Code: eco.CodeHS, Text: "NO SUCH HEADING"}},
	}, eco.DefaultForms())
	if err != nil {
		fmt.Println(err)
		return
	}
	back, findings, err := ubl.UnmarshalAnswer(doc, eco.DefaultForms())
	fmt.Println(back.Certificate.Reference, back.Kind, back.Reasons, len(findings), err)
	// Output: 26010042 rejected [{D07 NO SUCH HEADING}] 0 <nil>
}

func marshalAnswer(t testing.TB, a eco.Answer) []byte {
	t.Helper()
	doc, err := ubl.MarshalAnswer(a, eco.DefaultForms())
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestAnswersOfTestdata(t *testing.T) {
	for _, name := range ecotest.AnswerNames(t) {
		t.Run(name, func(t *testing.T) {
			a := ecotest.LoadAnswer(t, name)
			back, findings, err := ubl.UnmarshalAnswer(golden(t, "answers/"+name+".xml", marshalAnswer(t, a)), eco.DefaultForms())
			if err != nil || len(findings) > 0 {
				t.Fatal(err, findings)
			}
			if diff := cmp.Diff(a, back); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnswerSurvivesItsDocument(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := ecotest.Answer().Draw(t, "answer")
		doc, err := ubl.MarshalAnswer(a, eco.DefaultForms())
		if err != nil {
			t.Fatal(err)
		}
		back, findings, err := ubl.UnmarshalAnswer(doc, eco.DefaultForms())
		if err != nil || len(findings) > 0 {
			t.Fatal(err, findings)
		}
		if diff := cmp.Diff(a, back, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
		if back.IssueTime.Location() != time.UTC {
			t.Fatalf("read as %s, want an instant in UTC", back.IssueTime)
		}
		again, err := ubl.MarshalAnswer(back, eco.DefaultForms())
		if err != nil || !bytes.Equal(doc, again) {
			t.Fatalf("the same answer gives other octets: %v", err)
		}
	})
}

func TestAnswerIsWrittenInUTC(t *testing.T) {
	a := ecotest.LoadAnswer(t, "received")
	want := marshalAnswer(t, a)
	a.IssueTime = a.IssueTime.In(time.FixedZone("LINT", 14*3600)) // the next day there
	if got := marshalAnswer(t, a); !bytes.Equal(want, got) {
		t.Errorf("the same instant in another zone gives other octets:\n%s", got)
	}
}

func TestAnswersAreValidUBL(t *testing.T) {
	documents := map[string][]byte{}
	for _, name := range ecotest.AnswerNames(t) {
		documents[name] = marshalAnswer(t, ecotest.LoadAnswer(t, name))
	}
	for seed := range 30 {
		documents[fmt.Sprint(seed)] = marshalAnswer(t, ecotest.Answer().Example(seed))
	}
	checkSchema(t, "ApplicationResponse", ubl.Version21, documents)
}

func TestMarshalAnswerNamesWhatADocumentCannotCarry(t *testing.T) {
	tests := []struct {
		name   string
		change func(a *eco.Answer)
		want   string
	}{
		{"no number", func(a *eco.Answer) { a.ID = "" }, "id: a document needs it"},
		{"white space around the number", func(a *eco.Answer) { a.ID += " " }, "id: a document cannot carry this value"},
		{"no instant", func(a *eco.Answer) { a.IssueTime = time.Time{} }, "issue_time: a document needs it"},
		{"year 10000", func(a *eco.Answer) { a.IssueTime = a.IssueTime.AddDate(8000, 0, 0) }, "cbc:IssueDate: want a date"},
		{"no kind", func(a *eco.Answer) { a.Kind = "" }, `kind: want a known kind of answer, found ""`},
		{"a kind that is none", func(a *eco.Answer) { a.Kind = "used" }, `kind: want a known kind of answer, found "used"`},
		{"no form", func(a *eco.Answer) { a.Certificate.Form = "" }, `certificate.form: want a known form, found ""`},
		{"no reference", func(a *eco.Answer) { a.Certificate.Reference = "" }, "certificate.reference: a document needs it"},
		{"no issuing country", func(a *eco.Answer) { a.Certificate.IssuingCountry = "" }, "certificate.issuing_country: a document needs it"},
		{"no issuing body", func(a *eco.Answer) { a.Certificate.IssuingBody = " " }, "certificate.issuing_body: a document needs it"},
		{"no authority", func(a *eco.Answer) { a.Authority.Name = "" }, "authority.name: a document needs it"},
		{"no country", func(a *eco.Answer) { a.Authority.Country = "" }, "authority.country: a document needs it"},
		{"an empty reason", func(a *eco.Answer) { a.Reasons[1] = eco.Reason{} }, "reasons: a document cannot carry this value"},
		{"a reason of white space", func(a *eco.Answer) { a.Reasons[0].Text = "\n" }, "reasons[0].text: a document cannot carry this value"},
		{"too many reasons", func(a *eco.Answer) { a.Reasons = make([]eco.Reason, eco.MaxReasons+1); fillReasons(a) }, "want at most 100 reasons, found 101"},
		{"no XML character", func(a *eco.Answer) { a.Note = "A\x01" }, "cbc:Note: want characters that XML can hold, found U+0001"},
		{"no character at all", func(a *eco.Answer) { a.Reasons[0].Text = "A\xff" }, "cbc:StatusReason: want UTF-8 text, found octet 0xff"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := ecotest.LoadAnswer(t, "rejected")
			tt.change(&a)
			doc, err := ubl.MarshalAnswer(a, eco.DefaultForms())
			if err == nil || doc != nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %d octets and %v, want an error with %q", len(doc), err, tt.want)
			}
		})
	}
}

func fillReasons(a *eco.Answer) {
	for i := range a.Reasons {
		a.Reasons[i].Code = eco.CodeHS
	}
}

func TestMostReasonsSurvive(t *testing.T) {
	a := ecotest.LoadAnswer(t, "rejected")
	a.Reasons = make([]eco.Reason, eco.MaxReasons)
	fillReasons(&a)
	back, _, err := ubl.UnmarshalAnswer(marshalAnswer(t, a), eco.DefaultForms())
	if err != nil || len(back.Reasons) != eco.MaxReasons {
		t.Errorf("%d reasons, %v; want %d", len(back.Reasons), err, eco.MaxReasons)
	}
}

func FuzzUnmarshalAnswer(f *testing.F) {
	for _, name := range ecotest.AnswerNames(f) {
		f.Add(marshalAnswer(f, ecotest.LoadAnswer(f, name)))
	}
	for _, file := range ecotest.Files(f, "hostile/ubl/answer-*.txt") {
		f.Add(readHostile(f, file).document)
	}
	f.Fuzz(func(t *testing.T, doc []byte) { checkAnswerRewritable(t, doc) })
}

// checkAnswerRewritable reads a document. What can be read and keeps the rules of answers can be written too, whoever wrote
// it first, and is the same answer then.
func checkAnswerRewritable(t rapid.TB, doc []byte) {
	t.Helper()
	a, _, err := ubl.UnmarshalAnswer(doc, eco.DefaultForms())
	if err != nil || eco.HasErrors(eco.ValidateAnswer(a, eco.DefaultForms())) {
		return
	}
	again, err := ubl.MarshalAnswer(a, eco.DefaultForms())
	if err != nil {
		t.Fatal(err)
	}
	back, findings, err := ubl.UnmarshalAnswer(again, eco.DefaultForms())
	if err != nil || len(findings) > 0 {
		t.Fatal(err, findings)
	}
	if diff := cmp.Diff(a, back, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestDamagedAnswersAreReadOrRefused(t *testing.T) {
	var documents []string
	for _, name := range ecotest.AnswerNames(t) {
		documents = append(documents, string(marshalAnswer(t, ecotest.LoadAnswer(t, name))))
	}
	rapid.Check(t, func(t *rapid.T) {
		tree := etree.NewDocument()
		if err := tree.ReadFromString(rapid.SampledFrom(documents).Draw(t, "document")); err != nil {
			t.Fatal(err)
		}
		damage(t, tree, []string{"", " ", "AB", "AP", "RE", "9:00:00Z", "2026-02-30", "ATIGA FORM D", "\n", "LA", "é"})
		doc, err := tree.WriteToBytes()
		if err != nil {
			t.Fatal(err)
		}
		checkAnswerRewritable(t, doc)
	})
}
