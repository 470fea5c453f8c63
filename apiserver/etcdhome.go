package apiserver

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"sync"
	"time"

	"google.golang.org/grpc"
)

// preferFirst has gRPC use one member, the first that answers, where clientv3 takes turns among all of them. The zone's own is first:
// what is asked there crosses no zone but for what its quorum needs, and a zone that is cut off stalls its own requests alone. With
// turns, each API server would lose a third of its requests to a black hole until its keep-alive notices, some 40 s later.
var preferFirst = []grpc.DialOption{grpc.WithDisableServiceConfig(),
	grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"pick_first": {}}]}`)}

const (
	// returnAfter is how soon a zone's own member is looked for when the API server has begun to use another one: twice as late each time
	// that a return did not last, up to slowestReturn. What lasted for steady counts as well again. It costs nothing otherwise.
	returnAfter, slowestReturn, steady = 2 * time.Second, time.Minute, 5 * time.Minute
	// prompt is within what time the own member has to shake hands: gRPC gives it no more before it tries the next one, too.
	prompt = 200 * time.Millisecond
)

// home brings an API server back to its zone's own etcd member: pick_first stays with another one for as long as that lives.
type home struct {
	member string // host:port
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	tls    *tls.Config

	mu       sync.Mutex
	pause    time.Duration // before the next return
	returned time.Time     // when the last one was
}

// newHome makes one for the first of the servers, which are URLs.
func newHome(servers []string, config *tls.Config, dial func(context.Context, string, string) (net.Conn, error)) *home {
	h := &home{dial: dial, tls: config.Clone(), pause: returnAfter}
	if parsed, err := url.Parse(servers[0]); err == nil {
		h.member, h.tls.ServerName = parsed.Host, parsed.Hostname()
	}
	return h
}

// watch ends a connection to another member once the own one serves. It returns what the connection's user is to have.
func (h *home) watch(address string, conn net.Conn) net.Conn {
	if address == h.member {
		return conn
	}
	away, left := context.WithCancel(context.Background())
	pause := h.next()
	go func() {
		look := time.NewTicker(pause)
		defer look.Stop()
		for {
			select {
			case <-away.Done():
				return
			case <-look.C:
			}
			if h.serves(away) {
				h.goes()
				conn.Close() // gRPC begins with the first again, and writes under way are sent again
				return
			}
		}
	}()
	return &awayConn{Conn: conn, left: left}
}

// next is for how long another member is used at least.
func (h *home) next() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.returned) > steady {
		h.pause = returnAfter
	}
	return h.pause
}

// goes notes a return.
func (h *home) goes() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.returned, h.pause = time.Now(), min(2*h.pause, slowestReturn)
}

// serves says whether the own member has finished its start: it shakes no hands before.
func (h *home) serves(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, prompt)
	defer cancel()
	conn, err := h.dial(ctx, "tcp", h.member)
	if err != nil {
		return false
	}
	defer conn.Close()
	return tls.Client(conn, h.tls).HandshakeContext(ctx) == nil
}

// awayConn is a connection to another zone's member.
type awayConn struct {
	net.Conn
	once sync.Once
	left func()
}

// Close is net.Conn's.
func (c *awayConn) Close() error {
	c.once.Do(c.left)
	return c.Conn.Close()
}
