package region

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/state"
)

func TestFargateProfileTransitions(t *testing.T) {
	for name, move := range map[string]struct {
		from, to types.FargateProfileStatus
		do       func(*state.Txn, FargateProfile) error
	}{
		"create": {noProfile, "CREATING", func(tx *state.Txn, p FargateProfile) error {
			_, err := CreateFargateProfile(tx, p, nil)
			return err
		}},
		"activate": {"CREATING", "ACTIVE", func(tx *state.Txn, p FargateProfile) error {
			_, err := ActivateFargateProfile(tx, p)
			return err
		}},
		"delete": {"ACTIVE", "DELETING", func(tx *state.Txn, p FargateProfile) error {
			_, err := DeleteFargateProfile(tx, p, nil)
			return err
		}},
		"forget": {"DELETING", noProfile, ForgetFargateProfile},
	} {
		for _, status := range append(types.FargateProfileStatus("").Values(), noProfile) {
			p := FargateProfile{ClusterID: "ID", FargateProfile: types.FargateProfile{FargateProfileName: aws.String("x"),
				Status: status}}
			m := NewMemory(func(tx *state.Txn) {
				if status != noProfile {
					FargateProfiles.Put(tx, "ID/x", p)
				}
			})
			change(t, m, func(tx *state.Txn) {
				err := move.do(tx, p)
				kept, _ := FargateProfiles.Get(tx, "ID/x")
				want := status
				if status == move.from {
					want = move.to
				}
				if (err == nil) != (status == move.from) || kept.Status != want {
					t.Errorf("%s one that is %q: it is %q, want %q (%v)", name, status, kept.Status, want, err)
				}
			})
		}
	}
}

func TestAFargateProfilesStatusLastsAsLongAsItHasTo(t *testing.T) {
	end := began.Add(time.Minute)
	p := FargateProfile{NotBefore: &end, FargateProfile: types.FargateProfile{Status: "CREATING"}}
	if !p.Passes() || !p.Lasts(began) || p.Lasts(end) {
		t.Error("a profile does not last until its time")
	}
	if p.Status, p.NotBefore = "ACTIVE", nil; p.Passes() || p.Lasts(began) {
		t.Error("one that is ACTIVE passes")
	}
}
