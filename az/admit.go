package az

import (
	"net/netip"
	"sync"

	"tripod/api"
	"tripod/awsapi/ec2"
	"tripod/internal/reachability"
	"tripod/nodes/network"
	"tripod/region"
)

// anyPort is that of a connection's near end, where nobody asks which it is.
const anyPort = 32768

// vpcRules holds the security groups, network ACLs and routes of the VPCs against connections that begin in the zone.
type vpcRules struct {
	zone  string
	paths *ec2.Paths
	event func(api.Event)

	mu   sync.Mutex
	told map[string]bool // sentences of refusals, until the rules change
	at   ec2.RulesVersion
}

// admit says who the far side of a connection to an address of a cluster's VPC is to see. What the rules do not let pass is a
// network.ErrFiltered, and told.
func (r *vpcRules) admit(clusterID string, from network.Source, to netip.AddrPort) (seen netip.AddrPort, err error) {
	err = r.paths.View(func(n ec2.Network) error {
		c := reachability.Connection{To: n.Address(clusterID, to.Addr()), Protocol: "tcp", Port: to.Port()}
		c.From, seen = r.source(n, clusterID, from)
		c.Source = seen.Port()
		return r.check(n, clusterID, c)
	})
	return seen, err
}

func (r *vpcRules) check(n ec2.Network, clusterID string, c reachability.Connection) error {
	err := reachability.Check(c)
	if err == nil {
		return nil
	}
	r.tell(n, clusterID, err.Error())
	return network.Filtered(err.Error())
}

// source is what the rules see of a connection's source, and what the far side sees.
func (r *vpcRules) source(n ec2.Network, clusterID string, from network.Source) (end reachability.End, seen netip.AddrPort) {
	seen = from.Address
	switch {
	case from.Balancer != "":
		end = n.Balancer(from.Balancer, r.zone)
		if seen.IsValid() { // the client's own address is kept, and counts
			end.Address = seen.Addr()
		}
	case from.Node.IsValid():
		end = n.Address(clusterID, from.Node)
	case seen.IsValid():
		end = n.Address(clusterID, seen.Addr())
	default:
		end = n.ControlPlane(clusterID, r.zone)
	}
	if !seen.IsValid() {
		seen = netip.AddrPortFrom(end.Address, anyPort)
	}
	return end, seen
}

// admitClient holds the rules against a client that comes to a load balancer's node in the zone.
func (r *vpcRules) admitClient(b region.LoadBalancer, client netip.AddrPort, port int) error {
	return r.paths.View(func(n ec2.Network) error {
		return r.check(n, "", reachability.Connection{To: n.Balancer(b.ARN, r.zone), Protocol: "tcp", Port: uint16(port),
			Source: client.Port(), From: n.Client(b, r.zone, client.Addr())})
	})
}

// filtered tells of a connection that a NetworkPolicy has not let pass.
func (r *vpcRules) filtered(clusterID string, err error) {
	r.paths.View(func(n ec2.Network) error {
		r.tell(n, clusterID, err.Error())
		return nil
	})
}

// mostRefusalsTold bounds what is told of: others than the operator choose how much that could be.
const mostRefusalsTold = 100

// tell tells of a refusal once, and again after the rules have changed.
func (r *vpcRules) tell(n ec2.Network, clusterID, sentence string) {
	r.mu.Lock()
	if r.told == nil || r.at != n.RulesVersion {
		r.told, r.at = map[string]bool{}, n.RulesVersion
	}
	known := r.told[sentence] || len(r.told) >= mostRefusalsTold
	if !known {
		r.told[sentence] = true
	}
	r.mu.Unlock()
	if !known {
		r.event(api.Event{Cluster: n.ClusterName(clusterID), Type: api.ConnectionFiltered, Message: sentence})
	}
}
