package api

import (
	"bytes"
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/clearance/cusdec"
	"github.com/ecogate/ecogate/exchange"
)

// interchangeBody is an EDIFACT interchange as its file says it.
func interchangeBody(data []byte) *requestBody {
	return &requestBody{cusdec.MediaType, []exchange.Content{bytes.NewReader(data)}}
}

// LodgeInterchange hands an EDIFACT interchange of declarations to the node, which tells of each message. It may be repeated after any
// error: what was taken is not taken twice. The error is a *Problem with every fault if the interchange is refused as a whole.
func (c *Client) LodgeInterchange(ctx context.Context, interchange []byte) (taken TakenInterchange, err error) {
	err = c.call(ctx, http.MethodPost, base+"/declarations", interchangeBody(interchange), &taken)
	return taken, err
}

// LodgeForReport does the same, and gives the node's answer as an interchange with a message CONTRL.
func (c *Client) LodgeForReport(ctx context.Context, interchange []byte) ([]byte, error) {
	_, report, err := c.do(ctx, http.MethodPost, base+"/declarations", interchangeBody(interchange), headerField{echo.HeaderAccept, cusdec.MediaType})
	return report, err
}
