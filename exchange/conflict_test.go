package exchange_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/partners"
)

func TestMessageIDOfOtherContentIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, sync string
		status     int
	}{{"as a message of its own", "", 204}, {"in the response", partners.SyncReplySignals, 200}} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, setup{pair: pair.Options{SyncReply: test.sync}})
			first := w.certificateDraft(sample(t))
			first.header.SyncReply = test.sync != ""
			original := first.request(w)
			if r := w.TW.receive(w, original); r.Status != test.status {
				t.Fatalf("first message answered %d", r.Status)
			}
			other := sample(t)
			other.Reference = "001-26-0912346"
			second := w.certificateDraft(other)
			second.header.MessageID, second.header.SyncReply = first.header.MessageID, test.sync != ""
			changed := second.request(w)
			reply := w.TW.receive(w, changed)

			refused := w.TW.message(w, exchange.MessageQuery{State: exchange.StateQuarantined})
			if refused.Reason.Code != string(ebms.CodeInconsistent) || !bytes.Equal(w.TW.raw(w, refused.Raw), octets(changed.Body)) {
				t.Errorf("%+v, want quarantined Inconsistent with its bytes", refused.Reason)
			}
			kept := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Inbound, State: exchange.StateAccepted})
			if kept.Copies != 0 || !bytes.Equal(w.TW.raw(w, kept.Raw), octets(original.Body)) {
				t.Errorf("the first message counts %d copies, or its bytes changed", kept.Copies)
			}
			if c := w.TW.certificate(w); c.State != exchange.CertificateAvailable || c.Data.Reference != sample(t).Reference {
				t.Errorf("certificate %s is %s", c.Data.Reference, c.State)
			}
			if reply.Status != test.status {
				t.Errorf("answered %d, want %d", reply.Status, test.status)
			}
			contentType, body := reply.ContentType, reply.Body
			if test.sync == "" {
				told := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Outbound, Kind: exchange.KindError})
				contentType, body = told.ContentType, w.TW.raw(w, told.Raw)
			}
			refusal{code: ebms.CodeInconsistent}.checkErrorList(t, contentType, body, true)
		})
	}
}

func TestCopyInOtherPackagingIsACopy(t *testing.T) {
	w := newWorld(t, setup{})
	request, sent := w.composed(sample(t))
	w.TW.receive(w, request)
	pkg, err := ebms.ReadPackage(request.ContentType, request.Body, ebms.Limits{})
	w.must(err)
	request.ContentType, request.Body, err = pkg.Pack("another-boundary")
	w.must(err)
	if r := w.TW.Receive(t.Context(), request); r.Status != 204 {
		t.Errorf("answered %d", r.Status)
	}
	if m := w.TW.message(w, exchange.MessageQuery{MessageID: sent.MessageID}); m.Copies != 1 || m.State != exchange.StateAccepted {
		t.Errorf("%s with %d copies, want accepted with 1", m.State, m.Copies)
	}
}

// SyncReply is for nodes on the way and outside the signature: a copy that lost it says the same.
func TestCopyThatLostItsSyncReplyIsACopy(t *testing.T) {
	w := newWorld(t, setup{pair: pair.Options{SyncReply: partners.SyncReplySignals}})
	request, sent := w.composed(sample(t))
	if r := w.TW.receive(w, request); r.Status != 200 {
		t.Fatalf("answered %d, want 200 with the acknowledgment", r.Status)
	}
	body := octets(request.Body)
	from := bytes.Index(body, []byte("<eb:SyncReply"))
	to := from + bytes.IndexByte(body[from:], '>') + 1
	request.Body = ebms.Bytes(slices.Concat(body[:from], body[to:]))
	if r := w.TW.Receive(t.Context(), request); r.Status != 204 {
		t.Errorf("answered %d, want 204: nobody asks for the answer in the response any more", r.Status)
	}
	if m := w.TW.message(w, exchange.MessageQuery{MessageID: sent.MessageID}); m.Copies != 1 || m.State != exchange.StateAccepted {
		t.Errorf("%s with %d copies, want accepted with 1", m.State, m.Copies)
	}
}

func TestReferenceOfOtherContentIsInConflict(t *testing.T) {
	w := newWorld(t, setup{})
	other := sample(t)
	other.Remarks = "OTHER"
	third := sample(t)
	third.Reference = strings.ReplaceAll(third.Reference, "-", " ")
	third.Remarks = "ANOTHER"
	w.TW.receive(w, w.certificateDraft(sample(t)).request(w))
	w.TW.receive(w, w.certificateDraft(other).request(w))
	w.TW.receive(w, w.certificateDraft(third).request(w))
	held := w.TW.certificates(w)
	if len(held) != 3 {
		t.Fatalf("%d certificates, want all three kept", len(held))
	}
	for _, c := range held {
		if c.State != exchange.CertificateInConflict {
			t.Errorf("%q is %s, want in conflict", c.Data.Remarks, c.State)
		}
		if len(w.TW.raw(w, c.Document)) == 0 {
			t.Errorf("%q has no document", c.Data.Remarks)
		}
	}
	if got := w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Inbound, State: exchange.StateAccepted}); len(got) != 3 {
		t.Errorf("%d messages accepted, want 3", len(got))
	}
	if got := strings.Join(w.TW.events(w), "; "); strings.Count(got, "certificate.conflict") != 2 {
		t.Errorf("audit log %s", got)
	}
}

func TestSameCertificateInAnotherMessageIsConfirmed(t *testing.T) {
	w := newWorld(t, setup{})
	w.TW.receive(w, w.certificateDraft(sample(t)).request(w))
	w.TW.receive(w, w.certificateDraft(sample(t)).request(w))
	if c := w.TW.certificate(w); c.State != exchange.CertificateAvailable {
		t.Errorf("certificate is %s, want available", c.State)
	}
	if got := w.TW.messages(w, exchange.MessageQuery{Kind: exchange.KindAcknowledgment, State: exchange.StateQueued}); len(got) != 2 {
		t.Errorf("%d acknowledgments, want one for each message", len(got))
	}
}

func TestMessageIDsOfTwoPartnersAreApart(t *testing.T) {
	w := newWorld(t, setup{})
	kr := w.certificateDraft(sample(t))
	c := sample(t)
	c.IssuingCountry, c.ExportingCountry, c.OriginCountry = "VN", "VN", "VN"
	c.IssuingBody.ID = "VCCI"
	vn := w.certificateDraft(c)
	vn.header.From.IDs[0].Value, vn.header.CPAID, vn.header.MessageID = vnParty, vnCPA, kr.header.MessageID
	vn.key = w.VN.message
	vn.content(w.document(c, w.VN.document))
	w.TW.receive(w, kr.request(w))
	w.TW.receive(w, vn.request(w))
	if got := w.TW.messages(w, exchange.MessageQuery{MessageID: kr.header.MessageID, Direction: exchange.Inbound, State: exchange.StateAccepted}); len(got) != 2 {
		t.Errorf("%d messages accepted, want one of each partner%s", len(got), w.TW.summary(w))
	}
}

func TestPartnerOfAnotherCountryCannotIssueInItsName(t *testing.T) {
	w := newWorld(t, setup{})
	d := w.certificateDraft(sample(t))
	d.header.From.IDs[0].Value, d.header.CPAID = vnParty, vnCPA
	d.key = w.VN.message
	for _, test := range []struct {
		name     string
		document []byte
	}{
		{"under its own signature", w.document(sample(t), w.VN.document)},
		{"under the body's true signature", w.document(sample(t), w.KR.key(w, partners.UseDocumentSignature, "KCCI"))},
	} {
		d.header.MessageID = uuid.NewString() + "@vn"
		d.content(test.document)
		w.TW.receive(w, d.request(w))
		m := w.TW.message(w, exchange.MessageQuery{MessageID: d.header.MessageID})
		if m.State != exchange.StateQuarantined || m.Reason.Code != string(ebms.CodeSecurityFailure) {
			t.Errorf("%s: %s %+v, want quarantined", test.name, m.State, m.Reason)
		}
	}
}
