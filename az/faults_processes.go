package az

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tripod/api"
	"tripod/az/plan"
	"tripod/etcdcluster"
	"tripod/region"
	"tripod/state"
)

// repairTimeout bounds how long an etcd member is replaced by a new one, which copies all that the others have.
const repairTimeout = 4 * time.Minute

// processes are a cluster's in the zone, as faults break and mend them.
type processes interface {
	BreakEtcd(damage func(dir string) error) error
	EtcdIsWell() bool
	EtcdIsDamaged() bool
	RepairEtcd(ctx context.Context) error
	RaiseNoSpace(ctx context.Context) (member uint64, err error)
	HasNoSpace(ctx context.Context, member uint64) (bool, error)
	Disarm(ctx context.Context, member uint64) error
	Defragment(ctx context.Context) error
	Compact(ctx context.Context) (revision int64, err error)
	FollowFaults(ctx context.Context) error
}

func (z *Zone) processesOf(clusterID string) (processes, error) { return z.partOf(clusterID) }

// ofProcess is what is there of an order for a process of the zone.
func (f *recordFaults) ofProcess(o api.FaultOrder) (processes, region.Fault, error) {
	target, err := f.processNamed(o)
	if err != nil {
		return nil, region.Fault{}, err
	}
	cluster, err := f.clusterOf(o.Target, o.Cluster)
	if err != nil {
		return nil, region.Fault{}, err
	}
	found, err := f.processes(cluster.ID)
	return found, region.Fault{Target: target, ClusterID: cluster.ID, Fault: o.Fault}, err
}

// processNamed is a process of the zone, as the status shows it.
func (f *recordFaults) processNamed(o api.FaultOrder) (string, error) {
	zone, err := f.zoneNamed(o.Target.Name)
	if err != nil {
		return "", err
	}
	if plan.Letter(zone) != f.letter {
		return "", refuse("%s is in zone %s, and this is another one", o.Target, zone)
	}
	return o.Target.Kind + "/" + f.letter, nil
}

// damages are what becomes of the data directory of an etcd member, and how people read it.
var damages = map[string]struct {
	do   func(dir string) error
	said string
}{
	api.FaultDataLost:    {etcdcluster.LoseData, "has lost its data, and cannot start again as the member that it was"},
	api.FaultDataCorrupt: {etcdcluster.CorruptData, "has a log that is not what it wrote, and refuses to start"},
}

// breakEtcd damages an etcd member's data, or has etcd do to it what burdens it.
func (f *recordFaults) breakEtcd(ctx context.Context, o api.FaultOrder) (done api.FaultDone, err error) {
	found, fault, err := f.ofProcess(o)
	if err != nil {
		return done, err
	}
	done = api.FaultDone{Target: fault.Target, Cluster: f.clusterName(fault.ClusterID)}
	switch o.Fault {
	case api.FaultNoSpace:
		done.Said = "says that its database is full: no member takes writes any more"
		err = f.fillEtcd(ctx, o, found, fault)
	case api.FaultDefragment:
		done.Said, done.Final = "has written its database anew, and answered nobody meanwhile", true
		err = found.Defragment(ctx)
	case api.FaultCompact:
		revision := int64(0)
		revision, err = found.Compact(ctx)
		done.Said, done.Final = fmt.Sprintf("and the other members have forgotten all revisions before %d", revision), true
	default:
		done.Said = damages[o.Fault].said
		return done, f.damageEtcd(ctx, o, found, fault)
	}
	if err != nil {
		return done, refuse("%s: etcd does not do that: %v", fault.Target, err)
	}
	return done, nil
}

// fillEtcd raises the alarm that a member's database is full. It stands in the member's own data; the record comes after it.
func (f *recordFaults) fillEtcd(ctx context.Context, o api.FaultOrder, found processes, fault region.Fault) error {
	member, err := found.RaiseNoSpace(ctx)
	if err != nil {
		return err
	}
	fault.Of, fault.Value = faultedAlarm, strconv.FormatUint(member, 16)
	err = f.state.Update(ctx, func(tx *state.Txn) error { f.put(tx, fault, o); return nil })
	if err != nil {
		return errors.Join(err, found.Disarm(ctx, member))
	}
	return nil
}

// faultedAlarm is the Of of an alarm of an etcd member, whose id is the Value.
const faultedAlarm = "alarm"

func memberOf(fault region.Fault) uint64 {
	member, _ := strconv.ParseUint(fault.Value, 16, 64) // as fillEtcd has written it
	return member
}

// damageEtcd ends an etcd member and damages its data. That comes before the record: it is a state of the disk, plain to see.
func (f *recordFaults) damageEtcd(ctx context.Context, o api.FaultOrder, found processes, fault region.Fault) error {
	if found.EtcdIsDamaged() {
		return refuse("%s has damaged data already: 'tripod heal %[1]s' replaces it", fault.Target)
	}
	if err := found.BreakEtcd(damages[o.Fault].do); err != nil {
		return err
	}
	return f.state.Update(ctx, func(tx *state.Txn) error { f.put(tx, fault, o); return nil })
}

// mendEtcd replaces an etcd member whose data is damaged, unless somebody has done it by hand, or disarms its alarm.
func (f *recordFaults) mendEtcd(ctx context.Context, fault region.Fault) error {
	found, err := f.processes(fault.ClusterID)
	if err != nil {
		return err
	}
	if fault.Of == faultedAlarm {
		if err := found.Disarm(ctx, memberOf(fault)); err != nil {
			return refuse("%s: its alarm cannot be disarmed, which a majority of the members has to do: %v", fault.Target, err)
		}
	} else if err := f.repair(ctx, found); err != nil {
		return err
	}
	return f.forget(ctx, fault)
}

// repair goes on to its end though who asked for it has gone: halfway the cluster has a member less.
func (f *recordFaults) repair(ctx context.Context, found processes) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), repairTimeout)
	defer cancel()
	if found.EtcdIsWell() {
		return nil
	}
	if err := found.RepairEtcd(ctx); err != nil {
		return refuse("%v", err)
	}
	return nil
}

// etcdIsWell says that the member serves, so that what was damaged has been replaced, or that somebody has disarmed its alarm.
func (f *recordFaults) etcdIsWell(ctx context.Context, fault region.Fault) (bool, error) {
	found, err := f.processes(fault.ClusterID)
	switch {
	case err != nil:
		return false, err
	case fault.Of == faultedAlarm:
		raised, err := found.HasNoSpace(ctx, memberOf(fault))
		return err == nil && !raised, err
	}
	return found.EtcdIsWell(), nil
}

// repairEtcd replaces a member of which no record says that its data is damaged, if it is: somebody has done it by hand.
func (f *recordFaults) repairEtcd(ctx context.Context, o api.FaultOrder) error {
	found, _, err := f.ofProcess(o)
	if err != nil || !found.EtcdIsDamaged() {
		return err
	}
	return f.repair(ctx, found)
}

// breakServer puts a fault of an API server in force: the record says it all.
func (f *recordFaults) breakServer(ctx context.Context, o api.FaultOrder) (done api.FaultDone, err error) {
	found, fault, err := f.ofProcess(o)
	if err != nil {
		return done, err
	}
	word, value, _ := strings.Cut(o.Fault, "=")
	fault.Of = word
	done = api.FaultDone{Target: fault.Target, Cluster: f.clusterName(fault.ClusterID), Said: map[string]string{
		api.FaultOverloaded:         "has no seat for ordinary users' requests, which end with 429",
		api.FaultLatency:            "answers " + value + " later",
		api.FaultClock:              "verifies AWS's tokens by a clock that is wrong by " + value,
		api.FaultCertificateExpired: "shows a certificate that has expired",
	}[word]}
	if err := f.state.Update(ctx, func(tx *state.Txn) error { f.put(tx, fault, o); return nil }); err != nil {
		return done, err
	}
	return done, f.follow(ctx, found, fault)
}

func (f *recordFaults) mendServer(ctx context.Context, fault region.Fault) error {
	found, err := f.processes(fault.ClusterID)
	if err == nil {
		err = f.forget(ctx, fault)
	}
	if err != nil {
		return err
	}
	return f.follow(ctx, found, fault)
}

// follow waits for what the records say to be so.
func (f *recordFaults) follow(ctx context.Context, found processes, fault region.Fault) error {
	if err := found.FollowFaults(ctx); err != nil {
		return refuse("%s does not answer now: what was asked for is so as soon as it does: %v", fault.Target, err)
	}
	return nil
}
