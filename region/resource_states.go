package region

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/state"
)

// ResourceStates is the life of one kind of what belongs to a cluster and has a status, which is one of EKS's model
// (S). So far nothing of it takes time: what is made is there at once, a change is done with its transaction, and what
// is deleted is gone. The answers show what EKS's would: CREATING, InProgress, DELETING.
type ResourceStates[T any, S ~string] struct {
	table state.Table[T]
	kind  string
	// of tells a record's cluster, its name and where its status is.
	of func(*T) (clusterID, name string, status *S)
	// made is the status that a new one has; creating and deleting are shown by answers.
	made, creating, deleting S
	// changeable and deletable are the statuses in which one may be changed, and deleted.
	changeable, deletable []S
}

// The kinds of what belongs to a cluster and has a status.
var (
	NodegroupStates = ResourceStates[Nodegroup, types.NodegroupStatus]{
		table: Nodegroups, kind: "nodegroup",
		of: func(g *Nodegroup) (string, string, *types.NodegroupStatus) {
			return g.ClusterID, aws.ToString(g.NodegroupName), &g.Status
		},
		made:     types.NodegroupStatusActive,
		creating: types.NodegroupStatusCreating, deleting: types.NodegroupStatusDeleting,
		changeable: []types.NodegroupStatus{types.NodegroupStatusActive},
		deletable:  []types.NodegroupStatus{types.NodegroupStatusActive},
	}
	AddonStates = ResourceStates[Addon, types.AddonStatus]{
		table: Addons, kind: "addon",
		of: func(a *Addon) (string, string, *types.AddonStatus) {
			return a.ClusterID, aws.ToString(a.AddonName), &a.Status
		},
		made:     types.AddonStatusActive,
		creating: types.AddonStatusCreating, deleting: types.AddonStatusDeleting,
		changeable: []types.AddonStatus{types.AddonStatusActive},
		deletable:  []types.AddonStatus{types.AddonStatusActive},
	}
	CapabilityStates = ResourceStates[Capability, types.CapabilityStatus]{
		table: Capabilities, kind: "capability",
		of: func(c *Capability) (string, string, *types.CapabilityStatus) {
			return c.ClusterID, aws.ToString(c.CapabilityName), &c.Status
		},
		made:     types.CapabilityStatusActive,
		creating: types.CapabilityStatusCreating, deleting: types.CapabilityStatusDeleting,
		changeable: []types.CapabilityStatus{types.CapabilityStatusActive},
		deletable:  []types.CapabilityStatus{types.CapabilityStatusActive},
	}
)

// Create writes a new one, and returns it as the answer shows it. One whose name is taken is refused.
func (r ResourceStates[T, S]) Create(tx *state.Txn, value T) (answer T, err error) {
	key, name, status := r.locate(&value)
	if there, found := r.stored(tx, key); found {
		return value, &RefusedError{r.kind + " " + name, string(there), string(r.creating)}
	}
	*status = r.made
	r.table.Put(tx, key, value)
	*status = r.creating
	return value, nil
}

// Change writes one that was changed, with the update that asked for it, and returns the update as the answer shows it.
func (r ResourceStates[T, S]) Change(tx *state.Txn, value T, update Update) (answer Update, err error) {
	key, name, status := r.locate(&value)
	there, _ := r.stored(tx, key)
	if !slices.Contains(r.changeable, there) {
		return Update{}, &RefusedError{r.kind + " " + name, string(there), "changed"}
	}
	*status = there
	r.table.Put(tx, key, value)
	update.Resource = r.kind + "/" + name
	return RecordUpdate(tx, update), nil
}

// Delete deletes one, and returns it as the answer shows it.
func (r ResourceStates[T, S]) Delete(tx *state.Txn, value T) (answer T, err error) {
	key, name, status := r.locate(&value)
	if there, _ := r.stored(tx, key); !slices.Contains(r.deletable, there) {
		return value, &RefusedError{r.kind + " " + name, string(there), string(r.deleting)}
	}
	r.table.Delete(tx, key)
	*status = r.deleting
	return value, nil
}

func (r ResourceStates[T, S]) locate(value *T) (key, name string, status *S) {
	clusterID, name, status := r.of(value)
	return clusterID + "/" + name, name, status
}

// stored is the status of the one with that key, empty where there is none.
func (r ResourceStates[T, S]) stored(tx *state.Txn, key string) (status S, found bool) {
	value, found := r.table.Get(tx, key)
	if found {
		_, _, at := r.of(&value)
		status = *at
	}
	return status, found
}
