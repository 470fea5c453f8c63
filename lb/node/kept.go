package node

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Plain requests, those without a body that may be sent twice, go to targets of HTTP/1.1 on connections that are kept here:
// the goroutine that has the request writes it and reads the answer, where http.Transport would hand both to others and
// back. Half of what a request cost were these hands. All other requests are http.Transport's.

// keptConn is a connection to a target that requests go on one after the other.
type keptConn struct {
	net.Conn
	limited io.LimitedReader // how much the header of an answer may still have
	in      *bufio.Reader    // of limited
	out     *bufio.Writer
	since   time.Time // when it was kept
}

// kept are a member's connections that wait for the next request, the one that was used last at the end.
type kept struct {
	mu    sync.Mutex
	conns []*keptConn
	timer *time.Timer // closes those that have waited for too long; nil: none wait
	shut  bool
}

// get is a connection that waits; nil: there is none.
func (k *kept) get() *keptConn {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := len(k.conns)
	if n == 0 {
		return nil
	}
	c := k.conns[n-1]
	k.conns[n-1], k.conns = nil, k.conns[:n-1]
	return c
}

// put keeps a connection for the next request.
func (k *kept) put(c *keptConn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.shut || len(k.conns) >= keptIdle {
		c.Close()
		return
	}
	c.since = time.Now()
	k.conns = append(k.conns, c)
	if k.timer == nil {
		k.timer = time.AfterFunc(keptFor, k.expire)
	}
}

// expire closes what has waited for too long.
func (k *kept) expire() {
	k.mu.Lock()
	defer k.mu.Unlock()
	old := 0
	for old < len(k.conns) && time.Since(k.conns[old].since) >= keptFor { // the oldest is the first
		k.conns[old].Close()
		old++
	}
	k.conns = append(k.conns[:0:0], k.conns[old:]...)
	if k.timer = nil; len(k.conns) > 0 {
		k.timer = time.AfterFunc(keptFor-time.Since(k.conns[0].since), k.expire)
	}
}

// drop ends those that wait.
func (k *kept) drop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.conns {
		c.Close()
	}
	k.conns = nil
	if k.timer != nil {
		k.timer.Stop()
		k.timer = nil
	}
}

// close ends those that wait; later ones are not kept.
func (k *kept) close() {
	k.mu.Lock()
	k.shut = true
	k.mu.Unlock()
	k.drop()
}

// isPlain says whether a request may go by a kept connection: it has no body, may be sent twice, and asks for nothing
// but an answer.
func isPlain(r *http.Request, p *pool) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
	default:
		return false
	}
	h := r.Header
	return p.plain && p.proxy() == 0 && (r.Body == nil || r.Body == http.NoBody) && r.ContentLength == 0 && h["Upgrade"] == nil &&
		h["Expect"] == nil && h["Trailer"] == nil && h["Te"] == nil
}

// plainly sends a plain request to a member, and reads the header of its answer; limit is how long that may take, 0: for
// ever. Where the target has closed a kept connection meanwhile, the request goes on the next one, and at last on a new one.
func (m *member) plainly(r *http.Request, limit time.Duration) (*http.Response, error) {
	for {
		c, reused := m.kept.get(), true
		if c == nil {
			conn, err := m.pool.dial(r.Context(), "tcp", m.at())
			if err != nil {
				return nil, err
			}
			c, reused = newKept(conn), false
		}
		response, begun, err := c.exchange(r, limit, &m.kept)
		if err == nil && reused && response.StatusCode == http.StatusRequestTimeout && response.Close {
			response.Body.Close() // that was said to the connection that waited, before the request came
			continue
		}
		if err == nil || !reused || begun || r.Context().Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
			return response, err
		}
	}
}

func newKept(conn net.Conn) *keptConn {
	c := &keptConn{Conn: conn, limited: io.LimitedReader{R: conn}}
	c.in, c.out = bufio.NewReader(&c.limited), bufio.NewWriter(conn)
	return c
}

const unlimited = 1 << 62

// exchange sends a request and reads the header of the answer, whose body ends with the connection kept in k, or closed.
// begun says that some of an answer came. With an error the connection is closed.
func (c *keptConn) exchange(r *http.Request, limit time.Duration, k *kept) (response *http.Response, begun bool, err error) {
	// The client's leaving, or anybody's who ends the request, ends what is waited for.
	stop := context.AfterFunc(r.Context(), func() { c.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		if err != nil {
			stop()
			c.Close()
		}
	}()
	if limit > 0 {
		c.SetReadDeadline(time.Now().Add(limit))
	}
	if err = r.Write(c.out); err == nil {
		err = c.out.Flush()
	}
	if err != nil {
		return nil, false, err
	}
	c.limited.N = mostHeader
	if _, err = c.in.Peek(1); err != nil {
		return nil, false, err
	}
	for {
		if response, err = http.ReadResponse(c.in, r); err != nil {
			if c.limited.N <= 0 {
				err = errors.New("the header of the target's answer is too long")
			}
			return nil, true, err
		}
		if response.StatusCode == http.StatusSwitchingProtocols {
			return nil, true, errors.New("the target switches protocols, which nobody has asked for")
		}
		if response.StatusCode >= http.StatusOK {
			break
		}
	}
	c.limited.N = unlimited
	if limit > 0 {
		c.SetReadDeadline(time.Time{})
	}
	body := &keptBody{ReadCloser: response.Body, conn: c, kept: k, stop: stop, keeps: !response.Close}
	if response.Body == http.NoBody || response.ContentLength == 0 {
		body.end(true)
		response.Body = http.NoBody
		return response, true, nil
	}
	response.Body = body
	return response, true, nil
}

// keptBody is the body of an answer: at its end the connection is free for the next request.
type keptBody struct {
	io.ReadCloser
	conn  *keptConn
	kept  *kept
	stop  func() bool
	keeps bool
	ended bool
}

// Read is io.Reader's.
func (b *keptBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end(err == io.EOF)
	}
	return n, err
}

// Close is io.Closer's. A body that was not read to its end takes its connection along.
func (b *keptBody) Close() error {
	b.end(false)
	return nil
}

// end keeps the connection where the body was read to its end, and closes it otherwise.
func (b *keptBody) end(whole bool) {
	if b.ended {
		return
	}
	b.ended = true
	// Where stop says that the request was ended, its end is at work on the connection.
	if b.stop() && whole && b.keeps && b.conn.in.Buffered() == 0 {
		b.kept.put(b.conn)
		return
	}
	b.conn.Close()
}
