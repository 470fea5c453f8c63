package gateway

import (
	"io"
	"net"
	"sync"
	"syscall"

	"tripod/internal/link"
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
	if _, err := link.Copy(to, from); err != nil {
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
	link.SetLinger(conn, 0)
	conn.Close()
}

type trackedConn struct {
	net.Conn
	once   sync.Once
	closed func()
}

// Crossing is the connection itself, for link.Copy.
func (c *trackedConn) Crossing() net.Conn { return c.Conn }

// ReadFrom and WriteTo let io.Copy use the connection itself, so that splice(2) applies.
func (c *trackedConn) ReadFrom(src io.Reader) (int64, error) { return link.Copy(c.Conn, src) }

// WriteTo is ReadFrom's other way.
func (c *trackedConn) WriteTo(dst io.Writer) (int64, error) { return link.Copy(dst, c.Conn) }

// SyscallConn is that of the connection itself.
func (c *trackedConn) SyscallConn() (syscall.RawConn, error) { return link.SyscallConn(c.Conn) }

// CloseWrite ends one direction.
func (c *trackedConn) CloseWrite() error { return link.CloseWrite(c.Conn) }

func (c *trackedConn) Close() error {
	c.once.Do(c.closed)
	return c.Conn.Close()
}
