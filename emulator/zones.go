package emulator

import (
	"context"
	"errors"
	"sync"

	"tripod/az/plan"
	"tripod/internal/loss"
	"tripod/internal/process"
)

// zones are the region's, in the order of their letters.
type zones []*zone

// named finds a zone by its name or its last letter; nil when there is none.
func (zs zones) named(name string) *zone {
	for _, z := range zs {
		if name == z.name || name == plan.Letter(z.name) {
			return z
		}
	}
	return nil
}

// first asks the zones that can hear, one after the other, until one has done it. none is the error when no zone can
// hear.
func (zs zones) first(none error, ask func(*zone) error) error {
	err := none
	for _, z := range zs {
		if z.reachable() != nil {
			continue
		}
		if err = ask(z); err == nil {
			return nil
		}
	}
	return err
}

// identities are the processes of the zones' agents, for the sweep of a later start.
func (zs zones) identities() map[string]process.Identity {
	agents := map[string]process.Identity{}
	for _, z := range zs {
		if child := z.status().child; child != nil {
			if identity, err := process.Identify(child.PID()); err == nil {
				agents[z.name] = identity
			}
		}
	}
	return agents
}

// suspend tells all zones that can hear, and returns when they have done what is to be done.
func (zs zones) suspend(ctx context.Context, suspended bool) error {
	ctx, cancel := context.WithTimeout(ctx, suspensionTimeout)
	defer cancel()
	errs := make([]error, len(zs))
	var wait sync.WaitGroup
	for i, z := range zs {
		if z.reachable() != nil {
			continue
		}
		wait.Go(func() {
			errs[i] = z.agent().TellSuspension(ctx, loss.Suspension{Suspended: suspended})
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// stop stops all zones side by side: first what needs a quorum, then everything.
func (zs zones) stop(ctx context.Context) error {
	errs := make([]error, len(zs))
	var wait sync.WaitGroup
	for _, end := range []func(*zone, context.Context) error{(*zone).quiesce, (*zone).end} {
		for i, z := range zs {
			wait.Go(func() { errs[i] = errors.Join(errs[i], end(z, ctx)) })
		}
		wait.Wait()
	}
	return errors.Join(errs...)
}
