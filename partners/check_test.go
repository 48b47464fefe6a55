package partners_test

import (
	"testing"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners"
)

// valid is a configuration whose files need not exist, for Check opens none.
func valid() partners.Config {
	key := partners.KeyConfig{Uses: []partners.Use{partners.UseMessageSignature}, KeyFile: "k", ChainFile: "c"}
	credential := partners.CredentialConfig{Uses: []partners.Use{partners.UseMessageSignature, partners.UseTLSServer}, File: "f"}
	partner := func(id, country string) partners.PartnerConfig {
		return partners.PartnerConfig{
			ID: id, Country: country, PartyIDs: partyIDs(id), AnchorFiles: []string{"a"}, Credentials: []partners.CredentialConfig{credential},
			Issuers: []partners.IssuerConfig{{ID: "BODY", Forms: []eco.FormCode{form}, Credentials: []partners.CredentialConfig{{File: "f"}}}},
		}
	}
	return partners.Config{
		Node: partners.NodeConfig{
			ID: "kr", Country: "KR", PartyIDs: partyIDs("kr"), Keys: []partners.KeyConfig{key},
			Issuers: []partners.OwnIssuerConfig{{ID: "BODY", Forms: []eco.FormCode{form}, Keys: []partners.KeyConfig{{KeyFile: "k", ChainFile: "c"}}}},
		},
		Partners:   []partners.PartnerConfig{partner("tw", "TW"), partner("my", "MY")},
		Agreements: []partners.AgreementConfig{agreement("tw"), agreement("my")},
	}
}

type checkTest struct {
	name   string
	change func(c *partners.Config)
	key    string
	texts  []string // none: the change is allowed
}

func runCheckTests(t *testing.T, tests []checkTest) {
	t.Helper()
	runTests(t, tests, partners.Config.Check)
}

// runTests puts check to the changes of tests: each makes one problem or none.
func runTests(t *testing.T, tests []checkTest, check func(partners.Config) []partners.Problem) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := valid()
			test.change(&c)
			problems := check(c)
			if test.texts == nil {
				if len(problems) > 0 {
					t.Errorf("refused: %v", problems)
				}
				return
			}
			if len(problems) != 1 || problems[0].Key != test.key || !containsAll(problems[0].Text, test.texts) {
				t.Errorf("problems %v; want one of %s with %q", problems, test.key, test.texts)
			}
		})
	}
}

func TestCheckOfNodeAndPartners(t *testing.T) {
	runCheckTests(t, []checkTest{
		{"as it stands", func(*partners.Config) {}, "", nil},
		{"no node id", func(c *partners.Config) { c.Node.ID = "" }, "node.id", []string{"is required"}},
		{"id with a space", func(c *partners.Config) { c.Node.ID = "k r" }, "node.id", []string{`"k r" is not an id`}},
		{"id that is a path", func(c *partners.Config) { c.Node.ID = "../kr" }, "node.id", []string{"is not an id"}},
		{"country in small letters", func(c *partners.Config) { c.Node.Country = "kr" }, "node.country", []string{"ISO 3166-1"}},
		{"country by name", func(c *partners.Config) { c.Partners[1].Country = "Malaysia" }, "partners[1].country", []string{"ISO 3166-1"}},
		{"no party ids", func(c *partners.Config) { c.Node.PartyIDs = nil }, "node.party_ids", []string{"is required"}},
		{"party id without value", func(c *partners.Config) { c.Node.PartyIDs[0].Value = "" }, "node.party_ids[0].value", []string{"is required"}},
		{"party id without type, no URI", func(c *partners.Config) { c.Partners[0].PartyIDs[1].Value = "687735312" }, "partners[0].party_ids[1].value", []string{"must be a URI", "§3.1.1.1"}},
		{"party id without type, only a scheme", func(c *partners.Config) { c.Partners[0].PartyIDs[1].Value = "urn:" }, "partners[0].party_ids[1].value", []string{"must be a URI"}},
		{"party id without type, URL", func(c *partners.Config) { c.Partners[0].PartyIDs[1].Value = "https://tw.example/id" }, "", nil},
		{"two party ids of one type", func(c *partners.Config) { c.Partners[0].PartyIDs[1].Type = "country" }, "partners[0].party_ids[1].type", []string{"different types"}},
		{"party id of another partner", func(c *partners.Config) { c.Partners[1].PartyIDs[0].Value = "TW" }, "partners[1].party_ids[0].value", []string{"partners[0].party_ids[0]", "belongs to one party"}},
		{"party id of ours", func(c *partners.Config) { c.Partners[1].PartyIDs[0].Value = "KR" }, "partners[1].party_ids[0].value", []string{"node.party_ids[0]"}},
		{"same value, another type", func(c *partners.Config) { c.Partners[1].PartyIDs[0] = partners.PartyID{Type: "duns", Value: "TW"} }, "", nil},
		{"partner id twice", func(c *partners.Config) { c.Partners[1].ID = "tw"; c.Agreements = nil }, "partners[1].id", []string{"partners[0].id"}},
		{"partner id of the node", func(c *partners.Config) { c.Partners[1].ID = "kr"; c.Agreements = nil }, "partners[1].id", []string{"node.id"}},
		{"concurrency below 0", func(c *partners.Config) { c.Partners[1].Concurrency = -1 }, "partners[1].concurrency", []string{"-1 is less than 0"}},
		{"no anchors", func(c *partners.Config) { c.Partners[0].AnchorFiles = nil }, "partners[0].anchor_files", []string{"is required", "pin"}},
		{"credential without uses", func(c *partners.Config) { c.Partners[0].Credentials[0].Uses = nil }, "partners[0].credentials[0].uses", []string{"is required", "tls-server"}},
		{"unknown use", func(c *partners.Config) { c.Partners[0].Credentials[0].Uses = []partners.Use{"tls"} }, "partners[0].credentials[0].uses", []string{`"tls" is not a use`}},
		{"document use outside issuers", func(c *partners.Config) { c.Node.Keys[0].Uses = []partners.Use{partners.UseDocumentSignature} }, "node.keys[0].uses", []string{"issuers"}},
		{"message use of an issuer", func(c *partners.Config) {
			c.Partners[0].Issuers[0].Credentials[0].Uses = []partners.Use{"message-signature"}
		}, "partners[0].issuers[0].credentials[0].uses", []string{"leave this key out"}},
		{"document use of an issuer", func(c *partners.Config) { c.Node.Issuers[0].Keys[0].Uses = []partners.Use{"document-signature"} }, "", nil},
		{"no key file", func(c *partners.Config) { c.Node.Keys[0].KeyFile = "" }, "node.keys[0].key_file", []string{"is required"}},
		{"no chain file", func(c *partners.Config) { c.Node.Issuers[0].Keys[0].ChainFile = "" }, "node.issuers[0].keys[0].chain_file", []string{"is required"}},
		{"no credential file", func(c *partners.Config) { c.Partners[0].Credentials[0].File = "" }, "partners[0].credentials[0].file", []string{"is required"}},
		{"window ends where it begins", func(c *partners.Config) { c.Node.Keys[0].From, c.Node.Keys[0].Until = summer, summer }, "node.keys[0].until", []string{"is not after"}},
		{"window the wrong way", func(c *partners.Config) {
			c.Partners[0].Credentials[0].From, c.Partners[0].Credentials[0].Until = autumn, summer
		}, "partners[0].credentials[0].until", []string{"is not after"}},
		{"issuer without id", func(c *partners.Config) { c.Partners[0].Issuers[0].ID = "" }, "partners[0].issuers[0].id", []string{"is required"}},
		{"issuer without forms", func(c *partners.Config) { c.Partners[0].Issuers[0].Forms = nil }, "partners[0].issuers[0].forms", []string{"is required", "NON-PREFERENTIAL"}},
		{"issuer with unknown form", func(c *partners.Config) { c.Node.Issuers[0].Forms[0] = "FORM-X" }, "node.issuers[0].forms", []string{`"FORM-X"`, "it knows"}},
		{"issuer's country", func(c *partners.Config) { c.Partners[0].Issuers[0].Country = "C" }, "partners[0].issuers[0].country", []string{"ISO 3166-1"}},
		{"issuer's window", func(c *partners.Config) { c.Node.Issuers[0].From, c.Node.Issuers[0].Until = autumn, spring }, "node.issuers[0].until", []string{"is not after"}},
		{"own issuer twice", func(c *partners.Config) { c.Node.Issuers = append(c.Node.Issuers, c.Node.Issuers[0]) }, "node.issuers[1].id", []string{"twice"}},
	})
}

func TestCheckOfAgreements(t *testing.T) {
	first := func(f func(a *partners.AgreementConfig)) func(*partners.Config) {
		return func(c *partners.Config) { f(&c.Agreements[0]) }
	}
	endpoint := func(url string) func(*partners.Config) {
		return first(func(a *partners.AgreementConfig) { a.Endpoint = url })
	}
	more := func(f func(a *partners.AgreementConfig)) func(*partners.Config) {
		return func(c *partners.Config) {
			a := c.Agreements[0]
			f(&a)
			c.Agreements = append(c.Agreements, a)
		}
	}
	runCheckTests(t, []checkTest{
		{"no CPAId", first(func(a *partners.AgreementConfig) { a.CPAID = "" }), "agreements[0].cpa_id", []string{"is required"}},
		{"no partner", first(func(a *partners.AgreementConfig) { a.Partner = "" }), "agreements[0].partner", []string{"is required"}},
		{"unknown partner", first(func(a *partners.AgreementConfig) { a.Partner = "xx" }), "agreements[0].partner", []string{`"xx"`}},
		{"no forms", first(func(a *partners.AgreementConfig) { a.Forms = nil }), "agreements[0].forms", []string{"is required"}},
		{"unknown form", first(func(a *partners.AgreementConfig) { a.Forms = []eco.FormCode{"X"} }), "agreements[0].forms", []string{`"X"`}},
		{"no service", first(func(a *partners.AgreementConfig) { a.Service = partners.Service{} }), "agreements[0].service.value", []string{"is required"}},
		{"service without type, no URI", first(func(a *partners.AgreementConfig) { a.Service.Value = "eco" }), "agreements[0].service.value", []string{"must be a URI", "§3.1.4"}},
		{"service with type, no URI", first(func(a *partners.AgreementConfig) { a.Service = partners.Service{Type: "x", Value: "eco"} }), "", nil},
		{"reserved service", first(func(a *partners.AgreementConfig) { a.Service.Value = "urn:oasis:names:tc:ebxml-msg:service:x" }), "agreements[0].service.value", []string{"reserved"}},
		{"no action", first(func(a *partners.AgreementConfig) { a.Action = "" }), "agreements[0].action", []string{"is required"}},
		{"an action of its own for answers", first(func(a *partners.AgreementConfig) { a.AnswerAction = "Answer" }), "", nil},
		{"one action for both", first(func(a *partners.AgreementConfig) { a.AnswerAction = a.Action }), "agreements[0].answer_action", []string{`"Submit" is action too`}},
		{"action that answers have by default", first(func(a *partners.AgreementConfig) { a.Action = "AnswerCertificateOfOrigin" }), "agreements[0].answer_action", []string{"is action too"}},
		{"one action for two messages", first(func(a *partners.AgreementConfig) { a.Actions.Cancel = "RequestVerification" }), "agreements[0].actions.verification_request", []string{`"RequestVerification" is actions.cancel too`}},
		{"one action for a message and certificates", first(func(a *partners.AgreementConfig) { a.Actions.Response = a.Action }), "agreements[0].actions.response", []string{`"Submit" is action too`}},
		{"two messages that are not agreed", first(func(a *partners.AgreementConfig) { a.Actions.Cancel, a.Actions.Resend = "none", "none" }), "", nil},
		{"own role alone", first(func(a *partners.AgreementConfig) { a.OwnRole = "x" }), "agreements[0].partner_role", []string{"both or none"}},
		{"partner's role alone", first(func(a *partners.AgreementConfig) { a.PartnerRole = "x" }), "agreements[0].own_role", []string{"both or none"}},
		{"window the wrong way", first(func(a *partners.AgreementConfig) { a.Start, a.End = autumn, spring }), "agreements[0].end", []string{"is not after"}},

		{"no endpoint", endpoint(""), "agreements[0].endpoint", []string{"is required"}},
		{"endpoint without host", endpoint("https:///ebms"), "agreements[0].endpoint", []string{"not an https URL"}},
		{"endpoint by ftp", endpoint("ftp://tw.example/"), "agreements[0].endpoint", []string{"not an https URL"}},
		{"endpoint that is no URL", endpoint("tw.example:443"), "agreements[0].endpoint", []string{"not an https URL"}},
		{"endpoint with a password", endpoint("https://a:b@tw.example/"), "agreements[0].endpoint", []string{"user"}},
		{"endpoint without encryption", endpoint("http://tw.example/"), "agreements[0].endpoint", []string{"allow_http"}},
		{"endpoint without encryption, allowed", first(func(a *partners.AgreementConfig) { a.Endpoint, a.AllowHTTP = "http://tw.example/", true }), "", nil},
		{"endpoint on loopback", endpoint("http://127.0.0.1:8080/ebms"), "", nil},
		{"endpoint on loopback, IPv6", endpoint("http://[::1]:8080/ebms"), "", nil},
		{"endpoint named like loopback", endpoint("http://127.0.0.1.example/"), "agreements[0].endpoint", []string{"allow_http"}},

		{"endpoint of acknowledgments by ftp", first(func(a *partners.AgreementConfig) { a.AckEndpoint = "ftp://tw.example/" }), "agreements[0].ack_endpoint", []string{"not an https URL"}},
		{"endpoint of errors without encryption", first(func(a *partners.AgreementConfig) { a.ErrorEndpoint = "http://tw.example/" }), "agreements[0].error_endpoint", []string{"allow_http"}},
		{"endpoints of signals without encryption, allowed", first(func(a *partners.AgreementConfig) {
			a.AckEndpoint, a.ErrorEndpoint, a.AllowHTTP = "http://tw.example/ack", "http://tw.example/error", true
		}), "", nil},
		{"one fault in all endpoints", first(func(a *partners.AgreementConfig) {
			a.Endpoint, a.AckEndpoint, a.ErrorEndpoint = "ftp://tw.example/", "ftp://tw.example/", "ftp://tw.example/"
		}), "agreements[0].endpoint", []string{"not an https URL"}},

		{"retries below 0", first(func(a *partners.AgreementConfig) { a.Retries = new(-1) }), "agreements[0].retries", []string{"-1"}},
		{"retries above the bound", first(func(a *partners.AgreementConfig) { a.Retries = new(partners.MaxRetries + 1) }), "agreements[0].retries", []string{"1001"}},
		{"interval too short", first(func(a *partners.AgreementConfig) { a.RetryInterval = time.Millisecond }), "agreements[0].retry_interval", []string{"1ms"}},
		{"interval below 0", first(func(a *partners.AgreementConfig) { a.RetryInterval = -time.Hour }), "agreements[0].retry_interval", []string{"-1h"}},
		{"persistence just enough", first(func(a *partners.AgreementConfig) {
			a.Retries, a.RetryInterval, a.PersistDuration = new(2), time.Hour, 3*time.Hour
		}), "", nil},
		{"persistence a nanosecond short", first(func(a *partners.AgreementConfig) {
			a.Retries, a.RetryInterval, a.PersistDuration = new(2), time.Hour, 3*time.Hour-1
		}), "agreements[0].persist_duration", []string{"3h0m0s"}},
		{"default persistence too short", first(func(a *partners.AgreementConfig) { a.RetryInterval = 24 * time.Hour }), "agreements[0].persist_duration", []string{"312h0m0s"}},
		{"no acknowledgment", first(func(a *partners.AgreementConfig) { a.AckRequested = new(false) }), "", nil},
		{"signed acknowledgment of none", first(func(a *partners.AgreementConfig) { a.AckRequested, a.AckSigned = new(false), new(true) }), "agreements[0].ack_signed", []string{"ack_requested"}},
		{"unknown sync reply", first(func(a *partners.AgreementConfig) { a.SyncReply = "always" }), "agreements[0].sync_reply", []string{`"always"`, "none, mshSignalsOnly, signalsOnly, responseOnly, signalsAndResponse"}},
		{"signals in the response", first(func(a *partners.AgreementConfig) { a.SyncReply = partners.SyncReplySignals }), "", nil},
		{"every signal in the response", first(func(a *partners.AgreementConfig) { a.SyncReply = partners.SyncReplyBusinessSignals }), "", nil},
		{"the answer in the response", first(func(a *partners.AgreementConfig) { a.SyncReply = partners.SyncReplyResponse }), "", nil},
		{"all in the response", first(func(a *partners.AgreementConfig) { a.SyncReply = partners.SyncReplyBoth }), "", nil},
		{"order", first(func(a *partners.AgreementConfig) { a.MessageOrder = partners.OrderGuaranteed }), "", nil},
		{"unknown order", first(func(a *partners.AgreementConfig) { a.MessageOrder = "guaranteed" }), "agreements[0].message_order", []string{`"guaranteed" is not NotGuaranteed or Guaranteed`}},
		{"order without acknowledgments", first(func(a *partners.AgreementConfig) {
			a.MessageOrder, a.AckRequested = partners.OrderGuaranteed, new(false)
		}), "agreements[0].message_order", []string{"needs ack_requested: true", "§9"}},
		{"order with copies", first(func(a *partners.AgreementConfig) {
			a.MessageOrder, a.DuplicateElimination = partners.OrderGuaranteed, new(false)
		}), "agreements[0].message_order", []string{"needs duplicate_elimination: true"}},
		{"order with replies in the response", first(func(a *partners.AgreementConfig) {
			a.MessageOrder, a.SyncReply = partners.OrderGuaranteed, partners.SyncReplyBoth
		}), "agreements[0].message_order", []string{"needs sync_reply: none"}},
		{"shortest gap", first(func(a *partners.AgreementConfig) { a.OrderGap = time.Minute }), "", nil},
		{"gap too short", first(func(a *partners.AgreementConfig) { a.OrderGap = time.Minute - 1 }), "agreements[0].order_gap", []string{"59.999999999s is not between 1m0s and 720h0m0s"}},
		{"longest gap", first(func(a *partners.AgreementConfig) { a.OrderGap = 30 * 24 * time.Hour }), "", nil},
		{"gap too long", first(func(a *partners.AgreementConfig) { a.OrderGap = 30*24*time.Hour + 1 }), "agreements[0].order_gap", []string{"is not between"}},
		{"nothing tolerated", first(func(a *partners.AgreementConfig) { a.Tolerate = []string{} }), "", nil},
		{"unknown deviation", first(func(a *partners.AgreementConfig) { a.Tolerate = []string{"no-start", "no-end"} }), "agreements[0].tolerate[1]", []string{`"no-end"`, "it knows no-start, start-without-brackets"}},
		{"parts below 0", first(func(a *partners.AgreementConfig) { a.MaxParts = -1 }), "agreements[0].max_parts", []string{"-1", "at least 2"}},
		{"no part but the envelope", first(func(a *partners.AgreementConfig) { a.MaxParts = 1 }), "agreements[0].max_parts", []string{"no room for a document"}},
		{"one part beside the envelope", first(func(a *partners.AgreementConfig) { a.MaxParts = 2 }), "", nil},
		{"size below 0", first(func(a *partners.AgreementConfig) { a.MaxBytes = -1 }), "agreements[0].max_bytes", []string{"-1"}},
		{"an algorithm that is not verified", first(func(a *partners.AgreementConfig) { a.Algorithms = []string{"rsa-sha256", "rsa-md5"} }), "agreements[0].algorithms[1]", []string{"rsa-md5"}},

		{"same header twice", more(func(a *partners.AgreementConfig) { a.Forms = []eco.FormCode{otherForm} }), "agreements[2].cpa_id", []string{"agreements[0]"}},
		{"same header one after the other", func(c *partners.Config) {
			next := c.Agreements[0]
			c.Agreements[0].End, next.Start = summer, summer
			c.Agreements = append(c.Agreements, next)
		}, "", nil},
		{"same header, windows that overlap by a second", func(c *partners.Config) {
			next := c.Agreements[0]
			c.Agreements[0].End, next.Start = summer, summer.Add(-time.Second)
			c.Agreements = append(c.Agreements, next)
		}, "agreements[2].cpa_id", []string{"in force at the same time"}},
		{"other actions", more(func(a *partners.AgreementConfig) {
			a.Action, a.AnswerAction, a.Actions, a.Forms = "Cancel", "AnswerCancel", ownActions(), []eco.FormCode{otherForm}
		}), "", nil},
		{"other actions for certificates and answers alone", more(func(a *partners.AgreementConfig) {
			a.Action, a.AnswerAction, a.Forms = "Cancel", "AnswerCancel", []eco.FormCode{otherForm}
		}), "agreements[2].actions", []string{"resend, cancel, response", "agreements[0] too"}},
		{"actions that are not agreed", more(func(a *partners.AgreementConfig) {
			a.Action, a.AnswerAction, a.Forms = "Cancel", "AnswerCancel", []eco.FormCode{otherForm}
			none := partners.ActionNone
			a.Actions = partners.Actions{Resend: none, Cancel: none, Response: none, StatusRequest: none, StatusReport: none, VerificationRequest: none, VerificationReply: none}
		}), "", nil},
		{"the same action for answers", more(func(a *partners.AgreementConfig) {
			a.Action, a.Actions, a.Forms = "Cancel", ownActions(), []eco.FormCode{otherForm}
		}), "agreements[2].answer_action", []string{`"AnswerCertificateOfOrigin" is an action of agreements[0] too`}},
		{"the same action for certificates", more(func(a *partners.AgreementConfig) { a.AnswerAction, a.Forms = "Answer", []eco.FormCode{otherForm} }), "agreements[2].cpa_id", []string{"agreements[0]"}},
		{"certificates where the other has answers", more(func(a *partners.AgreementConfig) {
			a.Action, a.AnswerAction, a.Actions, a.Forms = partners.DefaultAnswerAction, "Answer", ownActions(), []eco.FormCode{otherForm}
		}), "agreements[2].action", []string{"is an action of agreements[0] too"}},
		{"answers where the other has certificates", more(func(a *partners.AgreementConfig) {
			a.Action, a.AnswerAction, a.Actions, a.Forms = "Cancel", a.Action, ownActions(), []eco.FormCode{otherForm}
		}), "agreements[2].answer_action", []string{`"Submit" is an action of agreements[0] too`}},
		{"the same actions of another service", more(func(a *partners.AgreementConfig) {
			a.Service.Value, a.Forms = "urn:services:other", []eco.FormCode{otherForm}
		}), "", nil},
		{"same form from the same start", more(func(a *partners.AgreementConfig) { a.CPAID = "next" }), "agreements[2].forms", []string{"NON-PREFERENTIAL", "agreements[0]"}},
		{"same form from a later start", more(func(a *partners.AgreementConfig) { a.CPAID, a.Start = "next", summer }), "", nil},
	})
}

// ownActions are actions that no other agreement has.
func ownActions() partners.Actions {
	return partners.Actions{
		Resend: "1", Cancel: "2", Response: "3", StatusRequest: "4", StatusReport: "5", VerificationRequest: "6", VerificationReply: "7",
	}
}

func TestCheckReportsEveryProblem(t *testing.T) {
	c := valid()
	c.Node.ID, c.Partners[1].AnchorFiles, c.Agreements[0].Endpoint = "", nil, ""
	var keys []string
	for _, p := range c.Check() {
		keys = append(keys, p.Key)
	}
	want := []string{"node.id", "partners[1].anchor_files", "agreements[0].endpoint"}
	if len(keys) != 3 || keys[0] != want[0] || keys[1] != want[1] || keys[2] != want[2] {
		t.Errorf("problems of %q, want %q", keys, want)
	}
}
