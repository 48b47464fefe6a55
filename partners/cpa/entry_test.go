package cpa_test

import (
	"strings"
	"testing"

	"github.com/ecogate/ecogate/partners"
)

func TestPartnersEntryGetsWhatItLacks(t *testing.T) {
	side := as(t, mustRead(t, shapes(t)["ack-channel"]), 0).Partner
	p := partners.PartnerConfig{ID: "BETA", Country: "BB"}
	if added, err := side.AddTo(&p); err != nil || !added {
		t.Fatal(added, err)
	}
	if p.Name != side.Name || p.Role != "CUSTOMS" || len(p.PartyIDs) != 1 || len(p.Anchors) != 1 || len(p.Credentials) != 3 {
		t.Errorf("%+v", p)
	}
	if added, err := side.AddTo(&p); err != nil || added {
		t.Errorf("added again: %t %v", added, err)
	}

	// What is there stays, and a use that is missing comes beside it.
	p.Name, p.Role, p.Credentials[1].Uses = "Beta", "other", []partners.Use{partners.UseTLSServer}
	if added, err := side.AddTo(&p); err != nil || !added || p.Name != "Beta" || p.Role != "other" || len(p.Credentials) != 4 || p.Credentials[3].Uses[0] != partners.UseTLSClient {
		t.Errorf("%t %v %+v", added, err, p)
	}

	// The entry is one that a registry takes.
	node := as(t, mustRead(t, shapes(t)["ack-channel"]), 0)
	config := partners.Config{
		Node:     partners.NodeConfig{ID: "ALPHA", Country: "AA", PartyIDs: node.Own.PartyIDs},
		Partners: []partners.PartnerConfig{p}, Agreements: node.Agreements,
	}
	config.Agreements[0].Partner = "BETA"
	for _, problem := range config.Check() {
		if !strings.Contains(problem.Key, "forms") && !strings.Contains(problem.Key, "country") {
			t.Error(problem)
		}
	}

	p.Anchors = append(p.Anchors, "none")
	if _, err := side.AddTo(&p); err == nil || !strings.HasPrefix(err.Error(), "anchors: ") {
		t.Error(err)
	}
	p.Anchors, p.Intermediates = nil, []string{"none"}
	if _, err := side.AddTo(&p); err == nil || !strings.HasPrefix(err.Error(), "intermediates: ") {
		t.Error(err)
	}
	p.Intermediates, p.Credentials[0].PEM = nil, "none"
	if _, err := side.AddTo(&p); err == nil || !strings.HasPrefix(err.Error(), "credentials[0]: ") {
		t.Error(err)
	}
	p.Credentials[0].File = "file.pem"
	if _, err := side.AddTo(&p); err == nil || !strings.Contains(err.Error(), "in files") {
		t.Error(err)
	}
}
