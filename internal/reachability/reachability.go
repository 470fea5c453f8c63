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
		for step := range look(c) {
			if !step.Passes {
				return &Refusal{step}
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
		for step := range look(c) {
			steps = append(steps, step)
		}
	}
	return steps
}

// isInside says that both ends are at one interface, or on one machine, which such packets never leave.
func (c Connection) isInside() bool {
	return c.From.Interface != "" && c.From.Interface == c.To.Interface || c.From.Host != "" && c.From.Host == c.To.Host
}

type look func(Connection) func(yield func(Step) bool)

// looks are in the order in which packets come to them. Groups are stateful: who may ask gets an answer. ACLs are not, so
// they are asked about the answer, too.
var looks = []look{groupsOut, aclsThere, routed, groupsIn, aclsBack}

func groupsOut(c Connection) func(func(Step) bool) {
	return func(yield func(Step) bool) {
		if len(c.From.Groups) > 0 {
			yield(groups(c, c.From, c.To, true))
		}
	}
}

func groupsIn(c Connection) func(func(Step) bool) {
	return func(yield func(Step) bool) {
		if len(c.To.Groups) > 0 {
			yield(groups(c, c.To, c.From, false))
		}
	}
}

// groups asks the security groups of one end about the other one.
func groups(c Connection, own, other End, egress bool) Step {
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
				step.Sentence = fmt.Sprintf("security group %s of %s allows %s %s by %s", named(g), own.Name,
					portText(c.Protocol, int(c.Port)), way+" "+r.whom(), r.ID)
				return step
			}
		}
	}
	noun := "security group "
	if len(ids) > 1 {
		noun = "no rule of the security groups "
	}
	names := make([]string, len(own.Groups))
	for i, g := range own.Groups {
		names[i] = named(g)
	}
	verb := " has no " + direction + " rule that allows "
	if len(ids) > 1 {
		verb = " allows, " + direction + ", "
	}
	step.Code = CodeGroups
	step.Sentence = fmt.Sprintf("%s%s of %s%s%s %s %s (%s)", noun, strings.Join(names, ", "), own.Name, verb,
		portText(c.Protocol, int(c.Port)), way, other.Name, other.Address)
	return step
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
func aclsThere(c Connection) func(func(Step) bool) {
	return func(yield func(Step) bool) {
		if sameSubnet(c) {
			return
		}
		if s := c.From.Subnet; s != nil && s.ACL != nil && !yield(entry(s, true, c.Protocol, c.To.Address, c.Port, "")) {
			return
		}
		if s := c.To.Subnet; s != nil && s.ACL != nil {
			yield(entry(s, false, c.Protocol, c.From.Address, c.Port, ""))
		}
	}
}

// aclsBack are those of the packets that answer.
func aclsBack(c Connection) func(func(Step) bool) {
	return func(yield func(Step) bool) {
		if sameSubnet(c) {
			return
		}
		const answers = ", the answers' way"
		if s := c.To.Subnet; s != nil && s.ACL != nil && !yield(entry(s, true, c.Protocol, c.From.Address, c.Source, answers)) {
			return
		}
		if s := c.From.Subnet; s != nil && s.ACL != nil {
			yield(entry(s, false, c.Protocol, c.To.Address, c.Source, answers))
		}
	}
}

func sameSubnet(c Connection) bool {
	return c.From.Subnet != nil && c.To.Subnet != nil && c.From.Subnet.ID == c.To.Subnet.ID
}

// entry asks the network ACL of a subnet about packets to (egress) or from an address; port is where they go.
func entry(s *Subnet, egress bool, protocol string, other netip.Addr, port uint16, why string) Step {
	step := Step{Component: "network-acl", ID: s.ACL.ID}
	direction, way := "inbound", "from"
	if egress {
		direction, way = "outbound", "to"
	}
	what := fmt.Sprintf("%s %s %s at %s%s", portText(protocol, int(port)), way, other, s.ID, why)
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
		step.Sentence = fmt.Sprintf("%s entry %s of network ACL %s %s %s", direction, step.Rule, s.ACL.ID, verb, what)
		return step
	}
	step.Code = CodeACL
	step.Sentence = fmt.Sprintf("no %s entry of network ACL %s allows %s", direction, s.ACL.ID, what)
	return step
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
func routed(c Connection) func(func(Step) bool) {
	return func(yield func(Step) bool) {
		if s := c.From.Subnet; s != nil && !yield(route(s, c.To, "")) {
			return
		}
		if s := c.To.Subnet; s != nil && !sameSubnet(c) && !c.From.isBehind() {
			yield(route(s, c.From, ", the answers' way"))
		}
	}
}

// route finds the most specific route of a subnet that leads to the other end.
func route(s *Subnet, other End, why string) Step {
	step := Step{Component: "route-table", ID: s.TableID}
	var best *Route
	for i, r := range s.Routes {
		if r.Block.Contains(other.Address) && (best == nil || r.Block.Bits() > best.Block.Bits()) {
			best = &s.Routes[i]
		}
	}
	at := fmt.Sprintf("route table %s of %s", s.TableID, s.ID)
	if best == nil {
		step.Code = CodeNoRoute
		step.Sentence = fmt.Sprintf("%s has no route to %s%s", at, other.Address, why)
		return step
	}
	step.Rule = best.Block.String()
	how := fmt.Sprintf("%s sends %s by %s%s", at, best.Block, best.Target, why)
	inside := other.Subnet != nil && other.Subnet.VPC == s.VPC
	switch {
	case best.Blackhole:
		step.Code = CodeBadRoute
		step.Sentence = how + ", which is gone (blackhole)"
	case best.Target == local && inside,
		!inside && strings.HasPrefix(best.Target, "igw-"), !inside && why == "" && strings.HasPrefix(best.Target, "nat-"):
		step.Passes, step.Sentence = true, how
	default:
		step.Code = CodeNoRoute
		step.Sentence = how + ", where nothing leads on to " + other.Name
	}
	return step
}

// local is the target of the route to the VPC's own addresses.
const local = "local"
