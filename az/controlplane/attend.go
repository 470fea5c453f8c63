package controlplane

import (
	"context"
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
