package link

import (
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// reader is what a copy reads from, and can be interrupted at.
type reader interface {
	io.Reader
	SetReadDeadline(time.Time) error
}

// Copy is io.Copy for connections that may cross links: it splices also where io.Copy would hide from the other side what it copies.
func Copy(dst io.Writer, src io.Reader) (int64, error) {
	if to := crossing(dst); to != nil && crossing(src) == nil {
		return to.ReadFrom(src)
	}
	return io.Copy(dst, src)
}

// crossing is the connection over a link that another one stands for; nil: it crosses none.
func crossing(conn any) *Conn {
	switch c := conn.(type) {
	case *Conn:
		return c
	case interface{ Crossing() net.Conn }:
		return crossing(c.Crossing())
	}
	return nil
}

// ReadFrom copies to the connection until src ends: between connections of the net package by splice(2), while nothing is wrong with
// the link. A deadline of src's own does not outlast a fault.
func (c *Conn) ReadFrom(src io.Reader) (n int64, err error) {
	w := c.out
	from, interruptible := src.(reader)
	var buffer []byte
	for {
		w.mu.Lock()
		if w.err != nil || w.closing {
			err := w.refusal()
			w.mu.Unlock()
			return n, err
		}
		if w.isDirect() && interruptible {
			w.enter(func() { from.SetReadDeadline(longAgo) })
			c.armWrite()
			w.mu.Unlock()
			m, err := io.Copy(c.Conn, src)
			n += m
			woken := w.leave(func() { from.SetReadDeadline(time.Time{}) })
			if woken && errors.Is(err, os.ErrDeadlineExceeded) {
				continue
			}
			return n, w.why(err)
		}
		w.mu.Unlock()
		if buffer == nil {
			buffer = make([]byte, chunk)
		}
		m, err := pass(c, src, buffer)
		n += int64(m)
		if err != nil {
			return n, noEnd(err)
		}
	}
}

// WriteTo copies from the connection until it ends, as ReadFrom does.
func (c *Conn) WriteTo(dst io.Writer) (n int64, err error) {
	w := c.in
	to := crossing(dst) // two links, where it is one
	var buffer []byte
	for {
		w.mu.Lock()
		direct, beyond := w.err == nil && w.isDirect(), dst
		if to != nil && direct {
			beyond = to.Conn
			to.out.mu.Lock()
			if direct = to.out.err == nil && to.out.isDirect(); direct {
				to.out.enter(c.interrupt)
				to.armWrite()
			}
			to.out.mu.Unlock()
		}
		if direct {
			w.enter(c.wakeReader)
			c.armRead()
			w.mu.Unlock()
			m, err := io.Copy(beyond, c.Conn)
			n += m
			woken := w.leave(nothing)
			if to != nil && to.out.leave(nothing) {
				woken = true
			}
			if woken && errors.Is(err, os.ErrDeadlineExceeded) {
				continue
			}
			return n, w.why(err)
		}
		w.mu.Unlock()
		if buffer == nil {
			buffer = make([]byte, chunk)
		}
		m, err := pass(dst, c, buffer)
		n += int64(m)
		if err != nil {
			return n, noEnd(err)
		}
	}
}

// interrupt wakes who reads from the connection directly for the sake of another link.
func (c *Conn) interrupt() {
	go func() { // who calls has the lock of a direction of the other link
		c.in.mu.Lock()
		defer c.in.mu.Unlock()
		c.in.interrupt()
	}()
}

// pass copies once.
func pass(dst io.Writer, src io.Reader, buffer []byte) (n int, err error) {
	n, err = src.Read(buffer)
	if n > 0 {
		if _, err := dst.Write(buffer[:n]); err != nil {
			return n, err
		}
	}
	return n, err
}

// noEnd is nil for the end of a source.
func noEnd(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}
