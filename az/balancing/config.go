package balancing

import (
	"crypto/tls"
	"maps"
	"net/netip"
	"slices"
	"time"

	"tripod/lb/node"
	"tripod/region"
	"tripod/state"
)

// made is what the records come to.
type made struct {
	config node.Config
	// provisioned are the keys of load balancers that are not active yet, and drained the groups with targets that have
	// drained.
	provisioned, drained []string
	// until is when something changes that no record tells of; zero: never.
	until time.Time
}

// configOf is what the nodes of a zone are to do.
func configOf(tx *state.Txn, zone string, now time.Time) (m made) {
	m.config.Groups = map[string]node.Group{}
	s := survey{tx: tx, now: now, out: map[string]bool{}, made: &m}
	for _, o := range region.ZoneOutages.List(tx) {
		s.out[o.Zone] = true
	}
	for _, b := range region.LoadBalancers.List(tx) {
		if !hasNode(b, zone) || b.Type == region.GatewayBalancer || b.State == region.BalancerFailed {
			continue
		}
		away := s.shiftedFrom(b)
		carried := node.Balancer{LoadBalancer: b, Shifted: slices.Contains(away, zone)}
		if b.Type == region.ClassicBalancer {
			certificates := map[string]tls.Certificate{}
			for _, l := range b.Classic.Listeners {
				if shown := s.certificates([]string{l.Certificate}); len(shown) > 0 {
					certificates[l.Certificate] = shown[0]
				}
			}
			listeners, groups := node.Classic(b, s.targets(b, region.ClassicGroup(b.Name), 0), certificates)
			carried.Listeners = listeners
			maps.Copy(m.config.Groups, groups)
		} else {
			for _, l := range region.ListenersOf(tx, b) {
				carried.Listeners = append(carried.Listeners, s.listener(b, l, away))
			}
		}
		m.config.Balancers = append(m.config.Balancers, carried)
		if b.State == region.BalancerProvisioning {
			m.provisioned = append(m.provisioned, b.Key())
		}
	}
	return m
}

func hasNode(b region.LoadBalancer, zone string) bool {
	return slices.ContainsFunc(b.Zones, func(z region.BalancerZone) bool { return z.Zone == zone })
}

// survey reads the records.
type survey struct {
	tx   *state.Txn
	now  time.Time
	out  map[string]bool // zones that answer nobody
	made *made
}

// listener is one of a load balancer's; away are the zones that its traffic is moved away from.
func (s *survey) listener(b region.LoadBalancer, l region.Listener, away []string) node.Listener {
	rules := region.RulesOf(s.tx, l)
	for _, arn := range region.GroupsNamed(l, rules) {
		if _, done := s.made.config.Groups[arn]; done {
			continue
		}
		if g, found := region.TargetGroups.Get(s.tx, region.TargetGroupName(arn)); found {
			targets := s.targets(b, g.Name, g.Port)
			for i := range targets {
				targets[i].Overridden = slices.Contains(away, targets[i].Zone)
			}
			s.made.config.Groups[arn] = node.Group{TargetGroup: g, Targets: targets}
		}
	}
	return node.Listener{Listener: l, Rules: rules, Shown: s.certificates(l.Certificates)}
}

// targets are those of a group that a load balancer sends to, the only one; port is that of targets without one of their own.
func (s *survey) targets(b region.LoadBalancer, group string, port int) (all []node.Target) {
	for _, t := range region.TargetsOf(s.tx, group) {
		switch {
		case t.IsGone(s.now):
			s.made.drained = append(s.made.drained, group)
			continue
		case t.IsDraining():
			s.until(t.DrainsUntil)
		}
		to := node.Target{Target: t, Balancer: b.ARN}
		if t.Port != 0 {
			port = t.Port
		}
		if address, err := netip.ParseAddr(t.ID); err == nil {
			to.Address = netip.AddrPortFrom(address, uint16(port))
		} else if v, found := region.Instances.Get(s.tx, t.ID); found {
			address, _ := netip.ParseAddr(v.Address)
			to.Address, to.Cluster = netip.AddrPortFrom(address, uint16(port)), v.Boot.ClusterID
			if v.State != region.InstanceRunning {
				to.Lost = "the instance is " + string(v.State)
			}
		}
		if s.out[t.Zone] {
			to.Lost = "zone " + t.Zone + " is out"
		}
		all = append(all, to)
	}
	return all
}

// certificates are those with these ARNs that are issued, in their order.
func (s *survey) certificates(arns []string) (shown []tls.Certificate) {
	for _, arn := range arns {
		c, found := region.Certificates.Get(s.tx, arn)
		if !found {
			continue
		}
		if s.now.Before(c.IssuedAt) {
			s.until(c.IssuedAt)
			continue
		}
		if pair, err := tls.X509KeyPair([]byte(c.Cert+"\n"+c.Chain), []byte(c.Key)); err == nil {
			shown = append(shown, pair)
		}
	}
	return shown
}

// shiftedFrom are the zones that a load balancer's traffic is moved away from, until the first shift ends.
func (s *survey) shiftedFrom(b region.LoadBalancer) []string {
	away := b.ShiftedFrom(s.tx, s.now)
	if len(away) > 0 {
		for _, shift := range region.ShiftsOf(s.tx, b.ARN) {
			if shift.Active(s.now) {
				s.until(shift.ExpiresAt)
			}
		}
	}
	return away
}

func (s *survey) until(at time.Time) {
	if s.made.until.IsZero() || at.Before(s.made.until) {
		s.made.until = at
	}
}
