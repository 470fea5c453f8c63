package region

import (
	"testing"
	"time"

	"tripod/state"
)

func TestFaultEndsUnlessAnotherHasItsPlace(t *testing.T) {
	first := Fault{Target: "pod/default/web", ClusterID: "A", Of: "x", Fault: "crash-loop", Since: time.Unix(1, 0)}
	second := first
	second.Fault, second.Since = "oom-kill", time.Unix(2, 0)
	elsewhere := first
	elsewhere.ClusterID = "B"
	longer := first
	longer.Target += "-0"
	memory := NewMemory(func(tx *state.Txn) {
		for _, f := range []Fault{second, elsewhere, longer} {
			Faults.Put(tx, f.Key(), f)
		}
	})
	if err := memory.Update(t.Context(), func(tx *state.Txn) error {
		if got := FaultsOf(tx, first.Target); len(got) != 2 {
			t.Errorf("faults of %s: %+v, want those in two clusters", first.Target, got)
		}
		if EndFault(tx, first) || len(FaultsOf(tx, first.Target)) != 2 {
			t.Error("a fault that another one has replaced ends that one")
		}
		if !EndFault(tx, second) || EndFault(tx, second) || len(FaultsOf(tx, first.Target)) != 1 {
			t.Errorf("the faults are %+v", Faults.List(tx))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestInstanceIsKeptImpairedByItsFaultAlone(t *testing.T) {
	memory := NewMemory(func(tx *state.Txn) {
		for id, fault := range map[string]string{"i-1": ImpairFault, "i-2": "stop"} {
			f := Fault{Target: "node/" + id, Of: FaultedInstance, Fault: fault, InstanceID: id, Since: time.Unix(1, 0)}
			Faults.Put(tx, f.Key(), f)
		}
	})
	memory.View(func(tx *state.Txn) error {
		if !KeepsImpaired(tx, "i-1") || KeepsImpaired(tx, "i-2") || KeepsImpaired(tx, "i-3") {
			t.Error("i-1 alone is to be kept impaired")
		}
		return nil
	})
}
