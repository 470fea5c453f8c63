package emulator

import (
	"context"
	"fmt"
	"time"

	"tripod/api"
	"tripod/az/plan"
	"tripod/internal/diskfault"
)

// disks are the zones', with the faults on them. They act in the processes that use them: package diskfault.
type disks struct {
	*faultKeeper[diskFault, diskfault.Zone]
	cluster   func(name string) bool // there is a cluster of that name
	supported func() error
}

// diskFault is a fault of a zone's disk, as disks.json has it.
type diskFault struct {
	Zone    string     `json:"zone"`
	Cluster string     `json:"cluster,omitempty"` // its name; empty: all feel it
	Fault   string     `json:"fault"`             // failing, latency=500ms
	Since   time.Time  `json:"since"`
	Until   *time.Time `json:"until,omitempty"`
}

func (f diskFault) now(time.Time) (acts bool, next time.Time) {
	if f.Until != nil {
		next = *f.Until
	}
	return true, next
}

func (f diskFault) over(at time.Time) bool { return f.Until != nil && !f.Until.After(at) }

// words describe it as the status shows it.
func (f diskFault) words() string {
	if latency := api.DiskLatency(f.Fault); latency > 0 {
		return fmt.Sprintf("slow: latency %v", latency)
	}
	return f.Fault
}

// alike says whether one takes the place of the other: a disk can be slow beside one other fault.
func (f diskFault) alike(g diskFault) bool {
	return f.Zone == g.Zone && f.Cluster == g.Cluster && (api.DiskLatency(f.Fault) > 0) == (api.DiskLatency(g.Fault) > 0)
}

func newDisks(site *site, life *life, zones zones) *disks {
	d := &disks{faultKeeper: newFaultKeeper[diskFault, diskfault.Zone](site, life, zones), supported: diskfault.Supported}
	d.file, d.kind, d.good, d.show = "disks.json", "disks", d.verify, shownDisks
	d.wanted = d.of
	d.send = func(ctx context.Context, z *zone, number int64, disk diskfault.Zone) error {
		return z.agent().SetDisk(ctx, diskfault.Settings{Number: number, Disk: disk})
	}
	return d
}

// verify says what is wrong with a fault that was read.
func (d *disks) verify(f diskFault) error {
	order := api.FaultOrder{Target: api.Target{Kind: api.KindDisk, Name: f.Zone}, Fault: f.Fault, Cluster: f.Cluster}
	if err := order.Check(); err != nil {
		return err
	}
	if z := d.zones.named(f.Zone); z == nil || z.name != f.Zone {
		return fmt.Errorf("there is no zone %q", f.Zone)
	}
	return nil
}

// order puts a fault of a disk in force by the verb fault, or takes back those of the target by reset, and returns when the zone acts by
// it.
func (d *disks) order(ctx context.Context, verb string, order api.FaultOrder) (done api.FaultDone, err error) {
	z := d.zones.named(order.Target.Name)
	switch {
	case z == nil:
		return done, d.noZone(order.Target.Name)
	case order.Cluster != "" && !d.cluster(order.Cluster):
		return done, refuse("there is no cluster %q: 'tripod status' lists them", order.Cluster)
	case !d.life.isUp():
		return done, errNotUp
	}
	added := diskFault{Zone: z.name, Cluster: order.Cluster, Fault: order.Fault}
	done = api.FaultDone{Target: diskTarget(z.name), Cluster: order.Cluster, Said: "is " + added.words()}
	if verb == api.Reset {
		had, err := d.replace(func(f diskFault) bool {
			return f.Zone == z.name && (order.Cluster == "" || f.Cluster == order.Cluster)
		})
		if err != nil || !had {
			return done, err
		}
		done.Said = "is healed"
		err = d.effect(ctx)
		d.emit(api.Event{Cluster: done.Cluster, Target: done.Target, Type: api.FaultCleared, Message: done.Target + " is healed"})
		return done, err
	}
	if err := d.supported(); err != nil {
		return done, refuse("%v", err)
	}
	added.Since, added.Until = lasting(order.For)
	if _, err := d.replace(added.alike, added); err != nil {
		return done, err
	}
	err = d.effect(ctx)
	d.emit(api.Event{Cluster: done.Cluster, Target: done.Target, Type: api.FaultInjected, Message: done.Target + " " + done.Said})
	return done, err
}

func diskTarget(zone string) string { return api.KindDisk + "/" + plan.Letter(zone) }

// of is what is wrong with a zone's disk now.
func (d *disks) of(z *zone) (disk diskfault.Zone) {
	for _, f := range d.acting() {
		if f.Zone != z.name {
			continue
		}
		fault := &disk.All
		if f.Cluster != "" {
			own := disk.Clusters[f.Cluster]
			fault = &own
		}
		if latency := api.DiskLatency(f.Fault); latency > 0 {
			fault.Latency = latency
		} else {
			fault.Fails = f.Fault
		}
		if f.Cluster != "" {
			if disk.Clusters == nil {
				disk.Clusters = map[string]diskfault.Fault{}
			}
			disk.Clusters[f.Cluster] = *fault
		}
	}
	return disk
}

func shownDisks(faults []diskFault) (shown []api.Fault) {
	for _, f := range faults {
		shown = append(shown, api.Fault{Target: diskTarget(f.Zone), Cluster: f.Cluster, Fault: f.words(), Since: f.Since, Until: f.Until})
	}
	return shown
}
