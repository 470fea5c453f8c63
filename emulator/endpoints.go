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

// openEndpoints opens and closes what the clusters' states ask for, and says whether an endpoint came or went. It assumes the lock.
func (e *Emulator) openEndpoints() (changed bool) {
	settled := true
	for _, c := range e.clusters {
		if !serves(c.state) {
			changed = e.dismiss(c) || changed
			continue
		}
		trouble := ""
		if c.balancer == nil {
			err := e.openEndpoint(c)
			if changed = changed || err == nil; err != nil {
				trouble = fmt.Sprintf("the endpoint of cluster %s cannot be opened: %v; it is tried again every second", c.state.Name, err)
			}
		}
		if c.balancer != nil {
			if err := c.grant(c.state.Access); err != nil {
				trouble = fmt.Sprintf("the private endpoint of cluster %s cannot be opened: %v; it is tried again every second", c.state.Name, err)
			}
		}
		e.tellTrouble(c, trouble)
		known := e.report(c)
		settled = settled && trouble == "" && known
	}
	if !settled && !e.retrying {
		e.retrying = true
		time.AfterFunc(endpointRetry, e.openAgain)
	}
	return changed
}

// endpointRetry is how soon it is tried again to open an endpoint whose port somebody else had, or to tell the zones of one.
const endpointRetry = time.Second

func (e *Emulator) openAgain() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.retrying = false
	if !e.stopping && e.openEndpoints() {
		e.keepKubeconfig()
	}
}

// openEndpoint assumes the lock.
func (e *Emulator) openEndpoint(c *cluster) error {
	gate := e.newGate(c.state)
	if err := gate.open(); err != nil {
		return err
	}
	roots := &roots{}
	roots.set(c.state.CACert)
	balancer, err := e.newClusterBalancer(c.state, gate, roots)
	if err != nil {
		gate.Close()
		return err
	}
	c.gate, c.balancer, c.roots = gate, balancer, roots
	return nil
}

func (e *Emulator) newGate(state az.ClusterState) *gate {
	address, _ := netip.ParseAddr(e.options.ClientAddress) // empty: the zero address, of which no CIDR knows
	return &gate{
		publicAddress: loopback(state.EndpointPort), privateAddress: loopback(privatePort(e.dir.marker.PortBase, state.EndpointPort)),
		socket: plan.EndpointSocket(e.zones[0].runDir, state.ID), client: address, now: time.Now,
		refused: func(reason string, connections int) {
			e.emit(api.Event{Cluster: state.Name, Type: api.EndpointRefused,
				Message: fmt.Sprintf("the endpoint of cluster %s refused %d connection(s): %s", state.Name, connections, reason)})
		},
	}
}

// grant puts an access into effect, unless it is: whom it does not admit any more is cut off.
func (c *cluster) grant(access region.EndpointAccess) error {
	if c.granted != nil && reflect.DeepEqual(*c.granted, access) {
		return nil
	}
	err := c.gate.setAccess(access)
	c.balancer.ResetClients(func(conn net.Conn) bool { return !c.gate.stands(conn) })
	if err == nil {
		c.granted = &access
	}
	return err
}

// tellTrouble makes events of what the endpoint's trouble becomes. It assumes the lock.
func (e *Emulator) tellTrouble(c *cluster, trouble string) {
	switch {
	case trouble == c.trouble:
		return
	case trouble != "":
		e.emit(api.Event{Cluster: c.state.Name, Type: api.EndpointFailed, Message: trouble})
	default:
		e.emit(api.Event{Cluster: c.state.Name, Type: api.EndpointOpened, Message: "the endpoint of cluster " + c.state.Name + " is open"})
	}
	c.trouble = trouble
}

// report has the zones write down what they do not know of a cluster's endpoint. It says whether they know all; they tell by their states. It assumes
// the lock.
func (e *Emulator) report(c *cluster) (known bool) {
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
		e.wait.Go(func() {
			e.sendReport(id, told)
			e.mu.Lock()
			defer e.mu.Unlock()
			c.reporting = false
		})
	}
	return false
}

// sendReport tells the first zone that takes it.
func (e *Emulator) sendReport(id string, report az.EndpointReport) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, z := range e.zones {
		if z.reachable() != nil {
			continue
		}
		err := az.Call(ctx, z.runDir, "POST", "/v1/clusters/"+id+"/endpoint", report, nil)
		if err == nil {
			return
		}
		e.logger.Warn("tell of an endpoint", "az", z.name, "error", err)
	}
}
