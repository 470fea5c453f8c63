// Package gateway is a zone's network: the only way out of it, which denies by default.
package gateway

import (
	"bufio"
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tripod/internal/link"
	"tripod/nodes/network"
)

// Destination is where a name leads.
type Destination struct {
	Zone    string // whose link is used
	Target  string // what it belongs to, such as "etcd/b"; may be empty
	Network string // "tcp" or "unix"
	Address string
	// Dialer looks at what a name turns out to be before it connects there; nil where no name is looked up.
	Dialer *net.Dialer
	// Within is the address of a node or a pod that is asked for there, and Cluster the name of whose it is; the zero
	// value: the connection is what was asked for.
	Within             netip.AddrPort
	Cluster, ClusterID string
	// Answers is who answers at Within in this process; nil: the connection goes to Address.
	Answers Answerer
	// Held is the address in the cluster's VPC that the rules are held for; the zero value: it is in none.
	Held netip.AddrPort
}

// Answerer says who answers at an address of a zone's nodes and pods.
type Answerer interface {
	Answer(ctx context.Context, from, to netip.AddrPort) (network.Answer, error)
}

// Config says whose gateway it is and where it leads.
type Config struct {
	Zone string // us-east-1a
	// Secret is the password of ServeProxy's clients; their user is "zone".
	Secret string
	// Route says where a name or an address leads. What it does not know it denies by ErrDenied.
	Route func(ctx context.Context, host string, port int) (Destination, error)
	// Admit holds the VPC's rules against a connection to an address of a node or a pod of a cluster. It says who the far side is
	// to see; its error is a network.ErrFiltered where the rules do not let it pass.
	Admit func(clusterID string, from network.Source, to netip.AddrPort) (seen netip.AddrPort, err error)
	// OnFiltered is told of a connection that a NetworkPolicy of the cluster has not let pass.
	OnFiltered func(clusterID string, err error)
	// OnRefusedPort is told of a port of this machine to which a pod of a cluster has led and may not.
	OnRefusedPort func(clusterName string, err error)
	Logger        *slog.Logger
	Registerer    prometheus.Registerer
}

// Gateway is a CONNECT proxy that denies by default. It knows who dials, its own zone, and whom, by the name, so that
// a link can be cut in one direction without root on any system.
type Gateway struct {
	config Config

	connections *prometheus.CounterVec // by destination zone and outcome

	running context.Context // ended by Stop
	end     context.CancelFunc
	wait    sync.WaitGroup
	mu      sync.Mutex
	// listeners, asking and open are what Stop closes.
	listeners   []net.Listener
	asking      map[net.Conn]struct{} // connections that have not said yet where they want to go
	open        map[*tunnel]struct{}
	unreachable map[string]bool // zones ("us-east-1b") and targets ("etcd/b") that answer nobody
	stopped     bool
	links       map[string]*link.Link // to the other zones, by their names; made when they are asked for first

	setting  sync.Mutex // held while links are set; taken before mu
	settings int64      // the number of the newest
}

// mostAsking is how many connections may be about to say where they want to go: others of this machine can reach the
// proxy's port.
const mostAsking = 256

var (
	// ErrDenied is why the gateway does not lead somewhere.
	ErrDenied      = errors.New("is not part of this region; Tripod's gateway lets nothing out")
	errUnreachable = errors.New("is unreachable")
)

// Gone says of an error of Dial that nobody is there: the process has ended, or is paused. Who is behind a link that is cut may live.
func Gone(err error) bool {
	return errors.Is(err, errUnreachable) || errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, link.ErrFault)
}

// New returns a gateway that serves nobody yet.
func New(config Config) *Gateway {
	g := &Gateway{config: config, asking: map[net.Conn]struct{}{}, open: map[*tunnel]struct{}{}, links: map[string]*link.Link{}}
	g.running, g.end = context.WithCancel(context.Background())
	g.connections = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tripod_gateway_connections_total",
		Help: "Connections through the zone's gateway, by destination zone and outcome (connected, denied, " +
			"filtered, unreachable, cut, failed).",
	}, []string{"to", "outcome"})
	config.Registerer.MustRegister(g.connections, openConnections{g})
	return g
}

// Serve accepts until Stop who needs no password: those on a unix socket, whose directory is the user's alone.
func (g *Gateway) Serve(listener net.Listener) { g.ServeCluster(listener, "") }

// ServeCluster is Serve for the processes of one cluster, by its id: addresses in a VPC are then those of its pods.
func (g *Gateway) ServeCluster(listener net.Listener, clusterID string) {
	g.serve(listener, clusterID, func(*http.Request) bool { return true })
}

// cluster is the context's key of the cluster that somebody asks for.
type cluster struct{}

// within is the id of the cluster whose process asks; empty: it is not known.
func within(ctx context.Context) string {
	id, _ := ctx.Value(cluster{}).(string)
	return id
}

// ServeProxy accepts until Stop who shows the password.
func (g *Gateway) ServeProxy(listener net.Listener) { g.serve(listener, "", g.authorized) }

func (g *Gateway) serve(listener net.Listener, clusterID string, admits func(*http.Request) bool) {
	g.mu.Lock()
	g.listeners = append(g.listeners, listener)
	g.mu.Unlock()
	g.wait.Go(func() {
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				time.Sleep(10 * time.Millisecond) // out of file descriptors: others will close theirs
				continue
			}
			g.wait.Go(func() { g.handle(conn, clusterID, admits) })
		}
	})
}

func (g *Gateway) handle(conn net.Conn, clusterID string, admits func(*http.Request) bool) {
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if !g.ask(conn) {
		return
	}
	reader := bufio.NewReaderSize(io.LimitReader(conn, 16<<10), 1024) // whoever asks has not shown the password yet
	request, err := http.ReadRequest(reader)
	g.asked(conn)
	if err != nil {
		return
	}
	conn.SetReadDeadline(time.Time{})
	if request.Method != http.MethodConnect {
		refuse(conn, http.StatusMethodNotAllowed, "the gateway only takes CONNECT")
		return
	}
	if !admits(request) {
		refuse(conn, http.StatusProxyAuthRequired, "the gateway serves its own zone only")
		return
	}
	ctx, cancel := context.WithTimeout(context.WithValue(g.running, cluster{}, clusterID), 5*time.Second)
	t, err := g.dial(ctx, request.Host)
	cancel()
	if err != nil {
		refuse(conn, http.StatusBadGateway, err.Error())
		return
	}
	t.near = conn
	defer t.far.Close()
	if !g.track(t) {
		return
	}
	defer g.forget(t)
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	early, _ := reader.Peek(reader.Buffered()) // what the client sent without waiting for the answer
	if _, err := t.far.Write(early); err != nil {
		return
	}
	t.pipe()
}

// ask notes a connection whose request is awaited; false once the gateway is stopped.
func (g *Gateway) ask(conn net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped || len(g.asking) >= mostAsking {
		return false
	}
	g.asking[conn] = struct{}{}
	return true
}

func (g *Gateway) asked(conn net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.asking, conn)
}

// refuse says why in the status line, too: API servers and etcd tell no more than that in their errors.
func refuse(conn net.Conn, status int, sentence string) {
	reason := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, sentence)
	fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		status, reason, len(sentence), sentence)
}

func (g *Gateway) authorized(request *http.Request) bool {
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("zone:"+g.config.Secret))
	return subtle.ConstantTimeCompare([]byte(request.Header.Get("Proxy-Authorization")), []byte(want)) == 1
}

// dial connects to what the address leads to. The caller closes the far side.
func (g *Gateway) dial(ctx context.Context, address string) (*tunnel, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("%s: %q is not a port", address, portText)
	}
	to, err := g.config.Route(ctx, host, port)
	if err != nil {
		g.connections.WithLabelValues("", "denied").Inc()
		g.config.Logger.Debug("denied", "to", address, "reason", err)
		return nil, fmt.Errorf("%s %w", address, err)
	}
	if g.cut(to) {
		g.connections.WithLabelValues(to.Zone, "unreachable").Inc()
		return nil, fmt.Errorf("%s %w", address, errUnreachable)
	}
	var seen netip.AddrPort
	from, isWithin := ctx.Value(source{}).(network.Source)
	if isWithin && !to.Held.IsValid() {
		g.connections.WithLabelValues("", "denied").Inc()
		return nil, fmt.Errorf("%s %w", address, ErrDenied)
	}
	if to.Held.IsValid() {
		if seen, err = g.config.Admit(to.ClusterID, from, to.Held); err != nil {
			g.connections.WithLabelValues(to.Zone, "filtered").Inc()
			return nil, err
		}
	}
	if to.Answers != nil {
		return g.enter(ctx, to, address, seen)
	}
	dialer := to.Dialer
	if dialer == nil {
		dialer = new(net.Dialer)
	}
	far, err := g.link(to.Zone).Dial(ctx, func(ctx context.Context) (net.Conn, error) {
		return dialer.DialContext(ctx, to.Network, to.Address)
	})
	if err == nil && to.Within.IsValid() {
		if err = network.Connect(ctx, far, seen, to.Within); err != nil {
			far.Close()
		}
		g.told(to, err)
	}
	if err != nil {
		outcome := "failed"
		if errors.Is(err, link.ErrFault) {
			outcome = "cut"
		}
		g.connections.WithLabelValues(to.Zone, outcome).Inc()
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	g.connections.WithLabelValues(to.Zone, "connected").Inc()
	return &tunnel{Destination: to, far: far}, nil
}

// enter connects to a node or a pod of this zone, in memory.
func (g *Gateway) enter(ctx context.Context, to Destination, address string, seen netip.AddrPort) (*tunnel, error) {
	answer, err := to.Answers.Answer(ctx, seen, to.Within)
	if err != nil {
		g.told(to, err)
		g.connections.WithLabelValues(to.Zone, "failed").Inc()
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	near, far := network.Pipe()
	go answer(far) // belongs to who has answered
	g.connections.WithLabelValues(to.Zone, "connected").Inc()
	return &tunnel{Destination: to, far: near}, nil
}

// told tells of a connection that somebody's choice has refused.
func (g *Gateway) told(to Destination, err error) {
	switch {
	case errors.Is(err, network.ErrNotAllowed):
		g.config.OnRefusedPort(to.Cluster, err)
	case errors.Is(err, network.ErrFiltered):
		g.config.OnFiltered(to.ClusterID, err)
	}
}

// Dial is for the agent's own connections to other zones, those of raft.
func (g *Gateway) Dial(ctx context.Context, address string) (net.Conn, error) {
	return g.connect(ctx, address)
}

// DialWithin connects to an address of a node or a pod of a cluster.
func (g *Gateway) DialWithin(ctx context.Context, clusterID string, from network.Source, to netip.AddrPort) (net.Conn, error) {
	ctx = context.WithValue(context.WithValue(ctx, cluster{}, clusterID), source{}, from)
	return g.connect(ctx, to.String())
}

// source is the context's key of where a connection comes from.
type source struct{}

func (g *Gateway) connect(ctx context.Context, address string) (net.Conn, error) {
	t, err := g.dial(ctx, address)
	if err != nil {
		return nil, err
	}
	if !g.track(t) {
		t.far.Close()
		return nil, net.ErrClosed
	}
	return &trackedConn{Conn: t.far, closed: func() { g.forget(t) }}, nil
}

// SetUnreachable replaces what is cut off, and resets the connections there: to be silent is worse than to be dead,
// as clients wait.
func (g *Gateway) SetUnreachable(names []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.unreachable = map[string]bool{}
	for _, name := range names {
		g.unreachable[name] = true
	}
	for t := range g.open {
		if g.cutLocked(t.Destination) {
			t.reset()
		}
	}
}

func (g *Gateway) cut(to Destination) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cutLocked(to)
}

// cutLocked assumes the lock. A zone always reaches itself.
func (g *Gateway) cutLocked(to Destination) bool {
	return to.Zone != g.config.Zone && g.unreachable[to.Zone] || g.unreachable[to.Target]
}

func (g *Gateway) track(t *tunnel) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped || g.cutLocked(t.Destination) {
		return false
	}
	g.open[t] = struct{}{}
	return true
}

func (g *Gateway) forget(t *tunnel) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.open, t)
}

// Stop closes everything and waits for it.
func (g *Gateway) Stop() {
	g.mu.Lock()
	g.stopped = true
	for _, listener := range g.listeners {
		listener.Close()
	}
	for conn := range g.asking {
		conn.Close()
	}
	for t := range g.open {
		t.reset()
	}
	for _, l := range g.links {
		l.Shut()
	}
	g.mu.Unlock()
	g.end()
	g.wait.Wait()
}
