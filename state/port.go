package state

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"tripod/internal/sleep"
)

// The first byte after the TLS handshake says what a connection is for.
const (
	forRaft    = 'R' // raft's own protocol
	forForward = 'F' // proposals for the leader
	forApplied = 'A' // how far a voter's copy is, and to wait until it is so far
	forBulk    = 'B' // whatever Bulk is used for
	forProbe   = 'P' // is somebody there, and who leads: answered with one length byte and the zone's name
)

// greetTimeout bounds handshake and first byte. A zone that is paused completes neither.
const greetTimeout = 5 * time.Second

// port is the voter's one listener and all its connections, incoming and outgoing, with mutual TLS on each.
type port struct {
	listener  net.Listener
	serverTLS *tls.Config
	clientTLS *tls.Config
	dialRaw   func(ctx context.Context, address string) (net.Conn, error)
	forward   func(ctx context.Context, conn net.Conn)
	applied   func(ctx context.Context, conn net.Conn)
	leader    func() string
	logger    *slog.Logger

	ctx    context.Context // ends when the port closes
	cancel context.CancelFunc
	wg     sync.WaitGroup // the accept loop, the handlers, and incoming connections of raft and Bulk
	raft   chan net.Conn
	bulk   *bulkListener

	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]struct{} // raw
}

// serve accepts connections until the port closes.
func (p *port) serve() {
	defer p.wg.Done()
	for {
		raw, err := p.listener.Accept()
		if err != nil {
			if p.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			// Out of file descriptors, most likely: keep the port, at a pace that lets others finish.
			p.logger.Warn("accept a connection to the regional state", "error", err)
			if sleep.For(p.ctx, 100*time.Millisecond) != nil {
				return
			}
			continue
		}
		if !p.track(raw) {
			continue
		}
		p.wg.Add(1)
		go p.handle(raw)
	}
}

// handle greets a connection and hands it to whom it is for. Those of raft and Bulk stay in the WaitGroup until their
// new owners close them.
func (p *port) handle(raw net.Conn) {
	conn := &portConn{Conn: tls.Server(raw, p.serverTLS), raw: raw, port: p, done: p.wg.Done}
	raw.SetDeadline(time.Now().Add(greetTimeout))
	var purpose [1]byte
	if _, err := io.ReadFull(conn, purpose[:]); err != nil { // reading does the handshake
		p.logger.Debug("greet a connection to the regional state", "error", err)
		conn.Close()
		return
	}
	switch purpose[0] {
	case forRaft:
		raw.SetDeadline(time.Time{})
		select {
		case p.raft <- conn:
			return
		case <-p.ctx.Done():
		}
	case forBulk:
		raw.SetDeadline(time.Time{})
		if p.bulk.take(p.ctx, conn) {
			return
		}
	case forForward:
		raw.SetDeadline(time.Time{}) // it sets its own
		p.forward(p.ctx, conn)
	case forApplied:
		raw.SetDeadline(time.Time{})
		p.applied(p.ctx, conn)
	case forProbe:
		leader := p.leader()
		conn.Write(append([]byte{byte(len(leader))}, leader...))
	default:
		p.logger.Debug("unknown purpose of a connection to the regional state", "byte", purpose[0])
	}
	conn.Close()
}

// dial opens a connection for a purpose. The address is a name that the dialer knows; it is never resolved here.
func (p *port) dial(ctx context.Context, address string, purpose byte) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	raw, err := p.dialRaw(ctx, address)
	if err != nil {
		return nil, err
	}
	if !p.track(raw) {
		return nil, net.ErrClosed
	}
	cfg := p.clientTLS.Clone()
	cfg.ServerName = host
	secure := tls.Client(raw, cfg)
	conn := &portConn{Conn: secure, raw: raw, port: p, done: func() {}}
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("greet %s: %w", address, err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		raw.SetWriteDeadline(deadline)
	}
	if _, err := conn.Write([]byte{purpose}); err != nil {
		conn.Close()
		return nil, fmt.Errorf("greet %s: %w", address, err)
	}
	raw.SetWriteDeadline(time.Time{})
	return conn, nil
}

// track remembers the connection, or closes it when the port is closed.
func (p *port) track(raw net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		raw.Close()
		return false
	}
	p.conns[raw] = struct{}{}
	return true
}

// close cuts all connections, so that whoever is reading or writing returns. wait waits for them.
func (p *port) close() {
	p.cancel()
	p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for raw := range p.conns {
		raw.Close()
	}
}

func (p *port) wait() { p.wg.Wait() }

// portConn forgets itself at the port when it is closed.
type portConn struct {
	net.Conn
	raw  net.Conn
	port *port
	once sync.Once
	done func()
	err  error
}

// Close closes the raw connection without a TLS goodbye: what travels here tells its own length, and a goodbye to a
// paused zone would block.
func (c *portConn) Close() error {
	c.once.Do(func() {
		c.err = c.raw.Close()
		c.port.mu.Lock()
		delete(c.port.conns, c.raw)
		c.port.mu.Unlock()
		c.done()
	})
	return c.err
}
