package node

import (
	"context"
	"crypto/tls"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"tripod/internal/link"
	"tripod/lb/handover"
	"tripod/region"
)

// Options are what a Node needs of its zone.
type Options struct {
	Zone string // us-east-1a
	// Dial connects to a target; from is who the target is to see, or the zero value.
	Dial func(ctx context.Context, from netip.AddrPort, to Target) (net.Conn, error)
	// Admit says why a client may not come to a port of a load balancer; nil, as its nil answer: it may.
	Admit func(b region.LoadBalancer, client netip.AddrPort, port int) error
	// Cross puts a client's connection on the link between it and the zone; nil: there is none.
	Cross func(client net.Conn) net.Conn
	// Report is told of what a target is found to be, each time that changes. It must not block.
	Report func(region.TargetReport)
	// Access is given each line of the access log of a load balancer that has one. It must not block; nil: nobody is.
	Access func(b region.LoadBalancer, line string)
	// Client is the address that clients are said to have; where it is invalid they have their own.
	Client netip.Addr
	// Hurry is the pause between checks of a target that is not healthy, where the interval of its group is longer; 0: the
	// interval counts always, as on AWS.
	Hurry  time.Duration
	Now    func() time.Time
	Logger *slog.Logger
}

// Node carries the traffic of all load balancers of a zone.
type Node struct {
	options Options
	running context.Context
	cancel  context.CancelFunc
	wait    sync.WaitGroup

	open atomic.Int64 // clients' connections

	mu    sync.Mutex
	doors map[place]*door
	pools map[string]*pool // by the ARN of their group
}

// mostOpen bounds the clients' connections of a zone: nobody has shown who they are.
const mostOpen = 8192

// place is a port of a load balancer.
type place struct {
	balancer string // its ARN
	port     int
}

// New returns a Node that carries nothing yet.
func New(options Options) *Node {
	if options.Access == nil {
		options.Access = func(region.LoadBalancer, string) {}
	}
	if options.Cross == nil {
		options.Cross = func(client net.Conn) net.Conn { return client }
	}
	n := &Node{options: options, doors: map[place]*door{}, pools: map[string]*pool{}}
	n.running, n.cancel = context.WithCancel(context.Background())
	return n
}

// Close ends all that is carried, and returns when it has ended.
func (n *Node) Close() {
	n.mu.Lock()
	n.cancel() // from now on nothing is applied
	for at := range n.doors {
		n.shut(at)
	}
	for arn, p := range n.pools {
		p.close()
		delete(n.pools, arn)
	}
	n.mu.Unlock()
	n.wait.Wait()
}

// Apply changes what the node carries. Listeners that are gone end with their connections; of the others rules and
// targets change under way.
func (n *Node) Apply(config Config) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.running.Err() != nil {
		return
	}
	used := map[string][]region.LoadBalancer{} // the load balancers of each group
	doors := map[place]bool{}
	for _, b := range config.Balancers {
		for _, l := range b.Listeners {
			at := place{b.ARN, l.Port}
			doors[at] = true
			d := n.doors[at]
			if d != nil && (d.protocol != l.Protocol) {
				n.shut(at)
				d = nil
			}
			if d == nil {
				d = n.makeDoor(l)
				n.doors[at] = d
			}
			pools := map[string]*pool{}
			for _, arn := range region.GroupsNamed(l.Listener, l.Rules) {
				group, found := config.Groups[arn]
				if !found {
					continue
				}
				if n.pools[arn] == nil {
					n.pools[arn] = newPool(n, group.TargetGroup)
				}
				pools[arn] = n.pools[arn]
				used[arn] = append(used[arn], b.LoadBalancer)
			}
			d.carries.Store(newCarried(b, l, pools))
		}
	}
	for at := range n.doors {
		if !doors[at] {
			n.shut(at)
		}
	}
	for _, arn := range slices.Collect(maps.Keys(n.pools)) {
		if used[arn] == nil {
			n.pools[arn].close()
			delete(n.pools, arn)
			continue
		}
		n.pools[arn].update(config.Groups[arn], used[arn])
	}
}

// Willing says whether a client would be taken: handover.Taker's.
func (n *Node) Willing(offer handover.Offer) bool {
	d := n.door(offer)
	return d != nil && n.open.Load() < mostOpen && (offer.Last || d.carries.Load().ready())
}

// Take takes a client over that has come to a load balancer's port: handover.Taker's.
func (n *Node) Take(conn *net.TCPConn, offer handover.Offer) {
	d := n.door(offer)
	if d != nil && n.options.Admit != nil &&
		n.options.Admit(d.carries.Load().balancer.LoadBalancer, n.seen(conn.RemoteAddr()), offer.Port) != nil {
		conn.SetLinger(0) // AWS says nothing: the client would wait in vain
		conn.Close()
		return
	}
	client := n.options.Cross(conn)
	if n.open.Add(1) > mostOpen || d == nil || !d.take(client, offer.Early) {
		n.open.Add(-1)
		client.Close()
	}
}

func (n *Node) door(offer handover.Offer) *door {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.doors[place{offer.Balancer, offer.Port}]
}

// carried is what a door carries now.
type carried struct {
	balancer Balancer
	listener Listener
	pools    map[string]*pool // by the ARNs that actions name
	idle     time.Duration    // how long connections may be so; 0: for ever
	nameless bool             // answers do not say by which server they are
	logs     bool             // requests are written to an access log
}

func newCarried(b Balancer, l Listener, pools map[string]*pool) *carried {
	l.Actions, l.Rules = inOrder(l.Actions), slices.Clone(l.Rules)
	for i := range l.Rules {
		l.Rules[i].Actions = inOrder(l.Rules[i].Actions)
	}
	c := &carried{balancer: b, listener: l, pools: pools,
		nameless: l.isHTTP() && l.Attribute("routing.http.response.server.enabled") == "false",
		logs:     b.Type == region.ApplicationBalancer && b.Attribute("access_logs.s3.enabled") == "true"}
	idle := b.Attribute("idle_timeout.timeout_seconds") // of application and classic ones
	if idle == "" {
		idle = l.Attribute("tcp.idle_timeout.seconds")
	}
	if l.Protocol == "TLS" && b.Type == region.NetworkBalancer {
		idle = "350" // which cannot be changed
	}
	if seconds, err := strconv.Atoi(idle); err == nil {
		c.idle = time.Duration(seconds) * time.Second
	}
	return c
}

// ready says whether the zone takes new clients: it has a healthy target for them, and traffic is not moved away.
func (c *carried) ready() bool {
	if c.balancer.Shifted {
		return false
	}
	answers := len(c.pools) == 0 // redirects and fixed responses alone
	for _, p := range c.pools {
		_, healthy := p.view(&c.balancer.LoadBalancer)
		answers = answers || healthy
	}
	return answers
}

// door is a listener at work.
type door struct {
	node     *Node
	protocol string
	carries  atomic.Pointer[carried]
	tls      *tls.Config
	// enter takes a client, and counts it out of Node.open at its end; it does not block. It is false once the door is shut.
	enter func(net.Conn) bool
	close func()
}

func (n *Node) makeDoor(l Listener) *door {
	d := &door{node: n, protocol: l.Protocol}
	if l.isTLS() {
		d.tls = &tls.Config{GetCertificate: d.certificate, MinVersion: tls.VersionTLS12}
	}
	if l.isHTTP() {
		d.serveHTTP()
	} else {
		d.serveTCP()
	}
	return d
}

// shut assumes the lock.
func (n *Node) shut(at place) {
	n.doors[at].close()
	delete(n.doors, at)
}

// take gives the door a client that has sent something already.
func (d *door) take(conn net.Conn, early []byte) bool {
	if len(early) == 0 {
		return d.enter(conn)
	}
	return d.enter(&begun{Conn: conn, early: early})
}

// certificate is the one of the listener's that a client has named by SNI, or the default one.
func (d *door) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	shown := d.carries.Load().listener.Shown
	for i := range shown {
		if hello.ServerName != "" && hello.SupportsCertificate(&shown[i]) == nil {
			return &shown[i], nil
		}
	}
	if len(shown) == 0 {
		return nil, errNoCertificate
	}
	return &shown[0], nil
}

// begun is a connection of which something was read already.
type begun struct {
	net.Conn
	early []byte
}

// CloseWrite is *net.TCPConn's.
func (b *begun) CloseWrite() error { return link.CloseWrite(b.Conn) }

// SyscallConn is *net.TCPConn's.
func (b *begun) SyscallConn() (syscall.RawConn, error) { return link.SyscallConn(b.Conn) }

// SetLinger is *net.TCPConn's.
func (b *begun) SetLinger(seconds int) error { return link.SetLinger(b.Conn, seconds) }

func (b *begun) Read(p []byte) (int, error) {
	if len(b.early) > 0 {
		n := copy(p, b.early)
		b.early = b.early[n:]
		return n, nil
	}
	return b.Conn.Read(p)
}

// seen is the address that a client is said to have.
func (n *Node) seen(remote net.Addr) netip.AddrPort {
	at, _ := remote.(*net.TCPAddr)
	if at == nil {
		return netip.AddrPort{}
	}
	from := at.AddrPort()
	if n.options.Client.IsValid() {
		from = netip.AddrPortFrom(n.options.Client, from.Port())
	}
	return from
}

func itoa(n int) string { return strconv.Itoa(n) }
