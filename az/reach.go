package az

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"tripod/api"
	"tripod/awsapi/ec2"
	"tripod/az/controlplane"
	"tripod/internal/reachability"
	"tripod/nodes/network"
	"tripod/region"
	"tripod/state"
)

// handleCanReach says whether a connection passes, and by which rules.
func (z *Zone) handleCanReach(w http.ResponseWriter, r *http.Request) {
	var question api.ReachQuestion
	z.explain(w, r, &question, func(c *controlplane.Part) (any, error) {
		ctx, cancel := context.WithTimeout(r.Context(), connectTime)
		defer cancel()
		return z.canReach(ctx, c, question)
	})
}

// connectTime bounds how long a connection for the operator may take to be made.
const connectTime = 10 * time.Second

// internet is an address that nobody has (RFC 5737).
var internet = netip.MustParseAddr("192.0.2.1")

// reacher follows connections from one source.
type reacher struct {
	zone      *Zone
	clusterID string
	inside    controlplane.Network
	from      network.Source
	fromName  string
	outside   bool                // nothing here connects from there
	balancer  region.LoadBalancer // that connects; the zero value: none does
}

// at is the zone where the connection begins: a load balancer has a node in some zones only.
func (r *reacher) at() string {
	own := r.zone.config.Zone
	if len(r.balancer.Zones) == 0 || slices.ContainsFunc(r.balancer.Zones, func(z region.BalancerZone) bool { return z.Zone == own }) {
		return own
	}
	return r.balancer.Zones[0].Zone
}

func (z *Zone) canReach(ctx context.Context, c *controlplane.Part, q api.ReachQuestion) (*api.Reach, error) {
	inside, err := c.Network()
	if err != nil {
		return nil, err
	}
	r := reacher{zone: z, clusterID: c.Route().ID, inside: inside, fromName: q.From}
	if err := r.source(ctx, q.From); err != nil {
		return nil, err
	}
	answer := &api.Reach{Cluster: c.Name(), Reaches: true}
	if name, is := strings.CutPrefix(q.To, "lb/"); is {
		answer.Legs, err = r.toBalancer(name, q.Port)
	} else {
		answer.Legs, err = r.toAddresses(ctx, q)
	}
	for _, leg := range answer.Legs {
		answer.Reaches = answer.Reaches && leg.Reaches
	}
	return answer, err
}

// source finds who connects.
func (r *reacher) source(ctx context.Context, name string) error {
	switch address, err := netip.ParseAddr(name); {
	case name == "":
		r.fromName = "the control plane"
	case name == "internet":
		r.from.Address, r.outside = netip.AddrPortFrom(internet, anyPort), true
	case err == nil:
		r.from.Address, r.outside = netip.AddrPortFrom(address, anyPort), true
	case strings.HasPrefix(name, "lb/"):
		b, err := r.zone.balancerNamed(strings.TrimPrefix(name, "lb/"))
		r.from.Balancer, r.balancer = b.ARN, b
		return err
	default:
		at, err := r.inside.Place(ctx, name)
		r.from.Address = at
		return err
	}
	return nil
}

func (z *Zone) balancerNamed(name string) (found region.LoadBalancer, err error) {
	err = z.voter.View(func(tx *state.Txn) error {
		for _, b := range region.LoadBalancers.List(tx) {
			if b.Name == name || b.ARN == name {
				found = b
				return nil
			}
		}
		return fmt.Errorf("no load balancer is called %q: 'tripod lb' lists them", name)
	})
	return found, err
}

// toBalancer follows connections to the nodes of a load balancer, one in each of its zones.
func (r *reacher) toBalancer(name string, port int) (legs []api.ReachLeg, err error) {
	b, err := r.zone.balancerNamed(name)
	if err != nil {
		return nil, err
	}
	err = r.zone.vpc.paths.View(func(n ec2.Network) error {
		for _, place := range b.Zones {
			from := n.Client(b, place.Zone, r.from.Address.Addr())
			if !r.outside {
				from, _ = source(n, r.at(), r.clusterID, r.from)
			}
			to := n.Balancer(b.ARN, place.Zone)
			to.Name += " in " + place.Zone
			legs = append(legs, r.leg(from, to, port, nil))
		}
		return nil
	})
	return legs, err
}

// toAddresses follows a connection to each address that a name stands for, and makes it where somebody here can.
func (r *reacher) toAddresses(ctx context.Context, q api.ReachQuestion) (legs []api.ReachLeg, err error) {
	targets, err := r.inside.Resolve(ctx, q.From, q.To, q.Port)
	if err != nil {
		return nil, err
	}
	for _, at := range targets {
		var from, to reachability.End
		var seen netip.AddrPort
		if err := r.zone.vpc.paths.View(func(n ec2.Network) error {
			from, seen = source(n, r.at(), r.clusterID, r.from)
			to = n.Address(r.clusterID, at.Addr())
			return nil
		}); err != nil {
			return nil, err
		}
		if to.Name = at.Addr().String(); q.To != to.Name {
			to.Name = fmt.Sprintf("%s at %s", q.To, to.Name)
		}
		policies, err := r.inside.Policies(ctx, seen.Addr(), at)
		if err != nil {
			return nil, err
		}
		leg := r.leg(from, to, int(at.Port()), policies)
		if !r.outside && r.at() == r.zone.config.Zone {
			leg.Tried = r.try(ctx, q.From, at)
		}
		legs = append(legs, leg)
	}
	return legs, nil
}

func (r *reacher) leg(from, to reachability.End, port int, policies []reachability.Step) api.ReachLeg {
	if r.fromName != "" {
		from.Name = r.fromName
	}
	leg := api.ReachLeg{From: fmt.Sprintf("%s (%s)", from.Name, from.Address), To: fmt.Sprintf("%s, tcp %d", to.Name, port), Reaches: true}
	steps := reachability.Explain(reachability.Connection{From: from, To: to, Protocol: "tcp", Port: uint16(port), Source: anyPort})
	for _, s := range append(steps, policies...) {
		leg.Steps = append(leg.Steps, api.ReachStep(s))
		leg.Reaches = leg.Reaches && s.Passes
	}
	return leg
}

func (r *reacher) try(ctx context.Context, from string, to netip.AddrPort) string {
	var conn net.Conn
	var err error
	if r.balancer.ARN != "" {
		conn, err = r.zone.dialWithin(ctx, r.clusterID, r.from, to)
	} else {
		conn, err = r.inside.Connect(ctx, from, to.Addr().String(), int(to.Port()))
	}
	if err != nil {
		return err.Error()
	}
	conn.Close()
	return "connected"
}

// handleConnect connects the client to something in a cluster's network, and copies both ways until both are done.
func (z *Zone) handleConnect(w http.ResponseWriter, r *http.Request) {
	var to api.Connection
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&to); err != nil {
		answer(w, http.StatusBadRequest, err)
		return
	}
	c := z.clusterOf(w, r)
	if c == nil {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), connectTime)
	defer cancel()
	far, err := connectWithin(ctx, c, to)
	if err != nil {
		answer(w, statusOf(err), err)
		return
	}
	network.Carry(w, far)
}

func connectWithin(ctx context.Context, c *controlplane.Part, to api.Connection) (net.Conn, error) {
	inside, err := c.Network()
	if err != nil {
		return nil, errNotHere{err}
	}
	return inside.Connect(ctx, to.As, to.Host, to.Port)
}

// errNotHere is why another zone is to be asked.
type errNotHere struct{ error }

// statusOf tells clients of what kind an error is.
func statusOf(err error) int {
	switch {
	case errors.As(err, new(errNotHere)):
		return http.StatusNotFound
	case errors.Is(err, network.ErrFiltered):
		return http.StatusGatewayTimeout
	case errors.Is(err, network.ErrNotAllowed):
		return http.StatusForbidden
	}
	return http.StatusBadGateway
}
