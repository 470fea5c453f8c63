package etcdcluster

import (
	"context"
	"math/rand/v2"
	"time"

	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/raft/v3/raftpb"
)

// turn is how long a member waits for another one, which was told of the same loss and goes first, to become the
// leader.
const turn = 100 * time.Millisecond

// attempts is how often a member stands that was told of its leader's loss: another one may be ahead of it in the log,
// and has to be elected.
const attempts = 6

// Lost tells the member that the one with that name is gone, or answers nobody. If that one leads, the member becomes a
// candidate at once, as in a transfer of leadership, rather than after an election time-out: with rank 0 now, otherwise
// when those before it had their turn. It returns when there is another leader, or nothing more can be done.
func (m *Member) Lost(ctx context.Context, name string, rank int) {
	m.mu.Lock()
	etcd := m.etcd
	m.mu.Unlock()
	if etcd == nil {
		return
	}
	server := etcd.Server
	lost, known := memberID(server, name)
	if !known || lost == uint64(server.MemberID()) {
		return
	}
	m.told.Add(1)
	defer m.told.Add(-1)
	wait := time.Duration(rank) * turn
	for attempt := range attempts {
		if !leaderless(ctx, server, lost, wait) {
			return
		}
		// The term keeps an order that is late from unseating a leader that was elected meanwhile.
		server.Process(ctx, &raftpb.Message{Type: raftpb.MsgTimeoutNow.Enum(), From: new(lost),
			To: new(uint64(server.MemberID())), Term: new(server.Term())})
		// Two that stand at once take each other's votes: so the turns differ, and grow, as on a busy machine a vote takes
		// its time.
		wait = time.Duration(rank+1)*turn<<attempt + rand.N(turn)
	}
}

// leaderless says whether after that time the lost member still counts as the leader, or nobody does.
func leaderless(ctx context.Context, server *etcdserver.EtcdServer, lost uint64, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		changed := server.LeaderChangedNotify()
		if leader := server.Lead(); leader != lost && leader != 0 {
			return false
		}
		select {
		case <-changed:
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

func memberID(server *etcdserver.EtcdServer, name string) (id uint64, known bool) {
	for _, member := range server.Cluster().Members() {
		if member.Name == name {
			return uint64(member.ID), true
		}
	}
	return 0, false
}
