package exchange_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/store/bolt"
	"github.com/ecogate/ecogate/testdata/certificates"
)

// A node is made of a store, what it knows of its partners, and a clock. What Submit has returned is durable; submitting it
// again is harmless.
func ExampleNode_Submit() {
	dir, err := os.MkdirTemp("", "example")
	check(err)
	defer os.RemoveAll(dir)
	sides, err := pair.Make(dir, pair.Options{Algorithm: pkitest.P256})
	check(err)
	cfg, err := config.Load(sides.KR.ConfigFile, nil)
	check(err)
	registry, err := partners.New(cfg.Registry())
	check(err)
	store, err := bolt.Open(filepath.Join(dir, "store"), bolt.Options{Now: ecotest.Now})
	check(err)
	defer store.Close()
	node, err := exchange.New(exchange.Options{Store: store, Registry: registry, Now: ecotest.Now})
	check(err)

	data, err := certificates.JSON.ReadFile("nonpreferential-kcci.json")
	check(err)
	certificate, err := eco.Decode(data)
	check(err)
	for range 2 {
		submission, err := node.Submit(context.Background(), "chamber", "TW", certificate)
		check(err)
		fmt.Println(submission.Key, submission.Message.State, submission.Fresh)
	}
	// Output:
	// KR/NON-PREFERENTIAL/001260912345 queued true
	// KR/NON-PREFERENTIAL/001260912345 queued false
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
