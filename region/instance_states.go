package region

import (
	"slices"
	"time"

	"tripod/state"
)

// InstanceState is where an instance is in its life, in EC2's words.
type InstanceState string

// The states of an instance. What may follow each says instanceStates.
const (
	InstancePending      InstanceState = "pending"
	InstanceRunning      InstanceState = "running"
	InstanceShuttingDown InstanceState = "shutting-down"
	InstanceTerminated   InstanceState = "terminated"
	InstanceStopping     InstanceState = "stopping"
	InstanceStopped      InstanceState = "stopped"

	// noInstance is that of an instance which is not there. No record has it.
	noInstance InstanceState = ""
)

// instanceStates are all states with EC2's numbers for them, and what may follow each.
//
//	LaunchInstance    none -> pending
//	AdoptInstance     none -> running, of an instance that ran before there were records
//	RunInstance       pending -> running
//	StopInstance      pending, running -> stopping
//	EndStop           stopping -> stopped
//	StartInstance     stopped -> pending
//	TerminateInstance any but terminated -> shutting-down
//	EndTermination    shutting-down -> terminated
//	ForgetInstance    terminated -> none
var instanceStates = map[InstanceState]struct {
	code int
	next []InstanceState
}{
	noInstance:           {-1, []InstanceState{InstancePending}},
	InstancePending:      {0, []InstanceState{InstanceRunning, InstanceStopping, InstanceShuttingDown}},
	InstanceRunning:      {16, []InstanceState{InstanceStopping, InstanceShuttingDown}},
	InstanceShuttingDown: {32, []InstanceState{InstanceTerminated}},
	InstanceTerminated:   {48, []InstanceState{noInstance}},
	InstanceStopping:     {64, []InstanceState{InstanceStopped, InstanceShuttingDown}},
	InstanceStopped:      {80, []InstanceState{InstancePending, InstanceShuttingDown}},
}

// Code is EC2's number for the state.
func (s InstanceState) Code() int { return instanceStates[s].code }

// MayBecome says whether an instance in this state may be in the other one next.
func (s InstanceState) MayBecome(next InstanceState) bool {
	return slices.Contains(instanceStates[s].next, next)
}

// Passes says whether another state follows by itself.
func (s InstanceState) Passes() bool {
	return s == InstancePending || s == InstanceShuttingDown || s == InstanceStopping
}

// Alive says whether the instance is neither terminated nor about to be.
func (s InstanceState) Alive() bool {
	return s != InstanceShuttingDown && s != InstanceTerminated && s != noInstance
}

// settled says that nothing follows by itself: the instance is stopped, or runs and is what it is to be.
func (v Instance) settled() bool {
	switch v.State {
	case InstanceStopped:
		return true
	case InstanceRunning:
		joins := v.Boot.ClusterID != "" || v.Boot.Trouble != ""
		return v.Impaired.IsZero() && v.Spot == nil && !v.Boot.At.IsZero() && (!joins || !v.Boot.Joined.IsZero())
	}
	return false
}

// The reasons that EC2 gives for states.
var (
	UserShutdown    = StateReason{"Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown"}
	SpotTermination = StateReason{"Server.SpotInstanceTermination",
		"Server.SpotInstanceTermination: Instance was terminated because it was interrupted"}
	SpotStop = StateReason{"Server.SpotInstanceShutdown",
		"Server.SpotInstanceShutdown: Instance was stopped because it was interrupted"}
	LaunchPending = StateReason{"pending", "pending"}
)

// LaunchInstance writes a new instance, pending.
func LaunchInstance(tx *state.Txn, v Instance, now time.Time) (Instance, error) {
	if there, found := Instances.Get(tx, v.ID); found {
		return v, &RefusedError{"instance " + v.ID, string(there.State), string(InstancePending)}
	}
	v.State, v.Since, v.Launched, v.Reason = InstancePending, now, now, LaunchPending
	Instances.Put(tx, v.ID, v)
	return v, nil
}

// UndoLaunch takes back a LaunchInstance of the same transaction.
func UndoLaunch(tx *state.Txn, id string) { Instances.Delete(tx, id) }

// AdoptInstance writes an instance that has been running since its launch without having had a record. It does nothing,
// and says so, where there is one.
func AdoptInstance(tx *state.Txn, v Instance, now time.Time) bool {
	if _, found := Instances.Get(tx, v.ID); found {
		return false
	}
	v.State, v.Since = InstanceRunning, v.Launched
	if v.Since.IsZero() {
		v.Since = now
	}
	Instances.Put(tx, v.ID, v)
	return true
}

// RunInstance says that a pending instance runs.
func RunInstance(tx *state.Txn, id string, now time.Time) (Instance, error) {
	return moveInstance(tx, id, InstanceRunning, now, func(v *Instance) { v.Reason = StateReason{} })
}

// StopInstance begins to stop an instance.
func StopInstance(tx *state.Txn, id string, reason StateReason, now time.Time) (Instance, error) {
	return moveInstance(tx, id, InstanceStopping, now, func(v *Instance) { v.Reason = reason })
}

// EndStop says that an instance has stopped: what it made of its user data is forgotten, its address stays.
func EndStop(tx *state.Txn, id string, now time.Time) (Instance, error) {
	return moveInstance(tx, id, InstanceStopped, now, func(v *Instance) {
		v.Boot, v.PublicIP, v.Spot, v.Rebalance = Boot{}, "", nil, time.Time{}
	})
}

// StartInstance starts a stopped instance anew.
func StartInstance(tx *state.Txn, id string, now time.Time) (Instance, error) {
	return moveInstance(tx, id, InstancePending, now, func(v *Instance) {
		v.Launched, v.Reason, v.Impaired, v.Rebooted = now, LaunchPending, time.Time{}, time.Time{}
	})
}

// TerminateInstance begins to terminate an instance. One that is being terminated, or is, stays as it is.
func TerminateInstance(tx *state.Txn, id string, reason StateReason, now time.Time) (Instance, error) {
	if there, found := Instances.Get(tx, id); found && !there.State.Alive() {
		return there, nil
	}
	return moveInstance(tx, id, InstanceShuttingDown, now, func(v *Instance) { v.Reason = reason })
}

// EndTermination says that an instance is terminated: it keeps its record for a while, and nothing else.
func EndTermination(tx *state.Txn, id string, now time.Time) (Instance, error) {
	return moveInstance(tx, id, InstanceTerminated, now, func(v *Instance) {
		v.Address, v.PublicIP, v.SubnetID, v.VPCID, v.InterfaceID, v.VolumeID = "", "", "", "", "", ""
		v.Impaired, v.Boot.Lines, v.Launch.UserData, v.Launch.Groups = time.Time{}, nil, "", nil
	})
}

// ForgetInstance deletes the record of a terminated instance.
func ForgetInstance(tx *state.Txn, id string) error {
	v, found := Instances.Get(tx, id)
	if found && !v.State.MayBecome(noInstance) {
		return &RefusedError{"instance " + id, string(v.State), string(noInstance)}
	}
	for _, t := range TargetsByID.Of(id).List(tx) { // load balancers deregister what is terminated
		ForgetTarget(tx, t)
	}
	Instances.Delete(tx, id)
	return nil
}

// ImpairInstance notes that a running instance answers nobody since a time; the zero time that it does again.
func ImpairInstance(tx *state.Txn, id string, since time.Time) {
	if v, found := Instances.Get(tx, id); found && v.State == InstanceRunning && v.Impaired.IsZero() != since.IsZero() {
		v.Impaired = since
		Instances.Put(tx, id, v)
	}
}

// RebootInstance notes that a running instance is rebooted: its state stays.
func RebootInstance(tx *state.Txn, id string, now time.Time) {
	if v, found := Instances.Get(tx, id); found && v.State == InstanceRunning {
		v.Rebooted = now
		Instances.Put(tx, id, v)
	}
}

// GivePublicIP gives an instance a public address.
func GivePublicIP(tx *state.Txn, id, address string) {
	if v, found := Instances.Get(tx, id); found && v.State.Alive() {
		v.PublicIP = address
		Instances.Put(tx, id, v)
	}
}

// ChangeLaunch changes what an instance was launched with: its type and user data while it is stopped, its groups and
// its profile at any time. Callers see to that.
func ChangeLaunch(tx *state.Txn, id string, change func(*InstanceLaunch)) {
	if v, found := Instances.Get(tx, id); found {
		change(&v.Launch)
		Instances.Put(tx, id, v)
	}
}

// InterruptInstance notes what a running spot instance is told of its interruption. One that has been told keeps it.
func InterruptInstance(tx *state.Txn, id string, told SpotInterruption) Instance {
	v, found := Instances.Get(tx, id)
	if found && v.State == InstanceRunning && v.Spot == nil {
		v.Spot = &told
		Instances.Put(tx, id, v)
	}
	return v
}

// AdviseRebalance notes when a running spot instance is told that it had better be replaced.
func AdviseRebalance(tx *state.Txn, id string, now time.Time) Instance {
	v, found := Instances.Get(tx, id)
	if found && v.State == InstanceRunning {
		v.Rebalance = now
		Instances.Put(tx, id, v)
	}
	return v
}

// NoteBoot writes what an instance made of its user data. One that does not run any more keeps what it has.
func NoteBoot(tx *state.Txn, id string, boot Boot) {
	if v, found := Instances.Get(tx, id); found && v.State == InstanceRunning {
		v.Boot = boot
		Instances.Put(tx, id, v)
	}
}

func moveInstance(tx *state.Txn, id string, next InstanceState, now time.Time, change func(*Instance)) (Instance, error) {
	v, _ := Instances.Get(tx, id)
	if !v.State.MayBecome(next) {
		return v, &RefusedError{"instance " + id, string(v.State), string(next)}
	}
	v.State, v.Since = next, now
	change(&v)
	Instances.Put(tx, id, v)
	return v, nil
}
