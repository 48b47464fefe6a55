package clearance_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

// duties are those that are open, as text.
func (w *world) duties(v clearance.Visitor, q clearance.DutyQuery) string {
	w.Helper()
	w.settle()
	list, err := w.Duties(w.Context(), v, q)
	if err != nil {
		w.Fatal(err)
	}
	var all []string
	for _, d := range list {
		all = append(all, fmt.Sprintf("%s %s %s %s", d.Due, d.Kind, d.Owner, d.State))
	}
	return strings.Join(all, "\n")
}

// events are those of the audit log about duties since the last call, without their numbers.
func (w *world) events(after *uint64) string {
	w.Helper()
	var all []string
	for {
		list, err := w.store.Happenings(w.Context(), *after, 100)
		if err != nil {
			w.Fatal(err)
		}
		if len(list) == 0 {
			return strings.Join(all, "\n")
		}
		for _, h := range list {
			*after = h.Seq
			if strings.HasPrefix(h.Event, "duty.") {
				all = append(all, h.Event+" "+h.Subject)
			}
		}
	}
}

func TestDutiesFollowDeclarationsAndCertificates(t *testing.T) {
	w := newWorld(t)
	c := certificateWith(t, w, "D1")
	same(t, "nobody cites it", w.duties(officer, clearance.DutyQuery{}), "")
	w.lodge(broker, declaration(c, "CX/26/1", 2))
	validity := c.IssuedAt.AddMonths(12).String()
	same(t, "cited", w.duties(officer, clearance.DutyQuery{}), "2026-12-22 reservation officer open\n2027-01-21 reject notice officer open\n"+validity+" validity officer open")
	same(t, "until a day", w.duties(officer, clearance.DutyQuery{DueBy: eco.Date{Year: 2027, Month: 1, Day: 20}}), "2026-12-22 reservation officer open")
	same(t, "the broker's", w.duties(broker, clearance.DutyQuery{}), "")
	var seen uint64
	w.events(&seen)
	w.pass(23 * 24 * time.Hour)
	same(t, "near", w.duties(officer, clearance.DutyQuery{Owner: clearance.OwnerOfficer}), "2026-12-22 reservation officer warned\n2027-01-21 reject notice officer open\n"+validity+" validity officer open")
	same(t, "audit", w.events(&seen), "duty.warned reservation of CX261")
	w.settle()
	same(t, "audit", w.events(&seen), "")
	w.decide(officer, "CX/26/1", clearance.Ruling{Verdict: clearance.VerdictAccept})
	same(t, "decided", w.duties(officer, clearance.DutyQuery{}), "")
	same(t, "done", len(strings.Split(w.duties(officer, clearance.DutyQuery{Done: true}), "\n")), 3)
	list, err := w.Duties(t.Context(), officer, clearance.DutyQuery{Done: true})
	if err != nil || !strings.HasPrefix(list[0].ClosedBy, "declaration.decided, entry ") && !strings.HasPrefix(list[0].ClosedBy, "certificate.used, entry ") {
		t.Errorf("closed by %q, %v", list[0].ClosedBy, err)
	}
}

func TestDutyEscalates(t *testing.T) {
	w := newWorld(t, func(o *clearance.Options) {
		o.Duties = func() clearance.DutyRules { return clearance.DutyRules{WarnDays: 3, EscalateTo: "operator"} }
	})
	d := guaranteed(certificate(t, "D1"), "CX/26/1", 2)
	w.lodge(broker, d)
	due := d.Guarantee.Until.String()
	same(t, "open", w.duties(broker, clearance.DutyQuery{}), due+" guarantee declarant open")
	var seen uint64
	w.events(&seen)
	w.pass(87 * 24 * time.Hour)
	same(t, "warned", w.duties(broker, clearance.DutyQuery{}), due+" guarantee declarant warned")
	w.pass(3 * 24 * time.Hour)
	same(t, "on the last day", w.duties(broker, clearance.DutyQuery{}), due+" guarantee declarant warned")
	w.pass(24 * time.Hour)
	same(t, "over", w.duties(broker, clearance.DutyQuery{}), due+" guarantee declarant escalated")
	same(t, "audit", w.events(&seen), "duty.warned guarantee of CX261\nduty.escalated guarantee of CX261")
	same(t, "another broker's", w.duties(clearance.Visitor{Name: "broker-2", Broker: true}, clearance.DutyQuery{}), "")
	w.receive(certificate(t, "D1"))
	w.settle()
	same(t, "came", strings.Contains(w.duties(broker, clearance.DutyQuery{}), "guarantee"), false)
}

func TestVerificationHasItsClocks(t *testing.T) {
	w := newWorld(t)
	certificateWith(t, w, "D1")
	ask := func(kind eco.EventKind, event string) {
		t.Helper()
		move, err := w.imported("D1").Moved(eco.Event{Kind: kind, At: noon, By: "officer-1", Reference: "V-1", Reasons: denying("C04", "origin")})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.store.File(t.Context(), clearance.Batch{Moves: []clearance.Move{move}, Audit: []clearance.Happening{{At: noon, Actor: "officer-1", Event: event, Subject: w.imported("D1").Key.String()}}}); err != nil {
			t.Fatal(err)
		}
	}
	ask(eco.EventVerify, "verification.requested")
	same(t, "asked", w.duties(officer, clearance.DutyQuery{}), "2027-02-20 verification reply partner open\n2027-05-21 verification total officer open")
	ask(eco.EventReply, "verification.replied")
	same(t, "replied", w.duties(officer, clearance.DutyQuery{}), "2027-05-21 verification total officer open")
	ask(eco.EventClose, "certificate.closed")
	same(t, "closed", w.duties(officer, clearance.DutyQuery{}), "")
}

func TestCertificateThatIsWithdrawnObligesAnOfficer(t *testing.T) {
	w := newWorld(t)
	c := certificateWith(t, w, "D1")
	w.lodge(broker, declaration(c, "CX/26/1", 2))
	w.cancel("D1")
	same(t, "cancelled", w.duties(officer, clearance.DutyQuery{}), "2026-11-29 void certificate officer warned\n2026-12-22 reservation officer open")
	w.decide(officer, "CX/26/1", clearance.Ruling{Verdict: clearance.VerdictDeny, Reasons: denying("C07", "")})
	same(t, "decided", w.duties(officer, clearance.DutyQuery{}), "")
}

func TestRunDoesWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *clearance.Options) { o.Now, o.Poll = time.Now, time.Hour })
		w.pass(time.Since(noon)) // synctest begins in the year 2000
		go w.Run(t.Context())
		c := certificateWith(t, w, "D1")
		d := declaration(c, "CX/26/1", 2)
		d.Lodged = eco.DateOf(time.Now())
		w.lodge(customs, d)
		time.Sleep(clearance.DefaultReservation + 2*time.Hour)
		synctest.Wait()
		same(t, "state", w.declaration("CX/26/1").State, clearance.LodgementLapsed)
	})
}

// What stands on the guarantee of an officer's ruling is somebody's duty until the guarantee ends.
func TestGuaranteeOfASuspensionIsADuty(t *testing.T) {
	w := newWorld(t)
	c := certificateWith(t, w, "D1")
	w.lodge(broker, declaration(c, "CX/26/1", 2))
	until := eco.DateOf(noon).AddDays(20)
	w.decide(officer, "CX/26/1", clearance.Ruling{Verdict: clearance.VerdictSuspend, Reasons: denying("C04", "origin"), Guarantee: &clearance.Guarantee{Number: "G-1", Until: until}})
	guarantees := func() (all []clearance.Duty) {
		t.Helper()
		w.settle()
		list, err := w.Duties(t.Context(), broker, clearance.DutyQuery{})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			if d.Kind == clearance.DutyGuarantee {
				all = append(all, d)
			}
		}
		return all
	}
	if all := guarantees(); len(all) != 1 || all[0].Due != until || !strings.Contains(all[0].Text, "G-1") {
		t.Fatalf("duties %+v", all)
	}
	w.pass(21 * 24 * time.Hour)
	if all := guarantees(); len(all) != 1 || all[0].State != clearance.DutyEscalated {
		t.Fatalf("duties after it has ended: %+v", all)
	}
	w.decide(officer, "CX/26/1", clearance.Ruling{Verdict: clearance.VerdictAccept})
	same(t, "duties when it is decided", len(guarantees()), 0)
}
