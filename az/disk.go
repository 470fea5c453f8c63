package az

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"tripod/api"
	"tripod/az/instance"
	"tripod/internal/diskfault"
	"tripod/internal/loss"
	"tripod/internal/sleep"
	"tripod/state"
)

// zoneDisk is what is wrong with the zone's disk. What is on it feels that itself: package diskfault.
type zoneDisk struct {
	telling sync.Mutex // held while the members are told
	// voter is what the zone's part of the regional state is on: it shares its process with what feels no fault.
	voter *diskfault.Disk

	mu       sync.Mutex
	settings diskfault.Settings
}

// newZoneDisk returns one with what is so from the start, which whoever wrote it down has checked.
func newZoneDisk(settings diskfault.Settings) *zoneDisk {
	d := &zoneDisk{voter: diskfault.Within()}
	_ = d.take(settings)
	return d
}

// operations are those of a voter as package diskfault knows them.
var operations = map[state.DiskOperation]diskfault.Operation{state.DiskSync: diskfault.Sync, state.DiskRewrite: diskfault.Rewrite,
	state.DiskGrow: diskfault.Grow}

// meet is state.Config's Disk.
func (d *zoneDisk) meet(ctx context.Context, of state.DiskOperation) error {
	if errno := d.voter.Meet(ctx, operations[of], time.Now()); errno != 0 {
		return errno
	}
	return nil
}

// of is what a cluster's processes feel of it.
func (d *zoneDisk) of(cluster string) diskfault.Fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.settings.Disk.Of(cluster)
}

// take keeps settings, unless they are older than the last ones: orders overtake each other.
func (d *zoneDisk) take(settings diskfault.Settings) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if settings.Number < d.settings.Number {
		return nil
	}
	if err := d.voter.Set(settings.Disk.All); err != nil {
		return err
	}
	d.settings = settings
	return nil
}

// handleDisk answers when the zone's etcd members and its voter feel what is wrong with its disk.
func (z *Zone) handleDisk(w http.ResponseWriter, r *http.Request) {
	var settings diskfault.Settings
	if err := json.NewDecoder(r.Body).Decode(&settings); err != nil {
		answer(w, http.StatusBadRequest, err)
		return
	}
	if err := z.disk.take(settings); err != nil {
		answer(w, http.StatusBadRequest, err)
		return
	}
	var trying sync.WaitGroup
	trying.Go(func() { z.voter.TryDisk(r.Context()) })
	err := z.tellDisks(r.Context())
	trying.Wait()
	answer(w, http.StatusConflict, err)
}

// voterDown tells why the zone's part of the regional state is down; nil: it is back.
func (z *Zone) voterDown(why error) {
	e := api.Event{Type: api.VoterBack, Target: "az/" + z.config.Zone, Message: fmt.Sprintf("%s of %s is back", regionalState, z.config.Zone)}
	if why != nil {
		e.Type, e.Message = api.VoterDown, fmt.Sprintf("%s of %s is down: %v", regionalState, z.config.Zone, why)
		z.tellLoss(loss.Loss{Zone: z.config.Zone, Component: loss.Voter, At: time.Now()})
	}
	z.event(e)
	z.changed()
}

// tellDisks tells all members, the newest settings last.
func (z *Zone) tellDisks(ctx context.Context) error {
	z.disk.telling.Lock()
	defer z.disk.telling.Unlock()
	instances := z.instances("")
	errs := make([]error, len(instances))
	var telling sync.WaitGroup
	for n, i := range instances {
		if i.Component == "etcd" {
			telling.Go(func() { errs[n] = z.tellDisk(ctx, i) })
		}
	}
	telling.Wait()
	return errors.Join(errs...)
}

// tellDisk tells a member, as soon as its process listens. One that has not begun yet is prepared with what is so now.
func (z *Zone) tellDisk(ctx context.Context, i *instance.Instance) error {
	for {
		if !i.Outdate() {
			return nil
		}
		err := diskfault.Tell(ctx, i.Socket, z.disk.of(i.ClusterName))
		if err == nil {
			return nil
		}
		if sleep.For(ctx, 20*time.Millisecond) != nil {
			return fmt.Errorf("tell %s of its disk: %w", i.Target(), err)
		}
	}
}
