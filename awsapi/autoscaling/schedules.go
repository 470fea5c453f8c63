package autoscaling

import (
	"errors"
	"slices"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// maxActions is how many scheduled actions a group may have.
const maxActions = 125

type actionSpec struct {
	ScheduledActionName string
	StartTime, EndTime  string
	Recurrence          string
	MinSize, MaxSize    *int
	DesiredCapacity     *int
	TimeZone            string
}

type putActionInput struct {
	groupNamed
	actionSpec
	Time string // an earlier name of StartTime
}

func (s *Service) putScheduledAction(call *operation.Call, in *putActionInput) (*none, error) {
	if in.StartTime == "" {
		in.StartTime = in.Time
	}
	now := s.now()
	return change(s, call, &none{}, func(tx *state.Txn) error { return s.schedule(tx, in.AutoScalingGroupName, in.actionSpec, now) })
}

// schedule writes a scheduled action of a group, new or changed.
func (s *Service) schedule(tx *state.Txn, group string, in actionSpec, now time.Time) error {
	g, err := s.liveGroup(tx, group)
	if err != nil {
		return err
	}
	a := scheduledAction{Group: g.Name, Name: in.ScheduledActionName}
	if was, found := scheduledActions.Get(tx, a.key()); found {
		a = was
	} else if len(actionsOf(tx, g.Name)) >= maxActions {
		return refuse("LimitExceeded", "The Auto Scaling group has %d scheduled actions: delete some first.", maxActions)
	}
	if a.ARN == "" {
		a.ARN = s.arn("scheduledUpdateGroupAction:" + wire.NewRequestID() + ":autoScalingGroupName/" + g.Name + ":scheduledActionName/" +
			a.Name)
	}
	a.Min, a.Max, a.Desired = in.MinSize, in.MaxSize, in.DesiredCapacity
	a.Recurrence, a.TimeZone = in.Recurrence, in.TimeZone
	if a.Start, err = parseTime("StartTime", in.StartTime); err != nil {
		return err
	}
	if a.End, err = parseTime("EndTime", in.EndTime); err != nil {
		return err
	}
	if err := a.check(now); err != nil {
		return err
	}
	a.Next = a.following(now)
	scheduledActions.Put(tx, a.key(), a)
	return nil
}

// parseTime reads a time of the query protocol; none is the zero time.
func parseTime(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, invalid("%s must be a time such as 2026-01-02T03:04:05Z.", name)
}

func (a scheduledAction) check(now time.Time) error {
	_, recurs := parseCron(a.Recurrence)
	_, place := time.LoadLocation(a.TimeZone)
	switch {
	case a.Recurrence != "" && !recurs:
		return invalid("Given recurrence string:%s is invalid", wire.Clip(a.Recurrence))
	case a.TimeZone != "" && place != nil:
		return invalid("Given timezone %s is invalid", wire.Clip(a.TimeZone))
	case a.Min == nil && a.Max == nil && a.Desired == nil:
		return invalid("You must specify at least one of MinSize, MaxSize and DesiredCapacity.")
	case a.Min != nil && a.Max != nil && *a.Min > *a.Max:
		return invalid("Max bound, %d, must be greater than or equal to min bound, %d", *a.Max, *a.Min)
	case a.Recurrence == "" && a.Start.IsZero():
		return invalid("Either a StartTime or a Recurrence is required.")
	case a.Recurrence == "" && a.Start.Before(now):
		return invalid("Given start time is in the past")
	case !a.End.IsZero() && (a.End.Before(now) || a.End.Before(a.Start)):
		return invalid("Given end time is in the past, or before the start time")
	}
	return nil
}

type batchPutInput struct {
	groupNamed
	Actions []actionSpec `query:"ScheduledUpdateGroupActions"`
}

type failedAction struct{ ScheduledActionName, ErrorCode, ErrorMessage string }

type batchPutOutput struct {
	Failed wire.QueryList[failedAction] `xml:"FailedScheduledUpdateGroupActions" json:"FailedScheduledUpdateGroupActions"`
}

// batchPutScheduledAction writes those that it can, and says of each other why not.
func (s *Service) batchPutScheduledAction(call *operation.Call, in *batchPutInput) (*batchPutOutput, error) {
	now := s.now()
	out := &batchPutOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		out.Failed = nil
		if _, err := s.liveGroup(tx, in.AutoScalingGroupName); err != nil {
			return err
		}
		for _, one := range in.Actions {
			var refused *wire.Error
			if err := s.schedule(tx, in.AutoScalingGroupName, one, now); errors.As(err, &refused) {
				out.Failed = append(out.Failed, failedAction{one.ScheduledActionName, refused.Code, refused.Message})
			} else if err != nil {
				return err
			}
		}
		return nil
	})
}

type describeActionsInput struct {
	groupNamed
	pageInput
	ScheduledActionNames []string
	StartTime, EndTime   string
}

type actionShown struct {
	AutoScalingGroupName, ScheduledActionName, ScheduledActionARN string
	Time                                                          string `xml:",omitempty" json:",omitempty"`
	StartTime                                                     string `xml:",omitempty" json:",omitempty"`
	EndTime                                                       string `xml:",omitempty" json:",omitempty"`
	Recurrence                                                    string `xml:",omitempty" json:",omitempty"`
	MinSize                                                       *int   `json:",omitempty"`
	MaxSize                                                       *int   `json:",omitempty"`
	DesiredCapacity                                               *int   `json:",omitempty"`
	TimeZone                                                      string `xml:",omitempty" json:",omitempty"`
}

type describeActionsOutput struct {
	Actions   wire.QueryList[actionShown] `xml:"ScheduledUpdateGroupActions" json:"ScheduledUpdateGroupActions"`
	NextToken string                      `xml:",omitempty" json:",omitempty"`
}

// shown is the action as DescribeScheduledActions shows it: a recurring one starts when it acts next.
func (a scheduledAction) shown() actionShown {
	start := a.Start
	if a.Recurrence != "" && !a.Next.IsZero() && a.Start.IsZero() {
		start = a.Next
	}
	return actionShown{a.Group, a.Name, a.ARN, stamp(start), stamp(start), stamp(a.End), a.Recurrence, a.Min, a.Max, a.Desired,
		a.TimeZone}
}

func (s *Service) describeScheduledActions(call *operation.Call, in *describeActionsInput) (*describeActionsOutput,
	error) {
	from, err := parseTime("StartTime", in.StartTime)
	if err != nil {
		return nil, err
	}
	to, err := parseTime("EndTime", in.EndTime)
	if err != nil {
		return nil, err
	}
	var all []actionShown
	err = s.State.View(func(tx *state.Txn) error {
		if in.AutoScalingGroupName != "" {
			if _, err := s.group(tx, in.AutoScalingGroupName); err != nil {
				return err
			}
		}
		actions := scheduledActions.List
		if in.AutoScalingGroupName != "" {
			actions = func(tx *state.Txn) []scheduledAction { return actionsOf(tx, in.AutoScalingGroupName) }
		}
		for _, a := range actions(tx) {
			if len(in.ScheduledActionNames) > 0 && !slices.Contains(in.ScheduledActionNames, a.Name) ||
				!from.IsZero() && a.Next.Before(from) || !to.IsZero() && a.Next.After(to) {
				continue
			}
			all = append(all, a.shown())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &describeActionsOutput{}
	out.Actions, out.NextToken, err = cut(call, in.pageInput, 50, all,
		func(a actionShown) string { return a.AutoScalingGroupName + "/" + a.ScheduledActionName })
	return out, err
}

type scheduledActionInput struct {
	groupNamed
	ScheduledActionName string
}

func (s *Service) deleteScheduledAction(call *operation.Call, in *scheduledActionInput) (*none, error) {
	return change(s, call, &none{}, func(tx *state.Txn) error {
		a := scheduledAction{Group: in.AutoScalingGroupName, Name: in.ScheduledActionName}
		if _, found := scheduledActions.Get(tx, a.key()); !found {
			return invalid("Scheduled action name not found")
		}
		scheduledActions.Delete(tx, a.key())
		return nil
	})
}

type batchDeleteInput struct {
	groupNamed
	ScheduledActionNames []string
}

type batchDeleteOutput struct {
	Failed wire.QueryList[failedAction] `xml:"FailedScheduledActions" json:"FailedScheduledActions"`
}

func (s *Service) batchDeleteScheduledAction(call *operation.Call, in *batchDeleteInput) (*batchDeleteOutput, error) {
	out := &batchDeleteOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		out.Failed = nil
		if _, found := region.AutoScalingGroups.Get(tx, in.AutoScalingGroupName); !found {
			return noGroup(in.AutoScalingGroupName)
		}
		for _, name := range in.ScheduledActionNames {
			a := scheduledAction{Group: in.AutoScalingGroupName, Name: name}
			if _, found := scheduledActions.Get(tx, a.key()); !found {
				out.Failed = append(out.Failed, failedAction{name, "ValidationError", "Scheduled action name not found"})
			}
			scheduledActions.Delete(tx, a.key())
		}
		return nil
	})
}
