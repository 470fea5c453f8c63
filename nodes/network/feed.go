package network

import (
	"net"
	"sync"

	"tripod/internal/link"
)

// Feed is a listener whose connections are handed to it.
type Feed struct {
	address net.Addr
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

// NewFeed returns a Feed that says it has that address.
func NewFeed(address net.Addr) *Feed {
	return &Feed{address: address, conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Hand gives conn to who accepts, and waits for it. After Close it closes conn and returns net.ErrClosed.
func (f *Feed) Hand(conn net.Conn) error {
	select {
	case f.conns <- conn:
		return nil
	case <-f.closed:
		conn.Close()
		return net.ErrClosed
	}
}

// Accept returns the next connection, and net.ErrClosed after Close.
func (f *Feed) Accept() (net.Conn, error) {
	select {
	case conn := <-f.conns:
		return conn, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and Hand. It may be called again.
func (f *Feed) Close() error {
	f.once.Do(func() { close(f.closed) })
	return nil
}

// Addr is the address that NewFeed was given.
func (f *Feed) Addr() net.Addr { return f.address }

// At is a connection that says which addresses it is between.
func At(conn net.Conn, from, to net.Addr) net.Conn { return &between{conn, from, to} }

type between struct {
	net.Conn
	from, to net.Addr
}

func (b *between) RemoteAddr() net.Addr { return b.from }
func (b *between) LocalAddr() net.Addr  { return b.to }

// CloseWrite ends one direction, where the connection can.
func (b *between) CloseWrite() error { return link.CloseWrite(b.Conn) }

// Join copies between two connections until both directions have ended. It closes neither.
func Join(a, b net.Conn) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		copyHalf(a, b)
	}()
	copyHalf(b, a)
	<-done
}

func copyHalf(to, from net.Conn) {
	if _, err := Copy(to, from); err != nil { // the other direction could wait for ever
		to.Close()
		from.Close()
		return
	}
	link.CloseWrite(to)
}
