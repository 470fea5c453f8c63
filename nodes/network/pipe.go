package network

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Pipe is a connection in memory, as net.Pipe's, whose near end can end its direction alone.
func Pipe() (near, far net.Conn) {
	a, b := net.Pipe()
	end := &farEnd{Conn: b}
	return &nearEnd{a, end}, end
}

type nearEnd struct {
	net.Conn
	far *farEnd
}

// CloseWrite lets the far end read io.EOF, after all that was written.
func (n *nearEnd) CloseWrite() error {
	n.far.mu.Lock()
	defer n.far.mu.Unlock()
	n.far.ended = true
	return n.far.Conn.SetReadDeadline(time.Unix(1, 0))
}

type farEnd struct {
	net.Conn
	mu    sync.Mutex
	ended bool
}

func (f *farEnd) Read(b []byte) (int, error) {
	n, err := f.Conn.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.ended {
			err = io.EOF
		}
	}
	return n, err
}

func (f *farEnd) SetReadDeadline(t time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return nil
	}
	return f.Conn.SetReadDeadline(t)
}

func (f *farEnd) SetDeadline(t time.Time) error {
	return errors.Join(f.SetReadDeadline(t), f.Conn.SetWriteDeadline(t))
}
