package handover

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// connect returns both ends of a new connection.
func connect(t *testing.T) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	client.SetDeadline(time.Now().Add(10 * time.Second))
	return client, server
}

// taker takes what it is willing to.
type taker struct {
	willing bool
	take    func(*net.TCPConn, Offer)
}

func (k taker) Willing(Offer) bool                  { return k.willing }
func (k taker) Take(conn *net.TCPConn, offer Offer) { k.take(conn, offer) }

func serve(t *testing.T, take Taker) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "h.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- Serve(l, take) }()
	t.Cleanup(func() {
		l.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return socket
}

func TestGivenConnectionIsTheOthers(t *testing.T) {
	offers := make(chan Offer, 1)
	socket := serve(t, taker{true, func(conn *net.TCPConn, offer Offer) {
		offers <- offer
		go func() {
			defer conn.Close()
			conn.Write(append([]byte("taken: "), offer.Early...))
			io.Copy(conn, conn)
		}()
	}})
	client, server := connect(t)
	if err := Give(t.Context(), socket, server, Offer{Balancer: "arn", Port: 80, Early: []byte("GET")}); err != nil {
		t.Fatal(err)
	}
	if got := <-offers; got.Balancer != "arn" || got.Port != 80 || got.Last {
		t.Errorf("got the offer %+v", got)
	}
	client.Write([]byte(" /"))
	client.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(client); string(got) != "taken: GET /" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := server.Write(nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the connection is open here too: %v", err)
	}
}

func TestDeclinedConnectionStays(t *testing.T) {
	socket := serve(t, taker{})
	client, server := connect(t)
	if err := Give(t.Context(), socket, server, Offer{}); !errors.Is(err, ErrDeclined) {
		t.Fatalf("got %v", err)
	}
	if err := Give(t.Context(), filepath.Join(t.TempDir(), "none"), server, Offer{}); err == nil {
		t.Fatal("given to nobody")
	}
	server.Write([]byte("still here"))
	server.Close()
	if got, err := io.ReadAll(client); string(got) != "still here" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
}

// TestWhoGivesUpKeepsTheConnection: a side that was slow does not have what was given to another meanwhile.
func TestWhoGivesUpKeepsTheConnection(t *testing.T) {
	asked, slow := make(chan struct{}), make(chan struct{})
	gone := make(chan struct{})
	socket := serve(t, slowTaker{asked, slow, func() { t.Error("taken though who offered had given up") }})
	client, server := connect(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(gone)
		if err := Give(ctx, socket, server, Offer{}); err == nil {
			t.Error("given")
		}
	}()
	<-asked
	cancel()
	<-gone
	close(slow)
	server.Write([]byte("still here"))
	server.Close()
	if got, err := io.ReadAll(client); string(got) != "still here" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
}

type slowTaker struct {
	asked, slow chan struct{}
	take        func()
}

func (k slowTaker) Willing(Offer) bool              { close(k.asked); <-k.slow; return true }
func (k slowTaker) Take(conn *net.TCPConn, _ Offer) { conn.Close(); k.take() }

func TestWhoOffersNothingIsNotAnswered(t *testing.T) {
	socket := serve(t, taker{true, func(*net.TCPConn, Offer) { t.Error("taken") }})
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write([]byte("\xff\xff\xff\xff"))
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if got, _ := io.ReadAll(conn); len(got) > 0 {
		t.Errorf("answered %q", got)
	}
}
