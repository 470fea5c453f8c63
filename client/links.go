package client

import (
	"context"

	"tripod/api"
)

// Link gives one of api.LinkVerbs to a link, and returns when the effect is there. Refusals are of type *APIError.
func (c *Client) Link(ctx context.Context, order api.LinkOrder) error {
	return c.ask(ctx, "/v1/links", order, nil)
}

// Partition cuts a link, such as "a-b", "a-clients" or "a-all": nothing crosses it, and nobody is told.
func (c *Client) Partition(ctx context.Context, link string, fault api.LinkFault) error {
	return c.Link(ctx, api.LinkOrder{Verb: api.Partition, Link: link, LinkFault: fault})
}

// Slow delays what crosses a link, loses some of it, or lets only so much pass.
func (c *Client) Slow(ctx context.Context, link string, fault api.LinkFault) error {
	return c.Link(ctx, api.LinkOrder{Verb: api.Slow, Link: link, LinkFault: fault})
}

// Heal takes every fault off a link.
func (c *Client) Heal(ctx context.Context, link string) error {
	return c.Link(ctx, api.LinkOrder{Verb: api.Heal, Link: link})
}
