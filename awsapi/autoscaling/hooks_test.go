package autoscaling

import (
	"fmt"
	"strings"
	"testing"
	"time"

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
