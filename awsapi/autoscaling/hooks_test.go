package autoscaling

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tripod/awsapi/events"
	"tripod/region"
	"tripod/state"
)

func withHook(transition, result string) func(*region.AutoScalingGroup) {
	return func(g *region.AutoScalingGroup) {
		g.Hooks = []region.LifecycleHook{{Name: "h", Transition: transition, HeartbeatTimeout: 60, DefaultResult: result}}
	}
}

// complete completes the action of a member.
func (w *world) complete(id, result string) (found bool) {
	w.t.Helper()
	w.write(func(tx *state.Txn) { found = region.CompleteAction(tx, "g", id, "h", "", result, w.clock) })
	w.settle()
	return found
}

func TestLaunchHookKeepsAMemberWaiting(t *testing.T) {
	w := newWorld(t, withHook(region.HookLaunching, region.HookAbandon))
	w.desired(1)
	w.want("members", w.describe(), "i-0001 a Pending:Wait")
	w.want("activity", w.activities()[0].Status, "MidLifecycleAction")
	w.want("woken after", w.again.Sub(w.clock).String(), "1m0s")
	if !w.complete("i-0001", region.HookContinue) || w.complete("i-0001", region.HookContinue) {
		t.Error("it is not completed, or twice")
	}
	w.want("members", w.describe(), "i-0001 a InService")
	w.want("activity", w.activities()[0].Status, "Successful")
}

func TestAbandonedLaunchIsReplacedLater(t *testing.T) {
	w := newWorld(t, withHook(region.HookLaunching, region.HookContinue))
	w.desired(1)
	w.complete("i-0001", region.HookAbandon)
	first := w.activities()[0]
	w.want("activity", first.Status, "Cancelled")
	if !strings.Contains(first.Message, "was abandoned: Lifecycle Action Completed with ABANDON Result") {
		t.Error(first.Message)
	}
	w.want("members", w.describe(), "")
	w.pass(firstRetry)
	w.want("members", w.describe(), "i-0002 a Pending:Wait")
}

func TestHeartbeatsKeepAnActionAlive(t *testing.T) {
	w := newWorld(t, withHook(region.HookLaunching, region.HookContinue))
	w.desired(1)
	w.pass(50 * time.Second)
	w.write(func(tx *state.Txn) {
		if !region.ExtendAction(tx, "g", "i-0001", "h", w.members()[0].Actions[0].Token, w.clock) {
			t.Error("no action has that token")
		}
	})
	w.pass(50 * time.Second)
	w.want("members", w.describe(), "i-0001 a Pending:Wait")
	w.pass(11 * time.Second) // the time is over, with CONTINUE
	w.want("members", w.describe(), "i-0001 a InService")
}

func TestTerminationHookKeepsTheInstanceWhileItsReplacementComes(t *testing.T) {
	w := newWorld(t, withHook(region.HookTerminating, region.HookContinue))
	w.desired(1)
	w.write(func(tx *state.Txn) {
		a, err := w.TerminateMember(tx, "i-0001", false, w.clock)
		if err != nil || a.Cause != "At 2026-03-04T05:06:07Z instance i-0001 was taken out of service in response to a user request." {
			t.Error(a, err)
		}
	})
	w.settle()
	w.want("members", w.describe(), "i-0001 a Terminating:Wait, i-0002 a InService")
	w.want("instance", string(w.instance("i-0001").State), "running")
	w.complete("i-0001", region.HookAbandon) // ends the wait as CONTINUE does
	w.want("members", w.describe(), "i-0002 a InService")
	w.want("instance", string(w.instance("i-0001").State), "terminated")
}

func TestTerminateDecrementsOrRefuses(t *testing.T) {
	w := newWorld(t, func(g *region.AutoScalingGroup) { g.Min = 2 })
	w.desired(3)
	w.write(func(tx *state.Txn) {
		a, err := w.TerminateMember(tx, "i-0002", true, w.clock)
		if err != nil || a.Cause != "At 2026-03-04T05:06:07Z instance i-0002 was taken out of service in response to a user "+
			"request, shrinking the capacity from 3 to 2." || a.Status != "InProgress" {
			t.Error(a, err)
		}
	})
	w.settle()
	w.want("members", w.describe(), "i-0001 a InService, i-0003 c InService")
	w.write(func(tx *state.Txn) {
		if _, err := w.TerminateMember(tx, "i-0001", true, w.clock); err == nil ||
			!strings.Contains(err.Error(), "Currently, desiredSize equals minSize (2).") {
			t.Error(err)
		}
		if _, err := w.TerminateMember(tx, "i-0002", true, w.clock); err == nil ||
			!strings.Contains(err.Error(), "No managed instance found for instance ID: i-0002") {
			t.Error(err)
		}
	})
	w.want("desired", fmt.Sprint(w.group().Desired), "2")
}

func TestEventBridgeIsToldOfMembers(t *testing.T) {
	w := newWorld(t, func(g *region.AutoScalingGroup) {
		g.Hooks = []region.LifecycleHook{
			{Name: "in", Transition: region.HookLaunching, HeartbeatTimeout: 60, DefaultResult: region.HookContinue, Metadata: "mine"},
			{Name: "out", Transition: region.HookTerminating, HeartbeatTimeout: 60, DefaultResult: region.HookContinue},
		}
	})
	var told []string
	w.Events = func(_ *state.Txn, e events.Event) {
		text, err := json.Marshal(e.Detail)
		if err != nil {
			t.Error(err)
		}
		var detail map[string]any
		json.Unmarshal(text, &detail)
		told = append(told, fmt.Sprintf("%s: %v %v>%v %v %v", e.DetailType, detail["EC2InstanceId"], detail["Origin"],
			detail["Destination"], detail["LifecycleHookName"], detail["StatusCode"]))
		if e.Source != "aws.autoscaling" || e.Resources[0] != "arn:g" || detail["AutoScalingGroupName"] != "g" {
			t.Errorf("got %+v", e)
		}
	}
	w.desired(1)
	w.pass(time.Minute)
	w.desired(0)
	w.pass(time.Minute)
	w.ec2.refuses = refuse("InsufficientInstanceCapacity", "None.")
	w.edit(func(g *region.AutoScalingGroup) { g.Desired, g.Zones = 1, g.Zones[:1] })
	w.step()
	want := []string{
		"EC2 Instance-launch Lifecycle Action: i-0001 EC2>AutoScalingGroup in <nil>",
		"EC2 Instance Launch Successful: i-0001 EC2>AutoScalingGroup <nil> InProgress",
		"EC2 Instance-terminate Lifecycle Action: i-0001 AutoScalingGroup>EC2 out <nil>",
		"EC2 Instance Terminate Successful: i-0001 AutoScalingGroup>EC2 <nil> InProgress",
		"EC2 Instance Launch Unsuccessful:  EC2>AutoScalingGroup <nil> Failed",
	}
	if !slices.Equal(told, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
}
