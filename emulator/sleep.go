package emulator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"tripod/api"
	"tripod/internal/sleep"
	"tripod/lb"
)

const (
	// suspensionTimeout bounds the telling of one zone. It has to end what its controllers are at.
	suspensionTimeout = 15 * time.Second
	// quietTime without a byte on any client's connection means that no request is under way; after quietLimit that is
	// not waited for any more.
	quietTime, quietLimit = 200 * time.Millisecond, 3 * time.Second
	// listenInterval is how often it is looked, while the region sleeps, whether a client speaks over a connection that
	// it had before: some µs each time.
	listenInterval = 250 * time.Millisecond
)

// sleeper is a region's sleep: all processes of all zones are stopped, and the region's own process waits for somebody
// to speak.
type sleeper struct {
	*site
	life      *life
	zones     zones
	endpoints *endpoints
	freezer   *freezer
	saver     *saver
	links     *links
	disks     *disks
	spans     *spans

	mu     sync.Mutex                // held while the region falls asleep and while it wakes
	still  *frozen                   // nil while awake
	woken  func()                    // ends the listening
	drowsy atomic.Bool               // from when the region begins to fall asleep until it is awake: who comes has to ask
	asleep atomic.Pointer[time.Time] // since when; nil while awake

	resuming sync.WaitGroup // until all is as it was before the sleep
	speaking atomic.Int64   // orders under way, and those who follow events or watch
	spoken   atomic.Int64   // when the last one ended, or the region woke, in nanoseconds of Unix time
}

// Sleep stops all processes of the zones until somebody speaks with the region: a client that connects, or one that has
// a connection and sends something, an order over the control socket, or Wake. Nothing is taken for dead when they go
// on. A region that sleeps is left alone.
func (n *sleeper) Sleep(ctx context.Context) error {
	return n.fallAsleep(ctx, func() bool { return true })
}

// fallAsleep is Sleep, unless willing says at the last moment that the region is needed.
func (n *sleeper) fallAsleep(ctx context.Context, willing func() bool) (err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.still != nil {
		return nil
	}
	if !n.life.isUp() {
		return errNotUp
	}
	if !n.saver.saving.TryLock() {
		return errors.New("a snapshot of the region is being saved: wait for it")
	}
	defer n.saver.saving.Unlock()
	n.resuming.Wait()
	n.drowsy.Store(true) // from here on who comes waits for the lock, and then wakes the region
	defer func() {
		if n.still == nil {
			n.drowsy.Store(false)
		}
	}()
	heard := n.awaitQuiet(ctx)
	if !willing() {
		return nil
	}
	defer func() {
		if err != nil {
			n.goOn()
		}
	}()
	if err := n.zones.suspend(ctx, true); err != nil {
		return fmt.Errorf("the region cannot fall asleep: %w", err)
	}
	for _, balancer := range n.endpoints.balancers() {
		balancer.Suspend()
	}
	still, err := n.freezer.freeze(ctx)
	if err != nil {
		return err
	}
	if n.life.running.Err() != nil {
		still.thaw()
		return errStopping
	}
	now := time.Now()
	listening, woken := context.WithCancel(n.life.running)
	n.still, n.woken = still, woken
	n.asleep.Store(&now)
	n.emit(api.Event{Type: api.RegionAsleep, Message: "the region sleeps; the first connection wakes it"})
	n.life.wait.Go(func() { n.listen(listening, heard) })
	return nil
}

// Wake lets a region go on that sleeps or is falling asleep, and returns when its processes run. Why says who wanted
// that. While the region is awake it costs nothing.
func (n *sleeper) Wake(why string) {
	if !n.drowsy.Load() {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.still == nil {
		return
	}
	n.woken()
	_, err := n.still.thaw()
	if err != nil {
		n.logger.Error("wake", "error", err)
	}
	slept := time.Since(*n.asleep.Load())
	n.still = nil
	n.spoken.Store(time.Now().UnixNano())
	n.asleep.Store(nil)
	n.drowsy.Store(false)
	n.goOn()
	n.links.nudge()
	n.disks.nudge()
	n.spans.nudge()
	n.emit(api.Event{Type: api.RegionAwake, Message: fmt.Sprintf("the region runs again after %s: %s",
		slept.Round(time.Millisecond), why)})
}

// goOn undoes what was prepared for the sleep. Clients need not wait for it: until the zones know each other again, the
// balancers' targets are as well as they were.
func (n *sleeper) goOn() {
	n.resuming.Go(func() {
		if err := n.zones.suspend(context.Background(), false); err != nil {
			n.logger.Warn("resume", "error", err)
		}
		for _, balancer := range n.endpoints.balancers() {
			balancer.Resume()
		}
	})
}

// activity sums up what the clients of all balancers have done.
func (n *sleeper) activity() (all lb.Activity) {
	for _, balancer := range n.endpoints.balancers() {
		one := balancer.Activity()
		all.Clients += one.Clients
		all.Bytes += one.Bytes
		if one.Since.After(all.Since) {
			all.Since = one.Since
		}
	}
	return all
}

// awaitQuiet returns when no client's request is under way, as far as can be told, and how many bytes open connections
// have carried by then.
func (n *sleeper) awaitQuiet(ctx context.Context) uint64 {
	limit := time.Now().Add(quietLimit)
	for heard := n.activity(); ; {
		if heard.Clients == 0 || sleep.For(ctx, quietTime) != nil || time.Now().After(limit) {
			return heard.Bytes
		}
		now := n.activity()
		if now == heard {
			return heard.Bytes
		}
		heard = now
	}
}

// listen wakes the region when a client speaks over a connection that it had when the region fell asleep.
func (n *sleeper) listen(ctx context.Context, heard uint64) {
	for sleep.For(ctx, listenInterval) == nil {
		switch now := n.activity(); {
		case now.Clients == 0:
			return
		case now.Bytes > heard:
			n.life.wait.Go(func() { n.Wake("a client spoke") })
			return
		default:
			heard = now.Bytes // a client may have gone
		}
	}
}

// keepHours lets the region fall asleep when nobody has spoken with it for as long as after. It looks ten times in that
// span, at most every ten seconds.
func (n *sleeper) keepHours(ctx context.Context, after time.Duration) {
	for sleep.For(ctx, min(after/10, 10*time.Second)) == nil {
		if n.idle() < after || n.asleep.Load() != nil {
			continue
		}
		if err := n.fallAsleep(ctx, func() bool { return n.idle() >= after }); err != nil && ctx.Err() == nil {
			n.logger.Warn("fall asleep", "error", err)
		}
	}
}

// idle is for how long nobody has spoken with the region and nothing was under way: no client had a connection, nobody
// watched or gave an order, and no cluster was being changed.
func (n *sleeper) idle() time.Duration {
	activity := n.activity()
	if !n.life.isUp() || activity.Clients > 0 || n.speaking.Load() > 0 {
		return 0
	}
	for _, c := range n.endpoints.sorted() {
		if c.creation != nil || c.state.Status.Passes() {
			return 0
		}
	}
	since := n.life.started
	for _, other := range []time.Time{activity.Since, time.Unix(0, n.spoken.Load())} {
		if other.After(since) {
			since = other
		}
	}
	return time.Since(since)
}

// interest is what somebody has in the region who asks something over the control socket.
type interest int

const (
	looks   interest = iota // it may sleep, and fall asleep
	watches                 // it may sleep, but not fall asleep by itself
	orders                  // it is needed
)

// attend counts somebody who is interested in the region until leave is called, and wakes it for those who need it. why
// says who that is.
func (n *sleeper) attend(interest interest, why string) (leave func()) {
	if interest == looks {
		return func() {}
	}
	n.speaking.Add(1)
	if interest == orders {
		n.Wake(why)
	}
	return func() {
		n.spoken.Store(time.Now().UnixNano())
		n.speaking.Add(-1)
	}
}
