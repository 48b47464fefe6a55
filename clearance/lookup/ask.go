package lookup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

const (
	// maxQuestions bounds what waits to be asked, maxAsked the partners and forms that one reference is asked for.
	maxQuestions = 100
	maxAsked     = 4
	// asking is how many questions are under way at a time.
	asking = 4
)

// question is what one partner is asked about one certificate.
type question struct {
	id, actor, partner string
	about              eco.CertificateID
}

// Asked is what a partner was asked about a certificate that is not here, and what it said. An answer brings no certificate: a retransmission
// cannot be forced, but the issuing side can be asked for one.
type Asked struct {
	Partner string       `json:"partner"`
	Country string       `json:"country"`
	Form    eco.FormCode `json:"form"`
	// At is when the question was put, Answered when the report came; zero while none has.
	At       time.Time `json:"asked"`
	Answered time.Time `json:"answered,omitzero"`
	// Standing is where the partner says that the certificate stands, since when; Problem is why there is no report.
	Standing eco.Standing `json:"standing,omitempty"`
	Since    time.Time    `json:"since,omitzero"`
	Problem  string       `json:"problem,omitempty"`
}

// AskFor has the partners that may have issued an unknown certificate asked for it, in the background, unless they were asked within Rules.AskAgain, and
// gives what is known of that. Country and form may be empty. It never waits for a partner. Ask on behalf of nobody who may not see every
// certificate: a report tells that there is one.
func (d *Desk) AskFor(ctx context.Context, actor, reference, country string, form eco.FormCode) ([]Asked, error) {
	list := []Asked{}
	for _, q := range d.candidates(reference, country, form) {
		q.actor = actor
		asked, err := d.askOne(ctx, q)
		if err != nil {
			return nil, err
		}
		if asked != nil {
			list = append(list, *asked)
		}
	}
	return list, nil
}

// candidates are the questions that may find a reference: to partners of the country that answer questions about a form. Those whose references have
// this shape, as far as shapes are known, are asked; if there are none, because it is spelled otherwise, all are.
func (d *Desk) candidates(reference, country string, form eco.FormCode) []question {
	if d.Agreements == nil || d.Ask == nil || eco.NormaliseReference(reference) == "" {
		return nil
	}
	var fitting, all []question
	now := d.Now()
	for _, p := range d.Agreements.Partners() {
		if country != "" && p.Country != country {
			continue
		}
		for _, f := range d.Agreements.Forms().All() {
			agreement, err := d.Agreements.Outbound(p.ID, f.Code, now)
			if form != "" && f.Code != form || err != nil || agreement.Actions.StatusRequest == "" {
				continue
			}
			about := eco.CertificateID{Reference: reference, Form: f.Code, IssuingCountry: p.Country}
			q := question{id: questionID(p.ID, about), partner: p.ID, about: about}
			all = append(all, q)
			if hasShape(f, p.Country, reference) {
				fitting = append(fitting, q)
			}
		}
	}
	if len(fitting) > 0 {
		all = fitting
	}
	return all[:min(len(all), maxAsked)]
}

// hasShape reports whether a reference may be one of a form of a country: it has one of the shapes that are known, or none is known.
func hasShape(form eco.Form, country, reference string) bool {
	known := slices.DeleteFunc(slices.Clone(form.References), func(r eco.ReferenceRule) bool { return r.Country != country })
	return len(known) == 0 || slices.ContainsFunc(known, func(r eco.ReferenceRule) bool {
		_, fits := r.Match(reference)
		return fits
	})
}

func questionID(partner string, about eco.CertificateID) string {
	return partner + " " + about.IssuingCountry + "/" + string(about.Form) + "/" + eco.NormaliseReference(about.Reference)
}

// askOne gives what is known of a question, and queues it if it is to be put. Nil is a question for which there is no room now.
func (d *Desk) askOne(ctx context.Context, q question) (*Asked, error) {
	now := d.Now().UTC()
	docket, before, err := one[Asked](ctx, d.Store, KindQuestion, q.id)
	there := err == nil
	if err != nil && !errors.Is(err, ErrNotThere) {
		return nil, fmt.Errorf("question %q: %w", q.id, err)
	}
	if there && now.Sub(before.At) < d.rules().AskAgain {
		return &before, nil
	}
	if len(d.questions) == cap(d.questions) {
		return nil, nil
	}
	asked := Asked{Partner: q.partner, Country: q.about.IssuingCountry, Form: q.about.Form, At: now}
	if !there {
		docket = clearance.Docket{Kind: KindQuestion, ID: q.id, Terms: []string{ofReference(q.about.Reference)}}
	}
	if docket, err = docket.With(asked); err != nil {
		return nil, err
	}
	docket.Due = now.Add(max(d.rules().AskAgain, keptQuestion))
	switch err := d.Store.File(ctx, clearance.Batch{Dockets: []clearance.Docket{docket}}); {
	case errors.Is(err, clearance.ErrChanged): // another one asks
		return &asked, nil
	case err != nil:
		return nil, fmt.Errorf("question %q: %w", q.id, err)
	}
	select {
	case d.questions <- q:
	default: // others were faster; it is asked when the next one looks
	}
	return &asked, nil
}

// keptQuestion is how long the answer to a question is kept.
const keptQuestion = 24 * time.Hour

// put puts questions until ctx ends.
func (d *Desk) put(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-d.questions:
			d.putOne(ctx, q)
		}
	}
}

func (d *Desk) putOne(ctx context.Context, q question) {
	waited, cancel := context.WithTimeout(ctx, d.rules().AskWait)
	report, err := d.Ask(waited, q.actor, q.partner, q.about)
	cancel()
	if err != nil && ctx.Err() == nil {
		d.Log.Info("a partner was asked for an unknown certificate and gave no report", "partner", q.partner, "reference", q.about.Reference, "error", err)
	}
	failed := again(func() error {
		docket, asked, found := one[Asked](ctx, d.Store, KindQuestion, q.id)
		if found != nil {
			return found
		}
		if asked.Problem = ""; err != nil {
			asked.Problem = "no report"
		} else {
			asked.Answered, asked.Standing, asked.Since = d.Now().UTC(), report.Standing, report.Since
		}
		next, err := docket.With(asked)
		if err != nil {
			return err
		}
		return d.Store.File(ctx, clearance.Batch{Dockets: []clearance.Docket{next}})
	})
	if failed != nil && ctx.Err() == nil {
		d.Log.Error("the answer to a question was not kept", "partner", q.partner, "reference", q.about.Reference, "error", failed)
	}
}
