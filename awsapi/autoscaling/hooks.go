package autoscaling

import (
	"cmp"
	"slices"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// maxHooks is how many lifecycle hooks a group may have.
const maxHooks = 50

type putHookInput struct {
	groupNamed
	hookSpec
}

func (s *Service) putLifecycleHook(call *operation.Call, in *putHookInput) (*none, error) {
	return change(s, call, &none{}, func(tx *state.Txn) error {
		g, err := s.liveGroup(tx, in.AutoScalingGroupName)
		if err != nil {
			return err
		}
		if err := putHook(&g, in.hookSpec); err != nil {
			return err
		}
		region.AutoScalingGroups.Put(tx, g.Name, g)
		return nil
	})
}

// putHook adds a hook to a group, or changes it.
func putHook(g *region.AutoScalingGroup, in hookSpec) error {
	h := region.LifecycleHook{Name: in.LifecycleHookName, HeartbeatTimeout: 3600, DefaultResult: region.HookAbandon}
	at := slices.IndexFunc(g.Hooks, func(h region.LifecycleHook) bool { return h.Name == in.LifecycleHookName })
	if at >= 0 {
		h = g.Hooks[at]
	}
	if in.LifecycleTransition != "" {
		h.Transition = in.LifecycleTransition
	}
	take(&h.HeartbeatTimeout, in.HeartbeatTimeout)
	take(&h.DefaultResult, in.DefaultResult)
	take(&h.NotificationARN, in.NotificationTargetARN)
	take(&h.Role, in.RoleARN)
	take(&h.Metadata, in.NotificationMetadata)
	switch {
	case h.Name == "":
		return invalid("LifecycleHookName is required.")
	case h.Transition != region.HookLaunching && h.Transition != region.HookTerminating:
		return invalid("Lifecycle transition must be %s or %s.", region.HookLaunching, region.HookTerminating)
	case h.DefaultResult != region.HookContinue && h.DefaultResult != region.HookAbandon:
		return invalid("Default Result must be ABANDON or CONTINUE.")
	case h.HeartbeatTimeout < 30 || h.HeartbeatTimeout > 7200:
		return invalid("Heartbeat Timeout must be between 30 and 7200 seconds.")
	case at < 0 && len(g.Hooks) >= maxHooks:
		return refuse("LimitExceeded", "The Auto Scaling group has %d lifecycle hooks: delete some first.", maxHooks)
	}
	h.GlobalTimeout = min(172800, 100*h.HeartbeatTimeout)
	if at >= 0 {
		g.Hooks = slices.Clone(g.Hooks)
		g.Hooks[at] = h
		return nil
	}
	g.Hooks = append(slices.Clone(g.Hooks), h)
	slices.SortFunc(g.Hooks, func(a, b region.LifecycleHook) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

type describeHooksInput struct {
	groupNamed
	LifecycleHookNames []string
}

type hookOutput struct {
	LifecycleHookName, AutoScalingGroupName string
	LifecycleTransition                     string
	NotificationTargetARN                   string `xml:",omitempty" json:",omitempty"`
	RoleARN                                 string `xml:",omitempty" json:",omitempty"`
	NotificationMetadata                    string `xml:",omitempty" json:",omitempty"`
	HeartbeatTimeout, GlobalTimeout         int
	DefaultResult                           string
}

type describeHooksOutput struct {
	LifecycleHooks wire.QueryList[hookOutput]
}

func (s *Service) describeLifecycleHooks(_ *operation.Call, in *describeHooksInput) (*describeHooksOutput, error) {
	out := &describeHooksOutput{}
	err := s.State.View(func(tx *state.Txn) error {
		g, err := s.group(tx, in.AutoScalingGroupName)
		for _, h := range g.Hooks {
			if len(in.LifecycleHookNames) == 0 || slices.Contains(in.LifecycleHookNames, h.Name) {
				out.LifecycleHooks = append(out.LifecycleHooks, hookOutput{h.Name, g.Name, h.Transition, h.NotificationARN, h.Role,
					h.Metadata, h.HeartbeatTimeout, h.GlobalTimeout, h.DefaultResult})
			}
		}
		return err
	})
	return out, err
}

type hookInput struct {
	groupNamed
	LifecycleHookName string
}

func (s *Service) deleteLifecycleHook(call *operation.Call, in *hookInput) (*none, error) {
	now := s.now()
	return change(s, call, &none{}, func(tx *state.Txn) error {
		g, err := s.liveGroup(tx, in.AutoScalingGroupName)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(g.Hooks, func(h region.LifecycleHook) bool { return h.Name == in.LifecycleHookName })
		if at < 0 {
			return invalid("No Lifecycle Hook found with name %s", wire.Clip(in.LifecycleHookName))
		}
		result := region.HookContinue // actions under way end: a launch is abandoned, a termination goes on
		if g.Hooks[at].Transition == region.HookLaunching {
			result = region.HookAbandon
		}
		for _, m := range region.MembersOf(tx, g.Name) {
			region.CompleteAction(tx, g.Name, m.InstanceID, in.LifecycleHookName, "", result, now)
		}
		g.Hooks = slices.Delete(slices.Clone(g.Hooks), at, at+1)
		region.AutoScalingGroups.Put(tx, g.Name, g)
		return nil
	})
}

type actionInput struct {
	hookInput
	Token      string `query:"LifecycleActionToken"`
	InstanceID string `query:"InstanceId"`
}

type completeInput struct {
	actionInput
	Result string `query:"LifecycleActionResult,required"`
}

func (s *Service) completeLifecycleAction(call *operation.Call, in *completeInput) (*none, error) {
	if in.Result != region.HookContinue && in.Result != region.HookAbandon {
		return nil, invalid("Lifecycle action result must be ABANDON or CONTINUE.")
	}
	return s.onAction(call, in.actionInput, func(tx *state.Txn, id string) bool {
		return region.CompleteAction(tx, in.AutoScalingGroupName, id, in.LifecycleHookName, in.Token, in.Result, s.now())
	})
}

func (s *Service) recordHeartbeat(call *operation.Call, in *actionInput) (*none, error) {
	return s.onAction(call, *in, func(tx *state.Txn, id string) bool {
		return region.ExtendAction(tx, in.AutoScalingGroupName, id, in.LifecycleHookName, in.Token, s.now())
	})
}

// onAction does something to the lifecycle action that is named by its token or its instance.
func (s *Service) onAction(call *operation.Call, in actionInput, do func(tx *state.Txn, id string) bool) (*none, error) {
	if in.Token == "" && in.InstanceID == "" {
		return nil, invalid("Either a LifecycleActionToken or an InstanceId is required.")
	}
	return change(s, call, &none{}, func(tx *state.Txn) error {
		g, err := s.group(tx, in.AutoScalingGroupName)
		if err != nil {
			return err
		}
		if in.InstanceID != "" {
			if !do(tx, in.InstanceID) {
				return invalid("No active Lifecycle Action found with instance ID %s", wire.Clip(in.InstanceID))
			}
			return nil
		}
		for _, m := range region.MembersOf(tx, g.Name) {
			if do(tx, m.InstanceID) {
				return nil
			}
		}
		return invalid("No active Lifecycle Action found with token %s", wire.Clip(in.Token))
	})
}
