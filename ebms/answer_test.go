package ebms_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecogate/ecogate/ebms"
)

func TestAcknowledgmentAnswersItsMessage(t *testing.T) {
	to := business()
	want := &ebms.Message{
		From: to.To, To: to.From, CPAID: to.CPAID, ConversationID: to.ConversationID,
		Service: ebms.Service{Value: ebms.MSHService}, Action: ebms.ActionAcknowledgment,
		MessageID: "answer@th.example", Timestamp: instant().Add(time.Minute), RefToMessageID: to.MessageID,
		Acknowledgment: &ebms.Acknowledgment{
			Timestamp: instant().Add(time.Second), RefToMessageID: to.MessageID, From: to.To.IDs, Actor: ebms.ActorToPartyMSH,
		},
	}
	got := ebms.NewAcknowledgment(to, signalOptions())
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("acknowledgment differs (-want +got)\n%s", diff)
	}
	if err := got.Validate(); err != nil {
		t.Error(err)
	}
}

func TestAcknowledgmentTakesItsDefaults(t *testing.T) {
	to := business()
	to.AckRequested = nil
	self := ebms.Party{IDs: []ebms.PartyID{{Value: "urn:customs:th"}}, Role: "hub"}
	got := ebms.NewAcknowledgment(to, ebms.SignalOptions{MessageID: "a", Now: instant(), Self: self})
	if !got.Acknowledgment.Timestamp.Equal(instant()) || got.Acknowledgment.Actor != ebms.ActorToPartyMSH {
		t.Errorf("acknowledgment %+v", got.Acknowledgment)
	}
	if diff := cmp.Diff(self, got.From); diff != "" {
		t.Errorf("From differs (-want +got)\n%s", diff)
	}
}

func TestMessageErrorAnswersItsMessage(t *testing.T) {
	to := business()
	list := ebms.NewErrorList(ebms.NewSecurityFailure("//Header", io.ErrUnexpectedEOF))
	want := &ebms.Message{
		From: to.To, To: to.From, CPAID: to.CPAID, ConversationID: to.ConversationID,
		Service: ebms.Service{Value: ebms.MSHService}, Action: ebms.ActionMessageError,
		MessageID: "answer@th.example", Timestamp: instant().Add(time.Minute), RefToMessageID: to.MessageID, Errors: &list,
	}
	got := ebms.NewMessageError(to, list, signalOptions())
	if diff := cmp.Diff(want, got, equalMessages); diff != "" {
		t.Errorf("error message differs (-want +got)\n%s", diff)
	}
	if data := envelope(t, got); strings.Contains(string(data), io.ErrUnexpectedEOF.Error()) {
		t.Errorf("the cause is told: %s", data)
	}
}

func TestErrorsAreNotAnsweredWithErrors(t *testing.T) {
	list := ebms.NewErrorList(ebms.NewUnknown(nil))
	failure := ebms.NewMessageError(business(), list, signalOptions())
	partlyRead := ebms.NewMessageError(business(), list, signalOptions())
	partlyRead.Errors = nil
	warned := business()
	warnings := ebms.NewErrorList(ebms.NewDeliveryFailure(ebms.SeverityWarning, "", nil))
	warned.Errors = &warnings
	for _, test := range []struct {
		name     string
		to       *ebms.Message
		answered bool
	}{
		{"business message", business(), true},
		{"business message with a warning", warned, true},
		{"acknowledgment", ebms.NewAcknowledgment(business(), signalOptions()), true},
		{"error message", failure, false},
		{"error message of which the list was not read", partlyRead, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := ebms.NewMessageError(test.to, list, signalOptions()); (got != nil) != test.answered {
				t.Errorf("answer %+v, want one: %v", got, test.answered)
			}
		})
	}
}

func TestErrorsTellCodeAndSentenceOnly(t *testing.T) {
	cause := errors.New("signer CN=evil")
	for code, e := range map[ebms.Code]*ebms.Error{
		ebms.CodeValueNotRecognized: ebms.NewValueNotRecognized("x", cause),
		ebms.CodeNotSupported:       ebms.NewNotSupported("x", cause),
		ebms.CodeInconsistent:       ebms.NewInconsistent("x", cause),
		ebms.CodeOtherXML:           ebms.NewOtherXML("x", cause),
		ebms.CodeDeliveryFailure:    ebms.NewDeliveryFailure(ebms.SeverityError, "x", cause),
		ebms.CodeTimeToLiveExpired:  ebms.NewTimeToLiveExpired(cause),
		ebms.CodeSecurityFailure:    ebms.NewSecurityFailure("x", cause),
		ebms.CodeMimeProblem:        ebms.NewMimeProblem("x", cause),
		ebms.CodeUnknown:            ebms.NewUnknown(cause),
	} {
		if e.Code != code || e.Severity != ebms.SeverityError || e.Description == "" || strings.Contains(e.Description, "evil") {
			t.Errorf("%s is %+v", code, e)
		}
		if !errors.Is(e, cause) || !strings.HasPrefix(e.Error(), string(code)) || !strings.HasSuffix(e.Error(), cause.Error()) {
			t.Errorf("%s reads %q and loses its cause", code, e)
		}
	}
}

func TestAsErrorFindsTheCode(t *testing.T) {
	inner := ebms.NewMimeProblem("cid:x", io.EOF)
	if got := ebms.AsError(fmt.Errorf("reading: %w", inner)); got != inner {
		t.Errorf("wrapped error gives %v", got)
	}
	if got := ebms.AsError(io.EOF); got.Code != ebms.CodeUnknown || !errors.Is(got, io.EOF) {
		t.Errorf("other error gives %v", got)
	}
	if got := ebms.AsError(nil); got != nil {
		t.Errorf("nil gives %v", got)
	}
}

func TestErrorListHasItsHighestSeverity(t *testing.T) {
	warning, failure := ebms.NewDeliveryFailure(ebms.SeverityWarning, "", nil), ebms.NewUnknown(nil)
	if got := ebms.NewErrorList(warning, warning).HighestSeverity; got != ebms.SeverityWarning {
		t.Errorf("severity of warnings is %s", got)
	}
	if got := ebms.NewErrorList(warning, failure, warning).HighestSeverity; got != ebms.SeverityError {
		t.Errorf("severity with an error is %s", got)
	}
	if text := (&ebms.Error{Code: "private", Description: "told by a partner"}).Error(); text != "private: told by a partner" {
		t.Errorf("error that was read prints %q", text)
	}
}

func TestFaultComesBackAsCause(t *testing.T) {
	for _, test := range []struct {
		name   string
		err    error
		status int
		code   string
	}{
		{"unreadable message", ebms.NewOtherXML("", io.EOF), 400, ebms.FaultClient},
		{"block that is not understood", ebms.NewNotSupported("", &ebms.MustUnderstandError{Space: "urn:x", Local: "y"}), 500, ebms.FaultMustUnderstand},
	} {
		t.Run(test.name, func(t *testing.T) {
			reply := ebms.FaultReply(test.err)
			if reply.Status != test.status || reply.ContentType != "text/xml; charset=UTF-8" {
				t.Errorf("reply %d %s", reply.Status, reply.ContentType)
			}
			m, err := ebms.Parse(reply.Body)
			var fault *ebms.Fault
			if m != nil || !errors.As(err, &fault) || fault.Code != test.code || fault.Text == "" {
				t.Errorf("read as %+v, %v", m, err)
			}
		})
	}
}
