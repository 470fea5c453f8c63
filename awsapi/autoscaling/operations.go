package autoscaling

import (
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// actions are the operations that Tripod has.
func (s *Service) actions() map[string]operation.Action {
	return map[string]operation.Action{
		"CreateAutoScalingGroup":              onGroup(s, s.createGroup),
		"UpdateAutoScalingGroup":              onGroup(s, s.updateGroup),
		"DeleteAutoScalingGroup":              onGroup(s, s.deleteGroup),
		"DescribeAutoScalingGroups":           operation.QueryOf(Name, s.describeGroups),
		"DescribeAutoScalingInstances":        operation.QueryOf(Name, s.describeInstances),
		"SetDesiredCapacity":                  onGroup(s, s.setDesiredCapacity),
		"TerminateInstanceInAutoScalingGroup": onGroup(s, s.terminateInstance),
		"AttachInstances":                     onGroup(s, s.attachInstances),
		"DetachInstances":                     onGroup(s, s.detachInstances),
		"EnterStandby":                        onGroup(s, s.enterStandby),
		"ExitStandby":                         onGroup(s, s.exitStandby),
		"SetInstanceHealth":                   onGroup(s, s.setInstanceHealth),
		"SetInstanceProtection":               onGroup(s, s.setInstanceProtection),
		"SuspendProcesses":                    onGroup(s, s.suspendProcesses),
		"ResumeProcesses":                     onGroup(s, s.resumeProcesses),

		"PutLifecycleHook":               onGroup(s, s.putLifecycleHook),
		"DescribeLifecycleHooks":         operation.QueryOf(Name, s.describeLifecycleHooks),
		"DeleteLifecycleHook":            onGroup(s, s.deleteLifecycleHook),
		"CompleteLifecycleAction":        onGroup(s, s.completeLifecycleAction),
		"RecordLifecycleActionHeartbeat": onGroup(s, s.recordHeartbeat),

		"CreateOrUpdateTags":        decoded(s.createTags),
		"DeleteTags":                decoded(s.deleteTags),
		"DescribeTags":              operation.QueryOf(Name, s.describeTags),
		"DescribeScalingActivities": operation.QueryOf(Name, s.describeActivities),

		"CreateLaunchConfiguration":    decoded(s.createLaunchConfiguration),
		"DescribeLaunchConfigurations": operation.QueryOf(Name, s.describeLaunchConfigurations),
		"DeleteLaunchConfiguration":    decoded(s.deleteLaunchConfiguration),

		"StartInstanceRefresh":      onGroup(s, s.startInstanceRefresh),
		"CancelInstanceRefresh":     onGroup(s, s.cancelInstanceRefresh),
		"RollbackInstanceRefresh":   onGroup(s, s.rollbackInstanceRefresh),
		"DescribeInstanceRefreshes": operation.QueryOf(Name, s.describeInstanceRefreshes),

		"PutScalingPolicy": onGroup(s, s.putScalingPolicy),
		"DescribePolicies": operation.QueryOf(Name, s.describePolicies),
		"DeletePolicy":     onGroup(s, s.deletePolicy),
		"ExecutePolicy":    onGroup(s, s.executePolicy),

		"PutScheduledUpdateGroupAction":      onGroup(s, s.putScheduledAction),
		"BatchPutScheduledUpdateGroupAction": onGroup(s, s.batchPutScheduledAction),
		"DescribeScheduledActions":           operation.QueryOf(Name, s.describeScheduledActions),
		"DeleteScheduledAction":              onGroup(s, s.deleteScheduledAction),
		"BatchDeleteScheduledAction":         onGroup(s, s.batchDeleteScheduledAction),

		"PutNotificationConfiguration":       onGroup(s, s.putNotification),
		"DescribeNotificationConfigurations": operation.QueryOf(Name, s.describeNotifications),
		"DeleteNotificationConfiguration":    onGroup(s, s.deleteNotification),
		"PutWarmPool":                        onGroup(s, s.putWarmPool),
		"DescribeWarmPool":                   operation.QueryOf(Name, s.describeWarmPool),
		"DeleteWarmPool":                     onGroup(s, s.deleteWarmPool),
		"EnableMetricsCollection":            onGroup(s, s.enableMetrics),
		"DisableMetricsCollection":           onGroup(s, s.disableMetrics),

		"AttachLoadBalancers":              onGroup(s, s.attachLoadBalancers),
		"DetachLoadBalancers":              onGroup(s, s.detachLoadBalancers),
		"DescribeLoadBalancers":            operation.QueryOf(Name, s.describeLoadBalancers),
		"AttachLoadBalancerTargetGroups":   onGroup(s, s.attachTargetGroups),
		"DetachLoadBalancerTargetGroups":   onGroup(s, s.detachTargetGroups),
		"DescribeLoadBalancerTargetGroups": operation.QueryOf(Name, s.describeTargetGroups),
		"AttachTrafficSources":             onGroup(s, s.attachTrafficSources),
		"DetachTrafficSources":             onGroup(s, s.detachTrafficSources),
		"DescribeTrafficSources":           operation.QueryOf(Name, s.describeTrafficSources),

		"DescribeAccountLimits":                operation.QueryOf(Name, s.describeAccountLimits),
		"DescribeAdjustmentTypes":              operation.QueryOf(Name, describeAdjustmentTypes),
		"DescribeAutoScalingNotificationTypes": operation.QueryOf(Name, describeNotificationTypes),
		"DescribeLifecycleHookTypes":           operation.QueryOf(Name, describeLifecycleHookTypes),
		"DescribeMetricCollectionTypes":        operation.QueryOf(Name, describeMetricTypes),
		"DescribeScalingProcessTypes":          operation.QueryOf(Name, describeProcessTypes),
		"DescribeTerminationPolicyTypes":       operation.QueryOf(Name, describeTerminationPolicies),
	}
}

// groupNamed is the input of an operation on one group.
type groupNamed struct{ AutoScalingGroupName string }

func (n groupNamed) groupName(*state.Txn) string { return n.AutoScalingGroupName }

// keyed are inputs that bring condition keys beside the request's.
type keyed interface{ keys() iam.Keys }

// onGroup makes an action of a function on one group: it asks for the service's permission of the operation's name on
// that group, whose tags are condition keys.
func onGroup[In, Out any, P interface {
	*In
	groupName(tx *state.Txn) string
}](s *Service, run func(*operation.Call, *In) (*Out, error)) operation.Action {
	return func(call *operation.Call) (any, error) {
		in := new(In)
		if err := wire.DecodeQuery(call.Params, in); err != nil {
			return nil, err
		}
		var arn string
		var about []iam.Keys
		err := s.State.View(func(tx *state.Txn) error {
			name := P(in).groupName(tx)
			arn = s.groupARN("*", name)
			if g, found := region.AutoScalingGroups.Get(tx, name); found {
				arn = g.ARN
				about = append(about, iam.TagKeys("aws:ResourceTag", tagMap(g)), iam.TagKeys("autoscaling:ResourceTag", tagMap(g)))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if own, has := any(in).(keyed); has {
			about = append(about, own.keys())
		}
		if err := call.Authorize(wire.Query, Name+":"+call.Operation, arn, about...); err != nil {
			return nil, err
		}
		return run(call, in)
	}
}

// decoded makes an action of a function that authorizes the call itself.
func decoded[In, Out any](run func(*operation.Call, *In) (*Out, error)) operation.Action {
	return func(call *operation.Call) (any, error) {
		in := new(In)
		if err := wire.DecodeQuery(call.Params, in); err != nil {
			return nil, err
		}
		return run(call, in)
	}
}

// groupARN is a group's; uuid is its own, or * where there is no such group.
func (s *Service) groupARN(uuid, name string) string {
	return s.arn("autoScalingGroup:" + uuid + ":autoScalingGroupName/" + name)
}

// arn is that of a resource.
func (s *Service) arn(resource string) string {
	return "arn:aws:autoscaling:" + s.Network.VPC.Region + ":" + s.Network.VPC.AccountID + ":" + resource
}
