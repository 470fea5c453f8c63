package region

import (
	"errors"
	"testing"
	"time"

	"tripod/state"
)

// Every function of an instance's life from every state: where it leads, or that it is refused and nothing is written.
func TestInstanceTransitions(t *testing.T) {
	now := time.Date(2026, 11, 29, 7, 0, 0, 0, time.UTC)
	states := []InstanceState{InstancePending, InstanceRunning, InstanceShuttingDown, InstanceTerminated, InstanceStopping,
		InstanceStopped}
	moves := map[string]struct {
		do func(tx *state.Txn) (Instance, error)
		to map[InstanceState]InstanceState
	}{
		"run": {func(tx *state.Txn) (Instance, error) { return RunInstance(tx, "i-1", now) },
			map[InstanceState]InstanceState{InstancePending: InstanceRunning}},
		"stop": {func(tx *state.Txn) (Instance, error) { return StopInstance(tx, "i-1", UserShutdown, now) },
			map[InstanceState]InstanceState{InstancePending: InstanceStopping, InstanceRunning: InstanceStopping}},
		"end stop": {func(tx *state.Txn) (Instance, error) { return EndStop(tx, "i-1", now) },
			map[InstanceState]InstanceState{InstanceStopping: InstanceStopped}},
		"start": {func(tx *state.Txn) (Instance, error) { return StartInstance(tx, "i-1", now) },
			map[InstanceState]InstanceState{InstanceStopped: InstancePending}},
		"terminate": {func(tx *state.Txn) (Instance, error) { return TerminateInstance(tx, "i-1", UserShutdown, now) },
			map[InstanceState]InstanceState{InstancePending: InstanceShuttingDown, InstanceRunning: InstanceShuttingDown,
				InstanceShuttingDown: InstanceShuttingDown, InstanceTerminated: InstanceTerminated,
				InstanceStopping: InstanceShuttingDown, InstanceStopped: InstanceShuttingDown}},
		"end termination": {func(tx *state.Txn) (Instance, error) { return EndTermination(tx, "i-1", now) },
			map[InstanceState]InstanceState{InstanceShuttingDown: InstanceTerminated}},
	}
	for name, move := range moves {
		for _, from := range states {
			t.Run(name+" from "+string(from), func(t *testing.T) {
				memory := NewMemory(func(tx *state.Txn) { Instances.Put(tx, "i-1", Instance{ID: "i-1", State: from}) })
				err := memory.Update(t.Context(), func(tx *state.Txn) error {
					_, err := move.do(tx)
					return err
				})
				want, allowed := move.to[from]
				var refused *RefusedError
				if !allowed {
					want = from
				}
				if allowed != (err == nil) || err != nil && !errors.As(err, &refused) {
					t.Errorf("error %v, allowed %v", err, allowed)
				}
				memory.View(func(tx *state.Txn) error {
					if got, _ := Instances.Get(tx, "i-1"); got.State != want {
						t.Errorf("it is %s, want %s", got.State, want)
					}
					return nil
				})
			})
		}
	}
}
