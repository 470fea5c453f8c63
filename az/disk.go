package az

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"tripod/az/instance"
	"tripod/internal/diskfault"
	"tripod/internal/sleep"
)

// zoneDisk is what is wrong with the zone's disk. What is on it feels that itself: package diskfault.
type zoneDisk struct {
	telling sync.Mutex // held while the members are told

	mu       sync.Mutex
	settings diskfault.Settings
}

// of is what a cluster's processes feel of it.
func (d *zoneDisk) of(cluster string) diskfault.Fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.settings.Disk.Of(cluster)
}

// take keeps settings, unless they are older than the last ones: orders overtake each other.
func (d *zoneDisk) take(settings diskfault.Settings) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if settings.Number >= d.settings.Number {
		d.settings = settings
	}
}

// handleDisk answers when the zone's etcd members feel what is wrong with its disk.
func (z *Zone) handleDisk(w http.ResponseWriter, r *http.Request) {
	var settings diskfault.Settings
	if err := json.NewDecoder(r.Body).Decode(&settings); err != nil {
		answer(w, http.StatusBadRequest, err)
		return
	}
	z.disk.take(settings)
	answer(w, http.StatusConflict, z.tellDisks(r.Context()))
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
