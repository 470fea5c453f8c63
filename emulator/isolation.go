package emulator

import (
	"maps"
	"slices"
	"sync"
	"time"

	"tripod/api"
	"tripod/az"
	"tripod/lb"
)

// A zone that is cut off from the others runs, and its servers answer health checks, but what needs a majority waits there. Its own
// members say so, and where others have a leader clients are not sent there any more.

// isolatedAfter is for how long a zone's voter has heard of no leader when that counts: an election is shorter.
const isolatedAfter = 1500 * time.Millisecond

const (
	heldForEtcd  = "its etcd member hears of no leader"
	heldForState = "its part of the regional state hears of no leader"
	heldForDisk  = "its part of the regional state is down"
)

// holdIsolated keeps the balancers from zones that are cut off: soon, as a balancer tells of it, and that is judged in turn.
func (v *supervisor) holdIsolated() {
	isolated := v.isolated()
	v.isolation.mu.Lock()
	defer v.isolation.mu.Unlock()
	if maps.Equal(isolated, v.isolation.wanted) {
		return
	}
	v.isolation.wanted = isolated
	if !v.life.isStopping() {
		v.life.wait.Go(v.isolation.apply)
	}
}

// isolated are the targets that are to be held, and why.
func (v *supervisor) isolated() map[heldTarget]string {
	isolated := map[heldTarget]string{}
	if v.options.AWSHealthChecks {
		return isolated
	}
	down := v.voterless()
	for _, c := range v.endpoints.sorted() {
		if c.balancer == nil {
			continue
		}
		led := slices.ContainsFunc(v.zones, func(z *zone) bool { return slices.Contains(etcdOf(z, c.state.Name).Leads, "etcd") })
		for _, z := range v.zones {
			switch {
			case led && etcdOf(z, c.state.Name).State == api.StateUnready:
				isolated[heldTarget{c.balancer, z.name}] = heldForEtcd
			case down[z.name] == heldForDisk: // its authenticator knows no new access key, and admits nobody
				isolated[heldTarget{c.balancer, z.name}] = heldForDisk
			}
		}
	}
	for zone, why := range down {
		isolated[heldTarget{v.endpoints.aws, zone}] = why
	}
	return isolated
}

// voterless are the zones where nobody can ask for the regional state, and why, while a majority of them has a leader.
func (v *supervisor) voterless() map[string]string {
	followers, without := 0, map[string]string{}
	for _, z := range v.zones {
		is := z.status()
		switch {
		case is.agent.RaftLeader != "":
			followers++
		case !is.agent.Serving:
		case is.agent.VoterDown != "":
			without[z.name] = heldForDisk
		case !is.leaderless.IsZero() && time.Since(is.leaderless) >= isolatedAfter:
			without[z.name] = heldForState
		}
	}
	if followers < majority {
		return nil
	}
	return without
}

// heldTarget is a zone as a target of a balancer.
type heldTarget struct {
	balancer *lb.Balancer
	zone     string
}

// isolation is what the balancers are kept from.
type isolation struct {
	mu     sync.Mutex
	wanted map[heldTarget]string

	applying sync.Mutex
	held     map[heldTarget]string
}

// apply brings the balancers in line with the newest that is wanted.
func (i *isolation) apply() {
	i.applying.Lock()
	defer i.applying.Unlock()
	i.mu.Lock()
	wanted := i.wanted
	i.mu.Unlock()
	for target := range i.held {
		if wanted[target] == "" {
			target.balancer.Release(target.zone)
		}
	}
	for target, reason := range wanted {
		if i.held[target] == "" {
			target.balancer.Hold(target.zone, reason)
		}
	}
	i.held = wanted
}

// etcdOf is a cluster's etcd member in a zone, or the zero value.
func etcdOf(z *zone, cluster string) api.Instance {
	is := z.status()
	if is.paused {
		return api.Instance{}
	}
	for _, i := range is.agent.Instances {
		if i.Component == "etcd" && i.Cluster == cluster {
			return i
		}
	}
	return api.Instance{}
}

// noteLeader notes since when a zone's voter hears of no leader, and has that judged when it counts. It assumes the lock.
func (z *zone) noteLeader(state az.State) {
	switch {
	case state.RaftLeader != "":
		z.is.leaderless = time.Time{}
	case state.Serving && z.is.leaderless.IsZero():
		z.is.leaderless = time.Now()
		time.AfterFunc(isolatedAfter, z.supervisor.evaluate)
	}
}
