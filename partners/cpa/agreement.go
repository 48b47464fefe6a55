package cpa

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners"
)

// Options say what a CPA leaves open.
type Options struct {
	// Own are this node's party ids; one of them tells which of the two parties this node is.
	Own []partners.PartyID
	// Partner is the id of the partner in Agreements.
	Partner string
	// Actions give names of actions their meaning: the key is that of the configuration, "action", "answer_action" or one of those below
	// "actions", the value the action's name. Without it a name has the meaning that Base or our defaults give it, and
	// one that is left over alone is the action that carries certificates.
	Actions map[string]string
	// Forms travel under agreements that Base does not have. Those of a service are under its value, those of any other under "".
	Forms map[string][]eco.FormCode
	// Base are the agreements that there are. What a CPA does not say, such as forms, is taken over from the one with its
	// CPAId and service.
	Base []partners.AgreementConfig
	// At is the instant at which the CPA is to be in force; zero to leave that open.
	At time.Time
}

// Imported is what a CPA means to one of its parties, which is this node.
type Imported struct {
	// Agreements has one entry for each service.
	Agreements []partners.AgreementConfig
	// Own and Partner are the two sides.
	Own, Partner Side
	// Findings are what this node cannot do as the CPA has it; with one that is Refused nothing else is to be used.
	Findings []Finding
}

// Refused tells whether a Finding says so.
func (i *Imported) Refused() bool {
	return slices.ContainsFunc(i.Findings, func(f Finding) bool { return f.Severity == Refused })
}

// ErrOtherParties: none of the party ids of this node is in the CPA, or those of both parties are.
var ErrOtherParties = errors.New("which party of the CPA this node is cannot be told")

// importer turns one CPA into Imported.
type importer struct {
	findings
	c            *CPA
	o            Options
	own, partner *Party
	out          *Imported
	channels     map[*node]bool // that were looked at
	certificates map[*node]*held
}

// Agreement says what c means to the party that has one of o.Own. The error wraps ErrOtherParties; everything else that is amiss
// is among the Findings.
func (c *CPA) Agreement(o Options) (*Imported, error) {
	im := &importer{c: c, o: o, out: &Imported{}, channels: map[*node]bool{}, certificates: map[*node]*held{}}
	if err := im.parties(); err != nil {
		return nil, err
	}
	im.whole()
	pairs := im.pairs()
	if len(pairs) == 0 {
		im.refuse(c.root, "", "nothing that one party sends and the other receives is agreed")
	}
	for i, g := range grouped(pairs) {
		im.out.Agreements = append(im.out.Agreements, im.agreement(i, g))
	}
	im.credentials(pairs)
	im.out.Findings = im.list
	return im.out, nil
}

// parties finds out who is who.
func (im *importer) parties() error {
	is := [2]bool{}
	for i, p := range im.c.Parties {
		is[i] = slices.ContainsFunc(p.IDs, func(id partners.PartyID) bool { return slices.Contains(im.o.Own, id) })
	}
	if is[0] == is[1] {
		return fmt.Errorf("%w: it has the parties %s and %s, this node is %s", ErrOtherParties,
			partyText(im.c.Parties[0].IDs), partyText(im.c.Parties[1].IDs), partyText(im.o.Own))
	}
	im.own, im.partner = &im.c.Parties[0], &im.c.Parties[1]
	if is[1] {
		im.own, im.partner = im.partner, im.own
	}
	im.out.Own = Side{Name: im.own.Name, PartyIDs: im.own.IDs}
	im.out.Partner = Side{Name: im.partner.Name, PartyIDs: im.partner.IDs}
	for _, n := range im.own.info.all("PartyId") {
		if id := (partners.PartyID{Type: n.attribute("type"), Value: n.text}); !slices.Contains(im.o.Own, id) {
			im.refuse(n, "", "%s is no party id of this node; add it to party_ids under node", partyText([]partners.PartyID{id}))
		}
	}
	return nil
}

func partyText(ids []partners.PartyID) string {
	text := ""
	for i, id := range ids {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%.200q", id.Value)
		if id.Type != "" {
			text += fmt.Sprintf(" (type %.200q)", id.Type)
		}
	}
	if text == "" {
		return "nobody"
	}
	return text
}

// whole looks at what concerns the CPA as a whole.
func (im *importer) whole() {
	root := im.c.root
	switch status := root.child("Status"); {
	case im.c.Status == "proposed":
		im.refuse(status, "value", "it is a proposal; both parties have to agree to it first")
	case im.c.Status == "signed" && len(im.c.Signatures) == 0:
		im.refuse(status, "value", "says that it is signed, and there is no Signature")
	}
	for _, name := range []string{"Start", "End"} {
		if _, zoned, _ := parseTime(root.child(name).text); !zoned {
			im.warn(root.child(name), "", "names no zone; it is taken for UTC")
		}
	}
	if at := im.o.At; !at.IsZero() && !at.Before(im.c.End) {
		im.warn(root.child("End"), "", "has passed: messages under it are refused")
	}
	if n := root.child("ConversationConstraints"); n != nil {
		for _, name := range n.order {
			im.warn(n, name, "this node does not count conversations")
		}
	}
	for i, s := range im.c.Signatures {
		if s.Party < 0 {
			im.warn(root.child("Signature"), "", "signature %d is by %q, whose credential no party of the CPA has", i+1, s.Signer.Subject)
		}
	}
}

// pair is a message that one party sends and the other receives.
type pair struct{ own, other *binding }

func (p pair) sender() *binding {
	if p.own.sends {
		return p.own
	}
	return p.other
}

func (p pair) receiver() *binding {
	if p.own.sends {
		return p.other
	}
	return p.own
}

// action names a message for errors.
type message struct {
	service partners.Service
	action  string
	sends   bool
}

func (b *binding) message() message { return message{b.service, b.action, b.sends} }

// pairs puts together what one party sends and the other receives: by OtherPartyActionBinding, and without it by service and action.
// What only one party has is not agreed.
func (im *importer) pairs() []pair {
	byNode, byMessage := map[*node]*binding{}, map[message]*binding{}
	for _, b := range im.partner.bindings {
		byNode[b.node] = b
		if byMessage[b.message()] == nil {
			byMessage[b.message()] = b
		}
	}
	var out []pair
	taken := map[*binding]bool{}
	for _, b := range im.own.bindings {
		want := message{b.service, b.action, !b.sends}
		other := byMessage[want]
		if named := b.node.parent.child("OtherPartyActionBinding"); named != nil {
			if other = byNode[im.c.ids[named.text]]; other.message() != want {
				im.refuse(named, "", "want the other party's %s of this service and action, found %s", verb(want.sends), other.node.path())
				continue
			}
		}
		if other == nil {
			im.refuse(b.node, "action", "%q is nothing that the other party %ss", b.action, lowerVerb(want.sends))
			continue
		}
		if back := other.node.parent.child("OtherPartyActionBinding"); back != nil && im.c.ids[back.text] != b.node {
			im.refuse(back, "", "want %s, found %s", b.node.path(), im.c.ids[back.text].path())
			continue
		}
		taken[other] = true
		out = append(out, pair{b, other})
	}
	for _, b := range im.partner.bindings {
		if !taken[b] {
			im.refuse(b.node, "action", "%q is nothing that this node's party %ss", b.action, lowerVerb(!b.sends))
		}
	}
	return out
}

func verb(sends bool) string {
	if sends {
		return "CanSend"
	}
	return "CanReceive"
}

func lowerVerb(sends bool) string {
	if sends {
		return "send"
	}
	return "receive"
}

// grouped puts pairs of one service together, in the order in which services come first.
func grouped(pairs []pair) [][]pair {
	at := map[partners.Service]int{}
	var out [][]pair
	for _, p := range pairs {
		i, known := at[p.own.service]
		if !known {
			i = len(out)
			at[p.own.service] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], p)
	}
	return out
}

// agreement makes the agreement of one service, the i-th.
func (im *importer) agreement(i int, pairs []pair) partners.AgreementConfig {
	first := pairs[0]
	forms, named := im.o.Forms[first.own.service.Value]
	if !named {
		forms = im.o.Forms[""]
	}
	a := partners.AgreementConfig{Forms: forms}
	var base *partners.AgreementConfig
	for n, there := range im.o.Base {
		if there.CPAID != im.c.ID {
			continue
		}
		if im.o.Partner != "" && there.Partner != im.o.Partner { // whose agreement it would take the place of
			im.refuse(im.c.root, "cpaid", "the agreement %q is one with partner %q; another CPA needs another cpaid", there.CPAID, there.Partner)
			continue
		}
		if there.Service == first.own.service {
			base = &im.o.Base[n]
			a = there
		}
	}
	if base == nil && i > 0 { // the first is known by its CPAId
		a.ID = im.c.ID + "#" + first.own.service.Value
	}
	a.CPAID, a.Partner, a.Start, a.End, a.Service = im.c.ID, im.o.Partner, im.c.Start, im.c.End, first.own.service
	if a.Start.Equal(openStart) {
		a.Start = time.Time{}
	}
	if a.End.Equal(openEnd) {
		a.End = time.Time{}
	}
	a.OwnRole, a.PartnerRole = first.own.role, first.other.role
	for _, p := range pairs {
		im.sameRole(p.own, a.OwnRole)
		im.sameRole(p.other, a.PartnerRole)
	}
	if im.out.Own.Role == "" {
		im.out.Own.Role, im.out.Partner.Role = a.OwnRole, a.PartnerRole
	}
	im.actions(&a, base, pairs)
	im.terms(&a, pairs)
	return a
}

func (im *importer) sameRole(b *binding, role string) {
	if b.role != role {
		im.refuse(b.node.up("CollaborationRole").child("Role"), "name", "is %q, and %q elsewhere for the same service; this node has one role of each party for a service", b.role, role)
	}
}
