package logs

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"tripod/internal/reconcile"
	"tripod/state"
)

// Keeper makes a zone's events follow the records: those of deleted streams go at once, and those older than their
// group's retention in time.
type Keeper struct {
	// Zone is this zone's name and Zones are all.
	Zone   string
	Zones  []string
	State  State
	Events interface {
		Drop(stream string) error
		Trim(stream string, before time.Time)
	}
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// State is the regional state as the Keeper watches it.
type State interface {
	state.Updater
	Watch() (<-chan struct{}, func())
}

const (
	// trimEvery is how often files are looked at for their age. Reading leaves out what is too old in any case.
	trimEvery = time.Hour
	// retryAfter is when what could not be deleted, or signed off, is tried again.
	retryAfter = 5 * time.Second
)

// Run keeps until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	reconcile.Run(ctx,
		reconcile.Loop{
			Key: "delete the events of deleted log streams", Watch: k.State.Watch, Logger: k.Logger,
			Do:     func(ctx context.Context) (time.Duration, error) { return 0, k.drop(ctx) },
			Pauses: reconcile.Pauses{First: retryAfter, Most: retryAfter},
		},
		reconcile.Loop{
			Key: "delete the files of events that are too old", Logger: k.Logger,
			Do: func(context.Context) (time.Duration, error) { k.trim(); return trimEvery, nil },
		})
}

// drop deletes the events of deleted streams and signs off; the last zone deletes what is left of the record.
func (k *Keeper) drop(ctx context.Context) error {
	var waiting []string
	k.State.View(func(tx *state.Txn) error {
		for _, one := range drops.List(tx) {
			if !slices.Contains(one.Zones, k.Zone) {
				waiting = append(waiting, one.ID)
			}
		}
		return nil
	})
	var errs []error
	for _, id := range waiting {
		err := k.Events.Drop(id)
		if err == nil {
			err = k.State.Update(ctx, func(tx *state.Txn) error {
				record, found := drops.Get(tx, id)
				if !found || slices.Contains(record.Zones, k.Zone) {
					return nil
				}
				record.Zones = append(record.Zones, k.Zone)
				if len(record.Zones) < len(k.Zones) {
					drops.Put(tx, id, record)
				} else {
					drops.Delete(tx, id)
				}
				return nil
			})
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// trim deletes files that are older than their groups' retention.
func (k *Keeper) trim() {
	now := time.Now
	if k.Now != nil {
		now = k.Now
	}
	before := map[string]time.Time{} // by stream
	k.State.View(func(tx *state.Txn) error {
		for _, g := range groups.List(tx) {
			if g.Retention == 0 {
				continue
			}
			for _, one := range inGroup(tx, g.Name) {
				before[one.ID] = now().Add(-time.Duration(g.Retention) * day)
			}
		}
		return nil
	})
	for id, end := range before {
		k.Events.Trim(id, end)
	}
}
