package az

import (
	"context"
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

// damageEtcd ends an etcd member and damages its data. That comes before the record: it is a state of the disk, plain to see.
func (f *recordFaults) damageEtcd(ctx context.Context, o api.FaultOrder) (api.FaultDone, error) {
	found, fault, err := f.ofProcess(o)
	if err != nil {
		return api.FaultDone{}, err
	}
	if found.EtcdIsDamaged() {
		return api.FaultDone{}, refuse("%s has damaged data already: 'tripod heal %[1]s' replaces it", fault.Target)
	}
	if err := found.BreakEtcd(damages[o.Fault].do); err != nil {
		return api.FaultDone{}, err
	}
	err = f.state.Update(ctx, func(tx *state.Txn) error { f.put(tx, fault, o); return nil })
	return api.FaultDone{Target: fault.Target, Cluster: f.clusterName(fault.ClusterID), Said: damages[o.Fault].said}, err
}

// mendEtcd replaces an etcd member whose data is damaged, unless somebody has done it by hand.
func (f *recordFaults) mendEtcd(ctx context.Context, fault region.Fault) error {
	found, err := f.processes(fault.ClusterID)
	if err != nil {
		return err
	}
	if err := f.repair(ctx, found); err != nil {
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

// etcdIsWell says that the member serves: what was damaged has been replaced.
func (f *recordFaults) etcdIsWell(_ context.Context, fault region.Fault) (bool, error) {
	found, err := f.processes(fault.ClusterID)
	return err == nil && found.EtcdIsWell(), err
}

// repairEtcd replaces a member of which no record says that its data is damaged, if it is: somebody has done it by hand.
func (f *recordFaults) repairEtcd(ctx context.Context, o api.FaultOrder) error {
	found, _, err := f.ofProcess(o)
	if err != nil || !found.EtcdIsDamaged() {
		return err
	}
	return f.repair(ctx, found)
}
