package controlplane

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"tripod/api"
	"tripod/az/instance"
	"tripod/internal/sleep"
	"tripod/region"
	"tripod/state"
)

// rolloutFarewell is how long an old process may take to finish what it does.
const rolloutFarewell = 10 * time.Second

// errCalledOff is the end of a step in a change that has failed elsewhere, or was cancelled, meanwhile.
var errCalledOff = errors.New("the change was called off")

// keepControlPlane keeps the zone's processes of the kind that the record asks for. A change goes zone by zone: each
// waits for those before it, says that it begins, replaces its processes, and signs when the new ones are ready. The
// balanced endpoint answers all along from the other zones. When one does not become ready, all go back. What was
// interrupted goes on here at the next start.
func (c *Part) keepControlPlane(ctx context.Context) (time.Duration, error) {
	record, err := c.newest()
	if err != nil || !record.Runs() || record.ID == "" {
		return 0, err
	}
	return 0, c.step(ctx, record)
}

// step does what is this zone's turn to do.
func (c *Part) step(ctx context.Context, record region.Cluster) error {
	zone, rollout := c.host.Plan.Zone, record.Rollout
	switch {
	case rollout == nil:
		return c.become(ctx, record.ControlPlane(), nil)
	case rollout.Failure != "":
		return c.goBack(ctx, record)
	case slices.Contains(rollout.Done, zone):
		return c.become(ctx, record.NextControlPlane(), nil)
	case len(rollout.Done) < c.index: // others come first
		return nil
	}
	return c.goForward(ctx, record)
}

// goForward is the zone's turn in a change.
func (c *Part) goForward(ctx context.Context, record region.Cluster) error {
	zone, id := c.host.Plan.Zone, record.Rollout.UpdateID
	begun, err := c.advance(ctx, id, region.ZoneBegins(zone))
	if err != nil || begun.Rollout == nil || begun.Rollout.Failure != "" {
		return err
	}
	what := "other settings"
	if record.Rollout.To != record.Version {
		what = "version " + record.Rollout.To
	}
	c.host.Event(api.Event{Cluster: record.Name, Target: c.apiserver.Target(), Type: api.ControlPlaneUpdate,
		Message: fmt.Sprintf("%s and its controllers are replaced, by ones with %s", c.apiserver.Target(), what)})
	stands := func(now region.Cluster) bool {
		return now.Rollout != nil && now.Rollout.UpdateID == id && now.Rollout.Failure == ""
	}
	since := c.host.Now()
	if err = c.become(ctx, record.NextControlPlane(), stands); err == nil {
		err = c.keepPace(ctx, record, since, stands)
	}
	if ctx.Err() != nil || errors.Is(err, errCalledOff) {
		return ctx.Err()
	}
	step := region.ZoneIsDone(zone)
	switch {
	case err != nil:
		step = region.RolloutFails(err.Error())
	case c.index == len(c.host.Plan.Peers)-1:
		step = region.LastZoneIsDone(zone,
			fmt.Sprintf("the new %s is unhealthy, as 'tripod fault update/%s' asked for", c.apiserver.Target(), record.Name))
	}
	_, err = c.advance(ctx, id, step)
	return err
}

// goBack undoes the zone's part of a change that has failed, once the zones after it have: not all at once, for one has
// to serve. The last zone to have gone back ends the update.
func (c *Part) goBack(ctx context.Context, record region.Cluster) error {
	zone, rollout := c.host.Plan.Zone, *record.Rollout
	for _, later := range c.host.Plan.Peers[c.index+1:] {
		if rollout.Takes(later.Zone) {
			return nil
		}
	}
	if err := c.become(ctx, record.ControlPlane(), nil); err != nil {
		return err
	}
	if !rollout.Takes(zone) && !rollout.Nowhere() {
		return nil // others are still to go back
	}
	_, err := c.advance(ctx, rollout.UpdateID, region.ZoneWentBack(zone))
	return err
}

// become replaces the zone's processes, unless they are of the wanted kind already, and waits until the new ones are
// ready. It gives up when the record does not stand for it any more; nil: it always does.
func (c *Part) become(ctx context.Context, wanted region.ControlPlane, stands func(region.Cluster) bool) error {
	if c.reached != nil && reflect.DeepEqual(*c.reached, wanted) {
		return nil
	}
	c.reached = nil // until all are ready: a step that failed half-way is to be done again
	c.wanted.Store(&wanted)
	// The controllers go first and come last: without their API server they would lose their leases, which ends them as
	// a crash.
	defer c.controllers.Release()
	if err := c.awaitEtcdPeers(ctx, wanted, stands); err != nil {
		return err
	}
	c.farewell(ctx, c.controllers, c.controllers.Hold)
	if err := c.resizeDatabase(ctx, wanted, stands); err != nil {
		return err
	}
	if err := c.secure(wanted); err != nil {
		return err
	}
	c.farewell(ctx, c.apiserver, c.apiserver.Renew)
	if err := c.awaitReady(ctx, c.apiserver, stands); err != nil {
		return err
	}
	if err := c.renewParts(ctx); err != nil {
		return err
	}
	c.controllers.Release()
	if err := c.awaitReady(ctx, c.controllers, stands); err != nil {
		return err
	}
	c.reached = &wanted
	return nil
}

// awaitEtcdPeers waits for the other zones' etcd members when this zone's is to be replaced: with two of them away,
// writes would fail.
func (c *Part) awaitEtcdPeers(ctx context.Context, wanted region.ControlPlane, stands func(region.Cluster) bool) error {
	for c.quota != wanted.DatabaseGB {
		err := c.etcdPeersServe(ctx)
		if err == nil {
			return nil
		}
		c.host.Logger.Info("a change of the database waits", "cluster", c.cluster.Name, "error", err)
		sleep.For(ctx, 500*time.Millisecond)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if now, err := c.newest(); err == nil && stands != nil && !stands(now) {
			return errCalledOff
		}
	}
	return nil
}

// resizeDatabase replaces the zone's etcd member by one with another quota, if it needs one.
func (c *Part) resizeDatabase(ctx context.Context, wanted region.ControlPlane, stands func(region.Cluster) bool) error {
	if c.quota == wanted.DatabaseGB {
		return nil
	}
	c.quota = -1 // until it is ready
	c.farewell(ctx, c.etcd, c.etcd.Renew)
	if err := c.awaitReady(ctx, c.etcd, stands); err != nil {
		return err
	}
	c.quota = wanted.DatabaseGB
	return nil
}

func (c *Part) farewell(ctx context.Context, i *instance.Instance, end func(context.Context) error) {
	ending, cancel := context.WithTimeout(ctx, rolloutFarewell)
	defer cancel()
	if err := end(ending); err != nil {
		c.host.Logger.Info("an old process was killed", "target", i.Target(), "error", err)
	}
}

// awaitReady waits for an instance. One that a user has stopped need not become ready on the way back: it will be of
// the right kind at its start.
func (c *Part) awaitReady(ctx context.Context, i *instance.Instance, stands func(region.Cluster) bool) error {
	if stands == nil && !i.Wanted() {
		return nil
	}
	late := time.NewTimer(c.host.Timing.Patience)
	defer late.Stop()
	err := c.await(ctx, late.C, i.Readiness, func() error {
		if stands == nil && !i.Wanted() {
			return errNeedless
		}
		return c.calledOff(stands)
	})
	switch {
	case errors.Is(err, errNeedless):
		return nil
	case errors.Is(err, errLate):
		status := i.Status()
		return fmt.Errorf("%s was not ready %v after it was to start anew: it is %s (%s)", i.Target(),
			c.host.Timing.Patience, status.State, status.Reason)
	}
	return err
}

// errNeedless is why something is not waited for any more, and errLate that it did not come in time.
var (
	errNeedless = errors.New("it need not be waited for")
	errLate     = errors.New("it did not come in time")
)

// calledOff says that the record does not stand for the change any more; nil: it always does.
func (c *Part) calledOff(stands func(region.Cluster) bool) error {
	if now, err := c.newest(); err == nil && stands != nil && !stands(now) {
		return errCalledOff
	}
	return nil
}

// await is how a step waits for its effect: until what is signalled, or until late. After each change of the regional
// state it asks whether the step goes on.
func (c *Part) await(ctx context.Context, late <-chan time.Time, what func() <-chan struct{},
	goesOn func() error) error {
	changes, cancel := c.host.State.Watch()
	defer cancel()
	for {
		select {
		case <-what():
			return nil
		case <-late:
			return errLate
		case <-ctx.Done():
			return ctx.Err()
		case <-changes:
		}
		if err := goesOn(); err != nil {
			return err
		}
	}
}

// keepPace waits out this zone's share of the time that a change of the control plane has to last: what is left of it,
// in equal parts for the zones whose turn is still to come. It gives up when the record does not stand for the change
// any more.
func (c *Part) keepPace(ctx context.Context, record region.Cluster, begun time.Time,
	stands func(region.Cluster) bool) error {
	if record.NotBefore == nil {
		return nil
	}
	share := record.NotBefore.Sub(begun) / time.Duration(len(c.host.Plan.Peers)-c.index)
	over := time.NewTimer(share - c.host.Now().Sub(begun))
	defer over.Stop()
	nothing := func() <-chan struct{} { return nil }
	if err := c.await(ctx, over.C, nothing, func() error { return c.calledOff(stands) }); !errors.Is(err, errLate) {
		return err
	}
	return nil
}

// advance notes the zone's step in the change of that id, and tells when that ends it. It returns the record, a zero
// one where the change is not under way any more.
func (c *Part) advance(ctx context.Context, id string, step region.RolloutStep) (record region.Cluster, err error) {
	var ended region.Update
	err = c.host.State.Update(ctx, func(tx *state.Txn) error {
		record, ended = region.AdvanceRollout(tx, c.cluster.ID, id, len(c.host.Plan.Peers), time.Now().UTC(), step)
		return nil
	})
	if err == nil && ended.ID != "" {
		c.host.Event(api.Event{Cluster: c.cluster.Name, Type: api.EventType(ended.Type + string(ended.Status)),
			Message: fmt.Sprintf("the update of cluster %s is %s: it has version %s", c.cluster.Name, ended.Status,
				record.Version)})
	}
	return record, err
}
