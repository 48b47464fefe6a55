package api_test

import (
	"net/url"
	"testing"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/intake"
)

func TestBackfillMarksWhatIsSubmitted(t *testing.T) {
	var taken []eco.Certificate
	f := serve(t, func(o *api.Options) {
		o.Node = submitter(func(actor, partner string, c eco.Certificate) (exchange.Submission, error) {
			taken = append(taken, c)
			return accepting(actor, partner, c)
		})
	})
	marking := f.client(issuerSecret).Backfill(eco.PaperIssue{Reason: "power cut", Number: "M-7"})
	if _, err := marking.Submit(t.Context(), "KR", certificateJSON(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.client(issuerSecret).Backfill(eco.PaperIssue{Reason: "flood"}).SubmitFile(t.Context(), "KR", intake.FormatCSV, []byte(twoCertificates)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.client(issuerSecret).Submit(t.Context(), "KR", certificateJSON(t)); err != nil {
		t.Fatal(err)
	}
	own := func(c eco.Certificate, reason string) eco.PaperIssue {
		return eco.PaperIssue{Number: c.Reference, IssuedAt: c.IssuedAt, Reason: reason}
	}
	if len(taken) != 4 {
		t.Fatalf("%d certificates were taken", len(taken))
	}
	for i, want := range []eco.PaperIssue{{Number: "M-7", IssuedAt: taken[0].IssuedAt, Reason: "power cut"}, own(taken[1], "flood"), own(taken[2], "flood")} {
		if found := taken[i].IssuedOnPaper(); found == nil || *found != want {
			t.Errorf("certificate %d bears %+v, want %+v", i, found, want)
		}
	}
	if found := taken[3].IssuedOnPaper(); found != nil {
		t.Errorf("one that is not marked bears %+v", found)
	}
}

func TestBackfillRefusesParametersThatSayNothing(t *testing.T) {
	f := serve(t, func(o *api.Options) { o.Node = submitter(accepting) })
	for _, test := range []struct {
		name  string
		query url.Values
		body  string
	}{
		{"no reason", url.Values{"backfill": {" "}}, string(certificateJSON(t))},
		{"a number without reason", url.Values{"paper_number": {"M-7"}}, string(certificateJSON(t))},
		{"a number that is none", url.Values{"backfill": {"flood"}, "paper_number": {"--"}}, string(certificateJSON(t))},
		{"one number for two", url.Values{"partner": {"KR"}, "backfill": {"flood"}, "paper_number": {"M-7"}}, twoCertificates},
	} {
		t.Run(test.name, func(t *testing.T) {
			mediaType, body := "text/csv", test.body
			if !test.query.Has("partner") {
				mediaType, body = "application/json", `{"partner": "KR", "certificate": `+test.body+`}`
			}
			got := f.request(issuerSecret, "POST", "/api/v1/certificates?"+test.query.Encode(), body, "Content-Type", mediaType)
			if got.status != 400 || got.problem(t).Code != api.CodeParameter {
				t.Errorf("status %d: %s", got.status, got.body)
			}
		})
	}
}

func TestLookupShowsIssueOnPaper(t *testing.T) {
	marked, err := certificate(t, "K0012500001").MarkIssuedOnPaper(eco.PaperIssue{Reason: "flood"})
	if err != nil {
		t.Fatal(err)
	}
	f := serve(t, nil)
	a := f.arrival("K0012500001", "m1@kr", "content")
	a.Certificate.Data = marked
	f.accept(a)
	found, err := f.client(officerSecret).Lookup(t.Context(), api.LookupQuery{Reference: "K0012500001"})
	if err != nil {
		t.Fatal(err)
	}
	if p := found.Matches[0].IssuedOnPaper; p == nil || p.Reason != "flood" || p.Number != "K0012500001" {
		t.Errorf("the look-up shows %+v", p)
	}
}
