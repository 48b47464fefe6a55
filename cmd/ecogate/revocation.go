package main

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/partners/revocation"
)

// newFetcher makes what keeps the registry's knowledge of revocations up to date, with what lies in store.dir/revocation. It follows no
// redirect, uses no proxy and dials public addresses and those of node.private_networks alone.
func newFetcher(cfg config.Config, n *runningNode) *revocation.Fetcher {
	dialer := &net.Dialer{Control: n.Registry.Control, Timeout: cfg.Delivery.ConnectTimeout}
	return revocation.NewFetcher(revocation.FetcherOptions{
		Targets: n.Registry.RevocationTargets, Book: n.Registry.Revocations(), Dir: filepath.Join(cfg.Store.Dir, "revocation"),
		Now: n.now, Log: n.log,
		Client: &http.Client{
			Transport: &http.Transport{
				DialContext: dialer.DialContext, TLSHandshakeTimeout: cfg.Delivery.ConnectTimeout,
				MaxResponseHeaderBytes: 32 << 10, DisableCompression: true, DisableKeepAlives: true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	})
}

func (c *cli) partnerRevocation() *cobra.Command {
	return &cobra.Command{
		Use:   "revocation",
		Short: "List where revocations are learned from, and how old what is known is",
		Long: "List the CRLs and OCSP responders of every partner whose revocation.policy is soft or hard, what was last learned from each,\n" +
			"and why the last attempt failed.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			question := func(ctx context.Context, client *api.Client) ([]revocation.SourceStatus, error) {
				return client.Revocation(ctx)
			}
			return deal(cmd.Context(), c, answerTime, "", question, func(w *columns, list []revocation.SourceStatus) {
				w.row("PARTNERS", "KIND", "SOURCE", "SAYS", "AGE", "NEXT UPDATE", "PROBLEM")
				for _, s := range list {
					says, age := string(s.Status), ""
					if s.Kind != "ocsp" && !s.ThisUpdate.IsZero() {
						says = strconv.Itoa(s.Entries) + " revoked"
					}
					if !s.ThisUpdate.IsZero() {
						age = (time.Duration(s.AgeSeconds) * time.Second).String()
					}
					w.row(strings.Join(s.Partners, ","), s.Kind, strings.TrimSpace(s.Source+" "+s.Credential), says, age, instant(s.NextUpdate), s.Problem)
				}
			})
		},
	}
}
