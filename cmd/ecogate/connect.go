package main

import (
	"context"
	"sync"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/partners"
)

// poster posts to each partner through a client of its own, because each partner's server is trusted for itself only.
// Clients are made when they are first needed, since partners come with a reload, and anew when the credentials of either
// side change: a connection proves who both are by the handshake that it began with, so that none may outlive it.
type poster struct {
	delivery config.Delivery
	registry *partners.Registry
	now      func() time.Time

	mu      sync.Mutex
	clients map[string]*basedClient
}

// basedClient is a client whose connections were all made on one basis, see partners.Registry.ClientTLSBasis.
type basedClient struct {
	*ebms.Client
	basis string
}

var _ exchange.Poster = (*poster)(nil)

func newPoster(delivery config.Delivery, registry *partners.Registry, now func() time.Time) *poster {
	return &poster{delivery: delivery, registry: registry, now: now, clients: make(map[string]*basedClient)}
}

// Post implements exchange.Poster.
func (p *poster) Post(ctx context.Context, partner string, out ebms.Outgoing) (ebms.Response, error) {
	return p.client(partner).Post(ctx, out)
}

// client gives the client for partner. One that is given up goes on with what it has under way, and its connections close
// when they are idle.
func (p *poster) client(partner string) *ebms.Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	basis := p.registry.ClientTLSBasis(partner, p.now())
	client, ok := p.clients[partner]
	if ok && client.basis == basis {
		return client.Client
	}
	if ok {
		client.CloseIdleConnections()
	}
	client = &basedClient{p.newClient(partner), basis}
	p.clients[partner] = client
	return client.Client
}

func (p *poster) newClient(partner string) *ebms.Client {
	return ebms.NewClient(ebms.ClientOptions{
		TLS:            p.registry.ClientTLS(partner, p.now),
		ConnectTimeout: p.delivery.ConnectTimeout,
		Timeout:        p.delivery.ConnectTimeout + p.delivery.ResponseTimeout, MaxReply: p.delivery.ResponseMaxBytes,
		IdlePerHost: p.delivery.PerPartner, MinRate: p.delivery.MinRate, Now: p.now,
	})
}
