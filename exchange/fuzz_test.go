package exchange_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
)

// FuzzReceive gives a node arbitrary requests: octets as they are, or grafted into a signed message in place of some of its
// bytes. (Keys differ between the processes of a fuzzer, so a signed message as a seed would be nobody's.)
func FuzzReceive(f *testing.F) {
	w := newWorld(f, setup{})
	request, _ := w.composed(sample(f))
	node, memory := w.TW.overSink(f, w)
	node.Receive(context.Background(), request)
	original := memory.arrival
	if original.Certificate == nil {
		f.Fatalf("the message itself was refused: %+v", original.Message.Reason)
	}
	for _, folder := range []string{"exchange", "ebms"} {
		files, err := filepath.Glob("../testdata/hostile/" + folder + "/*.http")
		w.must(err)
		for _, file := range files {
			header, body := readHostile(f, file)
			f.Add(header.Get("Content-Type"), body, false, 0, 0)
		}
	}
	for _, at := range []int{0, 200, 900, 3000, int(request.Body.Size()) - 100} {
		f.Add("", []byte("x"), true, at, 1)
		f.Add("", []byte("<eb:Role>x</eb:Role>"), true, at, 0)
		f.Add("", []byte{}, true, at, 50)
	}
	f.Fuzz(func(t *testing.T, contentType string, patch []byte, graft bool, at, drop int) {
		r := request
		if graft {
			body := octets(r.Body)
			at = min(max(at, 0), len(body))
			r.Body = ebms.Bytes(slices.Concat(body[:at], patch, body[at+min(max(drop, 0), len(body)-at):]))
		} else {
			r.ContentType, r.Body = contentType, ebms.Bytes(patch)
		}
		memory.arrival = nil
		reply := node.Receive(context.Background(), r)
		if err := checkReception(reply, memory.arrival, original); err != nil {
			t.Fatal(err)
		}
		if reply.Status < 200 || reply.Status > 500 {
			t.Fatalf("answered %d", reply.Status)
		}
		got := memory.arrival
		if got.Message.State == exchange.StateAccepted && (got.Certificate == nil || got.Certificate.Content != original.Certificate.Content) {
			t.Fatalf("accepted %+v", got.Certificate)
		}
		if got.Reply != nil && got.Reply.Message.Kind == exchange.KindError && got.Message.Signer == "" {
			t.Fatalf("an error is sent in answer to a message that nobody signed: %+v", got.Message.Reason)
		}
		if len(reply.Body) > 0 && reply.Status == 200 {
			if m, err := ebms.Parse(reply.Body); err != nil || m.Signed {
				t.Fatalf("answer %q: signed, or %v", reply.Body, err)
			}
		}
	})
}
