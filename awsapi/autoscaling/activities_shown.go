package autoscaling

import (
	"slices"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

type activityOutput struct {
	ActivityID           string `xml:"ActivityId" json:"ActivityId"`
	AutoScalingGroupName string
	Description          string
	Cause                string
	StartTime            string
	EndTime              string `xml:",omitempty" json:",omitempty"`
	StatusCode           string
	StatusMessage        string `xml:",omitempty" json:",omitempty"`
	Progress             int
	Details              string
	AutoScalingGroupARN  string
	GroupState           string `xml:"AutoScalingGroupState,omitempty" json:"AutoScalingGroupState,omitempty"`
}

func shownActivity(a region.ScalingActivity) activityOutput {
	return activityOutput{ActivityID: a.ID, AutoScalingGroupName: a.Group, Description: a.Description, Cause: a.Cause,
		StartTime: stamp(a.Start), EndTime: stamp(a.End), StatusCode: a.Status, StatusMessage: a.Message,
		Progress: a.Progress, Details: details(a), AutoScalingGroupARN: a.GroupARN}
}

type describeActivitiesInput struct {
	pageInput
	ActivityIDs          []string `query:"ActivityIds"`
	AutoScalingGroupName string
	IncludeDeletedGroups *bool
	Filters              []filter
}

type describeActivitiesOutput struct {
	Activities wire.QueryList[activityOutput]
	NextToken  string `xml:",omitempty" json:",omitempty"`
}

func (s *Service) describeActivities(call *operation.Call, in *describeActivitiesInput) (*describeActivitiesOutput,
	error) {
	now := s.now()
	deleted := in.IncludeDeletedGroups != nil && *in.IncludeDeletedGroups
	out := &describeActivitiesOutput{}
	err := s.State.View(func(tx *state.Txn) (err error) {
		var all []region.ScalingActivity
		if name := in.AutoScalingGroupName; name != "" {
			all = region.ActivitiesOf(tx, name)
			_, found := region.AutoScalingGroups.Get(tx, name)
			if !found && !s.isSimulated(tx, name) && !(deleted && len(all) > 0) {
				return invalid("AutoScalingGroup name not found - AutoScalingGroup %s not found", wire.Clip(name))
			}
		} else {
			all = region.ScalingActivities.List(tx)
		}
		gone := map[string]bool{} // by the group's ARN
		for _, a := range all {
			if _, known := gone[a.GroupARN]; !known {
				g, found := region.AutoScalingGroups.Get(tx, a.Group)
				gone[a.GroupARN] = !found || g.ARN != a.GroupARN
			}
		}
		all = slices.DeleteFunc(all, func(a region.ScalingActivity) bool {
			return gone[a.GroupARN] && !deleted || now.Sub(a.Start) > activitiesLast ||
				len(in.ActivityIDs) > 0 && !slices.Contains(in.ActivityIDs, a.ID) || !in.passes(a)
		})
		slices.SortStableFunc(all, func(a, b region.ScalingActivity) int { return b.Start.Compare(a.Start) })
		page, token, err := s.activitiesPage(call, in.pageInput, all)
		out.NextToken = token
		out.Activities = nil
		for _, a := range page {
			shown := shownActivity(a)
			if gone[a.GroupARN] {
				shown.GroupState = "Deleted"
			}
			out.Activities = append(out.Activities, shown)
		}
		return err
	})
	return out, err
}

// passes says whether an activity passes the filters: StartTimeLowerBound, StartTimeUpperBound and Status.
func (in *describeActivitiesInput) passes(a region.ScalingActivity) bool {
	for _, f := range in.Filters {
		var fits bool
		switch f.Name {
		case "Status":
			fits = slices.Contains(f.Values, a.Status)
		case "StartTimeLowerBound":
			fits = len(f.Values) > 0 && stamp(a.Start) >= f.Values[0]
		case "StartTimeUpperBound":
			fits = len(f.Values) > 0 && stamp(a.Start) <= f.Values[0]
		}
		if !fits {
			return false
		}
	}
	return true
}

// activitiesPage is a page of activities, the newest first. A token names the last one, so that new ones shift nothing.
func (s *Service) activitiesPage(call *operation.Call, in pageInput,
	all []region.ScalingActivity) (page []region.ScalingActivity, token string, err error) {
	size := 100
	if in.MaxRecords != nil {
		size = *in.MaxRecords
	}
	if size < 1 || size > 100 {
		return nil, "", invalid("MaxRecords must be a number from 1 to 100.")
	}
	if in.NextToken != "" {
		last, ok := wire.AfterToken(call.Operation, in.NextToken)
		i := slices.IndexFunc(all, func(a region.ScalingActivity) bool { return a.ID == last })
		if !ok || i < 0 {
			return nil, "", refuse("InvalidNextToken", "The NextToken is not one that %s returned: start again without it.",
				call.Operation)
		}
		all = all[i+1:]
	}
	if len(all) <= size {
		return all, "", nil
	}
	return all[:size], wire.Token(call.Operation, all[size-1].ID), nil
}
