package awsapi

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

const (
	// mostNewcomers is how many connections there may be whose callers have not shown yet who they are; for one more
	// the oldest has to go.
	mostNewcomers = 512
	// mostHeld is how many bytes of their requests may be under way in all, in bytes: twice the largest body. For more
	// the connection that holds most has to go.
	mostHeld = 16 << 20
	// patience is how long the endpoint waits at most for a newcomer's next bytes.
	patience = 30 * time.Second
)

// newcomers are the connections on which nobody has made a well signed call yet: everybody on this machine can open
// such, and a known key's id, which is no secret, is all that it takes to have a body read before its signature is
// verified. They share one budget of connections, bytes and time, so that however many come, they cost a zone no more
// than that. Who is cut off is another newcomer and never somebody who is known; an SDK tries again.
type newcomers struct {
	mu     sync.Mutex
	oldest *list.List // of *newcomer, the oldest first
	held   int64
}

// newcomer is a connection from its being accepted. It is none any more once its caller is known.
type newcomer struct {
	net.Conn
	of    *newcomers
	first []byte // what was read of it to know what it speaks, and is still to be read

	// Behind of.mu.
	place *list.Element // nil once the caller is known, and once the connection is closed
	held  int64         // bytes that have come since the last answer
}

type newcomerKey struct{}

func newNewcomers() *newcomers { return &newcomers{oldest: list.New()} }

// admit takes a connection in, and closes the oldest where there are too many.
func (n *newcomers) admit(conn net.Conn) *newcomer {
	c := &newcomer{Conn: conn, of: n}
	n.mu.Lock()
	c.place = n.oldest.PushBack(c)
	var leaves *newcomer
	if n.oldest.Len() > mostNewcomers {
		leaves = n.oldest.Front().Value.(*newcomer)
		leaves.leaveLocked()
	}
	n.mu.Unlock()
	if leaves != nil {
		leaves.Conn.Close()
	}
	return c
}

// newcomerOf is the newcomer below an HTTP server's connection; nil where there is none.
func newcomerOf(conn net.Conn) *newcomer {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	c, _ := conn.(*newcomer)
	return c
}

// isKnown is called when the caller on the connection of a request has shown who he is.
func isKnown(ctx context.Context) {
	if c, _ := ctx.Value(newcomerKey{}).(*newcomer); c != nil {
		c.of.mu.Lock()
		c.leaveLocked()
		c.of.mu.Unlock()
	}
}

// answered gives back what the last request held. The receiver may be nil.
func (c *newcomer) answered() {
	if c == nil {
		return
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.of.held -= c.held
	c.held = 0
}

// leaveLocked ends the connection's being a newcomer.
func (c *newcomer) leaveLocked() {
	if c.place == nil {
		return
	}
	c.of.oldest.Remove(c.place)
	c.of.held -= c.held
	c.place, c.held = nil, 0
}

func (c *newcomer) Read(p []byte) (int, error) {
	if len(c.first) > 0 && len(p) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.holds(int64(n))
	}
	return n, err
}

// holds counts bytes that have come, and closes the connection that holds most where there are too many in all.
func (c *newcomer) holds(bytes int64) {
	var leaves *newcomer
	c.of.mu.Lock()
	if c.place != nil {
		c.held += bytes
		c.of.held += bytes
		if c.of.held > mostHeld {
			for at := c.of.oldest.Front(); at != nil; at = at.Next() {
				if one := at.Value.(*newcomer); leaves == nil || one.held > leaves.held {
					leaves = one
				}
			}
			leaves.leaveLocked()
		}
	}
	c.of.mu.Unlock()
	if leaves != nil {
		leaves.Conn.Close()
	}
}

// SetReadDeadline lets nobody who is not known have longer than patience; net/http asks for each wait anew.
func (c *newcomer) SetReadDeadline(t time.Time) error {
	c.of.mu.Lock()
	known := c.place == nil
	c.of.mu.Unlock()
	if limit := time.Now().Add(patience); !known && (t.IsZero() || t.After(limit)) {
		t = limit
	}
	return c.Conn.SetReadDeadline(t)
}

// SetDeadline is the read deadline's, too.
func (c *newcomer) SetDeadline(t time.Time) error {
	if err := c.Conn.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.SetReadDeadline(t)
}

// CloseWrite lets the server end an answer to a request that it has not read to its end, so that the client still gets
// the answer.
func (c *newcomer) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func (c *newcomer) Close() error {
	c.of.mu.Lock()
	c.leaveLocked()
	c.of.mu.Unlock()
	return c.Conn.Close()
}
