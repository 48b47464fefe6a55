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
	clients map[clientName]*basedClient
}

// clientName tells clients apart; those that are private may dial every address.
type clientName struct {
	partner string
	private bool
}

// basedClient is a client whose connections were all made on one basis, see partners.Registry.ClientTLSBasis.
type basedClient struct {
	*ebms.Client
	basis string
}

var _ exchange.Poster = (*poster)(nil)

func newPoster(delivery config.Delivery, registry *partners.Registry, now func() time.Time) *poster {
	return &poster{delivery: delivery, registry: registry, now: now, clients: make(map[clientName]*basedClient)}
}

// Post implements exchange.Poster.
func (p *poster) Post(ctx context.Context, partner string, out ebms.Outgoing) (ebms.Response, error) {
	return p.client(clientName{partner, p.registry.AllowsPrivate(partner, out.URL)}).Post(ctx, out)
}

// client gives the client with that name. One that is given up goes on with what it has under way, and its connections close
// when they are idle.
func (p *poster) client(name clientName) *ebms.Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	basis := p.registry.ClientTLSBasis(name.partner, p.now())
	client, ok := p.clients[name]
	if ok && client.basis == basis {
		return client.Client
	}
	if ok {
		client.CloseIdleConnections()
	}
	client = &basedClient{p.newClient(name), basis}
	p.clients[name] = client
	return client.Client
}

func (p *poster) newClient(name clientName) *ebms.Client {
	control := p.registry.Control
	if name.private {
		control = nil
	}
	return ebms.NewClient(ebms.ClientOptions{
		TLS:            p.registry.ClientTLS(name.partner, p.now),
		Control:        control,
		ConnectTimeout: p.delivery.ConnectTimeout,
		Timeout:        p.delivery.ConnectTimeout + p.delivery.ResponseTimeout, MaxReply: p.delivery.ResponseMaxBytes,
		IdlePerHost: p.delivery.PerPartner, MinRate: p.delivery.MinRate, Now: p.now,
	})
}
