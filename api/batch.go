package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/lookup"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// DefaultMaxLines is the most lines of POST /lookups unless Options.MaxLines says otherwise.
const DefaultMaxLines = 1000

// BatchLine is one look-up of many. Invoice is the second factor; Country and Form narrow.
type BatchLine struct {
	Reference string       `json:"reference"`
	Invoice   string       `json:"invoice,omitempty"`
	Country   string       `json:"country,omitempty"`
	Form      eco.FormCode `json:"form,omitempty"`
}

// LookupBatch are look-ups to make at once. On is the day of the verdicts; empty is today.
type LookupBatch struct {
	On    string      `json:"on,omitempty"`
	Lines []BatchLine `json:"lines"`
}

// BatchAnswers are the answers to a LookupBatch, in the order of its lines.
type BatchAnswers struct {
	Lines []BatchAnswer `json:"lines"`
}

// BatchAnswer is the answer to one line.
type BatchAnswer struct {
	// Line counts from 1. Reference is as asked.
	Line      int    `json:"line"`
	Reference string `json:"reference"`
	// Certificates bear it, newest first; empty when there is none that the key may see.
	Certificates []Found `json:"certificates"`
	// Fault is why the line was not looked up: bad_parameter or too_many_requests.
	Fault *LineFault `json:"fault,omitempty"`
}

// LineFault is what is wrong with a line.
type LineFault struct {
	Code   Code   `json:"code"`
	Detail string `json:"detail"`
}

// lookUpMany answers POST /lookups, in the media type of the body. A line that cannot be looked up has a fault and spoils no other.
func (s *server) lookUpMany(c echo.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	began := s.Now()
	in, asCSV, err := s.readBatch(c.Request())
	if err != nil {
		return err
	}
	j, err := s.judge(c, in.On)
	if err != nil {
		return err
	}
	var asked []exchange.AuditEntry
	for _, line := range in.Lines {
		asked = append(asked, s.auditEntry(c, "certificate.looked_up", line.Reference, ""))
	}
	if err := s.recordAll(c, asked); err != nil {
		return err
	}
	answers := make([]BatchAnswer, len(in.Lines))
	var entries []exchange.AuditEntry
	var proofs []func(context.Context) error
	b := batch{s, c, j}
	for i, line := range in.Lines {
		answer, why, keep, err := b.line(line)
		if err != nil {
			return err
		}
		answer.Line = i + 1
		answers[i] = answer
		if why != "" {
			entries = append(entries, s.auditEntry(c, eventAnswered, line.Reference, why))
		}
		proofs = append(proofs, keep)
	}
	if err := s.recordAll(c, entries); err != nil {
		return err
	}
	ctx := c.Request().Context()
	for _, keep := range proofs {
		if err := keep(ctx); err != nil {
			return err
		}
	}
	if callOf(c).key.Role.restricted() {
		s.Lookups.Pad(ctx, began, len(in.Lines))
	}
	if asCSV {
		return c.Blob(http.StatusOK, mediaCSV+"; charset=utf-8; header=present", answersCSV(answers))
	}
	return c.JSON(http.StatusOK, BatchAnswers{answers})
}

// batch is one request for many look-ups.
type batch struct {
	s *server
	c echo.Context
	j judge
}

// line looks one line up. why is for the audit log; keep files what was proven.
func (b batch) line(line BatchLine) (a BatchAnswer, why string, keep func(context.Context) error, err error) {
	keep = func(context.Context) error { return nil }
	a = BatchAnswer{Reference: line.Reference, Certificates: []Found{}}
	if eco.NormaliseReference(line.Reference) == "" {
		a.Fault = &LineFault{CodeParameter, "the reference is empty"}
		return a, "", keep, nil
	}
	ctx, s, key := b.c.Request().Context(), b.s, callOf(b.c).key
	restricted := key.Role.restricted()
	var admission lookup.Admission
	if restricted {
		granted, wait := s.Lookups.Admit(key.Name, line.Invoice != "")
		if wait > 0 {
			a.Fault = &LineFault{CodeTooMany, "wait " + seconds(wait) + " seconds"}
			return a, "refused: " + string(CodeTooMany), keep, nil
		}
		admission = granted
	}
	found, err := s.Lookups.Store.Imported(ctx, clearance.ImportedQuery{Reference: line.Reference, Country: strings.ToUpper(line.Country), Form: line.Form})
	if err != nil {
		return a, "", keep, fmt.Errorf("looking up %s: %w", line.Reference, err)
	}
	if restricted {
		var candidates []lookup.Candidate
		for i := range found {
			candidates = append(candidates, lookup.Candidate{Seq: found[i].Seq, Data: &found[i].Data})
		}
		seen, err := s.Lookups.See(ctx, readerOf(b.c), lookup.Question{Reference: line.Reference, Invoice: line.Invoice}, candidates)
		if err != nil {
			return a, "", keep, err
		}
		admission.Failed(len(seen.Shown) == 0)
		found = slices.DeleteFunc(found, func(c clearance.Imported) bool { return !seen.May(c.Seq) })
		why = seen.Why
		keep = func(ctx context.Context) error { return s.Lookups.Keep(ctx, readerOf(b.c), line.Reference, seen) }
	}
	for _, imported := range found {
		a.Certificates = append(a.Certificates, b.j.shownTo(key.Role, imported))
	}
	return a, why, keep, nil
}

// readBatch reads JSON or CSV. CSV has a line of names first, of which reference is needed and invoice, country and form may be there.
func (s *server) readBatch(r *http.Request) (in LookupBatch, asCSV bool, err error) {
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType))
	if asCSV = mediaType == mediaCSV; asCSV {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			return in, asCSV, bodyProblem("", err)
		}
		if in.Lines, err = ReadLines(data); err != nil {
			return in, asCSV, problem(CodeMalformed, err.Error())
		}
	} else if err := readStrict(r, &in); err != nil {
		return in, asCSV, err
	}
	switch {
	case len(in.Lines) == 0:
		return in, asCSV, problem(CodeMalformed, "there is no line to look up")
	case len(in.Lines) > s.MaxLines():
		return in, asCSV, problem(CodeTooLarge, fmt.Sprintf("%d lines; %d are the most", len(in.Lines), s.MaxLines()))
	}
	return in, asCSV, nil
}

// ReadLines reads look-ups from CSV (RFC 4180). The first line names the columns: reference, and any of invoice, country and form.
func ReadLines(data []byte) ([]BatchLine, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
	names, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("want a line of names that has reference: %w", err)
	}
	known := []string{"reference", "invoice", "country", "form"}
	seen := make(map[string]bool)
	for i, name := range names {
		names[i] = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(known, names[i]) || seen[names[i]] {
			return nil, fmt.Errorf("line 1: want names out of %q, each once; found %q", known, name)
		}
		seen[names[i]] = true
	}
	if !seen["reference"] {
		return nil, fmt.Errorf("line 1: no column reference among %q", names)
	}
	var lines []BatchLine
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return nil, err
		}
		var line BatchLine
		for i, name := range names {
			switch value := strings.TrimSpace(fields[i]); name {
			case "reference":
				line.Reference = value
			case "invoice":
				line.Invoice = value
			case "country":
				line.Country = value
			case "form":
				line.Form = eco.FormCode(value)
			}
		}
		lines = append(lines, line)
	}
}

// answersCSV writes one line for each answer. A line of a reference that several certificates bear says so.
func answersCSV(answers []BatchAnswer) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{{"line", "reference", "found", "seq", "country", "form", "state", "usable", "valid", "valid_until", "filing", "why_not", "fault"}}
	for _, a := range answers {
		row := make([]string, len(rows[0]))
		row[0], row[1], row[2] = strconv.Itoa(a.Line), a.Reference, strconv.Itoa(len(a.Certificates))
		if len(a.Certificates) == 1 {
			f := a.Certificates[0]
			until := ""
			if !f.Verdict.Validity.Until.IsZero() {
				until = f.Verdict.Validity.Until.String()
			}
			copy(row[3:], []string{strconv.FormatUint(f.Seq, 10), f.Key.Country, string(f.Key.Form), string(f.Verdict.State), yesOrNo(f.Verdict.Usable),
				yesOrNo(f.Verdict.Validity.Valid), until, string(f.Verdict.Filing.Filing), f.Verdict.WhyNot})
		}
		switch {
		case a.Fault != nil:
			row[12] = string(a.Fault.Code) + ": " + a.Fault.Detail
		case len(a.Certificates) > 1:
			row[12] = string(CodeAmbiguous) + ": country and form tell them apart"
		}
		for i := range row {
			row[i] = harmless(row[i])
		}
		rows = append(rows, row)
	}
	w.WriteAll(rows) // a bytes.Buffer takes everything
	return b.Bytes()
}

func yesOrNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// harmless keeps spreadsheets from taking what others wrote for a formula.
func harmless(field string) string {
	if field != "" && strings.ContainsRune("=+-@\t\r", rune(field[0])) {
		return "'" + field
	}
	return field
}

// LookupMany makes many look-ups at once.
func (c *Client) LookupMany(ctx context.Context, in LookupBatch) (answers BatchAnswers, err error) {
	err = c.post(ctx, base+"/lookups", in, &answers)
	return answers, err
}

// LookupFile makes the look-ups of a CSV file, and gives the answers as CSV.
func (c *Client) LookupFile(ctx context.Context, file []byte) ([]byte, error) {
	body := &requestBody{contentType: mediaCSV, pieces: []exchange.Content{bytes.NewReader(file)}}
	_, answers, err := c.do(ctx, http.MethodPost, base+"/lookups", body)
	return answers, err
}
