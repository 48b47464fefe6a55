package api

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/exchange"
)

// The two anonymous paths.
const (
	pathLive  = "/healthz"
	pathReady = "/readyz"
)

// readyTimeout bounds the readiness check, so that a probe hears "no" and not nothing.
const readyTimeout = 2 * time.Second

// health is the body of both health answers; readiness that fails is a problem of code not_ready.
type health struct {
	Status healthStatus `json:"status"`
}

type healthStatus string

const (
	statusLive  healthStatus = "live"
	statusReady healthStatus = "ready"
)

// healthRoutes are the paths that take no key.
func (s *server) healthRoutes() []route {
	return []route{
		{
			method: http.MethodGet, path: pathLive, handle: s.live,
			operation: operation{id: "live", tag: tagService, summary: "The process runs", answers: []answer{answersJSON[health](http.StatusOK, "It does.")}},
		},
		{
			method: http.MethodGet, path: pathReady, handle: s.ready,
			operation: operation{
				id: "ready", tag: tagService, summary: "The node can take work",
				answers: []answer{answersJSON[health](http.StatusOK, "It can.")}, problems: []Code{CodeNotReady},
			},
		},
	}
}

// live says that the process runs and its listener answers.
func (s *server) live(c echo.Context) error {
	return c.JSON(http.StatusOK, health{Status: statusLive})
}

// ready says that the node can take work. The cause of a "no" goes to the log: the path is anonymous.
func (s *server) ready(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), readyTimeout)
	defer cancel()
	if err := s.Ready(ctx); err != nil {
		s.Log.WarnContext(ctx, "not ready", "error", err)
		return problem(CodeNotReady, "")
	}
	return c.JSON(http.StatusOK, health{Status: statusReady})
}

// storeAnswers is the default readiness check.
func storeAnswers(store Reader) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := store.Messages(ctx, exchange.MessageQuery{Limit: 1})
		return err
	}
}
