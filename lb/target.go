package lb

import (
	"context"
	"sync/atomic"
)

// TargetStatus is what a balancer knows of a target.
type TargetStatus struct {
	Name    string
	Address string // host:port, or a socket's path
	Healthy bool
	Reason  string // why it is not healthy, in a few words; empty when it is
	Open    int    // connections now
	Total   int    // connections since the balancer was made
}

// target is what the balancer knows of a Target. Balancer.mu guards everything but the counters.
type target struct {
	Target
	index int

	up     bool   // passes its health checks
	dead   bool   // not up because it is gone or silent: no server is there whose own error could be shown
	met    bool   // has been healthy since the balancer was started
	held   string // why the owner holds it back; empty when it does not
	reason string // why it is not up

	// gen changes whenever the target comes up, goes down or is held. What was seen of an earlier generation (the result
	// of a health check, a refused dial) says nothing about this one.
	gen uint64

	passes, fails int  // consecutive health checks
	suspected     bool // a silence has been counted as a failure since the last health check

	legs    map[*leg]struct{}
	drained chan struct{} // closed when legs becomes empty; nil unless somebody waits

	kick chan struct{} // asks for a health check now

	total, toTarget, toClient, dialFailures, retries, resets atomic.Int64
}

const notChecked = "not checked yet"

func newTarget(index int, t Target) *target {
	return &target{
		Target: t, index: index, gen: 1, dead: true, reason: notChecked,
		legs: make(map[*leg]struct{}), kick: make(chan struct{}, 1),
	}
}

// forget makes the target as it was before the first health check; it stays held. It assumes the lock.
func (t *target) forget() {
	t.up, t.dead, t.reason, t.met = false, true, notChecked, false
	t.passes, t.fails, t.suspected = 0, 0, false
	t.gen++
}

// status assumes the lock.
func (t *target) status() TargetStatus {
	s := TargetStatus{
		Name: t.Name, Address: t.Address, Healthy: t.up && t.held == "", Reason: t.reason,
		Open: len(t.legs), Total: int(t.total.Load()),
	}
	if t.held != "" {
		s.Reason = t.held
	}
	return s
}

// rank orders targets by how likely they are to answer. It assumes the lock.
func (t *target) rank() int {
	switch {
	case t.up:
		return 2
	case !t.dead:
		return 1
	default:
		return 0
	}
}

func (t *target) probeSoon() {
	select {
	case t.kick <- struct{}{}:
	default: // already asked
	}
}

// Snapshot tells the state of every target, in the order of Config.Targets.
func (b *Balancer) Snapshot() []TargetStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]TargetStatus, 0, len(b.targets))
	for _, t := range b.targets {
		out = append(out, t.status())
	}
	return out
}

// MarkDown says that the target died, or is known not to answer: it is unhealthy at once, and its open connections are
// reset. The next health check that passes makes it healthy again. An unknown name is ignored, here and below.
func (b *Balancer) MarkDown(name, reason string) {
	if t := b.named(name); t != nil {
		b.mutate(t, func() (cut bool) {
			if b.alone(t) {
				return false
			}
			t.down(reason, true)
			return true
		})
	}
}

// alone says whether only health checks say how a target is. It assumes the lock.
func (b *Balancer) alone(t *target) bool { return b.cfg.ChecksAlone && t.met }

// Probe asks for a health check of the target now, for instance because it announced that it is ready. It does not wait
// for the result.
func (b *Balancer) Probe(name string) {
	if t := b.named(name); t != nil {
		b.hint(t)
	}
}

// Hold takes the target out of service until Release, whatever its health checks say: it gets no connection, not even
// when no target is healthy, and its open connections are reset.
func (b *Balancer) Hold(name, reason string) {
	if t := b.named(name); t != nil {
		b.mutate(t, func() (cut bool) {
			t.hold(reason)
			return true
		})
	}
}

// Drain holds the target as Hold does, but lets its open connections finish until the context ends; those that are left
// then are reset. It returns when the target has no connection. Idle connections do not finish by themselves.
func (b *Balancer) Drain(ctx context.Context, name, reason string) {
	t := b.named(name)
	if t == nil {
		return
	}
	var drained chan struct{}
	b.mutate(t, func() (cut bool) {
		t.hold(reason)
		if len(t.legs) > 0 {
			if t.drained == nil {
				t.drained = make(chan struct{})
			}
			drained = t.drained
		}
		return false
	})
	if drained == nil {
		return
	}
	select {
	case <-drained:
	case <-ctx.Done():
		b.mutate(t, func() (cut bool) { return true })
		<-drained
	}
}

// Release ends Hold and Drain, and asks for a health check.
func (b *Balancer) Release(name string) {
	if t := b.named(name); t != nil {
		b.mutate(t, func() (cut bool) {
			if t.held != "" {
				t.held = ""
				t.gen++
			}
			return false
		})
		t.probeSoon()
	}
}

func (b *Balancer) named(name string) *target {
	for _, t := range b.targets {
		if t.Name == name {
			return t
		}
	}
	b.cfg.Logger.Debug("no such target", "target", name)
	return nil
}

// hold assumes the lock.
func (t *target) hold(reason string) {
	if reason == "" {
		reason = "held back"
	}
	t.held = reason
	t.gen++
}

// down assumes the lock.
func (t *target) down(reason string, dead bool) {
	t.up, t.dead, t.reason = false, dead, reason
	t.passes = 0
	t.gen++
}

// mutate changes a target under the lock, and then, outside it, cuts its connections if change says so, and tells of a
// change of health.
func (b *Balancer) mutate(t *target, change func() (cut bool)) {
	b.mu.Lock()
	before := t.status()
	cut := change()
	after := t.status()
	var legs []*leg
	if cut {
		legs = make([]*leg, 0, len(t.legs))
		for l := range t.legs {
			legs = append(legs, l)
		}
	}
	changed := before.Healthy != after.Healthy
	if changed {
		b.notices.add(after)
	}
	b.mu.Unlock()

	for _, l := range legs {
		l.cut()
	}
	if changed {
		b.cfg.Logger.Info("target changed", "target", t.Name, "healthy", after.Healthy, "reason", after.Reason,
			"cut", len(legs))
		b.notices.deliver(b.cfg.OnChange)
	}
}

// pick chooses the target whose turn it is among the best that have not been tried in their present generation. tried
// has a generation per target, 0 for never. It returns nil if there is none.
func (b *Balancer) pick(tried []uint64) (t *target, gen uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.targets {
		c := b.targets[(b.next+i)%len(b.targets)]
		if c.held != "" || tried[c.index] == c.gen {
			continue
		}
		if t == nil || c.rank() > t.rank() {
			t = c
		}
	}
	if t == nil {
		return nil, 0
	}
	b.next = (t.index + 1) % len(b.targets)
	return t, t.gen
}

// alternative tells whether another untried target is at least as good as this one.
func (b *Balancer) alternative(t *target, tried []uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.targets {
		if c != t && c.held == "" && tried[c.index] != c.gen && c.rank() >= t.rank() {
			return true
		}
	}
	return false
}

// generation is what to write into tried for a target that failed.
func (b *Balancer) generation(t *target) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return t.gen
}
