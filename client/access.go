package client

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"tripod/api"
)

// CanI asks a cluster about a principal. A no is no error.
func (c *Client) CanI(ctx context.Context, cluster string, question api.AccessQuestion) (*api.Access, error) {
	access := &api.Access{}
	return access, c.ask(ctx, "/v1/clusters/"+url.PathEscape(cluster)+"/can-i", question, access)
}

// RootCredentials are those of the account's root user, who has none until somebody asks for them here.
func (c *Client) RootCredentials(ctx context.Context) (*api.Credentials, error) {
	credentials := &api.Credentials{}
	return credentials, c.ask(ctx, "/v1/root", struct{}{}, credentials)
}

// NodeCredentials are those of a node's instance, by the node's name or the instance's id: what the instance's metadata
// service would give.
func (c *Client) NodeCredentials(ctx context.Context, node string) (*api.Credentials, error) {
	credentials := &api.Credentials{}
	return credentials, c.ask(ctx, "/v1/nodes/"+url.PathEscape(node)+"/credentials", struct{}{}, credentials)
}

// WhoAmI asks a cluster whose token this is. A refusal is no error.
func (c *Client) WhoAmI(ctx context.Context, cluster, token string) (*api.Identity, error) {
	identity := &api.Identity{}
	return identity, c.ask(ctx, "/v1/clusters/"+url.PathEscape(cluster)+"/whoami", api.TokenQuestion{Token: token},
		identity)
}

// Query answers a question in PromQL about the last hour of the region's metrics.
func (c *Client) Query(ctx context.Context, question api.MetricsQuestion) (*api.MetricsAnswer, error) {
	answer := &api.MetricsAnswer{}
	return answer, c.ask(ctx, "/v1/query", question, answer)
}

func (c *Client) ask(ctx context.Context, path string, question, answer any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	response, err := c.send(ctx, http.MethodPost, path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		return c.brokenOff(ctx, err)
	}
	return nil
}
