package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/handover"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pair"
)

// The import that the demonstration declares. The sample certificates are valid on its day, whenever the demonstration runs.
const (
	demoDeclaration = "DEMO-1"
	demoItem        = 2
	demoImporter    = "TAX:0201234567" // for whom the key demo-importer stands
	demoBroker      = "demo-forwarder"
)

var (
	demoDay     = eco.Date{Year: 2026, Month: 11, Day: 20}
	demoClaimed = eco.Measure{Value: "1000", Unit: "C62"}
)

// use shows what becomes of a certificate at TW, each step under the key of whoever does it: a broker finds it, once its importer has
// mandated him, and declares the goods; the customs system fetches the parcel; an officer decides; KR learns the outcome.
func (d *demo) use(ctx context.Context, two pair.Pair, reference string) error {
	d.say("\nUsing %s at TW", reference)
	found, err := d.lookUp(ctx, two.TW, reference)
	if err != nil {
		return err
	}
	if eco.DateOf(d.now().UTC()).Before(demoDay) {
		d.say("This machine's clock is before %s, the day of the import: no declaration.", demoDay)
		return nil
	}
	l, err := d.declare(ctx, two.TW, *found.Certificate)
	if err != nil {
		return err
	}
	fresh := l.State == clearance.LodgementLodged
	if !fresh {
		d.say("Declaration %s was lodged before: it is %s", l.Number, l.State)
		return d.outcome(ctx, two.KR, found.Key, fresh)
	}
	if err := d.handOver(ctx, two.TW, l.Number); err != nil {
		return err
	}
	if err := d.decide(ctx, two.TW, l.Number); err != nil {
		return err
	}
	return d.outcome(ctx, two.KR, found.Key, fresh)
}

// lookUp finds a certificate at the importing node as a broker would who types the reference in his own way. He sees it when its importer
// has mandated him.
func (d *demo) lookUp(ctx context.Context, tw pair.Side, reference string) (api.Match, error) {
	broker, err := sideClient(tw, "forwarder")
	if err != nil {
		return api.Match{}, err
	}
	query := api.LookupQuery{Reference: respell(reference), On: demoDay.String()}
	found, err := broker.Lookup(ctx, query)
	if errors.Is(err, exchange.ErrNotFound) {
		d.say("A broker at TW looks up %q: not found, as if it were not there: nobody has mandated him", query.Reference)
		if err := d.mandate(ctx, tw); err != nil {
			return api.Match{}, err
		}
		found, err = broker.Lookup(ctx, query)
	}
	if err != nil {
		return api.Match{}, fmt.Errorf("look-up of %q: %w", query.Reference, err)
	}
	m := found.Matches[0]
	if !m.Usable {
		return api.Match{}, errors.New("look-up: the certificate is not usable")
	}
	d.say("A broker at TW looks up %q: found %s, form %s, issued by %s, %s, usable: %s",
		query.Reference, m.Certificate.Reference, m.Key.Form, m.Certificate.IssuingBody.Name, m.State, yesNo(m.Usable))
	return m, nil
}

// mandate lets the broker see what is for the importer.
func (d *demo) mandate(ctx context.Context, tw pair.Side) error {
	importer, err := sideClient(tw, "importer")
	if err != nil {
		return err
	}
	m, err := importer.GiveMandate(ctx, api.MandateRequest{Importer: demoImporter, Broker: demoBroker})
	if err != nil {
		return fmt.Errorf("mandate: %w", err)
	}
	d.say("The importer %s mandates him: %s", m.Importer, m.Broker)
	return nil
}

// declare lodges a declaration that claims a part of one item.
func (d *demo) declare(ctx context.Context, tw pair.Side, c eco.Certificate) (clearance.Lodgement, error) {
	broker, err := sideClient(tw, "forwarder")
	if err != nil {
		return clearance.Lodgement{}, err
	}
	item := c.Items[slices.IndexFunc(c.Items, func(item eco.Item) bool { return item.Number == demoItem })]
	declaration, err := json.Marshal(clearance.Declaration{
		Number: demoDeclaration, Lodged: demoDay, Importer: *c.Importer,
		Lines: []clearance.Line{{
			Number: 1, HS: item.HS, Description: item.Description, Origin: item.OriginCountry, Quantity: &demoClaimed,
			Citations: []clearance.Citation{{Reference: respell(c.Reference), Item: item.Number}},
		}},
	})
	if err != nil {
		return clearance.Lodgement{}, fmt.Errorf("declaration: %w", err)
	}
	l, err := broker.Lodge(ctx, declaration)
	if err != nil {
		return clearance.Lodgement{}, fmt.Errorf("declaration: %w", err)
	}
	if l.State == clearance.LodgementLodged {
		d.say("He lodges declaration %s: %s of item %d, %s until %s", l.Number, measure(&demoClaimed), item.Number, l.Claims[0].Standing, instant(l.HeldUntil))
	}
	return l, nil
}

// handOver fetches the parcel of a declaration and confirms it, as the customs system would.
func (d *demo) handOver(ctx context.Context, tw pair.Side, number string) error {
	customs, err := sideClient(tw, "customs")
	if err != nil {
		return err
	}
	page, err := customs.Handovers(ctx, handover.Query{Declaration: number})
	if err == nil && len(page.Handovers) == 0 {
		err = errors.New("none")
	}
	if err != nil {
		return fmt.Errorf("handover of declaration %s: %w", number, err)
	}
	id := page.Handovers[0].ID
	parcel, err := customs.Parcel(ctx, id)
	if err != nil {
		return fmt.Errorf("parcel: %w", err)
	}
	contents, err := handover.Unpack(parcel)
	if err != nil {
		return fmt.Errorf("parcel %s: %w", id, err)
	}
	sum := sha256.Sum256(parcel)
	if _, err := customs.ConfirmHandover(ctx, id, handover.Confirmation{Status: handover.VerdictConfirmed, SHA256: hex.EncodeToString(sum[:])}); err != nil {
		return fmt.Errorf("confirmation: %w", err)
	}
	d.say("The customs system fetches its parcel and confirms it: %s", fileNames(contents.Manifest.Files))
	return nil
}

// decide grants what is claimed.
func (d *demo) decide(ctx context.Context, tw pair.Side, number string) error {
	officer, err := sideClient(tw, "officer")
	if err != nil {
		return err
	}
	l, err := officer.Decide(ctx, number, clearance.Judgement{Rulings: []clearance.Ruling{{Verdict: clearance.VerdictAccept}}})
	if err != nil {
		return fmt.Errorf("decision: %w", err)
	}
	d.say("An officer decides: %s is %s, %s granted", l.Number, l.Claims[0].Standing, measure(l.Claims[0].Granted))
	return nil
}

// outcome waits until KR knows what became of a certificate, and if that is fresh until TW has the receipt.
func (d *demo) outcome(ctx context.Context, kr pair.Side, key exchange.CertificateKey, fresh bool) error {
	issuer, err := sideClient(kr, "issuer")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, demoPatience, fmt.Errorf("the outcome of declaration %s did not come within %s", demoDeclaration, demoPatience))
	defer cancel()
	for {
		found, err := issuer.Lookup(ctx, api.LookupQuery{Reference: key.Reference, Country: key.Country, Form: string(key.Form)})
		if err != nil {
			return fmt.Errorf("look-up at KR: %w", err)
		}
		m := found.Matches[0]
		if item, told := toldOf(m); told {
			if fresh {
				if err := d.receipts.await(ctx, item.Message); err != nil {
					return fmt.Errorf("customs response: %w", err)
				}
			}
			d.say("The issuing body at KR sees %s: %s, %s of item %d used by declaration %s",
				m.Certificate.Reference, m.State, measure(item.Quantity), item.Item, item.Declaration)
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// toldOf is what customs said of the item that the demonstration claims.
func toldOf(m api.Match) (exchange.ItemStanding, bool) {
	if m.Dealings == nil {
		return exchange.ItemStanding{}, false
	}
	at := slices.IndexFunc(m.Dealings.Items, func(s exchange.ItemStanding) bool { return s.Item == demoItem && s.Declaration == demoDeclaration })
	if at < 0 {
		return exchange.ItemStanding{}, false
	}
	return m.Dealings.Items[at], true
}

// fileNames are the names of a parcel's files, without their folders.
func fileNames(files []handover.File) string {
	var all []string
	for _, f := range files {
		all = append(all, path.Base(f.Name))
	}
	return strings.Join(all, ", ")
}
