package region

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/state"
)

// noNodegroup is the status of a node group which is not there. No record has it.
const noNodegroup types.NodegroupStatus = ""

// nodegroupStatuses are all statuses, and what may follow each.
//
//	CreateNodegroup          none -> CREATING
//	ActivateNodegroup        CREATING -> ACTIVE
//	FailNodegroup            CREATING -> CREATE_FAILED, DELETING -> DELETE_FAILED
//	JudgeNodegroup           ACTIVE -> DEGRADED where there are issues, and back where there are none
//	BeginNodegroupUpdate     ACTIVE, DEGRADED -> UPDATING
//	EndNodegroupUpdate       UPDATING -> ACTIVE
//	DeleteNodegroup          any that is neither UPDATING nor DELETING -> DELETING
//	ForgetNodegroup          DELETING -> none
var nodegroupStatuses = map[types.NodegroupStatus][]types.NodegroupStatus{
	noNodegroup: {types.NodegroupStatusCreating},
	types.NodegroupStatusCreating: {types.NodegroupStatusActive, types.NodegroupStatusCreateFailed,
		types.NodegroupStatusDeleting},
	types.NodegroupStatusActive: {types.NodegroupStatusDegraded, types.NodegroupStatusUpdating,
		types.NodegroupStatusDeleting},
	types.NodegroupStatusDegraded: {types.NodegroupStatusActive, types.NodegroupStatusUpdating,
		types.NodegroupStatusDeleting},
	types.NodegroupStatusUpdating:     {types.NodegroupStatusActive},
	types.NodegroupStatusCreateFailed: {types.NodegroupStatusDeleting},
	types.NodegroupStatusDeleteFailed: {types.NodegroupStatusDeleting},
	types.NodegroupStatusDeleting:     {types.NodegroupStatusDeleteFailed, noNodegroup},
}

// Name is the node group's name.
func (g Nodegroup) Name() string { return aws.ToString(g.NodegroupName) }

// MayBecome says whether the node group may have the status next.
func (g Nodegroup) MayBecome(next types.NodegroupStatus) bool {
	return slices.Contains(nodegroupStatuses[g.Status], next)
}

// Lasts says that the node group's status, if it is one that passes, has to last for a while yet.
func (g Nodegroup) Lasts(now time.Time) bool {
	return g.Work != nil && g.Work.NotBefore != nil && now.Before(*g.Work.NotBefore)
}

// become gives the node group another status, which lasts until notBefore at least (nil: as long as it takes).
func (g *Nodegroup) become(next types.NodegroupStatus, now time.Time, notBefore *time.Time) error {
	if !g.MayBecome(next) {
		return &RefusedError{"nodegroup " + g.Name(), string(g.Status), string(next)}
	}
	g.Status = next
	if g.Work != nil { // the caller's stays as it is
		work := *g.Work
		work.Since, work.NotBefore = now, notBefore
		g.Work = &work
	}
	return nil
}

// leave is become for a node group that has that status now.
func (g *Nodegroup) leave(from, next types.NodegroupStatus, now time.Time) error {
	if g.Status != from {
		return &RefusedError{"nodegroup " + g.Name(), string(g.Status), string(next)}
	}
	return g.become(next, now, nil)
}

// Put writes the node group without another status.
func (g Nodegroup) Put(tx *state.Txn) { Nodegroups.Put(tx, g.ClusterID+"/"+g.Name(), g) }

// CreateNodegroup writes a new node group. One whose name is taken is refused.
func CreateNodegroup(tx *state.Txn, g Nodegroup, now time.Time, notBefore *time.Time) (Nodegroup, error) {
	if there, found := Nodegroups.Get(tx, g.ClusterID+"/"+g.Name()); found {
		return g, &RefusedError{"nodegroup " + g.Name(), string(there.Status), string(types.NodegroupStatusCreating)}
	}
	g.Status = noNodegroup
	if err := g.become(types.NodegroupStatusCreating, now, notBefore); err != nil {
		return g, err
	}
	g.Put(tx)
	return g, nil
}

// ActivateNodegroup ends the creation of a node group whose nodes are there.
func ActivateNodegroup(tx *state.Txn, g Nodegroup, now time.Time) (Nodegroup, error) {
	if err := g.leave(types.NodegroupStatusCreating, types.NodegroupStatusActive, now); err != nil {
		return g, err
	}
	g.setIssues(nil)
	g.Put(tx)
	return g, nil
}

// FailNodegroup ends the creation or the deletion of a node group without success.
func FailNodegroup(tx *state.Txn, g Nodegroup, issues []types.Issue, now time.Time) (Nodegroup, error) {
	next := types.NodegroupStatusCreateFailed
	if g.Status == types.NodegroupStatusDeleting {
		next = types.NodegroupStatusDeleteFailed
	}
	if err := g.become(next, now, nil); err != nil {
		return g, err
	}
	g.setIssues(issues)
	g.Put(tx)
	return g, nil
}

// JudgeNodegroup notes what is wrong with a node group. One that is ACTIVE is DEGRADED from then on, and ACTIVE again
// once nothing is; other statuses stay.
func JudgeNodegroup(tx *state.Txn, g Nodegroup, issues []types.Issue, now time.Time) (Nodegroup, error) {
	next := g.Status
	switch {
	case g.Status == types.NodegroupStatusActive && len(issues) > 0:
		next = types.NodegroupStatusDegraded
	case g.Status == types.NodegroupStatusDegraded && len(issues) == 0:
		next = types.NodegroupStatusActive
	}
	if next != g.Status {
		if err := g.become(next, now, nil); err != nil {
			return g, err
		}
	}
	g.setIssues(issues)
	g.Put(tx)
	return g, nil
}

func (g *Nodegroup) setIssues(issues []types.Issue) {
	g.Health = &types.NodegroupHealth{Issues: append([]types.Issue{}, issues...)}
}

// BeginNodegroupUpdate writes a node group that was changed, or is to be, with the update that asked for it, which is
// under way until EndNodegroupUpdate. g.Work.Update says how it is done.
func BeginNodegroupUpdate(
	tx *state.Txn, g Nodegroup, update Update, now time.Time, notBefore *time.Time,
) (Update, error) {
	if err := g.become(types.NodegroupStatusUpdating, now, notBefore); err != nil {
		return Update{}, err
	}
	g.Put(tx)
	update.Resource = "nodegroup/" + g.Name()
	return beginUpdate(tx, update), nil
}

// EndNodegroupUpdate ends a node group's update: with the errors, where it has failed.
func EndNodegroupUpdate(tx *state.Txn, g Nodegroup, now time.Time, errors ...UpdateError) (Nodegroup, error) {
	if err := g.leave(types.NodegroupStatusUpdating, types.NodegroupStatusActive, now); err != nil {
		return g, err
	}
	id := g.Work.Update.ID
	g.Work.Update = nil // the copy's
	g.Put(tx)
	status := UpdateSuccessful
	if len(errors) > 0 {
		status = UpdateFailed
	}
	endUpdate(tx, id, status, errors...)
	return g, nil
}

// DeleteNodegroup begins the deletion of a node group, which ForgetNodegroup ends.
func DeleteNodegroup(tx *state.Txn, g Nodegroup, now time.Time, notBefore *time.Time) (Nodegroup, error) {
	if err := g.become(types.NodegroupStatusDeleting, now, notBefore); err != nil {
		return g, err
	}
	g.setIssues(nil)
	g.Put(tx)
	return g, nil
}

// ForgetNodegroup deletes the record of a node group of which nothing is left.
func ForgetNodegroup(tx *state.Txn, g Nodegroup) error {
	if !g.MayBecome(noNodegroup) {
		return &RefusedError{"nodegroup " + g.Name(), string(g.Status), string(noNodegroup)}
	}
	Nodegroups.Delete(tx, g.ClusterID+"/"+g.Name())
	return nil
}
