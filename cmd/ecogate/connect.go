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
// Clients are made when they are first needed: partners come with a reload.
type poster struct {
	delivery config.Delivery
	registry *partners.Registry
	now      func() time.Time

	mu      sync.Mutex
	clients map[clientName]*ebms.Client
}

// clientName tells clients apart; those that are private may dial every address.
type clientName struct {
	partner string
	private bool
}

var _ exchange.Poster = (*poster)(nil)

func newPoster(delivery config.Delivery, registry *partners.Registry, now func() time.Time) *poster {
	return &poster{delivery: delivery, registry: registry, now: now, clients: make(map[clientName]*ebms.Client)}
}

// Post implements exchange.Poster.
func (p *poster) Post(ctx context.Context, partner string, out ebms.Outgoing) (ebms.Response, error) {
	return p.client(clientName{partner, p.registry.AllowsPrivate(partner, out.URL)}).Post(ctx, out)
}

func (p *poster) client(name clientName) *ebms.Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	client, ok := p.clients[name]
	if !ok {
		client = p.newClient(name)
		p.clients[name] = client
	}
	return client
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

// reconnect makes the next message to every partner go over a new connection, so that a handshake judges the credentials
// that count now.
func (p *poster) reconnect() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, client := range p.clients {
		client.CloseIdleConnections()
	}
}
