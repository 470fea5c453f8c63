package autoscaling

import (
	"encoding/json"
	"slices"

	"tripod/awsapi/events"
	"tripod/awsapi/wire"
	"tripod/region"
)

// The types of events that EventBridge is told of a group: "Amazon EC2 Auto Scaling event reference" of its guide.
const (
	launchWaits       = "EC2 Instance-launch Lifecycle Action"
	launchSucceeded   = "EC2 Instance Launch Successful"
	launchFailed      = "EC2 Instance Launch Unsuccessful"
	terminateWaits    = "EC2 Instance-terminate Lifecycle Action"
	terminateFinished = "EC2 Instance Terminate Successful"
)

// direction is from where to where an instance goes, in a lifecycle action or in its activity.
type direction struct{ Origin, Destination string }

var (
	into  = direction{"EC2", "AutoScalingGroup"}
	outOf = direction{"AutoScalingGroup", "EC2"}
)

// lifecycleDetail is the detail of an event about a lifecycle action.
type lifecycleDetail struct {
	LifecycleActionToken, AutoScalingGroupName, LifecycleHookName string
	EC2InstanceID                                                 string `json:"EC2InstanceId"`
	LifecycleTransition                                           string
	NotificationMetadata                                          string `json:",omitempty"`
	direction
}

// activityDetail is the detail of an event about a launch or a termination that is over.
type activityDetail struct {
	StatusCode, Description, AutoScalingGroupName string
	ActivityID                                    string `json:"ActivityId"`
	Details                                       json.RawMessage
	RequestID                                     string `json:"RequestId"`
	StatusMessage, EndTime                        string
	EC2InstanceID                                 string `json:"EC2InstanceId"`
	StartTime, Cause                              string
	direction
}

// tell tells EventBridge, in the transaction that makes it true, if somebody listens.
func (c *scene) tell(kind string, resources []string, detail any) {
	if c.Events != nil {
		c.Events(c.tx, events.Event{Source: "aws.autoscaling", DetailType: kind, Time: c.now, Resources: resources, Detail: detail})
	}
}

// tellActions tells of the lifecycle actions for which a member has begun to wait.
func (c *scene) tellActions(m *member) {
	kind, transition, way := launchWaits, region.HookLaunching, into
	if m.State == region.MemberTerminatingWait {
		kind, transition, way = terminateWaits, region.HookTerminating, outOf
	}
	for _, a := range m.Actions {
		detail := lifecycleDetail{LifecycleActionToken: a.Token, AutoScalingGroupName: c.g.Name, LifecycleHookName: a.Hook,
			EC2InstanceID: m.InstanceID, LifecycleTransition: transition, direction: way}
		if at := slices.IndexFunc(c.g.Hooks, func(h region.LifecycleHook) bool { return h.Name == a.Hook }); at >= 0 {
			detail.NotificationMetadata = c.g.Hooks[at].Metadata
		}
		c.tell(kind, []string{c.g.ARN}, detail)
	}
}

// tellOf tells of a launch or a termination that is over. AWS calls one that has succeeded InProgress.
func (c *scene) tellOf(kind string, a region.ScalingActivity) {
	way, status := into, "InProgress"
	switch kind {
	case terminateFinished:
		way = outOf
	case launchFailed:
		status = "Failed"
	}
	resources := []string{c.g.ARN}
	if a.Instance != "" {
		resources = append(resources, "arn:aws:ec2:"+c.Network.VPC.Region+":"+c.Network.VPC.AccountID+":instance/"+a.Instance)
	}
	c.tell(kind, resources, activityDetail{StatusCode: status, Description: a.Description, AutoScalingGroupName: c.g.Name,
		ActivityID: a.ID, Details: json.RawMessage(details(a)), RequestID: wire.NewRequestID(), StatusMessage: a.Message,
		EndTime: stamp(a.End), EC2InstanceID: a.Instance, StartTime: stamp(a.Start), Cause: a.Cause, direction: way})
}
