package link

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// Conn is a connection that crosses a link. As with net.Conn, one goroutine reads from it at a time.
type Conn struct {
	net.Conn // itself: what is read and written there has crossed the link
	link     *Link
	draw     float64 // from 0 to 1: whether a fault of a share of the connections is on this one
	out, in  *way
	late     *time.Timer // ends what a Close waits for; nil before
}

func newConn(conn net.Conn, l *Link, draw float64) *Conn {
	return &Conn{Conn: conn, link: l, draw: draw, out: newWay(0), in: newWay(1)}
}

// apply puts in force what is true of the link, whose lock it assumes.
func (c *Conn) apply(p Pair) {
	out, in := p.Out.on(c.draw), p.In.on(c.draw)
	if c.link.stalled && (out.Drop || in.Drop) {
		out.Drop, in.Drop = true, true
	}
	if out.Reject || in.Reject {
		c.abandon(syscall.ECONNRESET)
		return
	}
	c.out.set(out)
	c.in.set(in)
}

// abandon resets the connection for a reason that its user learns.
func (c *Conn) abandon(why error) {
	c.out.fail(why)
	c.in.fail(why)
	c.SetLinger(0)
	c.Conn.Close()
}

// longAgo interrupts who reads.
var longAgo = time.Unix(1, 0)

func (c *Conn) wakeReader() {
	c.in.armed = false
	c.Conn.SetReadDeadline(longAgo)
}

// Read is net.Conn's.
func (c *Conn) Read(p []byte) (int, error) {
	w := c.in
	for {
		first, err := w.head(true)
		switch {
		case err != nil:
			w.mu.Unlock()
			return 0, err
		case first != nil && first.err != nil:
			err := first.err
			w.mu.Unlock()
			return 0, err
		case first != nil:
			n := copy(p, first.data)
			w.take(n)
			w.mu.Unlock()
			return n, nil
		case w.isDirect():
			w.enter(c.wakeReader)
			c.armRead()
			w.mu.Unlock()
			n, err := c.Conn.Read(p)
			if w.leave(nothing) && n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
				continue
			}
			return n, w.why(err)
		default:
			w.running = true
			go c.fill()
			w.mu.Unlock()
		}
	}
}

func nothing() {}

// armRead gives the connection itself the user's deadline. It assumes the lock of in.
func (c *Conn) armRead() {
	if !c.in.armed {
		c.Conn.SetReadDeadline(c.in.deadline)
		c.in.armed = true
	}
}

// fill reads into the queue of in while there is an effect.
func (c *Conn) fill() {
	w := c.in
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.err == nil && !w.ended && !w.effect.None() {
		most, one := w.most()
		if w.effect.Drop || w.size >= most {
			w.sleep(time.Now(), time.Time{}, time.Time{})
			continue
		}
		w.enter(c.wakeReader)
		c.Conn.SetReadDeadline(time.Time{})
		w.armed = false
		w.mu.Unlock()
		buffer := make([]byte, one)
		n, err := c.Conn.Read(buffer)
		woken := w.leave(nothing)
		w.mu.Lock()
		if n > 0 {
			w.push(c.link, piece{data: buffer[:n]})
		}
		if err != nil && !(woken && errors.Is(err, os.ErrDeadlineExceeded)) {
			w.ended = true
			w.push(c.link, piece{err: err})
		}
	}
	w.running = false
	w.notify()
}

// Write is net.Conn's.
func (c *Conn) Write(p []byte) (n int, err error) {
	w := c.out
	w.mu.Lock()
	for n < len(p) {
		now := time.Now()
		most, one := w.most()
		switch {
		case w.err != nil || w.closing:
			err := w.refusal()
			w.mu.Unlock()
			return n, err
		case w.isDirect():
			c.armWrite()
			w.writers++
			w.mu.Unlock()
			m, err := c.Conn.Write(p[n:])
			w.mu.Lock()
			w.writers--
			w.mu.Unlock()
			return n + m, w.why(err)
		case !w.deadline.IsZero() && !w.deadline.After(now):
			w.mu.Unlock()
			return n, os.ErrDeadlineExceeded
		case w.size >= most:
			w.sleep(now, time.Time{}, w.deadline)
		default:
			part := p[n:min(len(p), n+one)]
			c.send(piece{data: append([]byte{}, part...)})
			n += len(part)
		}
	}
	w.mu.Unlock()
	return n, nil
}

// armWrite is armRead for what is written. It assumes the lock of out.
func (c *Conn) armWrite() {
	if !c.out.armed {
		c.Conn.SetWriteDeadline(c.out.deadline)
		c.out.armed = true
	}
}

// send puts a piece into the queue of out. It assumes its lock.
func (c *Conn) send(p piece) {
	w := c.out
	w.push(c.link, p)
	if !w.running {
		w.running, w.armed = true, false
		c.Conn.SetWriteDeadline(time.Time{})
		go c.drain()
	}
}

// drain writes what is in the queue of out when it is due, until nothing is left.
func (c *Conn) drain() {
	w := c.out
	for {
		first, err := w.head(false)
		if first == nil {
			w.running = false
			gone := err != nil && w.closing
			w.notify()
			w.mu.Unlock()
			if gone {
				c.finish()
			}
			return
		}
		p := *first
		w.queue, w.size = w.queue[1:], w.size-len(p.data)
		w.notify()
		w.mu.Unlock()
		switch {
		case p.err == io.EOF:
			CloseWrite(c.Conn)
		case p.err != nil:
			w.fail(p.err)
		default:
			if _, err := c.Conn.Write(p.data); err != nil {
				w.fail(err)
			}
		}
	}
}

// finish closes the connection itself.
func (c *Conn) finish() error {
	if c.late != nil {
		c.late.Stop()
	}
	c.link.forget(c)
	return c.Conn.Close()
}

// goodbye is how long the other end may be out of reach until a connection that was closed is reset: TCP gives up, too.
const goodbye = time.Minute

// Close is net.Conn's. Where something is on its way still, or the other end cannot hear, that learns of it later.
func (c *Conn) Close() error {
	c.in.fail(net.ErrClosed)
	w := c.out
	w.mu.Lock()
	if w.closing {
		w.mu.Unlock()
		return nil
	}
	w.closing = true
	if w.err != nil || w.isDirect() || w.writers > 0 || w.wake != nil { // who writes directly is interrupted, as by any Close
		if w.err == nil {
			w.err = net.ErrClosed
		}
		w.notify()
		w.mu.Unlock()
		return c.finish()
	}
	c.late = time.AfterFunc(goodbye, func() { c.abandon(net.ErrClosed) })
	c.send(piece{err: net.ErrClosed})
	w.mu.Unlock()
	return nil
}

// CloseWrite ends what is written.
func (c *Conn) CloseWrite() error {
	w := c.out
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || w.closing {
		return net.ErrClosed
	}
	if w.isDirect() {
		return CloseWrite(c.Conn)
	}
	c.send(piece{err: io.EOF})
	return nil
}

// SetLinger is *net.TCPConn's; others have no such thing.
func (c *Conn) SetLinger(seconds int) error { return SetLinger(c.Conn, seconds) }

// SyscallConn is that of the connection itself.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return SyscallConn(c.Conn) }

// SetDeadline is net.Conn's.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline is net.Conn's.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.in.setDeadline(t, c.Conn.SetReadDeadline)
}

// SetWriteDeadline is net.Conn's.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.out.setDeadline(t, c.Conn.SetWriteDeadline)
}
