package az

import (
	"testing"
	"time"

	"tripod/api"
	"tripod/region"
	"tripod/state"
)

// calls are the faults in force of calls of EC2's DescribeInstances.
func (w *world) calls() (faults []region.Fault) {
	w.memory.View(func(tx *state.Txn) error {
		faults = region.CallFaultsOf(tx, "ec2", "DescribeInstances")
		return nil
	})
	return faults
}

// TestCallsAreAtFaultUntilTheirTimeIsOver: several faults of one operation stand side by side, a new one of a kind has the
// place of the old one, and a reset takes all of a target back.
func TestCallsAreAtFaultUntilTheirTimeIsOver(t *testing.T) {
	const role, target = "arn:aws:iam::111122223333:role/team/web", "aws/ec2:DescribeInstances"
	w := newWorld(t)
	w.update(func(tx *state.Txn) { region.Roles.Put(tx, "web", region.Role{Name: "web", ARN: role}) })
	share := func(o *api.FaultOrder) { o.Percentage, o.Principal, o.For = 30, role, time.Minute }
	done := w.inject(target, "throttle", share)
	if want := "has the fault throttle, 30% of role/team/web"; done.Said != want || done.Target != target {
		t.Errorf("got %+v, want %q", done, want)
	}
	w.inject(target, "latency=3s")
	w.inject(target, "latency=2s")
	w.inject("aws/ec2:*", "unavailable")
	w.inject("aws/eks:DescribeCluster", "internal-error")
	got := w.calls()
	if len(got) != 3 || got[0].Calls.Error != "unavailable" || got[1].Calls.Latency != 2*time.Second ||
		*got[2].Calls != (region.CallFault{Error: "throttle", Percentage: 30, Principal: role}) {
		t.Fatalf("got %+v", got)
	}
	w.at = w.at.Add(2 * time.Minute)
	if _, err := w.keep(t.Context(), everything); err != nil || len(w.calls()) != 2 {
		t.Errorf("after its time: %+v, %v", w.calls(), err)
	}
	w.reset(target)
	w.reset("aws/ec2:*")
	if got := w.calls(); len(got) != 0 {
		t.Errorf("after the reset: %+v", got)
	}
}

func TestFaultsOfCallsThatCannotComeAreRefused(t *testing.T) {
	w := newWorld(t)
	w.refused(`there is no AWS service "moon" here`, "fault", "aws/moon:*", "throttle")
	w.refused(`EC2 has no operation "DescribeMoons"`, "fault", "aws/ec2:DescribeMoons", "throttle")
	w.refused("there is no principal arn:aws:iam::111122223333:role/nobody", "fault", "aws/ec2:*", "throttle",
		func(o *api.FaultOrder) { o.Principal = "arn:aws:iam::111122223333:role/nobody" })
}
