package api

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
)

// Change is how an entry of the registry is to be changed.
type Change struct {
	// Why is for the audit log and the versions.
	Why string
	// Version is the one that the change was made for. New is for an entry that is not there; Version plays no part then.
	Version uint64
	New     bool
	// File is the FileSHA256 of version 0 that the change was made for; "" is whatever the configuration file says.
	File string
	// DryRun has the change checked and not made.
	DryRun bool
}

func (c Change) query() url.Values {
	query := make(url.Values)
	set(query, "why", c.Why)
	if c.DryRun {
		query.Set("dry_run", "true")
	}
	return query
}

// condition is the header field that makes the change one of a version.
func (c Change) condition() headerField {
	if c.New {
		return headerField{"If-None-Match", "*"}
	}
	return headerField{"If-Match", entityTag(partners.Entry{Version: c.Version, FileSHA256: c.File})}
}

func registryPath(kind partners.Kind, id string) string {
	path := base + "/registry/" + string(kind) + "s"
	if id != "" {
		path += "/" + url.PathEscape(id)
	}
	return path
}

// Entries lists the partners or agreements of the registry, without their texts.
func (c *Client) Entries(ctx context.Context, kind partners.Kind) (list []partners.Entry, err error) {
	err = c.call(ctx, http.MethodGet, registryPath(kind, ""), nil, &list)
	return list, err
}

// Entry gives the current version of an entry. The error is partners.ErrUnknownEntry if there is none.
func (c *Client) Entry(ctx context.Context, kind partners.Kind, id string) (e partners.Entry, err error) {
	err = c.call(ctx, http.MethodGet, registryPath(kind, id), nil, &e)
	return e, err
}

// EntryVersion gives one version of an entry; 0 is that of the configuration file.
func (c *Client) EntryVersion(ctx context.Context, kind partners.Kind, id string, version uint64) (e partners.Entry, err error) {
	err = c.call(ctx, http.MethodGet, registryPath(kind, id)+"?version="+strconv.FormatUint(version, 10), nil, &e)
	return e, err
}

// EntryVersions lists the versions of an entry, oldest first, without their texts.
func (c *Client) EntryVersions(ctx context.Context, kind partners.Kind, id string) (list []partners.Entry, err error) {
	err = c.call(ctx, http.MethodGet, registryPath(kind, id)+"/versions", nil, &list)
	return list, err
}

// EntryDiff compares two versions of an entry, each given as a number or "": the current one, and the one before it.
func (c *Client) EntryDiff(ctx context.Context, kind partners.Kind, id, from, to string) (d RegistryDiff, err error) {
	query := make(url.Values)
	set(query, "from", from)
	set(query, "to", to)
	err = c.call(ctx, http.MethodGet, withQuery(registryPath(kind, id)+"/diff", query), nil, &d)
	return d, err
}

// PutEntry makes text the newest version of an entry. The error is partners.ErrStale if the entry has another version by now.
func (c *Client) PutEntry(ctx context.Context, kind partners.Kind, id string, change Change, text string) (r RegistryChange, err error) {
	body := &requestBody{contentType: MediaTypeYAML, pieces: []exchange.Content{bytes.NewReader([]byte(text))}}
	err = c.call(ctx, http.MethodPut, withQuery(registryPath(kind, id), change.query()), body, &r, change.condition())
	return r, err
}

// RemoveEntry removes an entry. Errors are those of PutEntry.
func (c *Client) RemoveEntry(ctx context.Context, kind partners.Kind, id string, change Change) (r RegistryChange, err error) {
	err = c.call(ctx, http.MethodDelete, withQuery(registryPath(kind, id), change.query()), nil, &r, change.condition())
	return r, err
}

// RestoreEntry makes the text of an earlier version the newest one. Errors are those of PutEntry.
func (c *Client) RestoreEntry(ctx context.Context, kind partners.Kind, id string, change Change, version uint64) (r RegistryChange, err error) {
	query := change.query()
	query.Set("version", strconv.FormatUint(version, 10))
	err = c.call(ctx, http.MethodPost, withQuery(registryPath(kind, id)+"/restore", query), nil, &r, change.condition())
	return r, err
}

// Proposals lists the changes that wait for another operator, or did, the newest first; state "" is any.
func (c *Client) Proposals(ctx context.Context, state partners.ProposalState) (list []ProposedChange, err error) {
	query := make(url.Values)
	set(query, "state", string(state))
	err = c.call(ctx, http.MethodGet, withQuery(base+"/proposals", query), nil, &list)
	return list, err
}

// Confirm makes the change that a proposal asks for. The error is partners.ErrSameOperator if the key made it itself, partners.ErrStale if
// its entry has another version by now.
func (c *Client) Confirm(ctx context.Context, number uint64, why string) (r RegistryChange, err error) {
	err = c.post(ctx, proposalPath(number)+"/confirm", map[string]string{"why": why}, &r)
	return r, err
}

// Reject ends a proposal without a change.
func (c *Client) Reject(ctx context.Context, number uint64, why string) (p ProposedChange, err error) {
	err = c.post(ctx, proposalPath(number)+"/reject", map[string]string{"why": why}, &p)
	return p, err
}

func proposalPath(number uint64) string { return base + "/proposals/" + strconv.FormatUint(number, 10) }
