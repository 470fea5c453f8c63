package emulator

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"tripod/internal/process"
	"tripod/region"
)

// endpointListener is the listener of a cluster's balancer. It has a public door, a private one that can be closed, and
// one for the zones' own, and knows who may come in through which.
type endpointListener struct {
	publicAddress, privateAddress string     // host:port
	sockets                       []string   // of the zones' own clients, by zone
	client                        netip.Addr // the address that clients are said to have; none is admitted by every CIDR
	refusals                      refusals

	conns  chan net.Conn
	closed chan struct{}
	wait   sync.WaitGroup

	mu      sync.Mutex
	public  net.Listener
	private net.Listener // nil while it is closed
	own     []net.Listener
	access  region.EndpointAccess
	shut    bool
}

// refusals counts refused connections, and tells of them in bundles.
type refusals struct {
	// tell is called with why connections were refused, and how many there were since it was called last: at most once in
	// refusalPause.
	tell func(reason string, connections int)
	now  func() time.Time

	mu    sync.Mutex
	count int       // since the last call of tell
	last  time.Time // when that was
}

// add counts a connection that was refused for a reason. An empty one, where the reason has gone meanwhile, is not
// told.
func (r *refusals) add(reason string) {
	r.mu.Lock()
	r.count++
	count, now := r.count, r.now()
	loud := now.Sub(r.last) >= refusalPause
	if loud {
		r.count, r.last = 0, now
	}
	r.mu.Unlock()
	if loud && reason != "" {
		r.tell(reason, count)
	}
}

// refusalPause keeps a client that tries again and again from filling the journal.
const refusalPause = 10 * time.Second

// open opens the public door, through which nobody may come before setAccess, and the zones' own.
func (l *endpointListener) open() (err error) {
	l.conns, l.closed = make(chan net.Conn), make(chan struct{})
	if l.public, err = net.Listen("tcp", l.publicAddress); err != nil {
		return err
	}
	for _, socket := range l.sockets {
		listener, err := process.ListenUnix(socket)
		if err != nil {
			l.closeDoors()
			return err
		}
		l.own = append(l.own, listener)
	}
	for _, door := range append(l.own, l.public) {
		l.wait.Go(func() { l.accept(door) })
	}
	return nil
}

// setAccess opens and closes doors. When the private one cannot be opened, all else is as it was asked for.
func (l *endpointListener) setAccess(access region.EndpointAccess) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.access = access
	if l.shut {
		return net.ErrClosed
	}
	if !access.Private {
		if l.private != nil {
			l.private.Close()
			l.private = nil
		}
		return nil
	}
	if l.private != nil {
		return nil
	}
	listener, err := net.Listen("tcp", l.privateAddress)
	if err != nil {
		return err
	}
	l.private = listener
	l.wait.Go(func() { l.accept(listener) })
	return nil
}

// accept passes on the connections that come through one door.
func (l *endpointListener) accept(door net.Listener) {
	for {
		conn, err := door.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // out of file descriptors: others will close theirs
			continue
		}
		select {
		case l.conns <- conn:
		case <-l.closed:
			conn.Close()
		}
	}
}

// admit says whether a connection may be served, and tells of one that may not.
func (l *endpointListener) admit(conn net.Conn) bool {
	if l.stands(conn) {
		return true
	}
	l.mu.Lock()
	reason := l.objection()
	l.mu.Unlock()
	l.refusals.add(reason)
	return false
}

// objection is why clients may not come in through the public door; empty when they may. It assumes the lock.
func (l *endpointListener) objection() string {
	if !l.access.Public {
		return "public access is off"
	}
	if !l.client.IsValid() {
		return ""
	}
	for _, cidr := range l.access.PublicCIDRs {
		if prefix, err := netip.ParsePrefix(cidr); err == nil && prefix.Contains(l.client) {
			return ""
		}
	}
	return fmt.Sprintf("%s is in none of publicAccessCidrs %s", l.client, strings.Join(l.access.PublicCIDRs, ", "))
}

// stands says whether a connection could come in now through the door that it came through.
func (l *endpointListener) stands(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch conn.LocalAddr().String() {
	case l.public.Addr().String():
		return l.objection() == ""
	case l.privateAddress:
		return l.access.Private
	}
	return true
}

// privateEndpoint is the private door's URL, or empty while it is closed.
func (l *endpointListener) privateEndpoint() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.private == nil {
		return ""
	}
	return "https://" + l.privateAddress
}

// Accept is net.Listener's.
func (l *endpointListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Addr is the public door's.
func (l *endpointListener) Addr() net.Addr { return l.public.Addr() }

// Close closes all doors, and returns when nobody comes in any more.
func (l *endpointListener) Close() error {
	l.mu.Lock()
	if l.shut {
		l.mu.Unlock()
		return nil
	}
	l.shut = true
	close(l.closed)
	l.closeDoors()
	l.mu.Unlock()
	l.wait.Wait()
	return nil
}

// closeDoors closes those that are open. It assumes the lock, or that nobody else knows the listener.
func (l *endpointListener) closeDoors() {
	for _, door := range append(l.own, l.public, l.private) {
		if door != nil {
			door.Close()
		}
	}
}

// zoneOf is the index of the zone that a client is in; -1: it is in none.
func (l *endpointListener) zoneOf(client net.Conn) int {
	if client == nil {
		return -1
	}
	return slices.Index(l.sockets, client.LocalAddr().String())
}
