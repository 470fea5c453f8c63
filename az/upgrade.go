package az

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tripod/client"
	"tripod/region"
)

const (
	// upgradePatience is how long an API server of another version may take until it is ready. A laptop under load is slow; one that does not
	// come up at all shows itself by dying again and again, and that is not told from slowness here.
	upgradePatience = 3 * time.Minute
	// upgradeFarewell is how long the old one may take to finish what it does.
	upgradeFarewell = 10 * time.Second
)

// keepVersion keeps the zone's part of the cluster at the version that it has to have. A change of version goes zone by zone: each waits for those
// before it, replaces its API server and then its controllers, and says so in the record when the new ones are ready. The balanced endpoint answers
// all along from the other zones. When one does not become ready, all go back. What was interrupted goes on here at the next start.
func (c *clusterZone) keepVersion(ctx context.Context) {
	changes, cancel := c.zone.voter.Watch()
	defer cancel()
	for ctx.Err() == nil {
		record, err := c.newest()
		if err == nil && record.Runs() && record.ID != "" {
			err = c.step(ctx, record)
		}
		var again <-chan time.Time
		if err != nil && ctx.Err() == nil {
			c.zone.logger.Warn("change version", "cluster", c.record.Name, "error", err)
			again = time.After(time.Second)
		}
		select {
		case <-changes:
		case <-again:
		case <-ctx.Done():
		}
	}
}

// step does what is this zone's turn to do.
func (c *clusterZone) step(ctx context.Context, record region.Cluster) error {
	zone, upgrade := c.zone.config.Zone, record.Upgrade
	switch {
	case upgrade == nil:
		return c.become(ctx, record.Version)
	case upgrade.Failure != "":
		if err := c.become(ctx, record.Version); err != nil {
			return err
		}
		if len(upgrade.Done) > 0 && !slices.Contains(upgrade.Done, zone) {
			return nil // others are still to go back
		}
		return c.conclude(ctx, func(u *region.Upgrade) {
			u.Done = slices.DeleteFunc(u.Done, func(done string) bool { return done == zone })
		})
	case slices.Contains(upgrade.Done, zone):
		return c.become(ctx, upgrade.To)
	case len(upgrade.Done) < c.index: // others come first
		return nil
	}
	c.zone.event(client.Event{Cluster: record.Name, Target: c.apiserver.target(), Type: "VersionUpdate",
		Message: fmt.Sprintf("%s and its controllers go from %s to %s", c.apiserver.target(), record.Version, upgrade.To)})
	if err := c.become(ctx, upgrade.To); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return c.conclude(ctx, func(u *region.Upgrade) { u.Failure = err.Error() })
	}
	return c.conclude(ctx, func(u *region.Upgrade) {
		if u.Failure == "" && !slices.Contains(u.Done, zone) {
			u.Done = append(u.Done, zone)
		}
	})
}

// become replaces the API server and the controllers, unless they have the version already, and waits until the new ones are ready.
func (c *clusterZone) become(ctx context.Context, version string) error {
	if *c.version.Load() == version {
		return nil
	}
	c.version.Store(&version)
	for _, i := range []*instance{c.apiserver, c.controllers} {
		ending, cancel := context.WithTimeout(ctx, upgradeFarewell)
		err := i.renew(ending)
		cancel()
		if err != nil {
			c.zone.logger.Info("the old version was killed", "target", i.target(), "error", err)
		}
		timer := time.NewTimer(upgradePatience)
		defer timer.Stop()
		select {
		case <-i.readiness():
		case <-timer.C:
			return fmt.Errorf("%s was not ready %v after it was started with version %s", i.target(), upgradePatience, version)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// conclude notes the zone's step in the upgrade that is under way, and ends the upgrade with the last of them.
func (c *clusterZone) conclude(ctx context.Context, edit func(*region.Upgrade)) error {
	var ended region.Update
	var version string
	err := c.zone.voter.Update(ctx, func(tx *region.Txn) error {
		ended = region.Update{}
		record, found := region.Clusters.Get(tx, c.record.ID)
		if !found || record.Upgrade == nil {
			return nil // it ended meanwhile
		}
		edit(record.Upgrade)
		u := *record.Upgrade
		switch update, _ := region.Updates.Get(tx, u.UpdateID); {
		case u.Failure != "" && len(u.Done) == 0:
			ended = failedUpdate(update, u)
		case len(u.Done) == len(c.zone.config.Peers):
			ended = update
			ended.Status = "Successful"
			now := time.Now().UTC()
			record.UpgradedFrom, record.UpgradedAt, record.Version = record.Version, &now, u.To
		}
		if ended.ID != "" {
			record.Status, record.Upgrade = "ACTIVE", nil
			region.Updates.Put(tx, ended.ID, ended)
		}
		version = record.Version
		region.Clusters.Put(tx, record.ID, record)
		return nil
	})
	if err == nil && ended.ID != "" {
		c.zone.event(client.Event{Cluster: c.record.Name, Type: ended.Type + ended.Status,
			Message: fmt.Sprintf("the update of cluster %s is %s: it has version %s", c.record.Name, ended.Status, version)})
	}
	return err
}

// failedUpdate is the update's record once all zones have gone back.
func failedUpdate(update region.Update, u region.Upgrade) region.Update {
	if u.Cancelled {
		update.Status = "Cancelled"
		return update
	}
	update.Status = "Failed"
	update.Errors = []region.UpdateError{{Code: "OperationNotPermitted", Message: u.Failure}}
	return update
}
