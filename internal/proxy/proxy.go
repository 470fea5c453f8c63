// Package proxy is a forward proxy: HTTP CONNECT, plain HTTP requests and SOCKS5 (RFC 1928, RFC 1929) at one listener, told apart by
// their first byte. It connects by a function of the caller's alone.
package proxy

import (
	"bufio"
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"strconv"
	"sync"
	"time"

	"tripod/internal/accept"
	"tripod/internal/link"
	"tripod/nodes/network"
)

// User is the name that clients give with the password.
const User = "tripod"

const (
	askTime   = 10 * time.Second // for a client to say what it wants
	mostOpen  = 1024             // connections of clients
	mostHead  = 16 << 10         // bytes of a request's head
	reachTime = 35 * time.Second // for a connection to be made, by three zones in turn
)

// Proxy leads clients to where Dial connects. The zero value of all but Dial is right.
type Proxy struct {
	// Dial connects to a host, a name or an address as the client has it. Its errors are told to the client; one that is
	// os.ErrDeadlineExceeded counts as filtered.
	Dial func(ctx context.Context, host string, port int) (net.Conn, error)
	// Password is what clients must show, as User; empty: nobody is asked.
	Password string
}

// Serve accepts until the listener is closed; ctx ends that, and all connections.
func (p *Proxy) Serve(ctx context.Context, l net.Listener) error {
	feed := network.NewFeed(l.Addr())
	server := &http.Server{Handler: p.handler(), ReadHeaderTimeout: askTime, IdleTimeout: time.Minute, MaxHeaderBytes: mostHead,
		ErrorLog: log.New(discard{}, "", 0), BaseContext: func(net.Listener) context.Context { return ctx }}
	var group sync.WaitGroup
	group.Go(func() { server.Serve(feed) })
	slots := make(chan struct{}, mostOpen)
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	err := accept.Each(l, func(conn net.Conn) {
		select {
		case slots <- struct{}{}:
		default:
			conn.Close()
			return
		}
		held := &heldConn{Conn: conn}
		stop := context.AfterFunc(ctx, func() { held.Close() })
		held.release = func() {
			stop()
			<-slots
		}
		group.Go(func() { p.tell(ctx, held, feed) })
	})
	feed.Close()
	server.Close()
	group.Wait()
	return err
}

// tell looks at a connection's first byte.
func (p *Proxy) tell(ctx context.Context, conn net.Conn, feed *network.Feed) {
	conn.SetReadDeadline(time.Now().Add(askTime))
	reader := bufio.NewReaderSize(conn, 512)
	first, err := reader.Peek(1)
	if err != nil {
		conn.Close()
		return
	}
	client := &peeked{conn, reader}
	if first[0] == socksVersion {
		p.serveSOCKS(ctx, client)
		conn.Close()
		return
	}
	conn.SetReadDeadline(time.Time{})
	feed.Hand(client)
}

// heldConn gives its place back when it is closed.
type heldConn struct {
	net.Conn
	once    sync.Once
	release func()
}

func (c *heldConn) Close() error {
	c.once.Do(c.release)
	return c.Conn.Close()
}

func (c *heldConn) CloseWrite() error { return link.CloseWrite(c.Conn) }

// peeked is a connection of which something has been read.
type peeked struct {
	net.Conn
	reader *bufio.Reader
}

func (c *peeked) Read(b []byte) (int, error) { return c.reader.Read(b) }
func (c *peeked) CloseWrite() error          { return link.CloseWrite(c.Conn) }

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

func (p *Proxy) handler() http.Handler {
	// Each request has a connection of its own: kept ones would pass rules that have been made meanwhile.
	transport := &http.Transport{DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
		return p.dialAddress(ctx, address)
	}, DisableCompression: true, DisableKeepAlives: true}
	forward := &httputil.ReverseProxy{Transport: transport, ErrorLog: log.New(discard{}, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) { // the target is what the client names, whoever that is
			r.Out.Host = r.In.Host
			r.Out.Header.Del("Proxy-Authorization")
			r.Out.Header.Del("Proxy-Connection")
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) { refuse(w, err) }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodConnect && !r.URL.IsAbs():
			http.Error(w, "this is a proxy into the network of a cluster, and no web site: set it as HTTP_PROXY", http.StatusBadRequest)
		case !p.admits(r):
			w.Header().Set("Proxy-Authenticate", `Basic realm="tripod proxy"`)
			http.Error(w, "the proxy's password is part of the URL that 'tripod proxy' prints", http.StatusProxyAuthRequired)
		case r.Method == http.MethodConnect:
			p.connect(w, r)
		case r.URL.Scheme != "http":
			http.Error(w, "the proxy takes http:// URLs, and CONNECT for all else", http.StatusBadRequest)
		default:
			forward.ServeHTTP(w, r)
		}
	})
}

func (p *Proxy) admits(r *http.Request) bool {
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(User+":"+p.Password))
	return p.Password == "" || equal(r.Header.Get("Proxy-Authorization"), want)
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func (p *Proxy) dialAddress(ctx context.Context, address string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	return p.Dial(ctx, host, int(port))
}

// refuse tells a client why it is not connected.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusBadGateway
	if isFiltered(err) {
		status = http.StatusGatewayTimeout
	}
	http.Error(w, err.Error(), status)
}

func isFiltered(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

func (p *Proxy) connect(w http.ResponseWriter, r *http.Request) {
	far, err := p.dialAddress(r.Context(), r.Host)
	if err != nil {
		refuse(w, err)
		return
	}
	defer far.Close()
	near, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer near.Close()
	near.SetDeadline(time.Time{})
	if _, err := near.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil {
		return
	}
	network.Join(&peeked{near, buffered.Reader}, far)
}
