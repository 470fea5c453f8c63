package client

import (
	"context"
	"net/url"
	"strings"

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

// recordTarget is a target of api.RecordFaults; false: it is none of these.
func recordTarget(text string) (api.Target, bool) {
	kind, name, _ := strings.Cut(text, "/")
	_, found := api.FindRecordFault(kind)
	return api.Target{Kind: kind, Name: name}, found
}
