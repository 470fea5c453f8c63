package emulator

import (
	"context"
	"time"

	"tripod/internal/process"
)

// watchPauses notices that somebody stopped a zone's agent by a signal, or let it go on.
func (v *supervisor) watchPauses(ctx context.Context) {
	children, end := process.ChildChanges()
	defer end()
	for {
		select {
		case <-children:
			for _, z := range v.zones {
				v.observePause(z)
			}
		case <-ctx.Done():
			return
		}
	}
}

// observePause looks whether somebody stopped the agent by a signal. While all zones are frozen it does not.
func (v *supervisor) observePause(z *zone) {
	if !v.freezer.still.TryRLock() {
		return
	}
	defer v.freezer.still.RUnlock()
	z.mu.Lock()
	child := z.is.child
	z.mu.Unlock()
	if child == nil {
		return
	}
	paused := process.Paused(child.PID())
	z.mu.Lock()
	if z.is.child != child || z.is.paused == paused { // another looked at the same time
		z.mu.Unlock()
		return
	}
	z.is.paused = paused
	if paused {
		z.is.since, z.is.deposed = time.Now(), true
	}
	z.notify()
	z.mu.Unlock()
	if !paused {
		z.endDeposed() // somebody else has let the zone go on
	}
	v.zonePaused(z, paused)
}
