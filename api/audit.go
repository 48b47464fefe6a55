package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// auditedText bounds the subject and the detail of an audit entry, in octets: the user chooses what they hold.
const auditedText = 1024

// audit records who did what to what. The record is durable when audit returns nil; after an error the caller must not
// answer with what was asked for.
func (s *server) audit(c echo.Context, event, subject, detail string) error {
	return s.recordAll(c, []exchange.AuditEntry{s.auditEntry(c, event, subject, detail)})
}

// auditEntry tells the log, and is what the audit log is to have.
func (s *server) auditEntry(c echo.Context, event, subject, detail string) exchange.AuditEntry {
	s.tell(c, event, subject, detail)
	k := callOf(c)
	// The correlation id leads from the record to the request in the log.
	detail = strings.TrimSpace(fmt.Sprintf("role %s, correlation_id %s %s", k.key.Role, k.correlation, detail))
	return exchange.AuditEntry{At: s.Now().UTC(), Actor: k.key.Name, Event: event, Subject: shortened(subject), Detail: shortened(detail)}
}

// recordAll is audit for several entries at once, all or none.
func (s *server) recordAll(c echo.Context, entries []exchange.AuditEntry) error {
	if len(entries) == 0 {
		return nil
	}
	if err := s.Audit.Record(c.Request().Context(), entries); err != nil {
		return fmt.Errorf("%w: %s of %s: %w", problem(CodeUnavailable, ""), entries[0].Event, entries[0].Subject, err)
	}
	return nil
}

// auditRefusal records that a certificate was refused and why, and returns what to answer. An error that is not about
// the certificate refuses nothing: the submission may be repeated, and may even have been taken.
func (s *server) auditRefusal(c echo.Context, subject string, cause error) error {
	return s.auditRefused(c, "certificate.refused", subject, cause)
}

// auditRefused does the same under another event.
func (s *server) auditRefused(c echo.Context, event, subject string, cause error) error {
	p := problemOf(cause)
	if p.Status >= http.StatusInternalServerError {
		return cause
	}
	reasons := []string{string(p.Code)}
	for _, f := range p.Errors {
		if f.Severity == eco.SeverityError && !slices.Contains(reasons, f.Code) {
			reasons = append(reasons, f.Code)
		}
	}
	if err := s.audit(c, event, subject, strings.Join(reasons, " ")); err != nil {
		return err
	}
	return cause
}

// tell writes the log line of an event.
func (s *server) tell(c echo.Context, event, subject, detail string) {
	k := callOf(c)
	attributes := []any{"actor", k.key.Name, "role", string(k.key.Role), "event", event, "subject", subject,
		"correlation_id", k.correlation, "remote", c.Request().RemoteAddr}
	if detail != "" {
		attributes = append(attributes, "detail", detail)
	}
	s.Log.LogAttrs(c.Request().Context(), slog.LevelInfo, "audit", slog.Group("audit", attributes...))
}

func shortened(s string) string {
	if len(s) > auditedText {
		return strings.ToValidUTF8(s[:auditedText], "") + "..."
	}
	return s
}
