package autoscaling

import (
	"slices"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

type alarms struct {
	Alarms wire.QueryList[string] `json:",omitempty"`
}

type preferencesSpec struct {
	MinHealthyPercentage      *int                `json:",omitempty"`
	InstanceWarmup            *int                `json:",omitempty"`
	CheckpointPercentages     wire.QueryList[int] `xml:",omitempty" json:",omitempty"`
	CheckpointDelay           *int                `json:",omitempty"`
	SkipMatching              *bool               `json:",omitempty"`
	AutoRollback              *bool               `json:",omitempty"`
	ScaleInProtectedInstances string              `xml:",omitempty" json:",omitempty"`
	StandbyInstances          string              `xml:",omitempty" json:",omitempty"`
	AlarmSpecification        *alarms             `json:",omitempty"`
	MaxHealthyPercentage      *int                `json:",omitempty"`
	BakeTime                  *int                `json:",omitempty"`
}

type desiredConfiguration struct {
	LaunchTemplate       *templateSpec `json:",omitempty"`
	MixedInstancesPolicy *mixedPolicy  `json:",omitempty"`
}

type startRefreshInput struct {
	groupNamed
	Strategy             string
	DesiredConfiguration *desiredConfiguration
	Preferences          *preferencesSpec
}

type refreshOutput struct {
	InstanceRefreshID string `xml:"InstanceRefreshId" json:"InstanceRefreshId"`
}

func (s *Service) startInstanceRefresh(call *operation.Call, in *startRefreshInput) (*refreshOutput, error) {
	if in.Strategy != "" && in.Strategy != "Rolling" {
		return nil, invalid("The strategy %s is not there in Tripod: use Rolling.", in.Strategy)
	}
	now := s.now()
	out := &refreshOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		g, err := s.liveGroup(tx, in.AutoScalingGroupName)
		if err != nil {
			return err
		}
		if _, under := activeRefresh(tx, g.Name); under {
			return refuse("InstanceRefreshInProgress", "An Instance Refresh is already in progress and blocks the execution of "+
				"this Instance Refresh.")
		}
		r := instanceRefresh{ID: wire.NewRequestID(), Group: g.Name, Status: refreshPending, Start: now, Moved: now}
		if err := in.Preferences.check(g, &r.Preferences); err != nil {
			return err
		}
		if d := in.DesiredConfiguration; d != nil {
			switch {
			case (d.LaunchTemplate == nil) == (d.MixedInstancesPolicy == nil):
				return invalid("The DesiredConfiguration must contain either LaunchTemplate or MixedInstancesPolicy.")
			case d.LaunchTemplate != nil:
				r.Template, err = s.resolve(tx, d.LaunchTemplate.ref())
			default:
				r.Mixed, err = s.mixed(tx, d.MixedInstancesPolicy, g.Mixed)
			}
			if err != nil {
				return err
			}
		}
		if r.Preferences.Rollback && (in.DesiredConfiguration == nil || usesAlias(g)) {
			return invalid("Auto rollback needs a DesiredConfiguration, and a group whose launch template has a version's " +
				"number: $Latest and $Default cannot be gone back to.")
		}
		old := refreshesOf(tx, g.Name)
		for _, o := range old[:max(0, len(old)-keptRefreshes+1)] {
			instanceRefreshes.Delete(tx, o.key())
		}
		instanceRefreshes.Put(tx, r.key(), r)
		out.InstanceRefreshID = r.ID
		return nil
	})
}

// usesAlias says whether a group launches by something that a rollback cannot go back to.
func usesAlias(g region.AutoScalingGroup) bool {
	t := g.Template
	if g.Mixed != nil {
		t = &g.Mixed.Template
	}
	return t == nil || t.Version == "" || t.Version == "$Latest" || t.Version == "$Default"
}

// check fills preferences with what is given, and with AWS's defaults. p may be nil.
func (p *preferencesSpec) check(g region.AutoScalingGroup, into *refreshPreferences) error {
	*into = refreshPreferences{MinHealthy: 90, MaxHealthy: 100, Protected: "Wait", Standby: "Wait"}
	if g.Maintenance != nil {
		into.MinHealthy, into.MaxHealthy = g.Maintenance.MinHealthy, g.Maintenance.MaxHealthy
	}
	if p == nil {
		return nil
	}
	if p.MaxHealthyPercentage != nil && p.MinHealthyPercentage == nil {
		return invalid("MaxHealthyPercentage needs a MinHealthyPercentage.")
	}
	take(&into.MinHealthy, p.MinHealthyPercentage)
	take(&into.MaxHealthy, p.MaxHealthyPercentage)
	take(&into.Skip, p.SkipMatching)
	take(&into.Rollback, p.AutoRollback)
	take(&into.Bake, p.BakeTime)
	into.Warmup, into.Delay, into.Checkpoints = p.InstanceWarmup, p.CheckpointDelay, p.CheckpointPercentages
	if p.InstanceWarmup != nil && *p.InstanceWarmup < 0 {
		into.Warmup = nil
	}
	if p.ScaleInProtectedInstances != "" {
		into.Protected = p.ScaleInProtectedInstances
	}
	if p.StandbyInstances != "" {
		into.Standby = p.StandbyInstances
	}
	if p.AlarmSpecification != nil {
		into.Alarms = p.AlarmSpecification.Alarms
	}
	switch {
	case into.MinHealthy < 0 || into.MinHealthy > 100 || into.MaxHealthy < 100 || into.MaxHealthy > 200:
		return invalid("MinHealthyPercentage must be between 0 and 100, and MaxHealthyPercentage between 100 and 200.")
	case into.MaxHealthy-into.MinHealthy > 100:
		return invalid("The difference between MinHealthyPercentage and MaxHealthyPercentage must be at most 100.")
	case !slices.IsSorted(into.Checkpoints):
		return invalid("CheckpointPercentages must be in ascending order.")
	case into.Delay != nil && (*into.Delay < 0 || *into.Delay > 172800):
		return invalid("CheckpointDelay must be between 0 and 172800 seconds.")
	}
	return nil
}

type cancelRefreshInput struct {
	groupNamed
	Wait *bool `query:"WaitForTransitioningInstances"`
}

func (s *Service) cancelInstanceRefresh(call *operation.Call, in *cancelRefreshInput) (*refreshOutput, error) {
	return s.onRefresh(call, in.AutoScalingGroupName, func(r *instanceRefresh, _ region.AutoScalingGroup) error {
		r.Status, r.Reason = refreshCancelling, "Cancelled by a user request."
		return nil
	})
}

type rollbackInput struct{ groupNamed }

func (s *Service) rollbackInstanceRefresh(call *operation.Call, in *rollbackInput) (*refreshOutput, error) {
	now := s.now()
	return s.onRefresh(call, in.AutoScalingGroupName, func(r *instanceRefresh, g region.AutoScalingGroup) error {
		switch {
		case r.Template == nil && r.Mixed == nil:
			return refuse("IrreversibleInstanceRefresh", "The instance refresh has no desired configuration: there is nothing "+
				"to roll back to.")
		case usesAlias(g):
			return refuse("IrreversibleInstanceRefresh", "The group's launch template is at $Latest or $Default: there is no "+
				"version to roll back to.")
		case r.Status == refreshRollback:
			return refuse("ActiveInstanceRefreshNotFound", "The instance refresh is being rolled back already.")
		}
		r.Status, r.Reason, r.Moved = refreshRollback, "Rolled back by a user request.", now
		return nil
	})
}

// onRefresh changes a group's instance refresh that is under way.
func (s *Service) onRefresh(call *operation.Call, group string,
	edit func(*instanceRefresh, region.AutoScalingGroup) error) (*refreshOutput, error) {
	out := &refreshOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		g, err := s.group(tx, group)
		if err != nil {
			return err
		}
		r, under := activeRefresh(tx, g.Name)
		if !under {
			return refuse("ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found for Auto Scaling "+
				"group %s", g.Name)
		}
		if err := edit(&r, g); err != nil {
			return err
		}
		instanceRefreshes.Put(tx, r.key(), r)
		out.InstanceRefreshID = r.ID
		return nil
	})
}

type describeRefreshesInput struct {
	groupNamed
	pageInput
	IDs []string `query:"InstanceRefreshIds"`
}

type poolProgress struct{ PercentageComplete, InstancesToUpdate int }

type progressDetails struct {
	LivePoolProgress poolProgress
}

type refreshShown struct {
	InstanceRefreshID    string `xml:"InstanceRefreshId" json:"InstanceRefreshId"`
	AutoScalingGroupName string
	Status               string
	StatusReason         string `xml:",omitempty" json:",omitempty"`
	StartTime            string
	EndTime              string `xml:",omitempty" json:",omitempty"`
	PercentageComplete   int
	InstancesToUpdate    int
	ProgressDetails      progressDetails
	Preferences          preferencesSpec
	DesiredConfiguration *desiredConfiguration `json:",omitempty"`
	Strategy             string
}

type describeRefreshesOutput struct {
	InstanceRefreshes wire.QueryList[refreshShown]
	NextToken         string `xml:",omitempty" json:",omitempty"`
}

func (r instanceRefresh) shown() refreshShown {
	p := r.Preferences
	out := refreshShown{InstanceRefreshID: r.ID, AutoScalingGroupName: r.Group, Status: r.Status, StatusReason: r.Reason,
		StartTime: stamp(r.Start), EndTime: stamp(r.End), PercentageComplete: r.percentage(), InstancesToUpdate: r.Left,
		Strategy: "Rolling",
		Preferences: preferencesSpec{MinHealthyPercentage: &p.MinHealthy, MaxHealthyPercentage: &p.MaxHealthy,
			InstanceWarmup: p.Warmup, CheckpointPercentages: p.Checkpoints, CheckpointDelay: p.Delay, SkipMatching: &p.Skip,
			AutoRollback: &p.Rollback, ScaleInProtectedInstances: p.Protected, StandbyInstances: p.Standby, BakeTime: &p.Bake}}
	out.ProgressDetails.LivePoolProgress = poolProgress{out.PercentageComplete, out.InstancesToUpdate}
	if len(p.Alarms) > 0 {
		out.Preferences.AlarmSpecification = &alarms{p.Alarms}
	}
	if r.Template != nil || r.Mixed != nil {
		out.DesiredConfiguration = &desiredConfiguration{shownTemplate(r.Template), shownMixed(r.Mixed)}
	}
	return out
}

func (s *Service) describeInstanceRefreshes(call *operation.Call,
	in *describeRefreshesInput) (*describeRefreshesOutput, error) {
	var all []refreshShown
	err := s.State.View(func(tx *state.Txn) error {
		_, err := s.group(tx, in.AutoScalingGroupName)
		for _, r := range refreshesOf(tx, in.AutoScalingGroupName) {
			if len(in.IDs) == 0 || slices.Contains(in.IDs, r.ID) {
				all = append(all, r.shown())
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.Reverse(all) // the newest first, of which there are so few that they are one page
	page, token, err := cut(call, in.pageInput, 50, all, func(r refreshShown) string { return r.StartTime + r.InstanceRefreshID })
	slices.Reverse(page)
	return &describeRefreshesOutput{page, token}, err
}
