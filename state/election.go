package state

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

const (
	// probeTimeout bounds the question whether a voter is there.
	probeTimeout = 500 * time.Millisecond
	// startStagger separates the zones' candidacies at a common start, by their rank: a candidate needs a few
	// milliseconds, and two at once take each other's votes.
	startStagger = 50 * time.Millisecond
	// staggerPart of the heartbeat's time-out is waited instead where that is longer: two that split the votes lose a
	// whole one.
	staggerPart = 20
	// lossStagger does so when a leader is lost.
	lossStagger = 20 * time.Millisecond
)

// followLeader tells the voter who leads, and makes this voter a candidate as soon as the leader has been silent for
// Timing.Heartbeat. Raft looks only at random times between one and two heartbeats, and a candidate is refused by those
// who have not looked yet: on average that costs another heartbeat and a half. The rules of candidacy stay raft's.
func (l *life) followLeader() {
	defer l.wg.Done()
	events := make(chan raft.Observation, 8)
	observer := raft.NewObserver(events, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.LeaderObservation, raft.RaftState:
			return true
		}
		return false
	})
	l.raft.RegisterObserver(observer)
	defer l.raft.DeregisterObserver(observer)
	defer l.voter.setLeader("")
	patience := l.cfg.Timing.Heartbeat + time.Duration(l.rank)*lossStagger
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		_, id := l.raft.LeaderWithID()
		l.voter.setLeader(string(id))
		next := patience
		if id != "" && l.raft.State() == raft.Follower && !l.suspended.Load() {
			if next = patience - time.Since(l.raft.LastContact()); next <= 0 {
				l.nudge()
				next = patience
			}
		}
		timer.Reset(next)
		select {
		case <-events:
		case <-l.raft.LeaderCh(): // a leader that steps down is not always observed otherwise
		case <-timer.C:
		case <-l.ctx.Done():
			return
		}
	}
}

// nudge makes raft look at its heartbeat timer now: a follower that has not heard from a leader for a heartbeat becomes
// a candidate, with raft's pre-vote, and nothing else happens. Raft does so when the timeout is made shorter; a
// microsecond is enough.
func (l *life) nudge() {
	l.nudgeMu.Lock()
	defer l.nudgeMu.Unlock()
	rc := l.raft.ReloadableConfig()
	for _, timeout := range []time.Duration{l.cfg.Timing.Heartbeat, l.cfg.Timing.Heartbeat - time.Microsecond} {
		rc.HeartbeatTimeout = timeout
		if err := l.raft.ReloadConfig(rc); err != nil {
			l.cfg.Logger.Debug("nudge raft", "az", l.cfg.Zone, "error", err)
		}
	}
}

// firstElection makes this voter a candidate as soon as a majority of voters runs, rather than a heartbeat or two
// later: sooner would be in vain, and a candidate that was refused waits. It leaves a leader that others know alone,
// and leaves the zones that are named before this one the first go.
func (l *life) firstElection() {
	defer l.wg.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	sleep := func(d time.Duration) bool {
		timer.Reset(d)
		select {
		case <-timer.C:
			return true
		case <-l.ctx.Done():
			return false
		}
	}
	for pause := 20 * time.Millisecond; l.voter.Leader() == ""; pause = min(pause*3/2, time.Second) {
		there, led := l.probe()
		if led {
			return
		}
		if 2*(there+1) > len(l.cfg.Peers) {
			turn := time.Duration(l.rank) * max(startStagger, l.cfg.Timing.Heartbeat/staggerPart)
			if sleep(turn) && l.voter.Leader() == "" {
				l.nudge()
			}
			return
		}
		if !sleep(pause) {
			return
		}
	}
}

// probe says how many other voters run, and whether one of them knows a leader.
func (l *life) probe() (there int, led bool) {
	ctx, cancel := context.WithTimeout(l.ctx, probeTimeout)
	defer cancel()
	type answer struct {
		leader string
		err    error
	}
	answers := make(chan answer, len(l.cfg.Peers))
	asked := 0
	for _, p := range l.cfg.Peers {
		if p.Zone == l.cfg.Zone {
			continue
		}
		asked++
		go func() {
			leader, err := l.askLeader(ctx, p.Address)
			answers <- answer{leader, err}
		}()
	}
	for range asked {
		a := <-answers
		if a.err == nil {
			there++
			led = led || a.leader != ""
		}
	}
	return there, led
}

func (l *life) askLeader(ctx context.Context, address string) (leader string, err error) {
	conn, err := l.port.dial(ctx, address, forProbe)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(probeTimeout))
	var length [1]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return "", err
	}
	name := make([]byte, length[0])
	_, err = io.ReadFull(conn, name)
	return string(name), err
}

// rankOf is the zone's place among the peers in the order of their names, from 0.
func rankOf(zone string, peers []Peer) int {
	var zones []string
	for _, p := range peers {
		zones = append(zones, p.Zone)
	}
	slices.Sort(zones)
	return slices.Index(zones, zone)
}
