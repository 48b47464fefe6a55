package exchange

import (
	"fmt"
	"time"

	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// SignStatement signs what this node states, with the key for messages that counts at an instant, as signing.SignAnnouncement does: CMS SignedData in
// DER with the content inside. The error wraps partners.ErrNoKey or is one of signing.
func (n *Node) SignStatement(content []byte, at time.Time) ([]byte, error) {
	defer n.computing()()
	key, err := n.registry.Key(partners.UseMessageSignature, "", at)
	if err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	return signing.SignAnnouncement(content, key, at)
}
