package az

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
	"tripod/region"
	"tripod/state"
)

// shiftPoll is how often a shift that lasts is looked after: nodes and endpoints come and go meanwhile.
const shiftPoll = 2 * time.Second

// keepShifts makes the cluster's zonal shifts true. Every zone tells its own API server which zones are shifted; the leading one does the rest for the
// whole cluster, as the zone that traffic is moved away from may be in no state to.
func (c *clusterZone) keepShifts(ctx context.Context) {
	changes, cancel := c.zone.voter.Watch()
	defer cancel()
	told, applied := "unknown", "unknown"
	for ctx.Err() == nil {
		shifts := c.shifts()
		now := time.Now()
		zones, until := shiftedZones(shifts, now)
		want := strings.Join(zones, " ")
		err := error(nil)
		if told != want {
			if err = c.tellShifts(zones); err == nil {
				told = want
			}
		}
		// A cluster that never had a shift is let alone.
		if leads := c.zone.voter.Leader() == c.zone.config.Zone; err == nil && leads && len(shifts) > 0 && (applied != want || want != "") {
			if err = c.applyShifts(ctx, zones); err == nil {
				c.tellApplied(applied, want)
				applied = want
			}
		} else if !leads {
			applied = "unknown" // by others
		}
		var again <-chan time.Time
		switch {
		case err != nil && ctx.Err() == nil:
			c.zone.logger.Warn("zonal shift", "cluster", c.record.Name, "error", err)
			again = time.After(time.Second)
		case want != "":
			again = time.After(min(shiftPoll, until.Sub(now)))
		}
		select {
		case <-changes:
		case <-again:
		case <-ctx.Done():
		}
	}
}

func (c *clusterZone) shifts() (own []region.ZonalShift) {
	c.zone.voter.View(func(tx *state.Txn) error {
		own = region.ShiftsOf(tx, c.record.ID)
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
func (c *clusterZone) tellShifts(zones []string) error {
	text, err := json.Marshal(append([]string{}, zones...))
	if err != nil {
		return err
	}
	return pki.Write(filepath.Join(c.dir, launch.ShiftedZones), text)
}

func (c *clusterZone) applyShifts(ctx context.Context, zones []string) error {
	if c.zone.Shift == nil {
		return nil
	}
	config, err := c.workersConfig()
	if err != nil {
		return err
	}
	return c.zone.Shift(ctx, config, zones)
}

// tellApplied tells of what has changed for clients, once.
func (c *clusterZone) tellApplied(before, now string) {
	switch {
	case before == now || before == "unknown" && now == "":
	case now != "":
		c.zone.event(api.Event{Cluster: c.record.Name, Target: "az/" + now, Type: api.ZonalShift,
			Message: fmt.Sprintf("traffic of cluster %s is moved away from %s: its nodes are cordoned and its endpoints left out", c.record.Name, now)})
	default:
		c.zone.event(api.Event{Cluster: c.record.Name, Target: "az/" + before, Type: api.ZonalShiftEnded,
			Message: fmt.Sprintf("traffic of cluster %s goes to %s again", c.record.Name, before)})
	}
}
