package az

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

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
	told map[string]bool // refusals, since then and by those rules
	at   ec2.RulesVersion

	since time.Time
}

// admit says who the far side of a connection to an address of a cluster's VPC is to see. What the rules do not let pass is a
// network.ErrFiltered, and told.
func (r *vpcRules) admit(clusterID string, from network.Source, to netip.AddrPort) (seen netip.AddrPort, err error) {
	err = r.paths.View(func(n ec2.Network) error {
		c := reachability.Connection{To: n.Address(clusterID, to.Addr()), Protocol: "tcp", Port: to.Port()}
		c.From, seen = source(n, r.zone, clusterID, from)
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
	var refusal *reachability.Refusal
	errors.As(err, &refusal)
	r.tell(n, clusterID, err.Error(), fmt.Sprint(refusal.Code, refusal.ID, refusal.Rule, c.To.Address, c.Port))
	return network.Filtered(err.Error())
}

// source is what the rules see of the source of a connection that begins in a zone, and what the far side sees.
func source(n ec2.Network, zone, clusterID string, from network.Source) (end reachability.End, seen netip.AddrPort) {
	seen = from.Address
	switch {
	case from.Balancer != "":
		end = n.Balancer(from.Balancer, zone)
		if seen.IsValid() { // the client's own address is kept, and counts
			end.Address = seen.Addr()
		}
	case from.Node.IsValid():
		end = n.Address(clusterID, from.Node)
	case seen.IsValid():
		end = n.Address(clusterID, seen.Addr())
	default:
		end = n.ControlPlane(clusterID, zone)
	}
	if !seen.IsValid() {
		seen = netip.AddrPortFrom(end.Address, anyPort)
	}
	if seen.Port() == 0 {
		seen = netip.AddrPortFrom(seen.Addr(), anyPort)
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
		r.tell(n, clusterID, err.Error(), err.Error())
		return nil
	})
}

// mostRefusalsTold bounds what is told of: others than the operator choose how much that could be. Each is told again after tellAgain,
// or when the rules have changed.
const (
	mostRefusalsTold = 100
	tellAgain        = 10 * time.Minute
)

// tell tells of a refusal once; key is what of it is the same for all connections like this one.
func (r *vpcRules) tell(n ec2.Network, clusterID, sentence, key string) {
	now := time.Now()
	r.mu.Lock()
	if r.told == nil || r.at != n.RulesVersion || now.Sub(r.since) > tellAgain {
		r.told, r.at, r.since = map[string]bool{}, n.RulesVersion, now
	}
	known := r.told[key] || len(r.told) >= mostRefusalsTold
	if !known {
		r.told[key] = true
	}
	r.mu.Unlock()
	if !known {
		r.event(api.Event{Cluster: n.ClusterName(clusterID), Type: api.ConnectionFiltered, Message: sentence})
	}
}
