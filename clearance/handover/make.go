package handover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

// ready is the parcel of a handover, made if it was not made yet, with its record as it is then. What was made is durable, and the same
// for ever. The error is a *Refusal if the parcel cannot be made, and wraps ErrDropped if it was dropped.
func (d *Desk) ready(ctx context.Context, h Handover) (Handover, Parcel, error) {
	if h.Parcel == nil {
		made, err := d.first(ctx, h)
		if err != nil {
			return h, Parcel{}, err
		}
		h = made
	}
	if !h.Parcel.Dropped.IsZero() {
		return h, Parcel{}, fmt.Errorf("handover %s: %w at %s", h.ID, ErrDropped, h.Parcel.Dropped.Format(time.RFC3339))
	}
	octets, err := d.Vault.Get(ctx, h.Parcel.SHA256)
	if errors.Is(err, clearance.ErrNotFound) {
		octets, err = d.again(ctx, h)
	}
	if err != nil {
		return h, Parcel{}, err
	}
	return h, parcelOf(h, octets), nil
}

// first makes a parcel and records what it is, unless somebody was faster.
func (d *Desk) first(ctx context.Context, h Handover) (Handover, error) {
	octets, err := d.make(ctx, h)
	if err != nil {
		return h, err
	}
	sum, err := d.Vault.Put(ctx, octets)
	if err != nil {
		return h, fmt.Errorf("keeping the parcel of handover %s: %w", h.ID, err)
	}
	d.Point("handover.made")
	return d.update(ctx, h.ID, func(now *Handover) (change, error) {
		if now.Parcel != nil {
			return change{}, nil
		}
		now.Parcel = &ParcelInfo{Key: keyOf(*now), SHA256: sum, Size: int64(len(octets)), Made: d.Now().UTC()}
		return change{made: true, due: now.Parcel.Made}, nil
	})
}

// again makes a parcel anew whose octets were lost, if they come out as they were.
func (d *Desk) again(ctx context.Context, h Handover) ([]byte, error) {
	octets, err := d.make(ctx, h)
	if err != nil {
		return nil, err
	}
	if digestOf(octets) != h.Parcel.SHA256 {
		return nil, &Refusal{"the parcel's octets were lost, and those that are made now are others; retry hands them over under another key"}
	}
	if _, err := d.Vault.Put(ctx, octets); err != nil {
		return nil, fmt.Errorf("keeping the parcel of handover %s: %w", h.ID, err)
	}
	return octets, nil
}

// keyOf is the idempotency key of a round.
func keyOf(h Handover) string {
	if h.Round <= 1 {
		return h.ID
	}
	return fmt.Sprintf("%s-%d", h.ID, h.Round)
}

func parcelOf(h Handover, octets []byte) Parcel {
	return Parcel{
		Key: h.Parcel.Key, ID: h.ID, Declaration: h.Declaration, Version: h.Version, Occasion: h.Occasion,
		SHA256: h.Parcel.SHA256, Content: octets, Again: !h.Delivered.IsZero(),
	}
}

// make makes the octets of a parcel.
func (d *Desk) make(ctx context.Context, h Handover) ([]byte, error) {
	docket, err := d.docket(ctx, KindContent, h.ID)
	if err != nil {
		return nil, lost(err)
	}
	var made content
	if err := docket.Into(&made); err != nil {
		return nil, &Refusal{err.Error()}
	}
	if len(made.Lives) != len(h.Certificates) {
		return nil, &Refusal{fmt.Sprintf("handover %s: %d certificates with %d lives", h.ID, len(h.Certificates), len(made.Lives))}
	}
	m := Manifest{ID: h.ID, Declaration: h.Declaration, Version: h.Version, Revision: h.Revision, Occasion: h.Occasion, At: h.At, Certificates: []ManifestCertificate{}}
	contents := [][]byte{made.Body}
	if made.Original != nil {
		contents = append(contents, made.Original)
	}
	for i, cited := range h.Certificates {
		c, documents, err := d.certificate(ctx, cited, made.Lives[i], h.At)
		if err != nil {
			return nil, fmt.Errorf("certificate %s: %w", cited.Key, err)
		}
		m.Certificates = append(m.Certificates, ManifestCertificate{
			Key: c.Key, State: string(cited.State), Partner: c.Partner, Message: c.Message, Received: c.Recorded.UTC(),
		})
		contents = append(contents, documents...)
	}
	return pack(m, contents)
}

// certificate are the signed octets of a certificate, its rendition and its report, as it stood.
func (d *Desk) certificate(ctx context.Context, cited Cited, life eco.Life, at time.Time) (clearance.Imported, [][]byte, error) {
	found, err := d.Store.Imported(ctx, clearance.ImportedQuery{Seq: cited.Seq, Limit: 1})
	if err == nil && len(found) == 0 {
		err = clearance.ErrNotFound
	}
	if err != nil {
		return clearance.Imported{}, nil, lost(err)
	}
	c := found[0]
	c.Life, c.State = life, cited.State
	octets, err := d.Store.Document(ctx, c.Seq)
	if err != nil {
		return c, nil, lost(err)
	}
	if digestOf(octets) != cited.SHA256 {
		return c, nil, &Refusal{"its signed document is not the one that was cited"}
	}
	pdf, err := d.Documents.Rendition(ctx, c)
	if err != nil {
		return c, nil, fmt.Errorf("rendition: %w", err)
	}
	report, err := d.Documents.Report(ctx, c, at)
	if err != nil {
		return c, nil, fmt.Errorf("report: %w", err)
	}
	return c, [][]byte{octets, pdf, report}, nil
}

// lost is err as a *Refusal if something is not there any more, which no waiting brings back.
func lost(err error) error {
	if errors.Is(err, clearance.ErrNotFound) {
		return &Refusal{err.Error()}
	}
	return err
}
