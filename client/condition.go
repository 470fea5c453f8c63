package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tripod/internal/sleep"

	"tripod/api"
)

// A status makes the region measure all its processes, so Wait looks after each event, and rarely otherwise.
const (
	waitInterval = 500 * time.Millisecond
	absentPause  = 50 * time.Millisecond // while no region runs: that costs only a dial
	eventPause   = 20 * time.Millisecond // events come in bursts
)

// Words that Condition.For takes besides the states and phases of status.go.
const (
	ForHealthy  = "healthy"  // ready, with everything inside ready, every balancer's target healthy and no fault
	ForQuorum   = "quorum"   // the region, every etcd cluster included, has quorum
	ForNoQuorum = "noquorum" // it has not
)

// Conditions are the values of Condition.For.
var Conditions = []string{api.StateReady, ForHealthy, api.StateStarting, api.StateUnready, api.StatePaused,
	api.StateStopped, api.StateKilled,
	api.StateFailed, api.PhaseDegraded, api.PhaseAsleep, ForQuorum, ForNoQuorum}

// Condition is something to wait for.
type Condition struct {
	// Target is "region", a zone as "az/b", or an instance as "etcd/b".
	Target string
	// Cluster narrows an instance's target to one cluster; empty means that all clusters' instances must meet it.
	Cluster string
	// For is one of Conditions.
	For string
}

// Wait returns when the target meets the condition, see Condition. It also waits for a region that does not run yet.
// When ctx ends first, the error says what the target was instead.
func (c *Client) Wait(ctx context.Context, target, condition string) error {
	return c.WaitFor(ctx, Condition{Target: target, For: condition}, func(string) {})
}

// WaitFor is Wait with everything a Condition has. After each look that did not find it met it calls missing with a
// clause such as "us-east-1b is killed".
func (c *Client) WaitFor(ctx context.Context, condition Condition, missing func(string)) error {
	following, cancel := context.WithCancel(ctx)
	events, followed := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(followed)
		c.signalEvents(following, events)
	}()
	defer func() { cancel(); <-followed }()
	last := "nothing answered"
	for {
		met, why, err := c.look(ctx, condition)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if met {
			return nil
		}
		if why != "" {
			last = why
			missing(why)
		}
		interval := waitInterval
		if why == notThere {
			interval = absentPause
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not %s: %s: %w", condition.Target, condition.For, last, ctx.Err())
		case <-events:
			sleep.For(ctx, eventPause)
		case <-time.After(interval):
		}
	}
}

// signalEvents sends to events, which holds one, after each event of the region until ctx ends.
func (c *Client) signalEvents(ctx context.Context, events chan<- struct{}) {
	for last := uint64(0); ctx.Err() == nil; {
		_ = c.Events(ctx, last, true, func(event api.Event) error {
			last = event.Seq
			select {
			case events <- struct{}{}:
			default:
			}
			return nil
		})
		sleep.For(ctx, absentPause)
	}
}

// notThere is what is missing while no region runs.
const notThere = "no region is running"

func (c *Client) look(ctx context.Context, condition Condition) (met bool, missing string, err error) {
	status, err := c.Status(ctx)
	if errors.Is(err, ErrNotRunning) {
		stopped := condition.Target == "region" && condition.For == api.StateStopped
		return stopped, notThere, nil
	}
	if err != nil {
		return false, "", err
	}
	if status.Phase == api.PhaseAsleep && condition.For != api.PhaseAsleep {
		if err := c.Wake(ctx); err != nil { // in its sleep nothing would ever change
			return false, "", err
		}
	}
	return condition.Check(status)
}

// Check says whether a status meets the condition and otherwise, in a clause, what is missing. It is an error to name
// a target or a condition that does not exist.
func (c Condition) Check(status *api.Status) (met bool, missing string, err error) {
	if !slices.Contains(Conditions, c.For) {
		return false, "", fmt.Errorf("%q is not a condition: use one of %s", c.For, strings.Join(Conditions, ", "))
	}
	if c.Target == "region" {
		met, missing = checkRegion(status, c.For)
		return met, missing, nil
	}
	target, err := api.ParseTarget(c.Target)
	if err != nil {
		return false, "", err
	}
	zone, err := status.FindZone(target.Name)
	if err != nil {
		return false, "", err
	}
	if target.Kind == api.KindZone {
		met, missing = checkZone(status, zone, c.For)
		return met, missing, nil
	}
	return c.checkInstances(zone, target.Kind)
}

func checkRegion(status *api.Status, want string) (bool, string) {
	switch want {
	case ForHealthy:
		return regionHealthy(status)
	case ForQuorum, ForNoQuorum:
		if status.Phase == api.PhaseStarting {
			return false, "it is " + phaseText(status.Phase)
		}
		lost := QuorumLost(status)
		if len(lost) == 0 {
			return want == ForQuorum, "it has quorum"
		}
		return want == ForNoQuorum, lost[0]
	default:
		return status.Phase == want, "it is " + phaseText(status.Phase)
	}
}

func regionHealthy(status *api.Status) (bool, string) {
	if status.Phase != api.PhaseReady {
		return false, "it is " + phaseText(status.Phase)
	}
	if len(status.Faults) > 0 {
		fault := status.Faults[0]
		if _, state := api.FindFault(fault.Fault); !state {
			return false, fault.Target + " has the fault " + fault.Fault
		}
		return false, fault.Target + " is " + fault.Fault
	}
	for i := range status.Zones {
		if ok, missing := checkZone(status, &status.Zones[i], ForHealthy); !ok {
			return false, missing
		}
	}
	return true, ""
}

func checkZone(status *api.Status, zone *api.Zone, want string) (bool, string) {
	if want != ForHealthy {
		return zone.State == want, zone.Name + " is " + zone.State
	}
	if zone.State != api.StateReady {
		return false, zone.Name + " is " + zone.State
	}
	for _, instance := range zone.Instances {
		if instance.State != api.StateReady {
			return false, instance.Target + " is " + instance.State
		}
	}
	for _, balancer := range status.Balancers {
		for _, target := range balancer.Targets {
			if target.Zone == zone.Name && !target.Healthy {
				return false, fmt.Sprintf("balancer %s finds %s unhealthy", balancer.Name, zone.Name)
			}
		}
	}
	return true, ""
}

func (c Condition) checkInstances(zone *api.Zone, component string) (met bool, missing string, err error) {
	want := c.For
	if want == ForHealthy {
		want = api.StateReady
	}
	found := false
	for _, instance := range zone.Instances {
		if instance.Component != component || (c.Cluster != "" && instance.Cluster != c.Cluster) {
			continue
		}
		found = true
		if instance.State != want {
			return false, instance.Target + " is " + instance.State, nil
		}
	}
	if !found {
		return false, zone.Name + " has no " + component, nil
	}
	return true, "", nil
}

func phaseText(phase string) string {
	if phase == api.PhaseNoQuorum {
		return "without quorum"
	}
	return phase
}

// QuorumLost lists, in one clause each, the groups of a region that have lost their quorum.
func QuorumLost(status *api.Status) []string {
	if status.Phase == api.PhaseStarting || status.Phase == api.PhaseStopping {
		return nil // not lost: not formed yet, or let go
	}
	var lost []string
	needed := len(status.Zones)/2 + 1
	for _, cluster := range status.Clusters {
		if !cluster.Quorum && !slices.Contains([]string{"CREATING", "DELETING", "FAILED"}, cluster.Status) {
			lost = append(lost, fmt.Sprintf("cluster %s has %d of %d etcd members and needs %d", cluster.Name,
				cluster.EtcdMembers, len(status.Zones), needed))
		}
	}
	if !status.State.Quorum {
		lost = append(lost, fmt.Sprintf("the regional state has %d of %d voters and needs %d", status.State.Voters,
			len(status.Zones), needed))
	}
	return lost
}
