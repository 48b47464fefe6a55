package exchange

import (
	"context"
	"errors"
	"fmt"

	"github.com/ecogate/ecogate/ebms"
)

// Part is one payload of a stored message.
type Part struct {
	ContentID string `json:"content_id"`
	// ContentType is as on the wire; Name is what the Manifest says of the part, for people.
	ContentType string `json:"content_type"`
	Name        string `json:"name,omitempty"`
	Size        int64  `json:"size"`
	// Content is the payload after decoding its transfer encoding: the octets that signatures cover.
	Content Content `json:"-"`
}

// Parts are the payloads of a stored message in the order of its body. Close them after use.
type Parts struct {
	List []Part
	pkg  *ebms.Package
}

// Close gives back what reading the message took. Contents must not be read any more.
func (p *Parts) Close() error { return p.pkg.Close() }

// ErrUnreadable: the stored bytes are no message that could be taken apart.
var ErrUnreadable = errors.New("stored bytes are no message")

// Parts reads the payloads of a stored message: the certificate's document and its attachments, or answers. Those of a message in
// quarantine are what its sender wrote, and nothing more is known of them. Errors: those of Store.Raw; ErrUnreadable, with
// the *ebms.Error, if the stored bytes are no message.
func (n *Node) Parts(ctx context.Context, m Message) (*Parts, error) {
	raw, err := n.store.Raw(ctx, m.Raw)
	if err != nil {
		return nil, fmt.Errorf("stored message %d: %w", m.Seq, err)
	}
	pkg, err := ebms.ReadPackage(m.ContentType, raw, n.limits)
	if err != nil {
		return nil, fmt.Errorf("stored message %d: %w: %w", m.Seq, ErrUnreadable, err)
	}
	names := map[*ebms.Part]string{}
	if header, err := ebms.Parse(pkg.Envelope); err == nil {
		for _, r := range header.Manifest {
			if part, ok := pkg.Resolve(r.Href); ok {
				names[part] = r.Description
			}
		}
	}
	parts := &Parts{pkg: pkg}
	for i := range pkg.Parts {
		p := &pkg.Parts[i]
		parts.List = append(parts.List, Part{ContentID: p.ContentID, ContentType: p.ContentType, Name: names[p], Size: p.Content.Size(), Content: p.Content})
	}
	return parts, nil
}
