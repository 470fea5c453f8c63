package node

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"tripod/lb/handover"
	"tripod/nodes/network"
)

// isBalancer says whether the target is an application load balancer.
func (t Target) isBalancer() bool { return strings.Contains(t.ID, ":loadbalancer/app/") }

// dial connects to a target, which sees from as the client: in memory to an application load balancer's node, which is this
// one too, and to others as the zone does.
func (n *Node) dial(ctx context.Context, from netip.AddrPort, to Target) (net.Conn, error) {
	if !to.isBalancer() {
		return n.options.Dial(ctx, from, to)
	}
	d := n.door(handover.Offer{Balancer: to.ID, Port: to.Port})
	if d == nil {
		return nil, fmt.Errorf("%s has no node in %s that listens on port %d", to.ID, n.options.Zone, to.Port)
	}
	if !from.IsValid() { // a health check's
		from = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)
	}
	if n.options.Admit != nil {
		if err := n.options.Admit(d.carries.Load().balancer.LoadBalancer, from, to.Port); err != nil {
			return nil, err
		}
	}
	near, far := network.Pipe()
	if n.open.Add(1) > mostOpen || !d.enter(&visitor{far, from}) {
		n.open.Add(-1)
		near.Close()
		far.Close()
		return nil, net.ErrClosed
	}
	return near, nil
}

// visitor is a connection in memory of a client that is somewhere.
type visitor struct {
	net.Conn
	from netip.AddrPort
}

// RemoteAddr is net.Conn's.
func (v *visitor) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(v.from) }
