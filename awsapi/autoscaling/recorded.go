package autoscaling

import (
	"cmp"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// What stands here is recorded and shown, and nothing acts on it: notifications, warm pools, group metrics.

// notification is one kind of event that a topic is to be told of.
type notification struct {
	Group string `json:"group"`
	Topic string `json:"topic"`
	Kind  string `json:"kind"`
}

// notifications are by group, topic and kind.
var notifications = state.NewTable[notification]("auto-scaling-notification")

func (n notification) key() string { return n.Group + "/" + n.Topic + "/" + n.Kind }

func notificationsOf(tx *state.Txn, group string) []notification {
	return slices.DeleteFunc(notifications.Under(tx, group+"/"), func(n notification) bool { return n.Group != group })
}

var notificationTypes = []string{"autoscaling:EC2_INSTANCE_LAUNCH", "autoscaling:EC2_INSTANCE_LAUNCH_ERROR",
	"autoscaling:EC2_INSTANCE_TERMINATE", "autoscaling:EC2_INSTANCE_TERMINATE_ERROR", "autoscaling:TEST_NOTIFICATION"}

type putNotificationInput struct {
	groupNamed
	TopicARN          string
	NotificationTypes []string
}

func (s *Service) putNotification(call *operation.Call, in *putNotificationInput) (*none, error) {
	for _, kind := range in.NotificationTypes {
		if !slices.Contains(notificationTypes, kind) {
			return nil, invalid("%q is not a valid Notification Type: the valid ones are [%s].", wire.Clip(kind),
				strings.Join(notificationTypes, ", "))
		}
	}
	return change(s, call, &none{}, func(tx *state.Txn) error {
		g, err := s.liveGroup(tx, in.AutoScalingGroupName)
		if err != nil {
			return err
		}
		for _, n := range notificationsOf(tx, g.Name) {
			if n.Topic == in.TopicARN {
				notifications.Delete(tx, n.key())
			}
		}
		for _, kind := range in.NotificationTypes {
			n := notification{g.Name, in.TopicARN, kind}
			notifications.Put(tx, n.key(), n)
		}
		return nil
	})
}

type deleteNotificationInput struct {
	groupNamed
	TopicARN string
}

func (s *Service) deleteNotification(call *operation.Call, in *deleteNotificationInput) (*none, error) {
	return change(s, call, &none{}, func(tx *state.Txn) error {
		g, err := s.liveGroup(tx, in.AutoScalingGroupName)
		if err != nil {
			return err
		}
		found := false
		for _, n := range notificationsOf(tx, g.Name) {
			if n.Topic == in.TopicARN {
				notifications.Delete(tx, n.key())
				found = true
			}
		}
		if !found {
			return invalid("No notification configuration found for %s", wire.Clip(in.TopicARN))
		}
		return nil
	})
}

type describeNotificationsInput struct {
	pageInput
	AutoScalingGroupNames []string
}

type notificationShown struct{ AutoScalingGroupName, TopicARN, NotificationType string }

type notificationsOutput struct {
	NotificationConfigurations wire.QueryList[notificationShown]
	NextToken                  string `xml:",omitempty" json:",omitempty"`
}

func (s *Service) describeNotifications(call *operation.Call, in *describeNotificationsInput) (*notificationsOutput,
	error) {
	var all []notificationShown
	err := s.State.View(func(tx *state.Txn) error {
		for _, n := range notifications.List(tx) {
			if len(in.AutoScalingGroupNames) == 0 || slices.Contains(in.AutoScalingGroupNames, n.Group) {
				all = append(all, notificationShown{n.Group, n.Topic, n.Kind})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &notificationsOutput{}
	out.NotificationConfigurations, out.NextToken, err = cut(call, in.pageInput, 50, all,
		func(n notificationShown) string {
			return n.AutoScalingGroupName + "/" + n.TopicARN + "/" + n.NotificationType
		})
	return out, err
}

type reusePolicy struct {
	ReuseOnScaleIn *bool `json:",omitempty"`
}

type putPoolInput struct {
	groupNamed
	MaxGroupPreparedCapacity *int
	MinSize                  *int
	PoolState                *string
	InstanceReusePolicy      *reusePolicy
}

type warmPoolOutput struct {
	MaxGroupPreparedCapacity *int `json:",omitempty"`
	MinSize                  int
	PoolState                string
	InstanceReusePolicy      *reusePolicy `json:",omitempty"`
}

func shownPool(p *region.WarmPool) *warmPoolOutput {
	if p == nil {
		return nil
	}
	out := &warmPoolOutput{MaxGroupPreparedCapacity: p.MaxPrepared, MinSize: p.Min, PoolState: p.State}
	if p.Reuse != nil {
		out.InstanceReusePolicy = &reusePolicy{p.Reuse}
	}
	return out
}

func (s *Service) putWarmPool(call *operation.Call, in *putPoolInput) (*none, error) {
	return s.edit(call, in.AutoScalingGroupName, func(_ *state.Txn, g *region.AutoScalingGroup) error {
		if g.Mixed != nil {
			return invalid("You can't add a warm pool to an Auto Scaling group that has a mixed instances policy.")
		}
		pool := region.WarmPool{State: "Stopped"}
		if g.WarmPool != nil {
			pool = *g.WarmPool
		}
		take(&pool.Min, in.MinSize)
		take(&pool.State, in.PoolState)
		if n := in.MaxGroupPreparedCapacity; n != nil {
			if pool.MaxPrepared = n; *n == -1 { // takes it back
				pool.MaxPrepared = nil
			}
		}
		if in.InstanceReusePolicy != nil {
			pool.Reuse = in.InstanceReusePolicy.ReuseOnScaleIn
		}
		g.WarmPool = &pool
		return nil
	})
}

type poolOutput struct {
	WarmPoolConfiguration *warmPoolOutput `json:",omitempty"`
	Instances             wire.QueryList[instance]
}

func (s *Service) describeWarmPool(_ *operation.Call, in *describeOfGroupInput) (*poolOutput, error) {
	g, err := s.view(in.AutoScalingGroupName)
	return &poolOutput{WarmPoolConfiguration: shownPool(g.WarmPool)}, err
}

type deletePoolInput struct {
	groupNamed
	ForceDelete *bool
}

func (s *Service) deleteWarmPool(call *operation.Call, in *deletePoolInput) (*none, error) {
	return s.edit(call, in.AutoScalingGroupName, func(_ *state.Txn, g *region.AutoScalingGroup) error {
		if g.WarmPool == nil {
			return invalid("No warm pool found for group %s", g.Name)
		}
		g.WarmPool = nil
		return nil
	})
}

// groupMetrics are those that a group can have collected.
var groupMetrics = []string{"GroupMinSize", "GroupMaxSize", "GroupDesiredCapacity", "GroupInServiceInstances",
	"GroupPendingInstances", "GroupStandbyInstances", "GroupTerminatingInstances", "GroupTotalInstances",
	"GroupInServiceCapacity", "GroupPendingCapacity", "GroupStandbyCapacity", "GroupTerminatingCapacity",
	"GroupTotalCapacity", "WarmPoolDesiredCapacity", "WarmPoolWarmedCapacity", "WarmPoolPendingCapacity",
	"WarmPoolTerminatingCapacity", "WarmPoolTotalCapacity", "GroupAndWarmPoolDesiredCapacity",
	"GroupAndWarmPoolTotalCapacity"}

type metricsInput struct {
	groupNamed
	Metrics     []string
	Granularity string
}

func (in *metricsInput) check() error {
	for _, m := range in.Metrics {
		if !slices.Contains(groupMetrics, m) {
			return invalid("%q is not a valid metric type: the valid ones are [%s].", wire.Clip(m),
				strings.Join(groupMetrics, ", "))
		}
	}
	if len(in.Metrics) == 0 {
		in.Metrics = groupMetrics
	}
	if cmp.Or(in.Granularity, "1Minute") != "1Minute" {
		return invalid("Granularity must be 1Minute.")
	}
	return nil
}

func (s *Service) enableMetrics(call *operation.Call, in *metricsInput) (*none, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	return s.edit(call, in.AutoScalingGroupName, func(_ *state.Txn, g *region.AutoScalingGroup) error {
		g.Metrics = union(g.Metrics, in.Metrics)
		return nil
	})
}

func (s *Service) disableMetrics(call *operation.Call, in *metricsInput) (*none, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	return s.edit(call, in.AutoScalingGroupName, func(_ *state.Txn, g *region.AutoScalingGroup) error {
		g.Metrics = without(g.Metrics, in.Metrics)
		return nil
	})
}
