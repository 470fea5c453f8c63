package autoscaling

import (
	"time"

	"tripod/region"
	"tripod/state"
)

// LaunchRequest asks EC2 for instances. TODO(autoscaling): it becomes ec2.LaunchRequest.
type LaunchRequest struct {
	Template                                                  region.TemplateRef
	ImageID, Type, SubnetID, KeyName, UserData, Profile, Zone string
	Groups                                                    []string
	Spot                                                      bool
	PublicIP                                                  *bool
	Count, Least                                              int
	Tags                                                      map[string]string
	Group, Requester, ClientToken                             string
}

// Instances is what a group needs of EC2.
type Instances interface {
	// Launch makes instances, pending. Its errors are EC2's (*wire.Error); nothing is written then.
	Launch(tx *state.Txn, want LaunchRequest, now time.Time) ([]region.Instance, error)
	// Terminate begins to terminate instances.
	Terminate(tx *state.Txn, ids []string, reason region.StateReason, now time.Time) error
	// TagsOf are a resource's tags, and SetTags puts tags over them.
	TagsOf(tx *state.Txn, id string) map[string]string
	SetTags(tx *state.Txn, id string, given map[string]string)
}
