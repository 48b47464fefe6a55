package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/announcement"
)

// words prints a table with one space between cells.
func words(t *testing.T, table func(*columns)) string {
	t.Helper()
	var out bytes.Buffer
	if err := (&cli{out: &out}).print(nil, table); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

func TestMessagesShowOrderLatenessAndAnswers(t *testing.T) {
	m := exchange.Message{
		Seq: 7, Direction: exchange.Inbound, Kind: exchange.KindAnswer, State: exchange.StateDelivered, Late: true, Partner: "TW", Created: scriptTime,
		ConversationID: "c1", Order: &exchange.Order{Sequence: 0, Reset: true}, Certificate: exchange.CertificateKey{Country: "KR", Form: "AK", Reference: "K1"},
		Answers: []eco.Answer{
			{Kind: eco.AnswerReceived, IssueTime: scriptTime, Certificate: eco.CertificateID{IssuingCountry: "KR", Form: "AK", Reference: "K-1"}, Authority: eco.Authority{Name: "Customs"}},
			{Kind: eco.AnswerRejected, IssueTime: scriptTime.Add(time.Hour), Certificate: eco.CertificateID{IssuingCountry: "KR", Form: "AK", Reference: "K-1"},
				Authority: eco.Authority{Name: "Customs"}, Reasons: []eco.Reason{{Code: "D07", Text: "no such heading"}, {Code: "D01"}}, Note: "see invoice"},
		},
	}
	list := words(t, func(w *columns) { listMessages(w, []exchange.Message{m}) })
	if want := "7 2026-11-20T08:30:00Z inbound answer delivered late TW 0 0 K1 received, rejected"; !strings.HasSuffix(list, "\n"+want) {
		t.Errorf("list is\n%s\nwant\n%s", list, want)
	}
	shown := "\n" + words(t, func(w *columns) { messageFields(w, m) }) + "\n"
	for _, want := range []string{
		"conversation c1", "number in it 0", "the numbers begin anew with it", "state delivered late",
		"answer received: KR/AK/K-1, by Customs at 2026-11-20T08:30:00Z", "answer rejected: KR/AK/K-1, by Customs at 2026-11-20T09:30:00Z",
		"because D07: no such heading", "because D01", "note see invoice",
	} {
		if !strings.Contains(shown, "\n"+want+"\n") {
			t.Errorf("no line %q in %s", want, shown)
		}
	}
}

func TestPartnersShowWhatHoldsDeliveriesBack(t *testing.T) {
	got := words(t, func(w *columns) {
		listPartners(w, []exchange.PartnerStatus{
			{ID: "TW", Name: "Taiwan", Mode: "live"},
			{ID: "JP", Name: "Japan", Mode: "parallel", Failures: 5, Suspended: scriptTime},
			{ID: "VN", Name: "Vietnam", Mode: "test", Failures: 1, Suspended: scriptTime, Pause: &exchange.Pause{Since: scriptTime, By: "kim", Why: "their new HSM"}},
		})
	})
	want := "PARTNER NAME MODE DELIVERY FAILURES SINCE BY WHY\nTW Taiwan live open 0\nJP Japan parallel probes only until 2026-11-20T08:30:00Z 5\n" +
		"VN Vietnam test paused 1 2026-11-20T08:30:00Z kim their new HSM"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestDownloadsLeaveNoHalfFile(t *testing.T) {
	c := &cli{}
	broken := errors.New("connection reset")
	for _, test := range []struct {
		name, content string
		err           error
		want          string
		exists        bool
	}{
		{"whole", "octets", nil, "octets", true},
		{"empty", "", nil, "", true},
		{"refused", "", broken, "", false},
		{"cut off", "oct", broken, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "part")
			err := c.download(file, func(w io.Writer) error {
				_, writing := io.WriteString(w, test.content)
				return errors.Join(writing, test.err)
			})
			data, reading := os.ReadFile(file)
			if !errors.Is(err, test.err) || string(data) != test.want || (reading == nil) != test.exists {
				t.Errorf("error %v; file holds %q, %v", err, data, reading)
			}
		})
	}
	if err := c.download(os.DevNull, func(w io.Writer) error { _, _ = io.WriteString(w, "x"); return broken }); !errors.Is(err, broken) {
		t.Errorf("error = %v", err)
	}
	if _, err := os.Stat(os.DevNull); err != nil {
		t.Error(err)
	}
}

func TestMessagesShowWhatTheyAnnounceAndAnswer(t *testing.T) {
	for _, test := range []struct {
		name string
		says exchange.Business
		want []string
	}{
		{"announcement", exchange.Business{Announcement: &announcement.Summary{
			Number: 17, Issued: scriptTime,
			Credentials: []announcement.Announced{{SHA256: "ab12", Subject: "CN=next", Uses: []partners.Use{partners.UseMessageSignature}, ActiveFrom: scriptTime.Add(time.Hour)}},
		}}, []string{"announcement 17 of 2026-11-20T08:30:00Z", "credential CN=next", "sha-256 ab12", "active from 2026-11-20T09:30:00Z"}},
		{"answer", exchange.Business{AnnouncementAnswer: &announcement.Answer{Number: 17, Outcomes: []announcement.Outcome{
			{SHA256: "ab12", Use: partners.UseMessageSignature, Result: announcement.ResultStaged},
			{SHA256: "cd34", Use: partners.UseTLSClient, Result: announcement.ResultRefused, Told: "its chain"},
		}}}, []string{"answers announcement 17", "staged message-signature, ab12", "refused tls-client, cd34", "its chain"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			shown := "\n" + words(t, func(w *columns) { messageFields(w, exchange.Message{Seq: 7, Business: &test.says}) }) + "\n"
			for _, want := range test.want {
				if !strings.Contains(shown, "\n"+want+"\n") {
					t.Errorf("no line %q in %s", want, shown)
				}
			}
		})
	}
}

func TestMessagesShowSignersThatWereRevoked(t *testing.T) {
	m := exchange.Message{
		Seq: 7, Direction: exchange.Inbound, Kind: exchange.KindCertificate, State: exchange.StateAccepted, Created: scriptTime, Signer: "ab12", DocumentSigner: "cd34",
		SignersRevoked: []exchange.SignerRevoked{
			{SHA256: "cd34", Use: partners.UseDocumentSignature, Subject: "CN=Chamber", At: scriptTime.Add(-time.Hour), Reason: "keyCompromise"},
		},
	}
	shown := "\n" + words(t, func(w *columns) { messageFields(w, m) }) + "\n"
	for _, want := range []string{
		"signed by ab12", "document signed by cd34", "signer revoked document-signature: CN=Chamber was revoked at 2026-11-20T07:30:00Z (keyCompromise)",
	} {
		if !strings.Contains(shown, "\n"+want+"\n") {
			t.Errorf("shown is %s, which lacks %q", shown, want)
		}
	}
}
