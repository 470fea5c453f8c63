package autoscaling

import (
	"slices"
	"strings"
	"time"

	"tripod/region"
	"tripod/state"
)

// The states of what is attached to a group. https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeTrafficSources.html
const (
	attachmentAdding    = "Adding"
	attachmentAdded     = "Added"
	attachmentInService = "InService"
	attachmentRemoving  = "Removing"
)

// The types of sources of traffic.
const (
	sourceClassic     = "elb"
	sourceTargetGroup = "elbv2"
	sourceLattice     = "vpc-lattice"
)

// place is a target group, or what a classic load balancer has of one, that a group's instances are registered with.
type place struct {
	group string // region.Target's
	port  int
	vpc   string
	delay time.Duration
	set   bool // delay is what a user set
	use   region.TargetUse
}

// placeOf is what a source of traffic stands for; found is false for what is not there, or not for instances.
func placeOf(tx *state.Txn, source region.TrafficSource) (p place, found bool) {
	switch source.Type {
	case sourceClassic:
		b, there := region.LoadBalancers.Get(tx, region.BalancerKey(true, source.Identifier))
		_, p.set = b.Attributes[region.ClassicDrainAttribute]
		p.group, p.vpc, p.delay = region.ClassicGroup(b.Name), b.VPC, b.DrainDelay()
		p.use = region.TargetUse{InUse: true, Zones: b.ZoneNames()}
		return p, there
	case sourceTargetGroup:
		name := region.TargetGroupName(source.Identifier)
		if name == "" {
			return p, false
		}
		g, there := region.TargetGroups.Get(tx, name)
		if !there || g.ARN != source.Identifier || g.Type != "instance" {
			return p, false
		}
		_, p.set = g.Attributes[region.DrainAttribute]
		p.group, p.port, p.vpc, p.delay, p.use = g.Name, g.Port, g.VPC, g.DrainDelay(tx), g.Use(tx)
		return p, true
	}
	return p, false
}

// checkSources refuses sources of traffic that are not there.
func checkSources(tx *state.Txn, sources []region.TrafficSource) error {
	for _, source := range sources {
		if _, found := placeOf(tx, source); found || source.Type == sourceLattice {
			continue
		}
		what := "Load Balancers"
		if source.Type == sourceTargetGroup {
			what = "Target Groups"
		}
		return invalid("Provided %s may not be valid. Please ensure they exist and try again.", what)
	}
	return nil
}

// noSource is why a group that is attached to something which is gone launches nothing; empty: all is there. The
// sentences are those of AWS's guide. https://docs.aws.amazon.com/autoscaling/ec2/userguide/ts-as-loadbalancer.html
func (c *scene) noSource() string {
	for _, source := range sourcesOf(c.g) {
		if _, found := placeOf(c.tx, source); found || source.Type == sourceLattice {
			continue
		}
		if source.Type == sourceTargetGroup {
			return "One or more target groups not found. Validating load balancer configuration failed."
		}
		return "Cannot find Load Balancer " + source.Identifier + ". Validating load balancer configuration failed."
	}
	return ""
}

// attachment is how far a source of traffic is in being attached to the group.
func attachment(g region.AutoScalingGroup, source region.TrafficSource) string {
	for _, a := range g.Attachments {
		if a.TrafficSource == source {
			return a.State
		}
	}
	return attachmentAdding
}

// removing are the sources that instances of the group are still registered with though they are none of its any more.
func removing(g region.AutoScalingGroup) (gone []region.TrafficSource) {
	all := sourcesOf(g)
	for _, a := range g.Attachments {
		if !slices.Contains(all, a.TrafficSource) {
			gone = append(gone, a.TrafficSource)
		}
	}
	return gone
}

// attach registers the group's instances with what was attached to it, and takes them out of what was detached.
func (c *scene) attach() error {
	sources := sourcesOf(c.g)
	if len(sources)+len(c.g.Attachments) == 0 {
		return nil
	}
	for _, source := range removing(c.g) {
		for _, m := range c.members {
			deregister(c.tx, source, m.InstanceID, c.now)
		}
	}
	serving := c.which(func(m *member) bool { return m.State == region.MemberInService })
	var attached []region.Attachment
	for _, source := range sources {
		at := attachment(c.g, source)
		if at == attachmentAdding && c.suspended("AddToLoadBalancer") {
			continue
		}
		if at == attachmentAdding {
			for _, m := range serving {
				register(c.tx, source, m.instance, c.now)
			}
			at = attachmentAdded
		}
		if at == attachmentAdded && c.asksELB() && slices.ContainsFunc(serving, func(m *member) bool {
			return c.healthIn(source, m) == region.TargetHealthy
		}) {
			at = attachmentInService
		}
		attached = append(attached, region.Attachment{TrafficSource: source, State: at})
	}
	c.g.Attachments = attached
	return nil
}

// register makes an instance a target of a source of traffic, where that is there.
func register(tx *state.Txn, source region.TrafficSource, v region.Instance, now time.Time) {
	if p, found := placeOf(tx, source); found && v.VPCID == p.vpc {
		region.RegisterTarget(tx, region.Target{Group: p.group, ID: v.ID, Port: p.port, Zone: v.Zone}, now)
	}
}

// deregister has an instance drain from a source of traffic, and returns the target that it is there; an empty one: none
// any more.
func deregister(tx *state.Txn, source region.TrafficSource, instanceID string, now time.Time) (target region.Target, p place) {
	p, found := placeOf(tx, source)
	if !found {
		return target, p
	}
	key := region.TargetKey(p.group, instanceID, p.port)
	region.DeregisterTarget(tx, key, p.delay, now)
	target, _ = region.Targets.Get(tx, key)
	return target, p
}

// leaveSources takes an instance that goes out of service out of all that the group is attached to.
func leaveSources(tx *state.Txn, g region.AutoScalingGroup, instanceID string, now time.Time) {
	for _, source := range append(sourcesOf(g), removing(g)...) {
		deregister(tx, source, instanceID, now)
	}
}

// enterSources registers a member that begins to serve.
func (c *scene) enterSources(m *member) {
	if c.suspended("AddToLoadBalancer") {
		return
	}
	for _, source := range sourcesOf(c.g) {
		if attachment(c.g, source) != attachmentAdding { // that one's turn is in attach
			register(c.tx, source, m.instance, c.now)
		}
	}
}

// foreign says why a member cannot be a target of what the group is attached to; empty: it can.
func (c *scene) foreign(m *member) string {
	for _, source := range sourcesOf(c.g) {
		if p, found := placeOf(c.tx, source); found && p.vpc != m.instance.VPCID {
			return "EC2 instance " + m.InstanceID + " is not in VPC. Updating load balancer configuration failed."
		}
	}
	return ""
}

// drains says whether a member that is to be terminated still drains, and takes it out of what sends to it.
func (c *scene) drains(m *member) (is bool) {
	for _, source := range append(sourcesOf(c.g), removing(c.g)...) {
		t, p := deregister(c.tx, source, m.InstanceID, c.now)
		if !t.IsDraining() || c.g.DeletedAt != nil || m.instance.State != region.InstanceRunning || !m.instance.Impaired.IsZero() {
			continue
		}
		until := t.DrainsUntil
		if quick := t.DrainingSince.Add(quickDrain); !p.set && !c.Pace.Drain && quick.Before(until) {
			until = quick
		}
		is = !c.due(until) || is
	}
	return is
}

// asksELB says whether the health checks of what the group is attached to count for it.
func (c *scene) asksELB() bool { return asksELB(c.g) }

func asksELB(g region.AutoScalingGroup) bool {
	return slices.Contains(strings.Split(g.HealthCheckType, ","), "ELB")
}

// healthIn is what the load balancers of a source of traffic find a member to be; empty: it is no target there.
func (c *scene) healthIn(source region.TrafficSource, m *member) region.TargetHealth {
	p, found := placeOf(c.tx, source)
	if !found {
		return ""
	}
	t, found := region.Targets.Get(c.view, region.TargetKey(p.group, m.InstanceID, p.port))
	if !found {
		return ""
	}
	return t.Verdict(p.use, region.ReportsOf(c.view, t)).State
}

// failsELB says whether a load balancer finds a member unhealthy.
func (c *scene) failsELB(m *member) bool {
	return c.asksELB() && slices.ContainsFunc(c.g.Attachments, func(a region.Attachment) bool {
		return a.State == attachmentInService && c.healthIn(a.TrafficSource, m) == region.TargetUnhealthy
	})
}
