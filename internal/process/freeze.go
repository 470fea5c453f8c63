package process

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// Frozen are processes that Freeze has stopped.
type Frozen struct {
	leaders, others []Identity
}

// freezePoll is how often it is looked whether all have stopped. The kernel stops a thread at the end of its system
// call: mostly at once.
const freezePoll = 500 * time.Microsecond

// Freeze stops the groups of processes that leaders lead, by SIGSTOP, and returns when no thread of them runs any more:
// from then on nothing that they write changes. What somebody else had stopped before stays so at Thaw. The leaders
// stop first and go on last, since they watch over the others and shall not see them stopped. When ctx ends before all
// have stopped, all go on.
func Freeze(ctx context.Context, leaders []int) (*Frozen, error) {
	f := &Frozen{}
	for _, pid := range leaders {
		if err := stopOne(pid, &f.leaders); err != nil {
			return nil, errors.Join(err, f.Thaw())
		}
	}
	if err := f.await(ctx); err != nil {
		return nil, errors.Join(err, f.Thaw())
	}
	for {
		begun := len(f.others)
		for _, pid := range groupMembers(leaders...) {
			if err := stopOne(pid, &f.others); err != nil {
				return nil, errors.Join(err, f.Thaw())
			}
		}
		if err := f.await(ctx); err != nil {
			return nil, errors.Join(err, f.Thaw())
		}
		if len(f.others) == begun { // nobody was forked meanwhile
			return f, nil
		}
	}
}

// stopOne stops a process and notes it among those, unless it is stopped already, or gone.
func stopOne(pid int, among *[]Identity) error {
	info, err := inspect(pid)
	if err != nil || info.zombie || info.stopped {
		return nil
	}
	id, err := Identify(pid)
	if err != nil {
		return nil // it has just ended
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop process %d: %w", pid, err)
	}
	*among = append(*among, id)
	return nil
}

// await returns when all have stopped, or ended.
func (f *Frozen) await(ctx context.Context) error {
	for !f.Holds() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for processes to stop: %w", context.Cause(ctx))
		case <-time.After(freezePoll):
		}
	}
	return nil
}

// Holds says whether all of them are still stopped. One that was killed is.
func (f *Frozen) Holds() bool {
	for _, ids := range [][]Identity{f.leaders, f.others} {
		for _, id := range ids {
			if !threadsStopped(id.PID) && id.Alive() {
				return false
			}
		}
	}
	return true
}

// Thaw lets them go on. Doing it again does nothing to those that run.
func (f *Frozen) Thaw() error {
	var pids []int
	for _, ids := range [][]Identity{f.others, f.leaders} {
		for _, id := range ids {
			if id.Alive() {
				pids = append(pids, id.PID)
			}
		}
	}
	var errs []error
	for _, pid := range pids { // in one go: the first ones take the processors
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, fmt.Errorf("let process %d go on: %w", pid, err))
		}
	}
	return errors.Join(errs...)
}
