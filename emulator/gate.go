package emulator

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"tripod/internal/process"
	"tripod/region"
)

// gate is the listener of a cluster's balancer. It has a public door, a private one that can be closed, and one for the zones' own, and knows who may come
// in through which.
type gate struct {
	publicAddress, privateAddress string // host:port
	socket                        string
	client                        netip.Addr // the address that clients are said to have; none is admitted by every CIDR
	// refused is told why connections were refused, and how many there were since it was told last: at most one call in refusalPause.
	refused func(reason string, connections int)
	now     func() time.Time

	conns  chan net.Conn
	closed chan struct{}
	wait   sync.WaitGroup

	mu       sync.Mutex
	public   net.Listener
	private  net.Listener // nil while it is closed
	own      net.Listener
	access   region.EndpointAccess
	refusals int       // since the last call of refused
	told     time.Time // when that was
	shut     bool
}

// refusalPause keeps a client that tries again and again from filling the journal.
const refusalPause = 10 * time.Second

// open opens the public door, through which nobody may come before setAccess, and the zones' own.
func (g *gate) open() (err error) {
	g.conns, g.closed = make(chan net.Conn), make(chan struct{})
	if g.public, err = net.Listen("tcp", g.publicAddress); err != nil {
		return err
	}
	if g.own, err = process.ListenUnix(g.socket); err != nil {
		g.public.Close()
		return err
	}
	g.wait.Go(func() { g.accept(g.public) })
	g.wait.Go(func() { g.accept(g.own) })
	return nil
}

// setAccess opens and closes doors. When the private one cannot be opened, all else is as it was asked for.
func (g *gate) setAccess(access region.EndpointAccess) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.access = access
	if g.shut {
		return net.ErrClosed
	}
	if !access.Private {
		if g.private != nil {
			g.private.Close()
			g.private = nil
		}
		return nil
	}
	if g.private != nil {
		return nil
	}
	listener, err := net.Listen("tcp", g.privateAddress)
	if err != nil {
		return err
	}
	g.private = listener
	g.wait.Go(func() { g.accept(listener) })
	return nil
}

// accept passes on the connections that come through one door.
func (g *gate) accept(door net.Listener) {
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
		case g.conns <- conn:
		case <-g.closed:
			conn.Close()
		}
	}
}

// admit says whether a connection may be served, and tells of one that may not.
func (g *gate) admit(conn net.Conn) bool {
	if g.stands(conn) {
		return true
	}
	g.mu.Lock()
	reason := g.objection()
	g.refusals++
	count, now := g.refusals, g.now()
	if loud := now.Sub(g.told) >= refusalPause; loud {
		g.refusals, g.told = 0, now
	} else {
		count = 0
	}
	g.mu.Unlock()
	if count > 0 && reason != "" {
		g.refused(reason, count)
	}
	return false
}

// objection is why clients may not come in through the public door; empty when they may. It assumes the lock.
func (g *gate) objection() string {
	if !g.access.Public {
		return "public access is off"
	}
	if !g.client.IsValid() {
		return ""
	}
	for _, cidr := range g.access.PublicCIDRs {
		if prefix, err := netip.ParsePrefix(cidr); err == nil && prefix.Contains(g.client) {
			return ""
		}
	}
	return fmt.Sprintf("%s is in none of publicAccessCidrs %s", g.client, strings.Join(g.access.PublicCIDRs, ", "))
}

// stands says whether a connection could come in now through the door that it came through.
func (g *gate) stands(conn net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch conn.LocalAddr().String() {
	case g.public.Addr().String():
		return g.objection() == ""
	case g.privateAddress:
		return g.access.Private
	}
	return true
}

// privateEndpoint is the private door's URL, or empty while it is closed.
func (g *gate) privateEndpoint() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.private == nil {
		return ""
	}
	return "https://" + g.privateAddress
}

// Accept is net.Listener's.
func (g *gate) Accept() (net.Conn, error) {
	select {
	case conn := <-g.conns:
		return conn, nil
	case <-g.closed:
		return nil, net.ErrClosed
	}
}

// Addr is the public door's.
func (g *gate) Addr() net.Addr { return g.public.Addr() }

// Close closes all doors, and returns when nobody comes in any more.
func (g *gate) Close() error {
	g.mu.Lock()
	if g.shut {
		g.mu.Unlock()
		return nil
	}
	g.shut = true
	close(g.closed)
	for _, door := range []net.Listener{g.public, g.private, g.own} {
		if door != nil {
			door.Close()
		}
	}
	g.mu.Unlock()
	g.wait.Wait()
	return nil
}
