package notice

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

// Subscription is a recipient that signed up by itself. Nothing is told to it before it is confirmed: an address by a code that is mailed to it,
// a webhook by a challenge.
type Subscription struct {
	ID string `json:"id"`
	// Key is the name of the API key whose it is.
	Key      string   `json:"key"`
	Audience Audience `json:"audience"`
	// Exactly one of Email and Webhook is set.
	Email    string  `json:"email,omitempty"`
	Webhook  string  `json:"webhook,omitempty"`
	Language string  `json:"language"`
	Events   []Event `json:"events,omitempty"`
	Digest   Pace    `json:"digest,omitempty"`
	// Parties narrow those of the key; none means all that the key has when something happens.
	Parties   []eco.PartyName `json:"parties,omitempty"`
	Made      time.Time       `json:"made"`
	Confirmed time.Time       `json:"confirmed,omitzero"`
	// Until is the end of the time for confirming it, while it is not confirmed.
	Until time.Time `json:"until,omitzero"`
}

// signup is a subscription as its docket has it.
type signup struct {
	Subscription
	Secret secrets `json:"secret,omitzero"`
}

// secrets are what nobody is told again.
type secrets struct {
	// CodeSHA256 is the digest of the code in hex, Tries how many wrong ones were tried, or how often a webhook was challenged.
	CodeSHA256 string `json:"code_sha256,omitempty"`
	Tries      int    `json:"tries,omitempty"`
	// Keys sign what is posted: the newest, and the one before it until OldUntil.
	Keys     [][]byte  `json:"keys,omitempty"`
	OldUntil time.Time `json:"old_until,omitzero"`
	// Ended: it was taken back before it was confirmed. It is kept until its time is over, since it counts among those that may wait.
	Ended bool `json:"ended,omitempty"`
}

// SubscriptionRequest is what somebody signs up for; the members are those of Subscription.
type SubscriptionRequest struct {
	Audience Audience `json:"audience,omitempty"`
	Email    string   `json:"email,omitempty"`
	Webhook  string   `json:"webhook,omitempty"`
	Language string   `json:"language,omitempty"`
	Events   []Event  `json:"events,omitempty"`
	Digest   Pace     `json:"digest,omitempty"`
	Parties  []string `json:"parties,omitempty"`
}

// Subscribed is a subscription with what is told about it once, or by the node's books.
type Subscribed struct {
	Subscription
	// SigningSecret signs what is posted to a webhook, as SecretText writes it. It is told when it is made, and never again.
	SigningSecret string `json:"signing_secret,omitempty"`
	// Queued counts the notices that wait for it. Problem is how the last attempt failed; Failed since when nothing is sent there any more.
	Queued  int       `json:"queued"`
	Problem string    `json:"problem,omitempty"`
	Failed  time.Time `json:"failed,omitzero"`
}

// Subscriber is who asks: the name of the API key, the audiences that its role may be part of, the default first, and whether it runs the node
// and so sees, and may end, what others have.
type Subscriber struct {
	Key       string
	Audiences []Audience
	Operator  bool
}

// Errors about subscriptions.
var (
	// ErrInvalid: the request cannot be met; the text says why.
	ErrInvalid = errors.New("subscription cannot be made")
	// ErrManySubscriptions: the key has too many, or too many that wait to be confirmed.
	ErrManySubscriptions = errors.New("too many subscriptions")
	// ErrNotConfirmed: the code is wrong, used up or too old, or the webhook did not answer its challenge.
	ErrNotConfirmed = errors.New("subscription was not confirmed")
)

// Bounds of subscriptions.
const (
	maxSubscriptions = 20 // of one key
	maxUnconfirmed   = 5  // of one key, so that nobody is mailed to whom a key's holder does not like
	maxTries         = 5
	maxChallenges    = 20 // of one webhook, so that nobody has the node post to where he likes
	confirmWithin    = 24 * time.Hour
	oldSecretFor     = 24 * time.Hour
)

// idPrefix begins the ids of subscriptions; no configured recipient's does.
const idPrefix = "sub-"

func termKey(name string) string { return "key:" + name }

// Subscribe signs somebody up. An address gets its code by mail, a webhook its challenge when Confirm is called.
func (s *Service) Subscribe(ctx context.Context, who Subscriber, request SubscriptionRequest) (Subscribed, error) {
	sub, err := s.subscription(who, request)
	if err != nil {
		return Subscribed{}, err
	}
	out, kept := Subscribed{Subscription: sub}, signup{Subscription: sub}
	var code string
	if sub.Webhook != "" {
		secret := make([]byte, 32)
		_, _ = rand.Read(secret) // never fails, as its documentation says
		kept.Secret.Keys, out.SigningSecret = [][]byte{secret}, SecretText(secret)
	} else {
		code = rand.Text()[:8]
		kept.Secret.CodeSHA256 = digestOf(code)
	}
	err = s.again(func() error {
		if err := s.mayHaveMore(ctx, who.Key); err != nil {
			return err
		}
		d, err := held[signup]{clearance.Docket{Kind: KindSubscription, ID: sub.ID, Terms: []string{termKey(who.Key)}}, kept}.written()
		if err != nil {
			return err
		}
		f := s.newFiling()
		f.batch.Dockets = append(f.batch.Dockets, d)
		f.batch.Audit = append(f.batch.Audit, clearance.Happening{At: sub.Made, Actor: who.Key, Event: EntrySubscribed, Subject: sub.ID, Detail: line(sub.Email+sub.Webhook, maxDetail)})
		if code != "" {
			a, err := f.account(ctx, sub.ID, Mail, sub.Email)
			if err != nil {
				return err
			}
			a.Queued++
			n := Notice{ID: "confirm-" + sub.ID, At: sub.Made, Event: AddressConfirm, Recipient: sub.ID, Channel: Mail, Address: sub.Email, Language: sub.Language,
				Facts: Facts{Code: code}, State: Queued, Next: sub.Made, Filed: sub.Made}
			f.put(held[Notice]{clearance.Docket{Kind: KindNotice, ID: n.ID}, n})
		}
		return f.commit(ctx)
	})
	s.Wake()
	return out, err
}

// subscription judges a request.
func (s *Service) subscription(who Subscriber, q SubscriptionRequest) (Subscription, error) {
	invalid := func(format string, args ...any) (Subscription, error) {
		return Subscription{}, fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
	}
	if len(who.Audiences) == 0 {
		return invalid("the role of key %q is told nothing", who.Key)
	}
	now := s.Now().UTC()
	sub := Subscription{ID: idPrefix + strings.ToLower(rand.Text()[:16]), Key: who.Key, Audience: q.Audience, Email: q.Email, Webhook: q.Webhook, Language: q.Language,
		Digest: q.Digest, Made: now, Until: now.Add(confirmWithin)}
	if sub.Audience == "" {
		sub.Audience = who.Audiences[0]
	}
	if sub.Language == "" {
		sub.Language = Fallback
	}
	parties, _ := s.Keys.Parties(who.Key)
	switch {
	case !slices.Contains(who.Audiences, sub.Audience):
		return invalid("audience %q is not one of %q, as the role of the key allows", line(string(q.Audience), maxName), who.Audiences)
	case (q.Email == "") == (q.Webhook == ""):
		return invalid("want exactly one of email and webhook")
	case q.Email != "" && s.Mailer == nil:
		return invalid("this node sends no e-mail: notices.mail is not configured")
	case q.Webhook != "" && s.Poster == nil:
		return invalid("this node posts to no webhooks: notices.webhooks is not configured")
	case !slices.Contains(Paces(), q.Digest):
		return invalid("digest %q is not hourly or daily, or left out", line(string(q.Digest), maxName))
	case q.Webhook != "" && q.Digest != Single:
		return invalid("a webhook has no digest")
	case !slices.Contains(s.Templates.Languages(), sub.Language):
		return invalid("language %q is not one of %q", line(q.Language, maxName), s.Templates.Languages())
	case sub.Audience == Importers && len(parties) == 0:
		return invalid("key %q stands for no parties", who.Key)
	}
	if err := checkWay(q); err != nil {
		return invalid("%v", err)
	}
	for _, e := range q.Events {
		if !slices.Contains(EventsFor(sub.Audience), e) {
			return invalid("event %q is not one of %q", line(string(e), maxName), EventsFor(sub.Audience))
		}
		if !slices.Contains(sub.Events, e) {
			sub.Events = append(sub.Events, e)
		}
	}
	for _, text := range q.Parties {
		party, err := eco.ParsePartyName(text)
		if err != nil {
			return invalid("%v", err)
		}
		if !slices.Contains(parties, party) {
			return invalid("party %q is not one of the key's", line(text, maxName))
		}
		sub.Parties = append(sub.Parties, party)
	}
	return sub, nil
}

func checkWay(q SubscriptionRequest) error {
	if q.Webhook != "" {
		return CheckURL(q.Webhook, false)
	}
	return CheckAddress(q.Email)
}

// mayHaveMore refuses a key that has enough.
func (s *Service) mayHaveMore(ctx context.Context, key string) error {
	theirs, err := s.subscriptionsOf(ctx, key)
	if err != nil {
		return err
	}
	waiting := 0
	for _, h := range theirs {
		if h.value.Confirmed.IsZero() && s.Now().Before(h.value.Until) {
			waiting++
		}
	}
	if len(theirs) >= maxSubscriptions || waiting >= maxUnconfirmed {
		return fmt.Errorf("%w: key %q has %d, %d of them not confirmed; %d and %d are the most", ErrManySubscriptions, key, len(theirs), waiting, maxSubscriptions, maxUnconfirmed)
	}
	return nil
}

// subscriptionsOf are those of a key; "" for all.
func (s *Service) subscriptionsOf(ctx context.Context, key string) ([]held[signup], error) {
	q := clearance.DocketQuery{Kind: KindSubscription}
	if key != "" {
		q.Term = termKey(key)
	}
	return all[signup](ctx, s.Store, q)
}

// Subscriptions are those of the asker, or all for an operator, oldest first.
func (s *Service) Subscriptions(ctx context.Context, who Subscriber) ([]Subscribed, error) {
	key := who.Key
	if who.Operator {
		key = ""
	}
	list, err := s.subscriptionsOf(ctx, key)
	if err != nil {
		return nil, err
	}
	out := []Subscribed{}
	for _, h := range list {
		if h.value.Secret.Ended {
			continue
		}
		a, _, err := one[account](ctx, s.Store, kindAccount, h.value.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, Subscribed{Subscription: h.value.Subscription, Queued: a.value.Queued, Problem: a.value.Problem, Failed: a.value.Failed})
	}
	return out, nil
}

// theirs finds a subscription that is the asker's.
func (s *Service) theirs(ctx context.Context, who Subscriber, id string) (held[signup], error) {
	h, found, err := one[signup](ctx, s.Store, KindSubscription, id)
	if err == nil && (!found || h.value.Secret.Ended || h.value.Key != who.Key && !who.Operator) {
		err = fmt.Errorf("%w: subscription %q", ErrUnknown, line(id, maxName))
	}
	return h, err
}

// Confirm confirms an address with the code that was mailed to it, or a webhook, which is sent a challenge now and has to answer it. Again is no error.
func (s *Service) Confirm(ctx context.Context, who Subscriber, id, code string) (Subscribed, error) {
	h, err := s.theirs(ctx, who, id)
	if err != nil || !h.value.Confirmed.IsZero() {
		return Subscribed{Subscription: h.value.Subscription}, err
	}
	if h.value.Webhook != "" {
		if err := s.mayChallenge(ctx, who, id); err != nil {
			return Subscribed{}, err
		}
		if r, ok := s.asRecipient(h.value); ok && s.Poster != nil { // outside of the transaction: it may take its time
			err = s.Poster.challenge(ctx, r, "confirm-"+id+"-"+rand.Text()[:8], rand.Text())
		} else {
			err = errors.New("this node posts to no webhooks")
		}
		if err != nil {
			return Subscribed{}, fmt.Errorf("%w: %w", ErrNotConfirmed, err)
		}
	}
	var refusal error
	err = s.again(func() error {
		if h, err = s.theirs(ctx, who, id); err != nil {
			return err
		}
		now := s.Now().UTC()
		refusal = nil
		switch secret := &h.value.Secret; {
		case !now.Before(h.value.Until):
			refusal = errors.New("the time for it is over; subscribe again")
		case h.value.Webhook != "":
		case secret.Tries >= maxTries:
			refusal = errors.New("too many wrong codes; subscribe again")
		case subtle.ConstantTimeCompare([]byte(digestOf(strings.ToUpper(strings.TrimSpace(code)))), []byte(secret.CodeSHA256)) != 1:
			secret.Tries++
			refusal = errors.New("the code is not the one that was mailed")
		}
		batch := clearance.Batch{}
		if refusal == nil {
			h.value.Confirmed, h.value.Until = now, time.Time{}
			h.value.Secret.CodeSHA256, h.value.Secret.Tries = "", 0
			batch.Audit = []clearance.Happening{{At: now, Actor: who.Key, Event: EntryConfirmed, Subject: id, Detail: line(h.value.Email+h.value.Webhook, maxDetail)}}
		}
		d, err := h.written()
		if err != nil {
			return err
		}
		batch.Dockets = []clearance.Docket{d}
		return s.Store.File(ctx, batch)
	})
	if err == nil && refusal != nil {
		err = fmt.Errorf("%w: %w", ErrNotConfirmed, refusal)
	}
	return Subscribed{Subscription: h.value.Subscription}, err
}

// mayChallenge counts a challenge before it is posted, and refuses one too many.
func (s *Service) mayChallenge(ctx context.Context, who Subscriber, id string) error {
	return s.again(func() error {
		h, err := s.theirs(ctx, who, id)
		switch {
		case err != nil || !h.value.Confirmed.IsZero():
			return err
		case !s.Now().Before(h.value.Until):
			return fmt.Errorf("%w: the time for it is over; subscribe again", ErrNotConfirmed)
		case h.value.Secret.Tries >= maxChallenges:
			return fmt.Errorf("%w: too many challenges were not answered; subscribe again", ErrNotConfirmed)
		}
		h.value.Secret.Tries++
		d, err := h.written()
		if err != nil {
			return err
		}
		return s.Store.File(ctx, clearance.Batch{Dockets: []clearance.Docket{d}})
	})
}

// digestOf is the SHA-256 of a code in hex.
func digestOf(code string) string {
	sum := sha256.Sum256([]byte(code))
	return hex.EncodeToString(sum[:])
}

// NewSecret gives a webhook a new signing secret. The one before it signs too, for a day, so that the receiver can change over.
func (s *Service) NewSecret(ctx context.Context, who Subscriber, id string) (out Subscribed, err error) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	err = s.again(func() error {
		h, err := s.theirs(ctx, who, id)
		if err != nil {
			return err
		}
		if h.value.Webhook == "" {
			return fmt.Errorf("%w: it is no webhook, and has no secret", ErrInvalid)
		}
		now := s.Now().UTC()
		h.value.Secret.Keys = append([][]byte{secret}, h.value.Secret.Keys[:min(1, len(h.value.Secret.Keys))]...)
		h.value.Secret.OldUntil = now.Add(oldSecretFor)
		d, err := h.written()
		if err != nil {
			return err
		}
		out = Subscribed{Subscription: h.value.Subscription, SigningSecret: SecretText(secret)}
		return s.Store.File(ctx, clearance.Batch{Dockets: []clearance.Docket{d}, Audit: []clearance.Happening{{At: now, Actor: who.Key, Event: EntryRotated, Subject: id}}})
	})
	return out, err
}

// Unsubscribe ends a subscription. What waits for it is not sent.
func (s *Service) Unsubscribe(ctx context.Context, who Subscriber, id string) (out Subscribed, err error) {
	err = s.again(func() error {
		h, err := s.theirs(ctx, who, id)
		if err != nil {
			return err
		}
		out = Subscribed{Subscription: h.value.Subscription}
		batch := clearance.Batch{Audit: []clearance.Happening{{At: s.Now().UTC(), Actor: who.Key, Event: EntryUnsubscribed, Subject: id}}}
		if h.value.Confirmed.IsZero() {
			h.value.Secret.Ended = true
			d, err := h.written()
			if err != nil {
				return err
			}
			batch.Dockets = []clearance.Docket{d}
		} else {
			batch.Drop = []clearance.DocketName{h.docket.Name()}
		}
		return s.Store.File(ctx, batch)
	})
	if err != nil {
		return out, err
	}
	return out, s.dropAll(ctx, id, "the subscription was ended")
}

// sweepSubscriptions removes those that were not confirmed in time.
func (s *Service) sweepSubscriptions(ctx context.Context) error {
	return s.again(func() error {
		list, err := s.subscriptionsOf(ctx, "")
		if err != nil {
			return err
		}
		var drop []clearance.DocketName
		for _, h := range list {
			if h.value.Confirmed.IsZero() && !s.Now().Before(h.value.Until) {
				drop = append(drop, h.docket.Name())
			}
		}
		if len(drop) == 0 {
			return nil
		}
		return s.Store.File(ctx, clearance.Batch{Drop: drop})
	})
}

// subscribers are the subscriptions that are confirmed, and whose keys are still there.
func (s *Service) subscribers(ctx context.Context) ([]Recipient, error) {
	list, err := s.subscriptionsOf(ctx, "")
	if err != nil {
		return nil, err
	}
	var out []Recipient
	for _, h := range list {
		if r, ok := s.asRecipient(h.value); ok && !h.value.Confirmed.IsZero() {
			out = append(out, r)
		}
	}
	return out, nil
}

// asRecipient is what a subscription gets as its key is now. ok is false if the key is gone, or stands for none of the parties any more.
func (s *Service) asRecipient(sub signup) (r Recipient, ok bool) {
	parties, ok := s.Keys.Parties(sub.Key)
	if !ok || sub.Secret.Ended {
		return Recipient{}, false
	}
	r = Recipient{
		ID: sub.ID, Audience: sub.Audience, Address: sub.Email, URL: sub.Webhook, Language: sub.Language, Events: sub.Events, Digest: sub.Digest,
		Owner: sub.Key, Parties: parties, Subscribed: true, Since: sub.Confirmed, Secrets: slices.Clone(sub.Secret.Keys),
	}
	if len(sub.Parties) > 0 {
		r.Parties = slices.DeleteFunc(slices.Clone(sub.Parties), func(p eco.PartyName) bool { return !slices.Contains(parties, p) })
	}
	if len(r.Secrets) > 1 && !s.Now().Before(sub.Secret.OldUntil) {
		r.Secrets = r.Secrets[:1]
	}
	return r, sub.Audience != Importers || len(r.Parties) > 0
}
