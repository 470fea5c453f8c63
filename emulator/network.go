package emulator

import (
	"context"
	"io"
	"maps"
	"net"
	"net/http"

	"tripod/api"
	"tripod/nodes/network"
)

// handleConnect connects a client of the control socket to something in a cluster's network, by the first zone that answers. The
// connection ends with that zone.
func (c *control) handleConnect(w http.ResponseWriter, r *http.Request) {
	var to api.Connection
	name, ok := c.question(w, r, &to)
	if !ok {
		return
	}
	far, refused, err := c.connect(r.Context(), name, to)
	switch {
	case err != nil:
		answer(w, err)
		return
	case refused != nil:
		defer refused.Body.Close()
		maps.Copy(w.Header(), refused.Header)
		w.WriteHeader(refused.StatusCode)
		io.Copy(w, io.LimitReader(refused.Body, 64<<10))
		return
	}
	network.Carry(w, far)
}

// connect asks zone by zone; one that does not answer, or has no part of the cluster yet, is left out.
func (c *control) connect(ctx context.Context, cluster string, to api.Connection) (far net.Conn, refused *http.Response, err error) {
	err = c.region.zones.first(errNoZone, func(z *zone) error {
		if refused != nil {
			refused.Body.Close()
		}
		far, refused, err = z.agent().Connect(ctx, cluster, to)
		if err == nil && refused != nil && refused.StatusCode == http.StatusNotFound {
			return errNoZone
		}
		return err
	})
	if refused != nil {
		err = nil
	}
	return far, refused, err
}
