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
	clients map[string]*ebms.Client
}

var _ exchange.Poster = (*poster)(nil)

func newPoster(delivery config.Delivery, registry *partners.Registry, now func() time.Time) *poster {
	return &poster{delivery: delivery, registry: registry, now: now, clients: make(map[string]*ebms.Client)}
}

// Post implements exchange.Poster.
func (p *poster) Post(ctx context.Context, partner string, out ebms.Outgoing) (ebms.Response, error) {
	return p.client(partner).Post(ctx, out)
}

func (p *poster) client(partner string) *ebms.Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	client, ok := p.clients[partner]
	if !ok {
		client = p.newClient(partner)
		p.clients[partner] = client
	}
	return client
}

func (p *poster) newClient(partner string) *ebms.Client {
	return ebms.NewClient(ebms.ClientOptions{
		TLS:            p.registry.ClientTLS(partner, p.now),
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
