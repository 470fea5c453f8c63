package lb

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"tripod/internal/link"
)

// helloWait is how long a client may take to say its first bytes before it is connected nevertheless: there are
// protocols in which the server speaks first.
const helloWait = 50 * time.Millisecond

// mostDial bounds how long a target is dialled: a client may have given up meanwhile.
const mostDial = 30 * time.Second

// errNoAnswer is what suspect is told when nobody answers a ClientHello.
var errNoAnswer = os.ErrDeadlineExceeded

// flow is one client's connection. Its goroutine, serve, reads from the target; a second one, upstream, reads from the
// client while there is a leg.
type flow struct {
	r      *run
	b      *Balancer
	client net.Conn

	// hello is what the client has sent until the flow is committed. upstream owns it during a leg, serve between two.
	hello *[]byte
	gone  bool // the client hung up; owned like hello

	mu        sync.Mutex
	leg       *leg // nil between two
	committed bool // to its leg: the client's bytes cannot be sent to another target any more
	killed    bool
}

func (f *flow) serve() {
	defer f.r.served(f)
	defer func() { _ = f.client.Close() }()
	f.b.cfg.Wake(f.r.ctx) // while the client says its first bytes
	f.hello = takeBuffer()
	defer func() {
		if f.hello != nil {
			giveBuffer(f.hello)
		}
	}()
	if !f.greet() {
		return
	}
	tried := make([]uint64, len(f.b.targets))
	for {
		l := f.connect(tried)
		if l == nil {
			if f.r.ctx.Err() == nil {
				f.b.unserved.Add(1)
			}
			f.kill()
			return
		}
		if f.ride(l, tried) {
			return
		}
		if f.b.cfg.ChecksAlone {
			f.kill()
			return
		}
		tried[l.t.index] = f.b.generation(l.t)
		l.t.retries.Add(1)
	}
}

// greet waits a moment for the client's first bytes, so that what they are is known before a target is chosen. It
// returns false if the client is gone.
func (f *flow) greet() bool {
	_ = f.client.SetReadDeadline(time.Now().Add(helloWait))
	n, err := f.client.Read((*f.hello)[:helloSize])
	_ = f.client.SetReadDeadline(time.Time{})
	*f.hello = (*f.hello)[:n]
	return n > 0 || errors.Is(err, os.ErrDeadlineExceeded)
}

// connect dials targets until one takes the connection. It returns nil when there is none left to try, or the balancer
// ends.
func (f *flow) connect(tried []uint64) *leg {
	for f.r.ctx.Err() == nil {
		f.b.cfg.Wake(f.r.ctx)
		t, gen := f.b.pick(tried)
		if t == nil {
			return nil
		}
		ctx, cancel := context.WithTimeout(f.r.ctx, min(f.b.cfg.FirstByteDeadline, mostDial))
		conn, err := f.b.cfg.Dial(ctx, f.client, t.Target)
		cancel()
		if err == nil {
			l := &leg{f: f, t: t, gen: gen, conn: conn}
			if f.attach(l) {
				return l
			}
			reset(conn) // it was found dead meanwhile
		} else if f.r.ctx.Err() == nil {
			f.b.cfg.Logger.Debug("cannot reach target", "target", t.Name, "error", err)
			t.dialFailures.Add(1)
			if !errors.Is(err, ErrNotTheTarget) {
				f.b.suspect(t, gen, err)
			}
		}
		if f.b.checksAlone(t) {
			return nil
		}
		tried[t.index] = f.b.generation(t)
		t.retries.Add(1)
	}
	return nil
}

// ride carries the client over one leg. It returns false if the client can be carried over another one instead: nothing
// has come back from this target, and nothing that could have had an effect has reached it.
func (f *flow) ride(l *leg, tried []uint64) (done bool) {
	defer f.detach(l)
	if !f.replay(l) {
		return f.over(l)
	}
	upstream := make(chan struct{})
	go func() {
		defer close(upstream)
		f.upstream(l)
	}()
	if f.downstream(l, tried) {
		<-upstream
		return true
	}
	// Call upstream back without losing a byte: a read that was interrupted has read nothing.
	_ = l.conn.Close()
	_ = f.client.SetReadDeadline(time.Unix(1, 0))
	<-upstream
	_ = f.client.SetReadDeadline(time.Time{})
	return f.over(l)
}

// over decides, after a leg that came to nothing, whether the flow has, too.
func (f *flow) over(l *leg) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.committed {
		f.abort(l)
	}
	return f.killed || f.gone
}

// replay sends what the client has said so far. It returns false if the target did not take it.
func (f *flow) replay(l *leg) bool {
	if len(*f.hello) == 0 {
		return true
	}
	return f.forward(l, *f.hello)
}

// forward sends bytes, the last of hello, that the client has just said or that are said again, and draws the
// consequences. It returns false if the target did not take them.
func (f *flow) forward(l *leg, bytes []byte) bool {
	n, err := l.conn.Write(bytes)
	l.t.toTarget.Add(int64(n))
	kind := classifyOpening(*f.hello)
	switch {
	case kind == openingFinal && n > 0, len(*f.hello) == helloSize:
		f.commit(l)
	case kind == openingHello:
		f.await(l)
	}
	return err == nil
}

// await sets the deadline for the first byte of an answer.
func (f *flow) await(l *leg) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.committed {
		_ = l.conn.SetReadDeadline(time.Now().Add(f.b.cfg.FirstByteDeadline))
	}
}

// commit binds the client to this leg for good. It returns false if the balancer is ending the flow.
func (f *flow) commit(l *leg) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.committed = true
	_ = l.conn.SetReadDeadline(time.Time{})
	return !f.killed
}

func (f *flow) isCommitted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.committed
}

// downstream waits for the beginning of the target's answer, and then copies everything to the client. It returns false
// if there was no answer.
func (f *flow) downstream(l *leg, tried []uint64) bool {
	first := takeBuffer()
	n, ok := f.firstBytes(l, (*first)[:helloSize], tried)
	if !ok || !f.commit(l) {
		giveBuffer(first)
		return false
	}
	_, err := f.client.Write((*first)[:n])
	giveBuffer(first)
	l.t.toClient.Add(int64(n))
	if err != nil {
		f.kill()
		return true
	}
	l.t.toClient.Add(f.pipe(f.client, l.conn))
	return true
}

// firstBytes waits for the beginning of the answer. A target that says goodbye without a word to a client that is bound
// to it has answered, too.
func (f *flow) firstBytes(l *leg, buffer []byte, tried []uint64) (n int, ok bool) {
	for {
		n, err := l.conn.Read(buffer)
		switch {
		case n > 0:
			return n, true
		case f.isCommitted():
			if errors.Is(err, os.ErrDeadlineExceeded) {
				continue // it was set before the flow was committed
			}
			return 0, err == io.EOF
		case !errors.Is(err, os.ErrDeadlineExceeded):
			f.b.hint(l.t)
			return 0, false
		}
		f.b.cfg.Logger.Debug("target does not answer a ClientHello", "target", l.t.Name)
		f.b.suspect(l.t, l.gen, errNoAnswer)
		if f.b.alternative(l.t, tried) {
			return 0, false
		}
		f.await(l) // there is nobody better to ask
	}
}

// upstream reads from the client. Until the flow is committed it keeps what it reads.
func (f *flow) upstream(l *leg) {
	for !f.isCommitted() {
		have := len(*f.hello)
		n, err := f.client.Read((*f.hello)[have:helloSize])
		*f.hello = (*f.hello)[:have+n]
		if n > 0 && !f.forward(l, (*f.hello)[have:]) {
			_ = l.conn.Close() // wakes downstream
			return
		}
		if err != nil {
			f.clientEnded(l, err)
			return
		}
	}
	giveBuffer(f.hello)
	f.hello = nil
	l.t.toTarget.Add(f.pipe(l.conn, f.client))
}

// clientEnded is called when nothing more comes from the client, or serve called upstream back.
func (f *flow) clientEnded(l *leg, err error) {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
	case err != io.EOF:
		f.gone = true
		f.kill()
	case !f.isCommitted() && len(*f.hello) > 0:
		f.gone = true // a TLS client has no use for an answer any more
		_ = l.conn.Close()
	default:
		f.commit(l)
		_ = link.CloseWrite(l.conn)
	}
}
