package region

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/state"
)

// noProfile is the status of a Fargate profile which is not there. No record has it.
const noProfile types.FargateProfileStatus = ""

// profileStatuses are the statuses that Fargate profiles have here, and what may follow each. What could fail in EKS's own
// network, CREATE_FAILED and DELETE_FAILED, does not here.
//
//	CreateFargateProfile     none -> CREATING
//	ActivateFargateProfile   CREATING -> ACTIVE
//	DeleteFargateProfile     ACTIVE -> DELETING
//	ForgetFargateProfile     DELETING -> none
var profileStatuses = map[types.FargateProfileStatus]types.FargateProfileStatus{
	noProfile:                          types.FargateProfileStatusCreating,
	types.FargateProfileStatusCreating: types.FargateProfileStatusActive,
	types.FargateProfileStatusActive:   types.FargateProfileStatusDeleting,
	types.FargateProfileStatusDeleting: noProfile,
}

// Name is the profile's name.
func (p FargateProfile) Name() string { return aws.ToString(p.FargateProfileName) }

func (p FargateProfile) key() string { return p.ClusterID + "/" + p.Name() }

// Passes says whether another status follows by itself: EKS lets a cluster have one such profile at a time.
func (p FargateProfile) Passes() bool {
	return slices.Contains([]types.FargateProfileStatus{types.FargateProfileStatusCreating, types.FargateProfileStatusDeleting},
		p.Status)
}

// Lasts says that the status has to last for a while yet.
func (p FargateProfile) Lasts(now time.Time) bool {
	return p.NotBefore != nil && now.Before(*p.NotBefore)
}

// become gives the profile its next status, which lasts until notBefore at least (nil: as long as it takes).
func (p *FargateProfile) become(next types.FargateProfileStatus, notBefore *time.Time) error {
	if follows, known := profileStatuses[p.Status]; !known || follows != next {
		return &RefusedError{"fargateprofile " + p.Name(), string(p.Status), string(next)}
	}
	p.Status, p.NotBefore = next, notBefore
	return nil
}

// CreateFargateProfile writes a new profile. One whose name is taken is refused.
func CreateFargateProfile(tx *state.Txn, p FargateProfile, notBefore *time.Time) (FargateProfile, error) {
	if there, found := FargateProfiles.Get(tx, p.key()); found {
		return p, &RefusedError{"fargateprofile " + p.Name(), string(there.Status), string(types.FargateProfileStatusCreating)}
	}
	p.Status = noProfile
	return putProfile(tx, p, types.FargateProfileStatusCreating, notBefore)
}

// ActivateFargateProfile says that new pods fall to the profile.
func ActivateFargateProfile(tx *state.Txn, p FargateProfile) (FargateProfile, error) {
	return putProfile(tx, p, types.FargateProfileStatusActive, nil)
}

// DeleteFargateProfile begins the deletion of a profile: no new pod falls to it, and its own go.
func DeleteFargateProfile(tx *state.Txn, p FargateProfile, notBefore *time.Time) (FargateProfile, error) {
	return putProfile(tx, p, types.FargateProfileStatusDeleting, notBefore)
}

func putProfile(tx *state.Txn, p FargateProfile, next types.FargateProfileStatus, notBefore *time.Time) (FargateProfile, error) {
	if err := p.become(next, notBefore); err != nil {
		return p, err
	}
	FargateProfiles.Put(tx, p.key(), p)
	return p, nil
}

// ForgetFargateProfile deletes the record of a profile of which nothing is left.
func ForgetFargateProfile(tx *state.Txn, p FargateProfile) error {
	if err := p.become(noProfile, nil); err != nil {
		return err
	}
	FargateProfiles.Delete(tx, p.key())
	return nil
}

// MapFargateProfile notes that the profile's role is in aws-auth.
func MapFargateProfile(tx *state.Txn, p FargateProfile) FargateProfile {
	p.Mapped = true
	FargateProfiles.Put(tx, p.key(), p)
	return p
}

// LaunchFargateMachine writes a new machine.
func LaunchFargateMachine(tx *state.Txn, m FargateMachine) error {
	if _, found := FargateMachines.Get(tx, m.key()); found {
		return &RefusedError{"fargate machine " + m.Name, "there", "launched"}
	}
	FargateMachines.Put(tx, m.key(), m)
	return nil
}

// EndFargateMachine deletes a machine: its kubelet ends with its record.
func EndFargateMachine(tx *state.Txn, m FargateMachine) { FargateMachines.Delete(tx, m.key()) }

// LogFargateMachine gives a machine's log router its configuration. Of a machine that is gone it does nothing.
func LogFargateMachine(tx *state.Txn, clusterID, name string, config map[string]string) {
	if m, found := FargateMachines.Get(tx, clusterID+"/"+name); found {
		m.Logging = config
		FargateMachines.Put(tx, m.key(), m)
	}
}

// NoteFargateMachine notes why the kubelet of a machine could not register; empty: it could. It says whether that is new.
func NoteFargateMachine(tx *state.Txn, clusterID, name, trouble string, write bool) (news bool) {
	m, found := FargateMachines.Get(tx, clusterID+"/"+name)
	if !found || m.Trouble == trouble {
		return false
	}
	if m.Trouble = trouble; write {
		FargateMachines.Put(tx, m.key(), m)
	}
	return true
}

func (m FargateMachine) key() string { return m.ClusterID + "/" + m.Name }
