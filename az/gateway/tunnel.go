package gateway

import (
	"io"
	"net"
	"sync"

	"tripod/nodes/network"
)

// tunnel is one connection through the gateway.
type tunnel struct {
	Destination
	near, far net.Conn
}

// pipe copies both ways until both sides are done, between raw connections, so that splice(2) applies.
func (t *tunnel) pipe() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		copyHalf(t.far, t.near)
	}()
	copyHalf(t.near, t.far)
	<-done
}

func copyHalf(to, from net.Conn) {
	if _, err := io.Copy(to, from); err != nil {
		resetConn(to) // a side that was reset resets the other: a client must not wait for what cannot come
		resetConn(from)
		return
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}

// reset ends the tunnel at once, with RST where there is one.
func (t *tunnel) reset() {
	for _, conn := range []net.Conn{t.near, t.far} {
		if conn != nil {
			resetConn(conn)
		}
	}
}

func resetConn(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

type trackedConn struct {
	net.Conn
	once   sync.Once
	closed func()
}

// Raw is the connection itself, for who copies by splice(2); closing it ends this one too late.
func (c *trackedConn) Raw() net.Conn { return c.Conn }

// CloseWrite ends one direction.
func (c *trackedConn) CloseWrite() error { return network.CloseWrite(c.Conn) }

func (c *trackedConn) Close() error {
	c.once.Do(c.closed)
	return c.Conn.Close()
}
