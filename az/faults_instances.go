package az

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tripod/api"
	"tripod/awsapi/wire"
	"tripod/internal/sleep"
	"tripod/region"
	"tripod/state"
)

// startPatience is how long an instance that is still stopping is waited for, to be started again.
const startPatience = 45 * time.Second

// interrupt tells a spot instance that EC2 takes it back, or that it had better be replaced.
func (f *recordFaults) interrupt(ctx context.Context, o api.FaultOrder) (done api.FaultDone, err error) {
	err = f.state.Update(ctx, func(tx *state.Txn) error {
		v, err := f.spotInstance(tx, o.Target.Name)
		if err != nil {
			return err
		}
		done = api.FaultDone{Target: api.KindSpot + "/" + v.ID, Final: true}
		if o.Rebalance {
			_, err = f.network.AdviseRebalance(tx, v.ID, f.now().UTC())
			done.Said = "is told that it had better be replaced"
			return inEC2sWords(err)
		}
		told := v.Spot != nil
		if v, err = f.network.Interrupt(tx, v.ID, o.Action, f.now().UTC()); err != nil {
			return inEC2sWords(err)
		}
		at := v.Spot.At.Format(time.TimeOnly)
		if told && o.Action != "" && o.Action != v.Spot.Action {
			return refuse("%s has been told already that EC2 will %s it at %s UTC", done.Target, v.Spot.Action, at)
		}
		done.Said = "is told that EC2 will " + v.Spot.Action + " it at " + at + " UTC"
		if !told {
			fault := region.Fault{Target: done.Target, Fault: "to " + v.Spot.Action, InstanceID: v.ID, Until: v.Spot.At, Final: true}
			f.put(tx, fault, o)
		}
		return nil
	})
	return done, err
}

func (f *recordFaults) spotNamed(o api.FaultOrder) (target string, err error) {
	err = f.state.View(func(tx *state.Txn) error {
		v, err := f.spotInstance(tx, o.Target.Name)
		target = api.KindSpot + "/" + v.ID
		return err
	})
	return target, err
}

// keepNotices refuses to take back what a spot instance was told.
func (f *recordFaults) keepNotices(_ context.Context, o api.FaultOrder) error {
	return refuse("%s has been told nothing that EC2 could take back: its notices and recommendations stay", o.Target)
}

// interrupted says that a spot instance does not run any more, or has been started again since.
func (f *recordFaults) interrupted(_ context.Context, fault region.Fault) (over bool, err error) {
	err = f.state.View(func(tx *state.Txn) error {
		v, _ := region.Instances.Get(tx, fault.InstanceID)
		over = v.State != region.InstanceRunning || v.Spot == nil
		return nil
	})
	return over, err
}

// spotInstance finds a spot instance by its id or its node's name.
func (f *recordFaults) spotInstance(tx *state.Txn, name string) (region.Instance, error) {
	isSpot := func(v region.Instance) bool { return v.Launch.Spot }
	v, found := instanceNamed(tx, name)
	switch {
	case !found:
		return v, noInstance(tx, fmt.Sprintf("there is no instance or node %q", name), "spot instances", isSpot)
	case !isSpot(v):
		return v, noInstance(tx, fmt.Sprintf("instance %s is on demand, and EC2 takes back spot instances only", v.ID),
			"spot instances", isSpot)
	}
	return v, nil
}

// instanceNamed finds an instance by its id, or by its node's name: then one that is alive comes before one that was.
func instanceNamed(tx *state.Txn, name string) (found region.Instance, there bool) {
	if v, found := region.Instances.Get(tx, name); found || strings.HasPrefix(name, "i-") {
		return v, found
	}
	for _, v := range region.Instances.List(tx) {
		if v.DNSName == name && (!there || v.State.Alive()) {
			found, there = v, true
		}
	}
	return found, there
}

// noInstance refuses for a reason, and says which instances there are that would do.
func noInstance(tx *state.Txn, why, noun string, would func(region.Instance) bool) error {
	var names []string
	more := 0
	for _, v := range region.Instances.List(tx) {
		switch {
		case !v.State.Alive() || !would(v):
		case len(names) == mostNames:
			more++
		default:
			names = append(names, v.ID+" ("+v.DNSName+")")
		}
	}
	if len(names) == 0 {
		return refuse("%s: there are no %s", why, noun)
	}
	return refuse("%s: the %s are %s", why, noun, enumerate(names, more))
}

// inEC2sWords makes EC2's refusal one of ours.
func inEC2sWords(err error) error {
	if refused := (*wire.Error)(nil); errors.As(err, &refused) {
		return refuse("%s: %s", refused.Code, strings.TrimSuffix(refused.Message, "."))
	}
	return err
}

// breakInstance terminates, stops or impairs a node's instance.
func (f *recordFaults) breakInstance(ctx context.Context, o api.FaultOrder) (done api.FaultDone, err error) {
	err = f.state.Update(ctx, func(tx *state.Txn) error {
		v, found := instanceNamed(tx, o.Target.Name)
		if !found {
			return noInstance(tx, fmt.Sprintf("there is no node %q with an instance", o.Target.Name), "instances",
				func(region.Instance) bool { return true })
		}
		cluster, _ := region.Clusters.Get(tx, v.Boot.ClusterID)
		done = api.FaultDone{Target: api.KindNode + "/" + v.DNSName, Cluster: cluster.Name}
		fault := region.Fault{Target: done.Target, Of: region.FaultedInstance, Fault: o.Fault, ClusterID: cluster.ID,
			InstanceID: v.ID}
		now := f.now().UTC()
		switch {
		case o.Fault == api.FaultTerminate && v.State.Alive():
			done.Said, done.Final = "loses its instance "+v.ID+", which is terminated", true
			region.EndFault(tx, fault)
			return f.network.Terminate(tx, []string{v.ID}, region.UserShutdown, now)
		case o.Fault == api.FaultStop && v.State.MayBecome(region.InstanceStopping):
			done.Said = "has its instance " + v.ID + " stopped"
			f.put(tx, fault, o)
			return f.network.Stop(tx, v.ID, region.UserShutdown, now)
		case o.Fault == api.FaultImpair && v.State == region.InstanceRunning:
			done.Said = "has its instance " + v.ID + " answer nobody"
			f.put(tx, fault, o)
			region.ImpairInstance(tx, v.ID, now)
			return nil
		}
		return refuse("%s: its instance %s is %s already, and takes no %s", done.Target, v.ID, v.State, o.Fault)
	})
	return done, err
}

// mendInstance takes a fault of an instance back: one that was stopped is started, once it has stopped.
func (f *recordFaults) mendInstance(ctx context.Context, fault region.Fault) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		stopping := false
		err := f.state.Update(ctx, func(tx *state.Txn) error {
			v, _ := region.Instances.Get(tx, fault.InstanceID)
			if stopping = fault.Fault == api.FaultStop && v.State == region.InstanceStopping; stopping ||
				!region.EndFault(tx, fault) {
				return nil
			}
			_, out := region.ZoneOutages.Get(tx, v.Zone)
			switch {
			case fault.Fault == api.FaultStop && v.State == region.InstanceStopped:
				return f.network.Start(tx, v.ID, f.now().UTC())
			case fault.Fault == api.FaultImpair && !out:
				region.ImpairInstance(tx, v.ID, time.Time{})
			}
			return nil
		})
		if err != nil || !stopping {
			return err
		}
		if sleep.For(ctx, 100*time.Millisecond) != nil {
			return refuse("%s: its instance %s is still stopping, and can be started when it has stopped", fault.Target,
				fault.InstanceID)
		}
	}
}

// instanceFaultGone says that an instance is not any more what a fault has made of it.
func (f *recordFaults) instanceFaultGone(fault region.Fault) (gone bool, err error) {
	err = f.state.View(func(tx *state.Txn) error {
		v, found := region.Instances.Get(tx, fault.InstanceID)
		switch fault.Fault {
		case api.FaultStop:
			gone = !found || v.State != region.InstanceStopping && v.State != region.InstanceStopped
		default:
			gone = !found || v.State != region.InstanceRunning || v.Impaired.IsZero()
		}
		return nil
	})
	return gone, err
}
