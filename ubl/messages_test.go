package ubl_test

import (
	"bytes"
	"encoding/xml"
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

// message is a kind of business message, whatever its type.
type message struct {
	folder   string
	document ubl.Document
	oldest   ubl.Version // of UBL that has the document
	// sample is the document of one of testdata, load the message itself.
	sample func(t testing.TB, name string) []byte
	load   func(t testing.TB, name string) any
	read   func(doc []byte) (any, []eco.Finding, error)
	// check holds a document that can be read to the rules of its message, and writes the message again. survives draws one
	// and does the same.
	check    func(t rapid.TB, doc []byte)
	survives func(t *rapid.T)
	example  func(t testing.TB, seed int) []byte
}

var messages = []message{
	kindOf(ecotest.Responses, ubl.DocumentResponse, ecotest.CustomsResponse(), ubl.MarshalCustomsResponse, ubl.UnmarshalCustomsResponse, eco.ValidateCustomsResponse),
	kindOf(ecotest.StatusRequests, ubl.DocumentStatusRequest, ecotest.StatusRequest(), ubl.MarshalStatusRequest, ubl.UnmarshalStatusRequest, eco.ValidateStatusRequest),
	kindOf(ecotest.StatusReports, ubl.DocumentStatusReport, ecotest.StatusReport(), ubl.MarshalStatusReport, ubl.UnmarshalStatusReport, eco.ValidateStatusReport),
	kindOf(ecotest.VerificationRequests, ubl.DocumentVerificationRequest, ecotest.VerificationRequest(), ubl.MarshalVerificationRequest, ubl.UnmarshalVerificationRequest, eco.ValidateVerificationRequest),
	kindOf(ecotest.VerificationReplies, ubl.DocumentVerificationReply, ecotest.VerificationReply(), ubl.MarshalVerificationReply, ubl.UnmarshalVerificationReply, eco.ValidateVerificationReply),
}

func kindOf[T any](folder string, document ubl.Document, generated *rapid.Generator[T],
	write func(T, eco.Forms) ([]byte, error), read func([]byte, eco.Forms) (T, []eco.Finding, error), validate func(T, eco.Forms) []eco.Finding) message {
	forms := eco.DefaultForms()
	must := func(t rapid.TB, m T) []byte {
		t.Helper()
		doc, err := write(m, forms)
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	same := func(t rapid.TB, m T) {
		t.Helper()
		doc := must(t, m)
		back, findings, err := read(doc, forms)
		if err != nil || len(findings) > 0 {
			t.Fatal(err, findings)
		}
		if diff := cmp.Diff(m, back, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
		if again := must(t, back); !bytes.Equal(doc, again) {
			t.Fatal("the same message gives other octets")
		}
	}
	m := message{
		folder: folder, document: document, oldest: ubl.Version21,
		load:    func(t testing.TB, name string) any { return ecotest.LoadMessage[T](t, folder, name) },
		sample:  func(t testing.TB, name string) []byte { return must(t, ecotest.LoadMessage[T](t, folder, name)) },
		read:    func(doc []byte) (any, []eco.Finding, error) { return read(doc, forms) },
		example: func(t testing.TB, seed int) []byte { return must(t, generated.Example(seed)) },
		check: func(t rapid.TB, doc []byte) {
			t.Helper()
			if m, _, err := read(doc, forms); err == nil && !eco.HasErrors(validate(m, forms)) {
				same(t, m)
			}
		},
		survives: func(t *rapid.T) { same(t, generated.Draw(t, "message")) },
	}
	if strings.HasPrefix(string(document), "Enquiry") { // The schemas of 2.1 do not have it.
		m.oldest = "2.3"
	}
	return m
}

func messageOf(t testing.TB, folder string) *message {
	t.Helper()
	for i := range messages {
		if messages[i].folder == folder {
			return &messages[i]
		}
	}
	t.Fatalf("no messages in folder %q", folder)
	return nil
}

func ExampleMarshalCustomsResponse() {
	doc, err := ubl.MarshalCustomsResponse(eco.CustomsResponse{
		Statement: eco.Statement{
			ID: "17", IssueTime: time.Date(2026, time.November, 30, 3, 20, 0, 0, time.UTC),
			Certificate: eco.CertificateID{IssuingCountry: "LA", Form: eco.FormLaoGSP, Reference: "26010042", IssuingBody: "MOIC"},
			Authority:   eco.Authority{Name: "CUSTOMS ADMINISTRATION", Country: "TW"},
		},
		Items: []eco.ItemOutcome{{Item: 1, Status: eco.CustomsUsedUp}, {Item: 2, Status: eco.CustomsDenied, Reasons: []eco.Reason{{Code: eco.ReasonGoods, Text: "NOT COFFEE"}}}},
	}, eco.DefaultForms())
	if err != nil {
		fmt.Println(err)
		return
	}
	back, findings, err := ubl.UnmarshalCustomsResponse(doc, eco.DefaultForms())
	fmt.Println(back.Certificate.Reference, back.Items[0].Status, back.Items[1].Status, back.Items[1].Reasons, len(findings), err)
	// Output: 26010042 used-up denied [{C02 NOT COFFEE}] 0 <nil>
}

func TestMessagesOfTestdata(t *testing.T) {
	for _, m := range messages {
		for _, name := range ecotest.MessageNames(t, m.folder) {
			t.Run(m.folder+"/"+name, func(t *testing.T) {
				back, findings, err := m.read(golden(t, m.folder+"/"+name+".xml", m.sample(t, name)))
				if err != nil || len(findings) > 0 {
					t.Fatal(err, findings)
				}
				if diff := cmp.Diff(m.load(t, name), back); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestMessagesSurviveTheirDocuments(t *testing.T) {
	for _, m := range messages {
		t.Run(m.folder, func(t *testing.T) { rapid.Check(t, m.survives) })
	}
}

func TestMessagesAreValidUBL(t *testing.T) {
	for _, m := range messages {
		t.Run(m.folder, func(t *testing.T) {
			documents := map[string][]byte{}
			for _, name := range ecotest.MessageNames(t, m.folder) {
				documents[name] = m.sample(t, name)
			}
			for seed := range 30 {
				documents[fmt.Sprint(seed)] = m.example(t, seed)
			}
			for _, doc := range documents {
				checkRules(t, doc)
			}
			checkSchema(t, string(m.document), m.oldest, documents)
		})
	}
}

func TestMessagesHaveAPlaceForTheirSignature(t *testing.T) {
	for _, m := range messages {
		for _, name := range ecotest.MessageNames(t, m.folder) {
			at := etree.NewDocument()
			if err := at.ReadFromBytes(m.sample(t, name)); err != nil {
				t.Fatal(err)
			}
			e := &at.Element
			for _, step := range m.document.SignaturePath() {
				var found *etree.Element
				for _, child := range e.ChildElements() {
					if (xml.Name{Space: child.NamespaceURI(), Local: child.Tag}) == step {
						found = child
						break // The first of that name.
					}
				}
				if found == nil {
					t.Fatalf("%s/%s: no %v in %s", m.folder, name, step, e.GetPath())
				}
				e = found
			}
		}
	}
}

func TestMessageIsNoOther(t *testing.T) {
	for _, m := range messages {
		for _, other := range messages {
			doc := other.sample(t, ecotest.MessageNames(t, other.folder)[0])
			if _, _, err := m.read(doc); (err == nil) != (m.folder == other.folder) {
				t.Errorf("a document of %s read as one of %s: %v", other.folder, m.folder, err)
			}
		}
		if _, _, err := m.read(marshalAnswer(t, ecotest.LoadAnswer(t, "rejected"))); err == nil && m.folder != ecotest.Responses {
			t.Errorf("an answer read as one of %s", m.folder)
		}
	}
}

func TestMarshalMessageNamesWhatADocumentCannotCarry(t *testing.T) {
	response := func(change func(*eco.CustomsResponse)) error {
		r := ecotest.LoadMessage[eco.CustomsResponse](t, ecotest.Responses, "part")
		change(&r)
		_, err := ubl.MarshalCustomsResponse(r, eco.DefaultForms())
		return err
	}
	reply := func(change func(*eco.VerificationReply)) error {
		r := ecotest.LoadMessage[eco.VerificationReply](t, ecotest.VerificationReplies, "refuted")
		change(&r)
		_, err := ubl.MarshalVerificationReply(r, eco.DefaultForms())
		return err
	}
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"no number", response(func(r *eco.CustomsResponse) { r.ID = "" }), "id: a document needs it"},
		{"no instant", response(func(r *eco.CustomsResponse) { r.IssueTime = time.Time{} }), "issue_time: a document needs it"},
		{"no body", response(func(r *eco.CustomsResponse) { r.Certificate.IssuingBody = "" }), "certificate.issuing_body: a document needs it"},
		{"no form", response(func(r *eco.CustomsResponse) { r.Certificate.Form = "" }), `certificate.form: want a known form, found ""`},
		{"no status", response(func(r *eco.CustomsResponse) { r.Items[1].Status = "" }), `items[1].status: want a known status, found ""`},
		{"no unit", response(func(r *eco.CustomsResponse) { r.Items[1].Quantity.Unit = "" }), "cbc:Measure: a number needs its unitCode"},
		{"no item number", response(func(r *eco.CustomsResponse) { r.Items[0].Item = 0 }), "want a number from 1"},
		{"an empty reason", response(func(r *eco.CustomsResponse) { r.Items[1].Reasons[0] = eco.Reason{} }), "items[1].reasons: a document cannot carry this value"},
		{"no XML character", response(func(r *eco.CustomsResponse) { r.Note = "A\x01" }), "cbc:Note: want characters that XML can hold"},
		{"no request", reply(func(r *eco.VerificationReply) { r.Request = "" }), "request: a document needs it"},
		{"no result", reply(func(r *eco.VerificationReply) { r.Result = "" }), "result: a document needs it"},
		{"no question", reply(func(r *eco.VerificationReply) { r.Replies[0].Question = 0 }), "want the number of a question"},
		{"nobody who asked", reply(func(r *eco.VerificationReply) { r.Requestor.Name = "" }), "requestor.name: a document needs it"},
	} {
		if tt.err == nil || !strings.Contains(tt.err.Error(), tt.want) {
			t.Errorf("%s: %v, want an error with %q", tt.name, tt.err, tt.want)
		}
	}
}

func TestDamagedMessagesAreReadOrRefused(t *testing.T) {
	for _, m := range messages {
		t.Run(m.folder, func(t *testing.T) {
			var documents []string
			for _, name := range ecotest.MessageNames(t, m.folder) {
				documents = append(documents, string(m.sample(t, name)))
			}
			rapid.Check(t, func(t *rapid.T) {
				tree := etree.NewDocument()
				if err := tree.ReadFromString(rapid.SampledFrom(documents).Draw(t, "document")); err != nil {
					t.Fatal(err)
				}
				damage(t, tree, []string{"", " ", "1", "8", "13", "0", "-1", "9:00:00Z", "2026-02-30", "random", "\n", "LA", "é"})
				doc, err := tree.WriteToBytes()
				if err != nil {
					t.Fatal(err)
				}
				m.check(t, doc)
			})
		})
	}
}

func FuzzUnmarshalResponse(f *testing.F)            { fuzzMessage(f, ecotest.Responses) }
func FuzzUnmarshalStatusRequest(f *testing.F)       { fuzzMessage(f, ecotest.StatusRequests) }
func FuzzUnmarshalStatusReport(f *testing.F)        { fuzzMessage(f, ecotest.StatusReports) }
func FuzzUnmarshalVerificationRequest(f *testing.F) { fuzzMessage(f, ecotest.VerificationRequests) }
func FuzzUnmarshalVerificationReply(f *testing.F)   { fuzzMessage(f, ecotest.VerificationReplies) }

func fuzzMessage(f *testing.F, folder string) {
	m := messageOf(f, folder)
	for _, name := range ecotest.MessageNames(f, folder) {
		f.Add(m.sample(f, name))
	}
	for _, file := range ecotest.Files(f, "hostile/ubl/message-*.txt") {
		if h := readHostile(f, file); h.message != nil && h.message.folder == folder {
			f.Add(h.document)
		}
	}
	f.Fuzz(func(t *testing.T, doc []byte) { m.check(t, doc) })
}
