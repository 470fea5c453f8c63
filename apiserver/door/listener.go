// Package door is where an API server's clients come in: by a unix socket, where only this user's processes come, the
// balancer that keeps a cluster's access rules first of all; and by a port of loopback, which everybody on the machine
// can reach past those rules. By the port only the region's own components come in, which show a certificate.
package door

import (
	"net"
	"sync"
)

// Listener takes the connections of both. Its address is the port's.
type Listener struct {
	Port, Socket net.Listener

	begin, end sync.Once
	wait       sync.WaitGroup
	conns      chan net.Conn
	failed     chan error
	done       chan struct{}
}

// New makes a Listener of two, which it closes.
func New(port, socket net.Listener) *Listener {
	return &Listener{Port: port, Socket: socket, conns: make(chan net.Conn), failed: make(chan error, 2),
		done: make(chan struct{})}
}

// Accept waits for the next connection of either.
func (l *Listener) Accept() (net.Conn, error) {
	l.begin.Do(func() {
		l.wait.Go(func() { l.take(l.Port, func(conn net.Conn) net.Conn { return conn }) })
		l.wait.Go(func() { l.take(l.Socket, func(conn net.Conn) net.Conn { return inside{conn, l.Port.Addr()} }) })
	})
	select {
	case conn := <-l.conns:
		return conn, nil
	case err := <-l.failed:
		return nil, err
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// take hands on what one listener accepts, until it fails or all is closed. A failure that may pass is the server's to
// wait out.
func (l *Listener) take(from net.Listener, as func(net.Conn) net.Conn) {
	for {
		conn, err := from.Accept()
		if err != nil {
			select {
			case l.failed <- err:
			case <-l.done:
				return
			}
			if passing, ok := err.(interface{ Temporary() bool }); ok && passing.Temporary() {
				continue
			}
			return
		}
		select {
		case l.conns <- as(conn):
		case <-l.done:
			conn.Close()
			return
		}
	}
}

// Close closes both. Connections stay.
func (l *Listener) Close() (err error) {
	l.end.Do(func() {
		close(l.done)
		err = l.Port.Close()
		if socketErr := l.Socket.Close(); err == nil {
			err = socketErr
		}
		l.wait.Wait()
	})
	return err
}

// Addr is the port's.
func (l *Listener) Addr() net.Addr { return l.Port.Addr() }

// inside is a connection of the socket. It says that it comes from port 0 of loopback, from which nothing else can
// come.
type inside struct {
	net.Conn
	local net.Addr
}

func (c inside) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (c inside) LocalAddr() net.Addr  { return c.local }
