package api

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/partners/revocation"
)

// revocation answers GET /revocation.
func (s *server) revocation(c echo.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	if err := s.audit(c, "revocation.listed", "", ""); err != nil {
		return err
	}
	list := []revocation.SourceStatus{}
	if s.Revocation != nil {
		list = append(list, s.Revocation()...)
	}
	return c.JSON(http.StatusOK, list)
}

// Revocation tells where revocations are learned from and how old what is known is.
func (c *Client) Revocation(ctx context.Context) ([]revocation.SourceStatus, error) {
	var list []revocation.SourceStatus
	err := c.call(ctx, http.MethodGet, base+"/revocation", nil, &list)
	return list, err
}
