package state

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
)

// bulkListener is the listener for what zones tell each other beside the state: bulk that needs no vote, over the same
// port, with the same certificates and through the same links.
type bulkListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	at     net.Addr
}

func newBulkListener(at name) *bulkListener {
	return &bulkListener{conns: make(chan net.Conn), closed: make(chan struct{}), at: at}
}

// Accept implements net.Listener.
func (b *bulkListener) Accept() (net.Conn, error) {
	select {
	case conn := <-b.conns:
		return conn, nil
	case <-b.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener: connections are refused from then on.
func (b *bulkListener) Close() error {
	b.once.Do(func() { close(b.closed) })
	return nil
}

// Addr implements net.Listener.
func (b *bulkListener) Addr() net.Addr { return b.at }

// take hands a connection over; false when nobody wants it.
func (b *bulkListener) take(ctx context.Context, conn net.Conn) bool {
	select {
	case b.conns <- conn:
		return true
	case <-b.closed:
	case <-ctx.Done():
	}
	return false
}

// Bulk accepts the connections that other zones' DialBulk opens, while the voter runs. They are encrypted, and the
// other side has shown that it is a zone of this region. Stop cuts them.
func (v *Voter) Bulk() net.Listener { return v.bulk }

// DialBulk opens a connection to the Bulk of another zone.
func (v *Voter) DialBulk(ctx context.Context, zone string) (net.Conn, error) {
	l := v.running()
	known := slices.ContainsFunc(v.cfg.Peers, func(p Peer) bool { return p.Zone == zone })
	if l == nil || !known {
		return nil, errors.New("reach zone " + zone + ": the regional state does not run, or has no such zone")
	}
	return l.port.dial(ctx, l.address(zone), forBulk)
}
