package client

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"

	"tripod/api"
	"tripod/internal/datadir"
	"tripod/internal/upgrade"
)

// CanReach asks whether a connection passes in a cluster's network, and by which rules. A no is no error.
func (c *Client) CanReach(ctx context.Context, cluster string, question api.ReachQuestion) (*api.Reach, error) {
	reach := &api.Reach{}
	return reach, c.ask(ctx, "/v1/clusters/"+url.PathEscape(cluster)+"/can-reach", question, reach)
}

// Connect connects to a Service, a pod or a node of a cluster's network. The error is an *APIError where the network refuses it,
// and os.ErrDeadlineExceeded too where its rules do not let the connection pass.
func (c *Client) Connect(ctx context.Context, cluster string, to api.Connection) (net.Conn, error) {
	body, err := json.Marshal(to)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://tripod/v1/clusters/"+url.PathEscape(cluster)+"/connect",
		bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	raw, err := new(net.Dialer).DialContext(ctx, "unix", datadir.SocketPath(c.dataDir))
	if err != nil {
		return nil, c.notRunning()
	}
	conn, refused, err := upgrade.Ask(ctx, raw, request)
	if err != nil {
		return nil, c.brokenOff(ctx, err)
	}
	if refused == nil {
		return conn, nil
	}
	defer refused.Body.Close()
	err = apiError(refused)
	if refused.StatusCode == http.StatusGatewayTimeout {
		err = &filteredError{err}
	}
	return nil, err
}

// filteredError is a refusal by the network's rules, at which a client of AWS would wait in vain.
type filteredError struct{ error }

func (e *filteredError) Unwrap() error        { return e.error }
func (e *filteredError) Is(target error) bool { return target == os.ErrDeadlineExceeded }
