package etcdcluster

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/rafthttp"

	"tripod/internal/pressure"
)

// Role is what a member is among the others.
type Role string

// The roles. A member is Leaderless that reaches no majority of the others, whatever it was before, or has heard of no leader for longer
// than an election takes.
const (
	Leader     Role = "leader"
	Follower   Role = "follower"
	Leaderless Role = "leaderless"
)

// leaderlessAfter is for how long no leader is known before that counts.
const leaderlessAfter = 1500 * time.Millisecond

// watchRole looks beside the notification: that one tells of another leader, but comes a moment before this member
// knows that it is the one, and not at all when there is none any more.
func (m *Member) watchRole(ctx context.Context, etcd *embed.Etcd) {
	silence := m.listen(ctx, etcd)
	defer silence.end()
	told, without := Role(""), time.Duration(0)
	every := lookEvery
	poll := time.NewTicker(every)
	defer poll.Stop()
	for {
		changed := etcd.Server.LeaderChangedNotify()
		now := Follower
		switch leader := etcd.Server.Leader(); {
		case silence.cutOff():
			now = Leaderless
		case leader == etcd.Server.MemberID():
			now, without = Leader, 0
		case leader != 0:
			without = 0
		case told == Leaderless, without >= leaderlessAfter:
			now = Leaderless
		}
		if m.OnRole != nil && now != told {
			m.OnRole(now)
		}
		told = now
		select {
		case <-changed:
		case <-poll.C:
			without += every
			if next := silence.look(ctx); next != every {
				every = next
				poll.Reset(every)
			}
		case <-ctx.Done():
			return
		}
	}
}

// listen makes what finds out who is silent.
func (m *Member) listen(ctx context.Context, etcd *embed.Etcd) *silence {
	server, received := etcd.Server, receivedBytes()
	return &silence{
		self: uint64(server.MemberID()),
		lead: server.Lead,
		voters: func() map[uint64]string {
			voters := map[uint64]string{}
			for _, member := range server.Cluster().Members() {
				if !member.IsLearner && len(member.PeerURLs) > 0 {
					voters[uint64(member.ID)] = member.PeerURLs[0]
				}
			}
			return voters
		},
		heard: func(id uint64) float64 {
			var read dto.Metric
			if received.WithLabelValues(types.ID(id).String()).Write(&read) != nil {
				return 0
			}
			return read.GetCounter().GetValue()
		},
		ask:     m.ask,
		starved: pressure.Starved,
		told:    func() bool { return m.told.Load() > 0 },
		stand:   func() { stand(ctx, server) },
	}
}

// receivedBytes is etcd's metric of what came from each peer. etcd has no other way to know of a follower when it heard from its leader.
func receivedBytes() *prometheus.CounterVec {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "etcd", Subsystem: "network", Name: "peer_received_bytes_total",
		Help: "The total number of bytes received from peers."}, []string{"From"})
	if err := prometheus.Register(vec); err != nil {
		known := prometheus.AlreadyRegisteredError{}
		if errors.As(err, &known) {
			return known.ExistingCollector.(*prometheus.CounterVec)
		}
	}
	return vec // it is always the one above: TestSilenceKnowsWhoSpeaks
}

// askPeer returns nil when the member at a peer URL answers, over a new connection through the zone's gateway. Its answer needs neither
// its raft nor its disk.
func (m *Member) askPeer(ctx context.Context, url string) error {
	dialer, err := transport.NewTimeoutTransport(m.config.TLS.info(), askPatience, 0, 0)
	if err != nil {
		return err
	}
	dialer.DisableKeepAlives = true
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+rafthttp.ProbingPrefix, nil)
	if err != nil {
		return err
	}
	response, err := dialer.RoundTrip(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}
