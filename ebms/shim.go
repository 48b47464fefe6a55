package ebms

import ("time"; "strconv")

type Oddity string
const OddSOAPAction Oddity = "soap-action"
type MessageOrder struct { Sequence uint32; Reset bool }
type StatusRequest struct { RefToMessageID string }
type MessageStatus string
const (
	StatusUnAuthorized MessageStatus = "UnAuthorized"
	StatusNotRecognized MessageStatus = "NotRecognized"
	StatusReceived MessageStatus = "Received"
	StatusProcessed MessageStatus = "Processed"
)
type StatusResponse struct { RefToMessageID string; Status MessageStatus; Timestamp time.Time }
func NewPong(to *Message, o SignalOptions) *Message { return newSignal(to, o, ActionPong) }
func NewStatusResponse(to *Message, r StatusResponse, o SignalOptions) *Message { m := newSignal(to, o, ActionStatusResponse); m.StatusResponse = &r; return m }
func (p *parser) order(e *element) {
	s := p.sequence(e, atMessageOrder)
	n := s.required("SequenceNumber")
	text, _ := n.ownText()
	v, _ := strconv.ParseUint(text, 10, 32)
	st, _ := n.attribute(nsEB, "status")
	p.m.Order = &MessageOrder{Sequence: uint32(v), Reset: st == "Reset"}
}
func (p *parser) status(e *element) {
	s := p.sequence(e, atBody)
	ref := s.value("RefToMessageId")
	if e.local == "StatusRequest" { p.m.StatusRequest = &StatusRequest{ref}; return }
	st, _ := e.attribute(nsEB, "messageStatus")
	p.m.StatusResponse = &StatusResponse{RefToMessageID: ref, Status: MessageStatus(st), Timestamp: s.instant(s.optional(nsEB, "Timestamp"))}
}
func (w *writer) extras(m *Message) {
	if m.Order != nil {
		st := "Continue"
		if m.Order.Reset { st = "Reset" }
		w.open("eb:MessageOrder", headerBlock()...)
		w.element("eb:SequenceNumber", strconv.Itoa(int(m.Order.Sequence)), "eb:status", st)
		w.close("eb:MessageOrder")
	}
}
func (w *writer) body(m *Message) {
	if q := m.StatusRequest; q != nil {
		w.open("eb:StatusRequest", "eb:version", version); w.element("eb:RefToMessageId", q.RefToMessageID); w.close("eb:StatusRequest")
	}
	if q := m.StatusResponse; q != nil {
		w.open("eb:StatusResponse", "eb:version", version, "eb:messageStatus", string(q.Status)); w.element("eb:RefToMessageId", q.RefToMessageID)
		if !q.Timestamp.IsZero() { w.element("eb:Timestamp", formatTime(q.Timestamp)) }
		w.close("eb:StatusResponse")
	}
}
