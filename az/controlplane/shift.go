package controlplane

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tripod/api"
	"tripod/apiserver/launch"
	"tripod/internal/pki"
	"tripod/internal/reconcile"
	"tripod/region"
	"tripod/state"
)

// shiftPoll is how often a shift that lasts is looked after: nodes and endpoints come and go meanwhile.
const shiftPoll = 2 * time.Second

// unknownZones is what is said of zones that nobody has looked at yet, or that others may have changed.
const unknownZones = "unknown"

// shifting makes the cluster's zonal shifts true. Every zone tells its own API server which zones are shifted; the
// leading one does the rest for the whole cluster, as the zone that traffic is moved away from may be in no state to.
func (c *Part) shifting() reconcile.Loop {
	told, applied := unknownZones, unknownZones
	return reconcile.Loop{
		Key: "zonal shift", Watch: c.host.State.Watch, Pauses: reconcile.Pauses{First: time.Second, Most: time.Second},
		Do: func(ctx context.Context) (time.Duration, error) {
			shifts, now := c.shifts(), time.Now()
			zones, until := shiftedZones(shifts, now)
			want := strings.Join(zones, " ")
			if told != want {
				if err := c.tellShifts(zones); err != nil {
					return 0, err
				}
				told = want
			}
			leads := c.host.State.Leader() == c.host.Plan.Zone
			switch {
			case !leads:
				applied = unknownZones // by others
			case len(shifts) > 0 && (applied != want || want != ""): // a cluster that never had a shift is let alone
				if err := c.applyShifts(ctx, zones); err != nil {
					return 0, err
				}
				c.tellApplied(applied, want)
				applied = want
			}
			if want == "" {
				return 0, nil
			}
			return max(reconcile.Now, min(shiftPoll, until.Sub(now))), nil
		},
	}
}

func (c *Part) shifts() (own []region.ZonalShift) {
	c.host.State.View(func(tx *state.Txn) error {
		own = region.ShiftsOf(tx, c.cluster.ID)
		return nil
	})
	return own
}

// shiftedZones are the zones of active shifts, in order, and when the first of these ends.
func shiftedZones(shifts []region.ZonalShift, now time.Time) (zones []string, until time.Time) {
	for _, shift := range shifts {
		if !shift.Active(now) {
			continue
		}
		zones = append(zones, shift.Zone)
		if until.IsZero() || shift.ExpiresAt.Before(until) {
			until = shift.ExpiresAt
		}
	}
	slices.Sort(zones)
	return slices.Compact(zones), until
}

// tellShifts writes the file that the zone's API server reads.
func (c *Part) tellShifts(zones []string) error {
	text, err := json.Marshal(append([]string{}, zones...))
	if err != nil {
		return err
	}
	return pki.Write(filepath.Join(c.dir, launch.ShiftedZones), text)
}

func (c *Part) applyShifts(ctx context.Context, zones []string) error {
	if c.host.Shift == nil {
		return nil
	}
	config, err := c.workersConfig()
	if err != nil {
		return err
	}
	return c.host.Shift(ctx, config, zones)
}

// tellApplied tells of what has changed for clients, once.
func (c *Part) tellApplied(before, now string) {
	switch {
	case before == now || before == unknownZones && now == "":
	case now != "":
		c.host.Event(api.Event{Cluster: c.cluster.Name, Target: "az/" + now, Type: api.ZonalShift,
			Message: fmt.Sprintf("traffic of cluster %s is moved away from %s: its nodes are cordoned and its "+
				"endpoints left out", c.cluster.Name, now)})
	default:
		c.host.Event(api.Event{Cluster: c.cluster.Name, Target: "az/" + before, Type: api.ZonalShiftEnded,
			Message: fmt.Sprintf("traffic of cluster %s goes to %s again", c.cluster.Name, before)})
	}
}
