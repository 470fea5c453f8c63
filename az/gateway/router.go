package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"tripod/apiserver/launch"
	"tripod/az/plan"
	"tripod/iam"
)

// Router knows where the names and addresses of a region lead from one of its zones.
type Router struct {
	Zone plan.Zone
	// Clusters are those that the zone has a part of, in the order of their ids.
	Clusters func() []Cluster
	// OnRefusedPort is told of each port of this machine, once, that pods of a cluster have led to and may not.
	OnRefusedPort func(clusterName string, err error)

	mu   sync.Mutex
	told map[string]bool // what OnRefusedPort was told
}

// Cluster is what a gateway has to know of one.
type Cluster struct {
	ID, Name     string
	EndpointPort int
	// Issuer is the URL of the cluster's identity provider beside IAM; empty: there is none.
	Issuer string
	// ZoneOf is the zone of the node or the pod that has an address; empty: it is none of the cluster's.
	ZoneOf func(address netip.Addr) string
	// Answers is who answers for this zone's nodes and pods in this process; nil: they are asked by their socket.
	Answers Answerer
}

// Route says where a name or an address leads. What it does not know is denied.
func (r *Router) Route(ctx context.Context, host string, port int) (Destination, error) {
	to, err := r.routeInside(ctx, host, port)
	if errors.Is(err, ErrDenied) && !inside(host) { // a provider can be no part of the region
		return r.routeProvider(host, port)
	}
	return to, err
}

// inside says whether a name is one of the region's, known or not: nobody else is asked about it, least of all the
// machine's DNS.
func inside(host string) bool {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	return name == plan.Domain || strings.HasSuffix(name, "."+plan.Domain)
}

// routeInside knows the region's own names and the addresses of the VPC: 10.x is Tripod's own here, and must never
// reach the user's LAN or VPN.
func (r *Router) routeInside(ctx context.Context, host string, port int) (Destination, error) {
	if address, err := netip.ParseAddr(host); err == nil {
		return r.routeAddress(ctx, address, port)
	}
	name, ok := strings.CutSuffix(host, "."+plan.Domain)
	if !ok {
		return Destination{}, ErrDenied
	}
	if letter, ok := strings.CutPrefix(name, "raft-"); ok {
		for _, peer := range r.Zone.Peers {
			if plan.Letter(peer.Zone) == letter && peer.RaftPort == port {
				return Destination{Zone: peer.Zone, Network: "tcp", Address: fmt.Sprintf("127.0.0.1:%d", port)}, nil
			}
		}
		return Destination{}, ErrDenied
	}
	member, id, _ := strings.Cut(name, ".")
	cluster, found := r.cluster(id)
	if !found {
		return Destination{}, ErrDenied
	}
	if host == launch.AuthenticatorHost(id) {
		return Destination{Zone: r.Zone.Zone, Network: "unix", Address: r.Zone.AuthenticatorSocket(cluster.ID)}, nil
	}
	if host == launch.PodIdentityHost(id) {
		return Destination{Zone: r.Zone.Zone, Network: "unix", Address: r.Zone.PodIdentitySocket(cluster.ID)}, nil
	}
	if letter, ok := strings.CutPrefix(member, "extensions-"); ok && port == apiPort {
		return r.routeExtensions(letter, cluster)
	}
	letter, ok := strings.CutPrefix(member, "etcd-")
	if !ok {
		return Destination{}, ErrDenied
	}
	for i, peer := range r.Zone.Peers {
		if plan.Letter(peer.Zone) != letter {
			continue
		}
		to := Destination{Zone: peer.Zone, Target: "etcd/" + letter, Network: "tcp"}
		switch port {
		case 2379:
			to.Address = fmt.Sprintf("127.0.0.1:%d", plan.EtcdClientPort(cluster.EndpointPort, i))
			return to, nil
		case 2380:
			to.Address = fmt.Sprintf("127.0.0.1:%d", plan.EtcdPeerPort(cluster.EndpointPort, i))
			return to, nil
		}
	}
	return Destination{}, ErrDenied
}

// routeExtensions knows what zones add to a cluster's API.
func (r *Router) routeExtensions(letter string, cluster Cluster) (Destination, error) {
	for _, peer := range r.Zone.Peers {
		if plan.Letter(peer.Zone) == letter {
			return Destination{Zone: peer.Zone, Network: "unix", Address: plan.ExtensionsSocket(peer.RunDir, cluster.ID)}, nil
		}
	}
	return Destination{}, ErrDenied
}

// cluster is the one with an id of a name, in lower case.
func (r *Router) cluster(id string) (Cluster, bool) {
	for _, c := range r.Clusters() {
		if c.ID == strings.ToUpper(id) {
			return c, true
		}
	}
	return Cluster{}, false
}

// routeAddress knows the addresses of nodes and pods: those of the cluster that asks, or where that is not known of the
// first cluster that has them. Their zone's nodes answer for them.
func (r *Router) routeAddress(ctx context.Context, address netip.Addr, port int) (Destination, error) {
	for _, c := range r.Clusters() {
		asking := within(ctx)
		if asking == c.ID && netip.AddrPortFrom(address, uint16(port)) == plan.ExtensionsAddress && port < 1<<16 {
			return r.routeExtensions(plan.Letter(r.Zone.Zone), c) // each API server's own zone's
		}
		if asking != "" && asking != c.ID || c.ZoneOf == nil {
			continue
		}
		if i := r.controlPlane(address); i >= 0 && port == apiPort {
			return Destination{Zone: r.Zone.Peers[i].Zone, Target: "apiserver/" + plan.Letter(r.Zone.Peers[i].Zone), Network: "tcp",
				Address: plan.APIServerAddress(c.EndpointPort, i), Cluster: c.Name, ClusterID: c.ID,
				Held: netip.AddrPortFrom(address, uint16(port))}, nil
		}
		zone := c.ZoneOf(address)
		for _, peer := range r.Zone.Peers {
			if peer.Zone == zone && port > 0 && port < 1<<16 {
				at := netip.AddrPortFrom(address, uint16(port))
				to := Destination{Zone: zone, Network: "unix", Address: plan.NodesSocket(peer.RunDir, c.ID), Within: at, Held: at,
					Cluster: c.Name, ClusterID: c.ID}
				if zone == r.Zone.Zone {
					to.Answers = c.Answers
				}
				return to, nil
			}
		}
	}
	return Destination{}, ErrDenied
}

// apiPort is where API servers answer at their network interfaces.
const apiPort = 443

// controlPlane is the index of the zone whose control planes have an address; -1: it is none of theirs.
func (r *Router) controlPlane(address netip.Addr) int {
	return slices.IndexFunc(r.Zone.Peers, func(peer plan.Peer) bool { return plan.Interface(slices.Index(r.Zone.Peers, peer)) == address })
}

// mostTold bounds what is told once: others than the operator choose how much that could be.
const mostTold = 100

// TellOnce tells of a refused port, which would come again with every connection.
func (r *Router) TellOnce(clusterName string, err error) {
	r.mu.Lock()
	known := r.told[err.Error()] || len(r.told) >= mostTold
	if !known {
		if r.told == nil {
			r.told = map[string]bool{}
		}
		r.told[err.Error()] = true
	}
	r.mu.Unlock()
	if !known {
		r.OnRefusedPort(clusterName, err)
	}
}

// routeProvider lets API servers ask the identity providers of their clusters, on loopback and at the hosts that the
// user named. A named provider's keys may be at another named host.
func (r *Router) routeProvider(host string, port int) (Destination, error) {
	hosts := iam.IssuerHosts(r.Zone.OIDCIssuers)
	for _, c := range r.Clusters() {
		if c.Issuer == "" {
			continue
		}
		issuerHost, issuerPort := IssuerAddress(c.Issuer)
		if (host != issuerHost || port != issuerPort) && !(hosts.Names(issuerHost, issuerPort) && hosts.Names(host, port)) {
			continue
		}
		guard, err := hosts.Guard(host, port)
		if err != nil {
			return Destination{}, fmt.Errorf("%w: %w", ErrDenied, err)
		}
		return Destination{Zone: r.Zone.Zone, Network: "tcp", Address: net.JoinHostPort(host, strconv.Itoa(port)),
			Dialer: &net.Dialer{Control: guard}}, nil
	}
	return Destination{}, ErrDenied
}

// IssuerAddress is where an issuer's documents are, by https.
func IssuerAddress(issuer string) (host string, port int) {
	u, err := url.Parse(issuer)
	if err != nil {
		return "", 0
	}
	return iam.AddressOf(u)
}
