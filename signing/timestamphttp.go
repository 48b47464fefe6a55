package signing

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
)

// HTTPAuthority is a time-stamp authority over HTTP (RFC 3161 §3.4). Safe for concurrent use.
type HTTPAuthority struct {
	URL string
	// Client posts the request; its Timeout and Transport are the caller's choice.
	Client *http.Client
}

var _ TimeStampAuthority = HTTPAuthority{}

// Ask implements TimeStampAuthority. A reply of more than 64 KiB or of another media type is an error.
func (a HTTPAuthority) Ask(ctx context.Context, request []byte) ([]byte, error) {
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL, bytes.NewReader(request))
	if err != nil {
		return nil, err
	}
	post.Header.Set("Content-Type", "application/timestamp-query")
	reply, err := a.Client.Do(post)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s, expected 200 OK", a.URL, reply.Status)
	}
	if mediaType, _, _ := mime.ParseMediaType(reply.Header.Get("Content-Type")); mediaType != "application/timestamp-reply" {
		return nil, fmt.Errorf("%s answered with %.100q, expected application/timestamp-reply", a.URL, mediaType)
	}
	const limit = 2 * maxToken
	body, err := io.ReadAll(io.LimitReader(reply.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading the reply of %s: %w", a.URL, err)
	}
	if len(body) > limit {
		return nil, fmt.Errorf("%s answered with more than %d octets", a.URL, limit)
	}
	return body, nil
}
