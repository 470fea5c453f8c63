package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"tripod/region"
)

// pool is a target group at work: its targets, which of them are healthy, and the connections that are kept to them.
type pool struct {
	node      *Node
	transport *http.Transport // nil where no HTTP is spoken to the targets
	plain     bool            // they speak HTTP/1.1 without TLS

	turn atomic.Uint64 // of round robin

	settled atomic.Pointer[settings]
	// changes counts what changes of the targets and their health, and chosen is what followed from that last: what each
	// request asks for is found out once.
	changes atomic.Uint64
	chosen  atomic.Pointer[choices]

	mu      sync.Mutex
	members []*member // replaced as a whole
	byKey   map[string]*member
}

// settings are what a target group says, as each connection or request looks at it. They are replaced as a whole.
type settings struct {
	group      region.TargetGroup
	attributes map[string]string // with the defaults
	proxies    int               // the version of the PROXY protocol
}

// choices are what nodes choose from: of the zone's own targets, and of those of all zones.
type choices struct {
	changes  uint64 // that it was made after
	own, all choice
}

// choice is the healthy targets, or where there are none all of them.
type choice struct {
	candidates []*member
	healthy    bool
}

// member is a target of a pool.
type member struct {
	pool  *pool
	key   string // of the region.Target
	token string // stands for it in cookies
	// active counts the requests and connections that are under way.
	active atomic.Int64
	kept   kept

	mu     sync.Mutex
	target Target
	host   string // its address and port
	health health
	flows  map[*flow]struct{}
	wake   chan struct{} // has the check look again at once
	stop   context.CancelFunc
}

func newPool(n *Node, group region.TargetGroup) *pool {
	p := &pool{node: n, byKey: map[string]*member{}}
	p.settled.Store(settingsOf(Group{TargetGroup: group}))
	if group.Protocol == "HTTP" || group.Protocol == "HTTPS" {
		p.transport = p.newTransport(group.Version)
		p.plain = group.Protocol == "HTTP" && group.Version != "HTTP2" && group.Version != "GRPC"
	}
	return p
}

func settingsOf(group Group) *settings {
	s := &settings{group.TargetGroup, group.AllAttributes(), group.ProxyProtocol}
	if s.attributes["proxy_protocol_v2.enabled"] == "true" {
		s.proxies = 2
	}
	return s
}

// update changes the targets, and which of them are checked: those that nodes of this zone send to.
func (p *pool) update(group Group, users []region.LoadBalancer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.changes.Add(1)
	another := p.now().Check != group.Check
	p.settled.Store(settingsOf(group))
	crosses := slices.ContainsFunc(users, func(b region.LoadBalancer) bool { return p.crossesZones(&b) })
	there := map[string]bool{}
	var members []*member
	for _, t := range group.Targets {
		key := t.Key()
		there[key] = true
		m := p.byKey[key]
		if m != nil && !m.target.RegisteredAt.Equal(t.RegisteredAt) { // it begins anew
			m.end()
			m = nil
		}
		if m == nil {
			sum := sha256.Sum256([]byte(group.ARN + "|" + key))
			m = &member{pool: p, key: key, token: hex.EncodeToString(sum[:12]), flows: map[*flow]struct{}{},
				wake: make(chan struct{}, 1)}
			p.byKey[key] = m
		}
		members = append(members, m)
		m.change(t, crosses || isOf(t, p.node.options.Zone), another)
	}
	for key, m := range p.byKey {
		if !there[key] {
			m.end()
			delete(p.byKey, key)
		}
	}
	p.members = members
}

// isOf says whether a target is one of the zone's, or of no zone.
func isOf(t Target, zone string) bool { return t.Zone == zone || t.Zone == "" || t.Zone == "all" }

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.byKey {
		m.end()
	}
	p.members, p.byKey = nil, map[string]*member{}
	p.changes.Add(1)
	if p.transport != nil {
		p.transport.CloseIdleConnections()
	}
}

// change notes what is new of a target. checked says whether its health is this zone's to find out, and another that it is
// to be checked in another way.
func (m *member) change(t Target, checked, another bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.Address != m.target.Address || t.Lost != m.target.Lost { // kept ones lead elsewhere, or to nobody
		m.kept.drop()
	}
	another = another || t.Address != m.target.Address || t.Lost != m.target.Lost
	m.target, m.host = t, t.Address.String()
	switch {
	case !checked || t.IsDraining():
		if m.stop != nil {
			m.stop()
			m.stop = nil
		}
	case m.stop == nil:
		ctx, cancel := context.WithCancel(m.pool.node.running)
		m.stop = cancel
		m.pool.node.wait.Go(func() { m.watch(ctx) })
	case another: // else each change of any record would count as a check
		select {
		case m.wake <- struct{}{}:
		default:
		}
	}
}

// end lets a target go that is no more: its checks end, and what is under way ends by itself.
func (m *member) end() {
	m.kept.close()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stop != nil {
		m.stop()
		m.stop = nil
	}
}

func (m *member) now() Target {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.target
}

// at is where the target is.
func (m *member) at() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.host
}

// usable says whether new clients may be sent to the target, and whether it is healthy.
func (m *member) usable() (registered, healthy bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	registered = !m.target.IsDraining() && (m.target.Address.IsValid() || m.target.isBalancer())
	return registered, registered && m.target.Lost == "" && !m.target.Overridden && m.health.passes()
}

// view is what a load balancer's node in the zone chooses from.
func (p *pool) view(b *region.LoadBalancer) (candidates []*member, healthy bool) {
	c := p.choices()
	if p.crossesZones(b) {
		return c.all.candidates, c.all.healthy
	}
	return c.own.candidates, c.own.healthy
}

func (p *pool) choices() *choices {
	changes := p.changes.Load()
	if c := p.chosen.Load(); c != nil && c.changes == changes {
		return c
	}
	p.mu.Lock()
	members := p.members
	p.mu.Unlock()
	c := &choices{changes: changes}
	c.all = choose(members)
	c.own = choose(slices.DeleteFunc(slices.Clone(members), func(m *member) bool { return !isOf(m.now(), p.node.options.Zone) }))
	p.chosen.Store(c)
	return c
}

func choose(members []*member) (c choice) {
	var all []*member
	for _, m := range members {
		registered, passes := m.usable()
		if passes {
			c.candidates = append(c.candidates, m)
		}
		if registered {
			all = append(all, m)
		}
	}
	if c.healthy = len(c.candidates) > 0; !c.healthy {
		c.candidates = all
	}
	return c
}

// crossesZones says whether a load balancer's nodes send to targets of other zones, too.
func (p *pool) crossesZones(b *region.LoadBalancer) bool {
	own := p.attribute("load_balancing.cross_zone.enabled")
	if own == "true" || own == "false" {
		return own == "true"
	}
	return b.Attribute("load_balancing.cross_zone.enabled") == "true"
}

// pick chooses one of the candidates, other than those tried before.
func (p *pool) pick(candidates []*member, tried []*member) *member {
	left := candidates
	if len(tried) > 0 {
		left = slices.DeleteFunc(slices.Clone(candidates), func(m *member) bool { return slices.Contains(tried, m) })
	}
	if len(left) == 0 {
		return nil
	}
	switch p.attribute("load_balancing.algorithm.type") {
	case "least_outstanding_requests":
		return slices.MinFunc(left, func(a, b *member) int { return int(a.active.Load() - b.active.Load()) })
	case "weighted_random":
		return left[rand.IntN(len(left))]
	}
	return left[p.turn.Add(1)%uint64(len(left))]
}

// now is the target group. It is not to be changed.
func (p *pool) now() *region.TargetGroup { return &p.settled.Load().group }

// proxy is the version of the PROXY protocol that targets are spoken to by.
func (p *pool) proxy() int { return p.settled.Load().proxies }

func (p *pool) attribute(name string) string { return p.settled.Load().attributes[name] }

// of is the target that a cookie's value stands for, if it is one of the candidates.
func of(token string, candidates []*member) *member {
	i := slices.IndexFunc(candidates, func(m *member) bool { return m.token == token })
	if token == "" || i < 0 {
		return nil
	}
	return candidates[i]
}
