package controlplane

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
)

func TestAnEndingAPIServerIsLetGo(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var l leash
	dial := func() (net.Conn, error) { return l.dial(context.Background(), "tcp", listener.Addr().String()) }
	watch, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	l.letGo()
	if _, err := io.Copy(io.Discard, server); err != nil {
		t.Errorf("the server sees %v, want the connection's end", err)
	}
	if conn, err := dial(); !errors.Is(err, errLetGo) {
		t.Errorf("a connection to one that ends: got %v, %v", conn, err)
	}
	l.take()
	next, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(watch.Close(), next.Close()); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if len(l.conns) > 0 {
		t.Errorf("%d closed connections are held", len(l.conns))
	}
}
