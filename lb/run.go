package lb

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// run is a balancer between a start and a stop: it owns the listener and every goroutine.
type run struct {
	b        *Balancer
	listener net.Listener
	ctx      context.Context // ends when connections are reset, for dials and health checks
	cancel   context.CancelFunc

	closing   chan struct{}
	close     func() // stops accepting, once
	end       func() // undoes the start, once
	accepting sync.WaitGroup
	serving   sync.WaitGroup
	probing   sync.WaitGroup

	mu    sync.Mutex
	flows map[*flow]struct{}
	ended bool // flows are reset, new ones too
}

func newRun(b *Balancer, listener net.Listener) *run {
	r := &run{b: b, listener: listener, closing: make(chan struct{}), flows: make(map[*flow]struct{})}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.close = sync.OnceFunc(func() {
		close(r.closing)
		_ = listener.Close()
	})
	r.end = sync.OnceFunc(func() {
		b.unregister()
		b.mu.Lock()
		b.run = nil
		for _, t := range b.targets {
			t.forget() // nobody looks after them from here on
		}
		b.mu.Unlock()
		b.cfg.Logger.Info("balancer stopped")
	})
	return r
}

func (r *run) start() {
	for _, t := range r.b.targets {
		r.probing.Go(func() { r.probe(t) })
	}
	r.accepting.Go(r.accept)
}

// stop may run several times at once: each returns when all is done, and the first context to end resets connections.
func (r *run) stop(ctx context.Context) {
	r.close()
	r.accepting.Wait()
	idle := make(chan struct{})
	go func() {
		r.serving.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-ctx.Done():
	}
	// Targets are still watched up to here: one that dies while others drain must not hold up its clients.
	r.reset()
	<-idle
	r.probing.Wait()
	r.end()
}

// reset ends every connection, and every dial and health check under way.
func (r *run) reset() {
	r.mu.Lock()
	r.ended = true
	flows := make([]*flow, 0, len(r.flows))
	for f := range r.flows {
		flows = append(flows, f)
	}
	r.mu.Unlock()
	r.cancel()
	for _, f := range flows {
		f.kill()
	}
	if len(flows) > 0 {
		r.b.cfg.Logger.Info("balancer reset its open connections", "connections", len(flows))
	}
}

// ResetClients ends the clients' connections that match.
func (b *Balancer) ResetClients(match func(client net.Conn) bool) {
	b.mu.Lock()
	r := b.run
	b.mu.Unlock()
	if r == nil {
		return
	}
	r.mu.Lock()
	var flows []*flow
	for f := range r.flows {
		if match(f.client) {
			flows = append(flows, f)
		}
	}
	r.mu.Unlock()
	for _, f := range flows {
		f.kill()
	}
}

func (r *run) accept() {
	const shortest, longest = 5 * time.Millisecond, time.Second
	pause := shortest
	for {
		conn, err := r.listener.Accept()
		if err == nil {
			pause = shortest
			r.serve(conn)
			continue
		}
		select {
		case <-r.closing:
			return
		default:
		}
		if errors.Is(err, net.ErrClosed) {
			r.b.cfg.Logger.Error("listener was closed by somebody else: no more connections are taken", "error", err)
			return
		}
		// Most likely no file descriptor is left: wait for connections to end rather than spin.
		r.b.cfg.Logger.Warn("cannot take a connection, will try again", "error", err, "after", pause)
		select {
		case <-r.closing:
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, longest)
	}
}

func (r *run) serve(client net.Conn) {
	f := &flow{r: r, b: r.b, client: client}
	r.mu.Lock()
	if r.ended {
		r.mu.Unlock()
		reset(client)
		return
	}
	r.flows[f] = struct{}{}
	r.serving.Add(1) // never once stop waits: it waits for accept first
	r.mu.Unlock()
	// asked once ResetClients would find it: no change of mind is missed
	if admit := r.b.cfg.Admit; admit != nil && !admit(client) {
		f.kill()
		r.served(f)
		return
	}
	go f.serve()
}

// served is the last thing a flow does.
func (r *run) served(f *flow) {
	r.mu.Lock()
	delete(r.flows, f)
	r.mu.Unlock()
	r.b.ended(f.client)
	r.serving.Done()
}
