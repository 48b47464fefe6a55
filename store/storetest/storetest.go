// Package storetest is the contract of exchange.Store, exchange.Keeper, clearance.Store and partners.Store as a test suite that every store passes: each sentence of the
// interfaces' comments is a test here, and a model test compares random sequences of calls with a plain in-memory store.
// What only one store promises (files, locks, leases after a restart) is left to that store's own tests.
//
// Read Run first; enqueue.go, accept.go, queue.go and query.go hold the tests of those methods, order.go those of messages that have
// an order, change.go those of changes to certificates, keeper.go those of exchange.Keeper and of large content, registry.go those of partners.Store, clearance.go and found.go those of clearance.Store, model.go the model.
package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
)

// Store is what the suite tests.
type Store interface {
	exchange.Store
	exchange.Keeper
	partners.Store
	clearance.Store
}

// Opener opens the store that is kept in dir, an empty directory at first, and returns it with the function that closes it.
// Tests close and open a store again to see that nothing is lost. A store that is kept elsewhere may take dir as a name.
type Opener func(t testing.TB, dir string) (store Store, closeStore func() error)

// start is the clock of all tests.
var start = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

// at is the instant n seconds after start.
func at(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }

// contract lists the tests of Run.
var contract = []struct {
	name string
	test func(s *suite)
}{
	{"EnqueueRecordsAll", enqueueRecordsAll},
	{"EnqueueAgainGivesTheFirstMessage", enqueueAgainGivesTheFirstMessage},
	{"EnqueueAfterFailureSendsAnew", enqueueAfterFailureSendsAnew},
	{"EnqueueToEachPartnerOnce", enqueueToEachPartnerOnce},
	{"EnqueueOtherContentIsAConflict", enqueueOtherContentIsAConflict},
	{"EnqueueMessageIDIsUnique", enqueueMessageIDIsUnique},
	{"EnqueueTogetherIsFreshOnce", enqueueTogetherIsFreshOnce},
	{"EnqueueLeasedIsItsCallers", enqueueLeasedIsItsCallers},
	{"AcceptRecordsAll", acceptRecordsAll},
	{"AcceptHeldReplyIsDelivered", acceptHeldReplyIsDelivered},
	{"AcceptCopyThatIsNotHeldMakesTheReplyDue", acceptCopyThatIsNotHeldMakesTheReplyDue},
	{"AcceptDuplicateOnlyCounts", acceptDuplicateOnlyCounts},
	{"AcceptDuplicateRearmsReply", acceptDuplicateRearmsReply},
	{"AcceptOtherContentIsQuarantined", acceptOtherContentIsQuarantined},
	{"AcceptQuarantinedIsAlwaysRecorded", acceptQuarantinedIsAlwaysRecorded},
	{"AcceptTogetherIsFreshOnce", acceptTogetherIsFreshOnce},
	{"AcceptCertificateIsConfirmedAgain", acceptCertificateIsConfirmedAgain},
	{"AcceptCertificatesInConflict", acceptCertificatesInConflict},
	{"AcceptRefusedAgainInConflict", acceptRefusedAgainInConflict},
	{"AcceptCertificateOfATestIsAnother", acceptCertificateOfATestIsAnother},
	{"AcceptSettles", acceptSettles},
	{"AcceptRefusalOfWhatWasTaken", acceptRefusalOfWhatWasTaken},
	{"AcceptSettlementFencesOutTheWorker", acceptSettlementFencesOutTheWorker},
	{"AcceptIsAllOrNothing", acceptIsAllOrNothing},
	{"AcceptInOrder", acceptInOrder},
	{"AcceptWaitsForThoseBefore", acceptWaitsForThoseBefore},
	{"AcceptShuffledInOrder", acceptShuffledInOrder},
	{"AcceptSequenceOfAnother", acceptSequenceOfAnother},
	{"AcceptReset", acceptReset},
	{"AcceptOrderAndConflict", acceptOrderAndConflict},
	{"AcceptWaitingCertificateByAnotherMessage", acceptWaitingCertificateByAnotherMessage},
	{"AcceptReplacementThatWaits", acceptReplacementThatWaits},
	{"AcceptWaitingBesideOneInForce", acceptWaitingBesideOneInForce},
	{"AcceptRefusalOfWhatCameOutOfOrder", acceptRefusalOfWhatCameOutOfOrder},
	{"EnqueueInLine", enqueueInLine},
	{"EnqueueLineEnds", enqueueLineEnds},
	{"ExpelEndsTheWait", expelEndsTheWait},
	{"ExpelOnlyWhatWaits", expelOnlyWhatWaits},
	{"ExpelledCertificateComesAgain", expelledCertificateComesAgain},
	{"ExpelledPlaceIsFree", expelledPlaceIsFree},
	{"ChangeComesWithItsMessage", changeComesWithItsMessage},
	{"ChangeThatDoesNotFitWritesNothing", changeThatDoesNotFitWritesNothing},
	{"ChangeOfACopyIsNotMadeAgain", changeOfACopyIsNotMadeAgain},
	{"ChangesTogetherSeeEachOther", changesTogetherSeeEachOther},
	{"EffectFollowsItsMessage", effectFollowsItsMessage},
	{"ReplacedIsNoConflict", replacedIsNoConflict},
	{"VerificationsThatAreOpen", verificationsThatAreOpen},
	{"ChangeWithoutAMessage", changeWithoutAMessage},
	{"HoldOutlivesTheWait", holdOutlivesTheWait},
	{"Pauses", pauses},
	{"EntriesKeepTheirVersions", entriesKeepTheirVersions},
	{"EntriesFollowTheNewest", entriesFollowTheNewest},
	{"EntriesTogetherOneWins", entriesTogetherOneWins},
	{"ProposalsAreDecidedOnce", proposalsAreDecidedOnce},
	{"DocketsAreFiledAndFound", docketsAreFiledAndFound},
	{"DocketsByDueAndPage", docketsByDueAndPage},
	{"DocketsFollowTheNewest", docketsFollowTheNewest},
	{"FileIsAllOrNothing", fileIsAllOrNothing},
	{"FileTogetherOneWins", fileTogetherOneWins},
	{"MovesChangeCertificates", movesChangeCertificates},
	{"ImportedFilters", importedFilters},
	{"ImportedByEveryField", importedByEveryField},
	{"ImportedByStateFollowsMoves", importedByStateFollowsMoves},
	{"HappeningsAreTheAuditLog", happeningsAreTheAuditLog},
	{"LargeContent", largeContent},
	{"ClaimLeasesOldestDueFirst", claimLeasesOldestDueFirst},
	{"ClaimLetsPartnersTakeTurns", claimLetsPartnersTakeTurns},
	{"ClaimAfterLeaseEnded", claimAfterLeaseEnded},
	{"ClaimCapsEachPartner", claimCapsEachPartner},
	{"ClaimCapsSomePartners", claimCapsSomePartners},
	{"ClaimLengthensLeasesBySize", claimLengthensLeasesBySize},
	{"ClaimIsExclusive", claimIsExclusive},
	{"SettleOutcomes", settleOutcomes},
	{"SettleUnderStaleFence", settleUnderStaleFence},
	{"SettleKeepsTheNewestAttempts", settleKeepsTheNewestAttempts},
	{"SettleKeepsTheLastTakenAttempt", settleKeepsTheLastTakenAttempt},
	{"MessagesFilters", messagesFilters},
	{"SignersFilters", signersFilters},
	{"MessagesPaging", messagesPaging},
	{"CertificatesFilters", certificatesFilters},
	{"RawComparesTheDigest", rawComparesTheDigest},
	{"HostileIdentifiers", hostileIdentifiers},
	{"EndedContextWritesNothing", endedContextWritesNothing},
	{"ReopenedStoreHasEverything", reopenedStoreHasEverything},
}

// Run runs the suite against stores that open makes.
func Run(t *testing.T, open Opener) {
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) {
			s := &suite{T: t, open: open, dir: t.TempDir()}
			s.reopen()
			defer s.close() // while the test's context lives
			c.test(s)
		})
	}
	t.Run("Model", func(t *testing.T) { runModel(t, open) })
}

// suite is one test's store. Its methods fail the test on errors.
type suite struct {
	*testing.T
	Store
	open       Opener
	dir        string
	closeStore func() error
}

func (s *suite) reopen() {
	s.Helper()
	s.close()
	s.Store, s.closeStore = s.open(s.T, s.dir)
}

func (s *suite) close() {
	s.Helper()
	if s.closeStore != nil {
		if err := s.closeStore(); err != nil {
			s.Errorf("closing the store: %v", err)
		}
	}
	s.closeStore = nil
}

func (s *suite) enqueue(departures ...exchange.Departure) []exchange.Enqueued {
	s.Helper()
	results, err := s.Enqueue(s.Context(), departures)
	if err != nil || len(results) != len(departures) {
		s.Fatalf("Enqueue of %d: %d results, %v", len(departures), len(results), err)
	}
	return results
}

func (s *suite) accept(arrivals ...exchange.Arrival) []exchange.Accepted {
	s.Helper()
	results, err := s.Accept(s.Context(), arrivals)
	if err != nil || len(results) != len(arrivals) {
		s.Fatalf("Accept of %d: %d results, %v", len(arrivals), len(results), err)
	}
	return results
}

// claim claims with a lease of a minute.
func (s *suite) claim(now time.Time, limit int) []exchange.Job {
	s.Helper()
	jobs, err := s.Claim(s.Context(), exchange.Claim{Owner: "worker", Now: now, Lease: time.Minute, Max: limit})
	if err != nil {
		s.Fatalf("Claim: %v", err)
	}
	return jobs
}

// settle ends an attempt in state, due again an hour after now.
func (s *suite) settle(m exchange.Message, state exchange.State, now time.Time) bool {
	s.Helper()
	results, err := s.Settle(s.Context(), []exchange.Outcome{outcome(m, state, now)})
	if err != nil || len(results) != 1 {
		s.Fatalf("Settle: %v, %v", results, err)
	}
	return results[0]
}

func outcome(m exchange.Message, state exchange.State, now time.Time) exchange.Outcome {
	o := exchange.Outcome{Seq: m.Seq, Fence: m.Fence, State: state, Attempt: exchange.Attempt{Began: now, Ended: now, Status: 200}}
	switch state {
	case exchange.StateQueued, exchange.StateAwaiting:
		o.Due = now.Add(time.Hour)
	case exchange.StateFailed, exchange.StateExpired:
		o.Reason = &exchange.Reason{Code: "DeliveryFailure", Cause: "test"}
	}
	return o
}

func (s *suite) messages(q exchange.MessageQuery) []exchange.Message {
	s.Helper()
	found, err := s.Messages(s.Context(), q)
	if err != nil {
		s.Fatalf("Messages(%+v): %v", q, err)
	}
	return found
}

// message returns the one message that matches.
func (s *suite) message(q exchange.MessageQuery) exchange.Message {
	s.Helper()
	found := s.messages(q)
	if len(found) != 1 {
		s.Fatalf("Messages(%+v) gives %d records, want 1", q, len(found))
	}
	return found[0]
}

func (s *suite) certificates(q exchange.CertificateQuery) []exchange.Certificate {
	s.Helper()
	found, err := s.Certificates(s.Context(), q)
	if err != nil {
		s.Fatalf("Certificates(%+v): %v", q, err)
	}
	return found
}

// states lists the states of the certificates with a reference, oldest first.
func (s *suite) states(reference string) []exchange.CertificateState {
	s.Helper()
	var states []exchange.CertificateState
	for _, c := range s.certificates(exchange.CertificateQuery{Reference: reference}) {
		states = append(states, c.State)
	}
	slices.Reverse(states)
	return states
}

// rawIs fails the test if the bytes at ref are not those of want.
func (s *suite) rawIs(ref exchange.RawRef, want exchange.Content) {
	s.Helper()
	got, err := s.Raw(s.Context(), ref)
	if err != nil || !equal(got, want) {
		s.Errorf("Raw gives %v, %v, want %d bytes: %.40q", got, err, want.Size(), octets(want))
	}
}

// octets are all bytes of c.
func octets(c exchange.Content) string {
	b := make([]byte, c.Size())
	if n, err := c.ReadAt(b, 0); n < len(b) {
		return fmt.Sprintf("unreadable: %v", err)
	}
	return string(b)
}

func equal(got, want exchange.Content) bool { return octets(got) == octets(want) }

// same fails the test if got is not want.
func same[V any](t testing.TB, what string, got, want V) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// signal is an outbound message without a certificate, due at start.
func signal(id, partner string) exchange.Departure {
	return exchange.Departure{
		Message: exchange.Message{
			Direction: exchange.Outbound, Kind: exchange.KindAcknowledgment, State: exchange.StateQueued, MessageID: id, Partner: partner,
			Created: start, Due: start, ContentType: "text/xml", Content: digest("content of " + id), Endpoint: "https://partner.example/ebms",
		},
		Raw:   strings.NewReader("bytes of " + id),
		Audit: []exchange.AuditEntry{{At: start, Actor: "node", Event: "message.queued", Subject: id}},
	}
}

// export is an outbound message to TH that carries the certificate with reference.
func export(id, reference, content string) exchange.Departure {
	return exportTo("TH", id, reference, content)
}

func exportTo(partner, id, reference, content string) exchange.Departure {
	d := signal(id, partner)
	d.Message.Kind = exchange.KindCertificate
	d.Message.AckRequired = true
	c := certificate(reference, content)
	c.Direction, c.State, c.Partner, c.Message = exchange.Outbound, exchange.CertificateReleased, partner, id
	d.Message.Certificate = c.Key
	d.Certificate = &c
	d.Document = []byte("document " + reference + " " + content)
	return d
}

func certificate(reference, content string) exchange.Certificate {
	return exchange.Certificate{
		Key:      exchange.CertificateKey{Country: "KR", Form: "ATIGA-D", Reference: eco.NormaliseReference(reference)},
		Content:  digest(content),
		Recorded: start,
		Data: eco.Certificate{
			Form: "ATIGA-D", Reference: reference, IssuingCountry: "KR",
			Items: []eco.Item{{Number: 1, Description: "steel pipes <&> \"tubes\"", HS: "730490"}},
		},
		DocumentSigner: digest("signer"),
		Findings:       []eco.Finding{{Code: "D07", Severity: "warning", Path: "items[0]", Text: "no weight"}},
	}
}

// inbound is an accepted message from partner.
func inbound(id, partner, content string) exchange.Arrival {
	return exchange.Arrival{
		Message: exchange.Message{
			Direction: exchange.Inbound, Kind: exchange.KindCertificate, State: exchange.StateAccepted, MessageID: id, Partner: partner,
			Created: start, ContentType: "multipart/related", Content: digest(content),
			References: []exchange.Reference{{URI: "cid:co", DigestMethod: "sha256", DigestValue: "AAAA"}},
		},
		Raw:   strings.NewReader("bytes of " + id + " " + content),
		Audit: []exchange.AuditEntry{{At: start, Actor: partner, Event: "message.accepted", Subject: id}},
	}
}

// imports is an accepted message that carries a certificate.
func imports(id, partner, reference, content string) exchange.Arrival {
	a := inbound(id, partner, content)
	c := certificate(reference, content)
	c.Direction, c.State, c.Partner, c.Message = exchange.Inbound, exchange.CertificateAvailable, partner, id
	a.Message.Certificate = c.Key
	a.Certificate = &c
	a.Document = []byte("document " + reference + " " + content)
	return a
}

// answered adds a reply to an arrival.
func answered(a exchange.Arrival, reply string, held bool) exchange.Arrival {
	d := signal(reply, a.Message.Partner)
	d.Message.RefToMessageID = a.Message.MessageID
	a.Reply, a.Held = &d, held
	return a
}

// settling is an accepted signal that ends the outbound message about.
func settling(id, partner, about string, state exchange.State) exchange.Arrival {
	a := inbound(id, partner, id)
	a.Message.Kind, a.Message.RefToMessageID = exchange.KindAcknowledgment, about
	a.Settles = &exchange.Settlement{MessageID: about, Partner: partner, State: state, At: at(30)}
	if state != exchange.StateDelivered {
		a.Settles.Reason = &exchange.Reason{Code: "SecurityFailure", Cause: "refused"}
	}
	return a
}

// together calls f in n goroutines and waits for all.
func together(n int, f func(i int) error) error {
	errs := make(chan error)
	for i := range n {
		go func() { errs <- f(i) }()
	}
	var first error
	for range n {
		if err := <-errs; err != nil && first == nil {
			first = fmt.Errorf("one of %d concurrent calls: %w", n, err)
		}
	}
	return first
}

// ended is a context that has ended.
func ended(parent context.Context) context.Context {
	ctx, cancel := context.WithCancel(parent)
	cancel()
	return ctx
}
