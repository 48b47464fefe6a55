package partners

import (
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/signing"
)

// The span that RetryInterval may have.
const (
	minRetryInterval = time.Second
	maxRetryInterval = 30 * 24 * time.Hour
)

func (k *checker) agreement(at string, a AgreementConfig, c Config) {
	a.SetDefaults()
	if a.CPAID == "" {
		k.add(at+".cpa_id", "is required (ebMS 2.0 §3.1.2)")
	}
	i := slices.IndexFunc(c.Partners, func(p PartnerConfig) bool { return p.ID == a.Partner })
	switch {
	case a.Partner == "":
		k.add(at+".partner", "is required: the id of an entry in partners")
	case i < 0:
		k.add(at+".partner", "%q is not an id in partners", a.Partner)
	default:
		k.roles(at, a, c.Node.Role, c.Partners[i].Role)
	}
	k.window(at+".end", a.Start, a.End)
	k.forms(at+".forms", a.Forms)
	k.service(at, a)
	k.endpoint(at+".endpoint", a)
	k.reliability(at, a)
	for i, algorithm := range a.Algorithms {
		if !signing.KnownAlgorithm(algorithm) {
			k.add(fmt.Sprintf("%s.algorithms[%d]", at, i), "%q is no signature algorithm that this node verifies", algorithm)
		}
	}
	if a.MaxBytes < 0 {
		k.add(at+".max_bytes", "%d is less than 0", a.MaxBytes)
	}
}

// roles: a Role is optional in ebMS 2.0 §3.1.1.2, but products refuse messages where one party has it and the other not.
func (k *checker) roles(at string, a AgreementConfig, own, partner string) {
	ownSet, partnerSet := a.OwnRole != "" || own != "", a.PartnerRole != "" || partner != ""
	if ownSet && !partnerSet {
		k.add(at+".partner_role", "is missing while the own role is given; give both or none")
	}
	if partnerSet && !ownSet {
		k.add(at+".own_role", "is missing while the partner's role is given; give both or none")
	}
}

// service: ebMS 2.0 §3.1.4 and §3.1.5.
func (k *checker) service(at string, a AgreementConfig) {
	switch {
	case a.Service.Value == "":
		k.add(at+".service.value", "is required")
	case a.Service.Type == "" && !isURI(a.Service.Value):
		k.add(at+".service.value", "%q has no type, so it must be a URI (ebMS 2.0 §3.1.4); give a type, or write it as a URI", a.Service.Value)
	case len(a.Service.Value) >= len(reservedService) && a.Service.Value[:len(reservedService)] == reservedService:
		k.add(at+".service.value", "%q is reserved for the messaging service itself (ebMS 2.0 §3.1.4)", a.Service.Value)
	}
	if a.Action == "" {
		k.add(at+".action", "is required")
	}
}

const reservedService = "urn:oasis:names:tc:ebxml-msg:service"

func (k *checker) endpoint(key string, a AgreementConfig) {
	u, err := url.Parse(a.Endpoint)
	switch {
	case a.Endpoint == "":
		k.add(key, "is required: the partner's URL")
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		k.add(key, "%q is not an https URL", a.Endpoint)
	case u.User != nil || u.Fragment != "":
		k.add(key, "has a user or a fragment, which are not part of an endpoint")
	case u.Scheme == "http" && !a.AllowHTTP && !isLoopback(u.Hostname()):
		k.add(key, "%q is not encrypted; use https, or set allow_http: true", a.Endpoint)
	}
}

// reliability: ebMS 2.0 §6.4, §6.6 and §4.3. That PersistDuration covers every retry is not confirmed from the text; without it
// a late copy would be taken for a new message.
func (k *checker) reliability(at string, a AgreementConfig) {
	intervalOK := a.RetryInterval >= minRetryInterval && a.RetryInterval <= maxRetryInterval
	retriesOK := *a.Retries >= 0 && *a.Retries <= MaxRetries
	if !retriesOK {
		k.add(at+".retries", "%d is not between 0 and %d", *a.Retries, MaxRetries)
	}
	if !intervalOK {
		k.add(at+".retry_interval", "%s is not between %s and %s", a.RetryInterval, minRetryInterval, maxRetryInterval)
	}
	if least := time.Duration(*a.Retries+1) * a.RetryInterval; retriesOK && intervalOK && a.PersistDuration < least {
		k.add(at+".persist_duration", "%s is shorter than (retries + 1) x retry_interval, which is %s", a.PersistDuration, least)
	}
	if *a.AckSigned && !*a.AckRequested {
		k.add(at+".ack_signed", "asks for a signed acknowledgment, but ack_requested is false; set it to false too")
	}
	if a.SyncReply != SyncReplyNone && a.SyncReply != SyncReplySignals {
		k.add(at+".sync_reply", "%q is not %s or %s", a.SyncReply, SyncReplyNone, SyncReplySignals)
	}
}

// uniqueAgreements: while two agreements are in force together, header and form must tell them apart.
func (k *checker) uniqueAgreements(list []AgreementConfig) {
	for i, a := range list {
		for j, b := range list[:i] {
			if a.Partner != b.Partner || a.Partner == "" || !overlap(a, b) {
				continue
			}
			at, first := item("agreements", i), item("agreements", j)
			if a.CPAID == b.CPAID && a.Service == b.Service && a.Action == b.Action {
				k.add(at+".cpa_id", "has partner, CPAId, service and action of %s, which is in force at the same time", first)
			}
			if form, ok := sharedForm(a, b); ok && a.Start.Equal(b.Start) {
				k.add(at+".forms", "%s is in %s too, and both start at the same time; the later start decides which one is used to send", form, first)
			}
		}
	}
}

func overlap(a, b AgreementConfig) bool {
	return (a.End.IsZero() || b.Start.Before(a.End)) && (b.End.IsZero() || a.Start.Before(b.End))
}

func sharedForm(a, b AgreementConfig) (eco.FormCode, bool) {
	for _, form := range a.Forms {
		if slices.Contains(b.Forms, form) {
			return form, true
		}
	}
	return "", false
}
