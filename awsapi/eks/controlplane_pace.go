package eks

import (
	"cmp"
	"math/rand/v2"
	"time"
)

// Pace says how long the states that a cluster and its parts pass through last at least. The zero value lets them
// be as short as the work is.
type Pace struct {
	Create, Delete, Access, Version Span
	Nodegroups                      NodegroupPace
	Fargate                         FargatePace
}

// Span is a range of times, of which each case gets one.
type Span struct{ Least, Most time.Duration }

// NodegroupPace is the pace of node groups. Of what is left zero the defaults hold.
type NodegroupPace struct {
	// Create and Delete are how long these take at least.
	Create, Delete Span
	// Trouble is how long all that is missing of a node group may be in trouble that the region knows of, before EKS gives
	// up on it; half a minute. What nobody can tell is waited for as on AWS.
	Trouble time.Duration
	// Drain is how long the drain of a node may take; a minute.
	Drain time.Duration
	// Retry is the pause between two evictions of the same pod; half a second.
	Retry time.Duration
	// Settle is how long a drained node stays, so that load balancers forget it.
	Settle time.Duration
	// Minute is how long a minute of node repair lasts; a second.
	Minute time.Duration
}

// FargatePace is the pace of Fargate. Of what is left zero the defaults hold.
type FargatePace struct {
	// Create and Delete are how long these take at least, of a profile.
	Create, Delete Span
	// Boot is how long a machine takes until its kubelet starts; half a second.
	Boot time.Duration
	// Provision is how long a pod waits for its machine's node before another one is launched; a minute.
	Provision time.Duration
	// Trouble is how long a machine's kubelet may be refused; ten seconds.
	Trouble time.Duration
	// Lost is how long a zone may be out before its machines are given up; five seconds, as of Auto Scaling groups.
	Lost time.Duration
	// Retry is after how long a pod that had no capacity is tried again; five seconds.
	Retry time.Duration
}

// RealPace is EKS's, as its users meet it. The EKS user guide itself says "several minutes" of clusters, and 15 minutes
// and 60 seconds of node groups ("Managed node update behavior").
var RealPace = Pace{Create: Span{7 * time.Minute, 15 * time.Minute}, Delete: Span{3 * time.Minute, 8 * time.Minute},
	Access: Span{3 * time.Minute, 10 * time.Minute}, Version: Span{8 * time.Minute, 20 * time.Minute},
	Nodegroups: NodegroupPace{
		Create: Span{90 * time.Second, 3 * time.Minute}, Delete: Span{2 * time.Minute, 5 * time.Minute},
		Trouble: joinPatience, Drain: 15 * time.Minute, Retry: 5 * time.Second, Settle: time.Minute, Minute: time.Minute,
	},
	Fargate: FargatePace{
		Create: Span{time.Minute, 2 * time.Minute}, Delete: Span{time.Minute, 2 * time.Minute}, Boot: 40 * time.Second,
		Provision: 10 * time.Minute, Trouble: time.Minute, Lost: 2 * time.Minute, Retry: 20 * time.Second,
	}}

// joinPatience is how long EKS waits for nodes to join.
const joinPatience = 15 * time.Minute

// withDefaults fills in what is zero.
func (p NodegroupPace) withDefaults() NodegroupPace {
	p.Trouble = cmp.Or(p.Trouble, 30*time.Second)
	p.Drain = cmp.Or(p.Drain, time.Minute)
	p.Retry = cmp.Or(p.Retry, 500*time.Millisecond)
	p.Minute = cmp.Or(p.Minute, time.Second)
	return p
}

// withDefaults fills in what is zero.
func (p FargatePace) withDefaults() FargatePace {
	p.Boot = cmp.Or(p.Boot, 500*time.Millisecond)
	p.Provision = cmp.Or(p.Provision, time.Minute)
	p.Trouble = cmp.Or(p.Trouble, 10*time.Second)
	p.Lost = cmp.Or(p.Lost, 5*time.Second)
	p.Retry = cmp.Or(p.Retry, 5*time.Second)
	return p
}

// after is when a state may end that begins now; nil when it need not last.
func (s Span) after(now time.Time) *time.Time {
	if s.Most == 0 {
		return nil
	}
	end := now.Add(s.Least + rand.N(s.Most-s.Least+1))
	return &end
}
