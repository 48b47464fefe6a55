package partners_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
)

// listed is a world where tw's body has two offices, of which one closes in the autumn, and two signatories; its first credential signs for
// every office, "north" for the northern one alone, and "other" for another form.
func listed(t *testing.T) (*world, map[string]*pkitest.Credential) {
	w := newWorld(t)
	body := &w.config.Partners[0].Issuers[0]
	body.Forms = []eco.FormCode{form, otherForm}
	body.Offices = []partners.Office{{ID: "N", Name: "North"}, {ID: "S", Until: autumn}}
	body.Signatories = []partners.Signatory{{Name: "Chen  Yi-Ting", Offices: []string{"N"}}, {Name: "LIN", From: summer}}
	signers := map[string]*pkitest.Credential{"every": w.issued["tw"][partners.UseDocumentSignature]}
	for _, name := range []string{"north", "other"} {
		credential, _, file := w.pki["tw"].IssueFiles(name, pkitest.Request{Name: name, Use: pkitest.DocumentSignature})
		config := partners.CredentialConfig{File: file, Offices: []string{"N"}}
		if name == "other" {
			config = partners.CredentialConfig{File: file, Forms: []eco.FormCode{otherForm}}
		}
		body.Credentials = append(body.Credentials, config)
		signers[name] = credential
	}
	return w, signers
}

func TestAuthorityByOfficeSignatoryAndCredential(t *testing.T) {
	w, signers := listed(t)
	r := w.open(t)
	day := func(at time.Time) eco.Date { return eco.DateOf(at) }
	tests := []struct {
		name              string
		office, signatory string
		issued            eco.Date
		signer            string
		doubts            []string // a text of each
		want              error
		why               string
	}{
		{"on the lists", "N", "CHEN YI-TING", day(spring), "every", nil, nil, ""},
		{"the office's own credential", "N", "CHEN YI-TING", day(spring), "north", nil, nil, ""},
		{"credential of another office", "S", "LIN", day(summer), "north", nil, partners.ErrCredentialNotAuthorised, `may not sign for office "S", only for ["N"]`},
		{"credential of another form", "N", "LIN", day(summer), "other", nil, partners.ErrCredentialNotAuthorised, "may not sign form NON-PREFERENTIAL"},
		{"unknown office", "E", "LIN", day(summer), "every", []string{`office "E" is not on the list`}, nil, ""},
		{"unknown office, limited credential", "E", "LIN", day(summer), "north", []string{`office "E"`}, partners.ErrCredentialNotAuthorised, `for office "E"`},
		{"no office named", "", "LIN", day(summer), "every", []string{"names no office"}, nil, ""},
		{"last day of an office", "S", "LIN", day(autumn).AddDays(-1), "every", nil, nil, ""},
		{"first day without it", "S", "LIN", day(autumn), "every", nil, partners.ErrOfficeNotAuthorised, `issued on 2026-10-01: it may until 2026-10-01`},
		{"unknown signatory", "N", "WANG", day(summer), "every", []string{`signatory "WANG" of issuing body "BODY" is not on the list`}, nil, ""},
		{"signatory of another office", "S", "CHEN YI-TING", day(summer), "every", []string{`does not sign for office "S"`}, nil, ""},
		{"signatory before her time", "N", "LIN", day(spring), "every", []string{"signs at other times: from 2026-07-01"}, nil, ""},
		{"nothing known", "E", "WANG", day(summer), "every", []string{"office", "signatory"}, nil, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			query := partners.IssuerQuery{Country: "TW", Body: "BODY", Form: form, Office: test.office, Signatory: test.signatory, Issued: test.issued}
			authority, err := r.Authority("tw", query, autumn.AddDate(0, 1, 0))
			if err == nil {
				err = authority.Check(signers[test.signer].X509Cert)
			}
			if !errors.Is(err, test.want) || err != nil && !strings.Contains(err.Error(), test.why) {
				t.Errorf("error %v, want %v with %q", err, test.want, test.why)
			}
			if len(authority.Doubts) != len(test.doubts) {
				t.Fatalf("doubts %v, want %q", authority.Doubts, test.doubts)
			}
			for i, d := range authority.Doubts {
				if !strings.Contains(d.Text, test.doubts[i]) || d.Severity != eco.SeverityWarning || d.Fix == "" {
					t.Errorf("doubt %+v, want %q", d, test.doubts[i])
				}
			}
		})
	}
}

// A body in two entries is judged by the entry that knows the office.
func TestAuthorityOfABodyInTwoEntries(t *testing.T) {
	w := newWorld(t)
	_, _, file := w.pki["tw"].IssueFiles("north", pkitest.Request{Name: "north", Use: pkitest.DocumentSignature})
	old := w.config.Partners[0].Issuers[0]
	north := partners.IssuerConfig{ID: "BODY", Forms: old.Forms, Offices: []partners.Office{{ID: "N"}}, Credentials: []partners.CredentialConfig{{File: file}}}
	old.Offices = []partners.Office{{ID: "S"}, {ID: "N", Until: spring}}
	w.config.Partners[0].Issuers = []partners.IssuerConfig{old, north}
	r := w.open(t)
	for office, want := range map[string]string{"N": "north", "S": "tw document-signature", "E": "tw document-signature,north"} {
		authority, err := r.Authority("tw", partners.IssuerQuery{Country: "TW", Body: "BODY", Form: form, Office: office}, summer)
		if err != nil || names(authority.Credentials) != want || (authority.Doubts != nil) != (office == "E") {
			t.Errorf("office %s: %q, %v, %v; want %q", office, names(authority.Credentials), authority.Doubts, err, want)
		}
	}
}

// Bodies and forms count by the day of issue, however late a certificate comes, and credentials by the instant.
func TestAuthorityOfTheDayOfIssue(t *testing.T) {
	w := newWorld(t)
	body := &w.config.Partners[0].Issuers[0]
	body.From, body.Until = spring.Add(9*time.Hour), autumn
	body.Credentials[0].Until = autumn.AddDate(0, 1, 0)
	r := w.open(t)
	for _, test := range []struct {
		issued eco.Date
		at     time.Time
		want   error
		signer string
	}{
		{eco.DateOf(spring), autumn.AddDate(0, 0, 1), nil, "tw document-signature"}, // a part of that day
		{eco.DateOf(spring).AddDays(-1), autumn.AddDate(0, 0, 1), partners.ErrOutsideAuthorisation, ""},
		{eco.DateOf(autumn).AddDays(-1), autumn.AddDate(0, 2, 0), nil, ""},
		{eco.DateOf(autumn), autumn, partners.ErrOutsideAuthorisation, ""},
	} {
		authority, err := r.Authority("tw", partners.IssuerQuery{Country: "TW", Body: "BODY", Form: form, Issued: test.issued}, test.at)
		if !errors.Is(err, test.want) || names(authority.Credentials) != test.signer {
			t.Errorf("issued %s, at %s: %q, %v; want %q, %v", test.issued, test.at, names(authority.Credentials), err, test.signer, test.want)
		}
	}
}
