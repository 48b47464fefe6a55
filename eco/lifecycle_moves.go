package eco

import (
	"fmt"
	"slices"
	"strings"
)

// move is one row of the tables below: on that event a certificate in one of those states goes to another, unless effect
// refuses. effect changes what the life knows; it finds the state as it was.
type move struct {
	on     EventKind
	from   []State
	to     State
	effect func(*Life, Event) *refusal
}

// effected as move.to: the state stays, or effect sets it.
const effected State = "\x00"

// refusal is why an effect does not happen.
type refusal struct{ code, why string }

func refuse(code, format string, args ...any) *refusal {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

func movesOf(side Side) ([]move, bool) {
	switch side {
	case SideExporting:
		return exportMoves, true
	case SideImporting:
		return importMoves, true
	}
	return nil, false
}

// Groups of states of the tables.
var (
	// travelling: on the way, and no answer of the partner's says that it arrived.
	travelling = []State{StateReleased, StateSent, StateFailed}
	// away: the partner may have it and has not decided.
	away = []State{StateReleased, StateSent, StateReceipted, StateFailed}
	// decided: the partner accepted it, and everything that may follow.
	decided = []State{StateAccepted, StateUsedInPart, StateUsedUp, StateDenied, StateCancelled, StateReplaced, StateExpired}
	// answered: the partner has said something about it.
	answered = slices.Concat(decided, []State{StateReceipted, StateRejected})
	// admitted: we may cite and use it, or could.
	admitted = []State{StateAvailable, StateCited, StateUsedInPart}
	// ended are the terminal states.
	ended = []State{StateUsedUp, StateDenied, StateCancelled, StateReplaced, StateExpired}
	// held: declarations may cite it, or did when it came to this; one in conflict may be refused under them.
	held = slices.Concat(admitted, ended, []State{StateSuspended, StateInConflict, StateRefused})
	// drawn: something may have been written off.
	drawn = []State{StateUsedInPart, StateUsedUp, StateDenied, StateCancelled, StateExpired}
)

// exportMoves is the life of a certificate that our own issuing body issued.
var exportMoves = []move{
	{EventIssue, []State{StateNone}, StateIssued, (*Life).begin},
	{EventIssue, States(SideExporting), effected, (*Life).sameContent},
	{EventRelease, []State{StateIssued, StateReleased, StateFailed, StateRejected}, StateReleased, (*Life).carried},
	{EventSend, travelling, StateSent, (*Life).carried},
	{EventSend, answered, effected, (*Life).carried}, // The answer overtook the end of the attempt.
	{EventReceipt, travelling, StateReceipted, (*Life).mustKnow},
	{EventReceipt, answered, effected, (*Life).mustKnow},
	{EventFail, append([]State{StateReceipted}, travelling...), StateFailed, (*Life).mustKnow},
	{EventAccept, away, StateAccepted, (*Life).mustKnow},
	{EventAccept, decided, effected, (*Life).mustKnow},
	{EventReject, away, StateRejected, (*Life).mustKnow},
	{EventReject, []State{StateRejected}, effected, (*Life).mustKnow},
	{EventSettle, []State{StateRejected}, StateAccepted, nil}, // What the partner rejected because of another one holds after all.
	{EventRefuse, []State{StateAccepted}, StateRejected, (*Life).mustBeUnused},
	{EventUse, append([]State{StateAccepted, StateUsedInPart}, away...), effected, (*Life).useAbroad},
	{EventUse, []State{StateCancelled, StateExpired}, effected, (*Life).useAbroad},
	{EventDeny, append([]State{StateAccepted, StateUsedInPart, StateUsedUp, StateDenied, StateExpired}, away...), effected, (*Life).deny},
	{EventVerify, append([]State{StateReceipted, StateSent, StateReleased, StateFailed, StateRejected}, decided...), effected, (*Life).ask},
	{EventResend, []State{StateSent, StateReceipted, StateAccepted, StateUsedInPart, StateUsedUp, StateDenied, StateExpired}, effected, (*Life).carried},

	{EventReverse, drawn, effected, (*Life).reverse},
	{EventReopen, States(SideExporting), effected, (*Life).reopen},
	{EventReply, States(SideExporting), effected, (*Life).reply},
	{EventClose, States(SideExporting), effected, (*Life).closeRequest},
	{EventCancel, append([]State{StateIssued, StateAccepted, StateRejected, StateDenied}, away...), StateCancelled, (*Life).mustBeUnused},
	{EventCancel, []State{StateCancelled}, effected, nil},
	{EventReplace, append([]State{StateIssued, StateAccepted, StateRejected, StateDenied, StateCancelled}, away...), StateReplaced, (*Life).succeed},
	{EventReplace, []State{StateReplaced}, effected, (*Life).sameSuccessor},
	{EventExpire, append([]State{StateIssued, StateAccepted, StateRejected, StateUsedInPart}, away...), StateExpired, (*Life).overdue},
	{EventExpire, []State{StateExpired}, effected, nil},
}

// importMoves is the life of a certificate that a partner sent.
var importMoves = []move{
	{EventReceive, []State{StateNone}, StateReceived, (*Life).begin},
	{EventReceive, []State{StateRefused}, effected, (*Life).receiveRefused},
	{EventReceive, []State{StateReceived, StateAvailable, StateCited, StateSuspended, StateInConflict, StateUsedInPart}, effected, (*Life).receiveAgain},
	{EventReceive, ended, effected, (*Life).sameContent},
	{EventAdmit, []State{StateReceived}, StateAvailable, nil},
	{EventAdmit, []State{StateAvailable}, effected, nil},
	{EventRefuse, []State{StateReceived, StateInConflict}, StateRefused, (*Life).mustBeUnused},
	{EventRefuse, []State{StateRefused}, effected, nil},
	{EventSettle, []State{StateInConflict}, effected, (*Life).settleConflict},
	{EventCite, append([]State{StateSuspended, StateExpired}, admitted...), effected, (*Life).cite},
	{EventWithdraw, held, effected, (*Life).withdraw},
	{EventLapse, held, effected, (*Life).lapse},
	{EventDraw, append([]State{StateExpired, StateUsedUp}, admitted...), effected, (*Life).drawForChild},
	{EventReturn, append([]State{StateSuspended, StateInConflict}, drawn...), effected, (*Life).returnFromChild},
	{EventUse, []State{StateCited, StateUsedInPart, StateCancelled, StateExpired}, effected, (*Life).useHere},
	{EventDeny, append([]State{StateSuspended, StateUsedUp, StateDenied, StateExpired}, admitted...), effected, (*Life).deny},
	{EventVerify, admitted, effected, (*Life).suspend},
	{EventVerify, append([]State{StateSuspended, StateInConflict}, ended...), effected, (*Life).ask},

	{EventReverse, append([]State{StateSuspended, StateInConflict}, drawn...), effected, (*Life).reverse},
	{EventReopen, States(SideImporting), effected, (*Life).reopen},
	{EventReply, States(SideImporting), effected, (*Life).reply},
	{EventClose, States(SideImporting), effected, (*Life).closeRequest},
	{EventCancel, []State{StateReceived, StateRefused, StateAvailable, StateCited, StateSuspended, StateInConflict, StateDenied}, StateCancelled, (*Life).mustBeUnused},
	{EventCancel, []State{StateCancelled}, effected, nil},
	{EventReplace, []State{StateReceived, StateRefused, StateAvailable, StateCited, StateSuspended, StateInConflict, StateDenied, StateCancelled}, StateReplaced, (*Life).succeed},
	{EventReplace, []State{StateReplaced}, effected, (*Life).sameSuccessor},
	{EventExpire, append([]State{StateReceived, StateRefused, StateSuspended, StateInConflict}, admitted...), StateExpired, (*Life).overdue},
	{EventExpire, []State{StateExpired}, effected, nil},
}

// cause says why an event may not happen in a state: the first that fits.
type cause struct {
	on   []EventKind // nil for every event
	in   []State     // nil for every state
	code string
	why  string // {successor} stands for Life.Successor
}

var (
	withdrawing = []EventKind{EventCancel, EventReplace}
	using       = []EventKind{EventUse, EventDraw}
)

var causes = []cause{
	{nil, []State{StateNone}, ReasonNotReceived, "no such certificate is known"},
	{withdrawing, []State{StateUsedInPart, StateUsedUp}, ReasonExhausted, "goods were written off against it; only an unused certificate is cancelled or replaced"},
	{withdrawing, []State{StateReplaced}, ReasonWithdrawn, "it was replaced by {successor}"},
	{withdrawing, []State{StateExpired}, ReasonExpired, "its validity has ended"},
	{using, []State{StateUsedUp}, ReasonExhausted, "nothing is left of it"},
	{using, []State{StateReplaced}, ReasonWithdrawn, "it was replaced by {successor}, which counts in its place"},
	{using, []State{StateSuspended}, ReasonOrigin, "a verification is open, or its issuer is in doubt"},
	{using, []State{StateInConflict}, CodeReferenceReused, "another document came under its number"},
	{using, []State{StateDenied}, ReasonOther, "the preference was denied; reopen it first"},
	{using, []State{StateAvailable}, ReasonOther, "no import declaration cites it"},
	{nil, []State{StateIssued}, ReasonNotReceived, "no message has carried it to the partner"},
	{[]EventKind{EventReject}, decided, ReasonOther, "the partner accepted it; what its customs decide afterwards is a denial"},
	{[]EventKind{EventAccept}, []State{StateRejected}, ReasonOther, "the partner rejected it; release it again, and its answer to that message counts"},
	{[]EventKind{EventFail}, nil, ReasonOther, "the partner has answered it, so it was delivered"},
	{[]EventKind{EventReverse, EventReturn}, nil, ReasonOther, "nothing that was written off could be given back"},
}

// whyNot says why no move of the tables leads on from a state, and which reason code fits.
func whyNot(l Life, e Event) (code, why string) {
	moves, _ := movesOf(l.Side)
	if !slices.ContainsFunc(moves, func(m move) bool { return m.on == e.Kind }) {
		return ReasonOther, fmt.Sprintf("the %s side knows no such event", l.Side)
	}
	for _, c := range causes {
		if (c.on == nil || slices.Contains(c.on, e.Kind)) && (c.in == nil || slices.Contains(c.in, l.State)) {
			return c.code, strings.ReplaceAll(c.why, "{successor}", l.Successor)
		}
	}
	return codeOf(l.State), fmt.Sprintf("that does not happen to a certificate that is %s", l.State)
}

// codeOf is the reason code that fits a state that something may not happen in.
func codeOf(s State) string {
	switch s {
	case StateCancelled, StateReplaced:
		return ReasonWithdrawn
	case StateUsedUp, StateUsedInPart:
		return ReasonExhausted
	case StateExpired:
		return ReasonExpired
	case StateInConflict:
		return CodeReferenceReused
	case StateSuspended:
		return ReasonOrigin
	}
	return ReasonOther
}
