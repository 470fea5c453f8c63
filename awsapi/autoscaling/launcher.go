package autoscaling

import (
	"time"

	"tripod/awsapi/ec2"
	"tripod/region"
	"tripod/state"
)

// Instances is what a group needs of EC2, whose service it is.
type Instances interface {
	// Launch makes instances, pending. Its errors are EC2's (*wire.Error); nothing is written then.
	Launch(tx *state.Txn, want ec2.LaunchRequest, now time.Time) ([]region.Instance, error)
	// Terminate begins to terminate instances.
	Terminate(tx *state.Txn, ids []string, reason region.StateReason, now time.Time) error
	// TagsOf are a resource's tags, and SetTags puts tags over them.
	TagsOf(tx *state.Txn, id string) map[string]string
	SetTags(tx *state.Txn, id string, given map[string]string)
}

// instances is who launches and terminates.
func (s *Service) instances() Instances {
	if s.Instances == nil {
		return s.Network
	}
	return s.Instances
}
