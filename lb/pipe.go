package lb

import (
	"net"
	"sync"

	"tripod/internal/link"
)

// pipe copies one direction until its source ends, and then says so to its destination. Between the raw connections of
// the net package io.Copy does not bring the bytes into this process (splice): they must not be wrapped.
func (f *flow) pipe(dst, src net.Conn) (n int64) {
	n, err := link.Copy(dst, src)
	if err != nil {
		f.kill() // whoever is left learns it as it happened: by a reset
		return n
	}
	_ = link.CloseWrite(dst)
	return n
}

// abort ends the flow because of its target. It assumes the lock.
func (f *flow) abort(l *leg) {
	if !f.killed {
		l.t.resets.Add(1)
		f.end()
	}
}

// kill resets both sides; the goroutines of the flow then end by themselves.
func (f *flow) kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end()
}

// end assumes the lock.
func (f *flow) end() {
	if f.killed {
		return
	}
	f.killed = true
	reset(f.client)
	if f.leg != nil {
		reset(f.leg.conn)
	}
}

// reset closes a connection so that its peer sees ECONNRESET rather than an end. Unix sockets know no such thing.
func reset(conn net.Conn) {
	_ = link.SetLinger(conn, 0)
	_ = conn.Close()
}

var buffers = sync.Pool{New: func() any {
	b := make([]byte, 0, helloSize)
	return &b
}}

func takeBuffer() *[]byte { return buffers.Get().(*[]byte) }

func giveBuffer(b *[]byte) {
	*b = (*b)[:0]
	buffers.Put(b)
}
