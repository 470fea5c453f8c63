package autoscaling

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tripod/region"
	"tripod/state"
)

const testGroupARN = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/web/0123456789abcdef"

// balanced has a group of two instances whose targets an application load balancer sends to, and which a classic one
// has as well.
func balanced(t *testing.T, edit func(*region.AutoScalingGroup)) *world {
	t.Helper()
	w := newWorld(t, func(g *region.AutoScalingGroup) {
		g.Desired, g.HealthCheckType, g.HealthCheckGrace = 2, "EC2,ELB", 60
		g.TargetGroups, g.LoadBalancers = []string{testGroupARN}, []string{"old"}
		edit(g)
	})
	const balancer = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/lb/0123456789abcdef"
	w.write(func(tx *state.Txn) {
		var zones []region.BalancerZone
		for _, z := range []string{"us-east-1a", "us-east-1b", "us-east-1c"} {
			zones = append(zones, region.BalancerZone{Zone: z})
		}
		for _, b := range []region.LoadBalancer{{Name: "lb", ARN: balancer, Type: region.ApplicationBalancer, Zones: zones},
			{Name: "old", Type: region.ClassicBalancer, Zones: zones, Classic: &region.ClassicParts{}}} {
			region.LoadBalancers.Put(tx, b.Key(), b)
		}
		l := region.Listener{ARN: strings.Replace(balancer, ":loadbalancer/", ":listener/", 1) + "/0123456789abcdef",
			LoadBalancer: balancer, Port: 80, Protocol: "HTTP", Actions: []region.RuleAction{{Type: region.ActionForward,
				Forward: &region.ForwardAction{Groups: []region.WeightedGroup{{TargetGroup: testGroupARN, Weight: 1}}}}}}
		region.Listeners.Put(tx, l.Key(), l)
		region.TargetGroups.Put(tx, "web", region.TargetGroup{Name: "web", ARN: testGroupARN, Type: "instance", Port: 80,
			Protocol: "HTTP", Check: region.HealthCheck{Enabled: true}})
	})
	w.settle()
	return w
}

// targets are those of a target group, in a line.
func (w *world) targets(group string) string {
	var parts []string
	w.View(func(tx *state.Txn) error {
		for _, t := range region.LiveTargets(tx, group, w.clock) {
			part := fmt.Sprintf("%s:%d", t.ID, t.Port)
			if t.IsDraining() {
				part += " drains"
			}
			parts = append(parts, part)
		}
		return nil
	})
	return strings.Join(parts, ", ")
}

// find has the zones' nodes find a target to be healthy, or what else.
func (w *world) find(id string, is region.TargetHealth) {
	w.write(func(tx *state.Txn) {
		for _, zone := range []string{"us-east-1a", "us-east-1b", "us-east-1c"} {
			err := region.ReportTarget(tx, region.TargetReport{Group: "web", ID: id, Port: 80, Zone: zone, State: is, Since: w.clock})
			if err != nil {
				w.t.Fatal(err)
			}
		}
	})
}

// attachments are how far the attachments of the group are.
func (w *world) attachments() string {
	var parts []string
	for _, a := range attachedTo(w.group(), "") {
		parts = append(parts, a.Type+" "+a.state)
	}
	return strings.Join(parts, ", ")
}

func TestInstancesAreTargetsWhileTheyServe(t *testing.T) {
	w := balanced(t, func(*region.AutoScalingGroup) {})
	w.want("targets", w.targets("web"), "i-0001:80, i-0002:80")
	w.want("classic", w.targets(region.ClassicGroup("old")), "i-0001:0, i-0002:0")
	w.want("attachments", w.attachments(), "elb Added, elbv2 Added")

	// One that goes drains first: for a while, as nobody has said how long.
	w.edit(func(g *region.AutoScalingGroup) { g.Desired = 1 })
	w.settle()
	w.want("targets", w.targets("web"), "i-0001:80 drains, i-0002:80")
	w.want("classic", w.targets(region.ClassicGroup("old")), "i-0002:0")
	w.want("state", w.describe(), "i-0001 a Terminating, i-0002 b InService")
	if a := w.activities(); a[len(a)-1].Status != "WaitingForELBConnectionDraining" {
		t.Errorf("the activity is %+v", a[len(a)-1])
	}
	w.pass(quickDrain)
	w.want("state", w.describe(), "i-0002 b InService")

	// What was detached has no targets any more, and what is attached later gets those that serve.
	w.edit(func(g *region.AutoScalingGroup) { g.TargetGroups = nil })
	w.want("attachments", w.attachments(), "elb Added, elbv2 Removing")
	w.settle()
	w.want("attachments", w.attachments(), "elb Added")
	w.pass(5 * time.Minute)
	w.want("targets", w.targets("web"), "")
	w.edit(func(g *region.AutoScalingGroup) { g.TargetGroups = []string{testGroupARN} })
	w.want("attachments", w.attachments(), "elb Added, elbv2 Adding")
	w.settle()
	w.want("targets", w.targets("web"), "i-0002:80")
}

// How long targets drain counts where a user has said it.
func TestAnInstanceDrainsForAsLongAsItsTargetGroupSays(t *testing.T) {
	w := balanced(t, func(*region.AutoScalingGroup) {})
	w.write(func(tx *state.Txn) {
		g, _ := region.TargetGroups.Get(tx, "web")
		g.Attributes = map[string]string{region.DrainAttribute: "120"}
		region.TargetGroups.Put(tx, g.Name, g)
	})
	w.edit(func(g *region.AutoScalingGroup) { g.Desired = 1 })
	w.settle()
	w.pass(119 * time.Second)
	w.want("state", w.describe(), "i-0001 a Terminating, i-0002 b InService")
	w.pass(time.Second)
	w.want("state", w.describe(), "i-0002 b InService")
}

func TestSuspendedAddToLoadBalancerRegistersNobody(t *testing.T) {
	w := balanced(t, func(g *region.AutoScalingGroup) {
		g.Suspended = []region.SuspendedProcess{{Name: "AddToLoadBalancer"}}
	})
	w.want("targets", w.targets("web"), "")
	w.want("attachments", w.attachments(), "elb Adding, elbv2 Adding")
}

// An instance that a load balancer finds unhealthy is replaced once it has had its grace, and once any was healthy.
func TestAnInstanceThatFailsItsLoadBalancersChecksIsReplaced(t *testing.T) {
	w := balanced(t, func(*region.AutoScalingGroup) {})
	w.find("i-0001", region.TargetUnhealthy)
	w.pass(2 * time.Minute)
	w.want("no instance was healthy yet", w.describe(), "i-0001 a InService, i-0002 b InService")
	w.find("i-0002", region.TargetHealthy)
	w.pass(0)
	w.want("attachments", w.attachments(), "elb Added, elbv2 InService")
	w.pass(quickDrain)
	w.pass(0)
	w.want("state", w.describe(), "i-0002 b InService, i-0003 a InService")
	i := slices.IndexFunc(w.activities(), func(a region.ScalingActivity) bool {
		return a.Description == "Terminating EC2 instance: i-0001"
	})
	if i < 0 || !strings.HasSuffix(w.activities()[i].Cause,
		" an instance was taken out of service in response to an ELB system health check failure.") {
		t.Errorf("activities: %+v", w.activities())
	}
	w.find("i-0003", region.TargetUnhealthy) // it has its grace
	w.pass(59*time.Second - quickDrain)
	w.want("state", w.describe(), "i-0002 b InService, i-0003 a InService")
	w.pass(quickDrain + time.Second)
	w.want("state", w.describe(), "i-0002 b InService, i-0003 a Terminating, i-0004 a InService")
}

// A group whose target group is gone launches nothing, in the words of AWS's guide.
func TestAGroupWhoseTargetGroupIsGoneSaysSo(t *testing.T) {
	w := balanced(t, func(*region.AutoScalingGroup) {})
	w.write(func(tx *state.Txn) { region.TargetGroups.Delete(tx, "web") })
	w.edit(func(g *region.AutoScalingGroup) { g.Desired = 3 })
	w.settle()
	a := w.activities()[len(w.activities())-1]
	w.want("status", a.Status+": "+a.Message,
		"Failed: One or more target groups not found. Validating load balancer configuration failed.")
	w.want("launched", fmt.Sprint(w.ec2.launched), "2")
}
