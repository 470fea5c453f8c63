package node

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"
)

const (
	keptIdle = 64               // connections to one target that wait for the next request
	keptFor  = 60 * time.Second // how long they do
)

// newTransport makes what speaks HTTP to the targets of a pool. A request says by its context which one it is for.
func (p *pool) newTransport(version string) *http.Transport {
	t := &http.Transport{DisableCompression: true, MaxIdleConns: 0, MaxIdleConnsPerHost: keptIdle, IdleConnTimeout: keptFor,
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true}, // AWS asks for no target's name either
		TLSHandshakeTimeout: dialTime, MaxResponseHeaderBytes: mostHeader, DialContext: p.dial}
	speaks(t, version)
	return t
}

// speaks has a transport speak a target group's protocol version.
func speaks(t *http.Transport, version string) {
	t.Protocols = new(http.Protocols)
	if version == "HTTP2" || version == "GRPC" {
		t.Protocols.SetUnencryptedHTTP2(true)
		t.Protocols.SetHTTP2(true)
		return
	}
	t.Protocols.SetHTTP1(true)
}

// dial connects to the target with that address. The transport knows it by nothing else.
func (p *pool) dial(ctx context.Context, _, address string) (net.Conn, error) {
	p.mu.Lock()
	var found *member
	for _, m := range p.members {
		if m.at() == address {
			found = m
		}
	}
	p.mu.Unlock()
	if found == nil {
		return nil, &dialError{errNoTarget}
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	conn, err := p.node.dial(ctx, netip.AddrPort{}, found.now())
	if err != nil {
		return nil, &dialError{err}
	}
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok && p.proxy() > 0 {
		if _, err := conn.Write(proxyHeader(p.proxy(), x.client, x.client)); err != nil {
			conn.Close()
			return nil, &dialError{err}
		}
	}
	return conn, nil
}

// dialError is why a target could not be connected to: it has been sent nothing.
type dialError struct{ error }

func (e *dialError) Unwrap() error { return e.error }

// requests carries each request to a target of the pool that its exchange names, and to another one where that cannot be
// connected to.
type requests struct{}

// RoundTrip is http.RoundTripper's.
func (requests) RoundTrip(r *http.Request) (*http.Response, error) {
	return exchangeOf(r.Context()).send(r)
}

// send is RoundTrip.
func (x *exchange) send(r *http.Request) (*http.Response, error) {
	candidates, _ := x.pool.view(&x.carried.balancer.LoadBalancer)
	next := of(x.stickyTarget(r), candidates)
	var tried []*member
	for {
		m := next
		if next = nil; m == nil {
			m = x.pool.pick(candidates, tried)
		}
		if m == nil {
			return nil, errNoTarget
		}
		x.turnTo(m)
		r.URL.Host = m.at()
		response, err := x.to(m, r)
		var unconnected *dialError
		if err == nil || !errors.As(err, &unconnected) || r.Context().Err() != nil || len(tried)+1 == len(candidates) {
			return response, err
		}
		tried = append(tried, m)
	}
}

// turnTo has the exchange count as under way with a target, or with none any more.
func (x *exchange) turnTo(m *member) {
	if x.member != nil {
		x.member.active.Add(-1)
	}
	if x.member = m; m != nil {
		m.active.Add(1)
	}
}

// to sends a request to a target, which has as long to begin its answer as a connection may be idle.
func (x *exchange) to(m *member, r *http.Request) (response *http.Response, err error) {
	if x.access != nil {
		x.asked, x.access.sent, x.access.answered, x.access.status = m, x.door.node.options.Now(), time.Time{}, 0
		defer func() {
			if response != nil {
				x.access.answered, x.access.status = x.door.node.options.Now(), response.StatusCode
			}
		}()
	}
	limit := x.carried.idle
	if x.cancel == nil {
		if response, err = m.plainly(r, limit); errors.Is(err, os.ErrDeadlineExceeded) && r.Context().Err() == nil {
			err = errIdle
		}
		return response, err
	}
	if limit == 0 {
		return m.pool.transport.RoundTrip(r)
	}
	timer := time.AfterFunc(limit, func() { x.cancel(errIdle) })
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &upload{r.Body, timer, limit}
	}
	response, err = m.pool.transport.RoundTrip(r)
	timer.Stop()
	if err != nil && context.Cause(r.Context()) == errIdle {
		err = errIdle
	}
	return response, err
}

// upload is a body whose bytes show that the connection is not idle.
type upload struct {
	io.ReadCloser
	timer *time.Timer
	limit time.Duration
}

// Read is io.Reader's.
func (u *upload) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	if n > 0 && u.timer.Stop() { // else it has ended, or the answer has begun
		u.timer.Reset(u.limit)
	}
	return n, err
}

// errIdle is why a request ends whose target has not begun to answer.
var errIdle error = idleError{}

type idleError struct{}

func (idleError) Error() string { return "the target has not begun to answer within the idle time-out" }
func (idleError) Timeout() bool { return true }
