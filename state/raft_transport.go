package state

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// streams gives raft's network transport its connections.
type streams struct {
	port    *port
	address name
	closed  chan struct{}
	once    sync.Once
}

// name is a net.Addr that is a name, such as raft-a.tripod.internal:7000.
type name string

func (name) Network() string  { return "tripod" }
func (n name) String() string { return string(n) }

func (s *streams) Accept() (net.Conn, error) {
	select {
	case conn := <-s.port.raft:
		return conn, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept. The listener is the port's.
func (s *streams) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (s *streams) Addr() net.Addr { return s.address }

func (s *streams) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(s.port.ctx, timeout)
	defer cancel()
	return s.port.dial(ctx, string(address), forRaft)
}

// transport is raft's network transport, and knows which voters answer.
//
// Raft's replication backs off to ten seconds while a voter is away, and goes on sleeping when the voter is back. So
// entries for a voter that is away wait here until a heartbeat gets through: to raft that is one slow failure instead
// of many, and the voter is caught up at once when it returns.
type transport struct {
	*raft.NetworkTransport
	port    *port
	term    func() uint64
	timeout time.Duration // of a request

	mu   sync.Mutex
	last map[raft.ServerID]time.Time // of an answer
	beat chan struct{}               // closed and replaced at each
}

func newTransport(p *port, address string, timeout time.Duration, logger hclog.Logger) *transport {
	return &transport{
		port: p, timeout: timeout,
		last: map[raft.ServerID]time.Time{},
		beat: make(chan struct{}),
		NetworkTransport: raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
			Stream:  &streams{port: p, address: name(address), closed: make(chan struct{})},
			MaxPool: 3,
			Timeout: timeout,
			Logger:  logger,
		}),
	}
}

// AppendEntries sends entries, or a heartbeat.
func (t *transport) AppendEntries(
	id raft.ServerID, target raft.ServerAddress, req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse,
) error {
	err := t.NetworkTransport.AppendEntries(id, target, req, resp)
	heartbeat := req.PrevLogEntry == 0 && len(req.Entries) == 0 && req.LeaderCommitIndex == 0
	switch {
	case err == nil:
		t.mu.Lock()
		t.last[id] = time.Now()
		close(t.beat)
		t.beat = make(chan struct{})
		t.mu.Unlock()
	case !heartbeat: // heartbeats go on meanwhile, on a goroutine of their own
		t.await(id, req.Term)
	}
	return err
}

// AppendEntriesPipeline is raft's, but for its end. In raft v1.7.3 its sender and its decoder wait for each other for ever
// where an answer has failed while the next request was sent: the voter gets nothing any more, and Shutdown does not end.
func (t *transport) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	p, err := t.NetworkTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	return &pipeline{AppendPipeline: p, leave: context.AfterFunc(t.port.ctx, func() { p.Close() }), patience: 2 * t.timeout}, nil
}

// pipeline ends with the voter's port, and where a request waits for longer than the answer before it may take.
type pipeline struct {
	raft.AppendPipeline
	leave    func() bool
	patience time.Duration
}

// AppendEntries is raft.AppendPipeline's.
func (p *pipeline) AppendEntries(req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	late := time.AfterFunc(p.patience, func() { p.AppendPipeline.Close() })
	defer late.Stop()
	return p.AppendPipeline.AppendEntries(req, resp)
}

// Close is raft.AppendPipeline's.
func (p *pipeline) Close() error {
	p.leave()
	return p.AppendPipeline.Close()
}

// await returns when the voter has answered something since the call, when this voter's term has passed, or when the
// port closes.
func (t *transport) await(id raft.ServerID, term uint64) {
	since := time.Now()
	poll := time.NewTicker(250 * time.Millisecond) // for the term, which has no signal
	defer poll.Stop()
	for t.term() <= term {
		t.mu.Lock()
		back, beat := t.last[id].After(since), t.beat
		t.mu.Unlock()
		if back {
			return
		}
		select {
		case <-beat:
		case <-poll.C:
		case <-t.port.ctx.Done():
			return
		}
	}
}

// lastHeard is when the voter last answered a heartbeat or entries of this voter's; zero: never.
func (t *transport) lastHeard(id raft.ServerID) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last[id]
}
