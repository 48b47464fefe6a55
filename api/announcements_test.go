package api_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/announcement"
)

// announcer is a node that announces and takes everything, unless it has an error, and keeps what it was asked in words.
type announcer struct {
	err   error
	asked []string
}

var summary = announcement.Summary{Number: 7, Issued: now, Credentials: []announcement.Announced{{SHA256: "ab12", Uses: []partners.Use{partners.UseMessageSignature}, ActiveFrom: now}}}

func (a *announcer) Announce(_ context.Context, actor, partner string) (exchange.Announced, error) {
	a.asked = append(a.asked, actor+" announces to "+partner)
	return exchange.Announced{Message: exchange.Message{
		MessageID: "m7@la", Direction: exchange.Outbound, Kind: exchange.KindAnnouncement, State: exchange.StateQueued,
	}, Summary: summary}, a.err
}

func (a *announcer) AnnouncementFile() ([]byte, announcement.Summary, error) {
	return []byte("\x30\x00"), summary, a.err
}

func (a *announcer) TakeAnnouncement(_ context.Context, _, partner string, file []byte, dryRun bool) (exchange.Taken, error) {
	a.asked = append(a.asked, fmt.Sprintf("%s announces %q, dry run %v", partner, file, dryRun))
	return exchange.Taken{Partner: partner, Announcement: summary, Outcomes: []announcement.Outcome{{SHA256: "ab12", Use: partners.UseMessageSignature, Result: announcement.ResultStaged}}}, a.err
}

func (a *announcer) Trials() []exchange.Trial {
	return []exchange.Trial{{Partner: "KR", SHA256: "ab12", Verified: 3, Last: now}}
}

func announced(t *testing.T) (*fixture, *announcer) {
	t.Helper()
	a := new(announcer)
	return serve(t, func(o *api.Options) { o.Announcer = a }), a
}

func TestCredentialsAreAnnounced(t *testing.T) {
	f, a := announced(t)
	client := f.client(operatorSecret)
	if sent, err := client.Announce(t.Context(), "KR"); err != nil || sent.Message.MessageID != "m7@la" || sent.Summary.Number != 7 {
		t.Errorf("sent %+v, error %v", sent, err)
	}
	if file, err := client.AnnouncementFile(t.Context()); err != nil || string(file) != "\x30\x00" {
		t.Errorf("file %q, error %v", file, err)
	}
	taken, err := client.TakeAnnouncement(t.Context(), "KR", []byte("cms"), true)
	if err != nil || taken.Outcomes[0].Result != announcement.ResultStaged {
		t.Errorf("taken %+v, error %v", taken, err)
	}
	if _, err := client.TakeAnnouncement(t.Context(), "KR", []byte("cms"), false); err != nil {
		t.Error(err)
	}
	if list, err := f.client(officerSecret).Trials(t.Context()); err != nil || len(list) != 1 || list[0].Verified != 3 {
		t.Errorf("trials %+v, error %v", list, err)
	}
	want := []string{"night-shift announces to KR", `KR announces "cms", dry run true`, `KR announces "cms", dry run false`}
	if !slices.Equal(a.asked, want) {
		t.Errorf("asked %q, want %q", a.asked, want)
	}
	log := f.log.take()
	for _, event := range []string{"credentials.announced", "credentials.announcement_examined", "credentials.announcement_taken", "credentials.trials_read"} {
		if !strings.Contains(log, `"event":"`+event+`"`) {
			t.Errorf("no %s in the log %s", event, log)
		}
	}
}

func TestAnnouncementProblems(t *testing.T) {
	f, a := announced(t)
	client := f.client(operatorSecret)
	take := func() error {
		_, err := client.TakeAnnouncement(t.Context(), "KR", []byte("cms"), false)
		return err
	}
	announce := func() error {
		_, err := client.Announce(t.Context(), "KR")
		return err
	}
	fetch := func() error {
		_, err := client.AnnouncementFile(t.Context())
		return err
	}
	for _, test := range []struct {
		do   func() error
		err  error
		code api.Code
	}{
		{announce, fmt.Errorf("x: %w", announcement.ErrNothing), api.CodeNothing},
		{fetch, fmt.Errorf("x: %w", announcement.ErrNothing), api.CodeNothing},
		{announce, fmt.Errorf("%w: KR", exchange.ErrNotAgreed), api.CodeNotAgreed},
		{take, fmt.Errorf("%w: %w: by a stranger", announcement.ErrRefused, announcement.ErrProof), api.CodeAnnouncement},
		{take, fmt.Errorf("%w: %q", partners.ErrUnknownPartner, "KR"), api.CodeUnknownPartner},
		{announce, fmt.Errorf("%w: %q", partners.ErrUnknownPartner, "KR"), api.CodeUnknownPartner},
	} {
		a.err = test.err
		err := test.do()
		if p := (*api.Problem)(nil); !errors.As(err, &p) || p.Code != test.code {
			t.Errorf("%v: %v, want %s", test.err, err, test.code)
		}
	}
	if got := f.request(operatorSecret, "POST", "/api/v1/partners/KR/announced", "{}"); got.status != 415 {
		t.Errorf("JSON: status %d", got.status)
	}
	if got := f.request(officerSecret, "POST", "/api/v1/partners/KR/announcements", ""); got.status != 403 {
		t.Errorf("officer: status %d", got.status)
	}
}
