package eks

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// describeUpdateRecord is an update as EKS shows it.
func describeUpdateRecord(u region.Update) *types.Update {
	out := &types.Update{Id: aws.String(u.ID), Status: types.UpdateStatus(u.Status), Type: types.UpdateType(u.Type),
		CreatedAt: aws.Time(u.CreatedAt),
		Params:    []types.UpdateParam{}, Errors: []types.ErrorDetail{}}
	for _, p := range u.Params {
		out.Params = append(out.Params, types.UpdateParam{Type: types.UpdateParamType(p.Type), Value: aws.String(p.Value)})
	}
	for _, e := range u.Errors {
		out.Errors = append(out.Errors,
			types.ErrorDetail{ErrorCode: types.ErrorCode(e.Code), ErrorMessage: aws.String(e.Message),
				ResourceIds: e.ResourceIDs})
	}
	return out
}

// resourceOf is region.Update.Resource for an input that names at most one thing of a cluster.
func resourceOf(nodegroup, addon, capability *string) (resource string, err error) {
	for kind, name := range map[string]*string{"nodegroup": nodegroup, "addon": addon, "capability": capability} {
		switch {
		case aws.ToString(name) == "":
		case resource != "":
			return "", about{}.invalidParameter("Give only one of nodegroupName, addonName and capabilityName.")
		default:
			resource = kind + "/" + *name
		}
	}
	return resource, nil
}

// listUpdates lists the ids of the updates of a cluster, or of one thing of it, the newest first.
func (s *Service) listUpdates(call *operation.Call, in *eks.ListUpdatesInput) (*eks.ListUpdatesOutput, error) {
	name := aws.ToString(in.Name)
	if err := s.authorize(call, target{cluster: name}); err != nil {
		return nil, err
	}
	resource, err := resourceOf(in.NodegroupName, in.AddonName, in.CapabilityName)
	if err != nil {
		return nil, err
	}
	var updates []region.Update
	err = s.State.View(func(tx *state.Txn) error {
		cluster, err := clusterNamed(tx, name)
		if err != nil {
			return err
		}
		updates = slices.DeleteFunc(region.Updates.List(tx),
			func(u region.Update) bool { return u.ClusterID != cluster.ID || u.Resource != resource })
		return nil
	})
	if err != nil {
		return nil, err
	}
	updates, next, err := page(paging{operation: "ListUpdates", filters: []string{name, resource}, max: in.MaxResults,
		token: in.NextToken}, updates, newestFirst)
	if err != nil {
		return nil, err
	}
	out := &eks.ListUpdatesOutput{UpdateIds: []string{}, NextToken: next}
	for _, u := range updates {
		out.UpdateIds = append(out.UpdateIds, u.ID)
	}
	return out, nil
}

// newestFirst is a key that falls with time; the id tells apart what began at once.
func newestFirst(u region.Update) string {
	return fmt.Sprintf("%016x%s", math.MaxInt64-u.CreatedAt.UnixNano(), u.ID)
}

func (s *Service) describeUpdate(call *operation.Call, in *eks.DescribeUpdateInput) (*eks.DescribeUpdateOutput, error) {
	name := aws.ToString(in.Name)
	if err := s.authorize(call, target{cluster: name}); err != nil {
		return nil, err
	}
	resource, err := resourceOf(in.NodegroupName, in.AddonName, in.CapabilityName)
	if err != nil {
		return nil, err
	}
	var update region.Update
	err = s.State.View(func(tx *state.Txn) (err error) {
		update, err = updateOf(tx, name, resource, aws.ToString(in.UpdateId))
		return err
	})
	if err != nil {
		return nil, err
	}
	return &eks.DescribeUpdateOutput{Update: describeUpdateRecord(update)}, nil
}

func updateOf(tx *state.Txn, name, resource, id string) (region.Update, error) {
	cluster, err := clusterNamed(tx, name)
	if err != nil {
		return region.Update{}, err
	}
	update, found := region.Updates.Get(tx, id)
	if !found || update.ClusterID != cluster.ID || update.Resource != resource {
		return region.Update{}, about{cluster: name}.notFound("No update found for ID: %s", id)
	}
	return update, nil
}

// cancelUpdate calls back a change that goes zone by zone: those that have begun go back. Other updates are done by the
// time their answer is read.
func (s *Service) cancelUpdate(call *operation.Call, in *eks.CancelUpdateInput) (*eks.CancelUpdateOutput, error) {
	fits := func(region.Cluster) error { return nil }
	name := aws.ToString(in.Name)
	return changeOf(s, call, target{cluster: name}, fits, in.ClientRequestToken, in,
		func(c change) (*eks.CancelUpdateOutput, string, error) {
			update, err := updateOf(c.tx, name, "", aws.ToString(in.UpdateId))
			if err != nil {
				return nil, "", err
			}
			switch err := region.CancelRollout(c.tx, c.cluster, update.ID); {
			case errors.Is(err, region.ErrNotRollingOut):
				return nil, "", about{cluster: name}.invalidState("Update %s cannot be cancelled: it is %s.", update.ID,
					update.Status)
			case errors.Is(err, region.ErrGoingBack):
				return nil, "", about{cluster: name}.invalidState("Update %s cannot be cancelled: it is going back already, "+
					"because %s.",
					update.ID, c.cluster.Rollout.Failure)
			}
			shown := describeUpdateRecord(update)
			shown.Cancellation = &types.Cancellation{Status: types.CancellationStatusInProgress}
			return &eks.CancelUpdateOutput{Update: shown}, "", nil
		})
}
