package client

import (
	"context"

	"tripod/api"
)

// Prometheus opens the port at which a Prometheus of this machine reads the region's metrics, or closes it. Refusals are of type
// *APIError.
func (c *Client) Prometheus(ctx context.Context, order api.PrometheusOrder) (*api.Prometheus, error) {
	answer := &api.Prometheus{}
	return answer, c.ask(ctx, "/v1/prometheus", order, answer)
}
