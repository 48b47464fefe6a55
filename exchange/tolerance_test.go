package exchange_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/partners"
)

func TestAgreementsKnowTheDeviationsThatMessagesCanHave(t *testing.T) {
	var known []string
	for _, o := range ebms.Oddities() {
		known = append(known, string(o))
	}
	agreed := slices.Clone(partners.Deviations())
	slices.Sort(known)
	slices.Sort(agreed)
	if !slices.Equal(known, agreed) {
		t.Errorf("partners knows %q, ebms %q", agreed, known)
	}
}

func TestAgreementSaysWhatIsTolerated(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name ebms.Oddity
		make func(d *draft)
		send func(r *ebms.Request)
	}{
		{ebms.OdditySOAPAction, nil, func(r *ebms.Request) { r.SOAPAction = "ebXML" }},
		{ebms.OddityNoStart, nil, func(r *ebms.Request) {
			start := r.ContentType[strings.Index(r.ContentType, ` start=`):]
			r.ContentType = strings.Replace(r.ContentType, start[:strings.Index(start, ";")+1], "", 1)
		}},
		{ebms.OddityTypeParameterMissing, nil, func(r *ebms.Request) { r.ContentType = strings.Replace(r.ContentType, ` type="text/xml";`, "", 1) }},
		{ebms.OddityStartWithoutBrackets, nil, func(r *ebms.Request) {
			r.ContentType = strings.NewReplacer(`start="<`, `start="`, `>";`, `";`).Replace(r.ContentType)
		}},
		{ebms.OddityNoRole, func(d *draft) { d.header.From.Role = "" }, nil},
		{ebms.OddityMessageIDForm, func(d *draft) { d.header.MessageID = "m1814t0017" }, nil},
	} {
		t.Run(string(test.name), func(t *testing.T) {
			for _, tolerated := range []bool{true, false} {
				w := newWorld(t, setup{tw: func(c *config.Config) {
					if !tolerated {
						c.Agreements[0].Tolerate = slices.DeleteFunc(partners.Deviations(), func(s string) bool { return s == string(test.name) })
					}
				}})
				d := w.certificateDraft(sample(t))
				if test.make != nil {
					test.make(d)
				}
				request := d.request(w)
				if test.send != nil {
					test.send(&request)
				}
				w.TW.receive(w, request)
				in := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Inbound})
				if (in.State == exchange.StateAccepted) != tolerated {
					t.Errorf("tolerated %t: %s %+v", tolerated, in.State, in.Reason)
				}
			}
		})
	}
}
