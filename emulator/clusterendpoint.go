package emulator

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"time"

	"tripod/api"
	"tripod/az"
	"tripod/az/plan"
	"tripod/region"
)

// open assumes the lock.
func (p *endpoints) open(c *cluster) error {
	listener := p.newListener(c.state)
	if err := listener.open(); err != nil {
		return err
	}
	roots := &roots{}
	roots.set(c.state.CACert)
	balancer, err := p.newClusterBalancer(c.state, listener, roots)
	if err != nil {
		listener.Close()
		return err
	}
	c.listener, c.balancer, c.roots = listener, balancer, roots
	return nil
}

func (p *endpoints) newListener(state az.ClusterState) *endpointListener {
	address, _ := netip.ParseAddr(p.options.ClientAddress) // empty: the zero address, of which no CIDR knows
	var sockets []string
	for i := range zoneLetters {
		sockets = append(sockets, plan.EndpointSocket(p.zoneRunDir(i), state.ID))
	}
	return &endpointListener{
		publicAddress:  loopback(state.EndpointPort),
		privateAddress: loopback(privatePort(p.dir.marker.PortBase, state.EndpointPort)),
		sockets:        sockets,
		client:         address,
		refusals: refusals{now: time.Now, tell: func(reason string, connections int) {
			p.emit(api.Event{Cluster: state.Name, Type: api.EndpointRefused,
				Message: fmt.Sprintf("the endpoint of cluster %s refused %d connection(s): %s", state.Name, connections, reason)})
		}},
	}
}

// grant puts an access into effect, unless it is: whom it does not admit any more is cut off.
func (c *cluster) grant(access region.EndpointAccess) error {
	if c.granted != nil && reflect.DeepEqual(*c.granted, access) {
		return nil
	}
	err := c.listener.setAccess(access)
	c.balancer.ResetClients(func(conn net.Conn) bool { return !c.listener.stands(conn) })
	if err == nil {
		c.granted = &access
	}
	return err
}

// tellTrouble makes events of what the endpoint's trouble becomes. It assumes the lock.
func (p *endpoints) tellTrouble(c *cluster, trouble string) {
	switch {
	case trouble == c.trouble:
		return
	case trouble != "":
		p.emit(api.Event{Cluster: c.state.Name, Type: api.EndpointFailed, Message: trouble})
	default:
		p.emit(api.Event{Cluster: c.state.Name, Type: api.EndpointOpened, Message: "the endpoint of cluster " + c.state.Name +
			" is open"})
	}
	c.trouble = trouble
}

// report has the zones write down what they do not know of a cluster's endpoint. It says whether they know all; they
// tell by their states. It assumes the lock.
func (p *endpoints) report(c *cluster) (known bool) {
	told := az.EndpointReport{Trouble: c.trouble}
	early := c.state.NotBefore != nil && time.Now().Before(*c.state.NotBefore)
	if c.trouble == "" && !early {
		told.UpdateID = c.state.Access.UpdateID
	}
	if told.UpdateID == "" && told.Trouble == c.state.Trouble {
		return c.state.Access.UpdateID == ""
	}
	if !c.reporting {
		c.reporting = true
		id := c.state.ID
		p.life.wait.Go(func() {
			p.sendReport(id, told)
			p.mu.Lock()
			defer p.mu.Unlock()
			c.reporting = false
		})
	}
	return false
}

// sendReport tells the first zone that takes it.
func (p *endpoints) sendReport(id string, report az.EndpointReport) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = p.zones.first(nil, func(z *zone) error { // without one, it is told again when a zone's state comes
		err := z.agent().ReportEndpoint(ctx, id, report)
		if err != nil {
			p.logger.Warn("tell of an endpoint", "az", z.name, "error", err)
		}
		return err
	})
}
