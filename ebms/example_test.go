package ebms_test

import (
	"fmt"
	"time"

	"github.com/ecogate/ecogate/ebms"
)

// A message with one payload is written, read and acknowledged.
func Example() {
	now := time.Date(2026, 11, 20, 10, 15, 0, 0, time.UTC)
	out := &ebms.Message{
		From:           ebms.Party{IDs: []ebms.PartyID{{Value: "urn:customs:vn"}}, Role: "exporter"},
		To:             ebms.Party{IDs: []ebms.PartyID{{Value: "urn:customs:th"}}, Role: "importer"},
		CPAID:          "vn-th-1",
		ConversationID: "c-1",
		Service:        ebms.Service{Value: "urn:customs:origin"},
		Action:         "Submit",
		MessageID:      "1@vn.example",
		Timestamp:      now,
		TimeToLive:     now.Add(time.Hour),
		AckRequested:   &ebms.AckRequested{Signed: true},
		Manifest:       []ebms.ManifestReference{{ID: "co", Href: ebms.CIDToHref("co@vn.example")}},
	}
	envelope, err := out.Envelope()
	if err != nil {
		fmt.Println(err)
		return
	}
	// Package signing would sign the envelope here.
	sent := ebms.Package{Envelope: envelope, Parts: []ebms.Part{
		{ContentID: "co@vn.example", ContentType: "application/xml", Content: ebms.Bytes([]byte("<CertificateOfOrigin/>"))},
	}}
	contentType, body, err := sent.Pack("5f0c9a")
	if err != nil {
		fmt.Println(err)
		return
	}

	received, err := ebms.ReadPackage(contentType, body, ebms.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	in, err := ebms.Parse(received.Envelope) // and verify the signature
	if err != nil {
		fmt.Println(err)
		return
	}
	part, _ := received.Resolve(in.Manifest[0].Href)
	payload, err := ebms.ReadAll(part.Content, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s: %s\n", in.MessageID, payload)

	ack := ebms.NewAcknowledgment(in, ebms.SignalOptions{MessageID: "1@th.example", Now: now.Add(time.Second)})
	fmt.Println(ack.Action, "of", ack.RefToMessageID, "to", ack.To.IDs[0].Value)
	// Output:
	// 1@vn.example: <CertificateOfOrigin/>
	// Acknowledgment of 1@vn.example to urn:customs:vn
}
