// Package node is a load balancer's node in one zone: it takes clients' connections over, chooses a target for each
// connection or request, carries the bytes there, and checks which targets are healthy. One Node stands for the nodes of
// all load balancers in its zone.
package node

import (
	"crypto/tls"
	"net/netip"
	"slices"
	"strings"

	"tripod/region"
)

// Config is what the load balancers with a node in the zone are to do.
type Config struct {
	Balancers []Balancer
	// Groups are the target groups that their listeners and rules name, by ARN, and those of classic load balancers by
	// what Listen makes of them.
	Groups map[string]Group
}

// Balancer is a load balancer, of whatever type.
type Balancer struct {
	region.LoadBalancer
	Listeners []Listener
	// Shifted says that its traffic is moved away from the zone.
	Shifted bool
}

// Listener is a port of a load balancer, with its own actions for where no rule applies.
type Listener struct {
	region.Listener
	Rules []region.ListenerRule // in the order of their priorities
	// Shown are the certificates that clients choose from by SNI: the default one first.
	Shown []tls.Certificate
}

// isHTTP says whether requests, and not connections, are what the listener carries.
func (l Listener) isHTTP() bool { return l.Protocol == "HTTP" || l.Protocol == "HTTPS" }

// isTLS says whether clients speak TLS to the listener.
func (l Listener) isTLS() bool { return l.Protocol == "HTTPS" || l.Protocol == "TLS" }

// Group is a target group with its targets.
type Group struct {
	region.TargetGroup
	Targets []Target
	// ProxyProtocol is the version of the PROXY protocol that begins each connection to a target; 0: none does.
	ProxyProtocol int
}

// Target is a target and where it is.
type Target struct {
	region.Target
	// Address is in the VPC. It is invalid where the target has none, as an instance that is terminated.
	Address netip.AddrPort
	// Cluster is the id of the cluster whose node it is; empty: it is not known.
	Cluster string
	// Balancer is the ARN of the load balancer that sends to it.
	Balancer string
	// Overridden says that traffic is moved away from its zone: it gets nothing new, healthy or not.
	Overridden bool
	// Lost is why it is known that the target answers nobody, such as that its zone is out; empty: it is not.
	Lost string
}

// Classic are the listeners of a classic load balancer, and their target groups by ARN: in the other API's form each
// listener has a group of its own, of the load balancer's instances. certificates are by ARN.
func Classic(b region.LoadBalancer, targets []Target, certificates map[string]tls.Certificate) ([]Listener, map[string]Group) {
	groups := map[string]Group{}
	var listeners []Listener
	for _, c := range b.Classic.Listeners {
		g := Group{TargetGroup: region.TargetGroup{Name: region.ClassicGroup(b.Name), Type: "instance", VPC: b.VPC,
			Protocol: protocolOf(c.InstanceProtocol), Port: c.InstancePort, Check: b.Classic.Check, Attributes: map[string]string{
				"load_balancing.cross_zone.enabled": b.Attribute("load_balancing.cross_zone.enabled"),
				"preserve_client_ip.enabled":        "false"}}}
		g.ARN = g.Name + "/" + c.InstanceProtocol + "/" + itoa(c.InstancePort)
		for _, t := range targets {
			t.Address = netip.AddrPortFrom(t.Address.Addr(), uint16(c.InstancePort))
			g.Targets = append(g.Targets, t)
		}
		for _, p := range b.Classic.Backends {
			if p.InstancePort == c.InstancePort {
				stick(&g, b.Classic, p.Policies)
			}
		}
		stick(&g, b.Classic, c.Policies)
		groups[g.ARN] = g
		l := Listener{Listener: region.Listener{ARN: b.ARN + "/" + itoa(c.Port), LoadBalancer: b.ARN, Port: c.Port,
			Protocol: protocolOf(c.Protocol), Actions: []region.RuleAction{{Type: region.ActionForward,
				Forward: &region.ForwardAction{Groups: []region.WeightedGroup{{TargetGroup: g.ARN, Weight: 1}}}}}}}
		if shown, found := certificates[c.Certificate]; found {
			l.Shown = []tls.Certificate{shown}
		}
		listeners = append(listeners, l)
	}
	return listeners, groups
}

// stick sets what policies that are in force say of stickiness and the PROXY protocol.
func stick(g *Group, parts *region.ClassicParts, policies []string) {
	for _, p := range parts.Policies {
		if !slices.Contains(policies, p.Name) {
			continue
		}
		set := map[string]string{}
		for _, a := range p.Attributes {
			set[a.Name] = a.Value
		}
		switch p.Type {
		case "LBCookieStickinessPolicyType":
			g.Attributes["stickiness.enabled"], g.Attributes["stickiness.type"] = "true", "lb_cookie"
			g.Attributes["stickiness.lb_cookie.duration_seconds"] = set["CookieExpirationPeriod"]
		case "AppCookieStickinessPolicyType":
			g.Attributes["stickiness.enabled"], g.Attributes["stickiness.type"] = "true", "app_cookie"
			g.Attributes["stickiness.app_cookie.cookie_name"] = set["CookieName"]
		case "ProxyProtocolPolicyType":
			if strings.EqualFold(set["ProxyProtocol"], "true") {
				g.ProxyProtocol = 1
			}
		}
	}
}

// protocolOf is a classic protocol in the other API's words.
func protocolOf(classic string) string {
	if classic = strings.ToUpper(classic); classic == "SSL" {
		return "TLS"
	}
	return strings.ToUpper(classic)
}
