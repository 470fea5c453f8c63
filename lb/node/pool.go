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

	turn atomic.Uint64 // of round robin

	mu      sync.Mutex
	group   region.TargetGroup
	proxies int // the version of the PROXY protocol
	members []*member
	byKey   map[string]*member
}

// member is a target of a pool.
type member struct {
	pool  *pool
	key   string // of the region.Target
	token string // stands for it in cookies
	// active counts the requests and connections that are under way.
	active atomic.Int64

	mu     sync.Mutex
	target Target
	health health
	flows  map[*flow]struct{}
	wake   chan struct{} // has the check look again at once
	stop   context.CancelFunc
}

func newPool(n *Node, group region.TargetGroup) *pool {
	p := &pool{node: n, group: group, byKey: map[string]*member{}}
	if group.Protocol == "HTTP" || group.Protocol == "HTTPS" {
		p.transport = p.newTransport()
	}
	return p
}

// update changes the targets, and which of them are checked: those that nodes of this zone send to.
func (p *pool) update(group Group, users []region.LoadBalancer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	another := p.group.Check != group.Check
	p.group, p.proxies = group.TargetGroup, group.ProxyProtocol
	if p.group.Attribute("proxy_protocol_v2.enabled") == "true" {
		p.proxies = 2
	}
	crosses := slices.ContainsFunc(users, func(b region.LoadBalancer) bool { return crossesZones(b, group.TargetGroup) })
	there := map[string]bool{}
	p.members = nil
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
		p.members = append(p.members, m)
		m.change(t, crosses || isOf(t, p.node.options.Zone), another)
	}
	for key, m := range p.byKey {
		if !there[key] {
			m.end()
			delete(p.byKey, key)
		}
	}
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
	if p.transport != nil {
		p.transport.CloseIdleConnections()
	}
}

// change notes what is new of a target. checked says whether its health is this zone's to find out, and another that it is
// to be checked in another way.
func (m *member) change(t Target, checked, another bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	another = another || t.Address != m.target.Address || t.Lost != m.target.Lost
	m.target = t
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

// usable says whether new clients may be sent to the target, and whether it is healthy.
func (m *member) usable() (registered, healthy bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	registered = !m.target.IsDraining() && m.target.Address.IsValid()
	return registered, registered && m.target.Lost == "" && m.health.passes()
}

// view is what a load balancer's node in a zone chooses from: the healthy targets, or where there are none all of them.
func (p *pool) view(b region.LoadBalancer, zone string) (candidates []*member, healthy bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	crosses := crossesZones(b, p.group)
	var all []*member
	for _, m := range p.members {
		if !crosses && !isOf(m.now(), zone) {
			continue
		}
		registered, passes := m.usable()
		if passes {
			candidates = append(candidates, m)
		}
		if registered {
			all = append(all, m)
		}
	}
	if len(candidates) > 0 {
		return candidates, true
	}
	return all, false
}

// pick chooses one of the candidates, other than those tried before.
func (p *pool) pick(candidates []*member, tried []*member) *member {
	left := slices.DeleteFunc(slices.Clone(candidates), func(m *member) bool { return slices.Contains(tried, m) })
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

// proxy is the version of the PROXY protocol that targets are spoken to by.
func (p *pool) proxy() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.proxies
}

func (p *pool) attribute(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.group.Attribute(name)
}

// of is the target that a cookie's value stands for, if it is one of the candidates.
func of(token string, candidates []*member) *member {
	i := slices.IndexFunc(candidates, func(m *member) bool { return m.token == token })
	if token == "" || i < 0 {
		return nil
	}
	return candidates[i]
}
