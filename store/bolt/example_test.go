package bolt_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/store/bolt"
)

func Example() {
	dir, err := os.MkdirTemp("", "store")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	store, err := bolt.Open(dir, bolt.Options{Now: time.Now})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()

	ctx := context.Background()
	received := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	arrival := exchange.Arrival{
		Message: exchange.Message{
			Kind: exchange.KindCertificate, State: exchange.StateAccepted, MessageID: "20261120-1@customs.example", Partner: "TH",
			Created: received, Content: "digest of what the signature covers",
		},
		Raw:   strings.NewReader("the HTTP entity body"),
		Audit: []exchange.AuditEntry{{At: received, Actor: "TH", Event: "message.accepted", Subject: "20261120-1@customs.example"}},
	}
	for range 2 { // the partner sends it again because our acknowledgment was lost
		results, err := store.Accept(ctx, []exchange.Arrival{arrival})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("fresh:", results[0].Fresh, "record:", results[0].Message.Seq, "copies:", results[0].Message.Copies)
	}
	fmt.Println("check:", store.Check(ctx))
	// Output:
	// fresh: true record: 1 copies: 0
	// fresh: false record: 1 copies: 1
	// check: <nil>
}
