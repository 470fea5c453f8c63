package controlplane

import (
	"context"
	"time"
)

// attendant watches something of the cluster for a loop, while this zone leads.
type attendant interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	// Changes is signalled when something of it has changed.
	Changes() <-chan struct{}
}

// attend starts an attendant, whose changes are passed on to news until end has ended both.
func attend(ctx context.Context, a attendant, news chan<- struct{}) (end func(context.Context) error, err error) {
	if err := a.Start(ctx); err != nil {
		return nil, err
	}
	quit := make(chan struct{})
	go func() {
		for {
			select {
			case <-a.Changes():
				signal(news)
			case <-quit:
				return
			}
		}
	}()
	return func(ctx context.Context) error { close(quit); return a.Stop(ctx) }, nil
}

// keeper makes something of the cluster as it should be.
type keeper interface {
	Keep(ctx context.Context) (again time.Duration, err error)
}

// attended is a keeper with its attendant, while this zone leads the regional state.
type attended struct {
	keeper
	trust *trust // that the attendant was made with
	end   func(context.Context) error
}

// keepLeading has a keeper keep where this zone leads the regional state and there is something to keep. It stays in at between
// calls; begin makes it, and the attendant whose changes go to news.
func (c *Part) keepLeading(ctx context.Context, at **attended, busy bool, news chan<- struct{},
	begin func(WorkersConfig) (keeper, attendant, error)) (again time.Duration, err error) {
	trust, leads := c.trust.Load(), busy && c.host.State.Leader() == c.host.Plan.Zone
	if !leads || *at != nil && (*at).trust != trust { // or its certificates are another authority's by now
		if err := drop(ctx, at); err != nil || !leads {
			return 0, err
		}
	}
	if *at == nil {
		config, err := c.workersConfig()
		if err != nil {
			return 0, err
		}
		k, a, err := begin(config)
		if err != nil {
			return 0, err
		}
		end, err := attend(ctx, a, news)
		if err != nil {
			return 0, err
		}
		*at = &attended{k, trust, end}
	}
	return (*at).Keep(ctx)
}

// drop ends a keeper, if there is one.
func drop(ctx context.Context, at **attended) error {
	k := *at
	if k == nil {
		return nil
	}
	*at = nil
	return k.end(ctx)
}
