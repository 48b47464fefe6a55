package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

func messagesFilters(s *suite) {
	quarantined := inbound("m4@vn", "VN", "d")
	quarantined.Message.State = exchange.StateQuarantined
	s.enqueue(export("m1@kr", "K1", "a"))                               // 1
	s.accept(answered(inbound("m2@th", "TH", "b"), "ack@kr", false))    // 2, 3
	s.accept(settling("m3@th", "TH", "m1@kr", exchange.StateDelivered)) // 4
	s.accept(quarantined)                                               // 5
	s.accept(inbound("m2@th", "VN", "c"))                               // 6
	s.enqueue(signal("m6@kr", "VN"), export("m7@kr", "K2", "a"))        // 7, 8
	type query = exchange.MessageQuery
	for _, c := range []struct {
		name  string
		query query
		want  []uint64
	}{
		{"all", query{}, []uint64{8, 7, 6, 5, 4, 3, 2, 1}},
		{"number", query{Seq: 3}, []uint64{3}},
		{"unknown number", query{Seq: 9}, nil},
		{"id", query{MessageID: "m2@th"}, []uint64{6, 2}},
		{"part of an id", query{MessageID: "m2@t"}, nil},
		{"id and partner", query{MessageID: "m2@th", Partner: "TH"}, []uint64{2}},
		{"id before", query{MessageID: "m2@th", Before: 6}, []uint64{2}},
		{"unknown id", query{MessageID: "nobody"}, nil},
		{"refers to", query{RefToMessageID: "m2@th"}, []uint64{3}},
		{"refers to, kind", query{RefToMessageID: "m1@kr", Kind: exchange.KindAcknowledgment}, []uint64{4}},
		{"refers to, number", query{RefToMessageID: "m1@kr", Seq: 3}, nil},
		{"direction", query{Direction: exchange.Outbound}, []uint64{8, 7, 3, 1}},
		{"kind", query{Kind: exchange.KindCertificate}, []uint64{8, 6, 5, 2, 1}},
		{"quarantined", query{State: exchange.StateQuarantined}, []uint64{5}},
		{"queued", query{State: exchange.StateQueued}, []uint64{8, 7, 3}},
		{"queued before", query{State: exchange.StateQueued, Before: 8}, []uint64{7, 3}},
		{"delivered", query{State: exchange.StateDelivered}, []uint64{1}},
		{"accepted", query{State: exchange.StateAccepted}, []uint64{6, 4, 2}},
		{"partner", query{Partner: "VN"}, []uint64{7, 6, 5}},
		{"partner and direction, first", query{Partner: "VN", Direction: exchange.Inbound, Limit: 1}, []uint64{6}},
		{"before", query{Before: 3}, []uint64{2, 1}},
		{"before the first", query{Before: 1}, nil},
		{"limit", query{Limit: 2}, []uint64{8, 7}},
	} {
		var got []uint64
		for _, m := range s.messages(c.query) {
			got = append(got, m.Seq)
		}
		same(s, c.name, got, c.want)
	}
}

// signersFilters: what a credential signed is found by its fingerprint, with what it signed inside, and from an instant on.
func signersFilters(s *suite) {
	one, two := digest("one"), digest("two")
	arrive := func(id, signer, document string, after int) exchange.Arrival {
		a := imports(id, "TH", id, id)
		a.Message.Signer, a.Message.DocumentSigner, a.Message.Created = signer, document, at(after)
		a.Certificate.DocumentSigner, a.Certificate.Recorded = document, at(after)
		return a
	}
	refused := arrive("m4", one, "", 40)
	refused.Message.State, refused.Certificate, refused.Message.Certificate = exchange.StateQuarantined, nil, exchange.CertificateKey{}
	own := export("m5", "K1", "a")
	own.Message.Signer, own.Certificate.DocumentSigner = one, two
	// The second came later and says that it is the oldest: a clock was set back.
	s.accept(arrive("m1", one, two, 30), arrive("m2", one, one, 10), arrive("m3", two, one, 20), refused) // 1 to 4
	s.enqueue(own)                                                                                        // 5, at 0
	again := arrive("m6", one, two, 60)
	again.Certificate.Key, again.Certificate.Content = s.certificates(exchange.CertificateQuery{Seq: 1})[0].Key, digest("m1")
	s.accept(again) // 6, the certificate of 1 once more
	type query = exchange.MessageQuery
	for _, c := range []struct {
		name  string
		query query
		want  []uint64
	}{
		{"signer", query{Signer: one}, []uint64{6, 5, 4, 3, 2, 1}},
		{"other signer", query{Signer: two}, []uint64{6, 3, 1}},
		{"unknown signer", query{Signer: digest("three")}, nil},
		{"no fingerprint", query{Signer: "one"}, nil},
		{"signer and direction", query{Signer: one, Direction: exchange.Inbound}, []uint64{6, 4, 3, 2, 1}},
		{"signer since", query{Signer: one, Since: at(20)}, []uint64{6, 4, 3, 1}},
		{"signer since the last", query{Signer: one, Since: at(60)}, []uint64{6}},
		{"signer since later", query{Signer: one, Since: at(61)}, nil},
		{"signer before, since", query{Signer: one, Before: 4, Since: at(20)}, []uint64{3, 1}},
		{"signer, the newest", query{Signer: two, Limit: 1}, []uint64{6}},
		{"signer and id", query{Signer: two, MessageID: "m2"}, nil},
		{"since", query{Since: at(30)}, []uint64{6, 4, 1}},
	} {
		var got []uint64
		for _, m := range s.messages(c.query) {
			got = append(got, m.Seq)
		}
		same(s, c.name, got, c.want)
	}
	for _, c := range []struct {
		name  string
		query exchange.CertificateQuery
		want  []uint64
	}{
		{"signer", exchange.CertificateQuery{Signer: one}, []uint64{3, 2}},
		{"signer since", exchange.CertificateQuery{Signer: one, Since: at(11)}, []uint64{3}},
		{"signer before", exchange.CertificateQuery{Signer: one, Before: 3}, []uint64{2}},
		{"signer and direction", exchange.CertificateQuery{Signer: two, Direction: exchange.Outbound}, []uint64{4}},
		{"since", exchange.CertificateQuery{Since: at(20)}, []uint64{3, 1}},
	} {
		var got []uint64
		for _, r := range s.certificates(c.query) {
			got = append(got, r.Seq)
		}
		same(s, "certificates: "+c.name, got, c.want)
	}
}

func messagesPaging(s *suite) {
	const total = 230
	var all []exchange.Departure
	for i := range total {
		all = append(all, signal(fmt.Sprintf("m%d", i), "TH"))
	}
	s.enqueue(all...)
	var got []uint64
	before := uint64(0)
	for {
		page := s.messages(exchange.MessageQuery{Partner: "TH", Before: before})
		if len(page) > 100 {
			s.Fatalf("a page of %d, the default limit is 100", len(page))
		}
		if len(page) == 0 {
			break
		}
		for _, m := range page {
			got = append(got, m.Seq)
		}
		before = page[len(page)-1].Seq
	}
	slices.Reverse(got)
	for i, seq := range got {
		if seq != uint64(i+1) {
			s.Fatalf("record %d of the pages is %d", i+1, seq)
		}
	}
	if len(got) != total {
		s.Errorf("%d records over all pages, want %d", len(got), total)
	}
}

func certificatesFilters(s *suite) {
	other := imports("m3@th", "VN", "k1", "c")
	other.Certificate.Key = exchange.CertificateKey{Country: "VN", Form: "AK", Reference: "K1"}
	s.enqueue(export("m1@kr", "K1", "a"), export("m2@kr", "K2", "b"))
	s.accept(other, imports("m4@th", "TH", "T 1", "d"))
	type query = exchange.CertificateQuery
	for _, c := range []struct {
		name  string
		query query
		want  []uint64
	}{
		{"all", query{}, []uint64{4, 3, 2, 1}},
		{"number", query{Seq: 3}, []uint64{3}},
		{"number of the newest", query{Seq: 4}, []uint64{4}},
		{"unknown number", query{Seq: 5}, nil},
		{"number and reference", query{Seq: 3, Reference: "k 1"}, []uint64{3}},
		{"number and another reference", query{Seq: 2, Reference: "K1"}, nil},
		{"number and direction", query{Seq: 3, Direction: exchange.Outbound}, nil},
		{"number and message", query{Seq: 3, Message: "m1@kr"}, nil},
		{"number before", query{Seq: 3, Before: 3}, nil},
		{"reference", query{Reference: "K1"}, []uint64{3, 1}},
		{"reference in another spelling", query{Reference: "  k1 "}, []uint64{3, 1}},
		{"reference as printed", query{Reference: "T 1"}, []uint64{4}},
		{"reference and direction", query{Reference: "K1", Direction: exchange.Inbound}, []uint64{3}},
		{"reference and form", query{Reference: "K1", Form: "ATIGA-D"}, []uint64{1}},
		{"reference and country", query{Reference: "K1", Country: "VN"}, []uint64{3}},
		{"reference and message", query{Reference: "K1", Message: "m1@kr"}, []uint64{1}},
		{"reference before", query{Reference: "K1", Before: 3}, []uint64{1}},
		{"part of a reference", query{Reference: "K"}, nil},
		{"unknown reference", query{Reference: "X9"}, nil},
		{"message", query{Message: "m2@kr"}, []uint64{2}},
		{"unknown message", query{Message: "nobody"}, nil},
		{"direction", query{Direction: exchange.Outbound}, []uint64{2, 1}},
		{"partner", query{Partner: "VN"}, []uint64{3}},
		{"reference and partner", query{Reference: "K1", Partner: "TH"}, []uint64{1}},
		{"country", query{Country: "KR"}, []uint64{4, 2, 1}},
		{"before and limit", query{Before: 4, Limit: 2}, []uint64{3, 2}},
	} {
		var got []uint64
		for _, r := range s.certificates(c.query) {
			got = append(got, r.Seq)
		}
		same(s, c.name, got, c.want)
	}
}

func rawComparesTheDigest(s *suite) {
	a, b := signal("m1", "TH"), signal("m2", "TH")
	b.Raw = a.Raw
	results := s.enqueue(a, b)
	ref := results[0].Message.Raw
	s.rawIs(ref, a.Raw)
	s.rawIs(results[1].Message.Raw, a.Raw)
	if ref.Digest != results[1].Message.Raw.Digest {
		s.Error("equal bytes have different digests")
	}
	other := ref
	other.Digest = digest("other")
	if _, err := s.Raw(s.Context(), other); !errors.Is(err, exchange.ErrDamaged) && !errors.Is(err, exchange.ErrNotFound) {
		s.Errorf("bytes under another digest: %v", err)
	}
	for _, month := range []string{"", "1999-01", "../2026-11", "2026-13"} {
		absent := ref
		absent.Month = month
		if month == "" {
			absent = exchange.RawRef{}
		}
		if _, err := s.Raw(s.Context(), absent); !errors.Is(err, exchange.ErrNotFound) {
			s.Errorf("month %q: %v, want ErrNotFound", month, err)
		}
	}
}

// hostileIdentifiers come from the wire: whatever they hold, they identify and nothing else.
func hostileIdentifiers(s *suite) {
	ids := []string{"a", "ab", "a\x00b", "a\x00", "../../etc/passwd", "\xff\xfe", strings.Repeat("x", 254), strings.Repeat("x", 255), strings.Repeat("x", 100_000), strings.Repeat("x", 99_999) + "y"}
	references := make(map[string]int)
	for i, id := range ids {
		id = strings.ToValidUTF8(id, "?")
		a := imports(id, "TH", id, id)
		a.Message.RefToMessageID = id
		if r := s.accept(a)[0]; !r.Fresh || r.Conflict {
			s.Errorf("id %d: Fresh %v, Conflict %v", i, r.Fresh, r.Conflict)
		}
		if r := s.accept(a)[0]; r.Fresh || r.Conflict {
			s.Errorf("id %d: its copy is no duplicate", i)
		}
		if m := s.message(exchange.MessageQuery{MessageID: id}); m.MessageID != id {
			s.Errorf("id %d finds another message", i)
		}
		s.message(exchange.MessageQuery{RefToMessageID: id})
		references[eco.NormaliseReference(id)]++
	}
	for reference, n := range references {
		if found := s.certificates(exchange.CertificateQuery{Reference: reference}); len(found) != n {
			s.Errorf("reference of %d bytes finds %d certificates, want %d", len(reference), len(found), n)
		}
	}
}

func endedContextWritesNothing(s *suite) {
	ctx := ended(s.Context())
	if _, err := s.Enqueue(ctx, []exchange.Departure{signal("m1", "TH")}); !errors.Is(err, context.Canceled) {
		s.Errorf("Enqueue: %v", err)
	}
	if _, err := s.Accept(ctx, []exchange.Arrival{inbound("m2", "TH", "a")}); !errors.Is(err, context.Canceled) {
		s.Errorf("Accept: %v", err)
	}
	if n := len(s.messages(exchange.MessageQuery{})); n != 0 {
		s.Errorf("%d messages were written", n)
	}
}

func reopenedStoreHasEverything(s *suite) {
	s.enqueue(export("m1@kr", "K1", "a"), signal("m2@kr", "VN"))
	s.accept(answered(imports("m3@th", "TH", "T1", "a"), "ack@kr", false), settling("m4@th", "TH", "m1@kr", exchange.StateDelivered))
	messages, certificates := s.messages(exchange.MessageQuery{}), s.certificates(exchange.CertificateQuery{})
	s.reopen()
	same(s, "messages", s.messages(exchange.MessageQuery{}), messages)
	same(s, "certificates", s.certificates(exchange.CertificateQuery{}), certificates)
	for _, c := range certificates {
		s.rawIs(c.Document, strings.NewReader("document "+c.Key.Reference+" a"))
	}
	if r := s.accept(imports("m3@th", "TH", "T1", "a"))[0]; r.Fresh || r.Message.Copies != 1 {
		s.Errorf("a duplicate after reopening: %+v", r)
	}
	if r := s.enqueue(export("m9@kr", "K1", "a"))[0]; r.Fresh || r.Message.MessageID != "m1@kr" {
		s.Errorf("a repeated certificate after reopening: %+v", r)
	}
	if jobs := s.claim(start, 9); len(jobs) != 2 {
		s.Errorf("%d due messages after reopening, want 2", len(jobs))
	}
}
