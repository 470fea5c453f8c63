package node

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"tripod/nodes/network"
	"tripod/region"
)

const (
	// dialTime bounds one attempt to connect to a target, as AWS's 10 s do.
	dialTime = 10 * time.Second
	// helloTime is how long a client may take until its TLS handshake is over.
	helloTime = 10 * time.Second
)

// flow is a connection of a client's and the one to its target.
type flow struct {
	mu     sync.Mutex
	client net.Conn
	target net.Conn
	ended  bool

	idle  time.Duration // for how long nothing may come from either side; 0: for ever
	moved atomic.Int64  // when something was known to come last, where the system does not tell: Unix nanoseconds
}

// serveTCP has the door carry connections.
func (d *door) serveTCP() {
	var mu sync.Mutex
	open := map[*flow]struct{}{}
	shut := false
	d.enter = func(conn net.Conn) bool {
		f := &flow{client: conn}
		mu.Lock()
		defer mu.Unlock()
		if shut {
			return false
		}
		open[f] = struct{}{}
		d.node.wait.Go(func() {
			defer d.node.open.Add(-1)
			d.carry(f)
			f.end()
			mu.Lock()
			defer mu.Unlock()
			delete(open, f)
		})
		return true
	}
	d.close = func() {
		mu.Lock()
		defer mu.Unlock()
		shut = true
		for f := range open {
			f.reset()
		}
	}
}

// carry connects a client to a target and copies until both have ended.
func (d *door) carry(f *flow) {
	c := d.carries.Load()
	f.idle = c.idle
	f.moved.Store(time.Now().UnixNano())
	from := d.node.seen(f.client.RemoteAddr())
	to := d.node.seen(f.client.LocalAddr())
	client := f.client
	if d.tls != nil {
		secure := tls.Server(client, d.tls)
		secure.SetDeadline(time.Now().Add(helloTime))
		if secure.Handshake() != nil {
			return
		}
		secure.SetDeadline(time.Time{})
		client = secure
	}
	p := d.chosenPool(c)
	if p == nil {
		return
	}
	candidates, _ := p.view(&c.balancer.LoadBalancer)
	var tried []*member
	for {
		m := p.pick(candidates, tried)
		if m == nil {
			f.reset() // nobody is there: as a host without a listener answers
			return
		}
		tried = append(tried, m)
		if d.carryTo(f, client, m, from, to) {
			return
		}
	}
}

// carryTo is false where the target cannot be connected to: nothing has been sent then.
func (d *door) carryTo(f *flow, client net.Conn, m *member, from, local netip.AddrPort) bool {
	source := netip.AddrPort{}
	to := m.now()
	if m.pool.attribute("preserve_client_ip.enabled") == "true" || to.isBalancer() {
		source = from
	}
	ctx, cancel := context.WithTimeout(d.node.running, dialTime)
	defer cancel()
	target, err := d.node.dial(ctx, source, to)
	if err != nil {
		return false
	}
	defer target.Close()
	if !f.connect(target) {
		return true
	}
	m.mu.Lock()
	m.flows[f] = struct{}{}
	m.mu.Unlock()
	m.active.Add(1)
	defer func() {
		m.active.Add(-1)
		m.mu.Lock()
		delete(m.flows, f)
		m.mu.Unlock()
	}()
	if head := proxyHeader(m.pool.proxy(), from, local); len(head) > 0 {
		if _, err := target.Write(head); err != nil {
			f.reset()
			return true
		}
	}
	if m.pool.now().Protocol == "TLS" {
		secure := tls.Client(target, &tls.Config{InsecureSkipVerify: true}) // AWS asks for nobody's name either
		if secure.HandshakeContext(ctx) != nil {
			f.reset()
			return true
		}
		target = secure
	}
	join(f, client, target)
	return true
}

// join copies both ways until both are done. What comes in bulk between raw connections is spliced: see network.Copy.
func join(f *flow, client, target net.Conn) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.copy(target, client)
	}()
	f.copy(client, target)
	<-done
}

func (f *flow) copy(to, from net.Conn) {
	if b, ok := from.(*begun); ok {
		if _, err := to.Write(b.early); err != nil {
			f.reset()
			return
		}
		b.early, from = nil, b.Conn
	}
	if b, ok := to.(*begun); ok {
		to = b.Conn
	}
	for wait := f.idle; ; {
		if wait > 0 {
			from.SetReadDeadline(time.Now().Add(wait))
		}
		n, err := network.Copy(to, from)
		if err == nil {
			break
		}
		if n > 0 {
			f.moved.Store(time.Now().UnixNano())
		}
		if wait = f.idle - f.quiet(); !errors.Is(err, os.ErrDeadlineExceeded) || wait <= 0 {
			f.reset() // a side that was reset resets the other: a client must not wait for what cannot come
			return
		}
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}

// quiet is for how long neither side has sent anything. What is spliced this process does not see: the system is asked.
func (f *flow) quiet() time.Duration {
	f.mu.Lock()
	client, target := f.client, f.target
	f.mu.Unlock()
	of, known := quietFor(client)
	ofTarget, knownToo := quietFor(target)
	if known && knownToo {
		return min(of, ofTarget)
	}
	return time.Duration(time.Now().UnixNano() - f.moved.Load())
}

// connect notes the target's connection; false: the flow was ended meanwhile.
func (f *flow) connect(target net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.target = target
	return !f.ended
}

// reset ends both sides at once.
func (f *flow) reset() { f.finish(true) }

func (f *flow) end() { f.finish(false) }

func (f *flow) finish(reset bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	for _, conn := range []net.Conn{f.client, f.target} {
		if conn == nil {
			continue
		}
		if abrupt, ok := conn.(interface{ SetLinger(int) error }); ok && reset {
			abrupt.SetLinger(0)
		}
		conn.Close()
	}
}

// chosenPool is the one that a connection goes to.
func (d *door) chosenPool(c *carried) *pool {
	for _, a := range c.listener.Actions {
		if a.Type == region.ActionForward && a.Forward != nil {
			return c.pools[weighted(a.Forward.Groups)]
		}
	}
	return nil
}

// proxyHeader is what begins a connection to a target that is told of the client by the PROXY protocol.
// https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
func proxyHeader(version int, from, to netip.AddrPort) []byte {
	from, to = netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if !from.IsValid() || !to.IsValid() || from.Addr().Is4() != to.Addr().Is4() {
		return nil
	}
	switch version {
	case 1:
		family := "TCP4"
		if !from.Addr().Is4() {
			family = "TCP6"
		}
		return fmt.Appendf(nil, "PROXY %s %s %s %d %d\r\n", family, from.Addr(), to.Addr(), from.Port(), to.Port())
	case 2:
		head := []byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11")
		if !from.Addr().Is4() {
			head[13] = 0x21
		}
		body := append(from.Addr().AsSlice(), to.Addr().AsSlice()...)
		body = binary.BigEndian.AppendUint16(body, from.Port())
		body = binary.BigEndian.AppendUint16(body, to.Port())
		return append(binary.BigEndian.AppendUint16(head, uint16(len(body))), body...)
	}
	return nil
}
