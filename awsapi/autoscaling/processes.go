package autoscaling

import (
	"cmp"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// processes are those of a group that can be suspended.
var processes = []string{"AZRebalance", "AddToLoadBalancer", "AlarmNotification", "HealthCheck", "InstanceRefresh",
	"Launch", "ReplaceUnhealthy", "ScheduledActions", "Terminate"}

type processesInput struct {
	groupNamed
	ScalingProcesses []string
}

func (in *processesInput) check() error {
	for _, p := range in.ScalingProcesses {
		if !slices.Contains(processes, p) {
			return invalid("Invalid scaling process name %s: the valid ones are [%s].", p, strings.Join(processes, ", "))
		}
	}
	if len(in.ScalingProcesses) == 0 {
		in.ScalingProcesses = processes
	}
	return nil
}

func (s *Service) suspendProcesses(call *operation.Call, in *processesInput) (*none, error) {
	now := s.now()
	return s.editProcesses(call, in, func(g *region.AutoScalingGroup) {
		for _, p := range in.ScalingProcesses {
			if !isSuspended(*g, p) {
				g.Suspended = append(g.Suspended, region.SuspendedProcess{Name: p,
					Reason: "User suspended at " + now.UTC().Format("2006-01-02T15:04:05Z")})
			}
		}
		slices.SortFunc(g.Suspended, func(a, b region.SuspendedProcess) int { return cmp.Compare(a.Name, b.Name) })
	})
}

func (s *Service) resumeProcesses(call *operation.Call, in *processesInput) (*none, error) {
	return s.editProcesses(call, in, func(g *region.AutoScalingGroup) {
		g.Suspended = slices.DeleteFunc(g.Suspended,
			func(p region.SuspendedProcess) bool { return slices.Contains(in.ScalingProcesses, p.Name) })
	})
}

func (s *Service) editProcesses(call *operation.Call, in *processesInput,
	edit func(*region.AutoScalingGroup)) (*none, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	return s.edit(call, in.AutoScalingGroupName, func(_ *state.Txn, g *region.AutoScalingGroup) error {
		edit(g)
		return nil
	})
}

// edit changes a group that is not being deleted.
func (s *Service) edit(call *operation.Call, name string,
	edit func(*state.Txn, *region.AutoScalingGroup) error) (*none, error) {
	return change(s, call, &none{}, func(tx *state.Txn) error {
		g, err := s.liveGroup(tx, name)
		if err != nil {
			return err
		}
		if err := edit(tx, &g); err != nil {
			return err
		}
		region.AutoScalingGroups.Put(tx, g.Name, g)
		return nil
	})
}
