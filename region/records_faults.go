package region

import (
	"time"

	"tripod/state"
)

// Fault is what somebody did by `tripod fault` to something that is no process of a zone, while it is in force. What it
// does stands elsewhere: in Capacities, in an instance's record, in an annotation of an object; but for Calls, which is its
// own effect. That of a cluster's next update stands in the cluster's record alone, see FaultNextRollout.
type Fault struct {
	// Target is as the status shows it: capacity/us-east-1b, pod/default/web-0.
	Target string `json:"target"`
	// Of names what of the target is at fault, where several things can be so at once: an instance type, an object's
	// annotation, or FaultedInstance.
	Of string `json:"of,omitempty"`
	// Fault is as the status shows it: crash-loop. Value is what it has put there.
	Fault string `json:"fault"`
	Value string `json:"value,omitempty"`
	// ClusterID and UID are the cluster's whose object the target is, and the object's own.
	ClusterID  string `json:"clusterId,omitempty"`
	UID        string `json:"uid,omitempty"`
	InstanceID string `json:"instanceId,omitempty"`

	Since time.Time `json:"since"`
	Until time.Time `json:"until,omitzero"` // when it ends by itself; zero: it does not
	// Calls says which calls of AWS's APIs it meets, and how: of those alone the effect stands here, as every zone reads it
	// at every call.
	Calls *CallFault `json:"calls,omitempty"`
	// Final says that nobody can take it back.
	Final bool `json:"final,omitempty"`
}

// CallFault is what is wrong with calls of AWS's APIs.
type CallFault struct {
	// Error is the word of api.RecordFaults for how the calls are refused; empty: they are not.
	Error string `json:"error,omitempty"`
	// Latency is how long they wait before they are answered.
	Latency time.Duration `json:"latency,omitempty"`
	// Percentage is the share of calls that it meets, 1 to 100.
	Percentage int `json:"percentage"`
	// Principal is the ARN of the user, role or session whose calls it meets; empty: everybody's.
	Principal string `json:"principal,omitempty"`
}

// callTarget is before the SERVICE:OPERATION of the targets of faults of calls.
const callTarget = "aws/"

// EveryOperation stands for all operations of a service.
const EveryOperation = "*"

// CallFaultsOf are the faults in force of calls of an operation, those of all of its service's operations first.
func CallFaultsOf(tx *state.Txn, service, operation string) []Fault {
	faults := FaultsOf(tx, callTarget+service+":"+EveryOperation)
	if operation == "" {
		return faults
	}
	return append(faults, FaultsOf(tx, callTarget+service+":"+operation)...)
}

// FaultedInstance is the Of of a fault of a node's instance.
const FaultedInstance = "instance"

// ImpairFault is the Fault of an instance that is impaired because somebody wanted it so.
const ImpairFault = "impair"

// Faults are those in force, by Key.
var Faults = state.NewTable[Fault]("fault")

// Key is the fault's: another one of the same has its place.
func (f Fault) Key() string { return f.Target + " " + f.ClusterID + " " + f.Of }

// FaultsOf are those in force of a target: in every cluster, where it is one of a cluster.
func FaultsOf(tx *state.Txn, target string) []Fault { return Faults.Under(tx, target+" ") }

// EndFault forgets a fault, unless another one has taken its place meanwhile. It says whether it was there.
func EndFault(tx *state.Txn, f Fault) bool {
	there, found := Faults.Get(tx, f.Key())
	if !found || !there.Since.Equal(f.Since) {
		return false
	}
	Faults.Delete(tx, f.Key())
	return true
}

// KeepsImpaired says whether an instance is impaired because somebody wanted it so: its zone must not mend it.
func KeepsImpaired(tx *state.Txn, instanceID string) bool {
	for _, f := range Faults.Under(tx, "node/") {
		if f.InstanceID == instanceID && f.Fault == ImpairFault {
			return true
		}
	}
	return false
}

// LimitCapacity says that a zone has no more than so many instances of a type, or with an empty type of all together.
func LimitCapacity(tx *state.Txn, c Capacity) { Capacities.Put(tx, c.key(), c) }

// FreeCapacity ends such a limit.
func FreeCapacity(tx *state.Txn, zone, instanceType string) {
	Capacities.Delete(tx, Capacity{Zone: zone, Type: instanceType}.key())
}

func (c Capacity) key() string { return c.Zone + "/" + c.Type }
