package lb

import (
	"net"
	"time"
)

// Suspend ends the health checks until Resume: the targets are about to be stopped as a whole, and their silence says
// nothing. What was begun does not count any more. Connections stay as they are. Suspending twice is the same as once.
func (b *Balancer) Suspend() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rest == nil {
		b.rest = make(chan struct{})
		b.disregard()
	}
}

// Resume lets the health checks go on that Suspend ended: each target's next one comes at once.
func (b *Balancer) Resume() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rest == nil {
		return
	}
	b.disregard()
	close(b.rest)
	b.rest = nil
	for _, t := range b.targets {
		t.probeSoon()
	}
}

// disregard makes what was seen of the targets so far say nothing. It assumes the lock.
func (b *Balancer) disregard() {
	for _, t := range b.targets {
		t.gen++
		t.passes, t.fails, t.suspected = 0, 0, false
	}
}

// awaitWork returns when health checks are wanted, or false when the run ends.
func (r *run) awaitWork() bool {
	r.b.mu.Lock()
	rest := r.b.rest
	r.b.mu.Unlock()
	if rest == nil {
		return r.ctx.Err() == nil
	}
	select {
	case <-rest:
		return true
	case <-r.ctx.Done():
		return false
	}
}

// Activity is what clients have done, as far as the balancer sees. Clients are those that come over TCP; who is behind
// a unix socket belongs to the balancer's owner.
type Activity struct {
	Clients int       // open connections that have not been hung up
	Since   time.Time // when the last one ended; zero: none has
	// that open connections have carried, both ways; always 0 where the system does not tell (Linux does)
	Bytes uint64
}

// Activity says what clients have done.
func (b *Balancer) Activity() Activity {
	b.mu.Lock()
	r := b.run
	activity := Activity{Since: b.lastClient}
	b.mu.Unlock()
	if r == nil {
		return activity
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for f := range r.flows {
		if !isClient(f.client) {
			continue
		}
		if bytes, open := carried(f.client); open {
			activity.Clients++
			activity.Bytes += bytes
		}
	}
	return activity
}

func isClient(conn net.Conn) bool { return conn.LocalAddr().Network() == "tcp" }

// ended notes the end of a client's connection.
func (b *Balancer) ended(conn net.Conn) {
	if isClient(conn) {
		b.mu.Lock()
		b.lastClient = time.Now()
		b.mu.Unlock()
	}
}
