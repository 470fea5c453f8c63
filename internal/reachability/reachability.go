// Package reachability decides whether a connection passes in a VPC, and says by which rules: security groups, network ACLs and
// routes, in the order in which a packet meets them. Codes are those of AWS's Reachability Analyzer, see
// https://docs.aws.amazon.com/vpc/latest/reachability/explanation-codes.html. It knows TCP and UDP over IPv4 and IPv6.
package reachability

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// The codes of what does not pass.
const (
	CodeGroups   = "ENI_SG_RULES_MISMATCH"
	CodeACL      = "SUBNET_ACL_RESTRICTION"
	CodeNoRoute  = "NO_ROUTE_TO_DESTINATION"
	CodeBadRoute = "BAD_STATE_ROUTE"
)

// Rule is one of a security group: to or from a range of addresses, or the members of a group.
type Rule struct {
	ID       string // sgr-0123456789abcdef0
	Egress   bool
	Protocol string // tcp, udp, another name or number, or -1: all
	From, To int    // ports; they say nothing where all protocols are meant
	Block    netip.Prefix
	Group    string // the id of a group; empty: Block counts
}

// Group is a security group.
type Group struct {
	ID, Name string
	Rules    []Rule
}

// ACLEntry is one of a network ACL.
type ACLEntry struct {
	Number   int
	Egress   bool
	Allow    bool
	Protocol string // a number, as EC2 keeps it, or -1: all
	From, To int    // ports; both 0: all
	Block    netip.Prefix
}

// ACL is a network ACL. Its entries are in the order of their numbers, which Sort makes.
type ACL struct {
	ID      string
	Entries []ACLEntry
}

// Sort puts the entries into the order in which they count.
func (a *ACL) Sort() {
	slices.SortStableFunc(a.Entries, func(x, y ACLEntry) int { return cmp.Compare(x.Number, y.Number) })
}

// Route is one of a route table.
type Route struct {
	Block  netip.Prefix
	Target string // local, igw-..., nat-..., eni-...
	// Blackhole says that the target is gone.
	Blackhole bool
}

// Subnet is what of a subnet counts for a packet.
type Subnet struct {
	ID, VPC string
	Block   netip.Prefix
	ACL     *ACL
	TableID string // of the route table
	Routes  []Route
}

// End is one end of a connection.
type End struct {
	Name    string // as sentences name it: pod web/shop-0
	Address netip.Addr
	// Subnet is where it is; nil: it is in no VPC.
	Subnet *Subnet
	// Interface is its network interface's id, and Groups are the security groups of that; without any nothing is filtered, as at
	// a network load balancer without groups.
	Interface string
	Groups    []*Group
	// Host is the machine that has it; empty: it counts as one of its own.
	Host string
}

// isBehind says that the address is not the interface's own: a load balancer's node passes its client's address on, and
// answers go back by the node.
func (e End) isBehind() bool { return e.Subnet != nil && !e.Subnet.Block.Contains(e.Address) }

func (e End) isMember(groupID string) bool {
	return slices.ContainsFunc(e.Groups, func(g *Group) bool { return g.ID == groupID })
}

// Connection is what is to pass.
type Connection struct {
	From, To End
	Protocol string // tcp or udp
	Port     uint16 // where it goes
	Source   uint16 // where it comes from, and where answers go
}

// Step is one thing that a packet meets.
type Step struct {
	Component string `json:"component"` // security-group, network-acl or route-table
	ID        string `json:"id"`        // of the component; security groups are separated by commas
	// Rule is the one that has decided: a security group rule's id, an entry's number or a route's destination; empty: none does.
	Rule   string `json:"rule,omitempty"`
	Passes bool   `json:"passes"`
	// Code is Reachability Analyzer's for what does not pass.
	Code     string `json:"code,omitempty"`
	Sentence string `json:"sentence"`
}

// Refusal is why a connection does not pass.
type Refusal struct{ Step }

func (r *Refusal) Error() string { return r.Sentence }

// Check returns a *Refusal of the first thing at which the connection ends, or nil. Within one machine nothing is met.
func Check(c Connection) error {
	if c.isInside() {
		return nil
	}
	for _, look := range looks {
		for _, m := range look(c) {
			if !m.Passes {
				return &Refusal{m.said()}
			}
		}
	}
	return nil
}

// Explain are all that the connection meets, in order, also what is behind the first that does not let it pass.
func Explain(c Connection) (steps []Step) {
	if c.isInside() {
		return nil
	}
	for _, look := range looks {
		for _, m := range look(c) {
			steps = append(steps, m.said())
		}
	}
	return steps
}

// isInside says that both ends are at one interface, or on one machine, which such packets never leave.
func (c Connection) isInside() bool {
	return c.From.Interface != "" && c.From.Interface == c.To.Interface || c.From.Host != "" && c.From.Host == c.To.Host
}

// met is a step whose sentence is made only where somebody reads it: every connection meets some, and most pass.
type met struct {
	Step
	say func() string
}

func (m met) said() Step {
	m.Sentence = m.say()
	return m.Step
}

// looks are in the order in which packets come to them. Groups are stateful: who may ask gets an answer. ACLs are not, so
// they are asked about the answer, too.
var looks = []func(Connection) []met{groupsOut, aclsThere, routed, groupsIn, aclsBack}

func groupsOut(c Connection) []met { return groups(c, c.From, c.To, true) }

func groupsIn(c Connection) []met { return groups(c, c.To, c.From, false) }

// groups asks the security groups of one end, if it has any, about the other one.
func groups(c Connection, own, other End, egress bool) []met {
	if len(own.Groups) == 0 {
		return nil
	}
	var ids []string
	for _, g := range own.Groups {
		ids = append(ids, g.ID)
	}
	step := Step{Component: "security-group", ID: strings.Join(ids, ",")}
	direction, way := "inbound", "from"
	if egress {
		direction, way = "outbound", "to"
	}
	for _, g := range own.Groups {
		for _, r := range g.Rules {
			if r.Egress == egress && r.matches(c, other) {
				step.Passes, step.Rule = true, r.ID
				return []met{{step, func() string {
					return fmt.Sprintf("security group %s of %s allows %s %s by %s", named(g), own.Name,
						portText(c.Protocol, int(c.Port)), way+" "+r.whom(), r.ID)
				}}}
			}
		}
	}
	step.Code = CodeGroups
	return []met{{step, func() string {
		names := make([]string, len(own.Groups))
		for i, g := range own.Groups {
			names[i] = named(g)
		}
		what := fmt.Sprintf("%s %s %s (%s)", portText(c.Protocol, int(c.Port)), way, other.Name, other.Address)
		if len(names) == 1 {
			return fmt.Sprintf("security group %s of %s has no %s rule that allows %s", names[0], own.Name, direction, what)
		}
		return fmt.Sprintf("no rule of the security groups %s of %s allows, %s, %s", strings.Join(names, ", "), own.Name, direction, what)
	}}}
}

func named(g *Group) string {
	if g.Name == "" {
		return g.ID
	}
	return g.ID + " (" + g.Name + ")"
}

func (r Rule) whom() string {
	if r.Group != "" {
		return "members of " + r.Group
	}
	return r.Block.String()
}

func (r Rule) matches(c Connection, other End) bool {
	if !isProtocol(r.Protocol, c.Protocol) {
		return false
	}
	if !isAll(r.Protocol) && (int(c.Port) < r.From || int(c.Port) > r.To) {
		return false
	}
	if r.Group != "" {
		return other.isMember(r.Group)
	}
	return r.Block.IsValid() && r.Block.Contains(other.Address)
}

func isAll(protocol string) bool { return protocol == "-1" || protocol == "" }

// numbers are IANA's of the protocols.
var numbers = map[string]string{"tcp": "6", "udp": "17", "icmp": "1", "icmpv6": "58"}

func isProtocol(rule, protocol string) bool {
	return isAll(rule) || strings.EqualFold(rule, protocol) || rule == numbers[protocol]
}

func portText(protocol string, port int) string { return fmt.Sprintf("%s %d", protocol, port) }

// aclsThere are the network ACLs of the packets that ask. Within one subnet there are none.
func aclsThere(c Connection) []met { return acls(c, c.From, c.To, c.Port, "") }

// aclsBack are those of the packets that answer.
func aclsBack(c Connection) []met { return acls(c, c.To, c.From, c.Source, answersWay) }

// answersWay is said of what answers meet.
const answersWay = ", the answers' way"

// acls are those of packets from one end to a port of the other one.
func acls(c Connection, from, to End, port uint16, why string) (all []met) {
	if sameSubnet(c) {
		return nil
	}
	if s := from.Subnet; s != nil && s.ACL != nil {
		all = append(all, entry(s, true, c.Protocol, to.Address, port, why))
	}
	if s := to.Subnet; s != nil && s.ACL != nil {
		all = append(all, entry(s, false, c.Protocol, from.Address, port, why))
	}
	return all
}

func sameSubnet(c Connection) bool {
	return c.From.Subnet != nil && c.To.Subnet != nil && c.From.Subnet.ID == c.To.Subnet.ID
}

// entry asks the network ACL of a subnet about packets to (egress) or from an address; port is where they go.
func entry(s *Subnet, egress bool, protocol string, other netip.Addr, port uint16, why string) met {
	step := Step{Component: "network-acl", ID: s.ACL.ID}
	direction, way := "inbound", "from"
	if egress {
		direction, way = "outbound", "to"
	}
	what := func() string {
		return fmt.Sprintf("%s %s %s at %s%s", portText(protocol, int(port)), way, other, s.ID, why)
	}
	for _, e := range s.ACL.Entries {
		if e.Egress != egress || !isProtocol(e.Protocol, protocol) || !e.Block.IsValid() || !e.Block.Contains(other) {
			continue
		}
		if !isAll(e.Protocol) && (e.From != 0 || e.To != 0) && (int(port) < e.From || int(port) > e.To) {
			continue
		}
		step.Passes, step.Rule = e.Allow, entryName(e.Number)
		verb := "allows"
		if !e.Allow {
			verb, step.Code = "denies", CodeACL
		}
		return met{step, func() string {
			return fmt.Sprintf("%s entry %s of network ACL %s %s %s", direction, step.Rule, s.ACL.ID, verb, what())
		}}
	}
	step.Code = CodeACL
	return met{step, func() string {
		return fmt.Sprintf("no %s entry of network ACL %s allows %s", direction, s.ACL.ID, what())
	}}
}

// lastEntry is the number that the API gives to the entry that consoles show as *.
const lastEntry = 32767

func entryName(number int) string {
	if number == lastEntry {
		return "*"
	}
	return fmt.Sprint(number)
}

// routed asks the route table of the subnet that the connection leaves, and for the answers that of the other one.
func routed(c Connection) (all []met) {
	if s := c.From.Subnet; s != nil {
		all = append(all, route(s, c.To, ""))
	}
	if s := c.To.Subnet; s != nil && !sameSubnet(c) && !c.From.isBehind() {
		all = append(all, route(s, c.From, answersWay))
	}
	return all
}

// route finds the most specific route of a subnet that leads to the other end.
func route(s *Subnet, other End, why string) met {
	step := Step{Component: "route-table", ID: s.TableID}
	var best *Route
	for i, r := range s.Routes {
		if r.Block.Contains(other.Address) && (best == nil || r.Block.Bits() > best.Block.Bits()) {
			best = &s.Routes[i]
		}
	}
	if best == nil {
		step.Code = CodeNoRoute
		return met{step, func() string {
			return fmt.Sprintf("route table %s of %s has no route to %s%s", s.TableID, s.ID, other.Address, why)
		}}
	}
	step.Rule = best.Block.String()
	inside, end := other.Subnet != nil && other.Subnet.VPC == s.VPC, ""
	switch {
	case best.Blackhole:
		step.Code, end = CodeBadRoute, ", which is gone (blackhole)"
	case best.Target == local && inside,
		!inside && strings.HasPrefix(best.Target, "igw-"), !inside && why == "" && strings.HasPrefix(best.Target, "nat-"):
		step.Passes = true
	default:
		step.Code, end = CodeNoRoute, ", where nothing leads on to "+other.Name
	}
	return met{step, func() string {
		return fmt.Sprintf("route table %s of %s sends %s by %s%s%s", s.TableID, s.ID, best.Block, best.Target, why, end)
	}}
}

// local is the target of the route to the VPC's own addresses.
const local = "local"
