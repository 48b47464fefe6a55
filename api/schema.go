package api

import (
	"cmp"
	_ "embed"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/handover"
	"github.com/ecogate/ecogate/clearance/lookup"
	"github.com/ecogate/ecogate/clearance/notice"
	"github.com/ecogate/ecogate/docs/schema"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/intake"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/announcement"
	"github.com/ecogate/ecogate/partners/issuerlist"
	"github.com/ecogate/ecogate/partners/revocation"
)

// enum is a type whose constants are all the values that it has on this API.
type enum struct {
	name   string // of its schema
	values []any
}

// enums are those types. A type of text that is not here is open: form codes are data.
var enums = map[reflect.Type]enum{
	reflect.TypeFor[Role]():         enumOf("Role", Roles()...),
	reflect.TypeFor[healthStatus](): enumOf("HealthStatus", statusLive, statusReady),
	reflect.TypeFor[registryKind](): enumOf("RegistryKind", registryKind("partners"), "agreements", "nodes"),
	reflect.TypeFor[Verdict]():      enumOf("Verdict", VerdictWorks, VerdictUntried, VerdictFails),
	reflect.TypeFor[Step]():         enumOf("Step", StepStage, StepActivate, StepRetire, StepRollBack, StepDistrust),

	reflect.TypeFor[exchange.Direction](): enumOf("Direction", exchange.Inbound, exchange.Outbound),
	reflect.TypeFor[exchange.Kind]():      enumOf("MessageKind", messageKinds()...),
	reflect.TypeFor[exchange.State]():     enumOf("MessageState", messageStates()...),
	reflect.TypeFor[exchange.CertificateState](): enumOf("CertificateState", exchange.CertificateReleased, exchange.CertificateReceipted,
		exchange.CertificateSent, exchange.CertificateFailed, exchange.CertificateReceived, exchange.CertificateAvailable, exchange.CertificateRefused,
		exchange.CertificateInConflict, exchange.CertificateAccepted, exchange.CertificateRejected,
		exchange.CertificateUsedInPart, exchange.CertificateUsedUp, exchange.CertificateDenied,
		exchange.CertificateSuspended, exchange.CertificateCited, exchange.CertificateExpired, exchange.CertificateCancelled,
		exchange.CertificateReplaced),

	reflect.TypeFor[eco.Severity]():      enumOf("Severity", eco.SeverityError, eco.SeverityWarning),
	reflect.TypeFor[eco.Side]():          enumOf("Side", eco.SideExporting, eco.SideImporting),
	reflect.TypeFor[eco.AnswerKind]():    enumOf("AnswerKind", eco.AnswerReceived, eco.AnswerAccepted, eco.AnswerRejected),
	reflect.TypeFor[eco.CustomsStatus](): enumOf("CustomsStatus", eco.CustomsAccepted, eco.CustomsUsedInPart, eco.CustomsUsedUp, eco.CustomsDenied, eco.CustomsSuspended),
	reflect.TypeFor[eco.DeadlineKind](): enumOf("DeadlineKind", eco.DeadlineValidity, eco.DeadlineRejectNotice, eco.DeadlineVerificationReply,
		eco.DeadlineVerificationTotal),
	reflect.TypeFor[eco.VerificationGround](): enumOf("VerificationGround", eco.VerifyAtRandom, eco.VerifyForDoubt),
	reflect.TypeFor[eco.VerificationResult](): enumOf("VerificationResult", eco.VerifiedConfirmed, eco.VerifiedRefuted, eco.VerifiedUndetermined),
	reflect.TypeFor[eco.Standing](): enumOf("Standing", eco.StandingUnknown, eco.StandingIssued, eco.StandingReceived, eco.StandingAvailable,
		eco.StandingUsedInPart, eco.StandingUsedUp, eco.StandingDenied, eco.StandingSuspended, eco.StandingCancelled, eco.StandingReplaced,
		eco.StandingExpired, eco.StandingInConflict),

	reflect.TypeFor[lookup.Filing](): enumOf("Filing", lookup.FilingNetworked, lookup.FilingParallel, lookup.FilingPaper),

	reflect.TypeFor[handover.State]():      enumOf("HandoverState", handover.States()...),
	reflect.TypeFor[handover.Occasion]():   enumOf("HandoverOccasion", handover.Occasions()...),
	reflect.TypeFor[handover.Verdict]():    enumOf("ParcelVerdict", handover.VerdictReceived, handover.VerdictConfirmed, handover.VerdictRefused),
	reflect.TypeFor[eco.DifferenceClass](): enumOf("DifferenceClass", eco.DifferenceIdentical, eco.DifferenceTypographic, eco.DifferenceConvertible, eco.DifferenceMaterial),

	reflect.TypeFor[clearance.LodgementState](): enumOf("DeclarationState", clearance.LodgementStates()...),
	reflect.TypeFor[clearance.Standing](): enumOf("ClaimStanding", clearance.StandingAwaited, clearance.StandingReserved, clearance.StandingSuspended,
		clearance.StandingVerifying, clearance.StandingAccepted, clearance.StandingPart, clearance.StandingDenied, clearance.StandingWithdrawn),
	reflect.TypeFor[clearance.Verdict]():       enumOf("OfficerVerdict", clearance.Verdicts()...),
	reflect.TypeFor[clearance.DecisionState](): enumOf("DecisionState", clearance.DecisionProposed, clearance.DecisionMade, clearance.DecisionRejected),
	reflect.TypeFor[clearance.Outcome]():       enumOf("ComparisonOutcome", clearance.OutcomeNone, clearance.OutcomeMaterial),
	reflect.TypeFor[clearance.DutyKind](): enumOf("DutyKind", clearance.DutyValidity, clearance.DutyRejectNotice, clearance.DutyVerificationReply,
		clearance.DutyVerificationTotal, clearance.DutyVoid, clearance.DutyReservation, clearance.DutyGuarantee, clearance.DutyTell),
	reflect.TypeFor[clearance.DutyState](): enumOf("DutyState", clearance.DutyOpen, clearance.DutyWarned, clearance.DutyEscalated, clearance.DutyDone),
	reflect.TypeFor[noteFormat]():          enumOf("NoteFormat", noteJSON, noteText),
	reflect.TypeFor[dutyOwner]():           enumOf("DutyOwner", dutyOwner(clearance.OwnerOfficer), clearance.OwnerDeclarant, clearance.OwnerPartner),
	reflect.TypeFor[dutyQuestion]():        enumOf("DutyQuestion", dutiesOpen, dutiesDone),
	reflect.TypeFor[notice.Event]():        enumOf("NoticeEvent", noticeEvents()...),
	reflect.TypeFor[notice.Audience]():     enumOf("NoticeAudience", notice.Audiences()...),
	reflect.TypeFor[notice.State]():        enumOf("NoticeState", notice.States()...),
	reflect.TypeFor[notice.Channel]():      enumOf("NoticeChannel", notice.Mail, notice.Webhook),
	reflect.TypeFor[notice.Pace]():         enumOf("NoticePace", notice.Hourly, notice.Daily),

	reflect.TypeFor[partners.Use](): enumOf("Use", partners.Uses()...),
	reflect.TypeFor[partners.State](): enumOf("CredentialStanding", partners.StateStaged, partners.StateActive, partners.StateRetiring,
		partners.StateRetired, partners.StateRevoked, partners.StateWithheld),
	reflect.TypeFor[partners.Mode]():          enumOf("PartnerMode", partners.ModeTest, partners.ModeParallel, partners.ModeLive),
	reflect.TypeFor[partners.Kind]():          enumOf("EntryKind", partners.KindPartner, partners.KindAgreement, partners.KindNode),
	reflect.TypeFor[partners.ProposalState](): enumOf("ProposalState", partners.ProposalOpen, partners.ProposalConfirmed, partners.ProposalRejected),
	reflect.TypeFor[announcement.Result]():    enumOf("AnnouncementResult", announcement.ResultStaged, announcement.ResultTold, announcement.ResultRefused),
	reflect.TypeFor[revocation.Status]():      enumOf("RevocationStatus", revocation.Good, revocation.Revoked, revocation.Unknown),
	reflect.TypeFor[intake.Format]():          enumOf("FileFormat", intake.Formats()...),
}

func noticeEvents() []notice.Event {
	events := []notice.Event{notice.AddressConfirm, notice.TestNotice}
	for _, r := range notice.Events() {
		events = append(events, r.Event)
	}
	return events
}

func enumOf[T ~string](name string, values ...T) enum {
	e := enum{name: name}
	for _, v := range values {
		e.values = append(e.values, string(v))
	}
	return e
}

// names are those of types whose own name another one has, or says too little outside of its package.
var names = map[reflect.Type]string{
	reflect.TypeFor[health]():            "Health",
	reflect.TypeFor[givenWhy]():          "Why",
	reflect.TypeFor[givenCode]():         "ConfirmationCode",
	reflect.TypeFor[givenAddress]():      "AddressToTest",
	reflect.TypeFor[notice.Subscribed](): "Subscription",
	reflect.TypeFor[notice.Facts]():      "NoticeFacts",
	reflect.TypeFor[notice.Reason]():     "NoticeReason",
	reflect.TypeFor[givenCPA]():          "PingRequest",
	reflect.TypeFor[givenMessage]():      "MessageQuestion",
	reflect.TypeFor[submissionRequest](): "SubmissionRequest",
	reflect.TypeFor[Document]():          "SignedDocument",
	reflect.TypeFor[Taken]():             "TakenCertificate",

	reflect.TypeFor[lookup.Verdict]():    "CertificateVerdict",
	reflect.TypeFor[lookup.Step]():       "CertificateStep",
	reflect.TypeFor[lookup.Balance]():    "ItemBalance",
	reflect.TypeFor[lookup.Asked]():      "AskedPartner",
	reflect.TypeFor[lookup.Report]():     "VerificationReport",
	reflect.TypeFor[lookup.Check]():      "VerificationCheck",
	reflect.TypeFor[lookup.Credential](): "VerifyingCredential",
	reflect.TypeFor[Found]():             "FoundCertificate",
	reflect.TypeFor[Removed]():           "RemovedWatch",

	reflect.TypeFor[exchange.Reason]():    "MessageReason",
	reflect.TypeFor[exchange.Order]():     "MessageOrder",
	reflect.TypeFor[exchange.Reference](): "SignedReference",
	reflect.TypeFor[exchange.Part]():      "MessagePart",
	reflect.TypeFor[exchange.Announced](): "SentAnnouncement",
	reflect.TypeFor[exchange.Taken]():     "TakenAnnouncement",
	// The enum of Certificate.status is CertificateStatus in generated Go.
	reflect.TypeFor[exchange.CertificateStatus](): "StatusAnswer",

	reflect.TypeFor[handover.Attempt]():      "HandoverAttempt",
	reflect.TypeFor[handover.Listed]():       "ListedHandover",
	reflect.TypeFor[handover.Cited]():        "HandedCertificate",
	reflect.TypeFor[handover.ParcelInfo]():   "Parcel",
	reflect.TypeFor[handover.Confirmation](): "ParcelConfirmation",

	reflect.TypeFor[eco.VerificationRequest](): "SaidVerificationRequest",
	reflect.TypeFor[eco.VerificationReply]():   "SaidVerificationReply",

	reflect.TypeFor[clearance.Declaration](): "ImportDeclaration",
	reflect.TypeFor[clearance.Line]():        "DeclarationLine",
	reflect.TypeFor[clearance.Key]():         "CitedCertificate",
	reflect.TypeFor[clearance.Entry]():       "HistoryEntry",
	reflect.TypeFor[clearance.Arrived]():     "LateCertificate",

	reflect.TypeFor[announcement.Summary]():   "Announcement",
	reflect.TypeFor[announcement.Answer]():    "AnnouncementAnswer",
	reflect.TypeFor[announcement.Outcome]():   "AnnouncementOutcome",
	reflect.TypeFor[announcement.Announced](): "AnnouncedCredential",

	reflect.TypeFor[issuerlist.Body]():       "IssuerBody",
	reflect.TypeFor[issuerlist.Taken]():      "IssuerListState",
	reflect.TypeFor[issuerlist.Issued]():     "IssuedIssuerList",
	reflect.TypeFor[issuerlist.Credential](): "IssuerCredential",
	reflect.TypeFor[issuerlist.Difference](): "IssuerDifference",
	reflect.TypeFor[issuerlist.Office]():     "IssuerOffice",

	reflect.TypeFor[revocation.SourceStatus](): "RevocationSource",
	reflect.TypeFor[intake.Field]():            "UnplacedField",
}

// schemas makes the schemas of Go types in their JSON form: what encoding/json writes of them.
type schemas struct {
	components openapi3.Schemas
	named      map[string]reflect.Type // by the name of their component
	told       map[string]description  // likewise
}

// description is what the comments in the source tell of a type and of its members in JSON.
type description struct {
	About   string            `json:"about,omitempty"`
	Members map[string]string `json:"members,omitempty"`
}

// descriptions has that of each component. "go generate ./api" makes it anew.
//
//go:embed descriptions.json
var descriptions []byte

//go:generate go test -run TestDescriptionsAreThoseOfTheSource -update .

// newSchemas begins with the certificate's, which docs/schema has.
func newSchemas() (*schemas, error) {
	components, err := certificateSchemas()
	if err != nil {
		return nil, err
	}
	g := &schemas{components: components, named: make(map[string]reflect.Type)}
	if err := json.Unmarshal(descriptions, &g.told); err != nil {
		return nil, fmt.Errorf("descriptions.json: %w", err)
	}
	return g, nil
}

func reference(component string) *openapi3.SchemaRef {
	return openapi3.NewSchemaRef("#/components/schemas/"+component, nil)
}

// of is the schema of a type: a reference for structs and enums.
func (g *schemas) of(t reflect.Type) (*openapi3.SchemaRef, error) {
	switch t {
	case reflect.TypeFor[time.Time]():
		return openapi3.NewDateTimeSchema().NewRef(), nil
	case reflect.TypeFor[eco.Date]():
		return openapi3.NewStringSchema().WithFormat("date").NewRef(), nil
	case reflect.TypeFor[json.RawMessage](), reflect.TypeFor[any]():
		return openapi3.NewSchema().NewRef(), nil
	case reflect.TypeFor[[]byte]():
		return openapi3.NewBytesSchema().NewRef(), nil
	}
	if e, ok := enums[t]; ok {
		g.components[e.name] = openapi3.NewStringSchema().WithEnum(e.values...).NewRef()
		return reference(e.name), nil
	}
	if t.Kind() != reflect.Pointer && t.Implements(reflect.TypeFor[json.Marshaler]()) {
		return nil, fmt.Errorf("%s writes its JSON itself: no schema follows from its fields", t)
	}
	if t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return openapi3.NewStringSchema().NewRef(), nil
	}
	switch t.Kind() {
	case reflect.String:
		return openapi3.NewStringSchema().NewRef(), nil
	case reflect.Bool:
		return openapi3.NewBoolSchema().NewRef(), nil
	case reflect.Int, reflect.Int64:
		return openapi3.NewInt64Schema().NewRef(), nil
	case reflect.Int32:
		return openapi3.NewInt32Schema().NewRef(), nil
	case reflect.Uint, reflect.Uint64, reflect.Uint32:
		return openapi3.NewInt64Schema().WithMin(0).NewRef(), nil
	case reflect.Float64:
		return openapi3.NewFloat64Schema().NewRef(), nil
	case reflect.Pointer:
		return g.of(t.Elem())
	case reflect.Slice:
		items, err := g.of(t.Elem())
		list := openapi3.NewArraySchema()
		list.Items = items
		return list.NewRef(), err
	case reflect.Map:
		values, err := g.of(t.Elem())
		object := openapi3.NewObjectSchema()
		object.AdditionalProperties = openapi3.AdditionalProperties{Schema: values}
		return object.NewRef(), err
	case reflect.Struct:
		return g.structure(t)
	}
	return nil, fmt.Errorf("%s has no schema", t)
}

// structure makes a component of a struct, unless it is one of a certificate, or was made before.
func (g *schemas) structure(t reflect.Type) (*openapi3.SchemaRef, error) {
	name := cmp.Or(names[t], t.Name())
	if other, known := g.named[name]; known && other != t {
		return nil, fmt.Errorf("%s and %s want the name %s; names has to tell them apart", other, t, name)
	} else if known {
		return reference(name), nil
	}
	g.named[name] = t
	if _, known := g.components[name]; known {
		if t.PkgPath() != reflect.TypeFor[eco.Certificate]().PkgPath() {
			return nil, fmt.Errorf("%s wants the name %s of a part of a certificate; names has to tell them apart", t, name)
		}
		return reference(name), nil
	}
	object := openapi3.NewObjectSchema()
	object.Description = g.told[name].About
	g.components[name] = object.NewRef() // before its members: they may hold one of these again
	return reference(name), g.members(t, object, g.told[name].Members)
}

// members puts the members of a struct into the schema of an object. Those of an embedded struct stand among them.
func (g *schemas) members(t reflect.Type, object *openapi3.Schema, told map[string]string) error {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			if err := g.members(f.Type, object, told); err != nil {
				return err
			}
			continue
		}
		if name == "-" || !f.IsExported() {
			continue
		}
		if name == "" {
			return fmt.Errorf("%s.%s has no name in JSON", t, f.Name)
		}
		value, err := g.of(f.Type)
		if err != nil {
			return fmt.Errorf("%s.%s: %w", t, f.Name, err)
		}
		object.Properties[name] = describe(value, told[name])
		if !strings.Contains(options, "omit") {
			object.Required = append(object.Required, name)
		}
	}
	return nil
}

// describe says something of a member's value. OpenAPI 3.0 takes no word beside a reference.
func describe(value *openapi3.SchemaRef, about string) *openapi3.SchemaRef {
	switch {
	case about == "":
		return value
	case value.Ref != "":
		return (&openapi3.Schema{Description: about, AllOf: openapi3.SchemaRefs{value}}).NewRef()
	}
	value.Value.Description = about
	return value
}

// certificateSchemas are those of docs/schema as components of OpenAPI 3.0, which has fewer words than JSON Schema 2020-12.
func certificateSchemas() (openapi3.Schemas, error) {
	var tree map[string]any
	if err := json.Unmarshal(schema.Certificate, &tree); err != nil {
		return nil, fmt.Errorf("schema of a certificate: %w", err)
	}
	definitions, _ := tree["$defs"].(map[string]any)
	delete(tree, "$defs")
	if definitions == nil {
		return nil, fmt.Errorf("schema of a certificate: no $defs")
	}
	definitions["Certificate"] = tree
	plain, err := json.Marshal(plainer(definitions))
	if err != nil {
		return nil, fmt.Errorf("schema of a certificate: %w", err)
	}
	var components openapi3.Schemas
	if err := json.Unmarshal(plain, &components); err != nil {
		return nil, fmt.Errorf("schema of a certificate: %w", err)
	}
	return components, nil
}

// plainer rewrites a JSON Schema for OpenAPI 3.0: references to components, one type where there are several, and one example.
func plainer(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = plainer(v[i])
		}
	case map[string]any:
		for name, value := range v {
			v[name] = plainer(value)
		}
		for _, name := range []string{"$schema", "$id", "propertyNames"} {
			if _, isText := v[name].(string); isText || name == "propertyNames" {
				delete(v, name)
			}
		}
		if ref, ok := v["$ref"].(string); ok {
			v["$ref"] = strings.Replace(ref, "#/$defs/", "#/components/schemas/", 1)
			if about, ok := v["description"]; ok { // 3.0 knows nothing beside a reference
				return map[string]any{"description": about, "allOf": []any{map[string]any{"$ref": v["$ref"]}}}
			}
		}
		if examples, ok := v["examples"].([]any); ok && len(examples) > 0 {
			v["example"] = examples[0]
			delete(v, "examples")
		}
		if types, ok := v["type"].([]any); ok {
			delete(v, "type")
			var either []any
			for _, one := range types {
				either = append(either, map[string]any{"type": one})
			}
			v["anyOf"] = either
		}
	}
	return v
}
