package az

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"tripod/api"
	"tripod/awsapi/ec2"
	"tripod/az/controlplane"
	"tripod/az/plan"
	"tripod/region"
	"tripod/state"
)

// recordFaults are what `tripod fault` does to records of the region and to objects of its clusters, and what takes it
// back. Any zone can do it.
type recordFaults struct {
	region  string // us-east-1
	state   state.Updater
	network *ec2.Service
	// operation says, in one sentence, that AWS has no such service or operation, so that no call of it can come.
	operation func(service, operation string) error
	// objects speaks to the zone's API server of the cluster with that id.
	objects func(clusterID string) (controlplane.Objects, error)
	// letter is the zone's: what is done to its processes, it does itself. processes are those of the cluster with that id.
	letter    string
	processes func(clusterID string) (processes, error)
	event     func(api.Event)
	now       func() time.Time
}

// recordFault is what one kind of api.RecordFaults does.
type recordFault struct {
	// begin puts a fault in force, and says what is so now.
	begin func(*recordFaults, context.Context, api.FaultOrder) (api.FaultDone, error)
	// named is the target as it stands in the faults' records, of one that people wrote.
	named func(*recordFaults, api.FaultOrder) (string, error)
	// undo takes back a fault that is in force, its record too; nil: the kind has no records.
	undo func(*recordFaults, context.Context, region.Fault) error
	// over says that nothing is left of a fault, though nobody has taken it back; nil: that cannot be.
	over func(*recordFaults, context.Context, region.Fault) (bool, error)
	// clear takes back what no record tells of; nil: there is no such thing.
	clear func(*recordFaults, context.Context, api.FaultOrder) error
}

// recordFaultKinds are by the kinds of api.RecordFaults.
var recordFaultKinds = map[string]recordFault{
	api.KindUpdate: {begin: (*recordFaults).failUpdate, named: (*recordFaults).updateNamed,
		clear: (*recordFaults).letUpdateGoWell},
	api.KindCapacity: {begin: (*recordFaults).limitCapacity, named: (*recordFaults).capacityNamed,
		undo: (*recordFaults).freeCapacity},
	api.KindSpot: {begin: (*recordFaults).interrupt, named: (*recordFaults).spotNamed,
		undo: (*recordFaults).forget, over: (*recordFaults).interrupted, clear: (*recordFaults).keepNotices},
	api.KindPod: {begin: (*recordFaults).breakPod, named: (*recordFaults).podNamed,
		undo: (*recordFaults).takeAnnotation, over: (*recordFaults).annotationGone, clear: (*recordFaults).clearPod},
	api.KindNode: {begin: (*recordFaults).breakNode, named: (*recordFaults).nodeNamed,
		undo: (*recordFaults).mendNode, over: (*recordFaults).nodeFaultGone, clear: (*recordFaults).clearNode},
	api.KindAWS: {begin: (*recordFaults).failCalls, named: (*recordFaults).callsNamed, undo: (*recordFaults).forget},
	api.KindEtcd: {begin: (*recordFaults).breakEtcd, named: (*recordFaults).processNamed,
		undo: (*recordFaults).mendEtcd, over: (*recordFaults).etcdIsWell, clear: (*recordFaults).repairEtcd},
	api.KindAPIServer: {begin: (*recordFaults).breakServer, named: (*recordFaults).processNamed, undo: (*recordFaults).mendServer},
}

// Refusal is an order that cannot be followed as it was given, whichever zone it is given to.
type Refusal struct{ Sentence string }

func (r *Refusal) Error() string { return r.Sentence }

func refuse(format string, args ...any) error { return &Refusal{fmt.Sprintf(format, args...)} }

// FaultAnswer is what came of an order, with the zone's state after it.
type FaultAnswer struct {
	Done  api.FaultDone `json:"done"`
	State State         `json:"state"`
}

func (z *Zone) recordFaults() *recordFaults {
	return &recordFaults{region: z.config.Region, state: z.voter, network: z.acting.Network,
		operation: z.hasOperation, objects: z.objectsOf, letter: plan.Letter(z.config.Zone), processes: z.processesOf, event: z.event, now: z.now}
}

// objectsOf speaks to the zone's API server of a cluster.
func (z *Zone) objectsOf(clusterID string) (controlplane.Objects, error) {
	part, err := z.partOf(clusterID)
	if err != nil {
		return controlplane.Objects{}, err
	}
	return part.Objects()
}

// partOf is the zone's part of a cluster.
func (z *Zone) partOf(clusterID string) (*controlplane.Part, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	part := z.clusters[clusterID]
	if part == nil {
		return nil, fmt.Errorf("zone %s does not run the cluster yet", z.config.Zone)
	}
	return part, nil
}

// handleFault puts a fault in force, and takes one back.
func (z *Zone) handleFault(w http.ResponseWriter, r *http.Request) {
	var o api.FaultOrder
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		answer(w, http.StatusBadRequest, err)
		return
	}
	var done api.FaultDone
	var err error
	switch verb := r.PathValue("verb"); verb {
	case api.FaultVerb:
		done, err = z.recordFaults().begin(r.Context(), o)
	case api.Reset:
		done, err = z.recordFaults().end(r.Context(), o)
	default:
		err = refuse("there is no verb %q for a record", verb)
	}
	if err != nil {
		status := http.StatusConflict
		if refused := (*Refusal)(nil); errors.As(err, &refused) {
			status = http.StatusUnprocessableEntity
		}
		answer(w, status, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(FaultAnswer{Done: done, State: z.state()})
}

// begin puts a fault in force.
func (f *recordFaults) begin(ctx context.Context, o api.FaultOrder) (api.FaultDone, error) {
	if err := o.Check(); err != nil {
		return api.FaultDone{}, refuse("%v", err)
	}
	kind, found := recordFaultKinds[o.Target.Kind]
	if !found {
		return api.FaultDone{}, refuse("%s is no zone's to put at fault, but the region's", o.Target)
	}
	return kind.begin(f, ctx, o)
}

// end takes back every fault of a target. It is no error that there is none.
func (f *recordFaults) end(ctx context.Context, o api.FaultOrder) (done api.FaultDone, err error) {
	if _, err := api.ParseFaultTarget(o.Target.String()); err != nil {
		return done, refuse("%v", err)
	}
	kind, found := recordFaultKinds[o.Target.Kind]
	if !found {
		return done, refuse("%s is no zone's to mend, but the region's", o.Target)
	}
	if done.Target, err = kind.named(f, o); err != nil {
		return done, err
	}
	faults, err := f.inForce(done.Target, o.Cluster)
	if err != nil {
		return done, err
	}
	for _, one := range faults {
		if one.Final {
			return done, refuse("%s: EC2 takes nothing back that it has told a spot instance, which ends at %s", done.Target,
				one.Until.Format(time.TimeOnly))
		}
		if err := kind.undo(f, ctx, one); err != nil {
			return done, err
		}
		done.Cluster = f.clusterName(one.ClusterID)
	}
	if len(faults) == 0 && kind.clear != nil {
		err = kind.clear(f, ctx, o)
	}
	done.Said = "reset"
	return done, err
}

// forget ends the record of a fault of which there is nothing to take back.
func (f *recordFaults) forget(ctx context.Context, fault region.Fault) error {
	return f.state.Update(ctx, func(tx *state.Txn) error { region.EndFault(tx, fault); return nil })
}

// inForce are the faults of a target, in the cluster of that name, or in the only one where it has any.
func (f *recordFaults) inForce(target, cluster string) (faults []region.Fault, err error) {
	clusters := map[string]bool{}
	f.state.View(func(tx *state.Txn) error {
		for _, one := range region.FaultsOf(tx, target) {
			record, _ := region.Clusters.Get(tx, one.ClusterID)
			if cluster == "" || record.Name == cluster {
				faults, clusters[record.Name] = append(faults, one), true
			}
		}
		return nil
	})
	if len(clusters) > 1 {
		return nil, refuse("%s has faults in several clusters: say in which by --cluster: %s", target, listed(clusters))
	}
	return faults, nil
}

// clusterOf finds the cluster whose object a target is: that of the name, or the only one.
func (f *recordFaults) clusterOf(target api.Target, name string) (found region.Cluster, err error) {
	var names []string
	f.state.View(func(tx *state.Txn) error {
		for _, cluster := range region.Clusters.List(tx) {
			if !cluster.Status.Runs() {
				continue
			}
			names = append(names, cluster.Name)
			if name == cluster.Name || name == "" {
				found = cluster
			}
		}
		return nil
	})
	switch {
	case len(names) == 0:
		return found, refuse("there is no %s: %s has no cluster", target, f.region)
	case name != "" && found.Name != name:
		return found, refuse("there is no cluster %q in %s: its clusters are %s", name, f.region, enumerate(names, 0))
	case name == "" && len(names) > 1:
		return found, refuse("%s can be in several clusters: say in which by --cluster: %s", target, enumerate(names, 0))
	}
	return found, nil
}

func (f *recordFaults) clusterName(id string) (name string) {
	f.state.View(func(tx *state.Txn) error {
		cluster, _ := region.Clusters.Get(tx, id)
		name = cluster.Name
		return nil
	})
	return name
}

// put writes a fault down that is in force from now on.
func (f *recordFaults) put(tx *state.Txn, fault region.Fault, o api.FaultOrder) {
	fault.Since = f.now().UTC().Truncate(time.Millisecond)
	if o.For != 0 {
		fault.Until = fault.Since.Add(o.For)
	}
	region.Faults.Put(tx, fault.Key(), fault)
}

// faultsIn are those in force, as the status shows them: clusters' next updates first.
func faultsIn(tx *state.Txn) []api.Fault {
	faults := []api.Fault{}
	for _, cluster := range region.Clusters.List(tx) {
		if cluster.FaultedAt != nil {
			faults = append(faults, api.Fault{Target: api.KindUpdate + "/" + cluster.Name, Fault: api.FaultOfUpdate,
				Since: *cluster.FaultedAt})
		}
	}
	for _, fault := range region.Faults.List(tx) {
		cluster, _ := region.Clusters.Get(tx, fault.ClusterID)
		shown := api.Fault{Target: fault.Target, Fault: fault.Fault, Since: fault.Since, Cluster: cluster.Name,
			Final: fault.Final}
		if !fault.Until.IsZero() {
			shown.Until = &fault.Until
		}
		faults = append(faults, shown)
	}
	return faults
}
