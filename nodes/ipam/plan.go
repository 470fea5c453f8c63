package ipam

import (
	"net/netip"
	"time"
)

// What ipamd waits for.
const (
	// shrinkPause is between two times that addresses are given back.
	shrinkPause = 30 * time.Second
	// youth is how long a new interface stays, whether it is needed or not.
	youth = time.Minute
	// FullPause is how long a subnet that had no addresses is left alone.
	FullPause = 2 * time.Minute
)

// prefixSize is how many addresses a /28 prefix has.
const prefixSize = 16

// Limits are those of a node's instance type.
type Limits struct {
	// Interfaces is how many it may have on its default card, Addresses how many addresses each, the first one among them.
	Interfaces, Addresses int
	// MaxPods is how many pods its kubelet takes: more addresses than these are not asked for.
	MaxPods int
	// Nitro says that its interfaces may have prefixes.
	Nitro bool
}

// Interface is one of a node's interfaces.
type Interface struct {
	ID        string
	Primary   bool
	Addresses []netip.Addr // but the first one, which no pod has
	Prefixes  []netip.Prefix
	Created   time.Time
	// Idle says that no pod of the pool's has its addresses: it is a trunk, or one that the CNI does not manage.
	Idle bool
}

// Node is what is decided about a node's pool.
type Node struct {
	Limits
	Settings
	Interfaces []Interface
	// Used are the addresses that pods have, Cooling those that rest, until when.
	Used    map[netip.Addr]bool
	Cooling map[netip.Addr]time.Time
	// Waiting is how many pods wait for an address.
	Waiting int
	// Listed says that all pods of the node are known: nothing is given back before.
	Listed bool
	// Shrunk is when addresses were given back last, and Paused until when no more are asked for.
	Shrunk, Paused time.Time
}

// Kind is what is to be done.
type Kind int

// The kinds of steps.
const (
	Nothing  Kind = iota
	Assign        // Count addresses or prefixes to the interface
	Attach        // a new interface with Count addresses or prefixes
	Unassign      // Addresses and Prefixes of the interface
	Detach        // the interface, and delete it
)

// Step is what a node's pool needs next.
type Step struct {
	Kind      Kind
	Interface string
	Count     int
	Prefixes  bool // Count is of prefixes
	// Addresses and Blocks are those that are given back.
	Addresses []netip.Addr
	Blocks    []netip.Prefix
}

// Grows says whether the step asks for addresses.
func (s Step) Grows() bool { return s.Kind == Assign || s.Kind == Attach }

// counts are the numbers that ipamd decides by.
type counts struct {
	total, assigned, free       int // addresses; free ones may be cooling
	prefixes, freePrefixes      int
	interfaces, mostPer, mostOf int // how many there are; addresses and prefixes of each; interfaces
}

func (n Node) count() counts {
	c := counts{mostPer: n.Addresses - 1, mostOf: n.Limits.Interfaces}
	if n.MaxENI > 0 {
		c.mostOf = min(c.mostOf, n.MaxENI)
	}
	for _, i := range n.Interfaces {
		c.interfaces++
		if !n.serves(i) {
			continue
		}
		c.total += len(i.Addresses) + prefixSize*len(i.Prefixes)
		c.prefixes += len(i.Prefixes)
		for _, p := range i.Prefixes {
			if used := n.usedOf(p); used == 0 {
				c.freePrefixes++
			} else {
				c.assigned += used
			}
		}
		for _, a := range i.Addresses {
			if n.Used[a] {
				c.assigned++
			}
		}
	}
	c.free = c.total - c.assigned
	return c
}

// serves says whether pods get addresses of an interface: with custom networking not of the primary one.
func (n Node) serves(i Interface) bool { return !i.Idle && !(n.Custom && i.Primary) }

func (n Node) usedOf(block netip.Prefix) (used int) {
	for a := block.Addr(); block.Contains(a); a = a.Next() {
		if n.Used[a] {
			used++
		}
	}
	return used
}

func (n Node) coolingOf(i Interface, now time.Time) (until time.Time) {
	for a, at := range n.Cooling {
		if at.After(now) && at.After(until) && i.Has(a) {
			until = at
		}
	}
	return until
}

// Has says whether an address is one of the interface's for pods.
func (i Interface) Has(a netip.Addr) bool {
	for _, own := range i.Addresses {
		if own == a {
			return true
		}
	}
	for _, p := range i.Prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// delegates says whether the node's interfaces get prefixes.
func (n Node) delegates() bool { return n.Prefixes && n.Nitro }

// missing is how many addresses, or prefixes where the node has these, are missing and how many are too many by WARM_IP_TARGET and
// MINIMUM_IP_TARGET (datastoreTargetState).
func (n Node) missing(c counts) (short, over int) {
	free := c.free - n.Waiting
	short = max(n.WarmIP-free, n.MinimumIP-c.total, 0)
	over = max(min(free-n.WarmIP, c.total-n.MinimumIP), 0)
	if !n.delegates() {
		return short, over
	}
	ceil := func(n int) int { return (n + prefixSize - 1) / prefixSize }
	over = min(c.freePrefixes, c.prefixes-ceil(c.assigned+n.Waiting+n.WarmIP), c.prefixes-ceil(n.MinimumIP))
	return ceil(short), max(over, 0)
}

// short is how many addresses, or prefixes, are to be asked for at most; 0: the pool is not too low.
func (n Node) short(c counts) int {
	if n.MaxPods > 0 && c.total >= n.MaxPods {
		return 0
	}
	if n.targets() {
		short, _ := n.missing(c)
		return short
	}
	free := c.free - n.Waiting
	if n.delegates() {
		if free < 0 || free < prefixSize*n.WarmPrefix || n.WarmPrefix == 0 && free == 0 {
			return max(n.WarmPrefix-c.freePrefixes, (prefixSize-1-free)/prefixSize, btoi(free <= 0))
		}
		return 0
	}
	if free < 0 || free < c.mostPer*n.WarmENI || n.WarmENI == 0 && free == 0 {
		return c.mostPer
	}
	return 0
}

func btoi(is bool) int {
	if is {
		return 1
	}
	return 0
}

// Plan is what the pool needs next, and when something follows by itself (zero: only a change matters).
func Plan(n Node, now time.Time) (step Step, next time.Time) {
	c := n.count()
	if short := n.short(c); short > 0 {
		var next time.Time
		if n.Waiting > 0 { // an address that has rested will do
			next = n.firstCooled(now)
		}
		if now.Before(n.Paused) {
			return Step{}, earlier(next, n.Paused)
		}
		return n.grow(c, short), next
	}
	if n.Listed {
		step, next = n.shrink(c, now)
	}
	if n.Waiting > 0 {
		next = earlier(next, n.firstCooled(now))
	}
	return step, next
}

// grow fills the interfaces that there are before it asks for another one.
func (n Node) grow(c counts, short int) Step {
	for _, i := range n.Interfaces {
		if room := c.mostPer - len(i.Addresses) - len(i.Prefixes); n.serves(i) && room > 0 {
			return Step{Kind: Assign, Interface: i.ID, Count: min(room, short), Prefixes: n.delegates()}
		}
	}
	if c.interfaces < c.mostOf {
		return Step{Kind: Attach, Count: min(c.mostPer, short), Prefixes: n.delegates()}
	}
	return Step{}
}

// shrink gives back what is too much: first addresses, then interfaces that no pod needs.
func (n Node) shrink(c counts, now time.Time) (step Step, next time.Time) {
	if over := n.over(c); over > 0 {
		if at := n.Shrunk.Add(shrinkPause); now.Before(at) {
			next = at
		} else if step := n.unassign(over, now); step.Kind != Nothing {
			return step, time.Time{}
		} else {
			next = n.firstCooled(now)
		}
	}
	extra := c.free >= (n.WarmENI+1)*c.mostPer
	if n.delegates() {
		extra = c.free >= (n.WarmPrefix+1)*prefixSize
	}
	if !n.targets() && !extra || n.Waiting > 0 {
		return Step{}, next
	}
	for _, i := range n.Interfaces {
		if !n.serves(i) || i.Primary || !n.spare(c, i) {
			continue
		}
		until := n.coolingOf(i, now)
		if at := i.Created.Add(youth); at.After(now) && at.After(until) {
			until = at
		}
		if until.IsZero() {
			return Step{Kind: Detach, Interface: i.ID}, time.Time{}
		}
		next = earlier(next, until)
	}
	return Step{}, next
}

// over is how many addresses, or prefixes, the pool has too many.
func (n Node) over(c counts) int {
	switch {
	case n.targets():
		_, over := n.missing(c)
		return over
	case n.delegates():
		return max(0, c.freePrefixes-n.WarmPrefix)
	}
	return 0
}

// spare says whether no pod has an address of the interface, and those of the others will do.
func (n Node) spare(c counts, i Interface) bool {
	own := len(i.Addresses) + prefixSize*len(i.Prefixes)
	for a := range n.Used {
		if i.Has(a) {
			return false
		}
	}
	if n.targets() {
		return c.free-own >= n.WarmIP && c.total-own >= n.MinimumIP
	}
	return true
}

// unassign are up to over free addresses, or prefixes, of one interface that do not rest.
func (n Node) unassign(over int, now time.Time) Step {
	for at := len(n.Interfaces) - 1; at >= 0; at-- {
		i := n.Interfaces[at]
		step := Step{Kind: Unassign, Interface: i.ID}
		if !n.serves(i) {
			continue
		}
		for _, p := range i.Prefixes {
			if n.delegates() && len(step.Blocks) < over && n.usedOf(p) == 0 && !n.cools(p, now) {
				step.Blocks = append(step.Blocks, p)
			}
		}
		for _, a := range i.Addresses {
			if !n.delegates() && len(step.Addresses) < over && !n.Used[a] && !n.Cooling[a].After(now) {
				step.Addresses = append(step.Addresses, a)
			}
		}
		if len(step.Blocks)+len(step.Addresses) > 0 {
			return step
		}
	}
	return Step{}
}

func (n Node) cools(block netip.Prefix, now time.Time) bool {
	for a, at := range n.Cooling {
		if at.After(now) && block.Contains(a) {
			return true
		}
	}
	return false
}

// firstCooled is when the first address has rested.
func (n Node) firstCooled(now time.Time) (first time.Time) {
	for _, at := range n.Cooling {
		if at.After(now) {
			first = earlier(first, at)
		}
	}
	return first
}

// earlier is the earlier one of two times of which zero ones do not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
