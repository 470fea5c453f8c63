package client

import (
	"context"
	"net/url"

	"tripod/api"
)

// Fault puts a fault in force of what is no process of a zone, and returns when it is. What there is says
// api.RecordFaults. Refusals are of type *APIError.
func (c *Client) Fault(ctx context.Context, order api.FaultOrder) (*api.FaultDone, error) {
	return c.fault(ctx, api.FaultVerb, order)
}

// TakeBack takes back every fault of the order's target. It is no error that there is none.
func (c *Client) TakeBack(ctx context.Context, order api.FaultOrder) (*api.FaultDone, error) {
	return c.fault(ctx, api.Reset, order)
}

func (c *Client) fault(ctx context.Context, verb string, order api.FaultOrder) (*api.FaultDone, error) {
	done := &api.FaultDone{}
	return done, c.ask(ctx, "/v1/faults/"+url.PathEscape(verb), order, done)
}
