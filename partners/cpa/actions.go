package cpa

import (
	"slices"
	"strings"

	"github.com/ecogate/ecogate/partners"
)

// DefaultAction is the name by which the action that carries certificates is known without being told.
const DefaultAction = "SubmitCertificateOfOrigin"

// meaning is a business message of an agreement.
type meaning struct {
	// key is that of the configuration.
	key   string
	usual string
	of    func(*partners.AgreementConfig) *string
}

// meanings are all of them; the first is the certificate itself, the second its answer.
var meanings = []meaning{
	{"action", DefaultAction, func(a *partners.AgreementConfig) *string { return &a.Action }},
	{"answer_action", partners.DefaultAnswerAction, func(a *partners.AgreementConfig) *string { return &a.AnswerAction }},
	{"resend", partners.DefaultResendAction, func(a *partners.AgreementConfig) *string { return &a.Actions.Resend }},
	{"cancel", partners.DefaultCancelAction, func(a *partners.AgreementConfig) *string { return &a.Actions.Cancel }},
	{"response", partners.DefaultResponseAction, func(a *partners.AgreementConfig) *string { return &a.Actions.Response }},
	{"status_request", partners.DefaultStatusRequestAction, func(a *partners.AgreementConfig) *string { return &a.Actions.StatusRequest }},
	{"status_report", partners.DefaultStatusReportAction, func(a *partners.AgreementConfig) *string { return &a.Actions.StatusReport }},
	{"verification_request", partners.DefaultVerificationRequestAction, func(a *partners.AgreementConfig) *string { return &a.Actions.VerificationRequest }},
	{"verification_reply", partners.DefaultVerificationReplyAction, func(a *partners.AgreementConfig) *string { return &a.Actions.VerificationReply }},
}

// ActionKeys are the keys that Options.Actions may have.
func ActionKeys() []string {
	var keys []string
	for _, m := range meanings {
		keys = append(keys, m.key)
	}
	return keys
}

// actions gives each action of the pairs its meaning. Those that no action has are not agreed.
func (im *importer) actions(a, base *partners.AgreementConfig, pairs []pair) {
	means := map[string]string{} // key by action
	for _, m := range meanings {
		name := m.usual
		if base != nil && *m.of(base) != "" {
			name = *m.of(base)
		}
		if given := im.o.Actions[m.key]; given != "" {
			name = given
		}
		means[name] = m.key
	}
	for _, m := range meanings { // what was given counts before what is usual
		if given := im.o.Actions[m.key]; given != "" {
			means[given] = m.key
		}
	}
	found := map[string]string{} // action by key
	var left []pair
	for _, p := range pairs {
		if key, known := means[p.own.action]; known {
			found[key] = p.own.action
		} else {
			left = append(left, p)
		}
	}
	im.guess(found, left)
	for i, m := range meanings {
		name, there := found[m.key]
		switch {
		case there:
			*m.of(a) = name
		case i > 1:
			*m.of(a) = partners.ActionNone
		case i == 1:
			*m.of(a) = partners.DefaultAnswerAction
			if base != nil && base.AnswerAction != "" {
				*m.of(a) = base.AnswerAction
			}
		default:
			im.refuse(pairs[0].own.node.up("ServiceBinding"), "", "no action carries certificates; say which one does")
		}
	}
	im.directions(a, pairs)
}

// guess gives a meaning to actions whose names have none: the only one that is left and answers nothing carries certificates, and the
// one that answers it in the HTTP response is its answer.
func (im *importer) guess(found map[string]string, left []pair) {
	var asks, answers []string
	for _, p := range left {
		list := &asks
		if p.own.within != nil || p.other.within != nil {
			list = &answers
		}
		if !slices.Contains(*list, p.own.action) {
			*list = append(*list, p.own.action)
		}
	}
	if found["action"] == "" && len(asks) == 1 && len(answers) <= 1 {
		found["action"] = asks[0]
		if found["answer_action"] == "" && len(answers) == 1 && answers[0] != asks[0] {
			found["answer_action"] = answers[0]
		}
	}
	for _, p := range left {
		if p.own.action != found["action"] && p.own.action != found["answer_action"] {
			im.refuse(p.own.node, "action", "%q is no business message that this node knows; say which one it is: %s", p.own.action, strings.Join(ActionKeys(), ", "))
		}
	}
}

// directions tells of messages that the CPA lets only one party send: agreements of this node have no direction.
func (im *importer) directions(a *partners.AgreementConfig, pairs []pair) {
	sent, received := map[string]bool{}, map[string]bool{}
	for _, p := range pairs {
		if p.own.sends {
			sent[p.own.action] = true
		} else {
			received[p.own.action] = true
		}
	}
	for _, p := range pairs {
		name := p.own.action
		// An answer goes the other way than what it answers, and both are agreed or neither.
		if name == a.AnswerAction || sent[name] && received[name] {
			continue
		}
		who := "this node's party"
		if !p.own.sends {
			who = "the partner"
		}
		im.warn(p.own.node, "action", "only %s may send %q, and this node has no directions: it does not refuse it from the other side", who, name)
	}
	im.answers(a, pairs, sent, received)
}

// answers tells when answers are not given: but for those to conflicts this node gives them in the HTTP response or not at all.
func (im *importer) answers(a *partners.AgreementConfig, pairs []pair, sent, received map[string]bool) {
	for _, p := range pairs {
		mode := syncMode(p.receiver().channels[0].characteristics)
		if p.own.sends && p.own.action == a.AnswerAction && (mode == partners.SyncReplyNone || mode == partners.SyncReplySignals) {
			im.warn(p.own.node, "action", "%q is sent about a number with two contents alone: this node gives other answers in the HTTP response, and syncReplyMode is %s", a.AnswerAction, mode)
		}
	}
	if name := a.AnswerAction; !sent[name] && !received[name] {
		im.warn(pairs[0].own.node.up("ServiceBinding"), "", "has no action for answers to certificates; where syncReplyMode has them given, this node names them %q", name)
	}
}
