package autoscaling

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tripod/region"
	"tripod/state"
)

// desired asks for that many instances, as SetDesiredCapacity does.
func (w *world) desired(n int) {
	w.t.Helper()
	w.write(func(tx *state.Txn) {
		g, _ := region.AutoScalingGroups.Get(tx, "g")
		if err := w.ask(tx, g, n, at(w.clock, saysSet, g.Desired, n)); err != nil {
			w.t.Fatal(err)
		}
	})
	w.settle()
}

func TestGroupLaunchesOverItsZonesAndTellsWhy(t *testing.T) {
	w := newWorld(t, func(g *region.AutoScalingGroup) {
		g.Tags = []region.GroupTag{{Key: "team", Value: "x", Propagate: true}, {Key: "own", Value: "y"}}
	})
	w.desired(4)
	w.want("zones", w.zones(), "a2 b1 c1")
	a := w.activities()[3]
	w.want("cause", a.Cause, "At 2026-03-04T05:06:07Z a user request explicitly set group desired capacity changing the "+
		"desired capacity from 0 to 4.  At 2026-03-04T05:06:07Z an instance was started in response to a difference between "+
		"desired and actual capacity, increasing the capacity from 0 to 4.")
	w.want("activity", fmt.Sprint(a.Status, " ", a.Progress, " "+a.Description), "Successful 100 Launching a new EC2 instance: "+a.Instance)
	w.want("tags", fmt.Sprint(w.ec2.tags["i-0001"]), "map[aws:autoscaling:groupName:g team:x]")
	if w.group().Asked != "" || !w.again.IsZero() {
		t.Errorf("at rest it remembers %q and is woken at %v", w.group().Asked, w.again)
	}
}

func TestScaleInTakesTheFullestZoneThenFollowsPolicies(t *testing.T) {
	w := newWorld(t, func(g *region.AutoScalingGroup) { g.TerminationPolicies = []string{"OldestInstance"} })
	w.desired(5) // a b c a b
	w.desired(4)
	w.want("zones", w.zones(), "a1 b2 c1")
	if v := w.instance("i-0001"); v.State != region.InstanceTerminated {
		t.Errorf("the oldest of the fullest zone is %s", v.State)
	}
	last := w.activities()[len(w.activities())-1]
	w.want("cause", last.Cause, "At 2026-03-04T05:06:07Z a user request explicitly set group desired capacity changing the "+
		"desired capacity from 5 to 4.  At 2026-03-04T05:06:07Z an instance was taken out of service in response to a "+
		"difference between desired and actual capacity, shrinking the capacity from 5 to 4.  At 2026-03-04T05:06:07Z "+
		"instance i-0001 was selected for termination.")
}

func TestTerminationPoliciesChoose(t *testing.T) {
	// Three members in one zone: of the launch configuration old, of version 1 and of version 2 of the template.
	for policy, want := range map[string]string{
		"OldestInstance": "i-0001", "NewestInstance": "i-0003", "OldestLaunchTemplate": "i-0002", "Default": "i-0002",
		"ClosestToNextInstanceHour": "i-0001",
	} {
		t.Run(policy, func(t *testing.T) {
			w := newWorld(t, func(g *region.AutoScalingGroup) {
				g.Zones, g.TerminationPolicies = []string{"us-east-1a"}, []string{policy}
				g.Template.Version = "2"
			})
			w.desired(1)
			w.edit(func(g *region.AutoScalingGroup) { g.Template.Version = "1" })
			w.clock = w.clock.Add(10 * time.Minute)
			w.desired(2)
			w.edit(func(g *region.AutoScalingGroup) { g.Template.Version = "2" })
			w.clock = w.clock.Add(10 * time.Minute)
			w.desired(3)
			w.desired(2)
			if v := w.instance(want); v.State != region.InstanceTerminated {
				t.Errorf("%s is %s: %s", want, v.State, w.describe())
			}
		})
	}
}

func TestProtectedMembersStay(t *testing.T) {
	w := newWorld(t, func(g *region.AutoScalingGroup) { g.ProtectNew = true })
	w.desired(3)
	w.desired(0)
	w.want("zones", w.zones(), "a1 b1 c1")
}

func TestZoneWithoutCapacityIsMadeUpForElsewhere(t *testing.T) {
	w := newWorld(t, func(*region.AutoScalingGroup) {})
	w.ec2.capacity["us-east-1a"] = 0
	w.desired(4)
	w.want("zones", w.zones(), "b2 c2")
	failed := w.activities()[0]
	w.want("status", failed.Status+" "+failed.Code, "Failed InsufficientInstanceCapacity")
	w.want("description", failed.Description, "Launching a new EC2 instance.  Status Reason: We currently do not have "+
		"sufficient m5.large capacity in the Availability Zone you requested (us-east-1a). Launching EC2 instance failed.")

	// Where there is capacity again, balance comes back: another is launched before one goes.
	delete(w.ec2.capacity, "us-east-1a")
	w.pass(mostRetry)
	w.want("zones", w.zones(), "a1 b1 c2")
	var launches string
	for _, a := range w.activities() {
		if strings.Contains(a.Cause, "balanc") {
			launches += a.Cause + "\n"
		}
	}
	for _, words := range []string{
		"availability zones us-east-1a us-east-1b us-east-1c had 0 2 2 instances respectively. An instance was launched to " +
			"aid in balancing the group's zones.", "resulting in more than desired number of instances in the group.",
	} {
		if !strings.Contains(launches, words) {
			t.Errorf("no cause says %q:\n%s", words, launches)
		}
	}
}

func TestNoCapacityAnywhereIsTriedAgainLaterAndLater(t *testing.T) {
	w := newWorld(t, func(*region.AutoScalingGroup) {})
	for _, zone := range []string{"a", "b", "c"} {
		w.ec2.capacity["us-east-1"+zone] = 0
	}
	w.desired(2)
	var pauses []time.Duration
	for range 7 {
		pauses = append(pauses, w.again.Sub(w.clock))
		w.pass(w.again.Sub(w.clock))
	}
	w.want("pauses", fmt.Sprint(pauses), "[2s 4s 8s 16s 32s 1m0s 1m0s]")
	w.want("activities", fmt.Sprint(len(w.activities())), fmt.Sprint(3*8))
	w.ec2.capacity = map[string]int{}
	w.write(func(tx *state.Txn) { w.step2(tx, true) })
	w.settle()
	w.want("zones", w.zones(), "a1 b1")
	if g := w.group(); g.Failures != 0 {
		t.Errorf("%d failures are left", g.Failures)
	}
}

// step2 steps with hurry.
func (w *world) step2(tx *state.Txn, hurry bool) {
	if _, err := w.Service.step(tx, tx, "g", w.clock, hurry); err != nil {
		w.t.Fatal(err)
	}
}

func TestWrongTemplateFailsOnce(t *testing.T) {
	w := newWorld(t, func(*region.AutoScalingGroup) {})
	w.ec2.refuses = refuse("InvalidAMIID.NotFound", "The image id '[ami-4edb0327]' does not exist")
	w.desired(2)
	w.want("activities", fmt.Sprint(len(w.activities())), "1")
	w.want("message", w.activities()[0].Message, "The image id '[ami-4edb0327]' does not exist. Launching EC2 instance failed.")
}

func TestEndedAndStoppedInstancesAreReplaced(t *testing.T) {
	for what, end := range map[string]func(*world, *state.Txn){
		"terminated": func(w *world, tx *state.Txn) { region.TerminateInstance(tx, "i-0001", region.UserShutdown, w.clock) },
		"stopped":    func(w *world, tx *state.Txn) { region.StopInstance(tx, "i-0001", region.UserShutdown, w.clock) },
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, func(*region.AutoScalingGroup) {})
			w.desired(3)
			w.write(func(tx *state.Txn) { end(w, tx) })
			w.settle()
			w.want("zones", w.zones(), "a1 b1 c1")
			all := w.activities()
			w.want("cause", all[len(all)-2].Cause, "At 2026-03-04T05:06:07Z an instance was taken out of service in response to "+
				"an EC2 health check indicating it has been terminated or stopped.")
			w.want("cause", all[len(all)-1].Cause,
				"At 2026-03-04T05:06:07Z an instance was launched in response to an unhealthy instance needing to be replaced.")
			if v := w.instance("i-0001"); v.State != region.InstanceTerminated {
				t.Errorf("it is %s", v.State)
			}
		})
	}
}

func TestZoneThatDiesIsLeftAndComesBack(t *testing.T) {
	w := newWorld(t, func(g *region.AutoScalingGroup) { g.HealthCheckGrace = 15 })
	w.desired(6)
	w.want("zones", w.zones(), "a2 b2 c2")
	w.impair("us-east-1b")
	w.settle()
	w.want("zones while it may be a moment's matter", w.zones(), "a2 b2 c2")
	w.pass(usualImpaired)
	w.want("zones in the grace period", w.zones(), "a2 b2 c2")
	w.pass(15 * time.Second)
	w.want("zones", w.zones(), "a3 c3")
	w.pass(time.Hour)
	w.want("zones an hour later", w.zones(), "a3 c3")
	w.write(func(tx *state.Txn) { region.ZoneOutages.Delete(tx, "us-east-1b") })
	w.settle()
	w.want("zones", w.zones(), "a2 b2 c2")
	w.want("capacity", fmt.Sprint(len(w.members())), "6")
}

func TestInstanceThatStartsInALostZoneIsGivenUp(t *testing.T) {
	w := newWorld(t, func(g *region.AutoScalingGroup) { g.Desired = 1 })
	w.step()
	w.impair("us-east-1a")
	w.clock = w.clock.Add(time.Second)
	w.step()
	w.want("members", w.describe(), "i-0001 a Pending")
	w.clock = w.clock.Add(usualImpaired)
	w.step()
	w.want("members", w.describe(), "i-0001 a Terminating:Proceed, i-0002 b Pending")
	w.want("activity", w.activities()[0].Status+" "+w.activities()[0].Message, "Cancelled Instance became unhealthy while "+
		"waiting for instance to be in InService state. Termination Reason: Server.InternalError: Internal error on launch")
}

func TestZonalShiftKeepsLaunchesOutOfAZone(t *testing.T) {
	w := newWorld(t, func(g *region.AutoScalingGroup) {
		g.ZoneImpairment = &region.ZoneImpairmentPolicy{ZonalShift: true, Behavior: "IgnoreUnhealthy"}
	})
	w.desired(3)
	w.write(func(tx *state.Txn) {
		region.ZonalShifts.Put(tx, "s", region.ZonalShift{ID: "s", ClusterID: w.group().ARN, Zone: "us-east-1b",
			StartedAt: w.clock, ExpiresAt: w.clock.Add(time.Hour)})
	})
	w.desired(6)
	w.want("zones", w.zones(), "a3 b1 c2")
	w.write(func(tx *state.Txn) {
		for _, v := range region.InstancesByZone.Of("us-east-1b").List(tx) {
			region.ImpairInstance(tx, v.ID, w.clock)
		}
	})
	w.pass(time.Minute)
	w.want("zones", w.zones(), "a3 b1 c2") // what is ill there is left alone
	w.pass(time.Hour)
	w.want("zones", w.zones(), "a2 b2 c2")
}

func TestSuspendedProcessesDoNotRun(t *testing.T) {
	for process, check := range map[string]func(*world){
		"Launch":    func(w *world) { w.desired(4); w.want("zones", w.zones(), "a1 b1 c1") },
		"Terminate": func(w *world) { w.desired(0); w.want("zones", w.zones(), "a1 b1 c1") },
		"HealthCheck": func(w *world) {
			w.impair("us-east-1a")
			w.pass(time.Hour)
			w.want("zones", w.zones(), "a1 b1 c1")
		},
		"ReplaceUnhealthy": func(w *world) {
			w.impair("us-east-1a")
			w.pass(time.Hour)
			w.want("zones", w.zones(), "a1 b1 c1")
			if m := w.members()[0]; !m.Unhealthy {
				w.t.Error("it is not even unhealthy")
			}
		},
	} {
		t.Run(process, func(t *testing.T) {
			w := newWorld(t, func(*region.AutoScalingGroup) {})
			w.desired(3)
			w.edit(func(g *region.AutoScalingGroup) { g.Suspended = []region.SuspendedProcess{{Name: process}} })
			check(w)
		})
	}
}

func TestOneTransactionLaunchesSoManyAtMost(t *testing.T) {
	w := newWorld(t, func(g *region.AutoScalingGroup) { g.Max, g.Desired = 100, 50 })
	w.step()
	w.want("members", fmt.Sprint(len(w.members())), fmt.Sprint(launchesAtOnce))
	w.settle()
	w.want("members", fmt.Sprint(len(w.members())), "50")
	w.want("activities that are kept", fmt.Sprint(len(w.activities())), "50")
	w.desired(100)
	w.desired(0)
	if n := len(w.activities()); n < keptActivities || n > keptActivities+spareActivities {
		t.Errorf("%d activities are kept", n)
	}
}

func TestInstancesThatLiveTooLongAreReplacedOneByOne(t *testing.T) {
	w := newWorld(t, func(g *region.AutoScalingGroup) { g.MaxInstanceLifetime = 86400 })
	w.desired(3)
	w.clock = w.clock.Add(24 * time.Hour)
	w.step() // marks one
	w.want("members", w.describe(), "i-0001 a InService, i-0002 b InService, i-0003 c InService, i-0004 a Pending")
	w.settle()
	w.want("zones", w.zones(), "a1 b1 c1")
	for _, m := range w.members() {
		if m.JoinedAt.Before(w.clock) {
			t.Errorf("%s stays", m.InstanceID)
		}
	}
	w.want("causes", fmt.Sprint(strings.Count(fmt.Sprint(w.activities()), "maximum instance lifetime")), "6")
}

func TestSpotInstanceThatIsTakenBackIsReplacedBeforeItGoes(t *testing.T) {
	w := newWorld(t, func(g *region.AutoScalingGroup) {
		g.CapacityRebalance = true
		g.Mixed, g.Template = &region.MixedInstances{Template: *g.Template, SpotStrategy: "price-capacity-optimized"}, nil
	})
	w.desired(2)
	w.write(func(tx *state.Txn) {
		v, _ := region.Instances.Get(tx, "i-0001")
		v.Spot = &region.SpotInterruption{Action: "terminate", At: w.clock.Add(2 * time.Minute)}
		region.Instances.Put(tx, v.ID, v)
	})
	w.step()
	w.want("members", w.describe(), "i-0001 a InService, i-0002 b InService, i-0003 a Pending")
	w.settle()
	w.want("members", w.describe(), "i-0002 b InService, i-0003 a InService")
	if !w.instance("i-0003").Launch.Spot {
		t.Error("its replacement is no Spot Instance")
	}
}

func TestDeletedGroupGoesWithItsLastInstance(t *testing.T) {
	w := newWorld(t, func(g *region.AutoScalingGroup) {
		g.Hooks = []region.LifecycleHook{{Name: "h", Transition: region.HookTerminating, HeartbeatTimeout: 3600,
			DefaultResult: region.HookContinue}}
	})
	w.desired(2)
	now := w.clock
	w.edit(func(g *region.AutoScalingGroup) { g.DeletedAt, g.Desired = &now, 0 })
	w.settle()
	if g := w.group(); g.Name != "" || len(w.members()) > 0 {
		t.Errorf("it is there, with %s", w.describe())
	}
	w.want("activities", fmt.Sprint(len(w.activities())), "4")
}

func TestAttachedInstancesOfOthersAreAdopted(t *testing.T) {
	w := newWorld(t, func(g *region.AutoScalingGroup) { g.Desired = 1 })
	w.write(func(tx *state.Txn) {
		region.LaunchInstance(tx, region.Instance{ID: "i-own", Zone: "us-east-1a", Group: "g"}, w.clock)
	})
	w.settle()
	w.want("members", w.describe(), "i-own a InService")
}

func TestRealPaceTakesItsTime(t *testing.T) {
	w := newWorld(t, func(*region.AutoScalingGroup) {})
	w.Pace = RealPace
	w.desired(1)
	w.want("members", w.describe(), "i-0001 a Pending")
	w.pass(30 * time.Second)
	w.want("members", w.describe(), "i-0001 a InService")
	w.write(func(tx *state.Txn) { region.TerminateInstance(tx, "i-0001", region.UserShutdown, w.clock) })
	w.settle()
	w.pass(39 * time.Second)
	w.want("members", w.describe(), "i-0001 a InService")
	w.pass(2 * time.Second)
	w.want("members", w.describe(), "")
	w.pass(47 * time.Second)
	w.want("members", w.describe(), "i-0002 a Pending")
}
