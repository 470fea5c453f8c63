package autoscaling

import (
	"fmt"
	"time"

	"tripod/awsapi/operation"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

type updateGroupInput struct {
	groupNamed
	optionsInput
}

func (in *updateGroupInput) keys() iam.Keys { return in.optionsInput.keys() }

func (s *Service) updateGroup(call *operation.Call, in *updateGroupInput) (*none, error) {
	given := 0
	for _, there := range []bool{in.LaunchConfigurationName != "", in.LaunchTemplate != nil,
		in.MixedInstancesPolicy != nil} {
		if there {
			given++
		}
	}
	if given > 1 {
		return nil, invalid("Valid requests must contain either LaunchTemplate, LaunchConfigurationName or " +
			"MixedInstancesPolicy parameter.")
	}
	now := s.now()
	return change(s, call, &none{}, func(tx *state.Txn) error {
		if _, found := region.AutoScalingGroups.Get(tx, in.AutoScalingGroupName); !found &&
			!s.isSimulated(tx, in.AutoScalingGroupName) {
			return invalid("AutoScalingGroup name not found - null")
		}
		g, err := s.liveGroup(tx, in.AutoScalingGroupName)
		if err != nil {
			return err
		}
		was := g.Desired
		if err := in.apply(&g); err != nil {
			return err
		}
		if err := s.setSource(tx, &g, &in.optionsInput); err != nil {
			return err
		}
		if g.Mixed != nil && call.Params.Has("MixedInstancesPolicy.LaunchTemplate.Overrides") { // an empty list takes them away
			g.Mixed.Overrides = nil
		}
		if err := s.placeGroup(tx, &g, &in.optionsInput); err != nil {
			return err
		}
		take(&g.Min, in.MinSize)
		take(&g.Max, in.MaxSize)
		if in.DesiredCapacity != nil {
			g.Desired = *in.DesiredCapacity
		} else if g.Min <= g.Max {
			g.Desired = max(g.Min, min(g.Desired, g.Max))
		}
		if err := checkSizes(tx, g); err != nil {
			return err
		}
		if g.Desired != was {
			g.Asked = at(now, saysUpdated, g.Min, g.Max, g.Desired, was, g.Desired)
		}
		g.RetryAt, g.BalanceAt = time.Time{}, time.Time{}
		region.AutoScalingGroups.Put(tx, g.Name, g)
		return nil
	})
}

type deleteGroupInput struct {
	groupNamed
	ForceDelete *bool
}

func (s *Service) deleteGroup(call *operation.Call, in *deleteGroupInput) (*none, error) {
	now := s.now()
	return change(s, call, &none{}, func(tx *state.Txn) error {
		g, err := s.group(tx, in.AutoScalingGroupName)
		if err != nil || g.DeletedAt != nil {
			return err
		}
		force := in.ForceDelete != nil && *in.ForceDelete
		switch {
		case g.DeletionProtection == "prevent-all-deletion", force && g.DeletionProtection == "prevent-force-deletion":
			return refuse("ResourceInUse", "The Auto Scaling group %s has deletion protection %s: set it to none first.", g.Name,
				g.DeletionProtection)
		}
		members := region.MembersOf(tx, g.Name)
		switch {
		case len(members) > 0 && !force:
			for _, m := range members {
				if !m.State.Ends() {
					return refuse("ResourceInUse", "You cannot delete an AutoScalingGroup while there are instances or pending "+
						"Spot instance request(s) still in the group.")
				}
			}
			return refuse("ScalingActivityInProgress", "You cannot delete an AutoScalingGroup while there are scaling "+
				"activities in progress for that group.")
		case len(members) == 0:
			forgetGroup(tx, g)
			return nil
		}
		g.Asked = at(now, saysDeleted, g.Desired)
		g.DeletedAt, g.Min, g.Desired = &now, 0, 0
		region.AutoScalingGroups.Put(tx, g.Name, g)
		return nil
	})
}

type setDesiredInput struct {
	groupNamed
	DesiredCapacity *int `query:",required"`
	HonorCooldown   *bool
}

func (s *Service) setDesiredCapacity(call *operation.Call, in *setDesiredInput) (*none, error) {
	now := s.now()
	return change(s, call, &none{}, func(tx *state.Txn) error {
		g, err := s.liveGroup(tx, in.AutoScalingGroupName)
		if err != nil {
			return err
		}
		switch n := *in.DesiredCapacity; {
		case n > g.Max:
			return invalid("New SetDesiredCapacity value %d is above max value %d for the AutoScalingGroup.", n, g.Max)
		case n < g.Min:
			return invalid("New SetDesiredCapacity value %d is below min value %d for the AutoScalingGroup.", n, g.Min)
		case in.HonorCooldown != nil && *in.HonorCooldown && now.Before(g.CooledAt):
			return refuse("ScalingActivityInProgress", "%s", coolsDown(g))
		default:
			return s.ask(tx, g, n, at(now, saysSet, g.Desired, n))
		}
	})
}

// coolsDown says why a group is not scaled now.
func coolsDown(g region.AutoScalingGroup) string {
	return fmt.Sprintf("The Auto Scaling group %s is in its cooldown period until %s.", g.Name, stamp(g.CooledAt))
}

// ask gives a group another desired capacity, for that cause.
func (s *Service) ask(tx *state.Txn, g region.AutoScalingGroup, desired int, why string) error {
	if g.Desired != desired {
		g.Desired, g.Asked = desired, why
		if err := checkSizes(tx, g); err != nil {
			return err
		}
	}
	g.RetryAt = time.Time{}
	region.AutoScalingGroups.Put(tx, g.Name, g)
	return nil
}
