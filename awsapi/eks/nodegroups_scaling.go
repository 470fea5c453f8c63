package eks

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"tripod/awsapi/autoscaling"
	"tripod/region"
)

// createdGroup is how the causes of scaling activities begin that follow from a new Auto Scaling group.
func createdGroup(now time.Time, desired int) string {
	return fmt.Sprintf("At %s a user request created an AutoScalingGroup changing the desired capacity from 0 to %d.",
		now.UTC().Format("2006-01-02T15:04:05Z"), desired)
}

// warmPoolOf is the warm pool of a node group's Auto Scaling group; nil: it has none.
func warmPoolOf(g region.Nodegroup) *region.WarmPool {
	c := g.WarmPoolConfig
	if c == nil || !aws.ToBool(c.Enabled) {
		return nil
	}
	pool := &region.WarmPool{Min: int(aws.ToInt32(c.MinSize)), State: "Stopped", Reuse: c.ReuseOnScaleIn}
	if c.PoolState != "" { // STOPPED, RUNNING or HIBERNATED
		pool.State = string(c.PoolState[:1]) + strings.ToLower(string(c.PoolState[1:]))
	}
	if c.MaxGroupPreparedCapacity != nil {
		pool.MaxPrepared = aws.Int(int(*c.MaxGroupPreparedCapacity))
	}
	return pool
}

// askedFor is how the causes of scaling activities begin that follow from sizes which EKS asked for.
func askedFor(now time.Time, least, most, before, desired int) string {
	return fmt.Sprintf("At %s a user request update of AutoScalingGroup constraints to min: %d, max: %d, desired: %d "+
		"changing the desired capacity from %d to %d.", now.UTC().Format("2006-01-02T15:04:05Z"), least, most, desired, before,
		desired)
}

// autoScaling is Auto Scaling.
func (s *Service) autoScaling() *autoscaling.Service {
	return &autoscaling.Service{State: s.State, Network: s.network(), Now: s.Probes.Now}
}
