// Package link has the ways between two places of the region: two zones, or a zone and the region's clients. Faults are put on it, and
// act on the connections that cross it, new ones and open ones, as they would on TCP. While nothing is wrong, connections pass as if
// it were not there: in bulk by splice(2).
package link

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

// ErrFault is in the errors of connections that a fault keeps from being opened.
var ErrFault = errors.New("a fault is on the link")

// Link is one way, seen from one of its ends. A nil one is always well.
type Link struct {
	mu      sync.Mutex
	pair    Pair
	changed chan struct{} // closed and made anew when the pair changes
	conns   map[*Conn]struct{}
	stalled bool        // acknowledgements have been missing for long enough that TCP sends nothing new either way
	stall   *time.Timer // sets stalled
	// generation counts the pairs.
	generation int
	shut       bool

	pace sync.Mutex   // guards free; taken last
	free [2]time.Time // when what limits the bandwidth has passed all that came before, by direction
}

// New returns a link that is well.
func New() *Link {
	return &Link{changed: make(chan struct{}), conns: map[*Conn]struct{}{}}
}

// settling bounds how long Set waits for copies that were under way: one whose destination takes nothing cannot be interrupted.
const settling = 100 * time.Millisecond

// Set replaces what is true of the link, and returns when nothing crosses it any more by what was true before, but for what waits
// for a destination that takes nothing.
func (l *Link) Set(p Pair) {
	until := time.Now().Add(settling)
	for _, c := range l.set(p) {
		c.out.awaitLeft(until)
		c.in.awaitLeft(until)
	}
}

// set is Set without the wait. It returns the connections.
func (l *Link) set(p Pair) []*Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.equals(l.pair) {
		return nil
	}
	l.pair, l.stalled = p, false
	if l.stall != nil {
		l.stall.Stop()
	}
	l.generation++
	generation := l.generation
	l.stall = time.AfterFunc(firstResend, func() { l.notAcknowledged(generation) })
	l.pace.Lock()
	l.free = [2]time.Time{}
	l.pace.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
	for c := range l.conns {
		c.apply(p)
	}
	return slices.Collect(maps.Keys(l.conns))
}

// notAcknowledged stalls the other direction of connections of which one is cut: TCP needs acknowledgements, and after its first time-out
// sends what is missing again, and nothing new. So what is cut one way is cut both ways, but for what is sent until then.
func (l *Link) notAcknowledged(generation int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if generation != l.generation {
		return // of a pair before
	}
	l.stalled = true
	for c := range l.conns {
		c.apply(l.pair)
	}
}

// Pair is what is true of the link.
func (l *Link) Pair() Pair {
	if l == nil {
		return Pair{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pair
}

// Dial opens a connection over the link by dial. Where the link is cut it waits until that ends, or ctx does.
func (l *Link) Dial(ctx context.Context, dial func(context.Context) (net.Conn, error)) (net.Conn, error) {
	take, err := l.Open(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := dial(ctx)
	if err != nil {
		return nil, err
	}
	return take(conn), nil
}

// Open waits until a connection may come over the link from its other end, and returns what puts it there. A nil link's does nothing.
func (l *Link) Open(ctx context.Context) (take func(net.Conn) net.Conn, err error) {
	if l == nil {
		return func(conn net.Conn) net.Conn { return conn }, nil
	}
	draw := rand.Float64()
	if err := l.await(ctx, draw); err != nil {
		return nil, err
	}
	return func(conn net.Conn) net.Conn { return l.take(conn, draw) }, nil
}

// Take puts a connection on the link that was opened from its other end. The caller closes what it returns only.
func (l *Link) Take(conn net.Conn) net.Conn {
	if l == nil {
		return conn
	}
	return l.take(conn, rand.Float64())
}

func (l *Link) take(conn net.Conn, draw float64) *Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := newConn(conn, l, draw)
	c.apply(l.pair)
	if l.shut {
		conn.Close()
	}
	l.conns[c] = struct{}{}
	return c
}

func (l *Link) forget(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

// await returns when a connection that has drawn a number may be opened.
func (l *Link) await(ctx context.Context, draw float64) error {
	begun := time.Now()
	for {
		l.mu.Lock()
		out, in, changed, shut := l.pair.Out.on(draw), l.pair.In.on(draw), l.changed, l.shut
		l.mu.Unlock()
		var due <-chan time.Time
		switch {
		case shut:
			return net.ErrClosed
		case out.Reject || in.Reject:
			return fmt.Errorf("%w: %w", ErrFault, syscall.ECONNREFUSED)
		case !out.Drop && !in.Drop:
			left := time.Until(begun.Add(out.handshake() + in.handshake()))
			if left <= 0 {
				return nil
			}
			due = time.After(left)
		}
		select {
		case <-changed:
		case <-due:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrFault, ctx.Err())
		}
	}
}

// handshake is how long it takes until the other end has the opening of a connection, or its answer.
func (e Effect) handshake() time.Duration {
	loss := e.Loss
	e.Loss = 0
	d := e.delay(1)
	if loss > 0 {
		d += resends(loss, firstSYN)
	}
	return d
}

// slot is when n bytes have passed what limits the bandwidth of a direction.
func (l *Link) slot(way int, n int, bandwidth int64) time.Time {
	l.pace.Lock()
	defer l.pace.Unlock()
	now := time.Now()
	if l.free[way].Before(now) {
		l.free[way] = now
	}
	l.free[way] = l.free[way].Add(time.Duration(float64(n) / float64(bandwidth) * float64(time.Second)))
	return l.free[way]
}

// Shut closes all connections of the link, for good.
func (l *Link) Shut() {
	l.mu.Lock()
	l.shut = true
	if l.stall != nil {
		l.stall.Stop()
	}
	close(l.changed)
	l.changed = make(chan struct{})
	var conns []*Conn
	for c := range l.conns {
		conns = append(conns, c)
	}
	l.mu.Unlock()
	for _, c := range conns {
		c.abandon(net.ErrClosed)
	}
}
