package controlplane

import (
	"context"
	"errors"
	"net"
	"sync"
)

// errLetGo refuses a connection to an API server that ends.
var errLetGo = errors.New("the API server ends")

// leash holds the connections that the zone's agent itself has to its API server. One that ends in order waits for its
// clients' watches, so they are let go first.
type leash struct {
	mu    sync.Mutex
	ends  bool
	conns map[net.Conn]struct{}
}

// dial is as a net.Dialer's, while the API server does not end.
func (l *leash) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ends {
		conn.Close()
		return nil, errLetGo
	}
	if l.conns == nil {
		l.conns = map[net.Conn]struct{}{}
	}
	held := &heldConn{Conn: conn, leash: l}
	l.conns[held] = struct{}{}
	return held, nil
}

// letGo closes all connections, and lets nobody make a new one until take.
func (l *leash) letGo() {
	l.mu.Lock()
	l.ends = true
	conns := l.conns
	l.conns = nil
	l.mu.Unlock()
	for conn := range conns {
		conn.Close()
	}
}

// take lets connections be made to the API server that comes.
func (l *leash) take() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ends = false
}

// heldConn forgets itself when it is closed.
type heldConn struct {
	net.Conn
	leash *leash
}

func (c *heldConn) Close() error {
	c.leash.mu.Lock()
	delete(c.leash.conns, c)
	c.leash.mu.Unlock()
	return c.Conn.Close()
}
