package controlplane

import (
	"context"
	"time"

	"tripod/az/plan"
	"tripod/internal/reconcile"
)

// Extensions keeps the objects by which a cluster's API servers find the extensions: incluster/extensions.Keeper.
type Extensions interface {
	keeper
	attendant
}

// extendingAPI keeps them in the zone that leads the regional state. At rest it waits for news of a watch.
func (c *Part) extendingAPI() reconcile.Loop {
	return reconcile.Loop{Key: "keep the API's extensions known", Do: c.keepExtensions,
		Watch:  func() (<-chan struct{}, func()) { return c.watchBeside(c.extensionNews) },
		Pauses: reconcile.Pauses{First: 200 * time.Millisecond, Most: 10 * time.Second}}
}

func (c *Part) keepExtensions(ctx context.Context) (again time.Duration, err error) {
	if c.host.Extensions == nil {
		return 0, reconcile.ErrDone
	}
	record, err := c.newest()
	if err != nil {
		return 0, err
	}
	busy := record.Runs() && record.AddonsInstalled
	return c.keepLeading(ctx, &c.extending, busy, c.extensionNews, func(config WorkersConfig) (keeper, attendant, error) {
		e, err := c.host.Extensions(config, plan.ExtensionsAddress)
		return e, e, err
	})
}
