package instance

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"

	"tripod/api"
	"tripod/internal/process"
)

// Readiness is closed while the instance is ready.
func (i *Instance) Readiness() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.readyC
}

// Ready says whether the instance is ready.
func (i *Instance) Ready() bool { return isClosed(i.Readiness()) }

// Wanted says that the process should run.
func (i *Instance) Wanted() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return !i.stopped && !i.ending
}

// Kill ends the process without a goodbye, and says whether there was one; Supervise replaces it.
func (i *Instance) Kill() (ran bool) {
	i.mu.Lock()
	i.settle()
	child, gone := i.child, i.gone
	i.mu.Unlock()
	if child == nil {
		return false
	}
	child.Kill()
	<-gone
	return true
}

// Without ends the process without a goodbye, does something while there is none, and lets it run again unless a user has
// stopped it.
func (i *Instance) Without(do func() error) error {
	i.mu.Lock()
	i.held = true
	i.mu.Unlock()
	defer i.Release()
	if i.Kill() {
		i.lost(false) // held, its end was asked for, and nobody was told
	}
	return do()
}

// Pause stops the process by a signal: it accepts connections and answers nobody.
func (i *Instance) Pause() error { return i.freeze(syscall.SIGSTOP, true) }

// Resume lets a process that is stopped by a signal go on, or ends it where it was deposed meanwhile.
func (i *Instance) Resume() error {
	if i.endDeposed() {
		return nil
	}
	return i.freeze(syscall.SIGCONT, false)
}

// endDeposed ends the process if others were told that it is paused and take its part. Supervise starts another one at once.
func (i *Instance) endDeposed() bool {
	i.mu.Lock()
	child, gone := i.child, i.gone
	if !i.Deposed || child == nil || !i.paused {
		i.mu.Unlock()
		return false
	}
	i.renewing = true
	i.mu.Unlock()
	child.Kill()
	<-gone
	i.event(api.InstanceResumed, i.Target()+" was paused, and others have taken its part since: it is started anew")
	return true
}

func (i *Instance) freeze(signal syscall.Signal, paused bool) error {
	i.mu.Lock()
	i.settle()
	child := i.child
	i.mu.Unlock()
	if child == nil {
		if paused {
			return fmt.Errorf("%s does not run, so it cannot be paused: start it with 'tripod start %s'", i.Target(), i.Target())
		}
		return nil
	}
	if err := child.Signal(signal); err != nil {
		return err
	}
	process.AwaitPaused(child, paused)
	i.ObservePause()
	return nil
}

// ObservePause looks whether the process is stopped by a signal, whoever sent it.
func (i *Instance) ObservePause() {
	i.mu.Lock()
	child := i.child
	i.mu.Unlock()
	if child == nil {
		return
	}
	paused := process.Paused(child.PID())
	if !paused && i.endDeposed() { // somebody else let it go on
		return
	}
	i.mu.Lock()
	was := i.paused
	i.paused = paused
	if paused && !was {
		i.since = time.Now()
	}
	i.mu.Unlock()
	switch {
	case paused && !was:
		i.lost(true)
		i.event(api.InstancePaused, i.Target()+" is paused: it accepts connections and answers nobody")
	case was && !paused:
		i.event(api.InstanceResumed, i.Target()+" runs again")
	default:
		return
	}
	i.OnChange()
}

// Stop ends the process in order and keeps it so.
func (i *Instance) Stop(ctx context.Context) error {
	i.mu.Lock()
	if !i.stopped {
		i.stopped, i.since = true, time.Now()
	}
	i.settle()
	child, gone := i.child, i.gone
	i.mu.Unlock()
	defer i.OnChange()
	if child == nil {
		return nil
	}
	err := i.ask(ctx, child)
	<-gone // else a start that comes at once would make a crash of it
	return err
}

// Renew ends the process in order; its successor, with what Prepare says now, is started at once. One that does not
// run, or is stopped, has it at its next start.
func (i *Instance) Renew(ctx context.Context) error {
	i.mu.Lock()
	i.outdated = true
	i.settle()
	child, gone := i.child, i.gone
	i.renewing = child != nil
	i.mu.Unlock()
	if child == nil {
		i.poke() // it may be in the pause after a crash
		return nil
	}
	err := i.ask(ctx, child)
	<-gone
	return err
}

// ask ends a process in order.
func (i *Instance) ask(ctx context.Context, child *process.Child) error {
	if i.BeforeEnd != nil {
		i.BeforeEnd()
	}
	return child.Stop(ctx)
}

// Hold ends the process in order and keeps it down until release.
func (i *Instance) Hold(ctx context.Context) error {
	i.mu.Lock()
	i.held = true
	i.mu.Unlock()
	return i.Renew(ctx)
}

// Release lets a process that was held run again, unless a user stopped it.
func (i *Instance) Release() {
	i.mu.Lock()
	i.held = false
	i.mu.Unlock()
	i.poke()
}

// Start lets the process run (again).
func (i *Instance) Start() {
	i.mu.Lock()
	i.stopped = false
	i.mu.Unlock()
	i.poke()
}

// Reset makes it healthy.
func (i *Instance) Reset() error {
	i.Start()
	return i.Resume()
}

// End is stop for good: Supervise returns.
func (i *Instance) End(ctx context.Context) error {
	i.mu.Lock()
	i.ending = true
	i.settle()
	child := i.child
	i.mu.Unlock()
	i.poke()
	var err error
	if child != nil {
		err = i.ask(ctx, child)
	}
	<-i.done
	return err
}

// Outdate has a process prepared anew that is about to be started, since something else is true now, and says whether there is one that
// was started before.
func (i *Instance) Outdate() (running bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.outdated = true
	i.settle()
	if i.child == nil {
		i.poke() // it may be in the pause after a crash
	}
	return i.child != nil
}

// Running says whether there is a process.
func (i *Instance) Running() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.child != nil
}

// Status describes the instance; its memory is the region's to measure, on demand.
func (i *Instance) Status() api.Instance {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := api.Instance{Target: i.Target(), Component: i.Component, Cluster: i.ClusterName, Restarts: i.restarts,
		Leads: i.leads}
	if i.child != nil {
		started := i.child.StartedAt()
		s.PID, s.StartedAt = i.child.PID(), &started
	}
	switch {
	case i.child == nil && i.stopped:
		s.State, s.Reason = api.StateStopped, "stopped by 'tripod stop'"
	case i.paused:
		s.State, s.Reason = api.StatePaused, "stopped by SIGSTOP"
		s.Leads = nil // it cannot say so any more: by now another leads
	case i.child == nil && i.failed != "":
		s.State, s.Reason = api.StateFailed, i.failed
	case i.child == nil && i.After != nil:
		s.State, s.Reason = api.StateStarting, "waits for "+i.After.Target()
	case i.ready && i.alone:
		s.State, s.Reason = api.StateUnready, "it hears of no leader: it is cut off from most other members"
	case i.ready:
		s.State = api.StateReady
	default:
		s.State = api.StateStarting
	}
	if s.State == api.StatePaused || s.State == api.StateStopped {
		since := i.since
		s.FaultSince = &since
	}
	return s
}

// Suspend notes what the instance leads, so that it is not told as news when it does again.
func (i *Instance) Suspend(suspended bool) {
	if !suspended {
		i.former.Forget()
		return
	}
	i.mu.Lock()
	leads := slices.Clone(i.leads)
	i.mu.Unlock()
	i.former.Note(leads...)
}
