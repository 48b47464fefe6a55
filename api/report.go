package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/lookup"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// suffixVerification after a certificate's path asks for its verification report. The last slash is a plain one.
const suffixVerification = "/verification"

// verification answers GET /certificates/{reference}/verification with the report of the one certificate that the query leaves, as JSON, or as text
// with ?as=text.
func (s *server) verification(c echo.Context) error {
	record, err := s.onlyOne(c, suffixVerification, "certificate.verification_read")
	if err != nil {
		return err
	}
	as, err := oneOf(c, "as", "json", "text")
	if err != nil {
		return err
	}
	if record.Direction != exchange.Inbound {
		return problem(CodeNotFound, "the certificate was not received")
	}
	imported := importedOf(record)
	evidence, err := s.evidence(c.Request().Context(), imported)
	if err != nil {
		return err
	}
	report := lookup.ReportOf(imported, evidence, s.Now())
	if as == "text" {
		return c.Blob(http.StatusOK, echo.MIMETextPlainCharsetUTF8, []byte(report.Text()))
	}
	return c.JSON(http.StatusOK, report)
}

// evidence is what was recorded of a certificate's receipt, and whether its octets are what was received.
func (s *server) evidence(ctx context.Context, c clearance.Imported) (lookup.Evidence, error) {
	messages, err := s.Store.Messages(ctx, exchange.MessageQuery{MessageID: c.Message, Partner: c.Partner, Direction: exchange.Inbound, State: exchange.StateAccepted, Limit: 1})
	if err != nil {
		return lookup.Evidence{}, fmt.Errorf("finding message %q: %w", c.Message, err)
	}
	var e lookup.Evidence
	if len(messages) > 0 {
		e.MessageSigner, e.CPAID = messages[0].Signer, messages[0].CPAID
	}
	if s.CredentialOf != nil {
		e.Credential = func(sha256 string) lookup.Credential { return s.CredentialOf(c.Partner, sha256) }
	}
	if s.Lookups != nil {
		if _, err := s.Lookups.Store.Document(ctx, c.Seq); err == nil { // retention may have dropped it
			e.OctetsRead = s.Now()
		}
	}
	return e, nil
}

// onlyOne is the certificate that a path below it and the query leave, for readers who may have its content.
func (s *server) onlyOne(c echo.Context, suffix, event string) (exchange.Certificate, error) {
	path, err := param(c, "*")
	if err != nil {
		return exchange.Certificate{}, err
	}
	var seq uint64
	if text := c.QueryParam("seq"); text != "" {
		if seq, err = strconv.ParseUint(text, 10, 64); err != nil || seq == 0 {
			return exchange.Certificate{}, problem(CodeParameter, fmt.Sprintf("seq %q is not the number of a record", text))
		}
	}
	found, err := s.find(c, strings.TrimSuffix(path, suffix), event)
	if err != nil {
		return exchange.Certificate{}, err
	}
	record, err := only(found, seq)
	if err == nil && withheld(record, callOf(c).key.Role) {
		err = problem(CodeInConflict, "")
	}
	return record, err
}

// Verification fetches the verification report of a certificate.
func (c *Client) Verification(ctx context.Context, q LookupQuery) (r lookup.Report, err error) {
	err = c.call(ctx, http.MethodGet, withQuery(certificatePath(q.Reference)+suffixVerification, q.values()), nil, &r)
	return r, err
}

// SearchQuery selects received certificates; zero fields do not restrict. What is spelled is compared as references and parties are.
type SearchQuery struct {
	Reference, Invoice, Exporter, Importer, TransportDocument string
	// IssuedFrom and the other three are days, or instants for the receipt, as text.
	IssuedFrom, IssuedUntil, ReceivedFrom, ReceivedUntil string
	Form, Country, Partner                               string
	State                                                eco.State
	// On is the day of the verdicts; empty is today.
	On     string
	Before uint64
	Limit  int
}

func (q SearchQuery) values() url.Values {
	v := make(url.Values)
	for _, p := range []struct{ name, value string }{
		{"reference", q.Reference}, {"invoice", q.Invoice}, {"exporter", q.Exporter}, {"importer", q.Importer}, {"transport_document", q.TransportDocument},
		{"issued_from", q.IssuedFrom}, {"issued_until", q.IssuedUntil}, {"received_from", q.ReceivedFrom}, {"received_until", q.ReceivedUntil},
		{"form", q.Form}, {"country", q.Country}, {"partner", q.Partner}, {"state", string(q.State)}, {"on", q.On},
	} {
		set(v, p.name, p.value)
	}
	if q.Before != 0 {
		v.Set("before", strconv.FormatUint(q.Before, 10))
	}
	if q.Limit != 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	return v
}

// Search finds received certificates that the key may see.
func (c *Client) Search(ctx context.Context, q SearchQuery) (p FoundPage, err error) {
	err = c.call(ctx, http.MethodGet, withQuery(base+"/certificates", q.values()), nil, &p)
	return p, err
}
