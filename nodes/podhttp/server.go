// Package podhttp answers for what listens in simulated pods: any TCP port that a running, ready container declares
// gives a small page that says which pod on which node has answered what, in the manner of traefik/whoami. It speaks
// HTTP/1.1 without TLS, whatever the port's number, and no WebSocket.
package podhttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"tripod/nodes/network"
	"tripod/nodes/podfiles"
	"tripod/nodes/podset"
)

// Config says for which pods a Server answers.
type Config struct {
	Zone string // "us-east-1a"
	Pods *podset.Set
	// LocalPort says why a pod's address may not lead to that port of this machine, and nil where it may.
	LocalPort func(port int) error
	Moves     *podfiles.Moves // pages that have been taken away
	// Env are a container's variables, as NAME=value, and Network is what a pod reaches: for agnhost netexec. nil: they are not known.
	Env     func(*corev1.Pod, *corev1.Container) []string
	Network func(*corev1.Pod) Network
	// MaxConnections may be open at once, MaxPerPod of them to one pod; 0 means 2,048 and 256.
	MaxConnections, MaxPerPod int
	Logger                    *slog.Logger
}

// Server answers for the pods. Until the first connection comes it costs nothing.
type Server struct {
	config   Config
	requests *Requests
	feed     *network.Feed
	server   *http.Server
	start    func()
	serving  sync.WaitGroup // the server, its open connections and those to local addresses

	mu     sync.Mutex
	open   map[io.Closer]types.UID // connections; by pod in perPod
	perPod map[types.UID]int
	closed bool
}

// What a client may send and how long it may take.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 75 * time.Second
	bodyTimeout   = 2 * time.Minute
	writeTimeout  = 3 * time.Minute // more than mostLatency and mostWait
	mostHeader    = 16 << 10
	dialTimeout   = time.Second
)

var errClosed = errors.New("the zone's nodes are stopped")

// New returns a Server.
func New(c Config) *Server {
	if c.MaxConnections == 0 {
		c.MaxConnections = 2048
	}
	if c.MaxPerPod == 0 {
		c.MaxPerPod = 256
	}
	s := &Server{
		config: c, requests: NewRequests(), feed: network.NewFeed(&net.TCPAddr{}),
		open: map[io.Closer]types.UID{}, perPod: map[types.UID]int{},
	}
	s.server = &http.Server{
		Handler:           http.HandlerFunc(s.answer),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    mostHeader,
		ErrorLog:          slog.NewLogLogger(c.Logger.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connection{}, c)
		},
	}
	s.start = sync.OnceFunc(func() { s.serving.Go(func() { s.server.Serve(s.feed) }) })
	return s
}

// Requests are those that the pods have answered.
func (s *Server) Requests() *Requests { return s.requests }

// Close ends every connection and waits for who answers there. It may be called again.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	open := s.open
	s.open = map[io.Closer]types.UID{}
	s.mu.Unlock()
	s.feed.Close()
	s.server.Close()
	for c := range open {
		c.Close()
	}
	s.serving.Wait()
}

// Dial connects to a port of a pod for a client at from: to what LocalAddressAnnotation says, or to the pod itself. It
// fails in one sentence where nothing listens.
func (s *Server) Dial(ctx context.Context, pod *corev1.Pod, port int, from netip.AddrPort) (net.Conn, error) {
	if HasLocalAddress(pod, port) {
		return s.dialLocal(ctx, pod, port)
	}
	if _, err := listening(pod, port); err != nil {
		return nil, err
	}
	near, far := network.Pipe()
	if err := s.accept(far, pod, port, from); err != nil {
		near.Close()
		return nil, err
	}
	return near, nil
}

func (s *Server) dialLocal(ctx context.Context, pod *corev1.Pod, port int) (net.Conn, error) {
	address, err := LocalAddress(pod, port, s.config.LocalPort)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, network.Refused("pod %s/%s leads to %s, where nothing listens: %v", pod.Namespace, pod.Name, address, err)
	}
	return conn, nil
}

// Answer says who takes over a connection to a port of a pod from a client at from. It fails as Dial does.
func (s *Server) Answer(ctx context.Context, pod *corev1.Pod, port int, from netip.AddrPort) (network.Answer, error) {
	if !HasLocalAddress(pod, port) {
		if _, err := listening(pod, port); err != nil {
			return nil, err
		}
		return func(conn net.Conn) {
			if err := s.accept(conn, pod, port, from); err != nil {
				s.config.Logger.Debug("connection to a pod refused", "pod", pod.Namespace+"/"+pod.Name, "err", err)
			}
		}, nil
	}
	local, err := s.dialLocal(ctx, pod, port)
	if err != nil {
		return nil, err
	}
	return func(conn net.Conn) {
		defer conn.Close()
		defer local.Close()
		both := closers{conn, local}
		if err := s.admit(both, pod); err != nil {
			return
		}
		defer s.leave(both)
		network.Join(conn, local)
	}, nil
}

type closers [2]io.Closer

func (c closers) Close() error { return errors.Join(c[0].Close(), c[1].Close()) }

// accept gives a connection to the HTTP server, or closes it.
func (s *Server) accept(conn net.Conn, pod *corev1.Pod, port int, from netip.AddrPort) error {
	to := netip.AddrPort{}
	if address, err := netip.ParseAddr(pod.Status.PodIP); err == nil {
		to = netip.AddrPortFrom(address, uint16(port))
	}
	if !from.IsValid() {
		from = netip.AddrPortFrom(netip.AddrFrom4([4]byte{}), 0)
	}
	c := &podConn{Conn: network.At(conn, net.TCPAddrFromAddrPort(from), net.TCPAddrFromAddrPort(to)), server: s, pod: pod,
		port: port, address: to.String()}
	if err := s.admit(c, pod); err != nil {
		conn.Close()
		return err
	}
	if listener := Listener(pod, port); listener != nil && saysHostname(listener) {
		go func() { // until c is closed, for which Close waits
			defer c.Close()
			c.SetDeadline(time.Now().Add(headerTimeout))
			io.WriteString(c, podset.Hostname(pod))
		}()
		return nil
	}
	s.start()
	return s.feed.Hand(c)
}

// admit counts a connection, which leave takes back.
func (s *Server) admit(c io.Closer, pod *corev1.Pod) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return errClosed
	case len(s.open) >= s.config.MaxConnections:
		return fmt.Errorf("the zone's pods have %d connections already", len(s.open))
	case s.perPod[pod.UID] >= s.config.MaxPerPod:
		return fmt.Errorf("pod %s/%s has %d connections already", pod.Namespace, pod.Name, s.perPod[pod.UID])
	}
	s.serving.Add(1)
	s.open[c] = pod.UID
	s.perPod[pod.UID]++
	return nil
}

func (s *Server) leave(c io.Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	uid, counted := s.open[c]
	if delete(s.open, c); counted || s.closed {
		s.serving.Done()
	}
	if s.perPod[uid]--; s.perPod[uid] <= 0 {
		delete(s.perPod, uid)
	}
}

// Forget drops what is kept of a pod that has gone, and ends its connections.
func (s *Server) Forget(uid types.UID) {
	s.mu.Lock()
	var open []io.Closer
	if s.perPod[uid] > 0 {
		for c, of := range s.open {
			if of == uid {
				open = append(open, c)
			}
		}
	}
	s.mu.Unlock()
	for _, c := range open {
		c.Close()
	}
	s.requests.Forget(uid)
}

// connection is the context's key of the *podConn that a request came by.
type connection struct{}

// podConn is a connection to a port of a pod.
type podConn struct {
	net.Conn
	server  *Server
	pod     *corev1.Pod // as it was when the connection was made
	port    int
	address string // of pod and port
	once    sync.Once
	in, out atomic.Int64 // bytes that no request has been counted with
}

func (c *podConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.in.Add(int64(n))
	return n, err
}

func (c *podConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.out.Add(int64(n))
	return n, err
}

func (c *podConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.server.requests.transferred(c.pod.UID, c.in.Swap(0), c.out.Swap(0))
		c.server.leave(c)
	})
	return err
}
