package notice_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/notice"
	"github.com/ecogate/ecogate/eco"
)

func docket(kind clearance.Kind, id string, value any) clearance.Docket {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return clearance.Docket{Kind: kind, ID: id, Value: data}
}

// Each event of the table comes to its audience, and to nobody else.
func TestEachEventComesToItsAudience(t *testing.T) {
	w := newWorld(t, nil)
	w.key("acme-broker")
	w.tell(importer(), operator(),
		notice.Recipient{ID: "other", Audience: notice.Importers, Address: "x@importers.example", Parties: []eco.PartyName{"TAX:1"}},
		notice.Recipient{ID: "broker", Audience: notice.Brokers, Owner: "acme-broker", Address: "b@importers.example"},
		notice.Recipient{ID: "stranger", Audience: notice.Brokers, Owner: "other-broker", Address: "s@importers.example"},
		notice.Recipient{ID: "kcci", Audience: notice.IssuingBodies, Bodies: []string{"KCCI"}, Address: "k@importers.example"},
		notice.Recipient{ID: "moft", Audience: notice.IssuingBodies, Bodies: []string{"MOFT"}, Address: "m@importers.example"})
	export := certificate("K900-26-00001")
	key := clearance.Key{Country: "KR", Form: export.Form, Reference: eco.NormaliseReference(export.Reference)}
	w.exported = []notice.Exported{{Key: key, Partner: "vn", State: "rejected", Data: export}}
	err := w.store.File(t.Context(), clearance.Batch{Dockets: []clearance.Docket{
		docket("watch", "w1", map[string]string{"owner": "acme-broker", "reference": "K001-26-00001"}),
		docket("declaration", eco.NormaliseReference("AW/26/17"), map[string]string{"declarant": "acme-broker", "number": "AW/26/17"}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	refusal := eco.RefusalFor("KCCI", []eco.Reason{{Code: "C03", Text: "not directly\nconsigned"}}).String()
	for _, c := range []struct {
		actor, audit, subject, detail string
		want                          string // recipient and event; "" for nobody
	}{
		{"node", "watch.closed", "w1", "KR/NON-PREFERENTIAL/K0012600001", "broker watch.closed"},
		{"node", "watch.closed", "w2", "of nobody", ""},
		{"officer", "declaration.decided", "AW/26/17", "decision 1", "broker declaration.decided"},
		{"officer", "declaration.decided", "AW/26/17", "decision 2", "broker declaration.decided"},
		{"node", "declaration.lapsed", "AW/26/17", "", "broker declaration.decided"},
		{"node", "declaration.released", "AW/26/17", "", "broker guarantee.released"},
		{"acme-broker", "declaration.lodged", "AW/26/17", "", ""},
		{"vn", "certificate.rejected", key.String(), refusal, "kcci certificate.refused"},
		{"vn", "certificate.denied", key.String(), refusal, "kcci certificate.denied"},
		{"vn", "certificate.suspended", key.String(), refusal, "kcci certificate.suspended"},
		{"vn", "verification.asked", key.String(), refusal, "kcci verification.requested"},
		{"th", "certificate.denied", key.String(), refusal, ""}, // which has none of ours
		{"officer", "certificate.denied", "KR/NON-PREFERENTIAL/K5", "", ""},
		{"node", "credential.ending", "kr message-signature ab", "30 days left", "ops alert.credential"},
		{"node", "credential.still_used", "kr message-signature ab", "", "ops alert.credential"},
		{"kr", "credentials.announced", "kr", "", "ops alert.credential"},
		{"kr", "message.quarantined", "m7", "SecurityFailure: no signature", "ops alert.quarantine"},
		{"kr", "message.inconsistent", "m8", "", "ops alert.quarantine"},
		{"node", "message.expelled", "m9", "", "ops alert.quarantine"},
		{"node", "message.failed", "m10", "HTTP 400", "ops alert.delivery"},
		{"node", "message.expired", "m11", "", "ops alert.delivery"},
		{"node", "message.delivered", "m12", "", ""},
		{"kr", "certificate.conflict", "KR/ATIGA-D/K1", "", "ops alert.conflict"},
		{"node", "duty.warned", "KR/ATIGA-D/K1", "reply due", "ops alert.duty"},
		{"node", "duty.escalated", "KR/ATIGA-D/K1", "reply due", "ops alert.duty"},
		{"node", "duty.escalated", "KR/ATIGA-D/K1", "reply due", ""}, // the same again
		{"customs", "handover.refused", "AW/26/17", "", "ops alert.handover"},
		{"node", "store.tail-cut", "raw", "", "ops alert.store"},
		{"somebody", "certificate.looked_up", "K1", "", ""},
	} {
		before := w.brief()
		w.happens(c.actor, c.audit, c.subject, c.detail)
		w.follow()
		after := w.brief()
		got := strings.TrimSuffix(strings.Join(after[len(before):], ", "), " queued")
		if got != c.want {
			t.Errorf("%s about %s: told %q, want %q", c.audit, c.subject, got, c.want)
		}
	}
	w.arrives(certificate("K001-26-00001"))
	w.follow()
	if got := w.brief(); got[len(got)-1] != "formosa certificate.arrived queued" || slices.Contains(got, "other certificate.arrived queued") {
		t.Errorf("arrival told %q", got[len(got)-1])
	}
	w.happens("kr", "certificate.cancelled", "KR/NON-PREFERENTIAL/"+eco.NormaliseReference("K001-26-00001"), "message m99")
	w.follow()
	if got := w.brief(); got[len(got)-1] != "formosa certificate.withdrawn queued" {
		t.Errorf("cancellation told %q", got[len(got)-1])
	}
	before := len(w.brief())
	w.happens("kr", "certificate.replaced", "KR/NON-PREFERENTIAL/"+eco.NormaliseReference("K001-26-00001"), "by KR/NON-PREFERENTIAL/K2, message m100")
	w.follow()
	if got := w.brief()[before:]; !slices.Equal(got, []string{"formosa certificate.withdrawn queued"}) {
		t.Errorf("replacement told %q", got)
	}
	for _, n := range w.notices() {
		if n.Event == notice.CertificateDenied {
			if want := []notice.Reason{{Code: "C03", Text: "not directly consigned"}}; !slices.Equal(n.Facts.Reasons, want) || n.Facts.Body != "KCCI" {
				t.Errorf("facts of a denial %+v", n.Facts)
			}
		}
	}
}

func TestRecipientsChooseEventsAndPartners(t *testing.T) {
	w := newWorld(t, nil)
	some := operator()
	some.ID, some.Events, some.Partners = "some", []notice.Event{notice.AlertQuarantine, notice.AlertConflict}, []string{"kr"}
	w.tell(operator(), some)
	w.happens("kr", "message.quarantined", "m1", "")
	w.happens("jp", "message.quarantined", "m2", "")
	w.happens("kr", "message.failed", "m3", "")
	w.follow()
	want := []string{"ops alert.quarantine queued", "some alert.quarantine queued", "ops alert.quarantine queued", "ops alert.delivery queued"}
	if got := w.brief(); !slices.Equal(got, want) {
		t.Errorf("notices %q, want %q", got, want)
	}
}

// What was before the first start is not told; from then on everything is, once, across restarts.
func TestLogIsFollowedFromTheFirstStartAcrossRestarts(t *testing.T) {
	w := newWorld(t, nil)
	w.tell(operator())
	for i := range 450 {
		w.happens("kr", "message.quarantined", fmt.Sprintf("m%d", i), "")
	}
	w.restart()
	w.follow()
	w.follow()
	w.restart()
	w.follow()
	if got := len(w.notices()); got != 450 {
		t.Errorf("%d notices of 450 entries", got)
	}

	late := newWorld(t, nil)
	late.tell(operator())
	late.happens("kr", "message.quarantined", "now", "")
	late.pass(notice.DefaultGiveUp + time.Second)
	late.follow()
	if got := late.brief(); len(got) != 0 {
		t.Errorf("told of what is too old to be told: %q", got)
	}
}

func TestEntriesBeforeTheFirstStartAreNotTold(t *testing.T) {
	w := newWorld(t, nil)
	w.tell(operator())
	// A store whose log is older than its first start with notices: the cursor goes, and so does what it knew.
	list, err := w.store.Dockets(t.Context(), clearance.DocketQuery{Kind: "notice.cursor"})
	if err != nil || len(list) != 1 {
		t.Fatalf("%d cursors, %v", len(list), err)
	}
	w.tell()
	w.happens("kr", "message.quarantined", "before", "")
	if err := w.store.File(t.Context(), clearance.Batch{Drop: []clearance.DocketName{list[0].Name()}}); err != nil {
		t.Fatal(err)
	}
	w.follow()
	if list, err := w.store.Dockets(t.Context(), clearance.DocketQuery{Kind: "notice.cursor"}); err != nil || len(list) != 0 {
		t.Errorf("the log is followed for nobody: %v, %v", list, err)
	}
	w.pass(time.Hour)
	w.tell(operator())
	w.follow()
	w.happens("kr", "message.quarantined", "after", "")
	w.follow()
	if n := w.only(); n.Facts.Subject != "after" {
		t.Errorf("told of %q", n.Facts.Subject)
	}
}

// The same again within the window is one notice; after it, with other reasons, or to somebody else it is another.
func TestRepeatsAreSuppressed(t *testing.T) {
	w := newWorld(t, func(o *notice.Options) { o.Suppress = time.Hour })
	w.tell(operator())
	w.pass(55 * time.Minute) // windows are not those of the clock
	for range 3 {
		w.happens("kr", "certificate.conflict", "KR/ATIGA-D/K1", "")
		w.follow()
		w.pass(10 * time.Minute)
	}
	w.happens("kr", "certificate.conflict", "KR/ATIGA-D/K2", "")
	w.follow()
	list := w.notices()
	if len(list) != 2 || list[0].Repeats != 2 || list[1].Repeats != 0 {
		t.Fatalf("notices %+v", list)
	}
	w.pass(30 * time.Minute)
	w.happens("kr", "certificate.conflict", "KR/ATIGA-D/K1", "")
	w.follow()
	if got := len(w.notices()); got != 3 {
		t.Errorf("%d notices after the window", got)
	}

	export := certificate("K900-26-00001")
	key := clearance.Key{Country: "KR", Form: export.Form, Reference: eco.NormaliseReference(export.Reference)}
	w.exported = []notice.Exported{{Key: key, Partner: "vn", Data: export}}
	w.tell(notice.Recipient{ID: "kcci", Audience: notice.IssuingBodies, Address: "k@importers.example"})
	for _, text := range []string{"one", "two", "one"} {
		w.happens("vn", "certificate.denied", key.String(), eco.RefusalFor("KCCI", []eco.Reason{{Code: "C12", Text: text}}).String())
	}
	w.follow()
	if got := len(w.notices()); got != 5 {
		t.Errorf("%d notices of denials with two reasons", got-3)
	}
}

// A certificate that comes again unchanged is no news, nor is one of two under one number.
func TestArrivalIsToldOnceAndConflictNever(t *testing.T) {
	w := newWorld(t, func(o *notice.Options) { o.Suppress = time.Minute })
	w.tell(importer())
	w.arrives(certificate("K001-26-00001"))
	w.follow()
	w.pass(time.Hour)
	w.arrives(certificate("K001-26-00001"))
	w.follow()
	if got := w.brief(); len(got) != 1 {
		t.Fatalf("notices %q", got)
	}
	other := certificate("K001-26-00001")
	other.Remarks = "other content"
	w.pass(time.Hour)
	w.arrives(other)
	w.follow()
	if got := w.brief(); len(got) != 1 {
		t.Errorf("an importer is told of a conflict: %q", got)
	}
}

func TestQueueOfARecipientIsBounded(t *testing.T) {
	w := newWorld(t, func(o *notice.Options) { o.MaxQueue = 3 })
	w.tell(importer(), operator())
	for i := range 6 {
		w.arrives(certificate(fmt.Sprintf("K001-26-%05d", i)))
	}
	w.follow()
	w.follow()
	want := []string{
		"formosa certificate.arrived queued", "formosa certificate.arrived queued", "formosa certificate.arrived queued", "ops alert.notice queued",
	}
	if got := w.brief(); !slices.Equal(got, want) {
		t.Errorf("notices %q", got)
	}
	if told, detail := w.audited(notice.EntryQueueFull); told != 1 || !strings.Contains(detail, "formosa: 3 notices wait") {
		t.Errorf("told %d times: %s", told, detail)
	}
	counts, err := w.service.Counts(t.Context())
	if err != nil || counts.Queued[notice.Mail] != 4 || counts.Earliest.IsZero() {
		t.Errorf("counts %+v, %v", counts, err)
	}
}

func TestNoticesOfAGoneRecipientAreDroppedAndOldOnesRemoved(t *testing.T) {
	w := newWorld(t, nil)
	w.tell(operator())
	w.happens("kr", "message.quarantined", "m1", "")
	w.follow()
	w.tell()
	w.send()
	if n := w.only(); n.State != notice.Dropped || n.Problem == "" {
		t.Fatalf("notice %+v", n)
	}
	w.pass(notice.DefaultKeep - time.Second)
	if err := w.service.Sweep(t.Context()); err != nil || len(w.notices()) != 1 {
		t.Fatalf("%d notices, %v", len(w.notices()), err)
	}
	w.pass(time.Second)
	if err := w.service.Sweep(t.Context()); err != nil || len(w.notices()) != 0 {
		t.Errorf("%d notices, %v", len(w.notices()), err)
	}
	for _, kind := range []clearance.Kind{"notice.account", "notice"} {
		if left, err := w.store.Dockets(t.Context(), clearance.DocketQuery{Kind: kind}); err != nil || len(left) != 0 {
			t.Errorf("%d dockets %s left, %v", len(left), kind, err)
		}
	}
}

// Without a mail server notices wait, and an operator is told once.
func TestWithoutAMailServerNoticesWait(t *testing.T) {
	w := newWorld(t, nil)
	w.tell(operator())
	w.happens("kr", "message.quarantined", "m1", "")
	w.follow()
	w.send()
	w.pass(time.Hour)
	w.send()
	if n := w.only(); n.State != notice.Queued || n.Attempts != 2 || !strings.Contains(n.Problem, "not configured") {
		t.Errorf("notice %+v", n)
	}
	if told, _ := w.audited(notice.EntryChannelFailing); told != 1 {
		t.Errorf("told %d times", told)
	}
}

// A notice names one recipient and one entry; no audience is told twice of one entry.
func TestNoAuditEventIsTwiceInTheTableForOneAudience(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range notice.Events() {
		for _, audit := range r.Audit {
			if at := string(r.To) + " " + audit; seen[at] {
				t.Errorf("%s is in two rows", at)
			} else {
				seen[at] = true
			}
		}
	}
}

// docs/notices.md has a row for each event, with the entries of the audit log that make it.
func TestPageHasTheTableOfEvents(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "notices.md"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, r := range notice.Events() {
		want = append(want, fmt.Sprintf("| `%s` | %s | %s | `%s` |", r.Event, r.To, r.Meaning, strings.Join(r.Audit, "` `")))
	}
	got := regexp.MustCompile("(?m)^\\| `[a-z.-]+` \\| (?:importer|broker|issuing-body|operator) \\|.*$").FindAllString(string(page), -1)
	if !slices.Equal(got, want) {
		t.Errorf("docs/notices.md has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Of a certificate that went to two partners it is told which one it did not reach.
func TestDeliveryThatFailedIsTheFailedPartners(t *testing.T) {
	w := newWorld(t, nil)
	key := clearance.Key{Country: "KR", Form: "ATIGA-D", Reference: "K1"}
	c := certificate("K1")
	w.exported = []notice.Exported{{Key: key, Partner: "tw", State: "accepted", Data: c}, {Key: key, Partner: "vn", State: "failed", Data: c}}
	w.tell(notice.Recipient{ID: "kcci", Audience: notice.IssuingBodies, Address: "desk@importers.example"})
	w.happens("node", "certificate.rejected", key.String(), eco.RefusalFor("KCCI", []eco.Reason{{Code: "DeliveryFailure", Text: "nobody answers"}}).String())
	w.follow()
	if n := w.only(); n.Facts.Partner != "vn" || n.Facts.State != "failed" {
		t.Errorf("told of %+v", n.Facts)
	}
}
