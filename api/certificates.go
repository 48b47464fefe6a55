package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/clearance/lookup"
	"github.com/ecogate/ecogate/docs/schema"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/intake"
	"github.com/ecogate/ecogate/paper"
	"github.com/ecogate/ecogate/partners"
)

// Submission is the answer to a submitted certificate.
type Submission struct {
	// MessageID and Seq identify the message that carries the certificate; State is where it stands.
	MessageID string         `json:"message_id"`
	Seq       uint64         `json:"seq"`
	State     exchange.State `json:"state"`
	// Partner is whom the message goes to.
	Partner string `json:"partner"`
	// Reference is as submitted, Key as compared.
	Reference string                  `json:"reference"`
	Key       exchange.CertificateKey `json:"key"`
	// Fresh is false when the same certificate was submitted before; the message is that one.
	Fresh bool `json:"fresh"`
	// Findings are remarks of the form's rules that did not stop it.
	Findings []eco.Finding `json:"findings,omitempty"`
}

// Lookup is the answer to a look-up by reference.
type Lookup struct {
	Reference string `json:"reference"`
	// Checked is the instant of the answer.
	Checked time.Time `json:"checked"`
	// Matches are newest first. References are unique within an issuing country and form, so there may be several.
	Matches []Match `json:"matches"`
}

// Match is one certificate that bears a reference.
type Match struct {
	Seq       uint64                    `json:"seq"`
	Direction exchange.Direction        `json:"direction"`
	Key       exchange.CertificateKey   `json:"key"`
	State     exchange.CertificateState `json:"state"`
	// Usable says whether a declaration may cite it, as Verdict.Usable does; false where there is no verdict.
	Usable bool `json:"usable"`
	// Mode is what certificates of the partner were worth when it was recorded. PaperDecides: it is usable and in partners.ModeParallel,
	// so that the paper beside it decides.
	Mode         partners.Mode `json:"mode"`
	PaperDecides bool          `json:"paper_decides,omitempty"`
	// Partner sent it or receives it; MessageID carried it.
	Partner   string `json:"partner"`
	MessageID string `json:"message_id"`
	// Recorded is the instant of receipt or submission.
	Recorded time.Time `json:"recorded"`
	// IssuedOnPaper: it was issued on paper while its issuer's system was down, and handed in later. Goods may have been declared under
	// the paper's number meanwhile.
	IssuedOnPaper *eco.PaperIssue `json:"issued_on_paper,omitempty"`
	// Certificate and Document are absent where the reader may not rely on them: for brokers, when it is in conflict.
	Certificate *eco.Certificate `json:"certificate,omitempty"`
	Document    *Document        `json:"document,omitempty"`
	Findings    []eco.Finding    `json:"findings,omitempty"`
	// Dealings are what business messages said of it.
	Dealings *Dealings `json:"dealings,omitempty"`
	// Deadlines are what either side still has to do about it, the earliest first.
	Deadlines []Deadline `json:"deadlines,omitempty"`
	// Verdict is what a received certificate is worth on the day that was asked about, Downloads where what belongs to it is.
	Verdict   *lookup.Verdict `json:"verdict,omitempty"`
	Downloads *Downloads      `json:"downloads,omitempty"`
}

// Deadline is a thing to do, and whether its last day was over at the instant of the answer.
type Deadline struct {
	eco.Deadline
	Overdue bool `json:"overdue"`
}

// deadlines are those of a certificate as of now.
func deadlines(c exchange.Certificate, forms eco.Forms, now time.Time) (list []Deadline) {
	form, _ := forms.ByCode(c.Data.Form) // Without a form there are none but those that messages state.
	for _, d := range c.Deadlines(form) {
		list = append(list, Deadline{d, d.Overdue(now)})
	}
	return list
}

// Dealings are what business messages said of a certificate.
type Dealings struct {
	// Items are what customs said last of each item.
	Items []exchange.ItemStanding `json:"items,omitempty"`
	// Verifications are those that were asked for, oldest first.
	Verifications []exchange.Verification `json:"verifications,omitempty"`
	// Withdrawn is the MessageId that cancelled or replaced it.
	Withdrawn string `json:"withdrawn_by,omitempty"`
	// Successor replaced it; Predecessor is what it replaced.
	Successor   *exchange.CertificateKey `json:"successor,omitempty"`
	Predecessor *exchange.CertificateKey `json:"predecessor,omitempty"`
}

// dealings are those of a certificate, nil if nothing was said. A withdrawal that the partner refused is none.
func dealings(c exchange.Certificate) *Dealings {
	d := c.Dealings
	if c.State != exchange.CertificateCancelled && c.State != exchange.CertificateReplaced {
		d.Withdrawn, d.Successor = "", nil
	}
	if d.Items == nil && d.Verifications == nil && d.Withdrawn == "" && d.Predecessor == nil {
		return nil
	}
	return &Dealings{Items: d.Items, Verifications: d.Verifications, Withdrawn: d.Withdrawn, Successor: d.Successor, Predecessor: d.Predecessor}
}

// Document says where the signed UBL document is and how to know it.
type Document struct {
	Href   string `json:"href"` // path on this API
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	// Signer is the SHA-256 fingerprint of the credential that signed it.
	Signer string `json:"signer,omitempty"`
	// SignerRevoked says that this credential is known to be revoked, before the document was received or after.
	SignerRevoked *exchange.SignerRevoked `json:"signer_revoked,omitempty"`
}

// certificateRoutes are the paths of certificates: submitting, finding and reading them.
func (s *server) certificateRoutes() []route {
	seen := []parameter{
		query[exchange.Direction]("direction", "Imported or exported ones; all that the role sees without it."),
		query[string]("country", "Issuing country, two letters in any case."),
		query[eco.FormCode]("form", "Code of the form."),
	}
	finders := Roles()
	lookedUp := append(slices.Clone(seen), query[string]("invoice", "A second factor for brokers and importers: the number of an invoice that the certificate names."),
		query[eco.Date]("on", "Day of the verdicts; today in UTC without it."))
	byReference := append([]parameter{pathText("reference", "The certificate's number in any spelling; it may hold slashes.")}, lookedUp...)
	return []route{
		{
			method: http.MethodPost, path: base + "/certificates", roles: []Role{RoleIssuer}, handle: s.submit,
			operation: operation{
				id: "submitCertificate", tag: tagCertificates, summary: "Submits an issued certificate, or with the parameter partner a file of certificates",
				parameters: []parameter{
					query[string](paramPartner, "Id of the partner; the body is a file then."),
					query[intake.Format](paramFormat, "What a file is; otherwise its media type says it."),
					query[string](paramBackfill, "Why the certificate was issued on paper, of one that is handed in after an outage."),
					query[string](paramPaperNumber, "With it: the paper's number, if it is not the certificate's. Not with several certificates."),
				},
				takes: []body{
					{media: echo.MIMEApplicationJSON, of: reflect.TypeFor[submissionRequest]()},
					{media: echo.MIMEApplicationJSON, of: reflect.TypeFor[eco.Certificate]()},
					{media: echo.MIMEApplicationJSON, of: reflect.TypeFor[foreignCertificate]()},
					{media: echo.MIMEMultipartForm, parts: []formPart{
						{name: fieldSubmission, of: reflect.TypeFor[submissionRequest]()}, {name: fieldAttachment, list: true},
					}},
					{media: mediaXLSX}, {media: mediaCSV},
				},
				answers: []answer{
					answersJSON[Submission](http.StatusCreated, "Taken; it is durable.", echo.HeaderLocation),
					answersJSON[TakenFile](http.StatusCreated, ""),
					answersJSON[Submission](http.StatusOK, "The same was submitted before.", echo.HeaderLocation),
					answersJSON[TakenFile](http.StatusOK, ""),
				},
				problems: []Code{
					CodeUnknownPartner, CodeInvalid, CodeFaultyFile, CodeNoAgreement, CodeNotInForce, CodeNotAuthorised, CodeNoTimeStamp, CodeConflict, CodeIllegalMove,
					CodeOverAgreement, CodeNotAgreed, CodeNotFound, CodeAmbiguous, CodeUnderway, CodeFull,
				},
			},
		},
		{
			method: http.MethodGet, path: base + "/certificate-schema", roles: Roles(), handle: s.schema,
			operation: operation{
				id: "certificateSchema", tag: tagCertificates, summary: "The JSON Schema of a certificate, draft 2020-12",
				answers: []answer{{status: http.StatusOK, about: "The schema.", media: schema.MediaType, of: reflect.TypeFor[json.RawMessage]()}},
			},
		},
		{
			method: http.MethodGet, path: base + "/certificates/{reference}", roles: finders, handle: s.lookup,
			operation: operation{
				id: "lookUpCertificates", tag: tagCertificates, summary: "The certificates that bear a reference, of those that the role sees",
				lax: true, parameters: byReference, answers: []answer{answersJSON[Lookup](http.StatusOK, "At least one.")}, problems: []Code{CodeNotFound, CodeTooMany},
			},
		},
		{
			method: http.MethodGet, path: base + "/certificates/{reference}" + suffixPDF, roles: finders, handle: s.rendition,
			operation: operation{
				id: "printCertificate", tag: tagCertificates, summary: "A certificate on its form as PDF", lax: true,
				parameters: slices.Concat(byReference, []parameter{queryNumber("seq", "Number of the record.", 1, 0)}, downloadHeaders()),
				answers:    downloads(paper.MediaType, "The rendition.", HeaderFindings),
				problems:   []Code{CodeNotFound, CodeAmbiguous, CodeInConflict, CodeTooLong, CodeTooMany},
			},
		},
		{
			method: http.MethodGet, path: base + "/certificates/{reference}" + suffixVerification, roles: finders, handle: s.verification,
			operation: operation{
				id: "verificationReport", tag: tagCertificates, summary: "What was verified of a received certificate, when and with which credentials", lax: true,
				parameters: slices.Concat(byReference, []parameter{queryNumber("seq", "Number of the record.", 1, 0), query[string]("as", "json, or text.")}),
				answers: []answer{
					answersJSON[lookup.Report](http.StatusOK, "The report."), {status: http.StatusOK, media: echo.MIMETextPlain},
				},
				problems: []Code{CodeNotFound, CodeAmbiguous, CodeInConflict, CodeTooMany},
			},
		},
		{
			method: http.MethodGet, path: base + "/documents/{seq}", roles: finders, handle: s.document,
			operation: operation{
				id: "readDocument", tag: tagCertificates, summary: "The signed UBL document of a certificate as it is stored",
				parameters: append([]parameter{pathNumber("seq", "Number of the certificate's record.")}, downloadHeaders()...),
				answers:    downloads(echo.MIMEApplicationXML, "The octets that the document's signature holds for."),
				problems:   []Code{CodeNotFound, CodeInConflict, CodeDropped, CodeDamaged, CodeTooMany},
			},
		},
	}
}

// submit answers POST /certificates. It may be repeated: the same certificate gives the same message.
func (s *server) submit(c echo.Context) error {
	if c.QueryParams().Has(paramPartner) {
		return s.submitFile(c)
	}
	in, err := s.readSubmission(c)
	defer in.close()
	if err != nil {
		return err
	}
	if len(in.attachments) > 0 {
		s.extend(c, s.timeFor(in.size()))
	}
	if in.certificate, err = backfilled(c, in.certificate); err != nil {
		return err
	}
	answer, err := s.submitOne(c, in.partner, in.certificate, in.attachments...)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if answer.Fresh {
		status = http.StatusCreated
	}
	c.Response().Header().Set(echo.HeaderLocation, certificatePath(answer.Reference))
	return c.JSON(status, answer)
}

// The query parameters of a submission after an outage.
const (
	paramBackfill    = "backfill"
	paramPaperNumber = "paper_number"
)

// backfilled puts the mark of issue on paper on a certificate if the query says so.
func backfilled(c echo.Context, certificate eco.Certificate) (eco.Certificate, error) {
	query := c.QueryParams()
	switch {
	case query.Has(paramBackfill):
	case query.Has(paramPaperNumber):
		return certificate, problem(CodeParameter, paramPaperNumber+" goes with "+paramBackfill)
	default:
		return certificate, nil
	}
	marked, err := certificate.MarkIssuedOnPaper(eco.PaperIssue{Number: query.Get(paramPaperNumber), Reason: query.Get(paramBackfill)})
	if err != nil {
		return certificate, problem(CodeParameter, err.Error())
	}
	return marked, nil
}

// submitOne hands one certificate to the node. A refusal is in the audit log before it is answered.
func (s *server) submitOne(c echo.Context, partner string, certificate eco.Certificate, attachments ...exchange.Attachment) (Submission, error) {
	submission, err := s.Node.Submit(c.Request().Context(), callOf(c).key.Name, partner, certificate, attachments...)
	if err != nil {
		err = fmt.Errorf("submitting %s to %s: %w", certificate.Reference, partner, err)
		return Submission{}, s.auditRefusal(c, certificate.Reference+" to "+partner, err)
	}
	s.tell(c, "certificate.submitted", submission.Key.String(), "") // recorded by the node, with the certificate
	return Submission{
		MessageID: submission.Message.MessageID, Seq: submission.Message.Seq, State: submission.Message.State,
		Partner: submission.Message.Partner, Reference: certificate.Reference, Key: submission.Key, Fresh: submission.Fresh, Findings: submission.Findings,
	}, nil
}

// lookup answers GET /certificates/{reference}. What the reader may not see and what is not there look the same.
func (s *server) lookup(c echo.Context) error {
	reference, err := param(c, "*")
	if err != nil {
		return err
	}
	found, err := s.find(c, reference, "certificate.looked_up")
	if err != nil {
		return s.unknown(c, reference, err)
	}
	j, err := s.judge(c, c.QueryParam("on"))
	if err != nil {
		return err
	}
	answer := Lookup{Reference: reference, Checked: s.Now().UTC()}
	for _, certificate := range found {
		if s.Examiner != nil {
			certificate = s.Examiner.WithRevocation(certificate)
		}
		m := match(certificate, callOf(c).key.Role)
		if m.Certificate != nil {
			m.Deadlines = deadlines(certificate, s.Forms(), answer.Checked)
			if m.Direction == exchange.Inbound {
				imported := importedOf(certificate)
				verdict := j.verdict(imported)
				m.Verdict, m.Downloads = &verdict, downloadsOf(imported.Seq, imported.Key)
				m.Usable = verdict.Usable
				m.PaperDecides = m.Usable && m.Mode == partners.ModeParallel
			}
		}
		answer.Matches = append(answer.Matches, m)
	}
	return c.JSON(http.StatusOK, answer)
}

// find gives the certificates that bear a reference, that the reader may see and that the query's parameters leave: one at least. It
// records the read as an event first.
func (s *server) find(c echo.Context, reference, event string) ([]exchange.Certificate, error) {
	direction, err := oneOf(c, "direction", exchange.Inbound, exchange.Outbound)
	if err != nil {
		return nil, err
	}
	role, absent := callOf(c).key.Role, "no certificate with this reference"
	direction, seen := role.narrowed(direction)
	empty := eco.NormaliseReference(reference) == "" // it would match everything
	query := exchange.CertificateQuery{
		Reference: reference, Direction: direction,
		Country: strings.ToUpper(c.QueryParam("country")), Form: eco.FormCode(c.QueryParam("form")),
	}
	if role.restricted() && seen && !empty {
		return s.shown(c, query, lookup.Question{Reference: reference, Invoice: c.QueryParam("invoice")}, event, reference, absent)
	}
	if err := s.audit(c, event, reference, ""); err != nil {
		return nil, err
	}
	if !seen || empty {
		return nil, problem(CodeNotFound, absent)
	}
	found, err := s.Store.Certificates(c.Request().Context(), query)
	if err != nil {
		return nil, fmt.Errorf("looking up %s: %w", reference, err)
	}
	if len(found) == 0 {
		return nil, problem(CodeNotFound, absent)
	}
	return found, nil
}

// match shows one certificate to a role.
func match(c exchange.Certificate, role Role) Match {
	m := Match{
		Seq: c.Seq, Direction: c.Direction, Key: c.Key, State: c.State,
		Partner: c.Partner, MessageID: c.Message, Recorded: c.Recorded.UTC(), Mode: cmp.Or(c.Mode, partners.ModeLive),
	}
	if withheld(c, role) {
		return m
	}
	m.Certificate = &c.Data
	m.IssuedOnPaper = c.Data.IssuedOnPaper()
	m.Findings = c.Findings
	m.Dealings = dealings(c)
	m.Document = &Document{
		Href: documentPath(c.Seq), SHA256: c.Document.Digest, Size: c.Document.Size, Signer: c.DocumentSigner, SignerRevoked: c.SignerRevoked,
	}
	return m
}

// withheld keeps the content of certificates in conflict from brokers and importers: none of the two may be used, and a signed document in hand
// invites use.
func withheld(c exchange.Certificate, role Role) bool {
	return role.restricted() && c.State == exchange.CertificateInConflict
}

// document answers GET /documents/{seq} with the signed octets, and honours If-None-Match (RFC 9110 §13.1.2).
func (s *server) document(c echo.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	text, err := param(c, "seq")
	if err != nil {
		return err
	}
	seq, err := strconv.ParseUint(text, 10, 64)
	if err != nil || seq == 0 { // a query with number 0 would match everything
		return problem(CodeNotFound, "no such document")
	}
	role := callOf(c).key.Role
	found, err := s.bySeq(c, seq)
	if err != nil {
		return err
	}
	if withheld(found[0], role) {
		return problem(CodeInConflict, "")
	}
	return s.serveRaw(c, found[0].Document, echo.MIMEApplicationXML, fmt.Sprintf("certificate-%d.xml", seq))
}

// bySeq gives the certificate with a number: one, if the reader may see it. It records the read of its document.
func (s *server) bySeq(c echo.Context, seq uint64) ([]exchange.Certificate, error) {
	const event, absent = "document.read", "no such document"
	text, role := strconv.FormatUint(seq, 10), callOf(c).key.Role
	if role.restricted() {
		return s.shown(c, exchange.CertificateQuery{Seq: seq, Direction: exchange.Inbound}, lookup.Question{Seq: seq}, event, text, absent)
	}
	if err := s.audit(c, event, text, ""); err != nil {
		return nil, err
	}
	found, err := s.Store.Certificates(c.Request().Context(), exchange.CertificateQuery{Seq: seq})
	if err != nil {
		return nil, fmt.Errorf("finding document %d: %w", seq, err)
	}
	if len(found) == 0 || !role.sees(found[0].Direction) {
		return nil, problem(CodeNotFound, absent)
	}
	return found, nil
}

// serveRaw answers with stored bytes as they are, for download.
func (s *server) serveRaw(c echo.Context, ref exchange.RawRef, mediaType, name string) error {
	s.extend(c, s.timeFor(ref.Size)) // the store compares all bytes with their digest before it hands them out
	content, err := s.Store.Raw(c.Request().Context(), ref)
	if errors.Is(err, exchange.ErrNotFound) {
		return problem(CodeDropped, "")
	}
	if err != nil {
		return fmt.Errorf("reading stored bytes %s: %w", ref.Digest, err)
	}
	s.serveContent(c, download{content: content, mediaType: mediaType, name: name, tag: ref.Digest})
	return nil
}

// download is octets that a user takes home.
type download struct {
	content         exchange.Content
	mediaType, name string
	// tag is the same for the same octets.
	tag string
}

// serveContent streams a download, for as long as the client takes it at Options.MinRate. RFC 9110 §14: ranges.
func (s *server) serveContent(c echo.Context, d download) {
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, d.mediaType)
	h.Set(echo.HeaderContentDisposition, mime.FormatMediaType("attachment", map[string]string{"filename": d.name}))
	h.Set("ETag", `"`+d.tag+`"`)
	h.Set(echo.HeaderCacheControl, "private, no-cache")
	http.ServeContent(s.pacedWriter(c), c.Request(), "", time.Time{}, io.NewSectionReader(d.content, 0, d.content.Size()))
}

// oneOf reads an optional query parameter that takes one of a few values.
func oneOf[T ~string](c echo.Context, name string, values ...T) (T, error) {
	given := T(c.QueryParam(name))
	if given == "" {
		return "", nil
	}
	for _, v := range values {
		if v == given {
			return v, nil
		}
	}
	return "", problem(CodeParameter, fmt.Sprintf("%s %q is none of %q", name, given, values))
}

func certificatePath(reference string) string {
	return base + "/certificates/" + url.PathEscape(reference)
}

func documentPath(seq uint64) string {
	return base + "/documents/" + strconv.FormatUint(seq, 10)
}
