package announcement

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// What an announcing party is told. Why exactly a credential cannot be taken may speak of others, and is for the operators here.
const (
	toldUnproven = "the announcement has no signature of this credential's key"
	toldUnfit    = "this credential cannot be taken here; the operators of this node can say why"
	toldNumber   = "another announcement had this number"
	toldMany     = "this node keeps no more credentials of this partner; its operators have to remove old ones"
	toldOver     = "this credential has retired or is revoked here"
)

// judged is what becomes of an announcement.
type judged struct {
	outcomes []Outcome
	// take are the credentials to stage, or to give another date.
	take []taken
}

type taken struct {
	Credential
	there bool
}

// judge says what becomes of each credential that a partner announces, at the instant now. A credential that is there already and has not
// begun may get another date by a later announcement; the same announcement may come again. The error wraps partners.ErrUnknownPartner,
// ErrParty or ErrOld, or is that of a configuration at fault.
func judge(c partners.Config, partner string, a Announcement, now time.Time) (judged, error) {
	i := slices.IndexFunc(c.Partners, func(p partners.PartnerConfig) bool { return p.ID == partner })
	if i < 0 {
		return judged{}, fmt.Errorf("%w: %q", partners.ErrUnknownPartner, partner)
	}
	p := c.Partners[i]
	switch {
	case !a.IsOf(p.PartyIDs):
		return judged{}, fmt.Errorf("%w: %q is not %s", ErrParty, a.Party, partner)
	case int64(a.Number) < p.Announced:
		return judged{}, fmt.Errorf("%w: number %d, and this is %d", ErrOld, p.Announced, a.Number)
	}
	registry, err := partners.New(c)
	if err != nil {
		return judged{}, err
	}
	held := registry.Inventory(now)
	var j judged
	for _, credential := range a.Credentials {
		o, err := decide(c, p, a.Number, credential, held, now)
		if err != nil {
			return judged{}, err
		}
		if o.Result == ResultStaged && !o.there && kept(p)+len(j.take) >= maxKept {
			o.Outcome = Outcome{Result: ResultRefused, Told: toldMany, Reasons: []string{fmt.Sprintf("the partner's entry has %d credentials, and announcements add none from %d on", kept(p), maxKept)}}
		}
		if o.Result == ResultStaged && (!o.there || o.otherDate) {
			j.take = append(j.take, taken{credential, o.there})
		}
		for _, use := range credential.Uses {
			o.Use, o.Body, o.SHA256 = use, credential.Body, signing.Fingerprint(credential.Chain[0])
			j.outcomes = append(j.outcomes, o.Outcome)
		}
	}
	return j, nil
}

// maxKept is how many credentials an entry has to which announcements add none, so that no partner fills the registry with its own: each of them is
// verified whenever anything in the registry changes. With keys of all uses that are replaced each year it takes decades.
const maxKept = 200

func kept(p partners.PartnerConfig) int {
	n := len(p.Credentials)
	for _, issuer := range p.Issuers {
		n += len(issuer.Credentials)
	}
	return n
}

// decision is an outcome, whether the credential is there already, and whether it waits for another date.
type decision struct {
	Outcome
	there, otherDate bool
}

// decide judges one credential.
func decide(c partners.Config, p partners.PartnerConfig, number uint64, own Credential, held []partners.Held, now time.Time) (decision, error) {
	refused := func(told string, reasons ...string) (decision, error) {
		return decision{Outcome: Outcome{Result: ResultRefused, Told: told, Reasons: reasons}}, nil
	}
	there, over, otherDate := 0, false, false
	for _, use := range own.Uses {
		for _, h := range held {
			if h.Partner == p.ID && h.Use == use && h.Issuer == own.Body && h.X509Cert.Equal(own.Chain[0]) {
				there++
				over = over || h.State == partners.StateRetired || h.State == partners.StateRevoked
				otherDate = otherDate || h.State == partners.StateStaged && (h.Activate != "" || !h.From.Equal(own.from(now)))
				break
			}
		}
	}
	switch {
	case own.CanSign() && !own.Proven:
		return refused(toldUnproven, toldUnproven)
	case over:
		return refused(toldOver, toldOver)
	case there == len(own.Uses):
		return decision{Outcome: Outcome{Result: ResultStaged}, there: true, otherDate: otherDate && int64(number) > p.Announced}, nil
	case int64(number) == p.Announced:
		return refused(toldNumber, toldNumber)
	}
	e, err := c.ExamineStaging(p.ID, own.staging(), now)
	switch {
	case errors.Is(err, partners.ErrUnknownBody):
		return refused(toldUnfit, err.Error())
	case err != nil:
		return decision{}, err
	case len(e.Refused) > 0:
		return refused(toldUnfit, e.Refused...)
	case !own.from(now).Before(own.Chain[0].NotAfter), own.from(now).Before(own.Chain[0].NotBefore):
		return refused(toldUnfit, "it is not valid when it is to be active: "+instant(own.from(now)))
	}
	return decision{Outcome: Outcome{Result: ResultStaged, Reasons: e.Warnings}}, nil
}

// from is when the credential is activated: one whose announcement comes late at once.
func (c Credential) from(now time.Time) time.Time {
	if c.ActiveFrom.Before(now) {
		return now
	}
	return c.ActiveFrom
}

func (c Credential) staging() partners.Staging {
	var text strings.Builder
	for _, x509Cert := range c.Chain {
		text.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: x509Cert.Raw}))
	}
	s := partners.Staging{Credential: partners.CredentialConfig{Uses: c.Uses, PEM: text.String()}, Body: c.Body}
	if c.Body != "" {
		s.Credential.Uses = nil
	}
	return s
}

// stage is the edit of the partner's document that stages what was judged fit.
func (j judged) stage(p *partners.PartnerConfig, number uint64, now time.Time) error {
	for _, c := range j.take {
		if c.there {
			continue
		}
		if err := p.Stage(c.staging(), now); err != nil {
			return err
		}
	}
	for _, c := range j.take {
		// What it was staged for or has retired from otherwise is not what is announced.
		a := partners.Activation{Fingerprint: signing.Fingerprint(c.Chain[0]), Uses: c.Uses, Body: c.Body, At: c.from(now)}
		if !c.OldRetires.IsZero() {
			a.Overlap = max(c.OldRetires.Sub(a.At), time.Second)
		}
		if err := p.Activate(a, now); err != nil {
			return err
		}
	}
	p.Announced = int64(number)
	return nil
}

// Desk takes announcements, one after another: it is what exchange.Options.Announced asks. All fields are required.
type Desk struct {
	// Config is the configuration in force.
	Config func() partners.Config
	// Edit changes a partner's document, durably, and brings the change in force, as partners.Directory.EditPartner does.
	Edit func(ctx context.Context, e partners.Edit, partner string, change func(*partners.PartnerConfig) error) (partners.Entry, error)
	Now  func() time.Time

	taking sync.Mutex // two copies of one announcement must not be judged side by side
}

// Take judges an announcement of a partner and, unless it is a dry run, stages what can be; what is left to an operator waits as a proposal
// where a second operator confirms changes. The error wraps partners.ErrUnknownPartner, ErrParty or ErrOld, or is that of Edit or of a
// configuration at fault.
func (d *Desk) Take(ctx context.Context, partner string, a Announcement, dryRun bool) ([]Outcome, error) {
	d.taking.Lock()
	defer d.taking.Unlock()
	now, c := d.Now().UTC(), d.Config()
	j, err := judge(c, partner, a, now)
	if err != nil || len(j.take) == 0 {
		return j.outcomes, err
	}
	tell := tells(c, partner)
	if tell {
		j.tell()
	}
	if dryRun || tell && !c.SecondOperator {
		return j.outcomes, nil
	}
	edit := partners.Edit{By: partners.ByNode, Why: fmt.Sprintf("announcement %d of %s", a.Number, partner)}
	if tell {
		edit.By = partner
	}
	_, err = d.Edit(ctx, edit, partner, func(p *partners.PartnerConfig) error {
		if int64(a.Number) < p.Announced {
			return fmt.Errorf("%w: number %d", ErrOld, p.Announced)
		}
		return j.stage(p, a.Number, now)
	})
	waits, broken := (*partners.Proposed)(nil), (*partners.ConfigError)(nil)
	switch {
	case errors.As(err, &waits):
		return j.change(func(o *Outcome) { o.Reasons = append(o.Reasons, waits.Error()) }), nil
	case errors.As(err, &broken), errors.Is(err, partners.ErrNotNow), errors.Is(err, partners.ErrManyProposals): // each can be taken alone, and not all together
		return j.change(func(o *Outcome) { o.Result, o.Told, o.Reasons = ResultRefused, toldUnfit, []string{err.Error()} }), nil
	}
	return j.outcomes, err
}

// tells reports whether an operator decides about what a partner announces.
func tells(c partners.Config, partner string) bool {
	for _, p := range c.Partners {
		if p.ID == partner && p.Announcements != "" {
			return p.Announcements == partners.AnnouncementsTell
		}
	}
	return c.SecondOperator
}

// tell leaves to an operator what would be staged. One that is there already and only gets another date stays staged.
func (j judged) tell() {
	for i, o := range j.outcomes {
		if slices.ContainsFunc(j.take, func(c taken) bool { return !c.there && c.isOf(o) }) {
			j.outcomes[i].Result = ResultTold
		}
	}
}

// change changes the outcomes of what would be staged, and gives all.
func (j judged) change(f func(*Outcome)) []Outcome {
	for i, o := range j.outcomes {
		if slices.ContainsFunc(j.take, func(c taken) bool { return c.isOf(o) }) {
			f(&j.outcomes[i])
		}
	}
	return j.outcomes
}

func (c taken) isOf(o Outcome) bool {
	return signing.Fingerprint(c.Chain[0]) == o.SHA256 && c.Body == o.Body
}
