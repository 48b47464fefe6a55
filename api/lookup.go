package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/lookup"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
)

// searchRoutes are the paths of what is asked about received certificates beside the look-up by reference.
func (s *server) searchRoutes() []route {
	absent := s.Lookups == nil
	importing := []Role{RoleBroker, RoleImporter, RoleOfficer, RoleOperator, RoleCustoms}
	return []route{
		{
			method: http.MethodGet, path: base + "/certificates", roles: importing, handle: s.search, absent: absent,
			operation: operation{
				id: "searchCertificates", tag: tagCertificates, summary: "The received certificates that match everything that is asked for", parameters: searchParameters(),
				answers: []answer{answersJSON[FoundPage](http.StatusOK, "A page, newest first.")}, problems: []Code{CodeTooMany},
			},
		},
		{
			method: http.MethodPost, path: base + "/lookups", roles: importing, handle: s.lookUpMany, absent: absent,
			operation: operation{
				id: "lookUpMany", tag: tagCertificates, summary: "Many look-ups at once",
				takes: append(takesJSON[LookupBatch](), body{media: mediaCSV}),
				answers: []answer{
					answersJSON[BatchAnswers](http.StatusOK, "An answer to each line, in their order, in the media type of the request."),
					{status: http.StatusOK, media: mediaCSV},
				},
			},
		},
		{
			method: http.MethodPost, path: base + "/not-received", roles: []Role{RoleBroker, RoleImporter, RoleOfficer, RoleCustoms}, handle: s.notReceived, absent: absent,
			operation: operation{
				id: "stateNotReceived", tag: tagCertificates, summary: "The signed statement that a certificate had not been received", takes: takesJSON[NotReceivedRequest](),
				answers:  []answer{{status: http.StatusOK, about: "The statement: CMS SignedData in DER.", media: lookup.StatementMediaType}},
				problems: []Code{CodeArrived, CodeNotYours, CodeInvalidRequest, CodeNoKey, CodeTooMany},
			},
		},
	}
}

// restricted reports whether a role sees those received certificates only that lookup.Desk.See shows.
func (r Role) restricted() bool { return r == RoleBroker || r == RoleImporter }

// reader is who looks up.
func readerOf(c echo.Context) lookup.Reader {
	key := callOf(c).key
	return lookup.Reader{Name: key.Name, Parties: key.Parties}
}

// admit lets a restricted reader make a look-up, or says how long he has to wait.
func (s *server) admit(c echo.Context, factor bool) (lookup.Admission, error) {
	if s.Lookups == nil {
		return lookup.Admission{}, nil
	}
	admission, wait := s.Lookups.Admit(callOf(c).key.Name, factor)
	if wait == 0 {
		return admission, nil
	}
	return admission, s.tooMany(c, wait)
}

// tooMany is the refusal of a reader who asks too much.
func (s *server) tooMany(c echo.Context, wait time.Duration) error {
	if s.Lookups.Tell(callOf(c).key.Name) {
		if err := s.audit(c, "lookup.refused", c.Request().Method+" "+c.Path(), string(CodeTooMany)); err != nil {
			return err
		}
	}
	c.Response().Header().Set(echo.HeaderRetryAfter, seconds(wait))
	return problem(CodeTooMany, "")
}

func seconds(d time.Duration) string { return strconv.Itoa(max(int(math.Ceil(d.Seconds())), 1)) }

// eventAnswered tells what became of a restricted reader's look-up: by what right something was shown, or why not. That it was made is in the log before.
const eventAnswered = "lookup.answered"

// shown gives the certificates of a query that a restricted reader may see, one at least. Whatever of the rest is the case, the answer is one that says nothing
// of it: after the same reads of the store and the same number of audit entries, and not before the floor.
func (s *server) shown(c echo.Context, q exchange.CertificateQuery, asked lookup.Question, event, subject, absent string) ([]exchange.Certificate, error) {
	began := s.Now()
	admission, err := s.admit(c, asked.Invoice != "")
	if err != nil {
		return nil, err
	}
	if err := s.audit(c, event, subject, ""); err != nil {
		return nil, err
	}
	if s.Lookups == nil {
		return nil, problem(CodeNotFound, absent)
	}
	ctx := c.Request().Context()
	found, err := s.Store.Certificates(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("looking up %s: %w", subject, err)
	}
	var candidates []lookup.Candidate
	for i := range found {
		candidates = append(candidates, lookup.Candidate{Seq: found[i].Seq, Data: &found[i].Data})
	}
	seen, err := s.Lookups.See(ctx, readerOf(c), asked, candidates)
	if err != nil {
		return nil, err
	}
	admission.Failed(len(seen.Shown) == 0)
	if err := s.audit(c, eventAnswered, subject, seen.Why); err != nil {
		return nil, err
	}
	if len(seen.Shown) == 0 {
		s.Lookups.Pad(ctx, began, 1)
		return nil, problem(CodeNotFound, absent)
	}
	if err := s.Lookups.Keep(ctx, readerOf(c), asked.Reference, seen); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(c exchange.Certificate) bool { return !seen.May(c.Seq) }), nil
}

// unknown is the answer to somebody who sees every received certificate: the reference is not here, and what partners say of it.
func (s *server) unknown(c echo.Context, reference string, err error) error {
	role := callOf(c).key.Role
	if p := (*Problem)(nil); s.Lookups == nil || role != RoleOfficer && role != RoleCustoms || !errors.As(err, &p) || p.Code != CodeNotFound {
		return err
	}
	asked, failed := s.Lookups.AskFor(c.Request().Context(), callOf(c).key.Name, reference, strings.ToUpper(c.QueryParam("country")), eco.FormCode(c.QueryParam("form")))
	if failed != nil {
		return fmt.Errorf("asking for %s: %w", reference, failed)
	}
	p := problem(CodeNotFound, "no certificate with this reference")
	p.Asked = asked
	return p
}

// importedOf is a record as clearance sees it.
func importedOf(c exchange.Certificate) clearance.Imported {
	key := func(k *exchange.CertificateKey) *clearance.Key {
		if k == nil {
			return nil
		}
		converted := clearance.Key(*k)
		return &converted
	}
	return clearance.Imported{
		Seq: c.Seq, Revision: c.Revision, Key: clearance.Key(c.Key), State: eco.State(c.State), Life: c.Life(), Partner: c.Partner, Message: c.Message,
		Mode: c.Mode, Recorded: c.Recorded, Content: c.Content, Document: clearance.Document{SHA256: c.Document.Digest, Size: c.Document.Size},
		Signer: c.DocumentSigner, Data: c.Data, Findings: c.Findings, Successor: key(c.Dealings.Successor), Predecessor: key(c.Dealings.Predecessor),
	}
}

// judge makes verdicts of one request: on a day, with what interrupts the exchange with partners now.
type judge struct {
	day         eco.Date
	forms       eco.Forms
	interrupted map[string]bool
}

// judge reads the parameter "on", a day; today in UTC without.
func (s *server) judge(c echo.Context, on string) (judge, error) {
	j := judge{day: eco.DateOf(s.Now().UTC()), forms: s.Forms(), interrupted: make(map[string]bool)}
	if on != "" {
		day, err := eco.ParseDate(on)
		if err != nil {
			return judge{}, problem(CodeParameter, fmt.Sprintf("on %q is not a day such as 2026-11-20", on))
		}
		j.day = day
	}
	list, err := s.Operator.Partners(c.Request().Context())
	if err != nil {
		return judge{}, fmt.Errorf("how partners can be reached: %w", err)
	}
	for _, p := range list {
		j.interrupted[p.ID] = p.Pause != nil || p.Suspended.After(s.Now())
	}
	return j, nil
}

func (j judge) verdict(c clearance.Imported) lookup.Verdict {
	form, _ := j.forms.ByCode(c.Data.Form)
	return lookup.Judge(c, form, lookup.FilingOf(cmp.Or(c.Mode, partners.ModeLive), j.interrupted[c.Partner]), j.day)
}

// Downloads are where what belongs to a certificate is, as paths on this API.
type Downloads struct {
	// Document is the signed original, PDF its rendition, Verification the verification report.
	Document     string `json:"document"`
	PDF          string `json:"pdf"`
	Verification string `json:"verification"`
}

func downloadsOf(seq uint64, key clearance.Key) *Downloads {
	narrowed := "?" + "country=" + key.Country + "&form=" + string(key.Form) + "&seq=" + strconv.FormatUint(seq, 10)
	path := certificatePath(key.Reference)
	return &Downloads{Document: documentPath(seq), PDF: path + suffixPDF + narrowed, Verification: path + suffixVerification + narrowed}
}

// FoundPage is a page of what a search found, newest first.
type FoundPage struct {
	Certificates []Found `json:"certificates"`
	// Next is the value of "before" that gives the next page; 0 when there is none.
	Next uint64 `json:"next,omitempty"`
}

// Found is a received certificate in a search's answer.
type Found struct {
	Seq       uint64        `json:"seq"`
	Key       clearance.Key `json:"key"`
	Reference string        `json:"reference"` // as printed
	Partner   string        `json:"partner"`
	IssueDate eco.Date      `json:"issue_date,omitzero"`
	Exporter  string        `json:"exporter,omitempty"`
	Importer  string        `json:"importer,omitempty"`
	Invoices  []string      `json:"invoices,omitempty"`
	Transport []string      `json:"transport_documents,omitempty"`
	// Verdict is as in a Match.
	Verdict   lookup.Verdict `json:"verdict"`
	Downloads *Downloads     `json:"downloads,omitempty"`
}

// shownTo is a certificate as a role may see it; see withheld.
func (j judge) shownTo(role Role, c clearance.Imported) Found {
	f := j.found(c)
	if !role.restricted() || c.State != eco.StateInConflict {
		return f
	}
	return Found{
		Seq: f.Seq, Key: f.Key, Partner: f.Partner,
		Verdict: lookup.Verdict{Arrived: true, At: f.Verdict.At, State: f.Verdict.State, WhyNot: f.Verdict.WhyNot, Validity: lookup.Validity{On: j.day}, Filing: f.Verdict.Filing, Chain: f.Verdict.Chain},
	}
}

func (j judge) found(c clearance.Imported) Found {
	importer := c.Data.Consignee.Name
	if c.Data.Importer != nil {
		importer = c.Data.Importer.Name
	}
	f := Found{
		Seq: c.Seq, Key: c.Key, Reference: c.Data.Reference, Partner: c.Partner, IssueDate: c.Data.IssuedAt, Exporter: c.Data.Exporter.Name, Importer: importer,
		Transport: clearance.TransportDocuments(c.Data), Verdict: j.verdict(c), Downloads: downloadsOf(c.Seq, c.Key),
	}
	for _, invoice := range c.Data.Invoices {
		f.Invoices = append(f.Invoices, invoice.Number)
	}
	return f
}

// searchParameters are those of GET /certificates.
func searchParameters() []parameter {
	return []parameter{
		query[string]("reference", "Reference in any spelling."),
		query[string]("invoice", "Number of an invoice."),
		query[string]("exporter", "Exporter, as SCHEME:VALUE or NAME:..."),
		query[string]("importer", "Importer, consignee or party to notify, as SCHEME:VALUE or NAME:..."),
		query[string]("transport_document", "Number of a bill of lading or waybill."),
		query[eco.Date]("issued_from", "First day of issue."),
		query[eco.Date]("issued_until", "Last day of issue."),
		query[string]("received_from", "Instant, or day, before which it was not received."),
		query[string]("received_until", "Instant, or day, before which it was received."),
		query[eco.FormCode]("form", "Code of the form."),
		query[string]("country", "Issuing country, two letters in any case."),
		query[string]("partner", "Id of the partner that sent it."),
		query[eco.State]("state", "Where it stands."),
		query[eco.Date]("on", "Day of the verdicts; today in UTC without it."),
		queryNumber("before", "Only records with a smaller number.", 1, 0),
		queryNumber("limit", "The most on the page.", 1, maxPage),
	}
}

// namesOf are the names of parameters.
func namesOf(list []parameter) []string {
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.name
	}
	return names
}

// search answers GET /certificates. A restricted reader finds what is for his own parties and those that have mandated him.
func (s *server) search(c echo.Context) error {
	began := s.Now()
	if err := onlyParameters(c, namesOf(searchParameters())...); err != nil {
		return err
	}
	q, err := searchQuery(c)
	if err != nil {
		return err
	}
	j, err := s.judge(c, c.QueryParam("on"))
	if err != nil {
		return err
	}
	restricted := callOf(c).key.Role.restricted()
	if restricted {
		if _, err := s.admit(c, false); err != nil {
			return err
		}
	}
	if err := s.audit(c, "certificates.searched", c.QueryParams().Encode(), ""); err != nil {
		return err
	}
	ctx := c.Request().Context()
	if restricted {
		own, err := s.Lookups.Own(ctx, readerOf(c))
		if err != nil {
			return err
		}
		if len(q.Importers) > 0 {
			own = slices.DeleteFunc(own, func(name eco.PartyName) bool { return !slices.Contains(q.Importers, name) })
		}
		if q.Importers = own; len(own) == 0 { // a query without importers would find everybody's
			s.unhurried(c, began, 1)
			return c.JSON(http.StatusOK, FoundPage{Certificates: []Found{}})
		}
	}
	return s.searched(ctx, c, q, j, began)
}

// unhurried waits for the floor of n look-ups since an instant if the reader is restricted: how long an answer takes must not tell that what he may
// not see is here.
func (s *server) unhurried(c echo.Context, began time.Time, n int) {
	if s.Lookups != nil && callOf(c).key.Role.restricted() {
		s.Lookups.Pad(c.Request().Context(), began, n)
	}
}

func (s *server) searched(ctx context.Context, c echo.Context, q clearance.ImportedQuery, j judge, began time.Time) error {
	limit := q.Limit
	q.Limit++ // one more tells whether there is a next page
	list, err := s.Lookups.Store.Imported(ctx, q)
	if err != nil {
		return fmt.Errorf("searching: %w", err)
	}
	page := FoundPage{Certificates: []Found{}}
	if len(list) > limit {
		list = list[:limit]
		page.Next = list[limit-1].Seq
	}
	for _, imported := range list {
		page.Certificates = append(page.Certificates, j.shownTo(callOf(c).key.Role, imported))
	}
	s.unhurried(c, began, 1)
	return c.JSON(http.StatusOK, page)
}

// searchQuery reads what is searched for.
func searchQuery(c echo.Context) (q clearance.ImportedQuery, err error) {
	q = clearance.ImportedQuery{
		Reference: c.QueryParam("reference"), Invoice: c.QueryParam("invoice"), Transport: c.QueryParam("transport_document"),
		Country: strings.ToUpper(c.QueryParam("country")), Form: eco.FormCode(c.QueryParam("form")), Partner: c.QueryParam("partner"),
	}
	if q.State, err = oneOf(c, "state", eco.States(eco.SideImporting)...); err != nil {
		return q, err
	}
	var importer eco.PartyName
	for _, party := range []struct {
		name string
		into *eco.PartyName
	}{{"exporter", &q.Exporter}, {"importer", &importer}} {
		if text := c.QueryParam(party.name); text != "" {
			if *party.into, err = eco.ParsePartyName(text); err != nil {
				return q, problem(CodeParameter, party.name+": "+err.Error())
			}
		}
	}
	if importer != "" {
		q.Importers = []eco.PartyName{importer}
	}
	for _, day := range []struct {
		name string
		into *eco.Date
	}{{"issued_from", &q.IssuedFrom}, {"issued_until", &q.IssuedUntil}} {
		if text := c.QueryParam(day.name); text != "" {
			if *day.into, err = eco.ParseDate(text); err != nil {
				return q, problem(CodeParameter, fmt.Sprintf("%s %q is not a day such as 2026-11-20", day.name, text))
			}
		}
	}
	for _, instant := range []struct {
		name string
		into *time.Time
	}{{"received_from", &q.ReceivedFrom}, {"received_until", &q.ReceivedUntil}} {
		if *instant.into, err = instantOrDay(c, instant.name); err != nil {
			return q, err
		}
	}
	if q.Before, err = number(c, "before", 0, math.MaxUint64); err != nil {
		return q, err
	}
	limit, err := number(c, "limit", defaultPage, maxPage)
	q.Limit = int(limit)
	return q, err
}

// instantOrDay reads an optional parameter that is an instant, or a day, which means its beginning in UTC.
func instantOrDay(c echo.Context, name string) (time.Time, error) {
	text := c.QueryParam(name)
	if text == "" {
		return time.Time{}, nil
	}
	if day, err := eco.ParseDate(text); err == nil {
		return day.Time(), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, problem(CodeParameter, fmt.Sprintf("%s %q is neither a day such as 2026-11-20 nor an instant such as 2026-11-20T08:30:00Z", name, text))
	}
	return at, nil
}
