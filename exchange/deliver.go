package exchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange/fault"
	"github.com/ecogate/ecogate/partners"
)

// Run delivers due messages until ctx ends, then waits for the attempts under way (they see ctx end, and each is recorded
// or its lease runs out). It returns nil when ctx ended, and an error only if the node was made without a Poster.
func (n *Node) Run(ctx context.Context) error {
	if n.post == nil {
		return errors.New("node: Run needs Options.Post")
	}
	var attempts sync.WaitGroup
	defer attempts.Wait()
	free := make(chan struct{}, n.workers)
	var sweep time.Time
	for {
		// A clock that was set back must not put it off.
		if now := n.now(); !now.Before(sweep) || sweep.Sub(now) > sweepInterval {
			if err := n.expelOverdue(ctx); err != nil && ctx.Err() == nil {
				n.log.Error("messages that wait for others", "error", err)
			}
			if err := n.releaseListed(ctx); err != nil && ctx.Err() == nil {
				n.log.Error("certificates that wait for a list of issuers", "error", err)
			}
			sweep = now.Add(sweepInterval)
		}
		jobs := n.claim(ctx, n.workers-len(free))
		for _, job := range jobs {
			free <- struct{}{}
			attempts.Go(func() {
				defer func() { <-free; n.announce() }()
				n.attempt(ctx, job)
			})
		}
		if len(jobs) == 0 && !n.rest(ctx) {
			return nil
		}
	}
}

// claim takes due messages for as many workers as are free.
func (n *Node) claim(ctx context.Context, room int) []Job {
	if room == 0 {
		return nil
	}
	now := n.now().UTC()
	caps, err := n.caps(ctx, now)
	var jobs []Job
	if err == nil {
		jobs, err = n.store.Claim(ctx, Claim{
			Owner: n.owner, Now: now, Lease: n.lease, Max: room, PerPartner: n.perPeer, Caps: caps, MinRate: n.minRate,
		})
	}
	if err != nil && ctx.Err() == nil {
		n.log.Error("claiming due messages", "error", err)
	}
	if len(jobs) > 0 {
		fault.Point("deliver.claimed")
	}
	return jobs
}

// caps says how many deliveries may be under way at a time to the partners for whom that differs from the rest: none while
// an operator has paused them, and what the breaker allows.
func (n *Node) caps(ctx context.Context, now time.Time) (map[string]int, error) {
	caps := map[string]int{}
	for _, p := range n.registry.Partners() {
		limit := cmp.Or(p.Concurrency, n.perPeer)
		if allowed := n.breaker.allowed(p.ID, limit, now); allowed != n.perPeer {
			caps[p.ID] = allowed
		}
	}
	pauses, err := n.keeper.Pauses(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading pauses: %w", err)
	}
	for _, p := range pauses {
		caps[p.Partner] = 0
	}
	return caps, nil
}

// rest waits until something may be due. It returns false when ctx has ended.
func (n *Node) rest(ctx context.Context) bool {
	timer := time.NewTimer(n.poll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-n.wake:
	case <-timer.C:
	}
	return ctx.Err() == nil
}

// settleTime bounds the recording of an attempt that has ended.
const settleTime = 30 * time.Second

// attempt makes one try to deliver a claimed message and records how it ended.
func (n *Node) attempt(ctx context.Context, job Job) {
	m := job.Message
	began := n.now().UTC()
	outcome := Outcome{Seq: m.Seq, Fence: m.Fence}
	if m.over(began) {
		n.conclude(&outcome, m, began)
		refused, err := n.undelivered(ctx, m, "node", began, eco.Reason{Code: outcome.Reason.Code, Text: outcome.Reason.Cause})
		if err != nil {
			n.log.Error("finding the certificate of a message that was not delivered", "message_id", m.MessageID, "error", err)
			return // its lease ends, and the attempt is made again
		}
		outcome.Audit = append(outcome.Audit, refused...)
	} else {
		n.send(ctx, job, &outcome, began)
	}
	fault.Point("deliver.posted")
	if !n.settleAttempt(ctx, m, outcome) {
		return
	}
	fault.Point("deliver.settled")
	if outcome.State == StateDelivered {
		n.giveBack(ctx, m)
	}
	if outcome.State == StateFailed || outcome.State == StateExpired {
		n.step("failed", m, m.Certificate.Reference, outcome.Reason.Cause)
		n.log.Warn("delivery ended", "message_id", m.MessageID, "partner", m.Partner, "state", outcome.State, "reason", outcome.Reason.Cause)
	}
}

// settleAttempt records how an attempt at m ended, even while the node shuts down. It tells of a failure itself and reports
// whether there was none.
func (n *Node) settleAttempt(ctx context.Context, m Message, o Outcome) bool {
	settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	if _, err := n.store.Settle(settle, []Outcome{o}); err != nil {
		n.log.Error("recording an attempt", "message_id", m.MessageID, "kind", m.Kind, "error", err)
		return false
	}
	return true
}

// over reports whether no further attempt is allowed at now.
func (m Message) over(now time.Time) bool {
	if !m.pressing() && failuresInRow(m.Log) >= signalAttempts {
		return true
	}
	return !m.Expires.IsZero() && !now.Before(m.Expires)
}

// pressing reports whether m is sent until its time is over, and not for a while only like what answers another message: what is sent
// of our own accord, and an answer whose receipt is asked for.
func (m Message) pressing() bool { return m.Kind.initiates() || m.AckRequired }

// conclude ends a message whose time or attempts are used up. The sender's own application is told DeliveryFailure
// (ebMS 2.0 §6.5.7): the partner took the message but never acknowledged it, or it was never reached.
func (n *Node) conclude(o *Outcome, m Message, now time.Time) {
	o.Attempt = Attempt{Began: now, Ended: now, Problem: problemGivenUp}
	if everTaken(m.Log) {
		o.State = StateFailed
		o.Reason = &Reason{Code: string(ebms.CodeDeliveryFailure), Cause: "the partner took the message but no valid acknowledgment came before its time to live ended"}
	} else {
		o.State = StateExpired
		o.Reason = &Reason{Code: string(ebms.CodeTimeToLiveExpired), Cause: "the partner was not reached before the message's time to live ended: " + lastProblem(m.Log)}
	}
	o.Audit = []AuditEntry{{At: now, Actor: "node", Event: "message." + string(o.State), Subject: m.MessageID, Detail: o.Reason.Cause}}
}

func lastProblem(log []Attempt) string {
	if len(log) == 0 {
		return "no attempt was made"
	}
	return log[len(log)-1].Problem
}

// send posts the stored bytes and decides from the answer what comes next.
func (n *Node) send(ctx context.Context, job Job, o *Outcome, began time.Time) {
	m := job.Message
	fault.Point("deliver.posting")
	response, err := n.post.Post(ctx, m.Partner, ebms.Outgoing{
		URL: n.endpoint(m), ContentType: m.ContentType, SOAPAction: m.SOAPAction, Body: job.Raw,
	})
	ended := n.now().UTC()
	o.Attempt = Attempt{Began: began, Ended: ended, Status: response.Status}
	n.noteAnswer(m.Partner, response, err, began, ended)
	if err != nil {
		o.Attempt.Problem = err.Error()
		n.again(o, m, ended, 0)
		return
	}
	if response.Status/100 != 2 {
		o.Attempt.Problem = fmt.Sprintf("HTTP %d %s", response.Status, http.StatusText(response.Status))
		n.again(o, m, ended, response.RetryAfter)
		return
	}
	n.step("sent", m, m.Certificate.Reference, fmt.Sprintf("%s, attempt %d, HTTP %d", m.Kind, m.Attempts, response.Status))
	if len(response.Body) > 0 {
		o.Attempt.Problem = n.readResponse(ctx, m, response, ended)
	}
	if o.Attempt.Problem != "" && m.pressing() && !m.AckRequired {
		// Nothing else would ever tell whether the partner has it; an empty 2xx would have.
		n.again(o, m, ended, response.RetryAfter)
		return
	}
	n.await(o, m, ended)
}

// noteAnswer tells the breaker how an attempt ended, and people when deliveries to the partner are suspended or begin again.
func (n *Node) noteAnswer(partner string, response ebms.Response, err error, began, now time.Time) {
	if err == nil && refusesMessage(response.Status) {
		return
	}
	suspended, changed := n.breaker.ended(partner, err == nil && response.Status/100 == 2, began, now)
	switch {
	case changed && suspended:
		until, failures := n.breaker.suspended(partner)
		n.step("suspended", Message{Partner: partner}, "", fmt.Sprintf("%d attempts in a row failed, next one at %s", failures, until.Format(time.RFC3339)))
		n.log.Warn("deliveries suspended: the partner does not answer", "partner", partner, "failures", failures, "until", until)
	case changed:
		n.step("reachable", Message{Partner: partner}, "", "answers again")
		n.log.Info("deliveries resumed: the partner answers again", "partner", partner)
		n.announce()
	}
}

// refusesMessage tells the HTTP statuses that are about one message from those that are about the partner: one that is too large
// for it must not hold back the others.
func refusesMessage(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return true
	}
	return false
}

// endpoint is where a message goes now: the agreement's address as it stands, so that a moved partner gets what was
// queued before; the recorded one if the agreement is gone.
func (n *Node) endpoint(m Message) string {
	if a, ok := n.agreementOf(m); ok {
		return endpointFor(a, m.Kind)
	}
	return m.Endpoint
}

// endpointFor is where messages of a kind go under an agreement. ebMS 2.0 §4.2.4.2 gives errors a place of their own.
func endpointFor(a partners.Agreement, kind Kind) string {
	switch kind {
	case KindError:
		return a.ErrorEndpoint
	case KindAcknowledgment, KindPong, KindStatusResponse:
		return a.AckEndpoint
	}
	return a.Endpoint
}

// agreementOf is the agreement under which m was composed, as it stands now.
func (n *Node) agreementOf(m Message) (partners.Agreement, bool) {
	q := partners.AgreementQuery{Partner: m.Partner, CPAID: m.CPAID}
	if m.Kind.business() {
		q.Service, q.Action = m.Service, m.Action
	}
	return n.registry.Agreement(q, n.now())
}

// again schedules another attempt after one that did not reach the partner.
func (n *Node) again(o *Outcome, m Message, now time.Time, retryAfter time.Duration) {
	limit := signalBackoffMax
	if a, ok := n.agreementOf(m); ok && m.pressing() {
		limit = a.RetryInterval
	}
	o.State = StateQueued
	o.Due = backoffAt(now, failuresInRow(m.Log)+1, min(limit, n.backoff), n.jitter())
	if retryAfter > 0 {
		o.Due = now.Add(retryAfter)
	}
	o.Due = earlier(o.Due, m.Expires)
	n.step("postponed", m, m.Certificate.Reference, o.Attempt.Problem)
	n.log.Warn("delivery postponed", "message_id", m.MessageID, "partner", m.Partner, "attempt", m.Attempts, "due", o.Due, "problem", o.Attempt.Problem)
}

// await schedules what follows a message that the partner took.
func (n *Node) await(o *Outcome, m Message, now time.Time) {
	if !m.AckRequired {
		o.State = StateDelivered
		return
	}
	interval := m.Expires.Sub(m.Created)
	if a, ok := n.agreementOf(m); ok {
		interval = a.RetryInterval
	}
	o.State = StateAwaiting
	o.Due = earlier(resendAt(now, interval, n.jitter()), m.Expires)
}

// readResponse takes what came in a 2xx answer as if it had been posted: an acknowledgment or an error list settles the
// message through the same checks. A body that is no ebXML message is noted and changes nothing: the partner took the
// message, and an acknowledgment is still awaited if it is required. It returns the problem to note, if any.
func (n *Node) readResponse(ctx context.Context, m Message, response ebms.Response, now time.Time) string {
	problem := n.receiveSignal(ctx, ebms.Request{ContentType: response.ContentType, Body: ebms.Bytes(response.Body), Received: now}, m)
	if problem != "" {
		n.log.Warn("answer to a delivery", "message_id", m.MessageID, "partner", m.Partner, "problem", problem)
	}
	return problem
}
