package ecotest

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
)

// Certificate generates certificates of the form that eco.Validate finds no error in at Now. Their texts hold what is
// hard to carry: markup, line ends of every kind, characters outside the basic plane.
func Certificate(code eco.FormCode) *rapid.Generator[eco.Certificate] {
	return rapid.Custom(func(t *rapid.T) eco.Certificate {
		form, ok := eco.DefaultForms().ByCode(code)
		if !ok {
			t.Fatalf("no form %s", code)
		}
		g := generator{t}
		return g.certificate(form)
	})
}

// Answer generates answers that eco.ValidateAnswer finds no error in, of every kind and about certificates of every form.
func Answer() *rapid.Generator[eco.Answer] {
	return rapid.Custom(func(t *rapid.T) eco.Answer {
		g := generator{t}
		form := rapid.SampledFrom(eco.DefaultForms().All()).Draw(t, "form")
		a := eco.Answer{
			ID: g.word("id"), Note: g.optional(g.box, "note"),
			IssueTime: Now().Add(time.Duration(rapid.Int64Range(-1e18, 1e18).Draw(t, "issued"))),
			Kind:      rapid.SampledFrom([]eco.AnswerKind{eco.AnswerReceived, eco.AnswerAccepted, eco.AnswerRejected}).Draw(t, "kind"),
			Certificate: eco.AnsweredCertificate{
				IssuingCountry: g.country("issuing", form.Issuers...), Form: form.Code,
				Reference: g.word("reference"), IssuingBody: g.word("body"),
			},
			Authority: eco.Authority{Name: g.word("authority"), Country: g.country("importing", form.Importers...)},
		}
		if a.Kind == eco.AnswerRejected {
			for range g.number("reasons", 1, 4) {
				a.Reasons = append(a.Reasons, eco.Reason{Code: g.word("code"), Text: g.optional(g.box, "text")})
			}
		}
		return a
	})
}

// generator draws parts of a certificate from t.
type generator struct{ t *rapid.T }

const (
	tokenRunes = "ABCxyz019 &<>'\"-/.é中\U0001F600"
	boxRunes   = tokenRunes + "\n\r\t"
)

func (g generator) number(label string, low, high int) int {
	return rapid.IntRange(low, high).Draw(g.t, label)
}
func (g generator) maybe() bool { return rapid.Bool().Draw(g.t, "maybe") }

// word is text of one line without white space around it; box is text of several lines with any.
func (g generator) word(label string) string {
	return "A" + rapid.StringOfN(rapid.RuneFrom([]rune(tokenRunes)), 0, 12, -1).Draw(g.t, label) + "Z"
}

func (g generator) box(label string) string {
	return rapid.StringOfN(rapid.RuneFrom([]rune(boxRunes)), 0, 20, -1).Draw(g.t, label) + "Z" +
		rapid.SampledFrom([]string{"", " ", "\r\n", "\t"}).Draw(g.t, "end")
}

func (g generator) optional(draw func(string) string, label string) string {
	if g.maybe() {
		return ""
	}
	return draw(label)
}

func (g generator) country(label string, among ...string) string {
	if len(among) == 0 {
		among = []string{"KR", "TW", "LA", "VN", "SG", "XK"}
	}
	return rapid.SampledFrom(among).Draw(g.t, label)
}

func (g generator) decimal(label string, low, high int) eco.Decimal {
	spelled := rapid.SampledFrom([]string{"%d", "%d.", "%d.50", "+%d.000"}).Draw(g.t, "spelling")
	return eco.Decimal(fmt.Sprintf(spelled, g.number(label, low, high)))
}

func (g generator) party() eco.Party {
	p := eco.Party{Name: g.word("name"), Contact: g.optional(g.word, "contact"), Address: g.address()}
	for range g.number("identifiers", 0, 2) {
		p.Identifiers = append(p.Identifiers, eco.Identifier{Scheme: g.optional(g.word, "scheme"), Value: g.word("value")})
	}
	return p
}

func (g generator) address() eco.Address {
	a := eco.Address{City: g.optional(g.word, "city"), Country: g.country("country"), Lines: []string{g.word("line")}}
	for range g.number("lines", 0, 2) {
		a.Lines = append(a.Lines, g.word("line"))
	}
	return a
}

func (g generator) certificate(form eco.Form) eco.Certificate {
	issued := eco.Date{Year: 2026, Month: time.October, Day: 1}.AddDays(g.number("issued", 0, 50))
	c := eco.Certificate{
		Form: form.Code, Version: g.number("version", 0, 3), UUID: g.optional(g.word, "uuid"),
		IssuedAt: issued, Application: g.optional(g.word, "application"),
		IssueTime: rapid.SampledFrom([]string{"", "14:20:05+09:00", "00:00:00Z"}).Draw(g.t, "time"),
		IssuingBody: eco.IssuingBody{
			ID: rapid.OneOf(rapid.Just("KCCI"), rapid.Custom(func(t *rapid.T) string { return generator{t}.word("body") })).Draw(g.t, "body"), Name: g.word("body name"), Office: g.optional(g.word, "office"), Address: g.address(),
		},
		IssuingCountry: g.country("issuing", form.Issuers...), ExportingCountry: g.country("exporting"),
		ImportingCountry: g.country("importing", form.Importers...), OriginCountry: g.country("origin"),
		Exporter: g.party(), Consignee: g.party(), Remarks: g.optional(g.box, "remarks"),
		Declaration:   eco.Declaration{Name: g.word("declarant"), Place: g.optional(g.word, "place"), Date: issued},
		Certification: eco.Certification{Officer: g.word("officer"), Place: g.optional(g.word, "place"), Remarks: g.optional(g.box, "remarks")},
	}
	c.Reference = g.reference(form, c.IssuingCountry, c.IssuingBody.ID, issued)
	if g.maybe() {
		importer := g.party()
		c.Importer = &importer
	}
	g.transport(&c)
	g.invoices(&c)
	for n := range g.number("items", 1, 4) {
		c.Items = append(c.Items, g.item(form, n+1, c.Invoices))
	}
	for range g.number("documents", 0, 2) {
		c.Documents = append(c.Documents, eco.Document{Type: "830", Number: g.word("document"), Date: issued})
	}
	g.relations(form, &c)
	g.details(&c)
	return c
}

// reference draws a number that a body of the country may give on a day. Where no shape is binding it may be any.
func (g generator) reference(form eco.Form, country, body string, day eco.Date) string {
	rules := form.ReferencesOf(country, body, day)
	binding := slices.ContainsFunc(rules, func(rule eco.ReferenceRule) bool { return !rule.Unconfirmed })
	if len(rules) == 0 || !binding && g.maybe() {
		return g.word("reference")
	}
	return rapid.StringMatching(rapid.SampledFrom(rules).Draw(g.t, "rule").Pattern).Draw(g.t, "reference")
}

func (g generator) transport(c *eco.Certificate) {
	c.Transport = eco.Transport{
		Text: g.optional(g.box, "transport"), Mode: rapid.SampledFrom([]string{"", "1", "4"}).Draw(g.t, "mode"),
		DepartureDate: c.IssuedAt.AddDays(g.number("departure", -40, 5)),
		Vessel:        g.optional(g.word, "vessel"), Journey: g.optional(g.word, "journey"),
		LoadingPort: eco.Location{Code: "KRPUS", Name: g.optional(g.word, "port")}, Transshipment: eco.Location{Name: g.optional(g.word, "port")},
	}
}

func (g generator) invoices(c *eco.Certificate) {
	for n := range g.number("invoices", 1, 3) {
		invoice := eco.Invoice{Number: fmt.Sprint(g.word("invoice"), n), Date: c.IssuedAt.AddDays(-1)}
		if g.maybe() {
			issuer := g.party()
			invoice.Issuer = &issuer
		}
		c.Invoices = append(c.Invoices, invoice)
	}
}

func (g generator) item(form eco.Form, number int, invoices []eco.Invoice) eco.Item {
	item := eco.Item{
		Number: number, Description: g.box("goods"), Marks: g.optional(g.box, "marks"), Packages: int64(g.number("packages", 0, 9)),
		PackageCode: rapid.SampledFrom([]string{"", "CT", "4H"}).Draw(g.t, "package"), PackageText: g.optional(g.box, "packages"),
		HS: "090111", HSEdition: "2022", OriginCountry: g.country("origin"), CriterionText: g.optional(g.box, "criterion"),
		GrossWeight: &eco.Measure{Value: g.decimal("weight", 1, 99999), Unit: "KGM"},
		Invoices:    []string{invoices[0].Number},
	}
	if g.maybe() {
		item.NationalCode, item.NationalList = "09011110", g.optional(g.word, "list")
		item.Quantity = &eco.Measure{Value: g.decimal("quantity", 1, 999), Unit: "C62"}
	}
	if g.maybe() {
		producer := g.party()
		item.Producer = &producer
	}
	g.criteria(form, &item)
	return item
}

// criteria states a criterion for each line of the criterion box, from the first, and the value that they call for.
func (g generator) criteria(form eco.Form, item *eco.Item) {
	for line := 1; line <= 3 && len(form.Criteria) > 0; line++ {
		fit := unstated(form, item, line)
		if len(fit) == 0 || line > 1 && g.maybe() {
			break
		}
		rule := fit[g.number("criterion", 0, len(fit)-1)]
		criterion := eco.Criterion{Code: rule.Code}
		if rule.Percent == eco.PercentRequired || rule.TakesPercent() && g.maybe() {
			criterion.Percent = g.decimal("percent", 20, 38)
		}
		item.Criteria = append(item.Criteria, criterion)
		if slices.Contains(form.FOBWith, rule.Code) {
			item.FOB = &eco.Amount{Value: g.decimal("fob", 1, 99999), Currency: "USD"}
		}
	}
	if g.maybe() {
		item.CriterionText = eco.CriteriaText(item.Criteria)
	}
}

// unstated are the criteria that may stand on a line and that the item does not state yet.
func unstated(form eco.Form, item *eco.Item, line int) []eco.CriterionRule {
	return slices.DeleteFunc(slices.Clone(form.Criteria), func(rule eco.CriterionRule) bool {
		stated := slices.ContainsFunc(item.Criteria, func(c eco.Criterion) bool { return c.Code == rule.Code })
		return stated || len(rule.Lines) > 0 && !slices.Contains(rule.Lines, line)
	})
}

// relations answers the form's indicators and names what they call for.
func (g generator) relations(form eco.Form, c *eco.Certificate) {
	related := func(relation eco.Relation) {
		c.Related = append(c.Related, eco.RelatedCertificate{
			Relation: relation, Reference: g.word("related"), Date: c.IssuedAt, Country: g.country("country"), Body: g.optional(g.word, "body"),
		})
	}
	c.Status = rapid.SampledFrom([]eco.DocumentStatus{"", eco.StatusOriginal, eco.StatusReplacement, eco.StatusTrueCopy}).Draw(g.t, "status")
	switch c.Status {
	case eco.StatusReplacement:
		related(eco.RelationReplaces)
	case eco.StatusTrueCopy:
		related(eco.RelationTrueCopyOf)
	}
	for _, flag := range form.Flags {
		if c.Flags == nil {
			c.Flags = map[eco.Flag]bool{}
		}
		answer := g.maybe()
		switch flag {
		case eco.FlagThirdCountryInvoicing:
			answer = slices.ContainsFunc(c.Invoices, func(i eco.Invoice) bool { return i.Issuer != nil })
		case eco.FlagIssuedRetroactively:
			day, _ := form.Retroactive.Base.Day(c.Transport)
			answer = c.IssuedAt.After(form.Retroactive.LastDay(day))
		case eco.FlagCertifiedTrueCopy:
			answer = c.Status == eco.StatusTrueCopy
		case eco.FlagBackToBack:
			if answer {
				related(eco.RelationBackToBack)
			}
		case eco.FlagExhibition:
			if answer {
				c.Exhibition = &eco.Exhibition{Name: g.word("exhibition"), Address: g.optional(g.box, "address"), Country: g.country("country")}
			}
		}
		c.Flags[flag] = answer
	}
}
