package etcdcluster

import (
	"context"
	"maps"
	"slices"
	"time"

	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"tripod/internal/sleep"
)

const (
	// standEvery is how often a member that starts asks for votes while it knows of no leader. Members that are not there
	// yet do not answer.
	standEvery = 150 * time.Millisecond
	// standSeldom is how often at the least, once members answer: votes are written to disks, and who asks again before they have
	// come asks for nothing.
	standSeldom = 2400 * time.Millisecond
	// standTurn lets members that start together begin one after the other: two at once take each other's votes.
	standTurn = 400 * time.Millisecond
)

// firstElection makes a member that starts a candidate as soon as others are there, rather than when its random
// time-out ends, which calm timers make long. With PreVote that is a question: members that hear from a leader refuse
// it, and nothing happens.
func (m *Member) firstElection(ctx context.Context, server *etcdserver.EtcdServer) {
	names := slices.Sorted(maps.Keys(m.config.Members))
	wait, every, term := time.Duration(slices.Index(names, m.config.Name))*standTurn, standEvery, server.Term()
	for sleep.For(ctx, wait) == nil {
		if server.Lead() == 0 {
			if now := server.Term(); now != term { // most answered, and votes were cast
				every, term = min(2*every, standSeldom), now
			}
			stand(ctx, server)
		}
		wait = every
	}
}

// stand has a member ask for votes now. With PreVote that is a question: members that hear from a leader refuse it, and nothing happens.
func stand(ctx context.Context, server *etcdserver.EtcdServer) {
	// The node takes this message from its own storage threads alone, not from a peer.
	server.Process(ctx, &raftpb.Message{Type: raftpb.MsgHup.Enum(), From: new(raft.LocalAppendThread),
		To: new(uint64(server.MemberID()))})
}
